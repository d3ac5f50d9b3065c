"""What a run that failed offers: its number, the one button that may help, another try, and a report."""

import bpy

from ..engine import errors
from ..engine.catalog import PIPELINES
from ..runs import run, takes
from ..runs.request import smaller

REMEDIES = {
    errors.OUT_OF_MEMORY: ("pegbar.retry_smaller", "Try Again with Less Memory"),
    errors.DISK_FULL: ("pegbar.open_preferences", "Choose Folder"),
    errors.PLACE_REFUSED: ("pegbar.open_preferences", "Choose Folder"),
    errors.FILE_UNSAVED: ("wm.save_mainfile", "Save…"),
    errors.MODEL_MISSING: ("pegbar.download_model", "Download Model"),
    errors.MODEL_DAMAGED: ("pegbar.download_model", "Repair Model"),
    errors.MODEL_UNSAFE: ("pegbar.open_weights", "Open Folder"),
    errors.NO_DEVICE: ("pegbar.open_preferences", "Set Up Engine…"),
    errors.DRIVER_TOO_OLD: ("pegbar.open_preferences", "Set Up Engine…"),
    errors.ENGINE_MISSING: ("pegbar.open_preferences", "Set Up Engine…"),
    errors.ENGINE_OTHER: ("pegbar.open_preferences", "Set Up Engine…"),
    errors.ENGINE_PLAIN: ("pegbar.open_preferences", "Set Up Engine…"),
    errors.OFFLINE: ("pegbar.allow_online", "Allow Online Access"),
    errors.TAKE_DAMAGED: ("pegbar.delete_take", "Delete Take"),
    errors.RESULT_UNPLACED: ("pegbar.apply_take", "Apply"),
}
"""The button for each kind of failure that one can help with: its operator and its words."""
BY_HAND = "pegbar.open_weights", "Open Folder"
"""Instead of a download, where a method's models cannot be fetched by a program."""
NEEDS_TAKE = {"pegbar.retry_smaller", "pegbar.delete_take", "pegbar.apply_take"}


def buttons(box: bpy.types.UILayout, last: run.Run, take: takes.Take | None) -> None:
    """Below the sentence of a run that failed."""
    column = box.column(align=True)
    if last.error in REMEDIES and _helps(last, take):
        _remedy(column, last, take)
    row = column.row(align=True)
    if take:
        row.operator("pegbar.finish_take", text="Try Again").folder = str(take.folder.path)
    else:
        row.operator("pegbar.run", text="Try Again").pipeline = last.pipeline
    report(column, last)


def report(column: bpy.types.UILayout, last: run.Run) -> None:
    """The number of a failure, and the ways to tell of it."""
    row = column.row(align=True)
    row.operator("pegbar.copy_report").pipeline = last.pipeline
    row.operator("pegbar.collect_diagnostics", text="", icon="FILE_ARCHIVE")
    if last.error:
        row = column.row()
        row.active = False
        row.label(text=last.error)


def _helps(last: run.Run, take: takes.Take | None) -> bool:
    operator, _ = REMEDIES[last.error]
    if operator == "pegbar.retry_smaller":
        return take is not None and take.job is not None and smaller(take.job) is not None
    return take is not None or operator not in NEEDS_TAKE


def _remedy(column: bpy.types.UILayout, last: run.Run, take: takes.Take | None) -> None:
    operator, words = REMEDIES[last.error]
    if operator == "pegbar.download_model" and not any(weights.repository for weights in PIPELINES[last.pipeline].weights):
        operator, words = BY_HAND
    button = column.operator(operator, text=words)
    if operator in NEEDS_TAKE and take:
        button.folder = str(take.folder.path)
    elif operator in ("pegbar.open_weights", "pegbar.download_model"):
        button.pipeline = last.pipeline
    if operator == "pegbar.download_model":
        button.repair = last.error == errors.MODEL_DAMAGED
