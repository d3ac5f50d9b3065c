"""Polylines with widths to Skia paths: the outline of each stroke, with round joins and caps. Knows no colour."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import skia
from numpy.typing import NDArray

from .curves import TOLERANCE, Polylines

Array = NDArray[np.float64]

_LONG = 4.0
"""Pixels of height from which on an edge is long; the errors of shorter ones make up for each other."""


@dataclass(frozen=True)
class Shapes:
    """What strokes are made of: r ribbons, one along each stretch that bends gently, and a disc wherever a stretch ends.

    All turn clockwise and none is folded, so that together they add up and never cancel out.
    """

    left: Array
    right: Array
    """(c, 2) The corners on both sides of all ribbons."""
    at: NDArray[np.intp]
    """(c,) The point of the polylines that a pair of corners lies beside."""
    offsets: NDArray[np.intp]
    """(r + 1,) Ribbon i owns the corners offsets[i] to offsets[i + 1]."""
    owner: NDArray[np.intp]
    """(r,) The stroke of each ribbon, ascending."""
    discs: NDArray[np.intp]
    """The points that discs lie on, ascending."""


def shapes(lines: Polylines) -> Shapes:
    """The ribbons and discs of polylines of which no two neighbouring points are the same."""
    stroke, radius = lines.stroke, lines.widths / 2
    index, first, end = np.arange(len(stroke)), lines.offsets[:-1][stroke], lines.offsets[1:][stroke]
    closed = lines.closed[stroke] & (end - first > 2)
    after = np.where(index + 1 < end, index + 1, np.where(closed, first, index))
    before = np.where(index > first, index - 1, np.where(closed, end - 1, index))
    normal, length = _normals(lines.points, after)
    mitre, gentle = _mitres(normal, length, radius, before)
    gentle &= (before != index) & (after != index)

    leads = np.flatnonzero(after != index)
    begins = ~gentle[leads] | (leads == first[leads])
    ribbon = np.cumsum(begins) - 1
    offsets = np.append(np.flatnonzero(begins), len(leads)) + np.arange(begins.sum() + 1)
    tails = np.arange(len(leads)) + ribbon + 1
    at, side = np.empty(len(leads) + begins.sum(), np.intp), np.empty((len(leads) + begins.sum(), 2))
    at[tails], side[tails] = after[leads], np.where(gentle[after[leads], None], mitre[after[leads]], normal[leads])
    heads = leads[begins]
    at[offsets[:-1]], side[offsets[:-1]] = heads, np.where(gentle[heads, None], mitre[heads], normal[heads])
    side *= radius[at, None]
    return Shapes(lines.points[at] + side, lines.points[at] - side, at, offsets, stroke[heads], np.flatnonzero(~gentle))


def outlines(lines: Polylines) -> list[skia.Path]:
    """One path a stroke, to be filled by winding."""
    made = shapes(lines)
    left, right = polygons(made.left, made.offsets), polygons(made.right, made.offsets)
    builders = [skia.PathBuilder() for _ in lines.closed]
    for owner, one, other in zip(made.owner.tolist(), left, right, strict=True):
        builders[owner].addPolygon(one + other[::-1], True)
    discs = _round(lines.points[made.discs], lines.widths[made.discs] / 2)
    for owner, disc in zip(lines.stroke[made.discs].tolist(), discs, strict=True):
        builders[owner].addPolygon(disc, True)
    return [builder.detach() for builder in builders]


@dataclass(frozen=True)
class Fade:
    """The opacity along one stroke, a little wider than its outline; what comes later counts where the stroke crosses itself."""

    discs: list[tuple[skia.Point, float, float]]
    """Centre, radius and opacity; under the strips."""
    strips: list[skia.Vertices]
    """White, with the opacity as alpha."""


def fades(lines: Polylines) -> list[Fade]:
    """The opacity of each stroke."""
    wider = replace(lines, widths=lines.widths + 2)
    made = shapes(wider)
    corners = points(np.stack([made.left, made.right], axis=1).reshape(-1, 2))
    white = ((np.rint(lines.opacity * 255).astype(np.int64) << 24) | 0xFFFFFF)[made.at].repeat(2).tolist()
    result = [Fade([], []) for _ in lines.closed]
    for owner, (i, j) in zip(made.owner.tolist(), pairwise((2 * made.offsets).tolist()), strict=True):
        result[owner].strips.append(skia.Vertices(skia.Vertices.kTriangleStrip_VertexMode, corners[i:j], None, white[i:j]))
    discs = points(wider.points[made.discs]), (wider.widths[made.discs] / 2).tolist(), lines.opacity[made.discs].tolist()
    for owner, disc in zip(lines.stroke[made.discs].tolist(), zip(*discs, strict=True), strict=True):
        result[owner].discs.append(disc)
    return result


def polygons(corners: Array, offsets: NDArray[np.intp]) -> list[list[skia.Point]]:
    """The corners (c, 2) of each polygon; polygon i owns offsets[i] to offsets[i + 1].

    Skia rounds the height of every corner to a quarter of a pixel, which tilts long edges and costs thin lines up to 6 % of their area:
    each long edge gets two more corners, near its ends and on such heights, between which it is exact.
    """
    way = np.diff(corners, axis=0, append=corners[-1:])
    ends = np.zeros(len(corners), bool)
    ends[offsets[1:][np.diff(offsets) > 0] - 1] = True
    edges = np.flatnonzero(~ends & (np.abs(way[:, 1]) > _LONG))
    at = np.arange(len(corners)) + 2 * np.searchsorted(edges, np.arange(len(corners)))
    result = np.empty((len(corners) + 2 * len(edges), 2))
    result[at] = corners
    start, rise = corners[edges], way[edges, 1]
    down = np.sign(rise)
    for place, height in ((1, np.ceil(start[:, 1] * down * 4)), (2, np.floor((start[:, 1] + rise) * down * 4))):
        share = (height / 4 * down - start[:, 1]) / rise
        result[at[edges] + place] = start + way[edges] * share[:, None]
    made, bounds = points(result), np.append(at, len(result))[offsets].tolist()
    return [made[i:j] for i, j in pairwise(bounds)]


def _round(centres: Array, radii: Array) -> list[list[skia.Point]]:
    """Discs as polygons of their area, of 5 to 500 sides; Skia's own circles are off by a third of a pixel."""
    sides = np.ceil(np.pi / np.arccos(1 - np.clip(TOLERANCE / radii, 2e-5, 0.25))).astype(np.intp)
    offsets = np.concatenate([[0], np.cumsum(sides)])
    disc = np.repeat(np.arange(len(sides)), sides)
    step = 2 * np.pi / sides
    angle = (np.arange(len(disc)) - offsets[disc]) * step[disc]
    radii = radii * np.sqrt(step / np.sin(step))
    around = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radii[disc, None]
    return polygons(centres[disc] + around, offsets)


def points(array: Array) -> list[skia.Point]:
    """(n, 2) as Skia's points."""
    return list(map(skia.Point, *array.T.tolist()))


def _normals(points: Array, after: NDArray[np.intp]) -> tuple[Array, Array]:
    """(k, 2) to the left of the way from each point to the next, y being down, and (k,) the length of that way."""
    way = points[after] - points
    length = np.linalg.norm(way, axis=1)
    return np.stack([way[:, 1], -way[:, 0]], axis=1) / np.maximum(length, 1e-12)[:, None], length


def _mitres(normal: Array, length: Array, radius: Array, before: NDArray[np.intp]) -> tuple[Array, NDArray[np.bool_]]:
    """(k, 2) where both sides of a joint meet, for a radius of 1, and (k,) whether that is near enough to round and folds nothing."""
    cosine = np.einsum("ij,ij->i", normal, normal[before]).clip(-1, 1)
    mitre = (normal + normal[before]) / np.maximum(1 + cosine, 1e-6)[:, None]
    reach = np.sqrt(2 / np.maximum(1 + cosine, 1e-6))
    sideways = radius * np.sqrt(np.maximum(reach**2 - 1, 0))
    return mitre, (radius * (reach - 1) < TOLERANCE) & (sideways < np.minimum(length, length[before]) / 2)
