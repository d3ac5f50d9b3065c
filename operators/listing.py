"""Chooses what a setting can be among what lies in a weights folder, each by its name and its picture."""

from pathlib import Path

import bpy

from ..engine.catalog import PIPELINES
from ..runs import models, preview
from ..runs.request import scene_of
from .edge import Edge

Item = tuple[str, str, str, int, int]
_items: list[Item] = []
"""Those of the menu that is open: Blender keeps no hold on the texts that it shows."""


def _listed(self: bpy.types.Operator, context: bpy.types.Context) -> list[Item]:
    spec = PIPELINES.get(self.pipeline)
    param = next((param for param in spec.params if param.name == self.param), None) if spec else None
    found = models.listed(spec, param) if param else ()
    _items[:] = [(entry.name, entry.name, "", _icon(entry.picture), index) for index, entry in enumerate(found)]
    return _items


def _icon(picture: Path | None) -> int:
    if picture is None:
        return 0
    preview.look(picture)
    shown = preview.of(picture)
    return shown.icon_id if shown else 0


class PEGBAR_OT_choose_listed(Edge, bpy.types.Operator):
    """Choose one of those on this computer"""

    bl_idname = "pegbar.choose_listed"
    bl_label = "Choose"
    bl_options = {"REGISTER", "UNDO"}

    pipeline: bpy.props.StringProperty(name="Pipeline", options={"HIDDEN", "SKIP_SAVE"})
    param: bpy.props.StringProperty(name="Setting", options={"HIDDEN", "SKIP_SAVE"})
    name: bpy.props.EnumProperty(name="Name", items=_listed)

    def act(self, context: bpy.types.Context) -> None:
        setattr(getattr(scene_of(context).pegbar, self.pipeline), self.param, self.name)


CLASSES = (PEGBAR_OT_choose_listed,)
