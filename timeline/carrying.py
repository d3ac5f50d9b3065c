"""What a take moved, laid on what the artist drew: the drawing of a result, stroke by stroke from its source or from the take alone."""

from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..engine.strokes import BEZIER, CATMULL_ROM, NURBS, POLY, Strokes
from . import attributes
from .curves import DEFAULT_RADIUS
from .projection import unproject
from .versions import FILLS_BY_ATTRIBUTE

Values = NDArray[Any]

TYPE_NAMES = {CATMULL_ROM: "CATMULL_ROM", POLY: "POLY", BEZIER: "BEZIER", NURBS: "NURBS"}

SAME = 1e-5
"""Share of a drawing's extent by which a point may differ from the one that was read and still be it."""


@dataclass(frozen=True)
class Attribute:
    """One attribute of a drawing: the values of all its points or of all its strokes."""

    data_type: str
    domain: str
    values: Values


@dataclass(frozen=True)
class Drawing:
    """A drawing in its layer's own space, with every attribute that it has."""

    offsets: NDArray[np.int32]
    attributes: dict[str, Attribute]

    def values(self, name: str) -> Values:
        """An attribute's values; Blender's default where the drawing does not have it."""
        if name in self.attributes:
            return self.attributes[name].values
        if name.startswith("handle_"):
            return self.values("position")
        _, domain, default = _USUAL[name]
        count = self.offsets[-1] if domain == "POINT" else len(self.offsets) - 1
        return np.broadcast_to(np.asarray(default), (count, *np.shape(default)))


@dataclass(frozen=True)
class Measure:
    """What turns a width in pixels into a radius on a layer: the world's units a unit of the layer, over the object's scale; the
    layer's radius offset, which Blender adds; and the object's material slots by name."""

    scale: float
    radius_offset: float
    slots: tuple[str, ...]


def read_drawing(drawing: bpy.types.GreasePencilDrawing) -> Drawing:
    """A drawing with all its attributes but text and Blender's hidden ones."""
    kept = [a for a in drawing.attributes if attributes.known(a) and a.domain in ("POINT", "CURVE") and not a.name.startswith(".")]
    return Drawing(attributes.offsets(drawing), {a.name: Attribute(a.data_type, a.domain, attributes.values(a)) for a in kept})


def write_drawing(drawing: bpy.types.GreasePencilDrawing, content: Drawing) -> None:
    """Fills an empty drawing."""
    if len(content.offsets) < 2:
        return
    drawing.add_strokes(np.diff(content.offsets).tolist())
    types = content.values("curve_type")
    for number in set(types.tolist()) - {POLY}:
        # writing the attribute alone would leave Blender's count of curves a type as it was
        drawing.set_types(type=TYPE_NAMES[number], indices=np.flatnonzero(types == number).tolist())
    for name, attribute in content.attributes.items():
        if name != "curve_type":
            attributes.write(drawing, name, attribute.data_type, attribute.domain, attribute.values)
    drawing.tag_positions_changed()


def carried(now: Strokes, was: Strokes | None, source: Drawing | None, layer: str, measure: Measure) -> Drawing:
    """The layer's drawing that `now` shows. Strokes whose source is as `was` found it are moved, the others are made anew."""
    now = on_layer(now, layer)
    made = _made(now, measure)
    if was is None or source is None:
        return made
    was = on_layer(was, layer)
    mine, read = _unchanged(now, was, source)
    to, at, of = _points(now.offsets, mine), _points(was.offsets, read), _points(source.offsets, was.source[read])
    move = _Move(now, was, made, _made(was, measure), to, at, measure.radius_offset)
    found: dict[str, Attribute] = {}
    for name in {**made.attributes, **source.attributes}:
        new = made.attributes.get(name) or _blank(source.attributes[name], made.offsets)
        values, old = new.values.copy(), source.values(name)
        if name == "fill_id":
            values[values != 0] += old.max(initial=0)
        if new.domain == "CURVE":
            values[mine] = old[was.source[read]]
        else:
            values[to] = move.of(name, old[of])
        if name in source.attributes or not _is_default(name, values):
            found[name] = replace(new, values=attributes.as_stored(new.data_type, values))
    return Drawing(made.offsets, found)


@dataclass(frozen=True)
class _Move:
    """What a take did to the points that are the source's: points `to` of `now` were points `at` of `was`."""

    now: Strokes
    was: Strokes
    made: Drawing
    before: Drawing
    to: Values
    at: Values
    radius_offset: float

    def of(self, name: str, old: Values) -> Values:
        """The values of an attribute of these points, `old` being the source's: where nothing changed they are the same to the bit."""
        now, was, to, at = self.now, self.was, self.to, self.at
        if name in ("position", "handle_left", "handle_right"):
            change = self.made.values(name)[to] - self.before.values(name)[at]
            return np.where(self._is_still(name)[:, None], old, old + change)
        if name == "radius":
            ratio = np.divide(now.widths[to], was.widths[at], out=np.ones(len(to), np.float32), where=was.widths[at] > 0)
            return np.where(ratio == 1, old, (old + self.radius_offset) * ratio - self.radius_offset)
        if name == "opacity":
            return np.where(now.opacity[to] == was.opacity[at], old, now.opacity[to])
        return old

    def _is_still(self, name: str) -> Values:
        still = (self.now.points[self.to] == self.was.points[self.at]).all(axis=1) & (self.now.depth[self.to] == self.was.depth[self.at])
        if name == "position":
            return still
        side = int(name == "handle_right")
        return still & (self.now.handles[self.to, side] == self.was.handles[self.at, side]).all(axis=1)


def on_layer(strokes: Strokes, layer: str) -> Strokes:
    """The strokes of one layer alone."""
    index = strokes.layers.index(layer) if layer in strokes.layers else -1
    mine = np.flatnonzero(strokes.layer == index)
    points = _points(strokes.offsets, mine)
    by_point = {name: getattr(strokes, name)[points] for name in ("points", "depth", "handles", "widths", "opacity")}
    names = ("curve_type", "cyclic", "line_colour", "fill_colour", "material", "source")
    by_stroke = {name: getattr(strokes, name)[mine] for name in names}
    return replace(
        strokes,
        **by_point,
        **by_stroke,
        offsets=np.cumsum([0, *np.diff(strokes.offsets)[mine]], dtype=np.int32),
        layer=np.zeros(len(mine), np.int32),
        layers=(layer,),
        matrices=strokes.matrices[[index]] if index >= 0 else np.eye(4)[None],
    )


def _made(strokes: Strokes, measure: Measure) -> Drawing:
    """One layer's strokes as a drawing made from them alone. Places stay in double precision until they are written."""
    matrix, size = strokes.matrices[0], strokes.size
    position = unproject(matrix, strokes.points, strokes.depth, size)
    across = [np.linalg.norm(unproject(matrix, strokes.points + step, strokes.depth, size) - position, axis=1) for step in ((1, 0), (0, 1))]
    radius = strokes.widths / 2 * np.sqrt(across[0] * across[1]) * measure.scale - measure.radius_offset
    slots = {name: slot for slot, name in enumerate(measure.slots)}
    slot_of = np.array([slots.get(name, 0) for name in strokes.materials] + [0])
    bare = strokes.material < 0
    along = np.repeat(bare, np.diff(strokes.offsets))
    values: dict[str, Values] = {
        "position": position,
        "radius": radius,
        "opacity": strokes.opacity,
        "vertex_color": np.repeat(_paint(strokes.line_colour), np.diff(strokes.offsets), axis=0) * along[:, None],
        "curve_type": strokes.curve_type,
        "cyclic": strokes.cyclic,
        "material_index": slot_of[strokes.material],
        "fill_color": _paint(strokes.fill_colour) * bare[:, None],
        "fill_opacity": np.where(bare, strokes.fill_colour[:, 3], 1),
    }
    if (strokes.curve_type == BEZIER).any():
        for side, name in enumerate(("handle_left", "handle_right")):
            values[name] = unproject(matrix, strokes.handles[:, side], strokes.depth, size)
    if FILLS_BY_ATTRIBUTE:
        values["hide_stroke"] = strokes.line_colour[:, 3] == 0
        values["fill_id"] = np.where(strokes.fill_colour[:, 3] > 0, np.arange(1, len(strokes.source) + 1), 0)
    return Drawing(strokes.offsets, {name: Attribute(*_USUAL[name][:2], array) for name, array in values.items()})


def _unchanged(now: Strokes, was: Strokes, source: Drawing) -> tuple[Values, Values]:
    """The strokes of `now` and of `was` that are the same stroke of the source drawing, which has not been edited since."""
    sizes = np.diff(source.offsets)
    read = np.full(len(sizes), -1)
    known = np.flatnonzero((was.source >= 0) & (was.source < len(sizes)))
    read[was.source[known]] = known
    mine = np.flatnonzero((now.source >= 0) & (now.source < len(sizes)))
    mine = mine[read[now.source[mine]] >= 0]
    found = read[now.source[mine]]
    size = sizes[now.source[mine]]
    fits = (np.diff(now.offsets)[mine] == size) & (np.diff(was.offsets)[found] == size) & (size > 0)
    mine, found = mine[fits], found[fits]
    if not len(mine):
        return mine, found
    there = unproject(was.matrices[0], was.points, was.depth, was.size)[_points(was.offsets, found)]
    drawn = source.values("position")[_points(source.offsets, was.source[found])]
    off = np.abs(there - drawn).max(axis=1)
    starts = np.cumsum([0, *np.diff(was.offsets)[found][:-1]])
    same = np.maximum.reduceat(off, starts) <= SAME * (np.ptp(drawn, axis=0).max() + 0.1)
    return mine[same], found[same]


def _points(offsets: Values, strokes: Values) -> Values:
    """The indices of all points of some strokes, in the order of the strokes."""
    counts = np.diff(offsets)[strokes]
    starts = np.repeat(offsets[:-1][strokes] - np.cumsum([0, *counts])[:-1], counts)
    return (starts + np.arange(counts.sum())).astype(np.int64)


def _blank(like: Attribute, offsets: Values) -> Attribute:
    """An attribute as the source has it, for as many points or strokes as there are now; new strokes have zeros, or ones for a ratio."""
    count = offsets[-1] if like.domain == "POINT" else len(offsets) - 1
    start = 1 if like.data_type == "FLOAT" and like.domain == "CURVE" else 0
    return replace(like, values=np.full((count, *like.values.shape[1:]), start, like.values.dtype))


def _paint(colours: Values) -> Values:
    """sRGB colours (s, 4) as Blender's own colours of a stroke: linear, mixed in wholly."""
    rgb = colours[:, :3]
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.concatenate([linear, np.ones((len(rgb), 1))], axis=1)


def _is_default(name: str, values: Values) -> bool:
    return bool((values == np.asarray(_USUAL[name][2], values.dtype)).all())


_USUAL: dict[str, tuple[str, str, Any]] = {
    "position": ("FLOAT_VECTOR", "POINT", (np.nan,) * 3),
    "handle_left": ("FLOAT_VECTOR", "POINT", (np.nan,) * 3),
    "handle_right": ("FLOAT_VECTOR", "POINT", (np.nan,) * 3),
    "radius": ("FLOAT", "POINT", DEFAULT_RADIUS),
    "opacity": ("FLOAT", "POINT", 1.0),
    "vertex_color": ("FLOAT_COLOR", "POINT", (0.0,) * 4),
    "curve_type": ("INT8", "CURVE", CATMULL_ROM),
    "cyclic": ("BOOLEAN", "CURVE", False),
    "material_index": ("INT", "CURVE", 0),
    "fill_color": ("FLOAT_COLOR", "CURVE", (0.0,) * 4),
    "fill_opacity": ("FLOAT", "CURVE", 1.0),
    "hide_stroke": ("BOOLEAN", "CURVE", False),
    "fill_id": ("INT", "CURVE", 0),
}
"""Data type, domain and Blender's default of the attributes that a take knows of."""
