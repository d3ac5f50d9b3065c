"""Robots of boxes and tubes, with a face on a screen."""

from dataclasses import dataclass

import numpy as np

from . import faces, outlines
from .faces import Head
from .figures import NONE, Figure
from .studio import Studio
from .vehicles import wheel


@dataclass(frozen=True)
class Robot:
    """A robot being drawn."""

    studio: Studio
    figure: Figure
    trunk: int
    w: float
    h: float
    """Half width and half height of the trunk."""
    corner: float
    shell: int
    joint: int
    dark: int


def robot(studio: Studio) -> Figure:
    """A robot on legs or wheels."""
    figure, u = Figure(), studio.between
    trunk = figure.bone(angle=studio.wave(0.1), turn=studio.wave(0.4))
    made = Robot(studio, figure, trunk, u(0.35, 0.55), u(0.35, 0.55), u(0.1, 0.8), studio.paint(), studio.paint(), studio.paint())
    w, h = made.w, made.h
    if studio.chance(0.25):
        _wheels(made)
    else:
        _legs(made)
    _arms(made)
    studio.solid(figure, trunk, outlines.box(w, h, corner=made.corner), made.shell, 0)
    if studio.chance(0.7):
        front = {"around": (w, np.inf)}
        figure.part(trunk, outlines.box(w * 0.65, h * 0.5, (0, -h * 0.1), 0.2), made.dark, 0.1, **front)
        for x in np.linspace(-0.35, 0.35, studio.whole(1, 3)):
            figure.part(trunk, outlines.ellipse(w * 0.13, w * 0.13, (x * w, -h * 0.1)), studio.paint(), 0.15, **front)
    _head(made)
    figure.reach, figure.bust = 1.5, (0, -h - 0.1, 0.9)
    return figure


def _head(made: Robot) -> None:
    studio, figure, size = made.studio, made.figure, made.studio.between(0.3, 0.42)
    figure.part(made.trunk, outlines.box(0.1, 0.14, (0, -made.h - 0.05)), made.joint, -0.1)
    head = figure.bone(made.trunk, (0, -made.h - 0.35), angle=studio.wave(0.2), turn=studio.wave(0.6))
    mast = figure.bone(head, (0, -size), angle=studio.wave(0.2, np.pi))
    figure.part(mast, outlines.box(0.03, 0.14, (0, 0.1)), made.joint, 0.9)
    figure.part(mast, outlines.ellipse(0.08, 0.08, (0, 0.3)), studio.paint(), 0.95)
    for side in (-1, 1):
        knob = outlines.box(0.07, 0.12, (side * (size * 1.2 + 0.05), 0), 0.5)
        figure.part(head, knob, made.joint, 0.95, depth=0.0, swaps=0.2)
    studio.solid(figure, head, outlines.box(size * 1.2, size, corner=made.corner), studio.either(made.shell), 1)
    figure.part(head, outlines.box(size, size * 0.7, corner=0.4), made.dark, 1.1, around=(size * 1.3, np.inf))
    faces.eyes(Head(studio, figure, head, size, size * 0.7, made.shell, made.joint, 1.2))


def _arms(made: Robot) -> None:
    studio, figure, u = made.studio, made.figure, made.studio.between
    long, ringed = u(0.5, 0.8), made.studio.chance(0.5)
    for side in (-1, 1):
        level = 1.5 if studio.chance(0.7) else -1.0
        swing, elbow = studio.wave(0.6, -side * u(0.1, 1.4)), studio.wave(0.5, side * u(0, 1))
        arm = figure.bone(made.trunk, (side * (made.w + 0.06), -made.h * 0.6), angle=swing, bend=elbow, soft=(long * 0.4, long * 0.6))
        figure.part(arm, outlines.limb(long, 0.07, 0.07), made.joint, level)
        for y in np.linspace(0.3, 0.8, 3) * long if ringed else ():
            figure.part(arm, np.array([(-0.07, y), (0, y + 0.03), (0.07, y)]), NONE, level + 0.01, line=(0, 3), ink=0.7)
        figure.part(arm, outlines.ellipse(0.12, 0.12), made.shell, level + 0.05)
        claw = figure.bone(arm, (0, long), angle=studio.wave(0.3))
        for half in (-1, 1):
            finger = outlines.path([(0, 0), (half * 0.16, 0.1), (half * 0.04, 0.3), (half * 0.05, 0.12)], 3)
            figure.part(claw, finger, made.dark, level + 0.06)
        figure.part(claw, outlines.ellipse(0.09, 0.09), made.shell, level + 0.07)


def _legs(made: Robot) -> None:
    studio, figure, long = made.studio, made.figure, made.studio.between(0.4, 0.7)
    for side in (-1, 1):
        joint = (side * made.w * 0.5, made.h * 0.9)
        leg = figure.bone(made.trunk, joint, angle=studio.wave(0.4), bend=studio.wave(0.4), soft=(long * 0.4, long * 0.6))
        figure.part(leg, outlines.limb(long, 0.09, 0.09), made.joint, -1)
        figure.part(leg, outlines.box(0.2, 0.1, (side * 0.05, long + 0.06), 0.5), made.shell, -0.9)


def _wheels(made: Robot) -> None:
    w, h = made.w, made.h
    stand = outlines.polygon([(-w * 0.4, h), (w * 0.4, h), (w * 0.7, h + 0.35), (-w * 0.7, h + 0.35)])
    made.figure.part(made.trunk, stand, made.joint, -1)
    for x in (-0.6, 0.6):
        wheel(made.studio, made.figure, made.trunk, (x * w, h + 0.4), 0.17, (made.dark, made.shell), -0.8, 2.0)
