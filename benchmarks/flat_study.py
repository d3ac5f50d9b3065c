"""The protocol of the study in ../shared/studies/flat: far-from-reference clips, clean or with broken lines, region by region.

A region is a connected area of the true lines. Clips come from any generator; the study's own is loaded where it lies. Knows no method.
"""

import importlib.util
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from engine.drawing import cels, lineart
from engine.drawing.frames import encode_png, read_image
from engine.drawing.regions import segment
from engine.pipelines.flat import SPEC
from engine.protocol import Done, InputFile, Job, JobFolder, Shot
from engine.spec import complete
from engine.worker import run_job

STUDY = Path(__file__).parents[2] / "shared" / "studies" / "flat"

INK = 96
"""Level of a line map from which a pixel is no region's."""
_SMALLEST = 8
"""Pixels from which a region is judged."""
_SMALL = 60
"""Pixels under which it counts as small, at 128 x 128."""
_RIGHT = 40
"""How far a region's median may lie from its true colour, in 8-bit steps of any channel."""
_SEEN = 4
"""Pixels of a colour in the references from which it counts as seen."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Case:
    """One clip to colour, f frames of (h, w)."""

    lines: Bytes
    """(f, h, w) true lines, 255 is ink: what is judged by."""
    given: Bytes
    """(f, h, w) or (f, h, w, 4) what the method sees: lines, 255 is ink, or pictures of the drawings."""
    ids: Bytes
    """(f, h, w) each pixel's colour."""
    palette: Bytes
    """(n, 3)"""
    references: tuple[int, ...] = (0,)
    """Which frames are references."""
    pictures: Bytes | None = None
    """(f, h, w, 3) the true coloured frames, where they are not the palette's colours under the lines."""

    @property
    def wanted(self) -> list[int]:
        """The frames that are no references."""
        return sorted(set(range(len(self.ids))) - set(self.references))

    def painting(self, frame: int) -> Bytes:
        """(h, w, 3) the true coloured frame."""
        if self.pictures is not None:
            return self.pictures[frame]
        return (self.palette[self.ids[frame]] * (1 - self.lines[frame][..., None] / 255.0) + 0.5).astype(np.uint8)

    def drawing(self, frame: int) -> NDArray[np.float32]:
        """(h, w, 4) the frame as the method sees it, 0..1."""
        seen = self.given[frame].astype(np.float32) / 255
        return seen if seen.ndim == 3 else np.stack([1 - seen] * 3 + [np.ones_like(seen)], -1)


@dataclass(frozen=True)
class Found:
    """What a method makes of a case."""

    frames: Mapping[int, Bytes]
    """(h, w, 3) of each frame that is no reference."""
    sureness: Mapping[int, NDArray[np.float32]] | None = None
    """(h, w) of each, 0..1."""


Method = Callable[[Case], Found]


@dataclass(frozen=True)
class Scores:
    """One entry a judged region."""

    right: NDArray[np.bool_]
    area: NDArray[np.intp]
    seen: NDArray[np.bool_]
    """Whether its colour is in a reference."""
    distance: NDArray[np.intp]
    """Frames to the nearest reference."""
    sureness: NDArray[np.float32]
    small: NDArray[np.bool_]
    foreign: NDArray[np.intp]
    """Pixels of it, off the given lines, whose colour no reference has."""
    plainly: NDArray[np.bool_]
    """Whether it is right by the study's own count, which does not allow for ink over the region: of the true paintings' regions it
    finds 98.5 % right on the study's clips."""

    @property
    def regions(self) -> float:
        """Share of regions right, of those whose colour is seen."""
        return float(self.right[self.seen].mean())

    @property
    def as_the_study_counts(self) -> float:
        """The same by the study's `acc`."""
        return float(self.plainly[self.seen].mean())

    @property
    def pixels(self) -> float:
        """Share of the regions' pixels right: the study's `area`."""
        return float((self.right * self.area).sum() / self.area.sum())

    def at(self, distance: int) -> float:
        return float(self.right[self.seen & (self.distance == distance)].mean())

    def of_size(self, small: bool) -> float:
        return float(self.right[self.seen & (self.small == small)].mean())

    def flagged(self, below: float) -> tuple[float, float]:
        """Share of the regions that are less sure than `below`, and share of the wrong ones among them."""
        flags = self.sureness < below
        wrong = ~self.right
        return float(flags.mean()), float((flags & wrong).sum() / max(1, wrong.sum()))

    def caught(self, share: float) -> float:
        """Share of the wrong regions that are among so large a share of all, the least sure."""
        least = np.argsort(self.sureness, kind="stable")[: int(share * len(self.right))]
        return float((~self.right[least]).sum() / max(1, (~self.right).sum()))

    def unseen(self, below: float) -> float:
        """Share of the regions of a colour in no reference that are less sure than `below`."""
        return float((self.sureness < below)[~self.seen].mean()) if (~self.seen).any() else float("nan")


# --- clips


@cache
def generator() -> ModuleType | None:
    """The study's generator; None, said aloud, where it or the OpenCV that it needs is not there."""
    path = STUDY / "gen.py"
    if not path.is_file():
        print(f"The study's clips are left out: {path} is not there")
        return None
    if importlib.util.find_spec("cv2") is None:
        print("The study's clips are left out: its generator needs OpenCV (pip install -r requirements/training.txt)")
        return None
    spec = importlib.util.spec_from_file_location("study_generator", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def clips(count: int, first: int = 0, breaks: int = 0, size: int = 128) -> Iterator[Case]:
    """The study's clips of 5 frames by their seeds, with so many breaks (radius 1 to 2 pixels at 128 x 128) in each frame but the reference."""
    study = generator()
    if study is None:
        return
    for seed in range(first, first + count):
        ids, lines, colours = study.clip(seed, 5, size, span=0.7)
        if lines.any():
            rng = np.random.default_rng(seed)
            given = [lines[0]] + [_broken(study, frame, rng, breaks) for frame in lines[1:]] if breaks else lines
            yield Case(lines, np.stack(given), ids, study.palette(np.random.default_rng(seed), colours))


def _broken(study: ModuleType, lines: Bytes, rng: np.random.Generator, count: int) -> Bytes:
    out = lines.copy()
    rows, columns = np.nonzero(lines > 128)
    if len(rows):
        for at in rng.integers(0, len(rows), count):
            study.cv2.circle(out, (int(columns[at]), int(rows[at])), int(rng.integers(1, 3)) * len(lines) // 128, 0, -1)
    return out


# --- judging


def judged(method: Method, cases: Iterable[Case], tell: Callable[[str], None] | None = None) -> Scores:
    """A method's scores over all regions of all cases; `tell` hears the figures so far now and then."""
    rows: list[Scores] = []
    told = time.monotonic()
    for count, case in enumerate(cases, 1):
        rows += _judged(case, method(case))
        if tell and time.monotonic() - told > 10:
            told = time.monotonic()
            sofar = joined(rows)
            tell(f"  {count} clips: regions {sofar.regions:.4f}, area {sofar.pixels:.4f}")
    return joined(rows)


def joined(rows: list[Scores]) -> Scores:
    return Scores(*(np.concatenate([getattr(row, name) for row in rows]) for name in Scores.__dataclass_fields__))


def _judged(case: Case, found: Found) -> Iterator[Scores]:
    seen = sum(np.bincount(case.ids[f][case.lines[f] < INK], minlength=len(case.palette)) for f in case.references) >= _SEEN
    allowed = np.unique(np.concatenate([case.palette[np.unique(case.ids[f])] for f in case.references]), axis=0)
    for frame, picture in found.frames.items():
        distance = min(abs(frame - reference) for reference in case.references)
        sureness = None if found.sureness is None else found.sureness[frame]
        yield _judged_frame(case, frame, picture, sureness, seen, allowed, distance)


def _judged_frame(
    case: Case, frame: int, picture: Bytes, sureness: NDArray[np.float32] | None, seen: NDArray[np.bool_], allowed: Bytes, distance: int
) -> Scores:
    labels, _ = ndimage.label(case.lines[frame] < INK)
    palette = case.palette.astype(float)
    drawn = case.given[frame] if case.given.ndim == 3 else 255 - case.given[frame][..., :3].min(-1)
    foreign = (drawn == 0) & (case.lines[frame] == 0) & (picture[..., None, :] != allowed).any(-1).all(-1)
    rows = []
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        mask = labels[box] == number
        area = int(mask.sum())
        if area < _SMALLEST:
            continue
        true = int(np.bincount(case.ids[frame][box][mask]).argmax())
        median = np.median(picture[box][mask], axis=0)
        # A small region may lie under anti-aliased ink altogether: its colours are looked for as that ink darkens them.
        right, plainly = (_named(median, palette * bare, palette, true) for bare in (_bare(case.lines[frame][box][mask]), 1.0))
        sure = np.nan if sureness is None else float(np.median(sureness[box][mask]))
        small = area < _SMALL * labels.size / 128**2
        rows.append((right, area, seen[true], distance, sure, small, int(foreign[box][mask].sum()), plainly))
    kinds = (bool, np.intp, bool, np.intp, np.float32, bool, np.intp, bool)
    columns = zip(*rows, strict=True) if rows else [()] * len(kinds)
    return Scores(*(np.array(column, kind) for column, kind in zip(columns, kinds, strict=True)))


def _bare(ink: Bytes) -> float:
    return float(np.median(1 - ink / 255))


def _named(median: NDArray[np.float64], shown: NDArray[np.float64], palette: NDArray[np.float64], true: int) -> bool:
    """Whether a region's median is the true colour as it would be shown."""
    nearest = ((shown - median) ** 2).sum(1).argmin()
    return bool(np.abs(palette[nearest] - palette[true]).max() < 6 and np.abs(median - shown[true]).max() < _RIGHT)


# --- the pipeline


def pipeline(params: Mapping[str, Any] | None = None) -> Method:
    """The whole of `flat` as a method: files in, a job run, files out."""
    wanted = complete(SPEC, {**(params or {}), "check_below": 1.0})

    def method(case: Case) -> Found:
        with tempfile.TemporaryDirectory() as folder:
            take = asked(Path(folder), case, wanted)
            end = run_job(take)
            assert isinstance(end, Done), end
            return Found(*_read(take, case, wanted))

    return method


def each_alone(method: Method) -> Method:
    """A method that sees each frame with nothing but the references."""

    def alone(case: Case) -> Found:
        frames, sureness = {}, {}
        for frame in case.wanted:
            kept = sorted({frame, *case.references})
            part = replace(case, lines=case.lines[kept], given=case.given[kept], ids=case.ids[kept])
            found = method(replace(part, references=tuple(kept.index(reference) for reference in case.references)))
            frames[frame] = found.frames[kept.index(frame)]
            if found.sureness is not None:
                sureness[frame] = found.sureness[kept.index(frame)]
        return Found(frames, sureness or None)

    return alone


def check_below() -> float:
    """The sureness under which `flat` asks the artist to check a region."""
    return float(next(param.default for param in SPEC.params if param.name == "check_below"))


def asked(folder: Path, case: Case, params: Mapping[str, Any]) -> JobFolder:
    """A take that colours a case."""
    take = JobFolder.create(folder)
    files: dict[str, list[InputFile]] = {"lineart": [], "reference": []}

    def put(name: str, frame: int, image: NDArray[Any]) -> None:
        file = take.input_file(name, frame + 1, ".png")
        take.file(file).write_bytes(encode_png(image))
        files[name].append(InputFile(frame + 1, file))

    for frame in range(len(case.given)):
        put("lineart", frame, case.drawing(frame))
    for frame in case.references:
        put("reference", frame, case.painting(frame) / np.float32(255))
    inputs = {name: tuple(some) for name, some in files.items()}
    take.write_job(Job("flat", dict(params), inputs, Shot("Scene", 1, len(case.given), 24)))
    return take


def _read(take: JobFolder, case: Case, params: Mapping[str, Any]) -> tuple[dict[int, Bytes], dict[int, NDArray[np.float32]]]:
    """The frames of a take that are no references, and how sure of each pixel it is, by its notes."""
    frames, sureness = {}, {}
    for frame in case.wanted:
        frames[frame] = (read_image(take.file(take.output_file("clip", frame + 1, ".png")))[..., :3] * 255 + 0.5).astype(np.uint8)
        notes = json.loads(take.file(take.output_file("notes", frame + 1, ".json")).read_text("utf-8"))
        sureness[frame] = _sureness(read_image(take.file(take.input_file("lineart", frame + 1, ".png"))), notes, params)
    return frames, sureness


def _sureness(drawing: NDArray[np.float32], notes: list[dict[str, Any]], params: Mapping[str, Any]) -> NDArray[np.float32]:
    try:
        ink = lineart.strength(cels.lines_of(drawing, drawing.shape[1::-1])[..., 3])
    except lineart.Blank:
        return np.full(drawing.shape[:2], notes[0]["confidence"] if notes else 1, np.float32)
    labels = segment(ink, params["threshold"], params["close_gaps"], params["speck_size"])
    confidence = np.ones(int(labels.max()) + 1, np.float32)
    for note in notes:
        confidence[labels[note["y"], note["x"]]] = note["confidence"]
    return confidence[labels]


def report(clip_count: int = 48, first: int = 0) -> None:
    """Prints the study's figures for the pipeline, clean and with 8 breaks a frame."""
    if generator() is None:
        return
    method = pipeline()
    for name, count, breaks in (("clean", clip_count, 0), ("8 breaks a frame", max(1, clip_count // 3), 8)):
        started = time.process_time()
        print(f"{name}: {count} clips from seed {first}", flush=True)
        found = judged(method, clips(count, first, breaks), lambda text: print(text, flush=True))
        print(
            f"  regions as the study counts {found.as_the_study_counts:.4f} of {found.seen.sum()} | "
            f"allowing for ink over them {found.regions:.4f} | area {found.pixels:.4f} | " + _details(found)
        )
        print(f"  foreign pixels {found.foreign.sum()} | {time.process_time() - started:.0f} s", flush=True)


def _details(found: Scores) -> str:
    away = " ".join(f"d{d} {found.at(d):.3f}" for d in range(1, 5))
    flagged, caught = found.flagged(check_below())
    return (
        f"{away} | small {found.of_size(True):.3f} big {found.of_size(False):.3f} | "
        f"flagged {flagged:.3f} with {caught:.3f} of the errors, unseen {found.unseen(check_below()):.3f}"
    )
