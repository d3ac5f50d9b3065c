"""The colours that lie under a drawing's lines, read from how they show through the lines' soft edges.

Knows one coloured frame at a time: no file, no palette, no motion.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .regions import Labels, Painted

_SOFT = 0.7
"""Cover of a line up to which enough of what lies below shows through."""
_CLEAREST = 0.15
"""How much more covered than its clearest pixel those pixels of a region may be that are read."""
_SAME = 0.75
"""Share of the soft pixels over known colours by which it is measured how truly the reference's lines are the drawing's; others may lie where
regions meet."""
_LOOSE = 2.5
"""Deviation, in 8-bit steps, from which they are not: nothing can be read."""
_ROUNDING = 0.51
"""Deviation, in 8-bit steps, of what was but rounded."""


def uncovered(paint: Painted, labels: Labels, image: NDArray[np.uint8], lines: NDArray[np.uint8]) -> Painted:
    """What a reference `image` (h, w, 4) says of its regions, with those that are seen only under ink read through it: `lines` (h, w, 4),
    the drawing's, 8-bit as well.

    Where a line of colour l covers a share a of a colour c, l a + c (1 - a) shows, rounded (Porter and Duff, Compositing Digital Images,
    1984: "over"); in a reference without lines, c. So each such pixel leaves c a range. Where a region's clearest pixels leave one value in
    every channel, that is its colour as exactly as if it were seen; else the ranges' middle is the guess. Whether the reference has the
    lines, and how wide the ranges are, is measured where the colours are known. One that is compressed, or whose lines are others than the
    drawing's, is left as it is.
    """
    cover = lines[..., 3]
    at = np.flatnonzero((cover > 0) & (cover <= _SOFT * 255) & (image[..., 3] == 255))
    region, ink = labels.ravel()[at], cover.ravel()[at, None] / 255
    line, shown = lines.reshape(-1, 4)[at, :3], image.reshape(-1, 4)[at, :3]
    known = paint.true[region]
    if known.all() or not known.any() or paint.tolerance:
        return paint
    colour = paint.colours[region, :3]
    ways = [ink, np.zeros_like(ink)]
    off = [float(np.quantile(np.abs(line * a + colour * (1 - a) - shown).max(1)[known], _SAME)) for a in ways]
    slack = max(min(off), _ROUNDING)
    if slack > _LOOSE:
        return paint
    a = ways[int(np.argmin(off))]
    clearest = np.full(len(paint.true), np.inf)
    np.minimum.at(clearest, region, ink[:, 0])
    read = ~known & (ink[:, 0] <= clearest[region] + _CLEAREST)
    region, below, width = region[read], ((shown - line * a) / (1 - a))[read], slack / (1 - a[read])
    low, high = np.full((len(clearest), 3), -np.inf), np.full((len(clearest), 3), np.inf)
    np.maximum.at(low, region, below - width)
    np.minimum.at(high, region, below + width)
    found = np.unique(region)
    low, high = low[found].clip(0, 255), high[found].clip(0, 255)
    colours, true = paint.colours.copy(), paint.true.copy()
    colours[found, :3] = ((low + high) / 2).round()
    colours[found, 3] = 255
    true[found] = (np.ceil(low) == np.floor(high)).all(1)
    return replace(paint, colours=colours, true=true)
