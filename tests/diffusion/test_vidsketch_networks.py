"""VidSketch's inflated network against its parts written out, and its checkpoints in every form that they are published in."""

import json
import shutil

import pytest
import torch
from pegbar.engine.pipelines.vidsketch import low_rank, models, motions, unet
from pegbar.engine.pipelines.vidsketch.motions import chosen
from pegbar.engine.protocol import PegbarError
from pegbar.tests.tiny.vidsketch import MOTION
from safetensors.torch import load_file, save_file

from .noises import randn

CPU = torch.device("cpu")


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
@pytest.mark.parametrize("attended", unet.ATTENDED)
def test_sparse_causal_attention_is_that_over_the_literal_frame_sets(vidsketch_network, frames, attended):
    attn = vidsketch_network.down_blocks[0].attentions[0].transformer_blocks[0].attn1
    vidsketch_network.clip.frames, vidsketch_network.clip.attended = frames, attended
    x = randn(2 * frames, 7, attn.inner_dim)
    seen = x.view(2, frames, 7, -1)

    def keys(f):
        fixed = [0] if attended == "first+prev" else [0, min(1, frames - 1)]
        return torch.cat([seen[:, g] for g in [*fixed, max(f - 1, 0)]], 1)

    with torch.no_grad():
        wanted = torch.stack([unet.Attend()(attn, seen[:, f], keys(f)) for f in range(frames)], 1).flatten(0, 1)
        torch.testing.assert_close(attn(x), wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_the_convolution_in_time_is_causal_and_padded_with_nothing(vidsketch_network, frames):
    conv = vidsketch_network.down_blocks[0].resnets[0].conv1
    vidsketch_network.clip.frames = frames
    y = randn(2 * frames, 8, 3, 5)
    with torch.no_grad():
        series = y.view(2, frames, 8, 15).permute(0, 3, 2, 1).reshape(30, 8, frames)
        wanted = conv.conv1d(torch.nn.functional.pad(series, (2, 0))).view(2, 15, 8, frames).permute(0, 3, 2, 1).reshape(y.shape)
        torch.testing.assert_close(conv._in_time(y), wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("sides", [(8, 16), (5, 9)])
def test_a_freshly_inflated_network_is_stable_diffusion_on_a_still(vidsketch_base, sides):
    """Identical frames: the statistics over frames are those of one. Sides of any number of latents."""
    picture, text = randn(1, 4, *sides), vidsketch_base.encode_text("a candle")
    maps = [
        randn(1, width, -(-sides[0] // 2**i), -(-sides[1] // 2**i))
        for i, width in enumerate(vidsketch_base.unet_2d().config.block_out_channels)
    ]
    with torch.no_grad():
        wanted = vidsketch_base.unet_2d()(picture, 500, text, down_intrablock_additional_residuals=list(maps)).sample
        still = picture[:, :, None].expand(-1, -1, 3, -1, -1)
        noise = vidsketch_base.inflated(torch.Generator())(
            still, torch.tensor(500), text, [each[:, :, None].expand(-1, -1, 3, -1, -1) for each in maps]
        )
    torch.testing.assert_close(noise, wanted[:, :, None].expand_as(noise), atol=2e-4, rtol=1e-4)


def test_as_in_the_original_the_temporal_bias_may_start_at_random(vidsketch_base):
    clean, original = (vidsketch_base.inflated(torch.Generator().manual_seed(0), original) for original in (False, True))
    differing = {name for name, tensor in clean.state_dict().items() if not torch.equal(tensor, original.state_dict()[name])}
    assert differing == {name for name in clean.state_dict() if name.endswith("attn_temp.to_out.0.bias")}


# --- loading


def test_pickles_and_safetensors_are_the_same_motion_with_or_without_a_config(vidsketch_weights, vidsketch_base, tmp_path):
    tensors = torch.load(vidsketch_weights / "motions/candle/unet/diffusion_pytorch_model.bin")
    (tmp_path / "bare").mkdir()
    save_file(tensors, tmp_path / "bare/model.safetensors")
    (found,) = motions(tmp_path)
    bare, pickled = (
        models.load_motion(motion, vidsketch_base).state_dict() for motion in (found, chosen(vidsketch_weights / "motions", "candle"))
    )
    assert all(torch.equal(bare[name], pickled[name]) for name in pickled)


def test_a_motion_in_several_files_is_read_whole(vidsketch_weights, vidsketch_base, tmp_path):
    tensors = torch.load(vidsketch_weights / "motions/candle/unet/diffusion_pytorch_model.bin")
    parts = [dict(list(tensors.items())[start::2]) for start in range(2)]
    (tmp_path / "parts").mkdir()
    for index, part in enumerate(parts):
        save_file(part, tmp_path / f"parts/{index}.safetensors")
    where = {name: f"{index}.safetensors" for index, part in enumerate(parts) for name in part}
    (tmp_path / "parts/diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    network = models.load_motion(chosen(tmp_path, ""), vidsketch_base).state_dict()
    assert all(torch.equal(network[name], tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize(
    ("part", "name"), [("unet", "mid_block.resnets.0.conv1.weight"), ("vae", "quant_conv.bias"), ("text_encoder", "final_layer_norm.bias")]
)
def test_what_a_checkpoint_lacks_is_named(vidsketch_weights, tmp_path, part, name):
    sd15 = shutil.copytree(vidsketch_weights / "sd15", tmp_path / "sd15")
    (path,) = (path for path in (sd15 / part).iterdir() if path.suffix != ".json")
    tensors = dict(torch.load(path) if path.suffix == ".bin" else load_file(path))
    tensors = {key: tensor for key, tensor in tensors.items() if not f".{key}".endswith(f".{name}")}
    torch.save(tensors, path) if path.suffix == ".bin" else save_file(tensors, path)
    with pytest.raises(PegbarError, match=f"lacks {name.replace('conv1.', 'conv1.(conv2d.)?')}"):
        models.load_stable_diffusion(sd15, CPU).inflated(torch.Generator())


def test_a_network_that_is_not_inflated_is_no_motion(vidsketch_weights, vidsketch_base, tmp_path):
    (tmp_path / "flat").mkdir()
    shutil.copy(vidsketch_weights / "sd15/unet/diffusion_pytorch_model.bin", tmp_path / "flat")
    with pytest.raises(PegbarError, match=r"lacks .*conv1d"):
        models.load_motion(chosen(tmp_path, ""), vidsketch_base)
    assert motions(vidsketch_weights / "sd15") == () and motions(vidsketch_weights) == ()


def test_motions_are_listed_by_name_with_picture_and_prompt(vidsketch_weights):
    candle, flag = motions(vidsketch_weights / "motions")
    assert (candle.name, candle.prompt, candle.picture) == ("candle", "", None)
    assert (flag.name, flag.prompt, flag.frames) == ("Waving Flag", "A flag waves.", 6)
    assert flag.picture == vidsketch_weights / "motions/flag/motion.png"
    assert chosen(vidsketch_weights / "sd15", "Waving Flag", vidsketch_weights / "motions") == flag
    assert chosen(vidsketch_weights / "motions", "") == candle and chosen(vidsketch_weights / "motions", "Waving Flag") == flag
    with pytest.raises(PegbarError, match="choose one of candle, Waving Flag"):
        chosen(vidsketch_weights / "motions", "fish")


# --- the small form of a motion


def test_a_low_rank_motion_is_under_50_megabytes_at_full_size():
    with torch.device("meta"):
        full = unet.InflatedUNet(
            {
                **MOTION,
                "attention_head_dim": 8,
                "block_out_channels": (320, 640, 1280, 1280),
                "cross_attention_dim": 768,
                "norm_num_groups": 32,
            }
        )
        learned = low_rank.attach(full, low_rank.RANK, torch.Generator())
    assert sum(tensor.numel() for tensor in full.parameters()) > 1.1e9
    assert 4 * sum(tensor.numel() for tensor in learned.values()) < 50e6


def test_a_low_rank_motion_laid_on_the_weights_is_the_one_that_was_learned(vidsketch_base, tmp_path):
    learning = vidsketch_base.inflated(torch.Generator().manual_seed(0))
    learned = low_rank.attach(learning, 3, torch.Generator().manual_seed(1))
    with torch.no_grad():
        for index, parameter in enumerate(learned.values()):
            parameter += 0.1 * randn(*parameter.shape, seed=index)
        arguments = randn(1, 4, 3, 4, 8), torch.tensor(300), vidsketch_base.encode_text("a")
        wanted = learning(*arguments)
        merged = low_rank.merged(vidsketch_base.inflated(torch.Generator().manual_seed(0)), learned, tmp_path)
        torch.testing.assert_close(merged(*arguments), wanted, atol=1e-4, rtol=1e-4)
    name = next(name for name in learned if name.endswith(low_rank.UP))
    with pytest.raises(PegbarError, match=r"lacks .*weight\.up"):
        low_rank.merged(vidsketch_base.inflated(torch.Generator()), {key: value for key, value in learned.items() if key != name}, tmp_path)
