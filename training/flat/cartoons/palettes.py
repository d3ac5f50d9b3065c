"""Colours for the identities of a clip, drawn afresh whenever a clip is used."""

import colorsys

import numpy as np
from numpy.typing import NDArray

_APART = 24
"""8-bit steps of some channel by which two paints differ at least, where there is room."""
_NEAR = 10
"""The same for a paint and its shade."""


def palette(rng: np.random.Generator, count: int, shades: float = 0.25) -> NDArray[np.uint8]:
    """`count` sRGB colours (count, 3), well spread; a share `shades` of them are near tones of another one.

    No two are equal; sets are muted, bright, dark, pale or of a few hues, as a cartoon's are.
    """
    saturation = _range(rng, 0.05, 0.45)
    value = _range(rng, 0.3, 0.5)
    hues = rng.uniform(0, 1, rng.integers(3, 9)) if rng.random() < 0.4 else None
    colours = np.empty((count, 3), np.int16)
    for i in range(count):
        shade = i > 0 and rng.random() < shades
        apart = _NEAR if shade else _APART
        for attempt in range(24):
            near = hues if attempt < 12 else None
            colour = _shaded(rng, colours[rng.integers(i)]) if shade else _fresh(rng, near, saturation, value)
            if i == 0 or np.abs(colours[:i] - colour).max(1).min() >= max(apart - attempt, 1):
                break
        colours[i] = colour
    return colours.astype(np.uint8)


def _range(rng: np.random.Generator, least: float, width: float) -> tuple[float, float]:
    """A range within `least` to 1 of at least that width."""
    low = rng.uniform(least, 1 - width)
    return low, rng.uniform(low + width, 1)


def _fresh(rng: np.random.Generator, hues: NDArray | None, saturation: tuple[float, float], value: tuple[float, float]) -> NDArray:
    hue = rng.random() if hues is None else rng.choice(hues) + rng.normal(0, 0.02)
    rgb = colorsys.hsv_to_rgb(hue % 1, rng.uniform(*saturation), rng.uniform(*value))
    return np.round(np.array(rgb) * 255).astype(np.int16)


def _shaded(rng: np.random.Generator, colour: NDArray) -> NDArray:
    tone = rng.uniform(0.55, 0.9) if rng.random() < 0.7 else rng.uniform(1.1, 1.4)
    return np.clip(np.round(colour * tone + rng.normal(0, 4, 3)), 0, 255).astype(np.int16)
