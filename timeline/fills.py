"""Places fills as a Grease Pencil layer under the lines that they were made from, with one material a colour of the palette.

A material once made for a colour, or taken from a reference, stays that colour's material on its object, whatever the artist makes of it.
"""

import itertools
from collections.abc import Generator, Sequence
from dataclasses import replace

import bpy
import numpy as np
from numpy.typing import NDArray

from ..engine.protocol import FrameWritten, Job, JobFolder, PegbarError
from ..engine.strokes import Strokes
from . import layers
from .carrying import carried
from .colours import encoded, linear
from .drawings import Drawing, read_drawing, write_drawing
from .grease_pencil import object_of
from .places import Placed, Source, Target, existing, last_frame, sign, title

FILLS = "fills"
"""In a take's entry on Grease Pencil data: its layers are no drawings of their own but lie under the source's lines."""
COLOUR = "pegbar_colour"
"""Custom property of a material: the colour of a palette that it stands for, as #rrggbb in sRGB."""
SCANS = np.linspace(0.05, 0.95, 13)
"""Shares of a fill's points above the heights at which a place in it is looked for."""

Colour = tuple[float, ...]
Palette = list[tuple[str, Colour | None]]
"""The name and the sRGB colour of each material of the fills; None where no fill has it."""
NOTHING = Drawing(np.zeros(1, np.int32), {})


def write(
    scene: bpy.types.Scene, folder: JobFolder, job: Job, frames: Sequence[FrameWritten], target: Target
) -> Generator[float, None, Placed]:
    """Places fills on one layer under all layers that were read, one key a drawing: a frame on which they are as before holds them.

    Where the object has modifiers, which would act on them, they lie on a copy of it without any.
    """
    files = yield from existing(folder, frames)
    fills: dict[int, Strokes] = {}
    for frame, path in files.items():
        fills[frame] = Strokes.load(path)
        yield 0.3 * len(fills) / len(files)
    homes = tuple(dict.fromkeys(name for strokes in fills.values() for name in strokes.layers))
    read = yield from _layers_read(folder, job)
    source = Source("OBJECT", target.source, homes)
    measures = layers.measures(source)
    keys: layers.Keys = {name: {} for name in homes}
    for done, (frame, strokes) in enumerate(fills.items()):
        for name in homes:
            slots = replace(measures[name], slots=strokes.materials)
            drawing = carried(strokes, None, None, name, slots) if name in strokes.layers else NOTHING
            layers.add(keys[name], frame, drawing)
        yield 0.5 + 0.5 * done / len(fills)
    for drawn in keys.values():
        layers.add(drawn, last_frame(files, job.shot) + 1, NOTHING)
    return _place(source, read, keys, _palette(list(fills.values())), folder, job, frames)


def _layers_read(folder: JobFolder, job: Job) -> Generator[float, None, set[str]]:
    """The names of all layers of the line art."""
    found: set[str] = set()
    for file in {file.file: None for file in next(iter(job.inputs.values()))}:
        found |= set(Strokes.load(folder.file(file)).layers)
        yield 0.4
    return found


def _palette(fills: Sequence[Strokes]) -> Palette:
    used = {int(i): tuple(map(float, paint)) for strokes in fills for i, paint in zip(strokes.material, strokes.fill_colour, strict=True)}
    names = max((strokes.materials for strokes in fills), key=len)
    return [(name, used.get(i)) for i, name in enumerate(names)]


def _place(
    source: Source,
    read: set[str],
    keys: layers.Keys,
    palette: Palette,
    folder: JobFolder,
    job: Job,
    frames: Sequence[FrameWritten],
) -> Placed:
    found = object_of(source)
    if layers.has_modifiers(found) or not found.data.is_editable:
        found = layers.copy(found, source, title(source.name, folder, frames[0].output))
        sign(found, folder, job, source.name)
        made = {name: name for name in source.layers}
    else:
        made = {name: layers.layer_above(found, found.data.layers[name], f"{name} colour") for name in source.layers}
        lowest = next((layer.name for layer in found.data.layers if layer.name in read), source.layers[0])
        for name in made.values():
            _move_under(found.data, name, lowest)
        layers.sign_layers(found.data, tuple(made.values()), folder, job, {FILLS: True})
    slots = _slots(found.data, palette)
    for name, drawings in keys.items():
        layer = found.data.layers[made[name]]
        _show_plainly(layer)
        for frame, drawing in drawings.items():
            write_drawing(layer.frames.new(frame).drawing, _on_slots(drawing, slots))
    return Placed("OBJECT", found.name, tuple(made.values()))


def _on_slots(drawing: Drawing, slots: Sequence[int]) -> Drawing:
    """The drawing with the object's slots in place of the palette's numbers."""
    if len(drawing.offsets) < 2:
        return drawing
    index = drawing.attributes["material_index"]
    return replace(drawing, attributes=drawing.attributes | {"material_index": replace(index, values=np.int32(slots)[index.values])})


def _move_under(data: bpy.types.GreasePencil, name: str, lowest: str) -> None:
    layers, group = data.layers, data.layers[lowest].parent_group
    if group is not None and layers[name].parent_group != group:
        layers.move_to_layer_group(layers[name], group)
    for _ in range(len(layers)):
        order = [layer.name for layer in layers]
        if order.index(name) < order.index(lowest):
            return
        layers.move(layers[name], "DOWN")


def _show_plainly(layer: bpy.types.GreasePencilLayer) -> None:
    """Takes away what was meant for the lines."""
    layer.opacity, layer.blend_mode, layer.tint_factor, layer.radius_offset = 1.0, "REGULAR", 0.0, 0.0
    layer.use_masks = layer.use_lights = False


def _slots(data: bpy.types.GreasePencil, palette: Palette) -> list[int]:
    """The slot of each colour's material on the data, made where there is none."""
    slots = []
    for name, colour in palette:
        material = _material(data, name, colour) if colour else None
        if material and material.name not in data.materials:
            data.materials.append(material)
        slots.append(list(data.materials).index(material) if material else 0)
    return slots


def _material(data: bpy.types.GreasePencil, name: str, colour: Colour) -> bpy.types.Material:
    """The material of a colour: the one that it already has on this object, the reference's own, or a new one."""
    tag = _hex(colour)
    material = next((own for own in data.materials if own and own.get(COLOUR) == tag), None)
    if material is None and _shows(bpy.data.materials.get(name), tag):
        material = bpy.data.materials[name]
    if material is None:
        material = bpy.data.materials.new(name)
        bpy.data.materials.create_gpencil_data(material)
        style = material.grease_pencil
        style.show_stroke, style.show_fill = False, True
        style.color = style.fill_color = (*linear(np.array(colour[:3])), colour[3])
    if material.is_editable:
        material[COLOUR] = tag
    return material


def _shows(material: bpy.types.Material | None, tag: str) -> bool:
    """Whether a material's plain fill has a colour."""
    style = material.grease_pencil if material else None
    return style is not None and style.fill_style == "SOLID" and not style.hide and _hex(_seen(style)) == tag


def _seen(style: bpy.types.MaterialGPencilStyle) -> Colour:
    return (*encoded(np.float32(style.fill_color[:3])).tolist(), style.fill_color[3])


def _hex(colour: Sequence[float]) -> str:
    return "#" + bytes(int(part * 255 + 0.5) for part in (colour if colour[3] < 1 else colour[:3])).hex()


def recoloured(found: bpy.types.Object, layer: str, frame: int, strokes: Strokes) -> list[tuple[tuple[float, float], bpy.types.Material]]:
    """The fills of a drawing that no longer have the material of the take's `strokes`: a place in each, 0..1 across and down the picture,
    and the material. Raises PegbarError where strokes were added, removed or cut."""
    key = found.data.layers[layer].get_frame_at(frame)
    drawing = read_drawing(key.drawing) if key else NOTHING
    if not np.array_equal(drawing.offsets, strokes.offsets):
        raise PegbarError(f"{layer!r} has other fills on frame {frame} than its take: only changed materials can be carried on")
    slots, changed = found.data.materials, []
    for fill, slot in enumerate(drawing.values("material_index").tolist()):
        material = slots[slot] if slot < len(slots) else None
        if material is not None and material.get(COLOUR) != _hex(strokes.fill_colour[fill].tolist()):
            changed.append((place_in(strokes, fill), material))
    return changed


def colour_of(material: bpy.types.Material) -> str:
    """The palette's colour that a material stands for; one that is new to it stands from now on for what it shows."""
    if COLOUR not in material and material.grease_pencil:
        material[COLOUR] = _hex(_seen(material.grease_pencil))
    return str(material.get(COLOUR, "#000000"))


def place_in(strokes: Strokes, fill: int) -> tuple[float, float]:
    """A place of the picture, 0..1 across and down, at which a fill is seen: in the middle of its longest stretch that no later one hides."""
    polygons = [strokes.points[a:b] for a, b in itertools.pairwise(strokes.offsets.tolist())]
    heights = np.quantile(polygons[fill][:, 1], SCANS)
    best, widest = (0.0, 0.0), -1.0
    for y in heights.tolist():
        edges = np.sort(np.concatenate([_crossings(polygon, y) for polygon in polygons[fill:]]))
        for left, right in itertools.pairwise(edges.tolist()):
            middle = (left + right) / 2
            if (
                right - left > widest
                and _is_inside(polygons[fill], middle, y)
                and not any(_is_inside(p, middle, y) for p in polygons[fill + 1 :])
            ):
                best, widest = (middle, y), right - left
    width, height = strokes.size
    return min(max(best[0] / width, 0.0), 1.0), min(max(best[1] / height, 0.0), 1.0)


def _crossings(polygon: NDArray[np.float64], y: float) -> NDArray[np.float64]:
    """Where a polygon's edges cross a height."""
    start, end = polygon, np.roll(polygon, -1, 0)
    across = (start[:, 1] > y) != (end[:, 1] > y)
    start, end = start[across], end[across]
    return start[:, 0] + (y - start[:, 1]) / (end[:, 1] - start[:, 1]) * (end[:, 0] - start[:, 0])


def _is_inside(polygon: NDArray[np.float64], x: float, y: float) -> bool:
    return bool((_crossings(polygon, y) > x).sum() % 2)
