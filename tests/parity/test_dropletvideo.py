"""DropletVideo stage by stage and from image and prompt to frames, against the authors' results; tolerances of ERRATA 15.

Sizes, frame counts, steps and prompts come from the set's meta.json, configs from its weights folder.
"""

import json
import re

import pytest
import torch
from pegbar.engine.diffusion.sampling import guided, noise, seeded
from pegbar.engine.drawing.frames import read_image
from pegbar.engine.pipelines.dropletvideo import coding, convert, denoising, pipeline, text

from .golden import REPORT, Golden, compare

STAGE, TEXT, RUN = 5e-6, 5e-5, 1e-4
ENCODED = 2e-5
"""The VAE's means go up to ±5: each processor's convolutions are up to 4e-6 off the same in float64."""


@pytest.fixture(scope="module")
def folder(golden):
    return golden / "dropletvideo"


@pytest.fixture(scope="module")
def wanted(folder):
    torch.set_num_threads(1)
    return Golden(*sorted(folder.glob("*.safetensors")) or [folder / "golden.safetensors"])


@pytest.fixture(scope="module")
def meta(folder):
    return Settings(json.loads((folder / "meta.json").read_text()))


class Settings(dict):
    """What the set says of its run; a test ends, aloud, where it asks for what is not there."""

    def __missing__(self, name):
        REPORT.append(f"ABSENT  {name} is not in meta.json of this set")
        pytest.skip(f"{name} is not in meta.json of this set")


@pytest.fixture(scope="module")
def found(folder):
    return convert.published(folder / "weights")


@pytest.fixture(scope="module")
def transformer(found):
    return convert.transformer_of(found, torch.float32)


@pytest.fixture(scope="module")
def vae(found):
    return convert.vae_of(found, torch.float32)


@pytest.fixture(scope="module")
def scheduler(found):
    return convert.scheduler_of(found)


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


def given(wanted, *names):
    """Stored tensors; None, and named, where one is not in the set."""
    return [wanted[name] for name in names] if all([name in wanted for name in names]) else None


def frames_of(meta):
    return 4 * (meta["latent_frames"] - 1) + 1


def known_picture(folder, meta):
    """The image (3, h, w) in -1..1, and its pixels; None, and named, where it is not in the set."""
    if not (folder / "input_image.png").is_file():
        REPORT.append("ABSENT  input_image.png is not in this set")
        return None
    pixels = coding.pixels(read_image(folder / "input_image.png"), (meta["width"], meta["height"]))
    return coding.signed(pixels), pixels


def noised(picture, wanted, found):
    if not found.adds_noise:
        return picture
    return coding.augmented(picture, wanted["aug_noise_frame0"][0, :, 0])


def positions_of(meta, found):
    return coding.positions(meta["latent_frames"], meta["height"] // found.multiple, meta["width"] // found.multiple, found.head_dim)


def test_tokens_and_their_embeddings(found, meta, wanted):
    tokenizer, model = convert.tokenizer_of(found), convert.text_encoder_of(found, torch.float32)
    for name in ("prompt", "negative_prompt"):
        ids, _ = text.token_ids(tokenizer, meta[name], meta["max_sequence_length"])
        wanted.check(f"{name.removesuffix('_prompt')}_ids", ids, max_abs=0)
        wanted.check(f"{name}_embeds", text.embeds(model, ids), max_abs=TEXT)


def test_image_and_its_noise(folder, meta, wanted, found):
    if (known := known_picture(folder, meta)) is None:
        return
    picture, pixels = known
    wanted.check("image_resized_u8", pixels.copy(), max_abs=0)
    wanted.check("masked_video_preaug_frame0", picture[None, :, None], max_abs=0)
    if not found.adds_noise or given(wanted, "aug_noise_frame0"):
        wanted.check("masked_video_aug_frame0", noised(picture, wanted, found)[None, :, None], max_abs=0)
    wanted.check("noise_aug_strength", torch.tensor(coding.NOISE_STRENGTH), max_abs=1e-8)


def test_mask(meta, wanted, vae):
    video = coding.masked_video(torch.zeros(3, 8, 8), frames_of(meta))
    wanted.check("input_mask_frames", 255.0 * (video[0, 0, :, 0, 0] == -1), max_abs=0)
    mask = coding.mask_latents(meta["latent_frames"], meta["height"] // 8, meta["width"] // 8, vae.config.scaling_factor)
    wanted.check("mask_latents", mask, max_abs=0)


def test_encoded_video(meta, wanted, vae, found):
    scaling = vae.config.scaling_factor
    plain = "masked_video_preaug_frame0"
    seen = "masked_video_aug_frame0" if found.adds_noise else plain
    if stored := given(wanted, seen):
        video = coding.masked_video(stored[0][0, :, 0], frames_of(meta))
        mean = coding.encode(vae, video)
        wanted.check("vae_enc_mean", mean, max_abs=ENCODED)
        wanted.check("masked_video_latents", (mean * scaling).permute(0, 2, 1, 3, 4), max_abs=ENCODED)
        wanted.check("vae_enc_logvar", vae.encode(video).latent_dist.logvar, max_abs=ENCODED)  # the method has no use for it
    if stored := given(wanted, plain):
        mean = coding.encode(vae, coding.masked_video(stored[0][0, :, 0], frames_of(meta)))
        wanted.check("masked_video_latents_noaug", (mean * scaling).permute(0, 2, 1, 3, 4), max_abs=ENCODED)
    if stored := given(wanted, "vae_x1"):
        wanted.check("vae_x1_mean", coding.encode(vae, stored[0]), max_abs=STAGE)


def test_decoded_latents(meta, wanted, vae):
    if stored := given(wanted, "vae_z3"):
        wanted.check("vae_z3_decoded", torch.cat(list(coding.decode(vae, stored[0])), 2), max_abs=STAGE)
        wanted.check("vae_z1_decoded", torch.cat(list(coding.decode(vae, stored[0][:, :, :1])), 2), max_abs=STAGE)
        if "tile" in meta:
            tile = meta["tile"]["tile_sample_min_height"], meta["tile"]["tile_sample_min_width"]
            wanted.check("vae_z3_decoded_tiled", coding.decode_tiled(vae, stored[0], tile), max_abs=STAGE)
    last = max((index for (index,) in numbered(wanted, LATENTS)), default=0)
    if last + 1 >= meta["steps"] and (stored := given(wanted, f"latents_after_step{last}")):
        frames = torch.cat(list(coding.decode(vae, coding.unscaled(vae, stored[0]))), 2)
        wanted.check("vae_dec_raw", frames, max_abs=ENCODED)
        assert frames.shape[2] == meta.get("output_frames", frames.shape[2])
    else:
        REPORT.append("ABSENT  the latents after the last step are not in this set")


LATENTS = r"latents_after_step(\d+)"


def test_positions(meta, wanted, found):
    cosines, sines = positions_of(meta, found)
    wanted.check("rope_cos", cosines, max_abs=STAGE)
    wanted.check("rope_sin", sines, max_abs=STAGE)


def test_transformer_inside_and_out(meta, wanted, transformer):
    names = ("fwd_hidden_states", "mask_latents", "masked_video_latents", "prompt_embeds", "rope_cos", "rope_sin")
    if (stored := given(wanted, *names)) is None:
        return
    latents, *pictures, prompt, cosines, sines = stored
    conditions = torch.cat(pictures, 2)
    inside = {}
    watched = {
        "fps_proj": transformer.fps_proj,
        "fps_emb": transformer.fps_embedding,
        "time_emb": transformer.time_embedding,
        "patch_embed": transformer.patch_embed,
        "norm_out": transformer.norm_out,
        **{f"block{index}": block for index, block in enumerate(transformer.transformer_blocks)},
    }
    hooks = [module.register_forward_hook(lambda _m, _i, out, name=name: inside.update({name: out})) for name, module in watched.items()]
    for timestep, fps in numbered(wanted, r"fwd_out_t(\d+)_fps(\d+)"):
        asked = denoising.Conditions(conditions, prompt, prompt, (cosines, sines), fps)
        wanted.check(f"fwd_out_t{timestep}_fps{fps}", denoising.predict(transformer, latents, asked, prompt, timestep), max_abs=STAGE)
        if f"fwd_int_fps_emb_fps{fps}" in wanted.tensors:
            wanted.check(f"fwd_int_fps_emb_fps{fps}", inside["fps_emb"], max_abs=STAGE)
        if (timestep, fps) == (meta["fwd_timesteps"][0], meta["fps"]):
            check_inside(wanted, inside)
    for hook in hooks:
        hook.remove()


def numbered(wanted, pattern):
    """The numbers in the names of the tensors that there are of a kind."""
    return [tuple(map(int, match.groups())) for name in wanted.tensors if (match := re.fullmatch(pattern, name))]


def check_inside(wanted, inside):
    for name, value in inside.items():
        if isinstance(value, tuple):
            wanted.check(f"fwd_int_{name}_video", value[0], max_abs=STAGE)
            wanted.check(f"fwd_int_{name}_text", value[1], max_abs=STAGE)
        else:
            wanted.check(f"fwd_int_{name}", value, max_abs=STAGE)


def test_scheduler(meta, wanted, scheduler):
    wanted.check("alphas_cumprod", scheduler.alphas_cumprod, max_abs=STAGE)
    for (steps,) in numbered(wanted, r"timesteps_(\d+)"):
        check_timesteps(wanted, f"timesteps_{steps}", scheduler, steps)
    for steps, timestep in numbered(wanted, r"sched(\d+)_prev_t(\d+)"):
        if stored := given(wanted, "sched_v", "sched_x"):
            denoising.timesteps(scheduler, steps)
            wanted.check(f"sched{steps}_prev_t{timestep}", scheduler.step(stored[0], timestep, stored[1]).prev_sample, max_abs=STAGE)
    check_timesteps(wanted, "timesteps", scheduler, meta["steps"])


def check_timesteps(wanted, name, scheduler, steps):
    """At some counts the authors' program goes on to timestep -1, which ERRATA 2 drops."""
    if name in wanted:
        stored = wanted[name][wanted[name] >= 0]
        compare(name, torch.tensor(denoising.timesteps(scheduler, steps)), stored, max_abs=0)


def test_first_step(meta, wanted, transformer, scheduler):
    """Without guidance (a scale of at most 1) the authors' program asks for the prompt alone."""
    scale = meta["guidance_scale"]
    texts = ["negative_prompt_embeds", "prompt_embeds"] if scale > 1 else ["prompt_embeds"]
    names = ("init_latents", "mask_latents", "masked_video_latents", "rope_cos", "rope_sin", *texts)
    if (stored := given(wanted, *names)) is None:
        return
    latents, mask, video, cosines, sines, *texts = stored
    asked = denoising.Conditions(torch.cat([mask, video], 2), texts[-1], texts[0], (cosines, sines), meta["fps"], scale)
    first = denoising.timesteps(scheduler, meta["steps"])[0]
    wanted.check("step0_timestep", torch.tensor([first] * len(texts)), max_abs=0)
    wanted.check("timestep_cond", torch.tensor([asked.fps]), max_abs=0)
    halves = [denoising.predict(transformer, latents, asked, words, first) for words in texts]
    wanted.check("step0_model_output", torch.cat(halves), max_abs=STAGE)
    velocity = guided(*halves, scale) if scale > 1 else halves[0]
    wanted.check("step0_guided", velocity, max_abs=max(1, scale) * STAGE)


def test_from_image_and_prompt_to_frames(folder, found, meta, wanted, transformer, vae, scheduler):
    """Nothing stored goes in but the noise on the image, which the authors draw without a seed."""
    known = known_picture(folder, meta)
    if known is None or (found.adds_noise and given(wanted, "aug_noise_frame0") is None):
        return
    tokenizer, encoder = convert.tokenizer_of(found), convert.text_encoder_of(found, torch.float32)
    prompt, negative = (
        text.embeds(encoder, text.token_ids(tokenizer, meta[name], meta["max_sequence_length"])[0])
        for name in ("prompt", "negative_prompt")
    )
    video = coding.masked_video(noised(known[0], wanted, found), frames_of(meta))
    pictures = coding.picture_latents(vae, video)
    asked = denoising.Conditions(pictures, prompt, negative, positions_of(meta, found), meta["fps"], meta["guidance_scale"])
    shape = 1, pictures.shape[1], found.latent_channels, *pictures.shape[3:]
    latents = noise(shape, seeded(meta["seed"]), torch.device("cpu"))
    wanted.check("init_latents", latents, max_abs=0)
    for step in denoising.denoise(transformer, scheduler, latents, asked, denoising.Preset(meta["steps"])):
        latents = step.latents
        wanted.check(f"latents_after_step{step.index}", latents, max_abs=RUN)
    if f"latents_after_step{meta['steps']}" in wanted.tensors:
        REPORT.append("PASSED OVER  frames after a timestep of -1, which ERRATA 2 drops")
        return
    raw = torch.cat(list(coding.decode(vae, coding.unscaled(vae, latents))), 2)
    wanted.check("vae_dec_raw", raw, max_abs=RUN)
    ends = torch.from_numpy(pipeline.pictures(raw[:, :, [0, -1]])).permute(3, 0, 1, 2)[None]
    wanted.check("frames_first_last", ends, max_abs=RUN)
