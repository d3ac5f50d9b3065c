"""Blender's timeline as inputs and outputs: READ and WRITE lead from each kind to the function that gathers or places it.

A Reader is called as `READ[kind](scene, sources, frames, folder, name)` and writes the files of the input `name` into the job folder;
a Writer as `WRITE[kind](scene, folder, job, frames, target)` and places one output, whose events `frames` are. Both are generators:
they yield the share done (0..1) between pieces of work of less than 50 ms (or the one frame that a piece renders), the scene being
as the user left it at every yield; they return what was read or placed (StopIteration.value), and raise PegbarError. A timer steps
them, a script exhausts them with `finish`. A Writer changes Blender's data in its last piece alone: one undo step for the caller to push.
"""

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

import bpy

from ..engine.protocol import FrameWritten, InputFile, Job, JobFolder
from ..engine.spec import Kind
from . import clips, fills, grease_pencil, layers, planes, references, strips
from .places import Placed, Source, Target

Reader = Callable[[bpy.types.Scene, Sequence[Source], Sequence[int], JobFolder, str], Generator[float, None, tuple[InputFile, ...]]]
Writer = Callable[[bpy.types.Scene, JobFolder, Job, Sequence[FrameWritten], Target], Generator[float, None, Placed]]
Result = TypeVar("Result")


def write_clip(
    scene: bpy.types.Scene, folder: JobFolder, job: Job, frames: Sequence[FrameWritten], target: Target
) -> Generator[float, None, Placed]:
    """Places a clip as what the target says."""
    return (strips if target.type == "STRIP" else planes).write(scene, folder, job, frames, target)


READ: dict[Kind, Reader] = {
    "sketch": references.read_one,
    "strokes": grease_pencil.read,
    "lineart": references.read_one,
    "image": references.read_pictures,
    "clip": clips.read,
    "reference": references.read,
}
WRITE: dict[Kind, Writer] = {"clip": write_clip, "strokes": layers.write, "fills": fills.write}

__all__ = ["READ", "WRITE", "Placed", "Reader", "Source", "Target", "Writer", "finish"]


def finish(steps: Generator[float, None, Result]) -> Result:
    """Exhausts a Reader or Writer and gives what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
