"""A shot as runs: every drawing is painted, from its nearest references, in whichever direction of time, to any length and size."""

import math
from itertools import pairwise

import pytest
from pegbar.engine.pipelines.lvcd import plan
from pegbar.engine.pipelines.lvcd.sampling import Settings, frame_count, segment_count


def painted(runs, drawings):
    """How much of each drawing comes into the result, over all runs."""
    total = [0.0] * drawings
    for run in runs:
        for drawing, share in zip(run.drawings, run.shares, strict=True):
            if drawing is not None:
                total[drawing] += share
    return total


def test_segments_are_those_of_the_sampler():
    assert Settings().first_count == plan.FIRST and Settings().new_count == plan.NEXT
    for drawings in (1, 15, 16, 36, 75):
        (run,) = plan.runs(drawings, {0: 1}, 4, False)
        assert segment_count(len(run.drawings), Settings()) == run.segments
        assert frame_count(run.segments, Settings()) == len(run.drawings)


@pytest.mark.parametrize("drawings", [15, 25, 35, 75])
def test_a_shot_of_the_models_own_length_is_one_run_of_its_drawings_and_nothing_else(drawings):
    (run,) = plan.runs(drawings, {0: 7}, 4, False)
    assert run == plan.Run(7, tuple(range(drawings)), (1.0,) * drawings)


@pytest.mark.parametrize("drawings", [1, 2, 7, 14, 16, 24, 36, 600])
def test_any_length_is_filled_up_with_its_last_drawing(drawings):
    (run,) = plan.runs(drawings, {0: 1}, 4, False)
    assert len(run.drawings) >= drawings and len(run.drawings) % 10 == 5 and len(run.drawings) < max(drawings + 10, 16)
    assert run.drawings == (*range(drawings), *[drawings - 1] * (len(run.drawings) - drawings))
    assert run.shares == (*[1.0] * drawings, *[0.0] * (len(run.drawings) - drawings))


def test_before_its_reference_a_shot_is_painted_backwards():
    backward, forward = plan.runs(20, {9: 5}, 4, True)
    assert backward.drawings[:10] == (9, 8, 7, 6, 5, 4, 3, 2, 1, 0) and forward.drawings[:11] == tuple(range(9, 20))
    assert backward.shares[:10] == (0.0, *[1.0] * 9) and forward.shares[0] == 0


@pytest.mark.parametrize("blend", [0, 1, 2, 4, 5, 40])
@pytest.mark.parametrize("between", [0, 1, 2, 3, 4, 9, 10, 30])
@pytest.mark.parametrize("pasted", [True, False])
def test_between_two_references_each_drawing_is_whole_and_nearest(between, blend, pasted):
    last = between + 1
    runs = plan.runs(last + 1, {0: 1, last: 2}, blend, pasted)
    assert painted(runs, last + 1) == pytest.approx([float(not pasted), *[1.0] * between, float(not pasted)])
    shares = {run.reference: dict(zip(run.drawings, run.shares, strict=True)) for run in runs}
    wide = min(blend, between)
    for drawing in range(1, last):
        first, second = shares.get(1, {}).get(drawing, 0), shares.get(2, {}).get(drawing, 0)
        if abs(drawing - last / 2) > wide / 2 + 0.5:
            assert (first, second) == ((1, 0) if drawing < last / 2 else (0, 1))
    mixed = [drawing for drawing in range(1, last) if 0 < shares.get(1, {}).get(drawing, 0) < 1]
    assert len(mixed) == wide and all(b - a == 1 for a, b in pairwise(mixed))


def test_the_shares_at_a_seam_pass_smoothly_and_add_up_to_one():
    first, second = (dict(zip(run.drawings, run.shares, strict=True)) for run in plan.runs(30, {0: 1, 29: 2}, 8, True))
    later = [second.get(drawing, 0.0) for drawing in range(1, 29)]
    steps = [b - a for a, b in pairwise(later)]
    assert all(step >= 0 for step in steps) and max(steps) < 0.2 and later[9] == 0 and later[18] == 1
    assert [first.get(drawing, 0.0) + second.get(drawing, 0.0) for drawing in range(1, 29)] == pytest.approx([1] * 28)
    assert later[13] + later[14] == pytest.approx(1)


def test_a_run_is_filled_up_with_the_drawings_that_come_next_where_there_are_any():
    forward, backward = plan.runs(30, {0: 1, 9: 2, 29: 3}, 0, True)[:2]
    assert forward.drawings == tuple(range(15)) and backward.drawings == (*range(9, -1, -1), *[0] * 5)


def test_a_reference_outside_the_shot_starts_a_run_with_itself():
    (run,) = plan.runs(3, {-1: 0}, 4, True)
    assert run.drawings == (None, 0, 1, *[2] * 12) and run.shares[:5] == (0, 1, 1, 1, 0)
    (run,) = plan.runs(3, {3: 99}, 4, True)
    assert run.drawings == (None, 2, 1, *[0] * 12) and run.painted == {0, 1, 2}


def test_nothing_is_painted_where_every_drawing_has_its_reference():
    assert plan.runs(2, {0: 1, 1: 2}, 4, True) == ()
    assert painted(plan.runs(2, {0: 1, 1: 2}, 4, False), 2) == [1, 1]


def test_references_stand_at_the_drawings_that_they_show():
    """Frames 1 to 6 on twos, the second drawing held."""
    starts, last = (1, 3), 6
    assert plan.anchored((1,), starts, last) == {0: 1}
    assert plan.anchored((2, 5), starts, last) == {0: 2, 1: 5}
    assert plan.anchored((3, 5), starts, last) == {1: 3}
    assert plan.anchored((6,), starts, last) == {1: 6}
    assert plan.anchored((-4, 0, 7, 9), starts, last) == {-1: 0, 2: 7}


@pytest.mark.parametrize("size", [(64, 64), (192, 64), (64, 128), (576, 320), (320, 576), (448, 448), (768, 256)])
def test_a_size_that_the_model_takes_is_kept_where_it_is_about_as_large_as_asked_for(size):
    assert plan.fitted(size, round(math.sqrt(size[0] * size[1] * 9 / 5))) == size


def test_by_default_any_proportions_up_to_three_to_one_are_stretched_by_eight_per_cent_at_most():
    for across in range(33, 301):
        w, h = plan.fitted((across * 10, 1000), 576)
        assert w % 64 == h % 64 == 0 and 1 / 1.35 <= w * h / (576 * 320) <= 1.35
        assert abs(math.log(w / h * 100 / across)) < 0.08


def test_sixteen_to_nine_is_what_the_model_was_trained_on_and_the_working_width_scales_it():
    assert plan.fitted((1920, 1080), 576) == (576, 320) and plan.fitted((1080, 1920), 576) == (320, 576)
    assert plan.fitted((1920, 1080), 1024) == (1024, 576) and plan.fitted((1920, 1080), 64) == (64, 64)


@pytest.mark.parametrize("size", [(1, 1), (200, 311), (8192, 10), (10, 8192)])
def test_no_proportions_are_too_strange(size):
    w, h = plan.fitted(size, 576)
    assert w % 64 == h % 64 == 0 and min(w, h) >= 64
