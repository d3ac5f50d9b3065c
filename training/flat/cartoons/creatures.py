"""Birds, fish and snakes."""

import numpy as np

from . import outlines
from .figures import INK, NONE, Figure, Wave
from .studio import Studio

_BIRD = [(-0.8, -0.05), (-0.2, -0.42), (0.55, -0.4), (0.75, 0), (0.4, 0.42), (-0.3, 0.4)]
_CLAW = [(-0.05, 0.4), (0.2, 0.46), (0.18, 0.55), (-0.12, 0.5)]
_FISH = np.array([(0, -0.8), (0.8, -0.3), (1, 0.1), (0.35, 0.75), (0.15, 1), (-0.15, 1), (-0.35, 0.75), (-1, 0.1), (-0.8, -0.3)])
"""A fish that looks up, in halves of its depth across."""
_BACK_FIN = np.array([(0.7, -0.3), (1.5, 0.1), (1.2, 0.5), (0.5, 0.5)])
_BELLY_FIN = np.array([(-0.7, 0), (-1.4, 0.4), (-0.5, 0.5)])
_TAIL_FIN = [(0, -0.05), (0.5, 0.5), (0.15, 0.4), (-0.15, 0.4), (-0.5, 0.5)]
_SNAKE_HEAD = np.array([(-1.2, 0), (-1.3, 1.4), (0, 2.4), (1.3, 1.4), (1.2, 0), (0, -0.6)])
_TONGUE = np.array([(0.2, 1), (0.5, 3.5), (0, 3), (-0.5, 3.5), (-0.2, 1)])
"""In half thicknesses of the snake."""


def _eye(studio: Studio, figure: Figure, bone: int, at: tuple[float, float], size: float, level: float) -> None:
    """An eye seen from the side."""
    figure.part(bone, outlines.ellipse(size, size, at), studio.paint("white", 0.6), level)
    figure.part(bone, outlines.ellipse(size * 0.5, size * 0.5, (at[0] + size * 0.2, at[1])), INK, level + 0.05, ink=0)


# --- birds


def bird(studio: Studio) -> Figure:
    """A bird that flaps its wings."""
    figure, u = Figure(), studio.between
    coat, wing, beak = studio.paint(), studio.paint(), studio.paint("beak", 0.5)
    trunk = figure.bone(angle=studio.wave(0.15, u(-0.3, 0.3)))
    for i in range(studio.whole(2, 3)):
        feather = outlines.turned(outlines.ellipse(0.4, 0.1, (0.4, 0)), np.pi + u(-0.1, 0.1) + 0.25 * (i - 1))
        figure.part(trunk, outlines.moved(feather, -0.6, 0), studio.either(wing), -0.5 + 0.01 * i)
    for x in (-0.1, 0.15):
        leg = figure.bone(trunk, (x, 0.4), angle=studio.wave(0.25))
        figure.part(leg, outlines.limb(0.4, 0.05, 0.05), beak, -0.6)
        figure.part(leg, outlines.path(_CLAW, 3), beak, -0.55)
    studio.solid(figure, trunk, outlines.path(_BIRD, 5), coat, 0)
    if studio.chance(0.7):
        figure.part(trunk, outlines.ellipse(0.42, 0.24, (0.15, 0.16)), studio.paint(), 0.1)
    _wing(studio, figure, trunk, wing)
    _bird_head(studio, figure, trunk, studio.either(coat, 0.6), wing, beak)
    figure.centre, figure.reach, figure.bust = (0.1, -0.1), 1.1, (0.5, -0.4, 0.8)
    return figure


def _wing(studio: Studio, figure: Figure, trunk: int, paint: int) -> None:
    long, tips = studio.between(0.7, 1.3), studio.whole(2, 4)
    flap = studio.wave(0.9, studio.between(0.6, 2.4))
    wing = figure.bone(trunk, (0.2, -0.2), angle=flap, bend=studio.wave(0.5), soft=(0, long))
    x = np.linspace(0.28, -0.12, tips + 1)
    for i in range(tips):
        low = long * (1 - 0.15 * i)
        feather = outlines.path([(x[i], 0), (x[i], low), (x[i + 1], low * 0.92), (x[i + 1], 0)], 4)
        figure.part(wing, feather, studio.either(paint, 0.7), 0.6 + 0.01 * i)
    figure.part(wing, outlines.ellipse(0.28, 0.3, (0.08, 0.08)), paint, 0.7)


def _bird_head(studio: Studio, figure: Figure, trunk: int, coat: int, crest: int, beak: int) -> None:
    size = studio.between(0.32, 0.45)
    head = figure.bone(trunk, (0.6, -0.45), angle=studio.wave(0.25))
    for tilt in (-0.5, 0, 0.5) if studio.chance(0.4) else ():
        feather = outlines.turned(outlines.lock(0.4, 0.18), np.pi + tilt)
        figure.part(head, outlines.moved(feather, 0, -size * 0.7), crest, 0.9)
    studio.solid(figure, head, outlines.ellipse(size, size), coat, 1)
    jaw = outlines.path(np.array([(0.7, 0), (1.7, 0.15), (0.75, 0.4)]) * size, 4)
    figure.part(head, jaw, studio.either(beak), 1.1, act=figure.act(studio.opens(0.2)), pivot=0.0)
    figure.part(head, jaw * (1, -1), beak, 1.12)
    _eye(studio, figure, head, (size * 0.3, -size * 0.25), size * studio.between(0.22, 0.34), 1.2)


# --- fish


def fish(studio: Studio) -> Figure:
    """A fish that swims: it bends, its tail bends after."""
    figure, u = Figure(), studio.between
    coat, fin, deep = studio.paint(), studio.paint(), u(0.35, 0.7)
    trunk = figure.bone(angle=Wave(np.pi / 2), bend=studio.wave(0.5), soft=(0, 1.4))
    tail = figure.bone(trunk, (0, 0.95), angle=studio.wave(0.4), bend=studio.wave(0.4), soft=(0, 0.6))
    figure.part(tail, outlines.path(_TAIL_FIN, 4), fin, -0.1)
    figure.part(trunk, outlines.path(_BACK_FIN * (deep, 1), 4), fin, -0.2)
    if studio.chance(0.5):
        figure.part(trunk, outlines.path(_BELLY_FIN * (deep, 1), 4), studio.either(fin), -0.2)
    studio.solid(figure, trunk, outlines.path(_FISH * (deep, 1), 4), coat, 0)
    _scales(studio, figure, trunk, deep)
    figure.part(trunk, outlines.arc(deep * 0.7, 0.2, 0.5, np.pi - 0.5, (0, -0.35), 7), NONE, 0.1, line=(0, 7))
    flap = figure.bone(trunk, (-deep * 0.1, 0), angle=studio.wave(0.5, 0.5))
    figure.part(flap, outlines.lock(0.5, 0.4), fin, 0.3)
    _eye(studio, figure, trunk, (deep * 0.25, -0.45), deep * u(0.18, 0.3), 0.3)
    figure.centre, figure.reach = (-0.3, 0), 1.2
    return figure


def _scales(studio: Studio, figure: Figure, trunk: int, deep: float) -> None:
    """Bands across the body, scales, or nothing."""
    kind = studio.pick({"bands": 0.4, "scales": 0.2, "none": 0.4})
    if kind == "bands":
        band = studio.paint()
        for y in np.linspace(0, 0.6, studio.whole(1, 3)):
            edge = deep * (1 - (y / 1.15) ** 2) * 0.93
            figure.part(trunk, outlines.polygon([(edge, y), (edge * 0.93, y + 0.14), (-edge * 0.93, y + 0.14), (-edge, y)]), band, 0.1)
    elif kind == "scales":
        for x, y in ((x, y) for y in (-0.1, 0.2, 0.5) for x in (-0.3, 0.3)):
            figure.part(trunk, outlines.arc(deep * 0.25, 0.1, 0, np.pi, (x * deep, y), 6), NONE, 0.1, line=(0, 6), ink=0.7)


# --- snakes


def snake(studio: Studio) -> Figure:
    """A snake, a worm or an eel: two bends one after the other, in bands."""
    figure, u = Figure(), studio.between
    coat, thick, length = studio.paint(), u(0.12, 0.22), u(1.2, 1.6)
    front = figure.bone(angle=studio.wave(0.2, np.pi / 2), bend=studio.wave(1.6), soft=(0, length))
    back = figure.bone(angle=Wave(-np.pi / 2), bend=studio.wave(1.8), soft=(0, length))
    figure.part(back, outlines.limb(length, thick, 0.03, 0, 12), coat, -0.1)
    studio.solid(figure, front, outlines.limb(length, thick, thick * 0.8, 0, 12), coat, 0)
    band = studio.paint()
    for bone, narrows in ((front, 0.2), (back, 0.85)):
        for share in np.linspace(0.15, 0.8, studio.whole(2, 5)) if studio.chance(0.7) else ():
            figure.part(bone, outlines.box(thick * (1 - narrows * share), thick * 0.35, (0, share * length)), band, 0.1)
    head = figure.bone(front, (0, length), angle=studio.wave(0.4))
    flick = figure.act(studio.winks(0.6, 0.0))
    figure.part(head, outlines.path(_TONGUE * thick, 3), studio.paint(), 0.2, act=flick, shown=(0.5, 2))
    studio.solid(figure, head, outlines.path(_SNAKE_HEAD * thick, 4), coat, 0.5)
    for side in (-1, 1):
        _eye(studio, figure, head, (side * thick * 0.75, thick * 0.7), thick * 0.4, 0.6)
    figure.reach = length
    return figure
