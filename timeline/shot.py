"""Which stretch of the timeline a strip, a drawing or a scene stands for. The preview range, where it is on, is what is worked on."""

import bpy

from ..engine.protocol import Shot
from .grease_pencil import keys
from .places import Source
from .render import strip_named
from .versions import strip_range

LENGTH = 24
"""Frames of a shot that no next drawing ends."""

FAR = 1048574
"""Blender's last frame."""


def of_scene(scene: bpy.types.Scene) -> Shot:
    """The scene's range."""
    if scene.use_preview_range:
        return _shot(scene, scene.frame_preview_start, scene.frame_preview_end)
    return _shot(scene, scene.frame_start, scene.frame_end)


def of_strip(scene: bpy.types.Scene, name: str) -> Shot:
    """The frames that a strip shows; of these the preview range's, where it has any of them."""
    first, end = strip_range(strip_named(scene, name))
    if scene.use_preview_range and scene.frame_preview_start < end and scene.frame_preview_end >= first:
        return _shot(scene, max(first, scene.frame_preview_start), min(end - 1, scene.frame_preview_end))
    return _shot(scene, first, end - 1)


def of_drawing(scene: bpy.types.Scene, source: Source, length: int = 0, step: int = 1) -> Shot:
    """From the current frame on, `length` frames; with 0 until the next key of what is read, or LENGTH frames where there is none."""
    first = scene.frame_current
    following = [key for key in keys(source, first, FAR) if key > first]
    return of_playhead(scene, length or (following[0] - first if following else LENGTH), step)


def of_drawings(scene: bpy.types.Scene, source: Source, length: int = 0, step: int = 1) -> Shot:
    """From the current frame on, `length` frames; with 0 to the last key of what is read, or LENGTH frames where it lies behind."""
    first = scene.frame_current
    last = max(keys(source, first, FAR), default=first)
    return of_playhead(scene, length or (last - first + 1 if last > first else LENGTH), step)


def of_playhead(scene: bpy.types.Scene, length: int, step: int = 1) -> Shot:
    """`length` frames from the current one on."""
    return _shot(scene, scene.frame_current, scene.frame_current + length - 1, step)


def _shot(scene: bpy.types.Scene, first: int, last: int, step: int = 1) -> Shot:
    return Shot(scene.name, first, last, scene.render.fps / scene.render.fps_base, step)
