"""Robots and vehicles; ships and aeroplanes for clips that are held out."""

import numpy as np

from . import faces, outlines
from .faces import Head
from .figures import INK, NONE, Figure, Wave
from .studio import Studio


def robot(studio: Studio) -> Figure:
    """A robot of boxes and tubes with a screen or a face."""
    figure, u = Figure(), studio.between
    shell, joint, dark = studio.paint(), studio.paint(), studio.paint()
    w, h, corner = u(0.35, 0.55), u(0.35, 0.55), u(0.1, 0.8)
    trunk = figure.bone(angle=studio.wave(0.1), turn=studio.wave(0.4))
    _robot_limbs(studio, figure, trunk, w, h, shell, joint, dark)
    studio.solid(figure, trunk, outlines.box(w, h, (0, 0), corner), shell, 0)
    if studio.chance(0.7):
        figure.part(trunk, outlines.box(w * 0.65, h * 0.5, (0, -h * 0.1), 0.2), dark, 0.1, around=(w, np.inf))
        for x in np.linspace(-0.35, 0.35, studio.whole(1, 3)):
            figure.part(trunk, outlines.ellipse(w * 0.13, w * 0.13, (x * w, -h * 0.1)), studio.paint(), 0.15, around=(w, np.inf))
    head = figure.bone(trunk, (0, -h - 0.35), angle=studio.wave(0.2), turn=studio.wave(0.6))
    figure.part(trunk, outlines.box(0.1, 0.14, (0, -h - 0.05)), joint, -0.1)
    size = u(0.3, 0.42)
    mast = figure.bone(head, (0, -size), angle=studio.wave(0.2, np.pi))
    figure.part(mast, outlines.box(0.03, 0.14, (0, 0.1)), joint, 0.9)
    figure.part(mast, outlines.ellipse(0.08, 0.08, (0, 0.3)), studio.paint(), 0.95)
    for side in (-1, 1):
        figure.part(head, outlines.box(0.07, 0.12, (side * (size * 1.2 + 0.05), 0), 0.5), joint, 0.95, depth=0.0, swaps=0.2)
    studio.solid(figure, head, outlines.box(size * 1.2, size, (0, 0), corner), studio.either(shell), 1)
    figure.part(head, outlines.box(size, size * 0.7, (0, 0), 0.4), dark, 1.1, around=(size * 1.3, np.inf))
    faces.eyes(Head(studio, figure, head, size, size * 0.7, shell, joint, 1.2))
    figure.centre, figure.reach, figure.bust = (0, 0), 1.5, (0, -h - 0.1, 0.9)
    return figure


def _robot_limbs(studio, figure, trunk, w, h, shell, joint, dark) -> None:
    u, arm_long, leg_long = studio.between, studio.between(0.5, 0.8), studio.between(0.4, 0.7)
    wheeled = studio.chance(0.25)
    for side in (-1, 1):
        level = 1.5 if studio.chance(0.7) else -1.0
        arm = figure.bone(
            trunk,
            (side * (w + 0.06), -h * 0.6),
            angle=studio.wave(0.6, -side * u(0.1, 1.4)),
            bend=studio.wave(0.5, side * u(0, 1)),
            soft=(arm_long * 0.4, arm_long * 0.6),
        )
        figure.part(arm, outlines.limb(arm_long, 0.07, 0.07), joint, level)
        for y in np.linspace(0.3, 0.8, 3) * arm_long if studio.chance(0.5) else ():
            figure.part(arm, np.array([[-0.07, y], [0, y + 0.03], [0.07, y]]), NONE, level + 0.01, line=(0, 3), ink=0.7)
        figure.part(arm, outlines.ellipse(0.12, 0.12), shell, level + 0.05)
        claw = figure.bone(arm, (0, arm_long), angle=studio.wave(0.3))
        for half in (-1, 1):
            figure.part(claw, outlines.path([(0, 0), (half * 0.16, 0.1), (half * 0.04, 0.3), (half * 0.05, 0.12)], 3), dark, level + 0.06)
        figure.part(claw, outlines.ellipse(0.09, 0.09), shell, level + 0.07)
        if wheeled:
            continue
        leg = figure.bone(
            trunk, (side * w * 0.5, h * 0.9), angle=studio.wave(0.4), bend=studio.wave(0.4), soft=(leg_long * 0.4, leg_long * 0.6)
        )
        figure.part(leg, outlines.limb(leg_long, 0.09, 0.09), joint, -1)
        figure.part(leg, outlines.box(0.2, 0.1, (side * 0.05, leg_long + 0.06), 0.5), shell, -0.9)
    if wheeled:
        figure.part(trunk, outlines.polygon([(-w * 0.4, h), (w * 0.4, h), (w * 0.7, h + 0.35), (-w * 0.7, h + 0.35)]), joint, -1)
        for x in (-0.6, 0.6):
            wheel(studio, figure, trunk, (x * w, h + 0.4), 0.17, dark, shell, -0.8, 2.0)


def wheel(
    studio: Studio, figure: Figure, bone: int, at: tuple[float, float], size: float, tyre: int, hub: int, level: float, speed: float
) -> None:
    """A wheel that turns, its hub marked so that one sees it."""
    axle = figure.bone(bone, at, angle=Wave(0, speed, 1.0, 0.0))
    figure.part(axle, outlines.ellipse(size, size, n=22), tyre, level)
    figure.part(axle, outlines.ellipse(size * 0.58, size * 0.58, n=16), hub, level + 0.01)
    for angle in np.arange(3) * outlines.TAU / 3 if studio.chance(0.5) else ():
        figure.part(
            axle,
            outlines.moved(outlines.ellipse(size * 0.13, size * 0.13), size * 0.34 * np.cos(angle), size * 0.34 * np.sin(angle)),
            tyre,
            level + 0.02,
            ink=0.7,
        )


def car(studio: Studio) -> Figure:
    """A car, a van, a lorry or a bus, from the side."""
    figure, u = Figure(), studio.between
    paint, glass, tyre, hub = studio.paint(), studio.paint("glass", 0.5), studio.paint("tyre", 0.7), studio.paint("hub", 0.5)
    trunk = figure.bone(angle=studio.wave(0.04))
    kind = studio.pick({"car": 0.5, "van": 0.25, "lorry": 0.25})
    x, y, cabin = 1.0, 0.25, u(0.3, 0.45)
    if kind == "lorry":
        figure.part(trunk, outlines.box(0.62, 0.42, (-0.38, -0.4)), studio.paint(), -0.1)
        for stripe in range(studio.whole(0, 2)):
            figure.part(trunk, outlines.box(0.62, 0.06, (-0.38, -0.5 + 0.25 * stripe)), studio.paint(), -0.09)
    left, right = {"car": (-0.6, 0.45), "van": (-0.95, 0.7), "lorry": (0.3, 0.85)}[kind]
    roof = [(left, -y + 0.05), (left + 0.12, -y - cabin), (right - 0.25, -y - cabin), (right, -y + 0.05)]
    studio.solid(
        figure,
        trunk,
        outlines.path([(left, -y + 0.1), *roof[1:3], (right, -y + 0.1), (0, 0)], 4) if kind == "car" else outlines.polygon(roof),
        studio.either(paint, 0.8),
        0,
    )
    panes = studio.whole(2, 4) if kind != "lorry" else 1
    edge = np.linspace(left + 0.14, right - 0.2, panes + 1)
    for a, b in zip(edge[:-1] + 0.02, edge[1:] - 0.02, strict=True):
        pane = outlines.box((b - a) / 2, cabin * 0.33, ((a + b) / 2, -y - cabin * 0.48), 0.3)
        figure.part(trunk, pane, glass, 0.1)
        if studio.chance(0.3):
            driver = outlines.within(
                outlines.ellipse(0.1, 0.13, ((a + b) / 2, -y - cabin * 0.35)), ((a + b) / 2, -y - cabin * 0.48), (b - a) / 2, cabin * 0.33
            )
            figure.part(trunk, driver, studio.paint("skin", 0.6), 0.12)
    hull = [(-x, -y), (x * 0.6, -y), (x, -y * 0.4), (x, y * 0.9), (-x, y * 0.9)]
    studio.solid(figure, trunk, outlines.polygon(hull), paint, 0.2)
    if studio.chance(0.5):
        figure.part(trunk, outlines.box(x, 0.05, (0, studio.between(-0.1, 0.1))), studio.paint(), 0.3)
    for door in np.linspace(-0.3, 0.3, studio.whole(1, 2)):
        figure.part(
            trunk,
            outlines.box(0.2, 0.2, (door, 0), 0.2) if studio.chance(0.5) else outlines.box(0.08, 0.03, (door, -0.08)),
            paint,
            0.4,
            ink=0.8,
        )
    figure.part(trunk, outlines.ellipse(0.08, 0.1, (x * 0.95, -0.02)), studio.paint(), 0.5)
    figure.part(trunk, outlines.box(0.14, 0.06, (x * 0.95, y * 0.75), 0.6), hub, 0.5)
    size, speed = u(0.2, 0.3), u(2, 6)
    for at in (-0.6, 0.6):
        figure.part(trunk, outlines.ellipse(size * 1.2, size * 1.2, (at, y * 0.9)), studio.either(tyre, 0.6), 0.55)
        wheel(studio, figure, trunk, (at, y * 0.95), size, tyre, hub, 0.6, speed)
    figure.reach = 1.1
    return figure


def ship(studio: Studio) -> Figure:
    """A ship with sails or a funnel that rolls on its waves."""
    figure, u = Figure(), studio.between
    hull, deck = studio.paint(), studio.paint()
    trunk = figure.bone(angle=studio.wave(0.15))
    if studio.chance(0.5):
        mast, sail = studio.paint("wood", 0.5), studio.paint()
        for x in np.linspace(-0.4, 0.4, studio.whole(1, 2)):
            figure.part(trunk, outlines.box(0.03, 0.6, (x, -0.6)), mast, -1)
            cloth = figure.bone(trunk, (x, -1.1), bend=studio.wave(0.5), soft=(0, 0.8))
            for i in range(studio.whole(1, 3)):
                figure.part(
                    cloth,
                    outlines.path([(0.03, 0.3 * i), (0.42, 0.3 * i + 0.12), (0.35, 0.3 * i + 0.28), (0.03, 0.3 * i + 0.28)], 3),
                    studio.either(sail),
                    -0.9 + 0.01 * i,
                )
            flag = figure.bone(trunk, (x, -1.2), angle=Wave(1.57), bend=studio.wave(0.9), soft=(0, 0.4))
            figure.part(flag, outlines.polygon([(-0.1, 0), (0.1, 0), (0, 0.4)]), studio.paint(), -0.5)
    else:
        figure.part(trunk, outlines.box(0.5, 0.2, (0, -0.35)), deck, -1)
        for x in np.linspace(-0.3, 0.3, 4):
            figure.part(trunk, outlines.ellipse(0.06, 0.06, (x, -0.35)), studio.paint("glass", 0.9), -0.9)
        figure.part(trunk, outlines.box(0.14, 0.3, (-0.1, -0.75)), hull, -1.1)
        figure.part(trunk, outlines.box(0.14, 0.07, (-0.1, -0.85)), studio.paint(), -1.05)
        for i in range(3):
            puff = figure.bone(trunk, (-0.1 - 0.2 * i, -1.15 - 0.12 * i), angle=studio.wave(0.5))
            figure.part(puff, outlines.scallops(studio.rng, 0.12 + 0.04 * i, 0.1 + 0.03 * i, 6), studio.paint("smoke", 0.9), -1.2 - i)
    studio.solid(figure, trunk, outlines.path([(-1, -0.2), (0, -0.12), (1.1, -0.3), (0.75, 0.3), (0, 0.38), (-0.75, 0.3)], 5), hull, 0)
    band = outlines.polygon([(-0.95, -0.08), (0.98, -0.12), (0.93, 0), (-0.9, 0.04)])
    figure.part(trunk, band, deck, 0.1)
    for x in np.linspace(-0.5, 0.5, studio.whole(2, 5)):
        figure.part(trunk, outlines.ellipse(0.06, 0.06, (x, 0.14)), studio.paint("glass", 0.9), 0.2)
    sea, foam = studio.paint(), studio.paint()
    for i, paint in enumerate((sea, foam)):
        line = np.linspace(-1.4, 1.4, 22)
        wave = outlines.joined(line, 0.28 + 0.08 * i + 0.06 * np.sin(line * u(6, 9) + i))
        figure.part(trunk, np.concatenate([wave, [(1.4, 0.6), (-1.4, 0.6)]]), paint, 1 + i)
    figure.centre, figure.reach = (0, -0.3), 1.3
    return figure


def aeroplane(studio: Studio) -> Figure:
    """An aeroplane or a rocket with a turning propeller."""
    figure, u = Figure(), studio.between
    shell, wing = studio.paint(), studio.paint()
    trunk = figure.bone(angle=studio.wave(0.3))
    figure.part(trunk, outlines.polygon([(0.1, -0.1), (-0.3, -0.75), (-0.5, -0.75), (-0.3, -0.1)], 2), wing, -0.5)
    figure.part(trunk, outlines.polygon([(-0.75, -0.1), (-1.1, -0.6), (-1.25, -0.6), (-1.15, 0)], 2), wing, -0.4)
    studio.solid(
        figure, trunk, outlines.path([(-1.2, -0.05), (-0.4, -0.25), (0.5, -0.25), (0.95, 0), (0.6, 0.22), (-0.4, 0.22)], 5), shell, 0
    )
    figure.part(trunk, outlines.polygon([(-1.05, 0.03), (0.92, -0.02), (0.9, 0.08), (-0.9, 0.12)]), studio.paint(), 0.1)
    figure.part(
        trunk, outlines.path([(0.45, -0.24), (0.55, -0.4), (0.75, -0.3), (0.8, -0.12), (0.5, -0.12)], 3), studio.paint("glass", 0.5), 0.2
    )
    for x in np.linspace(-0.5, 0.25, studio.whole(2, 5)):
        figure.part(trunk, outlines.ellipse(0.055, 0.07, (x, -0.1)), studio.paint("glass", 0.9), 0.2)
    studio.solid(figure, trunk, outlines.polygon([(0.25, 0.05), (-0.1, 0.75), (-0.4, 0.75), (-0.15, 0.05)], 2), wing, 0.5)
    figure.part(trunk, outlines.ellipse(0.13, 0.13, (-0.12, 0.45)), studio.paint(), 0.6)
    figure.part(trunk, outlines.ellipse(0.1, 0.1, (0.97, 0)), studio.paint(), 0.4)
    blades = figure.bone(trunk, (1.02, 0), angle=Wave(u(0, 6), 4, u(1, 2)))
    figure.part(blades, outlines.ellipse(0.05, 0.35), studio.paint(), 0.5)
    figure.part(blades, outlines.ellipse(0.04, 0.04), INK, 0.6, ink=0)
    figure.reach = 1.2
    return figure
