"""Ink to a graph of centre lines: thinned, cleared of spurs, then centred across the ink to a part of a pixel, with widths.

Knows one image's ink: no stroke, no other frame.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.morphology import skeletonize

from .thinning import Edge, graph_of, pruned

Array = NDArray[np.float64]
Ink = NDArray[np.float32]

SPACING = 0.75
"""Pixels between two points of a centre line."""

_FAINTEST = 0.4
"""Ink that counts as a line's full ink where there is none stronger about: half of it is still drawn."""
_REACH = 4
"""Pixels around a place in which the strongest ink is a line's own."""
_PINHOLE = 0.35
"""Square widths of a line up to which a hole in the ink is none."""
_WORK = 1.6e6
"""Pixels up to which an image is enlarged to be thinned."""
_FINE = 6.0
"""Pixels of width that lines are enlarged to: narrower ones would be thinned to stairs."""
_ACROSS = 41
"""Places at which ink is read across a line."""
_FLAT = 2.2
"""A line's width over that of its edges from which its middle shows its own ink, not that of a blurred thin line."""


@dataclass(frozen=True)
class CentreLines:
    """e lines of q points in all, in pixels of the ink, that meet at n nodes; nodes are free ends and meeting places."""

    points: Array
    """(q, 2)"""
    tangents: Array
    """(q, 2) of length 1, in the direction of the line."""
    widths: Array
    """(q,)"""
    level: Array
    """(q,) 0..1 the line's own ink, whatever its blur."""
    sure: NDArray[np.bool_]
    """(q,) whether the point was measured across the line: not where lines meet."""
    offsets: NDArray[np.intp]
    """(e + 1,)"""
    ends: NDArray[np.intp]
    """(e, 2) the nodes that a line starts and ends at; -1 twice for a closed line."""
    nodes: Array
    """(n, 2)"""
    reach: Array
    """(n,) radius of the ink around a node"""

    @property
    def line(self) -> NDArray[np.intp]:
        """(q,) the line of each point."""
        return np.repeat(np.arange(len(self.ends)), np.diff(self.offsets))

    @property
    def degree(self) -> NDArray[np.intp]:
        """(n,) how many ends of lines meet at a node."""
        return np.bincount(self.ends[self.ends >= 0], minlength=len(self.nodes))


def centre_lines(ink: Ink) -> CentreLines:
    """The centre lines of an image (h, w) of ink 0..1; soft, grey and noisy lines too."""
    ink = _calm(ink)
    even = _without_pinholes(_even(ink))
    edges, nodes, reach = _thinned(even)
    return _measured(ink, even, edges, nodes, reach)


def levelled(ink: Ink) -> Ink:
    """An image of ink without its grain, pale lines as strong as others: what is above a half is line."""
    return _even(_calm(ink))


def _calm(ink: Ink) -> Ink:
    """The ink with the grain of the paper taken away; a clean image as it is."""
    ink = np.nan_to_num(np.asarray(ink, np.float32)).clip(0, 1)
    paper = ink[ink < 0.3]
    grain = float(np.percentile(paper, 70)) / 0.524 if paper.size else 0.0  # half of the noise around 0 is cut off
    if grain < 0.01:
        return ink
    smooth = ndimage.gaussian_filter(ink, min(0.6 + 4 * grain, 1.0))
    floor = np.float32(0.4 * grain)
    return ((smooth - floor) / (1 - floor)).clip(0, 1)


def _even(ink: Ink) -> Ink:
    """The ink over the strongest ink about: a line's edge is where this is a half, however pale and soft it is."""
    strongest = ndimage.maximum_filter(ink, 2 * _REACH + 1)
    strongest = ndimage.gaussian_filter(np.maximum(strongest, _FAINTEST), _REACH / 2)
    return (ink / strongest).clip(0, 1)


def _without_pinholes(even: Ink) -> Ink:
    """The ink with holes filled that are too small to be meant, as between the strokes of a scribble."""
    mask = even > 0.5
    if not mask.any():
        return even
    holes, count = ndimage.label(~mask)
    area = np.bincount(holes.ravel(), minlength=count + 1)
    width = mask.sum() / max(int(skeletonize(mask).sum()), 1)
    small = area < max(_PINHOLE * width**2, 1.5)
    small[0] = False
    return np.where(small[holes], np.float32(1), even)


def _thinned(even: Ink) -> tuple[list[Edge], Array, Array]:
    """The skeleton's graph in pixels of the ink, spurs pruned."""
    mask = even > 0.5
    if not mask.any():
        return [], np.zeros((0, 2)), np.zeros(0)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = max(int(rows[0]) - 2, 0), max(int(columns[0]) - 2, 0)
    part = np.pad(even[top : rows[-1] + 3, left : columns[-1] + 3], 1)
    width = mask.sum() / max(int(skeletonize(mask).sum()), 1)
    scale = int(np.clip(np.ceil(_FINE / width), 1, max(np.sqrt(_WORK / part.size), 1)))
    large = _enlarged(part, scale) > 0.5
    large = _without_specks(large, 1.5 * scale**2)
    skeleton = skeletonize(large)
    places = np.argwhere(skeleton)
    rim = np.argwhere(large & ~ndimage.binary_erosion(large))
    radius = (cKDTree(rim).query(places)[0] + 0.5) / scale if len(rim) else np.ones(len(places))
    points = (places[:, ::-1] + 0.5) / scale + (left - 1, top - 1)
    edges, nodes, reach = graph_of(skeleton, points, radius)
    return pruned(edges, nodes, reach)


def _enlarged(image: Ink, scale: int) -> Ink:
    """The image with each pixel as scale x scale, interpolated: its corners stay in place."""
    for axis in (0, 1) if scale > 1 else ():
        count = image.shape[axis]
        at = ((np.arange(count * scale) + 0.5) / scale - 0.5).clip(0, count - 1)
        low = np.minimum(at.astype(np.intp), count - 2)
        share = (at - low).astype(np.float32)
        share = share[:, None] if axis == 0 else share
        image = image.take(low, axis) * (1 - share) + image.take(low + 1, axis) * share
    return image


def _without_specks(mask: NDArray[np.bool_], area: float) -> NDArray[np.bool_]:
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    keep = np.bincount(labels.ravel(), minlength=count + 1) >= area
    keep[0] = False
    return keep[labels]


# --- measuring


def _measured(ink: Ink, even: Ink, edges: list[Edge], nodes: Array, reach: Array) -> CentreLines:
    lines = [_resampled(_smoothed(edge.points, 1.2), SPACING) for edge in edges]
    radii = [
        np.interp(np.linspace(0, 1, len(line)), np.linspace(0, 1, len(edge.radius)), edge.radius)
        for line, edge in zip(lines, edges, strict=True)
    ]
    offsets = np.cumsum([0, *map(len, lines)])
    ends = np.array([(edge.start, edge.end) for edge in edges], np.intp).reshape(-1, 2)
    points, radius = np.concatenate([*lines, np.zeros((0, 2))]), np.concatenate([*radii, np.zeros(0)])
    made = CentreLines(
        points, np.zeros_like(points), 2 * radius, np.ones(len(points)), np.ones(len(points), bool), offsets, ends, nodes, reach
    )
    for _ in range(2):
        made = _centred(even, made)
    made = _weighed(ink, made)
    return _with_ends(even, made)


def _smoothed(points: Array, sigma: float) -> Array:
    """A line (k, 2) smoothed along its way, its ends held."""
    if len(points) < 4:
        return points
    pad = min(len(points) - 1, int(4 * sigma))
    around = np.concatenate([2 * points[0] - points[pad:0:-1], points, 2 * points[-1] - points[-2 : -pad - 2 : -1]])
    return ndimage.gaussian_filter1d(around, sigma, axis=0)[pad : pad + len(points)]


def _resampled(points: Array, spacing: float) -> Array:
    step = np.linalg.norm(np.diff(points, axis=0), axis=1)
    along = np.concatenate([[0], np.cumsum(step)])
    at = np.linspace(0, along[-1], max(int(np.ceil(along[-1] / spacing)), 1) + 1) if along[-1] > 0 else np.zeros(1)
    return np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1)


def directions(points: Array, offsets: NDArray[np.intp], closed: NDArray[np.bool_], apart: int = 2) -> Array:
    """(q, 2) unit directions of lines, over `apart` points to both sides."""
    count = np.diff(offsets)
    line = np.repeat(np.arange(len(count)), count)
    index, first, last = np.arange(len(points)), offsets[:-1][line], offsets[1:][line] - 1
    round_ = closed[line]
    before = np.where(round_, first + (index - first - apart) % count[line], np.maximum(index - apart, first))
    after = np.where(round_, first + (index - first + apart) % count[line], np.minimum(index + apart, last))
    way = points[after] - points[before]
    length = np.linalg.norm(way, axis=1, keepdims=True)
    return np.where(length > 1e-9, way / np.maximum(length, 1e-9), (1.0, 0.0))


def _across(image: Ink, points: Array, normals: Array, reach: Array) -> tuple[Array, Array]:
    """The ink at _ACROSS places across each point, and (q,) how far apart they are."""
    half = _ACROSS // 2
    step = reach / half
    at = points[:, None] + normals[:, None] * (np.arange(-half, half + 1)[:, None] * step[:, None, None])
    ink = ndimage.map_coordinates(image, (at[..., 1] - 0.5, at[..., 0] - 0.5), order=1, mode="constant")
    return ink.astype(np.float64), step


def _edge(values: Array, level: Array) -> Array:
    """(q,) at which place (fractional) the values (q, k), read outward, first fall under the level; nan where they never do."""
    under = values < level[:, None]
    under[:, 0] = False
    first = under.argmax(axis=1)
    row = np.arange(len(values))
    high, low = values[row, np.maximum(first - 1, 0)], values[row, first]
    share = (high - level) / np.maximum(high - low, 1e-9)
    return np.where(under.any(axis=1), first - 1 + share.clip(0, 1), np.nan)


def _centred(even: Ink, lines: CentreLines) -> CentreLines:
    """The lines moved into the middle between the ink's two edges, where these can be told."""
    closed = lines.ends[:, 0] < 0
    apart = 3
    tangents = directions(lines.points, lines.offsets, closed, apart)
    normals = np.stack([-tangents[:, 1], tangents[:, 0]], axis=1)
    radius = lines.widths / 2
    values, step = _across(even, lines.points, normals, 1.6 * radius + 2)
    half = _ACROSS // 2
    peak = values[:, half - 4 : half + 5].max(axis=1)
    level = 0.5 * peak
    right, left = _edge(values[:, half:], level) * step, _edge(values[:, half::-1], level) * step
    width, shift = right + left, (right - left) / 2
    typical = _typical(np.where(np.isfinite(width), width, lines.widths), lines.offsets)
    sure = np.isfinite(width) & (peak > 0.3) & (np.abs(shift) < 0.5 * radius + 0.75) & (width < 1.35 * typical + 0.5)
    line = lines.line
    for side in (0, 1):
        node = lines.ends[line, side]
        if not len(lines.nodes):
            break
        met = (node >= 0) & (lines.degree[node] > 1)
        sure &= ~met | (np.linalg.norm(lines.points - lines.nodes[node], axis=1) > 1.1 * lines.reach[node])
    shift = _filled(np.where(sure, shift, 0), sure, lines.offsets, 0.0)
    points = lines.points + normals * shift[:, None]
    width = _filled(np.where(sure, width, lines.widths), sure, lines.offsets, None)
    for first, end in pairwise(lines.offsets):
        points[first:end] = _smoothed(points[first:end], 0.9)
    return CentreLines(points, tangents, width, lines.level, sure, lines.offsets, lines.ends, lines.nodes, lines.reach)


def _typical(width: Array, offsets: NDArray[np.intp]) -> Array:
    """(q,) the median width about each point of a line."""
    found = np.empty_like(width)
    for first, end in pairwise(offsets):
        size = min(41, 2 * ((end - first) // 2) + 1)
        found[first:end] = ndimage.median_filter(width[first:end], size, mode="nearest")
    return found


def _filled(values: Array, sure: NDArray[np.bool_], offsets: NDArray[np.intp], otherwise: float | None) -> Array:
    """Values with those that are not sure interpolated along their line."""
    found = values.copy()
    for first, end in pairwise(offsets):
        known = np.flatnonzero(sure[first:end])
        if len(known):
            found[first:end] = np.interp(np.arange(end - first), known, values[first:end][known])
        elif otherwise is not None:
            found[first:end] = otherwise
    return found


def _weighed(ink: Ink, lines: CentreLines) -> CentreLines:
    """The lines with their own ink and with widths that have as much ink as the image, whatever its blur."""
    normals = np.stack([-lines.tangents[:, 1], lines.tangents[:, 0]], axis=1)
    values, step = _across(ink, lines.points, normals, 0.75 * lines.widths + 4)
    half = _ACROSS // 2
    peak = values[:, half - 3 : half + 4].max(axis=1)
    amount = np.zeros(len(peak))
    steepest = np.zeros(len(peak))
    for side in (values[:, half:], values[:, half::-1]):
        fall = np.diff(side, axis=1)
        own = np.logical_and.accumulate((fall < 0.02) | (side[:, 1:] > 0.6 * peak[:, None]), axis=1)
        amount += (np.where(own, (side[:, 1:] + side[:, :-1]) / 2, 0)).sum(axis=1) * step
        steepest = np.maximum(steepest, (-fall).max(axis=1) / step)
    edge = peak / np.maximum(steepest, 1e-6)
    flat = np.bincount(lines.line, (lines.widths > _FLAT * edge) & lines.sure, len(lines.ends)) * 2 >= np.bincount(
        lines.line, lines.sure, len(lines.ends)
    )
    level = np.where(flat[lines.line], peak, 1.0)
    level = np.maximum(_filled(level, lines.sure, lines.offsets, None), 0.1)
    width = _filled(np.where(lines.sure, amount / level, lines.widths), lines.sure, lines.offsets, None)
    for first, end in pairwise(lines.offsets):
        width[first:end] = ndimage.gaussian_filter1d(width[first:end], 1.2, mode="nearest")
        level[first:end] = np.median(level[first:end])
    return CentreLines(lines.points, lines.tangents, width, level, lines.sure, lines.offsets, lines.ends, lines.nodes, lines.reach)


def _with_ends(even: Ink, lines: CentreLines) -> CentreLines:
    """The lines up to their full length: thinning stops short of an end, or runs on into a corner of it."""
    points = [lines.points[i:j] for i, j in pairwise(lines.offsets)]
    widths = [lines.widths[i:j] for i, j in pairwise(lines.offsets)]
    sure = [lines.sure[i:j] for i, j in pairwise(lines.offsets)]
    nodes, free = lines.nodes.copy(), lines.degree == 1
    for e, (start, end) in enumerate(lines.ends):
        for node, turn in ((start, -1), (end, 1)):
            if node >= 0 and free[node]:
                path, width, known = _to_end(even, points[e][::turn], widths[e][::turn], sure[e][::turn])
                points[e], widths[e], sure[e] = path[::turn], width[::turn], known[::turn]
                nodes[node] = path[-1]
        if start >= 0 and free[start] and free[end] and (len(points[e]) - 1) * SPACING < widths[e].max():
            points[e], widths[e] = _blot(even, points[e], float(widths[e].max()))
            sure[e] = np.ones(len(points[e]), bool)
            nodes[start], nodes[end] = points[e][0], points[e][-1]
    offsets = np.cumsum([0, *map(len, points)])
    level = (
        np.repeat(lines.level[np.minimum(lines.offsets[:-1], max(len(lines.level) - 1, 0))], np.diff(offsets))
        if len(points)
        else lines.level
    )
    every = np.concatenate([*points, np.zeros((0, 2))])
    tangents = directions(every, offsets, lines.ends[:, 0] < 0)
    return CentreLines(
        every,
        tangents,
        np.concatenate([*widths, np.zeros(0)]),
        level,
        np.concatenate([*sure, np.zeros(0, bool)]),
        offsets,
        lines.ends,
        nodes,
        lines.reach,
    )


def _blot(even: Ink, path: Array, width: float) -> tuple[Array, Array]:
    """A line no longer than it is wide, by the place, area and lengths of its ink."""
    middle, far = path.mean(axis=0), 1.2 * width + 3
    x0, y0 = np.maximum(middle - far, 0).astype(int)
    part = even[y0 : int(middle[1] + far) + 1, x0 : int(middle[0] + far) + 1]
    labels = ndimage.label(part > 0.25, np.ones((3, 3)))[0]
    row, column = np.minimum((middle - (x0, y0)).astype(int)[::-1], np.array(part.shape) - 1)
    amount = np.where(labels == labels[row, column], part, 0).astype(np.float64)
    rows, columns = np.nonzero(amount)
    weight = amount[rows, columns]
    places = np.stack([columns + x0 + 0.5, rows + y0 + 0.5], axis=1)
    middle, area = np.average(places, axis=0, weights=weight), float(weight.sum())
    spread, ways = np.linalg.eigh(np.cov(places.T, aweights=weight) if len(places) > 1 else np.eye(2))
    round_ = float(np.sqrt(4 * area / np.pi))
    across = min(4 * float(np.sqrt(max(spread[0], 0.05))), round_)
    long = max(area / across - np.pi * across / 4, 0.0)
    if spread[1] < 1.3 * spread[0] or long < 0.1 * across:
        return middle + ways[:, 1] * np.array([[-1e-3], [1e-3]]), np.full(2, round_)
    count = max(int(np.ceil(long / SPACING)), 1) + 1
    return middle + ways[:, 1] * np.linspace(-long / 2, long / 2, count)[:, None], np.full(count, across)


def _to_end(even: Ink, path: Array, width: Array, sure: NDArray[np.bool_]) -> tuple[Array, Array, NDArray[np.bool_]]:
    """A line whose last point is a free end, made to end where a round end of its width fills the ink."""
    radius = float(np.median(width[-max(len(width) // 3, 1) :][-12:])) / 2
    back = min(len(path) - 1, int(np.ceil(radius / SPACING)))
    base = len(path) - 1 - back
    before = max(base - max(int(2 * radius / SPACING), 4), 0)
    way = path[base] - path[before] if base > before else path[-1] - path[0]
    length = float(np.linalg.norm(way))
    if length < 1e-6:
        return path, width, sure
    way = way / length
    far = 3 * radius + 4
    at = path[base] + way * np.arange(0, far + back * SPACING, 0.25)[:, None]
    values = ndimage.map_coordinates(even, (at[:, 1] - 0.5, at[:, 0] - 0.5), order=1, mode="constant")
    tip = _edge(values[None].astype(np.float64), np.array([0.5]))[0] * 0.25
    if not np.isfinite(tip):
        return path, width, sure
    last = max(tip - radius, 0.0)
    more = path[base] + way * np.arange(SPACING, last + SPACING / 2, SPACING)[:, None] if last > SPACING / 2 else np.zeros((0, 2))
    keep = base + 1
    return (
        np.concatenate([path[:keep], more]),
        np.concatenate([width[:keep], np.full(len(more), width[max(keep - 1, 0)])]),
        np.concatenate([sure[:keep], np.ones(len(more), bool)]),
    )
