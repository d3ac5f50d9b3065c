"""Coloured regions to fill strokes that lie under the lines they were made from, one material a colour.

What lies inside another fill is painted over it. Where something inside is not opaque the fill is cut open instead, along one line from the
hole to its edge: Blender 5.2 knows holes and 4.5 does not, and this is the same to both and to the engine's own raster. Knows no Blender.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label

from ..strokes import POLY, Strokes
from . import planes
from .contours import Array, Ints, Outlines, outlines
from .regions import Colours, Labels, spread

_MARGIN = 1
"""Pixels by which fills reach beyond the frame, so that its edge is theirs wholly."""
_CRUMB = 4
"""Pixels under which a piece of a region that lies apart from it belongs to what is around it."""


def fills(
    labels: Labels, at: NDArray[np.int32], palette: Colours, names: Sequence[str], like: Strokes, home: str
) -> tuple[Strokes, NDArray[np.int32]]:
    """The fills of regions, `at` (h, w) being the palette index of each pixel, as seen in the view of the drawing `like`: strokes without
    a line, outer ones first, on the plane of its layer `home`, material i being the palette's colour i, which `names` names. And the
    region (s,) that each is of."""
    pieces, region, colour = _pieces(labels, at, len(palette))
    found = outlines(pieces)
    polygons, owner = _polygons(found, palette[colour][:, 3] == 255, pieces)
    drawn = [i for i, piece in enumerate(owner) if palette[colour[piece], 3] > 0]
    scale = np.array(like.size) / labels.shape[::-1]
    which = [owner[i] for i in drawn]
    strokes = _strokes([(polygons[i] - _MARGIN) * scale for i in drawn], colour[which], palette, names, like, home)
    return strokes, region[which].astype(np.int32)


def _pieces(labels: Labels, at: NDArray[np.int32], colours: int) -> tuple[Labels, Ints, Ints]:
    """The parts of one region and one colour that hang together, 0 to n - 1, with a margin around the frame; their regions (n,), and
    colours (n,)."""
    cells = np.pad(labels.astype(np.int32) * colours + at, _MARGIN, "edge")
    pieces = label(cells, background=-1, connectivity=1)
    crumb = np.bincount(pieces.ravel()) < _CRUMB
    crumb[0] = False
    if crumb.any() and not crumb[1:].all():
        cells = spread(np.where(crumb[pieces], 0, cells + 1)) - 1
        pieces = label(cells, background=-1, connectivity=1)
    cell = np.zeros(int(pieces.max()), np.intp)
    cell[pieces.ravel() - 1] = cells.ravel()
    return (pieces - 1).astype(np.int32), cell // colours, cell % colours


def _polygons(found: Outlines, opaque: NDArray[np.bool_], pieces: Labels) -> tuple[list[Array], list[int]]:
    """One polygon a piece with its holes cut into it where it has to be, the largest first, and whose they are."""
    outer = np.flatnonzero(found.area > 0)
    outer = outer[np.argsort(-found.area[outer], kind="stable")]
    holes: dict[int, list[Array]] = {}
    for hole in _open_holes(found, opaque, pieces).tolist():
        holes.setdefault(int(found.region[hole]), []).append(found.of(hole))
    owner = found.region[outer].tolist()
    return [_cut(found.of(i), holes.get(piece, [])) for i, piece in zip(outer.tolist(), owner, strict=True)], owner


def _open_holes(found: Outlines, opaque: NDArray[np.bool_], pieces: Labels) -> Ints:
    """The holes in which something is not opaque, however deep inside."""
    holes = np.flatnonzero((found.area < 0) & opaque[found.region])
    clear = np.flatnonzero(~opaque)
    if not len(holes) or not len(clear):
        return np.zeros(0, np.intp)
    deep = ndimage.distance_transform_cdt(~opaque[pieces])
    places = [(x + 0.5, y + 0.5) for y, x in ndimage.maximum_position(deep, pieces, clear)]
    return holes[[any(_inside(found.of(hole), place) for place in places) for hole in holes.tolist()]]


def _inside(polygon: Array, point: tuple[float, float]) -> bool:
    return len(_crossings(polygon, point)[0]) % 2 == 1


def _crossings(polygon: Array, point: tuple[float, float]) -> tuple[Ints, Array]:
    """Which edges of a polygon, by their first point, a ray from a point to the right meets, and at which x."""
    x, y = point
    start, end = polygon, np.roll(polygon, -1, 0)
    edges = np.flatnonzero((start[:, 1] > y) != (end[:, 1] > y))
    start, end = start[edges], end[edges]
    at = start[:, 0] + (y - start[:, 1]) / (end[:, 1] - start[:, 1]) * (end[:, 0] - start[:, 0])
    return edges[at >= x], at[at >= x]


def _cut(polygon: Array, holes: list[Array]) -> Array:
    """A polygon with holes as one outline: from the right end of each hole, the rightmost first, a cut leads to the next edge."""
    for hole in sorted(holes, key=lambda hole: -hole[:, 0].max()):
        start = int(hole[:, 0].argmax())
        edges, at = _crossings(polygon, (hole[start, 0], hole[start, 1]))
        if len(edges):
            edge, end = int(edges[at.argmin()]) + 1, np.array([[at.min(), hole[start, 1]]])
            around = np.roll(hole, -start, 0)
            polygon = np.concatenate([polygon[:edge], end, around, around[:1], end, polygon[edge:]])
    return polygon


def _strokes(polygons: list[Array], colour: Ints, palette: Colours, names: Sequence[str], like: Strokes, home: str) -> Strokes:
    points = np.concatenate([np.zeros((0, 2)), *polygons])
    n, s = len(points), len(polygons)
    index = like.layers.index(home)
    plane = planes.planes(like).get(index)
    depth = np.full(n, _depth(like, index)) if plane is None else planes.on_plane(points, plane)
    return Strokes(
        size=like.size, points=points, depth=depth, handles=np.repeat(points[:, None], 2, axis=1),
        widths=np.ones(n, np.float32), opacity=np.zeros(n, np.float32),
        offsets=np.cumsum([0, *map(len, polygons)], dtype=np.int32),
        curve_type=np.full(s, POLY, np.uint8), cyclic=np.ones(s, bool),
        line_colour=np.zeros((s, 4), np.float32), fill_colour=(palette[colour] / np.float32(255)).astype(np.float32),
        layer=np.zeros(s, np.int32), material=colour.astype(np.int32), source=np.full(s, -1, np.int32),
        layers=(home,), matrices=like.matrices[[index]], materials=tuple(names), drawing=like.drawing,
    )  # fmt: skip


def _depth(like: Strokes, layer: int) -> float:
    """The mean depth of a layer's strokes, which lie on no plane; without any that of its origin."""
    mine = np.repeat(like.layer, np.diff(like.offsets)) == layer
    if mine.any():
        return float(like.depth[mine].mean())
    _, _, z, w = like.matrices[layer, :, 3]
    return float(z / w)
