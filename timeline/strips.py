"""Strips and frames: a strip's pictures become an input's files, a clip becomes an image strip.

A plain image strip is read from its own files; `render` reads all others.
"""

import struct
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import bpy

from ..engine.protocol import FrameWritten, InputFile, Job, JobFolder, PegbarError
from . import render
from .pictures import READABLE, bytes_of, copy
from .places import Placed, Source, Target, existing, from_file, held, last_frame, sign, title
from .stepping import scene_named
from .versions import strip_range


def read(
    scene: bpy.types.Scene, sources: Sequence[Source], frames: Sequence[int], folder: JobFolder, name: str
) -> Generator[float, None, tuple[InputFile, ...]]:
    """Writes what one strip shows on each frame of the scene; frames that show the same file share it."""
    if len(sources) != 1:
        raise PegbarError(f"{len(sources)} strips are chosen: choose one")
    scene_name = scene.name
    strip = render.strip_named(scene, sources[0].name)
    first, end = strip_range(strip)
    if outside := [frame for frame in frames if not first <= frame < end]:
        raise PegbarError(
            f"Frame {outside[0]} lies outside the strip {strip.name!r}, which goes from {first} to {end - 1}: choose frames within it"
        )
    needed = list(dict.fromkeys(path for frame in frames for path in _files_at(scene, strip, frame)))
    strip_name, is_plain = strip.name, _is_plain(scene, strip)
    shown = [_file_at(scene, strip, frame) for frame in frames] if is_plain else []
    yield from _all_there(strip_name, needed)
    if not is_plain:
        yield from _whole(needed)
        return (yield from render.read(scene_named(scene_name), strip_name, frames, folder, name))
    yield from _of_one_size(strip_name, needed)
    copies: dict[Path, str] = {}
    for done, path in enumerate(dict.fromkeys(shown)):
        yield done / len(frames)
        copies[path] = folder.input_file(name, done + 1, path.suffix.lower())
        copy(path, folder.file(copies[path]))
    return tuple(InputFile(frame, copies[path]) for frame, path in zip(frames, shown, strict=True))


def write(
    scene: bpy.types.Scene, folder: JobFolder, job: Job, frames: Sequence[FrameWritten], target: Target
) -> Generator[float, None, Placed]:
    """Places a clip as an image strip above its source, each picture on its own frame and held until the next."""
    scene_name = scene.name
    files = yield from existing(folder, frames)
    last = last_frame(files, job.shot)
    shown = held(files, last)
    scene = scene_named(scene_name)
    editor = scene.sequence_editor_create()
    source = editor.strips.get(target.source)
    channel = free_channel(editor, min(files), last + 1, source.channel + 1 if source else 1)
    strip = editor.strips.new_image(
        name=title(target.source, folder, frames[0].output),
        filepath=from_file(shown[0]),
        channel=channel,
        frame_start=min(files),
        fit_method="FIT",
    )
    for path in shown[1:]:
        strip.elements.append(path.name)
    strip.colorspace_settings.name = "sRGB"
    if source and render.is_centred(scene, source) and (size := render.picture_size(source)) and (own := render.picture_size(strip)):
        strip.transform.scale_x = strip.transform.scale_y = source.transform.scale_x * size[0] / own[0]
    sign(strip, folder, job, target.source)
    return Placed("STRIP", strip.name)


def free_channel(editor: bpy.types.SequenceEditor, first: int, end: int, lowest: int = 1) -> int:
    """The first channel from `lowest` on (or else from 1 on) with no strip on any frame from first to before end."""
    taken = {strip.channel for strip in editor.strips if strip_range(strip)[0] < end and strip_range(strip)[1] > first}
    channels = len(editor.channels)
    for channel in (*range(lowest, channels), *range(1, lowest)):
        if channel not in taken:
            return channel
    raise PegbarError(f"All {channels - 1} channels hold strips on frames {first} to {end - 1}: make room on one")


def _is_plain(scene: bpy.types.Scene, strip: bpy.types.Strip) -> bool:
    """Whether what a strip shows is its files, unchanged."""
    if strip.type != "IMAGE" or not render.is_centred(scene, strip):
        return False
    crop = strip.crop
    return (
        not any((crop.min_x, crop.max_x, crop.min_y, crop.max_y, strip.use_flip_x, strip.use_flip_y, strip.use_multiview))
        and not any(not modifier.mute for modifier in strip.modifiers)
        and (strip.color_saturation, strip.color_multiply) == (1.0, 1.0)
        and (strip.colorspace_settings.name, strip.alpha_mode) == ("sRGB", "STRAIGHT")
        and all(Path(element.filename).suffix.lower() in READABLE for element in strip.elements)
    )


def _file_at(scene: bpy.types.Scene, strip: bpy.types.Strip, frame: int) -> Path:
    """The file that the strip shows at a frame of the scene, whatever trims, reverses, strobes or holds it."""
    element = strip.strip_elem_from_frame(frame)
    return Path(bpy.path.abspath(strip.directory, library=scene.library)) / element.filename


def _files_at(scene: bpy.types.Scene, strip: bpy.types.Strip, frame: int) -> Iterator[Path]:
    """The files that a strip needs for a frame of the scene, those of the strips in it and below it, too."""
    first, end = strip_range(strip)
    if not first <= frame < end:
        return
    if strip.type == "IMAGE":
        yield _file_at(scene, strip, frame)
    elif strip.type == "MOVIE":
        yield Path(bpy.path.abspath(strip.filepath, library=scene.library))
    inputs = (getattr(strip, name, None) for name in ("input_1", "input_2"))
    for inner in (*(inner for inner in getattr(strip, "strips", ()) if not inner.mute), *filter(None, inputs)):
        yield from _files_at(scene, inner, frame)


def _all_there(strip: str, paths: Sequence[Path]) -> Generator[float, None, None]:
    """Looks for all the files before any is read: Blender would show a missing one as plain colour. Raises PegbarError."""
    missing = []
    for path in paths:
        yield 0.0
        if not path.is_file():
            missing.append(path)
    if missing:
        raise PegbarError(
            f"{len(missing)} of the {len(paths)} pictures of the strip {strip!r} are gone, the first is {missing[0]}: "
            f"put them back or choose the strip's files again"
        )


def _whole(paths: Sequence[Path]) -> Generator[float, None, None]:
    """Looks at the pictures of a strip that is rendered: Blender would show a damaged one as nothing. Raises PegbarError."""
    for path in paths:
        yield 0.0
        if path.suffix.lower() in READABLE:
            bytes_of(path)


def _of_one_size(strip: str, paths: Sequence[Path]) -> Generator[float, None, None]:
    """Raises PegbarError where pictures are of different sizes."""
    sizes = {}
    for path in paths:
        yield 0.0
        if size := _png_size(path):
            sizes[path] = size
    for path, size in sizes.items():
        first = next(iter(sizes))
        if size != sizes[first]:
            raise PegbarError(
                f"The strip {strip!r} has pictures of different sizes: {first.name} is {_times(sizes[first])}, "
                f"{path.name} {_times(size)}; export all frames at one size"
            )


def _png_size(path: Path) -> tuple[int, int] | None:
    """Width and height from a PNG's header; None for other files, whose size the engine checks."""
    with open(path, "rb") as file:
        head = file.read(24)
    return struct.unpack(">II", head[16:24]) if head[:8] == b"\x89PNG\r\n\x1a\n" and len(head) == 24 else None


def _times(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
