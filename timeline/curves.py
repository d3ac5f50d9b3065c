"""One layer's drawing as arrays, in the layer's own space and in Blender's own terms."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..engine.strokes import CATMULL_ROM
from . import attributes

Floats = NDArray[np.float32]

DEFAULT_RADIUS = 0.01


@dataclass(frozen=True)
class Curves:
    """s strokes of n control points: the fields before `offsets` are (n, ...), those after it (s, ...)."""

    position: Floats
    left: Floats
    right: Floats
    radius: Floats
    opacity: Floats
    colour: Floats
    """(n, 4) linear; its alpha is how much of it is mixed in."""
    offsets: NDArray[np.int32]
    """(s + 1,)"""
    curve_type: NDArray[np.int8]
    cyclic: NDArray[np.bool_]
    material: NDArray[np.int32]
    fill_colour: Floats
    """(s, 4) linear; its alpha is how much of it is mixed in."""
    fill_opacity: Floats
    hide_line: NDArray[np.bool_]
    fill_id: NDArray[np.int32]
    source: NDArray[np.int32]


_POINTS = ("position", "left", "right", "radius", "opacity", "colour")
_STROKES = ("curve_type", "cyclic", "material", "fill_colour", "fill_opacity", "hide_line", "fill_id", "source")


def read_curves(drawing: bpy.types.GreasePencilDrawing) -> Curves:
    """The drawing's strokes, with Blender's defaults for what it does not say."""
    offsets = attributes.offsets(drawing)
    n, s = int(offsets[-1]), len(offsets) - 1

    def of(name: str, count: int, default: Any) -> NDArray[Any]:
        return attributes.read(drawing, name, count, default)

    position = of("position", n, np.zeros(3, np.float32))
    return Curves(
        position=position,
        left=_handle(drawing, "handle_left", position),
        right=_handle(drawing, "handle_right", position),
        radius=of("radius", n, np.float32(DEFAULT_RADIUS)),
        opacity=of("opacity", n, np.float32(1)),
        colour=of("vertex_color", n, np.zeros(4, np.float32)),
        offsets=offsets,
        curve_type=of("curve_type", s, np.int8(CATMULL_ROM)),
        cyclic=of("cyclic", s, np.bool_(False)),
        material=of("material_index", s, np.int32(0)),
        fill_colour=of("fill_color", s, np.zeros(4, np.float32)),
        fill_opacity=of("fill_opacity", s, np.float32(1)),
        hide_line=of("hide_stroke", s, np.bool_(False)),
        fill_id=of("fill_id", s, np.int32(0)),
        source=np.arange(s, dtype=np.int32),
    )


def cut(curves: Curves, depth: NDArray[np.float64]) -> Curves:
    """The parts of the curves where `depth` (n,), which is taken to change evenly between control points, is not negative.

    A stroke that loses a part comes back as open pieces that are nobody's stroke: their `source` is -1.
    """
    pieces: list[list[tuple[int, int, float]]] = []
    strokes, whole = [], []
    for stroke, (first, end) in enumerate(pairwise(curves.offsets.tolist())):
        inside = depth[first:end] >= 0
        parts = [[(i, i, 0.0) for i in range(first, end)]] if inside.all() else _parts(depth, first, end, bool(curves.cyclic[stroke]))
        pieces += parts
        strokes += [stroke] * len(parts)
        whole += [bool(inside.all())] * len(parts)
    before, after, share = (
        (np.array(column) for column in zip(*(p for piece in pieces for p in piece), strict=True)) if pieces else ([],) * 3
    )
    index, kept = np.array(strokes, int), np.array(whole, bool)
    points = {name: _between(getattr(curves, name), np.array(before, int), np.array(after, int), np.array(share)) for name in _POINTS}
    rest = {name: getattr(curves, name)[index] for name in _STROKES}
    rest |= {"cyclic": rest["cyclic"] & kept, "source": np.where(kept, rest["source"], -1).astype(np.int32)}
    return replace(curves, **points, **rest, offsets=np.cumsum([0, *map(len, pieces)], dtype=np.int32))


@dataclass(frozen=True)
class Along:
    """Places on strokes: each between two of their points, by index, and the share of the way between them."""

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    share: NDArray[np.float64]

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """The values that the strokes' points have, at these places: on a point its own to the bit; of whole numbers the nearer one."""
        if values.dtype.kind != "f" or not self.share.any():
            return values[np.where(self.share < 0.5, self.before, self.after)]
        on_point = (self.share == 0).reshape(-1, *[1] * (values.ndim - 1))
        return np.where(on_point, values[self.before], _between(values, self.before, self.after, self.share))

    def put(self, at: NDArray[np.int64], places: "Along") -> None:
        """Sets some of these places, by index, to others."""
        self.before[at], self.after[at], self.share[at] = places.before, places.after, places.share

    def shifted(self, by: NDArray[np.int64]) -> "Along":
        """The same places where the strokes' points stand elsewhere in the arrays."""
        return Along(self.before + by, self.after + by, self.share)


def way(position: Floats, left: Floats, right: Floats, offsets: NDArray[np.int32], cyclic: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) How far along its stroke each control point lies, 0..1 of the whole length; a cyclic stroke comes back to its start at 1.

    A piece is as long as the mean of its chord and its control polygon, which is near the curve's length.
    """
    after = np.arange(1, len(position) + 1)
    first, last = offsets[:-1][np.diff(offsets) > 0], offsets[1:][np.diff(offsets) > 0] - 1
    after[last] = first
    corners = np.stack([position, right, left[after], position[after]]).astype(np.float64)
    length = (np.linalg.norm(np.diff(corners, axis=0), axis=2).sum(axis=0) + np.linalg.norm(corners[3] - corners[0], axis=1)) / 2
    length[last] *= cyclic[np.diff(offsets) > 0]
    end = np.cumsum(length)
    before = end - length
    stroke = np.repeat(np.arange(len(first)), (last - first) + 1)
    start, total = before[first][stroke], (end[last] - before[first])[stroke]
    return np.clip(np.divide(before - start, total, out=np.zeros(len(position)), where=total > 0), 0, 1)


def along(
    share: NDArray[np.float64], stroke: NDArray[np.int64], way: NDArray[np.float64], offsets: NDArray[np.int32], cyclic: NDArray[np.bool_]
) -> Along:
    """The places (m,) that lie some share of the way, 0..1, along some strokes, of whose control points `way` (n,) says the same."""
    on = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    first, last = offsets[:-1][stroke].astype(np.int64), offsets[1:][stroke].astype(np.int64) - 1
    before = np.searchsorted(2 * on + way, 2 * stroke + share, side="right").astype(np.int64) - 1
    before = np.clip(before, first, last)
    wraps = before == last
    after = np.where(wraps, np.where(cyclic[stroke], first, last), before + 1)
    length = np.where(wraps, 1.0, way[after]) - way[before]
    rest = np.divide(share - way[before], length, out=np.zeros(len(share)), where=length > 0)
    return Along(before, after, np.clip(rest, 0, 1))


def _parts(depth: NDArray[np.float64], first: int, end: int, cyclic: bool) -> list[list[tuple[int, int, float]]]:
    """The runs of a stroke's points in front, each point as (before, after, share of the way between them)."""
    order = list(range(first, end))
    if cyclic:
        start = int(np.argmax(depth[first:end] < 0))
        order = order[start:] + order[: start + 1]
    parts: list[list[tuple[int, int, float]]] = [[]]
    for a, b in pairwise([*order, order[-1]]):  # each point with the next, the last with itself
        if depth[a] >= 0:
            parts[-1].append((a, a, 0.0))
        if (depth[a] >= 0) != (depth[b] >= 0):
            parts[-1].append((a, b, float(depth[a] / (depth[a] - depth[b]))))
            if depth[b] < 0:
                parts.append([])
    return [part for part in parts if len(part) > 1]


def _between(values: Floats, before: NDArray[Any], after: NDArray[Any], share: NDArray[Any]) -> Floats:
    low, high = values[before], values[after]
    return low + (high - low) * share.reshape(-1, *[1] * (values.ndim - 1)).astype(np.float32)


def _handle(drawing: bpy.types.GreasePencilDrawing, name: str, position: Floats) -> Floats:
    """A Bézier handle; on drawings that have none, the point itself."""
    attribute = drawing.attributes.get(name)
    return attributes.values(attribute) if attribute is not None else position
