"""Decoded frames to ink: grey levels found for a clip, or the published black and white, computed as OpenCV does to the bit.

Arrays alone: knows no network and no file. Frames are (f, h, w, 3) in 8 bits.
"""

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

FAINTEST = 0.08
"""Contrast between paper and ink under which a clip or a frame counts as empty; and of full ink, what counts as grain of the paper."""
ENLARGED = 4
"""By how much frames are enlarged before they are parted into black and white, as published: 256 to 1024 pixels."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_FULL = 25
"""Percentile, from the darkest, of a clip's dark pixels that counts as full ink: lines' cores, not their soft edges."""


def eight_bit(video: Floats) -> Bytes:
    """Pictures (3, f, h, w) in -1..1 as frames, values cut off, not rounded, as published (SPEC §8)."""
    unit = (video / 2 + 0.5).clip(0, 1)
    return np.ascontiguousarray((np.moveaxis(unit, 0, -1) * np.float32(255)).astype(np.uint8))


def ink_of(frames: Bytes) -> Floats:
    """How much of each pixel is ink, (f, h, w) 0..1. Paper and ink are levels of the whole clip, since ink comes out as any grey (SPEC §3):
    of the pixels that Otsu's threshold parts, the light ones' median and the dark ones' darkest quarter."""
    grey = frames.astype(np.float32) @ (_LUMA / 255)
    threshold = otsu(np.rint(grey * 255).astype(np.uint8)) / 255
    dark = grey <= threshold + 0.5 / 255
    if dark.all() or not dark.any():
        return np.zeros_like(grey)
    paper, ink = float(np.median(grey[~dark])), float(np.percentile(grey[dark], _FULL))
    if paper - ink < FAINTEST:
        return np.zeros_like(grey)
    amount = (paper - grey) / (paper - ink)
    return ((amount - FAINTEST) / (1 - FAINTEST)).clip(0, 1).astype(np.float32)


def black_ink_of(frames: Bytes) -> Floats:
    """Ink that is full or none, (f, 4h, 4w): each frame enlarged and parted by its own threshold (SPEC §8); none in a frame without contrast."""
    height, width = frames.shape[1:3]
    ink = np.zeros((len(frames), ENLARGED * height, ENLARGED * width), np.float32)
    for index, frame in enumerate(frames):
        grey = enlarged_grey(frame, (ENLARGED * width, ENLARGED * height))
        if int(grey.max()) - int(grey.min()) >= FAINTEST * 255:
            ink[index] = grey <= otsu(grey)
    return ink


def enlarged_grey(frame: Bytes, size: tuple[int, int]) -> Bytes:
    """A frame's grey at a larger size (width, height), equal to OpenCV's bilinear resize and RGB to grey of the inverted picture."""
    height, width = frame.shape[:2]
    left, right, left_weight, right_weight = _taps(width, size[0], clamp=True)
    above, below, above_weight, below_weight = _taps(height, size[1], clamp=False)
    source = frame.astype(np.int64)
    rows = source[:, left] * left_weight[:, None] + source[:, right] * right_weight[:, None]
    upper = (above_weight[:, None, None] * (rows[above] >> 4)) >> 16
    lower = (below_weight[:, None, None] * (rows[below] >> 4)) >> 16
    inverted = 255 - ((upper + lower + 2) >> 2)
    grey = (inverted @ np.array([9798, 19235, 3735], np.int64) + (1 << 14)) >> 15
    return (255 - grey).astype(np.uint8)


def _taps(count: int, wanted: int, clamp: bool) -> tuple[NDArray[np.int64], ...]:
    """Which two pixels each new one lies between, and their weights in 2048ths; `clamp`: one beyond the edge has the edge's weight alone."""
    at = ((np.arange(wanted) + 0.5) * (count / wanted) - 0.5).astype(np.float32)
    first = np.floor(at).astype(np.int64)
    part = at - first.astype(np.float32)
    if clamp:
        part = np.where((first < 0) | (first >= count - 1), np.float32(0), part)
    second_weight, first_weight = np.rint(part * 2048).astype(np.int64), np.rint((1 - part) * 2048).astype(np.int64)
    return first.clip(0, count - 1), (first + 1).clip(0, count - 1), first_weight, second_weight


def otsu(grey: Bytes) -> int:
    """The threshold, 0..255, that parts a picture's values best (Otsu 1979): those above it are light. Ties keep the lowest."""
    counts = np.bincount(grey.ravel(), minlength=256).astype(np.float64)
    below, total = counts.cumsum(), counts.sum()
    sums = (counts * np.arange(256)).cumsum()
    parts = (below > 0) & (below < total)
    between = np.zeros(256)
    between[parts] = (sums[-1] * below[parts] - sums[parts] * total) ** 2 / (below[parts] * (total - below[parts]))
    return int(between.argmax())
