"""Views: how points in space become pixels, through the scene's camera or, where there is none, straight onto the drawing."""

from dataclasses import dataclass
from itertools import product

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..engine.protocol import PegbarError

Array = NDArray[np.float64]

FLAT = 1e-6
"""Share of a matrix's largest scale under which another of its scales is none."""

MARGIN = 0.1
"""Share of the picture left free around a drawing that is fitted."""


@dataclass(frozen=True)
class View:
    """What a picture shows of the world."""

    size: tuple[int, int]
    """Width and height in pixels."""
    matrix: Array
    """(4, 4) world to clip space."""
    scale: float
    """Pixels that a unit of the world is long where the clip space's w is 1, the mean of both axes."""

    def project(self, matrix: Array, points: Array) -> tuple[Array, Array, Array]:
        """Points (n, 3) of a space, `matrix` leading to clip space -> pixels (n, 2) y down, depth (n,), clip w (n,)."""
        clip = points @ matrix[:, :3].T + matrix[:, 3]
        w = clip[:, 3]
        return (clip[:, :2] / w[:, None] * (0.5, -0.5) + 0.5) * self.size, clip[:, 2] / w, w


def in_front(matrix: Array, points: Array) -> Array:
    """(n,) How far points (n, 3) lie beyond the near plane of the view, `matrix` leading to clip space; negative behind it."""
    return points @ (matrix[2, :3] + matrix[3, :3]) + (matrix[2, 3] + matrix[3, 3])


def unproject(matrix: Array, points: Array, depth: Array, size: tuple[int, int]) -> Array:
    """Pixels (n, 2) and depth (n,) -> points (n, 3) of the space that `matrix` leads from, to clip space."""
    device = np.concatenate([(points / size - 0.5) * (2, -2), depth[:, None], np.ones((len(points), 1))], axis=1)
    space = device @ np.linalg.inv(matrix).T
    return space[:, :3] / space[:, 3:]


def render_size(scene: bpy.types.Scene) -> tuple[int, int]:
    """Width and height of the scene's picture in pixels."""
    render = scene.render
    share = render.resolution_percentage / 100
    return max(1, int(render.resolution_x * share)), max(1, int(render.resolution_y * share))


def camera_view(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> View:
    """What the scene's camera sees at the evaluated frame."""
    size, render = render_size(scene), scene.render
    camera = scene.camera.evaluated_get(depsgraph)
    window = camera.calc_matrix_camera(depsgraph, x=size[0], y=size[1], scale_x=render.pixel_aspect_x, scale_y=render.pixel_aspect_y)
    # normalized: the scale of a camera object changes nothing that it sees
    place = as_array(camera.matrix_world.normalized())
    if dimensions(place) < 3:
        raise PegbarError(f"The camera {camera.name!r} has a scale of 0 and sees nothing: set its scale to 1")
    return _view(size, as_array(window), np.linalg.inv(place))


def fitted_view(size: tuple[int, int], matrix: Array, low: Array, high: Array) -> View:
    """A straight look, with a margin, at a box from `low` to `high` (3,) in the space of an object, `matrix` leading to the world.

    It is upright as the object is and looks along that axis of it along which the box is thinnest: at a drawing on the front plane
    from the front.
    """
    spread = (high - low)[[1, 2, 0]]
    up, back = (matrix[:3, axis] * sign for axis, sign in _LOOKS[int(np.argmin(spread))])
    back = back / np.linalg.norm(back)
    up = up - back * (up @ back)
    up = up / np.linalg.norm(up)
    basis = np.eye(4)
    basis[:3, :3] = np.stack([np.cross(up, back), up, back])
    corners = np.array([*product(*zip(low, high, strict=True))]) @ (basis[:3, :3] @ matrix[:3, :3]).T + basis[:3, :3] @ matrix[:3, 3]
    basis[:3, 3] = -(corners.min(axis=0) + corners.max(axis=0)) / 2
    width, height, depth = np.ptp(corners, axis=0)
    aspect = size[0] / size[1]
    half = max(width, height * aspect, 1e-6) / 2 / (1 - 2 * MARGIN)
    return _view(size, np.diag([1 / half, aspect / half, -1 / max(depth, half), 1.0]), basis)


def as_array(matrix: Matrix) -> Array:
    """(4, 4) In double precision: a matrix of Blender 5.2 would make an array of singles, too coarse to lead back exactly."""
    return np.array(matrix, np.float64)


def dimensions(matrix: Array) -> int:
    """How many dimensions a matrix leaves a body: 2 where a scale of 0 squashes it flat, 0 where it shrinks it to a point."""
    scales = np.linalg.svd(matrix[:3, :3], compute_uv=False)
    return int((scales > FLAT * scales[0]).sum())


def mean_scale(matrix: Array) -> float:
    """How much a matrix enlarges, by Blender's own measure for the radius of strokes."""
    return float(np.linalg.norm(matrix[:3, :3].sum(axis=1)) / np.sqrt(3))


def _view(size: tuple[int, int], window: Array, view: Array) -> View:
    scale = np.sqrt(abs(window[0, 0] * size[0] * window[1, 1] * size[1])) / 2
    return View(size, window @ view, float(scale))


_LOOKS = (((2, 1), (1, -1)), ((1, 1), (2, 1)), ((2, 1), (0, 1)))
"""Axis and sign of what is up and of what faces the viewer in a look from the front, from the top and from the right."""
