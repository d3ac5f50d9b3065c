"""`flat`: exact colours on moving line art, from one reference or several, whole or taken up again."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
from pegbar.engine.drawing.frames import encode_png, read_image
from pegbar.engine.pipelines.flat import SPEC
from pegbar.engine.protocol import Done, Failed, FrameWritten, InputFile, Job, JobFolder, Progress, Shot
from pegbar.engine.strokes import POLY, Strokes
from pegbar.engine.worker import run_job
from scipy import ndimage

from .cartoon import coloured, palette, walk

COLOURS = palette(1)
SIZE = (320, 180)
SHORT = [walk(0.3 + k / 30, *SIZE) for k in range(5)]


def job(folder: Path, lines: Iterable, references: Mapping[int, object], first: int = 1, **params) -> JobFolder:
    """A take with one line art a frame from `first` on, and the references by frame number."""
    take = JobFolder.create(folder)
    numbered = {"lineart": dict(enumerate(lines, first)), "reference": dict(references)}
    files = {
        name: tuple(InputFile(n, put(take, name, i, image)) for i, (n, image) in enumerate(images.items(), 1))
        for name, images in numbered.items()
    }
    last = max(numbered["lineart"])
    take.write_job(Job("flat", params, files, Shot("Scene", first, last, 24)))
    return take


def put(take: JobFolder, name: str, index: int, image: object) -> str:
    strokes = isinstance(image, Strokes)
    file = take.input_file(name, index, ".npz" if strokes else ".png")
    take.file(file).write_bytes(image.to_bytes() if strokes else image if isinstance(image, bytes) else encode_png(image))
    return file


def done(take: JobFolder) -> JobFolder:
    end = run_job(take)
    assert isinstance(end, Done), end
    return take


def failed(take: JobFolder) -> str:
    end = run_job(take)
    assert isinstance(end, Failed) and not end.traceback, end
    return end.text


def pixels(take: JobFolder, output: str = "clip") -> list[np.ndarray]:
    return [(read_image(path) * 255).round().astype(np.uint8) for path in sorted((take.outputs / output).glob("*.png"))]


def bytes_of(take: JobFolder, output: str = "clip") -> list[bytes]:
    """What is in each file but for the job's own name."""
    return [b"".join(np.ascontiguousarray(p).tobytes() for p in pixels(take, output))]


def right(found: np.ndarray, frame: tuple[np.ndarray, np.ndarray], colours: np.ndarray = COLOURS) -> float:
    """The share of pixels off the lines that have their true colour."""
    off = frame[0][..., 0] == 1
    return float((found == colours[frame[1]]).all(-1)[off].mean())


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> JobFolder:
    lines = [frame[0] for frame in SHORT]
    return done(job(tmp_path_factory.mktemp("whole"), lines, {1: coloured(*SHORT[0], COLOURS)}, separate_lines=True, close_gaps=2))


def test_a_walking_figure_keeps_its_colours(whole):
    assert [right(found, frame) > 0.97 for found, frame in zip(pixels(whole), SHORT, strict=True)] == [True] * 5


def test_no_colour_is_invented(whole):
    reference = np.unique(COLOURS[SHORT[0][1]].reshape(-1, 4), axis=0)
    for found, (lines, _) in zip(pixels(whole), SHORT, strict=True):
        seen = np.unique(found[lines[..., 0] == 1].reshape(-1, 4), axis=0)
        assert (seen[:, None] == reference[None]).all(-1).any(1).all()
    for found in pixels(whole, "colour"):
        assert (np.unique(found.reshape(-1, 4), axis=0)[:, None] == reference[None]).all(-1).any(1).all()


def test_lines_over_colour_is_the_clip(whole):
    for clip, colour, lines in zip(*(pixels(whole, name) for name in ("clip", "colour", "lines")), strict=True):
        alpha = lines[..., 3:] / 255
        over = colour[..., :3] * (1 - alpha) + lines[..., :3] * alpha
        assert np.abs(clip[..., :3] - over).max() <= 1


def test_the_line_art_stays_as_it_was_drawn(whole):
    for found, (lines, _) in zip(pixels(whole, "lines"), SHORT, strict=True):
        assert np.abs(found[..., 3] - (1 - lines[..., 0]) * 255).max() <= 1
        assert (found[..., :3][found[..., 3] > 0] <= 1).all()


def test_frames_are_written_in_the_order_of_the_shot(whole):
    events, _ = whole.events()
    assert [e.frame for e in events if isinstance(e, FrameWritten) and e.output == "clip"] == [1, 2, 3, 4, 5]
    assert {e.phase for e in events if isinstance(e, Progress)} >= {"Reading references", "Colouring"}


def test_the_same_job_gives_the_same_bits(whole, tmp_path):
    lines = [frame[0] for frame in SHORT]
    again = done(job(tmp_path, lines, {1: coloured(*SHORT[0], COLOURS)}, separate_lines=True, close_gaps=2))
    assert bytes_of(again) == bytes_of(whole) and bytes_of(again, "lines") == bytes_of(whole, "lines")


@pytest.mark.parametrize("references", [{1: 0}, {1: 0, 5: 4}, {5: 4}])
def test_a_job_that_was_cut_off_goes_on_to_the_same_bits(tmp_path, references):
    lines = [frame[0] for frame in SHORT]
    images = {number: coloured(*SHORT[index], COLOURS) for number, index in references.items()}
    straight = done(job(tmp_path / "straight", lines, images, close_gaps=2))
    cut = job(tmp_path / "cut", lines, images, close_gaps=2)
    for stop in (4, 9, 11, 14):
        told: list[object] = []

        def tell(event: object, told: list = told, stop: int = stop) -> None:
            told.append(event)
            if len(told) == stop:
                cut.request_cancel()

        end = run_job(cut, tell=tell)
        assert isinstance(end, Done)
        cut.withdraw_cancel()
    assert len(pixels(cut)) < 5 or end.cancelled is False
    assert bytes_of(done(cut)) == bytes_of(straight)


def test_cancel_keeps_the_frames_so_far(tmp_path):
    take = job(tmp_path, [frame[0] for frame in SHORT], {1: coloured(*SHORT[0], COLOURS)})
    end = run_job(take, tell=lambda event: take.request_cancel() if isinstance(event, FrameWritten) and event.frame == 2 else None)
    assert isinstance(end, Done) and end.cancelled
    assert 2 <= len(pixels(take)) <= 3


def test_a_reference_at_the_end_is_matched_backwards(tmp_path):
    take = done(job(tmp_path, [frame[0] for frame in SHORT], {5: coloured(*SHORT[4], COLOURS)}, close_gaps=2))
    assert min(right(found, frame) for found, frame in zip(pixels(take), SHORT, strict=True)) > 0.97


def test_between_two_references_both_speak(tmp_path):
    """A ball that only the first reference knows and a kite that only the second knows are both right in between."""
    ball, kite = 16, 17
    frames = [walk(k / 4, *SIZE) for k in range(5)]
    frames = [in_the_sky(frame, ball, (30, 40), 2) if k < 4 else frame for k, frame in enumerate(frames)]
    frames = [in_the_sky(frame, kite, (290, 45), 1) if k > 0 else frame for k, frame in enumerate(frames)]
    ends = {1: coloured(*frames[0], COLOURS), 5: coloured(*frames[4], COLOURS)}
    both = pixels(done(job(tmp_path, [frame[0] for frame in frames], ends, close_gaps=2)))
    for found, frame in zip(both, frames, strict=True):
        assert right(found, frame) > 0.99
        for one in {ball, kite} & set(np.unique(frame[1])):
            assert (found[(frame[1] == one) & (frame[0][..., 0] == 1)] == COLOURS[one]).all()


def in_the_sky(frame: tuple[np.ndarray, np.ndarray], paint: int, at: tuple[int, int], norm: int) -> tuple[np.ndarray, np.ndarray]:
    """The frame with an outlined disc (norm 2) or diamond (norm 1) at a place."""
    (lines, ids), (x, y) = frame, at
    down, across = np.mgrid[: ids.shape[0], : ids.shape[1]]
    far = (np.abs(across - x) ** norm + np.abs(down - y) ** norm) ** (1 / norm)
    lines = np.where((np.abs(far - 14) < 1.5)[..., None] & (np.arange(4) < 3), np.float32(0), lines)
    return lines, np.where(far < 14, np.uint8(paint), ids)


def test_a_reference_from_outside_the_clip_counts_as_the_nearest(tmp_path):
    take = done(job(tmp_path, [frame[0] for frame in SHORT[1:]], {-7: coloured(*SHORT[0], COLOURS)}, first=20, close_gaps=2))
    assert min(right(found, frame) for found, frame in zip(pixels(take), SHORT[1:], strict=True)) > 0.95


def test_a_reference_without_lines_and_twice_as_large_gives_the_same_colours(tmp_path, whole):
    flat = COLOURS[SHORT[0][1]].repeat(2, 0).repeat(2, 1) / np.float32(255)
    take = done(job(tmp_path, [frame[0] for frame in SHORT], {1: flat}, close_gaps=2))
    assert min(right(found, frame) for found, frame in zip(pixels(take), SHORT, strict=True)) > 0.97


def test_where_the_reference_is_transparent_so_is_the_result(tmp_path):
    colours = COLOURS.copy()
    colours[0] = 0
    reference = coloured(*SHORT[0], colours)
    reference[..., 3] = np.maximum(reference[..., 3], 1 - SHORT[0][0][..., 0])
    take = done(job(tmp_path, [frame[0] for frame in SHORT], {1: reference}, close_gaps=2))
    for found, (lines, ids) in zip(pixels(take), SHORT, strict=True):
        sky, ink = (ids == 0) & (lines[..., 0] == 1), lines[..., 0] == 0
        assert (found[sky] == 0).all(-1).mean() > 0.98 and (found[ink][:, 3] == 255).all()


def test_unsure_regions_are_noted_for_the_artist(tmp_path):
    """Of a red and a blue disc one is left, half-way between the two: its colour can only be a guess."""
    first, second = lines_of([(49, 60, 25), (150, 60, 25)]), lines_of([(99.5, 60, 25)])
    reference = painted(first, {(49, 60): (200, 40, 40), (150, 60): (40, 40, 200)})
    take = done(job(tmp_path, [first, second], {1: reference}, check_below=0.9))
    notes = [json.loads(path.read_text()) for path in sorted((take.outputs / "notes").glob("*.json"))]
    assert notes[0] == [] and len(notes[1]) == 1
    note = notes[1][0]
    assert np.hypot(note["x"] - 100, note["y"] - 60) < 4 and abs(note["area"] - np.pi * 25**2) < 200
    assert note["confidence"] < 0.9 and note["colour"] in ("#c82828", "#2828c8") and note["box"][2] in range(48, 54)


EYES = [[(90.5, 60, 40), (75.4, 55.6, 2.4), (105.5, 55.3, 2.4)], [(92.5, 60, 40), (77.5, 55.5, 3.6), (107.5, 55.5, 3.6)]]
"""A face, its eyes half closed so that the soft edges of their lines alone show the iris, and then open."""


def test_a_colour_that_shows_through_soft_lines_alone_is_taken_exactly(tmp_path):
    closed, opened = ((lines_of(discs) * 255).round() / np.float32(255) for discs in EYES)
    reference = painted(closed, {(90, 90): (230, 190, 160), (75, 55): (31, 157, 83), (105, 55): (31, 157, 83)})
    assert not (np.round(reference * 255) == (31, 157, 83, 255)).all(-1).any()
    take = done(job(tmp_path, [closed, opened], {1: reference}))
    assert pixels(take)[1][[55, 55], [77, 107]].tolist() == [[31, 157, 83, 255]] * 2


def test_a_colour_that_no_reference_shows_clearly_is_noted_wherever_it_follows(tmp_path):
    closed, opened = ((lines_of(discs) * 255).round() / np.float32(255) for discs in EYES)
    reference = painted(closed, {(90, 90): (230, 190, 160), (75, 55): (31, 157, 83), (105, 55): (31, 157, 83)})
    reference[:, :, :3] *= closed[..., :3]  # its lines are twice as strong as the drawing's
    take = done(job(tmp_path, [closed, opened], {1: reference}))
    notes = json.loads(sorted((take.outputs / "notes").glob("*.json"))[1].read_text())
    assert sorted(round(note["x"]) for note in notes) == [78, 108]


def lines_of(discs: list[tuple[float, float, float]], size: tuple[int, int] = (200, 120)) -> np.ndarray:
    y, x = np.mgrid[: size[1], : size[0]]
    ink = np.zeros(size[::-1], np.float32)
    for cx, cy, r in discs:
        ink = np.maximum(ink, np.clip(2 - np.abs(np.hypot(x - cx, y - cy) - r), 0, 1))
    return np.dstack([1 - ink] * 3 + [np.ones_like(ink)]).astype(np.float32)


def painted(lines: np.ndarray, colours: dict[tuple[int, int], tuple[int, int, int]]) -> np.ndarray:
    """Line art flooded with colours at points, on cream."""
    labels, _ = ndimage.label(lines[..., 0] > 0.5)
    image = np.zeros((*labels.shape, 4), np.float32)
    image[...] = (1, 0.9, 0.8, 1)
    for (x, y), colour in colours.items():
        image[labels == labels[y, x]] = (*np.array(colour) / 255, 1)
    image[..., :3] *= lines[..., :3]
    return image


def test_two_colours_in_one_region_stay_on_the_reference_and_are_noted_elsewhere(tmp_path):
    lines = lines_of([(60, 60, 30)])
    reference = painted(lines, {(60, 60): (200, 40, 40)})
    reference[45:75, 60:80, :3] = (0.2, 0.1, 0.5)
    moved = lines_of([(64, 60, 30)])
    take = done(job(tmp_path, [lines, moved], {1: reference}))
    inner = np.hypot(*np.ogrid[-60:60, -60:140]) < 27
    assert (pixels(take)[0][inner] == (reference * 255).round()[inner]).all(-1).mean() > 0.99
    assert [len(json.loads(path.read_text())) for path in sorted((take.outputs / "notes").glob("*.json"))] == [0, 1]


def test_a_reference_of_another_moment_is_told_and_matched_by_its_own_regions(tmp_path):
    take = done(job(tmp_path, [SHORT[0][0]], {1: coloured(*walk(0.45, *SIZE), COLOURS)}, close_gaps=2))
    assert "The reference at frame 1 does not fit the line art there" in take.state().warnings[0]
    assert right(pixels(take)[0], SHORT[0]) > 0.8


def test_held_and_repeated_drawings_are_coloured_once_and_alike(tmp_path):
    take = JobFolder.create(tmp_path)
    files = [put(take, "lineart", i, SHORT[i][0]) for i in range(3)]
    held = [(1, 0), (2, 0), (3, 1), (4, 2), (5, 1), (6, 0)]
    reference = InputFile(1, put(take, "reference", 1, coloured(*SHORT[0], COLOURS)))
    inputs = {"lineart": tuple(InputFile(n, files[i]) for n, i in held), "reference": (reference,)}
    take.write_job(Job("flat", {"close_gaps": 2}, inputs, Shot("Scene", 1, 7, 24)))
    found = pixels(done(take))
    assert len(found) == 7
    for one, other in ((0, 1), (0, 5), (2, 4), (5, 6)):
        assert np.array_equal(found[one], found[other])


def test_a_drawing_without_lines_is_passed_over(tmp_path):
    blank = np.ones_like(SHORT[0][0])
    take = done(job(tmp_path, [SHORT[0][0], blank, SHORT[1][0]], {1: coloured(*SHORT[0], COLOURS)}, close_gaps=2))
    found = pixels(take)
    assert (found[1] == found[1][0, 0]).all() and right(found[2], SHORT[1]) > 0.97
    assert take.state().warnings == ("Frame 2 of the line art has no lines",)


def rectangles(*boxes: tuple[float, float, float, float], fill=(0, 0, 0, 0), line=(0, 0, 0, 1), size=(200, 120)) -> Strokes:
    """A drawing of closed rectangles, left, top, right, bottom."""
    points = np.array([[(a, b), (c, b), (c, d), (a, d)] for a, b, c, d in boxes], float).reshape(-1, 2)
    n, s = len(points), len(boxes)
    return Strokes(
        size=size, points=points, depth=np.zeros(n), handles=points[:, None].repeat(2, 1), widths=np.full(n, 3, np.float32),
        opacity=np.ones(n, np.float32), offsets=np.arange(0, n + 1, 4, dtype=np.int32), curve_type=np.full(s, POLY, np.uint8),
        cyclic=np.ones(s, bool), line_colour=np.tile(np.float32(line), (s, 1)), fill_colour=np.tile(np.float32(fill), (s, 1)),
        layer=np.zeros(s, np.int32), material=np.full(s, -1, np.int32), source=np.arange(s, dtype=np.int32), layers=("Lines",),
        matrices=np.eye(4)[None],
    )  # fmt: skip


def test_strokes_serve_as_line_art_and_as_reference(tmp_path):
    fill = (0.2, 0.4, 0.6, 1.0)
    first, second = rectangles((40, 30, 100, 90)), rectangles((44, 30, 104, 90), line=(0.6, 0.2, 0.0, 1.0))
    take = done(job(tmp_path, [first, second], {1: rectangles((40, 30, 100, 90), fill=fill)}, separate_lines=True))
    found = pixels(take)
    for image, x in zip(found, (70, 74), strict=True):
        assert image[60, x].tolist() == [51, 102, 153, 255] and image[10, 10].tolist() == [0, 0, 0, 0]
    assert np.abs(pixels(take, "lines")[1][60, 44].astype(int) - [153, 51, 0, 255]).max() <= 2


def test_line_art_of_another_size_is_brought_to_the_first(tmp_path):
    small = SHORT[1][0][::2, ::2]
    take = done(job(tmp_path, [SHORT[0][0], small], {1: coloured(*SHORT[0], COLOURS)}, close_gaps=2))
    assert [p.shape for p in pixels(take)] == [(180, 320, 4)] * 2 and right(pixels(take)[1], SHORT[1]) > 0.9


REFERENCE = coloured(*SHORT[0], COLOURS)


@pytest.mark.parametrize(
    ("lines", "references", "text"),
    [
        ([np.ones_like(REFERENCE)], {1: REFERENCE}, "No frame of the line art has lines"),
        ([SHORT[0][0] * [0, 0, 0, 1]], {1: REFERENCE}, "No frame of the line art has lines"),
        ([SHORT[0][0]], {1: REFERENCE[:, :200]}, "Frame 1 of the reference is 200 x 180, the line art starts with 320 x 180"),
        ([SHORT[0][0], SHORT[1][0][:90]], {1: REFERENCE}, "Frame 2 of the line art is 320 x 90, the line art starts with 320 x 180"),
        ([SHORT[0][0], encode_png(SHORT[1][0])[:2000]], {1: REFERENCE}, "0002.png"),
        ([SHORT[0][0]], {1: b"no picture"}, "0001.png"),
        ([SHORT[0][0]], {}, "Flat has no reference"),
    ],
    ids=["white", "black", "reference aspect", "line art aspect", "cut png", "no png", "no reference"],
)
def test_bad_input_is_one_clear_sentence(tmp_path, lines, references, text):
    said = failed(job(tmp_path, lines, references))
    assert text in said and "\n" not in said


def test_each_setting_has_words_for_the_artist():
    assert all(param.label and param.help for param in SPEC.params)
