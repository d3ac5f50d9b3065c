"""How right a coloured frame is, against the fills that the drawing was made with. Knows no pipeline and no bpy."""

from dataclasses import astuple, dataclass, replace

import numpy as np
from numpy.typing import NDArray
from skimage import measure

from ..engine.drawing import raster
from ..engine.strokes import Strokes

Pixels = NDArray[np.uint8]
SPECK = 12
"""Regions of fewer pixels count as pixels alone: nobody sees them, and `flat` gives them away by its setting Specks."""


@dataclass(frozen=True)
class Score:
    """Counts over frames: all off the lines, where a pixel shows one fill alone."""

    pixels: int = 0
    pixels_right: int = 0
    copied_right: int = 0
    """Pixels that the reference itself, laid over the frame, would have right: what comes for nothing."""
    regions: int = 0
    regions_right: int = 0
    """A region is right where most of its pixels are."""

    def __add__(self, other: "Score") -> "Score":
        return Score(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Truth:
    """Which fill a frame shows at each pixel."""

    fill: NDArray[np.int32]
    """(h, w) index of the stroke whose fill is seen; -1 where none is, or a mixture."""
    colours: NDArray[np.int32]
    """(s,) 0xRRGGBB of each stroke's fill."""


def truth_of(strokes: Strokes) -> Truth:
    """The fills of a drawing, each by its own number and not by its colour: two parts of one colour are two regions."""
    filled = strokes.fill_colour[:, 3] > 0
    number = np.arange(1, len(filled) + 1)
    code = np.stack([number >> 8, number & 255, np.zeros_like(number)], 1) / 255
    numbered = np.where(filled[:, None], np.c_[code, np.ones(len(code))], 0).astype(np.float32)
    seen = eight_bit(raster.coloured(replace(strokes, fill_colour=numbered), strokes.size, lines=False))
    fill = np.where((seen[..., 3] == 255) & (seen[..., 2] == 0), seen[..., 0].astype(np.int32) << 8 | seen[..., 1], 0) - 1
    fill[(fill >= len(filled)) | ~filled[np.clip(fill, 0, len(filled) - 1)]] = -1
    return Truth(fill, packed(eight_bit(strokes.fill_colour)))


def score(result: Pixels, reference: Pixels, truth: Truth, judged: NDArray[np.bool_]) -> Score:
    """The score of one frame where it is judged, but for pixels that show no fill. `result` and `reference` are (h, w, 3 or 4)."""
    judged = judged & (truth.fill >= 0)
    regions = measure.label(np.where(judged, truth.fill, -1), background=-1, connectivity=1)[judged]
    wanted = truth.colours[truth.fill[judged]]
    right = packed(result)[judged] == wanted
    area = np.bincount(regions)
    area_right = np.bincount(regions, right)
    large = area >= SPECK
    return Score(
        pixels=len(right),
        pixels_right=int(right.sum()),
        copied_right=int((packed(reference)[judged] == wanted).sum()),
        regions=int(large.sum()),
        regions_right=int((area_right * 2 > area)[large].sum()),
    )


def violations(result: Pixels, off_lines: NDArray[np.bool_], palette: NDArray[np.int32]) -> int:
    """How many pixels off the lines have a colour that is not of the palette (sorted, 0xRRGGBB)."""
    colours = packed(result)[off_lines]
    return int(np.count_nonzero(palette[np.searchsorted(palette[:-1], colours)] != colours))


def packed(pixels: Pixels) -> NDArray[np.int32]:
    """Colours (..., 3 or 4) as 0xRRGGBB."""
    red, green, blue = (pixels[..., i].astype(np.int32) for i in range(3))
    return red << 16 | green << 8 | blue


def eight_bit(image: NDArray[np.float32]) -> Pixels:
    """Floats 0..1 as bytes."""
    return np.clip(image * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
