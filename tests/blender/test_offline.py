"""The add-on opens no socket: not when it is enabled, not when its panels are drawn, not in a run."""

import contextlib
import sys

import bpy
import pytest
from pegbar.preferences import preferences
from pegbar.runs import engine, takes
from pegbar.tests.blender import stage
from pegbar.tests.blender.paper import drawn

asked = []
watching = False


def watch(event, arguments):
    if watching and event.startswith(("socket.", "urllib.", "ssl.", "http.")) and event != "socket.gethostname":
        asked.append((event, arguments))


sys.addaudithook(watch)  # there is no way to take one away again


@contextlib.contextmanager
def without_network():
    """Holds that nobody in this process has looked for a network meanwhile."""
    global watching
    asked.clear()
    watching = True
    try:
        yield
    finally:
        watching = False
    assert asked == []


def test_a_socket_is_seen():
    import socket

    with pytest.raises(AssertionError), without_network(), contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", 9), timeout=0.1)


def test_the_add_on_opens_no_socket(scene, tmp_path, registered):
    preferences().engine_python, preferences().takes_folder = str(stage.ENGINE), str(tmp_path / "takes")
    try:
        with without_network():
            registered.unregister()
            registered.register()
            stage.line_art(scene, tmp_path)
            stage.draw(scene)
            bpy.ops.pegbar.run(pipeline="flat")
            bpy.ops.pegbar.run(pipeline="liven")
            for name in (name for name in dir(bpy.types) if name.startswith("PEGBAR_PT_") and name != "PEGBAR_PT_strip"):
                drawn(name)
            bpy.ops.pegbar.licence_report()
            bpy.ops.pegbar.collect_diagnostics(filepath=str(tmp_path / "a.zip"))
        assert [take.state.name for take in takes.listed()] == ["done", "done"]
    finally:
        engine.stop()
        preferences().engine_python = preferences().takes_folder = ""
