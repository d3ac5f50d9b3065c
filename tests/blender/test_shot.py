"""A shot is what the artist sees selected."""

import pytest
from pegbar.engine.protocol import PegbarError, Shot
from pegbar.timeline import Source, shot

HERO = Source("OBJECT", "Hero")
LINE = [[(0, 0, 0), (1, 0, 0)]]


@pytest.fixture
def strip(scene, tmp_path, picture):
    """A strip of 10 frames from frame 11 on."""
    made = scene.sequence_editor_create().strips.new_image("lines", str(picture(tmp_path / "0001.png", (0, 0, 0))), 1, 11)
    for _ in range(9):
        made.elements.append("0001.png")
    return made


def preview(scene, first, last):
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, first, last


def test_a_strip_is_its_visible_frames_at_the_scenes_rate(scene, strip):
    scene.render.fps, scene.render.fps_base = 24, 1.001
    found = shot.of_strip(scene, "lines")
    assert found == Shot("Scene", 11, 20, found.fps) and found.fps == pytest.approx(23.976, abs=1e-3)


@pytest.mark.parametrize(
    ("first", "last", "expected"), [(13, 15, (13, 15)), (1, 12, (11, 12)), (20, 99, (20, 20)), (30, 40, (11, 20)), (1, 10, (11, 20))]
)
def test_the_preview_range_chooses_among_a_strips_frames(scene, strip, first, last, expected):
    preview(scene, first, last)
    found = shot.of_strip(scene, "lines")
    assert (found.first, found.last) == expected


def test_a_drawing_lasts_until_the_next_key_of_the_layers_read(scene, draw):
    draw(LINE, frame=1)
    draw(LINE, frame=30)
    draw(LINE, frame=9, layer="Face")
    scene.frame_set(3)
    assert shot.of_drawing(scene, HERO, step=2).frames == (3, 5, 7)
    assert shot.of_drawing(scene, Source("OBJECT", "Hero", ("Lines",))).last == 29
    scene.frame_set(30)
    assert (shot.of_drawing(scene, HERO).first, shot.of_drawing(scene, HERO).last) == (30, 53)
    assert shot.of_drawing(scene, HERO, length=5).frames == (30, 31, 32, 33, 34)


def test_a_scene_is_its_range_or_its_preview_range(scene):
    scene.frame_start, scene.frame_end = 5, 50
    assert (shot.of_scene(scene).first, shot.of_scene(scene).last) == (5, 50)
    preview(scene, 7, 9)
    assert shot.of_scene(scene).frames == (7, 8, 9)


def test_what_went_away_is_named(scene):
    with pytest.raises(PegbarError, match="'lines' is no longer there"):
        shot.of_strip(scene, "lines")
    with pytest.raises(PegbarError, match="'Hero' is no longer there"):
        shot.of_drawing(scene, HERO)
