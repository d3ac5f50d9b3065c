"""Strips come back with every picture on its own frame number, whatever the strip does with its files."""

import pytest
from pegbar.timeline import READ, Source
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
