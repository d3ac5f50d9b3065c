"""Polylines with widths to Skia paths: the outline of each stroke, with round joins and caps. Knows no colour."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import skia
from numpy.typing import NDArray

from .curves import TOLERANCE, Polylines

Array = NDArray[np.float64]


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
    left, right = points(made.left), points(made.right)
    builders = [skia.PathBuilder() for _ in lines.closed]
    for owner, (i, j) in zip(made.owner.tolist(), pairwise(made.offsets.tolist()), strict=True):
        builders[owner].addPolygon(left[i:j] + right[i:j][::-1], True)
    centres, radii = lines.points[made.discs].tolist(), (lines.widths[made.discs] / 2).tolist()
    for owner, (x, y), radius in zip(lines.stroke[made.discs].tolist(), centres, radii, strict=True):
        builders[owner].addCircle(x, y, radius)
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
