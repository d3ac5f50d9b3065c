"""Colours line art: lines to regions, regions matched from the references both ways in time, colours under the original lines.

Works on one drawing at a time; what others need of it lies in the job's state folder, so memory does not grow with the clip and a job that
was cut off goes on to the same bits. Knows no Blender.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...corrections import CORRECTIONS, CORRECTS, Correction
from ...drawing import cels, lineart
from ...drawing.cels import Lines, Pixels
from ...drawing.frames import Frames
from ...drawing.regions import Colours, Labels, Painted, eight_bit, from_colours, merged, painted, segment, separated
from ...drawing.undercolours import uncovered
from ...protocol import Job, PegbarError
from ...spec import Report, asked
from ...strokes import Strokes
from . import SPEC, recolouring
from .corrections import ROOT, followed
from .description import Regions, describe
from .kept import Book, Runs, Shown, State, keep_book, save
from .kept import load as kept
from .matching import Coloured, Matched, match
from .pictures import Cel
from .recolouring import write

_FITS = 0.9
"""Mean share of one colour in the line art's regions over a reference, from which the two show the same drawing."""
_NEAR, _GUESS = 2, np.float32(0.5)
"""How far, in 8-bit steps, a region's colour may lie from the palette's nearest to be that one, and the chance that it is where it lies farther."""

_LAST_TRUST = 3.0
"""How much the drawing just before counts beside the reference."""
_SURER = 4.0
"""How much more is heard of the surer of two opinions between two references."""
_LAGS, _LAG_TRUST = (3, 9, 20), 1.0
"""How many drawings back one looks beside the one just before, for what was hidden in between; and how much these count."""
_FEW = 150
"""Regions of a drawing up to which one looks back at these, too: the time goes with the square of their number."""


def load(weights: Mapping[str, Path], device: str) -> None:
    """Nothing: there is no model."""


def generate(model: None, job: Job, inputs: Mapping[str, Frames], report: Report) -> None:
    """Writes a coloured frame for each frame of the shot, in order, and the notes of what to check. Raises PegbarError, Cancelled.

    A take that corrects another one starts from that one's state, and makes anew what has other colours alone.
    """
    corrections = recolouring.read(inputs[CORRECTIONS])
    if corrections and job.params[CORRECTS]:
        recolouring.correct(job, _cels(job.shot.frames, inputs["lineart"])[0], inputs["lineart"], corrections, report)
        return
    shot = _Shot(job, inputs["lineart"], inputs["reference"], report)
    wanted = [output.name for output in asked(SPEC, job.params)]
    if corrections:
        shot.correct(corrections)
    for step, frame in enumerate(shot.frames):
        if all(frame in report.written(output) for output in wanted):
            continue
        report.progress("Colouring", step, len(shot.frames))
        cel = shot.cel_at[frame]
        made = shot.made(cel)
        report.progress("Colouring", step, len(shot.frames))
        write(made, wanted, [frame], report, job.params, shot.state.file("fills", cel))
        shot.forget(cel)
    shot.close()
    report.progress("Colouring", len(shot.frames), len(shot.frames))


@dataclass(frozen=True)
class Anchor:
    """A reference and the drawing that it is nearest to."""

    cel: int
    regions: Regions
    index: NDArray[np.int32]
    """(n,) palette index of each region."""
    number: int
    """The reference's own frame number."""
    painted: Painted
    fits: bool
    """Whether it shows that very drawing: its regions are the drawing's own."""


class _Shot:
    """The drawings of a shot on the way to their colours. A cel is one drawing, however many frames hold or repeat it."""

    def __init__(self, job: Job, lines: Frames, references: Frames, report: Report) -> None:
        self.params = job.params
        self.frames = job.shot.frames
        self._lines = lines
        self._references = references
        self._report = report
        self.state = State(report.state)
        self.cel_at, self._first = _cels(self.frames, lines)
        self.size = cels.common_size(lines)
        cels.check_proportions(references, "reference", self.size)
        self._layer = lru_cache(maxsize=1)(self._read_lines)
        self._labels = lru_cache(maxsize=2)(self._read_labels)
        self._regions = lru_cache(maxsize=max(_LAGS) + 2)(self._read_regions)
        if all(self._regions(cel) is None for cel in range(len(self._first))):  # stops at the first drawing that has lines
            raise PegbarError("No frame of the line art has lines: choose a strip or a drawing with lines")
        self.palette, self.anchors = self._read_references()
        self._home = self._read_home() if job.params["as_fills"] else ""
        self._shown: Shown | None = None
        self._corrected: dict[int, int] = {}

    # --- drawings

    def _read_lines(self, cel: int) -> Lines | None:
        """The lines of a drawing at the shot's size, in 8 bits from the first; None where it has none."""
        file = self.state.file("lines", cel)
        if not file.is_file():
            try:
                lines = Lines.of(cels.lines_of(self._lines[self._first[cel]], self.size))
            except lineart.Blank:
                lines = Lines(np.zeros(0, np.int32), np.zeros((0, 4), np.uint8))
            save(file, lines)
        lines = kept(file, Lines)
        return lines if len(lines.place) else None

    def _read_labels(self, cel: int) -> Labels:
        file = self.state.file("labels", cel)
        if file.is_file():
            return kept(file, Runs).picture()
        lines = self._layer(cel)
        if lines is None:
            self._report.warn(f"Frame {self._first[cel]} of the line art has no lines")
            labels = np.zeros(self.size[::-1], np.int32)
        else:
            strength = lineart.strength(lines.ink(self.size))
            labels = segment(strength, self.params["threshold"], self.params["close_gaps"], self.params["speck_size"])
        save(file, Runs.of(labels))
        return labels

    def _read_regions(self, cel: int) -> Regions | None:
        """What the matcher knows of a drawing; None where it has no lines, and so nothing to be known by."""
        file = self.state.file("regions", cel)
        if file.is_file():
            return kept(file, Regions)
        labels = self._labels(cel)
        if not labels.any() and self._layer(cel) is None:
            return None
        regions = describe(labels)
        save(file, regions)
        return regions

    def _read_home(self) -> str:
        """The lowest layer that is in all drawings, in whose space fills are drawn. Raises PegbarError where the line art is pictures."""
        common: tuple[str, ...] | None = None
        for number in self._first:
            drawing = self._lines[number]
            if not isinstance(drawing, Strokes):
                raise PegbarError(
                    "Fills lie under the strokes of a drawing, and this line art is pictures: choose a drawing, or pictures back"
                )
            if common is None and drawing.fill_colour[:, 3].any():
                self._report.warn("The drawing has fills of its own, which lie over the new ones: make its materials without fill")
            if len(drawing.layers):
                common = tuple(name for name in (common or drawing.layers) if name in drawing.layers)
        return common[0] if common else ""

    def forget(self, cel: int) -> None:
        """Removes what no later drawing is matched from; it is made again where a frame repeats the drawing."""
        self.state.file("regions", cel - max(_LAGS)).unlink(missing_ok=True)

    # --- references

    def _read_references(self) -> tuple[Colours, tuple[Anchor, ...]]:
        """The palette of all references, and each as an anchor, in the order of their drawings."""
        found = []
        for step, number in enumerate(self._references.numbers):
            self._report.progress("Reading references", step, len(self._references))
            found.append(self._read_reference(number))
        paints = [anchor.painted for anchor in found]
        colours = np.concatenate([paint.colours for paint in paints] + [paint.others for paint in paints])
        weights = np.full(len(colours), 1e-9)
        areas = np.concatenate([anchor.regions.area * anchor.painted.true for anchor in found])
        weights[: len(areas)] = areas
        palette, index = merged(colours, weights, max(paint.tolerance for paint in paints))
        of_each = np.split(index[: len(areas)], np.cumsum([len(anchor.regions) for anchor in found])[:-1])
        anchors = [replace(anchor, index=index) for anchor, index in zip(found, of_each, strict=True)]
        return palette, tuple(sorted(anchors, key=lambda anchor: anchor.cel))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What each colour of the palette is called: as the material of a reference's fills that has this one colour, or by its number."""
        used: dict[str, set[bytes]] = {}
        for reference in (self._references[number] for number in self._references.numbers):
            if isinstance(reference, Strokes):
                colours = eight_bit(reference.fill_colour)
                for i in np.flatnonzero((colours[:, 3] > 0) & (reference.material >= 0)):
                    used.setdefault(reference.materials[reference.material[i]], set()).add(colours[i].tobytes())
        name_of = {colours.pop(): name for name, colours in used.items() if len(colours) == 1}
        return tuple(name_of.get(colour.tobytes(), f"Pegbar Colour {i:02d}") for i, colour in enumerate(self.palette, start=1))

    def _painting(self, number: int) -> Pixels:
        return eight_bit(cels.exact(self._references[number], self.size))

    def _read_reference(self, number: int) -> Anchor:
        """A reference whose colours have no index yet."""
        image = self._painting(number)
        none = np.zeros(0, np.int32)
        cel = self.cel_at[min(self.frames, key=lambda frame: abs(frame - number))]
        regions, lines = self._regions(cel), self._layer(cel)
        if regions is not None and lines is not None and len(regions) > 1:
            labels = self._labels(cel)
            paint = painted(labels, image, lines.ink(self.size))
            if float(np.average(paint.share, weights=np.sqrt(regions.area))) >= _FITS:
                return Anchor(cel, regions, none, number, uncovered(paint, labels, image, lines.layer(self.size)), fits=True)
        if number in self.frames:
            self._report.warn(
                f"The reference at frame {number} does not fit the line art there, so its colours are carried over by shape: check Close Gaps"
            )
        labels, ink = from_colours(image, self.params["speck_size"])
        return Anchor(cel, describe(labels), none, number, painted(labels, image, ink), fits=False)

    # --- matching

    def colours(self, cel: int) -> Matched:
        """The colours of a drawing's regions, from references before and after it."""
        file = self.state.file("colours", cel)
        if file.is_file():
            return kept(file, Matched)
        before = [anchor for anchor in self.anchors if anchor.cel <= cel]
        after = [anchor for anchor in self.anchors if anchor.cel > cel]
        if not before:
            found = self._backward(cel, after[0])
        elif before[-1].cel == cel and before[-1].fits:
            found = self._given(before[-1])
        else:
            found = self._matched(cel, before[-1], -1)
            if after:
                near = (after[0].cel - cel) / (after[0].cel - before[-1].cel)
                found = _both(found, self._backward(cel, after[0]), near)
        save(file, found)
        return found

    def _backward(self, cel: int, anchor: Anchor) -> Matched:
        """The colours that follow from a later reference, drawing by drawing towards the front."""
        todo = [at for at in range(anchor.cel, cel - 1, -1) if not self._kept_backward(at, anchor).is_file()]
        for step, at in enumerate(todo):
            self._report.progress("Reading lines", step, len(todo))
            self._regions(at)
        for step, at in enumerate(todo):
            self._report.progress("Matching", step, len(todo))
            own = at == anchor.cel and anchor.fits
            save(self._kept_backward(at, anchor), self._given(anchor) if own else self._matched(at, anchor, +1))
        return kept(self._kept_backward(cel, anchor), Matched)

    def _kept_backward(self, cel: int, anchor: Anchor) -> Path:
        return self.state.file(f"backward_{anchor.cel:05d}", cel)

    def _matched(self, cel: int, anchor: Anchor, towards: int) -> Matched:
        """The colours that a drawing has from those coloured before it on the way from a reference, `towards` it, and from that itself."""
        sources, at = [Coloured(anchor.regions, self._given(anchor).chances)], [anchor.cel if anchor.fits else ROOT]
        way = range(cel + towards, anchor.cel if anchor.fits else anchor.cel + towards, towards)
        drawn = next((at for at in way if self._regions(at) is not None), None)
        if drawn is not None:
            back = _LAGS if int(self._labels(cel).max()) < _FEW else ()
            lags = [at for at in (cel + lag * towards for lag in back) if at in way and self._regions(at) is not None]
            sources.insert(0, self._coloured(drawn, anchor, towards, _LAST_TRUST))
            sources += [self._coloured(lag, anchor, towards, _LAG_TRUST) for lag in lags]
            at = [drawn, *at, *lags]
        regions = self._regions(cel)
        found = match(describe(self._labels(cel)) if regions is None else regions, sources)
        source, region = found.partner.T
        return replace(found, partner=np.stack([np.where(source < 0, -1, np.array(at)[source]), region], 1).astype(np.int32))

    def _coloured(self, cel: int, anchor: Anchor, towards: int, trust: float) -> Coloured:
        found = self.colours(cel) if towards < 0 else kept(self._kept_backward(cel, anchor), Matched)
        regions = self._regions(cel)
        assert regions is not None
        return Coloured(regions, found.chances, trust)

    def _given(self, anchor: Anchor) -> Matched:
        """What a reference says of its own regions."""
        paint = anchor.painted
        away = np.abs(self.palette[anchor.index].astype(np.int16) - paint.colours).max(1)
        share = np.where(away > max(_NEAR, 2 * paint.tolerance), np.minimum(paint.share, _GUESS), paint.share)
        rest = (1 - share[:, None]) / max(1, len(self.palette) - 1)
        chances = np.broadcast_to(rest, (len(anchor.regions), len(self.palette))).astype(np.float32)
        chances[np.arange(len(anchor.index)), anchor.index] = share
        alone = np.full((len(anchor.index), 2), -1, np.int32)
        return Matched(chances, alone, np.zeros(len(anchor.index), np.float32))

    # --- pictures

    def made(self, cel: int) -> Cel:
        """A drawing with its colours, those that the artist corrected being as they are to be."""
        self._labels(cel)
        labels, lines, own = kept(self.state.file("labels", cel), Runs), self._layer(cel), self._own(cel)
        if self._shown is None:
            colours = self.colours(cel).chances
            colour, sure = colours.argmax(1).astype(np.int32), colours.max(1) if own is None else own.painted.true.astype(np.float32)
        else:
            mine = slice(*self.book.first[cel : cel + 2])
            colour, sure = self._shown.colour[mine], self._shown.sure[mine]
        drawing = self._lines[self._first[cel]] if self.params["as_fills"] else None
        return Cel(
            labels=labels,
            lines=Lines(np.zeros(0, np.int32), np.zeros((0, 4), np.uint8)) if lines is None else lines,
            colour=colour,
            sure=sure,
            palette=self.palette,
            names=self.names,
            given=None if own is None else self._shown_by(own),
            corrected=[
                region for region in range(len(colour)) if self._shown is not None and self.book.first[cel] + region in self._corrected
            ],
            drawing=drawing if isinstance(drawing, Strokes) else None,
            home=self._home,
        )

    def _own(self, cel: int) -> Anchor | None:
        """The reference that shows a drawing."""
        return next((anchor for anchor in self.anchors if anchor.fits and anchor.cel == cel), None)

    def _shown_by(self, own: Anchor) -> Runs:
        """The palette index of each pixel of a reference's own drawing, in which a region can have several."""
        file = self.state.file("given", own.cel)
        if not file.is_file():
            at = separated(self._labels(own.cel), own.index, self._painting(own.number), own.painted, self.palette)
            save(file, Runs.of(at))
        return kept(file, Runs)

    # --- corrections

    @cached_property
    def book(self) -> Book:
        """What the colours follow from, all drawings being matched."""
        found = [self.colours(cel) for cel in range(len(self._first))]
        first = np.cumsum([0, *(len(matched.sure) for matched in found)]).astype(np.int32)
        cel, region = np.concatenate([matched.partner for matched in found]).T
        own = [self._own(at) for at in range(len(found))]
        sure = [matched.chances.max(1) if anchor is None else anchor.painted.true for matched, anchor in zip(found, own, strict=True)]
        return Book(
            palette=self.palette,
            names=self.names,
            first=first,
            colour=np.concatenate([matched.chances.argmax(1) for matched in found]).astype(np.int32),
            sure=np.concatenate(sure).astype(np.float32),
            partner=np.where(cel < 0, cel, first[cel] + region).astype(np.int32),
            link=np.concatenate([matched.sure for matched in found]),
            given=np.array([anchor is not None for anchor in own]),
        )

    def correct(self, corrections: Sequence[Correction]) -> None:
        """Lets the artist's colours count from the start."""
        for cel in range(len(self._first)):
            self._report.progress("Matching", cel, len(self._first))
            self.colours(cel)
        self.book, self._corrected = recolouring.applied(self.book, self.state, self.cel_at, corrections)
        self._shown, self.palette, self.names = followed(self.book, self._corrected), self.book.palette, self.book.names

    def close(self) -> None:
        """Keeps what corrections start from, and nothing else."""
        if not self.state.shown.is_file():
            keep_book(self.state, self.book, self._shown or Shown(self.book.colour, self.book.sure))
        for name in ("regions", "colours", "backward"):
            for file in self.state.folder.glob(f"{name}_*.npz"):
                file.unlink()


def _cels(frames: tuple[int, ...], lines: Frames) -> tuple[dict[int, int], list[int]]:
    """Which cel each frame of the shot shows, held until the next one, and the line art's frame number of each cel."""
    cel_of: dict[Path, int] = {}
    cel_at: dict[int, int] = {}
    first: list[int] = []
    for frame in frames:
        number = lines.shown(frame)
        file = lines.file(number)
        if file not in cel_of:
            cel_of[file] = len(first)
            first.append(number)
        cel_at[frame] = cel_of[file]
    return cel_at, first


def _both(forward: Matched, backward: Matched, near: float) -> Matched:
    """Two opinions of the same regions: the surer one weighs more, and that of the nearer reference, `near` being the forward one's share."""
    logs, whole = np.zeros_like(forward.chances), np.zeros((len(forward.chances), 1), np.float32)
    for found, share in ((forward, near), (backward, 1 - near)):
        weight = np.float32(share) * found.chances.max(1, keepdims=True) ** np.float32(_SURER)
        logs += weight * np.log(found.chances + np.float32(1e-4))
        whole += weight
    chances = np.exp((logs - logs.max(1, keepdims=True)) / whole)
    return replace(forward, chances=chances / chances.sum(1, keepdims=True))
