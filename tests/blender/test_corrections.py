"""A click on a region: its colour is exact there and follows, in the same strip, as another take and one undo step."""

import math
from pathlib import Path

import bpy
import numpy as np
import pytest
from pegbar.engine.corrections import Correction
from pegbar.engine.protocol import PegbarError
from pegbar.preferences import preferences
from pegbar.runs import correcting, engine, placing, run, takes
from pegbar.tests.blender import stage
from pegbar.tests.blender.paper import drawn
from pegbar.timeline.pointing import in_preview, on_picture, picture_at

GREEN = (0, 255, 0, 255)
LEFT, RIGHT = (20 / 96, 32 / 64), (70 / 96, 32 / 64)
"""Places of the two boxes on the first picture."""


@pytest.fixture(autouse=True)
def ready(tmp_path, scene):
    preferences().engine_python = str(stage.ENGINE)
    preferences().takes_folder = str(tmp_path / "takes")
    yield
    engine.stop()
    preferences().engine_python = preferences().takes_folder = ""


@pytest.fixture
def strip(scene, tmp_path):
    """The strip of a take of two boxes, the left one moving, from frame 11 on; active."""
    stage.line_art(scene, tmp_path, start=11)
    bpy.ops.pegbar.run(pipeline="flat")
    return scene.sequence_editor.active_strip


def recolour(place=LEFT, frame=12, colour="#00ff00"):
    assert bpy.ops.pegbar.recolour_region(x=place[0], y=place[1], frame=frame, colour=colour) == {"FINISHED"}
    return takes.listed()[-1]


def shown(strip, frame, pixels):
    """What the strip shows, by its own files."""
    file = Path(bpy.path.abspath(strip.directory)) / strip.strip_elem_from_frame(frame).filename
    return pixels(file)


def test_the_strip_shows_the_colour_there_and_from_there_on(strip, pixels):
    take = recolour()
    assert strip["pegbar_take"] == take.job.id and strip.name == "lines take 2"
    assert len(bpy.context.scene.sequence_editor.strips) == 2
    for frame, colour in ((11, (*stage.RED, 255)), (12, GREEN), (13, GREEN), (14, GREEN)):
        assert tuple(shown(strip, frame, pixels)[32, 24]) == colour, frame
        assert tuple(shown(strip, frame, pixels)[32, 70]) == (*stage.BLUE, 255)


def test_the_first_take_stays_as_it_was_and_can_be_applied_again(strip, pixels):
    first = takes.listed()[0]
    before = [first.folder.file(frame.file).read_bytes() for frame in first.frames]
    recolour()
    assert [first.folder.file(frame.file).read_bytes() for frame in first.frames] == before
    bpy.ops.pegbar.apply_take(folder=str(first.folder.path))
    made = placing.strips_of(first)[0]
    assert tuple(shown(made, 12, pixels)[32, 24]) == (*stage.RED, 255)


def test_it_is_one_undo_step(strip, pixels):
    bpy.ops.ed.undo_push(message="Coloured")
    first = takes.listed()[0]
    recolour()
    bpy.ops.ed.undo()
    strip = bpy.context.scene.sequence_editor.strips_all["lines take 1"]
    assert strip["pegbar_take"] == first.job.id and tuple(shown(strip, 12, pixels)[32, 24]) == (*stage.RED, 255)
    bpy.ops.ed.redo()
    assert tuple(shown(bpy.context.scene.sequence_editor.strips_all["lines take 2"], 12, pixels)[32, 24]) == GREEN


def test_corrections_add_up(strip, pixels):
    recolour()
    last = recolour(RIGHT, frame=13, colour="#ffcc00")
    assert correcting.count(last.job) == 2 and [take.number for take in takes.listed()] == [1, 2, 3]
    assert tuple(shown(strip, 14, pixels)[32, 24]) == GREEN and tuple(shown(strip, 14, pixels)[32, 70]) == (255, 204, 0, 255)
    assert tuple(shown(strip, 12, pixels)[32, 70]) == (*stage.BLUE, 255)


def test_the_list_has_the_last_correction_and_what_is_in_the_file(strip):
    from pegbar.panels.takes import shown as shown_in
    from pegbar.panels.takes import summary
    from pegbar.settings import methods_of

    methods = next(methods for methods in methods_of("SEQUENCE_EDITOR") if any(spec.name == "flat" for spec in methods))
    for number in (1, 2, 3):
        assert [take.number for take in shown_in(bpy.context, methods, "lines")] == [number]
        last = recolour(colour=f"#00ff0{number}") if number < 3 else takes.listed()[-1]
    assert summary(last) == "4 frames, corrected on 1"


def test_two_clicks_in_a_row_both_count(strip, pixels):
    take = correcting.taken(strip)
    first = correcting.correct(take, [Correction(12, *LEFT, "#00ff00")])
    second = correcting.correct(take, [Correction(13, *RIGHT, "#ffcc00")])
    for running in (first, second):
        run.run_to_end(running)
    assert strip["pegbar_take"] == second.job.id
    assert tuple(shown(strip, 14, pixels)[32, 24]) == GREEN and tuple(shown(strip, 14, pixels)[32, 70]) == (255, 204, 0, 255)


def test_the_chosen_colour_and_the_current_frame_count_where_nothing_is_said(scene, strip, pixels):
    take = takes.listed()[0]
    names = dict(take.palette)
    assert set(names.values()) >= {"#" + bytes(colour).hex() for colour in (stage.RED, stage.BLUE, stage.PAPER)}
    bpy.ops.pegbar.pick_colour(colour="#283cc8")
    scene.frame_set(14)
    bpy.ops.pegbar.recolour_region(x=LEFT[0], y=LEFT[1])
    assert tuple(shown(strip, 14, pixels)[32, 24]) == (*stage.BLUE, 255)
    assert {colour for _, colour in takes.listed()[-1].palette} == set(names.values())


def test_a_moved_and_trimmed_strip_is_corrected_where_it_shows_the_frame(scene, strip, pixels):
    strip.frame_start = 111
    strip.frame_offset_start = 1
    assert [picture_at(strip, frame) for frame in (111, 112, 114, 115)] == [None, 2, 4, None]
    take = recolour(frame=113)
    assert [file.frame for file in take.job.inputs["corrections"]] == [13]


def test_outside_the_strip_nothing_is_corrected(strip):
    with pytest.raises(RuntimeError, match="shows nothing on frame 40"):
        recolour(frame=40)
    assert len(takes.listed()) == 1


def test_what_is_no_coloured_take_has_nothing_to_correct(scene, strip):
    assert bpy.ops.pegbar.recolour_region.poll()
    scene.sequence_editor.active_strip = scene.sequence_editor.strips["lines"]
    assert not bpy.ops.pegbar.recolour_region.poll()


@pytest.mark.parametrize("result", ["PLANE", "EMPTY", "CAMERA"])
def test_what_else_shows_the_take_shows_the_corrected_one(scene, camera, tmp_path, result):
    stage.line_art(scene, tmp_path)
    scene.pegbar.result = result
    bpy.ops.pegbar.run(pipeline="flat")
    take, objects = takes.listed()[0], set(scene.objects)
    (image,) = [image for image in bpy.data.images if image.get("pegbar_take") == take.job.id]
    run.run_to_end(correcting.correct(take, [Correction(2, *LEFT, "#00ff00")]))
    new = takes.listed()[1]
    assert set(scene.objects) == objects and placing.pictures_of(new) and not placing.pictures_of(take)
    assert Path(bpy.path.abspath(image.filepath)) == new.folder.outputs / "clip" / "0001.png"
    assert image["pegbar_take"] == new.job.id


def test_frames_to_check_are_visited_backwards_too(scene, strip):
    scene.pegbar.flat.check_below = 1.0
    bpy.ops.pegbar.run(pipeline="flat")
    take = takes.listed()[-1]
    scene.frame_set(take.to_check[0])
    visited = []
    for _ in take.to_check:
        bpy.ops.pegbar.next_check(folder=str(take.folder.path), backwards=True)
        visited.append(scene.frame_current)
    assert visited == [take.to_check[-1], *reversed(take.to_check[:-1])]


def test_a_corrected_take_is_made_again_from_the_line_art_without_the_corrections(strip):
    take = recolour()
    bpy.ops.pegbar.redo_take(folder=str(take.folder.path))
    again = takes.listed()[-1]
    assert again.job.params["corrects"] == "" and correcting.count(again.job) == 0
    bpy.ops.pegbar.restore_settings(folder=str(take.folder.path))
    assert bpy.context.scene.pegbar.flat.corrects == ""


@pytest.mark.parametrize("aspect", [1.0, 2.0])
@pytest.mark.parametrize("flip", [False, True])
def test_a_point_of_the_preview_is_where_blender_draws_the_picture(scene, tmp_path, pixels, flip, aspect):
    """A picture with a mark, moved, scaled, turned around a corner and flipped, as Blender renders it."""
    marked = np.full((40, 80, 3), 40, np.uint8)
    marked[8:12, 60:64] = (250, 30, 30)
    stage.picture(tmp_path / "0001.png", marked)
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 200, 120, 100
    scene.render.pixel_aspect_x = 1.0
    editor = scene.sequence_editor_create()
    strip = editor.strips.new_image("a", str(tmp_path / "0001.png"), channel=1, frame_start=1, fit_method="ORIGINAL")
    place = strip.transform
    place.scale_x, place.scale_y, place.rotation, place.origin = 1.5, 1.2, math.radians(20), (0.3, 0.6)
    place.offset_x, place.offset_y = 12, -7
    strip.use_flip_x = flip
    scene.view_settings.view_transform = "Standard"
    scene.render.filepath, scene.render.image_settings.file_format = str(tmp_path / "out.png"), "PNG"
    bpy.ops.render.render(write_still=True)
    seen = pixels(tmp_path / "out.png")
    rows, columns = np.nonzero((seen[..., 0] > 150) & (seen[..., 1] < 90))
    scene.render.pixel_aspect_x = aspect  # the view is wider by it, the picture in it, too
    view = (columns.mean() + 0.5 - 100) * aspect, 60 - (rows.mean() + 0.5)
    assert on_picture(scene, strip, *view) == pytest.approx((62 / 80, 10 / 40), abs=0.006)
    assert in_preview(scene, strip, 62 / 80, 10 / 40) == pytest.approx(view, abs=0.6)
    assert on_picture(scene, strip, 99 * aspect, 59) is None


def test_a_strip_that_blender_has_not_looked_at_is_a_sentence(scene, tmp_path):
    editor = scene.sequence_editor_create()
    strip = editor.strips.new_image("a", str(tmp_path / "none.png"), channel=1, frame_start=1, fit_method="ORIGINAL")
    with pytest.raises(PegbarError, match="has not looked at the pictures"):
        on_picture(scene, strip, 0, 0)


def test_the_panel_shows_the_palette_the_button_and_what_is_left_to_check(scene, strip):
    scene.pegbar.flat.check_below = 0.0
    bpy.ops.pegbar.run(pipeline="flat")
    take = takes.listed()[-1]
    paper = drawn("PEGBAR_PT_correct")
    buttons = [line[2][0] for line in paper.lines if line[0] == "button"]
    assert buttons == ["pegbar.pick_colour"] * len(take.palette) + ["pegbar.recolour_region"]
    assert "No region is doubtful." in paper.text and paper.props() == ["colour"]
    scene.pegbar.flat.check_below = 1.0
    bpy.ops.pegbar.run(pipeline="flat")
    paper = drawn("PEGBAR_PT_correct")
    take = takes.listed()[-1]
    assert f"{take.doubtful} regions to check on {len(take.to_check)} of 4 frames" in paper.text and take.doubtful > len(take.to_check)
    assert [line[2][0] for line in paper.lines if line[0] == "button"][-2:] == ["pegbar.next_check"] * 2
    scene.sequence_editor.active_strip = scene.sequence_editor.strips["lines"]
    assert drawn("PEGBAR_PT_correct").lines == []
