"""The shot's drawings as the model wants its lines, and as the colour lock lays them on top.

How the lines are found and softened is decided once, by the first drawing that has lines, so that nothing changes in the midst of a shot.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...diffusion.lineart import LineNetwork
from ...diffusion.lineart import extract as by_network
from ...drawing import cels, lineart, raster
from ...drawing.frames import Frames
from ...protocol import PegbarError
from ...spec import Report
from ...strokes import Strokes

Floats = NDArray[np.float32]

_KEPT = 20
"""Hints kept in memory: a segment's."""


def reference_picture(frame: Floats | Strokes, size: cels.Size, shot: cels.Size) -> Floats:
    """A reference (h, w, 3) as the model sees it: on white, cut to the shot's proportions, resized as the original does (SPEC §9)."""
    image = raster.coloured(frame, shot) if isinstance(frame, Strokes) else frame
    on_white = 1 + (image[..., :3] - 1) * image[..., 3:]
    pixels = Image.fromarray((cut(on_white, shot) * 255 + 0.5).astype(np.uint8))
    return np.asarray(pixels.resize(size, Image.Resampling.BILINEAR), np.float32) / np.float32(255)


def cut(image: Floats, shot: cels.Size) -> Floats:
    """The middle of an image that has the shot's proportions; all of it where it has them to a pixel."""
    (height, width), (w, h) = image.shape[:2], shot
    across, down = min(width, round(height * w / h)), min(height, round(width * h / w))
    if width - across <= 1 and height - down <= 1:
        return image
    left, top = (width - across) // 2, (height - down) // 2
    return image[top : top + down, left : left + across]


class Lines:
    """Lines of drawings, by their index in the shot."""

    def __init__(
        self,
        frames: Frames,
        numbers: Sequence[int],
        size: cels.Size,
        params: Mapping[str, Any],
        network: LineNetwork | None,
        report: Report,
    ) -> None:
        """`numbers`: each drawing's frame number in `frames`; `size`: that worked at. Raises PegbarError where no drawing has lines."""
        self._frames, self._numbers, self._size, self._network, self._report = frames, numbers, size, network, report
        self.hint = lru_cache(maxsize=_KEPT)(self._hint)
        self._softening = lineart.Softening()
        self._clean = False
        self.in_colour = False
        self._decide(params["line_source"], params["line_softness"])

    def _decide(self, source: str, softness: float) -> None:
        for number in self._numbers:
            frame = self._frames[number]
            image = None if isinstance(frame, Strokes) else frame
            self.in_colour = image is not None and (source == "colour" or (source == "auto" and lineart.in_colour(image)))
            self._clean = not self.in_colour and image is not None and lineart.is_ink(image)
            try:
                ink = self._ink(frame)
            except lineart.Blank:
                continue
            if not self.in_colour:
                self._softening = lineart.softening(ink, strength=softness)
            return
        raise PegbarError("No frame of the line art has lines: choose a strip or a drawing with lines")

    def _hint(self, drawing: int) -> Floats:
        """(h, w) at the size worked at: 0 paper, 1 line, like those the model learnt from."""
        try:
            return self._softening(self._ink(self._frames[self._numbers[drawing]]))
        except lineart.Blank:
            self._report.warn(f"Frame {self._numbers[drawing]} of the line art has no lines")
            return np.zeros(self._size[::-1], np.float32)

    def of_picture(self, frame: Floats | Strokes, shot: cels.Size) -> Floats:
        """The hint of a reference that shows none of the shot's drawings: its own lines."""
        if isinstance(frame, Strokes):
            return self._softening(cels.stroke_layer(frame, self._size)[..., 3])
        return self._extracted(reference_picture(frame, self._size, shot))

    def layer(self, drawing: int, shot: cels.Size) -> Floats | None:
        """A drawing's own lines at the shot's size, (h, w, 4); None where it has none."""
        frame = self._frames[self._numbers[drawing]]
        try:
            if not self.in_colour or isinstance(frame, Strokes):
                return cels.lines_of(frame, shot)
        except lineart.Blank:
            return None
        layer = np.zeros((*shot[::-1], 4), np.float32)
        layer[..., 3] = lineart.extract(cels.smooth(frame, shot))
        return layer

    def _ink(self, frame: Floats | Strokes) -> Floats:
        """A drawing's ink at the size worked at, not softened. Raises Blank."""
        if isinstance(frame, Strokes):
            return cels.stroke_layer(frame, self._size)[..., 3]
        if self.in_colour:
            return self._extracted(reference_picture(frame, self._size, frame.shape[1::-1]))
        return lineart.resized(lineart.darkness(frame) if self._clean else lineart.ink(frame), self._size)

    def _extracted(self, image: Floats) -> Floats:
        return lineart.extract(image) if self._network is None else by_network(self._network, image)
