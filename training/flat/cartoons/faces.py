"""Faces: eyes, brows, noses, mouths, ears, of the proportions that cartoons have, on a round head that turns."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from . import outlines
from .figures import INK, NONE, Figure
from .outlines import Points
from .studio import Studio


@dataclass(frozen=True)
class Head:
    """A head being drawn: its bone's origin is its middle."""

    studio: Studio
    figure: Figure
    bone: int
    w: float
    h: float
    """Half width and half height."""
    skin: int
    hair: int
    level: float

    def on(self, outline: Points, paint: int, above: float, **settings) -> None:
        """Adds a part that lies on the front of the head."""
        self.figure.part(self.bone, outline, paint, self.level + above, around=(self.w, self.h * 1.15), **settings)


def face(head: Head) -> None:
    """All that is in a face."""
    studio = head.studio
    if studio.chance(0.25):
        blush = studio.paint("blush", 0.7)
        for side in (-1, 1):
            head.on(outlines.ellipse(head.w * 0.17, head.h * 0.1, (side * head.w * 0.58, head.h * 0.34)), blush, 0.1, ink=0.6)
    eyes(head)
    NOSES[studio.pick("noses")](head)
    MOUTHS[studio.pick("mouths")](head)
    for extra in studio.some("extras"):
        EXTRAS[extra](head)


def skull(head: Head) -> Points:
    """The outline of a head: round, with a chin, or with cheeks."""
    w, h = head.w, head.h
    chin, jaw, cheek = head.studio.between(0.15, 0.5), head.studio.between(0.55, 0.85), head.studio.between(0.92, 1.06)
    half = [(w * 0.6, -h * 0.86), (w, -h * 0.25), (w * cheek, h * 0.25), (w * jaw, h * 0.72), (w * chin, h)]
    return outlines.path([(0, -h), *half, *((-x, y) for x, y in reversed(half))], 3)


def ears(head: Head) -> None:
    """A pair of ears at the sides of the head."""
    inner = head.studio.paint("inner ear", 0.8) if head.studio.chance(0.5) else NONE
    size = head.h * head.studio.between(0.18, 0.3)
    for side in (-1, 1):
        ear = outlines.ellipse(size * 0.75, size, (side * head.w * 1.02, head.h * 0.12))
        head.figure.part(head.bone, ear, head.skin, head.level - 0.2, depth=0.0, swaps=0.8)
        hollow = outlines.ellipse(size * 0.4, size * 0.6, (side * head.w * 1.05, head.h * 0.12))
        head.figure.part(head.bone, hollow, inner, head.level - 0.19, depth=0.0, swaps=0.8, ink=0.7)


# --- eyes


@dataclass(frozen=True)
class Eye:
    """One eye of a head; its kind's function draws it."""

    head: Head
    x: float
    y: float
    size: float
    look: float
    """How far it looks aside."""
    white: int
    iris: int
    low: int
    """The paint of the iris's lower half."""
    lids: int
    """The act that closes it."""

    def part(self, w: float, h: float, paint: int, above: float, aside: float = 0.0, lower: float = 0.0, **settings) -> None:
        """Adds an ellipse of that half width and half height, moved aside and lower; all in shares of the eye's size."""
        outline = outlines.ellipse(w * self.size, h * self.size, (self.x + aside * self.size, self.y + lower * self.size))
        self.shape(outline, paint, above, **settings)

    def shape(self, outline: Points, paint: int, above: float, **settings) -> None:
        """Adds an outline that closes with the lids."""
        self.head.on(outline, paint, above, act=self.lids, pivot=self.y, **({"ink": 0.0} if paint == INK else {}), **settings)

    def inside(self, w: float, h: float, aside: float, lower: float, width: float, height: float) -> Points:
        """An ellipse cut by the eye's own, of half a `width` and a `height`."""
        at = (self.x + aside * self.size, self.y + lower * self.size)
        outline = outlines.ellipse(w * self.size, h * self.size, at)
        return outlines.within(outline, (self.x, self.y), width * self.size, height * self.size)


def eyes(head: Head) -> None:
    """Two eyes of one kind with their brows, that blink."""
    studio = head.studio
    kind = EYES[studio.pick("eyes")]
    apart, height = head.w * studio.between(0.38, 0.5), head.h * studio.between(-0.02, 0.2)
    size, look = head.w * studio.between(0.18, 0.3), studio.between(-0.25, 0.25)
    white, iris = studio.paint("white", 0.7), studio.paint("iris", 0.2)
    low, lids = studio.either(iris), head.figure.act(studio.winks(0.15)) if studio.chance(0.5) else 0
    for x in (-apart, apart):
        kind(Eye(head, x, height, size, look, white, iris, low, lids))
    if studio.chance(0.7):
        _brows(head, apart, height - size * studio.between(1.5, 2.1), size)


def _brows(head: Head, apart: float, height: float, size: float) -> None:
    tilt, thick = head.studio.between(-0.35, 0.35), head.studio.between(0.15, 0.45)
    kind = head.studio.pick({"ink": 0.4, "hair": 0.35, "stroke": 0.25})
    spine = outlines.arc(size, size * 0.45, -2.7, -0.45, n=7)
    for side in (-1, 1):
        brow = spine if kind == "stroke" else outlines.ribbon(spine, size * thick)
        brow = outlines.moved(outlines.turned(brow, side * tilt), side * apart, height + size * 0.4)
        if kind == "stroke":
            head.on(brow, NONE, 0.5, line=(0, len(brow)))
        else:
            head.on(brow, INK if kind == "ink" else head.hair, 0.5, ink=0 if kind == "ink" else 0.8)


def _dot(eye: Eye) -> None:
    eye.part(0.4, 0.55, INK, 0.3)


def _plain(eye: Eye) -> None:
    eye.part(1, 1.15, eye.white, 0.3)
    eye.part(0.35, 0.45, INK, 0.4, eye.look)


def _cartoon(eye: Eye) -> None:
    eye.part(1, 1.2, eye.white, 0.3)
    eye.shape(eye.inside(0.6, 0.7, eye.look, 0, 0.95, 1.1), eye.iris, 0.35)
    eye.part(0.27, 0.33, INK, 0.4, eye.look)
    eye.part(0.2, 0.22, eye.white, 0.45, eye.look + 0.25, -0.3, ink=0.5)


def _anime(eye: Eye) -> None:
    """A tall eye: white, an iris of two tones, pupil, highlight, upper lashes."""
    white = np.array([(-1, 0.15), (-0.5, -1.23), (0.5, -1.23), (1, 0.15), (0, 1.45)]) * eye.size + (eye.x, eye.y)
    eye.shape(outlines.path(white, 4), eye.white, 0.3)
    eye.shape(eye.inside(0.68, 1.16, eye.look, 0, 0.92, 1.28), eye.iris, 0.35)
    eye.shape(eye.inside(0.5, 0.5, eye.look, 0.58, 0.85, 1.16), eye.low, 0.37, ink=0.6)
    eye.part(0.25, 0.5, INK, 0.4, eye.look)
    eye.part(0.24, 0.32, eye.white, 0.45, eye.look - 0.25, -0.58, ink=0.5)
    upper = outlines.arc(eye.size * 1.05, eye.size * 1.38, -2.9, -0.25, (eye.x, eye.y), 9)
    eye.shape(outlines.ribbon(upper, eye.size * 0.22 * np.sin(np.linspace(0.3, 2.8, 9))), INK, 0.46)


def _sleepy(eye: Eye) -> None:
    eye.part(1, 1, eye.white, 0.3)
    eye.part(0.45, 0.45, eye.iris, 0.35, eye.look, 0.25)
    eye.part(0.2, 0.2, INK, 0.4, eye.look, 0.25)
    lid = outlines.arc(eye.size * 1.02, eye.size * 1.02, np.pi, 2 * np.pi, (eye.x, eye.y), 12)
    eye.shape(lid, eye.head.studio.paint("lid", 0.9), 0.45)


def _ringed(eye: Eye) -> None:
    for share, paint in ((1.2, eye.iris), (0.85, eye.white), (0.5, eye.iris)):
        eye.part(share, share, paint, 0.4 - share / 10, eye.look * (1 - share))
    eye.part(0.2, 0.2, INK, 0.41, eye.look)


EYES: dict[str, Callable[[Eye], None]] = {
    "dot": _dot,
    "plain": _plain,
    "cartoon": _cartoon,
    "anime": _anime,
    "sleepy": _sleepy,
    "ringed": _ringed,
}


# --- noses


def _no_nose(head: Head) -> None:
    pass


def _nose(head: Head, outline: Points, **settings) -> None:
    """A nose stands before the face."""
    head.figure.part(head.bone, outline, head.skin, head.level + 0.6, depth=head.w * 1.1, **settings)


def _button(head: Head) -> None:
    size = head.w * head.studio.between(0.1, 0.2)
    outline = outlines.ellipse(size, size * head.studio.between(0.7, 1), (0, head.h * 0.36))
    if head.studio.chance(0.6):
        _nose(head, outline)
    else:
        head.figure.part(head.bone, outline, head.studio.paint(), head.level + 0.6, depth=head.w * 1.1)


def _line_nose(head: Head) -> None:
    size = head.w * head.studio.between(0.1, 0.18)
    outline = outlines.arc(size, size, 0.2, 2.6, (0, head.h * 0.35), 6)
    head.figure.part(head.bone, outline, NONE, head.level + 0.6, depth=head.w * 1.1, line=(0, 6))


def _wedge(head: Head) -> None:
    size, side = head.w * head.studio.between(0.15, 0.25), 1 if head.studio.chance(0.5) else -1
    top = head.h * 0.1
    outline = outlines.path(
        [(0, top), (side * size * 0.6, top + size * 1.3), (side * size * 0.3, top + size * 1.8), (-side * size * 0.4, top + size * 1.6)], 3
    )
    _nose(head, outline, line=(0, 9))


def _snout(head: Head) -> None:
    size, paint = head.w * head.studio.between(0.25, 0.4), head.studio.paint()
    head.figure.part(head.bone, outlines.ellipse(size, size * 0.7, (0, head.h * 0.4)), paint, head.level + 0.6, depth=head.w * 1.1)
    for side in (-1, 1):
        hole = outlines.ellipse(size * 0.16, size * 0.22, (side * size * 0.4, head.h * 0.4))
        head.figure.part(head.bone, hole, INK, head.level + 0.61, depth=head.w * 1.15, ink=0)


NOSES: dict[str, Callable[[Head], None]] = {"none": _no_nose, "button": _button, "line": _line_nose, "wedge": _wedge, "snout": _snout}


# --- mouths


def _line_mouth(head: Head) -> None:
    smile = head.studio.between(-0.6, 1)
    outline = outlines.arc(head.w * head.studio.between(0.2, 0.45), head.h * 0.18 * smile, 0.2, np.pi - 0.2, (0, head.h * 0.5), 8)
    head.on(outline, NONE, 0.3, line=(0, 8))


def _open_mouth(head: Head, act: int = 0) -> None:
    studio = head.studio
    w, h, y = head.w * studio.between(0.22, 0.42), head.h * studio.between(0.12, 0.26), head.h * 0.5
    bow = [
        (-w, y),
        (-w * 0.4, y + h * 0.08),
        (w * 0.4, y + h * 0.08),
        (w, y),
        (w * 0.6, y + h * 0.8),
        (0, y + h * 1.1),
        (-w * 0.6, y + h * 0.8),
    ]
    moving = {"act": act, "pivot": y} if act else {}
    head.on(outlines.path(bow, 3), studio.paint("mouth", 0.7), 0.3, **moving)
    if studio.chance(0.6):
        teeth = outlines.path(
            [(-w * 0.8, y + h * 0.1), (0, y + h * 0.1), (w * 0.8, y + h * 0.1), (w * 0.6, y + h * 0.35), (-w * 0.6, y + h * 0.35)], 3
        )
        head.on(teeth, studio.paint("white", 0.8), 0.35, ink=0.6, shown=(0.45, 2), **moving)
    if studio.chance(0.5):
        tongue = outlines.ellipse(w * 0.42, h * 0.28, (0, y + h * 0.75))
        head.on(tongue, studio.paint("tongue", 0.7), 0.35, ink=0.6, shown=(0.45, 2), **moving)


def _talking(head: Head) -> None:
    _open_mouth(head, head.figure.act(head.studio.opens()))


def _lips(head: Head) -> None:
    w, y, lip = head.w * head.studio.between(0.2, 0.32), head.h * 0.55, head.studio.paint("lips", 0.5)
    upper = [(-w, y), (-w * 0.4, y - w * 0.3), (0, y - w * 0.2), (w * 0.4, y - w * 0.3), (w, y), (0, y + w * 0.06)]
    lower = [(-w, y), (0, y + w * 0.06), (w, y), (w * 0.5, y + w * 0.35), (-w * 0.5, y + w * 0.35)]
    for outline in (upper, lower):
        head.on(outlines.path(outline, 3), lip, 0.3, ink=0.8)


def _toothy(head: Head) -> None:
    w, y, h = head.w * head.studio.between(0.35, 0.55), head.h * 0.58, head.h * 0.14
    white, count = head.studio.paint("white", 0.8), head.studio.whole(3, 5)
    edge = np.linspace(-w, w, count + 1)
    for left, right in pairwise(edge):
        head.on(outlines.box((right - left) / 2, h, ((left + right) / 2, y), 0.4), white, 0.3)


MOUTHS: dict[str, Callable[[Head], None]] = {
    "line": _line_mouth,
    "open": _open_mouth,
    "talking": _talking,
    "lips": _lips,
    "toothy": _toothy,
}


# --- what not every face has


def _glasses(head: Head) -> None:
    studio, y = head.studio, head.h * 0.1
    w, h, rim = head.w * studio.between(0.3, 0.38), head.h * studio.between(0.24, 0.32), studio.paint()
    glass, corner = studio.paint("glass", 0.5) if studio.chance(0.3) else NONE, 0.95 if studio.chance(0.6) else 0.2
    for side in (-1, 1):
        lens = outlines.box(w, h, (side * head.w * 0.45, y), corner)
        head.on(lens, glass, 0.7)
    head.on(outlines.box(head.w * 0.12, head.h * 0.03, (0, y)), rim, 0.71)


def _beard(head: Head) -> None:
    w, h, low = head.w, head.h, head.h * head.studio.between(1.05, 1.5)
    edge = [
        (-w * 0.95, h * 0.2),
        (-w * 0.4, h * 0.45),
        (0, h * 0.38),
        (w * 0.4, h * 0.45),
        (w * 0.95, h * 0.2),
        (w * 0.7, h * 0.8),
        (0, low),
        (-w * 0.7, h * 0.8),
    ]
    head.figure.part(head.bone, outlines.path(edge, 4), head.hair, head.level + 0.2, around=(w, h * 1.6), rim=True)


def _freckles(head: Head) -> None:
    for side in (-1, 1):
        for x, y in ((0.4, 0.3), (0.52, 0.36), (0.62, 0.28)):
            head.on(outlines.ellipse(head.w * 0.035, head.w * 0.035, (side * head.w * x, head.h * y)), INK, 0.15, ink=0)


def _patch(head: Head) -> None:
    x = head.w * 0.45
    head.on(
        outlines.polygon([(-head.w, -head.h * 0.35), (head.w, head.h * 0.25), (head.w, head.h * 0.32), (-head.w, -head.h * 0.28)], 4),
        INK,
        0.69,
        ink=0,
    )
    head.on(outlines.ellipse(head.w * 0.34, head.h * 0.3, (x, head.h * 0.1)), head.studio.paint(), 0.7)


def _mask(head: Head) -> None:
    w, h, cloth = head.w, head.h, head.studio.paint()
    outline = outlines.path([(-w, h * 0.3), (0, h * 0.22), (w, h * 0.3), (w * 0.75, h * 0.8), (0, h), (-w * 0.75, h * 0.8)], 4)
    head.figure.part(head.bone, outline, cloth, head.level + 0.75, around=(w, h * 1.4), rim=True)
    for y in (0.5, 0.7):
        fold = outlines.arc(w * 0.6, h * 0.08, 0.3, np.pi - 0.3, (0, h * y), 6)
        head.on(fold, NONE, 0.76, line=(0, 6), ink=0.7)


EXTRAS: dict[str, Callable[[Head], None]] = {
    "glasses": _glasses,
    "beard": _beard,
    "freckles": _freckles,
    "patch": _patch,
    "mask": _mask,
}
