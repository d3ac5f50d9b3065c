"""A scene: a backdrop, the figures before it on their ways, and the camera."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import outlines, people, things
from .config import Config
from .figures import STILL, Figure, Part, Times, Wave, pose
from .studio import Studio

KINDS: dict[str, Callable[[Studio], Figure]] = {"heap": things.heap, "doll": people.doll}


@dataclass(frozen=True)
class Path:
    """Where a figure is: in units of the picture's shorter side, from its centre."""

    place: tuple[float, float] = (0.0, 0.0)
    speed: tuple[float, float] = (0.0, 0.0)
    size: float = 1.0
    growth: float = 0.0
    angle: Wave = STILL
    spin: float = 0.0
    squash: Wave = STILL
    mirrored: bool = False

    def __call__(self, points: NDArray[np.float32], times: Times) -> NDArray[np.float32]:
        """A figure's points (f, n, 2) on their way."""
        squash = 1 + self.squash(times)
        size = self.size * np.exp(self.growth * times)
        across, down = size * squash * (-1 if self.mirrored else 1), size / squash
        angle = self.angle(times) + self.spin * times
        x, y = points[..., 0] * across[:, None], points[..., 1] * down[:, None]
        c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
        place = np.array(self.place) + np.outer(times, self.speed)
        return np.stack([x * c - y * s + place[:, :1], x * s + y * c + place[:, 1:]], -1)


@dataclass
class Scene:
    """Figures, farthest first, each with its path; and the camera's."""

    figures: list[tuple[Figure, Path]]
    pan: tuple[float, float]
    zoom: float
    width: float
    """Of the lines, in 1/128 of the picture's shorter side."""

    def shot(self, times: Times, size: tuple[int, int]):
        """All parts of all figures in pixels: points, ends, drawing order, shown, parts."""
        points, levels, shown, sizes = [], [], [], []
        parts: list[Part] = []
        for far, (figure, path) in enumerate(self.figures):
            posed = pose(figure, times)
            points.append(path(posed.points, times))
            levels.append(np.clip(posed.level, -45, 45) + 100 * far)
            shown.append(posed.shown)
            sizes.append(np.diff(posed.ends))
            parts += posed.parts
        ends = np.concatenate([[0], np.cumsum(np.concatenate(sizes))])
        order = np.argsort(np.concatenate(levels, 1), axis=1, kind="stable")
        return self._seen(np.concatenate(points, 1), times, size), ends, order, np.concatenate(shown, 1), parts

    def _seen(self, points: NDArray, times: Times, size: tuple[int, int]) -> NDArray[np.float32]:
        zoom = np.exp(self.zoom * times)[:, None, None]
        moved = (points - np.outer(times, self.pan)[:, None]) * zoom
        return (moved * min(size) + np.array(size) / 2).astype(np.float32)


def scene(studio: Studio, config: Config, aspect: float) -> Scene:
    """A scene for a picture of that aspect, width by height."""
    u, normal = studio.between, studio.rng.normal
    wide, high = max(aspect, 1.0), max(1 / aspect, 1.0)
    count = studio.pick({1: 0.5, 2: 0.35, 3: 0.15})
    figures = [(figure, Path()) for figure in _backdrop(studio, wide, high)]
    for _ in range(count):
        figure = KINDS[studio.pick(config.casts)](studio)
        path = Path(
            place=(wide * u(-0.25, 0.25), high * u(-0.15, 0.15)),
            speed=tuple(normal(0, 0.12, 2)),
            size=u(0.21, 0.34) / (1 + 0.35 * (count - 1)),
            growth=normal(0, 0.12),
            angle=Wave(normal(0, 0.15)),
            spin=normal(0, 0.35),
            squash=studio.wave(abs(normal(0, 0.08))),
            mirrored=studio.chance(0.5),
        )
        figures.append((figure, path))
    return Scene(figures, tuple(normal(0, 0.06, 2)), normal(0, 0.06), studio.pick({1: 0.6, 1.6: 0.4}))


def _backdrop(studio: Studio, wide: float, high: float) -> list[Figure]:
    """Ground, hills, a sun, whatever lies behind; the sky is the bare picture."""
    figure, u = Figure(), studio.between
    root = figure.bone()
    kind = studio.whole(0, 3)
    if kind == 0:
        return []
    level = 0
    if kind == 3:
        hill = outlines.blob(studio.rng, u(0.3, 0.6), u(0.2, 0.35), 0.15, (wide * u(-0.4, 0.4), high * u(0.1, 0.3)))
        figure.part(root, hill, studio.paint(), -1)
    x = np.linspace(-1.1 * wide, 1.1 * wide, 32)
    y = high * u(0.05, 0.4) + u(0, 0.06) * np.sin(x * u(2, 9) + u(0, 6))
    ground = np.concatenate([np.stack([x, y], 1), [[1.1 * wide, 1.5 * high], [-1.1 * wide, 1.5 * high]]])
    figure.part(root, ground, studio.paint(), level)
    for _ in range(studio.whole(1, 3) if kind >= 2 else 0):
        lump = outlines.moved(things.lump(studio, u(0.06, 0.16)), wide * u(-0.5, 0.5), high * u(-0.45, 0.1))
        figure.part(root, lump, studio.paint(), level + 1)
    return [figure]
