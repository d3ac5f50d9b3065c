"""People from a table of body plans."""

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
    """The bones: a trunk that bends and turns, arms with elbows, hands, legs with knees, in step."""
    u, t, reach, most = studio.between, plan.torso, plan.torso * 0.62 + plan.legs * 0.42, studio.config.turn
    turn = studio.wave(most * 0.7, u(-most, most) * 0.5)
    trunk = figure.bone(up=True, angle=studio.wave(0.08), bend=studio.wave(0.25), soft=(0, t), turn=turn)
    pace, phase, stride = u(2, 5), u(0, 6), u(0.05, 0.6)
    arms, legs, over = [], [], []
    for side in (-1, 1):
        step = phase + (np.pi if side > 0 else 0)
        raised = u(0.1, 0.5) if studio.chance(0.6) else u(0.5, 2.6)
        over.append(5.0 if raised > 1.6 and studio.chance(0.7) else 1.5 if studio.chance(0.75) else -1.0)
        swing, elbow = Wave(-side * raised, stride * u(0.3, 1.3), pace, step), studio.wave(0.4, side * u(-0.6, 1.2))
        shoulder, hip = (side * plan.shoulders * 0.86, -t * 0.9), (side * max(plan.hips * 0.5, plan.leg), 0)
        arms.append(figure.bone(trunk, shoulder, angle=swing, bend=elbow, soft=(reach * 0.4, reach * 0.6)))
        stroll, knee = Wave(-side * 0.06, stride, pace, step + np.pi), Wave(0, stride * 0.8, pace, step)
        legs.append(figure.bone(trunk, hip, angle=stroll, bend=knee, soft=(plan.legs * 0.35, plan.legs * 0.6)))
    hands = tuple(figure.bone(arm, (0, reach), angle=studio.wave(0.3)) for arm in arms)
    skin, top, bottom = studio.paint("skin", 0.35), studio.paint("top", 0.1), studio.paint("bottom", 0.1)
    return Body(studio, figure, plan, trunk, tuple(arms), hands, tuple(legs), tuple(over), reach, skin, top, bottom)


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
