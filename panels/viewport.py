"""The viewport's sidebar: what works on Grease Pencil drawings."""

import bpy

from ..engine.spec import Pipeline
from ..settings import PEGBAR_PG_scene
from . import draw
from .pipeline import panels_in


class Viewport:
    """What the pipelines for drawings work on."""

    bl_space_type = "VIEW_3D"

    @staticmethod
    def source_name(context: bpy.types.Context, spec: Pipeline) -> str:
        return context.active_object.name if context.active_object else ""

    def draw_source(self, context: bpy.types.Context, settings: PEGBAR_PG_scene, spec: Pipeline) -> bool:
        found = context.active_object
        if found is None or found.type != "GREASEPENCIL":
            return False
        column = self.layout.column()
        column.label(text=f"{found.name}, frame {context.scene.frame_current}", icon="OUTLINER_OB_GREASEPENCIL")
        if spec.inputs[0].kind == "strokes" and spec.inputs[0].several:
            column.row().prop(settings, "drawings", text="Animate", expand=True)
        column.row().prop(settings, "layers", expand=True)
        draw.pictures(column, context, settings, spec)
        column.separator()
        return True


CLASSES = panels_in(Viewport)
