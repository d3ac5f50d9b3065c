"""Places that cannot be written, or only just, from the click on through the operator and the real engine."""

import contextlib
import shutil
import subprocess
import sys

import bpy
import pytest
from pegbar.engine.protocol import PegbarError
from pegbar.preferences import preferences, takes_folder, user_folder
from pegbar.runs import engine, placing, run, takes
from pegbar.runs.request import request
from pegbar.tests.blender import stage
from pegbar.tests.blender.faults import animate, finish, is_coloured, meanwhile, nothing_left, ready, slow, the_take, told, worker  # noqa: F401 - fixtures

WIDE = "my füms 日本 🎬 'q' {x} %s #"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of properties that a later Blender drops


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
