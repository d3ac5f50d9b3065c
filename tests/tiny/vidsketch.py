"""A tiny random VidSketch as published: sd15/ and adapter/ in diffusers' layout, motions/ with two fine-tuned networks.

The old snapshots' peculiarities are in it: a pickled UNet, the VAE's former names of attention, CLIP's `position_ids`.
"""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, T2IAdapter, UNet2DConditionModel
from pegbar.engine.pipelines.vidsketch.motions import CARD, PICTURE
from pegbar.engine.pipelines.vidsketch.unet import InflatedUNet
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

START, END = "<|startoftext|>", "<|endoftext|>"
WIDTHS = (8, 16, 16, 16)
LATENT_SCALE = 0.18215

UNET = {
    "_class_name": "UNet2DConditionModel",
    "act_fn": "silu", "attention_head_dim": 2, "block_out_channels": WIDTHS, "cross_attention_dim": 16, "layers_per_block": 2,
    "norm_num_groups": 4, "sample_size": 64, "in_channels": 4, "out_channels": 4,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"], "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}  # fmt: skip
MOTION = {
    **UNET,
    "_class_name": "UNet3DConditionModel", "mid_block_type": "UNetMidBlock3DCrossAttn", "use_temp": True,
    "down_block_types": ["CrossAttnDownBlock3D"] * 3 + ["DownBlock3D"], "up_block_types": ["UpBlock3D"] + ["CrossAttnUpBlock3D"] * 3,
}  # fmt: skip
VAE = {
    "_class_name": "AutoencoderKL",
    "block_out_channels": (4, 8, 8, 8), "layers_per_block": 1, "norm_num_groups": 4, "latent_channels": 4, "scaling_factor": LATENT_SCALE,
    "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4,
}  # fmt: skip
ADAPTER = {
    "_class_name": "T2IAdapter",
    "adapter_type": "full_adapter",
    "channels": WIDTHS,
    "in_channels": 1,
    "downscale_factor": 8,
    "num_res_blocks": 2,
}
SCHEDULER = {
    "_class_name": "PNDMScheduler",
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "set_alpha_to_one": False,
    "skip_prk_steps": True, "steps_offset": 1, "trained_betas": None, "clip_sample": False,
}  # fmt: skip
OLD_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def make(folder: Path, seed: int = 0) -> None:
    """Writes the three folders: about 4 MB."""
    generator = torch.Generator().manual_seed(seed)
    sd15 = folder / "sd15"
    _write_json(sd15 / "scheduler" / "scheduler_config.json", SCHEDULER)
    vocabulary = _write_tokenizer(sd15 / "tokenizer")
    _write_text_encoder(sd15 / "text_encoder", vocabulary, generator)
    vae = _random(AutoencoderKL.from_config(VAE), generator)
    _write(sd15 / "vae", VAE, {_old_name(name): tensor for name, tensor in vae.items()}, "diffusion_pytorch_model.safetensors")
    _write(sd15 / "unet", UNET, _random(UNet2DConditionModel.from_config(UNET), generator), "diffusion_pytorch_model.bin")
    _write(folder / "adapter", ADAPTER, _random(T2IAdapter.from_config(ADAPTER), generator), "diffusion_pytorch_model.bin")
    for name, file in (("candle", "diffusion_pytorch_model.bin"), ("flag", "diffusion_pytorch_model.safetensors")):
        _write(folder / "motions" / name / "unet", MOTION, _random(InflatedUNet(MOTION), generator), file)
    _write_json(folder / "motions" / "flag" / CARD, {"name": "Waving Flag", "prompt": "A flag waves.", "frames": 6})
    Image.new("RGB", (32, 20), (180, 40, 40)).save(folder / "motions" / "flag" / PICTURE)


def _random(module: torch.nn.Module, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """A state dict that a trained network might have: norms near one, variance kept from layer to layer, no zeros."""

    def value(name: str, shape: torch.Size) -> torch.Tensor:
        noise = torch.randn(shape, generator=generator)
        if len(shape) > 1:
            return noise / torch.Size(shape[1:]).numel() ** 0.5
        return 0.1 * noise + (name.endswith("weight") and "norm" in name)

    return {name: value(name, tensor.shape) for name, tensor in module.state_dict().items()}


def _old_name(name: str) -> str:
    if "mid_block.attentions.0" in name:
        for new, old in OLD_NAMES.items():
            name = name.replace(f".{new}.", f".{old}.")
    return name


def _write(folder: Path, config: dict[str, Any], tensors: dict[str, torch.Tensor], file: str) -> None:
    _write_json(folder / "config.json", config)
    if file.endswith(".safetensors"):
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / file)
    else:
        torch.save(tensors, folder / file)


def _write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1))


def _write_text_encoder(folder: Path, vocabulary: int, generator: torch.Generator) -> None:
    config = {
        "vocab_size": vocabulary, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "max_position_embeddings": 77, "hidden_act": "quick_gelu", "bos_token_id": vocabulary - 2, "eos_token_id": vocabulary - 1,
        "projection_dim": 16, "model_type": "clip_text_model", "architectures": ["CLIPTextModel"],
    }  # fmt: skip
    tensors = {f"text_model.{name}": value for name, value in _random(CLIPTextModel(CLIPTextConfig(**config)), generator).items()}
    tensors["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    _write(folder, config, tensors, "model.safetensors")


def _write_tokenizer(folder: Path) -> int:
    """CLIP's tokenizer for letters and a few words' beginnings: the size of its vocabulary."""
    letters = [chr(code) for code in range(33, 127)]
    merges = ["a n", "c a", "l e</w>", "t h", "th e</w>", "i n"]
    words = [*letters, *(letter + "</w>" for letter in letters), *(merge.replace(" ", "") for merge in merges), START, END]
    _write_json(folder / "vocab.json", {word: index for index, word in enumerate(words)})
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    names = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    _write_json(folder / "special_tokens_map.json", names)
    _write_json(
        folder / "tokenizer_config.json", {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, **names}
    )
    return len(words)
