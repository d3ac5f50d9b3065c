"""The plain dolls of plain clips: a round body, a big head, straight limbs."""

from dataclasses import dataclass

import numpy as np

from . import outlines
from .figures import Figure
from .studio import Studio


@dataclass(frozen=True)
class Doll:
    """A doll being drawn."""

    studio: Studio
    figure: Figure
    body: int
    half: float
    tall: float
    """Half width and half height of the body."""
    head: float
    skin: int
    shirt: int


def doll(studio: Studio) -> Figure:
    """A simple figure."""
    u, figure = studio.between, Figure()
    half, tall = u(0.28, 0.5), u(0.4, 0.6)
    body = figure.bone(angle=studio.wave(0.1), bend=studio.wave(0.15), soft=(-tall, tall))
    made = Doll(studio, figure, body, half, tall, u(0.3, 0.48), studio.paint(), studio.paint())
    figure.part(body, outlines.blob(studio.rng, half, tall, 0.1), made.shirt, 1)
    if studio.chance(0.5):
        figure.part(body, outlines.blob(studio.rng, half * 0.8, tall * 0.14, 0.08, (0, u(-0.1, 0.5) * tall)), studio.paint(), 1.1)
    if studio.chance(0.4):
        badge = outlines.angular(studio.rng, studio.whole(3, 6), half * 0.35)
        figure.part(body, outlines.moved(badge, u(-0.2, 0.2) * half, u(-0.4, 0.2) * tall), studio.paint(), 1.2)
    _legs(made)
    _arms(made)
    _head(made)
    return figure


def _legs(made: Doll) -> None:
    studio, figure = made.studio, made.figure
    trousers = studio.paint()
    shoe = studio.either(trousers, 0.4)
    length, width = studio.between(0.35, 0.6), studio.between(0.09, 0.16)
    for side in (-1, 1):
        leg = figure.bone(made.body, (side * made.half * 0.5, made.tall * 0.8), angle=studio.wave(0.35))
        figure.part(leg, outlines.limb(length, width, width * 0.85), trousers, -1)
        foot = outlines.blob(studio.rng, width * 1.1, width * 1.2, 0.08, (side * 0.02, length + width * 0.3))
        figure.part(leg, foot, shoe, 0)


def _arms(made: Doll) -> None:
    studio, figure = made.studio, made.figure
    sleeve = made.shirt if studio.chance(0.6) else made.skin
    length, width = studio.between(0.4, 0.7), studio.between(0.07, 0.13)
    for side in (-1, 1):
        level = -2 if studio.chance(0.35) else 2
        swing = studio.wave(0.6, -side * studio.between(0.1, 1.3))
        arm = figure.bone(made.body, (side * made.half * 0.85, -made.tall * 0.55), angle=swing)
        figure.part(arm, outlines.limb(length, width, width * 0.9), sleeve, level)
        figure.part(arm, outlines.ellipse(width * 1.2, width * 1.3, (0, length + width * 0.4)), made.skin, level + 0.1)


def _head(made: Doll) -> None:
    studio, figure, size, u, rng = made.studio, made.figure, made.head, made.studio.between, made.studio.rng
    hair = studio.paint()
    head = figure.bone(made.body, (0, -made.tall - size * 0.75), angle=studio.wave(0.15))
    if studio.chance(0.5):
        figure.part(head, outlines.blob(rng, size * 1.2, size * 1.2, 0.12, (0, size * 0.1)), hair, 2.5)
    if studio.chance(0.4):
        ear, height = studio.either(made.skin), u(-0.1, 0.8)
        for side in (-1, 1):
            figure.part(head, outlines.ellipse(size * 0.28, size * 0.35, (side * size * 0.95, -size * height)), ear, 2.8)
    figure.part(head, outlines.blob(rng, size * u(0.85, 1.1), size, 0.06), made.skin, 3)
    _face(made, head)
    if studio.chance(0.75):
        over = outlines.arc(size * 1.12, size * 1.1, np.pi, 2 * np.pi, n=14)
        under = outlines.arc(size * 0.95, size * u(0.2, 0.6), 2 * np.pi, np.pi, n=12) + rng.normal(0, 0.04, (12, 2)) * (0, size)
        figure.part(head, np.concatenate([over, under]), hair, 3.5)
    if studio.chance(0.3):
        figure.part(head, outlines.blob(rng, size * 0.9, size * 0.45, 0.1, (0, -size)), studio.paint(), 3.8)


def _face(made: Doll, head: int) -> None:
    studio, figure, size, u = made.studio, made.figure, made.head, made.studio.between
    if studio.chance(0.8):
        white, pupil = studio.paint(), studio.paint()
        eye, apart = size * u(0.16, 0.28), size * u(0.3, 0.45)
        lids = {"act": figure.act(studio.winks(0.25)) if studio.chance(0.5) else 0, "pivot": 0.0}
        for x in (-apart, apart):
            figure.part(head, outlines.ellipse(eye, eye * 1.2, (x, 0)), white, 3.2, **lids)
            if eye > 0.075:
                figure.part(head, outlines.ellipse(eye * 0.5, eye * 0.6, (x + eye * 0.2, 0)), pupil, 3.3, **lids)
    if studio.chance(0.6):
        talk = figure.act(studio.winks(0.3, 0.12)) if studio.chance(0.4) else 0
        mouth = outlines.ellipse(size * 0.3, size * u(0.08, 0.2), (0, size * 0.5))
        figure.part(head, mouth, studio.paint(), 3.2, act=talk, pivot=size * 0.5)
