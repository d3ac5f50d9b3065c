"""The viewport's sidebar: Grease Pencil drawings."""

import bpy

from ..settings import PEGBAR_PG_scene
from .pipeline import panels_in


class Viewport:
    """What the pipelines for drawings work on."""

    bl_space_type = "VIEW_3D"

    @staticmethod
    def source_name(context: bpy.types.Context) -> str:
        return context.active_object.name if context.active_object else ""

    def draw_source(self, context: bpy.types.Context, settings: PEGBAR_PG_scene) -> bool:
        found = context.active_object
        if found is None or found.type != "GREASEPENCIL":
            return False
        column = self.layout.column()
        column.label(text=f"{found.name}, frame {context.scene.frame_current}", icon="OUTLINER_OB_GREASEPENCIL")
        column.row().prop(settings, "drawings", text="Animate", expand=True)
        column.row().prop(settings, "layers", expand=True)
        column.separator()
        return True

    def draw_length(self, context: bpy.types.Context, settings: PEGBAR_PG_scene) -> None:
        column = self.layout.column()
        column.separator()
        column.prop(settings, "length", text="Length" if settings.length else "Length (Auto)")
        column.prop(settings, "rhythm")
        row = column.row(align=True)
        row.prop(settings, "seed")
        row.prop(settings, "keep_seed", text="", icon="LOCKED" if settings.keep_seed else "UNLOCKED")


CLASSES = panels_in(Viewport)
