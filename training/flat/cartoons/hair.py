"""Hair in locks before and behind the head, and what is worn on it."""

from collections.abc import Callable

import numpy as np

from . import outlines
from .faces import Head
from .figures import NONE
from .outlines import Points


def hair(head: Head) -> None:
    """A fringe, what hangs behind, and a hat."""
    studio = head.studio
    BEHIND[studio.pick("hair")](head)
    FRINGES[studio.pick("fringes")](head)
    HATS[studio.pick("hats")](head)


# --- before the head


def _cap(head: Head, edge: list[tuple[float, float]], crown: float = 1.1) -> Points:
    """Hair from the skull's rim down to an edge that runs from right to left, in shares of the head's half sizes."""
    top = outlines.arc(1.07, crown, np.pi - 0.12, 2 * np.pi + 0.12, n=16)
    return np.concatenate([top, np.array(edge)]) * [head.w, head.h]


def _front(head: Head, outline: Points, above: float = 0.8) -> None:
    settings = {"around": (head.w * 1.08, head.h * 1.2), "rim": True}
    head.studio.solid(head.figure, head.bone, outline, head.hair, head.level + above, **settings)


def _bare(head: Head) -> None:
    pass


def _locks(head: Head) -> None:
    studio = head.studio
    count, low = studio.whole(3, 6), studio.between(-0.35, 0.05)
    edge = []
    for x in np.linspace(0.85, -0.85, 2 * count + 1)[1:-1].reshape(-1):
        tip = len(edge) % 2 == 0
        edge.append((x + studio.between(-0.06, 0.06), low if tip else low - studio.between(0.15, 0.4)))
    _front(head, _cap(head, edge))
    for _ in range(studio.whole(0, 3)):
        lock = outlines.lock(head.h * studio.between(0.5, 0.8), head.w * studio.between(0.2, 0.4), head.w * studio.between(-0.2, 0.2))
        lock = outlines.moved(lock, head.w * studio.between(-0.6, 0.6), -head.h * 0.95)
        head.on(lock, head.hair, 0.9)


def _parted(head: Head) -> None:
    part, low = head.studio.between(-0.4, 0.4), head.studio.between(-0.2, 0.3)
    right = outlines.arc(0.95 - part, 0.7 + low, 0, -np.pi / 2, (part, low), 6)
    left = outlines.arc(0.95 + part, 0.7 + low, -np.pi / 2, -np.pi, (part, low), 6)
    edge = [tuple(point) for point in np.concatenate([right, left[1:]])]
    _front(head, _cap(head, edge))
    if head.studio.chance(0.5):
        strand = outlines.arc(head.w * 0.5, head.h * 0.6, -np.pi / 2, -0.2, (part * head.w, -head.h * 0.3), 6)
        head.on(strand, NONE, 0.9, line=(0, 6), ink=0.7)


def _spikes(head: Head) -> None:
    studio = head.studio
    count = studio.whole(5, 9)
    angle = np.linspace(np.pi, 2 * np.pi, 2 * count + 1)
    radius = np.where(np.arange(2 * count + 1) % 2, studio.between(1.25, 1.6), 1.05) + studio.rng.normal(0, 0.05, 2 * count + 1)
    crown = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    steps = np.linspace(0.9, -0.9, studio.whole(5, 9))
    edge = np.stack([steps, np.where(np.arange(len(steps)) % 2, -0.2, -0.5)], 1)
    _front(head, outlines.polygon(np.concatenate([crown, edge]) * [head.w, head.h], 2))


FRINGES: dict[str, Callable[[Head], None]] = {"none": _bare, "locks": _locks, "parted": _parted, "spikes": _spikes}


# --- behind it


def _mass(head: Head, below: float, wide: float, tips: int) -> None:
    """The hair behind the head down to a height, its lower edge in tips."""
    w, h, studio = head.w, head.h, head.studio
    top = outlines.arc(wide * w, h * 1.12, np.pi, 2 * np.pi, n=14)
    x = np.linspace(wide * w, -wide * w, 2 * tips + 1)
    y = np.where(np.arange(2 * tips + 1) % 2, below, below - 0.12 * h)
    fall = studio.wave(0.15)
    bone = head.figure.bone(head.bone, (0, 0), bend=fall, soft=(0.2 * h, max(below, 0.3 * h)))
    outline = outlines.polygon(np.concatenate([top, np.stack([x * studio.between(0.85, 1.1), y], 1)]), 2)
    studio.solid(head.figure, bone, outline, head.hair, head.level - 3)


def _bob(head: Head) -> None:
    _mass(head, head.h * head.studio.between(0.6, 1.1), head.studio.between(1.1, 1.25), head.studio.whole(3, 6))


def _long(head: Head) -> None:
    _mass(head, head.h * head.studio.between(1.6, 3.2), head.studio.between(1.1, 1.35), head.studio.whole(2, 5))


def _tuft(head: Head, x: float, y: float, angle: float) -> None:
    """A bunch of hair that swings, held by a ring."""
    studio, length = head.studio, head.h * head.studio.between(1, 2)
    bone = head.figure.bone(head.bone, (x, y, -0.3 * head.w), angle=studio.wave(0.3, angle), bend=studio.wave(0.6), soft=(0, length))
    bunch = outlines.path([(0, 0), (length * 0.22, length * 0.35), (0.03, length), (-length * 0.22, length * 0.4)], 4)
    studio.solid(head.figure, bone, bunch, head.hair, head.level - 2.5)
    if studio.chance(0.6):
        band = outlines.ellipse(length * 0.12, length * 0.08, (0, length * 0.06))
        head.figure.part(bone, band, studio.paint("band", 0.6), head.level - 2.4)


def _tail(head: Head) -> None:
    side = head.studio.between(-0.5, 0.5)
    _mass(head, head.h * 0.4, 1.08, 3)
    _tuft(head, side * head.w, -head.h * 0.9, -side * 1.5 + np.pi * (0.6 if side > 0 else -0.6))


def _tails(head: Head) -> None:
    _mass(head, head.h * 0.4, 1.08, 3)
    for side in (-1, 1):
        _tuft(head, side * head.w * 1.05, -head.h * 0.3, -side * head.studio.between(0.2, 0.8))


BEHIND: dict[str, Callable[[Head], None]] = {"none": _bare, "bob": _bob, "long": _long, "tail": _tail, "tails": _tails}


# --- upon it


def _worn(head: Head, outline: Points, paint: int, above: float) -> None:
    head.figure.part(head.bone, outline, paint, head.level + above, around=(head.w * 1.2, head.h * 1.6), rim=True)


def _hat(head: Head) -> None:
    w, h, studio = head.w, head.h, head.studio
    cloth = studio.paint("hat", 0.2)
    _worn(head, np.concatenate([outlines.arc(w * 1.12, h * 1.2, np.pi, 2 * np.pi, (0, -h * 0.3), 14)]), cloth, 1.2)
    visor = outlines.path([(-w * 0.9, -h * 0.35), (0, -h * 0.5), (w * 0.9, -h * 0.35), (0, -h * 0.1)], 4)
    head.figure.part(head.bone, visor, studio.either(cloth), head.level + 1.3, depth=w * 1.2)
    if studio.chance(0.5):
        _worn(head, outlines.ellipse(w * 0.2, h * 0.2, (0, -h * 0.95)), studio.paint(), 1.3)


def _brim(head: Head) -> None:
    w, h, studio = head.w, head.h, head.studio
    cloth, tall = studio.paint("hat", 0.2), studio.between(0.7, 1.4)
    _worn(
        head,
        outlines.polygon([(-w * 0.85, -h * 0.45), (-w * 0.7, -h * (0.5 + tall)), (w * 0.7, -h * (0.5 + tall)), (w * 0.85, -h * 0.45)]),
        cloth,
        1.2,
    )
    _worn(
        head,
        outlines.polygon([(-w * 0.83, -h * 0.6), (-w * 0.8, -h * 0.8), (w * 0.8, -h * 0.8), (w * 0.83, -h * 0.6)]),
        studio.paint(),
        1.25,
    )
    _worn(head, outlines.ellipse(w * 1.5, h * 0.2, (0, -h * 0.5)), cloth, 1.3)


def _crown(head: Head) -> None:
    w, h = head.w, head.h
    gold, points = head.studio.paint("gold", 0.5), head.studio.whole(3, 5)
    x = np.linspace(-0.8, 0.8, 2 * points + 1)
    y = np.where(np.arange(2 * points + 1) % 2, -0.95, -1.4)
    _worn(head, np.concatenate([np.stack([x, y], 1), [(0.75, -0.65), (0, -0.55), (-0.75, -0.65)]]) * [w, h], gold, 1.2)
    jewel = head.studio.paint()
    for at in np.linspace(-0.5, 0.5, points):
        _worn(head, outlines.ellipse(w * 0.09, h * 0.1, (at * w, -h * 0.78)), jewel, 1.3)


HATS: dict[str, Callable[[Head], None]] = {"none": _bare, "cap": _hat, "brim": _brim, "crown": _crown}
