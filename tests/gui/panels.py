"""Both sidebars, idle, blocked, running, stopped, failed and done, with what they made: pictures to look at."""

import bpy
import pbgui
import studio
from studio import ended, look, module, run, viewport

shot = module("showcase.shot")


def main():
    yield from studio.empty_file()
    area = viewport()
    yield 1.0
    yield from look(area, "viewport_blocked")
    still, _ = yield from studio.portrait()
    area = viewport()
    yield 0.5
    yield from look(area, "viewport_idle")
    still.pegbar.length = 48
    running = studio.click_run("liven", area)
    yield from pbgui.wait(lambda: running.state.progress is not None or not running.is_active, 60, 0.01, "progress")
    yield from look(area, "viewport_running", 0.2)
    yield from ended(running)
    assert running.phase == "done", running.text
    still.frame_set(9)
    yield from look(area, "viewport_done")
    with studio.override(area, "UI"):
        bpy.ops.pegbar.apply_take(folder=str(running.folder.path))
    still.frame_set(17)
    yield from look(area, "viewport_applied")
    yield from sequencer()


def sequencer():
    scene = pbgui.window().scene = shot.new_scene("Clip", 48)
    area = pbgui.editor("SEQUENCE_EDITOR")
    yield 0.8
    yield from look(area, "sequencer_blocked")
    editor = scene.sequence_editor
    studio.fox_lines(editor)
    scene.pegbar.references.clear()
    area.spaces.active.view_type = "SEQUENCER_PREVIEW"
    area.spaces.active.timeline_overlay.show_strip_source = False  # a path says nothing to who looks at the picture
    with studio.override(area, "UI"):
        bpy.ops.pegbar.add_reference(type="FILE", filepath=str(studio.REPOSITORY / "demo/reference.png"))
    yield 0.5
    with studio.override(area, "WINDOW"):
        bpy.ops.sequencer.view_all()
    yield from look(area, "sequencer_idle")
    running = studio.click_run("flat", area)
    yield from pbgui.wait(lambda: len(running.state.frames) >= 6 or not running.is_active, 120, 0.05, "frames")
    yield from look(area, "sequencer_running", 0.2)
    with studio.override(area, "UI"):
        bpy.ops.pegbar.cancel()
    yield from ended(running)
    yield from look(area, "sequencer_stopped")
    with studio.override(area, "UI"):
        bpy.ops.pegbar.finish_take(folder=str(running.folder.path))
    running = run.latest("flat")
    yield from ended(running, 200)
    assert running.phase == "done", running.text
    scene.frame_set(30)
    yield from look(area, "sequencer_done", 1.5)
    scene.pegbar.references[0].name = str(studio.OUT / "gone.png")
    failing = studio.click_run("flat", area)
    yield from ended(failing)
    assert failing.phase == "failed"
    yield from look(area, "sequencer_failed")
    scene.pegbar.references[0].name = str(studio.REPOSITORY / "demo/reference.png")
    with studio.override(area, "UI"):
        bpy.ops.pegbar.apply_take(folder=str(running.folder.path))
    yield from strip_panel()
    yield from preferences(area)


def strip_panel():
    """The Properties editor's Strip tab beside it."""
    properties = next(area for area in pbgui.window().screen.areas if area.type == "PROPERTIES")
    properties.spaces.active.context = "STRIP"
    yield 0.8
    pbgui.shot("strip_panel")


def preferences(area):
    with studio.override(area, "UI"):
        bpy.ops.pegbar.test_engine()
    tested = run.latest("still")
    yield from ended(tested)
    assert "The engine works" in bpy.context.window_manager.pegbar_test
    area.type = "PREFERENCES"
    yield 0.5
    bpy.ops.pegbar.open_preferences()
    yield 1.0
    pbgui.shot("preferences")


pbgui.play(main())
