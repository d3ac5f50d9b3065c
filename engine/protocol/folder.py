"""The folder of a job, which is the channel between the two sides: request, events, wish to stop, and the lock of whoever works on it."""

import contextlib
import errno
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import IN_USE, TAKE_DAMAGED, TAKE_NEWER
from .faults import PegbarError, known_as
from .files import lock, locked, refused, write_atomic
from .words import ESCAPED, PROTOCOL_VERSION, Event, InputFile, Job, Shot, State, event_of, line_of, state_of

MOST_BYTES = 1 << 26
"""Of a request, or of the events that are read at a time: what is longer was damaged or tampered with."""
_TAKE = re.compile(r"take_(\d{3,})")


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
        try:
            with open(self.path / "events.jsonl", "ab") as file:
                if file.tell() and not self._ends_whole():
                    file.write(b"\n")
                file.write(line_of(event))
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
        return [e for line in whole.splitlines() if (e := event_of(line)) is not None], offset + len(whole)

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
