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
    around = _neighbours(strokes)
    spline = ((strokes.curve_type == NURBS) & (np.diff(strokes.offsets) >= 4))[around.stroke]
    control = _control(strokes, around, spline, size)
    steps = _steps(control)
    # the last point of an open stroke leads nowhere; an open B-spline has three spans less than points and ends in the next one's start
    left = strokes.offsets[1:][around.stroke] - 1 - np.arange(len(steps)) - np.where(spline, 2, 0)
    open_ = ~strokes.cyclic[around.stroke]
    steps[open_ & (left == 0)] = 1
    steps[open_ & (left < 0)] = 0
    values = _evaluate(control, steps)
    points = (values[:, :2] / values[:, 4:]).clip(-FARTHEST, FARTHEST)
    widths = (values[:, 2] / values[:, 4]).clip(0, FARTHEST)
    offsets = np.concatenate([[0], np.cumsum(steps)])[strokes.offsets]
    return Polylines(points, widths, values[:, 3].clip(0, 1), offsets, strokes.cyclic)


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
    points = strokes.points[keep].clip(-FARTHEST, FARTHEST)
    handles = strokes.handles[keep].clip(-FARTHEST, FARTHEST)
    return replace(
        strokes,
        points=points,
        depth=strokes.depth[keep],
        handles=np.where(np.isfinite(handles).all(axis=2, keepdims=True), handles, points[:, None]),
        widths=np.nan_to_num(strokes.widths[keep], nan=0.0).clip(0, FARTHEST),
        opacity=np.nan_to_num(strokes.opacity[keep], nan=0.0),
        offsets=np.concatenate([[0], np.cumsum(keep)])[strokes.offsets].astype(np.int32),
    )


@dataclass(frozen=True)
class _Around:
    """Of each point (n,) its stroke and the points around it: round a cyclic stroke, else up to its ends."""

    stroke: NDArray[np.intp]
    before: NDArray[np.intp]
    after: NDArray[np.intp]


def _neighbours(strokes: Strokes) -> _Around:
    count = np.diff(strokes.offsets)
    stroke = np.repeat(np.arange(len(count)), count)
    index, first, last = np.arange(len(stroke)), strokes.offsets[:-1][stroke], strokes.offsets[1:][stroke] - 1
    cyclic = strokes.cyclic[stroke]
    before = np.where(index > first, index - 1, np.where(cyclic, last, first))
    return _Around(stroke, before, np.where(index < last, index + 1, np.where(cyclic, first, last)))


def _distances(strokes: Strokes, stroke: NDArray[np.intp]) -> NDArray[np.float64]:
    """(n,) The clip space's w of each point: how far it is from the camera; 1 where the view is no perspective."""
    try:
        back = np.linalg.inv(strokes.matrices)[strokes.layer[stroke], 3]
    except np.linalg.LinAlgError:
        return np.ones(len(stroke))
    device = (strokes.points / strokes.size - 0.5) * (2, -2)
    with np.errstate(all="ignore"):
        w = 1 / (back[:, 0] * device[:, 0] + back[:, 1] * device[:, 1] + back[:, 2] * strokes.depth + back[:, 3])
    return np.where(np.isfinite(w) & (w > 0), w, 1.0)


def _control(strokes: Strokes, around: _Around, spline: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.float64]:
    """(n, 4, 5) The curve from each point on as a cubic Bézier, which every kind of curve is: in x, y and width times w, opacity, and w.

    Homogeneous, since a curve is bent in space and then seen: its picture is not the curve through the pictures of its points.
    """
    curve = strokes.curve_type[around.stroke]
    scale = np.divide(size, strokes.size)
    w = _distances(strokes, around.stroke)[:, None]
    widths = strokes.widths[:, None] * np.sqrt(scale.prod())
    p = np.concatenate([strokes.points * scale * w, widths * w, strokes.opacity[:, None], w], axis=1)
    q = p[around.after]
    r = q[around.after]
    control = np.stack([p, (2 * p + q) / 3, (p + 2 * q) / 3, q], axis=1)
    smooth = curve == CATMULL_ROM
    control[smooth, 1] = (p + (q - p[around.before]) / 6)[smooth]
    control[smooth, 2] = (q - (r - p) / 6)[smooth]
    bezier = curve == BEZIER
    control[bezier, 1, :2] = (strokes.handles[:, 1] * scale)[bezier] * control[bezier, 1, 4:]
    control[bezier, 2, :2] = (strokes.handles[around.after, 0] * scale)[bezier] * control[bezier, 2, 4:]
    control[spline, 0] = ((p + 4 * q + r) / 6)[spline]
    control[spline, 1] = ((2 * q + r) / 3)[spline]
    control[spline, 2] = ((q + 2 * r) / 3)[spline]
    control[spline, 3] = ((q + 4 * r + r[around.after]) / 6)[spline]
    np.maximum(control[..., 4], 1e-9, out=control[..., 4])  # a curve may swing behind the camera where no point of it is
    return control


def _steps(control: NDArray[np.float64]) -> NDArray[np.intp]:
    """(n,) Into how many pieces each cubic is divided: one in n pieces is off by at most 6 bend / 8 n²."""
    bend = np.abs(control[:, :-2, :3] - 2 * control[:, 1:-1, :3] + control[:, 2:, :3]).max(axis=(1, 2), initial=0)
    nearest = control[..., 4].min(axis=1, initial=np.inf)
    return np.clip(np.ceil(np.sqrt(0.75 * bend / nearest / TOLERANCE)), 1, RESOLUTION).astype(np.intp)


def _evaluate(control: NDArray[np.float64], steps: NDArray[np.intp]) -> NDArray[np.float64]:
    """(k, 5) The start of each piece."""
    cubic = np.repeat(np.arange(len(steps)), steps)
    t = ((np.arange(len(cubic)) - (np.cumsum(steps) - steps)[cubic]) / steps[cubic])[:, None]
    a, b, c, d = (control[cubic, i] for i in range(4))
    return ((a * (1 - t) + 3 * b * t) * (1 - t) + 3 * c * t * t) * (1 - t) + d * t**3
