"""VidSketch from Blender, through a tiny checkpoint: keyed drawings come back as a strip."""

import json
from dataclasses import dataclass

import bpy
from pegbar.panels import listing
from pegbar.preferences import preferences
from pegbar.runs import placing, preview, takes
from pegbar.tests.blender import stage
from pegbar.tests.blender.paper import Paper, drawn
from pegbar.timeline.versions import strip_range

KEYS = (1, 4, 6, 10)


@dataclass
class Menu:
    layout: Paper


class Opened:
    """The context of the menu of VidSketch's motions."""

    pegbar_pipeline, pegbar_param = "vidsketch", "motion"


def test_four_keyed_drawings_come_back_as_a_strip(scene, published, camera):
    settings = published("vidsketch")
    settings.prompt, settings.num_inference_steps, settings.size = "a candle burns", 2, 64
    found = stage.draw(scene)
    for key in KEYS[1:]:
        found.data.layers[0].frames.copy(KEYS[0], key)
    before = stage.contents(scene)
    assert bpy.ops.pegbar.run(pipeline="vidsketch") == {"FINISHED"}
    (take,) = takes.listed()
    assert [file.frame for file in take.job.inputs["sketch"]] == list(KEYS)
    assert sorted(frame.frame for frame in take.frames) == list(range(1, 11))
    (made,) = placing.strips_of(take)
    assert strip_range(made) == (1, 11)
    assert stage.contents(scene)["drawings"] == before["drawings"]


def test_learned_motions_are_chosen_by_name_with_their_pictures(scene, tmp_path, picture):
    preferences().weights_folder = str(tmp_path)
    try:
        for name in ("Flag", "Candle"):
            folder = tmp_path / "vidsketch/motions" / name.lower()
            picture(folder / "motion.png", (200, 90, 30), (12, 8))
            (folder / "motion.json").write_text(json.dumps({"name": f"{name} in the wind"}))
            (folder / "low_rank.safetensors").touch()
        bpy.context.view_layer.objects.active = stage.draw(scene)
        assert ("menu", "", "PEGBAR_MT_listed") in drawn("PEGBAR_PT_vidsketch").lines
        menu = Menu(Paper())
        listing.PEGBAR_MT_listed.draw(menu, Opened())
        (_, one, _), (_, other, (_, pressed, _)) = menu.layout.lines
        assert (one, other) == ("Candle in the wind", "Flag in the wind")
        assert tuple(preview.of(tmp_path / "vidsketch/motions/flag/motion.png").image_size) == (12, 8)
        assert bpy.ops.pegbar.choose_listed(**vars(pressed)) == {"FINISHED"}
        assert scene.pegbar.vidsketch.motion == "Flag in the wind"
    finally:
        preferences().property_unset("weights_folder")
        preview.unregister()
