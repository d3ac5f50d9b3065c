"""The shot in Blender: the shapes as strokes of one Grease Pencil object, one material a colour, and the camera that follows."""

import math

import bpy
import numpy as np
from numpy.typing import NDArray

from . import motion, setting
from .fox import PALETTE as FOX_PALETTE
from .fox import UNLINED, fox, shadow
from .shapes import Shape

SIZE = (1280, 720)
INK = "#2b1d20"
DISTANCE, HEIGHT, EYE = 8.0, 3.0, 1.2
"""The camera at the start: metres before the fox, metres that its picture is high there, metres above the ground."""
ENTRANCE = -0.94
"""Where the fox's hips are on frame 1."""
_FOCAL = DISTANCE / HEIGHT * SIZE[1] / SIZE[0]
_AWAY = -0.32
"""Where the camera is on frame 1."""


def new_scene(name: str, last: int) -> bpy.types.Scene:
    """A scene at the shot's size and rate whose colours are shown as they are."""
    scene = bpy.data.scenes.new(name)
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.fps = 24
    scene.frame_start, scene.frame_end = motion.FIRST, last
    scene.view_settings.view_transform = "Standard"
    return scene


def add_camera(scene: bpy.types.Scene, x: float, z: float, distance: float) -> bpy.types.Object:
    """A camera at that height and that far before the fox's plane, looking straight at it."""
    data = bpy.data.cameras.new(f"{scene.name} Camera")
    data.lens = _FOCAL * data.sensor_width
    data.passepartout_alpha = 1.0
    camera = bpy.data.objects.new(data.name, data)
    camera.location = (x, -distance, z)
    camera.rotation_euler = (math.pi / 2, 0, 0)
    scene.collection.objects.link(camera)
    scene.camera = camera
    return camera


def follow(camera: bpy.types.Object) -> None:
    """Lets the camera go along with the fox, slower than it, and come nearer."""
    for frame in range(motion.LAST, motion.FIRST - 1, -1):  # backwards, so that it ends where the scene is
        share = motion.keyed(frame, (-8, 0), (52, 1)) - motion.keyed(motion.FIRST, (-8, 0), (52, 1))
        camera.location = (_AWAY + 0.72 * share, -DISTANCE + 0.5 * share, EYE)
        camera.keyframe_insert("location", frame=frame)


def add_drawing(scene: bpy.types.Scene, name: str) -> bpy.types.Object:
    """An empty Grease Pencil object with the material of every colour."""
    containers = bpy.data.grease_pencils_v3 if hasattr(bpy.data, "grease_pencils_v3") else bpy.data.grease_pencils
    data = containers.new(name)
    for label, colour in {"Line": "", **setting.PALETTE, **FOX_PALETTE}.items():
        data.materials.append(bpy.data.materials.get(label) or _material(label, colour))
    drawing = bpy.data.objects.new(name, data)
    scene.collection.objects.link(drawing)
    return drawing


def draw_shot(scene: bpy.types.Scene) -> bpy.types.Object:
    """The whole shot: the place held on one key a layer, the fox on ones, and the camera that follows it."""
    follow(add_camera(scene, _AWAY, EYE, DISTANCE))
    shot = add_drawing(scene, "Fox Shot")
    for name, (distance, shapes) in setting.layers().items():
        draw(shot, name, motion.FIRST, shapes, distance)
    for frame in range(motion.FIRST, motion.LAST + 1):
        for name, shapes in (("Shadow", shadow(frame)), ("Fox", fox(frame))):
            draw(shot, name, frame, [shape.moved((ENTRANCE, 0)) for shape in shapes])
    distance, shapes = setting.meadow()
    draw(shot, "Meadow", motion.FIRST, shapes, distance)
    return shot


def draw_portrait(scene: bpy.types.Scene, time: float) -> bpy.types.Object:
    """One drawing: the fox as it stands at a moment of its motion, and a camera before it."""
    portrait = add_drawing(scene, "Portrait")
    draw(portrait, "Drawing", motion.FIRST, [shape.moved((-motion.hip_x(time), 0)) for shape in fox(time)])
    add_camera(scene, 0.06, 1.18, DISTANCE * 0.9)
    return portrait


def draw(drawing: bpy.types.Object, layer: str, frame: int, shapes: list[Shape], distance: float = 0.0) -> None:
    """Keys the shapes on a layer, at a distance behind the fox's plane and so much larger."""
    layers, names = drawing.data.layers, [material.name for material in drawing.data.materials]
    on = layers.get(layer) or layers.new(layer, set_active=True)
    on.use_lights = False
    keyed = on.frames.new(frame).drawing
    keyed.add_strokes([len(shape.points) for shape in shapes])
    for curve in ("BEZIER", "CATMULL_ROM"):
        if indices := [i for i, shape in enumerate(shapes) if shape.curve == curve]:
            keyed.set_types(type=curve, indices=indices)
    scale = (DISTANCE + distance) / DISTANCE
    points = np.concatenate([shape.points for shape in shapes])
    handles = np.concatenate([shape.handles if shape.handles is not None else np.stack([shape.points] * 2, 1) for shape in shapes])
    _set(keyed, "position", "FLOAT_VECTOR", "POINT", _in_space(points, distance))
    _set(keyed, "handle_left", "FLOAT_VECTOR", "POINT", _in_space(handles[:, 0], distance))
    _set(keyed, "handle_right", "FLOAT_VECTOR", "POINT", _in_space(handles[:, 1], distance))
    _set(keyed, "radius", "FLOAT", "POINT", np.concatenate([shape.width for shape in shapes]) * scale / 2)
    _set(keyed, "opacity", "FLOAT", "POINT", np.ones(len(points)))
    _set(keyed, "cyclic", "BOOLEAN", "CURVE", np.array([shape.cyclic for shape in shapes]))
    _set(keyed, "material_index", "INT", "CURVE", np.array([names.index(shape.material) for shape in shapes]))
    keyed.tag_positions_changed()


def _in_space(points: NDArray[np.float64], distance: float) -> NDArray[np.float64]:
    scale = (DISTANCE + distance) / DISTANCE
    x, z = (points[:, 0] - _AWAY) * scale + _AWAY, (points[:, 1] - EYE) * scale + EYE
    return np.stack([x, np.full(len(points), distance), z], 1)


def _set(drawing: bpy.types.GreasePencilDrawing, name: str, kind: str, domain: str, values: NDArray[np.float64]) -> None:
    attribute = drawing.attributes.get(name) or drawing.attributes.new(name, kind, domain)
    values = values.astype({"BOOLEAN": bool, "INT": np.int32}.get(kind, np.float32))
    attribute.data.foreach_set("vector" if kind == "FLOAT_VECTOR" else "value", values.ravel())


def _material(name: str, colour: str) -> bpy.types.Material:
    """A line alone where there is no colour; else a fill, and but for a few a line around it."""
    material = bpy.data.materials.new(name)
    bpy.data.materials.create_gpencil_data(material)
    material.grease_pencil.color = _linear(INK)
    material.grease_pencil.show_stroke = name not in UNLINED
    material.grease_pencil.show_fill = bool(colour)
    if colour:
        material.grease_pencil.fill_color = _linear(colour)
    return material


def _linear(colour: str) -> tuple[float, float, float, float]:
    """#rrggbb in sRGB as the linear colour that Blender keeps."""
    encoded = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in encoded)
    return red, green, blue, 1.0
