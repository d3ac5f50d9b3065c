"""What both sides know of corrections: how a take asks for them, and which colours a take has.

Standard library only.
"""

import json
from dataclasses import dataclass

from .protocol import JobFolder, write_atomic

CORRECTIONS, CORRECTS = "corrections", "corrects"
"""The input and the param by which a take corrects another one."""

_PALETTE = "palette.json"


@dataclass(frozen=True)
class Correction:
    """A colour (#rrggbb, or #rrggbbaa) for the region at a place of a frame of the shot; x and y are 0..1 across and down."""

    frame: int
    x: float
    y: float
    colour: str


def palette(folder: JobFolder) -> tuple[tuple[str, str], ...]:
    """Name and colour (#rrggbb, or #rrggbbaa where it is not opaque) of each colour that a take has; nothing before it is done."""
    try:
        return tuple((str(name), str(colour)) for name, colour in json.loads((folder.state_folder / _PALETTE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return ()


def keep_palette(folder: JobFolder, colours: list[tuple[str, str]]) -> None:
    """Tells the other side a take's colours. Raises PegbarError."""
    write_atomic(folder.state_folder / _PALETTE, json.dumps(colours).encode())
