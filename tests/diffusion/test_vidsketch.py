"""VidSketch's whole runs on a tiny random checkpoint, from drawings to frames."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from pegbar.engine.pipelines.vidsketch import drawings, sampling
from pegbar.engine.pipelines.vidsketch.abstraction import measured
from pegbar.engine.pipelines.vidsketch.pipeline import _Phase
from pegbar.engine.protocol import Cancelled, Done, FrameWritten, InputFile, Job, JobFolder, Progress, Shot, Warned
from pegbar.engine.weights import Machine
from pegbar.engine.worker import run_job
from PIL import Image, ImageDraw

from .noises import randn

STEPS = 6
MODELS: dict = {}
"""Loaded once for all tests of a process, as a worker does."""


def sketches(folder: JobFolder, frames=(1, 4), size=(90, 52)):
    files = []
    for index, frame in enumerate(frames, start=1):
        image = Image.new("L", size, 255)
        ImageDraw.Draw(image).ellipse((10 + 3 * index, 8, 50 + 3 * index, 44), outline=0, width=2)
        file = folder.input_file("sketch", index, ".png")
        image.save(folder.file(file))
        files.append(InputFile(frame, file))
    return tuple(files)


def job(path: Path, first_frame=False, frames=4, params=None, size=(90, 52), drawn=(1, 4), **changes) -> JobFolder:
    folder = JobFolder(path)
    folder.path.mkdir(parents=True)
    inputs = {"sketch": sketches(folder, drawn, size)}
    if first_frame:
        file = folder.input_file("first_frame", 1, ".png")
        Image.effect_noise((size[0] * 2, size[1] * 2), 60).convert("RGB").save(folder.file(file))
        inputs["first_frame"] = (InputFile(1, file),)
    given = {"prompt": "a candle", "size": 64, "num_inference_steps": STEPS, **(params or {})}
    folder.write_job(Job("vidsketch", given, inputs, Shot("Scene", 1, frames, 24.0), **{"seed": 3, "id": "id", **changes}))
    return folder


def attempt(folder, weights, tell=lambda event: None):
    return run_job(folder, MODELS, tell, Machine((weights,), "cpu"))


def finish(folder, weights, tell=lambda event: None):
    end = attempt(folder, weights, tell)
    assert isinstance(end, Done), end
    return end


def clip(folder):
    """The frames (f, h, w, 3) that a run has written: not their files, which say the settings."""
    return np.stack([np.asarray(Image.open(path)) for path in sorted((folder.outputs / "clip").iterdir())])


def test_a_run_gives_frames_of_the_drawings_size_and_the_same_ones_again(vidsketch_weights, tmp_path):
    runs = [job(tmp_path / name, **changes) for name, changes in (("a", {}), ("b", {}), ("c", {"seed": 4}))]
    for run in runs:
        finish(run, vidsketch_weights)
    a, b, c = map(clip, runs)
    assert len(a) == 4 and (a == b).all() and (a != c).any((1, 2, 3)).all()
    with Image.open(runs[0].outputs / "clip/0003.png") as image:
        assert image.size == (90, 52)


@pytest.mark.parametrize("given", [True, False])
def test_the_first_frame_is_there_and_shown_before_the_others_are_made(vidsketch_weights, tmp_path, given):
    run = job(tmp_path / "run", first_frame=given)
    phases, shown = [], []

    def tell(event):
        if isinstance(event, Progress) and event.phase == "Drawing" and not shown:
            shown.extend(Image.open(path).convert("RGB") for path in (run.preview_file, run.outputs / "clip/0001.png"))
        if isinstance(event, Progress | FrameWritten):
            phases.append(event.phase if isinstance(event, Progress) else event.frame)

    finish(run, vidsketch_weights, tell)
    assert phases.index(1) < phases.index("Drawing") < phases.index(2)
    assert ("Drawing the first frame" in phases) != given
    preview, first = shown
    assert np.abs(np.subtract(preview, first.resize(preview.size), dtype=float)).mean() < 12


def test_a_given_first_frame_is_the_videos_first(vidsketch_weights, vidsketch_base, tmp_path):
    run = job(tmp_path / "run", first_frame=True)
    finish(run, vidsketch_weights)
    with Image.open(run.file("inputs/first_frame/0001.png")) as given, Image.open(run.outputs / "clip/0001.png") as made:
        picture = drawings.picture(np.asarray(given.convert("RGBA"), np.float32) / 255, (64, 40))
        first = vidsketch_base.decode(vidsketch_base.encode(picture, randn(1, 4, 5, 8, seed=3)))[0].permute(1, 2, 0).numpy()
        assert np.abs(np.asarray(made) / 255 - drawings.resized(first, (90, 52))).max() < 0.003


def test_a_run_that_was_stopped_goes_on_to_the_same_bits_whenever_it_was(vidsketch_weights, tmp_path):
    """Stopped within a step: before the first of the network's blocks, and deep in it."""
    whole = job(tmp_path / "whole")
    finish(whole, vidsketch_weights)

    class Impatient(list):
        def __init__(self, run, calls):
            self.run, self.calls = run, calls

        def __call__(self, event):
            self.calls -= 1
            if self.calls == 0:
                self.run.request_cancel()

    for calls in (3, 6, 9, 12, 14):
        run = job(tmp_path / str(calls))
        end = attempt(run, vidsketch_weights, Impatient(run, calls))
        assert isinstance(end, Done) and end.cancelled
        run.withdraw_cancel()
        finish(run, vidsketch_weights)
        assert (clip(run) == clip(whole)).all()


def test_a_run_stops_within_a_step(vidsketch_weights, vidsketch_base, vidsketch_network):
    heard = []

    class Report:
        def progress(self, phase, step, of):
            heard.append(step)
            if len(heard) == 5:
                raise Cancelled

    phase = _Phase(Report(), "Drawing", 3)
    with pytest.raises(Cancelled), phase.heard_in(vidsketch_network):
        sampling.sample(
            vidsketch_network, vidsketch_base.scheduler, randn(1, 4, 3, 4, 8), vidsketch_base.encode_text("", "a"), (), sampling.Sampling(3)
        )
    assert heard == [0] * 5
    vidsketch_network(randn(1, 4, 3, 4, 8), torch.tensor(1), vidsketch_base.encode_text("a"))
    assert len(heard) == 5, "the vidsketch_network still listens"


def test_what_was_kept_is_gone_on_with_not_made_again(vidsketch_weights, tmp_path):
    run = job(tmp_path / "run")
    finish(run, vidsketch_weights)
    whole, events = clip(run), []
    for path in (run.outputs / "clip").iterdir():
        path.unlink()
    finish(run, vidsketch_weights, events.append)
    assert (clip(run) == whole).all()
    assert {event.step for event in events if isinstance(event, Progress) and event.phase == "Drawing"} == {STEPS}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, r"Measured abstraction 0\.\d\d: the drawings steer at strength 0\.8\d for 7\d% of the steps"),
        ({"control": "abstraction", "abstraction": 1.0}, r".*, taken as 1\.00: the drawings steer at strength 0\.8\d for 66% of the steps"),
        ({"control": "fixed", "strength": 0.3, "tau": 0.2}, r".*, not used: the drawings steer at strength 0\.30 for 20% of the steps"),
    ],
)
def test_how_the_drawings_steer_is_said_and_can_be_overridden(vidsketch_weights, tmp_path, params, said):
    events = []
    finish(job(tmp_path / "run", params={"num_inference_steps": 1, **params}), vidsketch_weights, events.append)
    (warned,) = (event.text for event in events if isinstance(event, Warned))
    assert re.fullmatch(said, warned)


def test_what_is_said_is_how_they_steer(vidsketch_weights, tmp_path):
    """The same frames come of the measured abstraction when it is given, and others of another."""
    measured_at = np.mean([measured(np.asarray(Image.open(file).convert("L"))).score for file in drawn_files(tmp_path)])
    videos = []
    for control, abstraction in (("auto", 0.0), ("abstraction", float(measured_at)), ("abstraction", 1.0)):
        run = job(tmp_path / f"{control}{abstraction}", params={"control": control, "abstraction": abstraction})
        finish(run, vidsketch_weights)
        videos.append(clip(run))
    assert (videos[0] == videos[1]).all() and (videos[0] != videos[2]).any()


def drawn_files(path):
    folder = job(path / "drawn")
    return [folder.file(file.file) for file in folder.read_job().inputs["sketch"]]


def test_a_long_video_of_one_drawing_in_another_motion(vidsketch_weights, tmp_path):
    run = job(tmp_path / "run", frames=20, drawn=(7,), size=(40, 70), params={"motion": "Waving Flag", "num_inference_steps": 2})
    finish(run, vidsketch_weights)
    assert len(clip(run)) == 20


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"frames": 65}, "has 65 frames: choose a range of 2 to 64"),
        ({"frames": 1}, "has 1 frames"),
        ({"params": {"motion": "fish"}}, "There is no motion 'fish'"),
    ],
)
def test_what_cannot_be_made_is_said(vidsketch_weights, tmp_path, changes, sentence):
    end = attempt(job(tmp_path / "run", **changes), vidsketch_weights)
    assert sentence in end.text


def test_drawings_of_other_proportions_are_refused(vidsketch_weights, tmp_path):
    run = job(tmp_path / "run")
    Image.new("L", (50, 50), 255).save(run.file("inputs/sketch/0002.png"))
    end = attempt(run, vidsketch_weights)
    assert "The drawing at frame 4 is 50 x 50, the first drawing 90 x 52" in end.text
