"""Bad input, from the click on: one clear sentence, Blender's data as they were, finished frames safe, no process left.

Each test goes the whole way through the operator and the real engine; what the parts do alone is tested beside them.
"""

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import bpy
import numpy as np
import pytest
from pegbar.engine import client
from pegbar.engine.protocol import PROTOCOL_VERSION, PegbarError
from pegbar.preferences import preferences, takes_folder, user_folder
from pegbar.runs import engine, placing, run, takes
from pegbar.runs.request import request
from pegbar.tests.blender import stage
from pegbar.timeline.versions import strip_range

KINDS = ("scenes", "objects", "collections", "cameras", "materials", "images", "actions", "movieclips", "texts", "sounds")
UNSTABLE = {"rna_type", "original", "preview", "session_uid", "depsgraph"}
WAIT_S = 20.0
WIDE = "my füms 日本 🎬 'q' {x} %s #"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of properties that a later Blender drops
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals, mounts and shell scripts are POSIX")


def values(owner, name=""):
    """(name, value) of every property of a Blender struct, however deep; other data by name."""
    for prop in owner.bl_rna.properties if name.count(".") < 6 else ():
        value = None if prop.identifier in UNSTABLE else getattr(owner, prop.identifier, None)
        parts = value if prop.type == "COLLECTION" and value is not None else [value]
        for index, part in enumerate(parts):
            inner = f"{name}.{prop.identifier}[{index}]"
            if isinstance(part, bpy.types.bpy_struct) and not isinstance(part, bpy.types.ID):
                yield from values(part, inner)
            else:
                yield inner, repr(list(part) if getattr(prop, "is_array", False) else part)


def everything():
    """All that the open file holds and a run must leave alone, by name."""
    found = {"file": bpy.data.filepath, "scene": repr(bpy.context.scene), "active": repr(bpy.context.active_object)}
    for block in (block for kind in KINDS for block in getattr(bpy.data, kind)):
        found |= values(block, repr(block))
        if isinstance(block, bpy.types.Object) and block.type == "GREASEPENCIL":
            found |= values(block.data, repr(block.data))
            for layer in block.data.layers:
                found[repr(layer)] = repr({frame: place.tolist() for frame, place in stage.strokes_of(layer).items()})
    return found


def children():
    """The processes that this one has started and that still are."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = (line.split(None, 3) for line in listed.splitlines())
    return {int(pid) for pid, parent, state, args in rows if parent == str(os.getpid()) and "engine serve" in args}


@pytest.fixture(scope="module", autouse=True)
def worker():
    """One worker for all tests that do it no harm; none is left at the end."""
    yield
    engine.stop()
    assert not children()


@pytest.fixture(autouse=True)
def ready(tmp_path, scene, caplog):
    """An engine, takes in a folder of the test; afterwards no run goes on, no bug was logged and only the one worker lives."""
    preferences().engine_python, preferences().takes_folder = str(stage.ENGINE), str(tmp_path / "takes")
    scene.pegbar.keep_seed = True
    yield
    for running in run.active():
        run.stop(running)
    preferences().engine_python = preferences().takes_folder = ""
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(children()) <= 1


def told(operator, **settings):
    """The sentence with which an operator refuses; all of Blender's data are as before."""
    bpy.context.view_layer.update()
    before = everything()
    with pytest.raises(RuntimeError) as raised:
        operator(**settings)
    text = str(raised.value).removeprefix("Error: ").strip()
    print(text)
    after = everything()
    assert not {name: (before.get(name), after.get(name)) for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert "\n" not in text and "mistake" not in text and "Traceback" not in text and "Error" not in text
    return text


def colorize():
    return told(bpy.ops.pegbar.run, pipeline="flat")


def animate():
    return told(bpy.ops.pegbar.run, pipeline="liven")


def the_take():
    (take,) = takes.listed()
    return take


def nothing_left(tmp_path):
    """Whether no run left files behind."""
    return not takes.listed() and not list((tmp_path / "takes").rglob("take_*"))


def colour_at(path, x, y):
    """The 8-bit RGB of a pixel, from the top left."""
    image = bpy.data.images.load(str(path))
    width, height = image.size
    pixels = np.zeros(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return tuple(int(value) for value in (pixels.reshape(height, width, 4)[height - 1 - y, x, :3] * 255).round())


def is_coloured(take, frames):
    """Whether a take of the stage's line art has all its frames with the reference's colours in both boxes."""
    assert take.state.name == "done" and len(take.frames) == frames and placing.is_placed(take)
    pictures = [take.folder.file(frame.file) for frame in take.frames]
    return all((colour_at(path, 22, 32), colour_at(path, 70, 32)) == (stage.RED, stage.BLUE) for path in pictures)


@contextlib.contextmanager
def meanwhile(tmp_path, act, frames=2):
    """Once so many frames of the one take are whole, acts on its folder; from a thread, without Blender's data."""
    ended = threading.Event()

    def watch():
        while not ended.wait(0.01):
            if found := list(tmp_path.rglob(f"take_*/outputs/clip/{frames:04d}.png")):
                return act(found[0].parents[2])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def slow(scene, tmp_path, frames=6):
    """Readies a run of `still` that takes its time."""
    strip, _ = stage.line_art(scene, tmp_path, frames)
    scene.pegbar.references.clear()
    scene.pegbar.still.seconds_per_frame = 0.15
    return strip


def finish(take, frames):
    """Finishes a take that fell, keeps what was there, places it."""
    kept = {frame.file: take.folder.file(frame.file).stat().st_mtime_ns for frame in take.frames}
    assert bpy.ops.pegbar.finish_take(folder=str(take.folder.path)) == {"FINISHED"}
    take = the_take()
    assert take.state.name == "done" and len(take.frames) == frames and placing.is_placed(take)
    assert all(take.folder.file(file).stat().st_mtime_ns == at for file, at in kept.items())


# --- what is read


@pytest.mark.parametrize("frame", [1, 20])
def test_an_empty_drawing_without_a_camera(scene, tmp_path, draw, frame):
    """Empty on this frame: with no stroke at all, or with strokes on a later frame alone."""
    bpy.context.view_layer.objects.active = draw([[(0, 0, 0), (1, 0, 0)]] if frame > 1 else [], frame)
    assert scene.camera is None
    assert "'Hero' has no strokes on frame 1: go to a drawing, or draw one" in animate()
    assert nothing_left(tmp_path)


def test_strip_files_that_are_gone(scene, tmp_path):
    stage.line_art(scene, tmp_path)
    (tmp_path / "lines/0003.png").unlink()
    text = colorize()
    assert "1 of the 4 pictures of the strip 'lines' are gone" in text and "0003.png" in text and "put them back or choose" in text
    assert nothing_left(tmp_path)


def test_files_that_are_gone_of_a_strip_that_is_rendered(scene, tmp_path):
    strip, _ = stage.line_art(scene, tmp_path)
    strip.transform.offset_x = 5
    (tmp_path / "lines/0003.png").unlink()
    text = colorize()
    assert "0003.png" in text and "gone" in text
    assert nothing_left(tmp_path)


def test_damaged_files_of_a_strip_that_is_rendered(scene, tmp_path):
    strip, _ = stage.line_art(scene, tmp_path)
    strip.transform.offset_x = 5
    path = tmp_path / "lines/0003.png"
    path.write_bytes(path.read_bytes()[:-40])
    assert colorize() == f"{path} is damaged: export it again or choose another picture"
    assert nothing_left(tmp_path)


def test_a_background_without_a_camera(scene, tmp_path):
    stage.line_art(scene, tmp_path)
    scene.pegbar.result = "CAMERA"
    assert "The scene has no camera to put a background behind: add one, or choose another result" in colorize()
    assert nothing_left(tmp_path)


def test_a_reference_that_is_gone(scene, tmp_path):
    _, reference = stage.line_art(scene, tmp_path)
    reference.unlink()
    text = colorize()
    assert "reference.png cannot be read" in text and "put it back or choose another" in text
    assert nothing_left(tmp_path)


def test_frames_of_different_sizes(scene, tmp_path):
    stage.line_art(scene, tmp_path)
    stage.picture(tmp_path / "lines/0003.png", stage.cartoon(2, coloured=False)[:-10])
    text = colorize()
    assert "different sizes: 0001.png is 96x64, 0003.png 96x54" in text and "export all frames at one size" in text
    assert nothing_left(tmp_path)


def test_a_reference_of_another_size_colours_as_well(scene, tmp_path):
    _, reference = stage.line_art(scene, tmp_path)
    stage.picture(reference, stage.cartoon(0, coloured=True).repeat(2, axis=0).repeat(2, axis=1))
    bpy.ops.pegbar.run(pipeline="flat")
    assert is_coloured(the_take(), 4)


def test_a_reference_of_another_aspect(scene, tmp_path):
    _, reference = stage.line_art(scene, tmp_path)
    stage.picture(reference, stage.cartoon(0, coloured=True)[:40])
    text = colorize()
    assert "reference" in text and "96 x 40" in text and "96 x 64" in text and "same proportions" in text
    assert not placing.is_placed(the_take())


@pytest.mark.parametrize("level", [255, 0])
def test_line_art_all_white_or_all_black(scene, tmp_path, level):
    stage.line_art(scene, tmp_path)
    for path in (tmp_path / "lines").iterdir():
        stage.picture(path, np.full((*stage.SIZE[::-1], 3), level, np.uint8))
    text = colorize()
    assert "No frame of the line art has lines" in text and "choose a strip" in text
    assert not placing.is_placed(the_take())


def test_one_blank_frame_is_a_warning_and_the_others_are_coloured(scene, tmp_path):
    stage.line_art(scene, tmp_path)
    stage.picture(tmp_path / "lines/0002.png", np.full((*stage.SIZE[::-1], 3), 255, np.uint8))
    bpy.ops.pegbar.run(pipeline="flat")
    take = the_take()
    assert take.state.warnings == ("Frame 2 of the line art has no lines",)
    pictures = [take.folder.file(frame.file) for frame in take.frames]
    assert [colour_at(path, 22, 32) == stage.RED for path in pictures] == [True, False, True, True]


@pytest.mark.parametrize("which", ["lines/0003.png", "reference.png"])
@pytest.mark.parametrize("damage", [lambda data: data[:-40], lambda data: b"no picture at all", lambda data: b""])
def test_a_corrupt_png(scene, tmp_path, which, damage):
    stage.line_art(scene, tmp_path)
    path = tmp_path / which
    path.write_bytes(damage(path.read_bytes()))
    text = colorize()
    assert text.startswith(f"{path} is ") and text.endswith("export it again or choose another picture")
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("start", [-20, 10_000])
def test_frames_below_zero_and_beyond_ten_thousand(scene, tmp_path, start):
    strip, _ = stage.line_art(scene, tmp_path, start=start)
    scene.pegbar.references[0].at = start + 500  # outside the clip: it stands for the frame next to it
    bpy.ops.pegbar.run(pipeline="flat")
    take = the_take()
    assert is_coloured(take, 4)
    assert strip_range(placing.strips_of(take)[0]) == strip_range(strip) == (start, start + 4)
    found = stage.draw(scene, frame=start)
    scene.frame_set(start)
    scene.pegbar.length = 4
    bpy.ops.pegbar.run(pipeline="liven")
    assert [key.frame_number for key in found.data.layers.active.frames] == [start, start + 2, start + 4]


def test_a_strip_longer_than_its_pictures_shows_the_last_one_on(scene, tmp_path):
    strip, _ = stage.line_art(scene, tmp_path, frames=1)
    strip.frame_final_duration = 5
    bpy.ops.pegbar.run(pipeline="flat")
    assert is_coloured(the_take(), 5)


@pytest.mark.parametrize("points", [[(0, 0, 0)], [(0, 0, 0), (0, 0, 0)], [(1e7, 0, 0), (0, 0, 1e7)]])
def test_the_smallest_and_the_largest_drawing(scene, draw, points):
    found = bpy.context.view_layer.objects.active = draw([points])
    scene.pegbar.length = 4
    bpy.ops.pegbar.run(pipeline="liven")
    assert the_take().state.name == "done" and len(found.data.layers) == 2


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_point_that_is_nowhere(scene, draw, value):
    bpy.context.view_layer.objects.active = draw([[(value, 0, 0), (1, 0, 1)]])
    assert "no place on the picture" in animate()


def test_every_drawing_of_a_shot_that_begins_before_the_first(scene, draw):
    found = bpy.context.view_layer.objects.active = draw([[(0, 0, 0), (1, 0, 1)]], 5)
    scene.pegbar.length, scene.pegbar.drawings = 8, "EACH"
    bpy.ops.pegbar.run(pipeline="liven")
    sizes = {key.frame_number: key.drawing.attributes.domain_size("CURVE") for key in found.data.layers.active.frames}
    assert sizes == {1: 0, 3: 0, 5: 1, 7: 1, 9: 0}


def test_a_drawing_or_a_camera_with_a_scale_of_zero(scene, draw, camera):
    found = bpy.context.view_layer.objects.active = draw([[(0, 0, 0), (1, 0, 1)]])
    found.scale, found.rotation_euler = (1, 0, 1), (0.1, 0.2, 0.3)
    bpy.context.view_layer.update()
    assert "'Hero' has a scale of 0: give it another" in animate()
    found.scale, camera.scale = (1, 1, 1), (0, 0, 0)
    assert "The camera 'Camera' has a scale of 0 and sees nothing" in animate()


def test_a_drawing_scaled_to_nothing_for_a_while_is_empty_there(scene, draw, camera):
    found = bpy.context.view_layer.objects.active = draw([[(0, 0, 0), (1, 0, 1)]])
    for frame, scale in ((1, 1), (3, 0), (5, 1)):
        found.scale = (scale,) * 3
        found.keyframe_insert("scale", frame=frame)
    scene.pegbar.length, scene.pegbar.drawings = 6, "EACH"
    bpy.ops.pegbar.run(pipeline="liven")
    sizes = {key.frame_number: key.drawing.attributes.domain_size("CURVE") for key in found.data.layers.active.frames}
    assert sizes == {1: 1, 3: 0, 5: 1, 7: 0}


def test_a_drawing_of_another_scene(scene, draw, camera, tmp_path):
    stage.line_art(scene, tmp_path)
    scene.pegbar.line_art, scene.pegbar.drawing = "OBJECT", draw([[(0, 0, 0), (1, 0, 1)]])
    scene.collection.objects.unlink(scene.pegbar.drawing)
    assert "'Hero' is not in the scene 'Scene': link it there or choose another" in colorize()
    assert nothing_left(tmp_path)


# --- where it is written


def test_a_takes_folder_with_a_file_in_its_way(scene, tmp_path):
    stage.draw(scene)
    (tmp_path / "takes").write_text("in the way")
    text = animate()
    assert str(tmp_path / "takes") in text and "cannot be used" in text and "choose another folder" in text
    assert not takes.listed()


@pytest.fixture
def disk(tmp_path):
    """A disk of 1 MB with the takes on it; a function that mounts it anew with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(*options):
        return subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder], capture_output=True).returncode

    if sys.platform != "linux" or mount("size=1m"):
        pytest.skip("only root on Linux can make a small disk")
    preferences().takes_folder = str(folder)
    yield mount
    engine.stop()
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder):
    """Takes all room of a disk."""
    with contextlib.suppress(OSError), open(folder / "wall", "wb", buffering=0) as wall:
        while wall.write(bytes(4096)):
            pass


def test_a_takes_folder_that_cannot_be_written(scene, tmp_path, disk):
    disk("remount", "ro")
    stage.draw(scene)
    text = animate()
    assert str(tmp_path / "disk") in text and "Read-only file system" in text and "choose another folder" in text
    assert not takes.listed()


def test_a_take_that_cannot_be_written_any_more(scene, tmp_path):
    slow(scene, tmp_path)

    def bar(take):
        (take / "outputs").rename(take / "away")
        (take / "outputs").write_text("in the way")

    with meanwhile(tmp_path, bar):
        text = told(bpy.ops.pegbar.run, pipeline="still")
    folder = the_take().folder
    assert str(folder.path) in text and "cannot be used" in text and "choose another folder" in text
    folder.outputs.unlink()
    (folder.path / "away").rename(folder.outputs)
    assert 2 <= len(the_take().frames) < 6
    finish(the_take(), 6)


def test_a_disk_that_is_full_from_the_start(scene, tmp_path, disk):
    slow(scene, tmp_path)
    fill(tmp_path / "disk")
    assert "is full: free some space" in told(bpy.ops.pegbar.run, pipeline="still")
    assert nothing_left(tmp_path / "disk")


def test_a_disk_that_fills_during_the_run(scene, tmp_path, disk):
    slow(scene, tmp_path)
    with meanwhile(tmp_path, lambda take: fill(tmp_path / "disk")):
        text = told(bpy.ops.pegbar.run, pipeline="still")
    assert "is full: free some space and go on" in text
    assert 2 <= len(the_take().frames) < 6
    (tmp_path / "disk/wall").unlink()
    finish(the_take(), 6)


def long_folder(tmp_path):
    """A path of 300 characters with spaces, quotes and signs of several languages."""
    path = tmp_path / WIDE
    while len(str(path)) < 230:
        path /= "long long nàme"
    path /= "x" * (299 - len(str(path)))
    assert len(str(path)) == 300
    path.mkdir(parents=True)
    return path


@pytest.mark.parametrize("saved", [True, False])
def test_a_path_of_300_characters_with_spaces_and_unicode_works(scene, tmp_path, saved):
    """Both the .blend, its drawings and the pictures, or the takes alone, lie there."""
    folder = long_folder(tmp_path)
    preferences().takes_folder = "" if saved else str(folder)
    found = stage.draw(scene, name="Füchsin 狐 🦊")
    stage.line_art(scene, folder if saved else tmp_path)
    if saved:
        bpy.ops.wm.save_as_mainfile(filepath=str(folder / f"{WIDE}.blend"))
    bpy.ops.pegbar.run(pipeline="flat")
    assert folder in the_take().folder.path.parents
    assert is_coloured(the_take(), 4)
    scene.pegbar.length = 4
    bpy.ops.pegbar.run(pipeline="liven")
    take = takes.listed()[-1]
    assert folder in take.folder.path.parents and take.source == found.name
    assert placing.is_placed(take) and len(found.data.layers) == 2


@pytest.mark.parametrize("name", ["..", "CON", "ü" * 31])
def test_names_that_make_no_good_folder(scene, name):
    stage.draw(scene, name=name)
    scene.name, scene.pegbar.length = name, 4
    bpy.ops.pegbar.run(pipeline="liven")
    before = the_take()
    takes._takes.clear()
    takes.refresh()
    assert the_take() == before and placing.is_placed(before)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # a newer Blender would rather have no // here
def test_a_takes_folder_beside_a_file_that_is_not_saved(scene, tmp_path):
    preferences().takes_folder = "//pictures"
    assert takes_folder().is_relative_to(user_folder())
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert takes_folder() == tmp_path / "pictures/shot"


def test_a_take_deleted_during_its_run(scene, tmp_path):
    slow(scene, tmp_path)
    with meanwhile(tmp_path, shutil.rmtree):
        text = told(bpy.ops.pegbar.run, pipeline="still")
    assert "take_001 is gone" in text
    assert nothing_left(tmp_path)


def test_a_scene_renamed_during_the_run(scene, tmp_path):
    """Its take waits until the scene has its name again."""
    slow(scene, tmp_path)
    running = run.start(request(bpy.context, "still"))
    while not running.state.frames:
        run.advance(running)
    scene.name = "Other"
    with pytest.raises(PegbarError, match="The scene 'Scene' of this take is not in this file: give it its name back"):
        run.run_to_end(running)
    take = the_take()
    assert take.state.name == "done" and not placing.is_placed(take)
    scene.name = "Scene"
    bpy.ops.pegbar.apply_take(folder=str(take.folder.path))
    assert placing.is_placed(take)


def test_a_damaged_take_can_be_deleted(scene, tmp_path):
    stage.draw(scene)
    bpy.ops.pegbar.run(pipeline="liven")
    folder = the_take().folder
    (folder.path / "job.json").write_bytes(b"\xff no request")
    text = told(bpy.ops.pegbar.apply_take, folder=str(folder.path))
    assert "is damaged" in text and "delete this take" in text
    assert bpy.ops.pegbar.delete_take(folder=str(folder.path)) == {"FINISHED"}
    assert nothing_left(tmp_path)


# --- who works


def test_a_job_of_a_newer_protocol(scene, tmp_path):
    stage.draw(scene)
    bpy.ops.pegbar.run(pipeline="liven")
    folder = the_take().folder
    job = folder.path / "job.json"
    job.write_text(job.read_text("utf-8").replace(f'"protocol": {PROTOCOL_VERSION}', '"protocol": 99'), "utf-8")
    takes.refresh()
    for operator in ("finish_take", "apply_take", "redo_take", "restore_settings"):
        text = told(getattr(bpy.ops.pegbar, operator), folder=str(folder.path))
        assert "take_001 was made by a newer Pegbar" in text and text.endswith("update Pegbar")
    assert the_take().fault and folder.path.is_dir()


@posix
def test_a_worker_that_dies(scene, tmp_path):
    slow(scene, tmp_path)
    with meanwhile(tmp_path, lambda take: os.killpg(engine._worker.pid, signal.SIGKILL)):
        text = told(bpy.ops.pegbar.run, pipeline="still")
    assert text.startswith("The engine closed unexpectedly") and "Your frames are safe: restart and continue" in text
    assert 2 <= len(the_take().frames) < 6
    finish(the_take(), 6)


@posix
@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_run_whose_worker_is_lost_can_be_stopped(scene, tmp_path, fault):
    slow(scene, tmp_path)
    running = run.start(request(bpy.context, "still"))
    while len(running.state.frames) < 2:
        run.advance(running)
    engine._worker._silent_s = 1.5
    os.kill(engine._worker.pid, fault)
    while not running.is_lost:
        run.advance(running)
    assert bpy.ops.pegbar.cancel() == {"FINISHED"}
    engine._worker._silent_s = 10
    run.run_to_end(running)
    assert running.phase == "stopped" and the_take().is_partial
    finish(the_take(), 6)


@posix
def test_a_worker_that_hangs(scene, tmp_path):
    slow(scene, tmp_path)

    def hang(take):
        os.kill(engine._worker.pid, signal.SIGSTOP)
        engine._worker._silent_s = 1.5  # else the test would take ten seconds

    with meanwhile(tmp_path, hang):
        text = told(bpy.ops.pegbar.run, pipeline="still")
    hung = engine._worker.pid
    assert "has not answered for" in text and "Your frames are safe: restart and continue" in text
    assert 2 <= len(the_take().frames) < 6
    finish(the_take(), 6)
    assert hung not in children()
    engine.stop()


@pytest.fixture
def script(tmp_path):
    """A function that makes an executable of some lines of shell and sets it as the engine's interpreter."""

    def write(lines):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)
        preferences().engine_python = str(path)

    yield write
    engine.stop()


@posix
def test_a_worker_that_dies_at_once(scene, tmp_path, script):
    script("echo 'no room in this house' >&2; exit 3")
    stage.draw(scene)
    assert animate() == "The engine did not start: no room in this house"
    preferences().engine_python = str(stage.ENGINE)
    take = the_take()
    assert bpy.ops.pegbar.finish_take(folder=str(take.folder.path)) == {"FINISHED"}
    assert placing.is_placed(the_take())


@posix
def test_a_worker_that_never_gets_ready(scene, tmp_path, script, monkeypatch):
    monkeypatch.setattr(client, "START_TIMEOUT_S", 0.5)
    script("exec sleep 60")
    stage.draw(scene)
    assert "has not answered for" in animate()


@posix
def test_a_worker_that_prints_rubbish(scene, tmp_path, script):
    rubbish = 'head -c 200000 /dev/urandom; head -c 200000 /dev/urandom >&2; echo \'{"event": "done"}\''
    script(f'{rubbish}\n(sleep 0.5; {rubbish}) & exec {stage.ENGINE} "$@"')
    stage.line_art(scene, tmp_path)
    bpy.ops.pegbar.run(pipeline="flat")
    assert is_coloured(the_take(), 4)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("no program")])
def test_an_interpreter_that_is_not_there(scene, tmp_path, make):
    make(tmp_path / "python")
    preferences().engine_python = str(tmp_path / "python")
    stage.draw(scene)
    text = animate()
    assert str(tmp_path / "python") in text and "choose the engine's Python in the preferences" in text


def test_a_take_that_another_blender_works_on(scene, tmp_path):
    stage.draw(scene)
    bpy.ops.pegbar.run(pipeline="liven")
    take = the_take()
    (take.folder.path / "events.jsonl").write_text("")
    with take.folder.running():
        text = told(bpy.ops.pegbar.finish_take, folder=str(take.folder.path))
    assert "already being worked on by another Pegbar" in text
    assert bpy.ops.pegbar.finish_take(folder=str(take.folder.path)) == {"FINISHED"}


BLENDER = f"""
import importlib.util, sys, time
from pathlib import Path
spec = importlib.util.spec_from_file_location("house", {str(Path(__file__).with_name("conftest.py"))!r})
house = importlib.util.module_from_spec(spec)
spec.loader.exec_module(house)
import bpy
bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
bpy.context.preferences.addons.new().module = house.PACKAGE
house.pegbar.register()
from pegbar.preferences import preferences
from pegbar.runs import placing, takes
from pegbar.tests.blender import stage
folder, own = Path(sys.argv[1]), sys.argv[2]
preferences().engine_python, preferences().takes_folder = str(stage.ENGINE), str(folder / "takes")
stage.line_art(bpy.context.scene, folder / own)
(folder / (own + ".ready")).touch()
while len(list(folder.glob("*.ready"))) < 2:
    time.sleep(0.01)
bpy.ops.pegbar.run(pipeline="flat")
(take,) = takes.listed()
print("took", take.folder.path.name, take.state.name, len(take.frames), placing.is_placed(take))
"""


def test_two_blenders_on_one_takes_folder(tmp_path):
    command = [sys.executable, "-c", BLENDER, str(tmp_path)]
    blenders = [subprocess.Popen([*command, own], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for own in ("one", "two")]
    outputs = [blender.communicate(timeout=60)[0] for blender in blenders]
    lines = sorted(line for output in outputs for line in output.splitlines() if line.startswith("took"))
    assert lines == ["took take_001 done 4 True", "took take_002 done 4 True"], "\n".join(outputs)
