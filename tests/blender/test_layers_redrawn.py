"""Strokes that come back with other points have the look of their source; new ones that of their neighbour."""

from dataclasses import replace

import bpy
import numpy as np
import pytest
from mathutils import Euler
from pegbar.engine.strokes import BEZIER, CATMULL_ROM, POLY, Strokes
from pegbar.timeline import READ, Source, attributes
from pegbar.timeline.curves import along, way
from pegbar.timeline.drawings import read_drawing
from pegbar.timeline.versions import FILLS_BY_ATTRIBUTE

LINE = [(-1, 0, 0), (0, 0, 0), (1, 0, 0)]
ARC = [(-2, 0, -1), (-1, 0, 1), (1, 0, 1), (2, 0, -1)]
BOX = [(0, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 1)]

RICH = {
    "radius": [0.1, 0.2, 0.4, *[0.1] * 4],
    "opacity": ("FLOAT", "POINT", [1, 0.5, 0, *[1] * 4]),
    "vertex_color": ("FLOAT_COLOR", "POINT", [(0, 0, 0, 1), (1, 0, 0, 1), (1, 1, 0, 1), *[(0, 0, 1, 0.5)] * 4]),
    "pressure": ("INT", "POINT", [1, 2, 3, *[9] * 4]),
    "softness": ("FLOAT", "CURVE", [0.25, 0.75]),
    "start_cap": ("INT8", "CURVE", [1, 0]),
    "fill_color": ("FLOAT_COLOR", "CURVE", [(0.5, 0.6, 0.7, 0.8), (0, 0, 0, 0)]),
    "material_index": ("INT", "CURVE", [1, 0]),
    "my own": ("INT", "CURVE", [7, 8]),
}


def rich(draw):
    """A line and an arc that differ in everything."""
    return with_materials(draw([LINE, ARC], **RICH))


def with_materials(hero):
    for name in ("Ink", "Pencil"):
        material = bpy.data.materials.new(name)
        bpy.data.materials.create_gpencil_data(material)
        hero.data.materials.append(material)
    bpy.context.view_layer.update()
    return hero


def strokes_like(strokes, parts):
    """Strokes made of points (k, 2), each with what else is said about it; places in depth and widths are those of the drawing's mean."""
    counts = [len(part["points"]) for part in parts]
    points = np.concatenate([np.asarray(part["points"], float) for part in parts])
    each = {
        "curve_type": (POLY, np.uint8), "cyclic": (False, bool), "line_colour": ((0, 0, 0, 1), np.float32),
        "fill_colour": ((0, 0, 0, 0), np.float32), "layer": (0, np.int32), "material": (-1, np.int32), "source": (-1, np.int32),
    }  # fmt: skip
    by_stroke = {name: np.array([part.get(name, usual) for part in parts], kind) for name, (usual, kind) in each.items()}
    handles = np.concatenate([np.asarray(part.get("handles", np.repeat(np.array(part["points"])[:, None], 2, 1)), float) for part in parts])
    return replace(
        strokes, points=points, handles=handles, depth=np.full(len(points), strokes.depth.mean()),
        widths=np.concatenate([np.broadcast_to(np.float32(part.get("widths", 4)), len(part["points"])) for part in parts]),
        opacity=np.concatenate([np.broadcast_to(np.float32(part.get("opacity", 1)), len(part["points"])) for part in parts]),
        offsets=np.cumsum([0, *counts], dtype=np.int32), **by_stroke,
    )  # fmt: skip


def refined(strokes, frame):
    """The same strokes with a point more in the middle of each piece."""
    parts = []
    for index in range(len(strokes.source)):
        at = slice(*strokes.offsets[index : index + 2])
        t = np.arange(0, at.stop - at.start - 0.75, 0.5)
        among = np.arange(at.stop - at.start)
        fine = {name: np.interp(t, among, getattr(strokes, name)[at]) for name in ("widths", "opacity")}
        points = np.stack([np.interp(t, among, strokes.points[at, axis]) for axis in (0, 1)], axis=1)
        own = {name: getattr(strokes, name)[index] for name in ("source", "material", "layer", "cyclic")}
        parts.append({"points": points, **fine, **own})
    return strokes_like(strokes, parts)


def made(hero, frame=1, layer="Lines take 1"):
    drawing = read_drawing(hero.data.layers[layer].get_frame_at(frame).drawing)
    return drawing, {name: found.values for name, found in drawing.attributes.items()}


def test_a_stroke_with_more_points_has_its_widths_colours_and_numbers_along_its_length(scene, camera, draw, animate):
    hero = rich(draw)
    animate(refined, last=1)
    drawing, values = made(hero)
    assert drawing.offsets.tolist() == [0, 5, 12]
    assert values["radius"][:5] == pytest.approx([0.1, 0.15, 0.2, 0.3, 0.4], rel=1e-5)
    assert values["opacity"][:5] == pytest.approx([1, 0.75, 0.5, 0.25, 0], abs=1e-6)
    assert values["vertex_color"][:5, :2] == pytest.approx(np.array([(0, 0), (0.5, 0), (1, 0), (1, 0.5), (1, 1)]), abs=1e-6)
    assert values["pressure"][[0, 2, 4, 5, 11]].tolist() == [1, 2, 3, 9, 9]
    for name in ("softness", "start_cap", "material_index", "my own"):
        assert values[name].tolist() == RICH[name][2]
    assert values["fill_color"] == pytest.approx(np.array(RICH["fill_color"][2]))
    assert values["curve_type"].tolist() == [POLY, POLY]


def test_a_stroke_drawn_anew_as_a_bezier_lies_where_the_take_says_with_its_sources_look(scene, camera, draw, animate, take, steps):
    hero = rich(draw)
    points, handles = [(40, 30), (200, 120)], [[(20, 30), (90, 10)], [(150, 170), (230, 120)]]

    def bend(strokes, frame):
        bezier = {"points": points, "handles": handles, "curve_type": BEZIER, "source": 0, "material": 1, "widths": [3, 9]}
        return strokes_like(strokes, [bezier])

    animate(bend, last=1)
    _, values = made(hero)
    assert values["curve_type"].tolist() == [BEZIER]
    assert values["my own"].tolist() == [7] and values["material_index"].tolist() == [1]
    assert values["vertex_color"] == pytest.approx(np.array([(0, 0, 0, 1), (1, 1, 0, 1)]))
    again = read_again(scene, take, steps)
    assert again.points == pytest.approx(np.array(points), abs=1e-3)
    assert again.handles == pytest.approx(np.array(handles), abs=1e-3)
    assert again.widths == pytest.approx([3, 9], rel=1e-2)


def read_again(scene, take, steps, layer="Lines take 1"):
    files = steps(scene, READ["sketch"](scene, [Source("OBJECT", "Hero", (layer,))], [1], take, "again"))
    return Strokes.load(take.file(files[0].file))


def orthographic(hero, camera):
    camera.data.type, camera.data.ortho_scale = "ORTHO", 8


def turned(hero, camera):
    hero.rotation_euler, hero.scale = Euler((0.3, 0.2, 0.5)), (1.5, 1.5, 1.5)


def turned_layer(hero, camera):
    camera.rotation_euler.z, camera.data.shift_x = 0.4, 0.1
    hero.data.layers["Lines"].rotation, hero.data.layers["Lines"].translation = (0.2, 0.4, -0.3), (0.5, 1, 0.2)


@pytest.mark.parametrize("place", [orthographic, turned, turned_layer])
def test_it_comes_back_to_the_same_place_before_any_camera_and_from_any_layer(scene, camera, draw, animate, take, steps, place):
    hero = rich(draw)
    place(hero, camera)
    bpy.context.view_layer.update()
    sent = []

    def stretch(strokes, frame):
        fine = refined(strokes, frame)
        shifted = replace(fine, points=fine.points * 0.9 + (11, 7), depth=fine.depth + np.linspace(0, 1e-3, len(fine.depth)))
        sent.append(replace(shifted, handles=np.repeat(shifted.points[:, None], 2, 1)))
        return sent[-1]

    animate(stretch, last=1)
    again = read_again(scene, take, steps)
    assert again.points == pytest.approx(sent[0].points, abs=2e-3)
    assert again.depth == pytest.approx(sent[0].depth, abs=1e-6)
    assert made(hero)[1]["radius"][:5] == pytest.approx([0.1, 0.15, 0.2, 0.3, 0.4], rel=0.05)


def test_another_type_of_curve_with_as_many_points_is_taken_as_drawn_anew(scene, camera, draw, animate):
    hero = rich(draw)

    def smooth(strokes, frame):
        return replace(strokes, curve_type=np.full(2, CATMULL_ROM, np.uint8), points=strokes.points[[0, 0, *range(2, 7)]])

    animate(smooth, last=1)
    _, values = made(hero)
    assert "curve_type" not in values  # Blender's default
    assert values["pressure"][:3].tolist() == [1, 1, 3]


def test_strokes_beside_one_drawn_anew_are_themselves_to_the_bit(scene, camera, draw, animate):
    hero = rich(draw)
    _, before = made(hero, layer="Lines")

    def first_anew(strokes, frame):
        fine = refined(strokes, frame)
        parts = [slice(0, 5), slice(3, 7)]  # the line refined, the arc as it was
        arrays = {
            name: np.concatenate([getattr(fine, name)[parts[0]], getattr(strokes, name)[parts[1]]])
            for name in ("points", "depth", "handles", "widths", "opacity")
        }
        return replace(strokes, offsets=np.int32([0, 5, 9]), **arrays)

    animate(first_anew, last=1)
    _, values = made(hero)
    for name in ("position", "radius", "opacity", "vertex_color", "pressure"):
        assert values[name][5:].tobytes() == before[name][3:].tobytes()


def test_the_order_is_the_takes(scene, camera, draw, animate):
    hero = rich(draw)

    def swapped(strokes, frame):
        fine = refined(strokes, frame)
        return strokes_like(strokes, [
            {"points": fine.points[5:], "source": 1, "material": 0}, {"points": [(5, 5), (50, 60)], "material": 1},
            {"points": fine.points[:5], "source": 0, "material": 1},
        ])  # fmt: skip

    animate(swapped, last=1)
    drawing, values = made(hero)
    assert drawing.offsets.tolist() == [0, 7, 9, 14]
    assert values["my own"].tolist() == [8, 7, 7]
    assert values["material_index"].tolist() == [0, 1, 1]


def test_a_new_stroke_looks_like_the_nearest_one_of_its_material_and_is_as_wide_as_the_take_says(scene, camera, draw, animate, take, steps):
    far = [(x + 3, y, z + 2) for x, y, z in LINE]
    hero = draw([LINE, far, ARC], softness=("FLOAT", "CURVE", [0.2, 0.4, 0.6]), material_index=("INT", "CURVE", [1, 1, 0]),
                vertex_color=("FLOAT_COLOR", "POINT", [*[(1, 0, 0, 1)] * 3, *[(0, 1, 0, 1)] * 3, *[(0, 0, 1, 1)] * 4]))  # fmt: skip
    with_materials(hero)

    def add(strokes, frame):
        new = [
            {"points": at + np.array([(-9, 0), (0, 0), (9, 0), (18, 0)]), "material": 1, "widths": 6, "opacity": 0.5}
            for at in (strokes.points[1] + (0, 5), strokes.points[4] + (0, 5))
        ]
        return strokes_like(strokes, new)

    animate(add, last=1)
    _, values = made(hero)
    assert values["softness"] == pytest.approx([0.2, 0.4])
    assert values["vertex_color"][:, :2] == pytest.approx(np.array([*[(1, 0)] * 4, *[(0, 1)] * 4]))
    assert values["opacity"] == pytest.approx(np.full(8, 0.5))
    assert read_again(scene, take, steps).widths == pytest.approx(np.full(8, 6), rel=1e-2)


def test_a_new_line_of_a_filled_material_stays_a_line(scene, camera, draw, animate, take, steps):
    fills = {"fill_id": ("INT", "CURVE", [1])} if FILLS_BY_ATTRIBUTE else {}
    hero = with_materials(draw([ARC], **fills))
    for material in () if FILLS_BY_ATTRIBUTE else hero.data.materials:
        material.grease_pencil.show_fill = True
    bpy.context.view_layer.update()

    def add(strokes, frame):
        own = {"points": strokes.points, "source": 0, "material": 0, "fill_colour": strokes.fill_colour[0]}
        return strokes_like(strokes, [own, {"points": [(5, 5), (50, 60), (90, 10)], "material": 0}])

    animate(add, last=1)
    assert (read_again(scene, take, steps).fill_colour[:, 3] > 0).tolist() == [True, False]


def test_a_stroke_edited_during_the_run_gives_nothing_to_what_is_drawn_anew(scene, camera, draw, animate):
    hero = rich(draw)

    def edit(strokes, frame):
        drawing = hero.data.layers["Lines"].frames[0].drawing
        attributes.write(drawing, "position", "FLOAT_VECTOR", "POINT", np.array([(x, y, z + 1) for x, y, z in LINE] + ARC))
        return refined(strokes, frame)

    animate(edit, last=1)
    _, values = made(hero)
    assert values["my own"].tolist() == [0, 8]
    assert values["material_index"].tolist() == [1, 0]


def test_a_closed_strokes_end_leads_back_to_its_start():
    box = np.float32(BOX)
    closed, offsets = np.array([True]), np.int32([0, 4])
    length = way(box, box, box, offsets, closed)
    assert length == pytest.approx([0, 0.25, 0.5, 0.75])
    found = along(np.array([0, 0.125, 0.875, 1]), np.zeros(4, int), length, offsets, closed)
    assert found.of(np.float64([0, 1, 2, 3])) == pytest.approx([0, 0.5, 1.5, 0])


def test_a_beziers_length_is_that_of_its_curve():
    """A half circle and its diameter."""
    points = np.float32([(-1, 0, 0), (1, 0, 0), (-1, 0, 0)])
    right, left = points.copy(), points.copy()
    right[0], left[1] = (-1, 0, 4 / 3), (1, 0, 4 / 3)
    length = way(points, left, right, np.int32([0, 3]), np.array([False]))
    assert length[1] == pytest.approx(np.pi / (np.pi + 2), abs=0.02)


def test_strokes_of_one_point_and_of_no_length_are_no_error():
    points = np.zeros((3, 3), np.float32)
    length = way(points, points, points, np.int32([0, 1, 1, 3]), np.array([True, False, True]))
    assert length.tolist() == [0, 0, 0]
    found = along(np.array([0.0, 1.0, 0.5]), np.array([0, 2, 2]), length, np.int32([0, 1, 1, 3]), np.array([True, False, True]))
    assert np.isfinite(found.of(np.float64([1, 2, 3]))).all()
