"""DropletVideo's models: read strictly from the published folder, of the right shapes at full size, and open to diffusers' hooks."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.hooks import FirstBlockCacheConfig, MagCacheConfig, TaylorSeerCacheConfig
from pegbar.engine.diffusion import offloading
from pegbar.engine.pipelines.dropletvideo import budget, coding, convert, denoising
from pegbar.engine.pipelines.dropletvideo.pipeline import load
from pegbar.engine.pipelines.dropletvideo.transformer import DropletVideoTransformer3DModel
from pegbar.engine.protocol import PegbarError
from pegbar.tests.tiny import dropletvideo as tiny
from safetensors.torch import load_file, save_file

SHARED = Path(__file__).resolve().parent.parent.parent.parent / "shared"
CPU = torch.device("cpu")
FULL = convert.Published(
    Path("DropletVideo-V1.0-weights"),
    transformer=dict(
        num_attention_heads=48, attention_head_dim=64, num_layers=42, in_channels=33, out_channels=16, use_rotary_positional_embeddings=True
    ),
    vae=dict(block_out_channels=(128, 256, 256, 512), latent_channels=16, scaling_factor=0.7),
    text_encoder=dict(
        d_model=4096, d_kv=64, d_ff=10240, num_layers=24, num_heads=64, feed_forward_proj="gated-gelu", vocab_size=32128, model_type="t5"
    ),
    scheduler={},
)
"""The published sizes as the SPEC infers them (§4.1, §6, §7)."""
ALWAYS = 1e9
"""A threshold of the first-block cache under which every step is."""
COUNTS = {"transformer": (1028, 5_572_328_000), "vae": (436, 215_583_907), "text_encoder": (220, 4_762_310_656)}


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("dropletvideo")
    tiny.make(made)
    return made / tiny.FOLDER


@pytest.fixture
def copy(folder, tmp_path):
    """A folder that may be spoiled."""
    return Path(shutil.copytree(folder, tmp_path / tiny.FOLDER))


@pytest.fixture(scope="module")
def found(folder):
    return convert.published(folder)


def conditions(found, latent_frames=3, height=4, width=6, seed=0):
    """Random conditions and latents of a size."""
    generator = torch.Generator().manual_seed(seed)
    prompt, negative = torch.randn(2, 1, 20, tiny.WIDTH, generator=generator)
    positions = coding.positions(latent_frames, height // 2, width // 2, found.head_dim)
    pictures = torch.randn(1, latent_frames, 17, height, width, generator=generator)
    latents = torch.randn(1, latent_frames, 16, height, width, generator=generator)
    return latents, denoising.Conditions(pictures, prompt, negative, positions, 8)


def drawn(transformer, found, preset, start=0, latents=None, **changes):
    first, given = conditions(found)
    steps = denoising.denoise(
        transformer, convert.scheduler_of(found), first if latents is None else latents, replace(given, **changes), preset, start
    )
    return [step.latents for step in steps]


# --- at full size


@pytest.mark.parametrize("part", COUNTS)
def test_full_size_has_the_published_tensors(part):
    model = getattr(convert, f"{part}_on_meta")(FULL)
    shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert (len(shapes), parameters) == COUNTS[part]
    if (keys := SHARED / "specs" / "dropletvideo" / "keys_full.json").is_file() and part != "text_encoder":
        assert shapes == json.loads(keys.read_text())[part]


# --- strict


def spoil(path, **changes):
    """Changes settings in a config file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("part", "setting", "value"),
    [
        ("transformer", "use_rotary_positional_embeddings", False),
        ("transformer", "patch_size_t", 2),
        ("transformer", "use_learned_positional_embeddings", True),
        ("transformer", "in_channels", 32),
        ("transformer", "text_embed_dim", 4096),
        ("vae", "down_block_types", ["DownEncoderBlock2D"] * 4),
        ("vae", "temporal_compression_ratio", 8),
        ("vae", "shift_factor", 0.1),
    ],
)
def test_a_config_that_asks_for_what_is_not_supported_is_refused_by_name(copy, part, setting, value):
    spoil(copy / part / "config.json", **{setting: value})
    with pytest.raises(PegbarError, match=rf"{part}/config.json asks for {setting} {re.escape(repr(value))}, which is not supported"):
        load({"dropletvideo": copy}, "cpu")


@pytest.mark.parametrize(
    "file", ["transformer/config.json", "scheduler/scheduler_config.json", "vae/config.json", "tokenizer/spiece.model"]
)
def test_a_missing_file_is_named(copy, file):
    (copy / file).unlink()
    with pytest.raises(PegbarError, match=f"There is no file .*{file}"):
        convert.tokenizer_of(convert.published(copy))


def test_a_damaged_config_is_named(copy):
    (copy / "vae" / "config.json").write_text("{")
    with pytest.raises(PegbarError, match=r"vae/config.json is damaged"):
        convert.published(copy)


@pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder"])
def test_tensors_that_lack_or_are_too_many_are_named(copy, part):
    file = next((copy / part).glob("*.safetensors"))
    tensors = load_file(file)
    name = sorted(tensors)[0]
    make = getattr(convert, f"{part}_of")
    save_file(tensors | {"stray.weight": torch.ones(1)}, file)
    with pytest.raises(PegbarError, match=r"not known here, stray\.weight"):
        make(convert.published(copy), torch.float32)
    save_file({key: value for key, value in tensors.items() if key != name}, file)
    with pytest.raises(PegbarError, match=f"lacks .*{re.escape(name)}"):
        make(convert.published(copy), torch.float32)


def test_a_plain_cogvideox_without_the_frame_rate_is_refused(copy):
    file = copy / "transformer" / "diffusion_pytorch_model.safetensors"
    save_file({name: value for name, value in load_file(file).items() if "fps" not in name}, file)
    with pytest.raises(PegbarError, match=r"lacks fps_embedding\.linear_1\.bias"):
        convert.transformer_of(convert.published(copy), torch.float32)


def test_a_shard_that_is_not_there_is_named(copy):
    (copy / "text_encoder" / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(PegbarError, match=r"There is no file .*model-00002-of-00002"):
        convert.text_encoder_of(convert.published(copy), torch.float32)


@pytest.mark.parametrize("shards", [1, 3, 7])
@pytest.mark.parametrize("layout", ["indexed", "unindexed", "bin"])
def test_shards_of_any_number_and_kind_are_one_model(found, tmp_path, shards, layout):
    tiny.make(tmp_path, shards=shards)
    part = tmp_path / tiny.FOLDER / "text_encoder"
    index = part / "model.safetensors.index.json"
    if layout == "bin":
        for file in part.glob("*.safetensors"):
            torch.save(load_file(file), file.with_suffix(".bin"))
            file.unlink()
    if layout != "indexed":
        index.unlink()
    made = convert.text_encoder_of(convert.published(tmp_path / tiny.FOLDER), torch.float32)
    wanted = convert.text_encoder_of(found, torch.float32)
    assert all(torch.equal(made.state_dict()[name], tensor) for name, tensor in wanted.state_dict().items())
    assert made.shared.weight is made.encoder.embed_tokens.weight


def test_two_checkpoints_in_one_folder_are_refused(copy):
    file = copy / "vae" / "diffusion_pytorch_model.safetensors"
    shutil.copy(file, file.with_name("other.safetensors"))
    with pytest.raises(PegbarError, match="both hold"):
        convert.vae_of(convert.published(copy), torch.float32)


def test_the_scheduler_is_the_generic_one_with_the_files_settings(found):
    scheduler = convert.scheduler_of(found)
    assert type(scheduler).__name__ == "DDIMScheduler" and float(scheduler.alphas_cumprod[-1]) == 0
    assert denoising.timesteps(scheduler, 50)[:2] == [999, 979]
    assert all(len(denoising.timesteps(scheduler, steps)) == steps for steps in (1, 48, 61, 103, 999, 1000))
    assert (
        convert.scheduler_of(replace(found, scheduler={**found.scheduler, "beta_end": 0.02})).alphas_cumprod[500]
        < scheduler.alphas_cumprod[500]
    )


# --- diffusers' hooks on the subclass


def test_the_subclass_saves_and_loads_itself(found, tmp_path):
    model = convert.transformer_of(found, torch.float32)
    model.save_pretrained(tmp_path)
    again = DropletVideoTransformer3DModel.from_pretrained(tmp_path)
    assert isinstance(again, CogVideoXTransformer3DModel) and again.config.add_noise_in_inpaint_model
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in model.state_dict().items())


def test_block_offload_gives_the_same_bits(found):
    plain, offloaded = (convert.transformer_of(found, torch.float32) for _ in range(2))
    offloading.offload_blocks(offloaded, CPU)
    preset = denoising.Preset(3)
    assert torch.equal(drawn(offloaded, found, preset)[-1], drawn(plain, found, preset)[-1])


def test_block_offload_and_the_first_block_cache_go_together(found):
    plain, offloaded = (convert.transformer_of(found, torch.float32) for _ in range(2))
    offloading.offload_blocks(offloaded, CPU)
    preset = denoising.Preset(7, threshold=ALWAYS)
    assert torch.equal(drawn(offloaded, found, preset)[-1], drawn(plain, found, preset)[-1])


def test_leaf_offload_of_the_text_encoder_gives_the_same_bits(found):
    plain, offloaded = (convert.text_encoder_of(found, torch.float32) for _ in range(2))
    offloading.offload_leaves(offloaded, CPU)
    ids = torch.arange(2, 22)[None]
    assert torch.equal(offloaded(input_ids=ids)[0], plain(input_ids=ids)[0])


def in_8_bits(found, kind):
    model = convert.transformer_of(found, torch.float32)
    offloading.keep_in_8_bits(model, kind, torch.float32)
    return model


@pytest.mark.parametrize(("kind", "dtype", "most"), [("fp8", torch.float8_e4m3fn, 0.08), ("int8", torch.int8, 0.015)])
def test_eight_bits_change_a_pass_little_and_are_kept_small(found, kind, dtype, most):
    plain, small = convert.transformer_of(found, torch.float32), in_8_bits(found, kind)
    block = small.transformer_blocks[1]
    assert block.ff.net[0].proj.weight.dtype == block.attn1.to_q.weight.dtype == dtype
    scales = sum(value.nbytes for name, value in block.named_buffers() if name.endswith("scale"))
    kept = sum(value.nbytes for value in (*block.parameters(), *block.buffers())) - scales
    assert kept == budget.kept_bytes(plain.transformer_blocks[1], torch.float32, kind), "what the estimate says"
    latents, given = conditions(found)
    wanted, made = (denoising.predict(model, latents, given, given.prompt, 999) for model in (plain, small))
    off = (made - wanted).norm() / wanted.norm()
    assert 0.001 < off < most, off


@pytest.mark.parametrize("kind", ["fp8", "int8"])
def test_eight_bits_and_block_offload_go_together(found, kind):
    plain, both = in_8_bits(found, kind), in_8_bits(found, kind)
    offloading.offload_blocks(both, CPU)
    latents, given = conditions(found)
    assert torch.equal(*(denoising.predict(model, latents, given, given.prompt, 999) for model in (plain, both)))


@pytest.mark.parametrize(
    "config", [TaylorSeerCacheConfig(), MagCacheConfig(num_inference_steps=4, mag_ratios=[1.0] * 8), FirstBlockCacheConfig(0.1)]
)
def test_other_caches_attach_and_come_off(found, config):
    model = convert.transformer_of(found, torch.float32)
    latents, given = conditions(found)
    wanted = denoising.predict(model, latents, given, given.prompt, 999)
    model.enable_cache(config)
    with model.cache_context("cond"):
        assert denoising.predict(model, latents, given, given.prompt, 999).isfinite().all()
    model.disable_cache()
    assert torch.equal(denoising.predict(model, latents, given, given.prompt, 999), wanted)


# --- presets


def calls(transformer):
    """Counts the calls of each block."""
    counts = [0] * len(transformer.transformer_blocks)

    def count(index):
        def add(*_):
            counts[index] += 1

        return add

    for index, block in enumerate(transformer.transformer_blocks):
        block.ff.register_forward_hook(count(index))
    return counts


def test_the_first_block_cache_saves_blocks_and_a_threshold_of_nothing_is_exact(found):
    plain, cached, patient = (convert.transformer_of(found, torch.float32) for _ in range(3))
    counts, all_counts = calls(cached), calls(patient)
    wanted = drawn(plain, found, denoising.Preset(10))
    made = drawn(cached, found, denoising.Preset(10, threshold=ALWAYS))
    assert counts == [20, 4, 4] and not torch.equal(made[-1], wanted[-1]), "steps 0 and 5 alone are computed, for both prompts"
    assert torch.equal(drawn(patient, found, denoising.Preset(10, threshold=1e-9))[-1], wanted[-1]) and set(all_counts) == {20}
    assert not cached.is_cache_enabled, "the next run starts without a cache"


def test_the_guidance_interval_saves_passes_and_changes_nothing_before_its_end(found):
    plain, part = (convert.transformer_of(found, torch.float32) for _ in range(2))
    counts = calls(part)
    wanted, made = drawn(plain, found, denoising.Preset(10)), drawn(part, found, denoising.Preset(10, guided_share=0.6))
    assert set(counts) == {16}
    assert torch.equal(made[5], wanted[5]) and not torch.equal(made[6], wanted[6])


def test_no_guidance_is_half_the_passes(found):
    transformer = convert.transformer_of(found, torch.float32)
    counts = calls(transformer)
    drawn(transformer, found, denoising.Preset(4), guidance_scale=1.0)
    assert set(counts) == {4}


@pytest.mark.parametrize("preset", [denoising.Preset(12), denoising.Preset(12, ALWAYS, 0.7)])
def test_a_run_goes_on_after_every_step_that_is_kept(found, preset):
    transformer = convert.transformer_of(found, torch.float32)
    whole = drawn(transformer, found, preset)
    kept = [index for index in range(11) if preset.keeps_after(index)]
    assert kept == (list(range(11)) if not preset.threshold else [4, 9])
    for index in kept:
        assert torch.equal(drawn(transformer, found, preset, index + 1, whole[index])[-1], whole[-1])


# --- the VAE


def test_dropping_useless_caches_changes_nothing(found):
    plain, lean = convert.vae_of(found, torch.float32), convert.vae_of(found, torch.float32)
    for module in plain.modules():
        module._forward_hooks.clear()
    latents = torch.randn(1, 16, 5, 6, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(torch.cat(list(coding.decode(lean, latents)), 2), plain.decode(latents).sample)
    video = torch.rand(1, 3, 17, 48, 40, generator=torch.Generator().manual_seed(0))
    assert torch.equal(coding.encode(lean, video), plain.encode(video).latent_dist.mean)


@pytest.mark.parametrize("sides", [(384, 672), (240, 360), (256, 416), (48, 64)])
def test_tiles_give_pictures_of_the_right_size(found, sides):
    vae = convert.vae_of(found, torch.float32)
    high, wide = (side // 8 for side in sides)
    frames = coding.decode_tiled(vae, torch.zeros(1, 16, 1, high, wide), budget.TILE)
    assert frames.shape == (1, 3, 1, *sides) and not vae.use_tiling


def test_tiles_whose_overlaps_are_no_whole_latents_are_refused(found):
    vae = convert.vae_of(found, torch.float32)
    for tile in ((48, 48), (40, 40)):
        with pytest.raises(ValueError, match="parts of latents"):
            coding.decode_tiled(vae, torch.zeros(1, 16, 1, 8, 14), tile)


def test_small_pictures_are_decoded_alike_with_tiles_and_without(found):
    vae = convert.vae_of(found, torch.float32)
    latents = torch.randn(1, 16, 4, 8, 10, generator=torch.Generator().manual_seed(0))
    assert torch.equal(coding.decode_tiled(vae, latents, budget.TILE), torch.cat(list(coding.decode(vae, latents)), 2))


# --- what is known of a shot


def test_first_and_last_pictures_lie_where_the_mask_says():
    first, last = torch.full((3, 16, 16), 0.25), torch.full((3, 16, 16), 0.5)
    video = coding.masked_video(first, 13, last)
    assert [float(frame.unique()) for frame in video[0].permute(1, 0, 2, 3)] == [0.25] + [-1] * 8 + [0.5] * 4
    assert coding.mask_latents(4, 2, 2, 0.7, ends=True)[0, :, 0, 0, 0].tolist() == pytest.approx([0.7, 0, 0, 0.7])
    assert coding.mask_latents(1, 2, 2, 0.7)[0, :, 0, 0, 0].tolist() == pytest.approx([0.7])


def test_black_pixels_get_no_noise():
    picture = torch.tensor([-1.0, 0.0, 1.0]).reshape(3, 1, 1)
    noise = torch.ones(3, 1, 1)
    assert coding.augmented(picture, noise).flatten().tolist() == pytest.approx([-1, 0.0563, 1.0563])


@pytest.mark.parametrize(
    ("size", "corners"), [((672, 384), ((2, 0), (28, 45))), ((272, 128), ((4, 0), (25, 45))), ((128, 272), ((0, 16), (30, 30)))]
)
def test_positions_are_centred_on_the_base_grid(size, corners):
    """672x384 is the SPEC's own example; 272x128 is a tie, rounded to even (ERRATA 14)."""
    columns, rows = size[0] // 16, size[1] // 16
    cosines, _ = coding.positions(2, rows, columns, 64)
    (top, left), (bottom, right) = corners
    assert cosines.shape == (2 * rows * columns, 64)
    grid = cosines.reshape(2, rows, columns, 64)
    assert torch.allclose(grid[0, 0, 0, 16].acos(), torch.tensor(float(top)).cos().acos(), atol=1e-5)
    assert torch.allclose(grid[0, -1, 0, 16], torch.tensor(bottom * (rows - 1) / rows).cos(), atol=1e-5)
    assert torch.allclose(grid[0, 0, -1, 40], torch.tensor(right * (columns - 1) / columns).cos(), atol=1e-5)
    assert torch.allclose(grid[0, 0, 0, 40], torch.tensor(float(left)).cos(), atol=1e-5)
    assert torch.allclose(grid[1, 0, 0, 0], torch.tensor(1.0).cos(), atol=1e-5)
