"""Strokes to polylines: control points sampled as Blender samples its curves. Knows no pixel's colour and no file."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..strokes import BEZIER, CATMULL_ROM, NURBS, Strokes

RESOLUTION = 12
"""Into how many pieces Blender divides a curve between two control points."""
TOLERANCE = 0.05
"""Pixels that a picture may be off by, which nobody sees."""
FARTHEST = 1e6
"""Pixels; what is farther away or wider is drawn there, since single precision would tear it."""


@dataclass(frozen=True)
class Polylines:
    """s strokes as k points; what lies between two points is straight."""

    points: NDArray[np.float64]
    """(k, 2) pixels"""
    widths: NDArray[np.float64]
    """(k,) diameters in pixels"""
    opacity: NDArray[np.float64]
    """(k,) 0..1"""
    offsets: NDArray[np.intp]
    """(s + 1,)"""
    closed: NDArray[np.bool_]
    """(s,) whether the last point leads back to the first."""

    @property
    def stroke(self) -> NDArray[np.intp]:
        """(k,) the stroke of each point."""
        return np.repeat(np.arange(len(self.closed)), np.diff(self.offsets))

    def kept(self, keep: NDArray[np.bool_]) -> "Polylines":
        """The polylines with some (k,) of their points only."""
        offsets = np.concatenate([[0], np.cumsum(keep)])[self.offsets]
        return Polylines(self.points[keep], self.widths[keep], self.opacity[keep], offsets, self.closed)


def sample(strokes: Strokes, size: tuple[int, int]) -> Polylines:
    """The strokes in a picture of `size` (width, height), curves divided as Blender does, or less where nobody could see it.

    Points that are not finite are left out.
    """
    strokes = _finite(strokes)
    stroke, before, after, second = _neighbours(strokes)
    spline = ((strokes.curve_type == NURBS) & (np.diff(strokes.offsets) >= 4))[stroke]
    control = _control(strokes, _values(strokes, size), size, before, after, second, spline)
    steps = _steps(control)
    # the last point of an open stroke leads nowhere; an open B-spline has three spans less than points and ends in the next one's start
    left = strokes.offsets[1:][stroke] - 1 - np.arange(len(stroke)) - np.where(spline, 2, 0)
    open_ = ~strokes.cyclic[stroke]
    steps[open_ & (left == 0)] = 1
    steps[open_ & (left < 0)] = 0
    values = _evaluate(control, steps)
    offsets = np.concatenate([[0], np.cumsum(steps)])[strokes.offsets]
    return Polylines(values[:, :2], np.maximum(values[:, 2], 0), values[:, 3].clip(0, 1), offsets, strokes.cyclic)


def thinned(lines: Polylines) -> Polylines:
    """The polylines with no two neighbouring points closer than TOLERANCE: a stroke without length is one point."""
    stroke = lines.stroke
    step = np.linalg.norm(np.diff(lines.points, axis=0, prepend=lines.points[:1]), axis=1)
    first = np.diff(stroke, prepend=-1) > 0
    step[first] = 0
    # along the way, not point to point: of many tiny steps some must stay
    mark = np.floor(np.cumsum(step) / TOLERANCE)
    lines = lines.kept(first | (np.diff(mark, prepend=-1) > 0))
    stroke, last = lines.stroke, np.diff(lines.stroke, append=len(lines.closed)) > 0
    home = np.linalg.norm(lines.points - lines.points[lines.offsets[:-1][stroke]], axis=1)
    return lines.kept(~(last & lines.closed[stroke] & (home < TOLERANCE) & (np.diff(lines.offsets)[stroke] > 1)))


def _finite(strokes: Strokes) -> Strokes:
    """The strokes without the points that are not finite, and without what is not finite in the others."""
    keep = np.isfinite(strokes.points).all(axis=1)
    points, handles = strokes.points[keep], strokes.handles[keep]
    return replace(
        strokes,
        points=points,
        handles=np.where(np.isfinite(handles).all(axis=2, keepdims=True), handles, points[:, None]),
        widths=np.nan_to_num(strokes.widths[keep], nan=0.0),
        opacity=np.nan_to_num(strokes.opacity[keep], nan=0.0),
        offsets=np.concatenate([[0], np.cumsum(keep)])[strokes.offsets],
    )


def _neighbours(strokes: Strokes) -> tuple[NDArray[np.intp], ...]:
    """Of each point its stroke and the indices of the point before, after, and after that: round a cyclic stroke, else up to its ends."""
    count = np.diff(strokes.offsets)
    stroke = np.repeat(np.arange(len(count)), count)
    index, first, last = np.arange(len(stroke)), strokes.offsets[:-1][stroke], strokes.offsets[1:][stroke] - 1
    cyclic = strokes.cyclic[stroke]
    before = np.where(index > first, index - 1, np.where(cyclic, last, first))
    after = np.where(index < last, index + 1, np.where(cyclic, first, last))
    return stroke, before, after, after[after]


def _values(strokes: Strokes, size: tuple[int, int]) -> NDArray[np.float64]:
    """(n, 4) x, y, width in pixels of the picture, opacity."""
    scale = np.divide(size, strokes.size)
    points = np.clip(strokes.points * scale, -FARTHEST, FARTHEST)
    widths = np.clip(strokes.widths * np.sqrt(scale.prod()), 0, FARTHEST)
    return np.concatenate([points, widths[:, None], strokes.opacity[:, None]], axis=1)


def _control(
    strokes: Strokes,
    values: NDArray[np.float64],
    size: tuple[int, int],
    before: NDArray[np.intp],
    after: NDArray[np.intp],
    second: NDArray[np.intp],
    spline: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """(n, 4, 4) The curve from each point on as a cubic Bézier: every kind of curve is one, in x, y, width and opacity alike."""
    curve = np.repeat(strokes.curve_type, np.diff(strokes.offsets))
    p, q = values, values[after]
    control = np.stack([p, (2 * p + q) / 3, (p + 2 * q) / 3, q], axis=1)
    smooth = curve == CATMULL_ROM
    control[smooth, 1] = (p + (q - values[before]) / 6)[smooth]
    control[smooth, 2] = (q - (values[second] - p) / 6)[smooth]
    bezier = curve == BEZIER
    handles = np.clip(strokes.handles * np.divide(size, strokes.size), -FARTHEST, FARTHEST)
    control[bezier, 1, :2] = handles[bezier, 1]
    control[bezier, 2, :2] = handles[after, 0][bezier]
    r = values[second]
    control[spline, 0] = ((p + 4 * q + r) / 6)[spline]
    control[spline, 1] = ((2 * q + r) / 3)[spline]
    control[spline, 2] = ((q + 2 * r) / 3)[spline]
    control[spline, 3] = ((q + 4 * r + values[after[second]]) / 6)[spline]
    return control


def _steps(control: NDArray[np.float64]) -> NDArray[np.intp]:
    """(n,) Into how many pieces each cubic is divided: one in n pieces is off by at most 6 bend / 8 n²."""
    bend = np.abs(control[:, :-2, :3] - 2 * control[:, 1:-1, :3] + control[:, 2:, :3]).max(axis=(1, 2), initial=0)
    return np.clip(np.ceil(np.sqrt(0.75 * bend / TOLERANCE)), 1, RESOLUTION).astype(np.intp)


def _evaluate(control: NDArray[np.float64], steps: NDArray[np.intp]) -> NDArray[np.float64]:
    """(k, 4) The start of each piece."""
    cubic = np.repeat(np.arange(len(steps)), steps)
    t = ((np.arange(len(cubic)) - (np.cumsum(steps) - steps)[cubic]) / steps[cubic])[:, None]
    a, b, c, d = (control[cubic, i] for i in range(4))
    return ((a * (1 - t) + 3 * b * t) * (1 - t) + 3 * c * t * t) * (1 - t) + d * t**3
