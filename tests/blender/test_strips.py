"""Strips come back with every picture on its own frame number, whatever the strip does with its files."""

import os

import bpy
import pytest
from pegbar.engine.protocol import FrameWritten, Job, JobFolder, PegbarError, Shot
from pegbar.timeline import READ, WRITE, Source, Target, finish
from pegbar.timeline.versions import strip_range

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # 4.5 knows the old names of trims only

COUNT = 12


@pytest.fixture
def numbered(scene, tmp_path, picture):
    """A strip of 12 pictures, the n-th one's red being 10 n, from frame 21 on; its size is the scene's."""
    for n in range(1, COUNT + 1):
        picture(tmp_path / "files" / f"{n:04d}.png", (10 * n, 255 - 10 * n, 0))
    scene.render.resolution_x, scene.render.resolution_y = 16, 8
    strip = scene.sequence_editor_create().strips.new_image("line art", str(tmp_path / "files" / "0001.png"), 1, 21)
    for n in range(2, COUNT + 1):
        strip.elements.append(f"{n:04d}.png")
    return strip


def trimmed(strip):
    strip.frame_offset_start, strip.frame_offset_end = 3, 2


def reversed_(strip):
    strip.use_reverse_frames = True


def strobed(strip):
    strip.strobe = 3


def held(strip):
    strip.frame_offset_start, strip.frame_offset_end = -4, -3


def offset(strip):
    strip.animation_offset_start = 2


def all_of_it(strip):
    trimmed(strip)
    reversed_(strip)
    strip.strobe = 2


def number(pixels):
    return pixels[4, 8, 0] / 10


@pytest.mark.parametrize("change", [lambda strip: None, trimmed, reversed_, strobed, held, offset, all_of_it])
def test_files_and_rendering_agree_on_every_frame(scene, numbered, take, steps, pixels, change):
    change(numbered)
    first, end = strip_range(numbered)
    frames = range(first, end)
    plain = steps(scene, READ["lineart"](scene, [Source("STRIP", "line art")], frames, take, "lineart"))
    numbered.use_flip_x = True
    rendered = steps(scene, READ["lineart"](scene, [Source("STRIP", "line art")], frames, take, "rendered"))
    assert [file.frame for file in plain] == [file.frame for file in rendered] == list(frames)
    shown = [number(pixels(take.file(file.file))) for file in plain]
    assert shown == [number(pixels(take.file(file.file))) for file in rendered]
    assert len({file.file for file in plain}) == len(set(shown))


def read_frames(scene, steps, take, strip, frames, name="lineart"):
    return steps(scene, READ["lineart"](scene, [Source("STRIP", strip)], frames, take, name))


def test_each_file_is_copied_once_as_it_is(scene, numbered, take, steps, tmp_path):
    numbered.strobe = 4
    files = read_frames(scene, steps, take, "line art", range(21, 33))
    assert len({file.file for file in files}) == 3
    assert take.file(files[0].file).read_bytes() == (tmp_path / "files" / "0001.png").read_bytes()


@pytest.mark.parametrize("frames", [(20,), (21, 33)])
def test_frames_outside_the_strip_are_refused(scene, numbered, take, frames):
    with pytest.raises(PegbarError, match=f"Frame {frames[-1]} lies outside the strip 'line art', which goes from 21 to 32"):
        finish(READ["lineart"](scene, [Source("STRIP", "line art")], frames, take, "lineart"))


def test_lost_files_are_counted_and_the_first_is_named(scene, numbered, take, tmp_path):
    for n in (3, 4, 9):
        (tmp_path / "files" / f"{n:04d}.png").unlink()
    with pytest.raises(PegbarError, match=r"3 of the 12 pictures of the strip 'line art' are gone, the first is .*0003.png"):
        finish(READ["lineart"](scene, [Source("STRIP", "line art")], range(21, 33), take, "lineart"))
    assert not list(take.path.glob("inputs/*/*"))


def test_pictures_of_different_sizes_are_named(scene, numbered, take, tmp_path, picture):
    picture(tmp_path / "files" / "0005.png", (1, 2, 3), size=(20, 10))
    with pytest.raises(PegbarError, match=r"different sizes: 0001.png is 16x8, 0005.png 20x10"):
        finish(READ["lineart"](scene, [Source("STRIP", "line art")], range(21, 33), take, "lineart"))


def test_a_strip_deleted_during_the_run_is_named(scene, numbered, take, monkeypatch):
    monkeypatch.setattr("pegbar.timeline.render.SLICE_S", 0)
    numbered.use_flip_x = True
    steps = READ["lineart"](scene, [Source("STRIP", "line art")], range(21, 33), take, "lineart")
    next(steps)
    scene.sequence_editor.strips.remove(numbered)
    with pytest.raises(PegbarError, match="'line art' is no longer there"):
        finish(steps)


def moved(strip):
    strip.transform.offset_x = 4


def scaled_about_a_corner(strip):
    strip.transform.origin = (0, 0)
    strip.transform.scale_x = strip.transform.scale_y = 0.5


def cropped(strip):
    strip.crop.min_x = 4


def modified(strip):
    strip.modifiers.new("bright", "BRIGHT_CONTRAST").bright = 50


def faded(strip):
    strip.color_saturation = 0


def animated(strip):
    strip.transform.keyframe_insert("rotation", frame=1)


CRASHES_5_0 = pytest.mark.skipif(bpy.app.version[:2] == (5, 0), reason="modifiers.new() ends Blender 5.0.1 where there is no window")


@pytest.mark.parametrize("change", [moved, scaled_about_a_corner, cropped, pytest.param(modified, marks=CRASHES_5_0), faded, animated])
def test_a_changed_strip_is_rendered(scene, numbered, take, steps, tmp_path, change):
    change(numbered)
    (file,) = read_frames(scene, steps, take, "line art", (21,))
    assert take.file(file.file).read_bytes() != (tmp_path / "files" / "0001.png").read_bytes()


def test_a_faint_or_muted_strip_is_read_in_full(scene, numbered, take, steps, pixels, tmp_path):
    numbered.blend_alpha, numbered.mute = 0.2, True
    numbered.use_flip_x = True
    (file,) = read_frames(scene, steps, take, "line art", (22,))
    assert (pixels(take.file(file.file)) == (20, 235, 0, 255)).all()


def test_white_stays_white_under_any_view_transform(scene, take, steps, pixels, picture, tmp_path):
    picture(tmp_path / "white.png", (255, 255, 255))
    strip = scene.sequence_editor_create().strips.new_image("white", str(tmp_path / "white.png"), 1, 1)
    strip.use_flip_x = True
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.exposure = 1
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    scene.render.use_stamp = True
    (file,) = read_frames(scene, steps, take, "white", (1,))
    assert (pixels(take.file(file.file)) == 255).all()


def test_another_scene_of_the_file_can_be_read(scene, take, steps, pixels, picture, tmp_path):
    other = bpy.data.scenes.new("Edit")
    strip = other.sequence_editor_create().strips.new_image("red", str(picture(tmp_path / "red.png", (255, 0, 0))), 1, 1)
    strip.use_flip_x = True
    (file,) = read_frames(other, steps, take, "red", (1,))
    assert pixels(take.file(file.file)).reshape(-1, 4)[0].tolist() == [255, 0, 0, 255]
    assert pixels(take.file(file.file)).shape == (8, 16, 4)


def test_strips_without_files_are_rendered_alone(scene, numbered, take, steps, pixels):
    strips = scene.sequence_editor.strips
    length = {"length": 5} if bpy.app.version >= (5, 0) else {"frame_end": 26}
    colour = strips.new_effect("blue", "COLOR", 2, 21, **length)
    colour.color = (0, 0, 1)
    colour.blend_alpha = 0.5
    (file,) = read_frames(scene, steps, take, "blue", (23,))
    assert (pixels(take.file(file.file)) == (0, 0, 255, 255)).all()


def test_a_movie_is_read_at_its_own_size_frame_by_frame(scene, numbered, take, steps, pixels, tmp_path):
    render, image = scene.render, scene.render.image_settings
    render.resolution_x, render.resolution_y = 64, 32
    scene.frame_start, scene.frame_end, scene.view_settings.view_transform = 21, 32, "Standard"
    if hasattr(image, "media_type"):
        image.media_type = "VIDEO"
    image.file_format = "FFMPEG"
    render.ffmpeg.format, render.ffmpeg.codec, render.ffmpeg.gopsize = "MKV", "FFV1", 1
    render.filepath = str(tmp_path / "movie.mkv")
    bpy.ops.render.render(animation=True)
    scene.sequence_editor.strips.remove(numbered)
    movie = scene.sequence_editor.strips.new_movie("movie", str(tmp_path / "movie.mkv"), 1, 101)
    movie.frame_offset_start = 3
    render.resolution_x, render.resolution_y = 320, 180
    files = read_frames(scene, steps, take, "movie", (104, 108, 112))
    seen = [pixels(take.file(file.file)) for file in files]
    assert [round(image[16, 32, 0] / 10) for image in seen] == [4, 8, 12]
    assert seen[0].shape == (32, 64, 4)


def test_an_effect_shows_its_input_though_that_is_muted(scene, numbered, take, steps, pixels):
    length = {"length": 5} if bpy.app.version >= (5, 0) else {"frame_end": 26}
    blur = scene.sequence_editor.strips.new_effect("blur", "GAUSSIAN_BLUR", 2, 21, input1=numbered, **length)
    blur.size_x = blur.size_y = 0
    (file,) = read_frames(scene, steps, take, "blur", (24,))
    assert number(pixels(take.file(file.file))) == 4


def test_a_strip_in_a_meta_strip_is_rendered_alone(scene, numbered, take, steps, pixels, picture, tmp_path):
    meta = scene.sequence_editor.strips.new_meta("meta", 3, 21)
    numbered.move_to_meta(meta)
    meta.frame_final_end = 33
    top = meta.strips.new_image("top", str(picture(tmp_path / "top.png", (0, 0, 0))), 5, 21)
    scene.sequence_editor.strips.new_image("over", str(tmp_path / "top.png"), 9, 21)
    assert top.parent_meta() == meta
    (file,) = read_frames(scene, steps, take, "line art", (21,))
    assert number(pixels(take.file(file.file))) == 1
    (file,) = read_frames(scene, steps, take, "meta", (22,), "meta")
    assert number(pixels(take.file(file.file))) == 2


def test_the_scene_is_restored_when_the_reader_is_closed_or_fails(scene, numbered, take, monkeypatch):
    monkeypatch.setattr("pegbar.timeline.render.SLICE_S", 0)
    numbered.use_flip_x = True
    scene.frame_set(7)
    before = scene.render.filepath, scene.frame_current, scene.render.resolution_x, scene.render.image_settings.file_format
    steps = READ["lineart"](scene, [Source("STRIP", "line art")], range(21, 33), take, "lineart")
    assert next(share for share in steps if share)
    steps.close()
    steps = READ["lineart"](scene, [Source("STRIP", "line art")], range(21, 33), take, "blocked")
    assert next(share for share in steps if share)
    (take.path / "inputs" / "blocked" / "0002.png").mkdir()
    with pytest.raises(PegbarError):
        finish(steps)
    after = scene.render.filepath, scene.frame_current, scene.render.resolution_x, scene.render.image_settings.file_format
    assert before == after and not numbered.mute


@pytest.fixture
def place(scene, take, steps, picture):
    """A function that places a clip whose picture at frame n has the red n, and gives the strip."""

    def run(frames, shot, source="", output="clip", size=(16, 8)):
        events = []
        for index, frame in enumerate(frames):
            file = take.output_file(output, index + 1, ".png")
            picture(take.file(file), (frame, 0, 0), size)
            events.append(FrameWritten(output, frame, file))
        job = Job("flat", {}, {}, shot)
        placed = steps(scene, WRITE["clip"](scene, take, job, events, Target("STRIP", source)))
        assert (placed.type, bpy.data.scenes[0].sequence_editor.strips[placed.name]["pegbar_take"]) == ("STRIP", job.id)
        return scene.sequence_editor.strips[placed.name]

    return run


def shown(scene, tmp_path, pixels, frame):
    """The red that Blender renders at a frame, with the Standard view."""
    scene.frame_set(frame)
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x, scene.render.resolution_y = 16, 8
    scene.render.filepath = str(tmp_path / "shown.png")
    bpy.ops.render.render(write_still=True)
    return pixels(tmp_path / "shown.png")[4, 8, 0]


def test_a_placed_clip_shows_each_picture_on_its_own_frame(scene, place, tmp_path, pixels):
    strip = place(range(21, 33), Shot(scene.name, 21, 32, 24.0))
    assert strip_range(strip) == (21, 33)
    assert [shown(scene, tmp_path, pixels, frame) for frame in range(21, 33)] == [*range(21, 33)]


def test_on_twos_each_picture_is_held(scene, place, tmp_path, pixels):
    strip = place(range(21, 26, 2), Shot(scene.name, 21, 26, 24.0, 2))
    assert strip_range(strip) == (21, 27)
    assert [shown(scene, tmp_path, pixels, frame) for frame in range(21, 27)] == [21, 21, 23, 23, 25, 25]


def test_a_stopped_take_ends_where_it_stopped_and_gaps_are_held(scene, place, tmp_path, pixels):
    strip = place((21, 22, 25), Shot(scene.name, 21, 40, 24.0))
    assert strip_range(strip) == (21, 26)
    assert [shown(scene, tmp_path, pixels, frame) for frame in range(21, 26)] == [21, 22, 22, 22, 25]


def test_a_result_lies_on_the_first_free_channel_above_its_source(scene, numbered, place, picture, tmp_path):
    black = str(picture(tmp_path / "black.png", (0, 0, 0)))
    strips = scene.sequence_editor.strips
    strips.new_image("touches", black, 2, 32)
    strips.new_image("before", black, 3, 20)
    shot = Shot(scene.name, 21, 32, 24.0)
    assert place(range(21, 33), shot, "line art").channel == 3
    again = place(range(21, 33), shot, "line art")
    assert (again.channel, again.name, again["pegbar_source"]) == (4, "line art take 1.001", "line art")
    assert place(range(21, 33), shot, "line art", output="lines").name == "line art take 1 lines"


def test_a_result_has_the_size_on_screen_of_its_source(scene, numbered, place):
    numbered.transform.scale_x = numbered.transform.scale_y = 0.5
    strip = place((21,), Shot(scene.name, 21, 21, 24.0), "line art", size=(32, 16))
    assert (strip.transform.scale_x, strip.transform.scale_y) == (0.25, 0.25)


def test_paths_with_spaces_unicode_and_300_characters_work(scene, take, steps, picture, tmp_path, pixels):
    folder = tmp_path / "dürer’s 線画 take" / ("x" * 120) / ("y" * 120)
    assert len(str(folder)) > 300
    picture(folder / "línea 01.png", (90, 0, 0))
    scene.render.resolution_x, scene.render.resolution_y = 16, 8
    strip = scene.sequence_editor_create().strips.new_image("línea", str(folder / "línea 01.png"), 1, 1)
    deep = JobFolder.create(folder / "takes")
    (plain,) = steps(scene, READ["lineart"](scene, [Source("STRIP", "línea")], [1], deep, "plain"))
    strip.use_flip_x = True
    (rendered,) = steps(scene, READ["lineart"](scene, [Source("STRIP", "línea")], [1], deep, "rendered"))
    assert [pixels(deep.file(file.file))[0, 0, 0] for file in (plain, rendered)] == [90, 90]


@pytest.mark.skipif(os.name == "nt", reason="Windows folders have no write permission of their own")
@pytest.mark.parametrize("flip", [False, True])
def test_a_folder_that_cannot_be_written_is_named(scene, numbered, take, flip):
    numbered.use_flip_x = flip
    (take.path / "inputs" / "lineart").write_bytes(b"in the way")
    with pytest.raises(PegbarError, match="take_001"):
        finish(READ["lineart"](scene, [Source("STRIP", "line art")], [21], take, "lineart"))
