"""Sets the colour of a region by a click in the sequencer's preview, by a fill's other material, or by what a script says."""

import bpy

from ..engine.corrections import Correction
from ..engine.protocol import PegbarError
from ..runs import correcting, engine, placing, run, takes
from ..runs.request import scene_of
from ..timeline.pointing import on_picture, picture_at
from .edge import Edge

HINT = "Click a region to give it the colour; Esc or right-click ends"


def strip_of(context: bpy.types.Context) -> bpy.types.Strip:
    """The active strip, if it is of a take that can be corrected. Raises PegbarError."""
    editor = scene_of(context).sequence_editor
    strip = editor.active_strip if editor else None
    if not correcting.can_be_corrected(correcting.taken(strip)):
        raise PegbarError("Select the strip of a coloured take: one that was made from line art and is done")
    return strip


class PEGBAR_OT_recolour_region(Edge, bpy.types.Operator):
    """Click a region in the preview to give it the colour; what follows from it on other frames changes with it"""

    bl_idname = "pegbar.recolour_region"
    bl_label = "Recolour Region"

    x: bpy.props.FloatProperty(name="X", description="Place of the region across the picture", min=0, max=1, options={"SKIP_SAVE"})
    y: bpy.props.FloatProperty(name="Y", description="Place of the region down the picture", min=0, max=1, options={"SKIP_SAVE"})
    frame: bpy.props.IntProperty(name="Frame", description="Frame of the scene; the current one where 0", options={"SKIP_SAVE"})
    colour: bpy.props.StringProperty(
        name="Colour", description="#rrggbb, or #rrggbbaa where it is not opaque; the chosen one where empty", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        try:
            strip_of(context)
        except PegbarError as error:
            cls.poll_message_set(str(error))
            return False
        return True

    def act(self, context: bpy.types.Context) -> None:
        strip, scene = strip_of(context), scene_of(context)
        take = correcting.taken(strip)
        frame = shown_frame(take, strip, self.frame or scene.frame_current)
        colour = self.colour or hex_of(scene.pegbar.colour)
        started = correcting.correct(take, [Correction(frame, self.x, self.y, colour)])
        if bpy.app.background:
            run.run_to_end(started)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.properties.is_property_set("x") or self.properties.is_property_set("y"):
            return self.execute(context)
        if _preview(context) is None:
            self.report({"ERROR"}, "There is no preview to click in: choose Preview, or Sequencer and Preview, in the sequencer's header")
            return {"CANCELLED"}
        try:
            engine.check()
        except PegbarError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.window.cursor_modal_set("EYEDROPPER")
        context.area.header_text_set(HINT)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type in {"ESC", "RIGHTMOUSE"} and event.value == "PRESS":
            self._end(context)
            return {"FINISHED"}
        region = _preview(context)
        if event.type != "LEFTMOUSE" or event.value != "PRESS" or region is None or not _is_in(region, event):
            return {"PASS_THROUGH"}
        if not self.poll(context):
            self.report({"WARNING"}, "Select the strip of a coloured take")
            return {"RUNNING_MODAL"}
        place = region.view2d.region_to_view(event.mouse_x - region.x, event.mouse_y - region.y)
        try:
            found = on_picture(scene_of(context), strip_of(context), *place)
        except PegbarError as error:
            self.report({"ERROR"}, str(error))
            return {"RUNNING_MODAL"}
        if found is not None:
            self.x, self.y = found
            self.execute(context)
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        self._end(context)

    @staticmethod
    def _end(context: bpy.types.Context) -> None:
        context.window.cursor_modal_restore()
        if context.area:
            context.area.header_text_set(None)


def _preview(context: bpy.types.Context) -> bpy.types.Region | None:
    """The preview's region: of the editor that the button is in, else of another one on the screen."""
    areas = [area for area in context.screen.areas if area.type == "SEQUENCE_EDITOR" and area.spaces.active.view_type != "SEQUENCER"]
    areas.sort(key=lambda area: area != context.area)
    return next((region for area in areas for region in area.regions if region.type == "PREVIEW"), None)


def _is_in(region: bpy.types.Region, event: bpy.types.Event) -> bool:
    return 0 <= event.mouse_x - region.x < region.width and 0 <= event.mouse_y - region.y < region.height


def shown_frame(take: takes.Take, strip: bpy.types.Strip, frame: int) -> int:
    """The frame of the take's shot that a strip shows at a frame of the scene. Raises PegbarError."""
    number, frames = picture_at(strip, frame), take.job.shot.frames
    if number is None or not 1 <= number <= len(frames):
        raise PegbarError(f"{strip.name!r} shows nothing on frame {frame}: go to one of its frames")
    return frames[number - 1]


def hex_of(colour: bpy.types.bpy_prop_array) -> str:
    """A colour property as #rrggbb, or #rrggbbaa where it is not opaque."""
    parts = bytes(round(part * 255) for part in colour)
    return "#" + (parts if parts[3] < 255 else parts[:3]).hex()


class PEGBAR_OT_carry_on(Edge, bpy.types.Operator):
    """Let the fills that you gave another material on this frame have it on all frames that follow from it"""

    bl_idname = "pegbar.carry_on"
    bl_label = "Carry This Change On"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if placing.fills_shown(context.active_object) is None:
            cls.poll_message_set("Select a drawing with the fills of a take")
            return False
        return True

    def act(self, context: bpy.types.Context) -> None:
        take, corrections = correcting.changed_fills(context.active_object, context.scene.frame_current)
        started = correcting.correct(take, corrections)
        if bpy.app.background:
            run.run_to_end(started)


class PEGBAR_OT_pick_colour(Edge, bpy.types.Operator):
    """Recolour regions with this colour"""

    bl_idname = "pegbar.pick_colour"
    bl_label = "Pick Colour"
    bl_options = {"INTERNAL"}

    colour: bpy.props.StringProperty(name="Colour", options={"HIDDEN", "SKIP_SAVE"})
    name: bpy.props.StringProperty(name="Name", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return f"{properties.name}, {properties.colour}" if properties.name else cls.__doc__

    def act(self, context: bpy.types.Context) -> None:
        parts = [part / 255 for part in bytes.fromhex(self.colour.removeprefix("#"))]
        scene_of(context).pegbar.colour = parts if len(parts) == 4 else (*parts, 1.0)


CLASSES = (PEGBAR_OT_recolour_region, PEGBAR_OT_carry_on, PEGBAR_OT_pick_colour)
