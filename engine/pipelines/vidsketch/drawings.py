"""What the artist gives as the arrays that the networks take: drawings, a first frame, and the size that they share."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ...drawing import raster
from ...drawing.cels import other_proportions, smooth
from ...drawing.frames import Frames, image_size
from ...protocol import PegbarError
from ...strokes import Strokes

MULTIPLE = 8
"""The networks' sides are multiples of it: a latent is 8 pixels wide."""

Size = tuple[int, int]
"""Width and height."""


@dataclass(frozen=True)
class Sizes:
    """The drawings' own size, which the video comes back in, and the one that the networks work at."""

    own: Size
    work: Size


def sizes(sketches: Frames, first_frame: Frames, longer_side: int) -> Sizes:
    """The size of the first drawing and one near it whose longer side is `longer_side`. Raises PegbarError where proportions differ."""
    own = image_size(sketches.file(sketches.numbers[0]))
    for frames, name in ((sketches, "drawing"), (first_frame, "first frame")):
        for number, (w, h) in other_proportions(frames, own):
            raise PegbarError(
                f"The {name} at frame {number} is {w} x {h}, the first drawing {own[0]} x {own[1]}: make both of the same proportions"
            )
    return Sizes(own, work_size(own, longer_side))


def work_size(own: Size, longer_side: int) -> Size:
    """The size nearest to these proportions whose longer side is `longer_side`."""
    width, height = (max(MULTIPLE, round(side * longer_side / max(own) / MULTIPLE) * MULTIPLE) for side in own)
    return width, height


def grey(drawing: NDArray[np.float32] | Strokes, size: Size | None = None) -> NDArray[np.uint8]:
    """A drawing on white paper, (h, w), 0 black to 255; of strokes at `size`, of images always at their own."""
    image = raster.sketch(drawing, size or drawing.size) if isinstance(drawing, Strokes) else drawing
    paper = 1 + (image[..., :3] - 1) * image[..., 3:]
    return np.asarray(Image.fromarray((paper * 255 + 0.5).astype(np.uint8)).convert("L"))


def control_image(drawing: NDArray[np.uint8], size: Size) -> torch.Tensor:
    """A grey drawing as the adapter takes it: white lines on black, (1, h, w), 0..1 (SPEC §1.3)."""
    lines = Image.fromarray(255 - drawing).resize(size, Image.Resampling.BICUBIC)
    return torch.from_numpy(np.asarray(lines) / np.float32(255))[None]


def picture(image: NDArray[np.float32] | Strokes, size: Size) -> torch.Tensor:
    """A first frame on white as the VAE takes it: (1, 3, h, w), -1..1."""
    rgba = raster.coloured(image, size) if isinstance(image, Strokes) else smooth(image, size)
    return torch.from_numpy(2 * (1 + (rgba[..., :3] - 1) * rgba[..., 3:]) - 1).permute(2, 0, 1)[None]


def original_resize(image: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """An image (h, w, 3) by OpenCV's 8-bit bilinear interpolation, as the authors fit the first frame; it skips pixels where it shrinks."""
    width, height = size
    columns, across = _taps(image.shape[1], width)
    rows, down = _taps(image.shape[0], height)
    lines = image[:, columns].astype(np.int64) * across[None, :, :, None]
    products = (lines.sum(2)[rows] >> 4) * down[:, :, None, None] >> 16
    return ((products.sum(1) + 2) >> 2).clip(0, 255).astype(np.uint8)


def _taps(old: int, new: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The two neighbours of each new pixel and their weights, of 2048 in all, (new, 2)."""
    at = ((np.arange(new) + 0.5) * (old / new) - 0.5).astype(np.float32)
    left = np.floor(at).astype(np.int64)
    part = np.where((left < 0) | (left >= old - 1), np.float32(0), at - left.astype(np.float32))
    weights = np.rint(np.stack([1 - part, part], 1) * np.float32(2048)).astype(np.int64)
    left = left.clip(0, old - 1)
    return np.stack([left, (left + 1).clip(0, old - 1)], 1), weights


def resized(image: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    """A frame (h, w, 3), 0..1, at the size that it goes back in; its own where that is the same."""
    if image.shape[1::-1] == size:
        return image
    planes = [Image.fromarray(np.ascontiguousarray(image[..., c])).resize(size, Image.Resampling.LANCZOS) for c in range(3)]
    return np.clip(np.stack([np.asarray(plane) for plane in planes], -1), 0, 1)
