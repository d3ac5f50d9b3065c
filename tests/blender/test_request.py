"""What the artist asks for: pictures from anywhere, sketches at their keys, jobs with several methods; and how panels show it."""

import bpy
import pytest
from pegbar.engine.catalog import PIPELINES
from pegbar.engine.protocol import InputFile, Job, PegbarError
from pegbar.engine.strokes import Strokes
from pegbar.preferences import preferences
from pegbar.runs import engine, preview
from pegbar.runs.request import describe, request
from pegbar.runs.restoring import restore
from pegbar.settings import chosen, methods_of
from pegbar.tests.blender import stage
from pegbar.tests.blender.paper import drawn
from pegbar.timeline import READ, Source

BOX = [[(-3, 0, -2), (3, 0, -2), (3, 0, 2), (-3, 0, 2)]]


@pytest.fixture
def strip(scene, tmp_path, picture):
    """A strip of four frames, red, green, blue and grey, from frame 11 on."""
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (99, 99, 99)]
    files = [picture(tmp_path / f"board/{index + 1:04d}.png", colour) for index, colour in enumerate(colours)]
    made = scene.sequence_editor_create().strips.new_image("board", str(files[0]), 1, 11, fit_method="ORIGINAL")
    for path in files[1:]:
        made.elements.append(path.name)
    scene.sequence_editor.active_strip = made
    return made


@pytest.fixture
def read(scene, take, steps, pixels):
    """A function that reads an input of a request and gives its pictures by the frame that each stands for."""

    def run(wanted, name):
        files = steps(scene, READ["image"](scene, wanted.sources[name], wanted.frames[name], take, name))
        return {file.frame: pixels(take.file(file.file))[0, 0].tolist() for file in files}

    return run


def shoot():
    return request(bpy.context, "dropletvideo")


def test_a_shot_starts_at_the_playhead_on_the_strips_frame_there(scene, strip, read):
    scene.frame_set(13)
    scene.pegbar.length = 20
    wanted = shoot()
    assert (wanted.shot.first, wanted.shot.last, wanted.shot.step) == (13, 32, 1)
    assert read(wanted, "image") == {13: [0, 0, 255, 255]}
    assert wanted.sources["end_image"] == () and wanted.target.source == "board"


def test_a_shot_ends_on_its_end_image(scene, strip, read, picture, tmp_path):
    scene.frame_set(11)
    scene.pegbar.length, scene.pegbar.clip_rhythm = 8, "3"
    end = scene.pegbar.dropletvideo.end_image
    end.type, end.file = "FILE", str(picture(tmp_path / "end.png", (1, 2, 3)))
    assert read(shoot(), "end_image") == {17: [1, 2, 3, 255]}
    end.type = "STRIP"
    assert read(shoot(), "end_image") == {17: [99, 99, 99, 255]}, "the strip's frame nearest to the end"


def test_length_and_rhythm_are_the_artists_or_the_pipelines(scene, strip):
    scene.frame_set(11)
    assert len(shoot().shot.frames) == PIPELINES["dropletvideo"].length
    scene.pegbar.length, scene.pegbar.clip_rhythm, scene.pegbar.rhythm = 8, "2", "3"
    assert shoot().shot.frames == (11, 13, 15, 17)
    assert describe(shoot()) == "4 frames, 11–18, on twos"


def test_a_coloured_strip_is_a_picture_to_start_on_and_its_lines_are_what_is_coloured_again(scene, tmp_path):
    preferences().engine_python, preferences().takes_folder = str(stage.ENGINE), str(tmp_path / "takes")
    try:
        stage.line_art(scene, tmp_path)
        bpy.ops.pegbar.run(pipeline="flat")
        made = scene.sequence_editor.active_strip.name
        assert made != "lines"
        assert request(bpy.context, "flat").sources["lineart"][0].name == "lines"
        assert shoot().sources["image"][0].name == made
    finally:
        engine.stop()
        preferences().engine_python = preferences().takes_folder = ""


@pytest.mark.parametrize("type", ["FILE", "IMAGE"])
def test_a_picture_is_a_file_or_an_image(scene, read, picture, tmp_path, type):
    path = picture(tmp_path / "key art.png", (7, 8, 9))
    entry = scene.pegbar.dropletvideo.image
    entry.type, entry.file, entry.image = type, str(path), bpy.data.images.load(str(path))
    scene.frame_set(5)
    wanted = shoot()
    assert read(wanted, "image") == {5: [7, 8, 9, 255]}
    assert wanted.target.source == ("key art" if type == "FILE" else "key art.png")


def test_a_picture_is_a_drawing_with_its_fills_as_the_camera_sees_it(scene, take, steps, draw, camera):
    found = draw(BOX, frame=3)
    entry = scene.pegbar.dropletvideo.image
    entry.type, entry.drawing = "OBJECT", found
    scene.frame_set(5)
    wanted = shoot()
    (file,) = steps(scene, READ["image"](scene, wanted.sources["image"], wanted.frames["image"], take, "image"))
    strokes = Strokes.load(take.file(file.file))
    assert file.frame == 5 and strokes.size == (320, 180) and len(strokes.points) == 4


def test_a_picture_is_what_the_camera_renders(scene, take, steps, camera, pixels):
    """A red card before the left half of the camera's view, at frame 7 alone."""
    mesh = bpy.data.meshes.new("card")
    mesh.from_pydata([(-9, 0, -9), (0, 0, -9), (0, 0, 9), (-9, 0, 9)], [], [(0, 1, 2, 3)])
    card = bpy.data.objects.new("card", mesh)
    card.color = (1, 0, 0, 1)
    scene.collection.objects.link(card)
    card.hide_render = True
    card.keyframe_insert("hide_render", frame=6)
    card.hide_render = False
    card.keyframe_insert("hide_render", frame=7)
    scene.render.engine, scene.render.film_transparent = "BLENDER_WORKBENCH", True
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.display.shading.light, scene.display.shading.color_type = "FLAT", "OBJECT"
    scene.display.render_aa = "OFF"
    scene.pegbar.dropletvideo.image.type = "CAMERA"
    scene.frame_set(7)
    wanted = shoot()
    (file,) = steps(scene, READ["image"](scene, wanted.sources["image"], wanted.frames["image"], take, "image"))
    seen = pixels(take.file(file.file))
    assert seen.shape == (36, 64, 4)
    assert seen[18, 5].tolist() == [255, 0, 0, 255] and seen[18, 60, 3] == 0


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (lambda scene, entry: None, "Select the strip with the picture"),
        (lambda scene, entry: setattr(entry, "strip", "gone"), "Select the strip|'gone' is gone: choose another"),
        (lambda scene, entry: setattr(entry, "type", "FILE"), "Choose the picture that the shot starts on"),
        (lambda scene, entry: setattr(entry, "type", "IMAGE"), "Choose the picture that the shot starts on"),
        (lambda scene, entry: setattr(entry, "type", "OBJECT"), "Choose the picture that the shot starts on"),
        (lambda scene, entry: setattr(entry, "type", "CAMERA"), "has no camera to render"),
    ],
)
def test_a_picture_that_is_missing_is_said_before_anything_runs(scene, prepare, sentence):
    prepare(scene, scene.pegbar.dropletvideo.image)
    with pytest.raises(PegbarError, match=sentence):
        shoot()


def test_a_drawing_without_a_camera_is_no_picture(scene, draw):
    entry = scene.pegbar.dropletvideo.image
    entry.type, entry.drawing = "OBJECT", draw(BOX)
    with pytest.raises(PegbarError, match="only before a camera"):
        shoot()


def test_sketches_are_read_at_their_keys_up_to_the_last(scene, draw):
    for frame in (1, 9, 17, 25):
        found = draw(BOX, frame=frame)
    bpy.context.view_layer.objects.active = found
    scene.frame_set(1)
    wanted = request(bpy.context, "vidsketch")
    assert wanted.frames["sketch"] == (1, 9, 17, 25)
    assert (wanted.shot.first, wanted.shot.last) == (1, 25)
    assert describe(wanted) == "25 frames, 1–25, from 4 drawings"
    scene.pegbar.length = 12
    assert request(bpy.context, "vidsketch").frames["sketch"] == (1, 9)


def test_one_drawing_for_a_method_that_takes_one_whatever_another_reads(scene, draw):
    draw(BOX, frame=1)
    bpy.context.view_layer.objects.active = draw(BOX, frame=7)
    scene.pegbar.drawings = "FRAMES"
    assert request(bpy.context, "flipsketch").frames["sketch"] == (1,)
    assert len(request(bpy.context, "liven").frames["sketch"]) == 3


def test_pictures_of_a_drawing_go_where_the_artist_says_and_strokes_onto_layers(scene, draw):
    bpy.context.view_layer.objects.active = draw(BOX)
    settings = scene.pegbar.flipsketch
    scene.pegbar.result = "PLANE"
    assert request(bpy.context, "flipsketch").target.type == "LAYER"
    settings.as_clip = True
    assert request(bpy.context, "flipsketch").target.type == "PLANE"
    settings.as_strokes = settings.as_clip = False
    with pytest.raises(PegbarError, match="asked for nothing"):
        request(bpy.context, "flipsketch")


def test_methods_of_one_job_share_a_panel_and_the_one_that_needs_no_models_comes_first(scene):
    jobs = {tuple(spec.name for spec in methods) for space in ("VIEW_3D", "SEQUENCE_EDITOR") for methods in methods_of(space)}
    assert {("flat", "lvcd"), ("liven", "flipsketch")} <= jobs
    methods = next(methods for methods in methods_of("SEQUENCE_EDITOR") if methods[0].name == "flat")
    assert chosen(scene.pegbar, methods).name == "flat"
    scene.pegbar.flat_method = "lvcd"
    assert chosen(scene.pegbar, methods).name == "lvcd"


def test_the_prompt_comes_before_all_other_settings_over_the_whole_width(scene, strip):
    paper = drawn("PEGBAR_PT_dropletvideo")
    names = paper.props()
    params = [param.name for param in PIPELINES["dropletvideo"].params if not param.advanced and param.name != "prompt"]
    assert [name for name in names if name == "prompt" or name in params] == ["prompt", *params]
    assert ("prop", "What happens", "prompt") in paper.lines
    assert names.index("type") < names.index("prompt") < names.index("length")
    assert "prompt" not in drawn("PEGBAR_PT_dropletvideo_advanced").props()


@pytest.mark.parametrize(
    ("type", "shown"), [("STRIP", "strip"), ("FILE", "file"), ("IMAGE", "image"), ("OBJECT", "drawing"), ("CAMERA", None)]
)
def test_a_panel_asks_for_what_the_kind_of_picture_needs(scene, strip, type, shown):
    scene.pegbar.dropletvideo.image.type = type
    names = drawn("PEGBAR_PT_dropletvideo").props()
    assert names.count("type") == 2, "one for the image, one for the end image"
    assert {"strip", "file", "image", "drawing"} & set(names) == ({shown} if shown else set())


def test_a_panel_shows_what_its_method_needs_and_no_more(scene, strip, draw):
    bpy.context.view_layer.objects.active = draw(BOX)
    flat = drawn("PEGBAR_PT_flat").props()
    assert {"line_art", "flat_method", "result"} <= set(flat) and not {"seed", "length", "prompt"} & set(flat)
    scene.pegbar.flat_method = "lvcd"
    assert {"line_art", "seed", "lock_colours"} <= set(drawn("PEGBAR_PT_flat").props())
    liven = drawn("PEGBAR_PT_liven").props()
    assert {"drawings", "length", "rhythm", "seed"} <= set(liven) and not {"result", "prompt"} & set(liven)
    scene.pegbar.liven_method = "flipsketch"
    flipsketch = drawn("PEGBAR_PT_liven").props()
    assert {"prompt", "length", "rhythm"} <= set(flipsketch) and "drawings" not in flipsketch
    vidsketch = drawn("PEGBAR_PT_vidsketch").props()
    assert {"prompt", "clip_rhythm", "result", "type"} <= set(vidsketch) and not {"drawings", "rhythm"} & set(vidsketch)


def test_every_panel_draws_with_nothing_to_work_on(scene):
    for name in (name for name in dir(bpy.types) if name.startswith("PEGBAR_PT_") and name != "PEGBAR_PT_strip"):
        drawn(name)


def test_a_preview_is_read_when_it_changes_and_freed(scene, tmp_path, picture):
    path = tmp_path / "preview.png"
    preview.look(path)
    assert preview.of(path) is None
    for colour in ((255, 0, 0), (0, 255, 0)):  # within one second, too
        picture(path, colour, (12, 6))
        preview.look(path)
        shown = preview.of(path)
        assert tuple(shown.image_size) == (12, 6)
        assert [round(value * 255) for value in shown.image_pixels_float[:3]] == list(colour)
    path.write_bytes(b"half")
    preview.look(path)
    assert round(preview.of(path).image_pixels_float[1]) == 1, "the last whole one stays"
    preview.forget(path)
    assert preview.of(path) is None
    picture(path, (1, 2, 3))
    preview.look(path)
    preview.unregister()
    assert preview.of(path) is None


def test_a_take_of_a_picture_gives_its_settings_back(scene, strip, draw, tmp_path):
    scene.frame_set(12)
    settings, own = scene.pegbar, scene.pegbar.dropletvideo
    settings.length, settings.clip_rhythm, settings.result, own.prompt = 9, "3", "PLANE", "it rains"
    own.end_image.type, own.end_image.drawing = "FILE", draw(BOX)
    own.end_image.file = str(tmp_path / "end.png")
    wanted = shoot()
    job = Job("dropletvideo", wanted.params, {"image": (InputFile(12, "a.png"),)}, wanted.shot, 5, origin=wanted.origin)
    settings.length, settings.clip_rhythm, settings.result, own.prompt = 0, "1", "STRIP", ""
    own.image.type, own.end_image.type = "CAMERA", "NONE"
    assert restore(bpy.context, job) == []
    assert (settings.length, settings.clip_rhythm, settings.result, own.prompt, settings.seed) == (9, "3", "PLANE", "it rains", 5)
    assert (own.image.type, own.image.strip, own.end_image.type) == ("STRIP", "board", "FILE")
    assert shoot().sources == wanted.sources and Source("STRIP", "board", at=12, frame=12) in shoot().sources["image"]
