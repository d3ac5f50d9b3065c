"""Reads Grease Pencil drawings as the scene shows them: evaluated, in final colours, as strokes in pixels of a view.

Blender's thread only copies arrays and projects points here; the engine rasterises. Onion skins, overlays, masks, lights, textures
and blend modes are not read.
"""

from collections.abc import Generator, Iterator, Sequence

import bpy
import numpy as np

from ..engine.protocol import InputFile, JobFolder, PegbarError
from ..engine.strokes import BEZIER, Strokes
from .colours import Paints, paints_of, stroke_colours
from .curves import cut, read_curves
from .places import Source, write_input
from .projection import Array, View, as_array, camera_view, dimensions, fitted_view, in_front, mean_scale, render_size
from .stepping import at_frames, scene_named

TAKES = "pegbar_takes"
"""Custom property of Grease Pencil data: which of its layers takes have made."""


def read(
    scene: bpy.types.Scene, sources: Sequence[Source], frames: Sequence[int], folder: JobFolder, name: str
) -> Generator[float, None, tuple[InputFile, ...]]:
    """Writes one object's drawing at each frame as strokes; frames on end that show the same share a file."""
    if len(sources) != 1:
        raise PegbarError(f"{len(sources)} drawings are chosen: choose one")
    source, scene_name = sources[0], scene.name
    view = yield from shared_view(scene, source, frames)
    files: list[InputFile] = []
    last, written, drawn = b"", 0, False

    def visit(depsgraph: bpy.types.Depsgraph, frame: int) -> None:
        nonlocal last, written, drawn
        strokes = read_drawing(source, depsgraph, frame, view)
        drawn = drawn or len(strokes.curve_type) > 0
        data = strokes.to_bytes()
        if data != last:
            written += 1
            write_input(folder.file(folder.input_file(name, written, ".npz")), data)
            last = data
        files.append(InputFile(frame, folder.input_file(name, written, ".npz")))

    yield from at_frames(scene_named(scene_name), frames, visit)
    if not drawn:
        raise PegbarError(_empty(source, frames))
    return tuple(files)


def shared_view(scene: bpy.types.Scene, source: Source, frames: Sequence[int]) -> Generator[float, None, View | None]:
    """Where the scene has no camera: one view that fits all visible layers of the object over all frames; else None.

    All layers whichever are chosen, so that what is read from one object at different times lies on top of itself.
    """
    if scene.camera is not None:
        return None
    size, matrices, extremes = render_size(scene), [], []

    def visit(depsgraph: bpy.types.Depsgraph, frame: int) -> None:
        evaluated = evaluated_of(source, depsgraph)
        matrix_world = as_array(evaluated.matrix_world)
        if dimensions(matrix_world) < 3:
            return  # scaled to nothing, as some hide a drawing for a while
        matrices.append(matrix_world)
        for layer in shown_layers(evaluated, Source("OBJECT", source.name)):
            if (key := layer.get_frame_at(frame)) and len(points := read_curves(key.drawing).position):
                matrix = np.linalg.inv(matrices[0]) @ world_matrix(evaluated, layer)
                placed = points @ matrix[:3, :3].T + matrix[:3, 3]
                extremes.extend((placed.min(axis=0), placed.max(axis=0)))

    yield from at_frames(scene, frames, visit)
    if not extremes:
        raise PegbarError(_empty(source, frames))
    return fitted_view(size, matrices[0], np.min(extremes, axis=0), np.max(extremes, axis=0))


def read_drawing(source: Source, depsgraph: bpy.types.Depsgraph, frame: int, view: View | None = None) -> Strokes:
    """The object's drawing as evaluated, the depsgraph being at `frame`, through `view` or the scene's camera."""
    evaluated = evaluated_of(source, depsgraph)
    view = view or camera_view(depsgraph.scene, depsgraph)
    layers = list(shown_layers(evaluated, source))
    # `layer.current_frame()` goes by the context's scene, which need not be the one that is read
    keys = [layer.get_frame_at(frame) for layer in layers]
    paints = paints_of(evaluated)
    shown = [(layer, key) for layer, key in zip(layers, keys, strict=True) if key and dimensions(world_matrix(evaluated, layer)) > 1]
    parts = [_layer_strokes(evaluated, layer, key, paints, view) for layer, key in shown]
    return _joined(parts, view, paints.names, max((key.frame_number for key in keys if key), default=frame))


def keys(source: Source, first: int, last: int) -> tuple[int, ...]:
    """The frames from first to last on which another drawing begins; `first` itself where one is held over it."""
    numbers = {key.frame_number for layer in shown_layers(object_of(source), source) for key in layer.frames}
    within = {number for number in numbers if first <= number <= last}
    return tuple(sorted(within | {first} if any(number < first for number in numbers) else within))


def object_of(source: Source) -> bpy.types.Object:
    """The source's object. Raises PegbarError where it went away or is no drawing."""
    found = bpy.data.objects.get(source.name)
    if found is None:
        raise PegbarError(f"The drawing {source.name!r} is no longer there: undo its deletion, give it its name back or choose another")
    if found.type != "GREASEPENCIL":
        raise PegbarError(f"{source.name!r} is no Grease Pencil drawing: choose one")
    return found


def evaluated_of(source: Source, depsgraph: bpy.types.Depsgraph) -> bpy.types.Object:
    """The source's object as evaluated. Raises PegbarError where it is in another scene or hidden, which leaves it without modifiers and
    out of date."""
    found = object_of(source)
    if source.name not in depsgraph.scene.objects:
        raise PegbarError(f"The drawing {source.name!r} is not in the scene {depsgraph.scene.name!r}: link it there or choose another")
    if not found.visible_get(view_layer=depsgraph.view_layer):
        raise PegbarError(f"The drawing {source.name!r} is hidden: show it while it is read")
    return found.evaluated_get(depsgraph)


def shown_layers(found: bpy.types.Object, source: Source) -> Iterator[bpy.types.GreasePencilLayer]:
    """The layers that are read, bottom first: visible, and chosen or, where none is chosen, not made by a take."""
    layers = found.data.layers
    if missing := [name for name in source.layers if name not in bpy.data.objects[source.name].data.layers]:
        raise PegbarError(f"The drawing {source.name!r} has no layer {missing[0]!r}: choose its layers again")
    made = {name for take in found.data.get(TAKES, {}).values() for name in take["layers"]}
    for layer in layers:
        if (layer.name in source.layers if source.layers else layer.name not in made) and not _hidden(layer):
            yield layer


def world_matrix(evaluated: bpy.types.Object, layer: bpy.types.GreasePencilLayer) -> Array:
    """(4, 4) A layer's own space to the world."""
    if layer.parent is None:
        return as_array(evaluated.matrix_world @ layer.matrix_local)
    parent = layer.parent.matrix_world
    if layer.parent_bone and layer.parent.pose and layer.parent_bone in layer.parent.pose.bones:
        parent = parent @ layer.parent.pose.bones[layer.parent_bone].matrix
    return as_array(parent @ layer.matrix_parent_inverse @ layer.matrix_local)


def _hidden(layer: bpy.types.GreasePencilLayer) -> bool:
    # the evaluated data of 4.5 and later leaves hidden layers out, the original one does not
    group = layer.parent_group
    while group is not None and not group.hide:
        group = group.parent_group
    return layer.hide or group is not None


def _layer_strokes(
    evaluated: bpy.types.Object, layer: bpy.types.GreasePencilLayer, key: bpy.types.GreasePencilFrame, paints: Paints, view: View
) -> Strokes:
    curves = read_curves(key.drawing)
    matrix = view.matrix @ world_matrix(evaluated, layer)
    if ((ahead := in_front(matrix, curves.position)) < 0).any():
        curves = cut(curves, ahead)
    points, depth, w = view.project(matrix, curves.position)
    bezier = np.repeat(curves.curve_type == BEZIER, np.diff(curves.offsets))
    handles = np.repeat(points[:, None], 2, axis=1)
    for side, at in enumerate((curves.left, curves.right)):
        handles[bezier, side] = view.project(matrix, at[bezier])[0]
    # the scale of the object enlarges a radius, that of the layer does not
    radius = np.maximum(curves.radius, 0) * mean_scale(as_array(evaluated.matrix_world))
    line, fill = stroke_colours(curves, paints)
    material = np.where(curves.material < len(paints.names), curves.material, -1)
    return Strokes(
        size=view.size,
        points=points,
        depth=depth,
        handles=handles,
        widths=(2 * radius * view.scale / np.abs(w)).astype(np.float32),
        opacity=np.clip(curves.opacity, 0, 1),
        offsets=curves.offsets,
        curve_type=curves.curve_type.astype(np.uint8),
        cyclic=curves.cyclic,
        line_colour=line,
        fill_colour=fill,
        layer=np.zeros(len(line), np.int32),
        material=material.astype(np.int32),
        source=curves.source,
        layers=(layer.name,),
        matrices=matrix[None],
        layer_opacity=(layer.opacity,),
    )


_NOTHING = {
    "points": np.zeros((0, 2)), "depth": np.zeros(0), "handles": np.zeros((0, 2, 2)),
    "widths": np.zeros(0, np.float32), "opacity": np.zeros(0, np.float32),
    "curve_type": np.zeros(0, np.uint8), "cyclic": np.zeros(0, np.bool_),
    "line_colour": np.zeros((0, 4), np.float32), "fill_colour": np.zeros((0, 4), np.float32),
    "material": np.zeros(0, np.int32), "source": np.zeros(0, np.int32),
}  # fmt: skip
"""What the layers' arrays are joined to."""


def _joined(parts: Sequence[Strokes], view: View, materials: tuple[str, ...], drawing: int) -> Strokes:
    """The strokes of all layers as one drawing."""
    arrays = {name: np.concatenate([nothing, *(getattr(part, name) for part in parts)]) for name, nothing in _NOTHING.items()}
    counts = [count for part in parts for count in np.diff(part.offsets)]
    return Strokes(
        **arrays,
        size=view.size,
        offsets=np.cumsum([0, *counts], dtype=np.int32),
        layer=np.repeat(np.arange(len(parts), dtype=np.int32), [len(part.curve_type) for part in parts]),
        layers=tuple(name for part in parts for name in part.layers),
        matrices=np.concatenate([np.zeros((0, 4, 4)), *(part.matrices for part in parts)]),
        materials=materials,
        drawing=drawing,
        layer_opacity=tuple(opacity for part in parts for opacity in part.layer_opacity),
    )


def _empty(source: Source, frames: Sequence[int]) -> str:
    where = f"frame {frames[0]}" if len(frames) == 1 else f"frames {frames[0]} to {frames[-1]}"
    layers = "its chosen layers have" if source.layers else "it has"
    return f"The drawing {source.name!r} is empty: {layers} no strokes that show on {where}; draw there or choose other frames"
