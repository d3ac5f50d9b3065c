"""Checkpoints as they are published to tensors by diffusers' and transformers' names; LoRA lists merged as the authors' trainer does it.

Opens files; makes no model.
"""

import json
import re
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ...diffusion.checkpoints import Tensors, listed, read, read_pickle
from ...protocol import PegbarError

MERGED_UNDER = frozenset({"ResnetBlock2D", "Attention", "GEGLU", "CLIPAttention"})
"""Classes of modules under which the trainer merged its LoRA when it saved; all else it threw away (SPEC §9.3)."""

_STEMS = ("diffusion_pytorch_model", "model", "pytorch_model")
_VAE_OLD = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""Names of the VAE's attention in checkpoints from before 2023."""


def config_of(folder: Path, file: str = "config.json") -> dict[str, Any]:
    """A component's settings. Raises PegbarError where they are missing or damaged."""
    path = folder / file
    try:
        config = json.loads(path.read_bytes())
        if not isinstance(config, dict):
            raise ValueError("it is no object")
        return config
    except OSError as error:
        raise PegbarError(f"{path} is not there: the checkpoint is not whole, download it again") from error
    except ValueError as error:
        raise PegbarError(f"{path} is damaged ({error}): download it again") from error


def component(folder: Path) -> tuple[Path, Tensors]:
    """The weights in a component's folder, whole or in shards, and the file that names them. Raises PegbarError where there are none."""
    for suffix in (".safetensors", ".fp16.safetensors", ".bin", ".fp16.bin"):
        for stem in _STEMS:
            if (index := folder / f"{stem}{suffix}.index.json").is_file():
                shards = sorted(set(config_of(folder, index.name).get("weight_map", {}).values()))
                return index, ChainMap(*(dict(read(_inside(folder, shard))) for shard in shards))
            if (path := folder / f"{stem}{suffix}").is_file():
                return path, read(path)
    raise PegbarError(f"{folder} has no weights in it: the checkpoint is not whole, download it again")


def _inside(folder: Path, name: str) -> Path:
    if Path(name).name != name:
        raise PegbarError(f"{folder} names {name!r} as a part of its weights: it is damaged, download it again")
    return folder / name


def text_tensors(tensors: Tensors) -> dict[str, torch.Tensor]:
    """The text encoder's tensors by transformers' names of today: without a prefix, without positions that are counted anyway."""
    return {name.removeprefix("text_model."): tensors[name] for name in tensors if not name.endswith("position_ids")}


def vae_tensors(tensors: Tensors) -> dict[str, torch.Tensor]:
    """The VAE's tensors by diffusers' names of today."""
    old = re.compile(rf"(attentions\.\d+)\.({'|'.join(_VAE_OLD)})\.")
    return {old.sub(lambda match: f"{match[1]}.{_VAE_OLD[match[2]]}.", name): tensors[name] for name in tensors}


def with_lora(model: torch.nn.Module, tensors: Tensors, path: Path, under: str = "", everything: bool = False) -> dict[str, torch.Tensor]:
    """A model's tensors with the LoRA of a trainer's list (SPEC §9.2) in them: in the modules in which the trainer merged it, or in all.

    `model` may be on the meta device; its modules of class `under`, or all, have an entry each. Raises PegbarError where the list does not fit.
    """
    targets, kept = lora_modules(model, under)
    merged = {name: tensors[name] for name in tensors}
    for name, (up, down) in zip(targets, _pairs(path, len(targets)), strict=True):
        weight = f"{name}.weight"
        shape = model.get_parameter(weight).shape
        if up.ndim < 2 or up.shape[:2] != (shape[0], len(down)) or down.shape[1:] != shape[1:]:
            raise PegbarError(f"{path} has {tuple(up.shape)} and {tuple(down.shape)} for {name}: it belongs to another model")
        if everything or name in kept:
            if weight not in merged:
                raise PegbarError(f"The weights that {path.name} is for lack {weight}: get the checkpoint that was asked for")
            delta = up.flatten(1).float() @ down.flatten(1).float()
            merged[weight] = merged[weight].float() + delta.reshape(merged[weight].shape)
    return merged


def lora_modules(model: torch.nn.Module, under: str = "") -> tuple[list[str], frozenset[str]]:
    """The modules that have a LoRA, in the list's order, and those of them in which the trainer merged it."""
    classes = {name: type(module).__name__ for name, module in model.named_modules()}
    adapted = (torch.nn.Linear, torch.nn.Conv2d, torch.nn.Conv3d)

    def ancestors(name: str) -> set[str]:
        parts = name.split(".")
        return {classes[".".join(parts[:depth])] for depth in range(1, len(parts))}

    names = [name for name, module in model.named_modules() if isinstance(module, adapted) and (not under or under in ancestors(name))]
    return names, frozenset(name for name in names if ancestors(name) & MERGED_UNDER)


def _pairs(path: Path, count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(up, down) of each module: the list has them in turn, without names."""
    tensors = read_pickle(path)
    if isinstance(tensors, Mapping) or not all(isinstance(tensor, torch.Tensor) for tensor in tensors):
        raise PegbarError(f"{path} is no list of LoRA weights: get the file that was asked for")
    if len(tensors) != 2 * count:
        raise PegbarError(f"{path} has {len(tensors)} tensors, the model needs {2 * count}: it belongs to another model")
    return [(tensors[2 * index].detach(), tensors[2 * index + 1].detach()) for index in range(count)]


def part(tensors: Tensors, prefixes: tuple[str, ...], path: Path) -> dict[str, torch.Tensor]:
    """The tensors whose names begin so. Raises PegbarError where there are none."""
    chosen = {name: tensors[name] for name in tensors if name.startswith(prefixes) and not name.endswith("position_ids")}
    if not chosen:
        raise PegbarError(f"{path} has no {listed(prefixes)}: it is not the checkpoint that was asked for")
    return chosen
