"""The colours in which Blender draws a stroke and its fill: material and the stroke's own colours."""

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .curves import Curves
from .versions import FILLS_BY_ATTRIBUTE

Colours = NDArray[np.float32]

_NO_MATERIAL = (0.6, 0.6, 0.6, 1.0)
"""What Blender draws a stroke in whose material slot is empty; linear."""


@dataclass(frozen=True)
class Paints:
    """The colours (m, 4), linear, of an object's material slots and whether they are drawn; the last row stands for no material."""

    names: tuple[str, ...]
    line: Colours
    fill: Colours
    has_line: NDArray[np.bool_]
    has_fill: NDArray[np.bool_]


def paints_of(evaluated: bpy.types.Object) -> Paints:
    """The colours of an evaluated object's material slots."""
    slots = [slot.material for slot in evaluated.material_slots]
    rows = [_row(material.grease_pencil if material else None) for material in [*slots, None]]
    line, fill, has_line, has_fill = zip(*rows, strict=True)
    names = tuple(material.name if material else "" for material in slots)
    return Paints(names, np.float32(line), np.float32(fill), np.array(has_line), np.array(has_fill))


def stroke_colours(curves: Curves, paints: Paints) -> tuple[Colours, Colours]:
    """Line and fill colour (s, 4) of each stroke, sRGB; a line that changes its colour along its way has the mean of it.

    The layer's tint is in the evaluated curves already; its opacity is not in the colours, since it is the layer's as a whole.
    """
    slots = len(paints.line) - 1
    slot = np.where((curves.material >= 0) & (curves.material < slots), curves.material, slots)
    along = np.repeat(np.arange(len(slot)), np.diff(curves.offsets))
    line = paints.line[slot]
    mixed = _mix(line[along], curves.colour)
    sums = np.stack([np.bincount(along, mixed[:, c], len(slot)) for c in range(3)], axis=1)
    line[:, :3] = sums / np.maximum(np.diff(curves.offsets), 1)[:, None]
    fill = paints.fill[slot]
    fill[:, :3] = _mix(fill, curves.fill_colour)
    fill[:, 3] *= np.clip(curves.fill_opacity, 0, 1)
    for colours, drawn in ((line, paints.has_line[slot] & ~curves.hide_line), (fill, paints.has_fill[slot])):
        colours[:, :3] = encoded(colours[:, :3])
        colours[:, 3] *= drawn
    if FILLS_BY_ATTRIBUTE:
        fill[:, 3] *= curves.fill_id != 0
    return line, fill


def _row(style: bpy.types.MaterialGPencilStyle | None) -> tuple[tuple[float, ...], tuple[float, ...], bool, bool]:
    if style is None:
        return _NO_MATERIAL, _NO_MATERIAL, True, FILLS_BY_ATTRIBUTE
    line, fill = np.array(style.color), np.array(style.fill_color)
    if style.fill_style == "GRADIENT":
        fill = (fill + np.array(style.mix_color)) / 2
    # a holdout shows what lies behind the drawing, which is paper
    line[:3] = 1.0 if style.use_stroke_holdout else line[:3]
    fill[:3] = 1.0 if style.use_fill_holdout else fill[:3]
    shown = not style.hide
    if FILLS_BY_ATTRIBUTE:
        return tuple(line), tuple(fill), shown, shown
    return tuple(line), tuple(fill), shown and style.show_stroke, shown and style.show_fill


def _mix(below: Colours, above: Colours) -> Colours:
    return below[:, :3] + (above[:, :3] - below[:, :3]) * above[:, 3:]


def encoded(linear: Colours) -> Colours:
    """Linear light of any shape -> sRGB, clipped to 0..1."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


def linear(srgb: NDArray[Any]) -> NDArray[Any]:
    """sRGB 0..1 of any shape -> linear light."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
