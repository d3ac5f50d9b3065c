"""VidSketch's networks from the published folders: Stable Diffusion 1.5, the sketch adapter, and one learned motion at a time."""

import json
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, T2IAdapter, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from ...diffusion.checkpoints import Tensors, fill, read
from ...diffusion.counting import in_main_memory
from ...diffusion.memory import precision_of
from ...diffusion.offloading import Turns
from ...diffusion.sampling import seeded
from ...protocol import PegbarError
from . import convert, low_rank
from .motions import INDEX, Motion
from .unet import InflatedUNet

_STEMS = ("diffusion_pytorch_model", "model", "pytorch_model", "diffusion_pytorch_model.fp16", "model.fp16")
_ADAPTER = {
    "in_channels": 1,
    "channels": (320, 640, 1280, 1280),
    "num_res_blocks": 2,
    "downscale_factor": 8,
    "adapter_type": "full_adapter",
}


@dataclass(frozen=True)
class StableDiffusion:
    """What every motion shares: Stable Diffusion 1.5's text encoder, VAE and schedule."""

    folder: Path
    device: torch.device
    dtype: torch.dtype
    tokenizer: Any
    text_encoder: CLIPTextModel
    vae: AutoencoderKL
    scheduler: DDIMScheduler
    place: torch.device
    """Where networks are put: their device, or main memory, where they wait until they are called."""

    @torch.no_grad()
    def encode_text(self, *prompts: str) -> torch.Tensor:
        """The last hidden states of prompts (p, 77, d)."""
        tokens = self.tokenizer(list(prompts), padding="max_length", max_length=77, truncation=True, return_tensors="pt")
        return self.text_encoder(tokens.input_ids.to(self.device))[0]

    @torch.no_grad()
    def encode(self, images: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        """Images (f, 3, h, w), -1..1, as scaled latents (f, 4, h/8, w/8): a sample drawn by `noise`, or the mode without it."""
        posterior = self.vae.encode(images.to(self.device, self.vae.dtype)).latent_dist
        sample = posterior.mode() if noise is None else posterior.mean + posterior.std * noise.to(self.device)
        return sample * self.vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Scaled latents (f, 4, h/8, w/8) as images (f, 3, h, w), 0..1."""
        images = self.vae.decode(latents.to(self.vae.dtype) / self.vae.config.scaling_factor, return_dict=False)[0]
        return (images / 2 + 0.5).clamp(0, 1)

    def unet_2d(self) -> UNet2DConditionModel:
        """Stable Diffusion's own UNet, which makes the first frame."""
        with in_main_memory():
            return _filled(empty_picture(self.folder), self.folder / "unet", self.dtype).to(self.place)

    def inflated(self, generator: torch.Generator, original: bool = False) -> InflatedUNet:
        """Stable Diffusion's UNet inflated, as training starts from it (see `convert.inflated`)."""
        folder = self.folder / "unet"
        with torch.device("meta"):
            unet = InflatedUNet(read_config(folder))
        wanted = unet.state_dict()
        return _filled(unet, folder, torch.float32, lambda tensors: convert.inflated(tensors, wanted, generator, original)).to(self.place)


@dataclass
class Model:
    """All that `generate` needs. The motion in use is kept; another takes its place."""

    stable_diffusion: StableDiffusion
    adapter: T2IAdapter
    adapter_folder: Path
    turns: Turns
    """Of the networks `text`, `vae`, `adapter`, `motion` and, while it makes the first frame, `picture`."""
    motions: Path
    more_motions: tuple[Path, ...] = ()
    """Further folders with motions, as a studio has one."""
    _kept: tuple[Motion, InflatedUNet] | None = None

    def network(self, motion: Motion) -> InflatedUNet:
        """A motion's network. Raises PegbarError where it does not fit."""
        if not self.has(motion):
            self._kept = None
            self.turns.drop("motion")
            with in_main_memory():
                self._kept = motion, load_motion(motion, self.stable_diffusion)
            self.turns.add("motion", self._kept[1])
        assert self._kept is not None
        return self._kept[1]

    def has(self, motion: Motion) -> bool:
        """Whether a motion's network is loaded."""
        return self._kept is not None and self._kept[0] == motion


def load_stable_diffusion(folder: Path, device: torch.device, waiting: bool = False) -> StableDiffusion:
    """Stable Diffusion 1.x in diffusers' layout; the VAE in single precision. Where networks are `waiting` they are in main memory until
    they are called. Raises PegbarError where a file lacks or does not fit."""
    dtype, place = precision_of(device), torch.device("cpu") if waiting else device
    modules = empty(folder)
    text = _filled(modules["text"], folder / "text_encoder", dtype, convert.text_encoder).to(place)
    vae = _filled(modules["vae"], folder / "vae", torch.float32, convert.vae).to(place)
    return StableDiffusion(folder, device, dtype, _tokenizer(folder / "tokenizer"), text, vae, _scheduler(folder), place)


def load_adapter(folder: Path, device: torch.device, waiting: bool = False) -> T2IAdapter:
    """The T2I-Adapter for sketches as published."""
    return _filled(empty_adapter(folder), folder, precision_of(device)).to("cpu" if waiting else device)


def empty(folder: Path) -> dict[str, Any]:
    """Stable Diffusion's text encoder and VAE on the meta device. Raises PegbarError."""
    with torch.device("meta"):
        return {
            "text": CLIPTextModel(CLIPTextConfig(**read_config(folder / "text_encoder"))),
            "vae": AutoencoderKL.from_config(read_config(folder / "vae")),
        }


def empty_picture(folder: Path) -> UNet2DConditionModel:
    """Stable Diffusion's own UNet on the meta device. Raises PegbarError."""
    with torch.device("meta"):
        return UNet2DConditionModel.from_config(read_config(folder / "unet"))


def empty_adapter(folder: Path) -> T2IAdapter:
    """The adapter on the meta device."""
    with torch.device("meta"):
        return T2IAdapter.from_config(read_config(folder, _ADAPTER))


def empty_motion(motion: Motion, folder: Path) -> InflatedUNet:
    """A motion's network on the meta device; without a config it has the sizes of Stable Diffusion in `folder`."""
    own = {} if motion.low_rank else read_config(motion.weights.parent, {})
    with torch.device("meta"):
        return InflatedUNet(own or read_config(folder / "unet"))


def load_motion(motion: Motion, base: StableDiffusion) -> InflatedUNet:
    """A motion's whole network; without a config it has Stable Diffusion's sizes."""
    if motion.low_rank:
        unet = low_rank.merged(base.inflated(seeded(0)), read(motion.weights), motion.weights)
        return torch.nn.Module.to(unet, base.dtype)
    return fill(empty_motion(motion, base.folder), _read(motion.weights), motion.weights, base.dtype).to(base.place)


def _scheduler(folder: Path) -> DDIMScheduler:
    """DDIM on the numbers of Stable Diffusion's own schedule (SPEC §3)."""
    return DDIMScheduler.from_config(read_config(folder / "scheduler"))


def _tokenizer(folder: Path) -> Any:
    try:
        return CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError) as error:
        raise PegbarError(f"{folder} holds no CLIP tokenizer ({str(error).splitlines()[0]}): download it again") from error


def _filled(module: Any, folder: Path, dtype: torch.dtype, names: Callable[[Tensors], Tensors] = lambda tensors: tensors) -> Any:
    path = _weights(folder)
    return fill(module, names(_read(path)), path, dtype)


def _weights(folder: Path) -> Path:
    return next(_weight_files(folder), folder / f"{_STEMS[0]}.safetensors")


def _weight_files(folder: Path) -> Iterator[Path]:
    for stem in _STEMS:
        for suffix in (".safetensors", ".bin"):
            for end in ("", INDEX):
                if (path := folder / f"{stem}{suffix}{end}").is_file():
                    yield path


def _read(path: Path) -> Tensors:
    """The tensors of a file, or of all files that an index names."""
    if not path.name.endswith(INDEX):
        return read(path)
    try:
        files = set(json.loads(path.read_bytes())["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PegbarError(f"{path} is damaged ({error}): download it again") from error
    return ChainMap(*(dict(read(path.with_name(file))) for file in sorted(files)))


def read_config(folder: Path, otherwise: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The config in a folder, or `otherwise` where there is none. Raises PegbarError."""
    path = next((path for name in ("config.json", "scheduler_config.json") if (path := folder / name).is_file()), None)
    if path is None:
        if otherwise is not None:
            return dict(otherwise)
        raise PegbarError(f"{folder} holds no config.json: download it again, whole")
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise PegbarError(f"{path} is damaged ({error}): download it again") from error
