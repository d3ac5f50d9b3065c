"""DropletVideo from Blender, through a tiny checkpoint: the frame of an image strip comes back as a strip that starts on it."""

import bpy
from pegbar.engine.pipelines.dropletvideo.prompts import CHARACTER, QUALITY
from pegbar.runs import placing, takes
from pegbar.runs.request import request
from pegbar.tests.blender.paper import drawn
from pegbar.timeline.versions import strip_range


def test_a_strips_frame_comes_back_as_a_strip_above_it(scene, published, picture, tmp_path):
    settings = published("dropletvideo")
    settings.prompt, settings.template, settings.num_inference_steps, settings.resolution = "it rains", "plain", 2, "image"
    editor = scene.sequence_editor_create()
    strip = editor.strips.new_image("key art", str(picture(tmp_path / "key.png", (200, 90, 30), (64, 48))), 2, 11, fit_method="ORIGINAL")
    strip.elements.append("key.png")
    editor.active_strip = strip
    scene.frame_set(12)
    scene.pegbar.length = 9
    assert bpy.ops.pegbar.run(pipeline="dropletvideo") == {"FINISHED"}
    (take,) = takes.listed()
    assert [file.frame for file in take.job.inputs["image"]] == [12]
    assert sorted(frame.frame for frame in take.frames) == list(range(12, 21))
    (made,) = placing.strips_of(take)
    assert (*strip_range(made), made.channel) == (12, 21, 3)
    assert strip_range(editor.strips["key art"]) == (11, 13)
    assert editor.active_strip == made and request(bpy.context, "dropletvideo").sources["image"][0].name == "key art"
    bpy.ops.pegbar.apply_take(folder=str(take.folder.path))
    assert placing.is_shown(take) and not editor.strips["key art"].mute, "a shot does not stand for the strip that it starts on"


def test_the_advanced_panel_shows_the_whole_prompt_as_it_is_now(scene, published):
    settings = published("dropletvideo")
    settings.prompt, settings.template = "she waves", "character"
    scene.sequence_editor_create()

    def shown():
        return " ".join(drawn("PEGBAR_PT_dropletvideo_advanced").text.split())

    whole = CHARACTER.replace("{sentence}", "she waves.") + " " + QUALITY
    assert f"The whole prompt, {len(whole.split())} words: {whole}" in shown()
    settings.template, settings.own_template = "own", "Slowly {sentence} And rest."
    assert f"Slowly she waves. And rest. {QUALITY}" in shown()
