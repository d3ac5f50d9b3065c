"""Gives each input image back, held until the next one: it shows that the way there and back works."""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...drawing import raster
from ...drawing.frames import Frames
from ...protocol import Job
from ...spec import Report
from ...strokes import Strokes

TICK_S = 0.05


def load(weights: Mapping[str, Path], device: str) -> None:
    """Nothing: there is no model."""


def generate(model: None, job: Job, inputs: Mapping[str, Frames], report: Report) -> None:
    """Writes one image a frame of the shot: the input's last one up to there, else its first."""
    images = inputs["image"]
    frames, written = job.shot.frames, report.written("clip")
    for step, frame in enumerate(frames):
        report.progress("Drawing", step, len(frames))
        if frame not in written:
            _pretend(job.params["seconds_per_frame"], step, len(frames), report)
            held = max((number for number in images.numbers if number <= frame), default=images.numbers[0])
            report.write("clip", frame, _picture(images[held]))
    report.progress("Drawing", len(frames), len(frames))


def _picture(image: NDArray[np.float32] | Strokes) -> NDArray[np.float32]:
    return raster.coloured(image, image.size) if isinstance(image, Strokes) else image


def _pretend(seconds: float, step: int, of: int, report: Report) -> None:
    """Takes its time, but listens."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, TICK_S))
        report.progress("Drawing", step, of)
