"""What lies at a point of the sequencer's preview: the place on a strip's own picture, and the picture that it shows."""

import math
from pathlib import Path

import bpy
import numpy as np

from ..engine.protocol import PegbarError
from .projection import Array
from .render import picture_size
from .versions import strip_range


def on_picture(scene: bpy.types.Scene, strip: bpy.types.Strip, x: float, y: float) -> tuple[float, float] | None:
    """Where a point of the preview's view lies on a strip's picture: 0..1 across and down; None beside it. Raises PegbarError."""
    place = np.linalg.inv(_matrix(scene, strip)) @ (x, y, 1.0)
    across, down = float(place[0]), 1.0 - float(place[1])
    return (across, down) if 0 <= across < 1 and 0 <= down < 1 else None


def in_preview(scene: bpy.types.Scene, strip: bpy.types.Strip, across: float, down: float) -> tuple[float, float]:
    """The point of the preview's view at which a place of a strip's picture is seen. Raises PegbarError."""
    x, y, _ = (_matrix(scene, strip) @ (across, 1.0 - down, 1.0)).tolist()
    return x, y


def picture_at(strip: bpy.types.Strip, frame: int) -> int | None:
    """The number of the picture that an image strip shows at a frame of the scene; None outside the strip."""
    first, end = strip_range(strip)
    if not first <= frame < end:
        return None
    stem = Path(strip.strip_elem_from_frame(frame).filename).stem
    return int(stem) if stem.isdecimal() else None


def _matrix(scene: bpy.types.Scene, strip: bpy.types.Strip) -> Array:
    """(3, 3) A place of the picture, 0..1 across and up, to the preview's view: pixels of the scene's picture from its middle, y up.

    The size of a proxy does not count, nor does the scene's percentage: both sides are in whole pixels.
    """
    size = picture_size(strip)
    if size is None:
        raise PegbarError(f"Blender has not looked at the pictures of {strip.name!r} yet: show the strip in the preview")
    width, height = size
    place, render = strip.transform, scene.render
    sine, cosine = math.sin(place.rotation), math.cos(place.rotation)
    pivot = np.array([width * place.origin[0], height * place.origin[1]])
    turn = np.array([[cosine, -sine], [sine, cosine]]) * (place.scale_x, place.scale_y)
    moved = np.array([place.offset_x, place.offset_y]) - np.array([width, height]) / 2
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = turn * (width, height), pivot + moved - turn @ pivot
    # the whole frame is flipped after all that, and as wide as it seems on square pixels
    across = render.pixel_aspect_x / render.pixel_aspect_y
    return np.diag([-across if strip.use_flip_x else across, -1.0 if strip.use_flip_y else 1.0, 1.0]) @ matrix
