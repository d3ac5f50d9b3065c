"""Posed parts to pixels: the paint of each pixel, and the lines.

What is filled hides the lines below it. Every step is one call of OpenCV, on the points of all frames reckoned at once.
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from .figures import INK, Part, Times

_SHIFT = 4
"""OpenCV's sub-pixel bits."""
_MARGIN = 3
"""Pixels around the picture that are drawn too: OpenCV fades its lines out at the edge of what it draws on."""
_HAIRLINE = 1.25
"""How wide OpenCV's thinnest anti-aliased line is, in pixels."""
_FAR = 1 << 14
"""Pixels beyond which a point is moved nearer: OpenCV reckons in 32 bits."""


@dataclass(frozen=True)
class Pen:
    """How lines are drawn; lengths in pixels."""

    width: float
    taper: float = 0.0
    """Share of its width by which a line swells and thins along its way."""
    stray: float = 0.0
    """How far a second stroke strays from the first."""
    beside: float = 0.0
    """How far it lies beside the first; 0 both: one stroke."""
    boil: float = 0.0
    """How far every point wavers from frame to frame."""
    detail: float = 0.0
    """Parts smaller than this are left away, as one does who draws small."""

    def scaled(self, times: float) -> "Pen":
        """The pen for a picture so many times as large: lines grow less than it, and so detail comes in."""
        thicker = times if times < 1 else times**0.8
        return Pen(
            self.width * thicker, self.taper, self.stray * thicker, self.beside * thicker, self.boil * thicker, self.detail * thicker
        )


@dataclass(frozen=True)
class Shot:
    """All parts of a scene in all frames."""

    times: Times
    """(f,)"""
    points: NDArray[np.float32]
    """(f, n, 2) in pixels."""
    ends: NDArray[np.intp]
    """(p + 1,) where each part's points begin and end."""
    order: NDArray[np.intp]
    """(f, p) the parts, bottom first."""
    shown: NDArray[np.bool_]
    """(f, p)"""
    extent: NDArray[np.float64]
    """(p,) the larger side of each part in pixels, without what camera and motion make of it."""
    parts: list[Part]


def draw(shot: Shot, size: tuple[int, int], pen: Pen) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The paint of each pixel (f, h, w), 0 where nothing is painted, and the lines (f, h, w), 255 where there is ink."""
    w, h = size
    ids = np.zeros((len(shot.points), h + 2 * _MARGIN, w + 2 * _MARGIN), np.uint8)
    lines = np.zeros_like(ids)
    points = _boiling(shot, pen.boil)
    strokes = [points, _second(points, shot, pen)] if pen.stray or pen.beside else [points]
    wide = pen.taper > 0 or pen.width > _HAIRLINE
    if wide:
        strokes = [edge for stroke in strokes for edge in _edges(stroke, shot, pen)]
    exact, strokes = _exact(points), [_exact(stroke) for stroke in strokes]
    spans = list(pairwise(shot.ends.tolist()))
    seen = shot.shown & _within(shot.points, shot.ends, size) & (shot.extent >= pen.detail)
    for f, order in enumerate(shot.order):
        picture, ink = ids[f], lines[f]
        for p in order[seen[f, order]].tolist():
            part, (a, b) = shot.parts[p], spans[p]
            if part.paint >= 0:
                outline = exact[f, a:b][None]
                cv2.fillPoly(picture, outline, part.paint, cv2.LINE_8, _SHIFT)
                cv2.fillPoly(ink, outline, 0, cv2.LINE_8, _SHIFT)
            elif part.paint == INK:
                cv2.fillPoly(ink, exact[f, a:b][None], part.strength, cv2.LINE_AA, _SHIFT)
            if part.ink:
                _stroke(ink, [stroke[f, a:b] for stroke in strokes], part, wide)
    middle = np.s_[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    return np.ascontiguousarray(ids[middle]), np.ascontiguousarray(lines[middle])


def _stroke(ink: NDArray[np.uint8], strokes: list[NDArray[np.int32]], part: Part, wide: bool) -> None:
    """Draws a part's line, of one stroke or two: hairlines, or what lies between each two edges of wide ones."""
    if part.line:
        strokes = [stroke[slice(*part.line)] for stroke in strokes]
    if not wide:
        cv2.polylines(ink, strokes, part.line is None, part.strength, 1, cv2.LINE_AA, _SHIFT)
        return
    for edge, other in zip(strokes[::2], strokes[1::2], strict=True):
        outline = [np.concatenate([edge, other[::-1]])] if part.line else [edge, other]
        cv2.fillPoly(ink, outline, part.strength, cv2.LINE_AA, _SHIFT)


def _exact(points: NDArray[np.float32]) -> NDArray[np.int32]:
    """Points as OpenCV wants them: counted from pixel centres, with sub-pixel bits."""
    near = np.clip(points + np.float32(_MARGIN - 0.5), -_FAR, _FAR)
    return (near * np.float32(1 << _SHIFT)).round().astype(np.int32, order="C")


def _boiling(shot: Shot, size: float) -> NDArray[np.float32]:
    """Points that waver along the lines, otherwise at each time."""
    if not size:
        return shot.points
    along, axis = np.ogrid[: shot.points.shape[1], :2]
    return shot.points + (size * np.sin(0.7 * along + 1.9 * axis + 97 * shot.times[:, None, None])).astype(np.float32)


def _normals(points: NDArray[np.float32], shot: Shot) -> NDArray[np.float32]:
    """The unit normals of all outlines (f, n, 2)."""
    after = np.arange(points.shape[1]) + 1
    before = after - 2
    after[shot.ends[1:] - 1], before[shot.ends[:-1]] = shot.ends[:-1], shot.ends[1:] - 1
    for part, first, end in zip(shot.parts, shot.ends[:-1], shot.ends[1:], strict=True):
        if part.line:  # an open line's ends have one neighbour
            before[first + part.line[0]] = first + part.line[0]
            after[min(first + part.line[1], end) - 1] = min(first + part.line[1], end) - 1
    step = points[:, after] - points[:, before]
    length = np.sqrt(step[..., 0] ** 2 + step[..., 1] ** 2)
    return step[..., ::-1] * (np.array([1, -1], np.float32) / np.maximum(length, 1e-3)[..., None])


def _waves(shot: Shot) -> NDArray[np.float32]:
    """A wave along each outline (n,), at a phase of its own."""
    sizes = np.diff(shot.ends)
    first = np.repeat(shot.ends[:-1], sizes)
    return np.sin((np.arange(shot.ends[-1]) - first) * (2 * np.pi / np.repeat(sizes, sizes)) + first).astype(np.float32)


def _edges(points: NDArray[np.float32], shot: Shot, pen: Pen) -> list[NDArray[np.float32]]:
    """The two edges of wide lines."""
    share = np.repeat(np.array([part.ink for part in shot.parts], np.float32), np.diff(shot.ends))
    # an anti-aliased edge is as wide as a hairline already
    half = np.maximum(pen.width * share * (1 + pen.taper * _waves(shot)) - _HAIRLINE, 0) / 2
    side = _normals(points, shot) * half[:, None]
    return [points + side, points - side]


def _second(points: NDArray[np.float32], shot: Shot, pen: Pen) -> NDArray[np.float32]:
    """A second stroke that weaves about the first, or goes beside it."""
    return points + _normals(points, shot) * (pen.beside + pen.stray * _waves(shot))[:, None]


def _within(points: NDArray[np.float32], ends: NDArray[np.intp], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Whether each part reaches into the picture (f, p)."""
    low = np.minimum.reduceat(points, ends[:-1], axis=1)
    high = np.maximum.reduceat(points, ends[:-1], axis=1)
    return ((high > -2) & (low < np.array(size) + 2)).all(-1)
