"""Corrections of a take: read, applied to what its colours follow from, and made: what has other colours anew, the rest as it was."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...corrections import CORRECTS, Correction
from ...drawing.cels import Lines
from ...drawing.frames import Frames
from ...protocol import Job, JobFolder, PegbarError, link
from ...spec import Report, asked
from ...strokes import Strokes
from . import SPEC
from .corrections import colour_of, followed, with_colours
from .kept import Book, Runs, Shown, State, keep_book, load, save_arrays
from .pictures import Cel, Fills, contents

THREADS = min(8, 2 * (os.cpu_count() or 1))
"""How many drawings are made at once: packing pictures and waiting for the disk is most of the work, and other threads go on meanwhile."""


def read(files: Frames) -> list[Correction]:
    """The corrections of a job, in the order of their frames and as they were made. Raises PegbarError."""
    found = []
    for frame in files.numbers:
        path = files.file(frame)
        try:
            entries = json.loads(path.read_bytes())
            found += [Correction(frame, float(entry["x"]), float(entry["y"]), str(entry["colour"])) for entry in entries]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PegbarError(f"{path} does not tell corrections ({error}): write a list of x, y and colour") from error
    for wrong in (entry for entry in found if not (0 <= entry.x <= 1 and 0 <= entry.y <= 1)):
        raise PegbarError(f"The correction on frame {wrong.frame} lies outside the picture: choose x and y from 0 to 1")
    return found


def applied(book: Book, state: State, cel_at: Mapping[int, int], corrections: Sequence[Correction]) -> tuple[Book, dict[int, int]]:
    """The book whose palette has all corrected colours, and their index by region; the last word on a region counts. Raises PegbarError."""
    for entry in corrections:
        if entry.frame not in cel_at:
            raise PegbarError(f"Frame {entry.frame} is corrected, which is not in the shot: choose one from {min(cel_at)} to {max(cel_at)}")
    book, index = with_colours(book, [colour_of(entry.colour) for entry in corrections])
    corrected = {}
    for entry, colour in zip(corrections, index, strict=True):
        cel = cel_at[entry.frame]
        corrected[int(book.first[cel]) + load(state.file("labels", cel), Runs).at(entry.x, entry.y)] = colour
    return book, corrected


@dataclass(frozen=True)
class _Work:
    """All that is needed to make drawings of a corrected take."""

    state: State
    files: Mapping[tuple[str, int], Path]
    """What the corrected take has, by output and frame."""
    lines: Frames
    book: Book
    was: Shown
    shown: Shown
    corrected: Mapping[int, int]
    check_below: float

    def anew(self, cel: int, wanted: Sequence[str]) -> list[str]:
        """The outputs of a drawing that are not as they were."""
        own, was, shown = self.own(cel), self.was, self.shown
        recoloured = was.colour[own] != shown.colour[own]
        doubtful = np.minimum(was.sure[own], shown.sure[own]) < self.check_below
        notes = doubtful & (recoloured | (was.sure[own] != shown.sure[own]))
        return [name for name in wanted if (notes if name == "notes" else recoloured).any()]

    def own(self, cel: int) -> slice:
        """The regions of a drawing."""
        return slice(*self.book.first[cel : cel + 2].tolist())

    def cel(self, cel: int, frame: int, with_fills: bool) -> Cel:
        """A drawing, which a frame shows, with its new colours."""
        own, drawing = self.own(cel), self.lines[self.lines.shown(frame)] if with_fills else None
        before = self._fills(cel, frame) if with_fills else None
        clear = self.book.palette[:, 3] < 255
        keeps_shapes = not self.book.given[cel] and (clear[self.was.colour[own]] == clear[self.shown.colour[own]]).all()
        return Cel(
            labels=load(self.state.file("labels", cel), Runs),
            lines=load(self.state.file("lines", cel), Lines),
            colour=self.shown.colour[own],
            sure=self.shown.sure[own],
            palette=self.book.palette,
            names=self.book.names,
            given=load(self.state.file("given", cel), Runs) if self.book.given[cel] else None,
            corrected=[region - own.start for region in self.corrected if own.start <= region < own.stop],
            drawing=drawing if isinstance(drawing, Strokes) else None,
            home=next(iter(before.strokes.layers), "") if before else "",
            before=before if keeps_shapes else None,
        )

    def _fills(self, cel: int, frame: int) -> Fills:
        with np.load(self.state.file("fills", cel)) as kept:
            return Fills(Strokes.load(self.files["fills", frame]), kept["region"])


def correct(job: Job, cel_at: Mapping[int, int], lines: Frames, corrections: Sequence[Correction], report: Report) -> None:
    """Makes the take that a job's corrections make of another one. Raises PegbarError, Cancelled."""
    report.progress("Correcting", 0, len(job.shot.frames))
    work = _work(job, cel_at, lines, corrections, report)
    frames: dict[int, list[int]] = {}
    for frame in job.shot.frames:
        frames.setdefault(cel_at[frame], []).append(frame)
    wanted = [output.name for output in asked(SPEC, job.params)]
    todo = {cel: names for cel in frames if (names := work.anew(cel, wanted))}
    kept = [(output, frame) for cel, own in frames.items() for output in wanted if output not in todo.get(cel, ()) for frame in own]
    _keep(kept, work.files, report)

    def make(cel: int) -> None:
        left = [frame for frame in frames[cel] if any(frame not in report.written(output) for output in todo[cel])]
        if left:
            made = work.cel(cel, left[0], "fills" in todo[cel])
            write(made, todo[cel], left, report, job.params, work.state.file("fills", cel))

    with ThreadPoolExecutor(THREADS) as pool:
        for done, _ in enumerate(pool.map(make, todo), start=1):
            report.progress("Correcting", done, len(todo))


def _work(job: Job, cel_at: Mapping[int, int], lines: Frames, corrections: Sequence[Correction], report: Report) -> _Work:
    """Takes over the corrected take's state and finds what the corrections change."""
    state, base = State(report.state), _base(job, report.state)
    _take_over(base, job, state)
    book, corrected = applied(load(state.book, Book), state, cel_at, corrections)
    was, shown = load(state.before, Shown), followed(book, corrected)
    keep_book(state, book, shown)
    files = {(event.output, event.frame): base.file(event.file) for event in base.state().frames}
    return _Work(state, files, lines, book, was, shown, corrected, float(job.params["check_below"]))


def write(cel: Cel, wanted: Sequence[str], frames: Iterable[int], report: Report, params: Mapping[str, Any], fills: Path) -> None:
    """Writes all outputs of a drawing for the frames that show it, and keeps of which region each fill is."""
    for output, content in contents(cel, wanted, params).items():
        if isinstance(content, Fills):
            save_arrays(fills, {"region": content.region})
            content = content.strokes
        for frame in frames:
            report.write(output, frame, content)


def _base(job: Job, state: Path) -> JobFolder:
    """The take that is corrected: a folder, or by name one beside this one, so that a project can be moved."""
    path = Path(str(job.params[CORRECTS]))
    beside = state.parent.parent / path
    return JobFolder(beside if beside.is_dir() else path)


def _take_over(base: JobFolder, job: Job, state: State) -> None:
    """Links the state of the corrected take; what pictures it has comes last, so that it tells that all is there."""
    if state.before.is_file():
        return
    theirs, number = State(base.state_folder), base.path.name
    if not (theirs.book.is_file() and theirs.shown.is_file()):
        raise PegbarError(f"{number} does not tell what its colours follow from: colour the shot once more, then correct that take")
    other = base.read_job()
    if other.pipeline != job.pipeline or other.shot.frames != job.shot.frames:
        raise PegbarError(f"{number} is a take of other frames: correct a take of the same shot")
    for path in theirs.folder.glob("*.npz"):
        if path not in (theirs.shown, theirs.before):
            link(path, state.folder / path.name)
    link(theirs.shown, state.before)


def _keep(what: Iterable[tuple[str, int]], files: Mapping[tuple[str, int], Path], report: Report) -> None:
    """Takes over the frames that stay as they are."""
    for output, frame in what:
        if frame not in report.written(output):
            if (output, frame) not in files or not files[output, frame].is_file():
                raise PegbarError(f"Frame {frame} of the take that is corrected is gone: colour the shot once more, then correct that take")
            report.keep(output, frame, files[output, frame])
