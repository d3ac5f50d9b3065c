"""What a run keeps in its state folder: of each drawing its regions, lines and matches, and of the shot what its colours follow from.

With it a run that was cut off goes on, and a take that is corrected needs no drawing anew. Every file is whole or not there.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...corrections import keep_palette
from ...drawing.cels import Lines
from ...drawing.regions import Colours, Labels
from ...protocol import JobFolder, write_atomic
from .description import Floats, Regions
from .matching import Matched

Ints = NDArray[np.int32]
Kept = TypeVar("Kept", Regions, Matched, Lines, "Runs", "Book", "Shown")


@dataclass(frozen=True)
class Runs:
    """A picture (h, w) of numbers as its stretches of one number in a row, in reading order: a fiftieth of its pixels."""

    start: Ints
    """(r,) where each begins"""
    value: Ints
    """(r,)"""
    shape: Ints
    """(2,) h and w"""

    @classmethod
    def of(cls, picture: Labels) -> "Runs":
        """The stretches of a picture."""
        heads = np.ones(picture.shape, bool)
        np.not_equal(picture[:, 1:], picture[:, :-1], out=heads[:, 1:])
        start = np.flatnonzero(heads)
        return cls(start.astype(np.int32), picture.ravel()[start].astype(np.int32), np.array(picture.shape, np.int32))

    def painted(self, colours: NDArray[Any]) -> NDArray[Any]:
        """The picture, each number being replaced by its row of `colours`."""
        h, w = (int(side) for side in self.shape)
        rows = np.repeat(np.ascontiguousarray(colours)[self.value], np.diff(np.append(self.start, h * w)), axis=0)
        return rows.reshape(h, w, *colours.shape[1:])

    def picture(self) -> Labels:
        """The picture itself."""
        return self.painted(np.arange(int(self.value.max()) + 1, dtype=np.int32))

    def rows(self, value: int) -> tuple[Ints, Ints, Ints]:
        """Row, first column, and column after the last, of each stretch of a number."""
        runs, (h, w) = np.flatnonzero(self.value == value), (int(side) for side in self.shape)
        y, left = np.divmod(self.start[runs], w)
        return y, left, left + np.append(self.start, h * w)[runs + 1] - self.start[runs]

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


def keep_book(state: State, book: Book, shown: Shown) -> None:
    """Keeps what the colours of a take follow from, and which it has. Raises PegbarError."""
    save(state.book, book)
    colours = [(name, hex_of(colour)) for name, colour in zip(book.names, book.palette, strict=True)]
    keep_palette(JobFolder(state.folder.parent), colours)
    save(state.shown, shown)


def hex_of(colour: Colours) -> str:
    """A colour (4,) as #rrggbb, or #rrggbbaa where it is not opaque."""
    return "#" + bytes(colour[: 3 if colour[3] == 255 else 4]).hex()


def save(path: Path, content: Regions | Matched | Lines | Runs | Book | Shown) -> None:
    """Keeps something. Raises PegbarError."""
    values = {field.name: getattr(content, field.name) for field in fields(content)}
    arrays = {name: np.frombuffer(json.dumps(v).encode(), np.uint8) if isinstance(v, tuple) else v for name, v in values.items()}
    # what stays is packed, which takes a few ms; what is soon gone is not
    save_arrays(path, arrays, zipfile.ZIP_STORED if isinstance(content, Regions | Matched) else zipfile.ZIP_DEFLATED)


def load(path: Path, kind: type[Kept]) -> Kept:
    """Gives back what was kept."""
    with np.load(path) as file:
        values = {field.name: file[field.name] for field in fields(kind)}
    if "names" in values:
        values["names"] = tuple(json.loads(bytes(values["names"])))
    return kind(**values)


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], method: int = zipfile.ZIP_DEFLATED) -> None:
    """Keeps arrays by name. Raises PegbarError."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method, compresslevel=1) as file:
        for name, array in arrays.items():
            with file.open(f"{name}.npy", "w") as entry:
                np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)
    write_atomic(path, buffer.getvalue())
