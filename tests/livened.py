"""Drawings for `liven`, the whole way of a job on them, and what is asked of the strokes that come back."""

from dataclasses import replace

import numpy as np
from pegbar.engine.pipelines.liven import SPEC, pipeline
from pegbar.engine.protocol import InputFile, Job, JobFolder, Shot
from pegbar.engine.spec import complete
from pegbar.engine.strokes import BEZIER, POLY, Strokes
from pegbar.engine.worker import run_job


def drawing(lines, kind=POLY, cyclic=(), drawing=1):
    """Strokes through the given points; `cyclic` names the closed ones."""
    count, points = len(lines), np.concatenate([np.zeros((0, 2)), *(np.asarray(line, float).reshape(-1, 2) for line in lines)])
    offsets = np.concatenate([[0], np.cumsum([len(line) for line in lines])]).astype(np.int32)
    handles = np.repeat(points[:, None], 2, axis=1)
    if kind == BEZIER:
        tangent = np.gradient(points, axis=0) / 3
        handles = np.stack([points - tangent, points + tangent], axis=1)
    generator = np.random.default_rng(3)
    return Strokes(
        size=(600, 600),
        points=points,
        depth=generator.uniform(size=len(points)),
        handles=handles,
        widths=generator.uniform(2, 6, len(points)).astype(np.float32),
        opacity=generator.uniform(size=len(points)).astype(np.float32),
        offsets=offsets,
        curve_type=np.full(count, kind, np.uint8),
        cyclic=np.isin(np.arange(count), list(cyclic)),
        line_colour=generator.uniform(size=(count, 4)).astype(np.float32),
        fill_colour=np.zeros((count, 4), np.float32),
        layer=np.arange(count, dtype=np.int32) % 2,
        material=np.zeros(count, np.int32),
        source=np.arange(count, dtype=np.int32),
        layers=("Lines", "Face"),
        matrices=np.stack([np.eye(4), 2 * np.eye(4)]),
        materials=("Ink",),
        drawing=drawing,
    )


def circle(x, y, radius, count=40, squash=1.0):
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([x + radius * np.cos(turn), y + squash * radius * np.sin(turn)], axis=1)


def line(*corners, count=16):
    corners = np.array(corners, float)
    way = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))])
    at = np.linspace(0, way[-1], count)
    return np.stack([np.interp(at, way, corners[:, 0]), np.interp(at, way, corners[:, 1])], axis=1)


LEFT_EYE, TAIL, FEET = 2, 6, (7, 8)


def cat(kind=POLY, **kwargs):
    """A body, a head, two eyes, two ears, a tail and two feet: the ears, the tail and the feet touch, the eyes float in the head."""
    lines = [
        circle(300, 430, 130, 60),
        circle(300, 230, 80, 40),
        circle(270, 220, 13, 14),
        circle(330, 220, 13, 14),
        line((232, 188), (225, 110), (270, 156)),
        line((330, 156), (375, 110), (368, 188)),
        line((425, 466), (490, 440), (520, 370), (500, 300), count=24),
        line((250, 550), (245, 570), (215, 572), count=8),
        line((350, 550), (355, 570), (385, 572), count=8),
    ]
    return drawing(lines, kind, cyclic=range(4), **kwargs)


def job_of(frames=24, step=1, seed=7, fps=24.0, inputs=(1,), **params):
    files = tuple(InputFile(number, f"inputs/sketch/{number:04d}.npz") for number in inputs)
    return Job("liven", complete(SPEC, params), {"sketch": files}, Shot("Scene", 1, frames, fps, step), seed)


def run(folder, drawings, **kwargs):
    """Runs a job on {frame number: Strokes} as the worker does and gives its end and its strokes by frame number."""
    take = JobFolder.create(folder)
    for index, (_, strokes) in enumerate(sorted(drawings.items()), start=1):
        strokes.save(take.file(take.input_file("sketch", index, ".npz")))
    job = job_of(inputs=(), **kwargs)
    files = tuple(InputFile(number, f"inputs/sketch/{index:04d}.npz") for index, number in enumerate(sorted(drawings), start=1))
    take.write_job(replace(job, inputs={"sketch": files}))
    end = run_job(take)
    return end, {f.frame: Strokes.load(take.file(f.file)) for f in take.state().frames}


def moved(strokes, job):
    """The strokes at every frame of a job's shot."""
    moving = pipeline.rig_of(strokes, pipeline.with_pivot(job, strokes))
    return [pipeline.moved(moving, job, pipeline.timing_of(job), frame) for frame in job.shot.frames]


def part(strokes, stroke, points=None):
    return (strokes.points if points is None else points)[strokes.offsets[stroke] : strokes.offsets[stroke + 1]]


def area(loop):
    x, y = loop.T
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


def unlike(before, after):
    """How far a shape is from a moved and turned copy of itself, as a part of its size."""
    a, b = before - before.mean(axis=0), after - after.mean(axis=0)
    turn = np.angle(np.vdot(a @ [1, 1j], b @ [1, 1j]))
    turned = (a @ [1, 1j]) * np.exp(1j * turn)
    return np.abs(turned - b @ [1, 1j]).max() / np.ptp(before)
