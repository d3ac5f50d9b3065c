"""A Grease Pencil drawing as values: every attribute that it has, read whole and written whole."""

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..engine.strokes import BEZIER, CATMULL_ROM, NURBS, POLY
from . import attributes
from .curves import DEFAULT_RADIUS, way

Values = NDArray[Any]

TYPE_NAMES = {CATMULL_ROM: "CATMULL_ROM", POLY: "POLY", BEZIER: "BEZIER", NURBS: "NURBS"}


@dataclass(frozen=True)
class Attribute:
    """One attribute of a drawing: the values of all its points or of all its strokes."""

    data_type: str
    domain: str
    values: Values


@dataclass(frozen=True)
class Drawing:
    """A drawing in its layer's own space, with every attribute that it has."""

    offsets: NDArray[np.int32]
    attributes: dict[str, Attribute]

    def values(self, name: str) -> Values:
        """An attribute's values; Blender's default where the drawing does not have it."""
        if name in self.attributes:
            return self.attributes[name].values
        if name.startswith("handle_"):
            return self.values("position")
        _, domain, default = USUAL[name]
        count = self.offsets[-1] if domain == "POINT" else len(self.offsets) - 1
        return np.broadcast_to(np.asarray(default), (count, *np.shape(default)))

    def way(self) -> NDArray[np.float64]:
        """(n,) How far along its stroke each point lies, 0..1."""
        position, bezier = self.values("position"), np.repeat(self.values("curve_type") == BEZIER, np.diff(self.offsets))
        left, right = (np.where(bezier[:, None], self.values(name), position) for name in ("handle_left", "handle_right"))
        return way(position, left, right, self.offsets, self.values("cyclic"))


def read_drawing(drawing: bpy.types.GreasePencilDrawing) -> Drawing:
    """A drawing with all its attributes but text and Blender's hidden ones."""
    kept = [a for a in drawing.attributes if attributes.known(a) and a.domain in ("POINT", "CURVE") and not a.name.startswith(".")]
    return Drawing(attributes.offsets(drawing), {a.name: Attribute(a.data_type, a.domain, attributes.values(a)) for a in kept})


def write_drawing(drawing: bpy.types.GreasePencilDrawing, content: Drawing) -> None:
    """Fills an empty drawing."""
    if len(content.offsets) < 2:
        return
    drawing.add_strokes(np.diff(content.offsets).tolist())
    types = content.values("curve_type")
    for number in set(types.tolist()) - {POLY}:
        # writing the attribute alone would leave Blender's count of curves a type as it was
        drawing.set_types(type=TYPE_NAMES[number], indices=np.flatnonzero(types == number).tolist())
    for name, attribute in content.attributes.items():
        if name != "curve_type":
            attributes.write(drawing, name, attribute.data_type, attribute.domain, attribute.values)
    drawing.tag_positions_changed()


def is_same(one: Drawing, other: Drawing) -> bool:
    """Whether two drawings are equal to the bit."""
    if not np.array_equal(one.offsets, other.offsets):
        return False
    if len(one.offsets) == 1:
        return True
    if one.attributes.keys() != other.attributes.keys():
        return False
    return all(np.array_equal(found.values, other.attributes[name].values) for name, found in one.attributes.items())


def is_default(name: str, values: Values) -> bool:
    """Whether an attribute of USUAL says what Blender takes for granted without it."""
    return bool((values == np.asarray(USUAL[name][2], values.dtype)).all())


USUAL: dict[str, tuple[str, str, Any]] = {
    "position": ("FLOAT_VECTOR", "POINT", (np.nan,) * 3),
    "handle_left": ("FLOAT_VECTOR", "POINT", (np.nan,) * 3),
    "handle_right": ("FLOAT_VECTOR", "POINT", (np.nan,) * 3),
    "radius": ("FLOAT", "POINT", DEFAULT_RADIUS),
    "opacity": ("FLOAT", "POINT", 1.0),
    "vertex_color": ("FLOAT_COLOR", "POINT", (0.0,) * 4),
    "curve_type": ("INT8", "CURVE", CATMULL_ROM),
    "cyclic": ("BOOLEAN", "CURVE", False),
    "material_index": ("INT", "CURVE", 0),
    "fill_color": ("FLOAT_COLOR", "CURVE", (0.0,) * 4),
    "fill_opacity": ("FLOAT", "CURVE", 1.0),
    "hide_stroke": ("BOOLEAN", "CURVE", False),
    "fill_id": ("INT", "CURVE", 0),
}
"""Data type, domain and Blender's default of the attributes that a take knows of."""
