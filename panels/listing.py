"""The menu of what a setting can be among what lies in a weights folder, each with its picture. It looks there when it is opened."""

from pathlib import Path

import bpy

from ..engine.catalog import PIPELINES
from ..engine.spec import Param, Pipeline
from ..runs import models, preview


def button(row: bpy.types.UILayout, spec: Pipeline, param: Param) -> None:
    """Opens the menu for a setting."""
    row.context_string_set("pegbar_pipeline", spec.name)
    row.context_string_set("pegbar_param", param.name)
    row.menu("PEGBAR_MT_listed", text="", icon="DOWNARROW_HLT")


class PEGBAR_MT_listed(bpy.types.Menu):
    """What there is for the setting of this row."""

    bl_label = "Choose"

    def draw(self, context: bpy.types.Context) -> None:
        spec = PIPELINES[context.pegbar_pipeline]
        param = next(param for param in spec.params if param.name == context.pegbar_param)
        found = models.listed(spec, param)
        for entry in found:
            chosen = self.layout.operator("pegbar.choose_listed", text=entry.name, icon_value=_icon(entry.picture))
            chosen.pipeline, chosen.param, chosen.name = spec.name, param.name, entry.name
        if not found:
            self.layout.label(text="None here yet")


def _icon(picture: Path | None) -> int:
    if picture is None:
        return 0
    preview.look(picture)
    shown = preview.of(picture)
    return shown.icon_id if shown else 0


CLASSES = (PEGBAR_MT_listed,)
