"""What the demo shows is drawn as it says, and judged as it says."""

from itertools import pairwise

import numpy as np
import pytest
from pegbar.engine.strokes import POLY, Strokes
from pegbar.showcase import fox, judge, motion, setting

ORANGE, BLUE = (255, 128, 0), (0, 0, 255)
TIMES = [motion.FIRST + quarter / 4 for quarter in range(4 * (motion.LAST - motion.FIRST) + 1)]


@pytest.fixture
def squares():
    """Three filled squares of 20 pixels side by side with a gap, two of one colour."""
    corners = np.array([(0, 0), (20, 0), (20, 20), (0, 20)], float)
    points = np.concatenate([corners + np.array((10 + 30 * i, 10)) for i in range(3)])
    n = len(points)
    return Strokes(
        size=(100, 40),
        points=points,
        depth=np.zeros(n),
        handles=np.repeat(points[:, None], 2, axis=1),
        widths=np.ones(n, np.float32),
        opacity=np.ones(n, np.float32),
        offsets=np.int32([0, 4, 8, 12]),
        curve_type=np.full(3, POLY, np.uint8),
        cyclic=np.ones(3, bool),
        line_colour=np.zeros((3, 4), np.float32),
        fill_colour=np.float32([[*np.divide(c, 255), 1] for c in (ORANGE, BLUE, ORANGE)]),
        layer=np.zeros(3, np.int32),
        material=np.zeros(3, np.int32),
        source=np.arange(3, dtype=np.int32),
        layers=("Fox",),
        matrices=np.eye(4)[None],
    )


def painted(*colours):
    picture = np.full((40, 100, 3), 255, np.uint8)
    for i, colour in enumerate(colours):
        picture[10:30, 10 + 30 * i : 30 + 30 * i] = colour
    return picture


def test_two_parts_of_one_colour_are_two_regions(squares):
    right = painted(ORANGE, BLUE, ORANGE)
    counted = judge.score(right, right, judge.truth_of(squares), np.ones((40, 100), bool))
    assert counted == judge.Score(pixels=1200, pixels_right=1200, copied_right=1200, regions=3, regions_right=3)


def test_a_wrong_colour_counts_its_pixels_and_its_region(squares):
    result, reference = painted(ORANGE, ORANGE, ORANGE), painted(BLUE, BLUE, BLUE)
    result[10:15, 10:30] = BLUE
    counted = judge.score(result, reference, judge.truth_of(squares), np.ones((40, 100), bool))
    assert counted == judge.Score(pixels=1200, pixels_right=700, copied_right=400, regions=3, regions_right=2)


def test_lines_and_specks_are_not_judged_as_regions(squares):
    judged = np.zeros((40, 100), bool)
    judged[10:13, 10:13] = judged[10:14, 40:44] = True
    right = painted(ORANGE, BLUE, ORANGE)
    counted = judge.score(right, right, judge.truth_of(squares), judged)
    assert (counted.pixels, counted.regions) == (9 + 16, 1)


def test_a_colour_that_the_palette_lacks_is_a_violation_on_every_pixel_off_the_lines():
    palette = np.unique(judge.packed(np.uint8([ORANGE, BLUE])))
    off_lines = np.ones((40, 100), bool)
    off_lines[:, :10] = off_lines[:, 12:] = False
    assert judge.violations(painted(ORANGE, BLUE, BLUE), off_lines, palette) == 20 * 2
    off_lines[:10] = off_lines[30:] = False
    assert judge.violations(painted(ORANGE, BLUE, BLUE), off_lines, palette) == 0


@pytest.mark.parametrize("near", [False, True])
def test_a_foot_on_the_ground_does_not_slide(near):
    places = [motion.foot(time, near) for time in TIMES]
    standing = [(time, x) for time, (x, z, tilt) in zip(TIMES, places, strict=True) if z <= 0.11 and tilt == 0.0]
    pairs = [(a, b) for a, b in pairwise(standing) if b[0] - a[0] == 0.25]
    assert len(pairs) > 40
    assert all(a[1] == b[1] for a, b in pairs)


def test_nothing_jumps_between_two_frames():
    for signal in (
        motion.hip_x,
        motion.hip_z,
        motion.lean,
        motion.yaw,
        motion.pitch,
        motion.tilt,
        motion.tail,
        motion.scarf,
        motion.balloon,
    ):
        values = [signal(time) for time in range(motion.FIRST, motion.LAST + 1)]
        assert np.abs(np.diff(values)).max() < 0.35, signal


@pytest.mark.parametrize("time", [1, 10, 20.5, 31, 43, 48])
def test_every_part_has_a_colour_and_finite_points(time):
    place = [shape for _, shapes in setting.layers().values() for shape in shapes] + setting.meadow()[1]
    for shape in [*fox.fox(time), *fox.shadow(time), *place]:
        assert shape.material in {"Line", *fox.PALETTE, *setting.PALETTE}
        assert np.isfinite(shape.points).all() and (shape.width > 0).all()
        assert len(shape.width) == len(shape.points)


def test_every_colour_of_the_palette_is_used():
    place = [shape for _, shapes in setting.layers().values() for shape in shapes] + setting.meadow()[1]
    used = {shape.material for time in range(1, 49) for shape in [*fox.fox(time), *fox.shadow(time), *place]}
    assert used == {"Line", *fox.PALETTE, *setting.PALETTE}
