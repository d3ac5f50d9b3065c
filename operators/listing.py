"""Sets what a menu lists: a setting's name among those that lie in a weights folder."""

import bpy

from ..runs.request import scene_of
from .edge import Edge


class PEGBAR_OT_choose_listed(Edge, bpy.types.Operator):
    """Choose this one"""

    bl_idname = "pegbar.choose_listed"
    bl_label = "Choose"
    bl_options = {"REGISTER", "UNDO"}

    pipeline: bpy.props.StringProperty(name="Pipeline", options={"HIDDEN", "SKIP_SAVE"})
    param: bpy.props.StringProperty(name="Setting", options={"HIDDEN", "SKIP_SAVE"})
    name: bpy.props.StringProperty(name="Name", options={"SKIP_SAVE"})

    def act(self, context: bpy.types.Context) -> None:
        setattr(getattr(scene_of(context).pegbar, self.pipeline), self.param, self.name)


CLASSES = (PEGBAR_OT_choose_listed,)
