"""What differs between Blender 4.5, 5.0 and 5.2, each difference behind one name."""

import bpy

FILLS_BY_ATTRIBUTE = bpy.app.version >= (5, 2)
"""Since 5.2 a stroke's own attributes `hide_stroke` and `fill_id` say what is drawn; before, its material."""


def grease_pencils() -> bpy.types.bpy_prop_collection:
    """The Grease Pencil data of the file; up to 4.5 `grease_pencils` are the annotations."""
    return bpy.data.grease_pencils_v3 if hasattr(bpy.data, "grease_pencils_v3") else bpy.data.grease_pencils


def strip_range(strip: bpy.types.Strip) -> tuple[int, int]:
    """The first frame that a strip shows and the one after its last; 6.0 will know the new names only."""
    if hasattr(strip, "left_handle"):
        return strip.left_handle, strip.right_handle
    return strip.frame_final_start, strip.frame_final_end
