"""What the artist asks for: the selection and the settings of a scene as plain data, or the one sentence that says what is missing."""

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import bpy

from ..engine.catalog import pipeline
from ..engine.protocol import Job, PegbarError, Shot
from ..engine.spec import Input, Value, complete
from ..settings import PEGBAR_PG_scene, values_of
from ..timeline import Source, Target
from ..timeline.grease_pencil import keys, shown_layers
from ..timeline.projection import as_array, dimensions
from ..timeline.shot import of_drawing, of_scene, of_strip
from . import takes
from .placing import has_hidden_source

SEEDS = 10_000
RHYTHMS = {1: "on ones", 2: "on twos", 3: "on threes"}
SILENT_STRIPS = {"SOUND"}
"""Strip types without a picture."""


@dataclass(frozen=True)
class Request:
    """One run to be: enough to read the inputs now, and by `origin` to place the result in another Blender later."""

    pipeline: str
    params: Mapping[str, Value]
    shot: Shot
    seed: int
    sources: Mapping[str, tuple[Source, ...]]
    frames: Mapping[str, tuple[int, ...]]
    """The frame numbers at which each input is read."""
    target: Target

    @property
    def origin(self) -> dict[str, Any]:
        """What a job keeps of where its inputs come from and where its result goes."""
        sources = {name: [asdict(source) for source in sources] for name, sources in self.sources.items()}
        return {"sources": sources, "target": asdict(self.target)}


def scene_of(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene that is worked on: since 5.0 a sequencer may show another one than the window's."""
    in_sequencer = context.area is not None and context.area.type == "SEQUENCE_EDITOR"
    return (getattr(context, "sequencer_scene", None) if in_sequencer else None) or context.scene


def request(context: bpy.types.Context, name: str) -> Request:
    """What running this pipeline now would do. Raises PegbarError with what is missing; cheap enough for a panel's drawing."""
    spec, scene = pipeline(name), scene_of(context)
    settings: PEGBAR_PG_scene = scene.pegbar
    main = spec.inputs[0]
    source = _strip(scene, settings) if _wants_strip(main, settings) else _drawing(context, settings, main)
    shot = _shot(scene, settings, source, main)
    sources, frames = {main.name: (source,)}, {main.name: _frames(settings, main, shot, source)}
    if main.kind == "sketch" and dimensions(as_array(bpy.data.objects[source.name].matrix_world)) < 3:
        raise PegbarError(f"{source.name!r} has a scale of 0: give it another, so that what is moved can be put back on it")
    if main.kind == "sketch" or source.type == "OBJECT":
        _check_drawn(scene, source, frames[main.name])
    for other in spec.inputs[1:]:
        sources[other.name] = references(settings)
        frames[other.name] = tuple(reference.at for reference in sources[other.name])
        if other.required and not sources[other.name]:
            raise PegbarError(other.help)
        if source in (replace(reference, at=None, frame=None) for reference in sources[other.name]):
            raise PegbarError(f"{source.name!r} is a reference: select the line art, or pin it")
    if spec.outputs[0].kind != "strokes" and settings.result == "CAMERA" and scene.camera is None:
        raise PegbarError("The scene has no camera to put a background behind: add one, or choose another result")
    target = Target("LAYER" if spec.outputs[0].kind == "strokes" else settings.result, source.name)
    if target.type == "CAMERA" and scene.camera is None:
        raise PegbarError("The scene has no camera to put a background behind: add one, or choose another result")
    params = complete(spec, values_of(getattr(settings, name)))
    return Request(name, params, shot, settings.seed, sources, frames, target)


def request_of(job: Job) -> Request:
    """A take's request again, to be read anew. Raises PegbarError where it was not made in Blender."""
    sources = takes.sources_of(job)
    frames = {name: tuple(file.frame for file in job.inputs[name]) for name in sources}
    return Request(job.pipeline, job.params, job.shot, job.seed, sources, frames, takes.target_of(job))


def seeded(wanted: Request, keep: bool) -> Request:
    """The request with a seed of its own, unless the artist keeps the last one."""
    return wanted if keep else replace(wanted, seed=random.randrange(SEEDS))


def describe(wanted: Request) -> str:
    """What will be made, in one line."""
    shot = wanted.shot
    span = f"frames {shot.first}–{shot.last}" if shot.last > shot.first else f"frame {shot.first}"
    if wanted.target.type == "LAYER":
        return f"{_count(len(shot.frames), 'drawing')}, {span}, {RHYTHMS.get(shot.step, f'every {shot.step}')}"
    return f"{_count(len(shot.frames), 'frame')}, {span.removeprefix('frames ')}"


def references(settings: PEGBAR_PG_scene) -> tuple[Source, ...]:
    """The reference frames as sources."""
    return tuple(Source(entry.type, entry.name, (), entry.at, entry.frame) for entry in settings.references)


def line_strip(scene: bpy.types.Scene) -> bpy.types.Strip | None:
    """The strip that is coloured: the pinned one, else the active one; for the strip of a take, the one that it was made from."""
    editor = scene.sequence_editor
    if editor is None:
        return None
    if pinned := scene.pegbar.strip:
        return editor.strips_all.get(pinned)
    active = editor.active_strip
    take = takes.by_id(active.get("pegbar_take", "")) if active else None
    return editor.strips_all.get(take.source) if take else active


def _wants_strip(main: Input, settings: PEGBAR_PG_scene) -> bool:
    return main.kind != "sketch" and settings.line_art == "STRIP"


def _strip(scene: bpy.types.Scene, settings: PEGBAR_PG_scene) -> Source:
    strip = line_strip(scene)
    if strip is None:
        raise PegbarError(f"The strip {settings.strip!r} is gone: pin another" if settings.strip else "Select the strip with the line art")
    if strip.type in SILENT_STRIPS:
        raise PegbarError(f"{strip.name!r} has no picture: select the strip with the line art")
    return Source("STRIP", strip.name)


def _drawing(context: bpy.types.Context, settings: PEGBAR_PG_scene, main: Input) -> Source:
    found = context.active_object if main.kind == "sketch" else settings.drawing
    if found is None or found.type != "GREASEPENCIL":
        raise PegbarError("Select a Grease Pencil drawing" if main.kind == "sketch" else "Choose the drawing to colour")
    if settings.layers == "VISIBLE" or main.kind != "sketch":
        return Source("OBJECT", found.name)
    if (layer := found.data.layers.active) is None:
        raise PegbarError(f"{found.name!r} has no active layer: choose one, or all visible layers")
    return Source("OBJECT", found.name, (layer.name,))


def _shot(scene: bpy.types.Scene, settings: PEGBAR_PG_scene, source: Source, main: Input) -> Shot:
    if source.type == "STRIP":
        return of_strip(scene, source.name)
    if main.kind == "sketch":
        return of_drawing(scene, source, settings.length, int(settings.rhythm))
    return of_scene(scene)


def _frames(settings: PEGBAR_PG_scene, main: Input, shot: Shot, source: Source) -> tuple[int, ...]:
    """The frame numbers at which the main input is read."""
    if main.kind != "sketch" or settings.drawings == "FRAMES":
        return shot.frames
    return (settings.drawings == "KEYS" and keys(source, shot.first, shot.last)) or (shot.first,)


def _check_drawn(scene: bpy.types.Scene, source: Source, frames: tuple[int, ...]) -> None:
    """Raises PegbarError where no layer has strokes: what the reader would find out too late."""
    layers = list(shown_layers(bpy.data.objects[source.name], source))
    if not layers and not source.layers and has_hidden_source(bpy.data.objects[source.name]):
        return  # a take is shown instead: starting shows the drawing again
    if not layers:
        raise PegbarError(f"{source.name!r} has no visible layer: show one")
    keys = [layer.get_frame_at(frame) for layer in layers for frame in frames]
    if not any(key is not None and key.drawing.attributes.domain_size("CURVE") for key in keys):
        where = f"frame {frames[0]}" if len(frames) == 1 else f"frames {frames[0]}–{frames[-1]}"
        raise PegbarError(f"{source.name!r} has no strokes on {where}: go to a drawing, or draw one")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
