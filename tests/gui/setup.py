"""The engine from nothing to a coloured strip: offline, not installed, failed, installing, paused, ready, and the diffusion step."""

import time

import bpy
import pbgui
import studio
from studio import ended, look, module, override

preferences, setup, shot = module("preferences"), module("runs.setup"), module("showcase.shot")
NOWHERE = "http://127.0.0.1:9/simple"
"""A mirror at which nobody answers."""
FRAMES = 12
STAGES = {}
"""Seconds that each part took."""


def main():
    assert preferences.engine_python() is None, "an engine is there already"
    yield from studio.empty_file()
    area = yield from stage()
    yield from pbgui.wait(lambda: setup.machine().backend or setup.machine().fault, 60, 0.1, "a look at the machine")
    pbgui.log("found:", setup.machine().text, dict(setup.machine().sizes))
    yield from refused(area)
    yield from installed(area)
    yield from coloured(area)
    yield from diffusion(area)
    yield from tested(area)
    pbgui.log("seconds:", STAGES)


def stage():
    """The demo's line art and reference in the sequencer: what the first button that is pressed works on."""
    scene = pbgui.window().scene = shot.new_scene("Clip", FRAMES)
    area = pbgui.editor("SEQUENCE_EDITOR")
    yield 0.8
    studio.fox_lines(scene.sequence_editor, FRAMES)
    scene.pegbar.references.clear()
    area.spaces.active.view_type = "SEQUENCER_PREVIEW"
    area.spaces.active.timeline_overlay.show_strip_source = False
    press(area, "add_reference", type="FILE", filepath=str(studio.REPOSITORY / "demo/reference.png"))
    return area


def press(area, name, **words):
    """What a button in the sidebar does."""
    with override(area, "UI"):
        return getattr(bpy.ops.pegbar, name)("INVOKE_DEFAULT", **words)


def online(allowed):
    bpy.context.preferences.system.use_online_access = allowed


def refused(area):
    """Without the network nothing is fetched, and nothing freezes where a mirror does not answer."""
    online(False)
    yield from look(area, "1_offline")
    try:
        press(area, "install_engine")
        raise AssertionError("it was installed offline")
    except RuntimeError as error:
        assert "set to work offline" in str(error), error
    assert press(area, "allow_online") == {"FINISHED"}
    yield 1.0
    online(True)
    yield 0.5
    pbgui.shot("2_allow_online")
    if len(bpy.context.window_manager.windows) > 1:
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]):
            bpy.ops.wm.window_close()
    yield 0.5
    yield from look(area, "3_not_installed")
    preferences.preferences().index_mirror = NOWHERE
    press(area, "install_engine")
    yield from until("failed")
    assert "127.0.0.1" in setup.state().error, setup.state().error
    yield from look(area, "4_failed")
    preferences.preferences().index_mirror = ""


def installed(area):
    """The core, paused once on its way."""
    began = time.monotonic()
    press(area, "continue_setup")
    yield from until("running", lambda state: state.step == 3 and state.done > 0.02 * state.total)
    press(area, "pause_setup")
    yield from until("paused")
    kept = setup.state().done
    STAGES["to the pause"] = round(time.monotonic() - began, 1)
    yield from look(area, "5_paused")
    began = time.monotonic()
    press(area, "continue_setup")
    yield from until("running", lambda state: state.step >= 3)
    assert setup.state().done >= kept or setup.state().step > 3, (setup.state(), kept)
    yield from look(area, "6_installing", 0.2)
    yield from until("running", lambda state: state.step == 4)
    yield from look(area, "7_unpacking", 0.2)
    yield from until("done")
    STAGES["from the pause to ready"] = round(time.monotonic() - began, 1)
    assert preferences.engine_python().is_relative_to(preferences.user_folder())
    yield from look(area, "8_ready")


def coloured(area):
    """Flat with the engine that was just set up."""
    began = time.monotonic()
    running = studio.click_run("flat", area)
    yield from ended(running, 400)
    assert running.phase == "done", running.text
    STAGES[f"flat, {FRAMES} frames"] = round(time.monotonic() - began, 1)
    pbgui.window().scene.frame_set(FRAMES)
    yield from look(area, "9_coloured", 1.5)


def diffusion(area):
    """A published method asks for PyTorch, and gets it beside what is there."""
    core = preferences.engine_python()
    scene = pbgui.window().scene
    module("settings").choose(scene.pegbar, module("engine.catalog").pipeline("lvcd"))
    yield from look(area, "10_needs_diffusion")
    preferences.preferences().backend = "CPU"
    began = time.monotonic()
    press(area, "install_engine", kind="diffusion")
    yield from until("running", lambda state: state.step == 3 and state.done > 0.1 * state.total)
    assert preferences.engine_python() == core, "the old engine works on"
    yield from look(area, "11_installing_diffusion", 0.2)
    yield from until("done", seconds=600)
    STAGES["diffusion"] = round(time.monotonic() - began, 1)
    assert preferences.engine_python() != core
    yield from pbgui.wait(lambda: not core.exists(), 60, 0.2, "the end of the old engine")
    yield from look(area, "12_diffusion_ready")


def tested(area):
    """The preferences, and Test Engine there."""
    press(area, "test_engine")
    running = studio.run.latest("still")
    yield from ended(running)
    area.type = "PREFERENCES"
    yield 0.5
    bpy.ops.pegbar.open_preferences()
    preferences.preferences().show_advanced = True
    yield 1.0
    pbgui.shot("13_preferences")


def until(name, also=lambda state: True, seconds=240):
    """Waits for a state of the set-up."""

    def there():
        state = setup.state()
        assert name == "failed" or state.name != "failed", state.error
        return state.name == name and also(state)

    yield from pbgui.wait(there, seconds, 0.02, f"{name}: {setup.state()}")


pbgui.play(main())
