"""Restore Settings: from a take, from its strip, and from a picture wherever it is, the same frames come again, to the byte."""

import json
import shutil
import struct
import zlib

import bpy
import pytest
from pegbar.panels.strip import first_picture
from pegbar.preferences import preferences
from pegbar.runs import engine, placing, takes
from pegbar.settings import values_of
from pegbar.tests.blender import stage
from pegbar.tests.takes import png


@pytest.fixture(scope="module", autouse=True)
def worker():
    """One engine for all tests."""
    yield
    engine.stop()


@pytest.fixture(autouse=True)
def ready(tmp_path, scene):
    preferences().engine_python, preferences().takes_folder = str(stage.ENGINE), str(tmp_path / "takes")
    yield
    preferences().engine_python = preferences().takes_folder = ""


def files(take):
    """What a take gave, byte by byte, but for notes."""
    return {frame.file: take.folder.file(frame.file).read_bytes() for frame in take.state.frames if frame.output != "notes"}


def from_take(take, tmp_path):
    bpy.ops.pegbar.restore_settings(folder=str(take.folder.path))


def from_picture(take, tmp_path):
    """A picture that was given away, the take itself being gone."""
    shutil.copy(take.folder.file(take.frames[-1].file), tmp_path / "delivered.png")
    bpy.ops.pegbar.restore_from_picture(filepath=str(tmp_path / "delivered.png"))


@pytest.mark.parametrize("restore", [from_take, from_picture])
def test_flat_gives_the_same_pictures_again(scene, tmp_path, restore):
    strip, reference = stage.line_art(scene, tmp_path)
    other = scene.sequence_editor.strips.new_image("other", str(tmp_path / "lines/0001.png"), 7, 30)
    settings = scene.pegbar
    settings.flat.close_gaps, settings.flat.separate_lines, settings.seed, settings.keep_seed = 3, True, 77, True
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 2, 4
    bpy.ops.pegbar.run(pipeline="flat")
    (first,) = takes.listed()
    assert len(first.frames) == 3
    scene.use_preview_range = False
    settings.flat.close_gaps, settings.flat.separate_lines, settings.seed, settings.keep_seed = 20, False, 1, False
    settings.references.clear()
    scene.sequence_editor.active_strip, settings.result, settings.line_art = other, "PLANE", "OBJECT"
    restore(first, tmp_path)
    assert (values_of(settings.flat), settings.seed, settings.result) == (dict(first.job.params), 77, "STRIP")
    assert [entry.name for entry in settings.references] == [str(reference)] and scene.sequence_editor.active_strip == strip
    bpy.ops.pegbar.run(pipeline="flat")
    assert files(takes.listed()[-1]) == files(first) and len(files(first)) == 9


@pytest.mark.parametrize(("drawings", "length"), [("THIS", 5), ("KEYS", 0), ("FRAMES", 4)])
def test_liven_gives_the_same_drawings_again(scene, tmp_path, drawings, length):
    found = stage.draw(scene)
    found.data.layers[0].frames.copy(1, 3)
    found.data.layers.new("Other")
    settings = scene.pegbar
    settings.drawings, settings.length, settings.rhythm, settings.layers = drawings, length, "1", "ACTIVE"
    found.data.layers.active = found.data.layers["Lines"]
    settings.liven.motion, settings.liven.line_boil, settings.seed, settings.keep_seed = "sway", 1.0, 5, True
    bpy.ops.pegbar.run(pipeline="liven")
    (first,) = takes.listed()
    settings.drawings, settings.length, settings.rhythm, settings.layers = "THIS", 9, "3", "VISIBLE"
    settings.liven.motion, settings.liven.line_boil, settings.keep_seed = "bounce", 0.0, False
    bpy.context.view_layer.objects.active = stage.draw(scene, "Somebody else")
    scene.frame_set(40)
    from_take(first, tmp_path)
    assert (scene.frame_current, bpy.context.view_layer.objects.active, settings.drawings) == (1, found, drawings)
    bpy.ops.pegbar.run(pipeline="liven")
    assert files(takes.listed()[-1]) == files(first) and len(files(first)) > 2


def test_a_published_method_gives_the_same_pictures_again(scene, published, picture, tmp_path):
    settings = published("dropletvideo")
    settings.prompt, settings.template, settings.num_inference_steps, settings.resolution = "it rains", "plain", 2, "image"
    settings.image.type, settings.image.file = "FILE", str(picture(tmp_path / "key.png", (200, 90, 30), (64, 48)))
    scene.pegbar.length, scene.pegbar.seed = 5, 9
    bpy.ops.pegbar.run(pipeline="dropletvideo")
    (first,) = takes.listed()
    settings.prompt, settings.image.type, scene.pegbar.length, scene.pegbar.seed = "the sun shines", "CAMERA", 9, 1
    from_picture(first, tmp_path)
    bpy.ops.pegbar.run(pipeline="dropletvideo")
    assert files(takes.listed()[-1]) == files(first) and len(files(first)) == 5


def test_a_strip_whose_take_is_gone_gives_its_settings_from_its_pictures(scene, tmp_path):
    stage.line_art(scene, tmp_path)
    scene.pegbar.flat.close_gaps = 3
    bpy.ops.pegbar.run(pipeline="flat")
    (take,) = takes.listed()
    (strip,) = placing.strips_of(take)
    shutil.copytree(take.folder.path / "outputs/clip", tmp_path / "delivered")
    strip.directory = str(tmp_path / "delivered")
    shutil.rmtree(take.folder.path)
    takes.update(take.folder)
    scene.pegbar.flat.close_gaps = 20
    bpy.ops.pegbar.restore_from_picture(filepath=first_picture(strip))
    assert scene.pegbar.flat.close_gaps == 3


CARD = {
    "pegbar": "1", "protocol": 1, "pipeline": "still", "params": {"seconds_per_frame": 0.5}, "seed": 6, "inputs": {}, "weights": {},
    "shot": {"scene": "", "first": 1, "last": 4, "fps": 24.0, "step": 1},
}  # fmt: skip


@pytest.fixture
def restored(tmp_path):
    """A function that restores from a picture with a card of these fields."""

    def restore(**changes):
        data = b"pegbar\0" + json.dumps({**CARD, **changes}).encode()
        chunk = struct.pack(">I", len(data)) + b"tEXt" + data + struct.pack(">I", zlib.crc32(b"tEXt" + data))
        (tmp_path / "a.png").write_bytes(png(1)[:33] + chunk + png(1)[33:])
        return bpy.ops.pegbar.restore_from_picture(filepath=str(tmp_path / "a.png"))

    return restore


def test_a_picture_made_without_blender_gives_its_settings_alone(scene, restored):
    restored()
    assert (scene.pegbar.still.seconds_per_frame, scene.pegbar.seed) == (0.5, 6)


@pytest.mark.parametrize(
    "changes",
    [
        {"params": {"seconds_per_frame": "long"}},
        {"params": {"seconds_per_frame": 1e9}},
        {"pipeline": "nothing"},
        {"seed": -5},
        {"seed": 2**40},
        {"origin": {"target": 3}},
        {"origin": {"target": {"type": "NOWHERE"}}},
        {"origin": {"target": {"type": "STRIP"}, "sources": {"image": [3]}}},
        {"origin": {"target": {"type": "STRIP"}, "sources": {"image": [{"type": "STRIP", "name": 3, "layers": []}]}}},
        {"origin": {"target": {"type": "STRIP"}, "sources": {"image": [{"type": "STRIP", "name": "a", "layers": 3}]}}},
    ],
)
def test_a_card_that_was_tampered_with_is_refused_in_one_sentence(scene, restored, changes):
    with pytest.raises(RuntimeError) as raised:
        restored(**changes)
    assert "Pegbar made a mistake" not in str(raised.value) and scene.pegbar.still.seconds_per_frame == 0
