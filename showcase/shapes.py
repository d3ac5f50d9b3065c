"""Shapes of a flat drawing: closed forms with an outline and open lines, built from few points. Knows no figure and no bpy.

Points are (x, z) in metres, x right, z up. `width` is a diameter in metres at each point.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]
LIGHT = np.array([-0.45, 0.9])
"""Where the light comes from: outlines are thin towards it and thick away from it."""


@dataclass(frozen=True)
class Shape:
    """One stroke: what it is made of and where it runs."""

    material: str
    points: Points
    width: NDArray[np.float64]
    curve: str
    """Blender's name of the curve type: POLY, CATMULL_ROM or BEZIER."""
    cyclic: bool = True
    handles: Points | None = None
    """(n, 2, 2) left and right, of BEZIER."""

    def moved(self, origin: ArrayLike, angle: float = 0.0, scale: ArrayLike = (1.0, 1.0)) -> "Shape":
        """The shape scaled, then turned counter-clockwise by an angle in radians, then moved."""
        handles = None if self.handles is None else place(self.handles, origin, angle, scale)
        return replace(self, points=place(self.points, origin, angle, scale), handles=handles)


def place(points: ArrayLike, origin: ArrayLike, angle: float = 0.0, scale: ArrayLike = (1.0, 1.0)) -> Points:
    """Points (..., 2) scaled, turned counter-clockwise by an angle in radians, and moved."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.asarray(points, float) * scale @ np.array([[cosine, sine], [-sine, cosine]]) + origin


def soft(material: str, points: ArrayLike, weight: float) -> Shape:
    """A closed form that runs smoothly through its points."""
    points = np.asarray(points, float)
    return Shape(material, points, weighted(points, weight), "CATMULL_ROM")


def cut(material: str, points: ArrayLike, weight: float, corners: Sequence[int] = (), tension: float = 1.0) -> Shape:
    """A closed form of Bézier curves: smooth but at the corners, which are points by index."""
    points = np.asarray(points, float)
    before, after = np.roll(points, 1, 0), np.roll(points, -1, 0)
    along = after - before
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    left = points - along * np.linalg.norm(points - before, axis=1, keepdims=True) * 0.36 * tension
    right = points + along * np.linalg.norm(after - points, axis=1, keepdims=True) * 0.36 * tension
    sharp = list(corners)
    left[sharp] = points[sharp] + (before - points)[sharp] / 3
    right[sharp] = points[sharp] + (after - points)[sharp] / 3
    return Shape(material, points, weighted(points, weight), "BEZIER", handles=np.stack([left, right], 1))


def plain(material: str, points: ArrayLike, weight: float) -> Shape:
    """A closed form with straight sides."""
    points = np.asarray(points, float)
    return Shape(material, points, weighted(points, weight), "POLY")


def line(points: ArrayLike, weight: float, material: str = "Line", taper: float = 0.85) -> Shape:
    """An open line through its points, drawn with a pressure that rises and falls."""
    points = spaced(np.asarray(points, float), max(9, 3 * len(np.atleast_2d(points))))
    pressure = 1 - taper + taper * np.sin(np.pi * np.linspace(0.04, 0.96, len(points))) ** 0.7
    return Shape(material, points, weight * pressure, "POLY", cyclic=False)


def oval(centre: ArrayLike, radii: ArrayLike, count: int = 10, angle: float = 0.0) -> Points:
    """Points around an ellipse, counter-clockwise from its right end."""
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return place(np.stack([np.cos(turn), np.sin(turn)], 1) * radii, centre, angle)


def puffs(centre: ArrayLike, radii: ArrayLike, count: int, swell: float = 0.16, turn: float = 0.0) -> tuple[Points, range]:
    """The outline of a cloud or a crown: round lobes about an ellipse, and the corners between them by index."""
    angle = np.repeat(np.arange(count) * 2 * np.pi / count, 3) + np.tile([0, 0.27, 0.73], count) * 2 * np.pi / count + turn
    out = np.tile([1 - swell / 2, 1 + swell, 1 + swell], count) * (1 + 0.09 * np.sin(np.floor(np.arange(3 * count) / 3) * 2.4))
    return place(np.stack([np.cos(angle), np.sin(angle)], 1) * out[:, None] * radii, centre), range(0, 3 * count, 3)


def tube(spine: ArrayLike, widths: ArrayLike, tip: float = 0.5, root: float = 0.5) -> Points:
    """The outline of a limb along its spine; `tip` and `root` say how round the ends are, 0 for cut."""
    spine, half = np.asarray(spine, float), np.asarray(widths, float)[:, None] / 2
    tangent = np.gradient(spine, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], 1)
    end = [spine[-1] + tangent[-1] * half[-1] * 2 * tip] if tip else []
    start = [spine[0] - tangent[0] * half[0] * 2 * root] if root else []
    return np.array([*(spine + normal * half), *end, *(spine - normal * half)[::-1], *start])


def spaced(points: Points, count: int) -> Points:
    """Points at even distances along the smooth curve through the given ones."""
    ends = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    u = np.linspace(0, 1, 8, endpoint=False)[:, None]
    fine = [_spline(ends[i : i + 4], u) for i in range(len(points) - 1)]
    fine = np.vstack([*fine, points[-1:]])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))])
    at = np.linspace(0, length[-1], count)
    return np.stack([np.interp(at, length, fine[:, 0]), np.interp(at, length, fine[:, 1])], 1)


def weighted(points: Points, weight: float) -> NDArray[np.float64]:
    """The widths of an outline whose line swells on the side away from the light."""
    side = np.roll(points, -1, 0) - np.roll(points, 1, 0)
    area = np.sum(points[:, 0] * np.roll(points[:, 1], -1) - np.roll(points[:, 0], -1) * points[:, 1])
    normal = np.stack([side[:, 1], -side[:, 0]], 1) * np.sign(area)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    return weight * (1 - 0.32 * (normal @ LIGHT))


def _spline(p: Points, u: Points) -> Points:
    """Catmull-Rom between the two middle points of four."""
    return 0.5 * (2 * p[1] + (p[2] - p[0]) * u + (2 * p[0] - 5 * p[1] + 4 * p[2] - p[3]) * u**2 + (3 * (p[1] - p[2]) + p[3] - p[0]) * u**3)
