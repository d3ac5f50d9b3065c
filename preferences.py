"""The add-on's preferences, and the folders, the interpreter and the machine that follow from them."""

import functools
import os
from pathlib import Path

import bpy

from .engine.weights import Machine, given_folders

PACKAGE = __package__


class PEGBAR_AP_preferences(bpy.types.AddonPreferences):
    """What is set once for a machine."""

    bl_idname = PACKAGE

    engine_python: bpy.props.StringProperty(
        name="Engine Python",
        description="The Python interpreter of the environment in which Pegbar's engine is installed",
        subtype="FILE_PATH",
    )
    takes_folder: bpy.props.StringProperty(
        name="Takes Folder",
        description="Where takes are kept; beside the .blend file where empty",
        subtype="DIR_PATH",
    )

    weights_folder: bpy.props.StringProperty(
        name="Weights Folder",
        description="Where the published models lie that you have fetched",
        subtype="DIR_PATH",
    )
    shared_weights_folder: bpy.props.StringProperty(
        name="Shared Weights",
        description="A second folder with published models, as a studio keeps one for everybody; nothing is written there",
        subtype="DIR_PATH",
    )
    device: bpy.props.EnumProperty(
        name="Device",
        description="What the published models run on",
        items=(
            ("AUTO", "Automatic", "The fastest that this computer has"),
            ("CPU", "Processor", "Always works; a video takes hours"),
            ("CUDA", "Graphics Card", "NVIDIA's cards by CUDA, AMD's by ROCm"),
            ("MPS", "Apple GPU", "The graphics of Apple's own processors, by Metal"),
        ),
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        found = "" if self.engine_python else str(engine_python() or "")
        layout.prop(self, "engine_python", placeholder=found or "Choose a Python")
        row = layout.row(heading=" ")
        row.operator("pegbar.test_engine")
        if result := context.window_manager.pegbar_test:
            layout.row(heading=" ").label(text=result)
        layout.prop(self, "takes_folder", placeholder="Beside the .blend File")
        layout.prop(self, "weights_folder", placeholder=str(own_weights()[0]))
        layout.prop(self, "shared_weights_folder", placeholder="None")
        layout.prop(self, "device")


def preferences() -> PEGBAR_AP_preferences:
    """The add-on's preferences."""
    return bpy.context.preferences.addons[PACKAGE].preferences


@functools.cache
def user_folder() -> Path:
    """The folder of this user that outlives the add-on's updates; made once, since panels ask at every draw."""
    return Path(bpy.utils.extension_path_user(PACKAGE, create=True))


def engine_python() -> Path | None:
    """The engine's interpreter: the one set, else that of the environment in the user's folder, else PEGBAR_ENGINE_PYTHON's."""
    if chosen := preferences().engine_python:
        return Path(bpy.path.abspath(chosen))
    if found := own_environment():
        return found
    given = os.environ.get("PEGBAR_ENGINE_PYTHON")
    return Path(given) if given else None


@functools.cache
def own_environment() -> Path | None:
    """The interpreter of the environment in the user's folder; looked for once, since panels ask at every draw."""
    return next((path for inner in ("bin/python", "Scripts/python.exe") if (path := user_folder() / "engine" / inner).exists()), None)


def machine() -> Machine:
    """What a run may use of this computer: the weights folder that is set, else PEGBAR_WEIGHTS's, else the one in the user's folder; then
    the shared one."""
    own = preferences()
    chosen = (Path(bpy.path.abspath(own.weights_folder)),) if own.weights_folder else own_weights()
    shared = (Path(bpy.path.abspath(own.shared_weights_folder)),) if own.shared_weights_folder else ()
    return Machine(chosen + shared, own.device.lower())


def own_weights() -> tuple[Path, ...]:
    """The weights folders where none is set."""
    return given_folders() or (user_folder() / "weights",)


def takes_folder() -> Path:
    """Where the takes of the open file are: the folder set, else beside the .blend; in the user's folder while it is not saved."""
    file = Path(bpy.data.filepath)
    chosen = preferences().takes_folder
    if chosen and (bpy.data.filepath or not chosen.startswith("//")):  # which is beside a file that is nowhere yet
        return Path(bpy.path.abspath(chosen)) / (file.stem or "unsaved")
    return file.parent / "pegbar" if bpy.data.filepath else user_folder() / "takes"


def register() -> None:
    bpy.utils.register_class(PEGBAR_AP_preferences)


def unregister() -> None:
    own_environment.cache_clear()
    user_folder.cache_clear()
    bpy.utils.unregister_class(PEGBAR_AP_preferences)
