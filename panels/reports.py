"""The closed panel at the end of each sidebar: what may be sold, settings back from a picture, and a word to the makers."""

import bpy

from ..engine.licences import headline
from ..runs import licences
from .draw import text


class Reports:
    """Mixed into the panel, in each editor."""

    bl_category = "Pegbar"
    bl_region_type = "UI"
    bl_label = "Licences and Reports"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 100

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        found = licences.entries()
        text(layout, context, headline(found), "CHECKMARK" if all(e.verdict.commercial == "yes" for e in found) else "INFO")
        column = layout.column()
        column.operator("pegbar.licence_report")
        column.separator()
        column.operator("pegbar.restore_from_picture")
        column.operator("pegbar.collect_diagnostics")


CLASSES = tuple(
    type(f"PEGBAR_PT_reports_{name}", (Reports, bpy.types.Panel), {"bl_space_type": space})
    for name, space in (("view", "VIEW_3D"), ("sequencer", "SEQUENCE_EDITOR"))
)
