"""Where inputs come from and where results go: Source, Target, Placed, by name.

Names and not bpy references: those die on undo, on File > Open and when the artist deletes something during a run.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Source:
    """Where an input comes from. `name`: of the object, strip or image; path of a file."""

    type: Literal["OBJECT", "STRIP", "IMAGE", "FILE"]
    name: str
    layers: tuple[str, ...] = ()
    """OBJECT: the layers that are read; empty for all visible ones."""
    at: int | None = None
    """References: the frame number of the shot that it stands for."""
    frame: int | None = None
    """References: the frame at which a strip or drawing is read; None for the same as `at`."""


@dataclass(frozen=True)
class Target:
    """What a result becomes: an image strip, a plane, an image empty, the scene camera's background; a Grease Pencil layer for strokes."""

    type: Literal["STRIP", "PLANE", "EMPTY", "CAMERA", "LAYER"]
    source: str = ""
    """The object or strip that the take was made from: the result lies beside it, is named after it and looks like it."""
    hold: bool = False
    """LAYER: the last drawing stays for ever; else an empty key ends it after the shot."""


@dataclass(frozen=True)
class Placed:
    """What was made: the strip, or the object and (LAYER) its layers, by name."""

    type: Literal["STRIP", "OBJECT"]
    name: str
    layers: tuple[str, ...] = ()
