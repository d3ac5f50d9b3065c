"""Register and unregister are each other's mirror."""

import atexit
import subprocess
import sys
from pathlib import Path

import bpy
import pytest

ROOT = Path(__file__).resolve().parents[2]


def traces():
    """Everything that the extension leaves in Blender while it is registered."""
    handlers = {
        (name, function.__module__, function.__name__)
        for name in dir(bpy.app.handlers)
        if isinstance(found := getattr(bpy.app.handlers, name), list)
        for function in found
        if "pegbar" in function.__module__
    }
    types = {name for name in dir(bpy.types) if name.startswith("PEGBAR_")}
    properties = {
        owner.__name__ for owner in (bpy.types.Scene, bpy.types.WindowManager) for name in dir(owner) if name.startswith("pegbar")
    }
    drawn = {
        function.__name__
        for function in getattr(bpy.types.SEQUENCER_MT_context_menu.draw, "_draw_funcs", ())
        if "pegbar" in function.__module__
    }
    return {"handlers": handlers, "types": types, "properties": properties, "menus": drawn}


def test_unregister_leaves_nothing_behind(registered):
    before = traces()
    assert before["handlers"] and before["types"] and before["properties"] and before["menus"]
    registered.unregister()
    try:
        assert traces() == {name: set() for name in before}
        assert not hasattr(bpy.types.Scene, "pegbar")
    finally:
        registered.register()
    assert traces() == before


def test_it_registers_again_and_again(registered):
    for _ in range(3):
        registered.unregister()
        registered.register()
    assert bpy.context.scene.pegbar.rhythm == "2"


@pytest.mark.parametrize("name", ["liven", "flat"])
def test_every_job_of_an_editor_has_its_panels(name):
    assert hasattr(bpy.types, f"PEGBAR_PT_{name}") and hasattr(bpy.types, f"PEGBAR_PT_{name}_takes")


def test_a_script_that_never_unregisters_ends(tmp_path):
    """The bpy package of 4.5 hangs for ever over handlers that it finds at its end."""
    script = f"import sys; sys.path.insert(0, {str(ROOT / 'tests/blender')!r})\nimport conftest, bpy\n"
    script += "bpy.context.preferences.addons.new().module = conftest.PACKAGE\nconftest.pegbar.register()\n"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, timeout=60, capture_output=True)
    assert done.returncode == 0
    assert atexit._ncallbacks() > 0
