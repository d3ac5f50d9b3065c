"""LVCD from Blender, through a tiny checkpoint: a strip of line art with references comes back as a strip."""

import bpy
import pytest
from pegbar.runs import placing, preview, run, takes
from pegbar.runs.request import request
from pegbar.tests.blender import stage
from pegbar.tests.blender.paper import drawn
from pegbar.tests.blender.test_run import step_until
from pegbar.timeline.versions import strip_range

FRAMES, START = 40, 11


@pytest.fixture
def shot(scene, tmp_path, published):
    """A strip of line art with two references, and settings that a processor can bear."""
    settings = published("lvcd")
    settings.num_inference_steps, settings.working_width = 1, 64
    strip, reference = stage.line_art(scene, tmp_path, FRAMES, START)
    entry = scene.pegbar.references.add()
    entry.type, entry.name, entry.at, entry.frame = "FILE", str(reference), START + FRAMES - 1, START + FRAMES - 1
    return strip


def test_a_strip_with_two_references_comes_back_as_a_strip_of_its_length(scene, shot, pixels):
    name, channel = shot.name, shot.channel
    before = stage.contents(scene)
    assert bpy.ops.pegbar.run(pipeline="lvcd") == {"FINISHED"}
    (take,) = takes.listed()
    (made,) = placing.strips_of(take)
    assert strip_range(made) == strip_range(scene.sequence_editor.strips[name]) == (START, START + FRAMES)
    assert made.channel == channel + 1
    assert [file.frame for file in take.job.inputs["reference"]] == [START, START + FRAMES - 1]
    assert sorted(frame.frame for frame in take.frames) == list(take.job.shot.frames) == list(range(START, START + FRAMES))
    assert pixels(take.folder.file(take.frames[20].file)).shape == (stage.SIZE[1], stage.SIZE[0], 4)
    after = stage.contents(scene)
    assert after["settings"] == before["settings"]
    assert {key: after["strips"][key] for key in before["strips"]} == before["strips"]


def test_the_panel_has_a_picture_of_what_is_being_made_until_it_is_made(scene, shot):
    running = run.start(request(bpy.context, "lvcd"))
    step_until(running, lambda: running.folder and preview.of(running.folder.preview_file), 60)
    assert min(preview.of(running.folder.preview_file).image_size) > 0
    kinds = [kind for kind, *_ in drawn("PEGBAR_PT_flat").lines]
    assert kinds.index("bar") < kinds.index("picture")
    run.stop(running)
    run.run_to_end(running)
    assert preview.of(running.folder.preview_file) is None
    assert "picture" not in [kind for kind, *_ in drawn("PEGBAR_PT_flat").lines]
