"""A tiny random FlipSketch in the authors' layout: checkpoint-2500, a whole diffusers folder with the LoRA lists beside it."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet3DConditionModel
from pegbar.engine.pipelines.flipsketch import convert
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModelWithProjection

UNET = {
    "_class_name": "UNet3DConditionModel", "sample_size": 8, "in_channels": 4, "out_channels": 4,
    "down_block_types": ["CrossAttnDownBlock3D", "CrossAttnDownBlock3D", "DownBlock3D"],
    "up_block_types": ["UpBlock3D", "CrossAttnUpBlock3D", "CrossAttnUpBlock3D"],
    "block_out_channels": [32, 32, 32], "layers_per_block": 1, "cross_attention_dim": 24, "attention_head_dim": 8,
    "norm_num_groups": 32, "norm_eps": 1e-05, "act_fn": "silu",
}  # fmt: skip
VAE = {
    "_class_name": "AutoencoderKL", "in_channels": 3, "out_channels": 3, "latent_channels": 4, "layers_per_block": 1,
    "block_out_channels": [8, 8, 16, 16], "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4,
    "norm_num_groups": 4, "act_fn": "silu", "sample_size": 64, "scaling_factor": 0.18215,
}  # fmt: skip
TEXT = {
    "architectures": ["CLIPTextModel"], "model_type": "clip_text_model", "hidden_size": 24, "intermediate_size": 48, "hidden_act": "gelu",
    "num_attention_heads": 3, "num_hidden_layers": 2, "max_position_embeddings": 77, "layer_norm_eps": 1e-05, "projection_dim": 16,
    "bos_token_id": 523, "eos_token_id": 524,
}  # fmt: skip
SCHEDULER = {
    "_class_name": "DDIMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False,
    "num_train_timesteps": 1000, "prediction_type": "epsilon", "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1,
    "trained_betas": None,
}  # fmt: skip
VISION = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 224, "patch_size": 32,
    "projection_dim": 8,
}  # fmt: skip
MERGES = ["t h", "th e</w>", "i n", "in g</w>", "a l", "e r", "o r", "or s", "ors e</w>", "s l", "o w"]
RANK = 4

Tensors = dict[str, torch.Tensor]


def make(folder: Path, seed: int = 0) -> None:
    """Writes `checkpoint-2500`, about 5 MB."""
    checkpoint, _ = networks(seed)
    _write(folder / "checkpoint-2500", checkpoint)
    (folder / "checkpoint-2500" / "lora").mkdir()
    _write_lora(folder / "checkpoint-2500" / "lora", seed)


def make_base(folder: Path, seed: int = 0) -> None:
    """Writes the same as its authors' base and the lists: `text-to-video-ms-1.7b` and `lora`."""
    _, base = networks(seed)
    _write(folder / "text-to-video-ms-1.7b", base)
    (folder / "lora").mkdir()
    _write_lora(folder / "lora", seed)


def make_clip(folder: Path, seed: int = 0) -> None:
    """Writes a `clip-vit-base-patch32` whose vision part is whole; of the text part there is one tensor, which nobody asks for."""
    generator = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        vision = CLIPVisionModelWithProjection(CLIPVisionConfig(**VISION))
    path = folder / "clip-vit-base-patch32"
    path.mkdir(parents=True)
    tensors = _random(vision, generator) | {"logit_scale": torch.ones(())}
    save_file(tensors, path / "model.safetensors")
    config = {"model_type": "clip", "vision_config": VISION, "projection_dim": VISION["projection_dim"]}
    (path / "config.json").write_text(json.dumps(config))


def networks(seed: int) -> tuple[dict[str, Tensors], dict[str, Tensors]]:
    """The tensors of each network by their names on disk, with the lists merged as the trainer does it, and as they were before."""
    generator = torch.Generator().manual_seed(seed)
    modules = empty()
    base = {name: _random(module, generator) for name, module in modules.items()}
    merged = {name: dict(tensors) for name, tensors in base.items()}
    for name, pairs in _lora(modules, seed).items():
        _, kept = convert.lora_modules(modules[name], _UNDER[name])
        for module, (up, down) in pairs.items():
            if module in kept:
                weight = merged[name][f"{module}.weight"]
                merged[name][f"{module}.weight"] = weight + (up.flatten(1) @ down.flatten(1)).reshape(weight.shape)
    for tensors in (merged, base):
        tensors["text_encoder"] = {f"text_model.{name}": tensor for name, tensor in tensors["text_encoder"].items()}
    return merged, base


def empty() -> dict[str, torch.nn.Module]:
    """The networks without tensors."""
    with torch.device("meta"):
        return {
            "unet": UNet3DConditionModel.from_config(UNET),
            "vae": AutoencoderKL.from_config(VAE),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**TEXT, vocab_size=len(vocabulary()))),
        }


_UNDER = {"unet": "", "text_encoder": "CLIPEncoderLayer"}


def _lora(modules: Mapping[str, torch.nn.Module], seed: int) -> dict[str, dict[str, tuple[torch.Tensor, torch.Tensor]]]:
    generator = torch.Generator().manual_seed(seed + 1)
    lists: dict[str, dict[str, tuple[torch.Tensor, torch.Tensor]]] = {}
    for name, under in _UNDER.items():
        lists[name] = {}
        for module in convert.lora_modules(modules[name], under)[0]:
            out, *rest = modules[name].get_parameter(f"{module}.weight").shape
            up = torch.randn(out, RANK, *[1] * (len(rest) - 1), generator=generator) * 0.05
            lists[name][module] = (up, torch.randn(RANK, *rest, generator=generator) * 0.05)
    return lists


def _write_lora(folder: Path, seed: int) -> None:
    for name, pairs in _lora(empty(), seed).items():
        flat = [torch.nn.Parameter(tensor) for pair in pairs.values() for tensor in pair]
        torch.save(flat, folder / f"2500_{name}.pt")


def _random(module: torch.nn.Module, generator: torch.Generator) -> Tensors:
    """Random tensors for every parameter, scaled so that signals keep their size."""
    tensors = {}
    for name, tensor in module.state_dict().items():
        noise = torch.randn(tensor.shape, generator=generator)
        if tensor.ndim > 1:
            tensors[name] = noise / max(1, tensor[0].numel()) ** 0.5
        else:
            tensors[name] = 0.1 * noise + (name.endswith("weight") and "norm" in name.rpartition(".")[0].rpartition(".")[2])
    return tensors


def _write(folder: Path, tensors: Mapping[str, Tensors]) -> None:
    configs = {"unet": UNET, "vae": VAE, "text_encoder": TEXT | {"vocab_size": len(vocabulary())}}
    for name, config in configs.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text(json.dumps(config, indent=1))
        save_file(tensors[name], folder / name / f"{'model' if name == 'text_encoder' else 'diffusion_pytorch_model'}.safetensors")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER, indent=1))
    libraries = {
        "scheduler": "diffusers",
        "text_encoder": "transformers",
        "tokenizer": "transformers",
        "unet": "diffusers",
        "vae": "diffusers",
    }
    classes = {
        "scheduler": "DDIMScheduler",
        "text_encoder": "CLIPTextModel",
        "tokenizer": "CLIPTokenizer",
        "unet": "UNet3DConditionModel",
        "vae": "AutoencoderKL",
    }
    index = {"_class_name": "TextToVideoSDPipeline", **{name: [libraries[name], classes[name]] for name in classes}}
    (folder / "model_index.json").write_text(json.dumps(index, indent=1))
    _write_tokenizer(folder / "tokenizer")


def vocabulary() -> dict[str, int]:
    """CLIP's byte-level vocabulary with the few merges of this one: bytes that can be printed stand for themselves, "!" is 0."""
    printed = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    letters = [chr(byte) for byte in printed] + [chr(256 + index) for index in range(256 - len(printed))]
    words = [*letters, *(f"{letter}</w>" for letter in letters), *(merge.replace(" ", "") for merge in MERGES)]
    return {word: index for index, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}


def _write_tokenizer(folder: Path) -> None:
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps(vocabulary(), ensure_ascii=False), "utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES, ""]), "utf-8")
    tokens = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "!", "unk_token": "<|endoftext|>"}
    (folder / "special_tokens_map.json").write_text(json.dumps(tokens))
    config = tokens | {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": 77,
        "errors": "replace",
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
