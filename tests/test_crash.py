"""SIGKILL of the worker at random moments: the job goes on, and every output is bit-identical to the uninterrupted run's."""

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pegbar.engine.client import Worker, run
from pegbar.engine.drawing.frames import encode_png
from pegbar.engine.protocol import InputFile, Job, JobFolder, Shot
from pegbar.engine.strokes import POLY, Strokes

from . import cartoon
from .takes import still_take

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")

KILLS = 20
FRAMES = 48
PYTHON = Path(sys.executable)


def still(shot: Path) -> JobFolder:
    return still_take(shot, FRAMES, seconds_per_frame=0.02)


def flat(shot: Path) -> JobFolder:
    folder = JobFolder.create(shot)
    lineart = []
    for frame in range(1, FRAMES + 1):
        lines, ids = cartoon.walk(frame / 24, 128, 72)
        lineart.append(InputFile(frame, folder.input_file("lineart", frame, ".png")))
        folder.file(lineart[-1].file).write_bytes(encode_png(lines))
        if frame == 1:
            reference = InputFile(frame, folder.input_file("reference", frame, ".png"))
            folder.file(reference.file).write_bytes(encode_png(cartoon.coloured(lines, ids, cartoon.palette(1))))
    inputs = {"lineart": tuple(lineart), "reference": (reference,)}
    folder.write_job(Job("flat", {"close_gaps": 2, "separate_lines": True}, inputs, Shot("Scene", 1, FRAMES, 24.0)))
    return folder


def liven(shot: Path) -> JobFolder:
    folder = JobFolder.create(shot)
    turn = np.linspace(0, 2 * np.pi, 129)[:-1]
    rings = [np.stack([100 + r * np.cos(turn), 100 + r * np.sin(turn)], 1) for r in range(20, 90, 5)]
    points, s = np.concatenate(rings), len(rings)
    n = len(points)
    sketch = Strokes(
        size=(200, 200), points=points, depth=np.zeros(n), handles=np.repeat(points[:, None], 2, 1), widths=np.full(n, 3, np.float32),
        opacity=np.ones(n, np.float32), offsets=np.arange(0, n + 1, 128, dtype=np.int32), curve_type=np.full(s, POLY, np.uint8),
        cyclic=np.ones(s, bool), line_colour=np.tile(np.float32([0, 0, 0, 1]), (s, 1)), fill_colour=np.zeros((s, 4), np.float32),
        layer=np.zeros(s, np.int32), material=np.zeros(s, np.int32), source=np.arange(s, dtype=np.int32), layers=("Lines",),
        matrices=np.eye(4)[None], materials=("Ink",), drawing=1,
    )  # fmt: skip
    file = InputFile(1, folder.input_file("sketch", 1, ".npz"))
    sketch.save(folder.file(file.file))
    folder.write_job(Job("liven", {}, {"sketch": (file,)}, Shot("Scene", 1, FRAMES, 24.0), seed=4))
    return folder


def outputs(folder: JobFolder) -> dict[str, bytes]:
    return {p.relative_to(folder.outputs).as_posix(): p.read_bytes() for p in folder.outputs.rglob("*") if p.is_file()}


def copy(take: JobFolder) -> JobFolder:
    """The same request in a fresh take."""
    folder = JobFolder.create(take.path.parent)
    shutil.copytree(take.path / "inputs", folder.path / "inputs", dirs_exist_ok=True)
    shutil.copy(take.path / "job.json", folder.path)
    return folder


def kill(worker: Worker, folder: JobFolder, files: int, delay_s: float) -> None:
    """Kills the worker some time after it has written so many more files of the job."""
    already, end = len(folder.state().frames), time.monotonic() + 30
    while len(folder.state().frames) < already + files and folder.state().name != "done":
        assert time.monotonic() < end and worker.poll().name in ("starting", "busy", "ready"), worker.poll()
        time.sleep(0.005)
    time.sleep(delay_s)
    os.kill(worker.pid, signal.SIGKILL)


@pytest.mark.parametrize("make", [still, flat, liven])
def test_a_job_killed_at_random_moments_ends_with_the_same_bits(make, tmp_path):
    """The same take is hit again and again, so that each run goes on from what several dead ones left."""
    whole = make(tmp_path / "shot")
    assert run(PYTHON, whole).error is None
    wanted, files = outputs(whole), 2 * len(whole.state().frames) // KILLS
    delay_s = 2 * whole.state().seconds / FRAMES
    moments = random.Random(2)
    folders = [copy(whole)]
    worker = Worker(PYTHON, tmp_path / "spools")
    try:
        worker.submit(folders[0])
        for _ in range(KILLS):
            kill(worker, folders[-1], moments.randrange(files), moments.uniform(0, delay_s))
            worker.restart()
            if folders[-1].state().name == "done":
                folders.append(copy(whole))
                worker.submit(folders[-1])
        while worker.poll().name in ("starting", "busy"):
            time.sleep(0.02)
    finally:
        worker.stop()
    for folder in folders:
        assert folder.state().name == "done", folder.state().error
        assert outputs(folder) == wanted
        assert not list(folder.path.rglob("*.part"))
