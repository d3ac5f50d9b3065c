"""A drawing and the colours of its regions as everything that a take has of it: pictures, fills, notes. Knows no matching."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...drawing.cels import Lines, Pixels
from ...drawing.fills import fills
from ...drawing.regions import Colours, Labels
from ...strokes import Strokes
from .description import Floats
from .kept import Ints, Runs, hex_of


@dataclass(frozen=True)
class Fills:
    """The fills of a drawing, and the region (s,) that each is of."""

    strokes: Strokes
    region: Ints


@dataclass(frozen=True)
class Cel:
    """A drawing of n regions, coloured."""

    labels: Runs
    lines: Lines
    colour: Ints
    """(n,) palette index"""
    sure: Floats
    """(n,) how probably that is right"""
    palette: Colours
    names: tuple[str, ...]
    """Of the palette's colours."""
    given: Runs | None = None
    """The palette index of each pixel where a reference shows this very drawing."""
    corrected: Sequence[int] = ()
    """The regions whose colour the artist set on this drawing."""
    drawing: Strokes | None = None
    """The line art, where fills are asked for."""
    home: str = ""
    """The layer in whose space fills lie, if the drawing has it."""
    before: Fills | None = None
    """Fills of the same shapes, in other colours."""

    def index(self) -> Labels:
        """The palette index of each pixel (h, w)."""
        if self.given is None:
            return self.labels.painted(self.colour)
        at = self.given.picture()
        labels = self.labels.picture()
        for region in self.corrected:
            at[labels == region] = self.colour[region]
        return at

    def colours(self) -> Pixels:
        """The picture (h, w, 4) without lines."""
        packed = np.ascontiguousarray(self.palette).view(np.uint32)[:, 0]
        painted = packed[self.index()] if self.given is not None else self.labels.painted(packed[self.colour])
        return painted.view(np.uint8).reshape(*painted.shape, 4)

    def fills(self) -> Fills:
        """The colours as strokes in the space of the line art."""
        assert self.drawing is not None
        if not self.drawing.layers:
            return Fills(self.drawing, np.zeros(0, np.int32))  # without a layer there is no place for them
        if self.before is not None:
            return self._refilled(self.before)
        home = self.home if self.home in self.drawing.layers else self.drawing.layers[0]
        return Fills(*fills(self.labels.picture(), self.index(), self.palette, self.names, self.drawing, home))

    def _refilled(self, before: Fills) -> Fills:
        index = self.colour[before.region]
        colour = (self.palette[index] / np.float32(255)).astype(np.float32)
        return replace(before, strokes=replace(before.strokes, material=index, fill_colour=colour, materials=self.names))


def contents(cel: Cel, wanted: Sequence[str], params: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs that are asked for, by name; the fills as Fills."""
    found: dict[str, Any] = {}
    lines = cel.lines.plain() if params["hide_separators"] else cel.lines
    if "notes" in wanted:
        found["notes"] = _notes(cel, params["check_below"])
    if "fills" in wanted:
        found["fills"] = cel.fills()
    if "lines" in wanted:
        h, w = cel.labels.shape.tolist()
        found["lines"] = lines.layer((w, h))
    if {"clip", "colour"} & set(wanted):
        colour = cel.colours()
        found |= {"colour": colour, "clip": lines.lay_on(colour.copy() if "colour" in wanted else colour)}
    return {name: found[name] for name in wanted}


def _notes(cel: Cel, check_below: float) -> list[dict[str, Any]]:
    """The regions whose colour the artist should check, least sure first."""
    notes = []
    for region in np.argsort(cel.sure, kind="stable").tolist():
        if cel.sure[region] >= check_below:
            break
        y, left, right = cel.labels.rows(region)
        x, middle = _middle(y, left, right)
        notes.append(
            {
                "region": region,
                "x": x,
                "y": middle,
                "box": [int(left.min()), int(y.min()), int(right.max() - left.min()), int(y.max() - y.min() + 1)],
                "area": int((right - left).sum()),
                "colour": hex_of(cel.palette[cel.colour[region]]),
                "confidence": round(float(cel.sure[region]), 3),
            }
        )
    return notes


def _middle(y: Ints, left: Ints, right: Ints) -> tuple[int, int]:
    """The pixel of a region, given by its rows, that is nearest to its centre."""
    length = right - left
    across, down = np.average((left + right - 1) / 2, weights=length), np.average(y, weights=length)
    x = np.rint(np.clip(across, left, right - 1))
    nearest = int(np.argmin((x - across) ** 2 + (y - down) ** 2))
    return int(x[nearest]), int(y[nearest])
