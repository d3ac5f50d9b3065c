"""Teaching a motion from Blender, through a tiny checkpoint: strips and a sentence become a motion that VidSketch uses."""

import os
import shutil
import signal
import time

import bpy
import pytest
from pegbar.panels import listing
from pegbar.runs import engine, preview, run, takes, teaching
from pegbar.runs.request import request
from pegbar.tests.blender import stage
from pegbar.tests.blender.paper import Paper, drawn
from pegbar.tests.blender.test_vidsketch import Menu, Opened

FRAMES = 5
SMALL = {"prompt": "a box slides", "frames": 3, "width": 64, "height": 32, "steps": 4, "checkpoint_every": 2, "sample_steps": 1}


@pytest.fixture
def clips(scene, tmp_path):
    """Two selected strips of a box that slides, the second one held on twos, and a sound's place left alone."""
    editor = scene.sequence_editor_create()
    for channel, name in enumerate(("slide", "twos"), start=1):
        for index in range(FRAMES):
            stage.picture(tmp_path / name / f"{index + 1}.png", stage.cartoon(5 * index * channel, coloured=True))
        strip = editor.strips.new_image(name, str(tmp_path / name / "1.png"), channel, 10 * channel, fit_method="ORIGINAL")
        for index in range(1, FRAMES):
            strip.elements.append(f"{index - index % channel + 1}.png")
        strip.select = True
    scene.render.resolution_x, scene.render.resolution_y = stage.SIZE
    return editor


@pytest.fixture
def lesson(scene, published, weights, clips):
    """The settings of a small lesson; the motions that it taught are removed."""
    settings = published("vidsketch") and scene.pegbar.teach
    for name, value in SMALL.items():
        setattr(settings, name, value)
    settings.motion, settings.low_rank = "Sliding Box", True
    folder = weights("vidsketch") / "vidsketch/motions"
    before = set(folder.iterdir())
    yield settings
    for made in set(folder.iterdir()) - before:
        shutil.rmtree(made)


def teach():
    return bpy.ops.pegbar.run(pipeline="teach")


def motion(name="Sliding Box"):
    return next(motion for motion in teaching.listed() if motion.name == name)


def refusal(**settings):
    """The sentence with which teaching is refused."""
    for name, value in settings.items():
        setattr(bpy.context.scene.pegbar.teach, name, value)
    with pytest.raises(RuntimeError) as refused:
        teach()
    return str(refused.value).removeprefix("Error: ").strip()


def test_two_strips_and_a_sentence_become_a_motion_that_the_next_video_uses(scene, lesson, camera):
    before = stage.contents(scene)
    assert teach() == {"FINISHED"}
    assert stage.contents(scene) == before
    (take,) = takes.listed()
    files = [file.file for file in take.job.inputs["clips"]]
    assert len(files) == 2 * FRAMES and len(set(files)) == FRAMES + 3, "held frames share a file"
    made = motion()
    assert (made.prompt, made.frames, made.low_rank) == ("a box slides", 3, True)
    menu = Menu(Paper())
    listing.PEGBAR_MT_listed.draw(menu, Opened())
    assert "Sliding Box" in menu.layout.text and tuple(preview.of(made.picture).image_size) == (64, 32)
    shown = drawn("PEGBAR_PT_teach")
    assert "Sliding Box is learned" in shown.text and shown.button("pegbar.choose_listed") == ("Use", True)
    (pressed,) = (about[1] for _, _, about in shown.lines if about[0] == "pegbar.choose_listed")
    bpy.ops.pegbar.choose_listed(**vars(pressed))
    settings = scene.pegbar.vidsketch
    settings.prompt, settings.num_inference_steps, settings.size, scene.pegbar.length = "a box", 1, 64, 3
    stage.draw(scene)
    assert bpy.ops.pegbar.run(pipeline="vidsketch") == {"FINISHED"}
    assert takes.listed()[-1].job.params["motion"] == "Sliding Box" and len(takes.listed()[-1].frames) == 3


def test_a_lesson_that_was_stopped_or_killed_is_finished_to_the_same_bits(scene, lesson):
    assert teach() == {"FINISHED"}
    whole = motion().weights.read_bytes()
    stopped = begun("Stopped Box")
    run.stop(stopped)
    followed(stopped)
    assert stopped.phase == "stopped"
    take = takes.listed()[-1]
    shown = drawn("PEGBAR_PT_teach")
    assert f"Stopped Box stopped at step {take.learned} of 4." in shown.text and shown.button("pegbar.finish_take") == ("Finish", True)
    assert bpy.ops.pegbar.finish_take(folder=str(take.folder.path)) == {"FINISHED"}
    killed = begun("Killed Box")
    os.kill(engine._worker.pid, signal.SIGKILL)
    followed(killed, until=lambda: killed.is_lost)
    assert killed.text in drawn("PEGBAR_PT_teach").text
    assert bpy.ops.pegbar.restart_engine() == {"FINISHED"}
    followed(killed)
    assert [motion(name).weights.read_bytes() == whole for name in ("Stopped Box", "Killed Box")] == [True, True]
    taught = drawn("PEGBAR_PT_teach_taught").text
    assert all(f"{name} Box 4 of 4 steps" in taught for name in ("Sliding", "Stopped", "Killed"))


def begun(name):
    """A lesson that has come past its first checkpoint; while it went on its panel showed how far it was and what it made."""
    bpy.context.scene.pegbar.teach.motion = name
    running = run.start(request(bpy.context, "teach"))
    bars, pictures = set(), 0

    def learned():
        nonlocal bars, pictures
        shown = drawn("PEGBAR_PT_teach")
        bars |= {text for kind, text, _ in shown.lines if kind == "bar"}
        pictures += any(kind == "picture" for kind, _, _ in shown.lines)
        return "Learning 3/4" in bars or (running.folder and (running.folder.state_folder / "learned.pt").exists())

    followed(running, learned)
    assert running.is_active and "Learning 0/4" in bars and pictures
    return running


def followed(running, until=lambda: False):
    while running.is_active and not until():
        run.advance(running)
        time.sleep(0.01)


def test_a_folder_of_clips_is_read_where_it_lies(scene, lesson, tmp_path):
    scene.pegbar.clips, lesson.folder, lesson.steps = "FOLDER", str(tmp_path), 1
    for strip in scene.sequence_editor.strips:
        strip.select = False
    assert "folder" in drawn("PEGBAR_PT_teach").props()
    assert refusal(folder=str(tmp_path / "nowhere")).startswith("There is no folder")
    lesson.folder, lesson.motion, lesson.low_rank = str(tmp_path), "Whole Box", False
    assert teach() == {"FINISHED"}
    assert not takes.listed()[-1].job.inputs and not motion("Whole Box").low_rank


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"motion": "  "}, "Give the motion a name"),
        ({"motion": "Waving FLAG"}, "There is already a motion 'Waving FLAG': choose another name"),
        ({"frames": 6}, "'slide' shows 5 frames, 6 are needed: lengthen it or learn fewer frames"),
        ({"width": 60}, "The width is 60: choose a multiple of 8"),
    ],
)
def test_what_cannot_be_taught_is_said_in_a_sentence(lesson, settings, sentence):
    assert refusal(**settings) == sentence


def test_without_clips_the_panel_says_what_to_do(scene, lesson):
    for strip in scene.sequence_editor.strips:
        strip.select = False
    assert refusal() == "Select the strips to learn from in the sequencer, or choose a folder"
    assert "Select the strips to learn from" in drawn("PEGBAR_PT_teach").text
    scene.pegbar.clips = "FOLDER"
    assert refusal() == "Choose the folder with your clips"
