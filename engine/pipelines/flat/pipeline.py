"""Colours line art: lines to regions, regions matched from the references both ways in time, colours under the original lines.

Works on one drawing at a time; what others need of it lies in the job's state folder, so memory does not grow with the clip and a job that
was cut off goes on to the same bits. Knows no Blender.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...drawing import cels, lineart
from ...drawing.cels import Pixels
from ...drawing.fills import fills
from ...drawing.frames import Frames
from ...drawing.regions import Colours, Labels, Painted, eight_bit, from_colours, merged, painted, segment, separated
from ...protocol import Job, PegbarError, write_atomic
from ...spec import Report, asked
from ...strokes import Strokes
from . import SPEC
from .description import Floats, Regions, describe
from .matching import Coloured, Matched, carried, coloured, match

_FITS = 0.9
"""Mean share of one colour in the line art's regions over a reference, from which the two show the same drawing."""

_REFERENCE_TRUST = 0.15
"""How much a reference far away in time counts beside the drawing just before."""
_LAGS, _LAG_TRUST = (3, 9, 20), 0.3
"""How many drawings back one looks beside the one just before, for what was hidden in between; and how much these count."""

Kept = TypeVar("Kept", Regions, Matched)


def load(weights: Mapping[str, Path], device: str) -> None:
    """Nothing: there is no model."""


def generate(model: None, job: Job, inputs: Mapping[str, Frames], report: Report) -> None:
    """Writes a coloured frame for each frame of the shot, in order, and the notes of what to check. Raises PegbarError, Cancelled."""
    shot = _Shot(job, inputs["lineart"], inputs["reference"], report)
    wanted = [output.name for output in asked(SPEC, job.params)]
    for step, frame in enumerate(shot.frames):
        if all(frame in report.written(output) for output in wanted):
            continue
        report.progress("Colouring", step, len(shot.frames))
        cel = shot.cel_at[frame]
        colours = shot.colours(cel)
        report.progress("Colouring", step, len(shot.frames))
        contents = shot.composed(cel, colours, wanted)
        for output in wanted:
            report.write(output, frame, contents[output])
        shot.forget(cel)
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
        self.cel_at, self._first = _cels(self.frames, lines)
        self.size = cels.common_size(lines)
        cels.check_proportions(references, "reference", self.size)
        self._layer = lru_cache(maxsize=1)(self._read_layer)
        self._labels = lru_cache(maxsize=2)(self._read_labels)
        self._regions = lru_cache(maxsize=max(_LAGS) + 2)(self._read_regions)
        if all(self._regions(cel) is None for cel in range(len(self._first))):  # stops at the first drawing that has lines
            raise PegbarError("No frame of the line art has lines: choose a strip or a drawing with lines")
        self.palette, self.anchors = self._read_references()
        self._home = self._read_home() if job.params["as_fills"] else ""

    # --- drawings

    def _read_layer(self, cel: int) -> Floats | None:
        """The lines of a drawing at the shot's size; None where it has none."""
        try:
            return cels.lines_of(self._lines[self._first[cel]], self.size)
        except lineart.Blank:
            return None

    def _read_labels(self, cel: int) -> Labels:
        kept = self._kept("labels", cel)
        if kept.is_file():
            return _load_labels(kept)
        layer = self._layer(cel)
        if layer is None:
            self._report.warn(f"Frame {self._first[cel]} of the line art has no lines")
            labels = np.zeros(self.size[::-1], np.int32)
        else:
            ink = lineart.strength(layer[..., 3])
            labels = segment(ink, self.params["threshold"], self.params["close_gaps"], self.params["speck_size"])
        _save_labels(kept, labels)
        return labels

    def _read_regions(self, cel: int) -> Regions | None:
        """What the matcher knows of a drawing; None where it has no lines, and so nothing to be known by."""
        kept = self._kept("regions", cel)
        if kept.is_file():
            return _load(kept, Regions)
        labels = self._labels(cel)
        if not labels.any() and self._layer(cel) is None:
            return None
        regions = describe(labels)
        _save(kept, regions)
        return regions

    def _kept(self, name: str, cel: int) -> Path:
        return self._report.state / f"{name}_{cel:05d}.npz"

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
        for name in ("labels", "regions"):
            self._kept(name, cel - max(_LAGS)).unlink(missing_ok=True)

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
        regions, layer = self._regions(cel), self._layer(cel)
        if regions is not None and layer is not None and len(regions) > 1:
            paint = painted(self._labels(cel), image, layer[..., 3])
            if float(np.average(paint.share, weights=np.sqrt(regions.area))) >= _FITS:
                return Anchor(cel, regions, none, number, paint, fits=True)
        if number in self.frames:
            self._report.warn(
                f"The reference at frame {number} does not fit the line art there, so its colours are carried over by shape: check Close Gaps"
            )
        labels, ink = from_colours(image, self.params["speck_size"])
        return Anchor(cel, describe(labels), none, number, painted(labels, image, ink), fits=False)

    # --- matching

    def colours(self, cel: int) -> Matched:
        """The colours of a drawing's regions, from references before and after it."""
        kept = self._kept("colours", cel)
        if kept.is_file():
            return _load(kept, Matched)
        before = [anchor for anchor in self.anchors if anchor.cel <= cel]
        after = [anchor for anchor in self.anchors if anchor.cel > cel]
        if not before:
            found = self._backward(cel, after[0])
        elif before[-1].cel == cel and before[-1].fits:
            found = self._given(before[-1])
        else:
            found = self._matched(cel, before[-1], -1)
            if after:
                found = _both(found, self._backward(cel, after[0]))
        _save(kept, found)
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
            _save(self._kept_backward(at, anchor), self._given(anchor) if own else self._matched(at, anchor, +1))
        return _load(self._kept_backward(cel, anchor), Matched)

    def _kept_backward(self, cel: int, anchor: Anchor) -> Path:
        return self._kept(f"backward_{anchor.cel:05d}", cel)

    def _matched(self, cel: int, anchor: Anchor, towards: int) -> Matched:
        """The colours that a drawing has from those coloured before it on the way from a reference, `towards` it, and from that itself."""
        given = self._given(anchor)
        sources = [coloured(anchor.regions, given)]
        way = range(cel + towards, anchor.cel if anchor.fits else anchor.cel + towards, towards)
        drawn = next((at for at in way if self._regions(at) is not None), None)
        if drawn is not None:
            sources[0] = replace(sources[0], trust=_REFERENCE_TRUST)
            last = self._coloured(drawn, anchor, towards)
            sources.insert(0, replace(last, chances=carried(last.chances)))
            lags = [cel + lag * towards for lag in _LAGS]
            sources += [
                replace(self._coloured(at, anchor, towards), trust=_LAG_TRUST) for at in lags if at in way and self._regions(at) is not None
            ]
        regions = self._regions(cel)
        return match(describe(self._labels(cel)) if regions is None else regions, sources)

    def _coloured(self, cel: int, anchor: Anchor, towards: int) -> Coloured:
        found = self.colours(cel) if towards < 0 else _load(self._kept_backward(cel, anchor), Matched)
        regions = self._regions(cel)
        assert regions is not None
        return coloured(regions, found)

    def _given(self, anchor: Anchor) -> Matched:
        """What a reference says of its own regions."""
        share = anchor.painted.share
        rest = (1 - share[:, None]) / max(1, len(self.palette) - 1)
        chances = np.broadcast_to(rest, (len(anchor.regions), len(self.palette))).astype(np.float32)
        chances[np.arange(len(anchor.index)), anchor.index] = share
        unmoved = np.zeros((len(anchor.regions), 2), np.float32)
        itself = np.arange(len(anchor.regions), dtype=np.int32)
        alone = np.full((len(itself), 2), -1, np.int32)
        return Matched(chances, unmoved, unmoved, itself, np.ones(len(itself), np.float32), alone, np.zeros(len(itself), np.float32))

    # --- pictures

    def composed(self, cel: int, colours: Matched, wanted: list[str]) -> dict[str, Any]:
        """The outputs of one drawing that are asked for."""
        labels = self._labels(cel)
        index = colours.chances.argmax(1).astype(np.int32)
        own = next((anchor for anchor in self.anchors if anchor.fits and anchor.cel == cel), None)
        if own is None:
            at, confidence = index[labels], colours.chances.max(1)
        else:
            at = separated(labels, index, self._painting(own.number), own.painted, self.palette)
            confidence = own.painted.true.astype(np.float32)
        colour = self.palette[at]
        layer = self._layer(cel)
        contents: dict[str, Any] = {"notes": _notes(labels, self.palette[index], confidence, self.params["check_below"])}
        if "clip" in wanted:
            contents["clip"] = (colour if layer is None else cels.over(layer, colour)) / np.float32(255)
        if "fills" in wanted:
            contents["fills"] = self._fills(cel, labels, at)
        if "lines" in wanted:
            contents["colour"] = colour / np.float32(255)
            contents["lines"] = np.zeros(colour.shape, np.float32) if layer is None else layer
        return contents

    def _fills(self, cel: int, labels: Labels, at: NDArray[np.int32]) -> Strokes:
        drawing = self._lines[self._first[cel]]
        assert isinstance(drawing, Strokes)
        if not drawing.layers:
            return drawing  # without a layer there is no place for them
        home = self._home if self._home in drawing.layers else drawing.layers[0]
        return fills(labels, at, self.palette, self.names, drawing, home)


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


def _both(forward: Matched, backward: Matched) -> Matched:
    """Two opinions of the same regions: the surer one weighs more."""
    logs = np.log(forward.chances + 1e-4) + np.log(backward.chances + 1e-4)
    chances = np.exp(logs - logs.max(1, keepdims=True))
    return replace(forward, chances=chances / chances.sum(1, keepdims=True))


def _notes(labels: Labels, chosen: Colours, confidence: Floats, check_below: float) -> list[dict[str, Any]]:
    """The regions whose colour the artist should check, least sure first."""
    notes = []
    boxes = ndimage.find_objects(labels + 1)
    for region in np.argsort(confidence, kind="stable"):
        if confidence[region] >= check_below:
            break
        down, across = boxes[region]
        rows, columns = np.nonzero(labels[down, across] == region)
        nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
        colour = chosen[region]
        notes.append(
            {
                "region": int(region),
                "x": across.start + int(columns[nearest]),
                "y": down.start + int(rows[nearest]),
                "box": [across.start, down.start, across.stop - across.start, down.stop - down.start],
                "area": len(rows),
                "colour": "#" + bytes(colour[: 3 if colour[3] == 255 else 4]).hex(),
                "confidence": round(float(confidence[region]), 3),
            }
        )
    return notes


# --- state


def _save(path: Path, content: Regions | Matched) -> None:
    _write(path, {field.name: getattr(content, field.name) for field in fields(content)})


def _load(path: Path, kind: type[Kept]) -> Kept:
    with np.load(path) as file:
        return kind(**{field.name: file[field.name] for field in fields(kind)})


def _save_labels(path: Path, labels: Labels) -> None:
    flat = labels.ravel()
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    _write(path, {"starts": starts.astype(np.int32), "values": flat[starts], "shape": np.array(labels.shape)})


def _load_labels(path: Path) -> Labels:
    with np.load(path) as file:
        h, w = (int(side) for side in file["shape"])
        return np.repeat(file["values"], np.diff(np.append(file["starts"], h * w))).reshape(h, w)


def _write(path: Path, arrays: Mapping[str, Any]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomic(path, buffer.getvalue())
