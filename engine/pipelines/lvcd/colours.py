"""The colour lock: a painting brought to the references' flat colours, region by region, under the drawing's own lines."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ...drawing import cels, lineart
from ...drawing.regions import Colours, from_colours, lock, merged, painted, segment

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

DRAWN, EXTRACTED = 0.5, 0.15
"""Ink from which a pixel counts as line: of a drawing, and of lines found in colour frames, which are fainter where colours are near."""
_LEAST = 2e-5
"""Share of a reference that a colour must cover to be one of the palette."""


def palette_of(images: Iterable[Pixels], speck_size: int) -> Colours:
    """The flat colours of the references, (h, w, 4) 8-bit, the most frequent first."""
    colours, weights, tolerance = [], [], 0
    for image in images:
        labels, ink = from_colours(image, speck_size)
        paint = painted(labels, image, ink)
        share = np.bincount(labels.ravel()) / labels.size * paint.true
        colours += [paint.colours[share > 0], paint.others]
        weights += [share[share > 0], np.full(len(paint.others), _LEAST)]
        tolerance = max(tolerance, paint.tolerance)
    return merged(np.concatenate(colours), np.concatenate(weights), tolerance)[0]


def locked(painting: Floats, layer: Floats | None, palette: Colours, threshold: float, close_gaps: int, speck_size: int) -> Pixels:
    """A painting (h, w, 3) in the palette's colours, (h, w, 4) 8-bit: each region has the one that most of its pixels are nearest to.

    A transparent colour counts as white, which is what the model saw of it.
    """
    h, w = painting.shape[:2]
    ink = np.zeros((h, w), np.float32) if layer is None else lineart.strength(layer[..., 3])
    labels = segment(ink, threshold, close_gaps, speck_size)
    seen = np.where(palette[:, 3:] == 0, 255, palette).astype(np.uint8)
    seen[:, 3] = 255
    index, _ = lock(labels, np.dstack([painting, np.ones((h, w), np.float32)]), seen, ink)
    colour = palette[index][labels]
    return colour if layer is None else cels.over(layer, colour)
