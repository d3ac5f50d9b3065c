"""The add-on's preferences, and the folders, the interpreter and the machine that follow from them."""

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import bpy

from .engine.models.cards import methods
from .engine.setup.state import Home
from .engine.weights import Machine, given_folders

PACKAGE = __package__

SECTIONS: list[Callable[[bpy.types.UILayout, bpy.types.Context], None]] = []
"""What panels draw on top of the preferences, in order: their floor is above this one, so they bring it when they are registered."""


TIERS_GB = {"LOW": 6.5, "MEDIUM": 12.5, "HIGH": 24.5}
"""What runs may take in each of the tiers, half a GB of tolerance with it."""


class PEGBAR_AP_preferences(bpy.types.AddonPreferences):
    """What is set once for a machine."""

    bl_idname = PACKAGE

    engine_python: bpy.props.StringProperty(
        name="Engine Python",
        description="The Python interpreter of the environment in which Pegbar's engine is installed",
        subtype="FILE_PATH",
    )
    engine_folder: bpy.props.StringProperty(
        name="Engine Folder",
        description="Where the engine is installed: choose another disk where yours is full; in your user folder where empty",
        subtype="DIR_PATH",
    )
    backend: bpy.props.EnumProperty(
        name="Accelerator",
        description="What the diffusion engine is installed for",
        items=(
            ("AUTO", "Automatic", "What was found in this computer"),
            ("CPU", "Processor", "The smallest download; a video takes hours"),
            ("CUDA", "NVIDIA", "Graphics cards by CUDA"),
            ("ROCM", "AMD", "Graphics cards by ROCm, on Linux"),
            ("MPS", "Apple GPU", "The graphics of Apple's own processors"),
        ),
    )
    index_mirror: bpy.props.StringProperty(
        name="Package Mirror",
        description="The address of a package index to use in place of PyPI; what comes from there is checked all the same",
    )
    python_mirror: bpy.props.StringProperty(
        name="Python Mirror",
        description="The address of a mirror for the Python that is downloaded where this computer has none that fits",
    )
    proxy: bpy.props.StringProperty(
        name="Proxy",
        description="The address of the proxy for downloads, as http://proxy.studio:3128",
    )
    show_advanced: bpy.props.BoolProperty(name="Advanced", description="Folders, mirrors, and a Python of your own")
    takes_folder: bpy.props.StringProperty(
        name="Takes Folder",
        description="Where takes are kept; beside the .blend file where empty",
        subtype="DIR_PATH",
    )

    settings_in_pictures: bpy.props.BoolProperty(
        name="Settings in Pictures",
        description="Each picture holds what it was made with, the prompt included, so that Restore Settings works from the picture alone",
        default=True,
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
    hub_token: bpy.props.StringProperty(
        name="Hugging Face Token",
        description="For models that are given to those alone who have agreed to their terms; it is sent to Hugging Face and nowhere else",
        subtype="PASSWORD",
    )
    hub_mirror: bpy.props.StringProperty(
        name="Model Mirror",
        description="The address of a mirror of Hugging Face, where it cannot be reached; what comes from there is checked all the same",
    )
    accepted_terms: bpy.props.StringProperty(name="Accepted Terms", options={"HIDDEN"})
    open_models: bpy.props.EnumProperty(
        name="Models",
        description="Whose models are shown",
        items=[(spec.name, spec.label, spec.help) for spec in methods()],
        options={"ENUM_FLAG"},
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
    memory: bpy.props.EnumProperty(
        name="Memory",
        description="How much of the device's memory the published models may take; less is slower",
        items=(
            ("AUTO", "Automatic", "All that is free"),
            ("CPU", "Processor", "None of the graphics card's: a video takes hours"),
            ("LOW", "GPU Low (up to 6 GB)", "Models take turns, or are brought a part at a time"),
            ("MEDIUM", "GPU Medium (up to 12 GB)", "The larger models take turns"),
            ("HIGH", "GPU High (up to 24 GB)", "Most models stay on the card"),
        ),
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        for section in SECTIONS:
            section(layout, context)
        layout.prop(self, "takes_folder", placeholder="Beside the .blend File")
        layout.prop(self, "settings_in_pictures")
        layout.prop(self, "weights_folder", placeholder=str(own_weights()[0]))
        layout.prop(self, "shared_weights_folder", placeholder="None")
        layout.prop(self, "device")
        layout.prop(self, "memory")


def preferences() -> PEGBAR_AP_preferences:
    """The add-on's preferences."""
    return bpy.context.preferences.addons[PACKAGE].preferences


@functools.cache
def user_folder() -> Path:
    """The folder of this user that outlives the add-on's updates; made once, since panels ask at every draw."""
    return Path(bpy.utils.extension_path_user(PACKAGE, create=True))


def engine_python() -> Path | None:
    """The engine's interpreter: the one set, else that of the engine that was set up here, else PEGBAR_ENGINE_PYTHON's."""
    if chosen := preferences().engine_python:
        return Path(bpy.path.abspath(chosen))
    if found := own_engine():
        return engine_folder() / str(found["python"])
    given = os.environ.get("PEGBAR_ENGINE_PYTHON")
    return Path(given) if given else None


def engine_folder() -> Path:
    """Where the engine is set up."""
    chosen = preferences().engine_folder
    return Path(bpy.path.abspath(chosen)) if chosen else user_folder() / "engine"


def own_engine() -> Mapping[str, Any]:
    """What is known of the engine that was set up here; empty where there is none."""
    return _own_engine(engine_folder())


@functools.cache
def _own_engine(folder: Path) -> Mapping[str, Any]:
    """Read once, since panels ask at every draw."""
    home = Home(folder)
    return home.current() if home.python else {}


def forget_engine() -> None:
    """Has the engine that was set up looked at anew."""
    _own_engine.cache_clear()


def machine() -> Machine:
    """What a run may use of this computer: the weights folder that is set, else PEGBAR_WEIGHTS's, else the one in the user's folder; then
    the shared one."""
    own = preferences()
    chosen = (Path(bpy.path.abspath(own.weights_folder)),) if own.weights_folder else own_weights()
    shared = (Path(bpy.path.abspath(own.shared_weights_folder)),) if own.shared_weights_folder else ()
    device = "cpu" if own.memory == "CPU" else own.device.lower()
    return Machine(chosen + shared, device, TIERS_GB.get(own.memory, 0.0))


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
    forget_engine()
    user_folder.cache_clear()
    bpy.utils.unregister_class(PEGBAR_AP_preferences)
