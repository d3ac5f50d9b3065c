"""Clips: each strip, over all the frames that it shows, in a folder of its own."""

from collections.abc import Generator, Sequence

import bpy

from ..engine.protocol import InputFile, JobFolder
from . import strips
from .places import Source
from .render import strip_named
from .stepping import scene_named
from .versions import strip_range


def read(
    scene: bpy.types.Scene, sources: Sequence[Source], frames: Sequence[int], folder: JobFolder, name: str
) -> Generator[float, None, tuple[InputFile, ...]]:
    """Writes what strips show from their first to their last frame, one strip after the other, numbered from 1 on."""
    scene_name, files = scene.name, []
    for done, source in enumerate(sources):
        scene = scene_named(scene_name)
        shown = range(*strip_range(strip_named(scene, source.name)))
        steps = strips.read(scene, [source], shown, folder, f"{name}/{done + 1:04d}")
        files += [file.file for file in (yield from part(steps, done, len(sources)))]
    return tuple(InputFile(number, file) for number, file in enumerate(files, start=1))


def part(steps: Generator[float, None, tuple[InputFile, ...]], done: int, of: int) -> Generator[float, None, tuple[InputFile, ...]]:
    """One of several works; its share done becomes a part of the whole's."""
    while True:
        try:
            share = next(steps)
        except StopIteration as end:
            return end.value
        yield (done + share) / of
