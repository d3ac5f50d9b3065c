"""Drawings are read as the scene shows them, in pixels of its camera, and in final colours."""

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from pegbar.engine.protocol import PegbarError
from pegbar.engine.strokes import BEZIER, CATMULL_ROM, NURBS, POLY, Strokes
from pegbar.timeline import READ, Source, finish
from pegbar.timeline.grease_pencil import keys
from pegbar.timeline.projection import unproject
from pegbar.timeline.versions import FILLS_BY_ATTRIBUTE

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # which materials give on 5.2

ARC = [(-2, 0, -1), (-1, 0, 1), (1, 0.5, 1), (2, 0, -1)]
LINE = [(-1, 0, 0), (1, 0, 0)]


@pytest.fixture
def read(scene, take, steps):
    """A function that reads the drawing `Hero` and gives its strokes, a frame each."""

    def run(*frames, layers=(), kind="sketch"):
        name = f"input{len(list(take.path.glob('inputs/*')))}"
        files = steps(scene, READ[kind](scene, [Source("OBJECT", "Hero", layers)], frames, take, name))
        assert [file.frame for file in files] == list(frames)
        return [Strokes.load(take.file(file.file)) for file in files]

    return run


def material(name, on, colour=(0, 0, 0, 1), fill=None, **style):
    made = bpy.data.materials.new(name)
    bpy.data.materials.create_gpencil_data(made)
    made.grease_pencil.color = colour
    made.grease_pencil.show_stroke, made.grease_pencil.show_fill = True, fill is not None
    made.grease_pencil.fill_color = fill or (0, 0, 0, 1)
    for key, value in style.items():
        setattr(made.grease_pencil, key, value)
    on.data.materials.append(made)


def expected(scene, points):
    """Where Blender itself says that points of the world are."""
    seen = [world_to_camera_view(scene, scene.camera, Vector(point)) for point in points]
    return [(x * scene.render.resolution_x, (1 - y) * scene.render.resolution_y) for x, y, _ in seen]


def perspective(camera, scene):
    camera.data.shift_x, camera.data.shift_y = 0.1, -0.2


def orthographic(camera, scene):
    camera.data.type, camera.data.ortho_scale = "ORTHO", 7
    camera.data.shift_x = 0.3


def wide_pixels(camera, scene):
    scene.render.pixel_aspect_x = 2


def scaled_and_turned(camera, scene):
    camera.scale, camera.rotation_euler = (2, 3, 0.5), (1.4, 0.2, 0.3)


@pytest.mark.parametrize("change", [perspective, orthographic, wide_pixels, scaled_and_turned])
def test_points_fall_where_the_camera_sees_them(scene, camera, draw, read, change):
    change(camera, scene)
    draw([ARC])
    (strokes,) = read(1)
    assert strokes.size == (320, 180)
    assert strokes.points == pytest.approx(np.array(expected(scene, ARC)), abs=1e-3)


def test_pixels_and_depth_lead_back_to_the_layers_own_space(scene, camera, draw, read):
    draw([ARC]).data.layers["Lines"].translation = (1, 2, 3)
    (strokes,) = read(1)
    back = unproject(strokes.matrices[0], strokes.points, strokes.depth, strokes.size)
    assert back == pytest.approx(np.array(ARC), abs=1e-6)


def test_object_parent_layer_and_bone_move_the_drawing(scene, camera, draw, read):
    armature = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    armature.data.edit_bones.new("arm").tail = (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    hero = draw([LINE])
    hero.location = (0.5, 0, 0)
    draw([LINE], layer="Arm")
    arm = hero.data.layers["Arm"]
    bpy.context.view_layer.update()
    arm.parent, arm.parent_bone = armature, "arm"
    arm.translation = (0, 0, 0.25)
    armature.location = (0, 0, 1)
    armature.pose.bones["arm"].location = (0, 0.5, 0)
    bpy.context.view_layer.update()
    (strokes,) = read(1)
    matrix = np.array(armature.matrix_world @ armature.pose.bones["arm"].matrix @ arm.matrix_parent_inverse @ arm.matrix_local)
    moved = [(matrix @ (*point, 1))[:3] for point in LINE]
    assert strokes.points[:2] == pytest.approx(np.array(expected(scene, [(x + 0.5, y, z) for x, y, z in LINE])), abs=1e-3)
    assert strokes.points[2:] == pytest.approx(np.array(expected(scene, moved)), abs=1e-3)
    assert not np.allclose(moved, LINE)


def test_widths_are_the_radius_in_pixels(scene, camera, draw, read):
    camera.data.type, camera.data.ortho_scale = "ORTHO", 16
    hero = draw([LINE], radius=0.1)
    assert read(1)[0].widths == pytest.approx([4, 4])
    hero.scale = (2, 2, 2)
    assert read(1)[0].widths == pytest.approx([8, 8])
    hero.data.layers["Lines"].radius_offset = 0.05
    assert read(1)[0].widths == pytest.approx([12, 12])
    hero.data.layers["Lines"].scale = (3, 3, 3)
    assert read(1)[0].widths == pytest.approx([12, 12])


@pytest.mark.parametrize(("name", "code"), [("POLY", POLY), ("CATMULL_ROM", CATMULL_ROM), ("BEZIER", BEZIER), ("NURBS", NURBS)])
def test_every_curve_type_keeps_its_control_points(scene, camera, draw, read, name, code):
    left, right = [(x - 0.3, y, z) for x, y, z in ARC], [(x + 0.3, y, z) for x, y, z in ARC]
    handles = {"handle_left": ("FLOAT_VECTOR", "POINT", left), "handle_right": ("FLOAT_VECTOR", "POINT", right)}
    draw([ARC], type=name, cyclic=("BOOLEAN", "CURVE", True), **(handles if name == "BEZIER" else {}))
    (strokes,) = read(1)
    assert (strokes.curve_type[0], strokes.cyclic[0], len(strokes.points)) == (code, True, 4)
    sides = (left, right) if name == "BEZIER" else (ARC, ARC)
    assert strokes.handles[:, 0] == pytest.approx(np.array(expected(scene, sides[0])), abs=1e-3)
    assert strokes.handles[:, 1] == pytest.approx(np.array(expected(scene, sides[1])), abs=1e-3)


def test_modifiers_count(scene, camera, draw, read):
    hero = draw([LINE])
    hero.modifiers.new("Array", "GREASE_PENCIL_ARRAY").count = 3
    (strokes,) = read(1)
    assert len(strokes.source) == 3 and strokes.source.tolist() == [0, 1, 2]


def test_hidden_layers_and_groups_are_left_out(scene, camera, draw, read):
    hero = draw([LINE])
    for name in ("Hidden", "In Group", "Deep"):
        draw([LINE], layer=name)
    layers, groups = hero.data.layers, hero.data.layer_groups
    layers["Hidden"].hide = True
    outer, inner = groups.new("outer"), groups.new("inner")
    hero.data.layer_groups.move_to_layer_group(inner, outer)
    layers.move_to_layer_group(layers["In Group"], outer)
    layers.move_to_layer_group(layers["Deep"], inner)
    bpy.context.view_layer.update()
    assert set(read(1)[0].layers) == {"Lines", "In Group", "Deep"}
    outer.hide = True
    bpy.context.view_layer.update()
    assert read(1)[0].layers == ("Lines",)


def test_chosen_layers_alone_are_read_bottom_first(scene, camera, draw, read):
    for name in ("Paper", "Body", "Face"):
        draw([LINE], layer=name)
    (strokes,) = read(1, layers=("Face", "Paper"))
    assert strokes.layers == ("Paper", "Face")
    assert strokes.layer.tolist() == [0, 1]
    with pytest.raises(PegbarError, match="no layer 'Hat'"):
        read(1, layers=("Hat",))


def test_colours_are_those_that_blender_renders(scene, camera, draw, read):
    """The values come from Workbench renders of the same strokes (sRGB), lights off."""
    hero = draw(
        [ARC] * 3, fill_id=("INT", "CURVE", (0, 0, 1)), vertex_color=("FLOAT_COLOR", "POINT", [(0, 0, 0, 0)] * 4 + [(0.5, 0, 0, 0.5)] * 8)
    )
    material("ink", hero, (0, 0, 0.5, 0.5))
    assert read(1)[0].line_colour[:2] == pytest.approx(np.array([(0, 0, 0.737, 0.5), (0.537, 0, 0.537, 0.5)]), abs=2e-3)
    hero.data.layers["Lines"].opacity = 0.5
    bpy.context.view_layer.update()
    assert read(1)[0].line_colour[0, 3] == pytest.approx(0.5) and read(1)[0].layer_opacity == (0.5,)
    hero.data.layers["Lines"].tint_color, hero.data.layers["Lines"].tint_factor = (0, 0.5, 0), 0.5
    bpy.context.view_layer.update()
    assert read(1)[0].line_colour[0, :3] == pytest.approx([0, 0.278, 0.647], abs=2e-2)


def test_fills_are_those_that_blender_renders(scene, camera, draw, read):
    fills = [(0, 0, 0, 0), (0, 0.5, 0, 1), (0, 0.5, 0, 0.5), (0, 0, 0, 0)]
    hero = draw(
        [ARC] * 4,
        fill_color=("FLOAT_COLOR", "CURVE", fills),
        fill_opacity=("FLOAT", "CURVE", (1, 1, 1, 0.5)),
        fill_id=("INT", "CURVE", (1, 2, 3, 4)),
    )
    material("skin", hero, fill=(0.5, 0.2, 0.1, 1))
    rendered = [(0.737, 0.486, 0.349, 1), (0, 0.737, 0, 1), (0.537, 0.627, 0.247, 1), (0.737, 0.486, 0.349, 0.5)]
    assert read(1)[0].fill_colour == pytest.approx(np.array(rendered), abs=3e-3)


def test_what_is_not_drawn_has_no_alpha(scene, camera, draw, read):
    hero = draw([ARC] * 3, material_index=("INT", "CURVE", (0, 1, 1)), hide_stroke=("BOOLEAN", "CURVE", (False, False, FILLS_BY_ATTRIBUTE)))
    material("ink", hero, hide=True)
    material("paint", hero, fill=(1, 0, 0, 1))
    hero.data.materials["paint"].grease_pencil.show_stroke = FILLS_BY_ATTRIBUTE
    (strokes,) = read(1)
    assert strokes.line_colour[:, 3].tolist() == ([0, 1, 0] if FILLS_BY_ATTRIBUTE else [0, 0, 0])
    assert strokes.fill_colour[:, 3].tolist() == ([0, 0, 0] if FILLS_BY_ATTRIBUTE else [0, 1, 1])


def test_an_absent_attribute_has_blenders_default(scene, camera, draw, read):
    hero = draw([LINE])
    drawing = hero.data.layers["Lines"].frames[0].drawing
    for name in ("radius", "opacity"):
        drawing.attributes.remove(drawing.attributes[name])
    camera.data.type, camera.data.ortho_scale = "ORTHO", 16
    bpy.context.view_layer.update()
    (strokes,) = read(1)
    assert strokes.widths == pytest.approx([0.4, 0.4])
    assert (strokes.opacity == 1).all() and strokes.line_colour[0] == pytest.approx([0.797, 0.797, 0.797, 1], abs=2e-3)


def test_points_behind_the_camera_are_cut_off(scene, camera, draw, read):
    draw([[(0, -20, 0), (0, -15, 0)], [(0, -12, 0), (1, 0, 0), (2, 0, 0)], LINE])
    (strokes,) = read(1)
    assert np.diff(strokes.offsets).tolist() == [3, 2]
    assert strokes.source.tolist() == [-1, 2]
    assert strokes.points[1:3] == pytest.approx(np.array(expected(scene, [(1, 0, 0), (2, 0, 0)])), abs=1e-3)
    assert np.isfinite(strokes.points).all() and strokes.depth.min() == pytest.approx(-1, abs=1e-5)


def test_a_cyclic_stroke_that_is_cut_becomes_open(scene, camera, draw, read):
    draw([[(0, 0, 1), (0, -12, 0), (1, 0, 0), (1, 0, 1)]], cyclic=("BOOLEAN", "CURVE", True))
    (strokes,) = read(1)
    assert np.diff(strokes.offsets).tolist() == [5] and not strokes.cyclic[0]
    assert strokes.points[1:4] == pytest.approx(np.array(expected(scene, [(1, 0, 0), (1, 0, 1), (0, 0, 1)])), abs=1e-3)


def front(hero):
    pass


def top(hero):
    hero.data.layers["Lines"].rotation = (-np.pi / 2, 0, 0)


def mirrored_and_turned(hero):
    hero.scale, hero.rotation_euler = (-1, 1, 1), (0, 0, 1.2)


@pytest.mark.parametrize("change", [front, top, mirrored_and_turned])
def test_without_a_camera_the_drawing_fills_the_picture(scene, draw, read, change):
    scene.render.resolution_x, scene.render.resolution_y = 320, 180
    corner = [(0, 0, 1), (0, 0, 0), (1, 0, 0)]
    change(draw([corner]))
    bpy.context.view_layer.update()
    (strokes,) = read(1)
    height = 180 * 0.8
    mirror = -1 if change is mirrored_and_turned else 1
    square = [(160 - mirror * height / 2, 18), (160 - mirror * height / 2, 162), (160 + mirror * height / 2, 162)]
    assert strokes.points == pytest.approx(np.array(square), abs=1e-3)
    assert strokes.widths == pytest.approx(2 * 0.1 * height)


def test_without_a_camera_all_frames_share_one_view(scene, draw, read):
    hero = draw([[(0, 0, 0), (1, 0, 1)]])
    hero.keyframe_insert("location", frame=1)
    hero.location = (9, 0, 0)
    hero.keyframe_insert("location", frame=11)
    first, last = read(1, 11)
    assert (first.matrices != last.matrices).any()
    assert last.points[0] - first.points[0] == pytest.approx(9 * (first.points[1] - first.points[0]) * (1, 0))


def test_an_empty_drawing_says_so(scene, draw, read):
    draw([])
    with pytest.raises(PegbarError, match=r"'Hero' is empty.*frame 1"):
        read(1)


def test_an_empty_drawing_before_a_camera_says_so(scene, camera, draw, read):
    draw([], frame=5)
    with pytest.raises(PegbarError, match=r"'Hero' is empty.*frames 1 to 9"):
        read(1, 9)


def hidden_by_the_eye(hero):
    hero.hide_set(True)


def hidden_by_the_monitor(hero):
    hero.hide_viewport = True


def in_no_collection(hero):
    hero.users_collection[0].objects.unlink(hero)


@pytest.mark.parametrize("change", [hidden_by_the_eye, hidden_by_the_monitor, in_no_collection])
def test_a_hidden_drawing_says_so(scene, camera, draw, read, change):
    change(draw([LINE]))
    with pytest.raises(PegbarError, match=r"'Hero' is hidden|'Hero' is not in the scene"):
        read(1)


def test_a_blank_key_among_others_is_a_blank_drawing(scene, camera, draw, read):
    draw([LINE])
    draw([], frame=3)
    drawn, blank = read(2, 3)
    assert (len(drawn.source), len(blank.source)) == (1, 0)
    assert (drawn.drawing, blank.drawing) == (1, 3)


def test_holds_share_a_file(scene, camera, draw, take):
    draw([LINE])
    draw([ARC], frame=4)
    files = finish(READ["sketch"](scene, [Source("OBJECT", "Hero")], range(1, 7), take, "sketch"))
    assert [file.file[-8:-4] for file in files] == ["0001"] * 3 + ["0002"] * 3
    assert keys(Source("OBJECT", "Hero"), 2, 9) == (2, 4)
    assert keys(Source("OBJECT", "Hero"), 0, 3) == (1,)


def test_a_moving_camera_draws_a_held_drawing_anew(scene, camera, draw, read):
    draw([LINE])
    camera.keyframe_insert("location", frame=1)
    camera.location.x = 1
    camera.keyframe_insert("location", frame=3)
    scene.frame_set(2)
    first, last = read(1, 3)
    assert last.points[0, 0] < first.points[0, 0]


def test_reading_the_frame_one_is_on_keeps_unkeyed_edits(scene, camera, draw, read):
    hero = draw([LINE])
    hero.keyframe_insert("location", frame=1)
    hero.location.z = 1
    read(1)
    assert hero.location.z == 1


def test_another_scene_of_the_file_is_read_by_its_own_camera_and_frame(scene, camera, draw, take):
    hero = draw([LINE])
    draw([ARC], frame=5)
    other = bpy.data.scenes.new("Other")
    other.collection.objects.link(hero)
    other.camera = camera
    other.render.resolution_x, other.render.resolution_y = 200, 100
    scene.frame_set(1)
    (file,) = finish(READ["sketch"](other, [Source("OBJECT", "Hero")], [7], take, "sketch"))
    strokes = Strokes.load(take.file(file.file))
    assert (strokes.size, len(strokes.points), scene.frame_current) == ((200, 100), 4, 1)


def test_what_went_away_during_a_run_is_named(scene, camera, draw, take, monkeypatch):
    monkeypatch.setattr("pegbar.timeline.stepping.SLICE_S", 0)
    hero = draw([LINE])
    steps = READ["sketch"](scene, [Source("OBJECT", "Hero")], range(1, 9), take, "sketch")
    next(steps)
    bpy.data.objects.remove(hero)
    with pytest.raises(PegbarError, match="'Hero' is no longer there"):
        finish(steps)
