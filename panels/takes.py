"""The list of a shot's takes, and the menu with what can be done with one."""

import bpy

from ..engine.corrections import CORRECTS
from ..engine.spec import Pipeline
from ..runs import correcting, placing, run, takes
from ..runs.request import scene_of
from .draw import clock, text, use

SHOWN = 12


def shown(context: bpy.types.Context, methods: tuple[Pipeline, ...], source: str | None) -> list[takes.Take]:
    """The takes by these pipelines of a drawing or strip, of the whole scene where there is none, newest first. Of takes that were corrected
    the last one and those that are in the file."""
    names = {spec.name for spec in methods}
    found = [take for take in takes.of_shot(scene_of(context).name, source) if take.job.pipeline in names]
    corrected = {take.folder.path.with_name(name) for take in found if (name := take.job.params.get(CORRECTS))}
    return [take for take in found if take.folder.path not in corrected or placing.is_placed(take)]


def draw(layout: bpy.types.UILayout, context: bpy.types.Context, found: list[takes.Take]) -> None:
    """One row a take."""
    if not found:
        text(layout, context, "No takes yet.")
    for take in found[:SHOWN]:
        _row(layout, take)
    if len(found) > SHOWN:
        layout.label(text=f"{len(found) - SHOWN} older")


def _row(layout: bpy.types.UILayout, take: takes.Take) -> None:
    row = layout.row(align=True)
    row.context_string_set("pegbar_take", str(take.folder.path))
    row.label(text=take.source if take.is_lesson else f"Take {take.number}")
    row.label(text=summary(take))
    if run.of_folder(take.folder):
        row.label(text="Running")
    elif take.is_partial:
        row.operator("pegbar.finish_take").folder = str(take.folder.path)
    elif take.is_lesson:
        use(row, take)
    else:
        row.operator("pegbar.apply_take").folder = str(take.folder.path)
    row.menu("PEGBAR_MT_take", text="", icon="DOWNARROW_HLT")


def summary(take: takes.Take) -> str:
    """What there is of a take, in a few words."""
    if take.is_lesson:
        return f"{take.learned} of {take.job.params['steps']} steps"
    ready, wanted = len(take.frames), len(take.job.shot.frames)
    if take.is_partial:
        return f"{ready} of {wanted} frames"
    return (
        f"{ready} frames, corrected on {count}" if (count := correcting.count(take.job)) else f"{ready} frames, {clock(take.state.seconds)}"
    )


class PEGBAR_MT_take(bpy.types.Menu):
    """What can be done with the take of this row."""

    bl_label = "Take"

    def draw(self, context: bpy.types.Context) -> None:
        actions(self.layout, context.pegbar_take)


def actions(layout: bpy.types.UILayout, folder: str) -> None:
    """What can be done with a take, as buttons or menu entries."""
    if not takes.is_lesson(folder):
        layout.operator("pegbar.apply_take").folder = folder
        layout.operator("pegbar.redo_take").folder = folder
        layout.operator("pegbar.restore_settings").folder = folder
    layout.operator("pegbar.open_folder", icon="FILE_FOLDER").folder = folder
    layout.separator()
    layout.operator("pegbar.delete_take", icon="TRASH").folder = folder


CLASSES = (PEGBAR_MT_take,)
