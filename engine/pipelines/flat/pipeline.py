"""Colours line art: lines to regions, regions matched from the references both ways in time, colours under the original lines.

Works on one drawing at a time; what others need of it lies in the job's state folder, so memory does not grow with the clip and a job that
was cut off goes on to the same bits. Knows no Blender.
"""

import io
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...drawing import lineart, raster
from ...drawing.frames import Frames, image_size
from ...drawing.regions import Colours, Labels, Painted, eight_bit, from_colours, merged, painted, segment
from ...protocol import Job, PegbarError, write_atomic
from ...spec import Report
from ...strokes import Strokes
from .matching import Coloured, Floats, Matched, Regions, describe, match

Pixels = NDArray[np.uint8]

_SAME_ASPECT = 0.01
"""How far two widths over heights may differ, as a share, to count as the same picture at another size."""
_FITS = 0.9
"""Mean share of one colour in the line art's regions over a reference, from which the two show the same drawing."""

_REFERENCE_TRUST = 0.3
"""How much a reference far away in time counts beside the drawing just before."""


def load(weights: Mapping[str, Path], device: str) -> None:
    """Nothing: there is no model."""


def generate(model: None, job: Job, inputs: Mapping[str, Frames], report: Report) -> None:
    """Writes a coloured frame for each frame of the shot, in order, and the notes of what to check. Raises PegbarError, Cancelled."""
    shot = _Shot(job, inputs["lineart"], inputs["reference"], report)
    wanted = ["clip", "notes"] + ["colour", "lines"] * bool(job.params["separate_lines"])
    for step, frame in enumerate(shot.frames):
        if all(frame in report.written(output) for output in wanted):
            continue
        report.progress("Colouring", step, len(shot.frames))
        cel = shot.cel_at[frame]
        colours = shot.colours(cel)
        report.progress("Colouring", step, len(shot.frames))
        contents = shot.composed(cel, colours)
        for output in wanted:
            report.write(output, frame, contents[output])
    report.progress("Colouring", len(shot.frames), len(shot.frames))


@dataclass(frozen=True)
class Segmented:
    """One drawing as regions."""

    labels: Labels
    regions: Regions
    blank: bool


@dataclass(frozen=True)
class Anchor:
    """A reference and the drawing that it is nearest to."""

    cel: int
    regions: Regions
    index: NDArray[np.int32]
    """(n,) palette index of each region."""
    share: Floats
    """(n,) how much of the region has that colour."""
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
        self.size = _common_size(lines, references)
        self._segmented = lru_cache(maxsize=4)(self._segment)
        self._layer = lru_cache(maxsize=1)(self._read_layer)
        if all(self._segmented(cel).blank for cel in range(len(self._first))):  # stops at the first drawing that has lines
            raise PegbarError("No frame of the line art has lines: choose a strip or a drawing with lines")
        self.palette, self.anchors = self._read_references()

    # --- drawings

    def _read_layer(self, cel: int) -> Floats | None:
        """The lines of a drawing at the shot's size; None where it has none."""
        try:
            return lineart.line_layer(_at_size(self._lines[self._first[cel]], self.size))
        except lineart.Blank:
            return None

    def _segment(self, cel: int) -> Segmented:
        kept = self._report.state / f"regions_{cel:05d}.npz"
        if kept.is_file():
            return _load_segmented(kept)
        self._report.progress("Reading lines", cel, len(self._first))
        layer = self._layer(cel)
        if layer is None:
            self._report.warn(f"Frame {self._first[cel]} of the line art has no lines")
            labels = np.zeros(self.size[::-1], np.int32)
        else:
            ink = lineart.strength(layer[..., 3])
            labels = segment(ink, self.params["threshold"], self.params["close_gaps"], self.params["speck_size"])
        segmented = Segmented(labels, describe(labels), layer is None)
        _save_segmented(kept, segmented)
        return segmented

    # --- references

    def _read_references(self) -> tuple[Colours, tuple[Anchor, ...]]:
        """The palette of all references, and each as an anchor, in the order of their drawings."""
        found = []
        for step, number in enumerate(self._references.numbers):
            self._report.progress("Reading references", step, len(self._references))
            found.append(self._read_reference(number))
        colours = np.concatenate([paint.colours for _, _, _, paint in found])
        areas = np.concatenate([regions.area * paint.true for _, regions, _, paint in found]).astype(np.float64)
        palette, index = merged(colours, areas, max(paint.tolerance for _, _, _, paint in found))
        anchors, start = [], 0
        for cel, regions, fits, paint in found:
            anchors.append(Anchor(cel, regions, index[start : start + len(regions)], paint.share, fits))
            start += len(regions)
        return palette, tuple(sorted(anchors, key=lambda anchor: anchor.cel))

    def _read_reference(self, number: int) -> tuple[int, Regions, bool, Painted]:
        image = eight_bit(_at_size(self._references[number], self.size, exact=True))
        cel = self.cel_at[min(self.frames, key=lambda frame: abs(frame - number))]
        drawing = self._segmented(cel)
        layer = self._layer(cel)
        if layer is not None:
            paint = painted(drawing.labels, image, layer[..., 3])
            weight = np.sqrt(drawing.regions.area)
            if len(weight) > 1 and float((paint.share * weight).sum() / weight.sum()) >= _FITS:
                return cel, drawing.regions, True, paint
        labels, ink = from_colours(image, self.params["speck_size"])
        return cel, describe(labels), False, painted(labels, image, ink)

    # --- matching

    def colours(self, cel: int) -> Matched:
        """The colours of a drawing's regions, from references before and after it."""
        kept = self._report.state / f"colours_{cel:05d}.npz"
        if kept.is_file():
            return _load_matched(kept)
        before = [anchor for anchor in self.anchors if anchor.cel <= cel]
        after = [anchor for anchor in self.anchors if anchor.cel > cel]
        if before and before[-1].fits and before[-1].cel == cel:
            found = self._given(before[-1])
        elif not before:
            found = self._backward(cel)
        else:
            found = self._matched(cel, self._sources(cel, -1, before[-1]))
            if after:
                found = _both(found, self._backward(cel))
        _save_matched(kept, found)
        return found

    def _backward(self, cel: int) -> Matched:
        """The colours that follow from the next reference, drawing by drawing towards the front."""
        anchor = next(anchor for anchor in self.anchors if anchor.cel > cel)
        for at in range(anchor.cel, cel - 1, -1):
            kept = self._backward_file(anchor, at)
            if kept.is_file():
                continue
            self._report.progress("Matching", anchor.cel - at, anchor.cel - cel)
            given = at == anchor.cel and anchor.fits
            found = self._given(anchor) if given else self._matched(at, self._sources(at, +1, anchor))
            _save_matched(kept, found)
        return _load_matched(self._backward_file(anchor, cel))

    def _backward_file(self, anchor: Anchor, cel: int) -> Path:
        return self._report.state / f"backward_{anchor.cel:05d}_{cel:05d}.npz"

    def _given(self, anchor: Anchor) -> Matched:
        """What a reference says of its own drawing."""
        rest = (1 - anchor.share[:, None]) / max(1, len(self.palette) - 1)
        chances = np.broadcast_to(rest, (len(anchor.regions), len(self.palette))).astype(np.float32)
        chances[np.arange(len(anchor.index)), anchor.index] = anchor.share
        return Matched(chances, np.zeros((len(anchor.regions), 2), np.float32))

    def _sources(self, cel: int, step: int, anchor: Anchor) -> list[Coloured]:
        """The nearest coloured drawing on one side, then the reference itself."""
        unmoved = np.zeros((len(anchor.regions), 2), np.float32)
        reference = Coloured(anchor.regions, self._given(anchor).chances, unmoved)
        at = cel + step
        while at != anchor.cel + step and self._segmented(at).blank:
            at += step
        if (cel - anchor.cel) * step >= 0 or at == anchor.cel + step or (at == anchor.cel and anchor.fits):
            return [reference]
        last = self.colours(at) if step < 0 else _load_matched(self._backward_file(anchor, at))
        return [Coloured(self._segmented(at).regions, last.chances, last.shift), replace(reference, trust=_REFERENCE_TRUST)]

    def _matched(self, cel: int, sources: list[Coloured]) -> Matched:
        return match(self._segmented(cel).regions, sources)

    # --- pictures

    def composed(self, cel: int, colours: Matched) -> dict[str, Any]:
        """Every output of one drawing."""
        labels = self._segmented(cel).labels
        chosen = self.palette[colours.chances.argmax(1)]
        colour = chosen[labels]
        layer = self._layer(cel)
        clip = colour if layer is None else _over(layer, colour)
        lines = np.zeros_like(colour) if layer is None else eight_bit(layer)
        notes = _notes(labels, chosen, colours.chances.max(1), self.params["check_below"])
        pictures = {"clip": clip, "colour": colour, "lines": lines}
        return {name: picture / np.float32(255) for name, picture in pictures.items()} | {"notes": notes}


def _cels(frames: tuple[int, ...], lines: Frames) -> tuple[dict[int, int], list[int]]:
    """Which cel each frame of the shot shows, held until the next one, and the line art's frame number of each cel."""
    cel_of: dict[Path, int] = {}
    cel_at: dict[int, int] = {}
    first: list[int] = []
    for frame in frames:
        number = lines.numbers[max(0, bisect_right(lines.numbers, frame) - 1)]
        file = lines.file(number)
        if file not in cel_of:
            cel_of[file] = len(first)
            first.append(number)
        cel_at[frame] = cel_of[file]
    return cel_at, first


def _common_size(lines: Frames, references: Frames) -> tuple[int, int]:
    """Width and height to work at: the first line art's. Raises PegbarError where a frame is of another aspect."""
    width, height = image_size(lines.file(lines.numbers[0]))
    for frames, name in ((lines, "line art"), (references, "reference")):
        for file, number in {frames.file(number): number for number in reversed(frames.numbers)}.items():
            w, h = image_size(file)
            if abs(w * height / (h * width) - 1) > _SAME_ASPECT:
                raise PegbarError(
                    f"Frame {number} of the {name} is {w} x {h}, the line art starts with {width} x {height}: make both of the same proportions"
                )
    return width, height


def _at_size(frame: Floats | Strokes, size: tuple[int, int], exact: bool = False) -> Floats:
    """A frame as an image of the shot's size; `exact` keeps its colours as they are, else it is smoothed."""
    if isinstance(frame, Strokes):
        return raster.coloured(frame, size, lines=False) if exact else raster.sketch(frame, size)
    if frame.shape[1::-1] == size:
        return frame
    if exact:
        x, y = ((np.arange(new) + 0.5) * old / new for new, old in zip(size, frame.shape[1::-1], strict=True))
        return frame[y.astype(np.intp)[:, None], x.astype(np.intp)[None]]
    planes = [Image.fromarray(np.ascontiguousarray(frame[..., c])).resize(size, Image.Resampling.BICUBIC) for c in range(4)]
    return np.clip(np.stack([np.asarray(plane) for plane in planes], -1), 0, 1)


def _both(forward: Matched, backward: Matched) -> Matched:
    """Two opinions of the same regions: the surer one weighs more."""
    logs = np.log(forward.chances + 1e-4) + np.log(backward.chances + 1e-4)
    chances = np.exp(logs - logs.max(1, keepdims=True))
    return replace(forward, chances=chances / chances.sum(1, keepdims=True))


def _over(layer: Floats, colour: Pixels) -> Pixels:
    """The lines laid on the colours; where there is no line the colours are untouched."""
    out = colour.copy()
    drawn = np.flatnonzero(layer[..., 3])
    line, below = layer.reshape(-1, 4)[drawn], colour.reshape(-1, 4)[drawn] / np.float32(255)
    under = below[:, 3:] * (1 - line[:, 3:])
    alpha = line[:, 3:] + under
    mixed = (line[:, :3] * line[:, 3:] + below[:, :3] * under) / np.maximum(alpha, 1e-6)
    out.reshape(-1, 4)[drawn] = (np.concatenate([mixed, alpha], 1) * 255 + 0.5).astype(np.uint8)
    return out


def _notes(labels: Labels, chosen: Colours, confidence: Floats, check_below: float) -> list[dict[str, Any]]:
    """The regions whose colour the artist should check, least sure first."""
    notes = []
    for region in np.argsort(confidence, kind="stable"):
        if confidence[region] >= check_below:
            break
        rows, columns = np.nonzero(labels == region)
        nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
        x, y = int(columns.min()), int(rows.min())
        notes.append(
            {
                "region": int(region),
                "x": int(columns[nearest]),
                "y": int(rows[nearest]),
                "box": [x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y],
                "area": len(rows),
                "colour": "#" + bytes(chosen[region][: 3 if chosen[region][3] == 255 else 4]).hex(),
                "confidence": round(float(confidence[region]), 3),
            }
        )
    return notes


# --- state


def _save(path: Path, arrays: Mapping[str, Any]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomic(path, buffer.getvalue())


def _save_segmented(path: Path, segmented: Segmented) -> None:
    flat = segmented.labels.ravel()
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    arrays = {field.name: getattr(segmented.regions, field.name) for field in fields(Regions)}
    runs = {
        "starts": starts.astype(np.int32),
        "values": flat[starts],
        "shape": np.array(segmented.labels.shape),
        "blank": np.array(segmented.blank),
    }
    _save(path, arrays | runs)


def _load_segmented(path: Path) -> Segmented:
    with np.load(path) as file:
        h, w = (int(side) for side in file["shape"])
        labels = np.repeat(file["values"], np.diff(np.append(file["starts"], h * w))).reshape(h, w)
        return Segmented(labels, Regions(**{field.name: file[field.name] for field in fields(Regions)}), bool(file["blank"]))


def _save_matched(path: Path, matched: Matched) -> None:
    _save(path, {"chances": matched.chances, "shift": matched.shift})


def _load_matched(path: Path) -> Matched:
    with np.load(path) as file:
        return Matched(file["chances"], file["shift"])
