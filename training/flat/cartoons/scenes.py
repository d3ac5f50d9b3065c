"""A scene: a backdrop, figures on their ways, and the camera that sees them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from . import backdrops, beasts, creatures, dolls, inventions, mascots, people, robots, strangers, things, vehicles
from .drawing import Pen, Shot
from .figures import INK, NONE, STILL, Figure, Part, Posed, Times, Wave, pose
from .studio import Studio

CASTS: dict[str, Callable[[Studio], Figure]] = {
    "heap": things.heap,
    "doll": dolls.doll,
    "person": people.person,
    "mascot": mascots.mascot,
    "robot": robots.robot,
    "beast": beasts.beast,
    "bird": creatures.bird,
    "fish": creatures.fish,
    "snake": creatures.snake,
    "car": vehicles.car,
    "invention": inventions.invention,
    "octopus": strangers.octopus,
    "butterfly": strangers.butterfly,
    "dinosaur": strangers.dinosaur,
    "ship": vehicles.ship,
    "aeroplane": vehicles.aeroplane,
}


@dataclass(frozen=True)
class Path:
    """Where a figure is at each time: in units of the picture's shorter side, from its centre."""

    centre: tuple[float, float] = (0.0, 0.0)
    """The point of the figure that is placed."""
    place: tuple[float, float] = (0.0, 0.0)
    speed: tuple[float, float] = (0.0, 0.0)
    hop: Wave = STILL
    size: float = 1.0
    growth: float = 0.0
    angle: Wave = STILL
    spin: float = 0.0
    squash: Wave = STILL
    mirrored: bool = False
    smear: tuple[float, float] = (0.0, 0.0)
    """How much of its length its trailing side is drawn out by, and when."""
    near: float = 1.0
    """How much the panning camera moves it: less for what is far."""

    def __call__(self, points: NDArray[np.float32], times: Times) -> NDArray[np.float32]:
        """A figure's points (f, n, 2) on their way."""
        squash = 1 + self.squash(times)
        size = self.size * np.exp(self.growth * times)
        across, down = size * squash * (-1 if self.mirrored else 1), size / squash
        angle = self.angle(times) + self.spin * times
        x = (points[..., 0] - self.centre[0]) * across[:, None]
        y = (points[..., 1] - self.centre[1]) * down[:, None]
        c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
        x, y = x * c - y * s, x * s + y * c
        amount, when = self.smear
        if amount:
            heading = np.array(self.speed) / max(np.hypot(*self.speed), 1e-6)
            drawn = np.minimum(x * heading[0] + y * heading[1], 0) * (amount * np.exp(-(((times - when) / 0.15) ** 2)))[:, None]
            x, y = x + drawn * heading[0], y + drawn * heading[1]
        way = np.array(self.place) + np.outer(times, self.speed)
        placed = np.empty_like(points)
        placed[..., 0], placed[..., 1] = x + way[:, :1], y + (way[:, 1] - np.abs(self.hop(times)))[:, None]
        return placed


@dataclass(frozen=True)
class Camera:
    """How the picture moves in a unit of time: pan in shorter sides, zoom in e-folds, roll in radians, shake."""

    pan: tuple[float, float] = (0.0, 0.0)
    zoom: float = 0.0
    roll: float = 0.0
    shake: float = 0.0

    def __call__(self, points: NDArray[np.float32], times: Times, near: float) -> NDArray[np.float32]:
        """Points (f, n, 2) as seen; those of what is far, `near` below 1, move less."""
        shake = self.shake * np.stack([np.sin(31 * times + 1), np.sin(37 * times)], 1)
        seen = (points - (np.outer(times, self.pan) * near + shake)[:, None]) * np.exp(self.zoom * times)[:, None, None]
        if not self.roll:
            return seen
        c, s = np.cos(self.roll * times)[:, None], np.sin(self.roll * times)[:, None]
        return np.stack([seen[..., 0] * c - seen[..., 1] * s, seen[..., 0] * s + seen[..., 1] * c], -1)


@dataclass(frozen=True)
class Scene:
    """Figures, farthest first, each on its way; the camera; the pen for a picture whose shorter side is 128 pixels."""

    figures: list[tuple[Figure, Path]]
    camera: Camera
    pen: Pen

    def shot(self, times: Times, size: tuple[int, int]) -> Shot:
        """All parts of all figures in pixels."""
        posed: list[Posed] = []
        points, parts = [], list[Part]()
        rounds = int(np.clip(np.log2(min(size) / 160), 0, 2))
        for figure, path in self.figures:
            for _ in range(rounds):
                figure = replace(figure, parts=[part.refined() for part in figure.parts])
            posed.append(pose(figure, times))
            points.append(self.camera(path(posed[-1].points, times), times, path.near))
            parts += figure.parts
        level = np.concatenate([np.clip(one.level, -45, 45) + 100 * far for far, one in enumerate(posed)], 1)
        ends = np.concatenate([[0], np.cumsum(np.concatenate([np.diff(one.ends) for one in posed]))])
        pixels = np.concatenate(points, 1) * min(size) + np.array(size) / 2
        shown = np.concatenate([one.shown for one in posed], 1)
        extent = np.concatenate([one.extent * path.size for one, (_, path) in zip(posed, self.figures, strict=True)]) * min(size)
        return Shot(times, pixels.astype(np.float32), ends, np.argsort(level, axis=1, kind="stable"), shown, extent, parts)


def scene(studio: Studio, frame: backdrops.Frame) -> Scene:
    """A scene for a picture of that half width and half height."""
    rng, config = studio.rng, studio.config
    count = int(studio.pick({"1": 0.5, "2": 0.35, "3": 0.15}))
    calm = studio.scale(*config.speed)
    if studio.chance(config.crowd):
        count, calm = studio.whole(4, 8), calm / 2
    behind = backdrops.BACKDROPS[studio.pick("backdrops")](studio, frame)
    figures = [(figure, Path(near=0.4 + 0.4 * i)) for i, figure in enumerate(behind) if figure.parts]
    close = count == 1 and studio.chance(config.close)
    for _ in range(count):
        figure = CASTS[studio.pick("casts")](studio)
        figures.append((figure, _way(studio, figure, frame, count, calm, close)))
    if studio.chance(config.before):
        figures.append((backdrops.foreground(studio, frame), Path(near=1.6)))
    still = config.camera * rng.normal(0, 1, 4) * (rng.random(4) < (0.7, 0.7, 0.7, 0.3))
    camera = Camera(tuple(still[:2]), still[2], still[3], 0.02 if studio.chance(0.08) else 0.0)
    return Scene(figures, camera, _pen(studio, [figure for figure, _ in figures]))


def _way(studio: Studio, figure: Figure, frame: backdrops.Frame, count: int, calm: float, close: bool) -> Path:
    """The way that a figure goes, as one of `count`."""
    u, normal, config = studio.between, studio.rng.normal, studio.config
    (x, y), reach = figure.centre, figure.reach
    size = u(*config.sizes) / (1 + 0.35 * (min(count, 5) - 1))
    if close and figure.bust:
        *(x, y), reach = figure.bust
        size = u(0.4, 0.7)
    w, h = frame
    spread = 0.25 if close else 0.45 if count < 4 else 0.9
    place, speed = (w * u(-spread, spread), h * u(-0.25, 0.3)), tuple(normal(0, calm, 2) * (1, 0.8))
    if studio.chance(config.enters):
        side = -1 if studio.chance(0.5) else 1
        place, speed = (side * w * u(0.7, 1.2), place[1]), (-side * u(0.6, 1.5), speed[1])
    return Path(
        centre=(x, y),
        place=place,
        speed=speed,
        hop=studio.wave(u(0.02, 0.15)) if studio.chance(0.2) else STILL,
        size=size / reach,
        growth=normal(0, 0.12),
        angle=studio.wave(0.1, normal(0, 0.12)),
        spin=normal(0, 0.35) if studio.chance(config.tumble) else normal(0, 0.05),
        squash=studio.wave(abs(normal(0, 0.08))),
        mirrored=studio.chance(0.5),
        smear=(u(0.4, 1.2), u(-0.5, 0.5)) if studio.chance(config.smear) else (0.0, 0.0),
    )


def _pen(studio: Studio, figures: list[Figure]) -> Pen:
    """The line's style; broken lines are cut in the figures themselves."""
    width = studio.scale(*studio.config.width)
    kind = studio.pick("pens")
    boil = studio.between(0.2, 0.5) if studio.chance(studio.config.boil) else 0.0
    if kind == "broken":
        for figure in figures:
            figure.parts = [_broken(studio, part) for part in figure.parts]
    taper = studio.between(0.4, 0.9) if kind == "brush" else 0.0
    stray = studio.between(0.6, 1.4) if kind == "sketch" else 0.3 if kind == "double" else 0.0
    beside = studio.between(1.5, 2.5) * (-1 if studio.chance(0.5) else 1) if kind == "double" else 0.0
    detail = studio.config.detail * width
    if kind in ("sketch", "double"):
        width = 1.0
    return Pen(width, taper, stray, beside, boil, detail)


def _broken(studio: Studio, part: Part) -> Part:
    """A part whose line, by chance, does not quite close."""
    n = len(part.outline)
    if part.line or part.paint in (NONE, INK) or studio.chance(0.75):
        return part
    gap = max(1, round(n * studio.between(0.03, 0.12)))
    return part.cut(studio.whole(0, n - 1), gap)
