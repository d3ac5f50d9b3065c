"""The add-on's preferences, and the folders and the interpreter that follow from them."""

import functools
import os
from pathlib import Path

import bpy

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


def preferences() -> PEGBAR_AP_preferences:
    """The add-on's preferences."""
    return bpy.context.preferences.addons[PACKAGE].preferences


def user_folder() -> Path:
    """The folder of this user that outlives the add-on's updates."""
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
    bpy.utils.unregister_class(PEGBAR_AP_preferences)
