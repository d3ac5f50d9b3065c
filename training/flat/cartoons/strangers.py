"""Creatures that only clips held out of training show: octopuses, butterflies, dinosaurs."""

import numpy as np

from . import faces, outlines
from .faces import Head
from .figures import INK, NONE, Figure, Wave
from .studio import Studio


def octopus(studio: Studio) -> Figure:
    """A head on many arms with suckers."""
    figure, u = Figure(), studio.between
    coat, pale = studio.paint(), studio.paint()
    trunk = figure.bone(angle=studio.wave(0.2), turn=studio.wave(0.5))
    count = studio.whole(4, 8)
    for i, x in enumerate(np.linspace(-0.42, 0.42, count)):
        long = u(0.7, 1.1)
        arm = figure.bone(trunk, (x, 0.25), angle=studio.wave(0.3, -1.6 * x), bend=studio.wave(1.5, -2 * x), soft=(0.1, long))
        level = -0.5 + 0.9 * (i % 2)
        figure.part(arm, outlines.limb(long, 0.13, 0.05, 0, 9), coat, level)
        for y in np.linspace(0.4, 0.8, 3) * long if studio.chance(0.6) else ():
            figure.part(arm, outlines.ellipse(0.05, 0.05, (0.03, y)), pale, level + 0.01, ink=0.7)
    studio.solid(
        figure,
        trunk,
        outlines.path([(0, -1), (0.55, -0.6), (0.45, 0.1), (0.3, 0.35), (-0.3, 0.35), (-0.45, 0.1), (-0.55, -0.6)], 5),
        coat,
        0.2,
    )
    faces.face(Head(studio, figure, trunk, 0.42, 0.5, coat, pale, 0.3))
    figure.reach, figure.bust = 1.3, (0, -0.2, 0.8)
    return figure


def butterfly(studio: Studio) -> Figure:
    """Four patterned wings that fold, on a banded body."""
    figure, u = Figure(), studio.between
    body, wing, pattern = studio.paint(), studio.paint(), studio.paint()
    trunk = figure.bone(angle=studio.wave(0.3), turn=studio.wave(0.9, u(-0.3, 0.3)))
    for side in (-1, 1):
        for top, w, h in ((-0.45, 0.6, 0.5), (0.35, 0.45, 0.38)):
            for grow, paint in ((1.0, wing), (0.6, pattern), (0.28, studio.either(wing))):
                shape = outlines.ellipse(w * grow, h * grow, (side * (0.12 + w), top))
                figure.part(trunk, shape, paint, -0.5 - grow * 0.1 + (0.02 if top > 0 else 0), depth=0.01)
    for i, y in enumerate(np.linspace(0.5, -0.3, 4)):
        figure.part(trunk, outlines.ellipse(0.13, 0.15, (0, y)), body if i % 2 else studio.either(body), 0.1 * i)
    head = figure.bone(trunk, (0, -0.6), angle=studio.wave(0.2))
    for side in (-1, 1):
        feeler = outlines.arc(0.3, 0.5, np.pi, 1.5 * np.pi, (0.4, 0), 6) * (side, 1)
        figure.part(head, feeler, NONE, 0.4, line=(0, 6), ink=0.8)
    studio.solid(figure, head, outlines.ellipse(0.22, 0.22), body, 0.5)
    faces.eyes(Head(studio, figure, head, 0.24, 0.24, body, body, 0.6))
    figure.reach = 1.2
    return figure


def dinosaur(studio: Studio) -> Figure:
    """A beast on two legs with a heavy tail and small arms."""
    figure, u = Figure(), studio.between
    coat, belly, spike = studio.paint(), studio.paint(), studio.paint()
    trunk = figure.bone(angle=studio.wave(0.12, u(-0.2, 0.3)))
    tail = figure.bone(trunk, (-0.3, 0.3), angle=studio.wave(0.2, 1.3), bend=studio.wave(0.9), soft=(0.2, 1.2))
    figure.part(tail, outlines.limb(1.2, 0.35, 0.05, 0, 9), coat, -0.3)
    for i, y in enumerate(np.linspace(0.2, 1, 4)):
        figure.part(
            tail, outlines.moved(outlines.turned(outlines.lock(0.3, 0.24), np.pi / 2), 0.35 * (1 - y * 0.8), y), spike, -0.4 - 0.01 * i
        )
    for side, level in ((-1, -0.8), (1, 0.5)):
        leg = figure.bone(trunk, (side * 0.12, 0.4), angle=Wave(0, 0.4, 3.3, side), bend=studio.wave(0.5), soft=(0.2, 0.5))
        figure.part(leg, outlines.limb(0.6, 0.26, 0.12), coat, level)
        figure.part(leg, outlines.ellipse(0.22, 0.1, (0.1, 0.68)), coat, level + 0.05)
        for x in (0.18, 0.3):
            figure.part(leg, outlines.ellipse(0.05, 0.06, (x, 0.7)), belly, level + 0.06, ink=0.7)
    studio.solid(figure, trunk, outlines.path([(-0.1, -0.75), (0.35, -0.6), (0.5, 0), (0.3, 0.55), (-0.25, 0.6), (-0.45, 0.2)], 5), coat, 0)
    figure.part(trunk, outlines.path([(0.35, -0.5), (0.47, 0), (0.28, 0.48), (0.1, 0.3), (0.15, -0.2)], 5), belly, 0.1)
    arm = figure.bone(trunk, (0.3, -0.25), angle=studio.wave(0.5, -0.8))
    figure.part(arm, outlines.limb(0.3, 0.08, 0.06), coat, 0.6)
    head = figure.bone(trunk, (0.1, -0.85), angle=studio.wave(0.25))
    jaw = figure.bone(head, (0.1, 0.1), angle=studio.wave(0.25, 0.25))
    figure.part(jaw, outlines.path([(-0.1, -0.1), (0.6, 0.02), (0.62, 0.16), (0, 0.25)], 4), coat, 0.7)
    figure.part(
        head,
        outlines.polygon([(0.1, 0.1), (0.7, 0.05), (0.62, 0.16), (0.5, 0.08), (0.4, 0.18), (0.3, 0.1)], 2),
        studio.paint("white", 0.6),
        0.75,
    )
    studio.solid(
        figure, head, outlines.path([(-0.35, 0.1), (-0.25, -0.35), (0.2, -0.4), (0.75, -0.15), (0.8, 0.08), (0.2, 0.15)], 4), coat, 0.8
    )
    figure.part(head, outlines.ellipse(0.1, 0.12, (0.12, -0.18)), studio.paint("white", 0.6), 0.9)
    figure.part(head, outlines.ellipse(0.05, 0.06, (0.15, -0.17)), INK, 0.95, ink=0)
    figure.centre, figure.reach = (-0.1, -0.1), 1.3
    return figure
