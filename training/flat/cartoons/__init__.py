"""Cartoon clips drawn by rule, with the paint of every pixel known: what the region matcher is trained from.

A clip is its lines and its identities; colours are drawn for them when they are used (`palette`).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from . import wear
from .config import HELD_OUT, TRAINING, Config, clean, plainly
from .drawing import draw
from .palettes import palette
from .scenes import scene
from .studio import Studio

__all__ = ["HELD_OUT", "TRAINING", "Clip", "Config", "clean", "clip", "palette", "wear"]


_NEXT = 1 << 40
"""From a seed to the one that is taken where its clip shows nothing."""


@dataclass(frozen=True)
class Clip:
    """The line art of an animation and what it is painted with."""

    lines: NDArray[np.uint8]
    """(f, h, w) 255 where there is ink, anti-aliased."""
    ids: NDArray[np.uint8]
    """(f, h, w) the paint of each pixel, also of those under the lines: 0 to count - 1, the same paint all through the clip."""
    count: int
    """How many paints there are; each is seen in some frame."""


def clip(seed: int, frames: int, size: tuple[int, int] = (128, 128), config: Config = TRAINING) -> Clip:
    """A clip of `frames` frames of a size (w, h) that follows from its seed; more frames show the same motion at more times."""
    rng = np.random.default_rng(seed)
    if rng.random() < config.plain:
        config = plainly(config)
    studio = Studio(rng, config)
    if studio.chance(config.shaded):
        studio.light = studio.between(-np.pi, 0)
    span = studio.scale(*config.span)
    drawn = scene(studio, (size[0] / min(size) / 2, size[1] / min(size) / 2))
    times = np.linspace(-span, span, frames).round(9) if frames > 1 else np.zeros(1)
    ids, lines = draw(drawn.shot(times, size), size, drawn.pen.scaled(min(size) / 128))
    ids, count = _compact(ids, lines, studio.used)
    if count == 1:  # all figures are out of the picture
        return clip(seed + _NEXT, frames, size, config)
    return Clip(_worn(studio, lines), ids, count)


def _worn(studio: Studio, lines: wear.Lines) -> wear.Lines:
    """The lines after what by chance befalls those of a clip."""
    config, scale = studio.config, min(lines.shape[1:]) / 128
    if studio.chance(config.gaps):
        lines = wear.gapped(lines, studio.rng, studio.whole(1, 12), studio.between(1, 2.2) * scale**0.8)
    if studio.chance(config.scanned):
        lines = wear.faded(lines, studio.rng, 0.8)
        lines = wear.scanned(lines, studio.rng, studio.between(0.3, 0.6) * scale**0.5, studio.between(0, 10), studio.whole(0, 5))
    if studio.chance(config.trimmed):
        lines = wear.trimmed(lines)
    return lines


def _compact(ids: NDArray[np.uint8], lines: NDArray[np.uint8], used: int) -> tuple[NDArray[np.uint8], int]:
    """The identities without those that are nowhere seen beside the ink: what is under ink alone takes the paint made before it."""
    seen = _counted(ids, lines < 128)[:used] > 0
    seen[0] |= not seen.any()
    number = np.zeros(256, np.uint8)
    number[:used] = np.maximum(np.cumsum(seen) - 1, 0)
    return cv2.LUT(ids.reshape(-1, ids.shape[-1]), number).reshape(ids.shape), int(seen.sum())


def _counted(ids: NDArray[np.uint8], where: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How often each value occurs (256,); several times as fast as np.bincount."""
    flat = ids.reshape(-1, ids.shape[-1])
    return cv2.calcHist([flat], [0], where.reshape(flat.shape).view(np.uint8), [256], [0, 256])[:, 0]
