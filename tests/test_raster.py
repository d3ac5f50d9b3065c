"""Strokes to pictures: places, areas, colours and order."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from pegbar.engine.drawing.curves import sample
from pegbar.engine.drawing.raster import coloured, ink, sketch
from pegbar.engine.protocol import PegbarError
from pegbar.engine.strokes import BEZIER, CATMULL_ROM, NURBS, POLY, Strokes

SIZE = (200, 160)
MIDDLE = np.array([100, 80])
BLACK, NONE = (0, 0, 0, 1), (0, 0, 0, 0)
ROUND = 4 * (2**0.5 - 1) / 3
"""How long a handle is where four Bézier curves are a circle of radius 1."""


def drawing(*strokes, size=SIZE, **drawn):
    """Strokes from (points, values by name) each, on one layer seen without perspective."""
    points = [np.array(at, float).reshape(-1, 2) for at, _ in strokes]
    count = [len(at) for at in points]

    def along(name, default):
        columns = [np.broadcast_to(np.float32(values.get(name, default)), n) for (_, values), n in zip(strokes, count, strict=True)]
        return np.concatenate([*columns, np.zeros(0, np.float32)])

    def each(name, default, dtype, *shape):
        return np.array([values.get(name, default) for _, values in strokes], dtype).reshape(-1, *shape)

    joined = np.concatenate([*points, np.zeros((0, 2))])
    handles = [values.get("handles", np.repeat(at[:, None], 2, axis=1)) for at, (_, values) in zip(points, strokes, strict=True)]
    return replace(
        Strokes(
            size=size,
            points=joined,
            depth=np.zeros(len(joined)),
            handles=np.concatenate([*handles, np.zeros((0, 2, 2))]),
            widths=along("width", 8),
            opacity=along("opacity", 1),
            offsets=np.cumsum([0, *count], dtype=np.int32),
            curve_type=each("kind", POLY, np.uint8),
            cyclic=each("cyclic", False, bool),
            line_colour=each("line", BLACK, np.float32, 4),
            fill_colour=each("fill", NONE, np.float32, 4),
            layer=each("layer", 0, np.int32),
            material=each("material", -1, np.int32),
            source=np.arange(len(strokes), dtype=np.int32),
            layers=("Lines", "Paint"),
            matrices=np.stack([np.eye(4)] * 2),
        ),
        **drawn,
    )


def circle(x, y, radius, **values):
    on = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)], float)
    along = np.array([(0, 1), (-1, 0), (0, -1), (1, 0)]) * ROUND
    handles = np.stack([on - along, on + along], axis=1) * radius + (x, y)
    return on * radius + (x, y), {"kind": BEZIER, "cyclic": True, "handles": handles, **values}


def square(x, y, side, **values):
    return [(x, y), (x + side, y), (x + side, y + side), (x, y + side)], {"cyclic": True, **values}


@pytest.mark.parametrize("turn", [0.0, 0.3, 1.0, 2.5])
@pytest.mark.parametrize("width", [3, 20])
def test_a_line_has_the_area_of_a_capsule(turn, width):
    way = 60 * np.array([np.cos(turn), np.sin(turn)])
    area = ink(drawing(([MIDDLE - way, MIDDLE + way], {"width": width})), SIZE).sum()
    assert area == pytest.approx(120 * width + np.pi * width**2 / 4, rel=5e-3)


def test_a_tapered_line_has_the_area_of_its_trapezium_and_its_caps():
    area = ink(drawing(([(40, 80), (160, 80)], {"width": [40, 10]})), SIZE).sum()
    assert area == pytest.approx(120 * 25 + np.pi * (20**2 + 5**2) / 2, rel=5e-3)


def test_a_line_lies_where_its_points_are():
    """(0, 0) is the outer corner of the top left pixel: a line of width 2 along y = 10 covers rows 9 and 10."""
    picture = ink(drawing(([(-20, 10), (220, 10)], {"width": 2})), SIZE)
    assert (picture[9:11] == 1).all() and picture.sum() == 2 * 200


def test_four_beziers_are_a_circle_and_two_points_with_handles_a_curve():
    picture = ink(drawing(circle(100, 80, 60, width=6)), SIZE)
    assert picture.sum() == pytest.approx(2 * np.pi * 60 * 6, rel=5e-3)
    y, x = np.mgrid[:160, :200] + 0.5
    distance = np.hypot(x - 100, y - 80)
    assert (picture[np.abs(distance - 60) < 2] == 1).all()
    assert (picture[np.abs(distance - 60) > 4] == 0).all()
    filled = coloured(drawing(circle(100, 80, 60, line=NONE, fill=(1, 0, 0, 1))), SIZE)
    assert filled[..., 3].sum() == pytest.approx(np.pi * 60**2, rel=5e-3)


def test_a_catmull_rom_curve_runs_through_its_points_and_a_nurbs_curve_does_not():
    points = np.array([(20, 80), (60, 40), (100, 120), (140, 40), (180, 80)], float)
    lines = sample(drawing((points, {"kind": CATMULL_ROM})), SIZE)
    nearest = np.linalg.norm(lines.points[:, None] - points, axis=2).min(axis=0)
    assert nearest.max() < 1e-9
    # uniform: half way between two points at (-p0 + 9 p1 + 9 p2 - p3) / 16
    middle = (-points[0] + 9 * points[1] + 9 * points[2] - points[3]) / 16
    assert np.linalg.norm(lines.points - middle, axis=1).min() < 1e-9
    spline = sample(drawing((points, {"kind": NURBS})), SIZE)
    assert spline.points[0] == pytest.approx((points[0] + 4 * points[1] + points[2]) / 6)
    assert spline.points[-1] == pytest.approx((points[2] + 4 * points[3] + points[4]) / 6)


@pytest.mark.parametrize("kind", [CATMULL_ROM, NURBS])
def test_a_curve_in_perspective_is_the_picture_of_the_curve_in_space(kind):
    """Not the curve through the pictures of its points."""
    space = np.array([(-2, -1, -4), (-1, 1, -6), (0, -1, -9), (1, 1, -14), (2, -0.5, -5)])
    look = np.array([(1, 0, 0, 0), (0, 1.25, 0, 0), (0, 0, -1.02, -0.2), (0, 0, -1, 0)])

    def seen(places):
        clip = np.c_[places, np.ones(len(places))] @ look.T
        return (clip[:, :2] / clip[:, 3:] * (0.5, -0.5) + 0.5) * SIZE, clip[:, 2] / clip[:, 3]

    points, depth = seen(space)
    lines = sample(drawing((points, {"kind": kind}), depth=depth, matrices=np.stack([look] * 2)), SIZE)
    weights = np.array([(-1, 9, 9, -1)]) / 16 if kind == CATMULL_ROM else np.array([(1, 23, 23, 1)]) / 48
    middles = [seen(weights @ space[i : i + 4])[0][0] for i in range(2)]
    through_pictures = [weights[0] @ points[i : i + 4] for i in range(2)]
    for middle, wrong in zip(middles, through_pictures, strict=True):
        assert distance_to(lines, middle) < 0.2 < np.linalg.norm(middle - wrong)


def distance_to(lines, place):
    a, b = lines.points[:-1], lines.points[1:]
    share = np.clip(((place - a) * (b - a)).sum(axis=1) / np.maximum(((b - a) ** 2).sum(axis=1), 1e-12), 0, 1)
    return np.linalg.norm(a + (b - a) * share[:, None] - place, axis=1).min()


def test_a_stroke_that_crosses_itself_is_not_darker_there():
    cross = ([(20, 20), (180, 140), (180, 20), (20, 140)], {"width": 30, "line": (0, 0, 0, 0.5)})
    picture = ink(drawing(cross), SIZE)
    assert picture.max() == pytest.approx(0.5, abs=1 / 255)
    assert picture[80, 100] == pytest.approx(0.5, abs=1 / 255)


def test_two_translucent_strokes_are_darker_where_they_cross():
    one, two = ([(20, 80), (180, 80)], {"width": 20, "opacity": 0.5}), ([(100, 10), (100, 150)], {"width": 20, "opacity": 0.5})
    assert ink(drawing(one, two), SIZE)[80, 100] == pytest.approx(0.75, abs=2 / 255)


def test_a_translucent_layer_lies_as_a_whole():
    one, two = ([(20, 80), (180, 80)], {"width": 20}), ([(100, 10), (100, 150)], {"width": 20})
    picture = ink(drawing(one, two, layer_opacity=(0.5, 1.0)), SIZE)
    assert picture[80, 100] == picture[80, 50] == pytest.approx(0.5, abs=1 / 255)


def test_opacity_changes_along_the_stroke_and_not_where_it_crosses_itself():
    picture = ink(drawing(([(20, 80), (180, 80)], {"width": 20, "opacity": [0, 1]})), SIZE)
    assert picture[80, 30:170] == pytest.approx((np.arange(30, 170) + 0.5 - 20) / 160, abs=0.01)
    assert picture[:69].max() == picture[91:].max() == 0
    cross = ([(20, 20), (180, 140), (180, 20), (20, 140)], {"width": 10, "opacity": [0.4, 0.5, 0.5, 0.6]})
    assert ink(drawing(cross), SIZE).max() < 0.61


@pytest.mark.parametrize("points", [[(30, 80), (100, 20), (170, 80)], [(60, 20), (64, 140), (68, 20)], [(40, 40), (160, 40), (40, 40.5)]])
def test_no_turn_leaves_a_hole(points):
    """However sharp a turn and wide the line: all that lies within half a width of the middle line is ink."""
    fine = np.concatenate([np.linspace(a, b, 401) for a, b in pairwise(points)])
    for stroke in (points, fine):
        picture = ink(drawing((stroke, {"width": 60})), SIZE)
        y, x = np.mgrid[:160, :200] + 0.5
        distance = np.hypot(x[..., None] - fine[::2, 0], y[..., None] - fine[::2, 1]).min(axis=2)
        assert picture[distance < 29].min() == 1
        assert picture[distance > 31].max() == 0


def test_a_tight_loop_of_many_points_has_no_hole():
    turn = np.linspace(0, 4 * np.pi, 300)
    spiral = np.stack([100 + turn * np.cos(turn), 80 + turn * np.sin(turn)], axis=1)
    picture = ink(drawing((spiral, {"width": 40})), SIZE)
    y, x = np.mgrid[:160, :200] + 0.5
    assert picture[np.hypot(x - 100, y - 80) < 25].min() > 0.9


def test_opaque_fills_are_exactly_their_colour():
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 256, (24, 3))
    squares = [square(10 + 30 * (i % 6), 10 + 30 * (i // 6), 20, line=NONE, fill=(*level / 255, 1)) for i, level in enumerate(levels)]
    picture = coloured(drawing(*squares), SIZE)
    for i, level in enumerate(levels):
        y, x = 10 + 30 * (i // 6), 10 + 30 * (i % 6)
        inside = picture[y + 1 : y + 19, x + 1 : x + 19]
        assert (np.rint(inside * 255) == (*level, 255)).all()
        assert np.abs(inside - (*level / 255, 1)).max() < 1e-6


def test_strokes_are_painted_in_order_each_its_fill_and_then_its_line():
    red, blue = square(20, 20, 80, fill=(1, 0, 0, 1), width=10), square(60, 60, 80, fill=(0, 0, 1, 1), line=(0, 1, 0, 1), width=10)
    picture = coloured(drawing(red, blue), SIZE)
    assert picture[40, 40].tolist() == [1, 0, 0, 1]
    assert picture[90, 90].tolist() == [0, 0, 1, 1]
    assert picture[60, 90].tolist() == [0, 1, 0, 1]
    assert coloured(drawing(blue, red), SIZE)[60, 90].tolist() == [1, 0, 0, 1]
    assert picture[5, 5].tolist() == [0, 0, 0, 0]


def test_without_lines_the_fills_run_under_them():
    picture = coloured(drawing(square(20, 20, 80, fill=(1, 0, 0, 1), width=10)), SIZE, lines=False)
    assert (picture[20:100, 20:100] == (1, 0, 0, 1)).all() and picture[..., 3].sum() == 80 * 80


def test_alpha_is_straight():
    picture = coloured(drawing(square(20, 20, 80, line=NONE, fill=(0.2, 0.6, 0.4, 0.5))), SIZE)
    assert picture[50, 50] == pytest.approx([0.2, 0.6, 0.4, 0.5], abs=1e-6)


def test_a_sketch_is_black_on_white_and_fills_hide_what_lies_under_them():
    under, light = ([(0, 80), (200, 80)], {"line": (1, 0, 0, 1)}), square(40, 40, 40, fill=(0.9, 0.8, 0.2, 1), line=NONE)
    dark = square(120, 40, 40, fill=(0.2, 0.1, 0.2, 1), line=NONE)
    picture = sketch(drawing(under, light, dark), SIZE)
    assert picture.shape == (160, 200, 4) and (picture[..., 3] == 1).all()
    assert (picture[..., 0] == picture[..., 1]).all() and (picture[..., 0] == picture[..., 2]).all()
    assert picture[79, [20, 60, 140, 190], 0].tolist() == [0, 1, 0, 0]
    assert picture[60, [60, 140], 0].tolist() == [1, 0]
    assert picture[10, 10, 0] == 1


def test_a_drawing_is_the_same_at_every_size():
    lines = drawing(circle(100, 80, 60, width=8), ([(20, 20), (180, 140)], {"width": [2, 20]}))
    small, large = ink(lines, SIZE), ink(lines, (800, 640))
    assert large.reshape(160, 4, 200, 4).mean(axis=(1, 3)) == pytest.approx(small, abs=0.12)
    assert large.sum() / 16 == pytest.approx(small.sum(), rel=5e-3)
    assert ink(lines, (400, 160)).sum() == pytest.approx(small.sum() * 2, rel=0.2)


def test_hairlines_do_not_vanish():
    lines = drawing(([(0, 800), (2000, 800)], {"width": 0.5}), size=(2000, 1600))
    assert ink(lines, (200, 160)).sum() == pytest.approx(200, rel=1e-2)
    assert ink(replace(lines, widths=np.zeros_like(lines.widths)), (200, 160)).max() == 0


def test_a_point_is_a_dot_and_so_is_a_stroke_without_length():
    for points in ([(100, 80)], [(100, 80)] * 5):
        for cyclic in (False, True):
            for kind in (POLY, CATMULL_ROM, BEZIER, NURBS):
                picture = ink(drawing((points, {"width": 40, "cyclic": cyclic, "kind": kind})), SIZE)
                assert picture.sum() == pytest.approx(np.pi * 20**2, rel=5e-3)


def test_empty_drawings_are_empty_pictures():
    for empty in (drawing(), drawing(([], {}), ([], {"cyclic": True, "fill": BLACK}))):
        assert ink(empty, SIZE).max() == 0 and coloured(empty, SIZE).max() == 0 and sketch(empty, SIZE).min() == 1
    part = drawing(([], {}), ([(100, 80)], {"width": 40}), ([], {}))
    assert ink(part, SIZE).sum() == pytest.approx(np.pi * 20**2, rel=5e-3)


def test_what_is_not_a_number_is_left_out():
    nan, inf = np.nan, np.inf
    whole = drawing(([(20, 80), (180, 80)], {"width": 10}))
    broken = drawing(([(20, 80), (nan, 5), (100, inf), (180, 80)], {"width": 10}), ([(nan, nan)] * 3, {}))
    assert (ink(broken, SIZE) == ink(whole, SIZE)).all()
    lost = replace(whole, widths=np.float32([nan, 10]), opacity=np.float32([1, nan]), line_colour=np.float32([[nan, 0, 0, 1]]))
    assert np.isfinite(coloured(lost, SIZE)).all()
    handles = np.full((2, 2, 2), nan)
    assert (ink(replace(whole, curve_type=np.uint8([BEZIER]), handles=handles), SIZE) == ink(whole, SIZE)).all()
    assert (ink(replace(whole, depth=np.float64([nan, inf])), SIZE) == ink(whole, SIZE)).all()
    assert (ink(replace(whole, matrices=np.zeros((2, 4, 4))), SIZE) == ink(whole, SIZE)).all()


def test_what_lies_far_outside_or_is_very_wide_is_drawn_as_far_as_it_shows():
    far = ink(drawing(([(-1e5, 80), (1e5, 80)], {"width": 10})), SIZE)
    assert far.sum() == pytest.approx(200 * 10, rel=1e-2)
    assert ink(drawing(([(1e12, 1e12), (2e30, 1e30)], {"width": 10})), SIZE).max() == 0
    assert ink(drawing(([(100, 80), (110, 80)], {"width": 1e9})), SIZE).min() == 1
    assert coloured(drawing(square(-1e9, -1e9, 2e9, fill=(1, 0, 0, 1), width=1)), SIZE)[80, 100].tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize("size", [(0, 10), (10, -1), (100_000, 100_000)])
def test_a_size_that_cannot_be_is_refused_in_one_sentence(size):
    with pytest.raises(PegbarError, match=f"{size[0]}x{size[1]}: choose a size"):
        ink(drawing(), size)


def test_the_same_strokes_give_the_same_picture():
    lines = drawing(circle(100, 80, 60, opacity=[0.2, 0.5, 0.9, 1]), ([(20, 20), (180, 140)], {"width": [2, 20]}))
    assert all((picture(lines, SIZE) == picture(lines, SIZE)).all() for picture in (ink, sketch, coloured))
