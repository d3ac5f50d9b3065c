"""How long it takes to raster a 1920x1080 frame of 300 strokes of 30 points, beside the same in Pillow and in numpy.

usage: python -m benchmarks.raster
"""

import time
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from engine.drawing import curves, raster
from engine.strokes import CATMULL_ROM, POLY, Strokes

SIZE = 1920, 1080
COUNT, OF = 300, 30
ROUNDS = 5


def strokes_of(kind, opacity=1.0, fill=0.0):
    """Wandering strokes, thin at both ends, all over the page."""
    generator, n = np.random.default_rng(1), COUNT * OF
    turn = generator.uniform(0, 2 * np.pi, (COUNT, 1)) + np.cumsum(generator.normal(0, 0.25, (COUNT, OF)), axis=1)
    steps = 15 * np.stack([np.cos(turn), np.sin(turn)], axis=2)
    points = (generator.uniform((0, 0), SIZE, (COUNT, 1, 2)) + np.cumsum(steps, axis=1)).reshape(-1, 2)
    return Strokes(
        size=SIZE,
        points=points,
        depth=np.zeros(n),
        handles=np.repeat(points[:, None], 2, axis=1),
        widths=np.tile(8 * np.sin(np.linspace(0.3, 2.9, OF)), COUNT).astype(np.float32),
        opacity=np.tile(np.linspace(opacity, 1, OF), COUNT).astype(np.float32),
        offsets=np.arange(0, n + 1, OF, dtype=np.int32),
        curve_type=np.full(COUNT, kind, np.uint8),
        cyclic=np.zeros(COUNT, np.bool_),
        line_colour=np.tile(np.float32([0, 0, 0, 1]), (COUNT, 1)),
        fill_colour=np.tile(np.float32([0.9, 0.6, 0.3, fill]), (COUNT, 1)),
        layer=np.zeros(COUNT, np.int32),
        material=np.zeros(COUNT, np.int32),
        source=np.arange(COUNT, dtype=np.int32),
        layers=("Lines",),
        matrices=np.eye(4)[None],
    )


def by_pillow(lines):
    """Ink by lines and circles at four times the size."""
    picture = Image.new("L", (4 * SIZE[0], 4 * SIZE[1]))
    draw = ImageDraw.Draw(picture)
    points, widths = (4 * lines.points).tolist(), (4 * lines.widths).tolist()
    for first, end in pairwise(lines.offsets.tolist()):
        for i in range(first, end):
            (x, y), r = points[i], widths[i] / 2
            draw.ellipse((x - r, y - r, x + r, y + r), fill=255)
            if i + 1 < end:
                draw.line((x, y, *points[i + 1]), fill=255, width=round(r + widths[i + 1] / 2))
    return np.asarray(picture.reduce(4), np.float32) / 255


def by_distance(lines):
    """Ink by each pixel's distance to each piece."""
    ink = np.zeros(SIZE[::-1], np.float32)
    inside = np.diff(lines.stroke) == 0
    a, b = lines.points[:-1][inside], lines.points[1:][inside]
    radii = np.stack([lines.widths[:-1][inside], lines.widths[1:][inside]], axis=1) / 2
    low = np.clip(np.minimum(a, b) - radii.max(axis=1, keepdims=True) - 1, 0, SIZE).astype(int)
    high = np.clip(np.maximum(a, b) + radii.max(axis=1, keepdims=True) + 2, 0, SIZE).astype(int)
    for (ax, ay), (bx, by), (ra, rb), (x0, y0), (x1, y1) in zip(a, b, radii, low, high, strict=True):
        x, y = np.arange(x0, x1) + 0.5 - ax, (np.arange(y0, y1) + 0.5 - ay)[:, None]
        dx, dy = bx - ax, by - ay
        share = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-12), 0, 1)
        cover = np.clip(ra + (rb - ra) * share + 0.5 - np.hypot(x - share * dx, y - share * dy), 0, 1)
        np.maximum(ink[y0:y1, x0:x1], cover, out=ink[y0:y1, x0:x1])
    return ink


def seconds(function, *arguments):
    """The best of some rounds, and what was made."""
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        made = function(*arguments)
        took.append(time.perf_counter() - started)
    return min(took), made


def overlap(one, other):
    return ((one >= 0.5) & (other >= 0.5)).sum() / ((one >= 0.5) | (other >= 0.5)).sum()


def main():
    print(f"{'':24} {'sketch s':>9} {'colours s':>10} {'ink s':>7} {'Pillow 4x s':>12} {'distance s':>11} {'ratio':>12} {'IoU':>14}")
    for name, strokes in {
        "polylines": strokes_of(POLY),
        "Catmull-Rom curves": strokes_of(CATMULL_ROM),
        "curves that fade": strokes_of(CATMULL_ROM, opacity=0.6),
        "curves with fills": strokes_of(CATMULL_ROM, fill=1.0),
    }.items():
        sketch, _ = seconds(raster.sketch, strokes, SIZE)
        colours, _ = seconds(raster.coloured, strokes, SIZE)
        ink, ours = seconds(raster.ink, strokes, SIZE)
        lines = curves.thinned(curves.sample(strokes, SIZE))
        pillow, theirs = seconds(by_pillow, lines)
        distance, exact = seconds(by_distance, lines)
        ratio, same = f"{pillow / ink:.1f} / {distance / ink:.1f}", f"{overlap(ours, theirs):.3f} / {overlap(ours, exact):.3f}"
        print(f"{name:24} {sketch:9.3f} {colours:10.3f} {ink:7.3f} {pillow:12.3f} {distance:11.3f} {ratio:>12} {same:>14}", flush=True)


if __name__ == "__main__":
    main()
