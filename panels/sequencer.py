"""The sequencer's sidebar and its right-click menu: line-art strips and their references."""

import bpy

from ..engine.catalog import PIPELINES
from ..runs.request import line_strip, scene_of
from ..settings import PEGBAR_PG_reference, PEGBAR_PG_scene
from .pipeline import panels_in

ICONS = {"STRIP": "SEQUENCE", "FILE": "FILE_IMAGE", "IMAGE": "IMAGE_DATA", "OBJECT": "OUTLINER_OB_GREASEPENCIL"}


class Sequencer:
    """What the pipelines for strips work on."""

    bl_space_type = "SEQUENCE_EDITOR"

    @staticmethod
    def source_name(context: bpy.types.Context) -> str:
        scene = scene_of(context)
        if scene.pegbar.line_art == "OBJECT":
            return scene.pegbar.drawing.name if scene.pegbar.drawing else ""
        strip = line_strip(scene)
        return strip.name if strip else ""

    def draw_source(self, context: bpy.types.Context, settings: PEGBAR_PG_scene) -> bool:
        column = self.layout.column()
        column.row().prop(settings, "line_art", expand=True)
        if settings.line_art == "OBJECT":
            column.prop(settings, "drawing", text=" ")
        else:
            row = column.row()
            name = self.source_name(context)
            row.label(text=name or settings.strip or "No Strip", icon="SEQUENCE")
            row.operator("pegbar.pin_strip", text="", icon="PINNED" if settings.strip else "UNPINNED", emboss=False)
        column.separator()
        for index, entry in enumerate(settings.references):
            self._reference(column.row(align=True), entry, index)
        column.operator_menu_enum("pegbar.add_reference", "type", text="Add Reference", icon="ADD")
        column.separator()
        return True

    def draw_length(self, context: bpy.types.Context, settings: PEGBAR_PG_scene) -> None:
        self.layout.prop(settings, "result")  # a strip has its own length

    @staticmethod
    def _reference(row: bpy.types.UILayout, entry: PEGBAR_PG_reference, index: int) -> None:
        row.use_property_split = False
        row.label(text=bpy.path.basename(entry.name), icon=ICONS[entry.type])
        number = row.row()
        number.ui_units_x = 5
        number.prop(entry, "at", text="Frame")
        row.operator("pegbar.remove_reference", text="", icon="X", emboss=False).index = index


class PEGBAR_MT_strip(bpy.types.Menu):
    """Pegbar's entries in a strip's right-click menu."""

    bl_label = "Pegbar"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        for spec in PIPELINES.values():
            if spec.space == "SEQUENCE_EDITOR":
                layout.operator("pegbar.run", text=spec.verb).pipeline = spec.name
        layout.operator("pegbar.add_reference", text="Use as Reference").type = "STRIP"
        layout.operator("pegbar.pin_strip")


def draw_menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.separator()
    self.layout.menu("PEGBAR_MT_strip")


def append_menu() -> None:
    bpy.types.SEQUENCER_MT_context_menu.append(draw_menu)


def remove_menu() -> None:
    bpy.types.SEQUENCER_MT_context_menu.remove(draw_menu)


CLASSES = (*panels_in(Sequencer), PEGBAR_MT_strip)
