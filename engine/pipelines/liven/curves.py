"""Places on a drawing's curves, and how they follow from its control points and handles. Knows no drawing beyond single strokes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from ...strokes import BEZIER, CATMULL_ROM, Strokes

Array = NDArray[np.float64]
Indices = NDArray[np.integer[Any]]

_MOST = 64
"""Places between two control points."""


@dataclass(frozen=True)
class Curves:
    """m places on s strokes of n control points; the control points come first."""

    places: Array
    """(m, 2) pixels"""
    stroke: Indices
    """(m,)"""
    along: Array
    """(m,) pixels along the stroke from its start"""
    length: Array
    """(s,) pixels"""
    closed: NDArray[np.bool_]
    """(s,)"""
    edges: Indices
    """(e, 2) places next to each other"""
    from_points: csr_array
    from_arms: csr_array
    """(m, n) and (m, 2n): places = from_points @ points + from_arms @ arms, the arms being handles less their points, left before right"""


def curves(strokes: Strokes, spacing: float) -> Curves:
    """Places at most `spacing` pixels apart on every stroke; on a NURBS, whose curve leaves its points, on the polygon."""
    n, lengths = len(strokes.points), np.diff(strokes.offsets)
    owner: Indices = np.repeat(np.arange(len(lengths)), lengths)
    start, end, before, after = _segments(strokes, owner)
    bezier, smooth = (strokes.curve_type[owner[start]] == kind for kind in (BEZIER, CATMULL_ROM))
    arms = (strokes.handles - strokes.points[:, None]).reshape(-1, 2)
    way = _lengths(strokes.points, arms, start, end, bezier)

    extra = np.clip(way / spacing, 0, _MOST).astype(np.intp)
    on: Indices = np.repeat(np.arange(len(start)), extra)
    nth = np.arange(len(on)) - np.repeat(np.cumsum(extra) - extra, extra)
    part = (nth + 1) / (extra[on] + 1)
    from_points, from_arms = _weights(part, n, start[on], end[on], before[on], after[on], bezier[on], smooth[on])

    walked = np.concatenate([[0.0], np.cumsum(np.bincount(start, way, minlength=n))])[:-1]
    along: Array = walked - np.repeat(walked[np.minimum(strokes.offsets[:-1], n - 1)], lengths)
    return Curves(
        places=from_points @ strokes.points + from_arms @ arms,
        stroke=np.concatenate([owner, owner[start[on]]]),
        along=np.concatenate([along, along[start[on]] + part * way[on]]),
        length=np.bincount(owner[start], way, minlength=len(lengths)).astype(np.float64),
        closed=strokes.cyclic,
        edges=_chain(start, end, extra, on, nth, n),
        from_points=from_points,
        from_arms=from_arms,
    )


def _segments(strokes: Strokes, owner: Indices) -> tuple[Indices, Indices, Indices, Indices]:
    """The control points at both ends of every segment, and those before and after them, which are the ends again where none are."""
    here, cyclic = np.arange(len(owner)), strokes.cyclic[owner]
    first, last = strokes.offsets[:-1][owner], strokes.offsets[1:][owner] - 1
    following = np.where(here < last, here + 1, np.where(cyclic, first, here))
    preceding = np.where(here > first, here - 1, np.where(cyclic, last, here))
    start = np.flatnonzero(following != here)
    end = following[start]
    return start, end, preceding[start], following[end]


def _lengths(points: Array, arms: Array, start: Indices, end: Indices, bezier: NDArray[np.bool_]) -> Array:
    """How long each segment is at most: the way over its handles."""
    chord = points[end] - points[start]
    leaving = np.where(bezier[:, None], arms[2 * start + 1], chord / 3)
    coming = np.where(bezier[:, None], arms[2 * end], -chord / 3)
    legs = np.stack([leaving, chord + coming - leaving, coming])
    length: Array = np.linalg.norm(legs, axis=2).sum(axis=0)
    return length


def _weights(
    part: Array,
    count: int,
    start: Indices,
    end: Indices,
    before: Indices,
    after: Indices,
    bezier: NDArray[np.bool_],
    smooth: NDArray[np.bool_],
) -> tuple[csr_array, csr_array]:
    """The rows of `from_points` and `from_arms`: control points themselves, then cubics at a part 0..1 of their segment."""
    a, b, c, d = (1 - part) ** 3, 3 * part * (1 - part) ** 2, 3 * part**2 * (1 - part), part**3
    sixth = smooth / 6
    straight = ~(bezier | smooth)
    at_start = np.where(straight, 1 - part, a + b + c * sixth)
    at_end = np.where(straight, part, b * sixth + c + d)
    rows, total = count + np.arange(len(part)), count + len(part)
    own = np.arange(count)
    points = coo_array(
        (
            np.concatenate([np.ones(count), at_start, at_end, -b * sixth, -c * sixth]),
            (np.concatenate([own, np.tile(rows, 4)]), np.concatenate([own, start, end, before, after])),
        ),
        shape=(total, count),
    )
    arms = coo_array(
        (np.concatenate([b * bezier, c * bezier]), (np.tile(rows, 2), np.concatenate([2 * start + 1, 2 * end]))), shape=(total, 2 * count)
    )
    return points.tocsr(), arms.tocsr()


def _chain(start: Indices, end: Indices, extra: Indices, on: Indices, nth: Indices, count: int) -> Indices:
    added = count + np.arange(len(on))
    opens, closes = nth == 0, nth == extra[on] - 1
    parts = [
        np.stack([start[extra == 0], end[extra == 0]], axis=1),
        np.stack([start[on[opens]], added[opens]], axis=1),
        np.stack([added[~closes], added[~closes] + 1], axis=1),
        np.stack([added[closes], end[on[closes]]], axis=1),
    ]
    return np.concatenate(parts)
