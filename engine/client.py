"""Starts a worker with an interpreter of its own, hands it jobs, and says how it is. Never waits, but for `run` and `stop`.

Standard library only; no bpy, so it serves Blender's window, `blender -b` and scripts alike. Knows no pipeline.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Literal

from .errors import ENGINE_LOST, ENGINE_MISSING, ENGINE_OTHER
from .protocol import PROTOCOL_VERSION, Event, JobFolder, PegbarError, State, lock, locked, refused, takes
from .spool import Handshake, Spool
from .weights import UNSET, Machine

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 60.0
SILENT_S = 10.0
STOP_TIMEOUT_S = 1.0
POLL_S = 0.1
STALE_S = 60.0
"""A spool without an owner is left alone for this long: its owner may be about to take it."""
TAIL_BYTES = 4000


@dataclass(frozen=True)
class Health:
    """How the worker is: asleep (not started, or stopped), starting, ready, busy, silent (hangs) or gone (ended by itself)."""

    name: Literal["asleep", "starting", "ready", "busy", "silent", "gone"]
    text: str = ""
    """One sentence for the artist: why it is silent or gone, or else why the last job could not be begun."""
    log: str = ""
    """For silent and gone: the last lines that the worker printed, for a report."""
    id: str = ""
    """For silent and gone: the entry in `errors`."""


class Worker:
    """One Blender's worker. The queue outlives the process: `restart` goes on with what was waiting."""

    def __init__(self, python: Path, spools: Path, silent_s: float = SILENT_S, machine: Machine = UNSET) -> None:
        """`spools` is the folder in which every Blender of this user keeps its spool; it is made when needed."""
        self.python = python
        self.machine = machine
        self._spools = spools.absolute()
        self._silent_s = silent_s
        self._spool: Spool | None = None
        self._owner: BinaryIO | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._hello: Handshake | None = None
        self._beat = (0, 0.0)
        self._fault: Health | None = None

    def start(self) -> None:
        """Starts the process where none runs. Raises PegbarError where the interpreter can't be started."""
        if self._process is not None and self._process.poll() is None and self._spool is not None and self._spool.path.is_dir():
            return
        self._end()
        spool = self._open_spool()
        spool.worker_file.unlink(missing_ok=True)
        self._hello, self._fault, self._beat = None, None, (0, time.monotonic())
        try:
            with open(spool.log_file, "wb") as log:
                self._process = launch(self.python, ["serve", str(spool.path), *self.machine.options], log)
        except OSError as error:
            raise refused(spool.path, error) from error

    def submit(self, folder: JobFolder) -> None:
        """Puts a job at the end of the queue, new or to go on with, and starts the worker where none runs. Raises PegbarError.

        A job that waits already may be put there again: one that is done is left as it is.
        """
        folder.withdraw_cancel()
        self.start()
        spool = self._open_spool()
        spool.refused_file.unlink(missing_ok=True)
        spool.drop(folder.path)

    @property
    def queue(self) -> list[JobFolder]:
        """The jobs not yet ended, the one being run first."""
        return [] if self._spool is None else [JobFolder(path) for path in dict.fromkeys(self._spool.job_folders())]

    @property
    def pid(self) -> int | None:
        """The process that was started last; None where the worker sleeps."""
        return None if self._process is None else self._process.pid

    def poll(self) -> Health:
        """How the worker is at this moment; cheap enough for every tick of a timer."""
        if self._fault is None and self._process is not None:
            self._fault = self._find_fault(self._process)
        if self._fault is not None:
            return self._fault
        if self._process is None or self._spool is None:
            return Health("asleep")
        silence_s = self._listen(self._spool)
        if self._hello is None:
            return self._silent(silence_s) if silence_s > START_TIMEOUT_S else Health("starting")
        if silence_s > self._silent_s:
            return self._silent(silence_s)
        return Health("busy" if self._spool.entries() else "ready", _tail(self._spool.refused_file))

    def pause(self) -> None:
        """Has the worker stop between two steps and give its memory back until `resume`."""
        if self._spool is not None and self._spool.path.is_dir():
            self._spool.paused_file.touch()

    def resume(self) -> None:
        """Lets the worker go on from where it stood."""
        if self._spool is not None:
            self._spool.paused_file.unlink(missing_ok=True)

    def restart(self) -> None:
        """Ends the process, even one that hangs, and starts another on the same queue. Raises PegbarError."""
        if self._process is not None and self._process.poll() is None:
            _kill(self._process)  # at once: a window waits for this, and every file is whole or not there
        self._end()
        self.start()

    def stop(self) -> None:
        """Ends the process and forgets the queue: closes its stdin, then terminates, then kills. What is written stays."""
        self._end()
        self._fault = None
        if self._spool is not None and self._owner is not None:
            self._owner.close()
            shutil.rmtree(self._spool.path, ignore_errors=True)
        self._spool = self._owner = None

    def _open_spool(self) -> Spool:
        if self._spool is None or not self._spool.path.is_dir():
            _clean(self._spools)
            spool = Spool(self._spools / uuid.uuid4().hex[:12])
            try:
                spool.path.mkdir(parents=True)
            except OSError as error:
                raise refused(self._spools, error) from error
            self._owner = lock(spool.owner_file)
            self._spool = spool
        return self._spool

    def _find_fault(self, process: subprocess.Popen[bytes]) -> Health | None:
        """What makes the worker useless until it is started again."""
        assert self._spool is not None
        hello = self._hello = self._hello or self._spool.handshake()
        if hello is not None and hello.protocol != PROTOCOL_VERSION:
            self._end()
            return Health("gone", _mismatch(hello), id=ENGINE_OTHER)
        code = process.poll()
        if code is None:
            return None
        log = _tail(self._spool.log_file)
        if hello is not None:
            text = f"The engine closed unexpectedly ({_reason(code)}). Your frames are safe: restart and continue"
            return Health("gone", text, log, ENGINE_LOST)
        last = log.splitlines()[-1] if log else f"{self.python} ended ({_reason(code)}) and said nothing: is it a Python?"
        return Health("gone", f"The engine did not start: {last}", log, ENGINE_MISSING)

    def _listen(self, spool: Spool) -> float:
        """Seconds since the heartbeat was last seen to move, by our own clock."""
        try:
            beat = spool.worker_file.stat().st_mtime_ns
        except OSError:
            beat = 0
        if beat != self._beat[0]:
            self._beat = (beat, time.monotonic())
        return time.monotonic() - self._beat[1]

    def _silent(self, silence_s: float) -> Health:
        assert self._spool is not None
        text = f"The engine has not answered for {silence_s:.0f} s. Your frames are safe: restart and continue, or wait"
        return Health("silent", text, _tail(self._spool.log_file), ENGINE_LOST)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        for harder in (process.terminate, lambda: _kill(process)):
            try:
                process.wait(STOP_TIMEOUT_S)
                return
            except subprocess.TimeoutExpired:
                harder()
        process.wait()


def run(
    python: Path,
    folder: JobFolder,
    tell: Callable[[Event], None] = lambda event: None,
    silent_s: float = SILENT_S,
) -> State:
    """Runs a job in a worker of its own and waits for its end; `tell` gets each event as it comes. For `blender -b` and scripts.
    Raises PegbarError where the engine can't be started, hangs or dies."""
    _, offset = folder.events()
    with tempfile.TemporaryDirectory(prefix="pegbar-", ignore_cleanup_errors=True) as spools:
        worker = Worker(python, Path(spools), silent_s)
        try:
            worker.submit(folder)
            while True:
                health = worker.poll()
                events, offset = folder.events(offset)
                for event in events:
                    tell(event)
                if health.name not in ("starting", "busy"):
                    break
                time.sleep(POLL_S)
        finally:
            worker.stop()
    if health.text:
        raise PegbarError(health.text, health.id)
    return folder.state()


def unfinished(shot_folder: Path, spools: Path) -> Iterator[JobFolder]:
    """The takes of a shot that were cut off: begun or waiting, yet nobody works on them and they are in no living Blender's queue."""
    waiting = {path for spool in _spools(spools) if locked(spool.owner_file) for path in spool.job_folders()}
    for folder in takes(shot_folder):
        if folder.path.absolute() not in waiting and folder.state().name in ("queued", "running") and not folder.is_running:
            yield folder


def launch(python: Path, arguments: list[str], log: IO[bytes], **told: str) -> subprocess.Popen[bytes]:
    """The engine as a process of its own: clean environment, with what else is `told`, own group, and a stdin that ends when this process
    does. Raises PegbarError."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "__PYVENV"))} | told
    program = python.absolute() if python.parent.name else python  # a bare name is looked for in PATH
    command = [str(program), "-E", "-s", "-B", "-X", "utf8", "-m", "engine", *arguments]
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    try:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
            creationflags=flags,
        )
    except FileNotFoundError as error:
        text = f"There is no Python at {python}: install the engine, or choose its Python in the preferences"
        raise PegbarError(text, ENGINE_MISSING) from error
    except OSError as error:
        text = f"{python} cannot be run ({error.strerror}): choose the engine's Python in the preferences"
        raise PegbarError(text, ENGINE_MISSING) from error


def _kill(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)


def _mismatch(hello: Handshake) -> str:
    older = hello.protocol < PROTOCOL_VERSION
    return (
        f"The engine ({hello.version}, protocol {hello.protocol}) is {'older' if older else 'newer'} than this add-on "
        f"(protocol {PROTOCOL_VERSION}): update {'the engine' if older else 'Pegbar'}"
    )


def _reason(code: int) -> str:
    if code == -9:
        return "signal 9, as when memory runs out"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _tail(path: Path) -> str:
    """The last lines of a log, whatever bytes are in it."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""


def _spools(spools: Path) -> list[Spool]:
    return [Spool(path.parent) for path in spools.glob("*/owner")]


def _clean(spools: Path) -> None:
    """Removes the spools of Blenders that are gone."""
    for spool in _spools(spools):
        if time.time() - spool.path.stat().st_mtime > STALE_S and not locked(spool.owner_file):
            shutil.rmtree(spool.path, ignore_errors=True)
