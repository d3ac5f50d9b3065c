"""Polylines with widths to Skia paths: the outline of each stroke, with round joins and caps. Knows no colour."""

from itertools import pairwise

import numpy as np
import skia
from numpy.typing import NDArray

from .curves import TOLERANCE, Polylines

Array = NDArray[np.float64]


def outlines(lines: Polylines) -> list[skia.Path]:
    """One path a stroke, to be filled by winding; of `lines` no two neighbouring points are the same.

    It is made of ribbons, one along each stretch that bends gently, and of a disc wherever a stretch ends. All turn clockwise and none
    is folded, so that they add up and never cancel out.
    """
    stroke, radius = lines.stroke, lines.widths / 2
    index, first, end = np.arange(len(stroke)), lines.offsets[:-1][stroke], lines.offsets[1:][stroke]
    closed = lines.closed[stroke] & (end - first > 2)
    after = np.where(index + 1 < end, index + 1, np.where(closed, first, index))
    before = np.where(index > first, index - 1, np.where(closed, end - 1, index))
    normal, length = _normals(lines.points, after)
    mitre, gentle = _mitres(normal, length, radius, before)
    gentle &= (before != index) & (after != index)

    leads = np.flatnonzero(after != index)
    begins = ~gentle[leads] | (leads == first[leads])
    start = lines.points[leads], np.where(gentle[leads, None], mitre[leads], normal[leads]) * radius[leads, None]
    to = after[leads]
    stop = lines.points[to], np.where(gentle[to, None], mitre[to], normal[leads]) * radius[to, None]
    ribbons = _ribbons(start, stop, begins)

    builders = [skia.PathBuilder() for _ in lines.closed]
    for owner, ribbon in zip(stroke[leads][begins].tolist(), ribbons, strict=True):
        builders[owner].addPolygon(ribbon, True)
    discs = np.flatnonzero(~gentle)
    for owner, (x, y), r in zip(stroke[discs].tolist(), lines.points[discs].tolist(), radius[discs].tolist(), strict=True):
        builders[owner].addCircle(x, y, r)
    return [builder.detach() for builder in builders]


def _normals(points: Array, after: NDArray[np.intp]) -> tuple[Array, Array]:
    """(k, 2) to the left of the way from each point to the next, y being down, and (k,) the length of that way."""
    way = points[after] - points
    length = np.linalg.norm(way, axis=1)
    return np.stack([way[:, 1], -way[:, 0]], axis=1) / np.maximum(length, 1e-12)[:, None], length


def _mitres(normal: Array, length: Array, radius: Array, before: NDArray[np.intp]) -> tuple[Array, NDArray[np.bool_]]:
    """(k, 2) where both sides of a joint meet, for a radius of 1, and (k,) whether that is near enough to round and folds nothing."""
    cosine = np.einsum("ij,ij->i", normal, normal[before]).clip(-1, 1)
    mitre = (normal + normal[before]) / np.maximum(1 + cosine, 1e-6)[:, None]
    reach = np.sqrt(2 / np.maximum(1 + cosine, 1e-6))
    sideways = radius * np.sqrt(np.maximum(reach**2 - 1, 0))
    return mitre, (radius * (reach - 1) < TOLERANCE) & (sideways < np.minimum(length, length[before]) / 2)


def _ribbons(start: tuple[Array, Array], stop: tuple[Array, Array], begins: NDArray[np.bool_]) -> list[list[skia.Point]]:
    """The corners of each ribbon: `start` and `stop` are the middle and the half of every piece's two ends."""
    ribbon = np.cumsum(begins) - 1
    at = np.arange(len(begins)) + ribbon + 1
    heads = at[begins] - 1
    sides = []
    for sign in (1, -1):
        corners = np.empty((len(begins) + len(heads), 2))
        corners[at] = stop[0] + sign * stop[1]
        corners[heads] = (start[0] + sign * start[1])[begins]
        sides.append(list(map(skia.Point, *corners.T.tolist())))
    left, right = sides
    return [left[i:j] + right[i:j][::-1] for i, j in pairwise([*heads.tolist(), len(left)])]
