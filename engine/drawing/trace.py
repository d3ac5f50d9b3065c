"""Raster sketches to strokes: centre lines with widths, cut as the source drawing's strokes are, each itself from frame to frame.

Knows arrays of ink alone: no file, no pipeline, no Blender.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from ..strokes import BEZIER, Strokes
from . import raster
from .centrelines import CentreLines, centre_lines, levelled
from .ends import continued
from .fitting import fitted
from .identity import follow, paired, resampled_as
from .joining import Path, joined
from .leftovers import Explained, unexplained
from .planes import laid, planes
from .raster import MIN_WIDTH
from .redrawing import redrawn
from .refitting import Shape, divided, evenly, refitted, sampled
from .single import Stroke, apart, together
from .ways import Found, Way

Array = NDArray[np.float64]

TOLERANCE = 0.25
"""Pixels of the ink by which a fitted curve may leave the traced centre line."""
HOLD = 0.5
"""Pixels of the ink; a stroke of which nothing moved farther than this since the last drawing stays as it was, to the bit."""

_LOOSER = 4.0
"""Tolerances by which a known stroke may leave its line before it gets more control points than it had."""
_LOOSE = 0.12
"""The same as a share of its width."""
_SPACING, _PLACES = 2.0, 250
"""Pixels between the places of a stroke that are looked for, and how many they are at most."""
_ECHO = 0.7
"""Share of a new stroke that strokes of the source explain, from which it is none."""
_FILLS, _BROAD, _SHARE, _KNOWN_SHARE = 3, 1.6, 0.4, 1.0
"""How often bare ink is filled in, and from which radius in pixels and in widths of the drawing's lines; the same where strokes are known."""
_DOT = 1.2
"""Widths up to which a stroke is a dot."""
_SAME_WIDTH = 0.12
"""Share of its width by which a stroke that is held may differ."""
_POINT = 0.5
"""Widths up to which a new stroke is a single point."""
_TRIES = 3
"""How often a stroke's places are moved along its line to fit."""
_DENSE = 12.0
"""Pixels between a known stroke's control points below which it gets no more of them."""
_FULL = 0.85
"""Ink from which on a new stroke is opaque."""


class Tracer:
    """Traces frame after frame, in order: what it returned last is the only state.

    A stroke of a result whose `source` is 0 or more is that stroke of the source drawing, in the source's direction and order, on its
    layer, of its material and colours; it has the source's curve type, and the source's number of points where these fit the ink within
    four tolerances, so that a hand can interpolate; else twice as many, or more. Its widths are the source's times the ratio of the ink's
    widths to them, a parabola of the place along the stroke, and just the source's where all ratios are within an eighth of 1.
    Strokes of source -1 are new: cubic Béziers of few points (Schneider, An Algorithm for Automatically Fitting Digitized Curves, 1990),
    led to where they give the ink when drawn again, right above the stroke nearest to them.
    What moves stays on the plane of its layer, where the source's points lie on one.
    Strokes of the source that draw no line cannot be seen in ink: they move with the strokes near them.
    """

    def __init__(
        self, source: Strokes | None, size: tuple[int, int], tolerance: float = TOLERANCE, previous: Strokes | None = None
    ) -> None:
        """`source` is the drawing that the frames were made from; None where there is none: one layer "Lines" of `size` (width, height).

        `previous` is the last result of a run that was cut off: what follows is the same as if it had not been.
        """
        self.source = together([], _blank(size)) if source is None else source
        self.size = self.source.size
        self.tolerance = tolerance
        self.planes = planes(self.source)
        self.previous = self.source if previous is None else previous

    def trace(self, ink: NDArray[np.float32]) -> Strokes:
        """The strokes of the next frame, from its ink (h, w) 0..1, of any size: 0 paper, 1 full ink.

        The result's `size`, `layers`, `matrices`, `materials` and `drawing` are the source's. Where no stroke moved farther than HOLD, came
        or went, it is the very object returned before (for the first frame: the source), so that the caller can hold it.
        """
        scale = np.array(ink.shape[::-1]) / self.size
        lines = centre_lines(ink)
        known = _known(self.source, self.previous, scale)
        strokes = _followed(known, lines, (ink.shape[1], ink.shape[0]), scale, self.tolerance)
        before = [each.stroke for each in known if not each.missing]
        old = {id(stroke) for stroke in before}
        strokes = redrawn(strokes, _made_of_ink(strokes, old), self.source, ink, scale)
        strokes = _filled_in(strokes, self.source, ink, scale, self.tolerance)
        strokes = redrawn(strokes, _made_of_ink(strokes, old), self.source, ink, scale)
        strokes = [stroke if id(stroke) in old else laid(stroke, self.planes.get(stroke.layer)) for stroke in strokes]
        if len(strokes) != len(before) or any(a is not b for a, b in zip(strokes, before, strict=True)):
            self.previous = together(strokes, self.source)
        return self.previous


def trace(ink: NDArray[np.float32], tolerance: float = TOLERANCE) -> Strokes:
    """The strokes of one image (h, w) of ink 0..1, in its own pixels; all of them new."""
    height, width = ink.shape
    return Tracer(None, (width, height), tolerance).trace(ink)


def _blank(size: tuple[int, int]) -> Strokes:
    """What a drawing has that is made from nothing."""
    none, of_single, indices = np.zeros(0), np.zeros(0, np.float32), np.zeros(0, np.int32)
    return Strokes(
        size=size,
        points=none.reshape(0, 2),
        depth=none,
        handles=none.reshape(0, 2, 2),
        widths=of_single,
        opacity=of_single,
        offsets=np.zeros(1, np.int32),
        curve_type=np.zeros(0, np.uint8),
        cyclic=np.zeros(0, np.bool_),
        line_colour=of_single.reshape(0, 4),
        fill_colour=of_single.reshape(0, 4),
        layer=indices,
        material=indices,
        source=indices,
        layers=("Lines",),
        matrices=np.eye(4)[None],
    )


# --- what is known of a frame before it is seen


@dataclass(frozen=True)
class _Known:
    """A stroke that a frame may show: as the last frame showed it, or, where that did not, as the source has it, moved along."""

    stroke: Stroke
    style: Stroke
    """The stroke of the source, or itself where it is new."""
    missing: bool
    u: Array
    """(m,) its places"""
    way: Way
    """The same in pixels of the ink."""

    @property
    def drawn(self) -> bool:
        """Whether it can be seen in ink."""
        return bool(self.stroke.line_colour[3] > 0 and self.style.shape.widths.max(initial=0) > 0)


def _known(source: Strokes, previous: Strokes, scale: Array) -> list[_Known]:
    """The last frame's strokes and, where they would be, those of the source that it did not show; in order."""
    was, now = apart(source), apart(previous)
    if previous is source:
        return [_as_known(stroke, stroke, False, scale) for stroke in now]
    style = {stroke.key: stroke for stroke in was if stroke.source >= 0}
    shown = {stroke.key for stroke in now}
    pairs = [(style[stroke.key], stroke) for stroke in now if stroke.key in style]
    order: list[tuple[Stroke, Stroke, bool]] = [(stroke, style.get(stroke.key, stroke), False) for stroke in now]
    lost = [stroke for stroke in was if stroke.key not in shown]
    for stroke, moved in zip(lost, _carried(lost, pairs), strict=True):
        order.insert(_place(order, stroke), (moved, stroke, True))
    return [_as_known(*each, scale) for each in order]


def _place(order: list[tuple[Stroke, Stroke, bool]], stroke: Stroke) -> int:
    """Where a stroke of the source goes among others: before the first that the source has after it."""
    for i, (other, _, _) in enumerate(order):
        if other.source >= 0 and (other.layer, other.source) > (stroke.layer, stroke.source):
            return i
    return len(order)


def _as_known(stroke: Stroke, style: Stroke, missing: bool, scale: Array) -> _Known:
    shape = stroke.shape.scaled(scale)
    width = max(float(shape.widths.mean()), MIN_WIDTH) if len(shape.widths) else MIN_WIDTH
    u = sampled(shape, _SPACING, _PLACES)
    points = shape.at(u) if len(shape.points) else np.zeros((1, 2))
    if np.linalg.norm(np.diff(points, axis=0), axis=1).sum() < _DOT * width:
        u = np.array([shape.spans / 2])
        points = shape.at(u) if len(shape.points) else points
    widths = np.maximum(_along(shape, u / max(shape.spans, 1)), MIN_WIDTH) if len(shape.points) else np.ones(1)
    return _Known(stroke, style, missing, u, Way(points, widths, shape.cyclic, missing, stroke.source < 0 and style is stroke))


def _carried(strokes: list[Stroke], pairs: list[tuple[Stroke, Stroke]]) -> list[Stroke]:
    """Strokes moved as those near them were: `pairs` are strokes before and after."""
    same = [(a, b) for a, b in pairs if len(a.shape.points) == len(b.shape.points) and len(a.shape.points)]
    if not same:
        return strokes
    before = np.concatenate([a.shape.points for a, _ in same])
    moves = np.concatenate([b.shape.points for _, b in same]) - before
    tree, count = cKDTree(before), min(8, len(before))

    def move(points: Array) -> Array:
        gap, near = tree.query(points, k=np.arange(1, count + 1))
        weight = 1 / (gap + 1)
        return points + (moves[near] * weight[..., None]).sum(axis=-2) / weight.sum(axis=-1, keepdims=True)

    return [replace(s, shape=replace(s.shape, points=move(s.shape.points), handles=move(s.shape.handles))) for s in strokes]


# --- what a frame shows


def _followed(known: list[_Known], lines: CentreLines, size: tuple[int, int], scale: Array, tolerance: float) -> list[Stroke]:
    """The strokes of a frame, in order."""
    drawn = [each for each in known if each.drawn]
    ways = [each.way for each in drawn]
    found = _without_echoes(follow(ways, lines, size), ways)
    left = unexplained(joined(lines), found, ways)
    found, used = continued(found, ways, [path.points for path in left])
    left = [path for j, path in enumerate(left) if j not in used]
    found, left = _reassigned(drawn, found, left, float(np.hypot(*size)))
    kept = {id(each): _moved(each, at, scale, tolerance) for each, at in zip(drawn, found, strict=True) if at.seen}
    pairs = [(each.stroke, kept[id(each)]) for each in drawn if id(each) in kept]
    unseen = [each for each in known if not each.drawn]
    kept |= {id(each): stroke for each, stroke in zip(unseen, _carried([each.stroke for each in unseen], pairs), strict=True)}
    strokes = [kept[id(each)] for each in known if id(each) in kept]
    return _with_new(strokes, [each.stroke for each in known], left, scale, tolerance)


def _made_of_ink(strokes: list[Stroke], old: set[int]) -> list[bool]:
    """Which strokes the ink alone says the shape of: those of no source that came or moved."""
    return [stroke.source < 0 and id(stroke) not in old for stroke in strokes]


def _filled_in(strokes: list[Stroke], like: Strokes, ink: NDArray[np.float32], scale: Array, tolerance: float) -> list[Stroke]:
    """The strokes with broad ones for the ink that they leave bare: a filled shape has more to it than its middle line."""
    ink = levelled(ink)
    for _ in range(_FILLS):
        made = together(strokes, like)
        full = replace(
            made, opacity=np.ones_like(made.opacity), line_colour=np.where(made.line_colour[:, 3:] > 0, 1, 0) * np.ones(4, np.float32)
        )
        bare = np.where(raster.ink(full, (ink.shape[1], ink.shape[0])) < 0.5, ink, 0)
        core = ndimage.binary_opening(bare > 0.5, np.ones((3, 3)))
        areas, count = ndimage.label(core)
        width = float(np.median(made.widths)) * float(np.sqrt(scale.prod())) if len(made.widths) else 0.0
        broad = ndimage.maximum(ndimage.distance_transform_edt(core), areas, np.arange(count + 1)) >= max(
            _BROAD, (_SHARE if not len(like.cyclic) else _KNOWN_SHARE) * width
        )
        broad[0] = False
        if not broad.any():
            break
        keep = ndimage.binary_dilation(broad[areas])
        strokes = _with_new(strokes, strokes, joined(centre_lines(np.where(keep, bare, 0).astype(np.float32))), scale, tolerance)
    return strokes


def _without_echoes(found: list[Found], ways: list[Way]) -> list[Found]:
    """The strokes without the new ones of frames before that strokes of the source now explain."""
    known = Explained([replace(at, seen=at.seen and not way.new) for at, way in zip(found, ways, strict=True)], ways)
    echo = [way.new and at.seen and known.near(at.points)[0].mean() > _ECHO for at, way in zip(found, ways, strict=True)]
    return [replace(at, seen=at.seen and not gone) for at, gone in zip(found, echo, strict=True)]


def _reassigned(known: list[_Known], found: list[Found], left: list[Path], diagonal: float) -> tuple[list[Found], list[Path]]:
    """Gives strokes that were not found the paths that no stroke explains, where they are alike."""
    lost = [i for i, at in enumerate(found) if not at.seen]
    ways = [replace(known[i].way, points=found[i].points) for i in lost]
    pairs = paired(ways, [path.points for path in left], diagonal)
    covering = Explained(found, [each.way for each in known])
    found = list(found)
    for k, (i, way) in enumerate(zip(lost, ways, strict=True)):
        if k in pairs:
            path = left[pairs[k]]
            points = resampled_as(way, path.points) if len(way.points) > 1 else path.points.mean(axis=0, keepdims=True)
            near = cKDTree(path.points).query(points)[1]
            found[i] = Found(True, points, path.widths[near], np.ones(len(points), bool))
        elif len(way.points) == 1 and not way.missing and covering.near(way.points)[0][0]:
            found[i] = replace(found[i], seen=True)  # a dot under another stroke
    return found, [path for j, path in enumerate(left) if j not in pairs.values()]


def _moved(known: _Known, at: Found, scale: Array, tolerance: float) -> Stroke:
    """A stroke where the frame shows it; itself where it is held."""
    shape = known.stroke.shape.scaled(scale)
    ratio = _ratio(known, at, float(np.sqrt(scale.prod())))
    widths = _widths(known, ratio, len(shape.points))
    gap = np.linalg.norm(at.points - known.way.points, axis=1)
    wider = np.abs(widths / known.stroke.shape.widths.clip(1e-9) - 1).max(initial=0)
    if not known.missing and np.percentile(gap, 95) <= HOLD and wider <= max(_SAME_WIDTH, HOLD / known.way.width):
        return known.stroke
    weights = np.where(at.on, 1.0, 0.15)
    counted = at.on if at.on.any() else np.ones(len(known.u), bool)
    length = float(np.linalg.norm(np.diff(at.points, axis=0), axis=1).sum())
    enough = max(_LOOSER * tolerance, _LOOSE * known.way.width)
    for shape, u in _structures(known, scale, length):
        targets = at.points
        for _ in range(_TRIES):
            shape = refitted(shape, u, targets, weights)
            fine = shape.at(np.linspace(u[0], u[-1], 4 * len(u)))
            off = float(np.percentile(cKDTree(fine).query(at.points[counted])[0], 95))
            if off <= enough:
                break
            # its places may lie elsewhere along the line: only across it they must be right
            targets = _nearest(at.points, shape.at(u))
        if off <= enough:
            break
    like = known.style if len(shape.points) == len(known.style.depth) else known.stroke
    return like.reshaped(replace(shape.scaled(1 / scale), widths=_widths(known, ratio, len(shape.points))))


def _nearest(line: Array, places: Array) -> Array:
    """The places (m, 2) of a line (m, 2) nearest to others (m, 2); the ends stay the ends."""
    fine = np.linspace(0, len(line) - 1, 6 * len(line))
    dense = np.stack([np.interp(fine, np.arange(len(line)), line[:, axis]) for axis in (0, 1)], axis=1)
    found = dense[cKDTree(dense).query(places)[1]]
    found[[0, -1]] = line[[0, -1]]
    return found


def _structures(known: _Known, scale: Array, length: float) -> Iterator[tuple[Shape, Array]]:
    """The shapes that a stroke may be bent from, with its places on them: the source's, its own, then with ever more control points."""
    style, shape, u = known.style.shape.scaled(scale), known.stroke.shape.scaled(scale), known.u
    if len(style.points) != len(shape.points):
        yield style, evenly(style, len(u))
    yield shape, u
    while shape.spans and length / shape.spans > max(_DENSE, 3 * known.way.width):
        shape, u = divided(shape), 2 * u
        yield shape, u


def _ratio(known: _Known, at: Found, scale: float) -> Array:
    """Coefficients of the logarithm of the ratio of the ink's widths to the style's: even along the stroke, or changing smoothly."""
    spans = max(known.stroke.shape.spans, 1)
    t = known.u / spans
    style = np.maximum(_along(known.style.shape, t) * scale, MIN_WIDTH)
    good = at.on & np.isfinite(at.widths)
    if not good.any():
        return np.zeros(3)
    ratio = np.log(np.maximum(at.widths[good], MIN_WIDTH) / style[good])
    middle = float(np.median(ratio))
    basis = np.stack([np.ones(good.sum()), t[good] - 0.5, (t[good] - 0.5) ** 2], axis=1)
    left = basis.T @ basis + np.diag([0.0, 2.0, 4.0])
    found = np.linalg.solve(left, basis.T @ (ratio - middle).clip(-0.5, 0.5)) if good.sum() > 8 else np.zeros(3)
    found[0] += middle
    fits = np.abs(basis @ found).max() < _SAME_WIDTH
    return np.zeros(3) if fits else found


def _widths(known: _Known, ratio: Array, count: int) -> Array:
    """(count,) the style's widths times the ratio, in pixels of the sketch."""
    shape = known.style.shape
    t = np.linspace(0, 1, count, endpoint=not shape.cyclic) if count > 1 else np.full(count, 0.5)
    style = shape.widths if count == len(shape.widths) else _along(shape, t)
    if not ratio.any():
        return style
    return style * np.exp(np.clip(ratio[0] + ratio[1] * (t - 0.5) + ratio[2] * (t - 0.5) ** 2, -1.5, 1.5))


def _along(shape: Shape, t: Array) -> Array:
    return shape.width_at(t * shape.spans) if shape.spans else np.repeat(shape.widths[:1], len(t))


def _with_new(strokes: list[Stroke], before: list[Stroke], left: list[Path], scale: Array, tolerance: float) -> list[Stroke]:
    """The strokes with a new one for each path, right above the stroke nearest to it, whose layer, material and colours it takes."""
    near = strokes or before
    places = [stroke.shape.points for stroke in near]
    owner = np.repeat(np.arange(len(near)), [len(at) for at in places])
    tree = cKDTree(np.concatenate(places)) if len(owner) else None
    above: dict[int, list[Stroke]] = {}
    for path in left:
        stroke = _new(path, scale, tolerance)
        if tree is not None:
            nearest = tree.query(stroke.shape.points)[1]
            most = int(np.bincount(owner[nearest]).argmax())
            like = near[most]
            depth = np.concatenate([each.depth for each in near])[nearest]
            line = like.line_colour if like.line_colour[3] > 0 else stroke.line_colour
            stroke = replace(stroke, depth=depth, layer=like.layer, material=like.material, line_colour=line)
            above.setdefault(most if strokes else -1, []).append(stroke)
        else:
            above.setdefault(-1, []).append(stroke)
    made = list(above.get(-1, []))
    for i, stroke in enumerate(strokes):
        made += [stroke, *above.get(i, [])]
    return made


def _new(path: Path, scale: Array, tolerance: float) -> Stroke:
    width = float(np.median(path.widths))
    points, widths = path.points, path.widths
    if len(points) < 2 or np.linalg.norm(np.diff(points, axis=0), axis=1).sum() < _POINT * width:
        points, widths = points.mean(axis=0, keepdims=True), np.array([width])
    curve = fitted(points, widths, path.closed and len(points) > 2, tolerance)
    n = len(curve.points)
    shape = Shape(curve.points, curve.handles, curve.widths, BEZIER, curve.closed).scaled(1 / scale)
    opacity = np.full(n, 1.0 if path.level > _FULL else path.level, np.float32)
    black, none = np.array([0, 0, 0, 1], np.float32), np.zeros(4, np.float32)
    return Stroke(shape, np.zeros(n), opacity, black, none, 0, -1, -1)
