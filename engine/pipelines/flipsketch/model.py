"""FlipSketch's networks: read from a checkpoint's folder, and what each of them does. Knows no sampling and no job."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMInverseScheduler, DDIMScheduler, UNet3DConditionModel
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from ...diffusion.checkpoints import fill
from ...protocol import PegbarError
from .attention import Composition, install
from .convert import component, config_of, text_tensors, vae_tensors, with_lora

COPIES = 5
"""Noisy copies of the drawing that are inverted as a clip (SPEC §3)."""
MERGED_LORA = "lora"
"""The folder of LoRA lists that lies in a checkpoint in which they are merged."""
_LORA_FILES = {"unet": "2500_unet.pt", "text_encoder": "2500_text_encoder.pt"}


@dataclass(frozen=True)
class Model:
    """The networks, ready. The UNet and the text encoder are of `precision_on` the device, the VAE of single precision, and so are latents:
    (b, 4, f, h/8, w/8), scaled."""

    unet: UNet3DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: Any
    scheduler: Mapping[str, Any]
    """The checkpoint's settings of the schedule."""
    composition: Composition
    memory: "Memory"
    device: torch.device

    def schedule(self, num_inference_steps: int) -> DDIMScheduler:
        """The schedule that latents are denoised by."""
        scheduler = DDIMScheduler.from_config(self.scheduler)
        scheduler.set_timesteps(num_inference_steps)
        return scheduler

    def inverse_schedule(self, num_inference_steps: int) -> DDIMInverseScheduler:
        """The schedule that leads from latents to their noise."""
        known = {name: value for name, value in self.scheduler.items() if name != "skip_prk_steps"}  # it warns of what DDIM never used
        scheduler = DDIMInverseScheduler.from_config(known)
        scheduler.set_timesteps(num_inference_steps)
        return scheduler

    def encode_prompt(self, prompt: str) -> torch.Tensor:
        """What the networks know of a text: (1, 77, c)."""
        ids = self.tokenizer(
            prompt, padding="max_length", max_length=self.tokenizer.model_max_length, truncation=True, return_tensors="pt"
        ).input_ids
        with torch.no_grad():
            return self.text_encoder(ids.to(self.device)).last_hidden_state

    def encode_sketch(self, sketch: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """The latents (b, 4, 5, h/8, w/8) of noisy copies of sketches (b, 3, h, w), with the copies' noise (5, 4, h/8, w/8) (SPEC §3).

        All copies of a sketch go through the VAE, as the authors' do: one alone differs by rounding, which the inversion makes ten times larger.
        """
        coded = []
        with torch.no_grad():
            for one in sketch.to(self.device):
                posterior = self.vae.encode(one.repeat(COPIES, 1, 1, 1)).latent_dist
                coded.append((posterior.mean + posterior.std * noise.to(self.device)).transpose(0, 1))
        return torch.stack(coded) * self.vae.config.scaling_factor

    def decode(self, latents: torch.Tensor, tell: Callable[[], None] = lambda: None) -> torch.Tensor:
        """The pictures (b, 3, f, h, w), -1..1, of latents; some at a time, with `tell` called before each."""
        images = (latents / self.vae.config.scaling_factor).transpose(1, 2).flatten(0, 1)
        decoded = []
        with torch.no_grad():
            for some in images.split(self.memory.decoded_at_once):
                tell()
                decoded.append(self.vae.decode(some).sample)
        return torch.cat(decoded).unflatten(0, (len(latents), -1)).transpose(1, 2)

    def predict(self, latents: torch.Tensor, timestep: int, text: torch.Tensor) -> torch.Tensor:
        """The noise in latents (b, 4, f, h/8, w/8) at a timestep; `text` is (1 or b, 77, c)."""
        self.composition.rows = len(latents)
        text = text.expand(len(latents), -1, -1)
        time = torch.tensor(timestep, device=self.device)
        return self.unet(latents.to(self.unet.dtype), time, encoder_hidden_states=text, return_dict=False)[0].float()


def precision_on(device: torch.device) -> torch.dtype:
    """The precision of the large networks. On a graphics card float16, which the base is published and used in: three bits more than
    bfloat16 has keep the gradients' directions (cosine 0.999 of an alignment's move, not 0.98)."""
    return torch.float32 if device.type == "cpu" else torch.float16


@dataclass
class Memory:
    """How the networks save memory: the same values but for rounding, slower."""

    recomputes: bool = False
    """The UNet's blocks don't keep what gradients need, but compute it anew: a third more work."""
    one_by_one: bool = False
    """Clips go through the UNet one after the other."""
    decoded_at_once: int = 4


def load_model(weights: Mapping[str, Path], device: torch.device, waiting: bool = False) -> Model:
    """Reads the networks; where they are `waiting` they are in main memory until they are called. Raises PegbarError where a part is
    missing, damaged or of another model."""
    folder = weights["checkpoint"]
    lora = None if (folder / MERGED_LORA).is_dir() else weights.get("lora")
    if lora is None and "text-to-video-ms" in folder.name:
        files = " and ".join(_LORA_FILES.values())
        raise PegbarError(
            f"{folder} cannot draw sketches by itself: put FlipSketch's folder lora ({files}) beside it, or get checkpoint-2500"
        )
    dtype, place = precision_on(device), torch.device("cpu") if waiting else device
    modules = empty(folder)
    unet = _filled_unet(modules["unet"], folder / "unet", lora, dtype).to(place)
    composition, memory = prepared(unet)
    return Model(
        unet=unet,
        vae=_filled_vae(modules["vae"], folder / "vae").to(place),
        text_encoder=_filled_text_encoder(modules["text_encoder"], folder / "text_encoder", lora, dtype).to(place),
        tokenizer=_tokenizer(folder / "tokenizer"),
        scheduler=config_of(folder / "scheduler", "scheduler_config.json"),
        composition=composition,
        memory=memory,
        device=device,
    )


def hollow(folder: Path, device: torch.device) -> Model:
    """The networks of a checkpoint's configs on the meta device, in the precisions that they are loaded in: to count with."""
    modules, dtype = empty(folder), precision_on(device)
    unet, text_encoder = (torch.nn.Module.to(modules[name], dtype) for name in ("unet", "text_encoder"))
    composition, memory = prepared(unet)
    scheduler = config_of(folder / "scheduler", "scheduler_config.json")
    return Model(unet, modules["vae"], text_encoder, None, scheduler, composition, memory, torch.device("meta"))


def empty(folder: Path) -> dict[str, Any]:
    """The networks of a checkpoint's configs on the meta device. Raises PegbarError."""
    with torch.device("meta"):
        return {
            "unet": UNet3DConditionModel.from_config(config_of(folder / "unet")),
            "vae": AutoencoderKL.from_config(config_of(folder / "vae")),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**config_of(folder / "text_encoder"))),
        }


def _filled_unet(unet: UNet3DConditionModel, folder: Path, lora: Path | None, dtype: torch.dtype) -> UNet3DConditionModel:
    path, tensors = component(folder)
    if lora is not None:
        tensors = with_lora(unet, tensors, lora / _LORA_FILES["unet"])
    return fill(unet, tensors, path, dtype)


def _filled_vae(vae: AutoencoderKL, folder: Path) -> AutoencoderKL:
    path, tensors = component(folder)
    return fill(vae, vae_tensors(tensors), path)


def _filled_text_encoder(encoder: CLIPTextModel, folder: Path, lora: Path | None, dtype: torch.dtype) -> CLIPTextModel:
    path, tensors = component(folder)
    tensors = text_tensors(tensors)
    if lora is not None:
        tensors = with_lora(encoder, tensors, lora / _LORA_FILES["text_encoder"], under="CLIPEncoderLayer")
    return fill(encoder, tensors, path, dtype)


def _tokenizer(folder: Path) -> CLIPTokenizer:
    lacking = [name for name in ("vocab.json", "merges.txt", "tokenizer_config.json") if not (folder / name).is_file()]
    if lacking:
        raise PegbarError(f"{folder} lacks {' and '.join(lacking)}: the checkpoint is not whole, download it again")
    try:
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PegbarError(f"{folder} is damaged ({error}): download it again") from error


def prepared(unet: UNet3DConditionModel) -> tuple[Composition, Memory]:
    """Makes a UNet ready for the method; its state is in what is returned."""
    composition, memory = Composition(), Memory()
    install(unet, composition)
    for block in (*unet.down_blocks, unet.mid_block, *unet.up_blocks):
        _recomputing(block, memory)
    for module in unet.modules():
        if isinstance(module, torch.nn.Conv3d) and module.kernel_size[1:] == (1, 1):
            _over_time(module)
    return composition, memory


def _recomputing(block: torch.nn.Module, memory: Memory) -> None:
    """Lets a block of the UNet save memory in gradients: diffusers' 3D blocks cannot by themselves."""
    forward = block.forward

    def saving(*args: Any, **kwargs: Any) -> Any:
        if memory.recomputes and torch.is_grad_enabled():
            return checkpoint(forward, *args, use_reentrant=False, **kwargs)
        return forward(*args, **kwargs)

    block.forward = saving


def _over_time(convolution: torch.nn.Conv3d) -> None:
    """Lets a convolution over time alone, (f, h, w), run as one over (f, h · w): the same sums by kernels that take half as long."""

    def flat(video: torch.Tensor) -> torch.Tensor:
        found = functional.conv2d(video.flatten(3), convolution.weight.flatten(3), convolution.bias, padding=(convolution.padding[0], 0))
        return found.unflatten(3, video.shape[3:])

    convolution.forward = flat
