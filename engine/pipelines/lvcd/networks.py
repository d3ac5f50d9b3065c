"""The networks of LVCD on a device: made from the authors' files, or from what was converted of them before."""

import json
import logging
import os
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import TemporalDecoder
from diffusers.models.autoencoders.vae import Encoder
from safetensors import SafetensorError
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from ...diffusion.checkpoints import SafeTensors, Tensors, fill, listed, read
from ...diffusion.memory import device_of, precision_of
from ...protocol import PegbarError, write_atomic
from .controlnet import SketchControlNet
from .convert import FOLDED, UNUSED, adapted, folded, overridden, source
from .unet import ReferenceUNet

log = logging.getLogger(__name__)

CONVERTER = 1
"""Raised when what is converted changes: what was kept of an older one is made anew."""
STAMP = "stamp.json"
WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
ABANDONED_S = 3600
"""A half-written file that has not grown for so long is nobody's."""
_SAME = 1e-5
"""Two encoders whose tensors differ by no more are one."""

_PUBLISHED: Mapping[str, Any] = {
    "unet_diffusers": {"num_attention_heads": (5, 10, 20, 20), "num_frames": 14},
    "controlnet": {"hint_widths": (16, 32, 96, 256)},
    "vae_diffusers": {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2},
    "clip_transformers": {
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "projection_dim": 1024,
        "num_hidden_layers": 32,
        "num_attention_heads": 16,
        "image_size": 224,
        "patch_size": 14,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
    },
}
"""The published sizes, in the form of a `config.json` beside the weights."""


@dataclass(frozen=True)
class Networks:
    """Everything that is computed with, on one device. UNet, ControlNet and CLIP in `dtype`, the VAE's parts in float32."""

    unet: ReferenceUNet
    controlnet: SketchControlNet
    encoder: Encoder
    """SVD's first stage: (b, 3, H, W) to the mean and the log variance (b, 8, H/8, W/8) of unscaled latents."""
    conditioner: Encoder
    """The other encoder in SVD's file, its last convolution with the quantizing one folded in; the same object where the two are equal."""
    decoder: TemporalDecoder
    clip: CLIPVisionModelWithProjection
    device: torch.device
    dtype: torch.dtype


def load(weights: Mapping[str, Path], device: str, dtype: torch.dtype | None = None, waiting: bool = False) -> Networks:
    """The networks from `svd` (svd.safetensors) and `lvcd` (lvcd.ckpt), or their re-packs; sizes from a `config.json` beside `svd` where
    there is one, else as published. `dtype` is the device's own where None. `waiting`: they are in main memory until they are called
    (`memory.Turns`).

    What is converted is kept in `lvcd/` of the folder `converted` (beside `svd` where none is given) and taken from there next time, while
    the files stay as they were. Raises PegbarError where a file is missing, damaged or another than was asked for.
    """
    place = device_of(device)
    dtype = dtype or precision_of(place)
    modules = empty(config_beside(weights["svd"]))
    folder = weights.get("converted", weights["svd"].parent / "converted") / "lvcd"
    tensors = _kept(folder, weights) or _keep(folder, weights, converted(modules, weights))
    if "conditioner" not in tensors:
        del modules["conditioner"]
    for name, module in modules.items():
        precision = dtype if name in ("unet", "controlnet", "clip") else torch.float32
        fill(module, tensors.pop(name), folder / f"{name}.safetensors", precision).to("cpu" if waiting else place)
    modules.setdefault("conditioner", modules["encoder"])
    return Networks(**modules, device=place, dtype=dtype)


def config_beside(path: Path) -> Mapping[str, Any]:
    """The sizes in a `config.json` beside a file, the published ones where there is none or it is of another kind."""
    try:
        config = json.loads((path.parent / "config.json").read_text("utf-8"))
    except FileNotFoundError:
        return _PUBLISHED
    except (OSError, ValueError) as error:
        raise PegbarError(f"{path.parent / 'config.json'} cannot be read ({error}): remove it or put it right") from error
    return {**_PUBLISHED, **config} if isinstance(config, dict) and "unet_diffusers" in config else _PUBLISHED


def empty(config: Mapping[str, Any]) -> dict[str, Any]:
    """The networks of these sizes on the meta device, by the names of `Networks`' fields."""
    # The golden form names an epsilon that diffusers' class does not take; `unet.py` sets it.
    unet = {name: value for name, value in config["unet_diffusers"].items() if name != "resnet_groupnorm_eps"}
    vae = config["vae_diffusers"]
    sizes = {"block_out_channels": vae["block_out_channels"], "layers_per_block": vae["layers_per_block"]}
    down = ("DownEncoderBlock2D",) * len(sizes["block_out_channels"])
    with torch.device("meta"):
        return {
            "unet": ReferenceUNet(**unet),
            "controlnet": SketchControlNet(config["controlnet"]["hint_widths"], **unet),
            "encoder": Encoder(3, 4, down, **sizes),
            "conditioner": Encoder(3, 4, down, **sizes),
            "decoder": TemporalDecoder(4, 3, **sizes),
            "clip": CLIPVisionModelWithProjection(CLIPVisionConfig(**config["clip_transformers"])),
        }


def converted(modules: Mapping[str, torch.nn.Module], weights: Mapping[str, Path]) -> dict[str, Tensors]:
    """The tensors of each network out of the authors' files, read when asked for; no `conditioner` where it equals `encoder`. Raises
    PegbarError that names what a file lacks or has too much."""
    files = {name: read(weights[name]) for name in ("svd", "lvcd")}
    places = {network: {name: source(network, name) for name in module.state_dict()} for network, module in modules.items()}
    _check(files, weights, places)
    tensors: dict[str, Tensors] = {network: _Original(files, names) for network, names in places.items()}
    for network, module in modules.items():
        for name, wanted in module.state_dict().items():
            if (found := tensors[network][name].shape) != wanted.shape:
                file, original = places[network][name]
                sizes = f"{original} is {tuple(found)}, not {tuple(wanted.shape)}"
                raise PegbarError(f"{weights[file]} is of another size of the model ({sizes}): get the one that was asked for")
    tensors["conditioner"] = folded(tensors["conditioner"], *(files["svd"][name] for name in FOLDED))
    if all(_equal(value, tensors["encoder"][name]) for name, value in tensors["conditioner"].items()):
        del tensors["conditioner"]
    return tensors


class _Original(Mapping[str, torch.Tensor]):
    """A network's tensors under their new names, each read when it is asked for."""

    def __init__(self, files: Mapping[str, Tensors], places: Mapping[str, tuple[str, str]]) -> None:
        self._files, self._places = files, places

    def __getitem__(self, name: str) -> torch.Tensor:
        file, original = self._places[name]
        return adapted(name, self._files[file][original])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and bool((one.float() - other.float()).abs().max() <= _SAME)


def _check(files: Mapping[str, Tensors], weights: Mapping[str, Path], places: Mapping[str, Mapping[str, tuple[str, str]]]) -> None:
    """Raises PegbarError where a file is not what it should be, in its own names."""
    wanted: dict[str, set[str]] = {"svd": set(FOLDED), "lvcd": set()}
    for names in places.values():
        for file, original in names.values():
            wanted[file].add(original)
    swapped = all(not wanted[one].isdisjoint(files[other]) for one, other in (("svd", "lvcd"), ("lvcd", "svd")))
    for file, path in weights.items():
        if file in wanted and (lacking := wanted[file] - files[file].keys()):
            why = "svd and lvcd are exchanged" if swapped else "it is another checkpoint, or not whole"
            raise PegbarError(f"{path} lacks {listed(lacking)}: {why}")
    known = {"svd": lambda name: name.startswith(UNUSED) or overridden(name), "lvcd": lambda name: False}
    for file, is_known in known.items():
        if extra := {name for name in files[file].keys() - wanted[file] if not is_known(name)}:
            raise PegbarError(f"{weights[file]} has tensors that are not known here, {listed(extra)}: it is another checkpoint")


def _stamp(weights: Mapping[str, Path]) -> dict[str, Any]:
    """What tells whether files are still those that were converted."""
    files = {name: weights[name].stat() for name in ("svd", "lvcd")}
    known = {name: [weights[name].name, state.st_size, state.st_mtime_ns] for name, state in files.items()}
    return {"converter": CONVERTER, **known}


def _kept(folder: Path, weights: Mapping[str, Path]) -> dict[str, Tensors] | None:
    """What was converted of these very files before; None where there is nothing or it is damaged."""
    try:
        stamp = json.loads((folder / STAMP).read_text("utf-8"))
        if {**stamp, "networks": None} != {**_stamp(weights), "networks": None}:
            return None
        return {name: SafeTensors(folder / f"{name}.safetensors") for name in stamp["networks"]}
    except (OSError, ValueError, KeyError, TypeError, PegbarError):
        return None


def _keep(folder: Path, weights: Mapping[str, Path], tensors: dict[str, Tensors]) -> dict[str, Tensors]:
    """Writes what was converted, the stamp last, and gives it as it was written; where the disk is full or may not be written, it is
    given as it came."""
    stamp, parts = {**_stamp(weights), "networks": sorted(tensors)}, []
    try:
        # A folder that is marked as not to be written is left alone by an administrator's process too.
        there = next(place for place in folder.parents if place.exists())
        if not there.stat().st_mode & WRITABLE:
            raise PermissionError(f"{there} is read-only")
        folder.mkdir(parents=True, exist_ok=True)
        _clear(folder)
        for name, network in tensors.items():
            parts.append(folder / f".{name}.{os.getpid()}.part")
            save_file({key: network[key].contiguous() for key in network}, parts[-1])
            parts[-1].replace(folder / f"{name}.safetensors")
        write_atomic(folder / STAMP, json.dumps(stamp).encode())
    except (OSError, SafetensorError, PegbarError) as error:
        log.warning("%s is not kept (%s): the next load takes as long as this one", folder, error)
        for part in parts:
            part.unlink(missing_ok=True)
        return tensors
    return _kept(folder, weights) or tensors


def _clear(folder: Path) -> None:
    """Removes what was converted of other files, its stamp first, and what a process that was killed has left."""
    (folder / STAMP).unlink(missing_ok=True)
    for path in folder.glob("*.safetensors"):
        path.unlink()
    for part in folder.glob(".*.part"):
        if time.time() - part.stat().st_mtime > ABANDONED_S:
            part.unlink()
