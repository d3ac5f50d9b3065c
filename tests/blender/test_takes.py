"""Takes: found again, restored, redone, deleted."""

import shutil
from pathlib import Path

import bpy
import pytest
from pegbar.engine.protocol import PegbarError
from pegbar.preferences import preferences
from pegbar.runs import engine, placing, takes
from pegbar.settings import values_of
from pegbar.tests.blender import stage


@pytest.fixture(autouse=True)
def ready(tmp_path, scene):
    preferences().engine_python = str(stage.ENGINE)
    yield
    engine.stop()
    preferences().engine_python = ""


@pytest.fixture
def hero(scene, tmp_path):
    """A saved file with a drawing and two takes of it."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "hero.blend"))
    found = stage.draw(scene)
    scene.pegbar.length = 4
    for motion in ("sway", "bounce"):
        scene.pegbar.liven.motion = motion
        bpy.ops.pegbar.run(pipeline="liven")
    bpy.ops.wm.save_mainfile()
    return found


def test_takes_live_beside_the_blend_and_are_found_when_it_is_opened(hero, tmp_path):
    before = [(take.number, take.job.id) for take in takes.listed()]
    assert all(tmp_path / "pegbar" in take.folder.path.parents for take in takes.listed())
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    assert not [take for take in takes.listed() if take.source == "Hero" and tmp_path in take.folder.path.parents]
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "hero.blend"))
    assert [(take.number, take.job.id) for take in takes.listed()] == before
    assert [take.number for take in takes.of_shot("Scene", "Hero")] == [2, 1]


@pytest.mark.parametrize("result", ["STRIP", "PLANE"])
def test_a_project_that_is_moved_finds_its_takes_and_shows_them(scene, tmp_path, result):
    project = tmp_path / "project"
    project.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(project / "shot.blend"))
    stage.line_art(scene, tmp_path)
    scene.pegbar.result = result
    bpy.ops.pegbar.run(pipeline="flat")
    bpy.ops.wm.save_mainfile()
    moved = shutil.move(project, tmp_path / "moved")
    bpy.ops.wm.open_mainfile(filepath=str(Path(moved) / "shot.blend"))
    (take,) = takes.listed()
    if result == "STRIP":
        (made,) = placing.strips_of(take)
        shown = Path(bpy.path.abspath(made.directory)) / made.elements[0].filename
    else:
        (made,) = placing.pictures_of(take)
        shown = Path(bpy.path.abspath(next(image for image in bpy.data.images if "pegbar_take" in image).filepath))
    assert shown.samefile(take.folder.file(take.frames[0].file))
    assert Path(bpy.path.abspath(made["pegbar_folder"])).samefile(take.folder.path)


def test_restore_settings_gives_back_what_the_take_was_made_with(scene, hero):
    first = takes.listed()[0]
    settings = scene.pegbar
    settings.length, settings.rhythm = 99, "3"
    bpy.ops.pegbar.restore_settings(folder=str(first.folder.path))
    assert values_of(settings.liven) == dict(first.job.params)
    assert (settings.length, settings.rhythm, settings.seed, settings.keep_seed) == (4, "2", first.job.seed, True)


def test_another_has_the_same_settings_and_a_new_seed(hero):
    first = takes.listed()[0]
    bpy.ops.pegbar.redo_take(folder=str(first.folder.path))
    third = takes.listed()[-1]
    assert (third.number, dict(third.job.params), third.job.shot) == (3, dict(first.job.params), first.job.shot)
    assert third.job.seed != first.job.seed


def test_delete_removes_the_folder_and_the_row(hero):
    first, second = takes.listed()
    bpy.ops.pegbar.delete_take(folder=str(first.folder.path))
    assert not first.folder.path.exists()
    assert [take.job.id for take in takes.listed()] == [second.job.id]


def test_a_take_that_a_strip_shows_is_not_deleted(scene, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    stage.line_art(scene, tmp_path)
    bpy.ops.pegbar.run(pipeline="flat")
    (take,) = takes.listed()
    with pytest.raises(RuntimeError, match="delete it from the file first"):
        bpy.ops.pegbar.delete_take(folder=str(take.folder.path))
    assert take.folder.path.exists()


def test_switching_takes_shows_one_strip_alone(scene, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    stage.line_art(scene, tmp_path)
    for _ in range(2):
        bpy.ops.pegbar.run(pipeline="flat")
    editor = scene.sequence_editor
    for take in takes.listed():
        bpy.ops.pegbar.apply_take(folder=str(take.folder.path))
        assert [strip.name for strip in editor.strips_all if not strip.mute] == [strip.name for strip in placing.strips_of(take)]


def test_the_active_strip_of_a_take_leads_back_to_its_line_art(scene, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    strip, _ = stage.line_art(scene, tmp_path)
    for _ in range(2):
        bpy.ops.pegbar.run(pipeline="flat")
    assert scene.sequence_editor.active_strip != strip
    assert {take.source for take in takes.listed()} == {"lines"}


def test_frames_to_check_are_visited_one_after_the_other(scene, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    stage.line_art(scene, tmp_path)
    scene.pegbar.flat.check_below = 1.0
    bpy.ops.pegbar.run(pipeline="flat")
    (take,) = takes.listed()
    assert take.to_check and set(take.to_check) <= {1, 2, 3, 4}
    scene.frame_set(take.to_check[0] - 1)
    visited = []
    for _ in range(len(take.to_check) + 1):
        bpy.ops.pegbar.next_check(folder=str(take.folder.path))
        visited.append(scene.frame_current)
    assert visited == [*take.to_check, take.to_check[0]]


def test_references_are_added_and_removed(scene, tmp_path):
    _strip, reference = stage.line_art(scene, tmp_path)
    scene.frame_set(3)
    bpy.ops.pegbar.add_reference(type="FILE", filepath=str(reference))
    assert [(entry.type, entry.at) for entry in scene.pegbar.references] == [("FILE", 1), ("FILE", 3)]
    bpy.ops.pegbar.remove_reference(index=0)
    assert [entry.at for entry in scene.pegbar.references] == [3]
    with pytest.raises(RuntimeError, match="choose a file"):
        bpy.ops.pegbar.add_reference(type="FILE", filepath=str(tmp_path / "nothing.png"))


def test_a_pinned_strip_stays_chosen(scene, tmp_path):
    strip, _reference = stage.line_art(scene, tmp_path)
    bpy.ops.pegbar.pin_strip()
    assert scene.pegbar.strip == strip.name
    bpy.ops.pegbar.pin_strip()
    assert scene.pegbar.strip == ""


def test_a_damaged_take_is_a_sentence(hero):
    folder = takes.listed()[0].folder
    (folder.path / "job.json").write_text("{")
    with pytest.raises(PegbarError, match="damaged"):
        takes.by_folder(str(folder.path))
    takes.refresh()
    assert takes.of_shot("Scene", "Hero")[0].number == 2
