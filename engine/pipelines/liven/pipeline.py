"""Moves a drawing's own strokes through a shot, frame by frame: every frame is computed from the request alone."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from ...drawing.frames import Frames
from ...protocol import Job, PegbarError, Shot
from ...spec import Report
from ...strokes import Strokes
from .boil import strays
from .motion import MOTIONS
from .rig import Rig, pivot_of, rig

_FAR = 1e7
"""Pixels from the picture's corner; a point beyond is one that could not be projected."""
_DRAWINGS_PER_MOVE = 4
"""Fewer drawings than this cannot show a move."""


def load(weights: Mapping[str, Path], device: str) -> None:
    """There is nothing to load."""


def generate(model: None, job: Job, inputs: Mapping[str, Frames], report: Report) -> None:
    """Writes the strokes of each frame of the shot, moved. Raises PegbarError where no drawing can be moved."""
    drawings, frames, written = inputs["sketch"], job.shot.frames, report.written("strokes")
    job, timing = with_pivot(job, _first(drawings)), timing_of(job)
    number: int | None = None
    for index, frame in enumerate(frames):
        report.progress("Drawing", index, len(frames))
        if frame in written:
            continue
        if number != (held := _held(drawings.numbers, frame)):
            number, strokes = held, _read(drawings, held)
            moving = rig_of(strokes, job) if len(strokes.points) else None
        report.write("strokes", frame, moved(moving, job, timing, frame) if moving else strokes)
    report.progress("Drawing", len(frames), len(frames))


@dataclass(frozen=True)
class Timing:
    """When the motion is where: its phase in cycles and its strength 0..1 at a frame number."""

    first: int
    cycle: float
    """Frames that one cycle takes."""
    ease: float
    """Frames over which the motion starts and ends; 0 for a loop."""
    last: int

    def phase(self, frame: int) -> float:
        return (frame - self.first) / self.cycle % 1.0

    def strength(self, frame: int) -> float:
        if not self.ease:
            return 1.0
        part = min(1.0, min(frame - self.first, self.last - frame) / self.ease)
        return part * part * (3 - 2 * part)


def timing_of(job: Job) -> Timing:
    """The timing of a job: in a loop the whole number of cycles nearest to the speed asked for, else that speed, eased in and out."""
    shot: Shot = job.shot
    count = len(shot.frames)
    frames = count * shot.step
    most = max(1, count // _DRAWINGS_PER_MOVE)
    cycles = frames / shot.fps * float(job.params["speed"]) / MOTIONS[str(job.params["motion"])].seconds
    if job.params["loop"]:
        return Timing(shot.first, frames / min(max(1, round(cycles)), most), 0.0, shot.frames[-1])
    cycle = frames / min(cycles, most)
    return Timing(shot.first, cycle, max(min(cycle / 2, frames / 4), 1.0), shot.frames[-1])


def with_pivot(job: Job, strokes: Strokes) -> Job:
    """The job with its automatic pivot settled by a drawing: the others of the shot are held in the same way."""
    if job.params["pivot"] != "auto":
        return job
    pivot = "middle" if job.params["motion"] == "float" else pivot_of(strokes)
    return replace(job, params={**job.params, "pivot": pivot})


def rig_of(strokes: Strokes, job: Job) -> Rig:
    """A drawing ready for the motion of a job whose pivot is settled."""
    params = job.params
    return rig(strokes, str(params["motion"]), float(params["amount"]), float(params["follow_through"]), str(params["pivot"]), job.seed)


def moved(moving: Rig, job: Job, timing: Timing, frame: int) -> Strokes:
    """The strokes at a frame; themselves where nothing moves them."""
    params, strokes = job.params, moving.strokes
    amount, strength = float(params["amount"]), timing.strength(frame)
    points, handles = strokes.points, strokes.handles
    if amount * strength and params["motion"] != "boil":
        points, handles = moving.pose(timing.phase(frame), strength)
    if tremble := amount * (float(params["line_boil"]) + (params["motion"] == "boil")):
        redrawn = (frame - job.shot.first) // int(params["boil_every"])
        stray = tremble * strays(moving.graph, [job.seed % 2**64, strokes.drawing % 2**64, redrawn])
        points, handles = points + stray, handles + stray[:, None]
    return strokes if points is strokes.points else replace(strokes, points=points, handles=handles)


def _first(drawings: Frames) -> Strokes:
    """The first drawing with strokes. Raises PegbarError where nothing can be moved: before the first frame, not amid the shot."""
    first: Strokes | None = None
    for strokes in (_read(drawings, number) for number in drawings.numbers):
        first = first or (strokes if len(strokes.points) else None)
    if first is None:
        raise PegbarError("The drawing has no strokes on this frame: draw something or go to a frame with a drawing, then animate it")
    return first


def _read(drawings: Frames, number: int) -> Strokes:
    strokes = cast(Strokes, drawings[number])
    placed = np.isfinite(strokes.points).all(axis=1) & (np.abs(strokes.points) < _FAR).all(axis=1)
    placed &= np.isfinite(strokes.handles).all(axis=(1, 2)) & (np.abs(strokes.handles) < _FAR).all(axis=(1, 2))
    if lost := int((~placed).sum()):
        raise PegbarError(
            f"{lost} points of the drawing at frame {number} have no place on the picture: delete them or bring them before the camera"
        )
    return strokes


def _held(numbers: tuple[int, ...], frame: int) -> int:
    """The drawing that is seen at a frame: the last one at or before it, else the first."""
    return max((number for number in numbers if number <= frame), default=numbers[0])
