"""A small panel on a strip that a take made: where it comes from, and its way back."""

from pathlib import Path

import bpy

from ..engine.catalog import PIPELINES
from ..runs import licences, takes
from .draw import text
from .takes import actions, summary

PLACE = (
    {"bl_space_type": "PROPERTIES", "bl_region_type": "WINDOW", "bl_context": "strip"}
    if bpy.app.version >= (5, 0)
    else {"bl_space_type": "SEQUENCE_EDITOR", "bl_region_type": "UI", "bl_category": "Strip"}
)
"""Since 5.0 a strip has a tab of its own in the Properties editor."""
ICONS = {"yes": "CHECKMARK", "no": "CANCEL", "unclear": "QUESTION"}


class Strip:
    """Mixed into the panel, wherever it is."""

    bl_label = "Pegbar Take"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        strip = context.active_strip
        return strip is not None and "pegbar_take" in strip

    def draw(self, context: bpy.types.Context) -> None:
        layout, strip = self.layout, context.active_strip
        take = takes.by_id(strip["pegbar_take"])
        if take is None:
            text(layout, context, f"Its folder is not among this file's takes: {strip['pegbar_folder']}", "INFO")
            if strip.type == "IMAGE":
                layout.operator("pegbar.restore_from_picture", text="Restore Settings").filepath = first_picture(strip)
            return
        spec = PIPELINES.get(take.job.pipeline)
        layout.label(text=f"Take {take.number} of {take.source}, {spec.label if spec else take.job.pipeline}, {summary(take)}")
        found = licences.verdict(take)
        text(layout, context, f"Commercial use: {found.commercial}. {'. '.join(found.reasons)}.", ICONS[found.commercial])
        for param in spec.params if spec else ():
            row = layout.row()
            row.label(text=param.label)
            row.label(text=str(take.job.params[param.name]))
        actions(layout.column(), str(take.folder.path))


def first_picture(strip: bpy.types.ImageStrip) -> str:
    """The path of the first picture that a strip shows."""
    return str(Path(bpy.path.abspath(strip.directory)) / strip.elements[0].filename)


PEGBAR_PT_strip = type("PEGBAR_PT_strip", (Strip, bpy.types.Panel), PLACE)
CLASSES = (PEGBAR_PT_strip,)
