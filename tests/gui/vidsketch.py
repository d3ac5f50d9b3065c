"""VidSketch's sidebar with Teach a Motion: before, while it learns from two strips, stopped, finished, and the motion in use."""

import subprocess
import sys

import bpy
import pbgui
import studio
from studio import ended, look

NAME = "Fox Waves"
HEADERS = (880, 583), (880, 97), (902, 608)
"""Where those of Follow Sketches, Animate Drawing and Teach a Motion are in a window of 1400 x 900, when they are clicked in turn."""


def strips(scene):
    """The demo's line art in two selected strips."""
    editor = scene.sequence_editor_create()
    for frames in (24, 36):
        studio.fox_lines(editor, frames).select = True


def lowest(area, name):
    """A picture of the lower end of the sidebar that the mouse is over."""
    yield 0.3
    subprocess.run(["xdotool", "click", "--repeat", "30", "--delay", "20", "5"], check=True, timeout=30)
    yield from look(area, name)


def main():
    scene, _ = yield from studio.portrait()
    strips(scene)
    studio.module("preferences").preferences().shared_weights_folder = sys.argv[1]
    studio.weights(str(studio.OUT / "weights"))  # what is learned is written there
    area = studio.viewport()
    own = studio.choose(scene, "vidsketch") and scene.pegbar.teach
    own.motion, own.prompt = NAME, "A fox waves"
    own.low_rank, own.steps, own.frames, own.width, own.height = True, 60, 6, 128, 72
    own.checkpoint_every, own.sample_steps = 10, 2
    yield 0.5
    yield from look(area, "closed")
    for header in HEADERS:
        pbgui.click(header)
        yield 0.5
    yield from lowest(area, "idle")
    running = studio.click_run("teach", area)
    shown = studio.module("runs.preview").of
    yield from pbgui.wait(lambda: running.folder and shown(running.folder.preview_file), 200, 0.05, "a preview")
    yield from lowest(area, "learning")
    with studio.override(area, "UI"):
        bpy.ops.pegbar.cancel()
    yield from ended(running)
    assert running.phase == "stopped", running.text
    yield from lowest(area, "stopped")
    with studio.override(area, "UI"):
        bpy.ops.pegbar.finish_take(folder=str(running.folder.path))
    running = studio.run.latest("teach")
    yield from ended(running, 250)
    assert running.phase == "done", running.text
    with studio.override(area, "UI"):
        bpy.ops.pegbar.choose_listed(pipeline="vidsketch", param="motion", name=NAME)
    yield from lowest(area, "done")


pbgui.play(main())
