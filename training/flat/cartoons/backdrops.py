"""What lies behind the figures, and before them: in units of the picture's shorter side, from its centre."""

from collections.abc import Callable

import numpy as np

from . import inventions, outlines, things
from .figures import NONE, Figure
from .outlines import Points
from .studio import Studio

Frame = tuple[float, float]
"""Half width and half height of the picture; what pans reaches farther."""


def bare(studio: Studio, frame: Frame) -> list[Figure]:
    return []


def _ground(studio: Studio, frame: Frame, y: float, uneven: float) -> Points:
    x = np.linspace(-3 * frame[0], 3 * frame[0], 48)
    line = y + uneven * np.sin(x * studio.between(2, 9) + studio.between(0, 6))
    return np.concatenate([outlines.joined(x, line), [[3 * frame[0], 4 * frame[1]], [-3 * frame[0], 4 * frame[1]]]])


def hills(studio: Studio, frame: Frame) -> list[Figure]:
    """Ground, a hill, a sun or lumps in the sky."""
    figure, u, (w, h) = Figure(), studio.between, frame
    root = figure.bone()
    kind = studio.whole(1, 3)
    if kind == 3:
        hill = outlines.blob(studio.rng, u(0.3, 0.6), u(0.2, 0.35), 0.2, (w * u(-0.8, 0.8), h * u(0.2, 0.6)))
        figure.part(root, hill, studio.paint(), -1)
    figure.part(root, _ground(studio, frame, h * u(0.1, 0.8), u(0, 0.06)), studio.paint(), 0)
    for _ in range(studio.whole(1, 3) if kind >= 2 else 0):
        lump = outlines.moved(things.lump(studio, u(0.06, 0.16)), w * u(-1, 1), h * u(-0.9, 0.2))
        figure.part(root, lump, studio.paint(), 1)
    return [figure]


def park(studio: Studio, frame: Frame) -> list[Figure]:
    """Hills one behind the other, clouds, a sun, trees, bushes, rocks, a path, a fence."""
    far, near, u, (w, h) = Figure(), Figure(), studio.between, frame
    sky, root = far.bone(angle=studio.wave(0.01)), near.bone()
    if studio.chance(0.5):
        far.part(sky, outlines.ellipse(0.1, 0.1, (w * u(-0.8, 0.8), -h * u(0.4, 0.8))), studio.paint(), -1)
    drift = far.bone(sky, (0, 0), angle=studio.wave(0.05))
    for _ in range(studio.whole(0, 3)):
        things.cloud(studio, far, drift, (w * u(-1.1, 1.1), -h * u(0.3, 0.9)), u(0.1, 0.25), -0.5)
    horizon = h * u(0.1, 0.5)
    for i in range(studio.whole(0, 2)):
        far.part(sky, _ground(studio, frame, horizon - 0.12 * (2 - i), u(0.02, 0.12)), studio.paint(), i)
    near.part(root, _ground(studio, frame, horizon, u(0, 0.03)), studio.paint(), 0)
    if studio.chance(0.3):
        x, low = w * u(-0.5, 0.5), h * 1.5
        way = outlines.path([(x, horizon + 0.04), (x + 0.1, horizon + 0.04), (x + u(0.1, 0.5), low), (x - u(0.1, 0.5), low)], 4)
        near.part(root, way, studio.paint(), 0.1)
    kinds = {"tree": 0.5, "bush": 0.25, "rock": 0.15, "fence": 0.1}
    _row(studio, near, root, kinds, studio.whole(0, 3), w, horizon, (0.25, 0.7))
    return [far, near]


def street(studio: Studio, frame: Frame) -> list[Figure]:
    """A row of houses along a road."""
    figure, u, (w, h) = Figure(), studio.between, frame
    root = figure.bone()
    curb = h * u(0.2, 0.6)
    if studio.chance(0.5):
        things.cloud(studio, figure, root, (w * u(-0.8, 0.8), -h * 0.8), 0.2, -3)
    _row(studio, figure, root, {"house": 0.6, "tree": 0.4}, studio.whole(1, 3), w, curb, (0.4, 0.9))
    figure.part(root, _ground(studio, frame, curb, 0), studio.paint(), 2)
    if studio.chance(0.7):
        figure.part(root, _ground(studio, frame, curb + u(0.06, 0.12), 0), studio.paint(), 2.1)
        stripe = studio.paint("white", 0.5)
        for x in np.arange(-3 * w, 3 * w, 0.4) if studio.chance(0.5) else ():
            figure.part(root, outlines.box(0.1, 0.02, (x, curb + 0.25)), stripe, 2.2)
    return [figure]


def room(studio: Studio, frame: Frame) -> list[Figure]:
    """A wall with what hangs on it, a floor with what stands on it."""
    figure, u, (w, h) = Figure(), studio.between, frame
    root = figure.bone()
    floor = h * u(0.25, 0.7)
    if studio.chance(0.3):
        paper = studio.paint()
        for x in np.linspace(-2 * w, 2 * w, studio.whole(4, 9)):
            figure.part(root, outlines.box(0.07, 3 * h, (x, floor - 3 * h)), paper, -4)
    for kind in (things.window, things.picture, things.clock):
        if studio.chance(0.3):
            kind(studio, figure, root, (w * u(-0.9, 0.9), floor - h * u(0.7, 1.2)), u(0.3, 0.7), -3)
    figure.part(root, _ground(studio, frame, floor, 0), studio.paint(), -2)
    if studio.chance(0.4):
        figure.part(root, outlines.box(3 * w, 0.025, (0, floor)), studio.paint(), -1.9)
    if studio.chance(0.35):
        rug = studio.paint()
        for grow in (1.0, 0.7)[: studio.whole(1, 2)]:
            figure.part(
                root, outlines.ellipse(0.5 * grow, 0.13 * grow, (w * u(-0.4, 0.4), floor + 0.25)), studio.either(rug), -1.8 + (1 - grow)
            )
    kinds = {"table": 0.3, "chair": 0.25, "shelf": 0.25, "lamp": 0.2}
    _row(studio, figure, root, kinds, studio.whole(0, 2), w, floor + 0.04, (0.3, 0.6))
    return [figure]


def city(studio: Studio, frame: Frame) -> list[Figure]:
    """Towers, some before others."""
    figure, (w, h) = Figure(), frame
    root = figure.bone()
    curb = h * studio.between(0.4, 0.8)
    for depth in range(2):
        _row(studio, figure, root, {"tower": 1.0}, studio.whole(1, 3), w, curb, (0.5, 1.1), depth * 0.5)
    figure.part(root, _ground(studio, frame, curb, 0), studio.paint(), 2)
    return [figure]


def rays(studio: Studio, frame: Frame) -> list[Figure]:
    """Beams from a point, or rings around it: what stands behind a figure in excitement."""
    figure, u = Figure(), studio.between
    hub = figure.bone(joint=(0, 0), angle=studio.wave(0.3))
    centre = np.array([frame[0] * u(-0.4, 0.4), frame[1] * u(-0.4, 0.4)])
    paint, count = studio.paint(), studio.whole(4, 8)
    if studio.chance(0.6):
        for angle in np.arange(count) * outlines.TAU / count:
            tip = np.array([[np.cos(angle), np.sin(angle)], [np.cos(angle + 3 / count), np.sin(angle + 3 / count)]]) * 4
            figure.part(hub, outlines.polygon(np.concatenate([[[0, 0]], tip]), 3) + centre, paint, 0)
    else:
        for i, size in enumerate(np.linspace(1.2, 0.2, count)):
            figure.part(hub, outlines.ellipse(size, size, tuple(centre)), paint if i % 2 else studio.either(paint, 0.2), 0.1 * i)
    return [figure]


def _row(
    studio: Studio,
    figure: Figure,
    bone: int,
    kinds: dict[str, float],
    count: int,
    half: float,
    y: float,
    sizes: tuple[float, float],
    level: float = 0.0,
) -> None:
    """Things that stand in a row, from left to right."""
    places = (np.arange(count) + 0.5) / count * 2 - 1
    for i, x in enumerate(places):
        at = (half * (x * 1.1 + studio.between(-0.6, 0.6) / count), y + studio.between(0, 0.03))
        getattr(things, studio.pick(kinds))(studio, figure, bone, at, studio.between(*sizes), 0.3 + level + 0.1 * i)


def foreground(studio: Studio, frame: Frame) -> Figure:
    """What stands before the figures and hides them in part: a bush, a post, a fence, a window's edge."""
    figure, u, (w, h) = Figure(), studio.between, frame
    root = figure.bone(angle=studio.wave(0.02))
    kind = studio.pick({"bush": 0.3, "post": 0.3, "fence": 0.2, "frame": 0.2})
    x = w * u(-0.9, 0.9)
    if kind == "post":
        paint = studio.paint()
        figure.part(root, outlines.box(u(0.03, 0.12), 4 * h, (x, 0)), paint, 0)
        for y in np.linspace(-0.5, 0.5, 3) * h if studio.chance(0.3) else ():
            figure.part(root, np.array([[x - 0.02, y], [x, y + 0.05], [x + 0.02, y]]), NONE, 0.1, line=(0, 3))
    elif kind == "frame":
        paint, side = studio.paint(), -1 if studio.chance(0.5) else 1
        figure.part(root, outlines.box(0.6, 4 * h, (side * (w + 0.45), 0)), paint, 0)
        figure.part(root, outlines.box(4 * w, 0.5, (0, -h - 0.4)), paint, -0.1)
    else:
        for _ in range(studio.whole(1, 3)):
            getattr(things, kind)(studio, figure, root, (w * u(-1, 1), h * 1.02), u(0.3, 0.7), u(0, 1))
    return figure


BACKDROPS: dict[str, Callable[[Studio, Frame], list[Figure]]] = {
    "none": bare,
    "hills": hills,
    "park": park,
    "street": street,
    "room": room,
    "clutter": inventions.clutter,
    "city": city,
    "rays": rays,
}
