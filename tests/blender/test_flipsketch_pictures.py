"""A sketch that comes back as pictures, ink on nothing, lies clear and unlit over the scene: strip, plane, reference image, background."""

import addon_utils
import bpy
import numpy as np
import pytest
from mathutils import Vector
from pegbar.engine.protocol import FrameWritten, Job, Shot
from pegbar.engine.strokes import Strokes
from pegbar.timeline import READ, WRITE, Source, Target

SIZE = (32, 16)
INK = (0.2, 0.1, 0.0)
"""sRGB of the sketch's lines."""
WALL = (0.0, 0.5, 1.0)
"""sRGB of what is behind."""


def linear(colour):
    colour = np.asarray(colour, float)
    return np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)


def encoded(light):
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.fixture
def sketch(scene, take, steps):
    """A function that places a sketch whose alpha rises from 0 on the left to 1 on the right in four steps, its ink straight."""

    def place(type):
        width, height = scene.render.resolution_x, scene.render.resolution_y = SIZE
        pixels = np.ones((height, width, 4), np.float32)
        pixels[..., 3] = np.repeat(np.arange(4) / 3, width // 4)
        pixels[..., :3] = np.where(pixels[..., 3:] > 0, INK, 1.0)  # nothing is often white
        image = bpy.data.images.new("sketch", width, height, alpha=True)
        image.pixels.foreach_set(pixels.ravel())
        file = take.output_file("clip", 1, ".png")
        take.file(file).parent.mkdir(parents=True, exist_ok=True)
        image.filepath_raw, image.file_format = str(take.file(file)), "PNG"
        image.save()
        bpy.data.images.remove(image)
        job = Job("flipsketch", {}, {}, Shot(scene.name, 1, 1, 24.0))
        placed = steps(scene, WRITE["clip"](scene, take, job, [FrameWritten("clip", 1, file)], Target(type)))
        scene.frame_set(1)
        return placed

    return place


def bands(path):
    """The colours (4, 4) in the middle of the four bands of a picture."""
    image = bpy.data.images.load(str(path))
    pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(pixels)
    pixels = pixels.reshape(image.size[1], image.size[0], 4)
    bpy.data.images.remove(image)
    return pixels[pixels.shape[0] // 2, (np.arange(4) * 2 + 1) * pixels.shape[1] // 8]


def plain_render(scene, path):
    settings = scene.render.image_settings
    scene.render.filepath, settings.file_format, scene.render.dither_intensity = str(path), "PNG", 0
    settings.color_management = "OVERRIDE"
    settings.view_settings.view_transform = "Standard"
    bpy.ops.render.render(write_still=True)
    return bands(path)


def test_a_plane_shows_its_ink_unlit_over_what_is_behind(scene, camera, sketch, tmp_path):
    addon_utils.enable("cycles")
    sketch("PLANE")
    world = scene.world = bpy.data.worlds.new("Wall")
    if world.node_tree is None:
        world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (*linear(WALL), 1)
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "SUN"))
    lamp.data.energy = 50
    scene.collection.objects.link(lamp)
    scene.render.engine, scene.cycles.device = "CYCLES", "CPU"
    scene.cycles.samples, scene.cycles.use_denoising = 64, False
    found = plain_render(scene, tmp_path / "seen.png")
    share = np.arange(4)[:, None] / 3
    assert found[:, :3] == pytest.approx(encoded(linear(INK) * share + linear(WALL) * (1 - share)), abs=0.06)
    assert found[[0, 3], :3] == pytest.approx(np.array([WALL, INK]), abs=0.01)


def test_a_strip_shows_its_ink_over_the_strip_below(scene, sketch, tmp_path):
    editor = scene.sequence_editor_create()
    wall = {"length": 2} if bpy.app.version >= (5, 0) else {"frame_end": 3}
    editor.strips.new_effect(name="Wall", type="COLOR", channel=1, frame_start=1, **wall).color = WALL
    placed = sketch("STRIP")
    strip = editor.strips[placed.name]
    assert (strip.channel, strip.alpha_mode, strip.blend_type) == (2, "STRAIGHT", "ALPHA_OVER")
    scene.render.use_sequencer = True
    found = plain_render(scene, tmp_path / "seen.png")
    share = np.arange(4)[:, None] / 3
    assert found[:, :3] == pytest.approx(np.array(INK) * share + np.array(WALL) * (1 - share), abs=0.02)


@pytest.mark.parametrize("type", ["EMPTY", "CAMERA"])
def test_images_beside_the_render_have_their_ink_straight(scene, camera, sketch, type):
    found = bpy.data.objects[sketch(type).name]
    image = found.data if type == "EMPTY" else found.data.background_images[-1].image
    assert (image.alpha_mode, image.colorspace_settings.name) == ("STRAIGHT", "sRGB")
    if type == "EMPTY":
        assert found.use_empty_image_alpha


@pytest.mark.parametrize("type", ["PLANE", "EMPTY"])
def test_without_a_camera_the_picture_lies_on_the_drawing(scene, draw, take, steps, picture, type):
    scene.render.resolution_x, scene.render.resolution_y = 32, 16
    hero = draw([[(-1, 0, 0.5), (1, 0, 0.5), (1, 0, 3)]])
    draw([[(0, 0, 1), (0.5, 0, 1)]], layer="Face")
    hero.location, hero.rotation_euler = (1, 2, 0), (0, 0, 0.5)
    bpy.context.view_layer.update()
    inputs = {"sketch": steps(scene, READ["sketch"](scene, [Source("OBJECT", "Hero")], [1], take, "sketch"))}
    read = Strokes.load(take.file(inputs["sketch"][0].file))
    file = take.output_file("clip", 1, ".png")
    picture(take.file(file), (0, 0, 0), (32, 16))
    job = Job("flipsketch", {}, inputs, Shot(scene.name, 1, 1, 24.0))
    placed = steps(scene, WRITE["clip"](scene, take, job, [FrameWritten("clip", 1, file)], Target(type, "Hero")))
    bpy.context.view_layer.update()
    made = bpy.data.objects[placed.name]
    size = (
        np.ptp([vertex.co[:2] for vertex in made.data.vertices], axis=0)
        if type == "PLANE"
        else made.empty_display_size * np.array([1, 0.5])
    )
    for point, drawn in zip(read.points[:3], [(-1, 0, 0.5), (1, 0, 0.5), (1, 0, 3)], strict=True):
        on_picture = Vector((*((point / read.size - 0.5) * (1, -1) * size), 0))
        assert np.array(made.matrix_world @ on_picture) == pytest.approx(np.array(hero.matrix_world @ Vector(drawn)), abs=1e-4)
