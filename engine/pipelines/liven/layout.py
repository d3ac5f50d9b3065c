"""A drawing as one graph: places on its strokes, joined along them, where they touch, and across gaps. Knows no motion."""

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
_MEET = 0.05
"""An end that points at another stroke within this part of the diagonal is meant to meet it."""
_SPACING = 0.02
"""Places along a stroke are at most this part of the diagonal apart."""
_SMALL = 0.15
"""Groups of touching strokes smaller than this part of the diagonal are features (eyes, buttons), not limbs."""


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
    """(e, 2) places next to each other on a stroke, touching, or meant to"""
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


def layout(strokes: Strokes) -> Layout:
    """Builds the graph of a drawing with at least one point."""
    points = strokes.points
    size = max(float(np.linalg.norm(np.ptp(points, axis=0))), float(np.nan_to_num(strokes.widths).max()), 1.0)
    on = curves(strokes, _SPACING * size)
    places = on.places
    touches = _touches(strokes, on, TOUCH * size)
    joined = np.concatenate([on.edges, touches])
    group = components(joined, len(places))
    extent = _extents(places, group)
    edges = np.concatenate([joined, _meetings(strokes, on, touches, extent >= _SMALL * size, _MEET * size)])
    cell, cells = _cells(places, 1.5 * TOUCH * size)
    bonds = _unique(cell[edges], len(cells))
    bonds = bonds[bonds[:, 0] != bonds[:, 1]]
    parts = components(bonds, len(cells))
    gaps, spanning = _gaps(cells, parts)
    first = np.unique(cell, return_index=True)[1]
    feature = extent[first] < _SMALL * size
    bond_length = np.linalg.norm(cells[bonds[:, 0]] - cells[bonds[:, 1]], axis=1) * ~feature[bonds[:, 0]]
    return Layout(
        size=size,
        curves=on,
        apart=_apart(places, joined, touches),
        edges=edges,
        links=first[gaps],
        group=group,
        extent=extent,
        cell=cell,
        cells=cells,
        bonds=np.concatenate([bonds, gaps[spanning]]),
        bond_length=np.concatenate([bond_length, np.zeros(spanning.sum())]),
    )


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


def _meetings(strokes: Strokes, on: Curves, touches: Indices, large: NDArray[np.bool_], reach: float) -> Indices:
    """Pairs of an end that touches nothing and the nearest place of another stroke that it points at; not for small features."""
    count = np.diff(strokes.offsets)
    several = np.flatnonzero((count > 1) & ~strokes.cyclic)
    first, last = strokes.offsets[:-1][several], strokes.offsets[1:][several] - 1
    inward = np.minimum(3, count[several] - 1)
    ends, before = np.concatenate([first, last]), np.concatenate([first + inward, last - inward])
    loose = large[ends] & ~np.isin(ends, touches)
    ends, before = ends[loose], before[loose]
    heading = dict(zip(ends.tolist(), on.places[ends] - on.places[before], strict=True))
    found: dict[int, int] = {}
    for end, other in _near(on.places, ends, np.arange(len(on.places)), 32, reach).tolist():
        way = on.places[other] - on.places[end]
        ahead = way @ heading[end] > 0.5 * np.linalg.norm(way) * np.linalg.norm(heading[end])
        if ahead and large[other] and on.stroke[other] != on.stroke[end]:
            found.setdefault(end, other)
    return np.array(list(found.items()), np.intp).reshape(-1, 2)


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


def components(edges: Indices, count: int) -> Indices:
    """The number of the connected group that each of `count` nodes is in."""
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


def _unique(pairs: Indices, count: int) -> Indices:
    """Each pair once, the smaller index first."""
    low, high = np.divmod(np.unique(pairs.min(axis=1) * np.int64(count) + pairs.max(axis=1)), count)
    return np.stack([low, high], axis=1)
