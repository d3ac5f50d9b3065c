"""Which passages between regions are gaps in a line, and which are necks of one shape: at a gap a line ends.

Knows labels on free pixels, 0 on lines: no colour, no time.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

_WAVY = 0.7
"""Width of a passage, as a share of the narrower region's, from which it is no gap."""
_OPEN = 236
"""Degrees around a line's pixel, without ink that hangs together with it, from which a line ends there."""
_DIRECTIONS = 32
_SLANT = 1.2
"""How much longer than a line's width its run in a row is, as lines slant."""

Labels = NDArray[np.int32]


@dataclass(frozen=True)
class _Passages:
    """Each place where two regions meet on free pixels, c of them."""

    pair: NDArray[np.int32]
    """(c, 2) the regions, the smaller number first."""
    width: NDArray[np.int32]
    """(c,) the largest distance to a line in it, whole pixels."""
    is_gap: NDArray[np.bool_]
    """(c,) whether a line ends beside it."""


def rejoined(labels: Labels, depth: NDArray[np.int32]) -> Labels:
    """Labels joined again where they were cut apart at no gap; `depth` is each pixel's distance to the lines, and has a border of lines.

    Regions join by a passage beside which no line ends, or one about as wide as the narrower of the two; the widest first, and never
    two that a gap parts.
    """
    passages = _passages(labels, depth)
    if not len(passages.pair):
        return labels
    peak = np.zeros(int(labels.max()) + 1, np.int32)
    np.maximum.at(peak, labels.ravel(), depth.ravel())
    return _joined(passages, peak)[labels]


def _joined(passages: _Passages, peak: NDArray[np.int32]) -> Labels:
    """(n,) the number that each region has once the passages that are no gaps are taken away."""
    root = np.arange(len(peak), dtype=np.int32)
    parted: dict[int, set[int]] = defaultdict(set)
    for (a, b), gap in zip(passages.pair.tolist(), passages.is_gap.tolist(), strict=True):
        if gap:
            parted[a].add(b)
            parted[b].add(a)
    for at in np.lexsort((*passages.pair.T[::-1], -passages.width)):
        low, high = sorted(int(root[region]) for region in passages.pair[at])
        if low == high:
            continue
        wavy = passages.width[at] >= _WAVY * min(peak[low], peak[high])
        if wavy or (not passages.is_gap[at] and high not in parted[low]):
            root[root == high] = low
            peak[low] = max(peak[low], peak[high])
            for other in parted.pop(high, set()):
                parted[other].discard(high)
                parted[other].add(low)
                parted[low].add(other)
            parted[low].discard(low)
    return root


def _passages(labels: Labels, depth: NDArray[np.int32]) -> _Passages:
    pixels, regions = _contacts(labels)
    if not len(pixels):
        return _Passages(np.zeros((0, 2), np.int32), np.zeros(0, np.int32), np.zeros(0, bool))
    columns = labels.shape[1]
    place = _places(pixels, columns)
    key = np.stack([place, regions[:, 0], regions[:, 1]], 1)
    found, owner = np.unique(key, axis=0, return_inverse=True)
    owner = owner.ravel()
    width = np.zeros(len(found), np.int32)
    np.maximum.at(width, owner, depth.ravel()[pixels])
    around = np.array([down * columns + right for down in (-1, 0, 1) for right in (-1, 0, 1)])
    beside = (pixels[:, None] + around).ravel()
    lined = depth.ravel()[beside] == 0
    ends, which = np.unique(beside[lined], return_inverse=True)
    openness = np.zeros(len(found), np.float32)
    np.maximum.at(openness, np.repeat(owner, len(around))[lined], _openness(depth == 0, ends)[which])
    return _Passages(found[:, 1:].astype(np.int32), width, openness >= _OPEN)


def _contacts(labels: Labels) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Flat indices (m,) of the pixels at which a region meets another, and the two regions (m, 2)."""
    flat = labels.ravel()
    pixels, pairs = [], []
    for step in (1, labels.shape[1]):
        first, second = flat[:-step], flat[step:]
        at = np.flatnonzero((first != second) & (first > 0) & (second > 0))
        pair = np.sort(np.stack([first[at], second[at]], 1), axis=1)
        pixels += [at, at + step]
        pairs += [pair, pair]
    return np.concatenate(pixels), np.concatenate(pairs)


def _places(pixels: NDArray[np.intp], columns: int) -> NDArray[np.intp]:
    """(m,) a number for each connected group of pixels."""
    known, index = np.unique(pixels, return_inverse=True)
    edges = []
    for step in (1, columns - 1, columns, columns + 1):
        at = np.minimum(np.searchsorted(known, known + step), len(known) - 1)
        there = np.flatnonzero(known[at] == known + step)
        edges.append(np.stack([there, at[there]]))
    one, other = np.concatenate(edges, 1)
    graph = sparse.coo_matrix((np.ones(len(one), np.int8), (one, other)), shape=(len(known), len(known)))
    return connected_components(graph, directed=False)[1][index]


def _openness(ink: NDArray[np.bool_], pixels: NDArray[np.intp]) -> NDArray[np.float32]:
    """Degrees of the widest angle around each of some ink pixels in which no ink hangs together with it, a line's width and 2 pixels away."""
    radius = line_width(ink) / _SLANT + 2
    reach = int(np.ceil(radius)) + 1
    rows, columns = np.divmod(pixels, ink.shape[1])
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(ink, reach), (2 * reach + 1, 2 * reach + 1))[rows, columns]
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    near = _hanging_together(windows & (np.hypot(y, x) <= radius + 0.75))
    angle = np.arange(_DIRECTIONS) * 2 * np.pi / _DIRECTIONS
    ring = near[:, np.rint(reach + radius * np.sin(angle)).astype(int), np.rint(reach + radius * np.cos(angle)).astype(int)]
    run = longest = np.zeros(len(ring), np.int32)
    for at in range(2 * _DIRECTIONS):
        run = np.where(ring[:, at % _DIRECTIONS], 0, run + 1)
        longest = np.maximum(longest, run)
    return np.minimum(longest, _DIRECTIONS) * np.float32(360 / _DIRECTIONS)


def _hanging_together(windows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What of each window (m, k, k) hangs together with its middle."""
    found = np.zeros_like(windows)
    middle = windows.shape[1] // 2
    found[:, middle, middle] = True
    while True:
        grown = found.copy()
        grown[:, 1:] |= found[:, :-1]
        grown[:, :-1] |= found[:, 1:]
        across = grown.copy()
        across[:, :, 1:] |= grown[:, :, :-1]
        across[:, :, :-1] |= grown[:, :, 1:]
        across &= windows
        if (across == found).all():
            return found
        found = across


def line_width(ink: NDArray[np.bool_]) -> float:
    """How wide the lines are, in pixels: the median of their runs in some rows and columns."""
    step = max(1, max(ink.shape) // 480)
    lengths = np.concatenate([_runs(ink[1:-1:step, 1:-1]), _runs(ink[1:-1, 1:-1:step].T)])
    return float(np.median(lengths)) if len(lengths) else 1.0


def _runs(rows: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The lengths of the runs that are set."""
    flat = rows.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff(edges)[1 if flat[0] else 0 :: 2]
