"""The sequencer's sidebar and its right-click menu: line-art strips and their references, pictures that shots start on."""

import bpy

from ..engine.spec import Pipeline
from ..runs.request import chosen_strip, scene_of
from ..settings import FROM, PEGBAR_PG_reference, PEGBAR_PG_scene, chosen, methods_of
from . import draw
from .pipeline import panels_in

ICONS = {name: icon for name, _, _, icon, _ in FROM}


class Sequencer:
    """What the pipelines for strips work on."""

    bl_space_type = "SEQUENCE_EDITOR"

    @staticmethod
    def source_name(context: bpy.types.Context, spec: Pipeline) -> str | None:
        scene = scene_of(context)
        if spec.inputs[0].is_picture:
            return None
        if scene.pegbar.line_art == "OBJECT":
            return scene.pegbar.drawing.name if scene.pegbar.drawing else ""
        strip = chosen_strip(scene, scene.pegbar.strip)
        return strip.name if strip else ""

    def draw_source(self, context: bpy.types.Context, settings: PEGBAR_PG_scene, spec: Pipeline) -> bool:
        column = self.layout.column()
        if not spec.inputs[0].is_picture:
            self._line_art(column, settings, self.source_name(context, spec))
        if any(wanted.kind == "reference" for wanted in spec.inputs):
            self._references(column, settings)
        draw.pictures(column, context, settings, spec)
        column.separator()
        return True

    @staticmethod
    def _line_art(column: bpy.types.UILayout, settings: PEGBAR_PG_scene, name: str) -> None:
        column.row().prop(settings, "line_art", expand=True)
        if settings.line_art == "OBJECT":
            column.prop(settings, "drawing", text=" ")
        else:
            row = column.row()
            row.label(text=name or settings.strip or "No Strip", icon="SEQUENCE")
            row.operator("pegbar.pin_strip", text="", icon="PINNED" if settings.strip else "UNPINNED", emboss=False)
        column.separator()

    def _references(self, column: bpy.types.UILayout, settings: PEGBAR_PG_scene) -> None:
        for index, entry in enumerate(settings.references):
            self._reference(column.row(align=True), entry, index)
        column.operator_menu_enum("pegbar.add_reference", "type", text="Add Reference", icon="ADD")

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
        layout, settings = self.layout, scene_of(context).pegbar
        for methods in methods_of("SEQUENCE_EDITOR"):
            layout.operator("pegbar.run", text=methods[0].verb).pipeline = chosen(settings, methods).name
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
