"""What there is to know about the regions of one frame for matching them: geometry, shape, surroundings, neighbours.

Knows labels alone: no colour, no other frame.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...drawing.regions import Labels

Floats = NDArray[np.float32]

_GRID = 16
"""Side of a region's mask, stretched to its box."""
_TURNS = np.radians([0, -20, 20, -45, 45, -75, 75])
"""How far a region may have turned to be known again."""
_WINDOW = 12
"""Side of the picture of the lines around a region."""
_MAP = 256
"""Cells along the longer side of the map of all lines."""
_PLAN = 512
"""Cells along the longer side of the plan of which region lies where."""
POINTS = 32
"""Points of a region that are looked up in another frame's plan."""


@dataclass(frozen=True)
class Regions:
    """What the matcher knows of the n regions of one frame. Lengths are in units of the frame's longer side."""

    area: Floats
    """(n,)"""
    centre: Floats
    """(n, 2)"""
    extent: Floats
    """(n, 2) width and height of the box."""
    moments: Floats
    """(n, 3) variance in x, covariance, variance in y."""
    contact: Floats
    """(n, 4) whether it touches the frame's left, top, right, bottom edge."""
    mask: Floats
    """(n, 256) its shape stretched to its box, of unit length."""
    silhouette: Floats
    """(7, n, 144) its shape in a window of three times the root of its area, turned by each of the turns; of unit length."""
    context: Floats
    """(n, 144) the lines around it, in a window that grows with it; mean 0, unit length."""
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
        centre=((centre + 0.5) / unit).astype(np.float32),
        extent=((box[:, 2:] - box[:, :2]) / unit).astype(np.float32),
        moments=(np.stack([xx + 1 / 12, xy, yy], 1) / unit**2).astype(np.float32),
        contact=np.stack([box[:, 0] == 0, box[:, 1] == 0, box[:, 2] == w, box[:, 3] == h], 1).astype(np.float32),
        mask=_masks(labels, box),
        silhouette=_silhouettes(labels, centre, np.sqrt(area)),
        context=_contexts(labels, row, start, centre, np.sqrt(area)),
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


def _masks(labels: Labels, box: NDArray[np.int64]) -> Floats:
    steps = (np.arange(_GRID) + 0.5) / _GRID
    x = (box[:, 0, None] + steps * (box[:, 2] - box[:, 0])[:, None]).astype(np.intp)
    y = (box[:, 1, None] + steps * (box[:, 3] - box[:, 1])[:, None]).astype(np.intp)
    own = labels[y[:, :, None], x[:, None, :]] == np.arange(len(box), dtype=np.int32)[:, None, None]
    soft = ndimage.gaussian_filter(own.astype(np.float32), (0, 1, 1), mode="constant")
    return _unit(soft.reshape(len(box), -1))


def _silhouettes(labels: Labels, centre: NDArray[np.float64], size: NDArray[np.float64]) -> Floats:
    h, w = labels.shape
    steps = ((np.arange(_WINDOW) + 0.5) / _WINDOW * 2 - 1) * 1.5
    across, down = np.meshgrid(steps, steps)
    own = np.arange(len(centre), dtype=np.int32)[:, None, None]
    turned = []
    for turn in _TURNS:
        x = centre[:, 0, None, None] + size[:, None, None] * (np.cos(turn) * across - np.sin(turn) * down)
        y = centre[:, 1, None, None] + size[:, None, None] * (np.sin(turn) * across + np.cos(turn) * down)
        inside = (x >= 0) & (x < w) & (y >= 0) & (y < h)
        found = labels[np.clip(y, 0, h - 1).astype(np.intp), np.clip(x, 0, w - 1).astype(np.intp)]
        soft = ndimage.gaussian_filter(((found == own) & inside).astype(np.float32), (0, 0.8, 0.8), mode="constant")
        turned.append(_unit(soft.reshape(len(centre), -1)))
    return np.stack(turned)


def _contexts(
    labels: Labels, row: NDArray[np.intp], start: NDArray[np.intp], centre: NDArray[np.float64], size: NDArray[np.float64]
) -> Floats:
    cell = max(labels.shape) / _MAP
    rows, columns = (int(np.ceil(s / cell)) for s in labels.shape)
    below_y, below_x = np.nonzero(labels[1:] != labels[:-1])
    inner = start > 0
    y = np.concatenate([row[inner], below_y])
    x = np.concatenate([start[inner], below_x])
    index = (y / cell).astype(np.intp) * columns + (x / cell).astype(np.intp)
    lines = np.bincount(index, minlength=rows * columns).reshape(rows, columns) > 0
    soft = ndimage.gaussian_filter(lines.astype(np.float32), 1.5, mode="nearest")
    reach = (1.5 * size + 0.04 * max(labels.shape)) / cell
    steps = (np.arange(_WINDOW) + 0.5) / _WINDOW * 2 - 1
    at_x = centre[:, 0, None] / cell + steps * reach[:, None]
    at_y = centre[:, 1, None] / cell + steps * reach[:, None]
    grid = np.broadcast_arrays(at_y[:, :, None], at_x[:, None, :])
    seen = ndimage.map_coordinates(soft, np.stack(grid), order=1, mode="nearest").reshape(len(centre), -1)
    return _unit(seen - seen.mean(1, keepdims=True))


def _unit(rows: NDArray[np.float32]) -> Floats:
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)).astype(np.float32)
