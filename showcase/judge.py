"""How right a coloured frame is, against the fills that the drawing was made with. Knows no pipeline and no bpy."""

from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray
from skimage import measure

from ..engine.drawing import raster
from ..engine.strokes import Strokes

Pixels = NDArray[np.uint8]
SPECK = 12
"""Regions of fewer pixels are not judged: nobody sees them, and `flat` gives them away by its setting Specks."""


@dataclass(frozen=True)
class Score:
    """Counts over frames: all off the lines, where a pixel shows one fill alone."""

    pixels: int = 0
    pixels_right: int = 0
    regions: int = 0
    regions_right: int = 0
    palette_violations: int = 0
    copied_right: int = 0
    """Pixels that the reference itself, laid over the frame, would have right: what comes for nothing."""

    def __add__(self, other: "Score") -> "Score":
        return Score(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class Truth:
    """Which fill a frame shows at each pixel."""

    fill: NDArray[np.int32]
    """(h, w) index of the stroke whose fill is seen; -1 where none is, or a mixture."""
    colours: Pixels
    """(s, 3) the colour of each stroke's fill."""
    layers: NDArray[np.int32] = field(repr=False)
    """(s,) the layer of each stroke."""


def truth_of(strokes: Strokes) -> Truth:
    """The fills of a drawing, each by its own number and not by its colour: two parts of one colour are two regions."""
    filled = strokes.fill_colour[:, 3] > 0
    number = np.arange(1, len(filled) + 1)
    code = np.stack([number >> 8, number & 255, np.zeros_like(number)], 1) / 255
    numbered = np.where(filled[:, None], np.c_[code, np.ones(len(code))], 0).astype(np.float32)
    seen = eight_bit(raster.coloured(replace(strokes, fill_colour=numbered), strokes.size, lines=False))
    fill = np.where((seen[..., 3] == 255) & (seen[..., 2] == 0), seen[..., 0].astype(np.int32) << 8 | seen[..., 1], 0) - 1
    fill[(fill >= len(filled)) | ~filled[np.clip(fill, 0, len(filled) - 1)]] = -1
    return Truth(fill, eight_bit(strokes.fill_colour)[:, :3], strokes.layer)


def score(result: Pixels, truth: Truth, off_lines: NDArray[np.bool_], reference: Pixels, palette: frozenset[int]) -> Score:
    """The score of one frame. `reference` and `result` are (h, w, 3 or 4); `palette` holds colours as 0xRRGGBB."""
    judged = off_lines & (truth.fill >= 0)
    colours, wanted = packed(result), packed(truth.colours)[truth.fill]
    regions = measure.label(np.where(judged, truth.fill, -1), background=-1, connectivity=1)
    values, index = np.unique(colours[judged], return_inverse=True)
    votes = np.zeros((regions.max() + 1, len(values)), np.int64)
    np.add.at(votes, (regions[judged], index), 1)
    _, first = np.unique(regions[judged], return_index=True)
    area, majority = votes[1:].sum(axis=1), values[votes[1:].argmax(axis=1)]
    large = area >= SPECK
    return Score(
        pixels=int(judged.sum()),
        pixels_right=int((colours == wanted)[judged].sum()),
        regions=int(large.sum()),
        regions_right=int((majority == wanted[judged][first])[large].sum()),
        palette_violations=int(np.count_nonzero(off_lines & ~np.isin(colours, list(palette)))),
        copied_right=int((packed(reference) == wanted)[judged].sum()),
    )


def packed(pixels: Pixels) -> NDArray[np.int32]:
    """Colours (..., 3 or 4) as 0xRRGGBB."""
    red, green, blue = (pixels[..., i].astype(np.int32) for i in range(3))
    return red << 16 | green << 8 | blue


def eight_bit(image: NDArray[np.float32]) -> Pixels:
    """Floats 0..1 as bytes."""
    return np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)
