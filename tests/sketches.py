"""Drawings whose strokes are known, as a hand draws them, and clips of them in which every stroke moves; with the faults of real images."""

from dataclasses import dataclass, replace

import numpy as np
from pegbar.engine.drawing.curves import sample
from pegbar.engine.drawing.raster import ink
from pegbar.engine.strokes import CATMULL_ROM, POLY, Strokes
from scipy import ndimage
from scipy.spatial import cKDTree

FAULTS = ("clean", "soft", "noisy", "soft and noisy", "grey", "enlarged")


def drawing(strokes, size, **drawn):
    """Strokes from (points (k, 2), widths, values by name) each, on one layer, unless `drawn` says more."""
    count = [len(points) for points, _, _ in strokes]
    points = np.concatenate([*(points for points, _, _ in strokes), np.zeros((0, 2))])
    kinds = [values.get("kind", CATMULL_ROM) for _, _, values in strokes]
    handles = [values.get("handles", np.repeat(at[:, None], 2, axis=1)) for at, _, values in strokes]
    made = Strokes(
        size=size,
        points=points,
        depth=np.zeros(len(points)),
        handles=np.concatenate([*handles, np.zeros((0, 2, 2))]),
        widths=np.concatenate(
            [*(np.broadcast_to(np.float32(w), n) for (_, w, _), n in zip(strokes, count, strict=True)), np.zeros(0, np.float32)]
        ),
        opacity=np.ones(len(points), np.float32),
        offsets=np.cumsum([0, *count], dtype=np.int32),
        curve_type=np.array(kinds, np.uint8),
        cyclic=np.array([values.get("cyclic", False) for _, _, values in strokes], bool),
        line_colour=np.tile(np.float32([0, 0, 0, 1]), (len(strokes), 1)),
        fill_colour=np.zeros((len(strokes), 4), np.float32),
        layer=np.zeros(len(strokes), np.int32),
        material=np.zeros(len(strokes), np.int32),
        source=np.arange(len(strokes), dtype=np.int32),
        layers=("Lines",),
        matrices=np.eye(4)[None],
        materials=("Ink",),
    )
    return replace(made, **drawn)


def smooth(generator, count, start, length, turn, bend):
    """A line that wanders: `bend` is how much its direction changes in all."""
    curve = generator.normal(0, 1, 3) @ np.stack([np.sin(np.linspace(0, f, count)) for f in (3, 5, 9)]) * bend / 2
    angle = turn + curve - curve[0] + np.linspace(0, generator.normal(0, bend), count)
    step = np.stack([np.cos(angle), np.sin(angle)], axis=1) * length / (count - 1)
    return start + np.concatenate([np.zeros((1, 2)), np.cumsum(step[:-1], axis=0)])


def ring(generator, count, middle, radius, wobble=0.1):
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False) + generator.uniform(0, 7)
    stretch = generator.uniform(0.5, 1.0)
    off = 1 + wobble * sum(generator.normal() / f * np.sin(f * angle + generator.uniform(0, 7)) for f in (2, 3, 5))
    turn = generator.uniform(0, np.pi)
    x, y = np.cos(angle) * off * radius, np.sin(angle) * off * radius * stretch
    return middle + np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], axis=1)


def pressure(generator, count, width):
    """Widths along a stroke: even, tapered at one end or both, or pressed here and there."""
    t, kind = np.linspace(0, 1, count), generator.integers(5)
    if kind == 0:
        return np.full(count, width)
    if kind == 1:
        return width * np.sin(np.pi * (0.08 + 0.84 * t)) ** 0.6
    if kind == 2:
        return width * (1 - 0.75 * t)
    return width * (1 + 0.25 * np.sin(2 * np.pi * (t * generator.uniform(0.5, 2) + generator.uniform())))


def sketch(seed):
    """One drawing: bodies, limbs that start on them, lines that cross, corners, dots, strokes drawn twice."""
    generator = np.random.default_rng(seed)
    width, height = (int(side) for side in generator.choice([256, 320, 384, 512, 640, 768, 1080], 2))
    if generator.random() < 0.5:
        width = height
    room = min(width, height)
    pen = max(generator.uniform(0.006, 0.022) * room, 1.8)
    size, strokes = np.array([width, height]), []

    def place():
        return generator.uniform(0.15, 0.85, 2) * size

    def add(points, closed=False, w=None):
        own = pressure(generator, len(points), pen * generator.uniform(0.7, 1.5) if w is None else w)
        own = np.full(len(points), own.mean()) if closed else own
        strokes.append(
            (
                points,
                np.maximum(own, 1.2),
                {"cyclic": closed, "kind": generator.choice([CATMULL_ROM, POLY]) if len(points) > 24 else CATMULL_ROM},
            )
        )

    for _ in range(generator.integers(1, 4)):  # bodies
        add(ring(generator, generator.integers(20, 50), place(), generator.uniform(0.08, 0.25) * room), True)
    for _ in range(generator.integers(2, 7)):  # limbs, which start on a stroke
        points = strokes[generator.integers(len(strokes))][0]
        start = points[generator.integers(len(points))]
        add(smooth(generator, generator.integers(8, 40), start, generator.uniform(0.15, 0.4) * room, generator.uniform(0, 7), 0.8))
    for _ in range(generator.integers(2, 8)):  # lines across all
        length = generator.uniform(0.2, 0.7) * room
        add(smooth(generator, generator.integers(8, 60), place(), length, generator.uniform(0, 7), generator.choice([0.1, 0.5, 1.2])))
    for _ in range(generator.integers(0, 3)):  # shapes with corners, some of one stroke, some closed
        corners = ring(generator, generator.integers(3, 6), place(), generator.uniform(0.06, 0.15) * room, 0.02)
        strokes.append((corners, pen, {"cyclic": bool(generator.integers(2)), "kind": POLY}))
    for _ in range(generator.integers(0, 4)):  # dots and short dashes
        start = place()
        add(start + np.linspace(0, 1, 3)[:, None] * generator.normal(0, 0.4 * pen, 2), w=pen * generator.uniform(1.2, 2.5))
    for _ in range(generator.integers(0, 3)):  # strokes drawn again over a part of another, going off it
        points = strokes[generator.integers(len(strokes))][0]
        if len(points) > 7:
            part = points[: max(len(points) // 2, 5)].copy()
            away = np.linspace(-0.3, 1, len(part))[:, None] * generator.normal(0, 3 * pen, 2)
            add(part + away)
    if generator.random() < 0.4:  # hatching
        start, way, gap = place(), generator.normal(0, 0.06 * room, 2), generator.uniform(2.2, 4) * pen
        beside = np.array([-way[1], way[0]]) / np.linalg.norm(way) * gap
        for i in range(generator.integers(3, 7)):
            strokes.append((start + i * beside + np.linspace(0, 1, 6)[:, None] * way + generator.normal(0, 0.3, (6, 2)), 0.7 * pen, {}))
    return drawing([(_within(points, size), widths, values) for points, widths, values in strokes], (width, height))


def _within(points, size, margin=6):
    """The points moved, and made smaller where they must be, so that they are in the picture."""
    points = points * min(1, ((size - 2 * margin) / np.ptp(points, axis=0).clip(1e-9)).min())
    return points + (margin - points.min(axis=0)).clip(0) - (points.max(axis=0) - size + margin).clip(0)


def faulty(image, fault, generator):
    """An image (h, w) of ink 0..1 as it comes from a scanner or from a decoder."""
    if "soft" in fault:
        image = ndimage.gaussian_filter(image, generator.uniform(1, 2))
    if fault == "grey":
        image = image * np.float32(generator.uniform(0.45, 0.8))
    if fault == "enlarged":  # drawn at half the size by a model, then blown up
        half = (
            image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2].reshape(image.shape[0] // 2, 2, image.shape[1] // 2, 2).mean((1, 3))
        )
        back = ndimage.zoom(half, 2, order=1, grid_mode=True, mode="nearest")
        image = np.pad(back, [(0, image.shape[0] - back.shape[0]), (0, image.shape[1] - back.shape[1])])
    if "noisy" in fault:
        image = image + generator.normal(0, 0.05, image.shape)
    return np.float32(image).clip(0, 1)


@dataclass(frozen=True)
class Clip:
    """A drawing moved: the true strokes of each frame, and each frame's ink."""

    truth: list
    frames: list


def clip(seed, frames=12, amount=1.0, fault="clean"):
    """A sketch that bends, turns and walks, each stroke a little in its own way, so that crossings come and go; the first frame is still."""
    generator = np.random.default_rng([seed, 1])
    still = sketch(seed)
    size = np.array(still.size, float)
    room, stroke = size.min(), np.repeat(np.arange(len(still.cyclic)), np.diff(still.offsets))
    waves = [(generator.normal(0, 2.5, 2) / room, generator.uniform(0, 7), generator.normal(0, 0.035, 2) * room) for _ in range(3)]
    walk, turn = generator.normal(0, 0.06, 2) * room, generator.normal(0, 0.15)
    own = generator.normal(0, 0.012, (len(still.cyclic), 2)) * room
    moved = []
    for frame in range(frames):
        ease = amount * np.sin(np.pi / 2 * frame / (frames - 1))
        middle = still.points.mean(axis=0)
        c, s = np.cos(turn * ease), np.sin(turn * ease)
        points = (still.points - middle) @ np.array([[c, s], [-s, c]]) + middle + walk * ease + own[stroke] * ease
        for way, phase, push in waves:
            points = points + np.sin(still.points @ way * 2 + phase)[:, None] * push * ease
        moved.append(points)
    low, high = (side(np.concatenate(moved), axis=0) for side in (np.min, np.max))
    fit = min(1, ((size - 12) / (high - low)).min())  # nothing leaves the picture
    moved = [(points - (low + high) / 2) * fit + size / 2 for points in moved]
    truth = [replace(still, points=points, handles=np.repeat(points[:, None], 2, axis=1)) for points in moved]
    generator = np.random.default_rng([seed, 2])
    return Clip(truth, [faulty(ink(strokes, strokes.size), fault, generator) for strokes in truth])


# --- what is measured


def overlap(one, other):
    """Intersection over union of two images' ink: the pixels that are at least half ink, in both by the same threshold."""
    one, other = one >= 0.5, other >= 0.5
    return (one & other).sum() / max((one | other).sum(), 1)


def lines(strokes):
    """Each stroke's centre line as places a quarter of a pixel apart."""
    drawn = sample(strokes, strokes.size)
    found = []
    for first, end, closed in zip(drawn.offsets[:-1], drawn.offsets[1:], drawn.closed, strict=True):
        points = np.concatenate([drawn.points[first:end], drawn.points[first : first + closed]])
        along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        at = np.linspace(0, along[-1], int(4 * along[-1]) + 2) if len(points) > 1 else along
        found.append(np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1))
    return found


def off(truth, traced):
    """Pixels from each place of the true centre lines to the traced ones, and back."""
    one, other = np.concatenate(lines(truth)), np.concatenate(lines(traced))
    return np.concatenate([cKDTree(other).query(one)[0], cKDTree(one).query(other)[0]])


def kept(truth, traced):
    """(s,) whether each true stroke is the traced one of its number: four fifths of both lie on each other, in the same direction."""
    of = {int(source): line for source, line in zip(traced.source, lines(traced), strict=True) if source >= 0}
    widths = [part.mean() for part in np.split(truth.widths, truth.offsets[1:-1])]
    result = []
    for i, (true, width) in enumerate(zip(lines(truth), widths, strict=True)):
        near = max(2.5, 0.75 * width)
        if (line := of.get(i)) is None:
            result.append(False)
            continue
        on = [(cKDTree(a).query(b)[0] < near).mean() > 0.8 for a, b in ((line, true), (true, line))]
        same, turned = (np.linalg.norm(ends - true[[0, -1]], axis=1).sum() for ends in (line[[0, -1]], line[[-1, 0]]))
        result.append(all(on) and bool(truth.cyclic[i] or len(true) <= 12 or same <= turned))
    return np.array(result)
