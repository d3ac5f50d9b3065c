"""What hangs free in a drawing: tails, ears, arms, hair, whatever a line or a slender loop alone holds to the body. Knows no motion."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from .curves import Array, Indices
from .layout import Layout, components

_SHAPE = 0.008
"""Closed shapes with at least this part of the diagonal's square as area hold together; smaller and thinner ones bend like a line."""
_SLENDER = 0.06
"""A loop with at most this part of its girth's square as area is slender (a circle has 0.08, a square 0.0625)."""
_OUT = 1.7
"""A loop whose line is at least this many times as long as its base is wide sticks out (a half circle has 1.57)."""
_LIMB = 0.4
"""What hangs free and has at most this part of the ink is a limb; more is the body."""


@dataclass(frozen=True)
class Limbs:
    """Which cells hang free, and how."""

    hang: Array
    """(c,) pixels along the limb from where it leaves the body; 0 on the body"""
    lever: Array
    """(c, 2) pixels from where the limb leaves the body to the cell, or to the middle of the closed shape that the cell is on"""
    number: Indices
    """(c,) number of the limb, the same on both sides of a loop"""


def limbs(graph: Layout, held: Indices) -> Limbs:
    """The limbs of a drawing held at some of its cells.

    Every bond whose loss would part the drawing is a bridge; a limb is what hangs by a bridge and is light. Bridges are found on the
    shortest paths from where the drawing is held: each other bond closes a shape, and marks the paths to both its ends with numbers
    that cancel where they meet. A slender loop on the body, like a long ear, is opened first at its far end.
    """
    count = len(graph.cells)
    own = np.arange(count)
    above, distance = _paths(graph, held)
    closing, swept = _closing(graph, above)
    marks = np.random.default_rng(0).integers(1, 2**40, len(closing))
    ink, mark = _beyond(graph, above, distance, closing, marks)
    loops, feet = _loops(graph, above, distance, closing, marks, ink, mark, swept)
    ink, mark = _beyond(graph, above, distance, closing, np.where(loops, 0, marks))
    bridge = (mark == 0) & (above != own)
    limb = bridge & (ink <= _LIMB * len(graph.cell))
    limb |= _summed(limb.astype(np.float64), above) > 0
    hang = _summed(_bond_lengths(graph, above) * (limb & bridge), above)
    root = _roots(np.where(limb, above, own))
    shape = components(np.stack([own, np.where(bridge, own, above)], axis=1), count)
    middle = np.stack([np.bincount(shape, graph.cells[:, axis])[shape] for axis in (0, 1)], axis=1) / np.bincount(shape)[shape][:, None]
    lever = np.where(limb[:, None], middle - graph.cells[root], 0.0)
    return Limbs(np.where(limb, hang, 0.0), lever, components(feet, count)[root])


def _closing(graph: Layout, above: Indices) -> tuple[Indices, Array]:
    """The bonds (k, 2) that close a shape, and twice the area that the way to each cell sweeps around the origin."""
    a, b = graph.bonds.T
    ends = graph.bonds[(above[a] != b) & (above[b] != a)]
    swept = _summed(_cross(graph.cells[above], graph.cells), above)
    area = np.abs(swept[ends[:, 0]] - swept[ends[:, 1]] + _cross(graph.cells[ends[:, 0]], graph.cells[ends[:, 1]])) / 2
    return ends[area > _SHAPE * graph.size**2], swept


def _beyond(graph: Layout, above: Indices, distance: Array, closing: Indices, marks: Indices) -> tuple[Indices, Indices]:
    """For each cell the ink, in places, and the sum of the marks of all whose way to where the drawing is held leads over it."""
    count = len(graph.cells)
    beyond = np.stack([np.bincount(graph.cell, minlength=count), np.zeros(count, np.int64)], axis=1)
    np.add.at(beyond[:, 1], closing[:, 0], marks)
    np.add.at(beyond[:, 1], closing[:, 1], -marks)
    for cell in np.argsort(-distance, kind="stable"):
        if above[cell] != cell:
            beyond[above[cell]] += beyond[cell]
    return beyond[:, 0], beyond[:, 1]


def _loops(
    graph: Layout,
    above: Indices,
    distance: Array,
    closing: Indices,
    marks: Indices,
    ink: Indices,
    mark: Indices,
    swept: Array,
) -> tuple[NDArray[np.bool_], Indices]:
    """Which closing bonds are the far ends of slender light loops, and the cells (l, 2) where the loops leave the body."""
    slender, feet = np.zeros(len(closing), np.bool_), []
    for index, (tips, number) in enumerate(zip(closing, marks, strict=True)):
        (foot_a, ink_a), (foot_b, ink_b) = (_foot(int(tip), number, above, ink, mark) for tip in tips)
        ends = graph.cells[[tips[0], tips[1], foot_b, foot_a]]
        gap, tip = np.linalg.norm(ends[3] - ends[2]), np.linalg.norm(ends[1] - ends[0])
        strand = distance[tips[0]] - distance[foot_a] + tip + distance[tips[1]] - distance[foot_b]
        sides = swept[tips[0]] - swept[foot_a] - swept[tips[1]] + swept[foot_b]
        area = abs(sides + _cross(ends[[0, 2]], ends[[1, 3]]).sum()) / 2
        light = 0 < ink_a + ink_b <= _LIMB * len(graph.cell)
        if light and strand >= _OUT * gap and area <= _SLENDER * (strand + gap) ** 2:
            slender[index] = True
            feet.append((foot_a, foot_b))
    return slender, np.array(feet, np.intp).reshape(-1, 2)


def _foot(cell: int, number: int, above: Indices, ink: Indices, mark: Indices) -> tuple[int, int]:
    """Where the strand that only this number marks ends, going from a loop's far end to the body, and the strand's ink."""
    weight = 0
    while abs(mark[cell]) == number and above[cell] != cell:
        weight, cell = int(ink[cell]), int(above[cell])
    return cell, weight


def _paths(graph: Layout, held: Indices) -> tuple[Indices, Array]:
    """For each cell the next one on the shortest way to where the drawing is held (itself there), and the length of the way."""
    count = len(graph.cells)
    a, b = graph.bonds.T
    way = np.linalg.norm(graph.cells[a] - graph.cells[b], axis=1) + 1e-9
    weights = coo_array((way, (a, b)), shape=(count, count)).tocsr()
    distance, above, _ = dijkstra(weights, directed=False, indices=held, min_only=True, return_predecessors=True)
    return np.where(above < 0, np.arange(count), above), distance


def _bond_lengths(graph: Layout, above: Indices) -> Array:
    """The length of the bond from each cell to the next one on its way."""
    count = len(graph.cells)
    a, b = graph.bonds.T
    order = np.argsort(a * count + b)
    low, high = np.minimum(above, np.arange(count)), np.maximum(above, np.arange(count))
    at = np.searchsorted((a * count + b)[order], low * count + high)
    return np.where(low == high, 0.0, graph.bond_length[order][np.minimum(at, len(order) - 1)] if len(order) else 0.0)


def _summed(step: Array, above: Indices) -> Array:
    """The sum of the steps on the way from where the drawing is held to each cell, by doubling."""
    total, jump = np.where(above == np.arange(len(above)), 0.0, step), above
    while (jump != jump[jump]).any():
        total, jump = total + total[jump], jump[jump]
    return total


def _roots(above: Indices) -> Indices:
    while (above != above[above]).any():
        above = above[above]
    return above


def _cross(a: Array, b: Array) -> Array:
    cross: Array = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return cross
