"""The preferences say what the worker may use of the computer; what is missing there is said where the button is."""

from pathlib import Path

import bpy
import pytest
from pegbar.engine.catalog import PIPELINES
from pegbar.engine.weights import Machine
from pegbar.preferences import machine, preferences, user_folder
from pegbar.runs import engine, models
from pegbar.tests.blender import stage
from pegbar.tests.blender.paper import Paper, Sidebar, drawn
from pegbar.tests.blender.tiny import DIFFUSION

SET = (
    "takes_folder",
    "weights_folder",
    "shared_weights_folder",
    "device",
    "memory",
    "show_advanced",
    "hub_token",
    "hub_mirror",
    "settings_in_pictures",
)
SET += ("engine_folder", "backend", "index_mirror", "python_mirror", "proxy", "engine_python")


@pytest.fixture(autouse=True)
def unset(tmp_path, scene, monkeypatch):
    """An engine without torch, and no weights folder but those that a test sets."""
    monkeypatch.delenv("PEGBAR_WEIGHTS", raising=False)
    own = preferences()
    own.engine_python, own.takes_folder = str(stage.ENGINE), str(tmp_path / "takes")
    yield own
    engine.stop()
    models.look_again()
    for name in SET:
        own.property_unset(name)


def lvcd_in(folder):
    """Puts files of LVCD's names into a folder."""
    folder.mkdir(parents=True)
    for name in ("svd.safetensors", "lvcd-fp16.safetensors"):
        (folder / name).touch()


def test_weights_lie_in_the_users_folder_until_another_is_set(unset, tmp_path, monkeypatch):
    assert machine() == Machine((user_folder() / "weights",), "auto")
    monkeypatch.setenv("PEGBAR_WEIGHTS", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    assert machine().weights == (tmp_path / "a", tmp_path / "b")
    unset.weights_folder, unset.shared_weights_folder, unset.device = str(tmp_path / "own"), str(tmp_path / "studio"), "CUDA"
    assert machine() == Machine((tmp_path / "own", tmp_path / "studio"), "cuda")


def test_the_preferences_draw_every_setting(unset):
    paper = Paper()
    unset.show_advanced = True
    type(unset).draw(Drawn(unset, paper), Sidebar("PREFERENCES"))
    assert set(paper.props()) == set(SET)
    assert str(user_folder() / "weights") not in paper.text  # a placeholder, which is no value


class Drawn:
    """Preferences with a layout, which Blender alone can give them."""

    def __init__(self, own, layout):
        self.own, self.layout = own, layout

    def __getattr__(self, name):
        return getattr(self.own, name)


def test_a_changed_weights_folder_or_device_starts_another_worker_and_an_unchanged_one_stays(unset, scene, tmp_path):
    stage.draw(scene)
    pids = []
    for change in (None, None, ("weights_folder", str(tmp_path)), ("device", "CPU"), None):
        if change:
            setattr(unset, *change)
        bpy.ops.pegbar.run(pipeline="liven")
        pids.append(engine._worker.pid)
    assert len(set(pids)) == 3 and pids[0] == pids[1] and pids[3] == pids[4]
    command = Path(f"/proc/{pids[4]}/cmdline").read_bytes().split(b"\0")
    assert command[-5:-1] == [b"--weights", bytes(tmp_path), b"--device", b"cpu"]


def test_a_missing_model_is_told_with_size_source_licence_and_folder_and_the_button_waits(unset, scene, tmp_path):
    unset.weights_folder = str(tmp_path / "weights")
    stage.line_art(scene, tmp_path)
    scene.pegbar.flat_method = "lvcd"
    paper = drawn("PEGBAR_PT_flat")
    assert paper.button("pegbar.run") == ("Colorize Strip", False)
    for weights in PIPELINES["lvcd"].weights[:2]:
        assert f"{weights.fetched_as}, {weights.gigabytes:.1f} GB" in paper.text
    assert paper.text.count("commercial use unclear") == 2 and "Read the Licence" in paper.text
    assert paper.button("pegbar.open_weights")[1] and paper.button("pegbar.look_again")[1]
    described = bpy.types.PEGBAR_OT_run.description(bpy.context, type("Pressed", (), {"pipeline": "lvcd"}))
    assert "Disabled: LVCD needs svd.safetensors and lvcd-fp16.safetensors in" in described
    scene.pegbar.flat_method = "flat"
    assert drawn("PEGBAR_PT_flat").button("pegbar.run") == ("Colorize Strip", True)


def test_a_missing_model_keeps_a_script_from_running_and_leaves_nothing(unset, scene, tmp_path):
    unset.weights_folder = str(tmp_path / "weights")
    stage.line_art(scene, tmp_path)
    with pytest.raises(RuntimeError, match=r"LVCD needs svd\.safetensors \(9\.56 GB, .*: put them into"):
        bpy.ops.pegbar.run(pipeline="lvcd")
    assert not (tmp_path / "takes").exists()


def test_models_are_looked_for_once_and_again_when_asked(unset, scene, tmp_path):
    unset.weights_folder, unset.shared_weights_folder = str(tmp_path / "weights"), str(tmp_path / "studio")
    assert len(models.missing(PIPELINES["lvcd"])) == 2
    lvcd_in(tmp_path / "studio" / "lvcd")
    assert len(models.missing(PIPELINES["lvcd"])) == 2
    assert bpy.ops.pegbar.look_again() == {"FINISHED"}
    assert not models.missing(PIPELINES["lvcd"])
    stage.line_art(scene, tmp_path)
    scene.pegbar.flat_method = "lvcd"
    paper = drawn("PEGBAR_PT_flat")
    assert paper.button("pegbar.run") == ("Colorize Strip", True) and paper.button("pegbar.look_again") is None


def test_the_folder_for_models_is_made_where_it_is_not_there(unset, tmp_path):
    unset.weights_folder = str(tmp_path / "a file")
    (tmp_path / "a file").touch()
    with pytest.raises(RuntimeError, match="cannot be used"):
        bpy.ops.pegbar.open_weights(pipeline="lvcd")


def test_an_engine_without_torch_says_so_and_can_be_tried_again(unset, scene, tmp_path):
    lvcd_in(tmp_path / "weights" / "lvcd")
    unset.weights_folder = str(tmp_path / "weights")
    stage.line_art(scene, tmp_path)
    scene.pegbar.flat_method = "lvcd"
    with pytest.raises(RuntimeError, match="needs the diffusion engine, and this Python lacks torch"):
        bpy.ops.pegbar.run(pipeline="lvcd")
    paper = drawn("PEGBAR_PT_flat")
    assert "lacks torch" in paper.text and paper.button("pegbar.finish_take") == ("Try Again", True)


def test_a_damaged_model_is_a_sentence(unset, scene, tmp_path):
    lvcd_in(tmp_path / "weights" / "lvcd")
    unset.engine_python, unset.weights_folder, unset.device = str(DIFFUSION), str(tmp_path / "weights"), "CPU"
    stage.line_art(scene, tmp_path)
    with pytest.raises(RuntimeError, match=r"svd\.safetensors"):
        bpy.ops.pegbar.run(pipeline="lvcd")
