"""FlipSketch from the drawing to its keys, through the real engine with a tiny random checkpoint: the way, not the beauty."""

import bpy
import numpy as np
import pytest
from pegbar.preferences import preferences
from pegbar.runs import placing, run, takes
from pegbar.runs.request import request
from pegbar.settings import values_of
from pegbar.tests.blender.test_run import step_until
from pegbar.timeline.drawings import read_drawing
from pegbar.timeline.grease_pencil import TAKES

DRAWINGS = 10

HEAD = [(0.9 * np.cos(t), 0, 2 + 0.9 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 13)[:-1]]
BODY = [(0.2 * np.sin(t), 0, 1 - t / 2) for t in np.linspace(0, 4, 9)]
ARM = [(0, 0, 0.6), (0.8, 0, 0.2), (1.5, 0, 0.9)]
EYE = [(0.2, 0, 2.2), (0.45, 0, 2.2)]


@pytest.fixture
def settings(scene, published):
    """Settings that a tiny network takes no time for."""
    own = published("flipsketch")
    scene.pegbar.length, scene.pegbar.rhythm = 2 * DRAWINGS, "2"
    own.prompt, own.size, own.num_inference_steps = "the man waves", 64, 2
    return own


@pytest.fixture
def man(draw, camera):
    """A man on two layers, of two materials, his lines swelling."""
    widths = [*np.linspace(0.02, 0.06, 12), *np.linspace(0.05, 0.02, 9), 0.02, 0.05, 0.02]
    found = draw([HEAD, BODY, ARM], layer="Body", radius=widths, material_index=("INT", "CURVE", [0, 1, 1]),
                 cyclic=("BOOLEAN", "CURVE", [True, False, False]), softness=("FLOAT", "CURVE", [0.1, 0.2, 0.3]))  # fmt: skip
    draw([EYE], layer="Face", radius=0.03, type="CATMULL_ROM")
    for name in ("Ink", "Pencil"):
        material = bpy.data.materials.new(name)
        bpy.data.materials.create_gpencil_data(material)
        found.data.materials.append(material)
    bpy.context.view_layer.objects.active = found
    bpy.context.view_layer.update()
    return found


def contents(found, layers):
    """All keys of some layers, as plain values."""
    return {name: {key.frame_number: plain(key.drawing) for key in found.data.layers[name].frames} for name in layers}


def plain(drawing):
    read = read_drawing(drawing)
    return read.offsets.tolist(), {name: (a.data_type, a.domain, a.values.tolist()) for name, a in read.attributes.items()}


def layers_of(found, take):
    return list(found.data[TAKES][take.job.id]["layers"])


def test_ten_drawings_come_back_as_strokes_on_layers_of_their_own(scene, man, settings):
    before = contents(man, ["Body", "Face"])
    wanted = values_of(settings)
    bpy.ops.ed.undo_push(message="Drawn")
    assert bpy.ops.pegbar.run(pipeline="flipsketch") == {"FINISHED"}
    man, take = bpy.data.objects["Hero"], takes.listed()[-1]
    assert contents(man, ["Body", "Face"]) == before
    assert [layer.name for layer in man.data.layers] == ["Body", "Body take 1", "Face", "Face take 1"]
    made = contents(man, layers_of(man, take))
    assert sorted({frame for drawn in made.values() for frame in drawn}) == [*range(1, 2 * DRAWINGS, 2), 2 * DRAWINGS + 1]
    assert all(drawn[max(drawn)][0] == [0] for drawn in made.values()), "a layer ends, if it is not empty before"
    # the first drawing is the artist's own
    assert made["Body take 1"][1] == before["Body"][1] and made["Face take 1"][1] == before["Face"][1]
    drawings = [read_drawing(key.drawing) for name in made for key in man.data.layers[name].frames]
    assert {slot for drawing in drawings for slot in drawing.values("material_index").tolist()} == {0, 1}
    for drawing in drawings:
        place = drawing.values("position")
        assert np.isfinite(place).all() and (drawing.values("radius") >= 0).all()
        assert np.abs(place[:, 1]).max(initial=0) < 1e-3, "in the plane that the artist drew on"

    bpy.ops.ed.undo()
    assert [layer.name for layer in bpy.data.objects["Hero"].data.layers] == ["Body", "Face"]
    bpy.ops.pegbar.apply_take(folder=str(take.folder.path))
    shown = {layer.name: not layer.hide for layer in bpy.data.objects["Hero"].data.layers}
    assert shown == {"Body": False, "Body take 1": True, "Face": False, "Face take 1": True}

    own = bpy.context.scene.pegbar.flipsketch
    own.prompt, own.motion, bpy.context.scene.pegbar.seed = "something else", 0.9, take.job.seed + 1
    bpy.ops.pegbar.restore_settings(folder=str(take.folder.path))
    assert values_of(own) == wanted and wanted["prompt"] == "the man waves"
    assert bpy.context.scene.pegbar.seed == take.job.seed


def test_stopping_half_way_keeps_the_drawing_as_it_is_and_finish_makes_the_rest(scene, man, settings):
    settings.num_inference_steps = 8
    before = contents(man, ["Body", "Face"])
    running = run.start(request(bpy.context, "flipsketch"))
    step_until(running, lambda: running.state.progress is not None and running.state.progress.step > 1, 120)
    run.stop(running)
    run.run_to_end(running)
    assert running.phase == "stopped" and [layer.name for layer in man.data.layers] == ["Body", "Face"]
    assert contents(man, ["Body", "Face"]) == before
    bpy.ops.pegbar.finish_take(folder=str(running.folder.path))
    (take,) = takes.listed()
    assert placing.is_placed(take) and len(take.frames) == DRAWINGS


def test_without_a_sentence_pictures_come_back_as_a_plane(scene, man, settings):
    """The model draws on without being told what; a plane fills the camera's view and is clear but for the ink."""
    settings.prompt, settings.as_strokes, settings.as_clip, scene.pegbar.result = "", False, True, "PLANE"
    scene.pegbar.length = 6
    assert bpy.ops.pegbar.run(pipeline="flipsketch") == {"FINISHED"}
    take = takes.listed()[-1]
    (plane,) = [found for found in scene.objects if found.type == "MESH"]
    assert plane["pegbar_take"] == take.job.id
    assert [layer.name for layer in man.data.layers] == ["Body", "Face"]
    image = bpy.data.images.load(str(take.folder.file(take.frames[0].file)))
    pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(pixels)
    alpha = pixels.reshape(-1, 4)[:, 3]
    assert tuple(image.size) == (320, 180) and alpha.min() == 0 and alpha.max() > 0.5


def test_without_its_model_the_button_says_what_is_missing_and_where_it_goes(scene, man, settings, tmp_path):
    preferences().weights_folder = str(tmp_path / "empty")
    with pytest.raises(RuntimeError, match=r"FlipSketch needs checkpoint-2500 .* put it into .*empty/flipsketch"):
        bpy.ops.pegbar.run(pipeline="flipsketch")
    assert not takes.listed()
