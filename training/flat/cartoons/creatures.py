"""Animals and mascots: beasts from a table, birds, fish, snakes."""

from dataclasses import dataclass

import numpy as np

from . import faces, outlines
from .faces import Head
from .figures import INK, NONE, Figure, Wave
from .studio import Studio


@dataclass(frozen=True)
class Beast:
    """A four-legged animal's measures, in lengths of half its trunk."""

    deep: float
    """Half the trunk's height."""
    legs: float
    leg: float
    neck: float
    head: float
    muzzle: float
    ear: str
    tail: tuple[float, float]
    """Length and half width."""
    coat: str


BEASTS: dict[str, Beast] = {
    "dog": Beast(0.42, 0.6, 0.12, 0.35, 0.36, 0.32, "hanging", (0.7, 0.09), "belly"),
    "cat": Beast(0.36, 0.5, 0.1, 0.2, 0.38, 0.14, "pointed", (1.2, 0.08), "stripes"),
    "horse": Beast(0.42, 0.95, 0.11, 0.85, 0.34, 0.48, "pointed", (0.9, 0.14), "mane"),
    "cow": Beast(0.52, 0.65, 0.13, 0.3, 0.38, 0.36, "hanging", (0.8, 0.05), "patches"),
    "bear": Beast(0.56, 0.45, 0.18, 0.15, 0.42, 0.24, "round", (0.15, 0.12), "belly"),
    "dragon": Beast(0.4, 0.5, 0.14, 0.8, 0.32, 0.42, "pointed", (1.6, 0.16), "spines"),
}


def beast(studio: Studio) -> Figure:
    """A four-legged animal from the side."""
    figure, u = Figure(), studio.between
    plan = BEASTS[studio.pick("beasts")]
    coat, muzzle = studio.paint("coat", 0.1), studio.paint()
    hoof = studio.either(coat, 0.4)
    trunk = figure.bone(angle=studio.wave(0.08), bend=Wave())
    _beast_legs(studio, figure, trunk, plan, coat, hoof)
    long, thick = plan.tail[0] * u(0.7, 1.3), plan.tail[1] * u(0.8, 1.3)
    tail = figure.bone(
        trunk, (-0.95, -plan.deep * 0.4), angle=studio.wave(0.3, u(0.4, 2.2)), bend=studio.wave(0.9, u(-0.8, 0.8)), soft=(0, long)
    )
    figure.part(tail, outlines.limb(long, thick, thick * u(0.4, 1.1), 0, 8), coat, -0.5)
    if studio.chance(0.4):
        figure.part(tail, outlines.limb(long, thick * 1.1, thick * 1.1, long * 0.7, 4), muzzle, -0.49)
    hull = outlines.path(
        [
            (-1, -plan.deep * 0.5),
            (-0.4, -plan.deep),
            (0.4, -plan.deep * 0.95),
            (1, -plan.deep * 0.6),
            (1, plan.deep * 0.4),
            (0.3, plan.deep),
            (-0.5, plan.deep * 0.9),
            (-1.05, plan.deep * 0.3),
        ],
        4,
    )
    studio.solid(figure, trunk, hull, coat, 0)
    _coat(studio, figure, trunk, plan, coat)
    _beast_head(studio, figure, trunk, plan, coat, muzzle)
    figure.centre, figure.reach = (0.15, plan.legs * 0.2), 1.35 + plan.neck * 0.3
    figure.bust = (1.1, -plan.deep - plan.neck * 0.6, 0.9)
    return figure


def _beast_legs(studio, figure, trunk, plan, coat, hoof) -> None:
    pace, phase, stride = studio.between(2, 5), studio.between(0, 6), studio.between(0.1, 0.5)
    far = studio.either(coat, 0.6)
    for i, x in enumerate((-0.85, 0.6, -0.65, 0.8)):
        paint, level = (far, -1.0) if i < 2 else (coat, 0.5)
        step = phase + np.pi * (i in (0, 3))
        leg = figure.bone(
            trunk,
            (x, plan.deep * 0.5),
            angle=Wave(0, stride, pace, step),
            bend=Wave(0, stride, pace, step),
            soft=(plan.legs * 0.5, plan.legs),
        )
        long = plan.legs + plan.deep * 0.4
        figure.part(leg, outlines.limb(long, plan.leg * 1.4, plan.leg), paint, level)
        figure.part(leg, outlines.ellipse(plan.leg * 1.4, plan.leg * 0.9, (plan.leg * 0.4, long + plan.leg * 0.3)), hoof, level + 0.01)


def _coat(studio, figure, trunk, plan, coat) -> None:
    """What is on the trunk: a belly, stripes, patches or a saddle."""
    deep = plan.deep
    if plan.coat == "belly" and studio.chance(0.6):
        figure.part(
            trunk, outlines.within(outlines.ellipse(0.8, deep * 0.5, (0, deep * 0.6)), (0, 0), 0.98, deep * 0.88), studio.paint(), 0.1
        )
    elif plan.coat == "stripes" and studio.chance(0.7):
        stripe = studio.paint()
        for x in np.linspace(-0.7, 0.5, studio.whole(3, 5)):
            figure.part(trunk, outlines.moved(outlines.lock(deep * 1.1, 0.18, 0.1), x, -deep * 0.85), stripe, 0.1)
    elif plan.coat == "patches":
        patch = studio.paint()
        for x in np.linspace(-0.6, 0.6, studio.whole(2, 4)):
            spot = outlines.blob(studio.rng, 0.2, deep * 0.4, 0.2, (x, studio.between(-0.4, 0.3) * deep))
            figure.part(trunk, spot, patch, 0.1)
    elif plan.coat == "spines":
        spine = studio.paint()
        for x in np.linspace(-0.8, 0.7, 6):
            figure.part(trunk, outlines.polygon([(x - 0.13, -deep * 0.8), (x, -deep * 1.35), (x + 0.13, -deep * 0.8)]), spine, -0.1)
    if studio.chance(0.25):
        figure.part(trunk, outlines.box(0.35, deep * 0.45, (-0.05, -deep * 0.5), 0.4), studio.paint(), 0.2)


def _beast_head(studio, figure, trunk, plan, coat, muzzle) -> None:
    u, size, long = studio.between, plan.head, plan.neck + 0.2
    neck = figure.bone(trunk, (0.85, -plan.deep * 0.5), up=True, angle=studio.wave(0.2, 0.5), bend=studio.wave(0.2), soft=(0, long))
    figure.part(neck, outlines.limb(long, size * 0.75, size * 0.6) * [1, -1], coat, 0.3)
    if studio.chance(0.4):
        figure.part(neck, outlines.box(size * 0.75, size * 0.14, (0, -long * 0.5)), studio.paint(), 0.4)
    if plan.coat == "mane":
        mane = studio.paint()
        for y in np.linspace(0, long, 4):
            lock = outlines.turned(outlines.lock(size * 1.1, size * 0.6), studio.between(0.5, 1.1))
            figure.part(neck, outlines.moved(lock, -size * 0.3, -y), mane, 0.35 + 0.01 * y)
    head = figure.bone(neck, (0, -long), angle=studio.wave(0.2, u(-0.6, 0)))
    ear, inner = studio.either(coat, 0.6), studio.paint("inner ear", 0.6)
    _beast_ears(studio, figure, head, plan, ear, inner)
    reach = plan.muzzle
    studio.solid(figure, head, outlines.ellipse(size, size * 0.92), coat, 1)
    snout = outlines.path(
        [(size * 0.3, -size * 0.15), (size * 0.9 + reach, size * 0.05), (size * 0.9 + reach, size * 0.65), (size * 0.2, size * 0.75)], 5
    )
    figure.part(head, snout, muzzle if studio.chance(0.6) else coat, 1.1)
    figure.part(
        head,
        outlines.ellipse(size * 0.2, size * 0.16, (size * 0.85 + reach, size * 0.08)),
        INK if studio.chance(0.5) else studio.paint(),
        1.2,
    )
    mouth = outlines.arc(reach + size * 0.4, size * 0.3, 0.1, 2.2, (size * 0.55, size * 0.3), 7)
    figure.part(head, mouth, NONE, 1.2, line=(0, 7), ink=0.8)
    lids = figure.act(studio.winks()) if studio.chance(0.5) else 0
    eye = size * u(0.17, 0.28)
    figure.part(
        head, outlines.ellipse(eye, eye * 1.2, (size * 0.3, -size * 0.25)), studio.paint("white", 0.7), 1.3, act=lids, pivot=-size * 0.25
    )
    figure.part(head, outlines.ellipse(eye * 0.5, eye * 0.6, (size * 0.38, -size * 0.25)), INK, 1.35, ink=0, act=lids, pivot=-size * 0.25)


def _beast_ears(studio, figure, head, plan, paint, inner) -> None:
    size = plan.head
    for x, level in ((-0.1, 0.8), (-0.5, 1.4)):
        if plan.ear == "hanging":
            ear = figure.bone(head, (x * size, -size * 0.75), angle=studio.wave(0.3, 0.6))
            figure.part(ear, outlines.ellipse(size * 0.28, size * 0.5, (0, size * 0.4)), paint, level)
            continue
        ear = figure.bone(head, (x * size, -size * 0.8), angle=studio.wave(0.15, -0.2))
        for grow, colour in ((1.0, paint), (0.55, inner)):
            shape = (
                outlines.lock(size * 0.75 * grow, size * 0.5 * grow)
                if plan.ear == "pointed"
                else outlines.ellipse(size * 0.3 * grow, size * 0.3 * grow)
            )
            figure.part(ear, shape * [1, -1] + [0, size * 0.12], colour, level + 0.01 * (grow < 1))


def bird(studio: Studio) -> Figure:
    """A bird that flaps its wings."""
    figure, u = Figure(), studio.between
    coat, wing_paint, beak = studio.paint(), studio.paint(), studio.paint("beak", 0.5)
    trunk = figure.bone(angle=studio.wave(0.15, u(-0.3, 0.3)))
    size = u(0.32, 0.45)
    for i in range(studio.whole(2, 3)):
        feather = outlines.turned(outlines.ellipse(0.4, 0.1, (0.4, 0)), np.pi + u(-0.1, 0.1) + 0.25 * (i - 1))
        figure.part(trunk, outlines.moved(feather, -0.6, 0), studio.either(wing_paint), -0.5 + 0.01 * i)
    for x in (-0.1, 0.15):
        leg = figure.bone(trunk, (x, 0.4), angle=studio.wave(0.25))
        figure.part(leg, outlines.limb(0.4, 0.05, 0.05), beak, -0.6)
        figure.part(leg, outlines.path([(-0.05, 0.4), (0.2, 0.46), (0.18, 0.55), (-0.12, 0.5)], 3), beak, -0.55)
    studio.solid(
        figure, trunk, outlines.path([(-0.8, -0.05), (-0.2, -0.42), (0.55, -0.4), (0.75, 0), (0.4, 0.42), (-0.3, 0.4)], 5), coat, 0
    )
    if studio.chance(0.7):
        figure.part(trunk, outlines.ellipse(0.42, 0.24, (0.15, 0.16)), studio.paint(), 0.1)
    _wing(studio, figure, trunk, wing_paint)
    head = figure.bone(trunk, (0.6, -0.45), angle=studio.wave(0.25))
    if studio.chance(0.4):
        for tilt in (-0.5, 0, 0.5):
            figure.part(head, outlines.moved(outlines.turned(outlines.lock(0.4, 0.18), np.pi + tilt), 0, -size * 0.7), wing_paint, 0.9)
    studio.solid(figure, head, outlines.ellipse(size, size), studio.either(coat, 0.6), 1)
    talk = figure.act(studio.opens(0.2))
    for side in (-1, 1):
        jaw = outlines.path([(size * 0.7, 0), (size * 1.7, side * 0.06), (size * 0.75, side * size * 0.4)], 4)
        figure.part(head, jaw, beak if side < 0 else studio.either(beak), 1.1, act=talk if side > 0 else 0, pivot=0.0 if side > 0 else None)
    eye = size * u(0.22, 0.34)
    figure.part(head, outlines.ellipse(eye, eye, (size * 0.3, -size * 0.25)), studio.paint("white", 0.6), 1.2)
    figure.part(head, outlines.ellipse(eye * 0.5, eye * 0.5, (size * 0.38, -size * 0.25)), INK, 1.25, ink=0)
    figure.centre, figure.reach, figure.bust = (0.1, -0.1), 1.1, (0.5, -0.4, 0.8)
    return figure


def _wing(studio, figure, trunk, paint) -> None:
    long = studio.between(0.7, 1.3)
    wing = figure.bone(trunk, (0.2, -0.2), angle=studio.wave(0.9, studio.between(0.6, 2.4)), bend=studio.wave(0.5), soft=(0, long))
    tips = studio.whole(2, 4)
    x = np.linspace(0.28, -0.12, tips + 1)
    for i in range(tips):
        feather = outlines.path([(x[i], 0), (x[i], long * (1 - 0.15 * i)), (x[i + 1], long * (0.92 - 0.15 * i)), (x[i + 1], 0)], 4)
        figure.part(wing, feather, studio.either(paint, 0.7), 0.6 + 0.01 * i)
    figure.part(wing, outlines.ellipse(0.28, 0.3, (0.08, 0.08)), paint, 0.7)


def fish(studio: Studio) -> Figure:
    """A fish that swims."""
    figure, u = Figure(), studio.between
    coat, fin = studio.paint(), studio.paint()
    deep = u(0.35, 0.7)
    trunk = figure.bone(angle=Wave(np.pi / 2), bend=studio.wave(0.5), soft=(0, 1.4))
    hull = outlines.path(
        [
            (0, -0.8),
            (deep * 0.8, -0.3),
            (deep, 0.1),
            (deep * 0.35, 0.75),
            (0.1, 1),
            (-0.1, 1),
            (-deep * 0.35, 0.75),
            (-deep, 0.1),
            (-deep * 0.8, -0.3),
        ],
        4,
    )
    tail = figure.bone(trunk, (0, 0.95), angle=studio.wave(0.4), bend=studio.wave(0.4), soft=(0, 0.6))
    figure.part(tail, outlines.path([(0, -0.05), (0.5, 0.5), (0.15, 0.4), (-0.15, 0.4), (-0.5, 0.5)], 4), fin, -0.1)
    figure.part(trunk, outlines.path([(deep * 0.7, -0.3), (deep * 1.5, 0.1), (deep * 1.2, 0.5), (deep * 0.5, 0.5)], 4), fin, -0.2)
    if studio.chance(0.5):
        figure.part(trunk, outlines.path([(-deep * 0.7, 0), (-deep * 1.4, 0.4), (-deep * 0.5, 0.5)], 4), studio.either(fin), -0.2)
    studio.solid(figure, trunk, hull, coat, 0)
    bands, kind = studio.paint(), studio.pick({"bands": 0.4, "scales": 0.2, "plain": 0.4})
    for y in np.linspace(0, 0.6, studio.whole(1, 3)) if kind == "bands" else ():
        edge = deep * (1 - (y / 1.15) ** 2) * 0.93
        figure.part(trunk, outlines.polygon([(edge, y), (edge * 0.93, y + 0.14), (-edge * 0.93, y + 0.14), (-edge, y)]), bands, 0.1)
    for y in np.linspace(-0.1, 0.5, 3) if kind == "scales" else ():
        for x in (-0.3, 0.3):
            figure.part(trunk, outlines.arc(deep * 0.25, 0.1, 0, np.pi, (x * deep, y), 6), NONE, 0.1, line=(0, 6), ink=0.7)
    figure.part(trunk, outlines.arc(deep * 0.7, 0.2, 0.5, np.pi - 0.5, (0, -0.35), 7), NONE, 0.1, line=(0, 7))
    flap = figure.bone(trunk, (-deep * 0.1, 0), angle=studio.wave(0.5, 0.5))
    figure.part(flap, outlines.lock(0.5, 0.4), fin, 0.3)
    eye = deep * u(0.18, 0.3)
    figure.part(trunk, outlines.ellipse(eye, eye, (deep * 0.25, -0.45)), studio.paint("white", 0.6), 0.3)
    figure.part(trunk, outlines.ellipse(eye * 0.5, eye * 0.5, (deep * 0.25, -0.48)), INK, 0.35, ink=0)
    figure.centre, figure.reach = (-0.3, 0), 1.2
    return figure


def snake(studio: Studio) -> Figure:
    """A snake, a worm or an eel: two bends one after the other, in bands."""
    figure, u = Figure(), studio.between
    coat, band = studio.paint(), studio.paint()
    thick, length = u(0.12, 0.22), u(1.2, 1.6)
    front = figure.bone(angle=studio.wave(0.2, np.pi / 2), bend=studio.wave(1.6), soft=(0, length))
    back = figure.bone(angle=Wave(-np.pi / 2), bend=studio.wave(1.8), soft=(0, length))
    figure.part(back, outlines.limb(length, thick, 0.03, 0, 12), coat, -0.1)
    studio.solid(figure, front, outlines.limb(length, thick, thick * 0.8, 0, 12), coat, 0)
    for bone in (front, back):
        for y in np.linspace(0.15, 0.8, studio.whole(2, 5)) * length if studio.chance(0.7) else ():
            width = thick * (1 - 0.85 * y / length if bone == back else 1 - 0.2 * y / length)
            figure.part(bone, outlines.box(width, thick * 0.35, (0, y)), band, 0.1)
    head = figure.bone(front, (0, length), angle=studio.wave(0.4))
    flick = figure.act(studio.winks(0.6, 0.0))
    tongue = outlines.path([(0.03, 0.2), (0.08, thick * 3.5), (0, thick * 3), (-0.08, thick * 3.5), (-0.03, 0.2)], 3)
    figure.part(head, tongue, studio.paint(), 0.2, act=flick, shown=(0.5, 2))
    studio.solid(
        figure,
        head,
        outlines.path(
            [
                (-thick * 1.2, 0),
                (-thick * 1.3, thick * 1.4),
                (0, thick * 2.4),
                (thick * 1.3, thick * 1.4),
                (thick * 1.2, 0),
                (0, -thick * 0.6),
            ],
            4,
        ),
        coat,
        0.5,
    )
    white = studio.paint("white", 0.6)
    for side in (-1, 1):
        figure.part(head, outlines.ellipse(thick * 0.4, thick * 0.45, (side * thick * 0.75, thick * 0.7)), white, 0.6)
        figure.part(head, outlines.ellipse(thick * 0.18, thick * 0.2, (side * thick * 0.75, thick * 0.85)), INK, 0.65, ink=0)
    figure.reach = length
    return figure


def mascot(studio: Studio) -> Figure:
    """A round fellow that is all face, with small limbs, horns, leaves or ears."""
    figure, u = Figure(), studio.between
    coat, limb_paint = studio.paint(), studio.paint()
    w, h = u(0.6, 0.9), u(0.6, 0.95)
    trunk = figure.bone(angle=studio.wave(0.2), turn=studio.wave(studio.config.turn, u(-0.4, 0.4)))
    for side in (-1, 1):
        long = u(0.25, 0.5)
        leg = figure.bone(trunk, (side * w * 0.45, h * 0.75), angle=studio.wave(0.4), bend=studio.wave(0.3), soft=(0, long))
        figure.part(leg, outlines.limb(long, 0.1, 0.1), limb_paint, -0.5)
        figure.part(leg, outlines.ellipse(0.2, 0.12, (side * 0.06, long + 0.05)), studio.either(limb_paint), -0.4)
        arm = figure.bone(
            trunk, (side * w * 0.92, h * 0.1), angle=studio.wave(0.8, -side * u(0.3, 1.8)), bend=studio.wave(0.5), soft=(0, long)
        )
        figure.part(arm, outlines.limb(long, 0.1, 0.1), studio.either(coat), -0.3 if studio.chance(0.5) else 2)
        figure.part(arm, outlines.ellipse(0.14, 0.14, (0, long + 0.06)), limb_paint, 2.1)
    _toppings(studio, figure, trunk, w, h)
    shape = studio.pick({"round": 0.4, "blob": 0.3, "box": 0.3})
    body = (
        outlines.ellipse(w, h)
        if shape == "round"
        else outlines.box(w, h, (0, 0), 0.7)
        if shape == "box"
        else outlines.blob(studio.rng, w, h, 0.06)
    )
    studio.solid(figure, trunk, body, coat, 0)
    if studio.chance(0.5):
        figure.part(trunk, outlines.ellipse(w * 0.6, h * 0.4, (0, h * 0.5)), studio.paint(), 0.1, around=(w, h * 1.2))
    if studio.chance(0.4):
        spot = studio.paint()
        for _ in range(studio.whole(2, 4)):
            size = u(0.08, 0.2)
            at = u(-0.7, 0.7) * w, u(-0.8, 0.2) * h
            figure.part(trunk, outlines.blob(studio.rng, size, size, 0.1, at), spot, 0.12, around=(w, h * 1.2))
    faces.face(Head(studio, figure, trunk, w * u(0.6, 0.9), h * 0.7, coat, limb_paint, 0.2))
    figure.reach, figure.bust = 1.3, (0, 0, 1.0)
    return figure


def _toppings(studio, figure, trunk, w, h) -> None:
    kind = studio.pick({"none": 0.2, "horns": 0.25, "ears": 0.3, "leaf": 0.25})
    paint, inner = studio.paint(), studio.paint()
    if kind == "leaf":
        for tilt in (-0.7, 0.7)[: studio.whole(1, 2)]:
            bone = figure.bone(trunk, (0, -h * 0.9), angle=studio.wave(0.2, np.pi + tilt), bend=studio.wave(0.4), soft=(0, 0.5))
            figure.part(bone, outlines.lock(0.5, 0.3), paint, -0.2)
    elif kind != "none":
        for side in (-1, 1):
            bone = figure.bone(trunk, (side * w * 0.6, -h * 0.7), angle=studio.wave(0.15, np.pi + side * 0.4))
            shape = outlines.lock(0.5, 0.3) if kind == "horns" else outlines.ellipse(0.18, 0.3, (0, 0.25))
            figure.part(bone, shape, paint, -0.2)
            if kind == "ears":
                figure.part(bone, shape * 0.6 + [0, 0.1], inner, -0.15)
