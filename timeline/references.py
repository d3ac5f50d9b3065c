"""Inputs by where they come from; references and pictures: from anywhere, each standing for a frame of the shot."""

from collections.abc import Generator, Sequence

import bpy

from ..engine.protocol import InputFile, JobFolder, PegbarError
from . import grease_pencil, pictures, render, strips
from .clips import part
from .places import Source
from .stepping import scene_named

_READERS = {
    "OBJECT": grease_pencil.read,
    "STRIP": strips.read,
    "IMAGE": pictures.read_image,
    "FILE": pictures.read_file,
    "CAMERA": render.read_camera,
}


def read_one(
    scene: bpy.types.Scene, sources: Sequence[Source], frames: Sequence[int], folder: JobFolder, name: str
) -> Generator[float, None, tuple[InputFile, ...]]:
    """Writes what one source, of any type, shows at each frame."""
    if len(sources) != 1:
        raise PegbarError(f"{len(sources)} sources are chosen for the {name}: choose one")
    return (yield from _READERS[sources[0].type](scene, sources, frames, folder, name))


def read(
    scene: bpy.types.Scene, sources: Sequence[Source], frames: Sequence[int], folder: JobFolder, name: str
) -> Generator[float, None, tuple[InputFile, ...]]:
    """Writes one picture or drawing a source, each for the frame number that it stands for; by default the first frame's."""
    scene_name, files = scene.name, []
    for done, source in enumerate(sources):
        at = frames[0] if source.at is None else source.at
        if at in [file.frame for file in files]:
            raise PegbarError(f"Two references stand for frame {at}: move one to another frame or remove it")
        scene = scene_named(scene_name)
        if source.type == "OBJECT" and scene.camera is None:
            raise PegbarError(f"The drawing {source.name!r} can be a picture only before a camera, which says where it lies: add one")
        steps = _READERS[source.type](scene, [source], [at if source.frame is None else source.frame], folder, f"{name}/{done + 1}")
        files.append(InputFile(at, (yield from part(steps, done, len(sources)))[0].file))
    return tuple(files)


def read_pictures(
    scene: bpy.types.Scene, sources: Sequence[Source], frames: Sequence[int], folder: JobFolder, name: str
) -> Generator[float, None, tuple[InputFile, ...]]:
    """Writes pictures that each stand for a frame of their own; where they stand for none, what the one source shows at each frame."""
    reader = read if all(source.at is not None for source in sources) else read_one
    return (yield from reader(scene, sources, frames, folder, name))
