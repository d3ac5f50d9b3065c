"""Strokes come back as layers: every stroke itself, only moved; the source untouched."""

from dataclasses import replace

import bpy
import numpy as np
import pytest
from pegbar.engine.protocol import PegbarError
from pegbar.engine.strokes import POLY, Strokes
from pegbar.timeline import READ, Source, attributes
from pegbar.timeline.drawings import read_drawing

LINE = [(-1, 0, 0), (1, 0, 0)]
ARC = [(-2, 0.1, -1), (-1, 0.2, 1), (1, 0.5, 1), (2, 0, -1)]

RICH = {
    "vertex_color": ("FLOAT_COLOR", "POINT", (0.1, 0.2, 0.3, 0.4)),
    "rotation": ("FLOAT", "POINT", 0.3),
    "fill_color": ("FLOAT_COLOR", "CURVE", (0.5, 0.6, 0.7, 0.8)),
    "fill_opacity": ("FLOAT", "CURVE", 0.5),
    "softness": ("FLOAT", "CURVE", 0.25),
    "start_cap": ("INT8", "CURVE", 1),
    "aspect_ratio": ("FLOAT", "CURVE", 2.0),
    "cyclic": ("BOOLEAN", "CURVE", [True, False]),
    "material_index": ("INT", "CURVE", [1, 0]),
    "my own": ("INT", "CURVE", [7, 8]),
}


def still(strokes, frame):
    return strokes


def up(strokes, frame):
    """Ten pixels up a frame."""
    return replace(strokes, points=strokes.points - (0, 10 * frame), handles=strokes.handles - (0, 10 * frame))


def everything(found):
    """All that a drawing's layers hold, as plain values."""
    return {
        layer.name: {
            key.frame_number: (np.array(read_drawing(key.drawing).offsets).tolist(), contents(key.drawing)) for key in layer.frames
        }
        for layer in found.data.layers
    }


def contents(drawing):
    return {name: (a.data_type, a.domain, a.values.tolist()) for name, a in read_drawing(drawing).attributes.items()}


@pytest.mark.parametrize("type", ["POLY", "CATMULL_ROM", "BEZIER", "NURBS"])
def test_an_unmoved_drawing_comes_back_bit_exact_with_all_it_has(scene, camera, draw, animate, type):
    camera.rotation_euler.z = 0.3
    handles = [(x - 0.3, y, z + 0.1) for x, y, z in LINE + ARC]
    bezier = {name: ("FLOAT_VECTOR", "POINT", handles) for name in ("handle_left", "handle_right")} if type == "BEZIER" else {}
    hero = draw([LINE, ARC], type=type, **RICH, **bezier)
    for name in ("ink", "paint"):
        hero.data.materials.append(bpy.data.materials.new(name))
    hero.data.layers["Lines"].translation, hero.data.layers["Lines"].radius_offset = (0.1, 0.2, 0.3), 0.07
    hero.data.layers["Lines"].tint_factor = 0.5
    bpy.context.view_layer.update()
    before = everything(hero)
    placed = animate(still)
    assert (placed.type, placed.name, placed.layers) == ("OBJECT", "Hero", ("Lines take 1",))
    after = everything(hero)
    assert {name: after[name] for name in before} == before
    made = hero.data.layers["Lines take 1"]
    assert [key.frame_number for key in made.frames] == [1, 5]
    assert contents(made.frames[0].drawing) == before["Lines"][1][1]
    assert attributes.offsets(made.frames[1].drawing).tolist() == [0]


def test_a_moved_drawing_lies_where_the_take_says(scene, camera, draw, animate, take, steps):
    hero = draw([LINE, ARC], **RICH)
    animate(up)
    scene.frame_set(3)
    files = steps(scene, READ["sketch"](scene, [Source("OBJECT", "Hero", ("Lines take 1",))], [3], take, "again"))
    seen, was = Strokes.load(take.file(files[0].file)), Strokes.load(take.file("inputs/sketch/0001.npz"))
    assert seen.points == pytest.approx(was.points - (0, 30), abs=1e-3)
    assert seen.widths == pytest.approx(was.widths, rel=1e-3)
    drawing = hero.data.layers["Lines take 1"].get_frame_at(3).drawing
    assert {**contents(drawing), "position": 0} == {**contents(hero.data.layers["Lines"].frames[0].drawing), "position": 0}


def test_only_the_points_that_moved_change(scene, camera, draw, animate):
    hero = draw([LINE, ARC])

    def nudge(strokes, frame):
        points = strokes.points.copy()
        points[3] += (5, 0)
        return replace(strokes, points=points)

    animate(nudge, last=1)
    was, now = (hero.data.layers[name].frames[0].drawing for name in ("Lines", "Lines take 1"))
    same = (attributes.read(was, "position", 6, 0) == attributes.read(now, "position", 6, 0)).all(axis=1)
    assert same.tolist() == [True, True, True, False, True, True]


def test_on_twos_each_drawing_has_one_key_and_the_end_is_blank(scene, camera, draw, animate):
    hero = draw([LINE])
    animate(up, first=11, last=16, step=2, read_at=(11,))
    assert [key.frame_number for key in hero.data.layers["Lines take 1"].frames] == [11, 13, 15, 17]


def test_widths_change_by_their_ratio(scene, camera, draw, animate):
    hero = draw([LINE], radius=0.125)
    hero.data.layers["Lines"].radius_offset = 0.125
    bpy.context.view_layer.update()
    animate(lambda strokes, frame: replace(strokes, widths=strokes.widths * np.float32([2, 1])), last=1)
    made = hero.data.layers["Lines take 1"]
    assert attributes.read(made.frames[0].drawing, "radius", 2, 0).tolist() == [0.375, 0.125]
    assert made.radius_offset == hero.data.layers["Lines"].radius_offset


def test_each_layer_has_its_result_right_above_it_with_its_parent_and_group(scene, camera, draw, animate):
    hero = draw([LINE])
    draw([ARC], layer="Face")
    data, parent = hero.data, bpy.data.objects.new("Head", None)
    scene.collection.objects.link(parent)
    parent.location.z = 2
    bpy.context.view_layer.update()
    face = data.layers["Face"]
    face.parent = parent
    parent.location.z = 3
    data.layers.move_to_layer_group(face, data.layer_groups.new("Head"))
    data.layers.active = data.layers["Lines"]
    bpy.context.view_layer.update()
    animate(still)
    assert [layer.name for layer in data.layers] == ["Lines", "Lines take 1", "Face", "Face take 1"]
    made, face = data.layers["Face take 1"], data.layers["Face"]
    assert (made.parent, made.parent_group) == (parent, face.parent_group)
    assert made.matrix_parent_inverse == face.matrix_parent_inverse
    assert data.layers.active.name == "Lines"


def test_a_second_time_makes_new_layers_and_reading_passes_takes_over(scene, camera, draw, animate, take):
    hero = draw([LINE])
    animate(still)
    first = everything(hero)
    animate(still)
    assert list(everything(hero)) == ["Lines", "Lines take 1.001", "Lines take 1"]
    assert {name: drawn for name, drawn in everything(hero).items() if name in first} == first
    (strokes,) = {file for file in take.path.glob("inputs/sketch/*.npz")}
    assert Strokes.load(strokes).layers == ("Lines",)


def test_with_modifiers_the_result_is_an_object_of_its_own(scene, camera, draw, animate, take, steps):
    hero = draw([LINE, ARC])
    draw([LINE], layer="Other")
    hero.modifiers.new("Offset", "GREASE_PENCIL_OFFSET").location = (0, 0, 1)
    hero.data.layers["Lines"].tint_factor = 0.5
    hero.data.layers["Lines"].radius_offset = 0.1
    hero.location.x = 1
    bpy.context.view_layer.update()
    before = everything(hero)
    placed = animate(still, layers=("Lines",))
    made = bpy.data.objects[placed.name]
    assert (placed.name, placed.layers, len(made.modifiers)) == ("Hero take 1", ("Lines",), 0)
    assert everything(hero) == before
    assert (made.location, made.users_collection) == (hero.location, hero.users_collection)
    assert (made["pegbar_folder"], made["pegbar_pipeline"], made["pegbar_source"]) == (str(take.path), "liven", "Hero")
    files = steps(scene, READ["sketch"](scene, [Source("OBJECT", "Hero take 1")], [1], take, "again"))
    again, was = Strokes.load(take.file(files[0].file)), Strokes.load(take.file("inputs/sketch/0001.npz"))
    assert (again.points == was.points).all() and (again.widths == was.widths).all()
    assert (again.line_colour == was.line_colour).all()


def test_a_stroke_edited_during_the_run_comes_from_the_take_alone(scene, camera, draw, animate):
    hero = draw([LINE, ARC], **RICH)

    def edit(strokes, frame):
        drawing = hero.data.layers["Lines"].frames[0].drawing
        attributes.write(drawing, "position", "FLOAT_VECTOR", "POINT", np.array(LINE + [(x, y, z + 1) for x, y, z in ARC]))
        return strokes

    animate(edit, last=1)
    drawing = hero.data.layers["Lines take 1"].frames[0].drawing
    assert attributes.read(drawing, "position", 6, 0) == pytest.approx(np.array(LINE + ARC), abs=1e-5)
    assert attributes.read(drawing, "my own", 2, 0).tolist() == [7, 0]
    assert attributes.read(drawing, "cyclic", 2, 0).tolist() == [True, False]
    assert attributes.read(drawing, "radius", 6, 0) == pytest.approx(0.1, rel=1e-3)


def test_new_strokes_lie_on_the_drawings_plane_with_their_widths_and_colours(scene, camera, draw, animate, take, steps):
    hero = draw([LINE])
    hero.scale, hero.data.layers["Lines"].scale = (2, 2, 2), (3, 3, 3)
    hero.data.materials.append(bpy.data.materials.new("ink"))
    bpy.context.view_layer.update()

    def trace(strokes, frame):
        return replace(
            strokes, source=np.int32([-1]), material=np.int32([-1]), curve_type=np.uint8([POLY]),
            points=np.array([(10.0, 20.0), (100.0, 90.0)]), widths=np.float32([4, 8]), line_colour=np.float32([(0.5, 0.25, 0, 1)]),
        )  # fmt: skip

    animate(trace, last=1)
    files = steps(scene, READ["sketch"](scene, [Source("OBJECT", "Hero", ("Lines take 1",))], [1], take, "again"))
    again = Strokes.load(take.file(files[0].file))
    assert again.points == pytest.approx(np.array([(10, 20), (100, 90)]), abs=1e-3)
    assert again.widths == pytest.approx([4, 8], rel=2e-2)
    assert again.line_colour[0] == pytest.approx([0.5, 0.25, 0, 1], abs=1e-3)
    position = attributes.read(hero.data.layers["Lines take 1"].frames[0].drawing, "position", 2, 0)
    assert position[:, 1] == pytest.approx([0, 0], abs=1e-5)


def test_a_layer_that_went_away_is_named_and_nothing_is_made(scene, camera, draw, animate):
    hero = draw([LINE])

    def rename(strokes, frame):
        hero.data.layers[0].name = "Ink"
        return strokes

    with pytest.raises(PegbarError, match="no longer has the layer 'Lines'"):
        animate(rename)
    assert [layer.name for layer in hero.data.layers] == ["Ink"]


def test_a_lost_result_file_is_named_and_nothing_is_made(scene, camera, draw, animate, take):
    hero = draw([LINE])

    def lose(strokes, frame):
        if frame == 3:
            take.file("outputs/strokes/0002.npz").unlink()
        return strokes

    with pytest.raises(PegbarError, match="Frame 2 of take_001 is gone"):
        animate(lose)
    assert len(hero.data.layers) == 1


def test_a_locked_layer_in_edit_mode_gets_its_result(scene, camera, draw, animate):
    hero = draw([LINE])
    bpy.context.view_layer.objects.active = hero
    bpy.ops.object.mode_set(mode="EDIT")
    hero.data.layers["Lines"].lock = True
    animate(still)
    assert (hero.mode, [layer.name for layer in hero.data.layers]) == ("EDIT", ["Lines", "Lines take 1"])
    assert (hero.data.layers["Lines"].lock, hero.data.layers["Lines take 1"].lock) == (True, False)


def test_a_drawing_that_is_in_no_scene_shown_gets_its_layer(scene, camera, draw, animate):
    hero = draw([LINE])

    def leave(strokes, frame):
        if hero.users_collection:
            scene.collection.objects.unlink(hero)
        return strokes

    animate(leave)
    assert [layer.name for layer in hero.data.layers] == ["Lines", "Lines take 1"]


def test_a_result_goes_to_its_own_drawing_whichever_is_active(scene, camera, draw, animate):
    hero, other = draw([LINE]), draw([ARC], name="Other", layer="Theirs")
    bpy.context.view_layer.objects.active = other
    before = everything(hero), everything(other)
    animate(still)
    assert [layer.name for layer in hero.data.layers] == ["Lines", "Lines take 1"]
    assert ({"Lines": everything(hero)["Lines"]}, everything(other)) == before
