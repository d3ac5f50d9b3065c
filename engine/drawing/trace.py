"""Raster sketches to strokes: centre lines with widths, cut as the source drawing's strokes are, each itself from frame to frame.

Knows arrays of ink alone: no file, no pipeline, no Blender.
"""

import numpy as np
from numpy.typing import NDArray

from ..strokes import Strokes

TOLERANCE = 1.0
"""Pixels of the ink by which a fitted curve may leave the traced centre line."""
HOLD = 0.5
"""Pixels of the ink; a stroke of which nothing moved farther than this since the last drawing stays as it was, to the bit."""


class Tracer:
    """Traces frame after frame, in order: what it returned last is the only state.

    A stroke of a result whose `source` is 0 or more is that stroke of the source drawing, in the source's direction and order, on its
    layer, of its material and colours; it has the source's number of points and curve type where that fits the ink within `tolerance`,
    and its widths are the source's times a smooth ratio of ink to source. Strokes of source -1 are new: cubic Béziers of few points
    (Schneider, An Algorithm for Automatically Fitting Digitized Curves, 1990), right above the stroke nearest to them.
    Strokes of the source that draw no line cannot be seen in ink: they move with the strokes near them.
    """

    def __init__(
        self, source: Strokes | None, size: tuple[int, int], tolerance: float = TOLERANCE, previous: Strokes | None = None
    ) -> None:
        """`source` is the drawing that the frames were made from; None where there is none: one layer "Lines" of `size` (width, height).

        `previous` is the last result of a run that was cut off: what follows is the same as if it had not been.
        """
        self.source = source
        self.size = size if source is None else source.size
        self.tolerance = tolerance
        self.previous = previous

    def trace(self, ink: NDArray[np.float32]) -> Strokes:
        """The strokes of the next frame, from its ink (h, w) 0..1, of any size: 0 paper, 1 full ink.

        The result's `size`, `layers`, `matrices`, `materials` and `drawing` are the source's. Where no stroke moved farther than HOLD, came
        or went, it is the very object returned before (for the first frame: the source), so that the caller can hold it.
        """
        raise NotImplementedError


def trace(ink: NDArray[np.float32], tolerance: float = TOLERANCE) -> Strokes:
    """The strokes of one image (h, w) of ink 0..1, in its own pixels; all of them new."""
    height, width = ink.shape
    return Tracer(None, (width, height), tolerance).trace(ink)
