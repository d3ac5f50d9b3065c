"""The folder in which one Blender and its worker meet: jobs that wait, the worker's handshake, its heartbeat and its log.

Standard library only. Knows no job's content; its files are named here and nowhere else.
"""

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from . import __version__
from .protocol import PROTOCOL_VERSION, write_atomic


@dataclass(frozen=True)
class Handshake:
    """What a worker says of itself once it is ready."""

    protocol: int
    version: str
    pid: int
    python: str


@dataclass(frozen=True)
class Spool:
    """One writer a file: the client drops `*.job` and holds `owner`, the worker takes jobs away and writes `worker.json`."""

    path: Path

    @property
    def owner_file(self) -> Path:
        """Locked by the client as long as it lives."""
        return self.path / "owner"

    @property
    def log_file(self) -> Path:
        """All that the worker prints."""
        return self.path / "worker.log"

    @property
    def worker_file(self) -> Path:
        """The handshake; its time of change is the heartbeat."""
        return self.path / "worker.json"

    @property
    def refused_file(self) -> Path:
        """Why the last job could not even be begun; written by the worker, removed by the client."""
        return self.path / "refused"

    @property
    def paused_file(self) -> Path:
        """There while the client needs the machine for itself; empty."""
        return self.path / "paused"

    @property
    def is_paused(self) -> bool:
        """Whether the worker is to hold still, its memory given back."""
        return self.paused_file.exists()

    def drop(self, job_folder: Path) -> None:
        """Puts a job at the end of the queue. Raises PegbarError."""
        number = max((int(entry.stem) for entry in self.entries()), default=0) + 1
        write_atomic(self.path / f"{number:06d}.job", os.fsencode(job_folder.absolute()))

    def entries(self) -> list[Path]:
        """The files of the jobs that wait, the one that runs first among them; empty where the spool is gone."""
        return sorted(self.path.glob("*.job"))

    def job_folders(self) -> list[Path]:
        """The folders of the jobs that wait, in order."""
        folders = []
        for entry in self.entries():
            try:
                folders.append(Path(os.fsdecode(entry.read_bytes())))
            except FileNotFoundError:  # the worker was done with it just now
                continue
        return folders

    def greet(self) -> None:
        """Writes the handshake of this process."""
        hello = Handshake(PROTOCOL_VERSION, __version__, os.getpid(), sys.version.split()[0])
        write_atomic(self.worker_file, json.dumps(asdict(hello)).encode())

    def handshake(self) -> Handshake | None:
        """What the worker said; None where there is none yet."""
        try:
            data = json.loads(self.worker_file.read_bytes())
            return Handshake(int(data["protocol"]), str(data["version"]), int(data["pid"]), str(data["python"]))
        except FileNotFoundError:
            return None

    def beat(self) -> None:
        """Shows that the worker lives. Raises FileNotFoundError where the spool is gone."""
        os.utime(self.worker_file)
