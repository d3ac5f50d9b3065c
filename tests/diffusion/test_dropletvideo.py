"""`dropletvideo` from a job to its frames: lengths, sizes, seeds, the end image, prompts, presets, and going on where it stopped."""

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_cogvideox import CogVideoXDecoder3D, CogVideoXEncoder3D
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXBlock
from pegbar.engine.pipelines.dropletvideo import SPEC, denoising, prompts, timing
from pegbar.engine.pipelines.dropletvideo.budget import working_size
from pegbar.engine.pipelines.dropletvideo.pipeline import load
from pegbar.engine.pipelines.dropletvideo.transformer import DropletVideoTransformer3DModel
from pegbar.engine.protocol import Done, Failed, FrameWritten, InputFile, Job, JobFolder, Progress, Shot
from pegbar.engine.spec import complete
from pegbar.engine.weights import Machine
from pegbar.engine.worker import run_job
from pegbar.tests.tiny import dropletvideo as tiny
from PIL import Image
from torch.nn.modules.module import register_module_forward_pre_hook
from transformers import T5EncoderModel

ROOT = Path(__file__).resolve().parent.parent.parent
QUICK = {"num_inference_steps": 2, "resolution": "image", "template": "plain", "prompt": "A cat turns", "memory": "one"}
SMALL = (48, 32)


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dropletvideo")
    tiny.make(folder)
    return folder


def picture(size=SMALL, seed=0):
    """Soft patches of colour, width x height."""
    coarse = np.random.default_rng(seed).integers(0, 255, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def take(folder, frames=9, image=None, end=None, fps=8.0, step=1, seed=7, **params):
    """A take that makes a shot from frame 11 on."""
    made = JobFolder.create(folder)
    files = {}
    for name, content in (("image", image or picture()), ("end_image", end)):
        if content is not None:
            file = made.input_file(name, 1, ".png")
            content.save(made.file(file), **({"exif": content.getexif()} if content.getexif() else {}))
            files[name] = (InputFile(11, file),)
    shot = Shot("Scene", 11, 11 + (frames - 1) * step, fps, step)
    made.write_job(Job("dropletvideo", complete(SPEC, {**QUICK, **params}), files, shot, seed, id="same"))
    return made


def run(made, weights, tell=lambda event: None):
    return run_job(made, tell=tell, machine=Machine((weights,), "cpu"))


def shown(made, weights):
    """The frames that a take gives, as bytes of pixels (f, h, w, 3)."""
    end = run(made, weights)
    assert isinstance(end, Done) and not end.cancelled, end
    return np.stack([np.asarray(Image.open(made.file(written.file))) for written in made.state().frames])


def cancelled(made, weights, tell=lambda event: None):
    """Runs a take that something asks to stop."""
    end = run(made, weights, tell)
    assert isinstance(end, Done) and end.cancelled
    made.withdraw_cancel()


def cancelled_after_steps(made, weights, steps):
    """Runs a take until so many guided steps, of two passes each, are taken: progress is told too seldom for that."""
    passes = []

    def count(module):
        if isinstance(module, DropletVideoTransformer3DModel):
            passes.append(module)
            if len(passes) == 2 * steps + 1:
                made.request_cancel()

    with watching(count):
        cancelled(made, weights)


@contextlib.contextmanager
def watching(look):
    """Every module is shown to `look` before it computes something; on the meta device memory alone is counted."""

    def show(module, _):
        parameter = next(module.parameters(), None)
        if parameter is None or not parameter.is_meta:
            look(module)

    hook = register_module_forward_pre_hook(show)
    try:
        yield
    finally:
        hook.remove()


@pytest.mark.parametrize("frames", [1, 2, 6, 9, 17, 85])
def test_as_many_frames_as_the_shot_has_come_back(weights, tmp_path, frames):
    made = take(tmp_path, frames, picture((32, 16)))
    assert len(shown(made, weights)) == frames
    assert [written.frame for written in made.state().frames] == list(range(11, 11 + frames))


def test_in_real_time_the_models_frames_are_held_and_a_frame_each_they_are_not(weights, tmp_path):
    held = shown(take(tmp_path, 13, fps=24.0), weights)
    assert [bool((a != b).any()) for a, b in zip(held[1:], held[:-1], strict=True)] == [n % 3 == 0 for n in range(1, 13)]
    each = shown(take(tmp_path, 5, fps=24.0, timing="frames"), weights)
    assert (each == held[::3]).all(), "the same five frames of the model"
    assert (shown(take(tmp_path, 5, fps=24.0, step=3), weights) == each).all(), "on threes nothing has to be held"


def test_extra_frames_at_the_start_are_left_out_unless_they_are_wanted(weights, tmp_path):
    """Two latent frames are five frames of the model and eight decoded ones."""
    without, kept = shown(take(tmp_path, 5), weights), shown(take(tmp_path, 8, keep_extra_frames=True), weights)
    assert (without == kept[3:]).all()


@pytest.mark.parametrize(("frames", "latent_frames", "dropped"), [(1, 1, 0), (5, 2, 3), (9, 3, 0), (10, 4, 3), (85, 22, 3), (81, 21, 0)])
def test_timing_of_lengths(frames, latent_frames, dropped):
    found = timing.timing_of(Shot("Scene", 1, frames, 8.0), True, False)
    assert (found.latent_frames, found.dropped, found.shown) == (latent_frames, dropped, tuple(range(frames)))
    assert timing.decoded(latent_frames) - dropped >= frames


def test_all_88_frames_of_the_authors_default_can_be_had():
    found = timing.timing_of(Shot("Scene", 1, 88, 8.0), False, True)
    assert (found.latent_frames, found.frames, found.dropped) == (22, 85, 0)


def test_any_size_comes_back(weights, tmp_path):
    assert shown(take(tmp_path, 2, picture((250, 410))), weights).shape == (2, 410, 250, 3)


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (512, 512), (250, 410), (9, 2000)])
@pytest.mark.parametrize("resolution", ["small", "standard", "large", "image"])
def test_the_working_size_keeps_the_proportions_in_multiples_of_16(size, resolution):
    wide, high = working_size(*size, resolution, 16)
    assert wide % 16 == 0 and high % 16 == 0 and wide >= 16 and high >= 16
    if max(size) < 5 * min(size):
        assert abs(wide / high / (size[0] / size[1]) - 1) < 0.08
    assert working_size(672, 384, "standard", 16) == (672, 384) and working_size(1120, 640, "large", 16) == (1120, 640)


def test_alpha_lies_on_white_and_modes_and_rotation_are_undone(weights, tmp_path):
    plain = picture()
    wanted = shown(take(tmp_path, 1, plain), weights)
    turned = plain.transpose(Image.Transpose.ROTATE_90)
    turned.getexif()[0x0112] = 6
    assert (shown(take(tmp_path, 1, turned), weights) == wanted).all()
    clear = plain.convert("RGBA")
    clear.putalpha(0)
    white = Image.new("RGB", SMALL, "white")
    assert (shown(take(tmp_path, 1, clear), weights) == shown(take(tmp_path, 1, white), weights)).all()
    grey = plain.convert("L")
    assert (shown(take(tmp_path, 1, grey), weights) == shown(take(tmp_path, 1, grey.convert("RGB")), weights)).all()
    palette = plain.quantize(16)
    assert (shown(take(tmp_path, 1, palette), weights) == shown(take(tmp_path, 1, palette.convert("RGB")), weights)).all()


def test_the_seed_alone_gives_the_result_again(weights, tmp_path):
    first = shown(take(tmp_path), weights)
    assert (shown(take(tmp_path), weights) == first).all()
    assert (shown(take(tmp_path, seed=8), weights) != first).any()


@pytest.mark.parametrize("frames", [6, 7, 8, 9])
def test_the_end_image_changes_the_shot_whatever_its_length(weights, tmp_path, frames):
    made = [shown(take(tmp_path, frames, end=end), weights) for end in (None, picture(seed=1), picture(seed=2))]
    assert all((one[-1] != other[-1]).any() for one, other in ((made[0], made[1]), (made[1], made[2])))


def test_a_shot_of_one_frame_has_no_end_image(weights, tmp_path):
    end = run(take(tmp_path, 1, end=picture(seed=1)), weights)
    assert isinstance(end, Failed) and "one frame" in end.text


def test_an_end_image_of_other_proportions_is_cropped_and_said(weights, tmp_path):
    made = take(tmp_path, 5, end=picture((48, 48), 1))
    shown(made, weights)
    assert any("other proportions" in text for text in made.state().warnings)
    middle = picture((48, 48), 1).crop((0, 8, 48, 40))
    assert (shown(take(tmp_path, 5, end=middle), weights) == np.stack([np.asarray(Image.open(p)) for p in outputs(made)])).all()


def outputs(made):
    return sorted((made.outputs / "clip").iterdir())


def test_lively_is_a_lower_frame_rate_than_calm():
    assert [denoising.fps_of(motion) for motion in (0, 1 / 3, 2 / 3, 1)] == [32, 16, 8, 4]
    assert denoising.fps_of(complete(SPEC, {})["motion"]) == 16, "the authors' default"


def test_motion_prompt_and_guidance_change_the_shot(weights, tmp_path):
    plain = shown(take(tmp_path), weights)
    for change in ({"motion": 1.0}, {"prompt": "A dog runs"}, {"guidance_scale": 2.0}, {"negative_prompt": "dark"}):
        assert (shown(take(tmp_path, **change), weights) != plain).any(), change


def test_a_short_sentence_is_led_to_the_length_that_the_model_knows():
    for name, template in prompts.TEMPLATES.items():
        prompt = prompts.completed("the  cat turns its head", template)
        assert ("the cat turns its head." in prompt or name == "plain") and prompts.SLOT not in prompt and prompt.endswith(prompts.QUALITY)
        assert name == "plain" or 200 <= len(prompt.split()) <= 260
    assert prompts.completed("It rains!", "Slow. {sentence} End.", "") == "Slow. It rains! End."
    assert prompts.completed("It rains", "Slow.", "Good.") == "Slow. It rains. Good."


def test_the_completed_prompt_is_noted_in_the_take(weights, tmp_path):
    made = take(tmp_path, 1, template="own", own_template="Slowly {sentence} And rest.", prompt="a bird lands")
    shown(made, weights)
    note = json.loads((made.state_folder / "prompt.json").read_text())
    assert note["prompt"] == f"Slowly a bird lands. And rest. {prompts.QUALITY}" and note["fps"] == 16
    assert note["prompt"] == SPEC.whole_prompt(made.read_job().params), "what the panel shows"
    assert note["tokens"] > len(note["prompt"].split())


def test_a_prompt_that_is_too_long_is_told(weights, tmp_path):
    made = take(tmp_path, 1, prompt="word " * 500)
    shown(made, weights)
    assert any("the model reads 400" in text for text in made.state().warnings)


@pytest.mark.parametrize(("preset", "steps", "at"), [("exact", 4, 2), ("draft", 12, 7)])
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(weights, tmp_path, preset, steps, at):
    settings = {"preset": preset, "num_inference_steps": steps}
    whole = shown(take(tmp_path, **settings), weights)
    made = take(tmp_path, **settings)
    cancelled_after_steps(made, weights, at)
    assert not (made.outputs / "clip").exists()
    steps_told = []
    end = run(
        made, weights, lambda event: steps_told.append(event.step) if isinstance(event, Progress) and event.phase == "Drawing" else None
    )
    assert isinstance(end, Done) and min(steps_told) == (at if preset == "exact" else 5), "it did not start anew"
    assert (np.stack([np.asarray(Image.open(path)) for path in outputs(made)]) == whole).all()


def test_frames_written_before_a_stop_are_kept(weights, tmp_path):
    whole = shown(take(tmp_path, 17), weights)
    made = take(tmp_path, 17)
    frames = []

    def tell(event):
        frames.extend([event] if isinstance(event, FrameWritten) else [])
        if len(frames) == 5:
            made.request_cancel()

    cancelled(made, weights, tell)
    before = {path: os.stat(path).st_ino for path in outputs(made)}
    assert len(before) == 5
    told, used = [], set()
    with watching(lambda module: used.add(type(module))):
        run(made, weights, told.append)
    assert sum(isinstance(event, FrameWritten) for event in told) == 17 - len(before)
    assert CogVideoXDecoder3D in used and not used & {DropletVideoTransformer3DModel, T5EncoderModel, CogVideoXEncoder3D}
    assert {path: os.stat(path).st_ino for path in before} == before
    assert (np.stack([np.asarray(Image.open(path)) for path in outputs(made)]) == whole).all()


def test_cancel_is_heard_within_a_step(weights, tmp_path):
    """The second block of the first step is not computed any more."""
    made, heard = take(tmp_path), []

    def tell(event):
        if isinstance(event, Progress) and event.phase == "Drawing":
            heard.append(event)
            made.request_cancel()

    assert run(made, weights, tell).cancelled
    assert [event.step for event in heard] == [0] and not (made.state_folder / "latents.safetensors").exists()


def test_a_killed_run_goes_on_to_the_same_bits(weights, tmp_path):
    steps = 40  # it takes a while after the first is kept
    whole = shown(take(tmp_path, num_inference_steps=steps), weights)
    made = take(tmp_path, num_inference_steps=steps)
    command = [sys.executable, "-m", "engine", "run", str(made.path), "--weights", str(weights), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not (made.state_folder / "latents.safetensors").exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert made.state().name == "running"
    assert (shown(made, weights) == whole).all()


def test_a_preview_is_shown_while_it_is_drawn(weights, tmp_path):
    made = take(tmp_path, image=picture((256, 160)), frames=5)
    cancelled_after_steps(made, weights, 1)
    preview = np.asarray(Image.open(made.preview_file))
    assert max(preview.shape[:2]) == 192 and preview.std() > 1


@pytest.mark.parametrize("mode", ["everything", "blocks", "smallest", "automatic"])
def test_every_memory_mode_gives_the_same_frames_where_no_tiles_are_needed(weights, tmp_path, mode):
    assert (shown(take(tmp_path, 5, memory=mode), weights) == shown(take(tmp_path, 5), weights)).all()


def test_tiles_change_a_larger_picture_little(weights, tmp_path):
    size = (400, 272)
    whole, tiled = (shown(take(tmp_path, 1, picture(size), memory=mode), weights).astype(int) for mode in ("one", "smallest"))
    assert tiled.shape == whole.shape == (1, 272, 400, 3)
    assert (tiled != whole).any() and np.corrcoef(tiled.ravel(), whole.ravel())[0, 1] > 0.5


def test_a_run_that_is_out_of_memory_goes_on_with_less_where_it_may_choose(weights, tmp_path):
    whole = shown(take(tmp_path, 5), weights)
    blocks, modes = [], []
    made = take(tmp_path, 5, memory="automatic")

    def too_much(module):
        if isinstance(module, CogVideoXBlock):
            blocks.append(module)
            if len(blocks) == 8:  # within the second step
                modes.append(json.loads((made.state_folder / "memory.json").read_text())["mode"])
                raise torch.OutOfMemoryError("no memory left")

    with watching(too_much):
        assert (shown(made, weights) == whole).all()
    assert modes == ["everything"]
    assert json.loads((made.state_folder / "memory.json").read_text())["mode"] == "one"


def test_a_mode_that_was_asked_for_is_kept_to(weights, tmp_path):
    made = take(tmp_path, 5, memory="one")

    def too_much(module):
        if isinstance(module, CogVideoXBlock):
            raise torch.OutOfMemoryError("no memory left")

    with watching(too_much):
        end = run(made, weights)
    assert isinstance(end, Failed) and "Not enough memory: this needs" in end.text


def test_one_worker_makes_shot_after_shot_with_what_it_has_loaded(weights, tmp_path):
    models, machine = {}, Machine((weights,), "cpu")
    asked = ({"prompt": "A dog runs"}, {}, {"precision": "fp8"}, {"precision": "int8"}, {"memory": "blocks"}, {})
    jobs = [take(tmp_path, 5, **{"memory": "everything", **settings}) for settings in asked]
    for made in jobs:
        assert isinstance(run_job(made, models, machine=machine), Done)
    dog, cat, coarse, fine, offloaded, again = (np.stack([np.asarray(Image.open(path)) for path in outputs(made)]) for made in jobs)
    assert (cat == shown(take(tmp_path, 5), weights)).all() and (cat == offloaded).all() and (cat == again).all()
    assert (cat != dog).any() and 0 < abs(cat - fine.astype(int)).mean() < abs(cat - coarse.astype(int)).mean()


def test_the_text_encoder_is_loaded_for_new_words_alone_and_dropped(weights, tmp_path):
    seen, path = [], {"dropletvideo": weights / tiny.FOLDER}

    def look(module):
        if isinstance(module, T5EncoderModel):
            seen.append(weakref.ref(module))

    with watching(look):
        model = load(path, "cpu")
        first = model.embeds(("a cat", "dark"), "one", tmp_path)
        assert len(seen) == 2
        gc.collect()
        assert [found() for found in seen] == [None, None], "nothing of it is left when the next model is loaded"
        model.embeds(("dark", "a cat"), "one", tmp_path)
        again = load(path, "cpu").embeds(("a cat", "dark"), "one", tmp_path)
        assert len(seen) == 2 and all((again[words] == first[words]).all() for words in first)
        model.embeds(("a dog", "dark"), "one", tmp_path)
        assert len(seen) == 3


def test_weights_that_are_not_there_are_asked_for(tmp_path):
    end = run(take(tmp_path / "takes", 1), tmp_path)
    assert isinstance(end, Failed) and "DropletVideo-V1.0-weights (21.1 GB, huggingface.co/DropletX/DropletVideo-5B)" in end.text
