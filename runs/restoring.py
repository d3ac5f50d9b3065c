"""Sets a scene's panel as it was for a take."""

import bpy

from ..engine.catalog import pipeline
from ..engine.protocol import Job, PegbarError
from ..engine.spec import Pipeline
from ..settings import PEGBAR_PG_scene, Picture, choose, set_values
from ..timeline import Source
from .request import RHYTHMS, rhythm_property
from .takes import sources_of, target_of


def restore(job: Job) -> None:
    """Puts back the settings, the seed, and where the inputs came from. Raises PegbarError where the scene is not there."""
    scene = bpy.data.scenes.get(job.shot.scene)
    if scene is None:
        raise PegbarError(f"The scene {job.shot.scene!r} of this take is not in this file")
    settings, spec = scene.pegbar, pipeline(job.pipeline)
    choose(settings, spec)
    set_values(getattr(settings, spec.name), dict(job.params))
    settings.seed, settings.keep_seed = job.seed, True
    if (target := target_of(job).type) != "LAYER":
        settings.result = target
    _restore_shot(settings, spec, job)
    sources = sources_of(job)
    for wanted in spec.inputs:
        if wanted.is_picture:
            _restore_picture(getattr(getattr(settings, spec.name), wanted.name), sources.get(wanted.name, ()))
        elif wanted.kind == "reference" and wanted.name in sources:
            _restore_references(settings, sources[wanted.name])


def _restore_shot(settings: PEGBAR_PG_scene, spec: Pipeline, job: Job) -> None:
    if not (spec.inputs[0].is_drawing or spec.inputs[0].is_picture):
        return  # a strip has its own length
    settings.length = job.shot.last - job.shot.first + 1
    if job.shot.step in RHYTHMS:
        setattr(settings, rhythm_property(spec), str(job.shot.step))


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
