"""How abstract a drawing is (SPEC §4), measured on its contours as OpenCV finds them. numpy and scipy alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_INK = 128
"""The lightest grey that counts as line."""
_LEAST_AREA, _LEAST_PERIMETER = 5, 10
"""Contours up to this size are specks: they count, but are not measured."""
_MANY_PARTS = 20

_RIGHT = np.array(((0, 1), (1, 0), (0, -1), (-1, 0)))
"""Rows and columns to the four sides, clockwise."""


@dataclass(frozen=True)
class Abstraction:
    """What was measured of one drawing: `score` is 0 for a detailed one, 1 for the most abstract."""

    score: float
    continuity: float
    connectivity: float
    contours: int


@dataclass(frozen=True)
class Control:
    """How strongly (`scale`) and for what share of the steps (`tau`) the drawings steer; the authors' where nothing is said."""

    scale: float = 0.65
    tau: float = 0.5


def measured(grey: NDArray[np.uint8]) -> Abstraction:
    """The abstraction of a drawing (h, w), 0 black to 255 white, at its own size."""
    ink = grey <= _INK
    height, width = ink.shape
    sizes = [(abs(_area(points)), _perimeter(points)) for points in contours(ink)]
    kept = [(area, perimeter) for area, perimeter in sizes if area > _LEAST_AREA and perimeter > _LEAST_PERIMETER]
    area, perimeter = sum(area for area, _ in kept), sum(perimeter for _, perimeter in kept)
    continuity = min(area / (perimeter + 1e-6) / (width * height / (2 * (width + height))), 1) if perimeter else 0.0
    parts = ndimage.label(ink, np.ones((3, 3)))[1] + 1
    connectivity = min(parts / _MANY_PARTS, 1)
    detail = 1 / (len(sizes) + 1)
    return Abstraction(0.4 * (1 - continuity) + 0.3 * (1 - connectivity) + 0.3 * detail, continuity, connectivity, len(sizes))


def control_at(score: float) -> Control:
    """The control that suits an abstraction: detailed drawings steer longer and harder (SPEC §4, the authors' intended ranges)."""
    return Control(scale=0.875 - 0.07 * score, tau=0.825 - 0.165 * score)


def contours(ink: NDArray[np.bool_]) -> Iterator[NDArray[np.intp]]:
    """The borders of the ink, outer ones and those of holes: the pixels (n, 2) along each, row and column, as Suzuki's algorithm visits
    them. Ink hangs together over corners, paper does not.

    Follows the cracks between ink and paper: each crack has one next, and the ink beside a round of them is a border.
    """
    padded = np.pad(ink, 1)
    cracks, following = _cracks(padded)
    unseen = np.ones(len(cracks), bool)
    next_of: Sequence[int] = following.tolist()
    for first in range(len(cracks)):
        if unseen[first]:
            round_trip = [first]
            while (crack := next_of[round_trip[-1]]) != first:
                round_trip.append(crack)
            unseen[round_trip] = False
            pixels = cracks[round_trip, :2] - 1
            moved = (pixels != np.roll(pixels, 1, 0)).any(1)
            yield pixels[moved] if moved.any() else pixels[:1]


def _cracks(padded: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The cracks (n, 3), row and column of the ink and the side that the paper is on, and the index of the crack after each.

    With the paper on one's left, one goes on to the ink ahead on the left, else to that straight ahead, else around one's own pixel.
    """
    cracks = np.concatenate([np.insert(np.argwhere(padded & ~_shifted(padded, side)), 2, side, axis=1) for side in range(4)])
    index = np.full((*padded.shape, 4), -1)
    index[tuple(cracks.T)] = np.arange(len(cracks))
    at, side = cracks[:, :2], cracks[:, 2]
    paper, ahead = _RIGHT[side], _RIGHT[(side + 1) % 4]
    on_left, straight = padded[tuple((at + ahead + paper).T)], padded[tuple((at + ahead).T)]
    to = at + np.where(on_left[:, None], ahead + paper, np.where(straight[:, None], ahead, 0))
    turned = (side + np.where(on_left, -1, np.where(straight, 0, 1))) % 4
    return cracks, index[to[:, 0], to[:, 1], turned]


def _shifted(padded: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """What lies on that side of each pixel."""
    return np.roll(padded, tuple(-_RIGHT[side]), (0, 1))


def _area(points: NDArray[np.intp]) -> float:
    y, x = points.T
    return float((np.roll(x, 1) * y - np.roll(y, 1) * x).sum()) / 2


def _perimeter(points: NDArray[np.intp]) -> float:
    """The length of a closed border. Straight runs are measured whole and in single precision, as OpenCV does."""
    steps = np.roll(points, -1, 0) - points
    turns = np.flatnonzero((steps != np.roll(steps, 1, 0)).any(1))
    if len(turns) == 0:
        return 0.0
    runs = (np.roll(points[turns], -1, 0) - points[turns]).astype(np.float32)
    return float(np.sqrt((runs**2).sum(1)).astype(np.float64).sum())
