"""What there is to know about the regions of one frame for matching them: geometry, shape, surroundings, neighbours.

Knows labels alone: no colour, no other frame.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...drawing.regions import Labels

Floats = NDArray[np.float32]

_WINDOW = 12
"""Side of each small picture of a region."""
_TURNS, _RADII = 16, 6
"""Directions and distances in which a region's shape is looked at to know it again when it has turned."""
_MAP = 256
"""Cells along the longer side of the map of all lines, at most."""
_REACH = ((1.0, 0.02), (2.5, 0.06), (0.0, 0.3))
"""How far one looks around a region: times the root of its area, and in units of the frame, for each scale."""
_BLUR = (0.006, 0.012, 0.03)
"""How soft the lines are at each scale."""
_PLAN = 512
"""Cells along the longer side of the plan of which region lies where."""
POINTS = 32
"""Points of a region that are looked up in another frame's plan."""

MASK, SHAPE, TURNED, *AROUND = (slice(144 * k, 144 * k + size) for k, size in ((0, 144), (1, 144), (5, 54), (2, 144), (3, 144), (4, 144)))
"""Where in a region's `looks` lie its mask stretched to its box, its shape at its own scale, the shape however it is turned, and the lines
around it at three scales."""
LOOKS = 5 * _WINDOW**2 + _RADII * (_TURNS // 2 + 1)


@dataclass(frozen=True, eq=False)
class Regions:
    """What the matcher knows of the n regions of one frame. Lengths are in units of the frame's longer side."""

    area: Floats
    """(n,)"""
    pixels: Floats
    """(n,) area in pixels."""
    centre: Floats
    """(n, 2)"""
    extent: Floats
    """(n, 2) width and height of the box."""
    moments: Floats
    """(n, 3) variance in x, covariance, variance in y."""
    contact: Floats
    """(n, 4) whether it touches the frame's left, top, right, bottom edge."""
    looks: NDArray[np.uint8]
    """(n, LOOKS) small pictures of it and of the lines around it, 0..255."""
    points: Floats
    """(n, 32, 2) pixels of it, evenly spread."""
    plan: NDArray[np.int32]
    """(rows, columns) which region lies where, coarsely; the longer side has up to 512 cells."""
    neighbours: NDArray[np.int32]
    """(e, 2) every pair of regions that meet, both ways."""
    border: Floats
    """(e,) share of the first's outline that it has with the second."""
    towards: Floats
    """(e, 2) from the first's centre to that border."""

    def __len__(self) -> int:
        return len(self.area)


def describe(labels: Labels) -> Regions:
    """The regions of a frame as the matcher sees them."""
    h, w = labels.shape
    unit = np.float64(max(h, w))
    row, start, end, owner = _runs(labels)
    n = int(owner.max()) + 1

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(owner, values, n).astype(np.float64)

    length = (end - start).astype(np.float64)
    area = total(length)
    x, y = (start + end - 1) / 2, row.astype(np.float64)
    centre = np.stack([total(x * length), total(y * length)], 1) / area[:, None]
    xx = total((x * x + (length * length - 1) / 12) * length) / area - centre[:, 0] ** 2
    yy = total(y * y * length) / area - centre[:, 1] ** 2 + 1 / 12
    xy = total(x * y * length) / area - centre[:, 0] * centre[:, 1]
    box = np.empty((n, 4), np.int64)
    box[:, :2], box[:, 2:] = max(h, w), 0
    for column, values, extreme in ((0, start, np.minimum), (1, row, np.minimum), (2, end, np.maximum), (3, row + 1, np.maximum)):
        extreme.at(box[:, column], owner, values)
    neighbours, border, towards = _meetings(labels, row, start, owner, centre)
    return Regions(
        area=(area / unit**2).astype(np.float32),
        pixels=area.astype(np.float32),
        centre=((centre + 0.5) / unit).astype(np.float32),
        extent=((box[:, 2:] - box[:, :2]) / unit).astype(np.float32),
        moments=(np.stack([xx + 1 / 12, xy, yy], 1) / unit**2).astype(np.float32),
        contact=np.stack([box[:, 0] == 0, box[:, 1] == 0, box[:, 2] == w, box[:, 3] == h], 1).astype(np.float32),
        looks=_looks(labels, row, start, box, centre, np.sqrt(area)),
        points=((_points(row, start, end, owner, area) + 0.5) / unit).astype(np.float32),
        plan=_plan(labels),
        neighbours=neighbours,
        border=border,
        towards=(towards / unit).astype(np.float32),
    )


def _runs(labels: Labels) -> tuple[NDArray[np.intp], ...]:
    """Row, first column, column after the last, and label of each run of one label in a row: all that moments need, at a tenth of the pixels."""
    h, w = labels.shape
    first = np.ones((h, w), bool)
    np.not_equal(labels[:, 1:], labels[:, :-1], out=first[:, 1:])
    heads = np.flatnonzero(first)
    row, start = np.divmod(heads, w)
    end = np.append(heads[1:], h * w) - row * w
    return row, start, end, labels.ravel()[heads].astype(np.intp)


def _meetings(
    labels: Labels, row: NDArray[np.intp], start: NDArray[np.intp], owner: NDArray[np.intp], centre: NDArray[np.float64]
) -> tuple[NDArray[np.int32], Floats, NDArray[np.float64]]:
    """Pairs of regions that meet, both ways: the share of the first's outline, and where from its centre."""
    n = len(centre)
    across = np.flatnonzero(start[1:] > 0)
    below_y, below_x = np.nonzero(labels[1:] != labels[:-1])
    one = np.concatenate([owner[across], labels[below_y, below_x]]).astype(np.intp)
    other = np.concatenate([owner[across + 1], labels[below_y + 1, below_x]]).astype(np.intp)
    x = np.concatenate([start[across + 1] - 0.5, below_x])
    y = np.concatenate([row[across + 1], below_y + 0.5])
    code, inverse = np.unique(np.concatenate([one * n + other, other * n + one]), return_inverse=True)
    length = np.bincount(inverse).astype(np.float64)
    place = np.stack([np.bincount(inverse, np.tile(v, 2)) for v in (x, y)], 1) / np.maximum(length, 1)[:, None]
    first, second = np.divmod(code, n)
    outline = np.bincount(first, length, n)
    return np.stack([first, second], 1).astype(np.int32), (length / outline[first]).astype(np.float32), place - centre[first]


def _points(
    row: NDArray[np.intp], start: NDArray[np.intp], end: NDArray[np.intp], owner: NDArray[np.intp], area: NDArray[np.float64]
) -> NDArray[np.intp]:
    """(n, 32, 2) the pixels at equal steps through each region in reading order."""
    order = np.argsort(owner, kind="stable")
    until = np.cumsum((end - start)[order])
    first = np.concatenate([[0], np.cumsum(area)[:-1]])
    wanted = (first[:, None] + (np.arange(POINTS) + 0.5) / POINTS * area[:, None]).astype(np.intp)
    at = np.searchsorted(until, wanted, side="right")
    run = order[at]
    return np.stack([end[run] - (until[at] - wanted), row[run]], -1)


def _plan(labels: Labels) -> NDArray[np.int32]:
    cell = max(1.0, max(labels.shape) / _PLAN)
    rows, columns = (((np.arange(int(side / cell)) + 0.5) * cell).astype(np.intp) for side in labels.shape)
    return labels[rows[:, None], columns[None]]


def _looks(
    labels: Labels,
    row: NDArray[np.intp],
    start: NDArray[np.intp],
    box: NDArray[np.int64],
    centre: NDArray[np.float64],
    size: NDArray[np.float64],
) -> NDArray[np.uint8]:
    pictures = [_masks(labels, box), _shapes(labels, centre, size), *_surroundings(labels, row, start, centre, size)]
    flat = [picture.reshape(len(box), -1) for picture in (*pictures, _turned(labels, centre, size))]
    return (np.clip(np.concatenate(flat, 1), 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def _masks(labels: Labels, box: NDArray[np.int64]) -> Floats:
    steps = (np.arange(_WINDOW) + 0.5) / _WINDOW
    corner, side = box[:, :2].astype(np.float64), (box[:, 2:] - box[:, :2]).astype(np.float64)
    x, y = (corner[:, axis, None] + steps * side[:, axis, None] for axis in (0, 1))
    return _soft(_own(labels, x[:, None, :], y[:, :, None]))


def _shapes(labels: Labels, centre: NDArray[np.float64], size: NDArray[np.float64]) -> Floats:
    steps = ((np.arange(_WINDOW) + 0.5) / _WINDOW * 2 - 1) * 1.5 * size[:, None] + 0.5
    return _soft(_own(labels, (centre[:, :1] + steps)[:, None, :], (centre[:, 1:] + steps)[:, :, None]))


def _turned(labels: Labels, centre: NDArray[np.float64], size: NDArray[np.float64]) -> Floats:
    """(n, 6, 9) at each distance from the centre, how strongly the shape varies once, twice, ... around it: no matter how it is turned."""
    angle = np.arange(_TURNS) / _TURNS * 2 * np.pi
    radius = (np.arange(_RADII) + 0.5) / _RADII * 1.5 * size[:, None]
    x = centre[:, 0, None, None] + radius[..., None] * np.cos(angle) + 0.5
    y = centre[:, 1, None, None] + radius[..., None] * np.sin(angle) + 0.5
    return np.abs(np.fft.rfft(_own(labels, x, y), axis=-1)).astype(np.float32) / np.float32(_TURNS)


def _own(labels: Labels, x: NDArray[np.float64], y: NDArray[np.float64]) -> Floats:
    """Whether the pixels at these places are of each region; the first axis is the region's."""
    h, w = labels.shape
    inside = (x >= 0) & (x < w) & (y >= 0) & (y < h)
    found = labels[np.clip(y, 0, h - 1).astype(np.intp), np.clip(x, 0, w - 1).astype(np.intp)]
    return ((found == np.arange(len(x), dtype=np.int32)[:, None, None]) & inside).astype(np.float32)


def _soft(pictures: Floats) -> Floats:
    return ndimage.gaussian_filter(pictures, (0, 0.7, 0.7), mode="constant").astype(np.float32)


def _surroundings(
    labels: Labels, row: NDArray[np.intp], start: NDArray[np.intp], centre: NDArray[np.float64], size: NDArray[np.float64]
) -> list[Floats]:
    """(n, 12, 12) for each scale: the lines around each region."""
    unit = max(labels.shape)
    cell = max(1.0, unit / _MAP)
    rows, columns = (int(np.ceil(s / cell)) for s in labels.shape)
    below_y, below_x = np.nonzero(labels[1:] != labels[:-1])
    inner = start > 0
    y = np.concatenate([row[inner], below_y])
    x = np.concatenate([start[inner], below_x])
    index = (y / cell).astype(np.intp) * columns + (x / cell).astype(np.intp)
    lines = (np.bincount(index, minlength=rows * columns).reshape(rows, columns) > 0).astype(np.float32)
    steps = (np.arange(_WINDOW) + 0.5) / _WINDOW * 2 - 1
    pictures = []
    for (times, beyond), blur in zip(_REACH, _BLUR, strict=True):
        sigma = blur * unit / cell
        # A line one cell wide weighs the same at every resolution.
        soft = ndimage.gaussian_filter(lines, sigma, mode="constant", truncate=3) * np.float32(sigma)
        across = (steps * (times * size + beyond * unit)[:, None] + 0.5) / cell - 0.5
        at = np.broadcast_arrays((centre[:, 1:] / cell + across)[:, :, None], (centre[:, :1] / cell + across)[:, None, :])
        pictures.append(ndimage.map_coordinates(soft, np.stack(at), order=1, mode="constant").astype(np.float32))
    return pictures
