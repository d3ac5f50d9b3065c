"""Outlines: closed curves as points (n, 2), x right and y down, around the origin unless said otherwise.

Know nothing of bodies, bones or paints.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""(n, 2) x right, y down."""
Rng = np.random.Generator

TAU = 2 * np.pi


def joined(x: NDArray, y: NDArray | float) -> Points:
    """Points from their coordinates: np.stack's work at a tenth of its cost, which thousands of small outlines feel."""
    points = np.empty((len(x), 2))
    points[:, 0], points[:, 1] = x, y
    return points


@lru_cache
def _circle(n: int) -> Points:
    """`n` points around the unit circle from the right, clockwise as seen."""
    angle = np.arange(n) * (TAU / n)
    return joined(np.cos(angle), np.sin(angle))


def ellipse(width: float, height: float, at: tuple[float, float] = (0, 0), n: int = 0) -> Points:
    """An ellipse by its half axes; by default with as many points as its size asks for."""
    return _circle(n or _fitting(max(width, height))) * (width, height) + at


def _fitting(radius: float) -> int:
    return int(min(14 + 28 * radius, 40))


def blob(rng: Rng, width: float, height: float, uneven: float = 0.2, at: tuple[float, float] = (0, 0)) -> Points:
    """A round shape whose radius wavers by `uneven` of itself."""
    n = _fitting(max(width, height)) + 6
    order = np.arange(1, 4)
    waves = np.cos(np.arange(n)[:, None] * (TAU / n) * order + rng.uniform(0, TAU, 3)) @ rng.normal(0, uneven / order)
    return _circle(n) * np.clip(1 + waves, 0.4, 1.8)[:, None] * (width, height) + at


def polygon(corners: Sequence[tuple[float, float]] | Points, between: int = 3) -> Points:
    """A polygon with `between` points along each side, so that it can bend."""
    corners = np.asarray(corners, float)
    share = np.arange(between)[None, :, None] / between
    after = corners[np.arange(len(corners)) + 1 - len(corners)]
    return (corners[:, None] * (1 - share) + after[:, None] * share).reshape(-1, 2)


def angular(rng: Rng, corners: int, radius: float) -> Points:
    """An irregular polygon of so many corners."""
    angle = np.linspace(0, TAU, corners, endpoint=False) + rng.uniform(-0.25, 0.25, corners)
    length = radius * rng.uniform(0.7, 1.2, corners)
    return polygon(joined(length * np.cos(angle), length * np.sin(angle)), 5)


def box(width: float, height: float, at: tuple[float, float] = (0, 0), corner: float = 0.0) -> Points:
    """A rectangle by its half sides, its corners rounded by a share of the shorter one."""
    if not corner:
        return polygon([(-width, -height), (width, -height), (width, height), (-width, height)]) + at
    radius = corner * min(width, height)
    turn = np.linspace(0, TAU / 4, 4)
    arcs = []
    for quarter, (x, y) in enumerate([(1, 1), (-1, 1), (-1, -1), (1, -1)]):
        angle = turn + quarter * TAU / 4
        centre = np.array([x * (width - radius), y * (height - radius)])
        arcs.append(centre + radius * joined(np.cos(angle), np.sin(angle)))
    return np.concatenate(arcs) + at


def limb(length: float, start: float, end: float, begin: float = 0.0, n: int = 8) -> Points:
    """A limb along y from `begin` to `length`, as thick as twice `start` there and twice `end` at its round end."""
    along = np.linspace(begin, length, n)
    width = start + (end - start) * (along - begin) / max(length - begin, 1e-6)
    cap = np.linspace(0, np.pi, 6)[1:-1]
    tip = joined(end * np.cos(cap), length + end * np.sin(cap))
    root = joined(-start * np.cos(cap), begin - start * np.sin(cap))
    return np.concatenate([joined(width, along), tip, joined(-width, along)[::-1], root])


def lathe(profile: Sequence[tuple[float, float]], low: float | None = None, high: float | None = None, n: int = 10) -> Points:
    """The outline between two heights of a body that is as wide at each height y as its profile of (y, half width) says, smoothly."""
    heights, widths = np.array(profile, float).T
    y = np.linspace(heights[0] if low is None else low, heights[-1] if high is None else high, n)
    x = smooth(y, heights, widths)
    return np.concatenate([joined(x, y), joined(-x, y)[::-1]])


def smooth(x: NDArray, knots: NDArray, values: NDArray) -> NDArray:
    """Values between knots, with a zero slope at each knot: no overshoot."""
    i = np.clip(np.searchsorted(knots, x, "right") - 1, 0, len(knots) - 2)
    share = np.clip((x - knots[i]) / (knots[i + 1] - knots[i]), 0, 1)
    # half way between a straight line and a smooth step
    eased = 0.5 * share + 0.5 * share * share * (3 - 2 * share)
    return values[i] + (values[i + 1] - values[i]) * eased


def star(points: int, outer: float, inner: float) -> Points:
    angle = np.arange(2 * points) * np.pi / points - np.pi / 2
    radius = np.where(np.arange(2 * points) % 2, inner, outer)
    return polygon(joined(radius * np.cos(angle), radius * np.sin(angle)), 2)


def within(outline: Points, centre: tuple[float, float], width: float, height: float) -> Points:
    """An outline kept inside an ellipse: an iris cut by the lids."""
    axes = np.array([width, height])
    scaled = (outline - centre) / axes
    return scaled / np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1) * axes + centre


def turned(outline: Points, angle: float) -> Points:
    """An outline rotated about the origin, clockwise as seen."""
    c, s = np.cos(angle), np.sin(angle)
    return outline @ np.array([[c, s], [-s, c]])


def moved(outline: Points, x: float, y: float) -> Points:
    return outline + np.array([x, y])


def path(corners: Sequence[tuple[float, float]] | Points, between: int = 4) -> Points:
    """A closed curve through its corners, smoothly (Catmull and Rom)."""
    p = np.asarray(corners, float)[:, None]
    at = np.arange(len(p))
    before, after, beyond = p[at - 1], p[at + 1 - len(p)], p[at + 2 - len(p)]
    t = np.arange(between)[None, :, None] / between
    curve = 2 * p + (after - before) * t + (2 * before - 5 * p + 4 * after - beyond) * t**2 + (3 * p - before - 3 * after + beyond) * t**3
    return (curve / 2).reshape(-1, 2)


def arc(width: float, height: float, start: float, stop: float, at: tuple[float, float] = (0, 0), n: int = 10) -> Points:
    """An open piece of an ellipse between two angles, clockwise from the right as seen."""
    angle = np.linspace(start, stop, n)
    return joined(at[0] + width * np.cos(angle), at[1] + height * np.sin(angle))


def ribbon(spine: Points, width: NDArray | float) -> Points:
    """A band of a width along an open line."""
    step = np.gradient(spine, axis=0)
    normal = joined(-step[:, 1], step[:, 0]) / np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-9)
    side = normal * np.broadcast_to(np.asarray(width, float), (len(spine),))[:, None] / 2
    return np.concatenate([spine + side, (spine - side)[::-1]])


def lock(length: float, width: float, curl: float = 0.0, n: int = 5) -> Points:
    """A pointed lock of hair, a leaf, a flame: from the origin down y, its tip pushed aside by `curl`."""
    t = np.linspace(0, 1, n)
    half = width / 2 * (1 - t**2)
    x = curl * t**2
    return np.concatenate([joined(x - half, length * t), joined(x + half, length * t)[-2::-1]])


def scallops(rng: Rng, width: float, height: float, bumps: int, depth: float = 0.25) -> Points:
    """A cloud, a crown of leaves, a woolly coat: an ellipse of round bumps."""
    angle = np.linspace(0, TAU, bumps * 5, endpoint=False)
    radius = 1 - depth + depth * np.abs(np.sin(angle * bumps / 2)) ** 0.7 + rng.normal(0, 0.04)
    return joined(width * radius * np.cos(angle), height * radius * np.sin(angle))


def mirrored(outline: Points) -> Points:
    return outline * np.array([-1.0, 1.0])


def crescent(outline: Points, light: float, share: float, deep: float, jags: NDArray | None = None) -> tuple[Points, int]:
    """The shadow on the side of an outline away from the light, and the point where its inner edge begins.

    `light` is the angle that the light comes from, `share` the part of the outline in shadow, `deep` how far it reaches in; `jags`, factors
    of that along the edge, make it follow folds.
    """
    centre = outline.mean(0)
    n = len(outline)
    away = int(np.argmin((outline - centre) @ np.array([np.cos(light), np.sin(light)])))
    half = max(2, round(n * share / 2))
    edge = outline[np.arange(away - half, away + half + 1) % n]
    reach = deep * np.sin(np.linspace(0, np.pi, len(edge)))
    if jags is not None:
        reach = reach * np.resize(jags, len(edge))
    inner = edge[::-1] + (centre - edge[::-1]) * reach[:, None]
    return np.concatenate([edge, inner[1:-1]]), len(edge) - 1


def refined(outline: Points) -> Points:
    """An outline with a point more on each side: on a curve through its neighbours (Dyn et al., A 4-point interpolatory subdivision scheme,
    1987), or half way where a corner is near."""
    n = len(outline)
    at = np.arange(n)
    before, after, beyond = outline[at - 1], outline[at + 1 - n], outline[at + 2 - n]
    step = after - outline
    angle = np.arctan2(step[:, 1], step[:, 0])
    gentle = np.abs((angle[at + 1 - n] - angle + np.pi) % TAU - np.pi) < 0.7
    curved = (gentle & gentle[at - 1])[:, None]
    middle = np.where(curved, (9 * (outline + after) - before - beyond) / 16, (outline + after) / 2)
    return np.stack([outline, middle], 1).reshape(-1, 2)
