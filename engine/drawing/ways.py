"""Known strokes as places to look for, and as found."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Way:
    """The places (m, 2) of one known stroke, about evenly spaced; one place for a dot."""

    points: Array
    widths: Array
    """(m,)"""
    closed: bool
    missing: bool = False
    """Whether the last frame did not show it."""
    new: bool = False
    """Whether it came in an earlier frame: it yields to strokes of the source."""

    @property
    def width(self) -> float:
        return max(float(self.widths.mean()), 1.0)


@dataclass(frozen=True)
class Found:
    """Where a known stroke is."""

    seen: bool
    """Whether there are lines for it; else `points` are where they would be."""
    points: Array
    """(m, 2)"""
    widths: Array
    """(m,) of the line there; nan where it cannot be told"""
    on: NDArray[np.bool_]
    """(m,) whether the place was measured across its line"""


def doubled(way: Array) -> Array:
    """Directions (k, 2) as those of twice the angle: a line has the same one both ways."""
    return np.stack([way[:, 0] ** 2 - way[:, 1] ** 2, 2 * way[:, 0] * way[:, 1]], axis=1)


def headings(places: Array, ways: list[Way]) -> Array:
    """(k, 2) the unit direction of each stroke at each of its places."""
    found = []
    start = 0
    for way in ways:
        points = places[start : start + len(way.points)]
        start += len(points)
        if len(points) < 2:
            found.append(np.array([[1.0, 0.0]] * len(points)))
            continue
        step = np.gradient(points, axis=0)
        if way.closed and len(points) > 3:
            step[[0, -1]] = points[1] - points[-2]
        found.append(step / np.linalg.norm(step, axis=1, keepdims=True).clip(1e-9))
    return np.concatenate(found)


def length_of(points: Array) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
