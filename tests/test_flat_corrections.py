"""Corrections: exact where they are set, followed to what has its colour from there, and all else as it was."""

import json
import os

import numpy as np
import pytest
from pegbar.engine.corrections import Correction
from pegbar.engine.pipelines.flat.corrections import followed
from pegbar.engine.pipelines.flat.kept import Book, Runs
from pegbar.engine.protocol import FrameWritten, InputFile, Job, JobFolder, Shot
from pegbar.engine.worker import run_job

from .cartoon import coloured, palette, walk
from .test_flat import COLOURS, SHORT, SIZE, bytes_of, done, failed, job, lines_of, painted, pixels
from .test_flat_fills import BOXES, drawn
from .test_flat_fills import coloured as coloured_boxes

LINES = [frame[0] for frame in SHORT]
GREEN = "#00ff00"


def corrected(take: JobFolder, *corrections: Correction, **params) -> JobFolder:
    """The take beside one that its corrections ask for, with the same inputs."""
    made, old = JobFolder.create(take.path.parent), take.read_job()
    for files in old.inputs.values():
        for file in files:
            made.input_file(file.file.split("/")[1], 1, "")
            if not made.file(file.file).exists():
                os.link(take.file(file.file), made.file(file.file))
    notes: dict[int, list] = {}
    for entry in corrections:
        notes.setdefault(entry.frame, []).append({"x": entry.x, "y": entry.y, "colour": entry.colour})
    files = []
    for frame, entries in notes.items():
        files.append(InputFile(frame, made.input_file("corrections", frame, ".json")))
        made.file(files[-1].file).write_text(json.dumps(entries))
    values = {**old.params, "corrects": take.path.name} | params
    made.write_job(Job("flat", values, {**old.inputs, "corrections": tuple(files)}, old.shot))
    return made


@pytest.fixture
def discs(tmp_path) -> JobFolder:
    """Two discs that go to the right over six frames, coloured by the first."""
    lines = [lines_of([(40 + 8 * k, 40, 20), (60 + 12 * k, 90, 12)]) for k in range(6)]
    reference = painted(lines[0], {(40, 40): (200, 40, 40), (60, 90): (40, 40, 200)})
    return done(job(tmp_path, lines, {1: reference}))


def at(take: JobFolder, frame: int, x: int, y: int) -> list[int]:
    return pixels(take)[frame - 1][y, x].tolist()


def test_a_correction_is_exact_in_its_frame_and_nothing_else_changes_there(discs):
    before, after = pixels(discs), pixels(done(corrected(discs, Correction(4, 64 / 200, 40 / 120, GREEN))))
    changed = (before[3] != after[3]).any(-1)
    red = (before[3] == (200, 40, 40, 255)).all(-1)
    assert (after[3][red] == (0, 255, 0, 255)).all() and (changed >= red).all() and red.sum() > 900
    assert not changed[:, 90:].any() and (before[3][~changed] == after[3][~changed]).all()


def test_what_follows_from_it_changes_and_the_reference_does_not(discs):
    after = done(corrected(discs, Correction(4, 64 / 200, 40 / 120, GREEN)))
    assert [at(after, frame, 32 + 8 * frame, 40) for frame in (4, 5, 6)] == [[0, 255, 0, 255]] * 3
    assert at(after, 1, 40, 40) == [200, 40, 40, 255]
    assert [at(after, frame, 48 + 12 * frame, 90) for frame in range(1, 7)] == [[40, 40, 200, 255]] * 6


def test_frames_that_stay_are_the_same_files_and_the_corrected_take_is_untouched(discs):
    before = {path: path.read_bytes() for path in discs.path.rglob("*") if path.is_file()}
    after = done(corrected(discs, Correction(6, 80 / 200, 40 / 120, GREEN)))
    same = [(discs.outputs / "clip" / f"{n:04d}.png").samefile(after.outputs / "clip" / f"{n:04d}.png") for n in range(1, 7)]
    assert same[0] and not same[5] and same == sorted(same, reverse=True)
    assert {path: path.read_bytes() for path in discs.path.rglob("*") if path.is_file()} == before
    events, _ = after.events()
    assert sorted(e.frame for e in events if isinstance(e, FrameWritten) and e.output == "clip") == [1, 2, 3, 4, 5, 6]


def test_corrections_add_up_from_take_to_take(discs):
    first = done(corrected(discs, Correction(4, 64 / 200, 40 / 120, GREEN)))
    both = [Correction(4, 64 / 200, 40 / 120, GREEN), Correction(2, 72 / 200, 90 / 120, "#ffcc00")]
    second = done(corrected(first, *both))
    assert bytes_of(second) == bytes_of(done(corrected(discs, *both)))
    assert at(second, 5, 72, 40) == [0, 255, 0, 255] and at(second, 5, 108, 90) == [255, 204, 0, 255]


def test_a_later_correction_ends_what_an_earlier_one_began(discs):
    after = done(corrected(discs, Correction(3, 56 / 200, 40 / 120, GREEN), Correction(5, 72 / 200, 40 / 120, "#c82828")))
    assert [at(after, frame, 32 + 8 * frame, 40)[1] for frame in (3, 5, 6)] == [255, 40, 40]


def test_a_corrected_colour_that_is_new_becomes_one_of_the_palette_and_no_other_colour_is_made(discs):
    after = done(corrected(discs, Correction(4, 64 / 200, 40 / 120, GREEN)))
    known = {(200, 40, 40, 255), (40, 40, 200, 255), (255, 230, 204, 255), (0, 255, 0, 255)}
    for frame, picture in enumerate(pixels(after)):
        off = lines_of([(40 + 8 * frame, 40, 20), (60 + 12 * frame, 90, 12)])[..., 0] == 1
        assert {tuple(colour) for colour in np.unique(picture[off], axis=0).tolist()} <= known


def test_the_same_corrections_from_the_start_give_the_same_pictures(discs, tmp_path):
    entries = [Correction(4, 64 / 200, 40 / 120, GREEN)]
    quick = done(corrected(discs, *entries))
    assert bytes_of(done(corrected(discs, *entries, corrects=""))) == bytes_of(quick)


def test_a_confirmed_region_need_not_be_checked_any_more(tmp_path):
    first, second = lines_of([(49, 60, 25), (150, 60, 25)]), lines_of([(99.5, 60, 25)])
    reference = painted(first, {(49, 60): (200, 40, 40), (150, 60): (40, 40, 200)})
    take = done(job(tmp_path, [first, second, second], {1: reference}, check_below=0.9))
    guess = json.loads((take.outputs / "notes/0002.json").read_text())
    assert len(guess) == 1
    right = done(corrected(take, Correction(2, 0.5, 0.5, guess[0]["colour"])))
    assert [json.loads((right.outputs / f"notes/{n:04d}.json").read_text()) for n in (1, 2, 3)] == [[], [], []]
    assert (right.outputs / "clip/0002.png").samefile(take.outputs / "clip/0002.png")


def test_on_the_references_own_frame_a_region_of_two_colours_becomes_one(tmp_path):
    lines = lines_of([(60, 60, 30)])
    reference = painted(lines, {(60, 60): (200, 40, 40)})
    reference[45:75, 60:80, :3] = (0.2, 0.1, 0.5)
    take = done(job(tmp_path, [lines, lines_of([(64, 60, 30)])], {1: reference}))
    after = done(corrected(take, Correction(1, 60 / 200, 60 / 120, GREEN)))
    assert (pixels(after)[0][45:75, 50:80] == (0, 255, 0, 255)).all()
    assert at(after, 2, 64, 60) == [0, 255, 0, 255]


def test_a_take_that_was_cut_off_while_correcting_goes_on_even_without_the_first(discs, tmp_path):
    entries = [Correction(2, 48 / 200, 40 / 120, GREEN)]
    straight = done(corrected(discs, *entries))
    cut = corrected(discs, *entries)
    told: list[object] = []

    def tell(event: object) -> None:
        told.append(event)
        if len([e for e in told if isinstance(e, FrameWritten)]) == 3:
            cut.request_cancel()

    assert run_job(cut, tell=tell).cancelled
    cut.withdraw_cancel()
    assert bytes_of(done(cut)) == bytes_of(straight)


def test_the_first_take_may_be_deleted(discs):
    import shutil

    first = done(corrected(discs, Correction(4, 64 / 200, 40 / 120, GREEN)))
    before = bytes_of(first)
    shutil.rmtree(discs.path)
    assert bytes_of(first) == before
    second = done(corrected(first, Correction(4, 64 / 200, 40 / 120, GREEN), Correction(2, 72 / 200, 90 / 120, "#ffcc00")))
    assert at(second, 5, 108, 90) == [255, 204, 0, 255]


def test_fills_change_their_material_alone(tmp_path):
    from .test_flat import rectangles

    lines = [rectangles(*boxes) for boxes in BOXES]
    take = done(job(tmp_path, lines, {1: coloured_boxes(BOXES[0])}, as_fills=True, as_clip=False))
    after = done(corrected(take, Correction(2, 145 / 200, 60 / 120, GREEN)))
    for was, now in zip(drawn(take), drawn(after), strict=True):
        assert np.array_equal(was.points, now.points)
    names = [[strokes.materials[i] for i in strokes.material] for strokes in drawn(after)]
    assert sorted(names[0]) == ["Coat", "Pocket", "Sun"] and "Pegbar Colour 05" in names[1] and "Pegbar Colour 05" in names[2]


def test_clear_to_opaque_makes_new_fills(tmp_path):
    from .test_flat import rectangles

    lines = [rectangles(*boxes) for boxes in BOXES]
    take = done(job(tmp_path, lines, {1: coloured_boxes(BOXES[0])}, as_fills=True, as_clip=False))
    after = done(corrected(take, Correction(2, 2 / 200, 2 / 120, GREEN)))
    assert [len(strokes.curve_type) for strokes in drawn(after)] == [3, 4, 4]


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (Correction(9, 0.5, 0.5, GREEN), "Frame 9 is corrected, which is not in the shot: choose one from 1 to 6"),
        (Correction(2, 1.5, 0.5, GREEN), "The correction on frame 2 lies outside the picture"),
        (Correction(2, 0.5, 0.5, "green"), "The corrected colour is 'green': write it as #rrggbb"),
    ],
)
def test_a_wrong_correction_is_one_clear_sentence(discs, entry, text):
    assert text in failed(corrected(discs, entry))


def test_a_take_of_other_frames_or_without_its_book_cannot_be_corrected(discs, tmp_path):
    other = JobFolder.create(discs.path.parent)
    old = discs.read_job()
    other.write_job(Job("flat", old.params, old.inputs, Shot("Scene", 1, 3, 24)))
    take = corrected(discs, Correction(2, 0.5, 0.5, GREEN), corrects=other.path.name)
    assert "does not tell what its colours follow from" in failed(take)


def book(parents: list[int], links: list[float], colours: list[int], given: int = 1) -> Book:
    """One region a drawing, each from that of the parent's number; the first `given` are a reference's."""
    n = len(parents)
    return Book(
        palette=palette(1)[:4],
        names=("a", "b", "c", "d"),
        first=np.arange(n + 1, dtype=np.int32),
        colour=np.array(colours, np.int32),
        sure=np.full(n, 0.5, np.float32),
        partner=np.array(parents, np.int32),
        link=np.array(links, np.float32),
        given=np.arange(n) < given,
    )


def test_backwards_a_colour_goes_to_where_the_following_was_least_sure():
    chain = book([-1, 0, 1, 2, 3, 4], [0, 0.9, 0.3, 0.9, 0.8, 0.9], [0] * 6)
    assert followed(chain, {4: 2}).colour.tolist() == [0, 0, 2, 2, 2, 2]


def test_where_the_colour_was_a_guess_all_of_it_was_wrong():
    assert followed(book([-1, -1, 1, 2], [0, 0, 0.9, 0.9], [0, 1, 1, 1]), {3: 2}).colour.tolist() == [0, 2, 2, 2]


def test_what_has_another_colour_is_left_alone():
    assert followed(book([-1, 0, 1, 2, 3], [0, 0.9, 0.9, 0.9, 0.9], [0, 0, 1, 1, 0]), {2: 3}).colour.tolist() == [0, 0, 3, 3, 0]


def test_parts_of_a_region_follow_it():
    tree = book([-1, 0, 1, 1, 2, 3], [0, 0.2, 0.9, 0.9, 0.9, 0.9], [0] * 6)
    assert followed(tree, {1: 2}).colour.tolist() == [0, 2, 2, 2, 2, 2]


def test_what_more_likely_is_another_region_does_not_follow():
    assert followed(book([-1, 0, 1, 2], [0, 0.2, 0.9, 0.4], [0] * 4), {1: 2}).colour.tolist() == [0, 2, 2, 0]


def test_two_corrections_of_one_region_meet_where_the_following_is_least_sure():
    chain = book([-1, 0, 1, 2, 3, 4], [0, 0.2, 0.9, 0.9, 0.4, 0.9], [0] * 6)
    assert followed(chain, {1: 2, 5: 0}).colour.tolist() == [0, 2, 2, 2, 0, 0]
    assert followed(chain, {1: 2, 5: 2}).colour.tolist() == [0, 2, 2, 2, 2, 2]


def test_runs_give_back_the_picture_and_what_lies_where():
    labels = np.random.default_rng(0).integers(0, 3, (9, 14)).astype(np.int32)
    runs = Runs.of(labels)
    assert np.array_equal(runs.picture(), labels)
    assert all(runs.at((x + 0.5) / 14, (y + 0.5) / 9) == labels[y, x] for y in range(9) for x in range(14))
    assert runs.at(1.0, 1.0) == labels[8, 13]


def test_a_walk_with_wrong_regions_comes_right_by_a_few_corrections(tmp_path):
    """The artist corrects the first wrong region of the earliest frame, five times over: more comes right than was touched."""
    frames = [walk(0.3 + k / 12, *SIZE) for k in range(10)]
    take = done(job(tmp_path, [frame[0] for frame in frames], {1: coloured(*frames[0], COLOURS)}, close_gaps=2))

    def wrong(take: JobFolder) -> list[np.ndarray]:
        return [(found != COLOURS[ids]).any(-1) & (lines[..., 0] == 1) for found, (lines, ids) in zip(pixels(take), frames, strict=True)]

    entries: list[Correction] = []
    begin = sum(map(np.sum, wrong(take)))
    for _ in range(5):
        at = next((k for k, mask in enumerate(wrong(take)) if mask.sum() > 20), None)
        if at is None:
            break
        rows, columns = np.nonzero(wrong(take)[at])
        middle = len(rows) // 2
        colour = COLOURS[frames[at][1][rows[middle], columns[middle]]]
        entries.append(Correction(at + 1, (columns[middle] + 0.5) / SIZE[0], (rows[middle] + 0.5) / SIZE[1], "#" + bytes(colour[:3]).hex()))
        take = done(corrected(take, *entries))
    assert sum(map(np.sum, wrong(take))) < 0.6 * begin
