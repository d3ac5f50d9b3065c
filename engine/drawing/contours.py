"""Regions to outlines: where two regions meet both have the very same points, so that nothing shows between them. Knows no colour.

The outline of a region runs along the cracks between its pixels and others'. It goes through the middle of each crack, as marching squares
do, is smoothed and thinned, each stretch between two corners where three regions meet alike from both its sides.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .regions import Labels

TOLERANCE = 0.5
"""Pixels that a thinned outline may be off."""
_ROUNDS = 3
"""How often each point is drawn towards its two neighbours: as much as the steps of pixels ask for."""

_DOWN = np.array([0, 1, 0, -1])
_ACROSS = np.array([1, 0, -1, 0])
"""Steps of the four headings: right, down, left, up."""

Array = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Outlines:
    """l closed outlines of p points in all; the outer ones run clockwise, the holes counter-clockwise."""

    points: Array
    """(p, 2) pixels, (0, 0) the outer corner of the top left one"""
    offsets: Ints
    """(l + 1,)"""
    region: Ints
    """(l,) whose outline it is."""
    area: Ints
    """(l,) pixels inside it; negative for a hole."""

    def of(self, outline: int) -> Array:
        """The points (k, 2) of one outline."""
        return self.points[self.offsets[outline] : self.offsets[outline + 1]]


@dataclass(frozen=True)
class _Edges:
    """e ways along one side of one pixel each, the region on the right, sorted by where they start and by their heading."""

    tail: Ints
    """(e,) corner that it leaves; corner (y, x) is y * width + x"""
    heading: Ints
    """(e,) 0 right, 1 down, 2 left, 3 up"""
    right: Ints
    """(e,) the region whose outline it belongs to"""
    left: Ints
    """(e,) what lies beyond; -1 for nothing"""
    width: int
    """Corners a row."""

    def only(self, which: Ints) -> "_Edges":
        """Some of the edges, in that order."""
        return _Edges(self.tail[which], self.heading[which], self.right[which], self.left[which], self.width)

    @property
    def head(self) -> Ints:
        """(e,) the corner it leads to"""
        return self.tail + _DOWN[self.heading] * self.width + _ACROSS[self.heading]

    @property
    def start(self) -> Array:
        """(e, 2) x and y of where it leaves"""
        return np.stack([self.tail % self.width, self.tail // self.width], 1).astype(np.float64)

    @property
    def middle(self) -> Array:
        """(e, 2)"""
        return self.start + np.stack([_ACROSS[self.heading], _DOWN[self.heading]], 1) / 2


def outlines(labels: Labels, tolerance: float = TOLERANCE) -> Outlines:
    """The outlines of regions, each of which hangs together by its pixels' sides (n of them, all numbers from 0 on used)."""
    edges = _edges(labels)
    after = _next(edges, labels)
    loop = sparse.csgraph.connected_components(sparse.coo_array((np.ones(len(after), np.int8), (np.arange(len(after)), after))), True)[1]
    is_node = _nodes(edges, loop)
    order = _in_order(loop, after, is_node[edges.tail], edges.tail)
    edges = edges.only(order)
    loop, at_node = loop[order], is_node[edges.tail]
    middle = _smoothed(edges, at_node)
    keep = _kept(edges, middle, at_node, tolerance)
    # of each edge its start, where that is a corner of three regions, and its middle, where that stays
    points = np.stack([edges.start, middle], 1)[np.stack([at_node, keep], 1)]
    heads = np.flatnonzero(np.diff(loop, prepend=-1))
    counts = np.add.reduceat(at_node.astype(np.intp) + keep, heads)
    turn = (edges.tail % edges.width) * _DOWN[edges.heading]
    return Outlines(points, np.append(0, np.cumsum(counts)), edges.right[heads], np.add.reduceat(turn, heads))


def _around(labels: Labels) -> NDArray[np.int32]:
    return np.pad(labels, 1, constant_values=-1)


def _edges(labels: Labels) -> _Edges:
    """All sides of pixels beyond which there is another region, or none."""
    pixels = _around(labels)
    width = labels.shape[1] + 1
    parts = []
    rows, columns = np.nonzero(pixels[1:, 1:-1] != pixels[:-1, 1:-1])
    above, below, corner = pixels[rows, columns + 1], pixels[rows + 1, columns + 1], rows * width + columns
    parts += [(corner, 0, below, above), (corner + 1, 2, above, below)]
    rows, columns = np.nonzero(pixels[1:-1, 1:] != pixels[1:-1, :-1])
    before, behind, corner = pixels[rows + 1, columns], pixels[rows + 1, columns + 1], rows * width + columns
    parts += [(corner, 1, before, behind), (corner + width, 3, behind, before)]
    tail, right, left = (np.concatenate([part[i] for part in parts]).astype(np.intp) for i in (0, 2, 3))
    heading = np.repeat([part[1] for part in parts], [len(part[0]) for part in parts])
    order = np.argsort(tail * 4 + heading)
    return _Edges(tail, heading, right, left, width).only(order[right[order] >= 0])


def _next(edges: _Edges, labels: Labels) -> Ints:
    """(e,) the edge that goes on from each: as far to the right as the region goes, so that pixels that meet in a corner alone are parted."""
    pixels = _around(labels)
    y, x = np.divmod(edges.head, edges.width)
    square = np.stack([pixels[y, x + 1], pixels[y + 1, x + 1], pixels[y + 1, x], pixels[y, x]])  # clockwise from the upper right
    each = np.arange(len(edges.tail))
    ahead_left, ahead_right = square[edges.heading, each], square[(edges.heading + 1) % 4, each]
    turn = np.where(ahead_right != edges.right, 1, np.where(ahead_left != edges.right, 0, -1))
    return np.searchsorted(edges.tail * 4 + edges.heading, edges.head * 4 + (edges.heading + turn) % 4)


def _nodes(edges: _Edges, loop: Ints) -> NDArray[np.bool_]:
    """Which corners stay: the frame's, those where more than two regions meet, and one of each outline that has none, the same from both
    sides."""
    single = (edges.left < 0) | (edges.right < edges.left)  # each crack once
    corners = int(edges.head.max()) + 1
    degree = np.bincount(np.concatenate([edges.tail[single], edges.head[single]]), minlength=corners)
    is_node = degree > 2
    is_node[[0, edges.width - 1, corners - edges.width, corners - 1]] = True
    lowest = np.full(int(loop.max()) + 1, corners)
    np.minimum.at(lowest, loop, edges.tail)
    has_node = np.bincount(loop, is_node[edges.tail]) > 0
    is_node[lowest[~has_node]] = True
    return is_node


def _in_order(loop: Ints, after: Ints, at_node: NDArray[np.bool_], tail: Ints) -> Ints:
    """The edges outline by outline, each from one of its nodes on, by doubling the step along them until all are counted."""
    first = np.full(int(loop.max()) + 1, len(loop))
    nodes = np.flatnonzero(at_node)
    np.minimum.at(first, loop[nodes], nodes)
    before = np.empty(len(after), np.intp)
    before[after] = np.arange(len(after))
    before[first] = first
    rank = (before != np.arange(len(before))).astype(np.intp)
    while True:
        further = rank + rank[before]
        if np.array_equal(further, rank):
            return np.lexsort((rank, loop))
        rank, before = further, before[before]


def _smoothed(edges: _Edges, at_node: NDArray[np.bool_]) -> Array:
    """The middles (e, 2), led towards the points before and behind them; the sums are exact, and so the same from both sides."""
    middle, ends = edges.middle, np.append(at_node[1:], True)
    start, end = edges.start[at_node], _corner(edges.head[ends], edges.width)
    for _ in range(_ROUNDS):
        before, behind = np.roll(middle, 1, 0), np.roll(middle, -1, 0)
        before[at_node], behind[ends] = start, end
        middle = (before + 2 * middle + behind) / 4
    return middle


def _kept(edges: _Edges, middle: Array, at_node: NDArray[np.bool_], tolerance: float) -> NDArray[np.bool_]:
    """(e,) of which edges the middle stays: thinned from one side of each stretch, and told to the other."""
    stretch = np.cumsum(at_node) - 1
    one = edges.right > edges.left
    rows = np.flatnonzero(one)
    starts = np.flatnonzero(at_node & one)
    ends = np.append(np.flatnonzero(at_node)[1:], len(at_node))[stretch[starts]] - 1
    lengths = ends - starts + 1
    offsets = np.append(0, np.cumsum(lengths + 2))
    points = np.empty((offsets[-1], 2))
    points[offsets[:-1]], points[offsets[1:] - 1] = edges.start[starts], _corner(edges.head[ends], edges.width)
    inner = np.ones(offsets[-1], bool)
    inner[offsets[:-1]] = inner[offsets[1:] - 1] = False
    points[inner] = middle[rows]
    stays = rows[thinned(points, offsets, tolerance)[inner]]
    # a crack is known by its lower end and whether it leads down, from either side
    crack = np.minimum(edges.tail, edges.head) * 2 + edges.heading % 2
    return np.isin(crack, crack[stays])


def _corner(corner: Ints, width: int) -> Array:
    return np.stack([corner % width, corner // width], 1).astype(np.float64)


def thinned(points: Array, offsets: Ints, tolerance: float) -> NDArray[np.bool_]:
    """Which points (k,) of polylines stay so that none that goes is farther than `tolerance` from what is left; both ends stay.

    Douglas and Peucker, Algorithms for the Reduction of the Number of Points (1973), all stretches of all lines at once.
    """
    kept = np.zeros(len(points), bool)
    kept[offsets[:-1]] = kept[offsets[1:] - 1] = True
    todo = np.flatnonzero(~kept)
    while len(todo):
        stays = np.flatnonzero(kept)
        before = np.searchsorted(stays, todo) - 1
        off = _from_chord(points[todo], points[stays[before]], points[stays[before + 1]])
        heads = np.flatnonzero(np.diff(before, prepend=-1))
        part = np.repeat(np.arange(len(heads)), np.diff(np.append(heads, len(todo))))
        most = np.maximum.reduceat(off, heads)
        farthest = np.flatnonzero(off == most[part])
        farthest = farthest[np.diff(part[farthest], prepend=-1) > 0]
        kept[todo[farthest[most > tolerance]]] = True
        todo = todo[(most > tolerance)[part]]
        todo = todo[~kept[todo]]
    return kept


def _from_chord(points: Array, start: Array, end: Array) -> Array:
    """(k,) how far each point lies from the line between two others."""
    way, to = end - start, points - start
    along = np.einsum("ij,ij->i", to, way) / np.maximum(np.einsum("ij,ij->i", way, way), 1e-12)
    return np.linalg.norm(to - way * along.clip(0, 1)[:, None], axis=1)
