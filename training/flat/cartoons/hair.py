"""Hair in locks before and behind the head, and what is worn on it."""

from collections.abc import Callable

import numpy as np

from . import outlines
from .faces import Head
from .figures import NONE
from .outlines import Points

_BEHIND = -1.8
"""The level of what hangs behind the whole body, but before a cape."""


def hair(head: Head) -> None:
    """A fringe, what hangs behind, and a hat."""
    studio = head.studio
    BEHIND[studio.pick("hair")](head)
    FRINGES[studio.pick("fringes")](head)
    HATS[studio.pick("hats")](head)


def nape(head: Head) -> None:
    """A head from behind: all hair, with an uneven lower edge."""
    w, h, low = head.w * 1.1, head.h, head.studio.between(0.7, 2.2)
    top = outlines.arc(w, h * 1.12, np.pi, 2 * np.pi, n=14)
    x = np.linspace(w, -w, 2 * head.studio.whole(2, 5) + 1)
    edge = outlines.joined(x * head.studio.between(0.8, 1.1), h * (low - 0.15 * (np.arange(len(x)) % 2)))
    head.studio.solid(head.figure, head.bone, outlines.polygon(np.concatenate([top, edge]), 2), head.hair, head.level + 0.8)
    for side in (-0.5, 0.0, 0.5) if head.studio.chance(0.6) else ():
        strand = np.linspace((side * w * 0.6, -h * 0.3), (side * w * 1.2, h * low * 0.7), 5)
        head.figure.part(head.bone, strand, NONE, head.level + 0.85, line=(0, 5), ink=0.7)


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
    crown = outlines.joined(radius * np.cos(angle), radius * np.sin(angle))
    steps = np.linspace(0.9, -0.9, studio.whole(5, 9))
    edge = outlines.joined(steps, np.where(np.arange(len(steps)) % 2, -0.2, -0.5))
    _front(head, outlines.polygon(np.concatenate([crown, edge]) * [head.w, head.h], 2))


def _curls(head: Head) -> None:
    count = head.studio.whole(5, 8)
    for angle in np.linspace(np.pi * 1.05, np.pi * 1.95, count):
        curl = outlines.ellipse(head.w * 0.32, head.h * 0.32, (head.w * 0.9 * np.cos(angle), head.h * 0.9 * np.sin(angle)))
        head.figure.part(head.bone, curl, head.hair, head.level + 0.8 + 0.001 * angle)


def _bowl(head: Head) -> None:
    _front(head, _cap(head, [(1.02, -0.15), (0.5, -0.22), (-0.5, -0.22), (-1.02, -0.15)]))


FRINGES: dict[str, Callable[[Head], None]] = {
    "none": _bare,
    "locks": _locks,
    "parted": _parted,
    "spikes": _spikes,
    "curls": _curls,
    "bowl": _bowl,
}


# --- behind it


def _mass(head: Head, below: float, wide: float, tips: int) -> None:
    """The hair behind the head down to a height, its lower edge in tips."""
    w, h, studio = head.w, head.h, head.studio
    top = outlines.arc(wide * w, h * 1.12, np.pi, 2 * np.pi, n=14)
    x = np.linspace(wide * w, -wide * w, 2 * tips + 1)
    y = np.where(np.arange(2 * tips + 1) % 2, below, below - 0.12 * h)
    fall = studio.wave(0.15)
    bone = head.figure.bone(head.bone, (0, 0), bend=fall, soft=(0.2 * h, max(below, 0.3 * h)))
    outline = outlines.polygon(np.concatenate([top, outlines.joined(x * studio.between(0.85, 1.1), y)]), 2)
    studio.solid(head.figure, bone, outline, head.hair, _BEHIND)


def _bob(head: Head) -> None:
    _mass(head, head.h * head.studio.between(0.6, 1.1), head.studio.between(1.1, 1.25), head.studio.whole(3, 6))


def _long(head: Head) -> None:
    _mass(head, head.h * head.studio.between(1.6, 3.2), head.studio.between(1.1, 1.35), head.studio.whole(2, 5))


def _tuft(head: Head, x: float, y: float, angle: float) -> None:
    """A bunch of hair that swings, held by a ring."""
    studio, length = head.studio, head.h * head.studio.between(1, 2)
    bone = head.figure.bone(head.bone, (x, y, -0.3 * head.w), angle=studio.wave(0.3, angle), bend=studio.wave(0.6), soft=(0, length))
    bunch = outlines.path([(0, 0), (length * 0.22, length * 0.35), (0.03, length), (-length * 0.22, length * 0.4)], 4)
    studio.solid(head.figure, bone, bunch, head.hair, _BEHIND + 0.5)
    if studio.chance(0.6):
        band = outlines.ellipse(length * 0.12, length * 0.08, (0, length * 0.06))
        head.figure.part(bone, band, studio.paint("band", 0.6), _BEHIND + 0.6)


def _tail(head: Head) -> None:
    side = head.studio.between(-0.5, 0.5)
    _mass(head, head.h * 0.4, 1.08, 3)
    _tuft(head, side * head.w, -head.h * 0.9, -side * 1.5 + np.pi * (0.6 if side > 0 else -0.6))


def _tails(head: Head) -> None:
    _mass(head, head.h * 0.4, 1.08, 3)
    for side in (-1, 1):
        _tuft(head, side * head.w * 1.05, -head.h * 0.3, -side * head.studio.between(0.2, 0.8))


def _curly(head: Head) -> None:
    w, h = head.w * head.studio.between(1.4, 1.8), head.h * head.studio.between(1.3, 1.6)
    cloud = outlines.scallops(head.studio.rng, w, h, head.studio.whole(9, 13), 0.15)
    head.studio.solid(head.figure, head.bone, cloud, head.hair, _BEHIND)


def _braids(head: Head) -> None:
    _mass(head, head.h * 0.4, 1.08, 3)
    studio, size = head.studio, head.w * 0.24
    for side in (-1, 1):
        long = size * 1.5 * studio.whole(3, 5)
        bone = head.figure.bone(
            head.bone, (side * head.w * 1.02, head.h * 0.3), angle=studio.wave(0.2), bend=studio.wave(0.5), soft=(0, long)
        )
        for i, y in enumerate(np.arange(size * 0.6, long, size * 1.5)):
            head.figure.part(bone, outlines.ellipse(size, size, (0, y)), head.hair, head.level + 0.1 - 0.01 * i)
        head.figure.part(bone, outlines.ellipse(size * 0.7, size * 0.4, (0, long)), studio.paint("band", 0.9), head.level + 0.11)


BEHIND: dict[str, Callable[[Head], None]] = {
    "none": _bare,
    "bob": _bob,
    "long": _long,
    "tail": _tail,
    "tails": _tails,
    "curls": _curly,
    "braids": _braids,
}


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
    _worn(head, np.concatenate([outlines.joined(x, y), [(0.75, -0.65), (0, -0.55), (-0.75, -0.65)]]) * [w, h], gold, 1.2)
    jewel = head.studio.paint()
    for at in np.linspace(-0.5, 0.5, points):
        _worn(head, outlines.ellipse(w * 0.09, h * 0.1, (at * w, -h * 0.78)), jewel, 1.3)


def _witch(head: Head) -> None:
    w, h, cloth = head.w, head.h, head.studio.paint("hat", 0.2)
    lean = head.studio.between(-0.8, 0.8) * w
    cone = outlines.path([(-w * 0.9, -h * 0.5), (-w * 0.3, -h * 1.5), (lean, -h * 2.4), (w * 0.35, -h * 1.5), (w * 0.9, -h * 0.5)], 4)
    _worn(head, cone, cloth, 1.2)
    _worn(
        head,
        outlines.polygon([(-w * 0.8, -h * 0.75), (-w * 0.65, -h * 1), (w * 0.65, -h * 1), (w * 0.8, -h * 0.75)]),
        head.studio.paint(),
        1.25,
    )
    _worn(head, outlines.ellipse(w * 1.7, h * 0.25, (0, -h * 0.55)), cloth, 1.3)


def _helmet(head: Head) -> None:
    w, h, steel = head.w, head.h, head.studio.paint("steel", 0.6)
    plume = outlines.path([(0, -h * 1.1), (-w * 0.5, -h * 1.7), (-w * 1.3, -h * 1.3), (-w * 1.4, -h * 0.6), (-w * 0.8, -h * 1)], 4)
    _worn(head, plume, head.studio.paint(), 1.1)
    _worn(
        head,
        np.concatenate([outlines.arc(w * 1.15, h * 1.2, np.pi, 2 * np.pi, (0, -h * 0.2), 14), [(w * 0.6, h * 0.1), (-w * 0.6, h * 0.1)]]),
        steel,
        1.2,
    )
    head.on(outlines.box(w * 0.08, h * 0.35, (0, h * 0.05)), steel, 1.3)
    _worn(
        head,
        outlines.polygon([(-w * 1.14, -h * 0.35), (w * 1.14, -h * 0.35), (w * 1.14, -h * 0.2), (-w * 1.14, -h * 0.2)]),
        head.studio.paint(),
        1.25,
    )


HATS: dict[str, Callable[[Head], None]] = {
    "none": _bare,
    "cap": _hat,
    "brim": _brim,
    "crown": _crown,
    "witch": _witch,
    "helmet": _helmet,
}
