"""Colours come back as fills: one layer under the lines, one material a colour, drawings held as the lines are."""

import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the rendering process runs this file as a script
import test_raster_matches_blender as matches
from pegbar.preferences import preferences
from pegbar.runs import engine, placing, takes
from pegbar.tests.blender import stage
from pegbar.tests.blender.paper import drawn
from pegbar.timeline import attributes
from pegbar.timeline.fills import COLOUR
from pegbar.timeline.grease_pencil import TAKES

COAT, POCKET, SUN, SKY = (200, 40, 30), (40, 60, 200), (250, 210, 60), (150, 200, 230)


@pytest.fixture(autouse=True)
def ready(tmp_path, scene):
    preferences().engine_python = str(stage.ENGINE)
    preferences().takes_folder = str(tmp_path / "takes")
    yield
    engine.stop()
    preferences().engine_python = preferences().takes_folder = ""


def box(left, bottom, right, top):
    return [(left, 0, bottom), (right, 0, bottom), (right, 0, top), (left, 0, top)]


def shapes(shift):
    """A coat with a pocket in it, and a sun; the coat moves."""
    return [box(-3 + shift, -1.5, -0.5 + shift, 1.2), box(-2 + shift, -0.7, -1.2 + shift, 0.3), box(1, -0.2, 2.6, 1.4)]


@pytest.fixture
def hero(scene, camera, draw):
    """Line art on twos over six frames on a moved, turned and scaled object; and its coloured first frame, a drawing, too.

    Not tilted: Mesa's software renderer loses a fill that reaches out of the picture where its depth changes."""
    scene.frame_start, scene.frame_end = 1, 6
    scene.pegbar.line_art = "OBJECT"
    for frame in (1, 3, 5):
        draw(shapes(0.1 * (frame - 1)), frame=frame, radius=0.03, cyclic=("BOOLEAN", "CURVE", True))
    hero = bpy.data.objects["Hero"]
    hero.data.materials.append(material("Ink", None))
    paint = draw(
        [box(-9, -5, 9, 5), *shapes(0)],
        name="Paint", radius=0.03, cyclic=("BOOLEAN", "CURVE", True), material_index=("INT", "CURVE", [0, 1, 2, 3]),
        hide_stroke=("BOOLEAN", "CURVE", True), fill_id=("INT", "CURVE", [1, 2, 3, 4]),
    )  # fmt: skip
    for name, colour in (("Sky", SKY), ("Coat", COAT), ("Pocket", POCKET), ("Sun", SUN)):
        paint.data.materials.append(material(name, colour))
    for found in (hero, paint):
        found.scale, found.rotation_euler, found.location = (0.9, 0.9, 0.9), (0, 0.1, 0), (0.1, 0.3, 0)
    bpy.context.view_layer.objects.active = paint
    bpy.ops.pegbar.add_reference(type="OBJECT")
    paint.hide_set(False)
    scene.pegbar.drawing = hero
    scene.pegbar.flat.as_fills, scene.pegbar.flat.as_clip = True, False
    bpy.context.view_layer.update()
    return hero


def material(name, colour):
    """A fill of an sRGB colour without a line; a black line without one."""
    made = bpy.data.materials.new(name)
    bpy.data.materials.create_gpencil_data(made)
    made.grease_pencil.show_fill, made.grease_pencil.show_stroke = bool(colour), not colour
    made.grease_pencil.color = (0, 0, 0, 1)
    if colour:
        made.grease_pencil.fill_color = (*linear(colour), 1)
    return made


def linear(colour):
    values = np.array(colour) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def colour_it():
    """Presses the button; gives the newest take."""
    bpy.ops.pegbar.run(pipeline="flat")
    return takes.listed()[-1]


def used(layer, frame):
    """The materials of the fills that a layer shows at a frame, bottom first."""
    drawing = layer.get_frame_at(frame).drawing
    index = attributes.read(drawing, "material_index", drawing.attributes.domain_size("CURVE"), 0)
    return [layer.id_data.materials[i].name for i in index]


def test_fills_lie_on_one_layer_under_the_lines_with_their_holds(hero):
    before = stage.contents(bpy.context.scene)
    take = colour_it()
    assert [layer.name for layer in hero.data.layers] == ["Lines colour", "Lines"]
    made = hero.data.layers["Lines colour"]
    assert [key.frame_number for key in made.frames] == [1, 3, 5, 7]
    assert made.frames[3].drawing.attributes.domain_size("CURVE") == 0
    assert not bpy.context.scene.sequence_editor.strips_all
    after = stage.contents(bpy.context.scene)
    assert {name: after["drawings"][name] for name in before["drawings"]} == before["drawings"]
    assert hero.data.layers.active.name == "Lines" and list(hero.data[TAKES][take.job.id]["layers"]) == ["Lines colour"]
    assert take.frames[0].output == "fills" and len(take.frames) == 6


def test_each_region_has_the_references_own_material(hero):
    colour_it()
    made = hero.data.layers["Lines colour"]
    for frame in (1, 3, 6):
        assert sorted(used(made, frame)) == ["Coat", "Pocket", "Sky", "Sun"] and used(made, frame)[0] == "Sky"
    assert hero.material_slots[0].name == "Ink"
    assert hero.data.materials["Coat"] == bpy.data.objects["Paint"].data.materials["Coat"]


def test_they_lie_in_the_plane_of_the_lines_right_under_them(hero):
    colour_it()
    drawing = hero.data.layers["Lines colour"].get_frame_at(3).drawing
    place = attributes.values(drawing.attributes["position"])
    assert np.abs(place[:, 1]).max() < 2e-4
    coat = place[np.repeat(used(hero.data.layers["Lines colour"], 3).index("Coat") == np.arange(4), np.diff(attributes.offsets(drawing)))]
    assert coat.min(axis=0)[[0, 2]] == pytest.approx((-2.8, -1.5), abs=0.03)
    assert coat.max(axis=0)[[0, 2]] == pytest.approx((-0.3, 1.2), abs=0.03)


def test_numbered_materials_keep_their_colours_whatever_they_are_called(hero):
    overridden = bpy.data.objects["Paint"].data
    overridden.materials.clear()
    drawing = overridden.layers[0].frames[0].drawing
    colours = np.array([(*linear(colour), 1) for colour in (SKY, COAT, POCKET, SUN)])
    overridden.materials.append(material("Of all colours", (9, 9, 9)))
    attributes.write(drawing, "fill_color", "FLOAT_COLOR", "CURVE", colours)
    attributes.write(drawing, "material_index", "INT", "CURVE", np.zeros(4))
    colour_it()
    names = [f"Pegbar Colour {number:02d}" for number in (1, 2, 3, 4)]
    assert sorted(used(hero.data.layers["Lines colour"], 1)) == names
    tags = {hero.data.materials[name][COLOUR] for name in names}
    assert tags == {"#" + bytes(colour).hex() for colour in (SKY, COAT, POCKET, SUN)}
    coat = next(m for m in hero.data.materials if m.get(COLOUR) == "#" + bytes(COAT).hex())
    assert np.array(coat.grease_pencil.fill_color[:3]) == pytest.approx(linear(COAT), abs=1e-6)
    coat.name, coat.grease_pencil.fill_color = "My Coat", (0, 1, 0, 1)
    colour_it()
    assert "My Coat" in used(hero.data.layers["Lines colour.001"], 1)
    assert len([m for m in bpy.data.materials if m.get(COLOUR)]) == 4


def test_it_is_one_undo_step(hero):
    bpy.ops.ed.undo_push(message="Drawn")
    colour_it()
    bpy.ops.ed.undo()
    assert [layer.name for layer in bpy.data.objects["Hero"].data.layers] == ["Lines"]
    take = takes.listed()[-1]
    assert not placing.is_placed(take)
    bpy.ops.pegbar.apply_take(folder=str(take.folder.path))
    assert [layer.name for layer in bpy.data.objects["Hero"].data.layers] == ["Lines colour", "Lines"]


def test_apply_shows_one_takes_fills_and_always_the_lines(hero):
    first, second = colour_it(), colour_it()
    for take, shown in ((first, "Lines colour"), (second, "Lines colour.001"), (first, "Lines colour")):
        bpy.ops.pegbar.apply_take(folder=str(take.folder.path))
        assert {layer.name for layer in hero.data.layers if not layer.hide} == {shown, "Lines"}
        assert [placing.is_shown(other) for other in (first, second)] == [take == first, take == second]


def test_the_take_of_a_moved_drawing_hides_the_fills_and_gives_them_back(hero):
    colour_it()
    bpy.context.view_layer.objects.active = hero
    bpy.context.scene.pegbar.length = 4
    bpy.ops.pegbar.run(pipeline="liven")
    moved = takes.listed()[-1]
    bpy.ops.pegbar.apply_take(folder=str(moved.folder.path))
    assert {layer.name for layer in hero.data.layers if not layer.hide} == set(hero.data[TAKES][moved.job.id]["layers"])
    placing.show_source(hero)
    assert {layer.name for layer in hero.data.layers if not layer.hide} == {"Lines", "Lines colour"}


def test_restored_settings_colour_the_same_drawing_with_fills_again(hero):
    take, settings = colour_it(), bpy.context.scene.pegbar
    settings.flat.as_fills, settings.line_art, settings.drawing = False, "STRIP", None
    bpy.ops.pegbar.restore_settings(folder=str(take.folder.path))
    assert (settings.flat.as_fills, settings.line_art, settings.drawing) == (True, "OBJECT", hero)
    bpy.ops.pegbar.delete_take(folder=str(take.folder.path))
    assert "Lines colour" in hero.data.layers


def test_a_strip_has_pictures_back_whatever_a_drawing_had(scene, tmp_path):
    stage.line_art(scene, tmp_path)
    scene.pegbar.flat.as_fills, scene.pegbar.flat.as_clip = True, False
    take = colour_it()
    assert take.frames[0].output == "clip" and placing.strips_of(take)


def test_with_modifiers_the_fills_are_an_object_of_their_own_at_the_same_place(hero):
    hero.modifiers.new("Up", "GREASE_PENCIL_OFFSET").location = (0, 0, 0.2)
    bpy.data.objects["Paint"].modifiers.new("Up", "GREASE_PENCIL_OFFSET").location = (0, 0, 0.2)
    bpy.context.view_layer.update()
    colour_it()
    made = bpy.data.objects["Hero take 1 fills"]
    assert not made.modifiers and [layer.name for layer in hero.data.layers] == ["Lines"]
    coat = used(made.data.layers["Lines"], 1).index("Coat")
    drawing = made.data.layers["Lines"].get_frame_at(1).drawing
    place = attributes.values(drawing.attributes["position"])[np.repeat(np.arange(4) == coat, np.diff(attributes.offsets(drawing)))]
    assert place[:, 2].max() == pytest.approx(1.4, abs=0.03)


def test_layers_in_groups_and_with_parents_have_their_fills_beneath_them_all(hero, draw, scene):
    draw([box(1.2, 0, 1.6, 0.4)], layer="Face", radius=0.03, cyclic=("BOOLEAN", "CURVE", True))
    data, parent = hero.data, bpy.data.objects.new("Head", None)
    scene.collection.objects.link(parent)
    parent.location = (0.1, 0, 0.2)
    data.layers["Lines"].parent = parent
    data.layers.move_to_layer_group(data.layers["Lines"], data.layer_groups.new("Body"))
    bpy.context.view_layer.update()
    before = [layer.name for layer in data.layers]
    colour_it()
    (made,) = [layer for layer in data.layers if layer.name.endswith("colour")]
    assert [layer.name for layer in data.layers] == [made.name, *before]
    assert made.parent == data.layers[made.name.removesuffix(" colour")].parent


def give(layer, frame, fill, name):
    """Gives a fill of a material another one, as an artist does."""
    drawing, data = layer.get_frame_at(frame).drawing, layer.id_data
    index = attributes.read(drawing, "material_index", drawing.attributes.domain_size("CURVE"), 0)
    index[used(layer, frame).index(fill)] = data.materials.find(name)
    attributes.write(drawing, "material_index", "INT", "CURVE", index)


def test_a_fill_with_another_material_is_carried_on_to_what_follows(hero):
    take = colour_it()
    made, places = hero.data.layers["Lines colour"], stage.strokes_of(hero.data.layers["Lines colour"])
    hat = material("Hat", (10, 200, 90))
    hero.data.materials.append(hat)
    give(made, 3, "Coat", "Hat")
    give(made, 3, "Sun", "Sky")
    bpy.context.view_layer.objects.active = hero
    bpy.context.scene.frame_set(4)
    bpy.ops.ed.undo_push(message="Changed")
    assert bpy.ops.pegbar.carry_on() == {"FINISHED"}
    made = hero.data.layers["Lines colour"]
    assert [layer.name for layer in hero.data.layers] == ["Lines colour", "Lines"]
    assert sorted(used(made, 1)) == ["Coat", "Pocket", "Sky", "Sun"]
    assert [sorted(used(made, frame)) for frame in (3, 5)] == [["Hat", "Pocket", "Sky", "Sky"]] * 2
    assert {frame: place.tolist() for frame, place in stage.strokes_of(made).items()} == {f: p.tolist() for f, p in places.items()}
    assert [file.frame for file in takes.listed()[-1].job.inputs["corrections"]] == [4]
    assert placing.fills_shown(hero)[0].number == take.number + 1
    bpy.ops.ed.undo()
    again = bpy.data.objects["Hero"].data.layers["Lines colour"]
    assert sorted(used(again, 5)) == ["Coat", "Pocket", "Sky", "Sun"] and sorted(used(again, 3)) == ["Hat", "Pocket", "Sky", "Sky"]


def test_a_recoloured_material_stays_so_in_a_corrected_take(hero):
    colour_it()
    hero.data.materials["Pocket"].grease_pencil.fill_color = (0, 1, 0, 1)
    give(hero.data.layers["Lines colour"], 1, "Sun", "Pocket")
    bpy.context.view_layer.objects.active = hero
    bpy.context.scene.frame_set(1)
    bpy.ops.pegbar.carry_on()
    assert sorted(used(hero.data.layers["Lines colour"], 1)) == ["Coat", "Pocket", "Pocket", "Sky"]
    assert len([m for m in bpy.data.materials if m.get(COLOUR)]) == 4


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda layer: None, "No fill on this frame has another material"),
        (lambda layer: layer.get_frame_at(3).drawing.remove_strokes(indices=[1]), "has other fills on frame 3 than its take"),
        (lambda layer: bpy.context.scene.frame_set(40), "has no fills on frame 40"),
    ],
)
def test_what_cannot_be_carried_on_is_a_sentence(hero, change, text):
    colour_it()
    bpy.context.view_layer.objects.active = hero
    bpy.context.scene.frame_set(3)
    change(hero.data.layers["Lines colour"])
    with pytest.raises(RuntimeError, match=text):
        bpy.ops.pegbar.carry_on()
    assert len(takes.listed()) == 1


def test_the_viewports_panel_offers_it_where_there_are_fills(hero):
    bpy.context.view_layer.objects.active = hero
    assert drawn("PEGBAR_PT_fills").lines == []
    colour_it()
    bpy.context.view_layer.objects.active = hero
    assert drawn("PEGBAR_PT_fills").button("pegbar.carry_on") == ("Carry This Change On", True)


@pytest.fixture
def rendered(hero, tmp_path):
    """Blender's own picture of frame 3, of frame 6 with the coat's material turned green, and of frame 3 with a hole for the sun."""
    if not matches.has_egl():
        pytest.skip("This machine has no EGL, without which Blender cannot render: install libegl1 and libgl1-mesa-dri")
    colour_it()
    bpy.data.objects["Paint"].hide_render = True
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "hero.blend"))
    subprocess.run([sys.executable, __file__, str(tmp_path)], check=True, capture_output=True, timeout=300)


def test_blender_shows_each_colour_exactly_and_a_changed_material_everywhere(rendered, tmp_path, pixels):
    was, green = pixels(tmp_path / "3.png"), pixels(tmp_path / "green 6.png")
    at = {"Coat": (60, 110), "Pocket": (98, 105), "Sun": (68, 238), "Sky": (12, 12)}
    for name, colour in (("Coat", COAT), ("Pocket", POCKET), ("Sun", SUN), ("Sky", SKY)):
        assert was[at[name]].tolist() == [*colour, 255], name
    assert green[at["Pocket"]].tolist() == [*POCKET, 255] and (green == (0, 255, 0, 255)).all(-1).sum() > 4000
    assert not (green == (*COAT, 255)).all(-1).any() and (was == (*COAT, 255)).all(-1).sum() > 4000


def render(folder):
    """In a process of its own: pictures of a saved file."""
    bpy.ops.wm.open_mainfile(filepath=str(folder / "hero.blend"))
    scene = bpy.context.scene
    scene.render.engine, scene.view_settings.view_transform = "BLENDER_WORKBENCH", "Standard"
    scene.render.film_transparent, scene.render.dither_intensity = True, 0
    for frame, name in ((3, "3"), (6, "green 6")):
        if name.startswith("green"):
            bpy.data.materials["Coat"].grease_pencil.fill_color = (0, 1, 0, 1)
        scene.frame_set(frame)
        scene.render.filepath = str(folder / f"{name}.png")
        bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    render(Path(sys.argv[1]))
