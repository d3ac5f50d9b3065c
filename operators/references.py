"""Chooses what is coloured and by what: pins the line-art strip, adds and removes references."""

from pathlib import Path

import bpy

from ..engine.protocol import PegbarError
from ..runs.request import chosen_strip, scene_of
from .edge import Edge


class PEGBAR_OT_pin_strip(Edge, bpy.types.Operator):
    """Keep this strip chosen, whichever is active"""

    bl_idname = "pegbar.pin_strip"
    bl_label = "Pin Strip"
    bl_options = {"REGISTER", "UNDO"}

    def act(self, context: bpy.types.Context) -> None:
        scene = scene_of(context)
        strip = chosen_strip(scene, scene.pegbar.strip)
        scene.pegbar.strip = "" if scene.pegbar.strip or strip is None else strip.name


class PEGBAR_OT_add_reference(Edge, bpy.types.Operator):
    """Take the colours from this frame, too; it stands for the frame under the playhead"""

    bl_idname = "pegbar.add_reference"
    bl_label = "Add Reference"
    bl_options = {"REGISTER", "UNDO"}

    type: bpy.props.EnumProperty(
        name="From",
        items=(
            ("FILE", "Image File…", "A coloured picture of one frame", "FILE_IMAGE", 0),
            ("STRIP", "Active Strip", "The frame of the active strip under the playhead", "SEQUENCE", 1),
            ("OBJECT", "Active Drawing", "The active Grease Pencil drawing with its fills, on this frame", "OUTLINER_OB_GREASEPENCIL", 2),
        ),
    )
    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"HIDDEN", "SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.png;*.jpg;*.jpeg;*.tif;*.tiff;*.webp;*.bmp", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.type != "FILE" or self.filepath:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: bpy.types.Context) -> None:
        scene = scene_of(context)
        name = getattr(self, f"_{self.type.lower()}")(context, scene)
        entry = scene.pegbar.references.add()
        entry.name, entry.type, entry.at, entry.frame = name, self.type, scene.frame_current, scene.frame_current

    def _file(self, context: bpy.types.Context, scene: bpy.types.Scene) -> str:
        if not Path(bpy.path.abspath(self.filepath)).is_file():
            raise PegbarError(f"There is no picture at {self.filepath!r}: choose a file")
        return self.filepath

    def _strip(self, context: bpy.types.Context, scene: bpy.types.Scene) -> str:
        active = scene.sequence_editor and scene.sequence_editor.active_strip
        if not active:
            raise PegbarError("Select the strip with the coloured frame")
        return active.name

    def _object(self, context: bpy.types.Context, scene: bpy.types.Scene) -> str:
        active = context.active_object
        if active is None or active.type != "GREASEPENCIL":
            raise PegbarError("Select the coloured Grease Pencil drawing")
        return active.name


class PEGBAR_OT_remove_reference(Edge, bpy.types.Operator):
    """Take the colours from this frame no more"""

    bl_idname = "pegbar.remove_reference"
    bl_label = "Remove Reference"
    bl_options = {"REGISTER", "UNDO"}

    index: bpy.props.IntProperty(name="Reference", options={"HIDDEN", "SKIP_SAVE"})

    def act(self, context: bpy.types.Context) -> None:
        scene_of(context).pegbar.references.remove(self.index)


CLASSES = (PEGBAR_OT_pin_strip, PEGBAR_OT_add_reference, PEGBAR_OT_remove_reference)
