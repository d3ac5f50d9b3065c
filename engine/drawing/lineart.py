"""A drawing's lines apart from its paper, or a colour frame's lines: polarity, paper, scan shading and noise are found, nothing is set
by hand. Lines are measured, and softened or strengthened to others' measure.

Knows one image at a time: no region and no file.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from ..protocol import PegbarError

Array = NDArray[np.float32]

_FAINTEST = 0.08
"""Contrast under which a mark is paper grain, not a line."""
_UNEVEN = 0.02
"""Difference of paper level between two places from which the paper counts as shaded."""

_CLEAN_PAPER, _GREY = 0.96, 0.03
"""Level from which most of a clean drawing is, its paper, and difference of channels up to which a pixel counts as grey."""
_LOOK = 256
"""Pixels along the longer side at which a picture is looked at for being in colour."""
_TINT, _TINTED = 0.12, 0.03
"""How far a pixel's channels lie apart for a tint, and the share of the picture that tinted areas, without thin lines, cover when it is in colour."""

_FINE, _COARSE = 0.9, 1.8
"""Scale of the extractor's lines in pixels, for a frame of 576x320, and how much wider the surroundings are that it compares with."""
_SHADOWS, _FLAT, _GAIN = 0.7, 0.006, 14.0
"""The extractor's exponent that lifts shadows, the contrast that it passes over, and its gain."""
_FRAME = 576 * 320

_REACH = 5
"""Pixels to either side of a line's ridge within which its width is measured."""
_STEP, _WIDEST, _MOST_GAIN = 0.05, 40, 4.0
"""Softening is tried in steps of so many pixels, up to so many; lines too faint are strengthened up to so much."""


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


def _most_common(plane: Array, step: int = 3) -> float:
    """The paper's level of one channel: the fullest of 64 bins, then the median of what lies near."""
    sample = plane[::step, ::step].ravel()
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
    blocks = sample.transpose(0, 2, 1, 3).reshape(rows, columns, -1)
    levels = np.percentile(blocks, 75, axis=-1)
    unshaded = (blocks == level).mean(-1) > 0.1  # however dense the lines are there
    levels[unshaded | (levels < 0.6 * level)] = level
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
    if centre == 0 and (float((paper > 0).mean() if paper.size else 0) < 0.1 or _clean(coverage)):
        return coverage
    floor = np.float32(min(max(centre + 6 * spread, 0.06), 0.3))
    return np.clip((coverage - floor) / (1 - floor), 0, 1)


def _clean(coverage: Array) -> bool:
    """Whether paper away from lines is without grain: where there are many, a good part of it is their soft edges."""
    away = ndimage.maximum_filter(coverage, 7)[::3, ::3] < 0.3
    return not away.any() or float((coverage[::3, ::3][away] > 0).mean()) < 0.1


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


# --- lines from colour frames


def in_colour(image: Array) -> bool:
    """Whether a picture (h, w, 4) is a frame in colour and no line drawing: areas, not only lines, have a tint that the paper has not."""
    h, w = image.shape[:2]
    step = max(1, max(h, w) // _LOOK)
    small = image[::step, ::step]
    rgb = 1 + (small[..., :3] - 1) * small[..., 3:]
    paper = np.maximum([_most_common(rgb[..., c], 1) for c in range(3)], 0.05)
    balanced = rgb / paper * paper.mean() if paper.min() > 0.5 else rgb
    tinted = np.ptp(np.clip(balanced, 0, 1), axis=-1) > _TINT
    return float(ndimage.binary_erosion(tinted, iterations=2).mean()) > _TINTED


def extract(image: Array) -> Array:
    """The lines of a colour frame (h, w, 3 or 4) without any network: (h, w), 0 paper, 1 ink.

    A difference of Gaussians of the channel that differs most, soft-thresholded (Winnemöller et al., XDoG, 2012): dark lines, and the dark
    side of edges.
    """
    h, w = image.shape[:2]
    fine = _FINE * max(1.0, float(np.sqrt(h * w / _FRAME)))
    rgb = image[..., :3] if image.shape[2] == 3 else 1 + (image[..., :3] - 1) * image[..., 3:]
    darker = np.zeros((h, w), np.float32)
    for c in range(3):
        plane = (np.ascontiguousarray(rgb[..., c]) + np.float32(0.02)) ** np.float32(_SHADOWS)
        around = ndimage.gaussian_filter(plane, fine * _COARSE)
        np.maximum(darker, around - ndimage.gaussian_filter(plane, fine), out=darker)
    return np.tanh(np.maximum(darker - np.float32(_FLAT), 0) * np.float32(_GAIN))


# --- the measure of lines


@dataclass(frozen=True)
class Measure:
    """What the lines of a picture are like, at the median of their pixels."""

    contrast: float
    """Ink at the middle of a line."""
    width: float
    """Pixels: its ink across, over the ink at its middle."""
    slope: float
    """Steepest step across from one pixel to the next, over the ink at its middle: 1 for the crispest."""


EXTRACTED = Measure(0.44, 2.14, 0.88)
"""Lines of `extract` from frames of animation at 576x320 (LVCD's NOTES.md)."""


@dataclass(frozen=True)
class Softening:
    """What brings the lines of a shot to another measure: a Gaussian blur, then a gain."""

    sigma: float = 0.0
    """Pixels."""
    gain: float = 1.0

    def __call__(self, ink: Array) -> Array:
        blurred = ndimage.gaussian_filter(ink, self.sigma, mode="nearest") if self.sigma else ink
        return np.minimum(blurred * np.float32(self.gain), np.float32(1)) if self.gain != 1 else blurred


def measured(ink: Array) -> Measure | None:
    """The measure of the lines in a picture (h, w), 0 paper, 1 ink; None where it has none."""
    across = [_across(ink), _across(np.ascontiguousarray(ink.T))]
    values = np.concatenate(across)
    return Measure(*(float(v) for v in np.median(values, axis=0))) if len(values) else None


def softening(ink: Array, target: Measure = EXTRACTED, strength: float = 1.0) -> Softening:
    """What gives these lines the target's width and at least its contrast; nothing where they have both. `strength` scales the blur; at 0
    lines stay as they are."""
    found = measured(ink)
    if found is None or strength == 0:
        return Softening()
    steps = 0
    while found is not None and found.width < target.width and steps < _WIDEST:
        steps += 1
        found = measured(Softening(steps * _STEP)(ink))
    blur = Softening(round(steps * _STEP * strength, 4))
    found = measured(blur(ink))
    gain = 1.0 if found is None else min(max(target.contrast / found.contrast, 1.0), _MOST_GAIN)
    return replace(blur, gain=gain)


def resized(ink: Array, size: tuple[int, int]) -> Array:
    """Ink at another size, width and height: each pixel the mean of what it covers, so that a thin line grows fainter, not broken."""
    if ink.shape[::-1] == size:
        return ink
    if ink.shape[1] < size[0] or ink.shape[0] < size[1]:
        picture = Image.fromarray(np.ascontiguousarray(ink)).resize(size, Image.Resampling.BICUBIC)
        return np.clip(np.asarray(picture, np.float32), 0, 1)
    return np.ascontiguousarray(_means(_means(ink, size[1]).T, size[0]).T)


def _means(rows: Array, count: int) -> Array:
    """So many rows in place of more, each the mean of what it covers to a fraction of a row."""
    sums = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0, dtype=np.float64)])
    edges = np.linspace(0, len(rows), count + 1)
    whole = np.minimum(edges.astype(np.intp), len(rows) - 1)
    until = sums[whole] + (edges - whole)[:, None] * rows[whole]
    return (np.diff(until, axis=0) * (count / len(rows))).astype(np.float32)


def is_ink(image: Array) -> bool:
    """Whether an image (h, w, 4) is clean grey on white paper: its darkness is its ink."""
    sample = image[::3, ::3]
    opaque = float(sample[..., 3].min()) == 1
    white = float((sample[..., :3] >= _CLEAN_PAPER).all(-1).mean()) >= 0.5
    return opaque and white and float(np.percentile(np.ptp(sample[..., :3], axis=-1), 99)) <= _GREY


def darkness(image: Array) -> Array:
    """The ink of such an image, untouched, on white where it is transparent: (h, w), 0 paper, 1 ink. Raises Blank."""
    dark = (1 - image[..., 1]) * image[..., 3]
    if float(dark.max()) < _FAINTEST:
        raise Blank("The line art is all white: choose a strip or a drawing with lines")
    return dark


def _across(ink: Array) -> Array:
    """(n, 3) contrast, width and slope of each line pixel whose line runs down rather than across."""
    soft = ndimage.gaussian_filter(ink, 0.7)
    middle = soft[:, _REACH:-_REACH]
    ridge = (middle >= soft[:, _REACH - 1 : -_REACH - 1]) & (middle > soft[:, _REACH + 1 : -_REACH + 1])
    ridge &= ink[:, _REACH:-_REACH] > 0.15
    bend = -ndimage.gaussian_filter(soft, 1, order=(0, 2)), ndimage.gaussian_filter(soft, 1, order=(2, 0))
    ridge &= (bend[0] > 3 * np.abs(bend[1]))[:, _REACH:-_REACH]
    rows, columns = np.nonzero(ridge)
    window = ink[rows[:, None], columns[:, None] + np.arange(2 * _REACH + 1)]
    peak = window[:, _REACH - 1 : _REACH + 2].max(1)
    # A neighbouring line is not counted: the ink must fall on the way out.
    own = np.ones(window.shape, bool)
    for side in (slice(_REACH, None), slice(_REACH, None, -1)):
        outwards = window[:, side]
        falls = outwards[:, 1:] <= np.minimum.accumulate(outwards, axis=1)[:, :-1] + 0.02
        own[:, side][:, 1:] = np.logical_and.accumulate(falls, axis=1)
    width = (window * own).sum(1) / peak
    slope = np.abs(np.diff(window, axis=1)).max(1) / peak
    return np.stack([peak, width, slope], 1)
