"""People and what is like them, from a table of body plans."""

from . import outlines
from .figures import Figure
from .studio import Studio
from .things import winks


def doll(studio: Studio) -> Figure:
    """A simple figure: round body, big head, plain limbs."""
    u, rng, figure = studio.between, studio.rng, Figure()
    skin, shirt, trousers, hair = (studio.paint() for _ in range(4))
    shoe = studio.paint() if studio.chance(0.6) else trousers
    half, tall, head = u(0.28, 0.5), u(0.4, 0.6), u(0.3, 0.48)
    body = figure.bone(angle=studio.wave(0.1), turn=studio.wave(0.3))
    figure.part(body, outlines.blob(rng, half, tall, 0.1), shirt, 1)
    if studio.chance(0.5):
        belt = outlines.blob(rng, half * 0.8, tall * 0.14, 0.08, (0, u(-0.1, 0.5) * tall))
        figure.part(body, belt, studio.paint(), 1.1, around=(half, tall))
    if studio.chance(0.4):
        badge = outlines.moved(outlines.angular(rng, studio.whole(3, 6), half * 0.35), u(-0.2, 0.2) * half, u(-0.4, 0.2) * tall)
        figure.part(body, badge, studio.paint(), 1.2, around=(half, tall))
    _legs(studio, figure, body, half, tall, trousers, shoe)
    _arms(studio, figure, body, half, tall, shirt if studio.chance(0.6) else skin, skin)
    _head(studio, figure, body, -tall - head * 0.75, head, skin, hair)
    return figure


def _legs(studio, figure, body, half, tall, trousers, shoe):
    length, width = studio.between(0.35, 0.6), studio.between(0.09, 0.16)
    for side in (-1, 1):
        leg = figure.bone(body, (side * half * 0.5, tall * 0.8), angle=studio.wave(0.35), bend=studio.wave(0.3), soft=(0, length))
        figure.part(leg, outlines.limb(length, width, width * 0.85), trousers, -1)
        foot = outlines.blob(studio.rng, width * 1.6, width * 0.9, 0.08, (side * 0.02, length + width * 0.3))
        figure.part(leg, foot, shoe, 0)


def _arms(studio, figure, body, half, tall, sleeve, skin):
    length, width = studio.between(0.4, 0.7), studio.between(0.07, 0.13)
    for side in (-1, 1):
        level = -2 if studio.chance(0.35) else 2
        raised = -side * studio.between(0.1, 1.3)
        arm = figure.bone(body, (side * half * 0.85, -tall * 0.55), angle=studio.wave(0.6, raised), bend=studio.wave(0.5), soft=(0, length))
        figure.part(arm, outlines.limb(length, width, width * 0.9), sleeve, level)
        figure.part(arm, outlines.ellipse(width * 1.2, width * 1.3, (0, length + width * 0.4)), skin, level + 0.1)


def _head(studio, figure, body, top, size, skin, hair):
    u, rng = studio.between, studio.rng
    head = figure.bone(body, (0, top), angle=studio.wave(0.15), turn=studio.wave(0.3))
    ball = (size, size * 1.05)
    if studio.chance(0.5):
        figure.part(head, outlines.blob(rng, size * 1.2, size * 1.2, 0.1, (0, size * 0.1)), hair, 2.5)
    if studio.chance(0.4):
        ear = skin if studio.chance(0.5) else studio.paint()
        height = u(-0.1, 0.8)
        for side in (-1, 1):
            figure.part(head, outlines.ellipse(size * 0.28, size * 0.35, (side * size * 0.95, -size * height)), ear, 2.8)
    figure.part(head, outlines.blob(rng, size * u(0.85, 1.1), size, 0.05), skin, 3)
    white, pupil = studio.paint(), studio.paint()
    eye, apart = size * u(0.16, 0.28), size * u(0.3, 0.45)
    lids = figure.act(winks(studio)) if studio.chance(0.5) else 0
    for side in (-1, 1):
        figure.part(head, outlines.ellipse(eye, eye * 1.2, (side * apart, 0)), white, 3.2, around=ball, act=lids, pivot=0.0)
        if eye > 0.075:
            iris = outlines.ellipse(eye * 0.5, eye * 0.6, (side * apart + eye * 0.2, 0))
            figure.part(head, iris, pupil, 3.3, around=ball, act=lids, pivot=0.0)
    if studio.chance(0.6):
        talk = figure.act(winks(studio, 0.35, 0.3)) if studio.chance(0.4) else 0
        mouth = outlines.ellipse(size * 0.3, size * u(0.08, 0.2), (0, size * 0.5))
        figure.part(head, mouth, studio.paint(), 3.2, around=ball, act=talk, pivot=size * 0.5)
    if studio.chance(0.3):
        figure.part(head, outlines.blob(rng, size * 0.9, size * 0.45, 0.08, (0, -size)), studio.paint(), 3.8)
