"""Places strokes as Grease Pencil layers: beside the layers that they were read from, every stroke with all that its source has."""

from collections.abc import Generator, Mapping, Sequence

import bpy
import numpy as np

from ..engine.protocol import FrameWritten, Job, JobFolder, PegbarError
from ..engine.strokes import Strokes
from .carrying import Measure, carried
from .drawings import Drawing, is_same, read_drawing, write_drawing
from .grease_pencil import TAKES, object_of, shown_layers, world_matrix
from .places import Placed, Source, Target, existing, from_file, last_frame, sign, title
from .projection import as_array, mean_scale
from .stepping import at_frames, scene_named

Keys = dict[str, dict[int, Drawing]]
"""What each layer, by its source layer's name, shows from each frame number on."""


def write(
    scene: bpy.types.Scene, folder: JobFolder, job: Job, frames: Sequence[FrameWritten], target: Target
) -> Generator[float, None, Placed]:
    """Places strokes on a new layer above each layer that they were read from, one key a drawing: a frame on which the layer is as before
    holds it.

    Where the object has modifiers, which would act on them a second time, they lie on a copy of it without any. A stroke whose source
    is as it was read moves as the take moved it and keeps all else; one whose source is gone or edited comes from the take alone.
    """
    scene_name = scene.name
    files = yield from existing(folder, frames)
    drawings: dict[int, Strokes] = {}
    for frame, path in files.items():
        drawings[frame] = Strokes.load(path)
        yield 0.2 * len(drawings) / len(files)
    names = tuple(dict.fromkeys(name for strokes in drawings.values() for name in strokes.layers))
    source = Source("OBJECT", target.source, names)
    inputs = yield from _inputs(folder, job)
    read_at = {frame: _read_at(strokes, frame, inputs) for frame, strokes in drawings.items()}
    originals = yield from _originals(scene_named(scene_name), source, sorted(set(read_at.values()) - {None}))
    measured = measures(source)
    keys: Keys = {name: {} for name in names}
    for done, (frame, strokes) in enumerate(drawings.items()):
        was = inputs.get(read_at[frame])
        for name in names:
            original = originals.get(read_at[frame], {}).get(name)
            add(keys[name], frame, carried(strokes, was, original, name, measured[name]))
        yield 0.4 + 0.6 * done / len(drawings)
    for drawn in keys.values():
        add(drawn, last_frame(files, job.shot) + 1, Drawing(np.zeros(1, np.int32), {}))
    return _place(source, keys, folder, job, frames)


def add(drawn: dict[int, Drawing], frame: int, drawing: Drawing) -> None:
    """Adds what a layer shows from a frame on; the last drawing is held where it is the same."""
    if not drawn or not is_same(drawing, next(reversed(drawn.values()))):
        drawn[frame] = drawing


def _inputs(folder: JobFolder, job: Job) -> Generator[float, None, dict[int | None, Strokes]]:
    """The drawings that the job was given, by the frame number at which they were read."""
    loaded: dict[str, Strokes] = {}
    found: dict[int | None, Strokes] = {}
    for file in sorted((file for files in job.inputs.values() for file in files), key=lambda file: file.frame):
        if file.file.endswith(".npz"):
            loaded[file.file] = found[file.frame] = loaded.get(file.file) or Strokes.load(folder.file(file.file))
            yield 0.2
    return found


def _read_at(strokes: Strokes, frame: int, inputs: Mapping[int | None, Strokes]) -> int | None:
    """The frame number of the input that a result's drawing is made from: the last one up to its own that shows the same drawing."""
    same = [number for number, was in inputs.items() if number is not None and was.drawing == strokes.drawing]
    return max((number for number in same if number <= frame), default=min(same, default=None))


def _originals(
    scene: bpy.types.Scene, source: Source, numbers: Sequence[int]
) -> Generator[float, None, dict[int | None, dict[str, Drawing]]]:
    """The source's drawings at some frames, by frame and layer: with modifiers as evaluated, else as they are, even where hidden."""
    found: dict[int | None, dict[str, Drawing]] = {}

    def visit(depsgraph: bpy.types.Depsgraph, frame: int) -> None:
        layers = shown_layers(object_of(source).evaluated_get(depsgraph), source)
        found[frame] = {layer.name: read_drawing(key.drawing) for layer in layers if (key := layer.get_frame_at(frame))}

    if has_modifiers(object_of(source)):
        yield from at_frames(scene, numbers, visit)
        return found
    for number in numbers:
        layers = [_layer(source, name) for name in source.layers]
        found[number] = {layer.name: read_drawing(key.drawing) for layer in layers if (key := layer.get_frame_at(number))}
        yield 0.4
    return found


def measures(source: Source) -> dict[str, Measure]:
    """What turns widths in pixels into radii on each of the source's layers."""
    found = object_of(source)
    slots = tuple(slot.material.name if slot.material else "" for slot in found.material_slots)
    found_measures = {}
    for layer in (_layer(source, name) for name in source.layers):
        scale = mean_scale(world_matrix(found, layer)) / max(mean_scale(as_array(found.matrix_world)), 1e-9)
        found_measures[layer.name] = Measure(scale, 0.0 if has_modifiers(found) else layer.radius_offset, slots)
    return found_measures


def _place(source: Source, keys: Keys, folder: JobFolder, job: Job, frames: Sequence[FrameWritten]) -> Placed:
    """Makes the layers, all that is to be written being known."""
    found = object_of(source)
    if has_modifiers(found) or not found.data.is_editable:
        found = copy(found, source, title(source.name, folder, frames[0].output))
        sign(found, folder, job, source.name)
        made = {name: name for name in source.layers}
    else:
        made = {name: layer_above(found, _layer(source, name), title(name, folder, frames[0].output)) for name in source.layers}
        sign_layers(found.data, tuple(made.values()), folder, job)
    for name, drawings in keys.items():
        layer = found.data.layers[made[name]]
        for frame, drawing in drawings.items():
            write_drawing(layer.frames.new(frame).drawing, drawing)
    return Placed("OBJECT", found.name, tuple(made.values()))


def sign_layers(
    data: bpy.types.GreasePencil, names: Sequence[str], folder: JobFolder, job: Job, more: Mapping[str, bool] | None = None
) -> None:
    """Layers have no custom properties: their data keeps which of them are a take's, and what `more` there is to know of them."""
    takes = data.get(TAKES, {})
    before = list(takes[job.id]["layers"]) if job.id in takes else []
    kept = {name: take.to_dict() for name, take in takes.items()}
    entry = {"layers": [*before, *names], "pegbar_folder": from_file(folder.path), "pegbar_pipeline": job.pipeline}
    data[TAKES] = kept | {job.id: entry | dict(more or {})}


def _layer(source: Source, name: str) -> bpy.types.GreasePencilLayer:
    layer = object_of(source).data.layers.get(name)
    if layer is None:
        raise PegbarError(f"The drawing {source.name!r} no longer has the layer {name!r}: give the layer its name back, or run again")
    return layer


def has_modifiers(found: bpy.types.Object) -> bool:
    """Whether modifiers act on the object's strokes."""
    return any(modifier.show_viewport or modifier.show_render for modifier in found.modifiers)


def layer_above(found: bpy.types.Object, layer: bpy.types.GreasePencilLayer, name: str) -> str:
    """Makes an empty layer right above another, alike in all else, and gives its name. The active layer stays."""
    layers = found.data.layers
    active = layers.active.name if layers.active else None
    layers.active = layer
    # the operator alone copies a layer's parent inverse, which cannot be set; it goes by `grease_pencil`, which else is the active object's
    with bpy.context.temp_override(object=found, active_object=found, selected_objects=[found], grease_pencil=found.data):
        bpy.ops.grease_pencil.layer_duplicate(empty_keyframes=True)
    made = layers.active
    _clear(made)
    made.name = name
    name = made.name
    layers.active = layers.get(active) if active else None
    return name


def copy(found: bpy.types.Object, source: Source, name: str) -> bpy.types.Object:
    """An object beside another, alike but without modifiers, which has the source's layers alone, empty."""
    made = found.copy()
    made.name, made.data = name, found.data.copy()
    made.modifiers.clear()
    for other in [layer.name for layer in made.data.layers if layer.name not in source.layers]:
        made.data.layers.remove(made.data.layers[other])
    for layer in made.data.layers:
        _clear(layer)
        # evaluated strokes have these in them
        layer.tint_factor = layer.radius_offset = 0.0
    if TAKES in made.data:
        del made.data[TAKES]
    for collection in found.users_collection:
        collection.objects.link(made)
    return made


def _clear(layer: bpy.types.GreasePencilLayer) -> None:
    for frame in [key.frame_number for key in layer.frames]:
        layer.frames.remove(frame)
    layer.hide = layer.lock = False
