"""Posed parts to pixels: the paint of each pixel, and the lines.

What is filled hides the lines below it. Every step is one call of OpenCV, on the points of all frames reckoned at once.
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from .figures import INK, Part

_SHIFT = 4
"""OpenCV's sub-pixel bits."""
_MARGIN = 3
"""Pixels around the picture that are drawn too: OpenCV fades its lines out at the edge of what it draws on."""
_FAR = 1 << 14
"""Pixels beyond which a point is moved nearer: OpenCV reckons in 32 bits."""


@dataclass(frozen=True)
class Pen:
    """How lines are drawn; lengths in pixels."""

    width: float
    taper: float = 0.0
    """Share of its width by which a line swells and thins along its way."""
    stray: float = 0.0
    """How far a second stroke strays from the first; 0: one stroke."""
    boil: float = 0.0
    """How far every point wavers from frame to frame."""
    detail: float = 0.0
    """Parts smaller than this are left away, as one does who draws small."""

    def scaled(self, times: float) -> "Pen":
        """The pen for a picture so many times as large: lines grow less than it, and so detail comes in."""
        thicker = times if times < 1 else times**0.8
        return Pen(self.width * thicker, self.taper, self.stray * thicker, self.boil * thicker, self.detail * thicker)


@dataclass(frozen=True)
class Shot:
    """All parts of a scene in all frames."""

    points: NDArray[np.float32]
    """(f, n, 2) in pixels."""
    ends: NDArray[np.intp]
    """(p + 1,) where each part's points begin and end."""
    order: NDArray[np.intp]
    """(f, p) the parts, bottom first."""
    shown: NDArray[np.bool_]
    """(f, p)"""
    parts: list[Part]


def draw(shot: Shot, size: tuple[int, int], pen: Pen) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The paint of each pixel (f, h, w), 0 where nothing is painted, and the lines (f, h, w), 255 where there is ink."""
    w, h = size
    ids = np.zeros((len(shot.points), h + 2 * _MARGIN, w + 2 * _MARGIN), np.uint8)
    lines = np.zeros_like(ids)
    points = shot.points + _boil(shot.points.shape, pen.boil)
    outer, inner = _strokes(points, shot.ends, pen)
    here, outer, inner = _exact(points), _exact(outer), _exact(inner)
    spans = list(pairwise(shot.ends.tolist()))
    seen = shot.shown & _worth_drawing(points, shot.ends, size, pen.detail)
    widths = [max(1, round(pen.width * part.ink)) if part.ink else 0 for part in shot.parts]
    for f, order in enumerate(shot.order):
        for p in order[seen[f, order]].tolist():
            part, (a, b) = shot.parts[p], spans[p]
            outline = here[f, a:b][None]
            if part.paint >= 0:
                cv2.fillPoly(ids[f], outline, part.paint, cv2.LINE_8, _SHIFT)
                cv2.fillPoly(lines[f], outline, 0, cv2.LINE_8, _SHIFT)
            elif part.paint == INK:
                cv2.fillPoly(lines[f], outline, part.strength, cv2.LINE_AA, _SHIFT)
            if not widths[p]:
                continue
            if part.line:
                outline = outline[:, part.line[0] : part.line[1]]
            elif pen.taper:
                cv2.fillPoly(lines[f], [outer[f, a:b], inner[f, a:b]], part.strength, cv2.LINE_AA, _SHIFT)
                continue
            cv2.polylines(lines[f], outline, part.line is None, part.strength, widths[p], cv2.LINE_AA, _SHIFT)
            if pen.stray and part.line is None:
                cv2.polylines(lines[f], outer[f, a:b][None], True, part.strength, widths[p], cv2.LINE_AA, _SHIFT)
    picture = np.s_[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    return np.ascontiguousarray(ids[picture]), np.ascontiguousarray(lines[picture])


def _exact(points: NDArray) -> NDArray[np.int32]:
    """Points as OpenCV wants them: counted from pixel centres, with sub-pixel bits."""
    return (np.clip(points + (_MARGIN - 0.5), -_FAR, _FAR) * (1 << _SHIFT)).round().astype(np.int32, order="C")


def _boil(shape: tuple[int, ...], size: float) -> NDArray[np.float32] | float:
    """Waves along the points that differ from frame to frame."""
    if not size:
        return 0.0
    frame, point, axis = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return (size * np.sin(0.7 * point + 2.4 * frame**1.5 + 1.9 * axis)).astype(np.float32)


def _strokes(points: NDArray, ends: NDArray, pen: Pen) -> tuple[NDArray, NDArray]:
    """The two edges of tapered lines, or the second stroke of stray ones."""
    if not pen.taper and not pen.stray:
        return points[:, :0], points[:, :0]
    n = points.shape[1]
    after, before = np.arange(n) + 1, np.arange(n) - 1
    after[ends[1:] - 1], before[ends[:-1]] = ends[:-1], ends[1:] - 1
    step = points[:, after] - points[:, before]
    normal = step[..., ::-1] * np.array([1, -1], np.float32) / np.maximum(np.linalg.norm(step, axis=-1, keepdims=True), 1e-3)
    at = np.arange(n) - np.repeat(ends[:-1], np.diff(ends))
    share = at / np.repeat(np.diff(ends), np.diff(ends))
    wave = np.sin(2 * np.pi * share + ends[np.searchsorted(ends, np.arange(n), "right") - 1])
    if pen.stray:
        return points + normal * (pen.stray * wave[:, None]).astype(np.float32), points[:, :0]
    # the anti-aliased edge is about a pixel wide of itself
    half = np.maximum(pen.width * (1 + pen.taper * wave) - 1, 0) / 2
    side = normal * half[:, None].astype(np.float32)
    return points + side, points - side


def _worth_drawing(points: NDArray, ends: NDArray, size: tuple[int, int], detail: float) -> NDArray[np.bool_]:
    """Whether each part reaches into the picture and is not too small in all frames (f, p)."""
    low = np.minimum.reduceat(points, ends[:-1], axis=1)
    high = np.maximum.reduceat(points, ends[:-1], axis=1)
    inside = ((high > -2) & (low < np.array(size) + 2)).all(-1)
    return inside & ((high - low).max(-1).max(0) >= detail)
