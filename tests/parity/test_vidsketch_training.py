"""Two steps of VidSketch's training against the authors' code: latents, loss, every gradient, and the parameters afterwards."""

import json
import re

import pytest
import torch
from pegbar.engine.pipelines.vidsketch import models
from pegbar.engine.pipelines.vidsketch.learning import Batch, Learner, noised
from pegbar.engine.pipelines.vidsketch.motions import chosen

from .golden import REPORT, Golden, compare


@pytest.fixture(scope="module")
def lesson(golden):
    """The set's folder and its tensors, with a learner that starts from the set's fine-tuned network."""
    folder = golden / "vidsketch"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    base = models.load_stable_diffusion(folder / "ckpt/sd15", torch.device("cpu"))
    learner = Learner(models.load_motion(chosen(folder / "ckpt/vidsketch", ""), base), base.scheduler)
    yield folder, Golden(folder / "training.safetensors"), base, learner
    torch.set_num_threads(threads)


def test_the_same_parameters_are_learned(lesson):
    folder, _, _, learner = lesson
    names = folder / "trainable_names.json"
    if not names.is_file():
        REPORT.append(f"ABSENT  {names.name} is not in this set")
        return
    assert set(json.loads(names.read_bytes())) == set(learner.parameters)


def test_steps_of_learning(lesson):
    folder, golden, base, learner = lesson
    meta = json.loads((folder / "meta.json").read_bytes())
    tokens = base.tokenizer(meta["prompt"], padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
    golden.check("prompt_ids", tokens, max_abs=0)
    text = base.encode_text(meta["prompt"])
    steps = sorted({int(m[1]) for name in golden.tensors if (m := re.match(r"step(\d+)\.", name))})
    if not steps:
        REPORT.append("ABSENT  the set has no step of training")
    for step in steps:
        if (batch := _batch(golden, f"step{step}.", base, text)) is None:
            return
        with torch.no_grad():
            predicted = learner.unet(noised(base.scheduler, batch), batch.timestep, text, attended="first+second+prev")
        golden.check(f"step{step}.model_pred", predicted, max_abs=1e-4)
        golden.check(f"step{step}.loss", torch.tensor(learner.backward(batch)), max_abs=1e-5)
        _check_gradients(golden, f"step{step}.", learner, folder / "trainable_names.json")
        golden.check(f"step{step}.grad_total_norm_preclip", torch.tensor(learner.step()), rel_l2=1e-4)
        for name in (name for name in golden.tensors if name.startswith(f"after{step + 1}.param.")):
            golden.check(name, learner.parameters[name.partition(".param.")[2]], max_abs=1e-7)


def _batch(golden, step, base, text):
    """What a step of the set learned from, computed from its clip and noises, and compared on the way; the latents that it keeps where it
    lacks these. None where it has neither."""
    if not all(f"{step}{part}" in golden for part in ("noise", "timestep")):
        return None
    latents = golden.tensors.get(f"{step}latents")
    if "pixel_values_uint8" in golden and f"{step}posterior_noise" in golden:
        frames = golden["pixel_values_uint8"][0].float() / 127.5 - 1
        latents = base.encode(frames, golden[f"{step}posterior_noise"]).transpose(0, 1)[None]
        golden.check(f"{step}latents", latents, rel_l2=1e-5)
    if latents is None:
        return None
    batch = Batch(latents, golden[f"{step}noise"], golden[f"{step}timestep"], text)
    golden.check(f"{step}noisy_latents", noised(base.scheduler, batch), rel_l2=1e-5)
    return batch


def _check_gradients(golden, step, learner, names):
    gradients = {name: parameter.grad for name, parameter in learner.parameters.items()}
    for name in (name for name in golden.tensors if name.startswith(f"{step}grad.")):
        golden.check(name, gradients[name.partition(".grad.")[2]], rel_l2=2e-3)
    if (norms := f"{step}grad_l2_per_param") in golden and names.is_file():
        found = torch.stack([gradients[name].norm() for name in json.loads(names.read_bytes())])
        compare(norms, found, golden[norms], rel_l2=2e-3)
