"""What a motion is learned from, and whether its name is free."""

from collections.abc import Mapping
from typing import Any

import bpy

from ..engine.catalog import PIPELINES
from ..engine.protocol import PegbarError
from ..engine.spec import Pipeline
from ..timeline import Source
from ..timeline.versions import strip_range
from . import models

SILENT_STRIPS = {"SOUND"}
"""Strip types without a picture."""
MULTIPLE = 8
"""Pixels that a latent is wide."""


def editing_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene whose strips the sequencer shows: since 5.0 it may be another one than the window's."""
    return getattr(context.workspace, "sequencer_scene", None) or context.scene


def selected(scene: bpy.types.Scene) -> list[bpy.types.Strip]:
    """The selected strips with a picture, from left to right."""
    strips = scene.sequence_editor.strips if scene.sequence_editor else ()
    found = [strip for strip in strips if strip.select and strip.type not in SILENT_STRIPS]
    return sorted(found, key=lambda strip: (strip_range(strip)[0], strip.channel))


def strips(scene: bpy.types.Scene, params: Mapping[str, Any]) -> tuple[Source, ...]:
    """The selected strips as clips. Raises PegbarError where there are none or one is too short."""
    found = selected(scene)
    if not found:
        raise PegbarError("Select the strips to learn from in the sequencer, or choose a folder")
    needed = (params["frames"] - 1) * params["frame_step"] + 1
    for strip in found:
        first, end = strip_range(strip)
        if end - first < needed:
            raise PegbarError(f"{strip.name!r} shows {_frames(end - first)}, {needed} are needed: lengthen it or learn fewer frames")
    return tuple(Source("STRIP", strip.name) for strip in found)


def check_size(params: Mapping[str, Any]) -> None:
    """Raises PegbarError where the network cannot work at the size."""
    if odd := [side for side in ("width", "height") if params[side] % MULTIPLE]:
        raise PegbarError(f"The {odd[0]} is {params[odd[0]]}: choose a multiple of {MULTIPLE}")


def describe(sources: tuple[Source, ...], params: Mapping[str, Any]) -> str:
    """What will be learned, in one line."""
    what = f"{len(sources)} clip{'s' * (len(sources) > 1)}" if sources else "The clips of the folder"
    return f"{what}, {params['steps']} steps, {'25 MB' if params['low_rank'] else '4.4 GB'}"


def check_name(name: str) -> None:
    """Raises PegbarError where there is a motion of that name on this computer; looks into the weights folder."""
    if name.casefold() in {motion.name.casefold() for motion in listed()}:
        raise PegbarError(f"There is already a motion {name!r}: choose another name")


def listed() -> list[Any]:
    """The motions of this computer."""
    spec: Pipeline = PIPELINES["vidsketch"]
    return [motion for param in spec.params for motion in models.listed(spec, param)]


def _frames(number: int) -> str:
    return f"{number} frame{'s' * (number != 1)}"
