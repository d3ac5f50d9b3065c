"""FlipSketch against the authors' results, stage by stage, each from the set's own inputs; then all of it from the sketch."""

import json
import re

import numpy as np
import pytest
import torch
from pegbar.engine.drawing.frames import read_image
from pegbar.engine.pipelines.flipsketch import convert, ink, method, view
from pegbar.engine.pipelines.flipsketch.attention import Composition, SpatialAttention, TemporalAttention
from pegbar.engine.pipelines.flipsketch.model import load_model
from safetensors.torch import load_file

from .golden import REPORT, Golden, compare

EXACT = {"rms": 1e-5}
PASS = {"rms": 1e-4}
RUN = {"rms": 1e-3, "max_std": 1e-2}


FAMILIES = (
    r"inversion\.latent_\d+", r"step0\.off\.\w+", r"step0\.lam[\d.]+\.eps_text", r"step0\.lam[\d.]+\.latents_next", r"step[1-9]\d*\.\w+",
    r"attn\.spatial\.out", r"attn\.temporal\.out_lam[\d.]+", r"run_full\.latents_after_\d+", r"run_full\.ref_after_\d+",
    r"run_app\.latents_after_\d+", r"run_app\.latents_final", r"run_app_lam0\.latents_final", r"run_app_lam1\.latents_final", r"run_nocomp\.latents_final",
    r"post\.\w+\.binary\d+_packed", r"post\.\w+\.gray\d+_frame\d+",
)  # fmt: skip
"""Names with numbers or a setting in them, of which a set has any."""


class Set:
    """A golden set with its model and settings."""

    def __init__(self, folder):
        assert folder.is_dir(), f"there is no {folder}"
        torch.set_num_threads(1)
        self.folder = folder
        self.golden = Golden(folder / "golden.safetensors")
        self.given = json.loads((folder / "settings.json").read_text())
        self.model = load_model({"checkpoint": folder / "checkpoint-2500"}, torch.device("cpu"))
        self.texts = method.texts_of(self.model, self.given["prompt"], self.given["negative"])
        self.scheduler = self.model.schedule(self.given["steps"])

    def settings(self, **changes):
        given = {
            "num_inference_steps": self.given["steps"],
            "guidance_scale": self.given["guidance"],
            "fidelity": self.given["lambda"],
            "compose_until": self.given.get("tau2", 3 * self.given["steps"] // 5),
            "align_steps": self.given.get("tau1", 2 * self.given["steps"] // 5),
        }
        return method.Settings(**(given | changes))

    def has(self, *names):
        """Whether the set has all of these tensors; those that it lacks are named."""
        return all([name in self.golden for name in names])

    def has_file(self, name):
        """Whether the set has this file or folder; if not, it is named."""
        if not (self.folder / name).exists():
            REPORT.append(f"ABSENT  {name} is not in this set")
        return (self.folder / name).exists()

    def names(self, pattern):
        return [(name, match) for name in sorted(self.golden.tensors) if (match := re.fullmatch(pattern, name))]

    def timestep(self, index):
        return int(self.scheduler.timesteps[index])

    def start(self, noise):
        """The two streams before the first step."""
        init = self.golden["sampling.init_noise"]
        return method.with_first(init, noise), noise.expand(-1, -1, init.shape[2], -1, -1)


@pytest.fixture(scope="module")
def flip(golden):
    return Set(golden / "flipsketch")


@pytest.fixture(scope="module", autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


def test_what_the_set_lacks_is_named(flip):
    """Of what the tests look for by a pattern; what they ask for by name is named there."""
    REPORT.extend(f"ABSENT  {family} matches nothing in this set" for family in FAMILIES if not flip.names(family))
    assert flip.golden.tensors


def test_the_schedule(flip):
    flip.golden.check("scheduler.timesteps", flip.scheduler.timesteps, max_abs=0)
    flip.golden.check("scheduler.alphas_cumprod", flip.scheduler.alphas_cumprod, max_abs=0)


@pytest.mark.parametrize(("text", "key"), [("prompt", "prompt"), ("neg", "negative"), ("null", None)])
def test_words_become_the_same_ids(flip, text, key):
    tokens = flip.model.tokenizer
    words = flip.given[key] if key else ""
    ids = tokens(words, padding="max_length", max_length=tokens.model_max_length, truncation=True, return_tensors="pt").input_ids
    flip.golden.check(f"text.{text}_ids", ids, max_abs=0)


@pytest.mark.parametrize(("name", "of"), [("prompt", "prompt"), ("negative", "negative"), ("null", "null")])
def test_words_become_the_same_embeddings(flip, name, of):
    if f"text.{name}_embeds" in flip.golden:
        wanted = flip.golden[f"text.{name}_embeds"]
        flip.golden.check(f"text.{name}_embeds", getattr(flip.texts, of).expand(len(wanted), -1, -1), **EXACT)


def sketch_of(flip):
    """The sketch as the model sees it; None where the set has no file of it."""
    if not flip.has_file("sketch.png"):
        return None
    size = flip.golden["sketch.tensor"].shape[-2:] if "sketch.tensor" in flip.golden else [flip.given["size"]] * 2
    image = read_image(flip.folder / "sketch.png")
    height, width = image.shape[:2]
    shown = view.View((width, height), 0, 0, width, height, (size[1], size[0])).sketch(image)
    return torch.from_numpy(shown).permute(2, 0, 1)[None]


def test_the_sketch_is_seen_alike(flip):
    if (sketch := sketch_of(flip)) is not None:
        flip.golden.check("sketch.tensor", sketch, max_abs=0)


def test_the_image_coder(flip):
    given = flip.golden
    if flip.has("sketch.tensor", "vae.sample_noise"):
        posterior = flip.model.vae.encode(given["sketch.tensor"]).latent_dist
        given.check("vae.mean", posterior.mean, **EXACT)
        given.check("vae.std", posterior.std, **EXACT)
        given.check("vae.latents_scaled", flip.model.encode_sketch(given["sketch.tensor"], given["vae.sample_noise"]), **EXACT)
    if flip.has("vae.decode_unit_in"):
        given.check("vae.decode_unit_out", flip.model.decode(given["vae.decode_unit_in"]), **EXACT)


def inversion(flip, latents, limits):
    count = flip.given["steps"]
    seen = {0: latents}
    noise = method.reference_noise(flip.model, latents, flip.texts.null, count, lambda step, x: seen.update({step + 1: x}))
    for name, match in flip.names(r"inversion\.latent_(\d+)"):
        flip.golden.check(name, seen[int(match[1])], **limits)
    flip.golden.check("inversion.reference_noise", noise, **limits)
    return noise, seen


def test_the_drawing_leads_to_its_noise(flip):
    if not flip.has("vae.latents_scaled"):
        return
    _, seen = inversion(flip, flip.golden["vae.latents_scaled"], PASS)
    count = flip.given["steps"]
    for name, before, index in (("first", 0, -1), ("last", count - 1, 0)):
        eps = flip.model.predict(seen[before], flip.timestep(index), flip.texts.null)
        flip.golden.check(f"inversion.eps_{name}", eps, **PASS)


@pytest.mark.parametrize("kind", ["spatial", "temporal"])
def test_one_attention(flip, kind):
    given = flip.golden
    if not flip.has(f"attn.{kind}.hidden", f"attn.{kind}.ref_hidden"):
        return
    place = "attentions" if kind == "spatial" else "temp_attentions"
    attn = flip.model.unet.down_blocks[0].get_submodule(f"{place}.0.transformer_blocks.0.attn1")
    hidden, reference = given[f"attn.{kind}.hidden"], given[f"attn.{kind}.ref_hidden"]
    composition = Composition()
    composition.rows = flip.given["batch"]
    process = (SpatialAttention if kind == "spatial" else TemporalAttention)("here", composition)
    given.check(f"attn.{kind}.out_plain", process(attn, hidden), **PASS)
    for name, match in flip.names(rf"attn\.{kind}\.out(?:_lam([\d.]+))?"):
        with composition.recording():
            process(attn, reference)
        with composition.composing(0, float(match[1] or flip.given["lambda"])):
            given.check(name, process(attn, hidden), **PASS)


def first_step(flip, noise, limits):
    latents, reference = flip.start(noise)
    timestep, batch = flip.timestep(0), flip.given["batch"]
    eps = method.predict_reference(flip.model, reference, timestep, flip.texts, flip.given["guidance"])
    stepped = flip.scheduler.step(eps, timestep, reference).prev_sample
    flip.golden.check("step0.ref_latents_next", stepped.expand(batch, -1, -1, -1, -1), **limits)
    for name, text in (("uncond", flip.texts.negative), ("null", flip.texts.null)):
        passed = flip.model.predict(reference, timestep, text).expand(batch, -1, -1, -1, -1)
        flip.golden.check(f"step0.eps_ref_{name}", passed, **limits)
    for kind in sorted({match[1] for _, match in flip.names(r"step0\.(off|lam[\d.]+)\.(?:eps_text|latents_next)")}):
        settings = flip.settings(compose=kind != "off", fidelity=float(kind.removeprefix("lam").replace("off", "0")))
        method.predict_reference(flip.model, reference, timestep, flip.texts, flip.given["guidance"])
        uncond, text = method.predict_clip(flip.model, latents, timestep, flip.texts, settings, settings.compose)
        if settings.guidance_scale > 1:
            flip.golden.check("step0.eps_uncond", uncond, **limits)
        flip.golden.check(f"step0.{kind}.eps_text", text, **limits)
        step = method.sampling_step(flip.model, flip.scheduler, 0, latents, reference, flip.texts, settings)
        flip.golden.check(f"step0.{kind}.latents_next", step.latents, **limits)


STARTS = ("inversion.reference_noise", "sampling.init_noise")


def test_the_first_step(flip):
    if flip.has(*STARTS):
        first_step(flip, flip.golden["inversion.reference_noise"], PASS)


def test_steps_from_their_own_inputs(flip):
    """A later step, when the reference has fewer frames than the clip."""
    for name, match in flip.names(r"step(\d+)\.in\.latents"):
        index, prefix = int(match[1]), name.removesuffix(".in.latents")
        if not flip.has(f"{prefix}.in.ref_latents"):
            continue
        latents, reference = flip.golden[name], flip.golden[f"{prefix}.in.ref_latents"]
        settings = flip.settings()
        method.predict_reference(flip.model, reference, flip.timestep(index), flip.texts, flip.given["guidance"])
        _, text = method.predict_clip(flip.model, latents, flip.timestep(index), flip.texts, settings, settings.compose)
        flip.golden.check(f"{prefix}.eps_text", text, **PASS)
        step = method.sampling_step(flip.model, flip.scheduler, index, latents, reference, flip.texts, settings)
        flip.golden.check(f"{prefix}.latents_next", step.latents, **PASS)
        flip.golden.check(f"{prefix}.ref_latents_next", step.reference, **PASS)


def check_losses(flip, name, losses, limit):
    """Relative to each loss, not to how they vary; of ten published ones the last belongs to a discarded update."""
    if name in flip.golden:
        wanted = flip.golden[name][..., : losses.shape[-1]]
        compare(f"{name} (relative)", losses.double() / wanted, torch.ones_like(wanted), max_abs=limit)


def first_alignment(flip, noise, gradients, losses_limit, result):
    latents, reference = flip.start(noise)
    timestep, batch = flip.timestep(0), flip.given["batch"]
    moved, losses = method.aligned(flip.model, latents, reference, timestep, flip.texts)
    first = reference[:, :, :1]
    target = flip.model.predict(first, timestep, flip.texts.null)

    def of_all(others):
        found = [
            method.alignment_gradient(flip.model, first, others[b : b + 1], target, timestep, flip.texts.prompt) for b in range(len(others))
        ]
        return sum(loss for loss, _ in found) / batch, torch.cat([gradient for _, gradient in found]) / batch

    flip.golden.check("align.step0.latent_after_iter0_input", latents[:, :, 1:], max_abs=0)
    flip.golden.check("align.step0.grad_iter0", of_all(latents[:, :, 1:])[1], rms=gradients)
    last, gradient = of_all(moved[:, :, 1:])
    flip.golden.check("align.step0.grad_iter9", gradient, rms=gradients)
    check_losses(flip, "align.step0.losses", torch.cat([losses, last[None]]), losses_limit)
    flip.golden.check("align.step0.result", moved, rms=result)


def test_the_first_alignment(flip):
    if flip.has(*STARTS):
        first_alignment(flip, flip.golden["inversion.reference_noise"], 1e-4, 1e-5, 1e-5)


def whole_run(flip, noise, prefix, settings, limits, losses_limit=1e-5):
    """Every step of a run against what the set has of it; the final latents."""
    steps = []
    batch = flip.given["batch"]
    latents = method.denoised(flip.model, flip.golden["sampling.init_noise"], noise, flip.texts, settings, steps.append)
    for name, match in flip.names(rf"{prefix}\.latents_after_(\d+)"):
        flip.golden.check(name, steps[int(match[1])].latents, **limits)
    for name, match in flip.names(rf"{prefix}\.ref_after_(\d+)"):
        flip.golden.check(name, steps[int(match[1])].reference.expand(batch, -1, -1, -1, -1), **limits)
    for name, _ in flip.names(rf"{prefix}\.latents_final"):
        flip.golden.check(name, latents, **limits)
    if settings.align and settings.align_steps:
        check_losses(flip, f"{prefix}.align_loss", torch.stack([s.losses for s in steps[: settings.align_steps]]), losses_limit)
    return latents


def check_frames(flip, latents, limits):
    video = flip.model.decode(latents[:1])
    flip.golden.check("run_full.video", video, **limits)
    flip.golden.check("run_full.frames", (video / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 4, 1), **limits)
    if "post.frames.u8_in" in flip.golden:
        off = (torch.from_numpy(ink.eight_bit(video[0].numpy())).int() - flip.golden["post.frames.u8_in"].int()).abs()
        assert off.max() <= 1 and (off > 0).float().mean() <= 0.01


def test_the_whole_run_with_alignment(flip):
    if flip.has(*STARTS):
        run = whole_run(flip, flip.golden["inversion.reference_noise"], "run_full", flip.settings(align=True), RUN, 1e-4)
        check_frames(flip, run, RUN)


def test_whole_runs_without_alignment(flip):
    if not flip.has(*STARTS):
        return
    noise = flip.golden["inversion.reference_noise"]
    prefixes = {name.partition(".")[0] for name in flip.golden.tensors if name.startswith(("run_app", "run_nocomp"))}
    for prefix in sorted(prefixes):
        changes = {"compose": prefix != "run_nocomp"}
        if lam := re.fullmatch(r"run_app_lam([\d.]+)", prefix):
            changes["fidelity"] = float(lam[1])
        whole_run(flip, noise, prefix, flip.settings(**changes), RUN)


def test_everything_from_the_sketch_on(flip):
    sketch = sketch_of(flip)
    if sketch is None or not flip.has("vae.sample_noise", "sampling.init_noise"):
        return
    latents = flip.model.encode_sketch(sketch, flip.golden["vae.sample_noise"])
    noise, _ = inversion(flip, latents, PASS)
    first_step(flip, noise, {"rms": 3e-4})
    first_alignment(flip, noise, 1e-3, 2e-4, 1e-4)
    final = whole_run(flip, noise, "run_full", flip.settings(align=True), {"rms": 2e-3}, 2e-4)
    check_frames(flip, final, {"rms": 2e-3})


def test_black_and_white_to_the_bit(flip):
    for kind in sorted({match[1] for _, match in flip.names(r"post\.(\w+)\..+")}):
        prefix = f"post.{kind}"
        if not flip.has(f"{prefix}.u8_in"):
            continue
        frames = flip.golden[f"{prefix}.u8_in"].numpy()
        packs = flip.names(rf"post\.{kind}\.binary(\d+)_packed")
        sides = [int(size[1]) for _, size in packs]
        for (packed, _), side in zip(packs, sides, strict=True):
            grey = np.stack([ink.enlarged_grey(frame, (side, side)) for frame in frames])
            thresholds = np.array([ink.otsu(one) for one in grey], np.float64)
            white = grey > thresholds[:, None, None]
            flip.golden.check(packed, np.packbits(white, axis=-1), max_abs=0)
            own, smallest = f"{prefix}.otsu_threshold_{side}", side == min(sides)
            flip.golden.check(f"{prefix}.otsu_threshold" if smallest and own not in flip.golden.tensors else own, thresholds, max_abs=0)
            for one, index in flip.names(rf"post\.{kind}\.gray{side}_frame(\d+)"):
                flip.golden.check(one, grey[int(index[1])], max_abs=0)


@pytest.mark.parametrize(
    ("part", "under", "file"), [("unet", "", "2500_unet.pt"), ("text_encoder", "CLIPEncoderLayer", "2500_text_encoder.pt")]
)
def test_the_lora_lists_merge_to_the_checkpoint(flip, part, under, file):
    """The base's tensors with the list merged are the checkpoint's; those that the base set leaves out are taken as they are."""
    folder = flip.folder / "checkpoint-2500"
    if not flip.has_file(f"checkpoint-2500/lora/{file}"):
        return
    module = flip.model.unet if part == "unet" else flip.model.text_encoder
    names = convert.text_tensors if part == "text_encoder" else dict
    _, merged = convert.component(folder / part)
    merged, targets = names(merged), convert.lora_modules(module, under)
    if flip.has_file("lora_index.json"):
        entries = json.loads((flip.folder / "lora_index.json").read_text())[part]
        assert [entry["module"].removeprefix("text_model.") for entry in entries] == targets[0]
        kept = [entry["module"].removeprefix("text_model.") for entry in entries if entry["merged_into_checkpoint"]]
        assert set(kept) == targets[1]
    bases = sorted((flip.folder / "base" / part).glob("*.safetensors")) if flip.has_file(f"base/{part}") else []
    for path in bases:
        base = names(load_file(path))
        rebuilt = convert.with_lora(module, merged | base, folder / "lora" / file, under)
        changed = [name for name in base if name.removesuffix(".weight") in targets[1]]
        assert changed
        for name in base:
            compare(f"merged {part} {name}", rebuilt[name].reshape(merged[name].shape), merged[name], rms=1e-6)
