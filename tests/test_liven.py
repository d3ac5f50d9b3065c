"""How `liven` moves a drawing: alive, whole, and held where it stands."""

from itertools import pairwise

import numpy as np
import pytest
from pegbar.engine.pipelines.liven import layout, limbs, pipeline
from pegbar.engine.pipelines.liven.motion import MOTIONS
from pegbar.engine.strokes import BEZIER, CATMULL_ROM, POLY
from pegbar.tests.livened import FEET, LEFT_EYE, TAIL, area, cat, circle, drawing, job_of, line, moved, part, run, unlike

MOVES = [name for name in MOTIONS if name != "boil"]


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("amount", [1.0, 3.0])
def test_a_motion_is_seen_and_stays_in_bounds(motion, amount):
    strokes = cat()
    size = np.linalg.norm(np.ptp(strokes.points, axis=0))
    way = np.array(
        [np.linalg.norm(frame.points - strokes.points, axis=1) for frame in moved(strokes, job_of(motion=motion, amount=amount))]
    )
    assert way.max() > 0.004 * size
    assert way.max() < 0.35 * amount * size
    if motion != "boil":
        assert np.linalg.norm(np.diff(way, axis=0), axis=1).min() > 0, "two drawings in a row are the same"


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_loop_closes(motion):
    """The frame after the last is the first, and the step over the seam is no jump."""
    strokes, job = cat(), job_of(motion=motion)
    moving, timing = pipeline.rig_of(strokes, pipeline.with_pivot(job, strokes)), pipeline.timing_of(job)
    assert timing.phase(1) == timing.phase(25) == 0
    if motion != "boil":
        poses = [moving.pose(timing.phase(frame))[0] for frame in range(1, 26)]
        np.testing.assert_array_equal(poses[0], poses[-1])
        steps = [np.abs(b - a).max() for a, b in pairwise(poses)]
        assert steps[-1] <= 1.1 * max(steps[:-1])


@pytest.mark.parametrize("frames, step, speed", [(24, 1, 1.0), (25, 2, 1.0), (37, 1, 2.5), (100, 3, 4.0), (3, 1, 4.0), (1, 1, 1.0)])
def test_a_loop_has_a_whole_number_of_cycles_of_four_drawings_or_more(frames, step, speed):
    job = job_of(frames, step, speed=speed, motion="bounce")
    period = len(job.shot.frames) * step
    cycles = period / pipeline.timing_of(job).cycle
    assert cycles == pytest.approx(round(cycles)) and cycles >= 1
    assert len(job.shot.frames) / cycles >= min(4, len(job.shot.frames))
    wanted = period / 24 * speed
    assert cycles == 1 or abs(cycles - wanted) <= 0.5 or len(job.shot.frames) / cycles < 5


@pytest.mark.parametrize("motion", MOVES)
def test_without_loop_the_motion_starts_and_ends_at_rest(motion):
    strokes = cat()
    frames = moved(strokes, job_of(48, loop=False, motion=motion))
    assert frames[0] is strokes and frames[-1] is strokes
    steps = [np.abs(b.points - a.points).max() for a, b in pairwise(frames)]
    assert steps[0] < 0.5 * max(steps) and steps[-1] < 0.5 * max(steps)


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("kind", [POLY, CATMULL_ROM])
def test_strokes_that_touch_stay_together(motion, kind):
    strokes = cat(kind)
    size = np.linalg.norm(np.ptp(strokes.points, axis=0))
    graph = layout.layout(strokes)
    owner = graph.curves.stroke[: len(strokes.points)]
    apart = np.linalg.norm(strokes.points[:, None] - strokes.points[None], axis=2)
    a, b = np.nonzero((apart < 0.01 * size) & (owner[:, None] < owner[None]))
    assert len(a) >= 6
    for frame in moved(strokes, job_of(motion=motion, amount=1.5)):
        now = np.linalg.norm(frame.points[a] - frame.points[b], axis=1)
        assert np.abs(now - apart[a, b]).max() < 0.004 * size


def test_an_end_stays_on_the_middle_of_a_long_straight_segment():
    """The post has two points only: where the twig leaves it there is none."""
    post, twig = np.array([[300, 500], [300, 100]]), line((300, 300), (420, 280))
    strokes = drawing([post, twig, line((250, 500), (350, 500))])
    for frame in moved(strokes, job_of(motion="bounce")):
        (foot, tip), end = frame.points[:2], frame.points[2]
        along = (tip - foot) / np.linalg.norm(tip - foot)
        off = (end - foot) - along * np.dot(end - foot, along)
        assert np.linalg.norm(off) < 0.5


@pytest.mark.parametrize("motion", MOVES)
def test_eyes_keep_their_shape_and_their_place_in_the_head(motion):
    strokes = cat()
    for frame in moved(strokes, job_of(motion=motion, amount=1.5)):
        assert unlike(part(strokes, LEFT_EYE), part(frame, LEFT_EYE)) < 0.03
        head, eye = part(frame, 1), part(frame, LEFT_EYE)
        assert np.linalg.norm(head[:, None] - eye[None], axis=2).min() > 10, "the eye runs into the head's line"


@pytest.mark.parametrize("motion", MOVES)
def test_squash_and_stretch_keep_the_volume(motion):
    strokes = cat()
    for shape in (0, 1):
        areas = np.array([area(part(frame, shape)) for frame in moved(strokes, job_of(motion=motion))])
        assert np.abs(areas / area(part(strokes, shape)) - 1).max() < 0.06


@pytest.mark.parametrize("motion", ["breathe", "sway", "wobble"])
def test_feet_stay_on_the_ground(motion):
    strokes = cat()
    low = strokes.points[:, 1] > 565
    for frame in moved(strokes, job_of(motion=motion, amount=2.0)):
        assert np.abs(frame.points[low] - strokes.points[low]).max() < 0.005 * 500


def test_a_bounce_crouches_leaves_the_ground_and_squashes_where_it_lands():
    strokes = cat()
    frames = moved(strokes, job_of(motion="bounce"))
    ground, top = (np.array([side(frame.points[:, 1]) for frame in frames]) for side in (np.max, np.min))
    height = ground - top
    rest, air = np.ptp(strokes.points[:, 1]), ground < 572 - 20
    assert air.any() and not air[:4].any() and not air[-4:].any()
    assert height[: np.argmax(air)].min() < 0.95 * rest, "no anticipation"
    assert height[air].max() > 1.03 * rest, "no stretch"
    assert height[len(air) - np.argmax(air[::-1]) :].min() < 0.95 * rest, "no squash on landing"
    assert ground.max() < 572 + 3, "sinks into the ground"


def test_a_tail_trails_behind_the_body_and_overshoots():
    strokes = cat()
    ways = {}
    for follow in (0.0, 1.0):
        frames = moved(strokes, job_of(motion="sway", follow_through=follow))
        ways[follow] = np.array([part(frame, TAIL)[-1] - part(frame, TAIL)[0] for frame in frames])
    angle = {follow: np.unwrap(np.arctan2(*way.T)) for follow, way in ways.items()}
    wave = {follow: np.fft.rfft(value)[1] for follow, value in angle.items()}
    behind = np.angle(wave[0.0] / wave[1.0]) / (2 * np.pi)
    assert 0.01 < behind < 0.25, "cycles behind"
    assert abs(wave[1.0]) > 1.15 * abs(wave[0.0])


def test_limbs_are_what_hangs_free():
    strokes = cat()
    graph = layout.layout(strokes)
    lowest = np.flatnonzero(graph.cells[:, 1] > graph.cells[:, 1].max() - 30)
    hang = limbs.limbs(graph, lowest).hang[graph.cell[: len(strokes.points)]]
    assert part(strokes, TAIL, hang)[-1] == pytest.approx(230, rel=0.15)
    assert (np.diff(part(strokes, TAIL, hang)) > -1).all()
    assert part(strokes, 0, hang).max() == 0 and part(strokes, LEFT_EYE, hang).max() < 20
    assert all(part(strokes, foot, hang).max() < 20 for foot in FEET)


def ear(x, gap=0.0):
    """A long outlined ear on top of the head, its right foot `gap` pixels off the head's line."""
    way = np.linspace(0, 1, 30)
    left, right = 153.0, 153.0 - gap
    return np.stack([x - 25 + 50 * way, left + (right - left) * way - 150 * np.sin(np.pi * way) ** 0.6], axis=1)


def test_a_long_outlined_ear_is_a_limb_and_a_round_head_is_none():
    strokes = drawing([circle(300, 430, 130, 60), circle(300, 230, 80, 40), ear(300)], cyclic=(0, 1))
    graph = layout.layout(strokes)
    lowest = np.flatnonzero(graph.cells[:, 1] > graph.cells[:, 1].max() - 30)
    found = limbs.limbs(graph, lowest)
    hang, number = found.hang[graph.cell[: len(strokes.points)]], found.number[graph.cell[: len(strokes.points)]]
    assert part(strokes, 2, hang)[15] == pytest.approx(155, rel=0.15)
    assert len(set(part(strokes, 2, number)[3:-3])) == 1, "both sides of an ear are one limb"
    assert part(strokes, 0, hang).max() == 0 and part(strokes, 1, hang).max() == 0


@pytest.mark.parametrize("motion", MOVES)
def test_a_small_gap_at_the_foot_of_an_outline_stays_small(motion):
    strokes = drawing([circle(300, 430, 130, 60), circle(300, 230, 80, 40), ear(300, gap=18.0)], cyclic=(0, 1))
    foot = strokes.offsets[3] - 1
    head = np.arange(60, 100)
    near = head[np.argmin(np.linalg.norm(strokes.points[head] - strokes.points[foot], axis=1))]
    for frame in moved(strokes, job_of(motion=motion)):
        now, rest = (np.linalg.norm(points[near] - points[foot]) for points in (frame.points, strokes.points))
        assert abs(now - rest) < 5


def test_line_boil_is_redrawn_every_few_frames_and_runs_smoothly_along_a_line():
    strokes = cat()
    frames = moved(strokes, job_of(motion="boil", boil_every=3))
    for index in range(1, 24):
        assert np.array_equal(frames[index].points, frames[index - 1].points) == (index % 3 != 0)
    size = np.linalg.norm(np.ptp(strokes.points, axis=0))
    for frame in frames[::3]:
        stray = frame.points - strokes.points
        body = part(strokes, 0, stray)[:50]
        assert 0.001 * size < np.abs(stray).max() < 0.012 * size
        assert np.abs(np.diff(body, axis=0)).max() < 0.8 * np.abs(body).max()


def test_a_trembling_pupil_stays_in_its_eye():
    strokes = drawing([circle(300, 300, 250, 60), circle(250, 250, 14, 16), circle(250, 252, 5, 8)], cyclic=(0, 1, 2))
    for frame in moved(strokes, job_of(motion="boil", amount=3.0)):
        away = part(frame, 2).mean(axis=0) - part(frame, 1).mean(axis=0) - [0, 2]
        assert np.linalg.norm(away) < 4
        assert np.abs(frame.points - strokes.points).max() > 4


def test_two_arms_are_no_twins():
    """The drawing is its own mirror image, its breath is not quite."""
    arms = [line((300, 300), (300 + side * 90, 330), (300 + side * 110, 420)) for side in (-1, 1)]
    strokes = drawing([circle(300, 200, 60), line((300, 260), (300, 500), count=20), *arms, line((200, 500), (400, 500))], cyclic=(0,))
    left, right = (np.array([part(frame, arm)[-1, 1] for frame in moved(strokes, job_of(motion="breathe"))]) for arm in (2, 3))
    assert np.ptp(left) > 5 and np.ptp(right) > 5
    assert np.abs(left - right).max() > 1


@pytest.mark.parametrize("pivot, side", [("ground", 1), ("top", -1)])
def test_a_drawing_is_held_where_the_artist_says(pivot, side):
    strokes = cat()
    y = side * strokes.points[:, 1]
    held = y > y.max() - 2
    frames = moved(strokes, job_of(motion="sway", pivot=pivot))
    way = np.array([np.abs(frame.points - strokes.points).max(axis=1) for frame in frames]).max(axis=0)
    assert way[held].max() < 2
    assert way[y < y.min() + 100].max() > 30


STANDING = drawing([circle(300, 200, 80), line((260, 500), (270, 270)), line((340, 500), (330, 270))], cyclic=(0,))
KITE = drawing([line((300, 100), (500, 250), (300, 600), (100, 250), (300, 100), count=60)])


@pytest.mark.parametrize("strokes, foot_moves", [(STANDING, False), (KITE, True)])
def test_what_cannot_stand_is_held_at_its_middle(strokes, foot_moves):
    low = np.argmax(strokes.points[:, 1])
    frames = moved(strokes, job_of(motion="sway"))
    assert (max(np.abs(frame.points[low] - strokes.points[low]).max() for frame in frames) > 5) == foot_moves


def test_all_drawings_of_a_shot_are_held_as_the_first(tmp_path):
    _, frames = run(tmp_path / "both", {1: STANDING, 5: KITE}, frames=8, motion="sway")
    _, alone = run(tmp_path / "alone", {1: KITE}, frames=8, motion="sway", pivot="ground")
    assert frames[7].to_bytes() == alone[7].to_bytes()


def test_handles_turn_with_their_points():
    """A smooth Bézier stays smooth: both handles in one line through the point."""
    strokes = drawing([line((300, 500), (300, 300), (420, 250), count=6)], BEZIER)
    for frame in moved(strokes, job_of(motion="sway")):
        arms = frame.handles - frame.points[:, None]
        left, right = arms[:, 0], arms[:, 1]
        cross = left[:, 0] * right[:, 1] - left[:, 1] * right[:, 0]
        assert np.abs(cross / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)).max() < 1e-6
        tangent = np.gradient(frame.points, axis=0)
        cosine = (right * tangent).sum(axis=1) / np.linalg.norm(right, axis=1) / np.linalg.norm(tangent, axis=1)
        assert cosine.min() > 0.97
