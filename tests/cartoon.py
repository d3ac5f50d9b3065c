"""Procedural cartoons with the true region of every pixel: a walk cycle with a panning camera and occlusion, and a field of many pebbles.

For tests and benchmarks. Everything follows from the seed and the time.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import skia


@dataclass
class Stage:
    """One frame being painted, bottom first: what is filled hides the lines below it."""

    width: int
    height: int
    line: float
    """Line width in pixels."""
    ids: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fills = skia.Surface(self.width, self.height)
        self.lines = skia.Surface(self.width, self.height)
        self.fills.getCanvas().clear(skia.ColorBLACK)
        self.lines.getCanvas().clear(skia.ColorWHITE)

    def paint(self, colour: int, path: skia.Path, outline: bool = True) -> None:
        """Fills a path with a colour's number and draws its outline."""
        self.fills.getCanvas().drawPath(path, skia.Paint(Color=skia.ColorSetRGB(colour, 0, 0), AntiAlias=False))
        self.lines.getCanvas().drawPath(path, skia.Paint(Color=skia.ColorWHITE, AntiAlias=True))
        if outline:
            ink = skia.Paint(Color=skia.ColorBLACK, AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=self.line)
            ink.setStrokeJoin(skia.Paint.kRound_Join)
            self.lines.getCanvas().drawPath(path, ink)

    def frame(self) -> tuple[np.ndarray, np.ndarray]:
        """The line art, (h, w, 4) 0..1 black on white, and the number of each pixel's colour, (h, w)."""
        lines = self.lines.makeImageSnapshot().toarray(colorType=skia.kRGBA_8888_ColorType)
        fills = self.fills.makeImageSnapshot().toarray(colorType=skia.kRGBA_8888_ColorType)
        return lines.astype(np.float32) / 255, fills[..., 0].copy()


def palette(seed: int, count: int = 24) -> np.ndarray:
    """(count, 4) opaque 8-bit colours, well apart."""
    rng = np.random.default_rng(seed)
    colours: list[np.ndarray] = []
    while len(colours) < count:
        colour = rng.integers(40, 256, 3)
        if all(np.abs(colour - other).max() > 24 for other in colours):
            colours.append(colour)
    return np.concatenate([np.array(colours), np.full((count, 1), 255)], 1).astype(np.uint8)


def coloured(lines: np.ndarray, ids: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """The true coloured frame, (h, w, 4) 0..1: the lines over the colours."""
    flat = colours[ids].astype(np.float32) / 255
    flat[..., :3] *= lines[..., :1]
    return flat


SKY, SUN, HILL, GROUND, TREE, TRUNK, SKIN, HAIR, SHIRT, TROUSERS, SHOE, WHITE, PUPIL, MOUTH, BELT, BAG = range(16)


def walk(t: float, width: int = 480, height: int = 270, line: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """A figure walks to the right past trees, the camera follows slowly; `t` in walk cycles (24 frames on ones are about one)."""
    stage = Stage(width, height, line)
    unit, camera = height / 100, 14 * t

    def at(x: float, y: float, depth: float = 1.0) -> tuple[float, float]:
        return (x - camera * depth) * unit, y * unit

    stage.paint(SKY, skia.Path().addRect(skia.Rect(-9, -9, width + 9, height + 9)), outline=False)
    _disc(stage, SUN, at(140, 18, 0.05), 8 * unit)
    for i in range(4):
        hill = _blob(at(20 + 70 * i, 78, 0.4), (34 + 5 * (i % 2)) * unit, (20 + 6 * (i % 3)) * unit)
        stage.paint(HILL, hill)
    ground = skia.Path()
    ground.moveTo(-9, 80 * unit)
    for x in range(-9, width + 40, 16):
        ground.lineTo(x, (80 + 1.2 * math.sin((x / unit + camera) * 0.11)) * unit)
    ground.lineTo(width + 40, height + 9)
    ground.lineTo(-9, height + 9)
    stage.paint(GROUND, ground.close())
    _tree(stage, at, 60, unit)
    _figure(stage, at, 52 + 22 * t, t, unit)
    _tree(stage, at, 118, unit, front=True)
    return stage.frame()


def _figure(stage: Stage, at, x: float, t: float, u: float) -> None:
    phase = 2 * math.pi * t
    bounce = 1.2 * abs(math.sin(phase))
    hip, chest = (x, 62 - bounce), (x + 0.8, 42 - bounce)
    swing = 0.55 * math.sin(phase)
    _arm(stage, at, chest, 0.25 + 0.8 * -swing, t + 0.5, u)
    for side in (-1, 1):
        thigh = side * swing
        knee = (hip[0] + 11 * math.sin(thigh), hip[1] + 11 * math.cos(thigh))
        bend = thigh - 0.5 * max(0.0, math.cos(phase) * side) - 0.05
        foot = (knee[0] + 11 * math.sin(bend), knee[1] + 11 * math.cos(bend))
        stage.paint(SHOE, _blob(at(foot[0] + 1.8, foot[1] + 1), 4.4 * u, 2.2 * u))
        stage.paint(TROUSERS, _limb([at(*hip), at(*knee), at(*foot)], 6.5 * u))
    torso = skia.Path()
    torso.addRoundRect(skia.Rect.MakeLTRB(*at(x - 7, 38 - bounce), *at(x + 7, 63 - bounce)), 5 * u, 5 * u)
    stage.paint(SHIRT, torso)
    stage.paint(BELT, skia.Path().addRect(skia.Rect.MakeLTRB(*at(x - 7, 58 - bounce), *at(x + 7, 61 - bounce))))
    head = (x + 1.5, 27 - bounce)
    stage.paint(HAIR, _blob(at(head[0] - 2.5, head[1] - 1), 11 * u, 11.5 * u))
    stage.paint(SKIN, _blob(at(head[0] + 1, head[1] + 1.5), 9 * u, 9.5 * u))
    blink = 0.25 if 0.4 < (t * 0.7) % 1 < 0.46 else 1.0
    for dx in (0.5, 6.0):
        _disc(stage, WHITE, at(head[0] + dx, head[1]), 2.4 * u, blink)
        if blink == 1.0:
            _disc(stage, PUPIL, at(head[0] + dx + 0.7, head[1] + 0.3), 1.1 * u)
    _disc(stage, MOUTH, at(head[0] + 4, head[1] + 6), 2.2 * u, 0.3 + 0.3 * abs(math.sin(3 * phase)))
    fringe = _blob(at(head[0] + 1.5, head[1] - 7), 8.5 * u, 4.2 * u)
    stage.paint(HAIR, fringe)
    _arm(stage, at, chest, 0.25 + 0.8 * swing, t, u, bag=True)


def _arm(stage: Stage, at, shoulder: tuple[float, float], angle: float, t: float, u: float, bag: bool = False) -> None:
    elbow = (shoulder[0] + 9 * math.sin(angle), shoulder[1] + 9 * math.cos(angle))
    bent = angle + 0.35 + 0.2 * math.sin(2 * math.pi * t)
    hand = (elbow[0] + 9 * math.sin(bent), elbow[1] + 9 * math.cos(bent))
    if bag:
        stage.paint(BAG, _blob(at(hand[0], hand[1] + 5), 5 * u, 4 * u))
    _disc(stage, SKIN, at(*hand), 3 * u)
    stage.paint(SHIRT, _limb([at(*shoulder), at(*elbow), at(*hand)], 5 * u))


def _tree(stage: Stage, at, x: float, u: float, front: bool = False) -> None:
    base = 92 if front else 82
    stage.paint(TRUNK, skia.Path().addRect(skia.Rect.MakeLTRB(*at(x - 2.5, 40), *at(x + 2.5, base))))
    for dx, dy, r in ((-7, 36, 9), (7, 35, 10), (0, 26, 11)):
        stage.paint(TREE, _blob(at(x + dx, dy), r * u, r * u))


def _disc(stage: Stage, colour: int, centre: tuple[float, float], radius: float, squash: float = 1.0) -> None:
    stage.paint(colour, _blob(centre, radius, radius * squash))


def _blob(centre: tuple[float, float], rx: float, ry: float) -> skia.Path:
    return skia.Path().addOval(skia.Rect.MakeLTRB(centre[0] - rx, centre[1] - ry, centre[0] + rx, centre[1] + ry))


def _limb(joints: list[tuple[float, float]], width: float) -> skia.Path:
    """The outline of a thick bent line."""
    bone = skia.Path()
    bone.moveTo(*joints[0])
    for joint in joints[1:]:
        bone.lineTo(*joint)
    paint = skia.Paint(
        Style=skia.Paint.kStroke_Style, StrokeWidth=width, StrokeCap=skia.Paint.kRound_Cap, StrokeJoin=skia.Paint.kRound_Join
    )
    outline = skia.Path()
    paint.getFillPath(bone, outline)
    return skia.Simplify(outline)


def pebbles(t: float, count: int, width: int, height: int, line: float = 2.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """About `count` pebbles of 20 colours in rows, each swaying on its own; for measuring speed."""
    rng = np.random.default_rng(seed)
    columns = max(1, round(math.sqrt(count * width / height)))
    rows = math.ceil(count / columns)
    stage = Stage(width, height, line)
    stage.paint(0, skia.Path().addRect(skia.Rect(-9, -9, width + 9, height + 9)), outline=False)
    step_x, step_y = width / columns, height / rows
    for i in range(count):
        sway = 0.1 * math.sin(t + rng.uniform(0, 6.28))
        x, y = (i % columns + 0.5 + sway) * step_x, (i // columns + 0.5) * step_y
        colour = int(rng.integers(1, 20))
        stage.paint(colour, _blob((x, y), rng.uniform(0.25, 0.42) * step_x, rng.uniform(0.25, 0.42) * step_y))
    return stage.frame()
