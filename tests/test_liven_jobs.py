"""`liven` as a job: every stroke comes back itself, frame by frame, and bad input is one sentence."""

from dataclasses import replace

import numpy as np
import pytest
from pegbar.engine.pipelines.liven import pipeline
from pegbar.engine.pipelines.liven.motion import MOTIONS
from pegbar.engine.protocol import Done, Failed, JobFolder
from pegbar.engine.strokes import BEZIER, CATMULL_ROM, NURBS, POLY, Strokes
from pegbar.engine.worker import run_job
from pegbar.tests.livened import cat, circle, drawing, job_of, line, moved, run


@pytest.mark.parametrize("motion", MOTIONS)
def test_an_amount_of_0_gives_back_every_stroke_bit_for_bit(tmp_path, motion):
    strokes = cat(BEZIER)
    _, frames = run(tmp_path, {1: strokes}, frames=3, motion=motion, amount=0.0, line_boil=2.0)
    assert len(frames) == 3
    assert all(frame.to_bytes() == strokes.to_bytes() for frame in frames.values())


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("kind", [POLY, CATMULL_ROM, BEZIER, NURBS])
def test_only_points_and_handles_change(motion, kind):
    strokes = cat(kind, drawing=5)
    for frame in moved(strokes, job_of(motion=motion, line_boil=0.5)):
        frame.check()
        assert not np.array_equal(frame.points, strokes.points)
        assert replace(frame, points=strokes.points, handles=strokes.handles).to_bytes() == strokes.to_bytes()


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_seed_gives_the_same_take_and_another_seed_another(motion):
    strokes = cat()
    first, again, other = (moved(strokes, job_of(motion=motion, seed=seed)) for seed in (7, 7, -8))
    assert all(a.to_bytes() == b.to_bytes() for a, b in zip(first, again, strict=True))
    assert max(np.abs(a.points - b.points).max() for a, b in zip(first, other, strict=True)) > 1


def test_on_twos_every_second_frame_is_drawn(tmp_path):
    end, frames = run(tmp_path, {1: cat()}, frames=24, step=2)
    assert isinstance(end, Done)
    assert list(frames) == list(range(1, 24, 2))


def test_a_frame_moves_the_drawing_that_it_shows(tmp_path):
    """Drawings are held until the next; frames before the first drawing show the first."""
    drawings = {3: cat(drawing=3), 6: replace(cat(CATMULL_ROM), drawing=6), 8: drawing([], drawing=8)}
    _, frames = run(tmp_path, drawings, frames=9)
    assert [frames[number].drawing for number in range(1, 10)] == [3, 3, 3, 3, 3, 6, 6, 8, 8]
    assert frames[9].to_bytes() == drawings[8].to_bytes()


def test_a_frame_is_the_same_when_it_is_made_alone():
    strokes, job = cat(), job_of(motion="bounce", line_boil=0.5)
    whole = moved(strokes, job)
    moving = pipeline.rig_of(strokes, pipeline.with_pivot(job, strokes))
    alone = pipeline.moved(moving, job, pipeline.timing_of(job), 17)
    assert alone.to_bytes() == whole[16].to_bytes()


def test_a_job_that_was_cut_off_goes_on_to_the_same_result(tmp_path):
    _, whole = run(tmp_path / "whole", {1: cat()}, frames=8)
    take = JobFolder.create(tmp_path / "cut")
    cat().save(take.file(take.input_file("sketch", 1, ".npz")))
    take.write_job(job_of(8))

    class Cut(BaseException):
        pass

    def cut(event):
        if getattr(event, "frame", 0) == 4:
            raise Cut

    with pytest.raises(Cut):
        run_job(take, tell=cut)
    run_job(take)
    frames = {f.frame: Strokes.load(take.file(f.file)) for f in take.state().frames}
    assert sorted(frames) == list(range(1, 9))
    assert all(frames[number].to_bytes() == whole[number].to_bytes() for number in frames)


ODD = {
    "a dot": ([[[300, 300]]], ()),
    "dots": ([[[300, 300]], [[310, 305]], [[100, 300]], [[300, 110]], [[400, 400]]], ()),
    "all points in one place": ([[[300, 300]] * 5, [[300, 300]]], (0,)),
    "a straight line": ([line((100, 300), (500, 300))], ()),
    "dots in a row": ([[[x, 300]] for x in range(100, 500, 40)], ()),
    "two points": ([[[300, 300], [300, 200]]], (0,)),
    "strokes without points": ([[], line((300, 300), (300, 100)), []], (0, 2)),
    "strokes twice": ([circle(300, 300, 100), circle(300, 300, 100)], (0, 1)),
    "far from the origin": ([circle(1e6, 1e6, 100), line((1e6, 1e6), (1e6, 1.0002e6))], (0,)),
    "tiny": ([circle(0.3, 0.3, 0.01)], (0,)),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("kind", [POLY, BEZIER])
def test_odd_drawings_stay_whole(odd, motion, kind):
    lines, cyclic = ODD[odd]
    strokes = drawing(lines, kind if sum(map(len, lines)) > 1 else POLY, cyclic)
    for pivot in ("auto", "ground", "middle", "top"):
        for frame in moved(strokes, job_of(4, motion=motion, amount=3.0, line_boil=1.0, pivot=pivot)):
            frame.check()
            assert np.isfinite(frame.points).all() and np.isfinite(frame.handles).all()


def test_an_empty_drawing_is_one_clear_sentence(tmp_path):
    end, frames = run(tmp_path, {1: drawing([])}, frames=4)
    assert isinstance(end, Failed) and not frames
    assert end.text == "The drawing has no strokes on this frame: draw something or go to a frame with a drawing, then animate it"


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9])
@pytest.mark.parametrize("field", ["points", "handles"])
def test_points_without_a_place_are_one_clear_sentence(tmp_path, field, value):
    broken = cat(BEZIER)
    getattr(broken, field)[[3, 7]] = value
    end, frames = run(tmp_path, {1: cat(), 5: broken}, frames=8)
    assert isinstance(end, Failed) and not end.traceback
    assert "2 points of the drawing at frame 5 have no place" in end.text
    assert not frames


def test_no_input_is_changed():
    strokes = cat(BEZIER)
    before = strokes.to_bytes()
    for motion in MOTIONS:
        moved(strokes, job_of(motion=motion, line_boil=1.0))
    assert strokes.to_bytes() == before
