"""Creatures and things that nobody has a name for: bodies of any outline, with limbs, plates and patterns anywhere.

What the kinds that have a name have in common is left to chance here, so that a figure of a kind never trained on is no surprise.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import faces, outlines, things
from .faces import Head
from .figures import NONE, Figure
from .outlines import Points
from .studio import Studio


@dataclass(frozen=True)
class Made:
    """An invention in the making."""

    studio: Studio
    figure: Figure
    paints: tuple[int, ...]
    """What it is mostly painted with, so that the same paint is seen in several places."""

    def paint(self) -> int:
        """One of its paints, or a new one."""
        return int(self.studio.rng.choice(self.paints)) if self.studio.chance(0.55) else self.studio.paint()


def invention(studio: Studio) -> Figure:
    """A body with some kinds of limbs in pairs, in rings or alone, patterns on all of them, and perhaps a face or two."""
    made = Made(studio, Figure(), tuple(studio.paint() for _ in range(studio.whole(2, 4))))
    figure, u = made.figure, studio.between
    w, h = u(0.35, 0.8), u(0.4, 0.85)
    trunk = figure.bone(
        angle=studio.wave(0.2, u(-0.3, 0.3)),
        bend=studio.wave(0.4) if studio.chance(0.4) else studio.wave(0),
        soft=(-h, h),
        turn=studio.wave(studio.config.turn, u(-0.4, 0.4)) if studio.chance(0.5) else studio.wave(0),
    )
    body, paint = _shape(studio, w, h), made.paint()
    for _ in range(studio.whole(1, 4)):
        _limbs(made, trunk, (w, h))
    studio.solid(figure, trunk, body, paint, 0)
    if studio.chance(0.7):
        _pattern(made, trunk, body, 0.1, around=(w, h * 1.2))
    for _ in range(int(studio.pick({"0": 0.3, "1": 0.55, "2": 0.15}))):
        _head(made, trunk, (w, h))
    figure.reach, figure.bust = 1.3, (0, 0, 0.9)
    return figure


def gadget(studio: Studio, figure: Figure, bone: int, size: float, level: float, act: int) -> None:
    """A thing for a hand, of two to four pieces."""
    made = Made(studio, figure, (studio.paint(), studio.paint()))
    for i in range(studio.whole(2, 4)):
        piece = _shape(studio, size * studio.between(0.15, 0.9), size * studio.between(0.3, 1.4))
        place = (size * studio.between(-0.5, 0.5), size * studio.between(0, 2))
        figure.part(bone, outlines.moved(piece, *place), made.paint(), level + 0.005 * i, act=act, shown=(0.5, 2.0))


def clutter(studio: Studio, frame: tuple[float, float]) -> list[Figure]:
    """A backdrop of anything, near and far, for a picture of that half width and half height."""
    (w, h), u = frame, studio.between
    layers = []
    for _ in range(studio.whole(1, 2)):
        made = Made(studio, Figure(), tuple(studio.paint() for _ in range(studio.whole(2, 3))))
        root = made.figure.bone()
        for i in range(studio.whole(2, 6)):
            bone = made.figure.bone(root, (w * u(-1.1, 1.1), h * u(-1, 1)), angle=studio.wave(0.05, u(-0.5, 0.5)))
            piece = _shape(studio, studio.scale(0.06, 0.5), studio.scale(0.06, 0.5))
            studio.solid(made.figure, bone, piece, made.paint(), i)
            if studio.chance(0.5):
                _pattern(made, bone, piece, i + 0.1)
        layers.append(made.figure)
    return layers


def _shape(studio: Studio, w: float, h: float) -> Points:
    """Any outline of that half width and half height."""
    return SHAPES[studio.pick(dict.fromkeys(SHAPES, 1.0))](studio) * (w, h)


def _even(studio: Studio) -> Points:
    """An outline that is the same on both sides."""
    heights = np.linspace(-1, 1, studio.whole(4, 7))
    widths = studio.rng.uniform(0.25, 1, len(heights))
    right = [(x, y) for x, y in zip(widths, heights, strict=True)]
    corners = [*right, *((-x, y) for x, y in reversed(right))]
    return outlines.path(corners, 4) if studio.chance(0.7) else outlines.polygon(corners, 4)


SHAPES: dict[str, Callable[[Studio], Points]] = {
    "ellipse": lambda studio: outlines.ellipse(1, 1),
    "blob": lambda studio: outlines.blob(studio.rng, 1, 1, studio.between(0.05, 0.25)),
    "box": lambda studio: outlines.box(1, 1, corner=studio.between(0.1, 0.9)),
    "angular": lambda studio: outlines.angular(studio.rng, studio.whole(3, 8), 1),
    "bumps": lambda studio: outlines.scallops(studio.rng, 1, 1, studio.whole(5, 10), studio.between(0.1, 0.3)),
    "even": _even,
}


# --- limbs


def _limbs(made: Made, trunk: int, half: tuple[float, float]) -> None:
    """Limbs of one kind: a pair, a ring of them, a row down one side, or one."""
    studio, u, (w, h) = made.studio, made.studio.between, half
    kind = LIMBS[studio.pick(dict.fromkeys(LIMBS, 1.0))]
    way = studio.pick({"pair": 0.5, "ring": 0.15, "row": 0.15, "one": 0.2})
    paint, second, size = made.paint(), made.paint(), u(0.3, 1.0)
    level = -u(0.2, 1.5) if studio.chance(0.6) else u(0.3, 1.5)
    if way == "ring":
        angles = np.linspace(0, outlines.TAU, studio.whole(4, 8), endpoint=False) + u(0, 1)
        size *= 0.7
    elif way == "row":
        angles = u(0, outlines.TAU) + np.linspace(0, u(0.8, 2), studio.whole(3, 5))
        size *= 0.6
    else:
        angles = np.array([u(-1.4, 1.4)])
    state = studio.rng.bit_generator.state
    for angle in [*angles, *(np.pi - angles if way == "pair" else ())]:
        if way == "pair":
            studio.rng.bit_generator.state = state  # the same limb on the other side
        joint = 0.85 * w * np.cos(angle), 0.85 * h * np.sin(angle)
        tilt = angle - np.pi / 2
        bone = made.figure.bone(trunk, joint, angle=studio.wave(0.5, tilt), bend=studio.wave(0.8), soft=(0, size))
        kind(made, bone, size, (paint, second), level)
        level += 0.02


def _arm(made: Made, bone: int, size: float, paints: tuple[int, int], level: float) -> None:
    """A limb of one or two joints that ends in something."""
    studio, thick = made.studio, size * made.studio.between(0.08, 0.25)
    made.figure.part(bone, outlines.limb(size, thick, thick * studio.between(0.4, 1), 0, 9), paints[0], level)
    if studio.chance(0.5):
        _bands(made, bone, (thick * 0.7, size), paints[1], level + 0.003)
    end = made.figure.bone(bone, (0, size), angle=studio.wave(0.6), bend=studio.wave(0.4), soft=(0, size * 0.8))
    if studio.chance(0.35):
        made.figure.part(end, outlines.limb(size * 0.8, thick * 0.8, thick * 0.5), paints[1], level + 0.005)
        end = made.figure.bone(end, (0, size * 0.8), angle=studio.wave(0.4))
    if studio.chance(0.6):
        tip = outlines.moved(_shape(studio, thick * 1.5, thick * 1.5), 0, thick)
        made.figure.part(end, tip, paints[1], level + 0.01)


def _leaf(made: Made, bone: int, size: float, paints: tuple[int, int], level: float) -> None:
    """A wing, a fin, an ear, a petal; perhaps one within another."""
    wide = size * made.studio.between(0.3, 0.9)
    shape = outlines.lock(size, wide, made.studio.between(-0.3, 0.3)) if made.studio.chance(0.5) else None
    shape = outlines.moved(_shape(made.studio, wide / 2, size / 2), 0, size / 2) if shape is None else shape
    made.figure.part(bone, shape, paints[0], level)
    for grow in (0.62, 0.32)[: made.studio.whole(0, 2)]:
        made.figure.part(bone, shape * grow + (0, size * 0.2), paints[1] if grow > 0.5 else made.paint(), level + 0.005 / grow)


def _fan(made: Made, bone: int, size: float, paints: tuple[int, int], level: float) -> None:
    """Feathers, fingers, spikes that spread from one point."""
    count, wide = made.studio.whole(2, 5), made.studio.between(0.15, 0.45)
    rounded = made.studio.chance(0.5)
    one = outlines.limb(size * 0.8, size * wide * 0.3, size * wide * 0.4) if rounded else outlines.lock(size, size * wide)
    for i, tilt in enumerate(np.linspace(-0.5, 0.5, count)):
        made.figure.part(bone, outlines.turned(one, tilt), paints[i % 2], level + 0.003 * i)


def _chain(made: Made, bone: int, size: float, paints: tuple[int, int], level: float) -> None:
    """Links that hang from each other."""
    studio, count = made.studio, made.studio.whole(2, 5)
    long, thick = size / count, size * studio.between(0.1, 0.25)
    for i in range(count):
        made.figure.part(bone, outlines.ellipse(thick * (1 - 0.12 * i), long * 0.65, (0, long / 2)), paints[i % 2], level - 0.003 * i)
        bone = made.figure.bone(bone, (0, long), angle=studio.wave(0.4))


LIMBS: dict[str, Callable[[Made, int, float, tuple[int, int], float], None]] = {"arm": _arm, "leaf": _leaf, "fan": _fan, "chain": _chain}


# --- patterns


def _pattern(made: Made, bone: int, outline: Points, level: float, **settings) -> None:
    """Bands, spots, plates, an outline within the outline, or seams, kept inside it."""
    studio, figure, u = made.studio, made.figure, made.studio.between
    w, h = np.abs(outline).max(0)
    kind = studio.pick({"spots": 0.3, "bands": 0.2, "nested": 0.25, "plates": 0.15, "seams": 0.1})
    paint = made.paint()
    if kind == "spots":
        for _ in range(studio.whole(2, 6)):
            spot = outlines.moved(things.lump(studio, u(0.06, 0.2)), u(-0.5, 0.5) * w, u(-0.6, 0.6) * h)
            figure.part(bone, spot, paint if studio.chance(0.7) else made.paint(), level + u(0, 0.01), **settings)
    elif kind == "bands":
        _bands(made, bone, (w * 0.6, h * 0.7), paint, level, -h * 0.7)
    elif kind == "nested":
        figure.part(bone, outline * u(0.5, 0.8) + (0, h * u(-0.1, 0.15)), paint, level, **settings)
        if studio.chance(0.4):
            figure.part(bone, outline * u(0.2, 0.4) + (0, h * u(-0.1, 0.15)), made.paint(), level + 0.01, **settings)
    elif kind == "plates":
        columns, rows = studio.whole(1, 3), studio.whole(2, 4)
        for i in range(columns * rows):
            at = (w * 1.2 * ((i % columns + 0.5) / columns - 0.5), h * 1.2 * ((i // columns + 0.5) / rows - 0.5))
            plate = outlines.box(w * 0.55 / columns, h * 0.55 / rows, at, 0.4)
            figure.part(bone, plate, (paint, made.paint())[(i + i // columns) % 2], level, **settings)
    else:
        for _ in range(studio.whole(1, 3)):
            x, y = u(-0.6, 0.6) * w, u(-0.6, 0.6) * h
            figure.part(bone, outlines.arc(w * 0.4, h * 0.3, u(0, 3), u(3.2, 6), (x * 0.5, y * 0.5), 7), NONE, level, line=(0, 7), ink=0.8)


def _bands(made: Made, bone: int, half: tuple[float, float], paint: int, level: float, low: float = 0.0) -> None:
    """Stripes across, from a height down."""
    w, high = half
    edges = np.linspace(low, high, 2 * made.studio.whole(1, 4) + 2)[1:-1]
    for top, bottom in zip(edges[::2], edges[1::2], strict=True):
        made.figure.part(bone, outlines.box(w, (bottom - top) / 2, (0, (top + bottom) / 2)), paint, level)


# --- heads


def _head(made: Made, trunk: int, half: tuple[float, float]) -> None:
    """A face on the body, or a head of its own with one, that something may grow from."""
    studio, u, (w, h) = made.studio, made.studio.between, half
    coat, hair = made.paint(), made.paint()
    if studio.chance(0.4):
        faces.face(Head(studio, made.figure, trunk, w * u(0.5, 0.8), h * u(0.4, 0.7), coat, hair, 0.3))
        return
    size, side = u(0.25, 0.55), u(-0.7, 0.7)
    turn = studio.wave(studio.config.turn, u(-0.4, 0.4))
    head = made.figure.bone(trunk, (side * w, -h * u(0.8, 1.1)), angle=studio.wave(0.25), turn=turn)
    if studio.chance(0.5):
        _limbs(made, head, (size, size))
    shape = _shape(studio, size * u(0.8, 1.2), size)
    studio.solid(made.figure, head, shape, coat, 2)
    if studio.chance(0.3):
        _pattern(made, head, shape, 2.1)
    faces.face(Head(studio, made.figure, head, size * 0.8, size * 0.75, coat, hair, 2.3))
