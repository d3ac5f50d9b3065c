"""The networks of LVCD on a device: made from the authors' files, or from what was converted of them before."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import TemporalDecoder
from diffusers.models.autoencoders.vae import Encoder
from transformers import CLIPVisionModelWithProjection

from .controlnet import SketchControlNet
from .unet import ReferenceUNet


@dataclass(frozen=True)
class Networks:
    """Everything that is computed with; all on one device. UNet, ControlNet and CLIP in `dtype`, the VAE's parts in float32."""

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


def load(weights: Mapping[str, Path], device: str, dtype: torch.dtype | None = None) -> Networks:
    """The networks from `svd` (svd.safetensors) and `lvcd` (lvcd.ckpt), or their re-packs; sizes from a `config.json` beside `svd` where
    there is one, else as published. `dtype` is the device's own where None.

    What is converted is kept in `converted/lvcd/` beside `svd` and taken from there next time, while the files stay as they were. Raises
    PegbarError where a file is missing, damaged or another than was asked for.
    """
    raise NotImplementedError
