"""Where a layer's strokes lie on one plane, as Grease Pencil draws them: the depth of what moves on it. Knows no ink."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..strokes import Strokes
from .single import Stroke

Array = NDArray[np.float64]

_FLAT = 2e-3
"""Share of a layer's extent, in its own space, by which its points may lie off a plane."""


def planes(strokes: Strokes) -> dict[int, Array]:
    """Each layer's plane, where its points lie on one: (3,) with depth = (x, y, 1) @ plane, x and y in pixels.

    A plane's device depth is affine in the picture's x and y, in perspective too, since a projection leaves planes planes.
    """
    layer = strokes.layer[np.repeat(np.arange(len(strokes.layer)), np.diff(strokes.offsets))]
    finite = np.isfinite(strokes.points).all(axis=1) & np.isfinite(strokes.depth)
    found = {}
    for i in np.unique(layer[finite]).tolist():
        rows = finite & (layer == i)
        points, depth = strokes.points[rows], strokes.depth[rows]
        plane = _fitted(points, depth)
        there, flat = (_in_space(strokes, i, points, values) for values in (depth, on_plane(points, plane)))
        off = np.linalg.norm(there - flat, axis=1)
        if (off <= _FLAT * np.linalg.norm(np.ptp(there, axis=0))).all():
            found[i] = plane
    return found


def laid(stroke: Stroke, plane: Array | None) -> Stroke:
    """The stroke on the plane of its layer; as it is where that has none."""
    return stroke if plane is None else replace(stroke, depth=on_plane(stroke.shape.points, plane))


def on_plane(points: Array, plane: Array) -> Array:
    """The depth (k,) of points of the picture on a plane."""
    return points @ plane[:2] + plane[2]


def _fitted(points: Array, depth: Array) -> Array:
    """The plane nearest to the points; level across a line on which all lie."""
    middle = points.mean(axis=0)
    extent = max(float(np.ptp(points, axis=0).max()), 1e-9)
    slope = np.linalg.lstsq((points - middle) / extent, depth - depth.mean(), rcond=1e-6)[0] / extent
    return np.append(slope, depth.mean() - middle @ slope)


def _in_space(strokes: Strokes, layer: int, points: Array, depth: Array) -> Array:
    """(k, 3) points of the picture in their layer's own space."""
    device = (points / strokes.size - 0.5) * (2, -2)
    clip = np.column_stack([device, depth, np.ones(len(points))])
    space = clip @ np.linalg.pinv(strokes.matrices[layer]).T
    with np.errstate(all="ignore"):
        return space[:, :3] / space[:, 3:]
