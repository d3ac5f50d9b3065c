"""Mascots: round fellows that are all face."""

import numpy as np

from . import faces, outlines
from .faces import Head
from .figures import Figure
from .outlines import Points
from .studio import Studio


def mascot(studio: Studio) -> Figure:
    """A round fellow with small limbs, and horns, leaves or ears."""
    figure, u = Figure(), studio.between
    coat, second, w, h = studio.paint(), studio.paint(), u(0.6, 0.9), u(0.6, 0.95)
    trunk = figure.bone(angle=studio.wave(0.2), turn=studio.wave(studio.config.turn, u(-0.4, 0.4)))
    _limbs(studio, figure, trunk, (w, h), coat, second)
    TOPPINGS[studio.pick({"none": 0.2, "horns": 0.25, "ears": 0.3, "leaf": 0.25})](studio, figure, trunk, (w, h))
    studio.solid(figure, trunk, _shape(studio, w, h), coat, 0)
    front = {"around": (w, h * 1.2)}
    if studio.chance(0.5):
        figure.part(trunk, outlines.ellipse(w * 0.6, h * 0.4, (0, h * 0.5)), studio.paint(), 0.1, **front)
    if studio.chance(0.4):
        spot = studio.paint()
        for _ in range(studio.whole(2, 4)):
            size = u(0.08, 0.2)
            figure.part(trunk, outlines.blob(studio.rng, size, size, 0.1, (u(-0.7, 0.7) * w, u(-0.8, 0.2) * h)), spot, 0.12, **front)
    faces.face(Head(studio, figure, trunk, w * u(0.6, 0.9), h * 0.7, coat, second, 0.2))
    figure.reach, figure.bust = 1.3, (0, 0, 1.0)
    return figure


def _shape(studio: Studio, w: float, h: float) -> Points:
    kind = studio.pick({"round": 0.4, "blob": 0.3, "box": 0.3})
    if kind == "blob":
        return outlines.blob(studio.rng, w, h, 0.06)
    return outlines.ellipse(w, h) if kind == "round" else outlines.box(w, h, corner=0.7)


def _limbs(studio: Studio, figure: Figure, trunk: int, half: tuple[float, float], coat: int, second: int) -> None:
    u, (w, h) = studio.between, half
    foot = studio.either(second)
    for side in (-1, 1):
        long = u(0.25, 0.5)
        leg = figure.bone(trunk, (side * w * 0.45, h * 0.75), angle=studio.wave(0.4), bend=studio.wave(0.3), soft=(0, long))
        figure.part(leg, outlines.limb(long, 0.1, 0.1), second, -0.5)
        figure.part(leg, outlines.ellipse(0.2, 0.12, (side * 0.06, long + 0.05)), foot, -0.4)
        swing = studio.wave(0.8, -side * u(0.3, 1.8))
        arm = figure.bone(trunk, (side * w * 0.92, h * 0.1), angle=swing, bend=studio.wave(0.5), soft=(0, long))
        level = -0.3 if studio.chance(0.5) else 2
        figure.part(arm, outlines.limb(long, 0.1, 0.1), coat, level)
        figure.part(arm, outlines.ellipse(0.14, 0.14, (0, long + 0.06)), second, level + 0.1)


# --- what is on the head


def _none(studio: Studio, figure: Figure, trunk: int, half: tuple[float, float]) -> None:
    pass


def _leaf(studio: Studio, figure: Figure, trunk: int, half: tuple[float, float]) -> None:
    paint = studio.paint()
    for tilt in (-0.7, 0.7)[: studio.whole(1, 2)]:
        bone = figure.bone(trunk, (0, -half[1] * 0.9), angle=studio.wave(0.2, np.pi + tilt), bend=studio.wave(0.4), soft=(0, 0.5))
        figure.part(bone, outlines.lock(0.5, 0.3), paint, -0.2)


def _pair(studio: Studio, figure: Figure, trunk: int, half: tuple[float, float], shape: Points, inner: int | None) -> None:
    paint = studio.paint()
    for side in (-1, 1):
        bone = figure.bone(trunk, (side * half[0] * 0.6, -half[1] * 0.7), angle=studio.wave(0.15, np.pi + side * 0.4))
        figure.part(bone, shape, paint, -0.2)
        if inner is not None:
            figure.part(bone, shape * 0.6 + (0, 0.1), inner, -0.15)


def _horns(studio: Studio, figure: Figure, trunk: int, half: tuple[float, float]) -> None:
    _pair(studio, figure, trunk, half, outlines.lock(0.5, 0.3), None)


def _ears(studio: Studio, figure: Figure, trunk: int, half: tuple[float, float]) -> None:
    _pair(studio, figure, trunk, half, outlines.ellipse(0.18, 0.3, (0, 0.25)), studio.paint())


TOPPINGS = {"none": _none, "leaf": _leaf, "horns": _horns, "ears": _ears}
