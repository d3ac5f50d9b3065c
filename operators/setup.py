"""Sets the engine up: installs, pauses, goes on, cancels, repairs and removes it."""

import bpy

from ..engine.setup.bundle import opened
from ..preferences import engine_folder
from ..runs import setup
from .edge import Edge


class PEGBAR_OT_install_engine(Edge, bpy.types.Operator):
    """Download and install Pegbar's engine into your user folder; Blender stays usable meanwhile"""

    bl_idname = "pegbar.install_engine"
    bl_label = "Install Engine"

    kind: bpy.props.EnumProperty(
        name="Kind",
        items=(("core", "Core", "For Flat and Liven"), ("diffusion", "Diffusion", "With PyTorch, for the published methods")),
        options={"HIDDEN", "SKIP_SAVE"},
    )
    repair: bpy.props.BoolProperty(
        name="Repair", description="Take nothing over from the engine that is there", options={"HIDDEN", "SKIP_SAVE"}
    )

    def act(self, context: bpy.types.Context) -> None:
        setup.start(self.kind, repair=self.repair)
        finish(self)


class PEGBAR_OT_install_from_folder(Edge, bpy.types.Operator):
    """Install the engine from an offline bundle, a folder or a zip of it, with no network"""

    bl_idname = "pegbar.install_from_folder"
    bl_label = "Install from Folder…"

    directory: bpy.props.StringProperty(name="Folder", subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    filepath: bpy.props.StringProperty(name="File", subtype="FILE_PATH", options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: bpy.types.Context) -> None:
        chosen = setup.bundle_at(bpy.path.abspath(self.filepath), bpy.path.abspath(self.directory))
        setup.start("core" if opened(chosen).backend == "core" else "diffusion", str(chosen))
        finish(self)


class PEGBAR_OT_pause_setup(Edge, bpy.types.Operator):
    """Stop downloading for now; what has come is kept, also when Blender is closed"""

    bl_idname = "pegbar.pause_setup"
    bl_label = "Pause"

    def act(self, context: bpy.types.Context) -> None:
        setup.stop()


class PEGBAR_OT_continue_setup(Edge, bpy.types.Operator):
    """Go on where it stopped"""

    bl_idname = "pegbar.continue_setup"
    bl_label = "Continue"

    def act(self, context: bpy.types.Context) -> None:
        setup.go_on()
        finish(self)


class PEGBAR_OT_cancel_setup(Edge, bpy.types.Operator):
    """Do not install; what has come is kept for another time"""

    bl_idname = "pegbar.cancel_setup"
    bl_label = "Cancel"

    def act(self, context: bpy.types.Context) -> None:
        setup.stop(cancels=True)


class PEGBAR_OT_remove_engine(Edge, bpy.types.Operator):
    """Remove the engine that Pegbar has installed, and all that was downloaded for it; takes and models stay"""

    bl_idname = "pegbar.remove_engine"
    bl_label = "Remove"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def act(self, context: bpy.types.Context) -> None:
        setup.remove()


class PEGBAR_OT_copy_setup_report(Edge, bpy.types.Operator):
    """Copy what happened, for a message to the makers"""

    bl_idname = "pegbar.copy_setup_report"
    bl_label = "Copy Report"

    def act(self, context: bpy.types.Context) -> None:
        context.window_manager.clipboard = setup.report()


class PEGBAR_OT_allow_online(Edge, bpy.types.Operator):
    """Open Blender's own setting: System, Network, Allow Online Access"""

    bl_idname = "pegbar.allow_online"
    bl_label = "Allow Online Access"

    def act(self, context: bpy.types.Context) -> None:
        if not any(area.type == "PREFERENCES" for window in context.window_manager.windows for area in window.screen.areas):
            bpy.ops.screen.userpref_show(section="SYSTEM")
        context.preferences.active_section = "SYSTEM"


class PEGBAR_OT_open_engine_folder(Edge, bpy.types.Operator):
    """Open the folder that the engine lies in"""

    bl_idname = "pegbar.open_engine_folder"
    bl_label = "Open Folder"

    def act(self, context: bpy.types.Context) -> None:
        setup.home().make()
        bpy.ops.wm.path_open(filepath=str(engine_folder()))


def finish(operator: bpy.types.Operator) -> None:
    """Without a window nothing else can follow it: waits, and tells the end."""
    if bpy.app.background:
        state = setup.wait()
        operator.report({"INFO" if state.name == "done" else "ERROR"}, state.error or state.words)


CLASSES = (
    PEGBAR_OT_install_engine,
    PEGBAR_OT_install_from_folder,
    PEGBAR_OT_pause_setup,
    PEGBAR_OT_continue_setup,
    PEGBAR_OT_cancel_setup,
    PEGBAR_OT_remove_engine,
    PEGBAR_OT_copy_setup_report,
    PEGBAR_OT_allow_online,
    PEGBAR_OT_open_engine_folder,
)
