"""Which takes are used in the open file, where, and whether they may be sold: with all that they were made from."""

from collections.abc import Iterator
from dataclasses import replace

import bpy

from ..engine.catalog import PIPELINES
from ..engine.licences import Entry, Verdict, worst
from ..timeline.grease_pencil import TAKES
from . import takes

GONE = "Its folder is not among this file's takes, so nothing is known of it"


def entries() -> list[Entry]:
    """Every take that something in the open file shows, with where; a take made from others is as free as the least free of them."""
    places: dict[str, list[str]] = {}
    for job_id, place in _places():
        places.setdefault(job_id, []).append(place)
    return [replace(_entry(job_id), places=tuple(dict.fromkeys(found))) for job_id, found in places.items()]


def verdict(take: takes.Take) -> Verdict:
    """Whether a take may be sold, with the takes that it was made from."""
    return worst(_verdicts(take, {take.job.id if take.job else ""}))


def _entry(job_id: str) -> Entry:
    take = takes.by_id(job_id)
    if take is None or take.job is None:
        return Entry(f"Take {job_id[:8]}", "", (), Verdict("unclear", (GONE,)))
    spec = PIPELINES.get(take.job.pipeline)
    name = f"Take {take.number} of {take.source}" if take.source else f"Take {take.number}"
    return Entry(name, spec.label if spec else take.job.pipeline, (), verdict(take))


def _verdicts(take: takes.Take, seen: set[str]) -> Iterator[Verdict]:
    """Of a take and of those that its inputs showed."""
    yield take.verdict
    for job_id in _made_from(take) - seen:
        seen.add(job_id)
        other = takes.by_id(job_id)
        found = worst(_verdicts(other, seen)) if other else Verdict("unclear", (GONE,))
        number = f"take {other.number}" if other else "a take"
        yield Verdict(found.commercial, tuple(f"Made from {number}: {reason}" for reason in found.reasons))


def _made_from(take: takes.Take) -> set[str]:
    """The takes that the strips, objects and images show from which a take was made."""
    scene = bpy.data.scenes.get(take.job.shot.scene)
    strips = scene.sequence_editor.strips_all if scene and scene.sequence_editor else {}
    places = {"STRIP": strips, "OBJECT": bpy.data.objects, "IMAGE": bpy.data.images}
    sources = [source for found in takes.sources_of(take.job).values() for source in found if source.type in places]
    made = [found for source in sources if (found := places[source.type].get(source.name))]
    return {found["pegbar_take"] for found in made if "pegbar_take" in found}


def _places() -> Iterator[tuple[str, str]]:
    """(the take's id, where it is used) of all that shows one."""
    for scene in bpy.data.scenes:
        for strip in scene.sequence_editor.strips_all if scene.sequence_editor else ():
            if "pegbar_take" in strip:
                yield strip["pegbar_take"], f"the strip {strip.name!r} of {scene.name!r}"
    for found in bpy.data.objects:
        if not found.users_scene:
            continue
        if "pegbar_take" in found:
            yield found["pegbar_take"], f"the object {found.name!r}"
        if found.type == "GREASEPENCIL":
            yield from _layers(found)
    for camera in bpy.data.cameras:
        for behind in camera.background_images:
            if behind.image and "pegbar_take" in behind.image:
                yield behind.image["pegbar_take"], f"the background of {camera.name!r}"


def _layers(found: bpy.types.Object) -> Iterator[tuple[str, str]]:
    there = {layer.name for layer in found.data.layers}
    for job_id, entry in found.data.get(TAKES, {}).items():
        for name in entry["layers"]:
            if name in there:
                yield job_id, f"the layer {name!r} of {found.name!r}"
