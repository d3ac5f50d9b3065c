"""Reads by rendering: a strip, in the sequencer with every other strip muted, for what has no picture files of its own; the camera's view.

The scene is as the artist left it at every yield, after an error and when the generator is closed.
"""

import contextlib
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any

import bpy

from ..engine.protocol import InputFile, JobFolder, PegbarError, refused
from .places import Source
from .projection import render_size
from .stepping import SLICE_S, frame_kept, go_to, scene_named

Setting = tuple[Any, str, Any]
"""A Blender object, the name of one of its properties and the value that it has for a while."""


def read(
    scene: bpy.types.Scene, strip_name: str, frames: Sequence[int], folder: JobFolder, name: str
) -> Generator[float, None, tuple[InputFile, ...]]:
    """Renders a strip at each frame into PNGs with alpha, in the strip's own colours whatever the scene's view transform."""
    scene_name, files = scene.name, []
    while len(files) < len(frames):
        scene = scene_named(scene_name)
        strip = strip_named(scene, strip_name)
        end = time.perf_counter() + SLICE_S
        with frame_kept(scene), changed(_alone(scene, strip)), changed(_output(scene, strip)):
            for frame in frames[len(files) :]:
                files.append(InputFile(frame, folder.input_file(name, len(files) + 1, ".png")))
                _render(scene, frame, folder, files[-1].file)
                if time.perf_counter() > end:
                    break
        yield len(files) / len(frames)
    return tuple(files)


def read_camera(
    scene: bpy.types.Scene, sources: Sequence[Source], frames: Sequence[int], folder: JobFolder, name: str
) -> Generator[float, None, tuple[InputFile, ...]]:
    """Renders what the scene's camera sees at each frame, as the artist's own settings say but for the view transform."""
    scene_name, files = scene.name, []
    for frame in frames:
        scene = scene_named(scene_name)
        if scene.camera is None:
            raise PegbarError(f"The scene {scene_name!r} has no camera to render: add one, or choose another picture")
        files.append(InputFile(frame, folder.input_file(name, len(files) + 1, ".png")))
        with frame_kept(scene), changed(_picture(scene, render_size(scene), use_sequencer=False)):
            _render(scene, frame, folder, files[-1].file)
        yield len(files) / len(frames)
    return tuple(files)


def strip_named(scene: bpy.types.Scene, name: str) -> bpy.types.Strip:
    """The strip of that name in the scene's sequencer, in a meta strip or not. Raises PegbarError where it went away."""
    strip = scene.sequence_editor.strips_all.get(name) if scene.sequence_editor else None
    if strip is None:
        raise PegbarError(f"The strip {name!r} is no longer there: undo its deletion, give it its name back or choose another")
    return strip


def is_centred(scene: bpy.types.Scene, strip: bpy.types.Strip) -> bool:
    """Whether a strip's picture is only enlarged evenly: what shows is the whole picture where nobody moved, turned or animated it."""
    place = getattr(strip, "transform", None)
    return (
        place is not None
        and strip.parent_meta() is None
        and abs(place.scale_x - place.scale_y) < 1e-4 * abs(place.scale_x)
        and (place.offset_x, place.offset_y, place.rotation, *place.origin) == (0.0, 0.0, 0.0, 0.5, 0.5)
        and not _is_animated(scene, strip)
    )


def picture_size(strip: bpy.types.Strip) -> tuple[int, int] | None:
    """Width and height of a strip's own pictures; None where it has none or Blender has not looked at them yet."""
    if strip.type not in ("IMAGE", "MOVIE") or not strip.elements or not strip.elements[0].orig_width:
        return None
    return strip.elements[0].orig_width, strip.elements[0].orig_height


@contextlib.contextmanager
def changed(settings: Iterable[Setting]) -> Iterator[None]:
    """Gives properties other values for a while. They go back in the same order, so name first what others depend on."""
    settings = list(settings)
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in settings]
    try:
        for owner, name, value in settings:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


def _alone(scene: bpy.types.Scene, strip: bpy.types.Strip) -> Iterator[Setting]:
    """A strip, and the meta strips that it lies in, as all that shows."""
    inner: bpy.types.Strip | None = strip
    while inner is not None:
        around = inner.parent_meta() or scene.sequence_editor
        for other in around.strips:
            if other != inner and other.type != "SOUND":
                yield other, "mute", True
        yield inner, "mute", False
        yield around.channels[inner.channel], "mute", False
        yield inner, "blend_type", "REPLACE"
        yield inner, "blend_alpha", 1.0
        inner = inner.parent_meta()


def _output(scene: bpy.types.Scene, strip: bpy.types.Strip) -> Iterator[Setting]:
    size = picture_size(strip) if is_centred(scene, strip) else None
    if size:
        yield strip.transform, "scale_x", 1.0
        yield strip.transform, "scale_y", 1.0
    yield from _picture(scene, size or render_size(scene), use_sequencer=True)


def _picture(scene: bpy.types.Scene, size: tuple[int, int], use_sequencer: bool) -> Iterator[Setting]:
    """A PNG with alpha, in colours that no view transform has changed."""
    render, image = scene.render, scene.render.image_settings
    for name, value in (
        ("resolution_x", size[0]), ("resolution_y", size[1]), ("resolution_percentage", 100), ("filepath", render.filepath),
        ("use_sequencer", use_sequencer), ("use_border", False), ("use_stamp", False), ("use_multiview", False), ("dither_intensity", 0.0),
        ("use_file_extension", True),
    ):  # fmt: skip
        yield render, name, value
    if hasattr(image, "media_type"):
        yield image, "media_type", "IMAGE"
    for name, value in (("file_format", "PNG"), ("color_mode", "RGBA"), ("color_depth", "8"), ("compression", 15)):
        yield image, name, value
    # OVERRIDE copies the scene's own view settings: it comes before them
    yield image, "color_management", "OVERRIDE"
    yield image.display_settings, "display_device", "sRGB"
    view = image.view_settings
    for name, value in (("view_transform", "Standard"), ("look", "None"), ("exposure", 0.0), ("gamma", 1.0), ("use_curve_mapping", False)):
        yield view, name, value
    if hasattr(view, "use_white_balance"):
        yield view, "use_white_balance", False


def is_own() -> bool:
    """Whether what Blender renders now is a picture for a take, not the artist's own render."""
    return _is_own


_is_own = False


def _render(scene: bpy.types.Scene, frame: int, folder: JobFolder, file: str) -> None:
    global _is_own
    go_to(scene, frame)
    scene.render.filepath = str(folder.file(file))
    _is_own = True
    try:
        bpy.ops.render.render(write_still=True, scene=scene.name)
    except RuntimeError as error:
        raise PegbarError(f"Frame {frame} could not be rendered ({_first_line(error)}): render it in Blender to see why") from error
    finally:
        _is_own = False
    if not folder.file(file).is_file():
        raise refused(folder.path, OSError(f"{folder.file(file).name} could not be written"))


def _is_animated(scene: bpy.types.Scene, strip: bpy.types.Strip) -> bool:
    """Whether curves or drivers change a strip's picture; how far it covers what lies below is not part of its picture."""
    data = scene.animation_data
    if data is None:
        return False
    # files of older Blenders say sequences_all, newer ones strips_all
    strip_path = f'_all["{bpy.utils.escape_identifier(strip.name)}"]'
    layers = data.action.layers if data.action else ()
    curves = [curve for layer in layers for part in layer.strips for bag in part.channelbags for curve in bag.fcurves]
    paths = [curve.data_path for curve in (*curves, *data.drivers)]
    return any(strip_path in path and not path.endswith((".blend_alpha", ".mute")) for path in paths)


def _first_line(error: RuntimeError) -> str:
    return str(error).strip().splitlines()[0].removeprefix("Error: ")
