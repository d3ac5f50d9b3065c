"""Teaching a motion: tiny clips are learned, whatever stopped it, and the result is a motion like others."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from pegbar.engine.drawing.frames import write_mp4
from pegbar.engine.pipelines.vidsketch import TRAINING, clips, models, training
from pegbar.engine.pipelines.vidsketch.learning import Batch, Learner
from pegbar.engine.pipelines.vidsketch.motions import chosen, motions
from pegbar.engine.protocol import Cancelled, Done, InputFile, Job, JobFolder, PegbarError, Shot
from pegbar.engine.spec import complete
from pegbar.engine.weights import Machine
from pegbar.engine.worker import run_job
from pegbar.tests.tiny.vidsketch import make
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent.parent
SMALL = {"prompt": "a ball rolls", "frames": 4, "width": 64, "height": 32, "steps": 6, "checkpoint_every": 3, "sample_steps": 2}


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    make(folder)
    return folder


@pytest.fixture(scope="session")
def footage(tmp_path_factory):
    """Four clips of a ball that rolls, and one more that is held out."""
    folder = tmp_path_factory.mktemp("footage")
    (folder / "clips").mkdir()
    (folder / "held_out").mkdir()
    for index in range(3):
        write_mp4(folder / "clips" / f"{index}.mp4", rolling(index), 8)
    for part, index in (("clips/3", 3), ("held_out/0", 4)):
        (folder / part).mkdir()
        for number, frame in enumerate(rolling(index), start=1):
            Image.fromarray((frame * 255).astype(np.uint8)).save(folder / part / f"{number}.png")
    return folder


def rolling(index, frames=12):
    """A light ball on a dark floor, a little further in each frame."""
    y, x = np.mgrid[:40, :80]
    for frame in range(frames):
        ball = (x - 8 - 5 * frame - index) ** 2 + (y - 14 - 2 * index) ** 2 < 60
        yield np.where(ball[..., None], [0.9, 0.8 - 0.1 * index, 0.3], [0.1, 0.15, 0.3]).astype(np.float32)


def lesson(footage, out, held_out=True, **params):
    return training.Lesson(footage / "clips", footage / "held_out" if held_out else None, out, complete(TRAINING, {**SMALL, **params}))


def learn(weights, given, told=lambda progress: None):
    training.train(given, weights / "sd15", "cpu", told)


def state(out):
    return torch.load(out / training.STATE, weights_only=True)


def same(a, b):
    """Whether two states are equal to the bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


@pytest.mark.parametrize("low_rank", [False, True])
def test_what_is_learned_is_a_motion_with_name_picture_and_prompt(weights, footage, tmp_path, low_rank):
    out = tmp_path / "Rolling Ball"
    learn(weights, lesson(footage, out, low_rank=low_rank))
    motion = chosen(tmp_path, "Rolling Ball")
    assert (motion.prompt, motion.frames, motion.low_rank) == ("a ball rolls", 4, low_rank)
    assert motion.picture and {path.name for path in (out / "samples").iterdir()} == {"000003.png", "000006.png"}
    with Image.open(out / "loss.png") as plot, Image.open(out / "samples/000006.png") as strip:
        assert plot.size == (720, 360) and strip.size == (4 * 64, 32)
    base = models.load_stable_diffusion(weights / "sd15", torch.device("cpu"))
    learner = Learner(
        base.inflated(torch.Generator().manual_seed(0 if low_rank else 33)), base.scheduler, rank=16 if low_rank else 0, seed=33
    )
    learner.restore(state(out))
    network = models.load_motion(motion, base)
    latents, text = torch.randn(1, 4, 4, 4, 8, generator=torch.Generator().manual_seed(0)), base.encode_text("a ball rolls")
    with torch.no_grad():
        taught = network(latents, torch.tensor(200), text, attended="first+second+prev")
        fresh = base.inflated(torch.Generator())(latents, torch.tensor(200), text, attended="first+second+prev")
    torch.testing.assert_close(taught, learner.predict(latents, torch.tensor(200), text), atol=1e-4, rtol=1e-4)
    assert (taught - fresh).abs().max() > 1e-4


def test_the_pipeline_offers_the_new_motion_at_once(weights, footage, tmp_path):
    learn(weights, lesson(footage, weights / "motions/ball", steps=1, name="Rolling Ball"))
    folder = JobFolder(tmp_path / "take")
    folder.path.mkdir()
    file = folder.input_file("sketch", 1, ".png")
    Image.new("L", (64, 32), 255).save(folder.file(file))
    params = {"motion": "Rolling Ball", "num_inference_steps": 1, "size": 64}
    folder.write_job(Job("vidsketch", params, {"sketch": (InputFile(1, file),)}, Shot("Scene", 1, 4, 24.0), id="id"))
    assert isinstance(run_job(folder, machine=Machine((weights,), "cpu")), Done)
    assert "Rolling Ball" in {motion.name for motion in motions(weights / "motions")}


@pytest.mark.parametrize("low_rank", [False, True])
def test_learning_that_was_stopped_goes_on_to_the_same_bits(weights, footage, tmp_path, low_rank):
    learn(weights, lesson(footage, tmp_path / "whole", low_rank=low_rank))
    stopped = tmp_path / "stopped"

    def stop(progress):
        if (progress.phase, progress.step) in {("Learning", 2), ("Learning", 5)}:
            raise Cancelled

    for _ in range(3):
        try:
            learn(weights, lesson(footage, stopped, low_rank=low_rank), Once(stop, stopped))
        except Cancelled:
            continue
    assert same(state(stopped), state(tmp_path / "whole"))
    assert (stopped / "loss.png").read_bytes() == (tmp_path / "whole/loss.png").read_bytes()


class Once:
    """Stops at each of a few places once, whatever run it is in."""

    def __init__(self, stop, folder):
        self.stop, self.seen = stop, folder.with_suffix(".stops")

    def __call__(self, progress):
        place = f"{progress.phase} {progress.step}\n"
        before = self.seen.read_text() if self.seen.exists() else ""
        try:
            self.stop(progress)
        except Cancelled:
            if place not in before:
                self.seen.write_text(before + place)
                raise


def test_learning_that_was_killed_goes_on_to_the_same_bits(weights, footage, tmp_path):
    """By the command line, with the kill that no program hears."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    options = ["--checkpoint-every", "2", "--steps", "6"]
    assert teach(weights, footage, whole, *options).wait() == 0
    process = teach(weights, footage, killed, *options)
    until = time.monotonic() + 120
    while not (killed / training.STATE).exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert state(killed)["done"] < 6
    assert teach(weights, footage, killed, *options).wait() == 0
    assert same(state(killed), state(whole))


def teach(weights, footage, out, *options):
    values = {name: str(SMALL[name]) for name in ("prompt", "frames", "width", "height")}
    given = [word for name, value in values.items() for word in (f"--{name}", value)]
    command = [sys.executable, "-m", "engine", "train", "vidsketch", "--clips", str(footage / "clips"), "--out", str(out), *given, *options]
    command += ["--sample-steps", "2", "--weights", str(weights), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_the_same_command_with_more_steps_goes_on(weights, footage, tmp_path):
    learn(weights, lesson(footage, tmp_path / "whole"))
    learn(weights, lesson(footage, tmp_path / "parts", steps=3))
    learn(weights, lesson(footage, tmp_path / "parts"))
    assert same(state(tmp_path / "parts"), state(tmp_path / "whole"))


def test_another_lesson_in_the_same_folder_is_refused(weights, footage, tmp_path):
    learn(weights, lesson(footage, tmp_path / "out", steps=1))
    with pytest.raises(PegbarError, match="learned by another command"):
        learn(weights, lesson(footage, tmp_path / "out", learning_rate=0.1))


@pytest.mark.parametrize(
    ("params", "sentence"), [({"frames": 13}, "has 12 frames, 13 are needed"), ({"width": 60}, "width is 60: choose a multiple of 8")]
)
def test_clips_that_are_too_short_and_odd_sizes_are_said(weights, footage, tmp_path, params, sentence):
    with pytest.raises(PegbarError, match=sentence):
        learn(weights, lesson(footage, tmp_path / "out", **params))


def test_learning_lowers_the_loss_on_a_clip_that_was_never_seen(weights, footage, tmp_path):
    """By a third at least, from four clips; the tiny network learns faster than a large one may."""
    learn(weights, lesson(footage, tmp_path / "out", steps=100, checkpoint_every=100, learning_rate=3e-3))
    (_, before), (_, after) = state(tmp_path / "out")["held_out_losses"]
    print(f"\nheld-out loss: {before:.4f} before, {after:.4f} after 100 steps: a factor of {before / after:.2f}")
    assert after < before / 1.5


def test_clips_are_cut_to_the_proportions_and_mirrored(weights, tmp_path):
    base = models.load_stable_diffusion(weights / "sd15", torch.device("cpu"))
    (tmp_path / "clip").mkdir()
    frame = np.zeros((40, 120, 3), np.uint8)
    frame[:, 60:] = 255
    for number in (1, 2, 10):
        Image.fromarray(frame + np.uint8(number)).save(tmp_path / "clip" / f"{number}.png")
    clip = clips.encoded(tmp_path / "clip", base, (64, 32), tmp_path / "cache.safetensors")
    plain = clips._fitted(np.concatenate([frame, 255 + 0 * frame[..., :1]], -1).astype(np.float32) / 255, (64, 32))
    assert plain.shape == (3, 32, 64) and plain[0, 0, 0] == -1 and plain[0, 0, -1] == 1
    assert len(clip) == 3 and [path.stem for path in clips._images(tmp_path / "clip")] == ["1", "2", "10"]
    assert not torch.allclose(clip.mean[0], clip.mean[1])
    once, again = (clips.draw(clip, 2, 1, True, 0.18215, torch.Generator().manual_seed(seed)) for seed in (0, 0))
    assert once.shape == (1, 4, 2, 4, 8) and torch.equal(once, again)


def test_gradients_are_the_same_with_less_memory(weights):
    """What is computed again on the way back is the same."""
    base = models.load_stable_diffusion(weights / "sd15", torch.device("cpu"))
    gradients = []
    for checkpointing in (True, False):
        learner = Learner(base.inflated(torch.Generator().manual_seed(0)), base.scheduler)
        if not checkpointing:
            learner.unet.disable_gradient_checkpointing()
        noise = torch.randn(2, 1, 4, 3, 4, 8, generator=torch.Generator().manual_seed(1))
        learner.backward(Batch(noise[0], noise[1], torch.tensor([400]), base.encode_text("a")))
        gradients.append({name: parameter.grad for name, parameter in learner.parameters.items()})
    assert None not in gradients[0].values() and same(*gradients)


def test_where_it_is_is_told_in_its_folder(weights, footage, tmp_path):
    learn(weights, lesson(footage, tmp_path / "out", held_out=False, steps=1))
    folder = JobFolder(tmp_path / "out")
    assert folder.state().name == "done" and not folder.is_running and folder.preview_file.is_file()
    assert json.loads((tmp_path / "out/motion.json").read_bytes())["name"] == "out"
