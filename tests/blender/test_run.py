"""The run from a click to the result, through the real engine."""

import os
import signal
import time

import bpy
import numpy as np
import pytest
from pegbar.engine.protocol import JobFolder, PegbarError
from pegbar.preferences import preferences, user_folder
from pegbar.runs import engine, placing, run, takes
from pegbar.runs.request import describe, request
from pegbar.settings import values_of
from pegbar.tests.blender import stage
from pegbar.timeline.grease_pencil import TAKES
from pegbar.timeline.versions import strip_range


@pytest.fixture(autouse=True)
def ready(tmp_path, scene):
    """An engine, and takes in a folder of the test."""
    preferences().engine_python = str(stage.ENGINE)
    preferences().takes_folder = str(tmp_path / "takes")
    yield
    engine.stop()
    preferences().engine_python = preferences().takes_folder = ""
    for running in run.active():
        run.stop(running)


def step_until(running, done, timeout_s=120):
    """Steps a run like the timer, until something is so."""
    end = time.monotonic() + timeout_s
    while not done():
        assert running.is_active, running.text
        assert time.monotonic() < end, running
        if not run.advance(running):
            time.sleep(0.02)


def slow_take(scene, tmp_path, seconds=0.2, frames=6):
    """A run of `still` over the frames of a strip that takes its time."""
    stage.line_art(scene, tmp_path, frames)
    scene.pegbar.references.clear()
    scene.pegbar.still.seconds_per_frame = seconds
    return run.start(request(bpy.context, "still"))


def test_liven_makes_a_layer_of_keys_from_the_drawing(scene):
    found = stage.draw(scene)
    scene.frame_set(1)
    scene.pegbar.length = 8
    assert bpy.ops.pegbar.run(pipeline="liven") == {"FINISHED"}
    (take,) = takes.listed()
    names = list(found.data[TAKES][take.job.id]["layers"])
    keys = [key.frame_number for key in found.data.layers[names[0]].frames]
    assert keys == [1, 3, 5, 7, 9]
    assert found.data.layers.active.name == names[0]
    assert take.state.name == "done" and placing.is_placed(take)


@pytest.mark.parametrize("drawings, frames", [("THIS", [1]), ("KEYS", [1, 6]), ("FRAMES", [1, 3, 5, 7])])
def test_a_drawing_is_read_once_at_its_keys_or_on_every_drawn_frame(scene, drawings, frames):
    stage.draw(scene).data.layers[0].frames.copy(1, 6)
    scene.pegbar.drawings, scene.pegbar.length, scene.pegbar.rhythm = drawings, 8, "2"
    bpy.ops.pegbar.run(pipeline="liven")
    assert [file.frame for file in takes.listed()[-1].job.inputs["sketch"]] == frames


def test_flat_colours_a_strip_from_a_reference_file(scene, tmp_path):
    strip, _ = stage.line_art(scene, tmp_path, start=11)
    bpy.ops.pegbar.run(pipeline="flat")
    (take,) = takes.listed()
    (made,) = placing.strips_of(take)
    assert (made.channel, *strip_range(made)) == (strip.channel + 1, 11, 15)
    assert scene.sequence_editor.active_strip == made
    image = bpy.data.images.load(str(take.folder.file(take.frames[-1].file)))
    pixels = np.zeros(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(pixels)
    middle = (pixels.reshape(stage.SIZE[1], stage.SIZE[0], 4)[32, 23] * 255).round()
    assert tuple(middle[:3]) == stage.RED


@pytest.mark.parametrize("result", ["PLANE", "EMPTY", "CAMERA"])
def test_a_clip_comes_back_as_the_artist_says(scene, camera, tmp_path, result):
    stage.line_art(scene, tmp_path)
    scene.pegbar.result = result
    bpy.ops.pegbar.run(pipeline="flat")
    take = takes.listed()[-1]
    if result == "CAMERA":
        (background,) = scene.camera.data.background_images
        made = background.image
    else:
        (made,) = set(scene.objects) - {scene.camera}
    assert made["pegbar_take"] == take.job.id
    assert [strip.name for strip in scene.sequence_editor.strips] == ["lines"]
    assert placing.is_placed(take)


def test_a_camera_background_asks_for_a_camera_before_anything_runs(scene, tmp_path):
    stage.line_art(scene, tmp_path)
    scene.pegbar.result = "CAMERA"
    with pytest.raises(RuntimeError, match="has no camera"):
        bpy.ops.pegbar.run(pipeline="flat")
    assert not takes.listed()


def test_the_operator_gives_what_the_functions_give(scene):
    stage.draw(scene)
    scene.pegbar.length, scene.pegbar.keep_seed, scene.pegbar.seed = 6, True, 7
    bpy.ops.pegbar.run(pipeline="liven")
    run.run_to_end(run.start(request(bpy.context, "liven")))
    first, second = takes.listed()
    assert first.job.seed == second.job.seed == 7
    for one, other in zip(first.frames, second.frames, strict=True):
        assert first.folder.file(one.file).read_bytes() == second.folder.file(other.file).read_bytes()


def test_the_source_is_as_before(scene, tmp_path):
    stage.draw(scene)
    stage.line_art(scene, tmp_path)
    before = stage.contents(scene)
    bpy.ops.pegbar.run(pipeline="liven")
    bpy.ops.pegbar.run(pipeline="flat")
    after = stage.contents(scene)
    assert after["settings"] == before["settings"]
    for kind in ("drawings", "strips", "layers"):
        assert {name: after[kind][name] for name in before[kind]} == before[kind]


def test_the_result_is_one_undo_step(scene):
    stage.draw(scene)
    bpy.ops.ed.undo_push(message="Drawn")
    bpy.ops.pegbar.run(pipeline="liven")
    assert len(bpy.data.objects["Hero"].data.layers) == 2
    bpy.ops.ed.undo()
    assert [layer.name for layer in bpy.data.objects["Hero"].data.layers] == ["Lines"]
    assert len(takes.listed()) == 1
    bpy.ops.pegbar.apply_take(folder=str(takes.listed()[0].folder.path))
    assert len(bpy.data.objects["Hero"].data.layers) == 2


def test_apply_shows_the_take_instead_of_the_drawing_and_the_next_run_starts_from_the_drawing(scene):
    found = stage.draw(scene)
    bpy.ops.pegbar.run(pipeline="liven")
    bpy.ops.pegbar.apply_take(folder=str(takes.listed()[0].folder.path))
    shown = {layer.name: not layer.hide for layer in found.data.layers}
    assert shown == {"Lines": False, **{name: True for name in shown if name != "Lines"}}
    bpy.ops.pegbar.run(pipeline="liven")
    first, second = takes.listed()
    assert first.job.inputs == second.job.inputs
    latest = set(found.data[TAKES][second.job.id]["layers"])
    assert {layer.name for layer in found.data.layers if not layer.hide} == latest
    bpy.ops.pegbar.redo_take(folder=str(first.folder.path))
    assert len(takes.listed()) == 3


def test_undo_while_the_engine_works_loses_nothing(scene):
    stage.draw(scene)
    bpy.ops.ed.undo_push(message="Drawn")
    bpy.context.scene.frame_end = 99
    bpy.ops.ed.undo_push(message="Changed")
    running = run.start(request(bpy.context, "liven"))
    step_until(running, lambda: running.phase == "engine")
    bpy.ops.ed.undo()
    run.run_to_end(running)
    assert running.is_placed and len(bpy.data.objects["Hero"].data.layers) == 2


def test_a_run_of_another_file_keeps_its_take_and_places_nothing(scene, tmp_path):
    stage.draw(scene)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "hero.blend"))
    running = run.start(request(bpy.context, "liven"))
    step_until(running, lambda: running.phase == "engine")
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    run.run_to_end(running)
    assert running.phase == "done" and not running.is_placed and not bpy.data.objects
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "hero.blend"))
    (take,) = takes.listed()
    bpy.ops.pegbar.apply_take(folder=str(take.folder.path))
    assert placing.is_placed(take)


def test_stop_keeps_the_finished_frames_and_use_these_places_them(scene, tmp_path):
    running = slow_take(scene, tmp_path)
    step_until(running, lambda: len(running.state.frames) >= 2)
    bpy.ops.pegbar.cancel()
    run.run_to_end(running)
    (take,) = takes.listed()
    assert running.phase == "stopped" and take.is_partial
    assert 2 <= len(take.frames) < 6
    bpy.ops.pegbar.apply_take(folder=str(take.folder.path))
    (made,) = placing.strips_of(take)
    assert strip_range(made)[1] - strip_range(made)[0] == len(take.frames)
    assert scene.sequence_editor.strips["lines"].mute and not made.mute


def test_finish_makes_the_missing_frames_alone(scene, tmp_path):
    running = slow_take(scene, tmp_path)
    step_until(running, lambda: len(running.state.frames) >= 2)
    run.stop(running)
    run.run_to_end(running)
    kept = {frame: running.folder.file(frame.file).stat().st_mtime_ns for frame in running.state.frames}
    bpy.ops.pegbar.finish_take(folder=str(running.folder.path))
    (take,) = takes.listed()
    assert take.state.name == "done" and len(take.frames) == 6
    assert all(take.folder.file(frame.file).stat().st_mtime_ns == changed for frame, changed in kept.items())


def test_after_the_engine_was_killed_the_run_goes_on(scene, tmp_path):
    running = slow_take(scene, tmp_path)
    step_until(running, lambda: len(running.state.frames) >= 2)
    os.killpg(engine._worker._process.pid, signal.SIGKILL)
    step_until(running, lambda: running.is_lost)
    assert "closed unexpectedly" in running.text
    bpy.ops.pegbar.restart_engine()
    run.run_to_end(running)
    assert running.phase == "done" and running.is_placed and len(running.state.frames) == 6


def test_a_take_that_was_cut_off_is_found_and_finished(scene, tmp_path):
    running = slow_take(scene, tmp_path)
    step_until(running, lambda: len(running.state.frames) >= 2)
    os.killpg(engine._worker._process.pid, signal.SIGKILL)
    engine.stop()
    run._runs.clear()
    takes.refresh()
    (take,) = takes.listed()
    assert take.cut_off and take.is_partial
    bpy.ops.pegbar.finish_take(folder=str(take.folder.path))
    assert takes.listed()[0].state.name == "done" and placing.is_placed(takes.listed()[0])


def test_two_runs_queue_up(scene, tmp_path):
    first = slow_take(scene, tmp_path, frames=3)
    step_until(first, lambda: first.phase == "engine" and first.state.frames)
    second = run.start(request(bpy.context, "still"))
    step_until(second, lambda: second.phase == "engine" and second.ahead == 1)
    while first.is_active or second.is_active:
        for running in (first, second):
            if running.is_active:
                run.advance(running)
        time.sleep(0.02)
    assert first.is_placed and second.is_placed
    channels = {strip.channel for strip in scene.sequence_editor.strips_all}
    assert channels == {1, 2, 3}


def faulty(pipeline, sentence):
    with pytest.raises(RuntimeError, match=sentence):
        bpy.ops.pegbar.run(pipeline=pipeline)


def test_no_interpreter_is_a_sentence_and_leaves_nothing(scene, tmp_path):
    stage.draw(scene)
    preferences().engine_python = str(tmp_path / "no python")
    faulty("liven", "There is no Python at")
    assert not takes.listed() and not (tmp_path / "takes").exists()


def test_an_interpreter_that_is_no_python_is_a_sentence(scene):
    stage.draw(scene)
    preferences().engine_python = "/bin/true"
    faulty("liven", "did not start")
    assert [layer.name for layer in bpy.data.objects["Hero"].data.layers] == ["Lines"]


def test_without_an_engine_the_button_says_so(scene, monkeypatch):
    stage.draw(scene)
    preferences().engine_python = ""
    monkeypatch.delenv("PEGBAR_ENGINE_PYTHON", raising=False)
    assert not bpy.ops.pegbar.run.poll()
    with pytest.raises(PegbarError, match="not set up"):
        run.start(request(bpy.context, "liven"))


def test_strip_files_that_are_gone_are_a_sentence_and_leave_nothing(scene, tmp_path):
    stage.line_art(scene, tmp_path)
    (tmp_path / "lines" / "0003.png").unlink()
    faulty("flat", "are gone")
    assert not list((tmp_path / "takes").rglob("take_*"))


def test_a_takes_folder_that_cannot_be_written_is_a_sentence(scene, tmp_path):
    stage.draw(scene)
    (tmp_path / "file").write_text("in the way")
    preferences().takes_folder = str(tmp_path / "file")
    faulty("liven", "cannot be used|cannot be written")


@pytest.mark.parametrize(
    ("pipeline", "prepare", "sentence"),
    [
        ("liven", lambda scene: None, "Select a Grease Pencil drawing"),
        ("liven", lambda scene: (stage.draw(scene, frame=50), scene.frame_set(1)), "no strokes on frame 1"),
        ("flat", lambda scene: None, "Select the strip with the line art"),
        ("flat", lambda scene: scene.sequence_editor_create(), "Select the strip with the line art"),
        ("flat", lambda scene: setattr(scene.pegbar, "line_art", "OBJECT"), "Choose the drawing to colour"),
        ("flat", lambda scene: setattr(scene.pegbar, "strip", "gone"), "is gone: choose another|Select the strip"),
    ],
)
def test_what_is_missing_is_said_before_anything_runs(scene, pipeline, prepare, sentence):
    prepare(scene)
    with pytest.raises(PegbarError, match=sentence):
        request(bpy.context, pipeline)
    faulty(pipeline, sentence)


def test_a_strip_without_reference_asks_for_one(scene, tmp_path):
    stage.line_art(scene, tmp_path)
    scene.pegbar.references.clear()
    faulty("flat", "Add a coloured frame")


def test_the_panel_tells_what_will_be_made(scene, tmp_path):
    stage.draw(scene)
    scene.frame_set(24)
    scene.pegbar.length = 24
    assert describe(request(bpy.context, "liven")) == "12 drawings, frames 24–47, on twos"
    stage.line_art(scene, tmp_path)
    assert describe(request(bpy.context, "flat")) == "4 frames, 1–4"


def test_an_unsaved_file_keeps_its_takes_in_the_users_folder(scene):
    preferences().takes_folder = ""
    stage.draw(scene, name="Unsaved")
    bpy.ops.pegbar.run(pipeline="liven")
    take = next(take for take in takes.listed() if take.source == "Unsaved")
    assert user_folder() in take.folder.path.parents
    takes.delete(take)


def test_every_take_gets_a_seed_of_its_own_unless_it_is_kept(scene):
    stage.draw(scene)
    for _ in range(2):
        bpy.ops.pegbar.run(pipeline="liven")
    first, second = takes.listed()
    assert first.job.seed != second.job.seed == scene.pegbar.seed
    assert values_of(scene.pegbar.liven) == dict(second.job.params)


def test_engine_test_says_that_it_works(scene):
    assert bpy.ops.pegbar.test_engine() == {"FINISHED"}
    assert "The engine works" in bpy.context.window_manager.pegbar_test
    assert not takes.listed()


def test_a_job_of_a_newer_protocol_is_a_sentence(scene):
    stage.draw(scene)
    bpy.ops.pegbar.run(pipeline="liven")
    folder = takes.listed()[0].folder
    path = folder.path / "job.json"
    path.write_text(path.read_text().replace('"protocol": 1', '"protocol": 99'))
    with pytest.raises(RuntimeError, match="newer Pegbar"):
        bpy.ops.pegbar.finish_take(folder=str(folder.path))
    assert takes.read(JobFolder(folder.path)).fault
