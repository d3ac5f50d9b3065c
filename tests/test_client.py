"""The client and a real worker process: however the process behaves, the client says so in a sentence and never waits for it."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from pegbar.engine import client
from pegbar.engine.client import Health, Worker, run, unfinished
from pegbar.engine.protocol import PROTOCOL_VERSION, Done, FrameWritten, JobFolder, PegbarError

from .conftest import ROOT
from .takes import still_take

PYTHON = Path(os.environ.get("PEGBAR_ENGINE_PYTHON", sys.executable))
WAIT_S = 20.0
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and shell scripts are POSIX")


def wait(condition: Callable[[], object], seconds: float = WAIT_S) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def wait_for(worker: Worker, *names: str) -> Health:
    wait(lambda: worker.poll().name in names)
    return worker.poll()


def alive(pid: int) -> bool:
    """Whether a process runs: one that has ended but that nobody has collected does not."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def spools(tmp_path: Path) -> Path:
    return tmp_path / "spools"


@pytest.fixture
def worker(spools: Path) -> Iterator[Worker]:
    worker = Worker(PYTHON, spools, silent_s=2.0)
    yield worker
    worker.stop()


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Path]:
    """Makes an interpreter of a shell script."""

    def make(text: str) -> Path:
        path = tmp_path / "interpreter"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    return make


def test_a_worker_starts_by_itself_runs_the_queue_in_order_and_sleeps_when_stopped(worker, spools, tmp_path):
    assert worker.poll() == Health("asleep")
    jobs = [still_take(tmp_path / "shot") for _ in range(3)]
    for job in jobs:
        worker.submit(job)
    assert worker.poll().name == "starting" and worker.queue == jobs
    wait_for(worker, "ready")
    assert [job.state().name for job in jobs] == ["done"] * 3
    ends = [(job.path / "events.jsonl").stat().st_mtime_ns for job in jobs]
    assert ends == sorted(ends) and worker.queue == []
    worker.stop()
    assert worker.poll() == Health("asleep")
    assert list(spools.iterdir()) == []


def test_a_waiting_job_and_a_running_one_can_be_cancelled(worker, tmp_path):
    running, waiting = (still_take(tmp_path / "shot", frames=9, seconds_per_frame=0.2) for _ in range(2))
    worker.submit(running)
    worker.submit(waiting)
    wait(lambda: running.state().frames)
    waiting.request_cancel()
    running.request_cancel()
    wait_for(worker, "ready")
    assert running.state().name == waiting.state().name == "stopped"
    assert 0 < len(running.state().frames) < 9 and not waiting.state().frames
    worker.submit(running)
    wait(lambda: running.state().name == "done")


def test_a_job_stopped_a_moment_ago_goes_on_when_it_is_put_in_the_queue_again(worker, tmp_path):
    """Its first entry may still be in the queue: the worker takes it away a little after the last event."""
    job = still_take(tmp_path / "shot", frames=6, seconds_per_frame=0.1)
    worker.submit(job)
    worker.submit(job)
    assert worker.queue == [job]
    wait(lambda: job.state().frames)
    job.request_cancel()
    while job.state().name != "stopped":
        pass
    worker.submit(job)
    wait_for(worker, "ready")
    assert job.state().name == "done"
    assert [e.frame for e in job.events()[0] if isinstance(e, FrameWritten)] == [1, 2, 3, 4, 5, 6]


def test_an_interpreter_that_is_not_there_is_told_at_once(spools, tmp_path):
    worker = Worker(tmp_path / "nowhere" / "python", spools)
    job = still_take(tmp_path / "shot")
    with pytest.raises(PegbarError, match=r"There is no Python at .*nowhere/python: install the engine"):
        worker.submit(job)
    assert worker.poll().name == "asleep" and worker.queue == []
    worker.stop()


@posix
def test_an_interpreter_that_cannot_be_run_is_told_at_once(spools, tmp_path):
    (tmp_path / "python").write_text("no program")
    with pytest.raises(PegbarError, match=r"python cannot be run \(Permission denied\)"):
        Worker(tmp_path / "python", spools).start()
    (tmp_path / "python").chmod(0o755)
    with pytest.raises(PegbarError, match=r"python cannot be run \(Exec format error\)"):
        Worker(tmp_path / "python", spools).start()


def test_an_interpreter_without_the_engines_packages_is_told(spools, tmp_path):
    venv.EnvBuilder(with_pip=False, symlinks=sys.platform != "win32").create(tmp_path / "bare")
    worker = Worker(tmp_path / "bare" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"), spools)
    worker.start()
    health = wait_for(worker, "gone")
    assert "lacks the engine's packages (numpy, " in health.text and "choose the engine's Python" in health.text
    worker.stop()


@posix
def test_an_interpreter_that_is_too_old_is_told(spools, script):
    old = "import runpy, sys; sys.version_info = (3, 10, 2); runpy.run_module('engine', run_name='__main__', alter_sys=True)"
    worker = Worker(script(f'exec {PYTHON} -c "{old}"'), spools)
    worker.start()
    assert "needs Python 3.11 or newer" in wait_for(worker, "gone").text
    worker.stop()


@posix
@pytest.mark.parametrize(
    ("code", "words"), [("exit 3", r"exit code 3\) and said nothing"), ("echo Kein Speicher >&2; exit 1", "Kein Speicher$")]
)
def test_a_worker_that_dies_at_once_is_told_with_its_last_words(worker, script, code, words, tmp_path):
    worker.python = script(code)
    job = still_take(tmp_path / "shot")
    worker.submit(job)
    health = wait_for(worker, "gone")
    assert health.text.startswith("The engine did not start: ") and re.search(words, health.text)
    with pytest.raises(PegbarError, match=words):
        run(worker.python, job)
    worker.python = PYTHON
    worker.submit(still_take(tmp_path / "shot"))
    wait_for(worker, "ready")
    assert job.state().name == "done"


@posix
def test_a_worker_that_dies_in_the_middle_loses_nothing(worker, tmp_path):
    job = still_take(tmp_path / "shot", frames=6, seconds_per_frame=0.1)
    worker.submit(job)
    wait(lambda: len(job.state().frames) >= 2)
    os.kill(worker.pid, signal.SIGKILL)
    health = wait_for(worker, "gone")
    assert health.text == "The engine closed unexpectedly (signal 9, as when memory runs out). Your frames are safe: restart and continue"
    assert worker.queue == [job] and not job.is_running
    worker.restart()
    wait_for(worker, "ready")
    assert job.state().name == "done"
    assert [e.frame for e in job.events()[0] if isinstance(e, FrameWritten)] == [1, 2, 3, 4, 5, 6]


@posix
def test_a_worker_that_hangs_is_told_and_can_be_restarted(worker, tmp_path):
    job = still_take(tmp_path / "shot", frames=4, seconds_per_frame=0.1)
    worker.submit(job)
    wait(lambda: job.state().frames)
    hung = worker.pid
    os.kill(hung, signal.SIGSTOP)
    health = wait_for(worker, "silent")
    assert "has not answered for 2 s" in health.text
    worker.restart()
    assert not alive(hung)
    wait_for(worker, "ready")
    assert job.state().name == "done"


@posix
def test_a_worker_that_never_gets_ready_is_told(worker, script, monkeypatch):
    monkeypatch.setattr(client, "START_TIMEOUT_S", 0.5)
    worker.python = script("echo still here; exec sleep 60")
    worker.start()
    health = wait_for(worker, "silent")
    assert health.log == "still here"


@posix
def test_rubbish_that_a_worker_prints_harms_nothing(worker, script, tmp_path):
    rubbish = 'head -c 300000 /dev/urandom; head -c 300000 /dev/urandom >&2; echo \'{"event": "done"}\''
    worker.python = script(f'{rubbish}\n(sleep 1; {rubbish}) & exec {PYTHON} "$@"')
    job = still_take(tmp_path / "shot", frames=4, seconds_per_frame=0.3)
    worker.submit(job)
    wait_for(worker, "ready")
    assert job.state().name == "done"
    os.kill(worker.pid, signal.SIGKILL)
    assert len(wait_for(worker, "gone").log) <= client.TAIL_BYTES


@pytest.mark.parametrize(
    ("ours", "words"), [(PROTOCOL_VERSION + 1, "is older .*: update the engine"), (PROTOCOL_VERSION - 1, "is newer .*: update Pegbar")]
)
def test_an_engine_of_another_protocol_is_told_and_ended(worker, monkeypatch, ours, words):
    monkeypatch.setattr(client, "PROTOCOL_VERSION", ours)
    worker.start()
    pid = worker.pid
    health = wait_for(worker, "gone")
    assert re.search(words, health.text)
    assert not alive(pid)


def test_the_environment_of_the_caller_does_not_reach_the_engine(worker, tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit('the wrong numpy')")
    for name, value in {"PYTHONPATH": tmp_path, "PYTHONHOME": "/nowhere", "PYTHONSTARTUP": "x", "PYTHONSAFEPATH": "1"}.items():
        monkeypatch.setenv(name, str(value))
    worker.start()
    wait_for(worker, "ready", "gone")
    assert worker.poll() == Health("ready")


@posix
def test_a_worker_ends_when_its_parent_is_killed_and_the_next_finds_and_finishes_its_job(worker, spools, tmp_path):
    job = still_take(tmp_path / "shot", frames=8, seconds_per_frame=0.5)
    parent = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom pathlib import Path\n"
        "from engine.client import Worker\nfrom engine.protocol import JobFolder\n"
        f"worker = Worker(Path({str(PYTHON)!r}), Path({str(spools)!r})); worker.submit(JobFolder(Path({str(job.path)!r})))\n"
        "print(worker.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as blender:
        pid = int(blender.stdout.readline())
        wait(lambda: job.state().frames)
        assert list(unfinished(tmp_path / "shot", spools)) == []
        blender.kill()
    wait(lambda: not alive(pid) and list(unfinished(tmp_path / "shot", spools)) == [job], seconds=5.0)
    done = len(job.state().frames)
    assert 0 < done < 8
    worker.submit(job)
    assert list(unfinished(tmp_path / "shot", spools)) == []
    wait(lambda: job.state().name == "done")
    assert [e.frame for e in job.events()[0] if isinstance(e, FrameWritten)] == list(range(1, 9))


def test_two_blenders_on_one_takes_folder_run_each_job_once(worker, spools, tmp_path):
    other = Worker(PYTHON, spools)
    shared = still_take(tmp_path / "shot", frames=6, seconds_per_frame=0.3)
    own = [still_take(tmp_path / "shot"), still_take(tmp_path / "shot")]
    for side, mine in zip((worker, other), own, strict=True):
        side.submit(shared)
        side.submit(mine)
    try:
        healths = [wait_for(side, "ready") for side in (worker, other)]
    finally:
        other.stop()
    wait(lambda: shared.state().name == "done")
    assert [job.state().name for job in own] == ["done", "done"]
    assert [e.frame for e in shared.events()[0] if isinstance(e, FrameWritten)] == [1, 2, 3, 4, 5, 6]
    assert sorted(bool(health.text) for health in healths) == [False, True]
    assert "already being worked on by another Pegbar" in "".join(health.text for health in healths)


def test_the_spools_of_dead_blenders_are_removed_and_those_of_the_living_stay(worker, spools, monkeypatch):
    monkeypatch.setattr(client, "STALE_S", -1.0)
    dead = spools / "dead"
    dead.mkdir(parents=True)
    (dead / "owner").touch()
    (dead / "000001.job").write_text("x")
    worker.start()
    other = Worker(PYTHON, spools)
    other.start()
    assert not dead.exists() and len(list(spools.iterdir())) == 2
    other.stop()
    assert wait_for(worker, "ready") == Health("ready")


def test_a_worker_whose_spool_is_removed_ends_and_another_can_be_started(worker, spools):
    worker.start()
    wait_for(worker, "ready")
    shutil.rmtree(next(spools.iterdir()))
    wait_for(worker, "gone")
    worker.restart()
    wait_for(worker, "ready")


def test_takes_that_wait_or_ended_are_not_unfinished(worker, spools, tmp_path):
    done, running, waiting, never_sent = (still_take(tmp_path / "shot", 2, seconds_per_frame=0.2) for _ in range(4))
    assert run(PYTHON, done).name == "done"
    worker.submit(running)
    worker.submit(waiting)
    assert list(unfinished(tmp_path / "shot", spools)) == [never_sent]
    worker.stop()
    assert list(unfinished(tmp_path / "shot", spools)) == [running, waiting, never_sent]


def test_run_waits_for_the_end_and_tells_each_event(tmp_path):
    job = still_take(tmp_path / "shot")
    told = []
    state = run(PYTHON, job, told.append)
    assert state == job.state() and state.name == "done"
    assert told == job.events()[0] and isinstance(told[-1], Done)
    assert run(PYTHON, job).name == "done"


def test_paths_may_be_relative_and_an_interpreter_a_bare_name(tmp_path, monkeypatch):
    job = still_take(tmp_path / "shot")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(PYTHON.parent) + os.pathsep + os.environ["PATH"])
    for python in (Path(PYTHON.name), Path(os.path.relpath(PYTHON))):
        worker = Worker(python, Path("spools"))
        worker.submit(JobFolder(Path("shot") / job.path.name))
        wait_for(worker, "ready")
        worker.stop()
    assert job.state().name == "done"


def test_run_gives_the_failure_of_a_job(tmp_path):
    state = run(PYTHON, still_take(tmp_path / "shot", pipeline="warp"))
    assert state.name == "failed" and "There is no pipeline 'warp'" in state.error.text


def test_run_on_a_folder_that_is_no_take_says_so(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(PegbarError, match="is no take"):
        run(PYTHON, JobFolder(tmp_path / "empty"))


@posix
def test_run_on_a_worker_that_dies_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    job = still_take(tmp_path / "shot", pipeline="still", seconds_per_frame=5.0)

    def kill(event: object) -> None:
        (hello,) = tmp_path.glob("pegbar-*/*/worker.json")
        with contextlib.suppress(ProcessLookupError):  # killed at the event before
            os.kill(json.loads(hello.read_text())["pid"], signal.SIGKILL)

    with pytest.raises(PegbarError, match=r"closed unexpectedly \(signal 9, "):
        run(PYTHON, job, kill)
