"""A graph of centre lines to the strokes that a hand would have drawn: at a meeting those lines go on in each other that bend the least.

Knows no other frame: where the strokes are known, identity.py cuts the graph as they are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .centrelines import SPACING, CentreLines

Array = NDArray[np.float64]

_BEND = np.deg2rad(75)
"""The most that a line bends where it goes on over a meeting of lines."""
_ALONG = np.deg2rad(50)
"""The same where two strokes run together for a while and part again."""
_UNLIKE = 0.35
"""Radians of bend that lines count as more where one is e times as wide as the other."""
_TOGETHER = 12.0
"""Widths for which two strokes may run together and still be told apart."""


@dataclass(frozen=True)
class Path:
    """One stroke's centre line before it is fitted."""

    points: Array
    """(k, 2)"""
    widths: Array
    """(k,)"""
    level: float
    closed: bool


@dataclass(frozen=True)
class _Tip:
    """An end of a line where it can be measured last before a node."""

    at: int
    """How many points of the line lie beyond, towards the node."""
    place: Array
    heading: Array
    """Away from the node."""
    width: float


def joined(lines: CentreLines) -> list[Path]:
    """The strokes of a graph."""
    meeting, bridge = _meetings(lines)
    tips = [[_tip(lines, e, side) for side in (0, 1)] for e in range(len(lines.ends))]
    partner = _partners(lines, tips, meeting, bridge)
    doubled = _run_together(lines, tips, meeting, bridge, partner)
    return [_path(lines, tips, chain, closed, doubled) for chain, closed in _chains(lines, bridge, partner)]


def _meetings(lines: CentreLines) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """(n,) the meeting that a node is part of, and (e,) whether a line is but the ink where two nodes of one meeting overlap."""
    length = np.bincount(lines.line, minlength=len(lines.ends)) * SPACING
    start, end = lines.ends.T
    met = lines.degree > 2
    bridge = (start >= 0) & (start != end)
    bridge[bridge] = met[start[bridge]] & met[end[bridge]]
    bridge[bridge] = length[bridge] < lines.reach[start[bridge]] + lines.reach[end[bridge]] + 1
    n = len(lines.nodes)
    pairs = coo_array((np.ones(int(bridge.sum())), lines.ends[bridge].T), shape=(n, n))
    return connected_components(pairs, directed=False)[1], bridge


def _tip(lines: CentreLines, e: int, side: int) -> _Tip:
    first, end = int(lines.offsets[e]), int(lines.offsets[e + 1])
    order = slice(first, end) if side == 0 else slice(end - 1, first - 1 if first else None, -1)
    points, widths, sure = lines.points[order], lines.widths[order], np.flatnonzero(lines.sure[order])
    at = int(sure[0]) if len(sure) else (len(points) - 1) // 2
    far = min(at + max(int(2 * widths[at] / SPACING), int(6 / SPACING)), len(points) - 1)
    way = points[far] - points[at] if far > at else points[-1] - points[0]
    if len(points) > 1 and far - at > 8:
        # a line that curves is better told by its first half
        half = points[(at + far) // 2] - points[at]
        way = 2 * half / max(float(np.linalg.norm(half)), 1e-9) - way / max(float(np.linalg.norm(way)), 1e-9)
    return _Tip(at, points[at], way / max(float(np.linalg.norm(way)), 1e-9), float(np.median(widths[at : far + 1])))


def _angle(one: Array, other: Array) -> float:
    cross = one[0] * other[1] - one[1] * other[0]
    return float(abs(np.arctan2(cross, one @ other)))


def _bend(one: _Tip, other: _Tip) -> float:
    """How much a line bends that goes from one tip to the other, in radians."""
    way = other.place - one.place
    gap = float(np.linalg.norm(way))
    direct = _angle(-one.heading, other.heading)
    if gap < 0.25 * (one.width + other.width) + 1:
        bend = direct
    else:
        bend = max(direct, 0.7 * (_angle(-one.heading, way) + _angle(way, other.heading)))
    return bend + _UNLIKE * abs(np.log(max(one.width, 0.5) / max(other.width, 0.5)))


Ends = tuple[int, int]
"""A line and its side, 0 or 1."""


def _partners(lines: CentreLines, tips: list[list[_Tip]], meeting: NDArray[np.intp], bridge: NDArray[np.bool_]) -> dict[Ends, Ends]:
    """The ends that go on in each other."""
    at: dict[int, list[Ends]] = {}
    for e, (start, end) in enumerate(lines.ends.tolist()):
        if start >= 0 and not bridge[e]:
            at.setdefault(int(meeting[start]), []).append((e, 0))
            at.setdefault(int(meeting[end]), []).append((e, 1))
    partner: dict[Ends, Ends] = {}
    for met in at.values():
        limit = np.inf if len(met) == 2 else _BEND
        pairs = [
            (_bend(tips[a[0]][a[1]], tips[b[0]][b[1]]), a, b)
            for i, a in enumerate(met)
            for b in met[i + 1 :]
            if a[0] != b[0] or len(met) == 2
        ]
        for bend, a, b in sorted(pairs):
            if bend < limit and a not in partner and b not in partner:
                partner[a], partner[b] = b, a
    return partner


def _run_together(
    lines: CentreLines, tips: list[list[_Tip]], meeting: NDArray[np.intp], bridge: NDArray[np.bool_], partner: dict[Ends, Ends]
) -> dict[frozenset[Ends], int]:
    """Joins loose ends over a line that another stroke goes along, where two strokes run together: the line by the pair of ends."""
    loose: dict[int, list[Ends]] = {}
    for e, (start, end) in enumerate(lines.ends.tolist()):
        for side, node in ((0, start), (1, end)):
            if node >= 0 and lines.degree[node] > 1 and (e, side) not in partner and not bridge[e]:
                loose.setdefault(int(meeting[node]), []).append((e, side))
    doubled: dict[frozenset[Ends], int] = {}
    for e, (start, end) in enumerate(lines.ends.tolist()):
        if start < 0 or bridge[e] or meeting[start] == meeting[end] or not ((e, 0) in partner and (e, 1) in partner):
            continue
        first, last = tips[e]
        length = (lines.offsets[e + 1] - lines.offsets[e]) * SPACING
        if length > _TOGETHER * first.width:
            continue
        pairs = [
            (tips[a[0]][a[1]], tips[b[0]][b[1]], a, b)
            for a in loose.get(int(meeting[start]), [])
            for b in loose.get(int(meeting[end]), [])
            if a != b and a not in partner and b not in partner
        ]
        bends = [(_angle(-one.heading, first.heading) + _angle(-last.heading, other.heading), a, b) for one, other, a, b in pairs]
        bend, a, b = min(bends, default=(np.pi, (0, 0), (0, 0)))
        if bend > _ALONG:
            continue
        before, after = partner[e, 0], partner[e, 1]
        ends = {name: tips[name[0]][name[1]] for name in (a, b, before, after)}
        straight = _bend(ends[before], ends[after]) + _bend(ends[a], ends[b])
        if _bend(ends[before], ends[b]) + _bend(ends[a], ends[after]) < straight:
            partner[e, 1], partner[b] = b, (e, 1)
            del partner[after]
            b = after
        partner[a], partner[b] = b, a
        doubled[frozenset((a, b))] = e
    return doubled


def _chains(lines: CentreLines, bridge: NDArray[np.bool_], partner: dict[Ends, Ends]) -> list[tuple[list[Ends], bool]]:
    """Lines that go on in each other, each by the side that it is entered at, and whether the last goes on in the first."""
    seen: set[int] = set()
    chains = []
    ends = [(e, side) for e in range(len(lines.ends)) for side in (0, 1)]
    for closed in (False, True):
        for e, side in ends:
            if e in seen or bridge[e] or (not closed and (lines.ends[e, 0] < 0 or (e, side) in partner)):
                continue
            chain: list[Ends] = []
            at: Ends | None = (e, side)
            while at is not None and at[0] not in seen:
                seen.add(at[0])
                chain.append(at)
                at = partner.get((at[0], 1 - at[1]))
            chains.append((chain, closed and (at == chain[0] or lines.ends[e, 0] < 0)))
    return chains


def _path(lines: CentreLines, tips: list[list[_Tip]], chain: list[Ends], closed: bool, doubled: dict[frozenset[Ends], int]) -> Path:
    """The points of a chain: those of its lines that were measured, and curves over the meetings between."""
    parts: list[tuple[Array, Array]] = []
    levels = []
    last = len(chain) - 1
    alone = lines.ends[chain[0][0], 0] < 0
    for i, (e, side) in enumerate(chain):
        rows = np.arange(lines.offsets[e], lines.offsets[e + 1])
        rows = rows if side == 0 else rows[::-1]
        into, out = tips[e][side], tips[e][1 - side]
        begin = 0 if alone or (i == 0 and not closed and _is_free(lines, e, side)) else into.at
        stop = len(rows) if alone or (i == last and not closed and _is_free(lines, e, 1 - side)) else len(rows) - out.at
        rows = rows[begin : max(stop, begin + 1)]
        levels.append(lines.level[rows])
        points, widths = lines.points[rows], lines.widths[rows]
        if i == 0 and begin and not closed:
            points, widths = _up_to_node(lines, e, side, into, points, widths)
        if i == last and stop < lines.offsets[e + 1] - lines.offsets[e] and not closed:
            points, widths = (a[::-1] for a in _up_to_node(lines, e, 1 - side, out, points[::-1], widths[::-1]))
        parts.append((points, widths))
        if (i < last or closed) and not alone:
            following = chain[(i + 1) % len(chain)]
            over = doubled.get(frozenset(((e, 1 - side), following)))
            parts += _over(lines, out, tips[following[0]][following[1]], over)
    points, widths = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Path(points, widths, float(np.median(np.concatenate(levels))), closed)


def _is_free(lines: CentreLines, e: int, side: int) -> bool:
    return bool(lines.degree[lines.ends[e, side]] == 1)


def _up_to_node(lines: CentreLines, e: int, side: int, tip: _Tip, points: Array, widths: Array) -> tuple[Array, Array]:
    """A line that ends on another one, led straight on to where it meets it; `points` begin at the tip."""
    gap = float((lines.nodes[lines.ends[e, side]] - tip.place) @ -tip.heading)
    if gap < SPACING:
        return points, widths
    more = tip.place - tip.heading * np.arange(gap, SPACING / 2, -SPACING)[:, None]
    return np.concatenate([more, points]), np.concatenate([np.full(len(more), tip.width), widths])


def _over(lines: CentreLines, one: _Tip, other: _Tip, line: int | None) -> list[tuple[Array, Array]]:
    """The way from tip to tip over a meeting, along a line in it if there is one."""
    if line is None:
        return [_curve(one.place, -one.heading, other.place, other.heading, one.width, other.width)]
    rows = np.arange(lines.offsets[line], lines.offsets[line + 1])
    if np.linalg.norm(lines.points[rows[0]] - one.place) > np.linalg.norm(lines.points[rows[-1]] - one.place):
        rows = rows[::-1]
    third = len(rows) // 4
    rows = rows[third : max(len(rows) - third, third + 1)]
    points = lines.points[rows]
    way = points[-1] - points[0] if len(points) > 1 else other.place - one.place
    way = way / max(float(np.linalg.norm(way)), 1e-9)
    width = np.linspace(one.width, other.width, len(points))
    return [
        _curve(one.place, -one.heading, points[0], way, one.width, one.width),
        (points, width),
        _curve(points[-1], way, other.place, other.heading, other.width, other.width),
    ]


def _curve(start: Array, heading: Array, end: Array, leaving: Array, width: float, last: float) -> tuple[Array, Array]:
    """The inner points of a Hermite curve."""
    gap = float(np.linalg.norm(end - start))
    count = int(gap / SPACING)
    t = (np.arange(1, count + 1) / (count + 1))[:, None]
    b = (t - 1) ** 2
    points = (1 + 2 * t) * b * start + t * b * gap * heading + t * t * (3 - 2 * t) * end + t * t * (t - 1) * gap * leaving
    return points, np.linspace(width, last, count + 2)[1:-1]
