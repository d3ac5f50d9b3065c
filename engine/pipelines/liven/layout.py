"""What hangs from what in a drawing: its strokes as one graph of touching places, and the limbs that hang free. Knows no time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, dijkstra, minimum_spanning_tree
from scipy.spatial import Delaunay, cKDTree

from ...strokes import Strokes
from .curves import Array, Curves, Indices, curves

TOUCH = 0.012
"""Strokes nearer than this part of the drawing's diagonal touch."""
_SPACING = 0.02
"""Places along a stroke are at most this part of the diagonal apart."""
_SMALL = 0.15
"""Groups of touching strokes smaller than this part of the diagonal are features (eyes, buttons), not limbs."""
_SHAPE = 0.008
"""Closed shapes with at least this part of the diagonal's square as area hold together; smaller and thinner ones bend like a line."""
_LIMB = 0.4
"""What hangs by one line and has at most this part of the ink is a limb; more is the body."""


@dataclass(frozen=True)
class Layout:
    """The graph of a drawing of m places."""

    size: float
    """Diagonal of the drawing in pixels."""
    curves: Curves
    """the places"""
    apart: Array
    """(m,) pixels along strokes to the nearest touch; infinite where there is none"""
    edges: Indices
    """(e, 2) places next to each other on a stroke, or touching"""
    links: Indices
    """(k, 2) places that hold groups of strokes to each other across a gap"""
    group: Indices
    """(m,) index of the group of touching strokes that a place is in"""
    extent: Array
    """(m,) diagonal in pixels of that group"""
    cell: Indices
    """(m,) index of the cell, a spot as wide as the touch, that a place is in"""
    cells: Array
    """(c, 2) middle of each cell"""
    bonds: Indices
    """(b, 2) cells next to each other along strokes, touches and links; they make one connected graph"""
    bond_length: Array
    """(b,) pixels that a bond adds to a limb: 0 in features and across gaps"""


@dataclass(frozen=True)
class Limbs:
    """Which cells hang free, and how."""

    hang: Array
    """(c,) pixels along the limb from where it leaves the body; 0 on the body"""
    lever: Array
    """(c, 2) pixels from where the limb leaves the body to the cell, or to the middle of the closed shape that the cell is on"""
    root: Indices
    """(c,) the cell where the limb leaves the body; itself on the body"""


def layout(strokes: Strokes) -> Layout:
    """Builds the graph of a drawing with at least one point."""
    points = strokes.points
    size = max(float(np.linalg.norm(np.ptp(points, axis=0))), float(np.nan_to_num(strokes.widths).max()), 1.0)
    on = curves(strokes, _SPACING * size)
    places = on.places
    touches = _touches(strokes, on, TOUCH * size)
    edges = np.concatenate([on.edges, touches])
    group = _components(edges, len(places))
    extent = _extents(places, group)
    cell, cells = _cells(places, 1.5 * TOUCH * size)
    bonds = _unique(cell[edges], len(cells))
    bonds = bonds[bonds[:, 0] != bonds[:, 1]]
    parts = _components(bonds, len(cells))
    gaps, spanning = _gaps(cells, parts)
    first = np.unique(cell, return_index=True)[1]
    feature = extent[first] < _SMALL * size
    bond_length = np.linalg.norm(cells[bonds[:, 0]] - cells[bonds[:, 1]], axis=1) * ~feature[bonds[:, 0]]
    return Layout(
        size=size,
        curves=on,
        apart=_apart(places, edges, touches),
        edges=edges,
        links=first[gaps],
        group=group,
        extent=extent,
        cell=cell,
        cells=cells,
        bonds=np.concatenate([bonds, gaps[spanning]]),
        bond_length=np.concatenate([bond_length, np.zeros(spanning.sum())]),
    )


def limbs(graph: Layout, held: Indices) -> Limbs:
    """The limbs of a drawing held at some of its cells.

    Every bond whose loss would part the drawing is a bridge; a limb is what hangs by a bridge and is light. Bridges are found on the
    shortest paths from where the drawing is held: each other bond closes a shape, and marks the paths to both its ends with numbers
    that cancel where they meet.
    """
    count = len(graph.cells)
    above, distance = _paths(graph, held)
    ends = graph.bonds[(above[graph.bonds[:, 0]] != graph.bonds[:, 1]) & (above[graph.bonds[:, 1]] != graph.bonds[:, 0])]
    swept = _summed_from_root(_cross(graph.cells[above], graph.cells), above)
    area = np.abs(swept[ends[:, 0]] - swept[ends[:, 1]] + _cross(graph.cells[ends[:, 0]], graph.cells[ends[:, 1]])) / 2
    closing = ends[area > _SHAPE * graph.size**2]
    marks = np.random.default_rng(0).integers(1, 2**40, len(closing))
    beyond = np.stack([np.bincount(graph.cell, minlength=count), np.zeros(count, np.int64)], axis=1)
    np.add.at(beyond[:, 1], closing[:, 0], marks)
    np.add.at(beyond[:, 1], closing[:, 1], -marks)
    for child in np.argsort(-distance, kind="stable"):
        if above[child] != child:
            beyond[above[child]] += beyond[child]
    bridge = (beyond[:, 1] == 0) & (above != np.arange(count))
    limb = bridge & (beyond[:, 0] <= _LIMB * len(graph.cell))
    limb |= _summed_from_root(limb.astype(np.float64), above) > 0
    hang = _summed_from_root(_bond_lengths(graph, above) * (limb & bridge), above)
    root = _roots(np.where(limb, above, np.arange(count)))
    shape = _components(np.stack([np.arange(count), np.where(bridge, np.arange(count), above)], axis=1), count)
    middle = np.stack([np.bincount(shape, graph.cells[:, axis])[shape] for axis in (0, 1)], axis=1) / np.bincount(shape)[shape][:, None]
    lever = np.where(limb[:, None], middle - graph.cells[root], 0.0)
    return Limbs(np.where(limb, hang, 0.0), lever, root)


def _touches(strokes: Strokes, on: Curves, reach: float) -> Indices:
    """Pairs of places where strokes touch each other or themselves; every end that touches, and one pair a spot elsewhere."""
    places, stroke, along, length = on.places, on.stroke, on.along, on.length
    filled = np.diff(strokes.offsets) > 0
    ends = np.unique(np.concatenate([strokes.offsets[:-1][filled], strokes.offsets[1:][filled] - 1]))
    spot = np.concatenate([np.floor(places / reach).astype(np.int64), stroke[:, None]], axis=1)
    spread = np.union1d(np.unique(spot, axis=0, return_index=True)[1], ends)
    pairs = [_near(places, ends, np.arange(len(places)), 16, reach), _near(places, spread, spread, 6, reach)]
    pair = np.concatenate(pairs)
    a, b = pair.T
    way = np.abs(along[a] - along[b])
    way = np.where(on.closed[stroke[a]], np.minimum(way, length[stroke[a]] - way), way)
    pair = pair[(stroke[a] != stroke[b]) | (way > 6 * reach)]
    return _unique(pair, len(places))


def _near(places: Array, queries: Indices, among: Indices, count: int, reach: float) -> Indices:
    _, found = cKDTree(places[among]).query(places[queries], k=np.arange(1, count + 1), distance_upper_bound=reach)
    row, column = np.nonzero(found < len(among))
    first, second = queries[row], among[found[row, column]]
    other = first != second
    return np.stack([first[other], second[other]], axis=1)


def _apart(places: Array, edges: Indices, touches: Indices) -> Array:
    count = len(places)
    if not len(touches):
        return np.full(count, np.inf)
    way = np.linalg.norm(places[edges[:, 0]] - places[edges[:, 1]], axis=1) + 1e-9
    graph = coo_array((way, (edges[:, 0], edges[:, 1])), shape=(count, count)).tocsr()
    apart: Array = dijkstra(graph, directed=False, indices=np.unique(touches), min_only=True)
    return apart


def _cells(places: Array, width: float) -> tuple[Indices, Array]:
    _, cell = np.unique(np.floor((places - places.min(axis=0)) / width).astype(np.int64), axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    middle = np.stack([np.bincount(cell, places[:, axis]) for axis in (0, 1)], axis=1) / np.bincount(cell)[:, None]
    return cell, middle


def _gaps(cells: Array, parts: Indices) -> tuple[Indices, NDArray[np.bool_]]:
    """Pairs of cells that hold parts which nowhere touch to their neighbours, and which of them are just enough to hold all."""
    count = int(parts.max()) + 1
    if count == 1:
        return np.zeros((0, 2), np.intp), np.zeros(0, np.bool_)
    triangles = Delaunay(cells, qhull_options="QJ Pp").simplices if len(cells) > 3 else np.array([[*range(len(cells)), 0][:3]])
    pairs = _unique(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [0, 2]]]), len(cells))
    pairs = pairs[parts[pairs[:, 0]] != parts[pairs[:, 1]]]
    pairs = pairs[np.argsort(np.linalg.norm(cells[pairs[:, 0]] - cells[pairs[:, 1]], axis=1), kind="stable")]
    between = np.sort(parts[pairs], axis=1)
    _, shortest = np.unique(between[:, 0] * count + between[:, 1], return_index=True)
    # The rank of a gap stands for its length: minimum_spanning_tree takes a weight of 0 for no edge.
    tree = minimum_spanning_tree(coo_array((shortest + 1.0, tuple(between[shortest].T)), shape=(count, count)))
    spanning = np.zeros(len(pairs), np.bool_)
    spanning[tree.data.astype(np.intp) - 1] = True
    used = np.zeros(count, np.intp)
    for row, (a, b) in enumerate(between):
        if spanning[row] or min(used[a], used[b]) < 3:
            used[[a, b]] += 1
        else:
            pairs[row] = -1
    kept = pairs[:, 0] >= 0
    return pairs[kept], spanning[kept]


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


def _summed_from_root(step: Array, above: Indices) -> Array:
    """The sum of the steps on the way from where the drawing is held to each cell, by doubling."""
    total, jump = np.where(above == np.arange(len(above)), 0.0, step), above
    while (jump != jump[jump]).any():
        total, jump = total + total[jump], jump[jump]
    return total


def _roots(above: Indices) -> Indices:
    while (above != above[above]).any():
        above = above[above]
    return above


def _components(edges: Indices, count: int) -> Indices:
    label: Indices = connected_components(
        coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count)), directed=False
    )[1]
    return label


def _extents(places: Array, group: Indices) -> Array:
    count = int(group.max()) + 1
    low, high = np.full((count, 2), np.inf), np.full((count, 2), -np.inf)
    np.minimum.at(low, group, places)
    np.maximum.at(high, group, places)
    extent: Array = np.linalg.norm(high - low, axis=1)[group]
    return extent


def _cross(a: Array, b: Array) -> Array:
    cross: Array = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return cross


def _unique(pairs: Indices, count: int) -> Indices:
    """Each pair once, the smaller index first."""
    low, high = np.divmod(np.unique(pairs.min(axis=1) * np.int64(count) + pairs.max(axis=1)), count)
    return np.stack([low, high], axis=1)
