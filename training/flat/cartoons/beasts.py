"""Four-legged animals from the side, from a table."""

from dataclasses import dataclass

import numpy as np

from . import outlines
from .figures import INK, NONE, Figure, Wave
from .studio import Studio


@dataclass(frozen=True)
class Plan:
    """An animal's measures, in lengths of half its trunk."""

    deep: float
    """Half the trunk's height."""
    legs: float
    leg: float
    """Length of the legs, and half width."""
    neck: float
    head: float
    muzzle: float
    ear: str
    tail: tuple[float, float]
    """Length and half width."""
    coat: str


BEASTS: dict[str, Plan] = {
    # deep, legs, leg, neck, head, muzzle, ear, tail, coat
    "dog": Plan(0.42, 0.6, 0.12, 0.35, 0.36, 0.32, "hanging", (0.7, 0.09), "belly"),
    "cat": Plan(0.36, 0.5, 0.1, 0.2, 0.38, 0.14, "pointed", (1.2, 0.08), "stripes"),
    "horse": Plan(0.42, 0.95, 0.11, 0.85, 0.34, 0.48, "pointed", (0.9, 0.14), "mane"),
    "cow": Plan(0.52, 0.65, 0.13, 0.3, 0.38, 0.36, "hanging", (0.8, 0.05), "patches"),
    "bear": Plan(0.56, 0.45, 0.18, 0.15, 0.42, 0.24, "round", (0.15, 0.12), "belly"),
    "dragon": Plan(0.4, 0.5, 0.14, 0.8, 0.32, 0.42, "pointed", (1.6, 0.16), "spines"),
}

_HULL = np.array([(-1, -0.5), (-0.4, -1), (0.4, -0.95), (1, -0.6), (1, 0.4), (0.3, 1), (-0.5, 0.9), (-1.05, 0.3)])
"""A trunk, in half lengths and half heights."""


@dataclass(frozen=True)
class Animal:
    """An animal being drawn."""

    studio: Studio
    figure: Figure
    plan: Plan
    trunk: int
    coat: int
    second: int
    """The paint of muzzle, tail's tip and the like."""


def beast(studio: Studio) -> Figure:
    """A four-legged animal."""
    figure, plan = Figure(), BEASTS[studio.pick("beasts")]
    animal = Animal(studio, figure, plan, figure.bone(angle=studio.wave(0.08)), studio.paint("coat", 0.1), studio.paint())
    _legs(animal)
    _tail(animal)
    studio.solid(figure, animal.trunk, outlines.path(_HULL * (1, plan.deep), 4), animal.coat, 0)
    if plan.coat in COATS and studio.chance(0.75):
        COATS[plan.coat](animal)
    if studio.chance(0.2):
        saddle = outlines.box(0.35, plan.deep * 0.45, (-0.05, -plan.deep * 0.5), 0.4)
        figure.part(animal.trunk, saddle, studio.paint(), 0.2)
    _head(animal, _neck(animal))
    figure.centre, figure.reach = (0.15, plan.legs * 0.2), 1.35 + plan.neck * 0.3
    figure.bust = (1.1, -plan.deep - plan.neck * 0.6, 0.9)
    return figure


def _legs(animal: Animal) -> None:
    studio, plan, figure = animal.studio, animal.plan, animal.figure
    pace, phase, stride = studio.between(2, 5), studio.between(0, 6), studio.between(0.1, 0.5)
    far, hoof = studio.either(animal.coat, 0.6), studio.either(animal.coat, 0.4)
    long, width = plan.legs + plan.deep * 0.4, plan.leg
    for i, x in enumerate((-0.85, 0.6, -0.65, 0.8)):
        paint, level = (far, -1.0) if i < 2 else (animal.coat, 0.5)
        step = Wave(0, stride, pace, phase + np.pi * (i in (0, 3)))
        leg = figure.bone(animal.trunk, (x, plan.deep * 0.5), angle=step, bend=step, soft=(plan.legs * 0.5, plan.legs))
        figure.part(leg, outlines.limb(long, width * 1.4, width), paint, level)
        foot = outlines.ellipse(width * 1.4, width * 0.9, (width * 0.4, long + width * 0.3))
        figure.part(leg, foot, hoof, level + 0.01)


def _tail(animal: Animal) -> None:
    studio, u = animal.studio, animal.studio.between
    long, thick = animal.plan.tail[0] * u(0.7, 1.3), animal.plan.tail[1] * u(0.8, 1.3)
    swing, curl = studio.wave(0.3, u(0.4, 2.2)), studio.wave(0.9, u(-0.8, 0.8))
    tail = animal.figure.bone(animal.trunk, (-0.95, -animal.plan.deep * 0.4), angle=swing, bend=curl, soft=(0, long))
    animal.figure.part(tail, outlines.limb(long, thick, thick * u(0.4, 1.1)), animal.coat, -0.5)
    if studio.chance(0.4):
        animal.figure.part(tail, outlines.limb(long, thick * 1.1, thick * 1.1, long * 0.7, 4), animal.second, -0.49)


# --- coats


def _belly(animal: Animal) -> None:
    deep = animal.plan.deep
    belly = outlines.within(outlines.ellipse(0.8, deep * 0.5, (0, deep * 0.6)), (0, 0), 0.98, deep * 0.88)
    animal.figure.part(animal.trunk, belly, animal.studio.paint(), 0.1)


def _stripes(animal: Animal) -> None:
    deep, stripe = animal.plan.deep, animal.studio.paint()
    for x in np.linspace(-0.7, 0.5, animal.studio.whole(3, 5)):
        animal.figure.part(animal.trunk, outlines.moved(outlines.lock(deep * 1.1, 0.18, 0.1), x, -deep * 0.85), stripe, 0.1)


def _patches(animal: Animal) -> None:
    studio, deep, patch = animal.studio, animal.plan.deep, animal.studio.paint()
    for x in np.linspace(-0.6, 0.6, studio.whole(2, 4)):
        spot = outlines.blob(studio.rng, 0.2, deep * 0.4, 0.2, (x, studio.between(-0.4, 0.3) * deep))
        animal.figure.part(animal.trunk, spot, patch, 0.1)


def _spines(animal: Animal) -> None:
    deep, spine = animal.plan.deep, animal.studio.paint()
    for x in np.linspace(-0.8, 0.7, 6):
        thorn = [(x - 0.13, -deep * 0.8), (x, -deep * 1.35), (x + 0.13, -deep * 0.8)]
        animal.figure.part(animal.trunk, outlines.polygon(thorn), spine, -0.1)


COATS = {"belly": _belly, "stripes": _stripes, "patches": _patches, "spines": _spines}


# --- neck and head


def _neck(animal: Animal) -> int:
    """Draws the neck; the bone of the head at its end."""
    studio, plan, figure = animal.studio, animal.plan, animal.figure
    size, long = plan.head, plan.neck + 0.2
    joint = (0.85, -plan.deep * 0.5)
    neck = figure.bone(animal.trunk, joint, up=True, angle=studio.wave(0.2, 0.5), bend=studio.wave(0.2), soft=(0, long))
    figure.part(neck, outlines.limb(long, size * 0.75, size * 0.6) * (1, -1), animal.coat, 0.3)
    if studio.chance(0.4):
        figure.part(neck, outlines.box(size * 0.75, size * 0.14, (0, -long * 0.5)), studio.paint(), 0.4)
    if plan.coat == "mane":
        mane = studio.paint()
        for y in np.linspace(0, long, 4):
            lock = outlines.turned(outlines.lock(size * 1.1, size * 0.6), studio.between(0.5, 1.1))
            figure.part(neck, outlines.moved(lock, -size * 0.3, -y), mane, 0.35 + 0.01 * y)
    return figure.bone(neck, (0, -long), angle=studio.wave(0.2, studio.between(-0.6, 0)))


def _head(animal: Animal, head: int) -> None:
    studio, figure, size = animal.studio, animal.figure, animal.plan.head
    _ears(animal, head)
    studio.solid(figure, head, outlines.ellipse(size, size * 0.92), animal.coat, 1)
    tip = 0.9 + animal.plan.muzzle / size
    snout = np.array([(0.3, -0.15), (tip, 0.05), (tip, 0.65), (0.2, 0.75)]) * size
    figure.part(head, outlines.path(snout, 5), animal.second if studio.chance(0.6) else animal.coat, 1.1)
    nose = outlines.ellipse(size * 0.2, size * 0.16, (size * (tip - 0.05), size * 0.08))
    figure.part(head, nose, INK if studio.chance(0.5) else studio.paint(), 1.2)
    mouth = outlines.arc((tip - 0.5) * size, size * 0.3, 0.1, 2.2, (size * 0.55, size * 0.3), 7)
    figure.part(head, mouth, NONE, 1.2, line=(0, 7), ink=0.8)
    lids = {"act": figure.act(studio.winks()) if studio.chance(0.5) else 0, "pivot": -size * 0.25}
    eye = size * studio.between(0.17, 0.28)
    figure.part(head, outlines.ellipse(eye, eye * 1.2, (size * 0.3, -size * 0.25)), studio.paint("white", 0.7), 1.3, **lids)
    figure.part(head, outlines.ellipse(eye * 0.5, eye * 0.6, (size * 0.38, -size * 0.25)), INK, 1.35, ink=0, **lids)


def _ears(animal: Animal, head: int) -> None:
    """The near ear over the head, the far one behind it."""
    studio, figure, size = animal.studio, animal.figure, animal.plan.head
    paint, inner = studio.either(animal.coat, 0.6), studio.paint("inner ear", 0.6)
    for x, level in ((-0.1, 0.8), (-0.5, 1.4)):
        if animal.plan.ear == "hanging":
            ear = figure.bone(head, (x * size, -size * 0.75), angle=studio.wave(0.3, 0.6))
            figure.part(ear, outlines.ellipse(size * 0.28, size * 0.5, (0, size * 0.4)), paint, level)
            continue
        ear = figure.bone(head, (x * size, -size * 0.8), angle=studio.wave(0.15, -0.2))
        shape = outlines.lock(size * 0.75, size * 0.5) if animal.plan.ear == "pointed" else outlines.ellipse(size * 0.3, size * 0.3)
        for grow, colour in ((1.0, paint), (0.55, inner)):
            figure.part(ear, shape * (grow, -grow) + (0, size * 0.12), colour, level + 0.01 * (grow < 1))
