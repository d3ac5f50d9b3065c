"""A cel: the lines of one drawing over its colours. Drawings and pictures brought to the shot's size, lines laid on colours.

A drawing is an image (h, w, 4), sRGB 0..1, or Strokes. Knows no pipeline and no region.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..protocol import PegbarError
from ..strokes import Strokes
from . import lineart, raster
from .frames import Frames, image_size

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Size = tuple[int, int]
"""Width and height."""

_VIVID = 70
"""How far the channels of a line's colour lie apart, in 8-bit steps, when it is a coloured line."""
_OUTLINES = 0.3
"""Share of the ink that is black or grey, from which the coloured lines are separators and no drawing in coloured pencil."""
_SAME_ASPECT = 0.01
"""How far two widths over heights may differ, as a share, to count as the same picture at another size."""


def common_size(lines: Frames) -> Size:
    """The size of the first line art, which is the shot's. Raises PegbarError where a frame is of other proportions."""
    size = image_size(lines.file(lines.numbers[0]))
    check_proportions(lines, "line art", size)
    return size


def check_proportions(frames: Frames, name: str, size: Size) -> None:
    """Raises PegbarError where a frame is of other proportions than the shot's size."""
    for number, (w, h) in other_proportions(frames, size):
        raise PegbarError(
            f"Frame {number} of the {name} is {w} x {h}, the line art starts with {size[0]} x {size[1]}: make both of the same proportions"
        )


def other_proportions(frames: Frames, size: Size) -> Iterator[tuple[int, Size]]:
    """Number and size of each frame that is of other proportions than `size`; of those that share a file, the first."""
    width, height = size
    for file, number in {frames.file(number): number for number in reversed(frames.numbers)}.items():
        w, h = image_size(file)
        if abs(w * height / (h * width) - 1) > _SAME_ASPECT:
            yield number, (w, h)


def lines_of(drawing: Floats | Strokes, size: Size) -> Floats:
    """The lines of a drawing at the shot's size, (h, w, 4), without its paper. Raises lineart.Blank where it has none."""
    return stroke_layer(drawing, size) if isinstance(drawing, Strokes) else lineart.line_layer(smooth(drawing, size))


def exact(frame: Floats | Strokes, size: Size) -> Floats:
    """A coloured frame at the shot's size, with no colour that it has not; of strokes, the fills alone."""
    if isinstance(frame, Strokes):
        return raster.coloured(frame, size, lines=False)
    x, y = (((np.arange(new) + 0.5) * old / new).astype(np.intp) for new, old in zip(size, frame.shape[1::-1], strict=True))
    return frame if frame.shape[1::-1] == size else frame[y[:, None], x[None]]


def smooth(frame: Floats, size: Size) -> Floats:
    """An image at another size, interpolated or averaged; at its own size, itself."""
    if frame.shape[1::-1] == size:
        return frame
    planes = [Image.fromarray(np.ascontiguousarray(frame[..., c])).resize(size, Image.Resampling.BICUBIC) for c in range(4)]
    return np.clip(np.stack([np.asarray(plane) for plane in planes], -1), 0, 1)


def stroke_layer(strokes: Strokes, size: Size) -> Floats:
    """The lines of a vector drawing in their own colours; its fills are paper that hides what lies below. Raises lineart.Blank."""
    paper = strokes.fill_colour.copy()
    paper[:, :3] = 1
    drawing = replace(strokes, fill_colour=paper)
    alpha = 1 - raster.sketch(drawing, size)[..., :1]
    seen = raster.coloured(drawing, size)
    on_white = 1 + (seen[..., :3] - 1) * seen[..., 3:]
    if float(alpha.max()) == 0:
        raise lineart.Blank("The drawing has no lines: choose one with strokes")
    return np.concatenate([np.clip(1 - (1 - on_white) / np.maximum(alpha, 1e-3), 0, 1), alpha], -1)


@dataclass(frozen=True)
class Lines:
    """The lines of a drawing in 8 bits: the k pixels that have any, a tenth of the picture."""

    place: NDArray[np.int32]
    """(k,) which pixels of the picture, in reading order."""
    paint: Pixels
    """(k, 4) with straight alpha."""

    @classmethod
    def of(cls, layer: Floats) -> "Lines":
        """The lines of a layer (h, w, 4) 0..1."""
        place = np.flatnonzero(layer[..., 3] >= np.float32(0.5 / 255)).astype(np.int32)
        return cls(place, (layer.reshape(-1, 4)[place] * 255 + 0.5).astype(np.uint8))

    def ink(self, size: Size) -> Floats:
        """How much each pixel is covered (h, w), 0..1."""
        out = np.zeros((size[1], size[0]), np.float32)
        out.ravel()[self.place] = np.divide(self.paint[:, 3], 255, dtype=np.float32)
        return out

    def plain(self) -> "Lines":
        """Without the coloured lines, where there are black or grey ones too: the borders of shadows and highlights, which ink and paint hides."""
        vivid = np.ptp(self.paint[:, :3], axis=1) > _VIVID
        alpha = self.paint[:, 3].astype(np.float64)
        if alpha[~vivid].sum() < _OUTLINES * alpha.sum():
            return self
        return Lines(self.place[~vivid], self.paint[~vivid])

    def layer(self, size: Size) -> Pixels:
        """The layer (h, w, 4) that they are."""
        out = np.zeros((size[1], size[0], 4), np.uint8)
        out.reshape(-1, 4)[self.place] = self.paint
        return out

    def lay_on(self, colour: Pixels) -> Pixels:
        """Lays the lines on the colours (h, w, 4), in place; where there is no line these are untouched."""
        flat = colour.reshape(-1, 4)
        below, alpha = flat[self.place], self.paint[:, 3:].astype(np.uint16)
        mixed = ((self.paint * alpha + below * (255 - alpha) + 127) // 255).astype(np.uint8)
        mixed[:, 3] = 255
        clear = np.flatnonzero(below[:, 3] < 255)
        mixed[clear] = _mixed(*(np.divide(part[clear], 255, dtype=np.float32) for part in (self.paint, below)))
        flat[self.place] = mixed
        return colour


def over(layer: Floats, colour: Pixels) -> Pixels:
    """The lines laid on the colours, (h, w, 4); where there is no line the colours are untouched."""
    out = colour.copy()
    drawn = np.flatnonzero(layer[..., 3])
    out.reshape(-1, 4)[drawn] = _mixed(layer.reshape(-1, 4)[drawn], np.divide(colour.reshape(-1, 4)[drawn], 255, dtype=np.float32))
    return out


def _mixed(line: Floats, below: Floats) -> Pixels:
    """(k, 4) colours 0..1 laid on others."""
    under = below[:, 3:] * (1 - line[:, 3:])
    alpha = line[:, 3:] + under
    mixed = (line[:, :3] * line[:, 3:] + below[:, :3] * under) / np.maximum(alpha, 1e-6)
    return (np.concatenate([mixed, alpha], 1) * 255 + 0.5).astype(np.uint8)
