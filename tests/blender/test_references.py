"""References come from anywhere, each on the frame number that it stands for."""

import bpy
import numpy as np
import pytest
from pegbar.engine.protocol import PegbarError
from pegbar.engine.strokes import Strokes
from pegbar.timeline import READ, Source, finish


@pytest.fixture
def read(scene, take, steps, pixels):
    """A function that reads references and gives their pictures by frame number."""

    def run(*sources, frames=(1, 2, 3), kind="reference"):
        files = steps(scene, READ[kind](scene, sources, frames, take, "reference"))
        return {file.frame: pixels(take.file(file.file)) for file in files}

    return run


def painted(name="painted", colour=(0.2, 0.4, 0.6, 0.8), size=(3, 2), space="sRGB", **options):
    """A generated image, its first pixel of another colour than the others."""
    image = bpy.data.images.new(name, *size, alpha=True, **options)
    image.colorspace_settings.name = space
    values = np.tile(np.float32(colour), size[0] * size[1])
    values[-4 * size[0] :][:4] = 1
    image.pixels.foreach_set(values)
    return image


def test_several_references_each_have_their_frame(scene, take, steps, picture, pixels, tmp_path, draw, camera):
    strip = scene.sequence_editor_create().strips.new_image("colour", str(picture(tmp_path / "1.png", (1, 0, 0))), 1, 11)
    strip.elements.append(picture(tmp_path / "2.png", (2, 0, 0)).name)
    painted()
    draw([[(0, 0, 0), (1, 0, 0), (0, 0, 1)]], frame=5)
    draw([[(0, 0, 0), (1, 0, 0)]], frame=9)
    sources = (
        Source("STRIP", "colour", at=3, frame=12),
        Source("FILE", str(tmp_path / "1.png"), at=7),
        Source("IMAGE", "painted", at=1),
        Source("OBJECT", "Hero", at=9, frame=5),
    )
    files = steps(scene, READ["reference"](scene, sources, [1], take, "reference"))
    assert [file.frame for file in files] == [3, 7, 1, 9]
    assert len({file.file for file in files}) == 4
    assert [pixels(take.file(file.file))[-1, -1, 0] for file in files[:3]] == [2, 1, 51]
    assert len(Strokes.load(take.file(files[3].file)).points) == 3


def test_a_reference_without_a_frame_stands_for_the_first(read, picture, tmp_path):
    path = str(picture(tmp_path / "a.png", (5, 6, 7)))
    assert list(read(Source("FILE", path), frames=(24, 25))) == [24]


def test_two_references_on_one_frame_are_refused(scene, take, picture, tmp_path):
    source = Source("FILE", str(picture(tmp_path / "a.png", (5, 6, 7))), at=4)
    with pytest.raises(PegbarError, match="Two references stand for frame 4"):
        finish(READ["reference"](scene, [source, source], [1], take, "reference"))


def test_a_still_stands_on_every_frame_of_line_art(read):
    painted()
    assert list(read(Source("IMAGE", "painted"), kind="lineart")) == [1, 2, 3]


def test_a_painted_image_comes_back_exactly_and_upright(read):
    image = painted()
    (seen,) = read(Source("IMAGE", "painted")).values()
    assert seen.shape == (2, 3, 4)
    assert seen[0, 0].tolist() == [255] * 4
    assert (seen.reshape(-1, 4)[1:] == [51, 102, 153, 204]).all()
    assert image.source == "GENERATED" and len(bpy.data.images) == 1


def test_a_packed_file_comes_back_as_it_is(read, take, picture, tmp_path):
    path = picture(tmp_path / "packed.png", (10, 20, 30))
    data = path.read_bytes()
    image = bpy.data.images.load(str(path))
    image.pack()
    path.unlink()
    read(Source("IMAGE", image.name))
    assert take.file("inputs/reference/1/0001.png").read_bytes() == data


def test_unsaved_paint_on_an_image_of_a_file_counts(read, picture, tmp_path):
    image = bpy.data.images.load(str(picture(tmp_path / "saved.png", (10, 20, 30))))
    image.pixels.foreach_set(np.ones(16 * 8 * 4, np.float32))
    assert (read(Source("IMAGE", image.name))[1] == 255).all()


def test_a_float_image_becomes_srgb_with_straight_alpha(read):
    painted(colour=(0.5 * 0.25, 0, 0, 0.25), float_buffer=True)
    assert read(Source("IMAGE", "painted"))[1][1, 1].tolist() == [188, 0, 0, 64]


def test_a_kind_of_file_that_only_blender_reads_is_turned_into_png(scene, read, tmp_path):
    image = painted(colour=(0.5, 0, 0, 1), space="Linear Rec.709", float_buffer=True)
    scene.render.image_settings.file_format = "OPEN_EXR"
    image.save_render(str(tmp_path / "linear.exr"), scene=scene)
    bpy.data.images.remove(image)
    assert read(Source("FILE", str(tmp_path / "linear.exr")))[1][1, 1].tolist() == [188, 0, 0, 255]
    assert not bpy.data.images


@pytest.mark.parametrize("name", ["gone.png", "gone.exr", "text.exr"])
def test_a_file_that_cannot_be_read_is_named(scene, take, tmp_path, name):
    (tmp_path / "text.exr").write_text("no picture")
    with pytest.raises(PegbarError, match=name):
        finish(READ["reference"](scene, [Source("FILE", str(tmp_path / name))], [1], take, "reference"))
    assert not bpy.data.images


def test_an_image_whose_file_is_gone_names_it(scene, take, picture, tmp_path):
    path = picture(tmp_path / "lost.png", (1, 2, 3))
    image = bpy.data.images.load(str(path))
    path.unlink()
    with pytest.raises(PegbarError, match=r"lost.png cannot be read"):
        finish(READ["reference"](scene, [Source("IMAGE", image.name)], [1], take, "reference"))


def test_a_drawing_is_a_reference_only_before_a_camera(scene, take, draw):
    draw([[(0, 0, 0), (1, 0, 0)]])
    with pytest.raises(PegbarError, match="'Hero' can be a picture only before a camera"):
        finish(READ["reference"](scene, [Source("OBJECT", "Hero")], [1], take, "reference"))


@pytest.mark.parametrize("type", ["OBJECT", "STRIP", "IMAGE"])
def test_what_is_not_there_is_named(scene, take, camera, type):
    with pytest.raises(PegbarError, match="'Nobody' is no longer there"):
        finish(READ["reference"](scene, [Source(type, "Nobody")], [1], take, "reference"))


def test_no_piece_of_a_big_image_takes_long(scene, take):
    """A 4K image is compressed a few rows at a time; fetching its pixels is the one piece that cannot be cut."""
    image = bpy.data.images.new("big", 3840, 2160)
    steps = READ["reference"](scene, [Source("IMAGE", image.name)], [1], take, "reference")
    assert len(list(steps)) > 20
