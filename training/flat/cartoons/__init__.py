"""Cartoon clips drawn by rule, with the paint of every pixel known: what the region matcher is trained from.

A clip is its lines and its identities; colours are drawn for them when they are used (`palette`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .config import HELD_OUT, TRAINING, Config, plainly
from .drawing import draw
from .palettes import palette
from .scenes import scene
from .studio import Studio

__all__ = ["HELD_OUT", "TRAINING", "Clip", "Config", "clip", "palette"]


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
    span = float(np.exp(studio.between(*np.log(config.span))))
    drawn = scene(studio, (size[0] / min(size) / 2, size[1] / min(size) / 2))
    times = np.linspace(-span, span, frames) if frames > 1 else np.zeros(1)
    ids, lines = draw(drawn.shot(times, size), size, drawn.pen.scaled(min(size) / 128))
    return Clip(lines, *_compact(ids, lines, studio.used))


def _compact(ids: NDArray[np.uint8], lines: NDArray[np.uint8], used: int) -> tuple[NDArray[np.uint8], int]:
    """The identities numbered without those that are nowhere seen beside the ink; what is under ink alone takes the paint made before it."""
    seen = np.bincount(ids[lines < 128], minlength=used) > 0
    seen[0] |= not seen.any()
    number = np.maximum(np.cumsum(seen) - 1, 0)
    return number.astype(np.uint8)[ids], int(seen.sum())
