"""Has the editors that show Pegbar drawn anew."""

import bpy

EDITORS = {"VIEW_3D", "SEQUENCE_EDITOR", "PROPERTIES"}


def panels(everything: bool = False) -> None:
    """Marks the sidebars; with `everything` also the pictures beside them, after something was placed."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in EDITORS:
                for region in area.regions:
                    if everything or region.type == "UI" or (region.type == "WINDOW" and area.type == "PROPERTIES"):
                        region.tag_redraw()


def preferences() -> None:
    """Marks the preferences, which show the set-up of the engine."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()
