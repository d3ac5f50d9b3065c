"""Where known strokes are in a new frame's centre lines: the drawing is bent onto the ink as a whole, then each stroke finds its way.

The way is the one of least cost along the lines (a hidden Markov model, as positions are matched to roads: Newson and Krumm, 2009), with the
stroke's own shape as what is likely: at a crossing it goes on as it did, whatever else meets there. Knows no picture.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from .bending import bent
from .centrelines import SPACING, CentreLines
from .ends import to_ends
from .ways import Array, Found, Indices, Way, doubled, headings, length_of

_CHOICES = 12
"""How many places of lines a place of a stroke may go to."""
_WIDE, _NEAR = 0.03, 0.012
"""Parts of the diagonal within which a stroke is looked for: at first, and then."""
_TURNED = 3.0
"""What it costs to go to a line that runs across the stroke."""
_STRETCHED = 0.6
"""Pixels of stretch a pixel of a stroke's length that cost 1."""
_LOST, _LEAVE = 4.0, 3.0
"""What it costs to be on no line for a place, and to leave or to come back."""
_SLACK = 0.4
"""Share of the reach that costs 1."""
_TAKEN = 2.0
"""What it costs to go to a place of a line that another stroke fits better."""
_FOUND, _FOUND_AGAIN = 0.55, 0.8
"""Share of a stroke that must be on lines; the same for one that the last frame did not show."""
_SHRUNK = 2.0
"""By how much a stroke is longer or shorter from one frame to the next where it is no longer the same."""
_USURPED = 0.6
"""Share of a stroke on lines that fit another one better, from which it is gone."""
_MERGED = 1.25
"""Widths of a stroke from which a line is not it alone, but runs together with others."""
_UNMOVED = 0.5
"""Pixels across its lines by which a stroke that stays where it is may be off."""
_SPACED = 1.5
"""Pixels between two places of the lines that a stroke may go to."""


def follow(ways: list[Way], lines: CentreLines, size: tuple[int, int]) -> list[Found]:
    """Finds each of some strokes in a frame's lines."""
    if not ways or not len(lines.points):
        return [_lost(way.points) for way in ways]
    diagonal = float(np.hypot(*size))
    places = np.concatenate([way.points for way in ways])
    stroke = np.repeat(np.arange(len(ways)), [len(way.points) for way in ways])
    dot = np.array([len(way.points) == 1 for way in ways])
    network = _Network(lines, max(1, round(_SPACED / SPACING)))
    start = np.cumsum([0, *(len(way.points) for way in ways)])
    new = np.array([way.new for way in ways])
    still = np.array([_is_still(network, way) for way in ways])
    moved = bent(places, headings(places, ways), ~dot[stroke], still[stroke], lines, size)
    moved[still[stroke]] = 0
    state, owner = places + moved, np.full(len(network.points), -1)
    rest = np.flatnonzero(still[stroke])
    owner = _owners(network, new[stroke], stroke, state, _nearest(network, rest, state))
    for reach in (_WIDE, _NEAR, _NEAR):
        choice = _chosen(network, ways, stroke, state, max(reach * diagonal, 5.0), owner)
        owner = _owners(network, new[stroke], stroke, state, choice)
        state = np.where(still[stroke, None], places, _settled(network, ways, state, choice))
    rows = [slice(i, j) for i, j in pairwise(start.tolist())]
    usurped = (choice >= 0) & (owner[choice] != stroke) & ~_shared(ways, places, stroke)
    choice = np.where((np.bincount(stroke, usurped) > _USURPED * np.bincount(stroke))[stroke], -1, choice)
    return [
        _lost(state[at]) if len(way.points) == 1 else _on_lines(network, way, state[at], choice[at], held)
        for way, at, held in zip(ways, rows, still.tolist(), strict=True)
    ]


def _shared(ways: list[Way], places: Array, stroke: Indices) -> NDArray[np.bool_]:
    """(k,) whether a place lies on another stroke too."""
    widths = np.concatenate([way.widths for way in ways])
    gap, near = cKDTree(places).query(places, k=np.arange(1, 9))
    other = np.isfinite(gap) & (stroke[np.minimum(near, len(stroke) - 1)] != stroke[:, None])
    return (other & (gap < widths[:, None] / 2 + 1)).any(axis=1)


class _Network:
    """The points of lines among which ways are looked for."""

    def __init__(self, lines: CentreLines, every: int) -> None:
        index, line = np.arange(len(lines.points)), lines.line
        first, last = lines.offsets[:-1][line], lines.offsets[1:][line] - 1
        self.lines = lines
        self.rows = np.flatnonzero(((index - first) % every == 0) | (index == last))
        self.points = lines.points[self.rows]
        self.doubled = doubled(lines.tangents[self.rows])
        self.sure = lines.sure[self.rows]
        self.widths = lines.widths[self.rows]
        self.tree = cKDTree(self.points)

    def alone(self, rows: Indices, widths: Array) -> NDArray[np.bool_]:
        """Whether points were measured, and on no line so wide that it is several strokes."""
        return self.sure[rows] & (self.widths[rows] < _MERGED * widths + 0.75)


def _is_still(network: _Network, way: Way) -> bool:
    """Whether a stroke's lines are where they were: all that was measured across, and its ends where they can be seen."""
    if way.missing or len(way.points) == 1:
        return False
    heading = headings(way.points, [way])
    gap, near = network.tree.query(way.points, k=np.arange(1, 5), distance_upper_bound=way.width + 3)
    near = np.minimum(near, len(network.points) - 1)
    along = (network.doubled[near] * doubled(heading)[:, None]).sum(axis=2)
    within = (gap < np.maximum(network.widths[near], way.widths[:, None]) / 2 + 1).any(axis=1)
    fits = (along > 0.7) & network.alone(near, way.widths[:, None]) & np.isfinite(gap)
    across = np.stack([-heading[:, 1], heading[:, 0]], axis=1)
    off = np.abs(((network.points[near] - way.points[:, None]) * across[:, None]).sum(axis=2))
    off = np.where(fits, off, np.inf).min(axis=1)
    seen = np.isfinite(off)
    if within.mean() < 0.97 or seen.mean() < 0.2 or np.percentile(off[seen], 92) > _UNMOVED:
        return False
    return way.closed or all(_ends_there(network.lines, way.points[::turn], way.width) for turn in (1, -1))


def _ends_there(lines: CentreLines, points: Array, width: float) -> bool:
    """Whether a stroke's last place is the free end of a line, or no free end is near that could be it."""
    heading = points[-1] - points[max(len(points) - 4, 0)]
    away = lines.nodes[lines.degree == 1] - points[-1]
    gap = np.linalg.norm(away, axis=1)
    heading = heading / max(float(np.linalg.norm(heading)), 1e-9)
    beside = np.abs(away @ np.array([-heading[1], heading[0]]))
    own = gap[(gap < 2 * width + 3) & (beside < width / 2 + 1)]
    return not len(own) or bool(own.min() < 1.25 + 0.1 * width)


def _chosen(network: _Network, ways: list[Way], stroke: Indices, state: Array, reach: float, owner: Indices) -> Indices:
    """(k,) the point of the network that each place goes to, -1 for none: the cheapest way of each stroke."""
    heading = doubled(headings(state, ways))
    gap, near = network.tree.query(state, k=np.arange(1, _CHOICES + 1), distance_upper_bound=reach)
    none = near == len(network.points)
    near = np.where(none, 0, near)
    across = (1 - (network.doubled[near] * heading[:, None]).sum(axis=2)) / 2
    cost = (gap.clip(0, reach) / (_SLACK * reach)) ** 2 + _TURNED * across * np.where(network.sure[near], 1, 0.3)
    cost += _TAKEN * ((owner[near] >= 0) & (owner[near] != stroke[:, None]))
    cost = np.concatenate([np.where(none, np.inf, cost), np.full((len(state), 1), _LOST)], axis=1)
    pick = _cheapest(cost, network.points[near] - state[:, None], _steps(state, ways), [len(way.points) for way in ways])
    return np.where(pick < _CHOICES, near[np.arange(len(state)), np.minimum(pick, _CHOICES - 1)], -1)


def _steps(state: Array, ways: list[Way]) -> Array:
    """(k,) pixels from the place before; places do not count as nearer than they are to points of the network."""
    return np.linalg.norm(np.diff(state, axis=0, prepend=state[:1]), axis=1).clip(_SPACED, 8)


def _cheapest(cost: Array, away: Array, step: Array, count: list[int]) -> Indices:
    """(k,) the choice of each place with which its stroke costs the least (Viterbi), all strokes at once.

    `cost` (k, c + 1) of the choices, the last one being none, `away` (k, c, 2) how far off they are: a change of it is a stretch.
    """
    first = np.cumsum([0, *count])[:-1]
    order = np.argsort(-np.array(count), kind="stable")
    first, left = first[order], np.array(count)[order]
    best = cost[first]
    back = np.zeros(cost.shape, np.intp)
    none = cost.shape[1] - 1
    for i in range(1, int(left.max())):
        live = int((left > i).sum())
        now = first[:live] + i
        change = away[now][:, None] - away[now - 1][:, :, None]
        over = np.full((live, none + 1, none + 1), _LEAVE)
        over[:, :none, :none] = (change**2).sum(axis=3) / (_STRETCHED * step[now])[:, None, None] ** 2
        over[:, none, none] = 0
        total = best[:live, :, None] + over
        back[now] = total.argmin(axis=1)
        best[:live] = np.take_along_axis(total, back[now][:, None], axis=1)[:, 0] + cost[now]
    pick = np.zeros(len(cost), np.intp)
    for start, length, end in zip(first.tolist(), left.tolist(), best.argmin(axis=1).tolist(), strict=True):
        for row in range(start + length - 1, start - 1, -1):
            pick[row] = end
            end = back[row, end]
    return pick


def _owners(network: _Network, new: NDArray[np.bool_], stroke: Indices, state: Array, choice: Indices) -> Indices:
    """Of each point of the network the stroke that fits it best among those that go there, -1 for none."""
    on = np.flatnonzero(choice >= 0)
    gap = (
        ndimage.gaussian_filter1d(np.linalg.norm(network.points[choice[on]] - state[on], axis=1), 3.0, mode="nearest")
        if len(on)
        else np.zeros(0)
    )
    owner = np.full(len(network.points), -1)
    at = (choice[on, None] + (-1, 0, 1)).clip(0, len(owner) - 1)
    for k in np.lexsort((-gap, ~new[on])):
        owner[at[k]] = stroke[on[k]]
    return owner


def _nearest(network: _Network, some: Indices, state: Array) -> Indices:
    """(k,) the point of the network nearest to some of the places, -1 for the others."""
    near = np.full(len(state), -1)
    near[some] = network.tree.query(state[some])[1]
    return near


def _settled(network: _Network, ways: list[Way], state: Array, choice: Indices) -> Array:
    """The places after their move to what they chose, smooth along each stroke."""
    settled, start = state.copy(), 0
    for way in ways:
        rows = np.arange(start, start + len(way.points))
        start += len(rows)
        known = rows[(choice[rows] >= 0) & network.alone(choice[rows], way.widths)]
        known = known if len(known) else rows[choice[rows] >= 0]
        if not len(known):
            continue
        off = network.points[choice[known]] - state[known]
        settled[rows] += _agreed(off, known - rows[0], len(rows), way, 4.0)
    return settled


def _agreed(off: Array, known: Indices, count: int, way: Way, sigma: float) -> Array:
    """(count, c) moves along a stroke, smooth, from those (k, c) known at some places, without those that the rest speak against."""
    for _ in range(2):
        smooth = _spread(off, known, count, sigma, way.closed)
        wrong = np.linalg.norm(off - smooth[known], axis=1)
        right = wrong <= np.maximum(2.5 * np.median(wrong), np.maximum(0.5, 0.1 * way.widths[known]))
        off, known = off[right], known[right]
    return _spread(off, known, count, sigma / 2, way.closed)


def _spread(values: Array, known: Indices, count: int, sigma: float, closed: bool) -> Array:
    """(count, c) values (k, c) known at some places, smoothed with a Gaussian and, where none is known, led on."""
    mode = "wrap" if closed else "nearest"
    weight = np.zeros(count)
    weight[known] = 1
    filled = np.stack([np.interp(np.arange(count), known, column) for column in values.T], axis=1)
    weight = np.maximum(weight, 0.03)[:, None]
    total = ndimage.gaussian_filter1d(filled * weight, sigma, axis=0, mode=mode)
    return total / ndimage.gaussian_filter1d(weight, sigma, axis=0, mode=mode)


def _lost(points: Array) -> Found:
    return Found(False, points, np.full(len(points), np.nan), np.zeros(len(points), bool))


def _on_lines(network: _Network, way: Way, state: Array, choice: Indices, still: bool) -> Found:
    """The stroke where it is: across its lines in their middle, along them as it was stretched, up to where they end."""
    on = choice >= 0
    if on.mean() < (_FOUND_AGAIN if way.missing else _FOUND):
        return _lost(state)
    lines = network.lines
    row = network.rows[np.maximum(choice, 0)]
    known = on & network.alone(np.maximum(choice, 0), way.widths)
    normal = np.stack([-lines.tangents[row, 1], lines.tangents[row, 0]], axis=1)
    off = ((lines.points[row] - state) * normal).sum(axis=1)
    near = np.flatnonzero(known & (np.abs(off) < way.width + 2) & (not still))
    if len(near):
        heading = headings(state, [way])
        normal = np.stack([-heading[:, 1], heading[:, 0]], axis=1)
        off = ((lines.points[row] - state) * normal).sum(axis=1)
        points = state + normal * _agreed(off[near, None], near, len(state), way, 3.0)
    else:
        points = state
    widths = np.where(known, lines.widths[row], np.nan)
    if not way.closed and not still:
        points = to_ends(lines, points, np.where(on, row, -1), way.width, length_of(way.points))
    if not 1 / _SHRUNK < length_of(points) / max(length_of(way.points), 1e-9) < _SHRUNK:
        return _lost(state)
    return Found(True, points, widths, known)


# --- strokes that moved too far to be followed


def paired(ways: list[Way], paths: list[Array], diagonal: float) -> dict[int, int]:
    """Which stroke (by index) is which new path: one to one, the like and the near, at the least cost in all."""
    if not ways or not paths:
        return {}
    cost = np.array([[_unlike(way, path, diagonal) for path in paths] for way in ways])
    return {int(i): int(j) for i, j in zip(*linear_sum_assignment(np.minimum(cost, 10.0)), strict=True) if cost[i, j] < 1}


def _unlike(way: Way, path: Array, diagonal: float) -> float:
    """How unlike a stroke is to a path: 1 where they can no longer be the same."""
    length = length_of(way.points)
    other = length_of(path)
    small = max(2.0 * way.width, 4.0)
    off = float(np.linalg.norm(path.mean(axis=0) - way.points.mean(axis=0)))
    if len(way.points) == 1 or length < small:
        return off / (0.06 * diagonal) + other / (2 * small)
    if not 0.5 < other / length < 2:
        return np.inf
    there = resampled_as(way, path)
    gap = there - way.points
    shape = np.linalg.norm(gap - gap.mean(axis=0), axis=1).mean()
    return float(off / (0.08 * diagonal) + shape / (0.15 * length))


def resampled_as(way: Way, path: Array) -> Array:
    """(m, 2) the places of a path that are as far along it as those of a stroke, from the end that is more like its start."""
    step = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(way.points, axis=0), axis=1))])
    share = step / max(float(step[-1]), 1e-9)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    both = []
    for one in (path, path[::-1]):
        length = along if one is path else along[-1] - along[::-1]
        both.append(np.stack([np.interp(share * along[-1], length, one[:, axis]) for axis in (0, 1)], axis=1))
    gaps = [one - way.points for one in both]
    return both[int(np.argmin([np.linalg.norm(gap - gap.mean(axis=0), axis=1).mean() for gap in gaps]))]
