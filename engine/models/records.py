"""What is known of a checkpoint beside its files: which version of what it is, and the hash of each file. Standard library only."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..protocol import write_atomic


@dataclass(frozen=True)
class File:
    """One file: its path in the checkpoint (its name, where the checkpoint is a file), its size in bytes, its hash."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Record:
    """Where a checkpoint came from. It lies beside it, hidden, and goes with it when a folder of weights is copied."""

    source: str
    """The repository; for imported files what was recognised."""
    revision: str
    """The full hash of the commit; empty where the files were imported."""
    licence: str
    files: tuple[File, ...]
    accepted: str = ""
    """The day on which the terms were accepted; empty where there are none."""


def file_of(path: Path) -> Path:
    """Where the record of a checkpoint lies."""
    return path.with_name(f".{path.name}.pegbar.json")


def write(path: Path, record: Record) -> None:
    """Records where the checkpoint at a path came from. Raises PegbarError."""
    write_atomic(file_of(path), json.dumps(asdict(record), indent=1).encode())


def read(path: Path) -> Record | None:
    """What is recorded of the checkpoint at a path; None where nothing is, or it is damaged."""
    try:
        content: Mapping[str, Any] = json.loads(file_of(path).read_bytes())
        files = tuple(File(str(file["path"]), int(file["size"]), str(file["sha256"])) for file in content["files"])
        return Record(str(content["source"]), str(content["revision"]), str(content["licence"]), files, str(content["accepted"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def unlike(path: Path, record: Record) -> list[str]:
    """The files that are gone or of another size than was recorded."""
    places = {file.path: path if path.name == file.path and not path.is_dir() else path / file.path for file in record.files}
    return [file.path for file in record.files if not places[file.path].is_file() or places[file.path].stat().st_size != file.size]
