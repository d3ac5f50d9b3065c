"""What of a frame's paths no known stroke explains: the new strokes, and those that moved too far to be followed."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .centrelines import SPACING
from .joining import Path
from .ways import Found, Way

Array = NDArray[np.float64]

_BESIDE = 0.75
"""Pixels by which a path may run outside half the width of the stroke that explains it."""
_DETOUR = 3.0
"""Pixels, beyond its width, by which a path may leave a stroke and come back to it: the stroke was cut short there."""
_GAP = 2.5
"""Widths of a stroke under which a path that crosses it stays one."""
_SHORT, _LEAST = 0.6, 3.0
"""Widths, and pixels, that an unexplained part of a path must be long."""


class Explained:
    """Where known strokes were found."""

    def __init__(self, found: list[Found], ways: list[Way]) -> None:
        seen = [(at, way) for at, way in zip(found, ways, strict=True) if at.seen]
        self.points = np.concatenate([*(_dense(at.points) for at, _ in seen), np.zeros((0, 2))])
        widths = [np.full(len(_dense(at.points)), _width(at, way)) for at, way in seen]
        self.widths = np.concatenate([*widths, np.zeros(0)])
        self.tree = cKDTree(self.points) if len(self.points) else None

    def near(self, points: Array) -> tuple[NDArray[np.bool_], Array, Array]:
        """(k,) whether points lie in the ink of these strokes, how far off the nearest is and how wide."""
        if self.tree is None:
            return np.zeros(len(points), bool), np.full(len(points), np.inf), np.zeros(len(points))
        gap, near = self.tree.query(points)
        width = self.widths[near]
        return gap < width / 2 + _BESIDE, gap, width


def unexplained(paths: list[Path], found: list[Found], ways: list[Way]) -> list[Path]:
    """The paths, or parts of them, that lie in the ink of no found stroke."""
    known = Explained(found, ways)
    return [part for path in paths for part in _parts(path, known)]


def _width(at: Found, way: Way) -> float:
    measured = at.widths[np.isfinite(at.widths)]
    return float(np.median(measured)) if len(measured) else way.width


def _dense(points: Array) -> Array:
    """Places along a stroke at most a pixel apart."""
    if len(points) < 2:
        return points
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    at = np.linspace(0, along[-1], int(along[-1]) + 2)
    return np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1)


def _parts(path: Path, known: Explained) -> list[Path]:
    inside, gap, width = known.near(path.points)
    if not inside.any():
        return [path]
    if inside.all():
        return []
    runs = _runs(inside)
    bridged = inside.copy()
    for i, j in runs:
        within = i > 0 and j < len(inside)
        if within and (j - i) * SPACING < _GAP * width[i:j].max() + 2:
            bridged[i:j] = False
    if path.closed and not bridged.any():
        return [path]
    parts = []
    for i, j in _runs(~bridged):
        own = ~inside[i:j]
        if own.sum() * SPACING < max(_SHORT * float(np.median(path.widths[i:j])), _LEAST) or own.mean() < 0.5:
            continue
        if i and j < len(inside) and (gap[i:j] < width[i:j] + _DETOUR).all():
            continue
        # a line that starts on another goes on to the middle of it
        i = i - min(int(width[i - 1] / 2 / SPACING) + 1, i) if i else i
        j = j + min(int(width[j] / 2 / SPACING) + 1, len(inside) - j) if j < len(inside) else j
        parts.append(Path(path.points[i:j], path.widths[i:j], path.level, False))
    return parts


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and end of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
