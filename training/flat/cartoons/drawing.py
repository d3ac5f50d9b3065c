"""Posed figures to pixels: the paint of each pixel, and the lines.

Every outline is drawn with one call a step; what is filled hides the lines below it.
"""

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from .figures import Part

_SHIFT = 4
"""OpenCV's sub-pixel bits."""
_MARGIN = 3
"""Pixels around the picture that are drawn too: OpenCV fades its lines out at the edge of what it draws on."""


def draw(
    points: NDArray[np.float32], ends: NDArray[np.intp], order: NDArray[np.intp], shown: NDArray[np.bool_], parts: list[Part],
    size: tuple[int, int], width: float,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:  # fmt: skip
    """The paint of each pixel (f, h, w), 0 where nothing is painted, and the lines (f, h, w), 255 where there is ink.

    `points` (f, n, 2) in pixels; `order` (f, p) the parts bottom first; `width` of the lines in pixels.
    """
    frames, (w, h) = len(points), size
    ids = np.zeros((frames, h + 2 * _MARGIN, w + 2 * _MARGIN), np.uint8)
    lines = np.zeros_like(ids)
    # cv2 counts from pixel centres
    exact = np.clip((points + _MARGIN - 0.5) * (1 << _SHIFT), -(1 << 18), 1 << 18).round().astype(np.int32, order="C")
    slices = [slice(a, b) for a, b in pairwise(ends)]
    thickness = [max(1, round(width * part.ink)) if part.ink else 0 for part in parts]
    seen = shown & _inside(points, ends, size)
    for f in range(frames):
        picture, ink, here = ids[f], lines[f], exact[f]
        for p in order[f][seen[f][order[f]]].tolist():
            part = parts[p]
            outline = here[slices[p]][None]
            if part.paint >= 0:
                cv2.fillPoly(picture, outline, part.paint, cv2.LINE_8, _SHIFT)
                cv2.fillPoly(ink, outline, 0, cv2.LINE_8, _SHIFT)
            if thickness[p]:
                cv2.polylines(ink, outline, not part.open, part.strength, thickness[p], cv2.LINE_AA, _SHIFT)
    picture = np.s_[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    return np.ascontiguousarray(ids[picture]), np.ascontiguousarray(lines[picture])


def _inside(points: NDArray[np.float32], ends: NDArray[np.intp], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Whether each part reaches into the picture (f, p)."""
    low = np.minimum.reduceat(points, ends[:-1], axis=1)
    high = np.maximum.reduceat(points, ends[:-1], axis=1)
    return ((high > -2) & (low < np.array(size) + 2)).all(-1)
