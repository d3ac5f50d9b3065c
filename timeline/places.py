"""Where inputs come from and where results go: Source, Target, Placed, by name.

Names and not bpy references: those die on undo, on File > Open and when the artist deletes something during a run.
"""

import contextlib
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import bpy

from ..engine.protocol import FrameWritten, Job, JobFolder, PegbarError, Shot, refused


@dataclass(frozen=True)
class Source:
    """Where an input comes from. `name`: of the object, strip, image or camera; path of a file."""

    type: Literal["OBJECT", "STRIP", "IMAGE", "FILE", "CAMERA"]
    name: str
    layers: tuple[str, ...] = ()
    """OBJECT: the layers that are read; empty for all visible ones."""
    at: int | None = None
    """References and pictures: the frame number of the shot that it stands for."""
    frame: int | None = None
    """References and pictures: the frame at which a strip, drawing or render is read; None for the same as `at`."""


@dataclass(frozen=True)
class Target:
    """What a result becomes: an image strip, a plane, an image empty, the scene camera's background; a Grease Pencil layer for strokes."""

    type: Literal["STRIP", "PLANE", "EMPTY", "CAMERA", "LAYER"]
    source: str = ""
    """The object or strip that the take was made from: the result lies beside it, is named after it and looks like it."""


@dataclass(frozen=True)
class Placed:
    """What was made: the strip, or the object and (LAYER) its layers, by name."""

    type: Literal["STRIP", "OBJECT"]
    name: str
    layers: tuple[str, ...] = ()


def write_input(path: Path, data: bytes) -> None:
    """Writes a file of an input. Nothing names it before the request is written, so that it need not be whole at once, and waiting for
    the disk (fsync) would hold up Blender's window. Raises PegbarError."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise refused(path.parent, error) from error


def title(source: str, folder: JobFolder, output: str) -> str:
    """What a placed output is called: `Hero take 3`, and for an output beside the main one `Hero take 3 lines`."""
    aside = "" if output in ("clip", "strokes") else f" {output}"
    return f"{source or 'Pegbar'} take {int(folder.path.name.rpartition('_')[2])}{aside}"


def last_frame(frames: Iterable[int], shot: Shot) -> int:
    """The last frame that a result shows: the last drawn one, held as long as the shot's step says and the shot lasts."""
    drawn = max(frames)
    return max(drawn, min(drawn + shot.step - 1, shot.last))


def held(files: dict[int, Path], last: int) -> list[Path]:
    """One file a frame from the first frame number to `last`: its own or, where it has none, the one before."""
    shown: list[Path] = []
    for frame in range(min(files), last + 1):
        shown.append(files.get(frame) or shown[-1])
    return shown


def from_file(path: Path) -> str:
    """A path as the artist's preferences want it in the open file: from where that lies (`//`), so that a project can be moved."""
    if bpy.data.filepath and bpy.context.preferences.filepaths.use_relative_paths:
        with contextlib.suppress(ValueError):  # Windows knows no way from one drive to another
            return bpy.path.relpath(str(path))
    return str(path)


def sign(made: Any, folder: JobFolder, job: Job, source: str) -> None:
    """Leaves the take's id, folder and pipeline, and what it was made from, as custom properties on what was made."""
    made["pegbar_take"], made["pegbar_folder"] = job.id, from_file(folder.path)
    made["pegbar_pipeline"], made["pegbar_source"] = job.pipeline, source


def existing(folder: JobFolder, frames: Sequence[FrameWritten]) -> Generator[float, None, dict[int, Path]]:
    """The files of an output by frame number, in order. Raises PegbarError where there are none or one is gone."""
    files = {event.frame: folder.file(event.file) for event in sorted(frames, key=lambda event: event.frame)}
    if not files:
        raise PegbarError(f"{folder.path.name} has no frames yet: let it run until there are some")
    for done, (frame, path) in enumerate(files.items()):
        if done % 100 == 0:
            yield done / len(files)
        if not path.is_file():
            raise PegbarError(f"Frame {frame} of {folder.path.name} is gone ({path}): run the take again")
    return files
