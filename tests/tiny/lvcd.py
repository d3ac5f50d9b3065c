"""A tiny random LVCD in the authors' layout: svd.safetensors, lvcd.ckpt (Lightning's) and config.json with the sizes."""

import json
from pathlib import Path

import torch
from pegbar.engine.pipelines.lvcd import convert, networks
from safetensors.torch import save_file

CONFIG = {
    "unet_diffusers": {
        "block_out_channels": [32, 32, 32, 32],
        "addition_time_embed_dim": 32,
        "projection_class_embeddings_input_dim": 96,
        "layers_per_block": 2,
        "cross_attention_dim": 32,
        "num_attention_heads": [2, 2, 2, 2],
        "num_frames": 14,
        "resnet_groupnorm_eps": 1e-05,
    },
    "controlnet": {"hint_channels": 3, "hint_widths": [8, 8, 16, 16]},
    "vae_diffusers": {"block_out_channels": [32, 32, 32, 32], "layers_per_block": 2, "latent_channels": 4, "scaling_factor": 0.18215},
    "clip_transformers": {
        "hidden_size": 32,
        "intermediate_size": 128,
        "projection_dim": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 224,
        "patch_size": 14,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-05,
    },
}
SHARP, GENTLE = 1.4, 0.5
"""Gains of what attention compares, and of what blocks add to their input: so that rounding is not amplified on the way."""
_ADDED = (
    "conv2.",
    "proj_out.",
    "to_out.0.",
    "ff.net.2.",
    "ff_in.net.2.",
    "out_proj.",
    "fc2.",
    "controlnet_down_blocks.",
    "controlnet_mid_block.",
)


def make(folder: Path, seed: int = 0, config: dict = CONFIG, dtype: torch.dtype = torch.float16) -> None:
    """Writes the three files: about 6 MB."""
    svd, lvcd = tensors(config, seed, dtype)
    save_file(svd, folder / "svd.safetensors")
    torch.save(
        {"epoch": 0, "global_step": 1, "pytorch-lightning_version": "2.0.1", "state_dict": lvcd, "loops": {}, "callbacks": {}},
        folder / "lvcd.ckpt",
    )
    (folder / "config.json").write_text(json.dumps(config, indent=1))


def tensors(config: dict, seed: int, dtype: torch.dtype) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """What is in the two files, by the original names."""
    generator = torch.Generator().manual_seed(seed)
    files: dict[str, dict[str, torch.Tensor]] = {"svd": {}, "lvcd": {}}
    for network, module in networks.empty(config).items():
        for name, tensor in module.state_dict().items():
            file, original = convert.source(network, name)
            value = _random(name, tensor.shape, generator).to(dtype)
            if original.startswith(convert.UNET) and file == "lvcd":
                files["svd"][original] = _random(name, tensor.shape, generator).to(dtype)
            files[file].setdefault(original, _laid_out(network, name, value))
    width = config["clip_transformers"]["hidden_size"]
    files["svd"] |= {name: torch.randn(shape, generator=generator).to(dtype) for name, shape in _unused(width).items()}
    return files["svd"], files["lvcd"]


def _random(name: str, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """A parameter that a trained network might have: variance kept from layer to layer, norms near 1, no zeros."""
    noise = torch.randn(shape, generator=generator)
    if len(shape) < 2:
        is_norm = "norm" in name and name.endswith("weight")
        return 0.1 * noise + is_norm
    gain = SHARP if any(part in name for part in ("to_q.", "to_k.", "q_proj.", "k_proj.")) else 1.0
    if any(part in name for part in _ADDED) and "upsamplers" not in name:
        gain = GENTLE
    return noise * gain / torch.Size(shape[1:]).numel() ** 0.5


def _laid_out(network: str, name: str, value: torch.Tensor) -> torch.Tensor:
    """A tensor of diffusers or transformers as the authors' file has it: the reverse of `convert.adapted`."""
    if network == "clip" and any(f"self_attn.{part}_proj." in name for part in "qkv"):
        return torch.cat([value, value.flip(0), 0.5 * value])
    if name == "visual_projection.weight":
        return value.T.contiguous()
    if network in ("encoder", "conditioner", "decoder") and ".attentions." in name and value.ndim == 2:
        return value[:, :, None, None]
    return value


def _unused(width: int) -> dict[str, tuple[int, ...]]:
    """What the published file has beside what is used (a few of the second decoder's tensors stand for all)."""
    text = {"positional_embedding": (8, width), "text_projection": (width, width), "logit_scale": (), "token_embedding.weight": (64, width)}
    text |= {"ln_final.weight": (width,), "ln_final.bias": (width,)}
    rest = {
        "quant_conv.weight": (8, 8, 1, 1),
        "quant_conv.bias": (8,),
        "post_quant_conv.weight": (4, 4, 1, 1),
        "post_quant_conv.bias": (4,),
    }
    rest |= {"decoder.conv_in.weight": (width, 4, 3, 3), "decoder.conv_in.bias": (width,)}
    return {convert.CLIP + name: shape for name, shape in text.items()} | {
        convert.CONDITIONER + name: shape for name, shape in rest.items()
    }
