"""What figures hold: a table of things that hang from a hand's bone, its origin at the wrist and y down the fingers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from . import inventions, outlines
from .figures import INK, NONE, Figure
from .outlines import Points
from .studio import Studio

if TYPE_CHECKING:
    from .people import Body


def hold(body: Body) -> None:
    """Puts something into one hand, or nothing; it may come or go."""
    kind = body.studio.pick("props")
    if kind == "none":
        return
    side = body.studio.whole(0, 1)
    act = body.figure.act(body.studio.comes()) if body.studio.chance(0.25) else 0
    PROPS[kind](body.studio, body.figure, body.hands[side], body.reach * 0.35, body.over[side] + 0.12, act)


def _seen(act: int) -> dict:
    return {"act": act, "shown": (0.5, 2.0)}


def _ball(studio: Studio, figure: Figure, bone: int, size: float, level: float, act: int) -> None:
    paint, at = studio.paint(), (0, size * 1.1)
    figure.part(bone, outlines.ellipse(size, size, at), paint, level, **_seen(act))
    kind = studio.pick({"band": 0.4, "spots": 0.3, "plain": 0.3})
    if kind == "band":
        band = outlines.within(outlines.box(size, size * 0.28, at), at, size, size)
        figure.part(bone, band, studio.paint(), level + 0.01, **_seen(act))
    elif kind == "spots":
        spot = studio.paint()
        for angle in (0.4, 2.5, 4.6):
            dot = outlines.ellipse(size * 0.25, size * 0.25, (size * 0.5 * np.cos(angle), at[1] + size * 0.5 * np.sin(angle)))
            figure.part(bone, dot, spot, level + 0.01, **_seen(act))


def _sword(studio: Studio, figure: Figure, bone: int, size: float, level: float, act: int) -> None:
    hilt, long = studio.paint(), size * studio.between(2.5, 4)
    blade = [
        (size * 0.2, size * 0.12),
        (long, size * 0.12),
        (long + size * 0.3, size * 0.3),
        (long, size * 0.45),
        (size * 0.2, size * 0.45),
    ]
    figure.part(bone, outlines.polygon(blade), studio.paint("steel", 0.6), level, **_seen(act))
    figure.part(
        bone, np.array([[size * 0.3, size * 0.28], [long * 0.9, size * 0.28]]), NONE, level + 0.01, line=(0, 2), ink=0.7, **_seen(act)
    )
    figure.part(bone, outlines.box(size * 0.09, size * 0.4, (size * 0.25, size * 0.28)), hilt, level + 0.02, **_seen(act))
    figure.part(
        bone, outlines.box(size * 0.4, size * 0.12, (-size * 0.25, size * 0.28), 0.6), studio.either(hilt), level + 0.01, **_seen(act)
    )


def _pole(studio: Studio, figure: Figure, bone: int, size: float, long: float, level: float, act: int) -> None:
    pole = outlines.box(size * 0.07, long / 2, (0, size * 0.3 - long * 0.2), 0.5)
    figure.part(bone, outlines.turned(pole, np.pi), studio.paint("wood", 0.6), level, **_seen(act))


def _flag(studio: Studio, figure: Figure, bone: int, size: float, level: float, act: int) -> None:
    long = size * 5
    _pole(studio, figure, bone, size, long, level, act)
    cloth = figure.bone(bone, (0, long * 0.65), angle=studio.wave(0.1, -np.pi / 2), bend=studio.wave(0.7), soft=(0, size * 2))
    stripe = studio.whole(1, 3)
    for i in range(stripe):
        high, low = -size * 0.7 + 1.4 * size * i / stripe, -size * 0.7 + 1.4 * size * (i + 1) / stripe
        panel = outlines.polygon([(high, 0), (low, 0), (low, size * 2.2), (high, size * 2.2)], 4)
        figure.part(cloth, panel, studio.paint(), level - 0.02 + 0.001 * i, **_seen(act))


def _book(studio: Studio, figure: Figure, bone: int, size: float, level: float, act: int) -> None:
    cover = studio.paint()
    figure.part(bone, outlines.box(size * 0.75, size * 0.95, (0, size), 0.1), cover, level, **_seen(act))
    figure.part(bone, outlines.box(size * 0.1, size * 0.95, (-size * 0.65, size)), studio.either(cover), level + 0.01, **_seen(act))
    if studio.chance(0.6):
        figure.part(bone, outlines.box(size * 0.4, size * 0.22, (size * 0.1, size * 0.7)), studio.paint(), level + 0.01, **_seen(act))


def _cup(studio: Studio, figure: Figure, bone: int, size: float, level: float, act: int) -> None:
    cup = studio.paint()
    handle = outlines.ribbon(outlines.arc(size * 0.35, size * 0.4, -1.4, 1.4, (size * 0.5, size * 0.6), 8), size * 0.16)
    figure.part(bone, handle, cup, level - 0.01, **_seen(act))
    figure.part(
        bone,
        outlines.polygon([(-size * 0.5, 0), (size * 0.5, 0), (size * 0.4, size * 1.2), (-size * 0.4, size * 1.2)]),
        cup,
        level,
        **_seen(act),
    )
    figure.part(bone, outlines.ellipse(size * 0.5, size * 0.16), studio.paint(), level + 0.01, **_seen(act))


def _balloon(studio: Studio, figure: Figure, bone: int, size: float, level: float, act: int) -> None:
    long = size * studio.between(3, 5)
    string = figure.bone(bone, angle=studio.wave(0.2, np.pi), bend=studio.wave(0.5), soft=(0, long))
    figure.part(string, np.linspace((0, 0), (0, long), 8), NONE, level - 0.1, line=(0, 8), ink=0.7, **_seen(act))
    skin = studio.paint()
    figure.part(string, outlines.ellipse(size * 0.95, size * 1.2, (0, long + size * 1.2)), skin, level, **_seen(act))
    if studio.chance(0.5):
        figure.part(
            string,
            outlines.ellipse(size * 0.2, size * 0.35, (size * 0.4, long + size * 1.7)),
            studio.paint("white", 0.7),
            level + 0.01,
            **_seen(act),
        )


def _bag(studio: Studio, figure: Figure, bone: int, size: float, level: float, act: int) -> None:
    leather = studio.paint()
    handle = outlines.ribbon(outlines.arc(size * 0.45, size * 0.6, np.pi, 2 * np.pi, (0, size * 0.9), 9), size * 0.14)
    figure.part(bone, handle, studio.either(leather), level - 0.01, **_seen(act))
    figure.part(bone, outlines.box(size * 0.85, size * 0.65, (0, size * 1.5), 0.3), leather, level, **_seen(act))
    if studio.chance(0.6):
        figure.part(
            bone, outlines.box(size * 0.85, size * 0.22, (0, size * 1.1), 0.6), studio.either(leather, 0.4), level + 0.01, **_seen(act)
        )
        figure.part(
            bone, outlines.ellipse(size * 0.12, size * 0.12, (0, size * 1.32)), studio.paint("gold", 0.6), level + 0.02, **_seen(act)
        )


def _umbrella(studio: Studio, figure: Figure, bone: int, size: float, level: float, act: int) -> None:
    long = size * 4
    _pole(studio, figure, bone, size, long, level, act)
    panels, paints, top = studio.whole(3, 6), (studio.paint(), studio.paint()), -long * 0.55
    x = np.linspace(-1, 1, panels + 1) * size * 2.4
    for i in range(panels):
        panel = outlines.path(
            [
                (0, top - size * 1.5),
                (x[i + 1] * 0.75, top - size * 0.9),
                (x[i + 1], top),
                (x[i : i + 2].mean(), top - size * 0.25),
                (x[i], top),
                (x[i] * 0.75, top - size * 0.9),
            ],
            3,
        )
        figure.part(bone, outlines.turned(panel, np.pi), paints[i % 2], level + 0.02 + i * 1e-3, **_seen(act))


def _lantern(studio: Studio, figure: Figure, bone: int, size: float, level: float, act: int) -> None:
    frame, y = studio.paint(), size * 1.3
    figure.part(
        bone, outlines.arc(size * 0.4, size * 0.9, np.pi, 2 * np.pi, (0, size * 0.8), 8), NONE, level - 0.01, line=(0, 8), **_seen(act)
    )
    figure.part(bone, outlines.box(size * 0.55, size * 0.7, (0, y), 0.4), studio.paint(), level, **_seen(act))
    figure.part(
        bone,
        outlines.path([(0, y - size * 0.4), (size * 0.2, y + size * 0.1), (0, y + size * 0.35), (-size * 0.2, y + size * 0.1)]),
        studio.paint(),
        level + 0.01,
        **_seen(act),
    )
    for end in (-0.7, 0.7):
        figure.part(bone, outlines.box(size * 0.7, size * 0.14, (0, y + size * end)), frame, level + 0.02, **_seen(act))


def _axe(studio: Studio, figure: Figure, bone: int, size: float, level: float, act: int) -> None:
    _pole(studio, figure, bone, size * 1.3, size * 3.5, level, act)
    head = outlines.path([(0, size * 1.7), (size * 0.9, size * 1.3), (size * 1.1, size * 2), (size * 0.9, size * 2.7), (0, size * 2.3)], 3)
    figure.part(bone, head, studio.paint(), level + 0.02, **_seen(act))
    figure.part(bone, outlines.ellipse(size * 0.12, size * 0.12, (size * 0.2, size * 2)), INK, level + 0.03, ink=0, **_seen(act))


# --- signs beside a head


def mark(studio: Studio, figure: Figure, head: int, w: float, h: float, level: float) -> None:
    """A sign of feeling that comes or goes, or none."""
    kind = studio.pick("marks")
    if kind != "none":
        bone = figure.bone(
            head, (w * studio.between(1.2, 1.7) * (-1 if studio.chance(0.5) else 1), -h * studio.between(0.6, 1.3)), angle=studio.wave(0.2)
        )
        for outline in MARKS[kind](studio, h):
            figure.part(bone, outline, studio.paint(), level + 3, **_seen(figure.act(studio.comes())))


def _drop(studio: Studio, h: float) -> list[Points]:
    return [outlines.path([(0, -h * 0.4), (h * 0.18, 0), (0, h * 0.2), (-h * 0.18, 0)], 4)]


def _heart(studio: Studio, h: float) -> list[Points]:
    return [
        outlines.path(
            [(0, -h * 0.1), (h * 0.2, -h * 0.3), (h * 0.35, -h * 0.1), (0, h * 0.35), (-h * 0.35, -h * 0.1), (-h * 0.2, -h * 0.3)], 3
        )
    ]


def _speech(studio: Studio, h: float) -> list[Points]:
    cloud = outlines.ellipse(h * 0.7, h * 0.45, (0, -h * 0.4), 20)
    return [np.concatenate([cloud[:5], [[0.1 * h, h * 0.4]], cloud[6:]])]


def _shout(studio: Studio, h: float) -> list[Points]:
    return [
        outlines.polygon([(-h * 0.12, -h * 0.7), (h * 0.12, -h * 0.7), (h * 0.06, 0), (-h * 0.06, 0)], 2),
        outlines.ellipse(h * 0.1, h * 0.1, (0, h * 0.2)),
    ]


def _stars(studio: Studio, h: float) -> list[Points]:
    return [outlines.moved(outlines.star(5, h * 0.25, h * 0.1), h * 0.45 * i, -h * 0.2 * i) for i in range(studio.whole(1, 3))]


MARKS: dict[str, Callable[[Studio, float], list[Points]]] = {
    "drop": _drop,
    "heart": _heart,
    "balloon": _speech,
    "shout": _shout,
    "stars": _stars,
}

PROPS: dict[str, Callable[[Studio, Figure, int, float, float, int], None]] = {
    "ball": _ball,
    "sword": _sword,
    "flag": _flag,
    "book": _book,
    "cup": _cup,
    "balloon": _balloon,
    "bag": _bag,
    "gadget": inventions.gadget,
    "umbrella": _umbrella,
    "lantern": _lantern,
    "axe": _axe,
}
