"""Cars, vans and lorries; ships and aeroplanes for clips that are held out."""

from itertools import pairwise

import numpy as np

from . import outlines
from .figures import INK, Figure, Wave
from .studio import Studio


def wheel(
    studio: Studio, figure: Figure, bone: int, at: tuple[float, float], size: float, paints: tuple[int, int], level: float, speed: float
) -> None:
    """A wheel that turns, its hub marked so that one sees it; `paints` of tyre and hub."""
    tyre, hub = paints
    axle = figure.bone(bone, at, angle=Wave(0, speed, 1.0, 0.0))
    figure.part(axle, outlines.ellipse(size, size, n=22), tyre, level)
    figure.part(axle, outlines.ellipse(size * 0.58, size * 0.58, n=16), hub, level + 0.01)
    for angle in np.arange(3) * outlines.TAU / 3 if studio.chance(0.5) else ():
        bolt = outlines.ellipse(size * 0.13, size * 0.13, (size * 0.34 * np.cos(angle), size * 0.34 * np.sin(angle)))
        figure.part(axle, bolt, tyre, level + 0.02, ink=0.7)


# --- on the road

_CABINS = {"car": (-0.6, 0.45), "van": (-0.95, 0.7), "lorry": (0.3, 0.85)}
"""From where to where a cabin reaches, in half lengths of the car."""


def car(studio: Studio) -> Figure:
    """A car, a van or a lorry, from the side."""
    figure, u = Figure(), studio.between
    paint, tyre, hub = studio.paint(), studio.paint("tyre", 0.7), studio.paint("hub", 0.5)
    trunk = figure.bone(angle=studio.wave(0.04))
    kind = studio.pick({"car": 0.5, "van": 0.25, "lorry": 0.25})
    if kind == "lorry":
        _load(studio, figure, trunk)
    _cabin(studio, figure, trunk, kind, studio.either(paint, 0.8))
    studio.solid(figure, trunk, outlines.polygon([(-1, -0.25), (0.6, -0.25), (1, -0.1), (1, 0.22), (-1, 0.22)]), paint, 0.2)
    if studio.chance(0.5):
        figure.part(trunk, outlines.box(1, 0.05, (0, u(-0.1, 0.1))), studio.paint(), 0.3)
    door = outlines.box(0.2, 0.2, corner=0.2) if studio.chance(0.5) else outlines.box(0.08, 0.03, (0, -0.08))
    for x in np.linspace(-0.3, 0.3, studio.whole(1, 2)):
        figure.part(trunk, outlines.moved(door, x, 0), paint, 0.4, ink=0.8)
    figure.part(trunk, outlines.ellipse(0.08, 0.1, (0.95, -0.02)), studio.paint(), 0.5)
    figure.part(trunk, outlines.box(0.14, 0.06, (0.95, 0.19), 0.6), hub, 0.5)
    size, speed, guard = u(0.2, 0.3), u(2, 6), studio.either(tyre, 0.6)
    for x in (-0.6, 0.6):
        figure.part(trunk, outlines.ellipse(size * 1.2, size * 1.2, (x, 0.22)), guard, 0.55)
        wheel(studio, figure, trunk, (x, 0.24), size, (tyre, hub), 0.6, speed)
    figure.reach = 1.1
    return figure


def _load(studio: Studio, figure: Figure, trunk: int) -> None:
    figure.part(trunk, outlines.box(0.62, 0.42, (-0.38, -0.4)), studio.paint(), -0.1)
    for stripe in range(studio.whole(0, 2)):
        figure.part(trunk, outlines.box(0.62, 0.06, (-0.38, -0.5 + 0.25 * stripe)), studio.paint(), -0.09)


def _cabin(studio: Studio, figure: Figure, trunk: int, kind: str, paint: int) -> None:
    """A cabin with panes, through which one may see who drives."""
    (left, right), high = _CABINS[kind], -0.25 - studio.between(0.3, 0.45)
    if kind == "car":
        roof = outlines.path([(left, -0.15), (left + 0.12, high), (right - 0.25, high), (right, -0.15), (0, 0)], 4)
    else:
        roof = outlines.polygon([(left, -0.2), (left + 0.12, high), (right - 0.25, high), (right, -0.2)])
    studio.solid(figure, trunk, roof, paint, 0)
    glass, middle, half = studio.paint("glass", 0.5), (high - 0.28) / 2, (-0.22 - high) * 0.33
    for a, b in pairwise(np.linspace(left + 0.14, right - 0.2, 2 if kind == "lorry" else studio.whole(3, 5))):
        at, width = ((a + b) / 2, middle), (b - a) / 2 - 0.02
        figure.part(trunk, outlines.box(width, half, at, 0.3), glass, 0.1)
        if studio.chance(0.3):
            driver = outlines.within(outlines.ellipse(0.1, 0.13, (at[0], middle + 0.05)), at, width, half)
            figure.part(trunk, driver, studio.paint("skin", 0.6), 0.12)


# --- at sea

_HULL = [(-1, -0.2), (0, -0.12), (1.1, -0.3), (0.75, 0.3), (0, 0.38), (-0.75, 0.3)]


def ship(studio: Studio) -> Figure:
    """A ship with sails or a funnel that rolls on its waves."""
    figure, hull, deck = Figure(), studio.paint(), studio.paint()
    trunk = figure.bone(angle=studio.wave(0.15))
    if studio.chance(0.5):
        _sails(studio, figure, trunk)
    else:
        _steam(studio, figure, trunk, hull, deck)
    studio.solid(figure, trunk, outlines.path(_HULL, 5), hull, 0)
    figure.part(trunk, outlines.polygon([(-0.95, -0.08), (0.98, -0.12), (0.93, 0), (-0.9, 0.04)]), deck, 0.1)
    for x in np.linspace(-0.5, 0.5, studio.whole(2, 5)):
        figure.part(trunk, outlines.ellipse(0.06, 0.06, (x, 0.14)), studio.paint("glass", 0.9), 0.2)
    along = np.linspace(-1.4, 1.4, 22)
    for i in range(2):
        wave = outlines.joined(along, 0.28 + 0.08 * i + 0.06 * np.sin(along * studio.between(6, 9) + i))
        figure.part(trunk, np.concatenate([wave, [(1.4, 0.6), (-1.4, 0.6)]]), studio.paint(), 1 + i)
    figure.centre, figure.reach = (0, -0.3), 1.3
    return figure


def _sails(studio: Studio, figure: Figure, trunk: int) -> None:
    mast, cloth = studio.paint("wood", 0.5), studio.paint()
    sail = np.array([(0.03, 0), (0.42, 0.12), (0.35, 0.28), (0.03, 0.28)])
    for x in np.linspace(-0.4, 0.4, studio.whole(1, 2)):
        figure.part(trunk, outlines.box(0.03, 0.6, (x, -0.6)), mast, -1)
        rig = figure.bone(trunk, (x, -1.1), bend=studio.wave(0.5), soft=(0, 0.8))
        for i in range(studio.whole(1, 3)):
            figure.part(rig, outlines.path(outlines.moved(sail, 0, 0.3 * i), 3), studio.either(cloth), -0.9 + 0.01 * i)
        flag = figure.bone(trunk, (x, -1.2), angle=Wave(np.pi / 2), bend=studio.wave(0.9), soft=(0, 0.4))
        figure.part(flag, outlines.polygon([(-0.1, 0), (0.1, 0), (0, 0.4)]), studio.paint(), -0.5)


def _steam(studio: Studio, figure: Figure, trunk: int, hull: int, deck: int) -> None:
    figure.part(trunk, outlines.box(0.5, 0.2, (0, -0.35)), deck, -1)
    for x in np.linspace(-0.3, 0.3, 4):
        figure.part(trunk, outlines.ellipse(0.06, 0.06, (x, -0.35)), studio.paint("glass", 0.9), -0.9)
    figure.part(trunk, outlines.box(0.14, 0.3, (-0.1, -0.75)), hull, -1.1)
    figure.part(trunk, outlines.box(0.14, 0.07, (-0.1, -0.85)), studio.paint(), -1.05)
    for i in range(3):
        puff = figure.bone(trunk, (-0.1 - 0.2 * i, -1.15 - 0.12 * i), angle=studio.wave(0.5))
        figure.part(puff, outlines.scallops(studio.rng, 0.12 + 0.04 * i, 0.1 + 0.03 * i, 6), studio.paint("smoke", 0.9), -1.2 - i)


# --- in the air

_SHELL = [(-1.2, -0.05), (-0.4, -0.25), (0.5, -0.25), (0.95, 0), (0.6, 0.22), (-0.4, 0.22)]
_FAR_WING = [(0.1, -0.1), (-0.3, -0.75), (-0.5, -0.75), (-0.3, -0.1)]
_RUDDER = [(-0.75, -0.1), (-1.1, -0.6), (-1.25, -0.6), (-1.15, 0)]
_NEAR_WING = [(0.25, 0.05), (-0.1, 0.75), (-0.4, 0.75), (-0.15, 0.05)]
_COCKPIT = [(0.45, -0.24), (0.55, -0.4), (0.75, -0.3), (0.8, -0.12), (0.5, -0.12)]
_STRIPE = [(-1.05, 0.03), (0.92, -0.02), (0.9, 0.08), (-0.9, 0.12)]


def aeroplane(studio: Studio) -> Figure:
    """An aeroplane with a turning propeller."""
    figure, shell, wing = Figure(), studio.paint(), studio.paint()
    trunk = figure.bone(angle=studio.wave(0.3))
    figure.part(trunk, outlines.polygon(_FAR_WING, 2), wing, -0.5)
    figure.part(trunk, outlines.polygon(_RUDDER, 2), wing, -0.4)
    studio.solid(figure, trunk, outlines.path(_SHELL, 5), shell, 0)
    figure.part(trunk, outlines.polygon(_STRIPE), studio.paint(), 0.1)
    figure.part(trunk, outlines.path(_COCKPIT, 3), studio.paint("glass", 0.5), 0.2)
    for x in np.linspace(-0.5, 0.25, studio.whole(2, 5)):
        figure.part(trunk, outlines.ellipse(0.055, 0.07, (x, -0.1)), studio.paint("glass", 0.9), 0.2)
    studio.solid(figure, trunk, outlines.polygon(_NEAR_WING, 2), wing, 0.5)
    figure.part(trunk, outlines.ellipse(0.13, 0.13, (-0.12, 0.45)), studio.paint(), 0.6)
    figure.part(trunk, outlines.ellipse(0.1, 0.1, (0.97, 0)), studio.paint(), 0.4)
    blades = figure.bone(trunk, (1.02, 0), angle=Wave(studio.between(0, 6), 4, studio.between(1, 2)))
    figure.part(blades, outlines.ellipse(0.05, 0.35), studio.paint(), 0.5)
    figure.part(blades, outlines.ellipse(0.04, 0.04), INK, 0.6, ink=0)
    figure.reach = 1.2
    return figure
