"""What of the picture the model works on: a part of it, at the model's size; and the way back to the picture's own pixels.

Knows drawings and images, no network.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...drawing import lineart, raster
from ...protocol import PegbarError
from ...strokes import Strokes

Floats = NDArray[np.float32]
Drawing = Strokes | Floats
"""Strokes, or an image (h, w, 4), sRGB 0..1."""

MARGIN = 0.15
"""Room to move around a drawing on each side, as a share of its longer side."""
STRIDE = 8
"""Pixels of a latent."""
_LOOKED_AT = 512
"""Pixels of the longer side at which a drawing's place is found."""


@dataclass(frozen=True)
class View:
    """A part of a picture, in its pixels, and the size (width, height) that the model draws it at. The part may reach beyond the picture."""

    picture: tuple[int, int]
    left: int
    top: int
    width: int
    height: int
    size: tuple[int, int]

    def sketch(self, drawing: Drawing) -> Floats:
        """What the model is shown: (h, w, 3), 0..1, black on white."""
        if isinstance(drawing, Strokes):
            return raster.sketch(self.into(drawing), self.size)[..., :3]
        part = np.ones((self.height, self.width, 3), np.float32)
        (rows, own_rows), (columns, own_columns) = (
            _common(self.top, self.height, len(drawing)),
            _common(self.left, self.width, drawing.shape[1]),
        )
        part[rows, columns] = on_white(drawing[own_rows, own_columns])
        return resized(part, self.size)

    def into(self, strokes: Strokes) -> Strokes:
        """A drawing of the picture as one of the part."""
        return _moved(strokes, (-self.left, -self.top), (self.width, self.height))

    def out_of(self, strokes: Strokes) -> Strokes:
        """A drawing of the part as one of the picture."""
        return _moved(strokes, (self.left, self.top), self.picture)

    def put(self, ink: Floats) -> Floats:
        """A picture (h, w, 4) of black ink on nothing with the part's ink, (h, w) of any size, in its place."""
        picture = np.zeros((self.picture[1], self.picture[0], 4), np.float32)
        part = ink if ink.shape == (self.height, self.width) else _resized_ink(ink, (self.width, self.height))
        (rows, own_rows), (columns, own_columns) = (
            _common(self.top, self.height, self.picture[1]),
            _common(self.left, self.width, self.picture[0]),
        )
        picture[own_rows, own_columns, 3] = part[rows, columns]
        return picture


def view_of(drawing: Drawing, what: str, size: int) -> View:
    """What the model sees of a drawing: `drawing`, `picture` or `squeezed` (see the setting); `size` is the shorter side's pixels.

    Raises PegbarError where the drawing is empty.
    """
    picture = drawing.size if isinstance(drawing, Strokes) else (drawing.shape[1], drawing.shape[0])
    left, top, right, bottom = _inked(drawing, picture)
    seen = size_of(picture, what, size)
    if what in ("squeezed", "picture"):
        return View(picture, 0, 0, picture[0], picture[1], seen)
    side = max(1, round(max(right - left, bottom - top) * (1 + 2 * MARGIN)))
    return View(picture, round((left + right - side) / 2), round((top + bottom - side) / 2), side, side, seen)


def size_of(picture: tuple[int, int], what: str, size: int) -> tuple[int, int]:
    """The width and height that the model draws a picture of this size at."""
    scale = size / min(picture)
    return (_strides(picture[0] * scale), _strides(picture[1] * scale)) if what == "picture" else (_strides(size), _strides(size))


def on_white(image: Floats) -> Floats:
    """An image (h, w, 4) laid on white paper: (h, w, 3)."""
    return 1 + (image[..., :3] - 1) * image[..., 3:]


def cleaned(image: Floats) -> Floats:
    """A scan's lines on white: (h, w, 4), opaque. Raises PegbarError where there are none."""
    grey = 1 - lineart.ink(image)
    return np.stack([grey, grey, grey, np.ones_like(grey)], -1)


def resized(image: Floats, size: tuple[int, int]) -> Floats:
    """An image (h, w, 3) at a size (width, height), its values in 8 bits, by Pillow's Lanczos filter as published (SPEC §3)."""
    picture = Image.fromarray((image * np.float32(255) + np.float32(0.5)).astype(np.uint8))
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS), np.float32) / np.float32(255)


def _resized_ink(ink: Floats, size: tuple[int, int]) -> Floats:
    return np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BICUBIC)).clip(0, 1)


def _moved(strokes: Strokes, by: tuple[int, int], size: tuple[int, int]) -> Strokes:
    """The drawing in another part of the same view: its points, and what leads to them from its layers' own space."""
    scale, shift = np.divide(strokes.size, size), (2 * np.array(by) + strokes.size - size) / size
    crop = np.diag([*scale, 1.0, 1.0])
    crop[:2, 3] = shift * (1, -1)
    return replace(strokes, size=size, points=strokes.points + by, handles=strokes.handles + by, matrices=crop @ strokes.matrices)


def _inked(drawing: Drawing, picture: tuple[int, int]) -> tuple[float, float, float, float]:
    """Where the drawing is: left, top, right, bottom in the picture's pixels."""
    scale = min(1.0, _LOOKED_AT / max(picture))
    size = (max(1, round(picture[0] * scale)), max(1, round(picture[1] * scale)))
    image = raster.sketch(drawing, size)[..., :3] if isinstance(drawing, Strokes) else resized(on_white(drawing), size)
    marks = image.min(-1) < 0.5 * (1 + float(image.min())) if float(image.min()) < 1 else np.zeros(image.shape[:2], bool)
    rows, columns = np.flatnonzero(marks.any(1)), np.flatnonzero(marks.any(0))
    if not len(rows):
        raise PegbarError("The drawing has no lines that can be seen: draw something or go to a frame with a drawing, then animate it")
    across, down = picture[0] / size[0], picture[1] / size[1]
    return columns[0] * across, rows[0] * down, (columns[-1] + 1) * across, (rows[-1] + 1) * down


def _strides(pixels: float) -> int:
    return max(STRIDE, round(pixels / STRIDE) * STRIDE)


def _common(start: int, length: int, whole: int) -> tuple[slice, slice]:
    """What a part that starts somewhere has in common with the whole: as places in the part, and in the whole."""
    first, last = max(start, 0), max(start, 0, min(start + length, whole))
    return slice(first - start, last - start), slice(first, last)
