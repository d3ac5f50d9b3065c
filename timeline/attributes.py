"""The one door to the attributes of a Grease Pencil drawing: whole arrays in and out, with Blender's defaults where one is absent."""

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

_LAYOUT: dict[str, tuple[str, type, tuple[int, ...]]] = {
    "FLOAT": ("value", np.float32, ()),
    "INT": ("value", np.int32, ()),
    "INT8": ("value", np.int8, ()),
    "BOOLEAN": ("value", np.bool_, ()),
    "FLOAT_VECTOR": ("vector", np.float32, (3,)),
    "FLOAT2": ("vector", np.float32, (2,)),
    "FLOAT4": ("vector", np.float32, (4,)),
    "FLOAT_COLOR": ("color", np.float32, (4,)),
    "BYTE_COLOR": ("color", np.float32, (4,)),
    "QUATERNION": ("value", np.float32, (4,)),
    "FLOAT4X4": ("value", np.float32, (16,)),
    "INT16_2D": ("value", np.int32, (2,)),
    "INT32_2D": ("value", np.int32, (2,)),
}
"""Name of the value, its type and its shape, by an attribute's data type. Text has no array form and is passed over."""


def offsets(drawing: bpy.types.GreasePencilDrawing) -> NDArray[np.int32]:
    """(s + 1,) stroke i owns points offsets[i] to offsets[i + 1]."""
    strokes = drawing.attributes.domain_size("CURVE")
    values = np.zeros(strokes + 1, np.int32)
    if strokes:
        drawing.curve_offsets.foreach_get("value", values)
    return values


def read(drawing: bpy.types.GreasePencilDrawing, name: str, count: int, default: Any) -> NDArray[Any]:
    """An attribute's values, `count` of them; `default`, repeated, where it is absent."""
    attribute = drawing.attributes.get(name)
    if attribute is None or len(attribute.data) != count:
        return np.broadcast_to(np.asarray(default), (count, *np.shape(default))).copy()
    return values(attribute)


def values(attribute: bpy.types.Attribute) -> NDArray[Any]:
    """All values of an attribute, of which `known` is true."""
    key, kind, shape = _LAYOUT[attribute.data_type]
    array = np.empty((len(attribute.data), *shape), kind)
    attribute.data.foreach_get(key, array.reshape(-1))
    return array


def known(attribute: bpy.types.Attribute) -> bool:
    """Whether an attribute's values are an array."""
    return attribute.data_type in _LAYOUT


def as_stored(data_type: str, array: NDArray[Any]) -> NDArray[Any]:
    """The values as Blender keeps them, so that setting them copies memory and no more."""
    return np.ascontiguousarray(array, _LAYOUT[data_type][1])


def write(drawing: bpy.types.GreasePencilDrawing, name: str, data_type: str, domain: str, array: NDArray[Any]) -> None:
    """Sets an attribute's values, making it where it is absent (a second `new` of a name would make `position.001`)."""
    attribute = drawing.attributes.get(name) or drawing.attributes.new(name, data_type, domain)
    attribute.data.foreach_set(_LAYOUT[data_type][0], as_stored(data_type, array).reshape(-1))
