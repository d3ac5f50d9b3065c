"""Blender is killed while a take is made: no worker is left, and the next Blender finds the take and finishes it.

`start` makes the take and kills its own Blender, `finish` is the next one.
"""

import os
import signal
import sys
from pathlib import Path

import bpy
import pbgui
import studio
from studio import engine, run, stage, takes

FOLDER = Path("/pb/run/killed")
FRAMES = 48


def start():
    scene = yield from studio.empty_file()
    stage.line_art(scene, FOLDER, FRAMES)
    scene.pegbar.references.clear()
    scene.pegbar.still.seconds_per_frame = 0.2
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "shot.blend"))
    area = pbgui.editor("SEQUENCE_EDITOR")
    yield 1.0
    running = studio.click_run("still", area)
    yield from pbgui.wait(lambda: len(running.state.frames) >= 5, 30, 0.05, "frames")
    (FOLDER / "worker.pid").write_text(str(engine._worker._process.pid))
    os.kill(os.getpid(), signal.SIGKILL)


def finish():
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "shot.blend"))
    yield from pbgui.wait(lambda: takes.listed(), 10, 0.1, "the take that was cut off")
    (take,) = takes.listed()
    pbgui.log(f"found take {take.number}: {len(take.frames)} of {FRAMES} frames")
    assert take.cut_off and 5 <= len(take.frames) < FRAMES
    area = pbgui.editor("SEQUENCE_EDITOR")
    yield 1.0
    with studio.override(area, "UI"):
        bpy.ops.pegbar.finish_take(folder=str(take.folder.path))
    yield from studio.ended(run.latest("still"))
    (take,) = takes.listed()
    assert take.state.name == "done" and len(take.frames) == FRAMES
    (strip,) = studio.module("runs.placing").strips_of(take)
    assert (strip.left_handle, strip.right_handle) == (1, FRAMES + 1)


pbgui.play({"start": start, "finish": finish}[sys.argv[1]]())
