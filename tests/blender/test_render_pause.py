"""While the artist renders the engine holds still with its memory free, and goes on afterwards; Pegbar's own renders do not disturb it."""

import time

import bpy
import pytest
from pegbar.preferences import preferences
from pegbar.runs import engine, run
from pegbar.runs.request import request
from pegbar.tests.blender import stage
from pegbar.tests.takes import still_take
from pegbar.timeline import READ, Source

PAUSED = "Paused while Blender renders"


@pytest.fixture(autouse=True)
def ready(tmp_path, scene):
    preferences().engine_python = str(stage.ENGINE)
    preferences().takes_folder = str(tmp_path / "takes")
    yield
    for running in run.active():
        run.stop(running)
    engine.stop()
    preferences().engine_python = preferences().takes_folder = ""


def step_until(running, done, timeout_s=120):
    end = time.monotonic() + timeout_s
    while not done():
        assert running.is_active, running.text
        assert time.monotonic() < end, running
        if not run.advance(running):
            time.sleep(0.02)


def test_a_run_is_paused_during_a_render_and_goes_on_to_all_its_frames(scene, tmp_path):
    stage.line_art(scene, tmp_path, 8)
    scene.pegbar.references.clear()
    scene.pegbar.still.seconds_per_frame = 0.5  # far longer than it takes to get into the render
    running = run.start(request(bpy.context, "still"))
    step_until(running, lambda: running.state.frames)
    seen = []

    def while_rendering(*_):
        """Blender's thread is in the render; the engine is a process of its own."""
        if not seen:
            until = time.monotonic() + 120
            while running.folder.state().progress.phase != PAUSED and time.monotonic() < until:
                time.sleep(0.02)
            first = len(running.folder.state().frames)
            time.sleep(0.5)
            seen.extend((running.folder.state().progress.phase, first, len(running.folder.state().frames)))

    bpy.app.handlers.render_pre.append(while_rendering)
    render_the_sequencer(scene, tmp_path)
    phase, first, later = seen
    assert phase == PAUSED and 0 < first == later < 8
    step_until(running, lambda: not running.is_active)
    assert running.phase == "done" and len(running.state.frames) == 8


def render_the_sequencer(scene, tmp_path):
    """What needs no graphics card anywhere."""
    scene.render.use_sequencer, scene.render.filepath = True, str(tmp_path / "own.png")
    bpy.ops.render.render(write_still=True)


def test_a_picture_that_pegbar_renders_for_a_take_pauses_nothing(scene, tmp_path, take, steps):
    stage.line_art(scene, tmp_path, 2)
    scene.sequence_editor.strips[0].transform.rotation = 0.5  # such a strip is rendered
    engine.submit(still_take(tmp_path / "still", 2))
    paused = []
    bpy.app.handlers.render_pre.append(lambda *_: paused.append(engine._worker._spool.is_paused))
    steps(scene, READ["lineart"](scene, [Source("STRIP", scene.sequence_editor.strips[0].name)], (1,), take, "lineart"))
    assert paused == [False]
    render_the_sequencer(scene, tmp_path)
    assert paused == [False, True] and not engine._worker._spool.is_paused
