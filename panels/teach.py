"""Teach a Motion: the closed sub-panel below VidSketch's, with what is learned from and what came of it."""

import bpy

from ..engine.catalog import PIPELINES
from ..runs import run, takes, teaching
from ..settings import PEGBAR_PG_scene
from . import draw
from .pipeline import Advanced
from .takes import draw as draw_takes

SPEC = PIPELINES["teach"]
NAME = "PEGBAR_PT_teach"
SHOWN = 6
"""Strips whose names are shown."""


class Place:
    """Where the sub-panels are."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Pegbar"


class Teach:
    """Mixed into the panel that teaches."""

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        if any(running.pipeline == SPEC.name for running in run.active()):
            draw.status(self.layout, SPEC, self.methods)

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.pegbar
        layout.use_property_split = True
        layout.use_property_decorate = False
        group = getattr(settings, SPEC.name)
        _clips(layout.column(), context, settings)
        draw.prompt(layout, group, SPEC, "What all the clips show")
        draw.params(layout, group, SPEC)
        layout.separator()
        draw.start(layout, context, SPEC, self.methods)


def _clips(column: bpy.types.UILayout, context: bpy.types.Context, settings: PEGBAR_PG_scene) -> None:
    """What is learned from."""
    column.row().prop(settings, "clips", expand=True)
    if settings.clips == "FOLDER":
        column.prop(getattr(settings, SPEC.name), "folder", text=" ")
        return
    found = teaching.selected(teaching.editing_scene(context))
    for strip in found[:SHOWN]:
        column.label(text=strip.name, icon="SEQUENCE")
    if len(found) > SHOWN:
        column.label(text=f"and {len(found) - SHOWN} more")


class Lessons:
    """Mixed into the sub-panel with what was taught here."""

    bl_label = "Taught"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        draw_takes(self.layout, context, [take for take in reversed(takes.listed()) if take.is_lesson])


def _panel(name: str, part: type, **own: object) -> type[bpy.types.Panel]:
    return type(name, (part, Place, bpy.types.Panel), {"methods": (SPEC,), **own})


CLASSES = (
    _panel(NAME, Teach, bl_label="Teach a Motion", bl_parent_id="PEGBAR_PT_vidsketch", bl_options={"DEFAULT_CLOSED"}, bl_order=1),
    _panel(f"{NAME}_taught", Lessons, bl_parent_id=NAME),
    _panel(f"{NAME}_advanced", Advanced, bl_parent_id=NAME),
)
