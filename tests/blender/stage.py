"""What the tests of runs stand on: a drawing, a strip of line art with a coloured reference, and what a file holds."""

import os
import struct
import zlib
from pathlib import Path

import bpy
import numpy as np

from ...timeline.versions import grease_pencils, strip_range

SIZE = (96, 64)
RED, BLUE, PAPER, INK = (200, 40, 30), (40, 60, 200), (240, 230, 210), (0, 0, 0)
ENGINE = Path(os.environ.get("PEGBAR_ENGINE_PYTHON", Path(__file__).parents[2] / ".venv/engine/bin/python"))


def draw(scene, name="Hero", strokes=3, points=8, frame=1):
    """A Grease Pencil object with some strokes on one layer, active."""
    data = grease_pencils().new(name)
    layer = data.layers.new("Lines")
    drawing = layer.frames.new(frame).drawing
    drawing.add_strokes([points] * strokes)
    t = np.linspace(0, 2, points)
    place = np.concatenate([np.stack([t + i / 3, 0 * t, np.sin(2 * t + i)], 1) for i in range(strokes)]).astype(np.float32)
    drawing.attributes["position"].data.foreach_set("vector", place.ravel())
    for attribute, value in (("radius", 0.02), ("opacity", 1.0)):
        found = drawing.attributes.get(attribute) or drawing.attributes.new(attribute, "FLOAT", "POINT")
        found.data.foreach_set("value", np.full(len(place), value, np.float32))
    material = bpy.data.materials.new("Ink")
    bpy.data.materials.create_gpencil_data(material)
    data.materials.append(material)
    made = bpy.data.objects.new(name, data)
    scene.collection.objects.link(made)
    bpy.context.view_layer.objects.active = made
    return made


def picture(path, colours):
    """Writes an (h, w, 3) byte array as a PNG."""
    h, w, _ = colours.shape

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.tobytes() for row in colours.astype(np.uint8))
    head = struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def cartoon(shift, coloured):
    """Two boxes with black outlines, the left one moving by `shift` pixels."""
    w, h = SIZE
    colours = np.full((h, w, 3), PAPER if coloured else (255, 255, 255), np.uint8)
    for left, fill in ((8 + shift, RED), (56, BLUE)):
        colours[12:52, left : left + 28] = INK
        colours[14:50, left + 2 : left + 26] = fill if coloured else (255, 255, 255)
    return colours


def line_art(scene, folder, frames=4, start=1):
    """A strip of line art and a coloured reference of its first frame as a file; gives both."""
    for index in range(frames):
        picture(folder / "lines" / f"{index + 1:04d}.png", cartoon(index, coloured=False))
    picture(folder / "reference.png", cartoon(0, coloured=True))
    editor = scene.sequence_editor_create()
    strip = editor.strips.new_image("lines", str(folder / "lines" / "0001.png"), channel=1, frame_start=start, fit_method="ORIGINAL")
    for index in range(1, frames):
        strip.elements.append(f"{index + 1:04d}.png")
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    editor.active_strip = strip
    reference = scene.pegbar.references.add()
    reference.type, reference.name, reference.at, reference.frame = "FILE", str(folder / "reference.png"), start, start
    return strip, folder / "reference.png"


def strokes_of(layer):
    """Every key of a layer with the positions of its points."""
    held = {}
    for key in layer.frames:
        data = key.drawing.attributes.get("position")
        place = np.zeros(3 * len(data.data) if data else 0, np.float32)
        if data:
            data.data.foreach_get("vector", place)
        held[key.frame_number] = place
    return held


def contents(scene):
    """All that a run must leave alone: drawings, strips, frame, render settings, selection of objects."""
    drawings = {
        (found.name, layer.name): {frame: tuple(place) for frame, place in strokes_of(layer).items()}
        for found in bpy.data.objects
        if found.type == "GREASEPENCIL"
        for layer in found.data.layers
    }
    editor = scene.sequence_editor
    strips = {s.name: (s.channel, *strip_range(s), s.mute) for s in editor.strips_all} if editor else {}
    layers = {
        (found.name, layer.name): (layer.hide, layer.lock)
        for found in bpy.data.objects
        if found.type == "GREASEPENCIL"
        for layer in found.data.layers
    }
    render, view = scene.render, scene.view_settings
    settings = (
        scene.frame_current,
        render.resolution_x,
        render.resolution_y,
        render.filepath,
        render.film_transparent,
        view.view_transform,
    )
    return {"drawings": drawings, "strips": strips, "layers": layers, "settings": settings}
