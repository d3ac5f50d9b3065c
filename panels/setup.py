"""The set-up of the engine as panels show it: in the preferences whole, and in a sidebar where a method waits for it."""

import bpy

from ..engine.setup.state import amount
from ..engine.spec import Pipeline
from ..preferences import engine_folder, engine_python, own_engine, preferences
from ..runs import setup
from .words import text

BUTTON_SCALE = 1.3
NAMES = {"cuda": "NVIDIA", "rocm": "AMD", "mps": "Apple GPU", "cpu": "Processor"}


def blocks(spec: Pipeline) -> bool:
    """Whether a method has to wait for the engine."""
    return engine_python() is None or setup.lacks_diffusion(spec)


def word() -> tuple[str, str]:
    """How it stands with the engine and its icon, for a panel's header."""
    if going := {"running": "Installing", "paused": "Paused"}.get(setup.state().name):
        return going, "NONE"
    return ("No Engine", "ERROR") if engine_python() is None else ("Needs More", "NONE")


def sidebar(layout: bpy.types.UILayout, context: bpy.types.Context, spec: Pipeline) -> None:
    """Why a method waits for the engine, and the button that sees to it."""
    box, kind = layout.box(), "core" if engine_python() is None else "diffusion"
    if setup.state().name in ("running", "paused", "failed"):
        _going(box, context)
        return
    _offer(box, context, kind, f"{spec.label} needs" if kind == "diffusion" else "")
    box.operator("pegbar.open_preferences", icon="PREFERENCES")


def section(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The engine in the preferences."""
    box = layout.box()
    box.label(text="Engine", icon="TOOL_SETTINGS")
    going = setup.state().name in ("running", "paused", "failed")
    if engine_python() is not None:
        _ready(box, context, going)
    if going:
        _going(box, context)
    elif engine_python() is None:
        _offer(box, context, "core")
    _advanced(box)


def _offer(layout: bpy.types.UILayout, context: bpy.types.Context, kind: str, who: str = "") -> None:
    """What is not there, what it takes, and where it would go."""
    size, found = setup.size(kind), setup.machine()
    if found.fault:
        text(layout, context, found.fault, "ERROR")
        return
    disk = f" It needs {amount(size['disk'])} of disk." if size else ""
    if kind == "core":
        text(layout, context, f"The Pegbar engine is not installed.{disk}", "INFO")
        text(layout, context, "It runs Flat and Liven; the published methods ask for more when you want them.", "BLANK1")
    else:
        text(layout, context, f"{who} the diffusion engine, {setup.says_size(kind) or 'with PyTorch'}.{disk}".strip(), "INFO")
    text(layout, context, f"Folder: {engine_folder()}", "BLANK1")
    if found.text:
        text(layout, context, f"Found: {found.text}", "BLANK1")
    if kind == "diffusion":
        if fault := next((fault for backend, _, fault in found.accelerators if backend == setup.backend() and fault), ""):
            text(layout, context, fault, "ERROR")
        layout.row().prop(preferences(), "backend")
    if bpy.app.online_access:
        row = layout.row()
        row.scale_y = BUTTON_SCALE
        _install(row, kind, "Install Engine" if kind == "core" else "Install Diffusion Engine")
        layout.operator("pegbar.install_from_folder", icon="FILE_FOLDER")
    else:
        text(layout, context, _offline(), "INTERNET_OFFLINE")
        row = layout.row(align=True)
        row.operator("pegbar.allow_online", icon="INTERNET")
        row.operator("pegbar.install_from_folder", icon="FILE_FOLDER")


def _offline() -> str:
    if getattr(bpy.app, "online_access_override", False):
        return "Blender was started to work offline."
    return "Blender is set to work offline."


def _going(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """A set-up that works, waits or failed."""
    state = setup.state()
    what = "engine" if state.kind == "core" else "diffusion engine"
    if state.name == "failed":
        text(layout, context, state.error, "ERROR")
        layout.operator("pegbar.continue_setup", text="Try Again", icon="FILE_REFRESH")
        row = layout.row(align=True)
        row.operator("pegbar.install_from_folder")
        row.operator("pegbar.copy_setup_report")
        layout.operator("pegbar.cancel_setup")
        return
    share = state.done / state.total if state.total else 0.0
    if state.name == "paused":
        text(layout, context, f"The {what} is not installed yet. Paused{f' at {state.figures}' if state.figures else ''}.", "PAUSE")
        layout.progress(text=f"Step {state.step} of {state.steps}", factor=share)
        row = layout.row(align=True)
        row.operator("pegbar.continue_setup", icon="PLAY")
        row.operator("pegbar.cancel_setup")
        return
    text(layout, context, f"Installing the {what}, step {state.step} of {state.steps}", "IMPORT")
    layout.progress(text=state.text, factor=share)
    if state.figures:
        text(layout, context, state.figures)
    row = layout.row(align=True)
    row.operator("pegbar.pause_setup", icon="PAUSE")
    row.operator("pegbar.cancel_setup", icon="X")


def _ready(layout: bpy.types.UILayout, context: bpy.types.Context, going: bool) -> None:
    """The engine in use, and what can be done with it."""
    row = layout.row()
    if not setup.uses_own():
        row.label(text=f"Ready – {engine_python()}", icon="CHECKMARK")
        row.operator("pegbar.test_engine")
    else:
        own = own_engine()
        row.label(text=f"Ready – {own.get('able', '')}", icon="CHECKMARK")
        row.operator("pegbar.test_engine")
        if not going:
            _own(layout, context, str(own.get("kind", "core")))
    if result := context.window_manager.pegbar_test:
        layout.label(text=result)


def _own(layout: bpy.types.UILayout, context: bpy.types.Context, kind: str) -> None:
    """What can be done with an engine that was set up here."""
    used, wanted = str(own_engine().get("backend")), setup.backend()
    if setup.is_outdated():
        text(layout, context, "The engine is older than this add-on. It works on until the new one is tested.", "INFO")
        _install(layout, kind, "Update Engine")
    elif kind == "diffusion" and wanted != used and wanted in (setup.machine().sizes or {}):
        text(layout, context, f"The engine is for {NAMES.get(used, used)}. It works on until the other one is tested.", "INFO")
        _install(layout, kind, f"Install for {NAMES.get(wanted, wanted)}")
    if kind == "core":
        _offer(layout.box(), context, "diffusion", "The published methods need")
    row = layout.row(align=True)
    again = row.operator("pegbar.install_engine", text="Repair")
    again.kind, again.repair = kind, True
    row.operator("pegbar.remove_engine")
    row.operator("pegbar.open_engine_folder")


def _install(layout: bpy.types.UILayout, kind: str, name: str) -> None:
    """The button that fetches an engine, with its size."""
    size = setup.says_size(kind)
    layout.operator("pegbar.install_engine", text=f"{name} ({size})" if size else name, icon="IMPORT").kind = kind


def _advanced(layout: bpy.types.UILayout) -> None:
    own = preferences()
    row = layout.row()
    row.alignment = "LEFT"
    icon = "DOWNARROW_HLT" if own.show_advanced else "RIGHTARROW"
    row.prop(own, "show_advanced", icon=icon, emboss=False)
    if own.show_advanced:
        column = layout.column()
        column.prop(own, "engine_folder", placeholder=str(engine_folder()))
        column.prop(own, "backend")
        column.prop(own, "index_mirror", placeholder="https://pypi.org/simple")
        column.prop(own, "python_mirror", placeholder="As uv has it")
        column.prop(own, "proxy", placeholder="As the system has it")
        column.prop(own, "engine_python", placeholder=str(engine_python() or "Choose a Python"))
