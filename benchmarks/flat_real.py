"""`flat` on real animation: lines taken from a clip in colour, coloured again from its first frame, compared with what it was.

The clip is a third party's: it lies in ../shared and neither it nor the picture that is made of it is ever handed on.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.drawing import lineart
from engine.drawing.frames import read_image

from . import flat_study
from .flat_study import Case

CLIP = Path(__file__).parents[2] / "shared" / "inputs" / "cartoon_clip"
DISTANCES = (1, 4, 12, 35)
_THRESHOLD = 0.2
"""Lines taken from a painting are fainter than drawn ones: at the default they leave most shapes open."""
_SAME, _LIKE = 16, 40
"""How far a pixel may lie from what it was, in 8-bit steps of any channel, to count as the same, or as alike."""


def report(folder: Path, frames: int = 36) -> None:
    """Prints how much agrees at some distances from the reference, and writes what was and what came of it side by side."""
    files = sorted(CLIP.glob("*.jpg"))[:frames]
    if not files:
        print(f"\nReal animation is left out: {CLIP} is not there")
        return
    images = np.stack([(read_image(file)[..., :3] * 255 + 0.5).astype(np.uint8) for file in files])
    found = flat_study.pipeline({"threshold": _THRESHOLD})(_case(images))
    assert found.sureness is not None
    print(f"\n## Real animation, painted with shading: {len(files)} frames from the first as reference")
    print(
        "| frames from the reference | same (16 steps) | alike (40 steps) | held frame: alike | flagged, of the pixels |\n|--:|--:|--:|--:|--:|"
    )
    for at in DISTANCES:
        if at < len(images):
            shares = _agreeing(images[at], found.frames[at], _SAME), _agreeing(images[at], found.frames[at], _LIKE)
            held, flagged = _agreeing(images[at], images[0], _LIKE), float((found.sureness[at] < flat_study.check_below()).mean())
            print(f"| {at} | " + " | ".join(f"{100 * share:.1f}" for share in (*shares, held, flagged)) + " |")
    folder.mkdir(exist_ok=True)
    path = folder / "flat_real.png"
    Image.fromarray(_sheet(images, found.frames)).save(path)
    print(f"Its picture (the reference, then above what was and below what flat made of it): {path}")


def _case(images: NDArray[np.uint8]) -> Case:
    """A clip whose truth is its own pictures; there are no identities."""
    ink = np.stack([lineart.extract(image.astype(np.float32) / 255) for image in images])
    lines = (ink * 255 + 0.5).astype(np.uint8)
    return Case(lines, lines, np.zeros_like(lines), np.zeros((1, 3), np.uint8), pictures=images)


def _agreeing(true: NDArray[np.uint8], found: NDArray[np.uint8], steps: int) -> float:
    """Share of the pixels that are no further apart."""
    return float((np.abs(true.astype(np.int16) - found).max(-1) <= steps).mean())


def _sheet(images: NDArray[np.uint8], frames: Mapping[int, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    shown = [at for at in DISTANCES if at < len(images)]
    reference = np.concatenate([images[0], images[0]])
    return np.concatenate([reference] + [np.concatenate([images[at], frames[at]]) for at in shown], axis=1)
