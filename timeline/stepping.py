"""Work in pieces: a scene visited frame by frame in slices of a few milliseconds, its own frame restored after each."""

import contextlib
import time
from collections.abc import Callable, Generator, Iterator, Sequence

import bpy

from ..engine.protocol import PegbarError

SLICE_S = 0.02
"""How long a piece of work goes on before it yields; a frame that takes longer is a piece of its own."""


def scene_named(name: str) -> bpy.types.Scene:
    """The scene of that name. Raises PegbarError where it went away."""
    scene = bpy.data.scenes.get(name)
    if scene is None:
        raise PegbarError(f"The scene {name!r} is no longer there: undo its deletion or start again")
    return scene


def depsgraph_of(scene: bpy.types.Scene) -> bpy.types.Depsgraph:
    """The scene as it is evaluated for the viewport, up to date."""
    layer = bpy.context.view_layer if bpy.context.scene == scene else scene.view_layers[0]
    layer.update()
    return layer.depsgraph


@contextlib.contextmanager
def frame_kept(scene: bpy.types.Scene) -> Iterator[None]:
    """Puts the scene back on its frame. Where it stayed there nothing is evaluated again, so that unkeyed edits live."""
    frame, subframe = scene.frame_current, scene.frame_subframe
    try:
        yield
    finally:
        if (scene.frame_current, scene.frame_subframe) != (frame, subframe):
            scene.frame_set(frame, subframe=subframe)


def go_to(scene: bpy.types.Scene, frame: int) -> None:
    """Sets the scene's frame; does nothing where it is there."""
    if (scene.frame_current, scene.frame_subframe) != (frame, 0.0):
        scene.frame_set(frame)


def at_frames(
    scene: bpy.types.Scene, frames: Sequence[int], visit: Callable[[bpy.types.Depsgraph, int], None]
) -> Generator[float, None, None]:
    """Calls `visit(depsgraph, frame)` with the scene on each frame; yields the share done with the scene back on its own."""
    name, done = scene.name, 0
    while done < len(frames):
        scene = scene_named(name)
        end = time.perf_counter() + SLICE_S
        with frame_kept(scene):
            for frame in frames[done:]:
                go_to(scene, frame)
                visit(depsgraph_of(scene), frame)
                done += 1
                if time.perf_counter() > end:
                    break
        yield done / len(frames)
