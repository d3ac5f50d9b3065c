"""A drawing's lines apart from its paper: polarity, paper, scan shading and noise are found, nothing is set by hand.

Knows one image at a time: no region and no file.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..protocol import PegbarError

Array = NDArray[np.float32]

_FAINTEST = 0.08
"""Contrast under which a mark is paper grain, not a line."""
_UNEVEN = 0.02
"""Difference of paper level between two places from which the paper counts as shaded."""


class Blank(PegbarError):
    """The image has no lines at all."""


def line_layer(image: Array) -> Array:
    """The lines without their paper, (h, w, 4) sRGB 0..1 straight alpha: laid on the paper, they give the drawing back.

    `image` (h, w, 4) sRGB 0..1: dark lines on light paper, light on dark, or ink on transparency. Where there is no line, alpha is exactly 0.
    Raises Blank.
    """
    red, green, blue, alpha = (np.ascontiguousarray(image[..., c]) for c in range(4))
    if float(alpha.min()) < 0.5:
        if not _has_paper(red, green, blue, alpha):
            if float(alpha.max()) < _FAINTEST:
                raise Blank("The line art is empty: choose a strip or a drawing with lines")
            return image
        red, green, blue = (1 + (channel - 1) * alpha for channel in (red, green, blue))
    planes: tuple[Array, ...] = (red, green, blue)
    levels = np.array([_most_common(plane) for plane in planes], np.float32)
    light = float(levels.mean()) > 0.5
    if not light:
        planes, levels = tuple(1 - plane for plane in planes), 1 - levels
    papers = [_paper(plane, level) for plane, level in zip(planes, levels, strict=True)]
    coverage = 1 - np.minimum(np.minimum(planes[0] / papers[0], planes[1] / papers[1]), planes[2] / papers[2])
    coverage = _above_noise(coverage)
    if float(coverage[::2, ::2].max()) < _FAINTEST and float(coverage.max()) < _FAINTEST:
        raise Blank(f"The line art is all {'white' if light else 'black'}: choose a strip or a drawing with lines")
    return _layer(planes, papers, coverage, light)


def ink(image: Array) -> Array:
    """How much each pixel is line, (h, w) 0..1: 0 on paper, 1 on the drawing's full ink, however pale it is. Raises Blank."""
    return strength(line_layer(image)[..., 3])


def strength(alpha: Array) -> Array:
    """Alpha of a line layer, scaled so that the drawing's full ink is 1: a pencil's grey line counts as much as a pen's."""
    sample = alpha[::3, ::3]
    strongest = float(alpha.max())
    full = float(np.percentile(strong, 75)) if (strong := sample[sample > 0.5 * strongest]).size else strongest
    return np.minimum(alpha / np.float32(max(full, _FAINTEST)), np.float32(1))


def _has_paper(red: Array, green: Array, blue: Array, alpha: Array) -> bool:
    """Whether the opaque pixels hold light paper as well as dark lines: a drawing with white fills, cut out."""
    opaque = alpha > 0.9
    if not opaque.any():
        return False
    value = ((red + green + blue) / 3)[opaque]
    return bool((value > 0.8).mean() > 0.4 and (value < 0.4).mean() > 0.005)


def _most_common(plane: Array) -> float:
    """The paper's level of one channel: the fullest of 64 bins, then the median of what lies near."""
    sample = plane[::3, ::3].ravel()
    counts = np.bincount((sample * 63.999).astype(np.intp), minlength=64)
    near = np.abs(sample - (int(counts.argmax()) + 0.5) / 64) < 0.03
    return float(np.median(sample[near]))


def _paper(plane: Array, level: np.float32) -> Array:
    """The paper's level at each pixel, (h, w) or (1, 1) where it is even: the light end of each block, smoothed."""
    h, w = plane.shape
    block = max(16, max(h, w) // 32)
    if h < 4 * block or w < 4 * block:
        return np.full((1, 1), max(float(level), 0.05), np.float32)
    rows, columns = h // block, w // block
    sample = plane[: rows * block, : columns * block].reshape(rows, block, columns, block)[:, ::4, :, ::4]
    levels = np.percentile(sample.transpose(0, 2, 1, 3).reshape(rows, columns, -1), 75, axis=-1)
    levels[levels < 0.6 * level] = level
    levels = ndimage.median_filter(levels, 3, mode="nearest")
    if float(np.ptp(levels)) < _UNEVEN:
        return np.full((1, 1), max(float(level), 0.05), np.float32)
    y = (np.arange(h) + 0.5) / block - 0.5
    x = (np.arange(w) + 0.5) / block - 0.5
    down = np.stack([np.interp(y, np.arange(rows), column) for column in levels.T], axis=1)
    return np.maximum(np.stack([np.interp(x, np.arange(columns), row) for row in down]), 0.05).astype(np.float32)


def _above_noise(coverage: Array) -> Array:
    """Coverage with the paper's grain cut off at zero; a clean drawing comes back as it is."""
    np.clip(coverage, 0, 1, out=coverage)
    sample = coverage[::3, ::3]
    paper = sample[sample < 0.3]
    centre = float(np.median(paper)) if paper.size else 0.0
    spread = float(np.median(np.abs(paper - centre))) if paper.size else 0.0
    if centre == 0 and float((paper > 0).mean() if paper.size else 0) < 0.1:
        return coverage
    floor = np.float32(min(max(centre + 6 * spread, 0.06), 0.3))
    return np.clip((coverage - floor) / (1 - floor), 0, 1)


def _layer(planes: tuple[Array, ...], papers: list[Array], coverage: Array, light: bool) -> Array:
    """The least opaque lines that give the drawing: colour = (seen - paper (1 - alpha)) / alpha."""
    layer = np.zeros((*coverage.shape, 4), np.float32)
    layer[..., 3] = coverage
    drawn = np.nonzero(coverage)
    alpha = coverage[drawn]
    for c, (plane, paper) in enumerate(zip(planes, papers, strict=True)):
        seen = plane[drawn] / np.broadcast_to(paper, plane.shape)[drawn]
        colour = np.clip((seen - (1 - alpha)) / alpha, 0, 1)
        layer[..., c][drawn] = colour if light else 1 - colour
    return layer
