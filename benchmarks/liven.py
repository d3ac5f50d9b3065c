"""How long `liven` takes: seconds to make a drawing ready, and milliseconds a frame, as points and touches grow.

usage: python -m benchmarks.liven
"""

import time

import numpy as np

from engine.pipelines.liven import SPEC, pipeline
from engine.protocol import Job, Shot
from engine.spec import complete
from engine.strokes import CATMULL_ROM, Strokes

FRAMES = 20
DRAWINGS = [("apart", 30), ("apart", 100), ("apart", 300), ("crossing", 30), ("crossing", 100), ("crossing", 300)]


def strokes_of(kind, count, of=30):
    """`count` strokes of `of` points each: random walks that lie apart, or lines over the whole page that cross."""
    generator = np.random.default_rng(0)
    if kind == "apart":
        lines = generator.uniform(0, 1000, (count, 1, 2)) + np.cumsum(generator.normal(0, 3, (count, of, 2)), axis=1)
    else:
        ends = generator.uniform(0, 1000, (count, 2, 1, 2))
        lines = ends[:, 0] + (ends[:, 1] - ends[:, 0]) * np.linspace(0, 1, of)[:, None]
    points, n = lines.reshape(-1, 2), count * of
    return Strokes(
        size=(1000, 1000),
        points=points,
        depth=np.zeros(n),
        handles=np.repeat(points[:, None], 2, axis=1),
        widths=np.full(n, 3, np.float32),
        opacity=np.ones(n, np.float32),
        offsets=np.arange(0, n + 1, of, dtype=np.int32),
        curve_type=np.full(count, CATMULL_ROM, np.uint8),
        cyclic=np.zeros(count, np.bool_),
        line_colour=np.ones((count, 4), np.float32),
        fill_colour=np.zeros((count, 4), np.float32),
        layer=np.zeros(count, np.int32),
        material=np.zeros(count, np.int32),
        source=np.arange(count, dtype=np.int32),
        layers=("Lines",),
        matrices=np.eye(4)[None],
    )


def main():
    job = Job("liven", complete(SPEC, {"motion": "sway", "line_boil": 0.5}), {}, Shot("Scene", 1, FRAMES, 24.0))
    timing = pipeline.timing_of(job)
    print(f"{'strokes':>10} {'points':>7} {'ready s':>8} {'frame ms':>9} {'100 frames s':>13}")
    for kind, count in DRAWINGS:
        strokes = strokes_of(kind, count)
        started = time.perf_counter()
        rig = pipeline.rig_of(strokes, pipeline.with_pivot(job, strokes))
        ready = time.perf_counter() - started
        for frame in job.shot.frames:
            pipeline.moved(rig, job, timing, frame)
        each = (time.perf_counter() - started - ready) / FRAMES
        print(f"{kind:>10} {len(strokes.points):7d} {ready:8.3f} {1000 * each:9.2f} {ready + 100 * each:13.2f}", flush=True)


if __name__ == "__main__":
    main()
