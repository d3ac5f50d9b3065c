"""What each model is, may be used for, and takes on the disk, as a card or a row shows it. Standard library only."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..catalog import PIPELINES
from ..protocol import JobFolder, PegbarError, refused
from ..spec import Commercial, Pipeline, Weights
from ..weights import place
from . import records
from .records import Record

COMMERCIAL: Mapping[Commercial, str] = {"yes": "commercial use allowed", "no": "no commercial use", "unclear": "commercial use unclear"}


@dataclass(frozen=True)
class Card:
    """One checkpoint on this computer, or not on it."""

    spec: Pipeline
    weights: Weights
    path: Path | None
    """Where it lies; None where it is in no folder."""
    is_own: bool
    """It lies in the first of the folders, which Pegbar writes to."""
    size: int
    """Bytes on the disk."""
    begun: int
    """Bytes of a download that was begun."""
    record: Record | None
    damaged: tuple[str, ...]
    """Its files that are gone or of another size than was recorded."""

    @property
    def state(self) -> str:
        if self.path is None:
            return "begun" if self.begun else "missing"
        return "damaged" if self.damaged else "installed"


def methods() -> Iterator[Pipeline]:
    """The pipelines that have models of their own."""
    return (spec for spec in PIPELINES.values() if spec.weights and not spec.shares)


def cards(spec: Pipeline, folders: Sequence[Path]) -> tuple[Card, ...]:
    """The cards of a pipeline's checkpoints; looks at every file's size, so it is not for a draw."""
    return tuple(_card(spec, weights, folders) for weights in spec.weights if not weights.is_made)


def _card(spec: Pipeline, weights: Weights, folders: Sequence[Path]) -> Card:
    path = place(spec, weights, folders)
    begun = _size(parts_of(spec, weights, folders[0])) if folders and path is None else 0
    record = records.read(path) if path else None
    damaged = tuple(records.unlike(path, record)) if path and record else ()
    is_own = path is not None and path.is_relative_to(folders[0])
    return Card(spec, weights, path, is_own, _size(path) if path else 0, begun, record, damaged)


def parts_of(spec: Pipeline, weights: Weights, own: Path) -> Path:
    """Where lies what has come of a checkpoint that is not whole."""
    return own / spec.weights_folder / f".{weights.name}.part"


def activity(own: Path, name: str) -> JobFolder:
    """Where the events of a download (a pipeline's name) or of an import are written. Its other files are not used."""
    return JobFolder(own / ".activity" / name)


def delete(card: Card) -> None:
    """Removes a checkpoint from the own folder, or what has come of it. Raises PegbarError where it lies in another one."""
    if card.weights.joined:
        raise PegbarError(f"{card.path} is a collection: delete single ones of it in their folder")
    if card.path and not card.is_own:
        raise PegbarError(f"{card.path} is in a shared folder: Pegbar deletes nothing there")
    try:
        if card.path:
            records.file_of(card.path).unlink(missing_ok=True)
            _remove(card.path)
    except OSError as error:
        raise refused(card.path or Path(), error) from error


def discard(spec: Pipeline, weights: Weights, own: Path) -> None:
    """Removes what has come of a checkpoint that is not whole. Raises PegbarError."""
    parts = parts_of(spec, weights, own)
    try:
        if parts.exists():
            shutil.rmtree(parts)
    except OSError as error:
        raise refused(parts, error) from error


def _remove(path: Path) -> None:
    """Removes a file or a folder; of a link the link alone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _size(path: Path) -> int:
    """Bytes of a file or of all files in a folder, links followed."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
