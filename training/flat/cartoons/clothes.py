"""Clothes: what a body wears, cut from its own outline."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from . import outlines, things
from .figures import NONE
from .outlines import Points

if TYPE_CHECKING:
    from .people import Body


def dress(body: Body) -> None:
    """The whole body, dressed."""
    top = body.studio.pick("tops")
    bottom = "skirt" if top == "dress" else body.studio.pick("bottoms")
    worn = body.studio.some("clothes")
    _legs(body, bottom)
    BOTTOMS[bottom](body, body.top if top == "dress" else body.bottom)
    body.studio.solid(body.figure, body.trunk, outlines.lathe(body.profile, n=12), body.top, 0)
    TOPS[top](body)
    _arms(body, "gloves" in worn)
    for name in worn:
        CLOTHES[name](body)


def _on(body: Body, outline: Points, paint: int, level: float, **settings) -> None:
    """Adds a part that lies on the front of the trunk."""
    body.figure.part(body.trunk, outline, paint, level, around=body.around, **settings)


def _band(body: Body, high: float, low: float, grow: float = 1.02) -> Points:
    """The trunk between two heights."""
    return outlines.lathe(body.profile, high, low, 5) * [grow, 1]


# --- limbs


def _legs(body: Body, bottom: str) -> None:
    studio, plan, figure = body.studio, body.plan, body.figure
    covered = {"trousers": 0.95, "shorts": studio.between(0.3, 0.55), "skirt": 0.0}[bottom]
    sock = studio.between(0.5, 0.8) if covered < 0.9 and studio.chance(0.5) else 1.0
    sock_paint, shoe, sole = studio.paint("sock", 0.3), studio.paint("shoe", 0.2), studio.paint() if studio.chance(0.4) else NONE
    boot = studio.between(0.6, 0.85) if studio.chance(0.2) else 1.0
    leg, long = plan.leg, plan.legs
    width = _narrowing(leg, leg * 0.7, long)
    for side, bone in zip((-1, 1), body.legs, strict=True):
        level = -0.8 if side < 0 else -0.7
        studio.solid(figure, bone, outlines.limb(long, leg, leg * 0.7), body.bottom if bottom == "trousers" else body.skin, level)
        if 0 < covered < 0.9:
            figure.part(bone, outlines.limb(long * covered, leg * 1.1, width(covered) * 1.2), body.bottom, level + 0.02)
        if sock < 1:
            figure.part(bone, outlines.limb(long, width(sock) * 1.03, leg * 0.72, long * sock, 4), sock_paint, level + 0.01)
        if boot < 1:
            figure.part(bone, outlines.limb(long, width(boot) * 1.25, leg * 0.9, long * boot, 4), shoe, level + 0.04)
        out = side * leg * studio.between(0.1, 0.5)
        foot = outlines.path(
            [
                (-leg * 0.75 + out, long),
                (out * 0.3, long - leg * 0.45),
                (leg * 0.75 + out, long),
                (leg * 0.85 + out, long + leg * 0.6),
                (-leg * 0.85 + out, long + leg * 0.6),
            ],
            4,
        )
        figure.part(bone, foot, shoe, level + 0.05)
        figure.part(bone, outlines.box(leg * 0.85, leg * 0.14, (out, long + leg * 0.58), 0.8), sole, level + 0.06)


def _arms(body: Body, gloved: bool) -> None:
    studio, plan, figure = body.studio, body.plan, body.figure
    sleeve = studio.pick({"none": 0.15, "short": 0.35, "long": 0.5})
    share = {"none": 0.0, "short": studio.between(0.25, 0.45), "long": 0.93}[sleeve]
    cuff = studio.paint() if sleeve == "long" and studio.chance(0.4) else None
    hand = studio.paint("glove", 0.3) if gloved else body.skin
    arm, reach = plan.arm, body.reach
    width = _narrowing(arm, arm * 0.75, reach)
    for side, (bone, end, level) in enumerate(zip(body.arms, body.hands, body.over, strict=True)):
        cloth = body.top if sleeve == "long" else body.skin
        studio.solid(figure, bone, outlines.limb(reach, arm, arm * 0.75), cloth, level)
        if sleeve == "short":
            figure.part(bone, outlines.limb(reach * share, arm * 1.12, width(share) * 1.2), body.top, level + 0.1)
        if cuff is not None:
            figure.part(bone, outlines.limb(reach, arm * 0.9, arm * 0.9, reach * 0.88, 3), cuff, level + 0.1)
        _hand(body, end, arm * 1.15, -1 if side else 1, hand, level + 0.2)


def _narrowing(start: float, end: float, length: float) -> Callable[[float], float]:
    return lambda share: start + (end - start) * share


def _hand(body: Body, bone: int, size: float, side: int, paint: int, level: float) -> None:
    if body.studio.chance(0.5):
        thumb = outlines.ellipse(size * 0.35, size * 0.6, (side * size * 0.7, size * 0.4))
        body.figure.part(bone, thumb, paint, level - 0.05)
    body.figure.part(bone, outlines.ellipse(size * 0.85, size, (0, size * 0.6)), paint, level)
    if body.studio.chance(0.4):
        for x in (-0.25, 0.25):
            finger = np.array([[x, 0.9], [x, 1.2], [x, 1.5]]) * size
            body.figure.part(bone, finger, NONE, level + 0.01, line=(0, 3), ink=0.7)


# --- tops


def _shirt(body: Body) -> None:
    if body.studio.chance(0.3):
        stripe, t = body.studio.paint(), body.plan.torso
        for y in np.linspace(-t * 0.8, -t * 0.2, body.studio.whole(1, 3)):
            body.figure.part(body.trunk, _band(body, y, y + t * 0.12, 1), stripe, 0.05)


def _jacket(body: Body) -> None:
    t, w, gap = body.plan.torso, body.plan.shoulders, body.studio.between(0.12, 0.35)
    shirt = body.studio.paint()
    front = outlines.path(
        [(-w * gap, -t), (w * gap, -t), (w * gap * 0.8, -t * 0.4), (w * gap * 0.5, 0), (-w * gap * 0.5, 0), (-w * gap * 0.8, -t * 0.4)], 3
    )
    _on(body, front, shirt, 0.05)
    if body.studio.chance(0.4):
        tie = body.studio.paint()
        _on(
            body,
            outlines.polygon([(-0.08 * w, -t * 0.9), (0.08 * w, -t * 0.9), (0.12 * w, -t * 0.35), (0, -t * 0.22), (-0.12 * w, -t * 0.35)]),
            tie,
            0.08,
        )
    if body.studio.chance(0.5):
        lapel = body.studio.either(body.top)
        for side in (-1, 1):
            shape = [(side * w * gap, -t), (side * w * (gap + 0.28), -t * 0.8), (side * w * gap * 0.8, -t * 0.45)]
            _on(body, outlines.polygon(shape), lapel, 0.09)
    if body.studio.chance(0.5):
        _buttons(body)


def _buttons(body: Body) -> None:
    paint, size, t = body.studio.paint("button", 0.3), body.plan.waist * 0.1, body.plan.torso
    for y in np.linspace(-t * 0.7, -t * 0.15, body.studio.whole(2, 4)):
        _on(body, outlines.ellipse(size, size, (0, y)), paint, 0.12)


def _frock(body: Body) -> None:
    if body.studio.chance(0.5):
        t, w = body.plan.torso, body.plan.shoulders
        _on(
            body,
            outlines.path([(-w * 0.35, -t * 0.98), (w * 0.35, -t * 0.98), (w * 0.3, -t * 0.7), (0, -t * 0.6), (-w * 0.3, -t * 0.7)], 3),
            body.studio.paint(),
            0.05,
        )
    if body.studio.chance(0.3):
        _buttons(body)


def _overalls(body: Body) -> None:
    t, w, paint = body.plan.torso, body.plan.waist, body.bottom
    body.figure.part(body.trunk, _band(body, -t * 0.3, body.plan.leg * 0.7), paint, 0.05)
    _on(body, outlines.polygon([(-w * 0.55, -t * 0.68), (w * 0.55, -t * 0.68), (w * 0.6, -t * 0.25), (-w * 0.6, -t * 0.25)]), paint, 0.06)
    for side in (-1, 1):
        strap = [(side * w * 0.35, -t * 0.98), (side * w * 0.55, -t * 0.98), (side * w * 0.5, -t * 0.6), (side * w * 0.3, -t * 0.6)]
        _on(body, outlines.polygon(strap), paint, 0.07)


def _robe(body: Body) -> None:
    studio, plan = body.studio, body.plan
    long, wide, w = plan.legs * studio.between(0.6, 1), plan.hips * studio.between(1.1, 1.5), plan.shoulders
    hem = [(-wide, long), (wide, long)]
    studio.solid(
        body.figure,
        body.trunk,
        outlines.polygon([(-plan.waist, -plan.torso * 0.4), (plan.waist, -plan.torso * 0.4), *hem[::-1]], 4),
        body.top,
        0.04,
    )
    band = outlines.polygon([(-w * 0.15, -plan.torso), (w * 0.15, -plan.torso), (w * 0.22, long), (-w * 0.22, long)], 4)
    _on(body, band, studio.paint(), 0.05)


def _armour(body: Body) -> None:
    t, w, waist, steel = body.plan.torso, body.plan.shoulders, body.plan.waist, body.studio.paint("steel", 0.6)
    plate = [
        (-w * 0.75, -t * 0.95),
        (0, -t * 0.88),
        (w * 0.75, -t * 0.95),
        (waist * 0.9, -t * 0.4),
        (0, -t * 0.25),
        (-waist * 0.9, -t * 0.4),
    ]
    _on(body, outlines.path(plate, 3), steel, 0.05)
    for y in (-t * 0.22, -t * 0.08):
        body.figure.part(body.trunk, _band(body, y, y + t * 0.12), body.studio.either(steel), 0.06)
    for bone, level in zip(body.arms, body.over, strict=True):
        body.figure.part(bone, outlines.ellipse(body.plan.arm * 1.7, body.plan.arm * 1.5), steel, level + 0.3)


TOPS: dict[str, Callable[[Body], None]] = {
    "shirt": _shirt,
    "jacket": _jacket,
    "dress": _frock,
    "overalls": _overalls,
    "robe": _robe,
    "armour": _armour,
}


# --- bottoms


def _trousers(body: Body, paint: int) -> None:
    body.figure.part(body.trunk, _band(body, -body.plan.torso * 0.08, body.plan.leg * 0.8), paint, -0.1)


def _skirt(body: Body, paint: int) -> None:
    studio, plan = body.studio, body.plan
    long, flare = plan.legs * studio.between(0.25, 0.8), plan.hips * studio.between(1.1, 1.9)
    bone = body.figure.bone(body.trunk, (0, -plan.torso * 0.15), bend=studio.wave(0.2), soft=(0, long))
    waist = plan.waist * 1.02
    hem = np.linspace(1, -1, 9)
    low = long + 0.04 * plan.legs * np.cos(hem * studio.whole(2, 4) * np.pi)
    edge = [
        (-waist, 0),
        (waist, 0),
        ((waist + flare) / 2, long * 0.5),
        *zip(flare * hem, low, strict=True),
        (-(waist + flare) / 2, long * 0.5),
    ]
    studio.solid(body.figure, bone, outlines.polygon(edge, 2), paint, 0.2)
    for x in np.linspace(-0.6, 0.6, studio.whole(2, 4)) if studio.chance(0.5) else ():
        fold = np.linspace((x * waist * 0.8, long * 0.3), (x * flare, long), 4)
        body.figure.part(bone, fold, NONE, 0.21, line=(0, 4), ink=0.7)
    if studio.chance(0.3):
        trim = outlines.polygon([(-flare * 0.93, long * 0.8), (flare * 0.93, long * 0.8), *zip(flare * hem, low, strict=True)], 1)
        body.figure.part(bone, trim, studio.paint(), 0.22)


BOTTOMS: dict[str, Callable[[Body, int], None]] = {"trousers": _trousers, "shorts": _trousers, "skirt": _skirt}


# --- what comes on top


def _belt(body: Body) -> None:
    plan, studio = body.plan, body.studio
    y = -plan.torso * 0.12
    body.figure.part(body.trunk, _band(body, y, y + plan.torso * 0.12, 1.04), studio.paint(), 0.3)
    if studio.chance(0.6):
        _on(body, outlines.box(plan.waist * 0.16, plan.torso * 0.08, (0, y + plan.torso * 0.06)), studio.paint("gold", 0.5), 0.35)


def _collar(body: Body) -> None:
    t, w, paint = body.plan.torso, body.plan.shoulders, body.studio.paint()
    for side in (-1, 1):
        shape = [(0, -t * 0.98), (side * w * 0.45, -t * 1.03), (side * w * 0.55, -t * 0.85), (side * w * 0.2, -t * 0.78)]
        _on(body, outlines.polygon(shape, 2), paint, 0.4)


def _pocket(body: Body) -> None:
    t, w = body.plan.torso, body.plan.waist
    paint = body.studio.either(body.top, 0.4)
    for side in (-1, 1)[: body.studio.whole(1, 2)]:
        _on(body, outlines.box(w * 0.24, t * 0.1, (side * w * 0.5, -t * 0.3), 0.4), paint, 0.15)


def _badge(body: Body) -> None:
    t, w, studio = body.plan.torso, body.plan.shoulders, body.studio
    size = w * studio.between(0.15, 0.4)
    kind = studio.pick({"star": 0.3, "disc": 0.35, "angular": 0.35})
    shape = {"star": lambda: outlines.star(5, size, size * 0.45), "disc": lambda: outlines.ellipse(size, size)}.get(
        kind, lambda: outlines.angular(studio.rng, studio.whole(3, 6), size)
    )()
    _on(body, outlines.moved(shape, studio.between(-0.4, 0.4) * w, -t * studio.between(0.45, 0.7)), studio.paint(), 0.16)


def _patches(body: Body) -> None:
    """Pieces of any outline on the front: prints, plates, pouches."""
    t, w, studio = body.plan.torso, body.plan.waist, body.studio
    paint = studio.paint()
    for i in range(studio.whole(1, 4)):
        piece = things.lump(studio, w * studio.between(0.15, 0.5))
        at = studio.between(-0.6, 0.6) * w, -t * studio.between(0.1, 0.85)
        _on(body, outlines.moved(piece, *at), studio.either(paint, 0.6), 0.2 + 0.01 * i)


def _stripes(body: Body) -> None:
    """Stripes across the trunk."""
    t, paint = body.plan.torso, body.studio.paint()
    edges = np.linspace(-t * 0.9, -t * body.studio.between(0, 0.3), 2 * body.studio.whole(1, 4) + 1)
    for high, low in pairwise(edges[: -1 if len(edges) > 3 else None]):
        if round((high - edges[0]) / (edges[1] - edges[0])) % 2 == 0:
            _on(body, _band(body, high, low, 1.0), paint, 0.12)


def _scarf(body: Body) -> None:
    studio, plan = body.studio, body.plan
    paint, w, t = studio.paint(), plan.head * 0.75, plan.torso
    body.figure.part(body.trunk, outlines.ellipse(w, w * 0.32, (0, -t * 1.0)), paint, 1.2)
    long = t * studio.between(0.4, 1)
    bone = body.figure.bone(
        body.trunk,
        (studio.between(-0.6, 0.6) * w, -t),
        angle=studio.wave(0.3, studio.between(-1, 1)),
        bend=studio.wave(0.8),
        soft=(0, long),
    )
    tail = outlines.polygon([(-w * 0.2, 0), (w * 0.2, 0), (w * 0.25, long), (-w * 0.25, long)], 4)
    studio.solid(body.figure, bone, tail, paint, 1.1)


def _bare(body: Body) -> None:
    pass


def _cape(body: Body) -> None:
    studio, plan = body.studio, body.plan
    long, w = (plan.torso + plan.legs) * studio.between(0.5, 0.95), plan.shoulders
    bone = body.figure.bone(body.trunk, (0, -plan.torso * 0.95), angle=studio.wave(0.15), bend=studio.wave(0.5), soft=(0.1, long))
    hem = np.linspace(1.7, -1.7, 9) * w
    edge = [(-w * 0.9, 0), (w * 0.9, 0), *zip(hem, long + 0.06 * np.cos(np.arange(9) * np.pi), strict=True)]
    studio.solid(body.figure, bone, outlines.polygon(edge, 4), studio.paint(), -2)


def _creases(body: Body) -> None:
    """Lines of folds that end within the cloth, at the waist, the armpits, the elbows and the knees."""
    u, t = body.studio.between, body.plan.torso
    places = [(body.trunk, x * body.plan.waist, -t * u(0.15, 0.6), 0.45) for x in (-0.9, 0.9)]
    places += [
        (arm, x * body.plan.arm, body.reach * u(0.4, 0.6), level + 0.05)
        for arm, level in zip(body.arms, body.over, strict=True)
        for x in (-1, 1)
    ]
    places += [(leg, x * body.plan.leg * 0.85, body.plan.legs * u(0.4, 0.6), -0.65) for leg in body.legs for x in (-1, 1)]
    for bone, x, y, level in places:
        if body.studio.chance(0.5):
            fold = (
                np.linspace((x, y), (x * u(-0.2, 0.4), y + abs(x) * u(-0.5, 0.5)), 4) + np.array([[0, 0], [0, 0.1], [0, 0.1], [0, 0]]) * x
            )
            body.figure.part(bone, fold, NONE, level, line=(0, 4), ink=0.8)


def _sash(body: Body) -> None:
    t, w = body.plan.torso, body.plan.shoulders
    _on(
        body,
        outlines.polygon([(-w * 0.9, -t * 0.9), (-w * 0.6, -t), (w * 0.8, -t * 0.2), (w * 0.7, -t * 0.02)], 4),
        body.studio.paint(),
        0.13,
    )


def _apron(body: Body) -> None:
    t, w, low = body.plan.torso, body.plan.waist, body.plan.legs * body.studio.between(0.1, 0.4)
    _on(
        body,
        outlines.path(
            [(-w * 0.5, -t * 0.7), (w * 0.5, -t * 0.7), (w * 0.8, -t * 0.1), (w * 0.75, low), (-w * 0.75, low), (-w * 0.8, -t * 0.1)], 3
        ),
        body.studio.paint(),
        0.36,
    )


def _wings(body: Body) -> None:
    studio, long = body.studio, body.plan.torso * body.studio.between(0.9, 1.5)
    feathers = (studio.paint(), studio.paint())
    for side in (-1, 1):
        wing = body.figure.bone(body.trunk, (0, -body.plan.torso * 0.7), angle=studio.wave(0.4, -side * 2.0))
        for i, tilt in enumerate((-0.5, 0.0, 0.5)):
            body.figure.part(wing, outlines.turned(outlines.lock(long, long * 0.4), tilt), feathers[i % 2], -2.2 + 0.01 * i)


CLOTHES: dict[str, Callable[[Body], None]] = {
    "belt": _belt,
    "collar": _collar,
    "pocket": _pocket,
    "badge": _badge,
    "patches": _patches,
    "stripes": _stripes,
    "scarf": _scarf,
    "cape": _cape,
    "gloves": _bare,
    "creases": _creases,
    "sash": _sash,
    "apron": _apron,
    "wings": _wings,
}
