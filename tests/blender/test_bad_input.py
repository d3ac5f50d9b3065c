"""Bad input, from the click on through the operator and the real engine: what is read. Each refusal is one clear sentence."""

import bpy
import numpy as np
import pytest
from pegbar.runs import placing
from pegbar.tests.blender import stage
from pegbar.tests.blender.faults import animate, colorize, colour_at, is_coloured, nothing_left, ready, the_take, worker  # noqa: F401 - fixtures
from pegbar.timeline.versions import strip_range

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of properties that a later Blender drops


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
    scene.pegbar.length, scene.pegbar.drawings = 8, "FRAMES"
    bpy.ops.pegbar.run(pipeline="liven")
    sizes = {key.frame_number: key.drawing.attributes.domain_size("CURVE") for key in found.data.layers.active.frames}
    assert sizes == {1: 0, 5: 1, 7: 1, 9: 0}, "nothing, held until the drawing begins"


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
    scene.pegbar.length, scene.pegbar.drawings = 6, "FRAMES"
    bpy.ops.pegbar.run(pipeline="liven")
    sizes = {key.frame_number: key.drawing.attributes.domain_size("CURVE") for key in found.data.layers.active.frames}
    assert sizes == {1: 1, 3: 0, 5: 1, 7: 0}


def test_a_drawing_of_another_scene(scene, draw, camera, tmp_path):
    stage.line_art(scene, tmp_path)
    scene.pegbar.line_art, scene.pegbar.drawing = "OBJECT", draw([[(0, 0, 0), (1, 0, 1)]])
    scene.collection.objects.unlink(scene.pegbar.drawing)
    assert "'Hero' is not in the scene 'Scene': link it there or choose another" in colorize()
    assert nothing_left(tmp_path)
