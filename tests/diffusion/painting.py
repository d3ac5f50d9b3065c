"""Takes of `lvcd` built in code, small enough for a processor: a walking figure's line art and its coloured frames."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
from pegbar.engine.drawing.frames import encode_png, read_image
from pegbar.engine.protocol import Done, Failed, InputFile, Job, JobFolder, Shot
from pegbar.engine.strokes import Strokes
from pegbar.engine.weights import Machine
from pegbar.engine.worker import run_job
from pegbar.tests import cartoon

SIZE = (64, 64)
QUICK = {"working_width": 86, "num_inference_steps": 2, "line_softness": 0.0}
"""Settings under which 64x64 is worked at as it is."""
COLOURS = cartoon.palette(1)
MODELS: dict = {}
"""Loaded once for all tests of a process, as a worker does."""


@cache
def drawn(frame: int, size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Line art (h, w, 4) and its coloured frame."""
    lines, ids = cartoon.walk(0.3 + frame / 30, *size)
    return lines, np.round(cartoon.coloured(lines, ids, COLOURS) * 255).astype(np.float32) / 255


def lines(count: int, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    return [drawn(frame, size)[0] for frame in range(count)]


def take(
    folder: Path, lineart: Iterable, references: Mapping[int, object], first: int = 1, last: int | None = None, step: int = 1, seed: int = 3,
    **params: object,
) -> JobFolder:  # fmt: skip
    """A take with one line art a frame from `first` on, by steps, and the references by frame number."""
    made = JobFolder.create(folder)
    numbered = {"lineart": {first + step * k: image for k, image in enumerate(lineart)}, "reference": dict(references)}
    files = {
        name: tuple(InputFile(n, put(made, name, i, image)) for i, (n, image) in enumerate(images.items(), 1))
        for name, images in numbered.items()
    }
    shot = Shot("Scene", first, max(numbered["lineart"]) if last is None else last, 24, step)
    made.write_job(Job("lvcd", {**QUICK, **params}, files, shot, seed, id="id"))
    return made


def put(made: JobFolder, name: str, index: int, image: object) -> str:
    file = made.input_file(name, index, ".npz" if isinstance(image, Strokes) else ".png")
    made.file(file).write_bytes(image.to_bytes() if isinstance(image, Strokes) else encode_png(image))
    return file


def done(made: JobFolder, weights: Path) -> JobFolder:
    end = run_job(made, MODELS, machine=Machine((weights,), "cpu"))
    assert isinstance(end, Done), end
    return made


def failed(made: JobFolder, weights: Path) -> str:
    end = run_job(made, MODELS, machine=Machine((weights,), "cpu"))
    assert isinstance(end, Failed) and not end.traceback, end
    return end.text


def pixels(made: JobFolder) -> list[np.ndarray]:
    """The frames of the result, (h, w, 4) 8-bit."""
    return [(read_image(path) * 255).round().astype(np.uint8) for path in sorted((made.outputs / "clip").glob("*.png"))]


def files(made: JobFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (made.outputs / "clip").glob("*.png")}


def eight_bit(image: np.ndarray) -> np.ndarray:
    return (image * 255).round().astype(np.uint8)
