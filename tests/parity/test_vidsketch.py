"""VidSketch's inference against the authors' code: every tensor of the set, from its own settings and inputs."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from pegbar.engine.pipelines.vidsketch import drawings, models, sampling
from pegbar.engine.pipelines.vidsketch.abstraction import Control, measured
from pegbar.engine.pipelines.vidsketch.motions import chosen
from PIL import Image

from .golden import REPORT, Golden

CPU = torch.device("cpu")


class Set:
    """One golden set: its settings, its inputs, and its networks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.meta = json.loads((folder / "meta.json").read_bytes())
        self.size = int(self.meta["W"]), int(self.meta["H"])
        self.frames = int(self.meta["F"])
        control = Control(float(self.meta["scale"]), float(self.meta["tau"]))
        attended = self.meta.get("sc_frames", "first+prev")
        self.sampling = sampling.Sampling(int(self.meta["steps"]), float(self.meta["cfg"]), control, attended, original=True)
        self.base = models.load_stable_diffusion(folder / "ckpt/sd15", CPU)
        self.adapter = models.load_adapter(folder / "ckpt/adapter", CPU)
        self.unet = models.load_motion(chosen(folder / "ckpt/vidsketch", ""), self.base)
        self.inference = Golden(folder / "inference.safetensors")

    def sketches(self):
        """The drawings that the set has, each by its index and name; those that it lacks are named."""
        for i, name in enumerate(self.meta["sketch_order"]):
            file = self.folder / "inputs/sketches" / name
            if file.is_file():
                yield i, name, np.asarray(Image.open(file).convert("L"))
            elif (line := f"ABSENT  inputs/sketches/{name} is not in this set") not in REPORT:
                REPORT.append(line)

    @torch.no_grad()
    def features(self):
        """The adapter's maps of all drawings, (n, c, h, w) a level; none where one is neither there nor kept as the adapter sees it."""
        kept = (f"sketch_{i}_adapter_input" for i in range(len(self.meta["sketch_order"])))
        images = {i: self.inference[name][0] for i, name in enumerate(kept) if name in self.inference.tensors}
        images |= {i: drawings.control_image(sketch, self.size) for i, _, sketch in self.sketches()}
        whole = len(images) == len(self.meta["sketch_order"])
        return self.adapter(torch.stack([images[i] for i in sorted(images)])) if whole else []

    def residuals(self):
        """The maps of all frames; those that the set keeps where it lacks the drawings."""
        if features := self.features():
            shares = sampling.steering(range(len(features[0])), self.frames, original=True)
            return sampling.expanded(features, shares, self.sampling.control.scale)
        return [self.inference[name] for name in sorted(self.inference.tensors) if name.startswith("adapter_expanded_")]

    def predict(self, latents, t, text, residuals):
        return self.unet(latents, t, text, residuals, self.sampling.attended)


@pytest.fixture(scope="module")
def made(golden):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Set(golden / "vidsketch")
    torch.set_num_threads(threads)


def close(golden, name, value, share):
    """Holds a value to a share of the tensor's greatest."""
    if name in golden:
        golden.check(name, value, max_abs=share * float(golden[name].abs().max()))


def exact(golden, name, value):
    golden.check(name, value, max_abs=0)


def test_text(made):
    ids = made.base.tokenizer(
        ["", made.meta["prompt"]], padding="max_length", max_length=77, truncation=True, return_tensors="pt"
    ).input_ids
    exact(made.inference, "uncond_ids", ids[:1])
    exact(made.inference, "prompt_ids", ids[1:])
    close(made.inference, "text_embeds", made.base.encode_text("", made.meta["prompt"]), 1e-5)


def test_drawings_and_what_the_adapter_makes_of_them(made):
    for i, _, sketch in made.sketches():
        exact(made.inference, f"sketch_{i}_adapter_input", drawings.control_image(sketch, made.size)[None])
    for level, features in enumerate(made.features()):
        for i, own in enumerate(features):
            if f"sketch_{i}_feat_{level}" in made.inference.tensors:
                close(made.inference, f"sketch_{i}_feat_{level}", own[None], 1e-5)
    for level, residual in enumerate(made.residuals()):
        close(made.inference, f"adapter_expanded_{level}", residual, 1e-5)


def test_adapter_expansion_for_any_number_of_drawings(made):
    golden = Golden(made.folder / "adapter_expansion.safetensors")
    features = made.features()
    for n in sorted({int(m[1]) for name in golden.tensors if (m := re.match(r"n(\d+)_", name))}):
        if (source := f"n{n}_source_index") in golden and features:
            shares = sampling.steering(range(n), made.frames, original=True)
            expanded = sampling.expanded([each[golden[source]] for each in features], shares, made.sampling.control.scale)
            for level in range(len(features)):
                if f"n{n}_expanded_{level}" in golden.tensors:
                    golden.check(f"n{n}_expanded_{level}", expanded[level], max_abs=1e-6)


def test_abstraction_scores(made):
    file = made.folder / "abstraction_scores.json"
    wanted = json.loads(file.read_bytes()) if file.is_file() else {}
    found = {name: measured(sketch) for _, name, sketch in made.sketches()}
    for name in found.keys() & wanted.keys():
        for field, value in wanted[name].items():
            assert getattr(found[name], field) == pytest.approx(value, abs=1e-9), (name, field)
    REPORT.append(f"{'ok' if wanted else 'ABSENT':7} {file.name}: {len(found.keys() & wanted.keys())} drawings, 1e-9")
    if len(found) == len(made.meta["sketch_order"]):
        made.inference.check("abstraction_scores", np.array([each.score for each in found.values()]), max_abs=1e-9)


def test_first_frame(made):
    golden = made.inference
    for file in sorted((made.folder / "inputs/first_frame").glob("*"))[:1]:
        exact(golden, "first_frame_uint8_rgb", drawings.original_resize(np.asarray(Image.open(file).convert("RGB")), made.size))
    if "first_frame_uint8_rgb" in golden and "vae_sample_noise" in golden:
        image = (golden["first_frame_uint8_rgb"].float() / 127.5 - 1).permute(2, 0, 1)[None]
        with torch.no_grad():
            posterior = made.base.vae.encode(image).latent_dist
        close(golden, "first_frame_posterior_mean", posterior.mean, 1e-5)
        close(golden, "first_frame_posterior_logvar", posterior.logvar, 1e-5)
        close(golden, "first_frame_latents", made.base.encode(image, golden["vae_sample_noise"]).unsqueeze(2), 1e-5)


def test_noise_comes_from_the_originals_seeds(made):
    torch.manual_seed(int(made.meta.get("seed", 0)))
    noise = torch.randn(1, 4, 1, *(side // 8 for side in made.size[::-1]))[:, :, 0]
    if "seed" in made.meta:
        exact(made.inference, "vae_sample_noise", noise)
    shape = (1, 4, made.frames, *noise.shape[-2:])
    exact(made.inference, "init_noise_raw", torch.randn(shape, generator=torch.Generator()))
    if "init_noise_raw" in made.inference:
        noise = sampling.shared(made.inference["init_noise_raw"])
        close(made.inference, "init_noise_shared", noise, 1e-6)
        if "first_frame_latents" in made.inference:
            close(made.inference, "initial_latents", sampling.started(made.inference["first_frame_latents"], noise), 1e-6)


def test_schedule(made):
    timesteps = sampling.timesteps(made.base.scheduler, made.sampling.num_inference_steps)
    exact(made.inference, "timesteps", timesteps)
    active = [sampling.steers(t, made.sampling.control.tau) for t in timesteps]
    exact(made.inference, "adapter_active", torch.tensor(active, dtype=torch.float))


def test_unet(made):
    """Each variant of the set is called once: what it is named after says which drawings and frames it sees."""
    golden = Golden(made.folder / "unet_forward.safetensors")
    for variant in sorted({name.partition(".")[0] for name in golden.tensors if "." in name}):
        names = [name for name in golden.tensors if name.startswith(variant + ".")]
        maps = sorted(name for name in golden.tensors if name.startswith("adapter_res_"))
        maps = (maps or ["adapter_res_0"]) if "adapter" in variant and "noadapter" not in variant else []
        if not all(name in golden for name in ("sample", "timestep", "encoder_hidden_states", *maps)):
            continue
        unet = made.base.inflated(torch.Generator()) if variant.startswith("inflated") else made.unet
        attended = "first+second+prev" if variant.startswith("train") else "first+prev"
        taps = tapped(unet, [name.removeprefix(variant + ".") for name in names if not name.endswith(".out")], golden["sample"].shape)
        with torch.no_grad():
            out = unet(golden["sample"], golden["timestep"], golden["encoder_hidden_states"], [golden[name] for name in maps], attended)
        golden.check(f"{variant}.out", out, max_abs=1e-4)
        for name, tap in taps().items():
            close(golden, f"{variant}.{name}", tap, 1e-5)


BRANCHES = {"sc": "attn1", "cross": "attn2", "ff": "ff", "temp": "attn_temp"}


def tapped(unet, names, shape):
    """Listens to the modules that the set's names mean; what is returned gives what they put out, laid out as in the set."""
    batch, _, frames = shape[:3]
    heard, hooks = {}, []

    def module_of(name):
        if name in ("conv_in", "time_emb", "mid"):
            return {"conv_in": unet.conv_in, "time_emb": unet.time_embedding, "mid": unet.mid_block}[name]
        way, index, kind, inner, branch = re.fullmatch(r"(down|up)_(\d)(?:_(resnet|attn)_(\d)(?:_(\w+))?)?", name).groups()
        block = (unet.down_blocks if way == "down" else unet.up_blocks)[int(index)]
        if kind is None:
            return block
        module = (block.resnets if kind == "resnet" else block.attentions)[int(inner)]
        return getattr(module.transformer_blocks[0], BRANCHES[branch]) if branch else module

    def listen(name):
        def hook(module, arguments, output):
            output = output[0] if isinstance(output, tuple) else output
            output = output.clone()  # the adapter's last map is added in place
            if name == "time_emb":
                output = output[::frames]
            elif output.ndim == 4:
                output = output.unflatten(0, (batch, frames)).transpose(1, 2)
            heard[name] = output

        hooks.append(module_of(name).register_forward_hook(hook))

    for name in names:
        listen(name)

    def taps():
        for hook in hooks:
            hook.remove()
        return heard

    return taps


def test_each_step_from_the_originals_latents(made):
    golden = made.inference
    timesteps = sampling.timesteps(made.base.scheduler, made.sampling.num_inference_steps)
    residuals, text = made.residuals(), made.base.encode_text("", made.meta["prompt"])
    for i in kept_steps(golden, "unet_in_latents"):
        latents, t = golden[f"step_{i}_unet_in_latents"], timesteps[i]
        steers = sampling.steers(t, made.sampling.control.tau)
        if steers and not residuals:
            REPORT.append(f"ABSENT  step {i} is steered by drawings that are not in this set")
            continue
        said = []

        def predict(*arguments, said=said):
            said.append(made.predict(*arguments))
            return said[-1]

        with torch.no_grad():
            noise = sampling.noise_of(predict, latents, t, text, residuals if steers else (), made.sampling)
        golden.check(f"step_{i}_unet_out", said[0], max_abs=1e-4)
        close(golden, f"step_{i}_latents_after_scheduler", sampling.stepped(made.base.scheduler, latents, noise, t), 1e-5)


def test_frames_are_matched_after_each_step(made):
    golden = made.inference
    for i in kept_steps(golden, "latents_after_scheduler"):
        if f"step_{i + 1}_unet_in_latents" in golden.tensors:
            matched = sampling.matched(golden[f"step_{i}_latents_after_scheduler"], i > made.sampling.matched_after)
            close(golden, f"step_{i + 1}_unet_in_latents", matched, 1e-6)


def kept_steps(golden, what):
    steps = sorted(int(m[1]) for name in golden.tensors if (m := re.fullmatch(rf"step_(\d+)_{what}", name)))
    if not steps:
        REPORT.append(f"ABSENT  the set keeps {what} of no step")
    return steps


def test_sampling_from_noise_to_frames(made):
    golden = made.inference
    if "initial_latents" not in golden or "final_latents" not in golden:
        return
    if not made.residuals():
        REPORT.append("ABSENT  the drawings that steer the run are not in this set")
        return
    kept = {}
    final = sampled(made, golden["initial_latents"], lambda done, latents: kept.update({done: latents}))
    for i, latents in kept.items():
        if i <= 31 and (name := f"step_{i}_unet_in_latents") in golden.tensors:
            close(golden, name, latents, 1e-4)
    golden.check("final_latents", final, max_abs=most_off(made, final))


def most_off(made, final, wanted=1e-3, most=1e-2):
    """ERRATA's limit. Many steps of strong guidance can magnify the last bit beyond it: what is farther off may be by twice what the last
    bit of the first latents alone moves, and never by more than the README allows."""
    if float((final - made.inference["final_latents"]).abs().max()) <= wanted:
        return wanted
    rounding = float((sampled(made, made.inference["initial_latents"] * (1 + 2**-23)) - final).abs().max())
    REPORT.append(f"WIDER   final_latents: over {wanted:.0e}; the last bit of the first latents alone moves them by {rounding:.1e}")
    return min(max(wanted, 2 * rounding), most)


def sampled(made, latents, told=lambda done, latents: None):
    text = made.base.encode_text("", made.meta["prompt"])
    return sampling.sample(made.predict, made.base.scheduler, latents, text, made.residuals(), made.sampling, told)


def test_decoding_and_matching_of_colours(made):
    golden = made.inference
    if "final_latents" in golden:
        frames = torch.cat([made.base.decode(frame[None]) for frame in golden["final_latents"][0].transpose(0, 1)])
        golden.check("frames_decoded", frames.transpose(0, 1)[None], max_abs=1e-5)
    if "frames_decoded" in golden:
        first, *later = golden["frames_decoded"][0].permute(1, 2, 3, 0).numpy()
        matched = [sampling.colours_matched(frame, first) for frame in later]
        levels = np.stack([np.rint(frame * 255).astype(np.uint8) for frame in matched])
        exact(golden, "frames_matched_uint8", levels.transpose(3, 0, 1, 2)[None])
        exact(golden, "frames_uint8", np.stack([(first * np.float32(255)).astype(np.uint8), *levels]))
