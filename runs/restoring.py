"""Sets a scene's panel as it was for a take, chooses what was worked on, and says what is not as it was."""

import bpy

from ..engine.catalog import pipeline
from ..engine.errors import RESULT_UNPLACED, SETTING
from ..engine.protocol import Job, PegbarError, Shot
from ..engine.spec import Pipeline, complete
from ..settings import PEGBAR_PG_scene, Picture, choose, set_values
from ..timeline import Source
from ..timeline.shot import of_scene, of_strip
from .request import RHYTHMS, request, rhythm_property, without_corrections
from .takes import sources_of, target_of

HIGHEST_SEED = 2**31 - 1


def restore(context: bpy.types.Context, job: Job) -> list[str]:
    """Puts back the settings, the seed, the shot, and where the inputs came from; gives a sentence for each thing that could not be.
    Raises PegbarError where the take's scene is not there, or where its settings are none."""
    scene = bpy.data.scenes.get(job.shot.scene) if job.shot.scene else context.scene
    if scene is None:
        raise PegbarError(f"The scene {job.shot.scene!r} of this take is not in this file", RESULT_UNPLACED)
    settings, spec = scene.pegbar, pipeline(job.pipeline)
    values = complete(spec, {param.name: job.params[param.name] for param in spec.params if param.name in job.params})
    sources, target = sources_of(job), target_of(job) if job.origin else None
    if not 0 <= job.seed <= HIGHEST_SEED:
        raise PegbarError(f"The seed is {job.seed}: a panel takes 0 to {HIGHEST_SEED}, run it from the command line", SETTING)
    choose(settings, spec)
    set_values(getattr(settings, spec.name), without_corrections(values))
    settings.seed, settings.keep_seed = job.seed, True
    if target is None:
        return ["It was not made in Blender: choose what to work on"]
    if target.type != "LAYER":
        settings.result = target.type
    remarks = _restore_source(context, scene, spec, job)
    _restore_shot(scene, spec, job)
    for wanted in spec.inputs:
        if wanted.is_picture:
            _restore_picture(getattr(getattr(settings, spec.name), wanted.name), sources.get(wanted.name, ()))
        elif wanted.kind == "reference" and wanted.name in sources:
            _restore_references(settings, sources[wanted.name])
    return remarks or _differences(context, job)


def _restore_source(context: bpy.types.Context, scene: bpy.types.Scene, spec: Pipeline, job: Job) -> list[str]:
    """Chooses what the pipeline's first input was read from."""
    main, settings = spec.inputs[0], scene.pegbar
    sources = sources_of(job).get(main.name, ())
    if main.is_picture or len(sources) != 1:
        return []
    (source,) = sources
    if source.type == "STRIP":
        found = scene.sequence_editor.strips_all.get(source.name) if scene.sequence_editor else None
        if found is not None:
            settings.line_art, scene.sequence_editor.active_strip = "STRIP", found
            settings.strip = found.name if settings.strip else ""
    else:
        found = bpy.data.objects.get(source.name)
        if found is not None and not main.is_drawing:
            settings.line_art, settings.drawing = "OBJECT", found
        elif found is not None and found.name in context.view_layer.objects:
            _restore_drawing(context, settings, job, source, found)
    return [] if found is not None else [f"{source.name!r} is not in this file: choose what to work on"]


def _restore_drawing(context: bpy.types.Context, settings: PEGBAR_PG_scene, job: Job, source: Source, found: bpy.types.Object) -> None:
    context.view_layer.objects.active = found
    settings.layers = "ACTIVE" if source.layers else "VISIBLE"
    if source.layers and (layer := found.data.layers.get(source.layers[0])):
        found.data.layers.active = layer
    read = tuple(file.frame for file in job.inputs.get(pipeline(job.pipeline).inputs[0].name, ()))
    settings.drawings = "THIS" if read == (job.shot.first,) else "FRAMES" if read == job.shot.frames else "KEYS"


def _restore_shot(scene: bpy.types.Scene, spec: Pipeline, job: Job) -> None:
    """The stretch of the timeline. Where the strip or the scene is longer than it was, the preview range says which part."""
    shot, settings = job.shot, scene.pegbar
    if spec.inputs[0].is_drawing or spec.inputs[0].is_picture:
        settings.length = shot.last - shot.first + 1
        if shot.step in RHYTHMS:
            setattr(settings, rhythm_property(spec), str(shot.step))
        if scene.frame_current != shot.first:
            scene.frame_set(shot.first)
        return
    now = _range(scene, spec, job)
    if now is not None and (now.first, now.last) != (shot.first, shot.last):
        scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, shot.first, shot.last


def _range(scene: bpy.types.Scene, spec: Pipeline, job: Job) -> Shot | None:
    """What is worked on as the scene is now; None where its source is gone."""
    (source,) = sources_of(job).get(spec.inputs[0].name) or (None,)
    if source is None or source.type != "STRIP":
        return of_scene(scene)
    return of_strip(scene, source.name) if scene.sequence_editor and source.name in scene.sequence_editor.strips_all else None


def _restore_picture(entry: Picture, sources: tuple[Source, ...]) -> None:
    if not sources:
        entry.property_unset("type")
        return
    (source,) = sources
    entry.type = source.type
    match source.type:
        case "STRIP":
            entry.strip = source.name
        case "FILE":
            entry.file = source.name
        case "IMAGE":
            entry.image = bpy.data.images.get(source.name)
        case "OBJECT":
            entry.drawing = bpy.data.objects.get(source.name)


def _restore_references(settings: PEGBAR_PG_scene, sources: tuple[Source, ...]) -> None:
    settings.references.clear()
    for source in sources:
        entry = settings.references.add()
        entry.name, entry.type, entry.at = source.name, source.type, source.at
        entry.frame = source.at if source.frame is None else source.frame


def _differences(context: bpy.types.Context, job: Job) -> list[str]:
    """What running now would do otherwise than the take did."""
    try:
        now = request(context, job.pipeline)
    except PegbarError as error:
        return [str(error)]
    shot, was = now.shot, job.shot
    if (shot.first, shot.last, shot.step) != (was.first, was.last, was.step):
        return [f"The shot is now frames {shot.first} to {shot.last}, the take has {was.first} to {was.last}"]
    return [] if dict(now.sources) == sources_of(job) else ["What it is made from is chosen otherwise than it was"]
