"""The worker holds still while the other side needs the machine, and goes on from what it has kept."""

import sys
import threading
import time
from pathlib import Path

import pytest
from pegbar.engine.client import Worker
from pegbar.engine.protocol import Done, JobFolder, Progress
from pegbar.engine.worker import PAUSED, run_job

from .takes import still_take

FRAMES = 6


def pictures(take: JobFolder) -> list[bytes]:
    return [path.read_bytes() for path in sorted((take.outputs / "clip").glob("*.png"))]


def test_a_paused_job_lets_go_of_its_model_and_goes_on_to_the_same_frames(tmp_path):
    whole, take, models, told, paused = still_take(tmp_path, FRAMES), still_take(tmp_path, FRAMES), {}, [], [False]
    assert isinstance(run_job(whole), Done)
    ready = []

    def tell(event):
        told.append(event)
        if len(take.state().frames) == 3 and not ready:
            paused[0] = True
            ready.extend(path.stat().st_mtime_ns for path in (take.outputs / "clip").iterdir())
        if event == Progress(PAUSED, 0, 0):
            assert not models, "its memory is free"
            threading.Timer(0.3, paused.__setitem__, (0, False)).start()

    end = run_job(take, models, tell, is_paused=lambda: paused[0])
    assert isinstance(end, Done) and not end.cancelled and Progress(PAUSED, 0, 0) in told
    assert pictures(take) == pictures(whole) and len(pictures(take)) == FRAMES
    assert sorted(path.stat().st_mtime_ns for path in (take.outputs / "clip").iterdir())[:3] == sorted(ready), "they were made once"


def test_a_paused_job_can_be_stopped(tmp_path):
    take = still_take(tmp_path, FRAMES)

    def tell(event):
        if event == Progress(PAUSED, 0, 0):
            take.request_cancel()

    end = run_job(take, {}, tell, is_paused=lambda: True)
    assert isinstance(end, Done) and end.cancelled


@pytest.fixture
def worker(tmp_path):
    made = Worker(Path(sys.executable), tmp_path / "spools")
    yield made
    made.stop()


def wait(what, seconds=60.0):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_worker_holds_still_between_two_frames_and_resumes(tmp_path, worker):
    take = still_take(tmp_path / "shot", FRAMES, seconds_per_frame=0.1)
    worker.submit(take)
    wait(lambda: take.state().frames)
    worker.pause()
    wait(lambda: take.state().progress.phase == PAUSED)
    before = len(take.state().frames)
    time.sleep(0.5)
    assert len(take.state().frames) == before < FRAMES and worker.poll().name == "busy"
    worker.resume()
    wait(lambda: take.state().name == "done")
    assert len(pictures(take)) == FRAMES
