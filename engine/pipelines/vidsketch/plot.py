"""The losses of a training as a picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .drawings import resized

Points = Sequence[tuple[int, float]]

_WIDTH, _HEIGHT, _MARGIN = 720, 360, 48
_PAPER, _GRID, _TEXT = (250, 250, 248), (222, 222, 218), (90, 90, 90)
_EACH, _LEARNED, _HELD_OUT = (196, 212, 232), (44, 98, 168), (206, 92, 40)
_WIDTH_SHOWN = 360
_RUNS = 50
"""The line through the losses is their mean over so many stretches."""


def losses(learned: Points, held_out: Points) -> NDArray[np.float32]:
    """Losses over steps, (h, w, 3): each step's faintly, their running mean, and those on held-out clips."""
    image = Image.new("RGB", (_WIDTH, _HEIGHT), _PAPER)
    draw = ImageDraw.Draw(image)
    last = max([step for step, _ in [*learned, *held_out]], default=1)
    most = 1.05 * max([loss for _, loss in [*learned, *held_out]], default=1.0)

    def place(points: Points) -> list[tuple[float, float]]:
        across, up = _WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN
        return [(_MARGIN + across * step / max(1, last), _HEIGHT - _MARGIN - up * loss / most) for step, loss in points]

    for quarter in range(5):
        ((left, y),) = place([(0, most * quarter / 4)])
        draw.line((left, y, _WIDTH - _MARGIN, y), _GRID)
        draw.text((4, y - 6), f"{most * quarter / 4:.3g}", _TEXT)
    for points, colour, width in ((learned, _EACH, 1), (_means(learned), _LEARNED, 2), (held_out, _HELD_OUT, 2)):
        if len(points) > 1:
            draw.line(place(points), colour, width)
    draw.text((_MARGIN, _HEIGHT - 30), f"loss over {last} steps: learned (blue)" + ", held out (orange)" * bool(held_out), _TEXT)
    return np.divide(np.asarray(image), np.float32(255), dtype=np.float32)


def under(frames: Sequence[NDArray[np.float32]], plot: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first, the middle and the last of a video's frames (h, w, 3) with the plot below them, small: what is shown as it learns."""
    row = np.concatenate([frames[0], frames[len(frames) // 2], frames[-1]], 1)
    height = round(_WIDTH_SHOWN * row.shape[0] / row.shape[1])
    return np.concatenate([resized(row, (_WIDTH_SHOWN, height)), resized(plot, (_WIDTH_SHOWN, _WIDTH_SHOWN * _HEIGHT // _WIDTH))])


def _means(points: Points) -> Points:
    length = max(1, len(points) // _RUNS)
    parts = [points[start : start + length] for start in range(0, len(points), length)]
    return [(part[len(part) // 2][0], sum(loss for _, loss in part) / len(part)) for part in parts]
