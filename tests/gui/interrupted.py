"""Ctrl-Z, saving and File > Open while a take is made lose nothing."""

import bpy
import pbgui
import studio
from studio import OUT, ended, run, stage, takes

FRAMES = 12


def begun(area):
    """A take of which some frames are ready."""
    running = studio.click_run("still", area)
    yield from pbgui.wait(lambda: len(running.state.frames) >= 2, 30, 0.02, "frames")
    return running


def strips(scene):
    return sorted(strip.name for strip in scene.sequence_editor.strips_all)


def main():
    scene = yield from studio.empty_file("first")
    stage.line_art(scene, OUT, FRAMES)
    scene.pegbar.references.clear()
    scene.pegbar.still.seconds_per_frame = 0.15
    area = pbgui.editor("SEQUENCE_EDITOR")
    with studio.override(area):
        bpy.ops.ed.undo_push(message="Stage")
        scene.frame_end = 99
        bpy.ops.ed.undo_push(message="Frame end")
    yield 1.0

    running = yield from begun(area)
    with studio.override(area):
        bpy.ops.ed.undo()
    assert pbgui.window().scene.frame_end != 99
    yield from ended(running)
    assert running.is_placed and strips(pbgui.window().scene) == ["lines", "lines take 1"]
    with studio.override(pbgui.biggest()):
        bpy.ops.ed.undo()
    assert strips(pbgui.window().scene) == ["lines"], "the result is one undo step"
    with studio.override(pbgui.biggest()):
        bpy.ops.ed.redo()
    assert strips(pbgui.window().scene) == ["lines", "lines take 1"]

    running = yield from begun(pbgui.biggest())
    bpy.ops.wm.save_mainfile()
    yield from ended(running)
    assert running.is_placed and "lines take 2" in strips(pbgui.window().scene)
    bpy.ops.wm.save_mainfile()

    running = yield from begun(pbgui.biggest())
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    yield 1.0
    yield from ended(running)
    assert running.phase == "done" and not running.is_placed
    assert bpy.data.filepath == "" and not any(scene.sequence_editor and strips(scene) for scene in bpy.data.scenes)
    bpy.ops.wm.open_mainfile(filepath=str(OUT / "first.blend"))
    yield from pbgui.wait(lambda: len(takes.listed()) == 3, 10, 0.1, "three takes")
    area = pbgui.editor("SEQUENCE_EDITOR")
    yield 1.0
    with studio.override(area, "UI"):
        bpy.ops.pegbar.apply_take(folder=str(takes.listed()[-1].folder.path))
    yield from ended(run.latest("still"))
    assert "lines take 3" in strips(pbgui.window().scene)


pbgui.play(main())
