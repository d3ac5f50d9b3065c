"""What samplers do alike: seeded noise, guidance, DDIM inversion, a rough picture of latents."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from diffusers import DDIMInverseScheduler
from numpy.typing import NDArray

_SD_TO_RGB = ((0.298, 0.207, 0.208), (0.187, 0.286, 0.173), (-0.158, 0.189, 0.264), (-0.184, -0.271, -0.473))
"""The widely used linear fit of Stable Diffusion 1's latent channels to RGB in -1..1; SVD's and ModelScope's latents are the same."""


def seeded(seed: int) -> torch.Generator:
    """A generator on the CPU, so that a seed gives the same noise on every device."""
    return torch.Generator().manual_seed(seed)


def noise(shape: Sequence[int], generator: torch.Generator, device: torch.device) -> torch.Tensor:
    """N(0, 1) in float32, drawn on the CPU and moved to the device."""
    return torch.randn(tuple(shape), generator=generator).to(device)


def guided(uncond: torch.Tensor, cond: torch.Tensor, scale: float | torch.Tensor) -> torch.Tensor:
    """Classifier-free guidance (Ho & Salimans 2022, eq. 6 as implementations write it): uncond + scale · (cond - uncond)."""
    return uncond + scale * (cond - uncond)


def inverted(
    latents: torch.Tensor,
    predict: Callable[[torch.Tensor, int], torch.Tensor],
    scheduler: DDIMInverseScheduler,
    watch: Callable[[int, torch.Tensor], None] = lambda step, latents: None,
) -> torch.Tensor:
    """The noise that DDIM sampling leads back to these latents from (Song, Meng, Ermon 2021, eq. 13 run backwards).

    `predict(latents, timestep)` gives the noise in latents; the timestep is the noisier level that a step leads to. `watch(step, latents)`
    is called after each step, counted from 0, and may raise.
    """
    for step, timestep in enumerate(scheduler.timesteps.tolist()):
        latents = scheduler.step(predict(latents, timestep), timestep, latents).prev_sample
        watch(step, latents)
    return latents


def rough_picture(latents: torch.Tensor) -> NDArray[np.float32]:
    """A picture (h, w, 3), sRGB 0..1, of one frame's scaled latents (4, h, w) of a Stable Diffusion 1 VAE, without decoding them."""
    rgb = torch.einsum("chw,cr->hwr", latents.float().cpu(), torch.tensor(_SD_TO_RGB))
    return (rgb / 2 + 0.5).clamp(0, 1).numpy()
