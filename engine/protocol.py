"""The words and files that cross the boundary between Blender and the engine: Job, Shot, Event, JobFolder.

Standard library only. Knows no pipeline and no pixel.
"""

import contextlib
import errno
import json
import math
import os
import re
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

from .errors import DISK_FULL, IN_USE, PLACE_REFUSED, TAKE_DAMAGED, TAKE_NEWER

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PROTOCOL_VERSION = 1

ESCAPED = "backslashreplace"
"""How JSON is encoded: half a character, as a damaged name may hold one, stays one as `\\ud800`."""
LONGEST = 1000
"""Characters of a sentence."""
MOST_FRAMES = 1 << 20
"""Of a shot: as many as Blender's timeline has."""
MOST_BYTES = 1 << 26
"""Of a request, or of the events that are read at a time: what is longer was damaged or tampered with."""
_TAKE = re.compile(r"take_(\d{3,})")


class PegbarError(Exception):
    """Something that the user can act on: its text is one sentence that says what, why and what to do; `id` is its entry in `errors`."""

    def __init__(self, text: str, id: str = "") -> None:
        super().__init__(sentence(text))
        self.id = id


def sentence(text: str) -> str:
    """A text as one line that can be read: what a damaged file says of itself may be long and of any characters."""
    short = text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
    return "".join(character if character.isprintable() else " " for character in short)


@contextlib.contextmanager
def known_as(id: str) -> Iterator[None]:
    """Gives a PegbarError that is raised inside and has no entry of its own this one: what fails there, whatever it is, is met so."""
    try:
        yield
    except PegbarError as error:
        error.id = error.id or id
        raise


class Cancelled(Exception):
    """The other side asked this job to stop; what is written stays."""


@dataclass(frozen=True)
class Shot:
    """The stretch of the timeline that a job is about; `first` and `last` are Blender's frame numbers, both included."""

    scene: str
    first: int
    last: int
    fps: float
    step: int = 1

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise PegbarError(f"The shot ends at frame {self.last}, before its first frame {self.first}: choose a later end")
        if self.step < 1:
            raise PegbarError(f"The shot has a step of {self.step}: choose 1 for ones, 2 for twos")
        if self.last - self.first >= MOST_FRAMES:
            raise PegbarError(f"The shot goes from frame {self.first} to {self.last}: choose at most {MOST_FRAMES} frames")
        if not math.isfinite(self.fps):
            raise PegbarError(f"The shot plays at {self.fps} frames a second: choose a rate like 24")

    @property
    def frames(self) -> tuple[int, ...]:
        """The frame numbers that are worked on: every one on ones, every second on twos."""
        return tuple(range(self.first, self.last + 1, self.step))


@dataclass(frozen=True)
class InputFile:
    """One input at one frame number; `file` is relative to the job folder, with forward slashes."""

    frame: int
    file: str


@dataclass(frozen=True)
class Job:
    """One request, written once and never edited: the recipe of a take."""

    pipeline: str
    params: Mapping[str, Any]
    inputs: Mapping[str, tuple[InputFile, ...]]
    shot: Shot
    seed: int = 0
    protocol: int = PROTOCOL_VERSION
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    origin: Mapping[str, Any] = field(default_factory=dict)
    """Where the other side took the inputs from and where the result goes: its own plain data, which the engine passes over."""
    private: bool = False
    """Its pictures do not hold what the user has written himself."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands: `step` of `of` in a phase; `of` is 0 where the length is not known."""

    phase: str
    step: int
    of: int


@dataclass(frozen=True)
class FrameWritten:
    """One frame of one output is whole on disk; `file` is relative to the job folder."""

    output: str
    frame: int
    file: str


@dataclass(frozen=True)
class Warned:
    """Something the artist should know about the result."""

    text: str


@dataclass(frozen=True)
class Planned:
    """What memory the run takes, in GB of 2^30 bytes, `of` how much, 0 where that is not known; `told` is what it does to save some."""

    gigabytes: float
    of: float
    told: str


@dataclass(frozen=True)
class Failed:
    """The run ended without its result; `traceback` is empty where the user can act on `text`; `id` is its entry in `errors`."""

    text: str
    traceback: str = ""
    id: str = ""


@dataclass(frozen=True)
class Done:
    """The run ended: with all its frames, or stopped on request with those written so far."""

    seconds: float
    cancelled: bool = False


Event = Progress | FrameWritten | Warned | Planned | Failed | Done
_EVENTS: dict[str, type[Event]] = {
    "progress": Progress,
    "frame": FrameWritten,
    "warning": Warned,
    "memory": Planned,
    "error": Failed,
    "done": Done,
}
_NAMES = {kind: name for name, kind in _EVENTS.items()}


@dataclass(frozen=True)
class State:
    """A job as its events tell it."""

    name: Literal["queued", "running", "done", "stopped", "failed"] = "queued"
    progress: Progress | None = None
    frames: tuple[FrameWritten, ...] = ()
    warnings: tuple[str, ...] = ()
    memory: Planned | None = None
    error: Failed | None = None
    seconds: float = 0.0


def state_of(events: Iterable[Event]) -> State:
    """The state that a job's events add up to; anything after an end means that it was taken up again."""
    state = State()
    frames: dict[tuple[str, int], FrameWritten] = {}
    warnings: dict[str, None] = {}
    for event in events:
        state = replace(state, name="running", error=None)
        match event:
            case Progress():
                state = replace(state, progress=event)
            case FrameWritten():
                frames[event.output, event.frame] = event
            case Warned():
                warnings[event.text] = None
            case Planned():
                state = replace(state, memory=event)
            case Failed():
                state = replace(state, name="failed", error=event)
            case Done():
                state = replace(state, name="stopped" if event.cancelled else "done", seconds=event.seconds)
    return replace(state, frames=tuple(frames.values()), warnings=tuple(warnings))


def write_atomic(path: Path, data: bytes) -> None:
    """Writes a file so that it is seen whole or not at all. Raises PegbarError where the disk or the folder refuses."""
    temporary = path.with_name(f".{path.name[:80]}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise refused(path.parent, error) from error


def link(path: Path, to: Path) -> None:
    """Lets a file be seen at another place, too, where it stays if the first one is removed: as a link, or a copy where the disk knows
    none. What is there already stays. Raises PegbarError."""
    try:
        with contextlib.suppress(FileExistsError):
            os.link(path, to)
    except OSError:
        try:
            write_atomic(to, path.read_bytes())
        except OSError as error:
            raise refused(path, error) from error


def refused(path: Path, error: OSError) -> PegbarError:
    """The sentence for a file or folder that can't be written or read."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PegbarError(f"The disk of {path} is full: free some space and go on; frames already written are safe", DISK_FULL)
    if error.errno == errno.ENOENT:
        return PegbarError(f"{path} is gone: put it back or choose another folder", PLACE_REFUSED)
    if error.errno == errno.ENAMETOOLONG:
        return PegbarError(f"The path {path} is too long for this system: choose a folder with a shorter one", PLACE_REFUSED)
    return PegbarError(f"{path} cannot be used ({error.strerror or error}): choose another folder", PLACE_REFUSED)


def lock(path: Path, mode: Literal["ab", "rb"] = "ab") -> BinaryIO | None:
    """Takes a file for whoever holds what is returned, until it is closed or the process ends, however it ends; None where another
    has it. Raises PegbarError where the file can't be opened."""
    try:
        file: BinaryIO = open(path, mode)  # noqa: SIM115 - the lock lasts as long as it is open
        try:
            if sys.platform == "win32":
                file.seek(_LOCKED_BYTE)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except OSError as error:
            file.close()
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
                return None
            raise
    except OSError as error:
        raise refused(path, error) from error


def locked(path: Path) -> bool:
    """Whether a living process holds the file."""
    if not path.is_file():
        return False
    file = lock(path, "rb")
    if file is not None:
        file.close()
    return file is None


_LOCKED_BYTE = 1 << 30
"""Windows locks bytes against reading, too: one far behind the end leaves the file readable."""


@dataclass(frozen=True)
class JobFolder:
    """The folder of one job, and the only code that names its files. One writer a file: `events.jsonl`, `outputs/`, `state/` and
    `worker.log` belong to the worker, the rest to the side that made the job."""

    path: Path

    @property
    def outputs(self) -> Path:
        return self.path / "outputs"

    @property
    def state_folder(self) -> Path:
        return self.path / "state"

    @property
    def log_file(self) -> Path:
        return self.path / "worker.log"

    @property
    def card_file(self) -> Path:
        """What made the take, as `provenance` tells it; written by the worker."""
        return self.path / "provenance.json"

    @property
    def preview_file(self) -> Path:
        """A small picture of what is being made, replaced as the run goes on."""
        return self.path / "preview.png"

    @property
    def reserve_file(self) -> Path:
        """A little room on the disk that the worker gives up when the disk is full, to be able to say so."""
        return self.path / "reserve"

    @classmethod
    def create(cls, shot_folder: Path) -> "JobFolder":
        """Makes the next `take_NNN` in a shot's folder; two Blenders never get the same one. Raises PegbarError."""
        try:
            shot_folder.mkdir(parents=True, exist_ok=True)
            number = max((int(m[1]) for p in shot_folder.iterdir() if (m := _TAKE.fullmatch(p.name))), default=0)
            while True:
                number += 1
                with contextlib.suppress(FileExistsError):
                    folder = cls(shot_folder / f"take_{number:03d}")
                    folder.path.mkdir()
                    (folder.path / "inputs").mkdir()
                    return folder
        except OSError as error:
            raise refused(shot_folder, error) from error

    def input_file(self, name: str, index: int, suffix: str) -> str:
        """The relative name of an input's index-th file (from 1); its folder is made."""
        relative = f"inputs/{name}/{index:04d}{suffix}"
        self._make_parent(relative)
        return relative

    def output_file(self, name: str, index: int, suffix: str) -> str:
        """The relative name of an output's index-th file (from 1, without gaps); its folder is made."""
        relative = f"outputs/{name}/{index:04d}{suffix}"
        self._make_parent(relative)
        return relative

    def held_file(self, name: str, index: int, suffix: str) -> str:
        """The relative name of an output's index-th file once each held frame has a file of its own; its folder is made."""
        relative = f"held/{name}/{index:04d}{suffix}"
        self._make_parent(relative)
        return relative

    def file(self, relative: str) -> Path:
        """The path of a file named in the job or an event. Raises PegbarError where it points out of the folder."""
        inner = Path(relative)
        if inner.anchor or ".." in inner.parts or not self._holds(inner):
            raise PegbarError(
                f"{self.path / 'job.json'} names {relative!r}, which lies outside the take: it was damaged or tampered with", TAKE_DAMAGED
            )
        return self.path / inner

    def write_job(self, job: Job) -> None:
        """Writes the request; from then on the folder is a take."""
        write_atomic(self.path / "job.json", json.dumps(asdict(job), indent=1, ensure_ascii=False).encode(errors=ESCAPED))

    def read_job(self) -> Job:
        """The request. Raises PegbarError where it is missing, damaged or of a newer protocol."""
        path = self.path / "job.json"
        try:
            data = json.loads(_whole(path))
            protocol = data["protocol"]
            if isinstance(protocol, int) and protocol > PROTOCOL_VERSION:
                raise PegbarError(
                    f"{self.path.name} was made by a newer Pegbar (protocol {protocol}, this one speaks {PROTOCOL_VERSION}): update Pegbar",
                    TAKE_NEWER,
                )
            inputs = {str(name): tuple(InputFile(int(f["frame"]), str(f["file"])) for f in files) for name, files in data["inputs"].items()}
            shot = data["shot"]
            with known_as(TAKE_DAMAGED):
                shot = Shot(str(shot["scene"]), int(shot["first"]), int(shot["last"]), float(shot["fps"]), int(shot["step"]))
            seed, origin = int(data["seed"]), dict(data.get("origin", {}))
            private = bool(data.get("private", False))
            return Job(str(data["pipeline"]), dict(data["params"]), inputs, shot, seed, int(protocol), str(data["id"]), origin, private)
        except OSError as error:
            text = f"{path} cannot be read ({error.strerror or error}): the take is incomplete, delete it and start again"
            raise PegbarError(text, TAKE_DAMAGED) from error
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise PegbarError(f"{path} is damaged ({error}): delete this take and start again", TAKE_DAMAGED) from error

    def append(self, event: Event) -> None:
        """Adds an event as one whole line; only the worker calls it."""
        line = json.dumps({"event": _NAMES[type(event)], **asdict(event)}, ensure_ascii=False) + "\n"
        try:
            with open(self.path / "events.jsonl", "ab") as file:
                if file.tell() and not self._ends_whole():
                    file.write(b"\n")
                file.write(line.encode(errors=ESCAPED))
        except OSError as error:
            raise refused(self.path, error) from error

    def events(self, offset: int = 0) -> tuple[list[Event], int]:
        """The whole lines from a byte offset on, and the offset after them. A line that is no event is passed over."""
        try:
            data = _whole(self.path / "events.jsonl", offset)
        except FileNotFoundError:
            return [], offset
        except OSError as error:
            raise refused(self.path, error) from error
        whole = data[: data.rfind(b"\n") + 1]
        return [e for line in whole.splitlines() if (e := _event(line)) is not None], offset + len(whole)

    def state(self) -> State:
        """Where the job stands, from all its events."""
        return state_of(self.events()[0])

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Holds the job for this process while it runs it. Raises PegbarError where another process does, or where the
        folder is no take."""
        if not (self.path / "job.json").exists():
            raise PegbarError(f"{self.path} is no take: there is no job.json in it", TAKE_DAMAGED)
        self._check_own()
        patient_until = time.monotonic() + 1.0  # whoever asks `is_running` holds the lock for an instant
        while (file := lock(self.path / "events.jsonl")) is None:
            if time.monotonic() > patient_until:
                raise PegbarError(f"{self.path.name} is already being worked on by another Pegbar: wait until it is done", IN_USE)
            time.sleep(0.05)
        with file:
            yield

    @property
    def is_running(self) -> bool:
        """Whether a living process works on the job."""
        return locked(self.path / "events.jsonl")

    @property
    def cancel_requested(self) -> bool:
        return (self.path / "cancel").exists()

    def request_cancel(self) -> None:
        """Asks the worker to stop between steps; what is written stays. Raises PegbarError."""
        write_atomic(self.path / "cancel", b"")

    def withdraw_cancel(self) -> None:
        """Lets the job be taken up again."""
        try:
            (self.path / "cancel").unlink(missing_ok=True)
        except OSError as error:
            raise refused(self.path, error) from error

    def _holds(self, inner: Path) -> bool:
        """Whether a path lies in the folder once links are followed."""
        try:
            return (self.path / inner).resolve().is_relative_to(self.path.resolve())
        except (OSError, ValueError, RuntimeError):  # a loop of links, a name that no file can have
            return False

    def _check_own(self) -> None:
        """Raises PegbarError where something in the folder is elsewhere, or is a device or a pipe: a run would write to it."""
        try:
            for path in self.path.iterdir():
                if not self._holds(Path(path.name)) or not (path.is_dir() or path.is_file()):
                    raise PegbarError(
                        f"{path} is no file of this take but leads elsewhere: it was tampered with, delete the take", TAKE_DAMAGED
                    )
        except OSError as error:
            raise refused(self.path, error) from error

    def _make_parent(self, relative: str) -> None:
        try:
            (self.path / relative).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refused(self.path, error) from error

    def _ends_whole(self) -> bool:
        with open(self.path / "events.jsonl", "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


def takes(shot_folder: Path) -> Iterator[JobFolder]:
    """The takes of a shot, oldest first; folders without a request are passed over."""
    if shot_folder.is_dir():
        for path in sorted(shot_folder.iterdir(), key=lambda p: (len(p.name), p.name)):
            if _TAKE.fullmatch(path.name) and (path / "job.json").is_file():
                yield JobFolder(path)


def _whole(path: Path, offset: int = 0) -> bytes:
    """A file's bytes from an offset on, MOST_BYTES of them at most. Raises OSError, also for a device or a pipe, which would not end."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no file", str(path))
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(MOST_BYTES)


def _event(line: bytes) -> Event | None:
    try:
        data = json.loads(line)
        event = _EVENTS[data.pop("event")](**data)
        whole = all(isinstance(getattr(event, f.name), (int, float) if f.type is float else f.type) for f in fields(event))  # type: ignore[arg-type]
        return event if whole else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
