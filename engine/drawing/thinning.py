"""A skeleton of pixels to a graph of lines: nodes where lines end or meet, spurs pruned by what of the ink they alone explain."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Array = NDArray[np.float64]

_STICKS_OUT = 1.0
"""Pixels of the ink by which a spur must stand out of the ink around its foot to be a line."""
_BLOB = 0.45
"""The same, as a share of the ink's radius around its foot."""


@dataclass(frozen=True)
class Edge:
    """A line between two nodes, the nodes' places included; closed and without a node where start and end are -1."""

    start: int
    end: int
    points: Array
    """(k, 2)"""
    radius: Array
    """(k,) of the ink around"""

    @property
    def length(self) -> float:
        return float(np.linalg.norm(np.diff(self.points, axis=0), axis=1).sum())

    def turned(self) -> "Edge":
        return Edge(self.end, self.start, self.points[::-1], self.radius[::-1])


def graph_of(skeleton: NDArray[np.bool_], points: Array, radius: Array) -> tuple[list[Edge], Array, Array]:
    """The edges, nodes (n, 2) and the nodes' radii (n,) of a skeleton whose pixels, in reading order, are `points` with `radius`."""
    links = _links(skeleton)
    ends = np.array([len(near) for near in links])
    junction = ends > 2
    pairs = np.array([(i, j) for i in np.flatnonzero(junction).tolist() for j in links[i] if junction[j]], np.intp).reshape(-1, 2)
    cluster = connected_components(coo_array((np.ones(len(pairs)), pairs.T), shape=(len(ends),) * 2), directed=False)[1]
    names: dict[int, int] = {}
    node = np.full(len(ends), -1)
    for i in np.flatnonzero(ends != 2).tolist():
        node[i] = names.setdefault(int(cluster[i]), len(names))
    member = node >= 0
    count = np.maximum(np.bincount(node[member], minlength=len(names)), 1)
    nodes = np.stack([np.bincount(node[member], points[member, axis], len(names)) / count for axis in (0, 1)], axis=1)
    reach = np.zeros(len(names))
    np.maximum.at(reach, node[member], radius[member])
    edges = [_edge_of(chain, node, points, radius, nodes, reach) for chain in _chains(links, node)]
    return edges, nodes, reach


def _links(skeleton: NDArray[np.bool_]) -> list[list[int]]:
    """The neighbours of each pixel; a diagonal one only where no other pixel lies between."""
    padded = np.pad(skeleton, 1)
    index = np.full(padded.shape, -1, np.intp)
    index[padded] = np.arange(int(padded.sum()))
    flat, at, w = index.ravel(), np.flatnonzero(padded.ravel()), padded.shape[1]
    near = []
    for step in (-w, -1, 1, w):
        near.append(flat[at + step])
    for down, right in ((-w, -1), (-w, 1), (w, -1), (w, 1)):
        bare = (flat[at + down] < 0) & (flat[at + right] < 0)
        near.append(np.where(bare, flat[at + down + right], -1))
    return [[j for j in row if j >= 0] for row in np.stack(near, axis=1).tolist()]


def _chains(links: list[list[int]], node: NDArray[np.intp]) -> list[list[int]]:
    """Runs of pixels from node to node, both included, then closed runs, whose first pixel is their last."""
    at, chains = node.tolist(), []
    seen: set[int] = set()
    starts = [i for i, name in enumerate(at) if name >= 0]
    for start in starts:
        if not links[start]:
            chains.append([start])
        for second in links[start]:
            if at[second] >= 0:
                if at[second] != at[start] and start < second:
                    chains.append([start, second])
                continue
            if second in seen:
                continue
            chains.append(_followed(links, at, start, second, seen))
    for start, name in enumerate(at):
        if name < 0 and start not in seen:
            seen.add(start)
            chains.append(_followed(links, at, start, links[start][0], seen))
    return chains


def _followed(links: list[list[int]], at: list[int], start: int, second: int, seen: set[int]) -> list[int]:
    chain = [start, second]
    while at[chain[-1]] < 0 and chain[-1] != start:
        seen.add(chain[-1])
        one, other = links[chain[-1]]
        chain.append(other if one == chain[-2] else one)
    return chain


def _edge_of(chain: list[int], node: NDArray[np.intp], points: Array, radius: Array, nodes: Array, reach: Array) -> Edge:
    path, around = points[chain], radius[chain]
    start, end = int(node[chain[0]]), int(node[chain[-1]])
    if start >= 0:
        path, around = (
            np.concatenate([nodes[[start]], path[1:-1], nodes[[end]]]),
            np.concatenate([reach[[start]], around[1:-1], reach[[end]]]),
        )
    return Edge(start, end, path, around)


def pruned(edges: list[Edge], nodes: Array, reach: Array) -> tuple[list[Edge], Array, Array]:
    """The graph without spurs, edges that went through them joined, nodes numbered anew."""
    alive = dict(enumerate(edges))
    at: dict[int, list[int]] = {}
    for name, edge in alive.items():
        for node in (edge.start, edge.end):
            at.setdefault(node, []).append(name)
    at.pop(-1, None)
    while (spur := _least(alive, at, reach)) is not None:
        foot = alive[spur].end if len(at[alive[spur].start]) == 1 else alive[spur].start
        _remove(alive, at, spur)
        if len(at[foot]) == 2:
            _join(alive, at, foot)
    used = sorted({node for edge in alive.values() for node in (edge.start, edge.end)} - {-1})
    new = {node: i for i, node in enumerate(used)} | {-1: -1}
    return [Edge(new[e.start], new[e.end], e.points, e.radius) for e in alive.values()], nodes[used], reach[used]


def _least(alive: dict[int, Edge], at: dict[int, list[int]], reach: Array) -> int | None:
    """The spur that stands out the least, if it stands out too little."""
    best, least = None, 0.0
    for name, edge in alive.items():
        if edge.start < 0 or edge.start == edge.end:
            continue
        free = [len(at[edge.start]) == 1, len(at[edge.end]) == 1]
        if sum(free) != 1:
            continue
        foot, tip = (edge.end, edge.radius[0]) if free[0] else (edge.start, edge.radius[-1])
        out = edge.length + float(tip) - float(reach[foot])
        spare = out - max(_STICKS_OUT, _BLOB * float(reach[foot]))
        if spare < least:
            best, least = name, spare
    return best


def _remove(alive: dict[int, Edge], at: dict[int, list[int]], name: int) -> None:
    edge = alive.pop(name)
    at[edge.start].remove(name)
    at[edge.end].remove(name)


def _join(alive: dict[int, Edge], at: dict[int, list[int]], node: int) -> None:
    """Makes the two ends at a node one line."""
    one, other = at[node]
    if one == other:
        loop = alive[one]
        alive[one] = Edge(-1, -1, loop.points, loop.radius)
        at[node] = []
        return
    first, second = alive[one], alive[other]
    first = first if first.end == node else first.turned()
    second = second if second.start == node else second.turned()
    points, radius = np.concatenate([first.points, second.points[1:]]), np.concatenate([first.radius, second.radius[1:]])
    _remove(alive, at, other)
    alive[one] = Edge(first.start, second.end, points, radius)
    at[second.end].append(one)
    at[node] = []
