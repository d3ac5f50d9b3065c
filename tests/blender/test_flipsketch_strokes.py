"""A moving drawing that was seen as pictures comes back as strokes that an animator can go on with."""

import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import bpy
import numpy as np
import pytest
from pegbar.engine.protocol import FrameWritten, Job, Shot
from pegbar.engine.strokes import Strokes
from pegbar.tests.blender import stage
from pegbar.timeline import READ, WRITE, Source, Target
from pegbar.timeline.drawings import read_drawing

TRACING = Path(__file__).parent / "tracing.py"
FRAMES = 10

HEAD = [(0.9 * np.cos(t), 0, 2 + 0.9 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 17)[:-1]]
BODY = [(0.2 * np.sin(t), 0, 1 - t / 2) for t in np.linspace(0, 4, 9)]
ARM = [(0.3, 0, 0.6), (0.9, 0, 0.1), (1.5, 0, 0.2), (1.9, 0, 0.9)]
LEGS = [(-0.8, 0, -2.6), (-0.3, 0, -1.6), (0.4, 0, -1.6), (0.7, 0, -2.6)]
EYE = [(0.2, 0, 2.2), (0.45, 0, 2.25)]


@pytest.fixture
def man(draw, camera, scene):
    """A man on two layers, of two materials, his lines swelling, in the resolution that is common."""
    scene.render.resolution_x, scene.render.resolution_y = 640, 360
    camera.location.y = -18  # all of him is seen
    widths = [*np.linspace(0.03, 0.06, 16), *np.linspace(0.05, 0.03, 9), 0.03, 0.05, 0.05, 0.03, *[0.04] * 4]
    found = draw([HEAD, BODY, ARM, LEGS], layer="Body", radius=widths, material_index=("INT", "CURVE", [0, 1, 1, 0]),
                 cyclic=("BOOLEAN", "CURVE", [True, False, False, False]), start_cap=("INT8", "CURVE", [0, 1, 0, 1]))  # fmt: skip
    draw([EYE], layer="Face", radius=0.04)
    for name in ("Ink", "Pencil"):
        material = bpy.data.materials.new(name)
        bpy.data.materials.create_gpencil_data(material)
        found.data.materials.append(material)
    bpy.context.view_layer.objects.active = found
    bpy.context.view_layer.update()
    return found


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """A folder for what is traced once for all tests: the drawing is the same."""
    return tmp_path_factory.mktemp("seen")


@pytest.fixture
def traced(scene, man, take, steps, seen):
    """The man with the keys of a take that saw him move; and what the take saw on each frame."""
    inputs = {"sketch": steps(scene, READ["sketch"](scene, [Source("OBJECT", "Hero")], [1], take, "sketch"))}
    job = Job("flipsketch", {}, inputs, Shot(scene.name, 1, 2 * FRAMES, 24.0, 2))
    files = [take.output_file("strokes", index + 1, ".npz") for index in range(FRAMES)]
    if not any(seen.iterdir()):
        subprocess.run([stage.ENGINE, TRACING, take.file(inputs["sketch"][0].file), seen, str(FRAMES)], check=True)
    shutil.copytree(seen, take.file(files[0]).parent, dirs_exist_ok=True)
    events = [FrameWritten("strokes", frame, file) for frame, file in zip(job.shot.frames, files, strict=True)]
    steps(scene, WRITE["strokes"](scene, take, job, events, Target("LAYER", "Hero")))
    return man, [Strokes.load(take.file(file)) for file in files]


def keys(man, layer):
    """The drawings of a layer's keys but the empty one that ends it."""
    return {key.frame_number: read_drawing(key.drawing) for key in list(man.data.layers[layer].frames)[:-1]}


def strokes(drawing):
    return np.split(drawing.values("position"), drawing.offsets[1:-1])


def test_each_stroke_comes_back_as_itself_in_order_with_its_look(traced):
    man, _ = traced
    for layer in ("Body", "Face"):
        own, made = read_drawing(man.data.layers[layer].frames[0].drawing), keys(man, f"{layer} take 1")
        assert list(made) == list(range(1, 2 * FRAMES, 2))
        for drawing in made.values():
            assert len(drawing.offsets) == len(own.offsets)
            for name in {"material_index", "start_cap", "cyclic"} & own.attributes.keys():
                assert drawing.values(name).tolist() == own.values(name).tolist()


def test_each_key_lies_where_the_picture_showed_it(traced, scene, take, steps):
    _, seen = traced
    for index in (1, FRAMES - 1):
        scene.frame_set(2 * index + 1)
        sources = [Source("OBJECT", "Hero", ("Body take 1", "Face take 1"))]
        files = steps(scene, READ["sketch"](scene, sources, [2 * index + 1], take, f"again{index}"))
        again = Strokes.load(take.file(files[0].file))
        assert again.points == pytest.approx(seen[index].points, abs=2e-3)
        assert again.widths == pytest.approx(seen[index].widths, rel=0.03)


def test_strokes_keep_their_direction_from_key_to_key(traced):
    man, _ = traced
    for layer in ("Body take 1", "Face take 1"):
        drawings = list(keys(man, layer).values())
        for before, after in pairwise(drawings):
            for one, other in zip(strokes(before), strokes(after), strict=True):
                step = np.linalg.norm(one[[0, -1]] - other[[0, -1]], axis=1).max()
                turned = np.linalg.norm(one[[0, -1]] - other[[-1, 0]], axis=1).max()
                assert step < turned or np.linalg.norm(one[0] - one[-1]) < 0.3


def test_blender_interpolates_between_its_keys(traced, scene):
    """With all but the first and the last key gone, what Blender draws between them lies where the take was, up to the turn."""
    man, _ = traced
    layer = man.data.layers["Body take 1"]
    whole = keys(man, "Body take 1")
    for frame in [frame for frame in whole if frame not in (1, 5)]:
        layer.frames.remove(frame)
    man.data.layers.active = layer
    man.select_set(True)
    scene.frame_set(3)
    bpy.ops.object.mode_set(mode="EDIT")
    assert bpy.ops.grease_pencil.interpolate_sequence(step=2) == {"FINISHED"}
    between = read_drawing(layer.get_frame_at(3).drawing)
    assert [key.frame_number for key in layer.frames][:3] == [1, 3, 5]
    for found, taken in zip(strokes(between), strokes(whole[3]), strict=True):
        assert found.mean(axis=0) == pytest.approx(taken.mean(axis=0), abs=0.1)
