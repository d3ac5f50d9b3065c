"""Strokes as they cross the boundary: arrays of control points in pixels, one `.npz` a drawing.

Standard library and numpy, which Blender ships: the one file of the format, read and written on both sides. A binary file since a
100-frame shot of 300 strokes of 30 points costs Blender's thread 0.07 s so, and 1 s as JSON text. Knows no bpy and no pixel.
"""

import io
import json
import struct
import tokenize
import zipfile
import zlib
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import INPUT_UNREADABLE
from .protocol import PegbarError, write_atomic

MOST_BYTES = 1 << 30
"""Of a drawing: five million points take half of it."""
CATMULL_ROM, POLY, BEZIER, NURBS = 0, 1, 2, 3
"""Curve types, with Blender's numbers."""


@dataclass(frozen=True)
class Strokes:
    """One drawing: s strokes of n control points in all, on l layers with m materials, in painting order (bottom first).

    Coordinates are pixels of the sketch, x right, y down, (0, 0) the outer corner of the top left pixel. Colours are sRGB 0..1 with straight
    alpha; an alpha of 0 means that the line or the fill is not drawn.
    """

    size: tuple[int, int]
    """Width and height of the sketch in pixels."""
    points: NDArray[np.float64]
    """(n, 2)"""
    depth: NDArray[np.float64]
    """(n,) normalised device z: with `points` and `matrices` it leads back to the layer's own space."""
    handles: NDArray[np.float64]
    """(n, 2, 2) left and right Bézier handles; equal to the point on other curves."""
    widths: NDArray[np.float32]
    """(n,) diameters in pixels."""
    opacity: NDArray[np.float32]
    """(n,) 0..1"""
    offsets: NDArray[np.int32]
    """(s + 1,) stroke i owns points offsets[i] to offsets[i + 1]."""
    curve_type: NDArray[np.uint8]
    """(s,)"""
    cyclic: NDArray[np.bool_]
    """(s,)"""
    line_colour: NDArray[np.float32]
    """(s, 4)"""
    fill_colour: NDArray[np.float32]
    """(s, 4)"""
    layer: NDArray[np.int32]
    """(s,) index into `layers`."""
    material: NDArray[np.int32]
    """(s,) index into `materials`; -1 for none."""
    source: NDArray[np.int32]
    """(s,) index of the stroke of the source drawing (of the layer it is on, in Blender's order) that this one is; -1 for a new one."""
    layers: tuple[str, ...]
    matrices: NDArray[np.float64]
    """(l, 4, 4) a layer's own space to clip space, homogeneous columns: clip = matrix @ (x, y, z, 1)."""
    materials: tuple[str, ...] = ()
    drawing: int = 0
    """The frame number of the key that holds this drawing."""
    layer_opacity: tuple[float, ...] = ()
    """0..1 of each layer, by which it is laid as a whole on those below; 1 where empty."""

    def save(self, path: Path) -> None:
        """Writes the drawing as one `.npz`, whole or not at all."""
        write_atomic(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """The drawing as an uncompressed `.npz`: the same strokes give the same bytes."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _NAMES}
        names = json.dumps({name: getattr(self, name) for name in _NAMES}).encode()
        buffer = io.BytesIO()
        np.savez(buffer, names=np.frombuffer(names, np.uint8), **arrays)
        return buffer.getvalue()

    @classmethod
    def load(cls, path: Path) -> "Strokes":
        """Reads a drawing. Raises PegbarError where the file is missing or damaged."""
        try:
            _check_size(path)
            with np.load(path, allow_pickle=False) as file:
                names = json.loads(bytes(file["names"]))
                arrays = {f.name: file[f.name] for f in fields(cls) if f.name not in _NAMES}
            strokes = cls(
                size=(int(names["size"][0]), int(names["size"][1])),
                layers=tuple(names["layers"]),
                materials=tuple(names["materials"]),
                drawing=int(names["drawing"]),
                layer_opacity=tuple(map(float, names["layer_opacity"])),
                **arrays,
            )
            strokes.check()
            return strokes
        except OSError as error:
            raise PegbarError(f"{path} cannot be read ({error.strerror or error}): read the drawing again", INPUT_UNREADABLE) from error
        except _DAMAGED as error:
            raise PegbarError(
                f"{path} is not a drawing's file or is damaged ({error}): read the drawing again", INPUT_UNREADABLE
            ) from error

    def check(self) -> None:
        """Raises ValueError where the arrays do not fit together."""
        n, s, count = len(self.points), len(self.curve_type), len(self.layers)
        shapes = {
            "points": (n, 2), "depth": (n,), "handles": (n, 2, 2), "widths": (n,), "opacity": (n,), "offsets": (s + 1,),
            "cyclic": (s,), "line_colour": (s, 4), "fill_colour": (s, 4), "layer": (s,), "material": (s,), "source": (s,),
            "matrices": (count, 4, 4),
        }  # fmt: skip
        for name, shape in shapes.items():
            if (array := getattr(self, name)).shape != shape:
                raise ValueError(f"{name} is {array.shape}, not {shape}")
            if array.dtype.kind not in "fiub":
                raise ValueError(f"{name} holds no numbers but {array.dtype}")
        if self.offsets[0] != 0 or self.offsets[-1] != n or (np.diff(self.offsets) < 0).any():
            raise ValueError("offsets do not run from 0 to the number of points")
        if len(self.layer_opacity) not in (0, count):
            raise ValueError(f"{len(self.layer_opacity)} layers have an opacity, not {count}")
        if min(self.size) < 1:
            raise ValueError(f"its size is {self.size[0]}x{self.size[1]}")
        if s and not (self.layer.min() >= 0 and self.layer.max() < count):
            raise ValueError("a stroke is on no layer")


def _check_size(path: Path) -> None:
    """Raises where a drawing would fill the memory, or is no file that ends."""
    if path.exists() and not path.is_file():
        raise ValueError("it is no file")
    with zipfile.ZipFile(path) as archive:
        if (size := sum(entry.file_size for entry in archive.infolist())) > MOST_BYTES:
            raise ValueError(f"it is said to hold {size} bytes")


_DAMAGED = (
    ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError, OverflowError, RecursionError, MemoryError, NotImplementedError,
    RuntimeError, zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, SyntaxError,
)  # fmt: skip
"""What numpy and zipfile raise of a damaged file: numpy reads the shape of an array as Python's own text."""
_NAMES = ("size", "layers", "materials", "drawing", "layer_opacity")
