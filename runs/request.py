"""What the artist asks for: the selection and the settings of a scene as plain data, or the one sentence that says what is missing."""

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import bpy

from ..engine.catalog import PIPELINES, pipeline
from ..engine.corrections import CORRECTS
from ..engine.protocol import Job, PegbarError, Shot
from ..engine.spec import Input, Pipeline, Value, asked, complete
from ..settings import PEGBAR_PG_scene, Picture, values_of
from ..timeline import WRITE, Source, Target
from ..timeline.grease_pencil import keys, shown_layers
from ..timeline.projection import as_array, dimensions
from ..timeline.shot import of_drawing, of_drawings, of_playhead, of_scene, of_strip
from ..timeline.versions import strip_range
from . import models, takes, teaching
from .placing import has_hidden_source
from .teaching import SILENT_STRIPS

SEEDS = 10_000
MEMORY = "memory"
"""The setting by which a pipeline is told to take less: automatic first, then from most to least."""
RHYTHMS = {1: "on ones", 2: "on twos", 3: "on threes"}


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
    group = getattr(settings, name)
    params = complete(spec, chosen_params(settings, spec))
    main, *others = spec.inputs
    if main.kind == "clip":
        return _lesson(context, spec, params)
    source, shot = _worked_on(context, spec, group)
    sources, frames = {main.name: (source,)}, {main.name: _frames(settings, main, shot, source)}
    _check_source(scene, spec, params, source, frames[main.name])
    for other in (other for other in others if other.kind != "notes"):
        sources[other.name] = _others(scene, settings, group, other, shot)
        frames[other.name] = tuple(found.at for found in sources[other.name])
        if other.required and not sources[other.name]:
            raise PegbarError(other.help)
        if other.kind == "reference" and source in (replace(found, at=None, frame=None) for found in sources[other.name]):
            raise PegbarError(f"{source.name!r} is a reference: select the line art, or pin it")
    return Request(name, params, shot, settings.seed, sources, frames, _target(scene, spec, params, source))


def chosen_params(settings: PEGBAR_PG_scene, spec: Pipeline) -> dict[str, Value]:
    """The settings as they count: a strip has no lines under which fills could lie, and so pictures back."""
    values = without_corrections(values_of(getattr(settings, spec.name)))
    return values if can_be_filled(settings, spec) else values | {name: i == 0 for i, name in enumerate(spec.forms)}


def without_corrections(params: Mapping[str, Value]) -> dict[str, Value]:
    """The settings of a take that starts anew: it corrects no other one."""
    return {**params, CORRECTS: ""} if CORRECTS in params else dict(params)


def can_be_filled(settings: PEGBAR_PG_scene, spec: Pipeline) -> bool:
    """Whether what is worked on is a drawing that can have fills."""
    return bool(spec.forms) and settings.line_art == "OBJECT"


def _lesson(context: bpy.types.Context, spec: Pipeline, params: dict[str, Value]) -> Request:
    """What teaching a motion now would do."""
    settings: PEGBAR_PG_scene = context.scene.pegbar
    name = str(params["motion"]).strip()
    if not name:
        raise PegbarError("Give the motion a name")
    teaching.check_size(params)
    scene = teaching.editing_scene(context)
    main, in_folder = spec.inputs[0].name, settings.clips == "FOLDER"
    if in_folder and not params["folder"]:
        raise PegbarError("Choose the folder with your clips")
    sources = {} if in_folder else {main: teaching.strips(scene, params)}
    params |= {"motion": name, "folder": bpy.path.abspath(str(params["folder"])) if in_folder else ""}
    shot = Shot(scene.name, 1, 1, scene.render.fps / scene.render.fps_base)
    return Request(spec.name, params, shot, settings.seed, sources, {main: ()}, Target("LAYER", name))


def reason(context: bpy.types.Context, spec: Pipeline) -> str:
    """Why this pipeline cannot run now, in one sentence; empty where it can."""
    try:
        request(context, spec.name)
        if lacking := models.missing(spec):
            return f"{spec.label} needs {' and '.join(weights.fetched_as for weights in lacking)} in {models.folder(spec)}"
    except PegbarError as error:
        return str(error)
    return ""


def request_of(job: Job) -> Request:
    """A take's request again, to be read anew. Raises PegbarError where it was not made in Blender."""
    sources = takes.sources_of(job)
    frames = {name: tuple(file.frame for file in job.inputs[name]) for name in sources}
    params = without_corrections(job.params)
    return Request(job.pipeline, params, job.shot, job.seed, sources, frames, takes.target_of(job))


def smaller(job: Job) -> Job | None:
    """The same request in a way that needs less memory; None where its pipeline has no such way, or this is the last."""
    param = next((param for param in pipeline(job.pipeline).params if param.name == MEMORY), None)
    modes = [value for value, _, _ in param.choices] if param else []
    at = modes.index(job.params[MEMORY]) if modes else 0
    return replace(job, params={**job.params, MEMORY: modes[-1] if at == 0 else modes[at + 1]}) if at + 1 < len(modes) else None


def seeded(wanted: Request, keep: bool) -> Request:
    """The request with a seed of its own, unless the artist keeps the last one."""
    return wanted if keep else replace(wanted, seed=random.randrange(SEEDS))


def describe(wanted: Request) -> str:
    """What will be made, in one line."""
    shot = wanted.shot
    if pipeline(wanted.pipeline).inputs[0].kind == "clip":
        return teaching.describe(wanted.sources.get(pipeline(wanted.pipeline).inputs[0].name, ()), wanted.params)
    span = f"frames {shot.first}–{shot.last}" if shot.last > shot.first else f"frame {shot.first}"
    rhythm = RHYTHMS.get(shot.step, f"every {shot.step}")
    if asked(pipeline(wanted.pipeline), wanted.params)[0].kind in ("strokes", "fills"):
        return f"{_count(len(shot.frames), 'drawing')}, {span}, {rhythm}"
    told = [_count(len(shot.frames), "frame"), span.removeprefix("frames "), rhythm if shot.step > 1 else ""]
    main = pipeline(wanted.pipeline).inputs[0]
    told.append(f"from {_count(len(wanted.frames[main.name]), 'drawing')}" if main.is_drawing else "")
    return ", ".join(filter(None, told))


def references(settings: PEGBAR_PG_scene) -> tuple[Source, ...]:
    """The reference frames as sources."""
    return tuple(Source(entry.type, entry.name, (), entry.at, entry.frame) for entry in settings.references)


def chosen_strip(scene: bpy.types.Scene, named: str, as_picture: bool = False) -> bpy.types.Strip | None:
    """The strip of that name, where none is named the active one. For a strip that such a run has made it is the one that it was made
    from, so that the next run starts from there again: a coloured strip is no line art, but a picture to start a shot on."""
    editor = scene.sequence_editor
    if editor is None:
        return None
    if named:
        return editor.strips_all.get(named)
    active = editor.active_strip
    take = takes.by_id(active.get("pegbar_take", "")) if active else None
    spec = PIPELINES.get(take.job.pipeline) if take else None
    if spec is None or spec.inputs[0].is_picture != as_picture:
        return active
    return editor.strips_all.get(take.source)


def _worked_on(context: bpy.types.Context, spec: Pipeline, group: bpy.types.PropertyGroup) -> tuple[Source, Shot]:
    """What the pipeline's first input is read from, and the stretch of the timeline that follows from it."""
    scene, main = scene_of(context), spec.inputs[0]
    settings: PEGBAR_PG_scene = scene.pegbar
    step = int(getattr(settings, rhythm_property(spec)))
    if main.is_picture:
        shot = of_playhead(scene, settings.length or spec.length, step)
        return _picture(scene, getattr(group, main.name), main, shot), shot
    if main.is_drawing:
        source = _drawing(context, settings)
        shot_of = of_drawings if reads_keys(main, settings) else of_drawing
        return source, shot_of(scene, source, settings.length, step)
    if settings.line_art == "STRIP":
        source = _strip(chosen_strip(scene, settings.strip), settings.strip, "line art")
        return source, of_strip(scene, source.name)
    return _line_drawing(settings), of_scene(scene)


def rhythm_property(spec: Pipeline) -> str:
    """The name of the setting that says how often there is a new frame: drawings have a rhythm of their own."""
    return "rhythm" if spec.outputs[0].kind == "strokes" else "clip_rhythm"


def reads_keys(main: Input, settings: PEGBAR_PG_scene) -> bool:
    """Whether a drawing is read at its keys: where strokes are moved the artist says so, a sequence of sketches is nothing else."""
    return main.several and (main.kind == "sketch" or settings.drawings == "KEYS")


def _others(
    scene: bpy.types.Scene, settings: PEGBAR_PG_scene, group: bpy.types.PropertyGroup, wanted: Input, shot: Shot
) -> tuple[Source, ...]:
    """The sources of an input beside the first."""
    if not wanted.is_picture:
        return references(settings)
    entry = getattr(group, wanted.name)
    return () if entry.type == "NONE" else (_picture(scene, entry, wanted, shot),)


def _picture(scene: bpy.types.Scene, entry: Picture, wanted: Input, shot: Shot) -> Source:
    """The source of one picture, which stands for the shot's first or last frame."""
    at = shot.frames[-1] if wanted.at_end else shot.first
    if entry.type == "STRIP":
        found = _strip(chosen_strip(scene, entry.strip, as_picture=True), entry.strip, "picture")
        first, end = strip_range(scene.sequence_editor.strips_all[found.name])
        return replace(found, at=at, frame=min(max(at, first), end - 1))
    if entry.type == "CAMERA":
        if scene.camera is None:
            raise PegbarError("The scene has no camera to render: add one, or choose another picture")
        return Source("CAMERA", scene.camera.name, at=at)
    chosen = {"FILE": entry.file, "IMAGE": entry.image and entry.image.name, "OBJECT": entry.drawing and entry.drawing.name}[entry.type]
    if not chosen:
        raise PegbarError(wanted.help)
    if entry.type == "OBJECT":
        _check_drawn(Source("OBJECT", chosen), (at,))
        if scene.camera is None:
            raise PegbarError(f"The drawing {chosen!r} can be a picture only before a camera: add one")
    return Source(entry.type, chosen, at=at)


def _strip(strip: bpy.types.Strip | None, named: str, holds: str) -> Source:
    if strip is None:
        raise PegbarError(f"The strip {named!r} is gone: choose another" if named else f"Select the strip with the {holds}")
    if strip.type in SILENT_STRIPS:
        raise PegbarError(f"{strip.name!r} has no picture: select the strip with the {holds}")
    return Source("STRIP", strip.name)


def _drawing(context: bpy.types.Context, settings: PEGBAR_PG_scene) -> Source:
    found = context.active_object
    if found is None or found.type != "GREASEPENCIL":
        raise PegbarError("Select a Grease Pencil drawing")
    if settings.layers == "VISIBLE":
        return Source("OBJECT", found.name)
    if (layer := found.data.layers.active) is None:
        raise PegbarError(f"{found.name!r} has no active layer: choose one, or all visible layers")
    return Source("OBJECT", found.name, (layer.name,))


def _line_drawing(settings: PEGBAR_PG_scene) -> Source:
    if settings.drawing is None or settings.drawing.type != "GREASEPENCIL":
        raise PegbarError("Choose the drawing to colour")
    return Source("OBJECT", settings.drawing.name)


def _frames(settings: PEGBAR_PG_scene, main: Input, shot: Shot, source: Source) -> tuple[int, ...]:
    """The frame numbers at which the main input is read."""
    if main.is_picture or (main.is_drawing and not main.several):
        return (shot.first,)
    if reads_keys(main, settings):
        return keys(source, shot.first, shot.last) or (shot.first,)
    return (shot.first,) if main.is_drawing and settings.drawings == "THIS" else shot.frames


def _target(scene: bpy.types.Scene, spec: Pipeline, params: Mapping[str, Value], source: Source) -> Target:
    """Strokes go onto layers whatever the target says; it is for the pictures, where some are asked for."""
    kinds = {output.kind for output in asked(spec, params)}
    if not kinds & WRITE.keys():
        raise PegbarError(f"{spec.label} is asked for nothing: choose what comes back")
    kind = scene.pegbar.result if "clip" in kinds else "LAYER"
    if kind == "CAMERA" and scene.camera is None:
        raise PegbarError("The scene has no camera to put a background behind: add one, or choose another result")
    return Target(kind, Path(source.name).stem if source.type == "FILE" else source.name)


def _check_source(scene: bpy.types.Scene, spec: Pipeline, params: Mapping[str, Value], source: Source, frames: tuple[int, ...]) -> None:
    """Raises PegbarError where the drawing that is worked on has nothing on it, or where strokes could not be put back on it."""
    if source.type != "OBJECT" or spec.inputs[0].is_picture:
        return
    has_strokes = any(output.kind in ("strokes", "fills") for output in asked(spec, params))
    if has_strokes and dimensions(as_array(bpy.data.objects[source.name].matrix_world)) < 3:
        raise PegbarError(f"{source.name!r} has a scale of 0: give it another, so that what is moved can be put back on it")
    _check_drawn(source, frames)


def _check_drawn(source: Source, frames: tuple[int, ...]) -> None:
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
