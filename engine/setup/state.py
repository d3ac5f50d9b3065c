"""The folder that the engine is set up in, and how a set-up stands: one small file that panels read.

Only this module names the folder's files. `setup.json` is the set-up's alone; `stop` is the other side's.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from ..errors import DISK_FULL
from ..protocol import PegbarError, locked, refused, write_atomic

Ending = Literal["pause", "cancel"]
TOLD_S = 0.2
"""The least time between two writings of the state."""


class Stopped(Exception):
    """The other side asked to pause or to cancel, or is gone; what has come stays."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending)
        self.ending: Ending = ending


@dataclass(frozen=True)
class State:
    """How the last set-up stands. `step` of `steps`; bytes `done` of `total`, both 0 where nothing is counted."""

    name: Literal["none", "running", "paused", "cancelled", "failed", "done"] = "none"
    kind: str = ""
    """What is set up: `core`, or `diffusion` with torch."""
    backend: str = ""
    step: int = 0
    steps: int = 0
    text: str = ""
    done: int = 0
    total: int = 0
    speed: float = 0.0
    """Bytes a second."""
    left_s: float = -1.0
    """Seconds left; below 0 where that is not known."""
    error: str = ""
    id: str = ""
    """The failure's entry in `errors`."""
    bundle: str = ""
    """The folder that it is installed from, where it is not the network."""

    @property
    def figures(self) -> str:
        """How far it is: `1.1 of 2.4 GB · 14 MB/s · 1 min 30 s left`; empty where nothing is counted."""
        parts = [f"{amount(self.done, self.total)} of {amount(self.total)}"] if self.total else []
        if self.total and self.name == "running" and self.speed:
            parts.append(f"{amount(int(self.speed))}/s")
            parts += [f"{duration(self.left_s)} left"] if self.left_s >= 0 else []
        return " · ".join(parts)

    @property
    def words(self) -> str:
        """The line of a command: `Downloading PyTorch 1.1 of 2.4 GB · 14 MB/s · 1 min 30 s left`."""
        return f"{self.text} {self.figures}".strip()


@dataclass(frozen=True)
class Home:
    """The folder that holds environments, one of which `current.json` names."""

    path: Path

    @property
    def state_file(self) -> Path:
        return self.path / "setup.json"

    @property
    def current_file(self) -> Path:
        return self.path / "current.json"

    @property
    def machine_file(self) -> Path:
        """What the machine has, and what each set-up would take: written by `look`."""
        return self.path / "machine.json"

    @property
    def stop_file(self) -> Path:
        return self.path / "stop"

    @property
    def lock_file(self) -> Path:
        return self.path / "setup.lock"

    @property
    def log_file(self) -> Path:
        return self.path / "setup.log"

    @property
    def downloads(self) -> Path:
        """Wheels that have come, and parts of some."""
        return self.path / "downloads"

    @property
    def cache(self) -> Path:
        """uv's cache: on the disk of the environments, so that files need not be copied."""
        return self.path / "cache"

    @property
    def pythons(self) -> Path:
        """Where uv puts a Python that it fetches."""
        return self.path / "python"

    @property
    def is_busy(self) -> bool:
        """Whether a living process sets the engine up."""
        return locked(self.lock_file)

    def make(self) -> None:
        """Makes the folder. Raises PegbarError."""
        try:
            self.downloads.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refused(self.path, error) from error

    def state(self) -> State:
        """How the set-up stands; one whose process is gone is paused."""
        data = _read(self.state_file)
        known = {field.name for field in fields(State)}
        try:
            state = State(**{name: value for name, value in data.items() if name in known})
        except TypeError:
            return State()
        if state.name == "running" and not self.is_busy:
            return replace(state, name="paused", speed=0.0, left_s=-1.0)
        return state

    def current(self) -> dict[str, Any]:
        """What `current.json` says of the environment in use; empty where there is none."""
        return _read(self.current_file)

    def machine(self) -> dict[str, Any]:
        """What `look` found; empty before."""
        return _read(self.machine_file)

    @property
    def python(self) -> Path | None:
        """The interpreter of the environment in use."""
        given = self.current().get("python")
        if not isinstance(given, str) or not given:
            return None
        path = self.path / given
        return path if path.exists() else None

    def request_stop(self, ending: Ending) -> None:
        """Asks the process to end, keeping what has come. Raises PegbarError."""
        write_atomic(self.stop_file, ending.encode())

    def withdraw_stop(self) -> None:
        with contextlib.suppress(OSError):
            self.stop_file.unlink()

    def asked_to_stop(self) -> Ending | None:
        """What the other side asks for."""
        try:
            return "cancel" if self.stop_file.read_text() == "cancel" else "pause"
        except OSError:
            return None


class Teller:
    """Tells how the set-up stands, in the folder's file and to whoever else listens; says when to stop."""

    def __init__(self, home: Home, state: State, say: Callable[[State], None] = lambda state: None) -> None:
        self.home = home
        self.state = state
        self._say = say
        self._told_at = 0.0
        self._asked_at = 0.0
        self._speeds: list[tuple[float, int]] = []

    def step(self, number: int, text: str, done: int = 0, total: int = 0) -> None:
        """Begins a step, or changes its words."""
        self._speeds = []
        self._tell(replace(self.state, step=number, text=text, done=done, total=total, speed=0.0, left_s=-1.0))

    def count(self, done: int, text: str = "") -> None:
        """Says how many bytes of the step are there; speed and time left are of its last ten seconds."""
        now = time.monotonic()
        if now - self._told_at < TOLD_S and done < self.state.total:
            return
        self._speeds = [(at, count) for at, count in self._speeds if now - at < 10] + [(now, done)]
        (first, before), seconds = self._speeds[0], now - self._speeds[0][0]
        speed = max(0.0, (done - before) / seconds) if seconds > 0.5 and first < now else self.state.speed
        left = (self.state.total - done) / speed if speed > 0 else -1.0
        self._tell(replace(self.state, done=done, text=text or self.state.text, speed=speed, left_s=left))

    def end(self, name: Literal["paused", "cancelled", "failed", "done"], **words: str) -> None:
        """Tells the end."""
        self._tell(replace(self.state, name=name, speed=0.0, left_s=-1.0, **words))  # type: ignore[arg-type]

    def check(self) -> None:
        """Raises Stopped where the other side asks for it; cheap enough for every block of bytes."""
        now = time.monotonic()
        if now - self._asked_at > 0.1:
            self._asked_at = now
            if ending := self.home.asked_to_stop():
                raise Stopped(ending)

    def _tell(self, state: State) -> None:
        self.state = state
        self._told_at = time.monotonic()
        write_atomic(self.home.state_file, json.dumps(asdict(state), ensure_ascii=False).encode())
        self._say(state)


def amount(count: int, of: int = 0) -> str:
    """Bytes as people say them, in the unit of `of`, whose name is then left out: `1.1`, `2.4 GB`."""
    largest = of or count
    unit, name = (1e9, "GB") if largest >= 1e9 else (1e6, "MB") if largest >= 1e6 else (1e3, "KB")
    digits = f"{count / unit:.1f}" if count and (unit == 1e9 or count / unit < 9.95) else f"{count / unit:.0f}"
    return digits if of else f"{digits} {name}"


def duration(seconds: float) -> str:
    """A time left: `40 s`, `1 min 30 s`, `12 min`."""
    whole = int(-(-seconds // 5) * 5) if seconds < 600 else int(seconds)
    if whole < 60:
        return f"{max(5, whole)} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def check_space(folder: Path, needed: int, what: str) -> None:
    """Raises PegbarError where a disk has less left than is needed."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        disk = f"Disk {folder.anchor}" if os.name == "nt" else f"The disk of {folder}"
        raise PegbarError(
            f"{disk} has {amount(free)} left. {what} needs {amount(needed)}: free some space and press Try Again", id=DISK_FULL
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
        return data if isinstance(data, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}
