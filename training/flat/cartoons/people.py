"""People from a table of body plans, and the plain dolls of plain clips."""

from dataclasses import dataclass, fields

import numpy as np

from . import clothes, faces, hair, outlines, props
from .faces import Head
from .figures import Figure, Wave
from .studio import Studio


@dataclass(frozen=True)
class Plan:
    """A body's measures in heights of its head; widths are half widths."""

    torso: float
    legs: float
    neck: float
    shoulders: float
    waist: float
    hips: float
    arm: float
    leg: float
    head: float

    def varied(self, studio: Studio) -> "Plan":
        """A body like it."""
        return Plan(*(getattr(self, field.name) * studio.between(0.88, 1.12) for field in fields(self)))


PLANS: dict[str, Plan] = {
    # torso, legs, neck, shoulders, waist, hips, arm, leg, head
    "toddler": Plan(0.9, 0.65, 0.02, 0.42, 0.42, 0.44, 0.12, 0.16, 0.52),
    "chibi": Plan(0.75, 0.6, 0.0, 0.33, 0.3, 0.36, 0.1, 0.14, 0.54),
    "child": Plan(1.2, 1.2, 0.08, 0.52, 0.4, 0.44, 0.12, 0.16, 0.46),
    "woman": Plan(1.9, 2.7, 0.25, 0.68, 0.46, 0.66, 0.14, 0.22, 0.4),
    "man": Plan(2.1, 2.8, 0.2, 0.95, 0.66, 0.62, 0.2, 0.26, 0.42),
    "stout": Plan(1.9, 1.5, 0.05, 0.8, 1.1, 1.0, 0.2, 0.27, 0.46),
    "lanky": Plan(1.7, 3.2, 0.3, 0.55, 0.42, 0.44, 0.11, 0.15, 0.38),
    "giant": Plan(2.6, 1.4, 0.0, 1.5, 1.0, 0.7, 0.34, 0.36, 0.36),
    "pear": Plan(1.5, 0.8, 0.0, 0.36, 0.7, 0.95, 0.13, 0.22, 0.5),
}


@dataclass(frozen=True)
class Body:
    """A body being drawn: the bones that clothes and props go on, and what it is painted with."""

    studio: Studio
    figure: Figure
    plan: Plan
    trunk: int
    arms: tuple[int, int]
    hands: tuple[int, int]
    legs: tuple[int, int]
    over: tuple[float, float]
    """Levels of the two arms."""
    reach: float
    """Length of an arm."""
    skin: int
    top: int
    bottom: int

    @property
    def profile(self) -> list[tuple[float, float]]:
        """Half widths of the trunk from the shoulders down; the hips' joint is at 0."""
        plan = self.plan
        t = plan.torso
        return [
            (-t, plan.shoulders * 0.62),
            (-t * 0.93, plan.shoulders),
            (-t * 0.4, plan.waist),
            (0, plan.hips),
            (plan.leg * 0.8, plan.hips * 0.8),
        ]

    @property
    def around(self) -> tuple[float, float]:
        """The round body that clothes lie on."""
        return max(self.plan.shoulders, self.plan.waist, self.plan.hips), np.inf


def person(studio: Studio) -> Figure:
    """A dressed person with a face and hair, who moves, turns, talks and holds things."""
    figure = Figure()
    plan = PLANS[studio.pick("plans")].varied(studio)
    body = _skeleton(studio, figure, plan)
    clothes.dress(body)
    head = _head(body)
    if studio.chance(studio.config.behind):
        hair.nape(head)
    else:
        faces.face(head)
        hair.hair(head)
    props.mark(studio, figure, head.bone, head.w, head.h, head.level)
    props.hold(body)
    tall = plan.torso + plan.legs + plan.neck + 1
    figure.centre, figure.reach = (0, plan.legs + 0.1 - tall / 2), tall / 2
    figure.bust = (0, -plan.torso - plan.neck - 0.3, studio.between(0.9, 1.5))
    return figure


def _skeleton(studio: Studio, figure: Figure, plan: Plan) -> Body:
    turn = studio.config.turn
    t, reach = plan.torso, plan.torso * 0.62 + plan.legs * 0.42
    trunk = figure.bone(
        up=True,
        angle=studio.wave(0.08),
        bend=studio.wave(0.25),
        soft=(0, t),
        turn=studio.wave(turn * 0.7, studio.between(-turn, turn) * 0.5),
    )
    pace, phase, stride = studio.between(2, 5), studio.between(0, 6), studio.between(0.05, 0.6)
    arms, hands, legs, over = [], [], [], []
    for side in (-1, 1):
        step = phase + (np.pi if side > 0 else 0)
        raised = studio.between(0.1, 0.5) if studio.chance(0.6) else studio.between(0.5, 2.6)
        arm = figure.bone(
            trunk,
            (side * plan.shoulders * 0.86, -t * 0.9),
            angle=Wave(-side * raised, stride * studio.between(0.3, 1.3), pace, step),
            bend=studio.wave(0.4, side * studio.between(-0.6, 1.2)),
            soft=(reach * 0.4, reach * 0.6),
        )
        arms.append(arm)
        hands.append(figure.bone(arm, (0, reach), angle=studio.wave(0.3)))
        over.append(5.0 if raised > 1.6 and studio.chance(0.7) else 1.5 if studio.chance(0.75) else -1.0)
        legs.append(
            figure.bone(
                trunk,
                (side * max(plan.hips * 0.5, plan.leg), 0),
                angle=Wave(-side * 0.06, stride, pace, step + np.pi),
                bend=Wave(0, stride * 0.8, pace, step),
                soft=(plan.legs * 0.35, plan.legs * 0.6),
            )
        )
    skin, top, bottom = studio.paint("skin", 0.35), studio.paint("top", 0.1), studio.paint("bottom", 0.1)
    return Body(studio, figure, plan, trunk, tuple(arms), tuple(hands), tuple(legs), tuple(over), reach, skin, top, bottom)


def _head(body: Body) -> Head:
    studio, plan, figure = body.studio, body.plan, body.figure
    turn = studio.config.turn
    bone = figure.bone(
        body.trunk, (0, -plan.torso - plan.neck - 0.42), angle=studio.wave(0.15), turn=studio.wave(turn, studio.between(-0.5, 0.5) * turn)
    )
    head = Head(studio, figure, bone, plan.head, 0.5, body.skin, studio.paint("hair", 0.15), 3.0)
    neck = outlines.lathe([(-plan.neck - 0.35, plan.head * 0.4), (0.15, plan.head * 0.5)], n=3)
    figure.part(body.trunk, outlines.moved(neck, 0, -plan.torso), body.skin, -0.4)
    faces.ears(head)
    studio.solid(figure, bone, faces.skull(head), body.skin, 3.0)
    return head


def doll(studio: Studio) -> Figure:
    """A simple figure: round body, big head, plain limbs."""
    u, rng, figure = studio.between, studio.rng, Figure()
    skin, shirt, trousers, hair_paint = (studio.paint() for _ in range(4))
    shoe = studio.paint() if studio.chance(0.6) else trousers
    half, tall, head = u(0.28, 0.5), u(0.4, 0.6), u(0.3, 0.48)
    body = figure.bone(angle=studio.wave(0.1), bend=studio.wave(0.15), soft=(-tall, tall))
    figure.part(body, outlines.blob(rng, half, tall, 0.1), shirt, 1)
    if studio.chance(0.5):
        figure.part(body, outlines.blob(rng, half * 0.8, tall * 0.14, 0.08, (0, u(-0.1, 0.5) * tall)), studio.paint(), 1.1)
    if studio.chance(0.4):
        badge = outlines.moved(outlines.angular(rng, studio.whole(3, 6), half * 0.35), u(-0.2, 0.2) * half, u(-0.4, 0.2) * tall)
        figure.part(body, badge, studio.paint(), 1.2)
    _plain_legs(studio, figure, body, half, tall, trousers, shoe)
    _plain_arms(studio, figure, body, half, tall, shirt if studio.chance(0.6) else skin, skin)
    _plain_head(studio, figure, body, -tall - head * 0.75, head, skin, hair_paint)
    return figure


def _plain_legs(studio, figure, body, half, tall, trousers, shoe) -> None:
    length, width = studio.between(0.35, 0.6), studio.between(0.09, 0.16)
    for side in (-1, 1):
        leg = figure.bone(body, (side * half * 0.5, tall * 0.8), angle=studio.wave(0.35))
        figure.part(leg, outlines.limb(length, width, width * 0.85), trousers, -1)
        foot = outlines.blob(studio.rng, width * 1.1, width * 1.2, 0.08, (side * 0.02, length + width * 0.3))
        figure.part(leg, foot, shoe, 0)


def _plain_arms(studio, figure, body, half, tall, sleeve, skin) -> None:
    length, width = studio.between(0.4, 0.7), studio.between(0.07, 0.13)
    for side in (-1, 1):
        level = -2 if studio.chance(0.35) else 2
        arm = figure.bone(body, (side * half * 0.85, -tall * 0.55), angle=studio.wave(0.6, -side * studio.between(0.1, 1.3)))
        figure.part(arm, outlines.limb(length, width, width * 0.9), sleeve, level)
        figure.part(arm, outlines.ellipse(width * 1.2, width * 1.3, (0, length + width * 0.4)), skin, level + 0.1)


def _plain_head(studio, figure, body, top, size, skin, hair_paint) -> None:
    u, rng = studio.between, studio.rng
    head = figure.bone(body, (0, top), angle=studio.wave(0.15))
    if studio.chance(0.5):
        figure.part(head, outlines.blob(rng, size * 1.2, size * 1.2, 0.12, (0, size * 0.1)), hair_paint, 2.5)
    if studio.chance(0.4):
        ear, height = studio.either(skin), u(-0.1, 0.8)
        for side in (-1, 1):
            figure.part(head, outlines.ellipse(size * 0.28, size * 0.35, (side * size * 0.95, -size * height)), ear, 2.8)
    figure.part(head, outlines.blob(rng, size * u(0.85, 1.1), size, 0.06), skin, 3)
    if studio.chance(0.8):
        _plain_eyes(studio, figure, head, size)
    if studio.chance(0.6):
        talk = figure.act(studio.winks(0.3, 0.12)) if studio.chance(0.4) else 0
        mouth = outlines.ellipse(size * 0.3, size * u(0.08, 0.2), (0, size * 0.5))
        figure.part(head, mouth, studio.paint(), 3.2, act=talk, pivot=size * 0.5)
    if studio.chance(0.75):
        brow = size * u(0.2, 0.6)
        under = outlines.arc(size * 0.95, brow, 2 * np.pi, np.pi, n=12) + rng.normal(0, 0.04, (12, 2)) * [0, size]
        figure.part(head, np.concatenate([outlines.arc(size * 1.12, size * 1.1, np.pi, 2 * np.pi, n=14), under]), hair_paint, 3.5)
    if studio.chance(0.3):
        figure.part(head, outlines.blob(rng, size * 0.9, size * 0.45, 0.1, (0, -size)), studio.paint(), 3.8)


def _plain_eyes(studio, figure, head, size) -> None:
    white, pupil = studio.paint(), studio.paint()
    eye, apart = size * studio.between(0.16, 0.28), size * studio.between(0.3, 0.45)
    lids = figure.act(studio.winks(0.25)) if studio.chance(0.5) else 0
    for side in (-1, 1):
        figure.part(head, outlines.ellipse(eye, eye * 1.2, (side * apart, 0)), white, 3.2, act=lids, pivot=0.0)
        if eye > 0.075:
            figure.part(head, outlines.ellipse(eye * 0.5, eye * 0.6, (side * apart + eye * 0.2, 0)), pupil, 3.3, act=lids, pivot=0.0)
