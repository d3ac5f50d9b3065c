"""A drawing's strokes one by one, and put together again."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..strokes import Strokes
from .refitting import Shape

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Stroke:
    """One stroke of a drawing; its shape in pixels of the sketch."""

    shape: Shape
    depth: Array
    """(n,)"""
    opacity: NDArray[np.float32]
    """(n,)"""
    line_colour: NDArray[np.float32]
    fill_colour: NDArray[np.float32]
    layer: int
    material: int
    source: int

    @property
    def key(self) -> tuple[int, int]:
        """What a stroke of the source is known by."""
        return self.layer, self.source

    def reshaped(self, shape: Shape) -> "Stroke":
        """The stroke with another shape, the rest spread along it."""
        count, was = len(shape.points), len(self.depth)
        if count == was:
            return replace(self, shape=shape)
        at = np.linspace(0, was if shape.cyclic else was - 1, count, endpoint=not shape.cyclic)
        spread = [np.interp(at, np.arange(was + 1), np.append(values, values[0])) for values in (self.depth, self.opacity)]
        return replace(self, shape=shape, depth=spread[0], opacity=spread[1].astype(np.float32))


def apart(strokes: Strokes) -> list[Stroke]:
    """Every stroke of a drawing."""
    found = []
    for i, (first, end) in enumerate(zip(strokes.offsets[:-1].tolist(), strokes.offsets[1:].tolist(), strict=True)):
        rows = slice(first, end)
        shape = Shape(
            strokes.points[rows],
            strokes.handles[rows],
            strokes.widths[rows].astype(np.float64),
            int(strokes.curve_type[i]),
            bool(strokes.cyclic[i]),
        )
        colours = strokes.line_colour[i], strokes.fill_colour[i]
        indices = int(strokes.layer[i]), int(strokes.material[i]), int(strokes.source[i])
        found.append(Stroke(shape, strokes.depth[rows], strokes.opacity[rows], *colours, *indices))
    return found


def together(strokes: list[Stroke], like: Strokes) -> Strokes:
    """A drawing of some strokes, in their order, on the layers and of the materials of another."""
    shapes = [stroke.shape for stroke in strokes]
    return replace(
        like,
        points=np.concatenate([*(shape.points for shape in shapes), np.zeros((0, 2))]),
        depth=np.concatenate([*(stroke.depth for stroke in strokes), np.zeros(0)]),
        handles=np.concatenate([*(shape.handles for shape in shapes), np.zeros((0, 2, 2))]),
        widths=np.concatenate([*(shape.widths for shape in shapes), np.zeros(0)]).astype(np.float32),
        opacity=np.concatenate([*(stroke.opacity for stroke in strokes), np.zeros(0)]).astype(np.float32),
        offsets=np.cumsum([0, *(len(shape.points) for shape in shapes)], dtype=np.int32),
        curve_type=np.array([shape.kind for shape in shapes], np.uint8),
        cyclic=np.array([shape.cyclic for shape in shapes], bool),
        line_colour=np.array([stroke.line_colour for stroke in strokes], np.float32).reshape(-1, 4),
        fill_colour=np.array([stroke.fill_colour for stroke in strokes], np.float32).reshape(-1, 4),
        layer=np.array([stroke.layer for stroke in strokes], np.int32),
        material=np.array([stroke.material for stroke in strokes], np.int32),
        source=np.array([stroke.source for stroke in strokes], np.int32),
    )
