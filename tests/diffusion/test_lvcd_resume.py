"""A painting killed at any moment goes on to the same bits, and takes the same memory whatever its length."""

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pegbar.engine.pipelines.lvcd import checkpoint
from pegbar.engine.pipelines.lvcd.checkpoint import Checkpoint
from pegbar.engine.pipelines.lvcd.decoding import Pending
from pegbar.engine.pipelines.lvcd.sampling import Carry
from pegbar.engine.protocol import FrameWritten, JobFolder
from pegbar.engine.weights import Machine
from pegbar.engine.worker import run_job

from .painting import MODELS, done, drawn, files, lines, take

KILLS = 10
ROOT = Path(__file__).resolve().parent.parent.parent


def shot(folder):
    """32 frames in four segments, one reference early and one at the end: backwards, forwards, and a seam."""
    return take(folder, lines(32), {6: drawn(5)[1], 32: drawn(31)[1]}, lock_colours=True, keep_references=False)


@pytest.fixture(scope="module")
def whole(lvcd_weights, tmp_path_factory):
    """The uninterrupted take."""
    return done(shot(tmp_path_factory.mktemp("whole")), lvcd_weights)


def killed(made, weights, seconds):
    """Runs a take in a process of its own and kills it after so many seconds, if it is not done before."""
    # Forked, so that torch and the networks need not be loaded each time.
    child = multiprocessing.get_context("fork").Process(target=run_job, args=(made, MODELS), kwargs={"machine": Machine((weights,), "cpu")})
    child.start()
    child.join(seconds)
    if child.is_alive():
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        return True
    return False


def test_a_painting_killed_at_ten_random_moments_ends_with_the_same_bits(whole, lvcd_weights, tmp_path):
    """The same take is hit again and again, so that each run goes on from what several dead ones left."""
    rng, kills, takes = random.Random(5), 0, [shot(tmp_path)]
    while kills < KILLS:
        if killed(takes[-1], lvcd_weights, rng.uniform(0.1, 0.6 * whole.state().seconds)):
            kills += 1
        else:
            takes.append(shot(tmp_path))
    for made in takes:
        assert files(done(made, lvcd_weights)) == files(whole)
        assert not list(made.path.rglob("*.part")) and [path.name for path in (made.path / "state").iterdir()] == ["memory.json"]


@pytest.mark.parametrize("at", [4, 15, 24])
def test_what_was_painted_is_not_painted_again(whole, lvcd_weights, tmp_path, at):
    made = shot(tmp_path)
    told = []

    def stop(event):
        told.append(event)
        if sum(isinstance(event, FrameWritten) for event in told) == at:
            made.request_cancel()

    run_job(made, MODELS, stop, Machine((lvcd_weights,), "cpu"))
    ready = len(files(made))
    made.withdraw_cancel()
    again = []
    run_job(made, MODELS, again.append, Machine((lvcd_weights,), "cpu"))
    assert at <= ready < 32 and sum(isinstance(event, FrameWritten) for event in again) == 32 - ready
    assert files(made) == files(whole)


@pytest.mark.parametrize("lost", ["0003.png", "0019.png"])
@pytest.mark.parametrize("stopped", [True, False])
def test_a_frame_that_was_lost_is_painted_again(whole, lvcd_weights, tmp_path, lost, stopped):
    made = shot(tmp_path) if stopped else JobFolder(shutil.copytree(whole.path, tmp_path / "take"))

    def stop(event):
        if isinstance(event, FrameWritten) and event.frame == 22:
            made.request_cancel()

    if stopped:
        run_job(made, MODELS, stop, Machine((lvcd_weights,), "cpu"))
        made.withdraw_cancel()
    (made.outputs / "clip" / lost).unlink()
    assert files(done(made, lvcd_weights)) == files(whole)


def test_a_checkpoint_comes_back_to_the_bit(tmp_path):
    def random(*shape):
        return torch.randn(shape)

    first = Checkpoint(0, 0, 0, 10, Carry(random(19, 4, 8, 8), random(0, 4, 8, 8), random(0, 0, 4, 8, 8)), None, random(11, 4, 8, 8), {})
    later = Checkpoint(
        2, 5, 61, 8, Carry(random(19, 4, 8, 8), random(4, 4, 8, 8), random(25, 4, 4, 8, 8)),
        Pending(random(1, 4, 8, 8), random(3, 4, 8, 8)), random(10, 4, 8, 8), {40: random(64, 64, 3), 41: random(64, 64, 3)},
    )  # fmt: skip
    for written in (first, later):
        checkpoint.keep(tmp_path, written)
        read = checkpoint.kept(tmp_path)
        assert (read.run, read.segment, read.place, read.chunk) == (written.run, written.segment, written.place, written.chunk)
        assert torch.equal(read.latents, written.latents) and read.seam.keys() == written.seam.keys()
        assert all(torch.equal(getattr(read.carry, name), value) for name, value in vars(written.carry).items())
        assert all(torch.equal(read.seam[drawing], value) for drawing, value in written.seam.items())
        assert (read.pending is None) == (written.pending is None)
    assert all(torch.equal(getattr(read.pending, name), value) for name, value in vars(later.pending).items())
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("damage", [b"", b"no checkpoint", None])
def test_a_checkpoint_that_cannot_be_read_counts_for_nothing(tmp_path, damage):
    if damage is not None:
        (tmp_path / "painting.safetensors").write_bytes(damage)
    assert checkpoint.kept(tmp_path) is None


MEASURED = """
import resource, sys
sys.path[:0] = [{root!r}]
import tests.conftest, torch
torch.set_num_threads(1)
from pathlib import Path
from pegbar.tests.diffusion.painting import done
from pegbar.engine.protocol import JobFolder
made = done(JobFolder(Path(sys.argv[1])), Path(sys.argv[2]))
print(len(made.state().frames), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_fifteen_a_hundred_and_fifty_and_six_hundred_frames_take_the_same_memory(lvcd_weights, tmp_path):
    """Peak memory in processes of their own, within 5 %. A hundred and fifty frames of 64x64 alone are 2.5 MB as numbers."""
    peaks = {}
    for count in (15, 150, 600):
        made = take(tmp_path, (drawn(frame % 40)[0] for frame in range(count)), {1: drawn(0)[1]}, num_inference_steps=1)
        command = [sys.executable, "-c", MEASURED.format(root=str(ROOT)), str(made.path), str(lvcd_weights)]
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        assert int(told[0]) == count
        peaks[count] = int(told[1])
    print(peaks)
    assert max(peaks.values()) / min(peaks.values()) < 1.05, peaks
