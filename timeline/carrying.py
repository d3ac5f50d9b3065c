"""What a take drew, laid on what the artist drew: the drawing of a result, stroke by stroke from its source or from the take alone."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..engine.strokes import BEZIER, Strokes
from . import attributes
from .colours import linear
from .curves import Along, along
from .drawings import USUAL, Attribute, Drawing, Values, is_default
from .projection import unproject
from .versions import FILLS_BY_ATTRIBUTE

SAME = 1e-5
"""Share of a drawing's extent by which a point may differ from the one that was read and still be it."""

_PLACE = ("position", "handle_left", "handle_right")
_FORM = (*_PLACE, "curve_type", "cyclic")
_OWN = (*_FORM, "radius", "opacity", "hide_stroke", "fill_opacity", "fill_id")
"""What even a new stroke that looks like another one has of its own."""


@dataclass(frozen=True)
class Measure:
    """What turns a width in pixels into a radius on a layer: the world's units a unit of the layer, over the object's scale; the
    layer's radius offset, which Blender adds; and the object's material slots by name."""

    scale: float
    radius_offset: float
    slots: tuple[str, ...]


def carried(now: Strokes, was: Strokes | None, source: Drawing | None, layer: str, measure: Measure) -> Drawing:
    """The layer's drawing that `now` shows: the strokes of the source, if it is as `was` found it, with all that they have there.

    A stroke that comes back with its own points is moved. One that comes back with others lies where `now` says and has its source's
    look at the same share of the way. A new stroke of a material looks like the nearest one of it. `now` alone says how others are.
    """
    now = on_layer(now, layer)
    made = _made(now, measure)
    if was is None or source is None:
        return made
    was = on_layer(was, layer)
    look = _Look(now, was, made, _made(was, measure), source, _kin(now, was, made, source), measure.radius_offset)
    found: dict[str, Attribute] = {}
    for name in {**made.attributes, **source.attributes}:
        new = made.attributes.get(name) or _blank(source.attributes[name], made.offsets)
        values = look.of(name, new)
        if name in source.attributes or not is_default(name, values):
            found[name] = replace(new, values=attributes.as_stored(new.data_type, values))
    return Drawing(made.offsets, found)


@dataclass(frozen=True)
class _Kin:
    """The strokes of a result, k of p points in all, that look like strokes of the source."""

    mine: Values
    """(k,) Their indices in the result."""
    of: Values
    """(k,) Those of the source's strokes."""
    new: NDArray[np.bool_]
    """(k,) Whether one is no stroke of the source, but like it."""
    to: Values
    """(p,) Their points' indices in the result."""
    source: Along
    """(p,) Where these lie along the source's strokes."""
    was: Along
    """(p,) The same as it was read."""
    same: NDArray[np.bool_]
    """(p,) Whether one is a point of the source, moved."""


@dataclass(frozen=True)
class _Look:
    """What the strokes of a result have of the source's strokes."""

    now: Strokes
    was: Strokes
    made: Drawing
    before: Drawing
    source: Drawing
    kin: _Kin
    radius_offset: float

    def of(self, name: str, new: Attribute) -> Values:
        """An attribute's values, those of `new` where nothing is known; where nothing changed they are the source's to the bit."""
        kin, values, old = self.kin, new.values.copy(), self.source.values(name)
        if name == "fill_id":
            values[values != 0] += old.max(initial=0)
        like = ~kin.new | (name not in _OWN)
        if name in _PLACE:
            values[kin.to[kin.same]] = self._moved(name, old)
        elif new.domain == "POINT":
            at = np.repeat(like, np.diff(self.now.offsets)[kin.mine])
            values[kin.to[at]] = self._along(name, kin.source.of(old))[at]
        elif name not in _FORM:
            values[kin.mine[like]] = old[kin.of[like]]
        return values

    def _moved(self, name: str, old: Values) -> Values:
        """The places of the points that are the source's."""
        to, at, of = (indices[self.kin.same] for indices in (self.kin.to, self.kin.was.before, self.kin.source.before))
        still = (self.now.points[to] == self.was.points[at]).all(axis=1) & (self.now.depth[to] == self.was.depth[at])
        if name != "position":
            side = int(name == "handle_right")
            still &= (self.now.handles[to, side] == self.was.handles[at, side]).all(axis=1)
        change = self.made.values(name)[to] - self.before.values(name)[at]
        return np.where(still[:, None], old[of], old[of] + change)

    def _along(self, name: str, old: Values) -> Values:
        """The other values of all points, `old` being the source's there."""
        if name == "radius":
            now, was = self.now.widths[self.kin.to], self.kin.was.of(self.was.widths)
            ratio = np.divide(now, was, out=np.ones(len(now), np.float32), where=was > 0)
            return np.where(ratio == 1, old, (old + self.radius_offset) * ratio - self.radius_offset)
        if name == "opacity":
            now = self.now.opacity[self.kin.to]
            return np.where(now == self.kin.was.of(self.was.opacity), old, now)
        return old


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
        "fill_opacity": np.where(bare | (strokes.fill_colour[:, 3] == 0), strokes.fill_colour[:, 3], 1),
    }
    if (strokes.curve_type == BEZIER).any():
        for side, name in enumerate(("handle_left", "handle_right")):
            values[name] = unproject(matrix, strokes.handles[:, side], strokes.depth, size)
    if FILLS_BY_ATTRIBUTE:
        values["hide_stroke"] = strokes.line_colour[:, 3] == 0
        values["fill_id"] = np.where(strokes.fill_colour[:, 3] > 0, np.arange(1, len(strokes.source) + 1), 0)
    return Drawing(strokes.offsets, {name: Attribute(*USUAL[name][:2], array) for name, array in values.items()})


def _kin(now: Strokes, was: Strokes, made: Drawing, source: Drawing) -> _Kin:
    """Finds to each stroke of `now` the one of the source that it is or, where it is new, the nearest one of its material."""
    read = _as_drawn(was, source)
    mine = np.flatnonzero((now.source >= 0) & (now.source < len(read)))
    mine = mine[read[now.source[mine]] >= 0]
    new, nearest = _nearest(now, was, read[read >= 0])
    strokes, found = np.concatenate([mine, new]), np.concatenate([read[now.source[mine]], nearest])
    of, counts = was.source[found], np.diff(now.offsets)[strokes]
    same = (counts == np.diff(was.offsets)[found]) & (now.curve_type[strokes] == was.curve_type[found])
    same[len(mine) :] = False
    on, to = np.repeat(np.arange(len(strokes)), counts), _points(now.offsets, strokes)
    before = to + (source.offsets[of] - now.offsets[strokes])[on]
    place = Along(before, before.copy(), np.zeros(len(to)))
    if len(anew := np.flatnonzero(~same[on])):
        place.put(anew, along(made.way()[to[anew]], of[on][anew], source.way(), source.offsets, source.values("cyclic")))
    is_new = np.arange(len(strokes)) >= len(mine)
    return _Kin(strokes, of, is_new, to, place, place.shifted((was.offsets[found] - source.offsets[of])[on]), same[on])


def _as_drawn(was: Strokes, source: Drawing) -> Values:
    """(s,) Which stroke of `was` each stroke of the source is; -1 where it was not read whole or has been edited since."""
    sizes = np.diff(source.offsets)
    read = np.full(len(sizes), -1)
    known = np.flatnonzero((was.source >= 0) & (was.source < len(sizes)))
    known = known[(np.diff(was.offsets)[known] == sizes[was.source[known]]) & (sizes[was.source[known]] > 0)]
    if not len(known):
        return read
    there = unproject(was.matrices[0], was.points, was.depth, was.size)[_points(was.offsets, known)]
    drawn = source.values("position")[_points(source.offsets, was.source[known])]
    off = np.abs(there - drawn).max(axis=1)
    starts = np.cumsum([0, *np.diff(was.offsets)[known][:-1]])
    known = known[np.maximum.reduceat(off, starts) <= SAME * (np.ptp(drawn, axis=0).max() + 0.1)]
    read[was.source[known]] = known
    return read


def _nearest(now: Strokes, was: Strokes, known: Values) -> tuple[Values, Values]:
    """The new strokes of `now` that have a material, and of the `known` strokes of `was` the nearest of the same material to each."""
    new = np.flatnonzero((now.source < 0) & (now.material >= 0) & (np.diff(now.offsets) > 0))
    middle = now.points[(now.offsets[new] + now.offsets[new + 1]) // 2]
    stroke = np.repeat(known, np.diff(was.offsets)[known])
    if not len(new) or not len(stroke):
        return np.zeros(0, int), np.zeros(0, int)
    points = was.points[_points(was.offsets, known)]
    names, read = (np.array([*strokes.materials, ""]) for strokes in (now, was))
    # squared and less the middle's own square, by one product of matrices: many new strokes are many million distances
    far = (points**2).sum(axis=1) - 2 * middle @ points.T
    far[names[now.material[new]][:, None] != read[was.material[stroke]]] = np.inf
    found = np.isfinite(far.min(axis=1))
    return new[found], stroke[far.argmin(axis=1)][found]


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
    return np.concatenate([linear(colours[:, :3]), np.ones((len(colours), 1))], axis=1)
