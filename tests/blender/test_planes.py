"""A clip in space shows each picture on its own frame and fills what the camera sees."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from pegbar.engine.protocol import FrameWritten, Job, PegbarError, Shot
from pegbar.timeline import WRITE, Target


@pytest.fixture
def place(scene, take, steps, picture):
    """A function that places a clip whose picture at frame n has the red n, and gives the object."""

    def run(type, frames=range(21, 25), step=1, last=24, source="", **target):
        events = []
        for index, frame in enumerate(frames):
            file = take.output_file("clip", index + 1, ".png")
            picture(take.file(file), (frame, 0, 0), (32, 18))
            events.append(FrameWritten("clip", frame, file))
        job = Job("flat", {}, {}, Shot(scene.name, 21, last, 24.0, step))
        placed = steps(scene, WRITE["clip"](scene, take, job, events, Target(type, source, **target)))
        return bpy.data.objects[placed.name]

    return run


def played(made):
    """The image and its user."""
    if made.type == "MESH":
        (node,) = [node for node in made.data.materials[0].node_tree.nodes if node.type == "TEX_IMAGE"]
        return node.image, node.image_user
    if made.type == "EMPTY":
        return made.data, made.image_user
    return made.data.background_images[-1].image, made.data.background_images[-1].image_user


def shown(scene, made, pixels, frames):
    """The red of the picture at each frame."""
    found = []
    for frame in frames:
        scene.frame_set(frame)
        image, user = played(made)
        # Blender looks at the number when it draws: said by hand here
        user.frame_current = frame - user.frame_start + 1 + user.frame_offset
        found.append(pixels(Path(bpy.path.abspath(image.filepath_from_user(image_user=user))))[0, 0, 0])
    return found


def corners(scene, made):
    """Where the corners of a plane or an image empty lie in the picture, 0..1."""
    bpy.context.view_layer.update()
    if made.type == "MESH":
        points = [vertex.co for vertex in made.data.vertices]
    else:
        half = np.array((1, 9 / 16)) * made.empty_display_size / 2
        points = [Vector((*(half * sign), 0)) for sign in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    return np.array([world_to_camera_view(scene, scene.camera, made.matrix_world @ point)[:] for point in points])


@pytest.mark.parametrize("type", ["PLANE", "EMPTY", "CAMERA"])
def test_each_frame_shows_its_own_picture(scene, camera, place, pixels, type):
    made = place(type)
    assert shown(scene, made, pixels, range(21, 25)) == [21, 22, 23, 24]
    image, user = played(made)
    assert (image.source, user.frame_duration, user.use_auto_refresh, user.use_cyclic) == ("SEQUENCE", 4, True, False)
    assert Path(image.filepath).parent.name == "clip" and "outputs" in image.filepath
    assert image["pegbar_pipeline"] == "flat"


@pytest.mark.parametrize("type", ["PLANE", "EMPTY", "CAMERA"])
def test_held_frames_have_files_of_their_own(scene, camera, place, pixels, type):
    made = place(type, range(21, 26, 2), step=2, last=26)
    assert shown(scene, made, pixels, range(21, 27)) == [21, 21, 23, 23, 25, 25]


def perspective(camera):
    camera.data.shift_x, camera.rotation_euler.z = 0.1, 0.4


def orthographic(camera):
    camera.data.type, camera.data.ortho_scale = "ORTHO", 3
    camera.scale = (2, 2, 2)


@pytest.mark.parametrize("change", [perspective, orthographic])
@pytest.mark.parametrize("type", ["PLANE", "EMPTY"])
def test_a_picture_fills_what_the_camera_sees_in_the_depth_of_its_source(scene, camera, draw, place, type, change):
    change(camera)
    draw([[(0, 0, 0), (1, 0, 0)]]).location = (0.3, 2, 0.1)
    bpy.context.view_layer.update()
    seen = corners(scene, place(type, source="Hero"))
    assert seen[:, :2] == pytest.approx(np.array([(0, 0), (1, 0), (1, 1), (0, 1)]), abs=1e-5)
    depth = world_to_camera_view(scene, camera, bpy.data.objects["Hero"].matrix_world.translation).z
    assert seen[:, 2] == pytest.approx(depth, abs=1e-5)


def test_a_picture_of_another_shape_lies_within_the_cameras(scene, camera, place):
    scene.render.resolution_x = 90
    seen = corners(scene, place("PLANE"))
    assert np.ptp(seen[:, 0]) == pytest.approx(1) and np.ptp(seen[:, 1]) < 0.4


def test_without_a_camera_it_stands_upright_on_its_source(scene, draw, place):
    draw([[(0, 0, 0), (1, 0, 0)]]).location = (1, 2, 3)
    bpy.context.view_layer.update()
    made = place("PLANE", source="Hero")
    bpy.context.view_layer.update()
    placed = np.array([made.matrix_world @ vertex.co for vertex in made.data.vertices])
    assert placed.mean(axis=0) == pytest.approx([1, 2, 3])
    assert np.ptp(placed, axis=0) == pytest.approx([2 * 16 / 9, 0, 2], abs=1e-6)


def test_it_shows_during_its_frames_alone(scene, camera, place):
    made = place("PLANE")
    hidden = []
    for frame in (20, 21, 24, 25):
        scene.frame_set(frame)
        hidden.append((made.hide_render, made.hide_viewport))
    assert hidden == [(True, True), (False, False), (False, False), (True, True)]


def test_a_second_time_makes_a_second_one(scene, camera, place):
    first, second = place("PLANE", source="Hero"), place("PLANE", source="Hero")
    assert (first.name, second.name) == ("Hero take 1", "Hero take 1.001")
    assert first["pegbar_take"] and first["pegbar_source"] == "Hero"


def test_a_background_needs_a_camera(scene, place):
    with pytest.raises(PegbarError, match="no camera"):
        place("CAMERA")
    assert not bpy.data.images
