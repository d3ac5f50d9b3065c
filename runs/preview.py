"""Small pictures as icons for the panels, above all of what is being made: read by the run's timer when their file has changed, never in
a draw."""

import contextlib
from pathlib import Path

import numpy as np
from bpy.types import ImagePreview
from bpy.utils import previews
from numpy.typing import NDArray

from ..engine.protocol import PegbarError
from ..timeline.pictures import loaded

SWATCH = 32
"""Pixels that the icon of a colour is wide."""

_pictures: previews.ImagePreviewCollection | None = None
_changed: dict[str, int] = {}
"""When the file of each picture was written, by its path."""


def look(path: Path) -> None:
    """Reads a picture where there is a newer one; where it cannot be read, the one before stays."""
    with contextlib.suppress(OSError, PegbarError):
        changed = path.stat().st_mtime_ns
        if _changed.get(str(path)) != changed:
            # not by previews.load: it goes through the desktop's thumbnails, which are a second behind
            _show(str(path), loaded(path)[::-1])
            _changed[str(path)] = changed


def of(path: Path) -> ImagePreview | None:
    """A picture as last read."""
    return None if _pictures is None else _pictures.get(str(path))


def swatch(colour: str) -> int:
    """The icon of a colour, #rrggbb or #rrggbbaa: clear ones show a chequer."""
    name = f"swatch {colour}"
    if _pictures is None or name not in _pictures:
        *rgb, alpha = np.frombuffer(bytes.fromhex(colour[1:].ljust(8, "f")), np.uint8) / np.float32(255)
        chequer = 0.4 + 0.2 * (np.indices((SWATCH, SWATCH)).sum(0) // (SWATCH // 4) % 2)
        mixed = np.float32(rgb) * alpha + chequer[..., None] * (1 - alpha)
        _show(name, np.concatenate([mixed, np.ones((SWATCH, SWATCH, 1))], 2).astype(np.float32))
    return _pictures[name].icon_id


def forget(path: Path) -> None:
    """Frees a picture."""
    if _changed.pop(str(path), None) is not None:
        del _pictures[str(path)]


def _show(name: str, pixels: NDArray[np.float32]) -> None:
    """Puts pixels (h, w, 4), bottom row first, into the picture of that name."""
    global _pictures
    if _pictures is None:  # an empty collection is false
        _pictures = previews.new()
    picture = _pictures.get(name) or _pictures.new(name)
    picture.image_size = pixels.shape[1::-1]
    picture.image_pixels_float.foreach_set(pixels.ravel())


def unregister() -> None:
    global _pictures
    if _pictures is not None:
        previews.remove(_pictures)
    _pictures = None
    _changed.clear()
