"""VidSketch from Blender, through a tiny checkpoint: keyed drawings come back as a strip."""

import bpy
from pegbar.runs import placing, takes
from pegbar.tests.blender import stage
from pegbar.timeline.versions import strip_range

KEYS = (1, 4, 6, 10)


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
