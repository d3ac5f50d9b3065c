"""What a run keeps in its state folder: of each drawing its regions, lines and matches, and of the shot what its colours follow from.

With it a run that was cut off goes on, and a take that is corrected needs no drawing anew. Every file is whole or not there.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...drawing.cels import Lines
from ...drawing.regions import Colours, Labels
from ...protocol import write_atomic
from .description import Floats, Regions
from .matching import Matched

Ints = NDArray[np.int32]
Kept = TypeVar("Kept", Regions, Matched, Lines, "Runs", "Book", "Shown")


@dataclass(frozen=True)
class Runs:
    """A picture (h, w) of numbers as its stretches of one number, in reading order: a fiftieth of its pixels."""

    start: Ints
    """(r,) where each begins"""
    value: Ints
    """(r,)"""
    shape: Ints
    """(2,) h and w"""

    @classmethod
    def of(cls, picture: Labels) -> "Runs":
        """The stretches of a picture."""
        flat = picture.ravel()
        start = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
        return cls(start.astype(np.int32), flat[start].astype(np.int32), np.array(picture.shape, np.int32))

    def painted(self, colours: NDArray[Any]) -> NDArray[Any]:
        """The picture, each number being replaced by its row of `colours`."""
        h, w = (int(side) for side in self.shape)
        rows = np.repeat(np.ascontiguousarray(colours)[self.value], np.diff(np.append(self.start, h * w)), axis=0)
        return rows.reshape(h, w, *colours.shape[1:])

    def picture(self) -> Labels:
        """The picture itself."""
        return self.painted(np.arange(int(self.value.max()) + 1, dtype=np.int32))

    def at(self, x: float, y: float) -> int:
        """The number at a place, 0..1 across and down."""
        h, w = (int(side) for side in self.shape)
        row, column = min(max(int(y * h), 0), h - 1), min(max(int(x * w), 0), w - 1)
        return int(self.value[np.searchsorted(self.start, row * w + column, side="right") - 1])


@dataclass(frozen=True)
class Book:
    """What the colours of a shot follow from: all regions of all cels, n in a row, as the matching left them."""

    palette: Colours
    """(p, 4)"""
    names: tuple[str, ...]
    """Of the palette's colours."""
    first: Ints
    """(cels + 1,) cel i owns the regions first[i] to first[i + 1]."""
    colour: Ints
    """(n,) palette index"""
    sure: Floats
    """(n,) how probably that is right"""
    partner: Ints
    """(n,) the region that each was taken to be, in another cel; -1 for none, -2 for a region of a reference"""
    link: Floats
    """(n,) how surely so"""
    given: NDArray[np.bool_]
    """(cels,) whose colours a reference shows"""


@dataclass(frozen=True)
class Shown:
    """The colours of all regions of a shot after corrections."""

    colour: Ints
    """(n,) palette index"""
    sure: Floats
    """(n,) how probably that is right"""


@dataclass(frozen=True)
class State:
    """The state folder of a run."""

    folder: Path

    def file(self, name: str, cel: int) -> Path:
        """Where something of one cel is kept."""
        return self.folder / f"{name}_{cel:05d}.npz"

    @property
    def book(self) -> Path:
        """What the shot's colours follow from."""
        return self.folder / "book.npz"

    @property
    def shown(self) -> Path:
        """The colours that the pictures have: the book's but for what was corrected."""
        return self.folder / "shown.npz"

    @property
    def before(self) -> Path:
        """The colours that the pictures of the take had that is corrected."""
        return self.folder / "before.npz"


def save(path: Path, content: Regions | Matched | Lines | Runs | Book | Shown) -> None:
    """Keeps something. Raises PegbarError."""
    values = {field.name: getattr(content, field.name) for field in fields(content)}
    save_arrays(path, {name: np.frombuffer(json.dumps(v).encode(), np.uint8) if isinstance(v, tuple) else v for name, v in values.items()})


def load(path: Path, kind: type[Kept]) -> Kept:
    """Gives back what was kept."""
    with np.load(path) as file:
        values = {field.name: file[field.name] for field in fields(kind)}
    if "names" in values:
        values["names"] = tuple(json.loads(bytes(values["names"])))
    return kind(**values)


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keeps arrays by name. Raises PegbarError."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(arrays))
    write_atomic(path, buffer.getvalue())
