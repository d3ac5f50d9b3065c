"""Raster sketches to strokes: where the lines are, which is which from frame to frame, and what of the source they keep."""

from dataclasses import replace

import numpy as np
import pytest
from pegbar.engine.drawing.fitting import fitted
from pegbar.engine.drawing.raster import ink
from pegbar.engine.drawing.trace import Tracer, trace
from pegbar.engine.strokes import BEZIER, CATMULL_ROM, POLY, Strokes

from .sketches import FAULTS, clip, drawing, faulty, kept, lines, off, overlap, sketch

SIZE = (200, 160)
HELD = ("size", "layers", "materials", "drawing")


def line(start, end, width=4.0, count=12, **values):
    points = np.linspace(start, end, count)
    return points.astype(float), width, values


def ring(x, y, radius, width=4.0, count=24):
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1), width, {"cyclic": True}


def traced(*strokes, size=SIZE):
    true = drawing(list(strokes), size)
    return true, trace(ink(true, size))


def shifted(strokes, by):
    return replace(strokes, points=strokes.points + by, handles=strokes.handles + np.array(by))


def length(points):
    return np.linalg.norm(np.diff(points, axis=0), axis=1).sum()


def test_a_blank_image_has_no_strokes():
    made = trace(np.zeros((64, 80), np.float32))
    assert made.size == (80, 64) and len(made.cyclic) == 0
    made.check()


@pytest.mark.parametrize("width", [1.5, 4, 12])
def test_a_line_is_one_stroke_of_its_length_and_width(width):
    _, made = traced(line((30, 30), (160, 110), width))
    assert len(made.cyclic) == 1 and made.curve_type[0] == BEZIER
    assert length(lines(made)[0]) == pytest.approx(np.hypot(130, 80), abs=1.5)
    np.testing.assert_allclose(made.widths, width, rtol=0.15)


def test_a_curve_has_few_points():
    angle = np.linspace(0, 3, 40)
    _, made = traced((np.stack([100 + 60 * np.cos(angle), 40 + 60 * np.sin(angle)], axis=1), 4.0, {}))
    assert len(made.cyclic) == 1 and len(made.points) <= 8


@pytest.mark.parametrize("points", [[[0, 0], [0.5, 0.6], [0.8, 1.4]], [[0, 0], [0.8, 0.4], [1.5, 1.0]], [[0, 0], [0, 0.8], [0.1, 1.5]]])
def test_a_handle_is_no_longer_than_its_line(points):
    """Where a line starts and ends in nearly one direction, handles of any length would fit its points."""
    curve = fitted(np.array(points, float), np.full(len(points), 2.0), closed=False, tolerance=0.5)
    assert np.linalg.norm(curve.handles - curve.points[:, None], axis=2).max() <= length(np.array(points))


def test_two_lines_that_cross_are_two_strokes_that_go_straight_on():
    true, made = traced(line((20, 20), (180, 140)), line((20, 140), (180, 20)))
    assert len(made.cyclic) == 2
    assert np.percentile(off(true, made), 99) < 0.6


def test_a_line_that_ends_on_another_is_a_stroke_of_its_own_up_to_it():
    true, made = traced(line((20, 80), (180, 80)), line((100, 80), (110, 20)))
    assert len(made.cyclic) == 2
    assert np.percentile(off(true, made), 99) < 1.5


def test_a_ring_is_closed():
    true, made = traced(ring(100, 80, 50))
    assert made.cyclic.tolist() == [True]
    assert off(true, made).max() < 0.6


def test_a_dot_is_a_single_point_of_its_width():
    _, made = traced((np.array([[60.0, 50.0]]), 11.0, {}))
    assert len(made.points) == 1
    np.testing.assert_allclose(made.points[0], (60, 50), atol=0.3)
    assert made.widths[0] == pytest.approx(11, rel=0.08)


def test_corners_stay_sharp():
    corners = np.array([(40, 40), (160, 40), (160, 120), (40, 120)], float)
    true, made = traced((corners, 3.0, {"cyclic": True, "kind": POLY}))
    assert len(made.cyclic) == 1
    assert all(np.linalg.norm(lines(made)[0] - corner, axis=1).min() < 1.5 for corner in corners)
    assert off(true, made).max() < 1.2


def test_a_tapered_stroke_keeps_its_widths():
    true, made = traced((np.linspace((20, 80), (180, 70), 20), np.linspace(14, 3, 20), {}))
    assert len(made.cyclic) == 1
    assert sorted([made.widths[0], made.widths[-1]]) == pytest.approx([3, 14], rel=0.2)
    assert overlap(ink(made, SIZE), ink(true, SIZE)) > 0.95


def test_grey_lines_are_traced_as_wide_as_they_are():
    true = drawing([line((30, 30), (160, 110), 9)], SIZE)
    made = trace(np.float32(0.5) * ink(true, SIZE))
    np.testing.assert_allclose(made.widths, 9, rtol=0.12)
    np.testing.assert_allclose(made.opacity, 0.5, atol=0.05)


def test_soft_and_noisy_lines_keep_their_width_and_grow_no_hair():
    true = drawing([line((30, 30), (160, 110), 5), ring(60, 110, 30, 4)], SIZE)
    made = trace(faulty(ink(true, SIZE), "soft and noisy", np.random.default_rng(0)))
    assert len(made.cyclic) == 2
    assert np.median(off(true, made)) < 0.4


@pytest.mark.parametrize("fault", FAULTS)
def test_curves_of_few_points_drawn_again_are_the_ink(fault):
    x = np.linspace(20, 180, 60)
    waves = [(np.stack([x, y + 12 * np.sin(x / 14 + y)], axis=1), 3.0 + np.sin(x / 20), {}) for y in (35, 75, 120)]
    true = ink(drawing(waves, SIZE), SIZE)
    made = trace(faulty(true, fault, np.random.default_rng(1)))
    assert len(made.cyclic) == 3 and len(made.points) < 60
    assert overlap(ink(replace(made, opacity=np.ones_like(made.opacity)), SIZE), true) > 0.94


def test_generated_drawings_are_traced():
    """Slightly looser than benchmarks/trace.py, which measures 200."""
    found = []
    for seed in range(36):
        true = sketch(seed)
        clean = ink(true, true.size)
        made = trace(faulty(clean, FAULTS[seed % len(FAULTS)], np.random.default_rng([seed, 3])))
        made.check()
        again = overlap(ink(replace(made, opacity=np.ones_like(made.opacity)), made.size), clean)
        found.append((again, len(made.cyclic) / len(true.cyclic), np.median(off(true, made))))
    again, count, away = np.transpose(found)
    assert np.median(again) > 0.95
    assert abs(np.median(count) - 1) < 0.15 and (abs(count - 1) <= 0.25).mean() > 0.7
    assert away.max() < 0.5


# --- from frame to frame


def test_strokes_keep_who_they_are_in_clips():
    shares = []
    for seed in (1, 6, 11, 16):
        moving = clip(seed, fault=FAULTS[seed % len(FAULTS)])
        tracer = Tracer(moving.truth[0], moving.truth[0].size)
        shares += [kept(true, tracer.trace(image)).mean() for true, image in zip(moving.truth, moving.frames, strict=True)]
    assert np.mean(shares) > 0.9


@pytest.fixture
def source():
    strokes = [line((30, 30), (160, 60), 5), ring(100, 90, 35), line((60, 140), (150, 40), 4), line((20, 120), (60, 140), 6)]
    made = drawing(
        strokes, SIZE, layers=("Body", "Face"), matrices=np.stack([np.eye(4), 2 * np.eye(4)]), materials=("Ink", "Red"), drawing=7
    )
    return replace(
        made,
        layer=np.array([0, 0, 1, 1], np.int32),
        source=np.array([0, 1, 0, 1], np.int32),
        material=np.array([0, 1, 0, 1], np.int32),
        depth=np.repeat([0.1, 0.2, 0.3, 0.4], np.diff(made.offsets)),
    )


def test_the_source_drawn_again_is_the_source_itself(source):
    tracer = Tracer(source, SIZE)
    assert tracer.trace(ink(source, SIZE)) is source


def test_a_frame_like_its_predecessor_gives_the_same_object(source):
    tracer = Tracer(source, SIZE)
    image = ink(shifted(source, (6, -4)), SIZE)
    first = tracer.trace(image)
    assert first is not source
    noisy = np.float32(image + np.random.default_rng(0).normal(0, 0.01, image.shape)).clip(0, 1)
    assert tracer.trace(noisy) is first


def test_a_moved_stroke_has_all_that_its_source_has(source):
    by = np.array((6.0, -4.0))
    made = Tracer(source, SIZE).trace(ink(shifted(source, by), SIZE))
    for name in HELD:
        assert getattr(made, name) == getattr(source, name)
    for name in ("offsets", "layer", "material", "source", "curve_type", "cyclic", "depth", "widths", "line_colour"):
        np.testing.assert_array_equal(getattr(made, name), getattr(source, name), err_msg=name)
    across = off(shifted(source, by), made)
    assert np.percentile(across, 95) < 0.8


PERSPECTIVE = np.array([[1.6, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, -1.002, -0.2002], [0.0, 0.0, -1.0, 0.0]])
ORTHOGRAPHIC = np.array([[0.16, 0.0, 0.0, 0.0], [0.0, 0.2, 0.0, 0.0], [0.0, 0.0, -0.02, -1.0], [0.0, 0.0, 0.0, 1.0]])


def on_tilted_plane(strokes, matrix):
    """The strokes on the plane z = x/2 + y/5 - 10 of their layer's space."""
    x, y = ((strokes.points / strokes.size - 0.5) * (2, -2)).T
    rows = np.stack([matrix[0] - x[:, None] * matrix[3], matrix[1] - y[:, None] * matrix[3]], axis=1)
    rows = np.concatenate([rows, np.tile([0.5, 0.2, -1, -10], (len(x), 1, 1))], axis=1)
    space = np.linalg.solve(rows[..., :3], -rows[..., 3:])[..., 0]
    clip = np.column_stack([space, np.ones(len(x))]) @ matrix.T
    return replace(strokes, depth=clip[:, 2] / clip[:, 3], matrices=np.repeat(matrix[None], len(strokes.layers), axis=0))


@pytest.mark.parametrize("matrix", [PERSPECTIVE, ORTHOGRAPHIC], ids=["perspective", "orthographic"])
def test_strokes_stay_on_a_plane_that_is_tilted_to_the_camera(source, matrix):
    source = on_tilted_plane(source, matrix)
    image = np.maximum(ink(shifted(source, (6, -4)), SIZE), ink(drawing([line((100, 70), (120, 105), 4)], SIZE), SIZE))
    made = Tracer(source, SIZE).trace(image)
    assert (made.source < 0).sum() == 1 and not np.array_equal(made.points[: len(source.points)], source.points)
    np.testing.assert_allclose(made.depth, on_tilted_plane(made, matrix).depth, rtol=1e-9, atol=1e-12)


def test_ink_of_another_size_leads_back_to_the_sources_pixels(source):
    made = Tracer(source, SIZE).trace(ink(shifted(source, (6, -4)), (400, 320)))
    assert made.size == SIZE
    assert np.percentile(off(shifted(source, (6, -4)), made), 95) < 0.8


def test_a_stroke_that_is_gone_is_left_out_and_known_again_when_it_comes_back(source):
    without = drawing([line((30, 30), (160, 60), 5), ring(100, 90, 35), line((60, 140), (150, 40), 4)], SIZE)
    tracer = Tracer(source, SIZE)
    made = tracer.trace(ink(without, SIZE))
    assert list(zip(made.layer.tolist(), made.source.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 0)]
    back = tracer.trace(ink(source, SIZE))
    assert list(zip(back.layer.tolist(), back.source.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_a_new_stroke_lies_right_above_the_nearest_and_keeps_its_place(source):
    image = np.maximum(ink(source, SIZE), ink(drawing([line((100, 70), (120, 105), 4)], SIZE), SIZE))
    tracer = Tracer(source, SIZE)
    made = tracer.trace(image)
    assert (made.source < 0).sum() == 1
    new = int(np.flatnonzero(made.source < 0)[0])
    assert made.layer[new] == made.layer[new - 1] and made.material[new] == made.material[new - 1]
    assert tracer.trace(image) is made


def test_a_crossing_that_appears_does_not_swap_strokes():
    def at(x):
        return drawing([line((x, 50), (x + 70, 110), 4), line((120, 20), (110, 140), 4)], SIZE)

    tracer = Tracer(at(20), SIZE)
    for x in range(20, 112, 6):
        made = tracer.trace(ink(at(x), SIZE))
        assert kept(at(x), made).all()
    assert made.source.tolist() == [0, 1]


def test_a_stroke_keeps_its_direction():
    way = drawing([line((160, 100), (30, 40))], SIZE)
    made = Tracer(way, SIZE).trace(ink(shifted(way, (5, 3)), SIZE))
    assert made.points[0, 0] > made.points[-1, 0]


def test_a_fill_without_a_line_moves_with_the_strokes_near_it(source):
    fill = np.zeros((4, 4), np.float32)
    fill[1] = (1, 0, 0, 1)
    line_colour = source.line_colour.copy()
    line_colour[1, 3] = 0
    source = replace(source, fill_colour=fill, line_colour=line_colour)
    made = Tracer(source, SIZE).trace(ink(shifted(source, (6, -4)), SIZE))
    ring_points = slice(*source.offsets[1:3])
    np.testing.assert_allclose(made.points[ring_points] - source.points[ring_points], np.tile((6, -4), (24, 1)), atol=3)


def test_a_run_that_was_cut_off_goes_on_the_same(tmp_path):
    moving = clip(3, frames=5)
    first = moving.truth[0]
    whole = Tracer(first, first.size)
    results = [whole.trace(image) for image in moving.frames]
    results[2].save(tmp_path / "0003.npz")
    again = Tracer(first, first.size, previous=Strokes.load(tmp_path / "0003.npz"))
    assert [again.trace(image).to_bytes() for image in moving.frames[3:]] == [made.to_bytes() for made in results[3:]]


def test_bezier_sources_keep_their_points_and_handles_bend_with_the_line():
    points = np.array([(30, 80), (100, 40), (170, 90)], float)
    handles = points[:, None] + np.array([(-20, 0), (20, 0)])
    true = drawing([(points, 4.0, {"kind": BEZIER, "handles": handles})], SIZE)
    moved = shifted(true, (4, 7))
    made = Tracer(true, SIZE).trace(ink(moved, SIZE))
    assert made.curve_type.tolist() == [BEZIER] and len(made.points) == 3
    assert np.percentile(off(moved, made), 95) < 0.8


def test_a_bent_stroke_of_too_few_points_gets_more():
    straight = drawing([line((30, 80), (170, 80), count=2, kind=POLY)], SIZE)
    x = np.linspace(30, 170, 30)
    bent = drawing([(np.stack([x, 80 + 10 * np.sin((x - 30) / 140 * np.pi)], axis=1), 4.0, {"kind": CATMULL_ROM})], SIZE)
    made = Tracer(straight, SIZE).trace(ink(bent, SIZE))
    assert made.source.tolist() == [0] and len(made.points) > 2
    assert np.percentile(off(bent, made), 95) < 1.2
