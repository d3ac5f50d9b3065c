"""A drawing bent onto a frame's lines as a whole: where its strokes are about, before each is looked for. Knows no stroke by name."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from .centrelines import CentreLines
from .ways import Array, doubled

_CELLS = 48
"""Cells along the longer side of the picture in which the drawing's move is told."""
_SCALES = (0.2, 0.1, 0.05, 0.025)
"""Parts of the picture's diagonal over which it moves as one, coarse to fine."""
_ROUNDS = 4
"""How often it is moved at each of them."""


def bent(
    places: Array, headings: Array, used: NDArray[np.bool_], still: NDArray[np.bool_], lines: CentreLines, size: tuple[int, int]
) -> Array:
    """(k, 2) how far each place moves where the drawing as a whole is bent onto the lines.

    Each place is drawn to the nearest line of its direction, across it only, as are lines to places; what is near each other moves alike.
    """
    diagonal, cell = float(np.hypot(*size)), max(size) / _CELLS
    rows = np.arange(0, len(lines.points), 3)
    ink, normal = lines.points[rows], np.stack([-lines.tangents[rows, 1], lines.tangents[rows, 0]], axis=1)
    ink_way = doubled(lines.tangents[rows])
    moved = np.zeros_like(places)
    own = np.flatnonzero(used)
    if not len(own):
        own = np.arange(len(places))
    rest = np.flatnonzero(still)
    held = np.concatenate([rest, rest]), np.repeat(np.eye(2), len(rest), axis=0)
    for scale in _SCALES:
        before = moved.copy()
        reach = 0.4 * scale * diagonal + 2
        turn = 0.5 * reach
        tree = cKDTree(np.concatenate([ink, turn * ink_way], axis=1))
        for _ in range(_ROUNDS):
            now = places + moved
            here = np.concatenate([now[own], turn * doubled(headings[own])], axis=1)
            _, to = tree.query(here)
            _, back = cKDTree(here).query(np.concatenate([ink, turn * ink_way], axis=1))
            at, target = np.concatenate([own, own[back]]), np.concatenate([to, np.arange(len(ink))])
            off = ((ink[target] - now[at]) * normal[target]).sum(axis=1)
            gap = ((ink[target] - now[at]) ** 2).sum(axis=1)
            weight = 1 / (1 + gap / reach**2) ** 2
            at, across = np.concatenate([at, held[0]]), np.concatenate([normal[target], held[1]])
            off = np.concatenate([off, -(moved[held[0]] * held[1]).sum(axis=1)])
            weight = np.concatenate([weight, np.ones(len(held[0]))])
            moved += _field(now[at], across, off, weight, now, before - moved, size, cell, scale * diagonal / 2)
    return moved


def _field(
    at: Array, normal: Array, off: Array, weight: Array, to: Array, back: Array, size: tuple[int, int], cell: float, sigma: float
) -> Array:
    """(k, 2) the smooth move at `to` that does best for moves by `off` along `normal` asked for at `at`, and else goes `back`."""
    grid = (int(size[1] / cell) + 9, int(size[0] / cell) + 9)
    x, y = ((at[:, axis] / cell + 4).clip(0, grid[1 - axis] - 1).astype(np.intp) for axis in (0, 1))
    flat = y * grid[1] + x
    n0, n1 = normal.T
    sums = [
        ndimage.gaussian_filter(np.bincount(flat, weight * value, grid[0] * grid[1]).reshape(grid), max(sigma / cell, 0.7), mode="constant")
        for value in (n0 * n0, n0 * n1, n1 * n1, n0 * off, n1 * off)
    ]
    where = np.stack([to[:, 1] / cell + 3.5, to[:, 0] / cell + 3.5])
    a, b, c, p, q = (ndimage.map_coordinates(part, where, order=1, mode="nearest") for part in sums)
    held = 0.03 * (a + c) + 1e-9
    a, c, p, q = a + held, c + held, p + held * back[:, 0], q + held * back[:, 1]
    return np.stack([c * p - b * q, a * q - b * p], axis=1) / (a * c - b * b)[:, None]
