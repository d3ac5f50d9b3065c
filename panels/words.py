"""Sentences in a panel: over as many lines as its width asks for."""

import textwrap

import bpy

CHARACTER_PX = 6.0
"""The mean width of a letter at a scale of 1."""
MARGIN_PX, ICON_PX = 52, 30


def text(layout: bpy.types.UILayout, context: bpy.types.Context, words: str, icon: str = "NONE") -> None:
    """A sentence over as many lines as the region's width asks for."""
    free = context.region.width / context.preferences.system.ui_scale - MARGIN_PX - (ICON_PX if icon != "NONE" else 0)
    width = max(12, int(free / CHARACTER_PX))
    column = layout.column(align=True)
    column.scale_y = 0.8
    for index, line in enumerate(textwrap.wrap(words, width)):
        column.label(text=line, icon=icon if index == 0 else "NONE" if icon == "NONE" else "BLANK1")
