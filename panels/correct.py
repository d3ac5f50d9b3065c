"""Corrections of a coloured take: its palette, the button that recolours regions, and the frames on which some are doubtful."""

import bpy

from ..engine.pipelines.flat import SPEC
from ..runs import correcting, placing, preview
from ..runs.request import scene_of
from ..runs.takes import Take
from ..settings import methods_of
from .words import text

COLUMNS = 8
PARENT = next(f"PEGBAR_PT_{methods[0].name}" for methods in methods_of(SPEC.space) if SPEC in methods)


def active_take(context: bpy.types.Context) -> Take | None:
    """The take of the active strip, if it can be corrected."""
    editor = scene_of(context).sequence_editor
    take = correcting.taken(editor.active_strip if editor else None)
    return take if correcting.can_be_corrected(take) else None


class Correct:
    """Mixed into the panel with what can be corrected of the take that the active strip shows."""

    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "Pegbar"
    bl_label = "Corrections"
    bl_parent_id = PARENT

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_take(context) is not None

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        take = active_take(context)
        self.layout.label(text=f"Take {take.number}")

    def draw(self, context: bpy.types.Context) -> None:
        layout, take, settings = self.layout, active_take(context), scene_of(context).pegbar
        palette(layout, take, settings.colour)
        row = layout.row(align=True)
        row.prop(settings, "colour", text="")
        row.operator_context = "INVOKE_DEFAULT"
        row.operator("pegbar.recolour_region", icon="EYEDROPPER")
        to_check(layout, context, take)


class PEGBAR_PT_correct(Correct, bpy.types.Panel):
    """In the sequencer's sidebar, under the job that made the take."""


class Fills:
    """Mixed into the panel with what can be corrected of the fills of the active drawing."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Pegbar"
    bl_label = "Fills"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return placing.fills_shown(context.active_object) is not None

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        take, _ = placing.fills_shown(context.active_object)
        self.layout.label(text=f"Take {take.number}")

    def draw(self, context: bpy.types.Context) -> None:
        layout, (take, _) = self.layout, placing.fills_shown(context.active_object)
        text(layout, context, "A material's colour counts on all frames. To change one fill, give it another material, then:")
        layout.operator("pegbar.carry_on", icon="TRACKING_FORWARDS")
        to_check(layout, context, take)


class PEGBAR_PT_fills(Fills, bpy.types.Panel):
    """In the viewport's sidebar, where a drawing has fills."""


def palette(layout: bpy.types.UILayout, take: Take, chosen: bpy.types.bpy_prop_array) -> None:
    """A button for each colour of a take."""
    grid = layout.grid_flow(row_major=True, columns=COLUMNS, even_columns=True, even_rows=True, align=True)
    picked = tuple(round(part * 255) for part in chosen)
    for name, colour in take.palette:
        parts = tuple(bytes.fromhex(colour[1:]))
        is_picked = picked == (parts if len(parts) == 4 else (*parts, 255))
        button = grid.operator("pegbar.pick_colour", text="", icon_value=preview.swatch(colour), depress=is_picked)
        button.colour, button.name = colour, name


def to_check(layout: bpy.types.UILayout, context: bpy.types.Context, take: Take) -> None:
    """How many frames have doubtful regions, and the way to them."""
    if not take.to_check:
        text(layout, context, "No region is doubtful.", "CHECKMARK")
        return
    row = layout.row(align=True)
    noun = "region" if take.doubtful == 1 else "regions"
    row.label(text=f"{take.doubtful} {noun} to check on {len(take.to_check)} of {len(take.frames)} frames", icon="INFO")
    for icon, backwards in (("PREV_KEYFRAME", True), ("NEXT_KEYFRAME", False)):
        button = row.operator("pegbar.next_check", text="", icon=icon)
        button.folder, button.backwards = str(take.folder.path), backwards


CLASSES = (PEGBAR_PT_correct, PEGBAR_PT_fills)
