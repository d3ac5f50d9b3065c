"""From a take's files to the timeline: places outputs, chooses what is shown, pushes the one undo step."""

from collections.abc import Generator, Sequence
from pathlib import Path

import bpy

from ..engine.catalog import pipeline
from ..engine.protocol import FrameWritten, Job, JobFolder, PegbarError
from ..timeline import WRITE, Placed
from ..timeline.fills import FILLS
from ..timeline.grease_pencil import TAKES, shown_layers
from ..timeline.places import existing, from_file, sign, title
from .takes import Take, by_id, sources_of, target_of

HIDDEN = "hidden"
"""In a take's entry on Grease Pencil data: the layers that are hidden because it is shown instead."""


def place(folder: JobFolder, job: Job, frames: Sequence[FrameWritten]) -> Generator[float, None, list[Placed]]:
    """Places every output that the timeline can show, and makes it the selected one. Raises PegbarError; yields as a Writer does."""
    made: list[Placed] = []
    target = target_of(job)
    for output in [output for output in pipeline(job.pipeline).outputs if output.kind in WRITE]:
        if chosen := [frame for frame in frames if frame.output == output.name]:
            made.append((yield from WRITE[output.kind](_scene(job), folder, job, chosen, target)))
    if not made:
        raise PegbarError(f"{folder.path.name} has no frames yet: let it run until there are some")
    if not (made[0].layers and is_under_lines(made[0], job)):
        _select(_scene(job), made[0])
    return made


def is_under_lines(placed: Placed, job: Job) -> bool:
    """Whether what was placed are fills, beside which the artist goes on to draw lines."""
    return bool(bpy.data.objects[placed.name].data.get(TAKES, {}).get(job.id, {}).get(FILLS))


def replace(old: Take, new: Take) -> Generator[float, None, None]:
    """Shows a take in place of one of the same frames: its strips, pictures and fills become the new one's. Where there are none it is placed
    as any take is. Raises PegbarError; yields as a Writer does."""
    strips, images, fills = strips_of(old), _images_of(old), _fill_layers(old)
    if (strips or images) and not fills:
        yield from existing(new.folder, new.frames)
        for strip in strips_of(old):
            _point(strip, old, new)
        for image, path in _images_of(old, new).items():
            image.filepath = from_file(path)
        for made in (*pictures_of(old), *(image for image in bpy.data.images if image.get("pegbar_take") == old.job.id)):
            sign(made, new.folder, new.job, new.source)
        return
    yield from place(new.folder, new.job, new.state.frames)
    if fills:
        _take_over(old, new)
    else:
        show(new)


def _point(strip: bpy.types.Strip, old: Take, new: Take) -> None:
    """Lets a strip show the pictures of another take, which have the same names."""
    output = Path(bpy.path.abspath(strip.directory)).name
    if strip.name == title(old.source, old.folder, output):
        strip.name = title(new.source, new.folder, output)
    strip.directory = from_file(new.folder.outputs / output)
    sign(strip, new.folder, new.job, new.source)


def _images_of(old: Take, new: Take | None = None) -> dict[bpy.types.Image, Path]:
    """The image sequences that show a take's own files, and the same file of another take; none whose holds have files of their own."""
    made = [image for image in bpy.data.images if image.get("pegbar_take") == old.job.id]
    files = {image: Path(bpy.path.abspath(image.filepath)) for image in made}
    shown = {image: path for image, path in files.items() if path.parent.parent.name == old.folder.outputs.name}
    return {image: (new or old).folder.outputs / path.parent.name / path.name for image, path in shown.items()}


def _take_over(old: Take, new: Take) -> None:
    """Puts a take's fills, just placed, in place of another's: with their names, hidden where they are."""
    found = _object(new)
    layers, entries = found.data.layers, found.data[TAKES]
    before = [name for name in entries[old.job.id]["layers"] if name in layers]
    made = list(entries[new.job.id]["layers"])
    for name, own in zip(before, made, strict=False):
        layers[own].hide = layers[name].hide
        layers.remove(layers[name])
        layers[own].name = name
    entries[new.job.id]["layers"] = [*before, *made[len(before) :]]
    del entries[old.job.id]


def _fill_layers(take: Take) -> list[str]:
    """The layers with a take's fills."""
    found = _object(take)
    entry = found.data[TAKES][take.job.id] if found else {}
    return [name for name in entry["layers"] if name in found.data.layers] if entry.get(FILLS) else []


def fills_shown(found: bpy.types.Object | None) -> tuple[Take, str] | None:
    """The take whose fills an object shows, and the layer that they are on."""
    if found is None or found.type != "GREASEPENCIL":
        return None
    for name, entry in found.data.get(TAKES, {}).items():
        shown = [layer for layer in entry["layers"] if layer in found.data.layers and not found.data.layers[layer].hide]
        if entry.get(FILLS) and shown and (take := by_id(name)):
            return take, shown[0]
    return None


def push_undo(message: str) -> None:
    """Makes what was placed one step of the undo history."""
    windows = bpy.context.window_manager.windows
    if windows:
        with bpy.context.temp_override(window=windows[0]):
            bpy.ops.ed.undo_push(message=message)
    else:
        bpy.ops.ed.undo_push(message=message)


def is_placed(take: Take) -> bool:
    """Whether something of the take is in the open file."""
    return bool(strips_of(take) or _object(take) or pictures_of(take))


def show(take: Take) -> None:
    """Shows a placed take instead of what it was made from: the source and the shot's other takes are muted or hidden."""
    if own := strips_of(take):
        editor = _scene(take.job).sequence_editor
        for strip in editor.strips_all:
            if (strip.name == take.source and _replaces(take)) or _is_of_source(strip, take):
                strip.mute = strip not in own
    found, source = _object(take), bpy.data.objects.get(take.source)
    if found is not None and found == source:
        _show_layers(found, take)
    elif found is not None and source is not None:  # a take of an object with modifiers lies on an object of its own
        source.hide_set(True)
        found.hide_set(False)


def _show_layers(found: bpy.types.Object, take: Take) -> None:
    entries = found.data[TAKES]
    if entries[take.job.id].get(FILLS):
        _show_fills(found, take)
        return
    own = set(entries[take.job.id]["layers"])
    made = {name for entry in entries.values() for name in entry["layers"]}
    hidden = {name for entry in entries.values() for name in entry.get(HIDDEN, ())}
    read = {layer.name for layer in shown_layers(found, sources_of(take.job)[pipeline(take.job.pipeline).inputs[0].name][0])}
    read |= {layer.name for layer in found.data.layers if not layer.hide and layer.name in _fills(found)}
    for layer in found.data.layers:
        if layer.name in made | read:
            layer.hide = layer.name not in own
    for entry in entries.values():
        entry.pop(HIDDEN, None)
    entries[take.job.id][HIDDEN] = sorted(hidden | read)


def _show_fills(found: bpy.types.Object, take: Take) -> None:
    """Shows a take's fills under the lines in place of another take's."""
    show_source(found)
    own = set(found.data[TAKES][take.job.id]["layers"])
    for layer in found.data.layers:
        if layer.name in _fills(found):
            layer.hide = layer.name not in own


def _fills(found: bpy.types.Object) -> set[str]:
    """The layers of an object that are a take's fills."""
    return {name for entry in found.data[TAKES].values() if entry.get(FILLS) for name in entry["layers"]}


def is_shown(take: Take) -> bool:
    """Whether the take is shown instead of what it was made from."""
    scene = bpy.data.scenes.get(take.job.shot.scene)
    source = scene.sequence_editor.strips_all.get(take.source) if scene and scene.sequence_editor else None
    if strips := strips_of(take):
        return all(not strip.mute for strip in strips) and (source is None or source.mute or not _replaces(take))
    found = _object(take)
    if found is None:
        return False
    entry, layers = found.data[TAKES][take.job.id], found.data.layers
    if entry.get(FILLS):
        return any(name in layers and not layers[name].hide for name in entry["layers"]) and not has_hidden_source(found)
    return bool(entry.get(HIDDEN))


def has_hidden_source(found: bpy.types.Object) -> bool:
    """Whether layers of a drawing are hidden because a take is shown instead."""
    return any(entry.get(HIDDEN) for entry in found.data.get(TAKES, {}).values())


def show_source(found: bpy.types.Object) -> bool:
    """Shows the layers again that a take was shown instead of, and hides the takes; whether there were any."""
    if not has_hidden_source(found):
        return False
    entries, layers = found.data[TAKES].values(), found.data.layers
    made = [name for entry in entries if not entry.get(FILLS) for name in entry["layers"]]
    hidden = [name for entry in entries for name in entry.pop(HIDDEN, ())]
    for name, hide in [*((name, True) for name in made), *((name, False) for name in hidden)]:
        if name in layers:
            layers[name].hide = hide
    return True


def _scene(job: Job) -> bpy.types.Scene:
    scene = bpy.data.scenes.get(job.shot.scene)
    if scene is None:
        raise PegbarError(
            f"The scene {job.shot.scene!r} of this take is not in this file: give it its name back, or open its file, and apply the take"
        )
    return scene


def _select(scene: bpy.types.Scene, placed: Placed) -> None:
    if placed.type == "STRIP":
        editor = scene.sequence_editor
        for strip in editor.strips_all:
            strip.select = strip.name == placed.name
        editor.active_strip = editor.strips_all[placed.name]
    elif placed.layers:
        layers = bpy.data.objects[placed.name].data.layers
        layers.active = layers[placed.layers[-1]]


def _replaces(take: Take) -> bool:
    """Whether a take has a frame for each of its source's: a shot that starts on one frame of a strip does not stand for the strip."""
    return not pipeline(take.job.pipeline).inputs[0].is_picture


def strips_of(take: Take) -> list[bpy.types.Strip]:
    """The strips in the open file that show the take."""
    scene = bpy.data.scenes.get(take.job.shot.scene)
    editor = scene.sequence_editor if scene else None
    return [strip for strip in editor.strips_all if strip.get("pegbar_take") == take.job.id] if editor else []


def _is_of_source(strip: bpy.types.Strip, take: Take) -> bool:
    other = by_id(strip.get("pegbar_take", ""))
    return other is not None and other.source == take.source and other.job.pipeline == take.job.pipeline


def _object(take: Take) -> bpy.types.Object | None:
    """The object on which the take's layers are."""
    drawings = (found for found in bpy.data.objects if found.type == "GREASEPENCIL")
    return next((found for found in drawings if _has_layer(found.data, take)), None)


def _has_layer(data: bpy.types.GreasePencil, take: Take) -> bool:
    """Whether a layer of the take is still there; a take whose layers the artist deleted can be placed again."""
    return any(name in data.layers for name in data.get(TAKES, {}).get(take.job.id, {}).get("layers", ()))


def pictures_of(take: Take) -> list[bpy.types.ID]:
    """The planes, empties and camera backgrounds that show the take's files."""
    objects = [found for found in bpy.data.objects if found.type != "GREASEPENCIL" and found.users_scene]
    behind = [background.image for camera in bpy.data.cameras for background in camera.background_images if background.image]
    return [made for made in (*objects, *behind) if made.get("pegbar_take") == take.job.id]
