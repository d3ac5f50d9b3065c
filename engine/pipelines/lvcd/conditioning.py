"""What a reference frame tells the networks: an embedding, two encodings of it, three numbers (SPEC §3). Computed once a reference."""

from dataclasses import dataclass

import torch
from torch.nn import functional

from ...diffusion.sampling import seeded
from .networks import Networks

SCALE = 0.18215
"""Scaled latents are the VAE's times this."""
CLIP_SIZE = 224
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Noise:
    """Every N(0, 1) number that a run needs; float32 on the CPU."""

    latents: torch.Tensor
    """(t, 4, h, w): what the first segment starts from."""
    posterior: torch.Tensor
    """(1, 4, h, w): chooses the reference's encoding."""
    image: torch.Tensor
    """(1, 3, H, W): laid over the reference by `noise_aug_strength`."""


@dataclass(frozen=True)
class Condition:
    """A reference frame as the networks see it, on their device; the same for every segment."""

    image_embeds: torch.Tensor
    """(1, 1, c): CLIP's."""
    image_latents: torch.Tensor
    """(1, 4, h, w), unscaled, of the noised image: what the first segment's frames are given."""
    first_latents: torch.Tensor
    """(1, 4, h, w), unscaled, of the clean image: what later segments are given; times SCALE it is the first frame of the result."""
    added_time_ids: torch.Tensor
    """(1, 3): frame rate, motion bucket, noise."""


def draw(seed: int, num_frames: int, height: int, width: int) -> Noise:
    """A run's noise in the original's order (SPEC §7.6); height and width in pixels."""
    generator = seeded(seed)
    latents = torch.randn(num_frames, 4, height // 8, width // 8, generator=generator)
    posterior = torch.randn(1, 4, height // 8, width // 8, generator=generator)
    return Noise(latents, posterior, torch.randn(1, 3, height, width, generator=seeded(seed)))


def condition(
    networks: Networks, image: torch.Tensor, noise: Noise, fps: int = 6, motion_bucket_id: int = 160, noise_aug_strength: float = 0.0
) -> Condition:
    """What a reference (1, 3, H, W) in -1..1 tells the networks. `fps` and `motion_bucket_id` are SVD's micro-conditions, as they are."""
    image = image.float().to(networks.device)
    noised = image + noise_aug_strength * noise.image.to(image.device) if noise_aug_strength else image
    mean, log_variance = networks.encoder(image).chunk(2, dim=1)
    deviation = torch.exp(0.5 * log_variance.clamp(-30, 20))
    return Condition(
        image_embeds=networks.clip(clip_pixels(image).to(networks.dtype)).image_embeds[:, None],
        image_latents=networks.conditioner(noised).chunk(2, dim=1)[0],
        first_latents=mean + deviation * noise.posterior.to(image.device),
        added_time_ids=torch.tensor([[fps, motion_bucket_id, noise_aug_strength]], dtype=torch.float32, device=image.device),
    )


def clip_pixels(image: torch.Tensor) -> torch.Tensor:
    """An image (1, 3, H, W) in -1..1 as CLIP wants it: stretched to (1, 3, 224, 224), normalised (SPEC §2.3)."""
    for axis in (-1, -2):
        image = _blurred(image, axis, image.shape[axis] / CLIP_SIZE)
    small = functional.interpolate(image, (CLIP_SIZE, CLIP_SIZE), mode="bicubic", align_corners=True)
    mean, std = (torch.tensor(values, device=image.device)[:, None, None] for values in (CLIP_MEAN, CLIP_STD))
    return ((small + 1) / 2 - mean) / std


def _blurred(image: torch.Tensor, axis: int, factor: float) -> torch.Tensor:
    """The image without what is too fine for a size smaller by the factor along one axis: a Gaussian, mirrored at the borders."""
    sigma = max((factor - 1) / 2, 0.001)
    radius = max(int(4 * sigma), 3) // 2
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).to(image.device)
    shape, pad = ((1, -1), (radius, radius, 0, 0)) if axis == -1 else ((-1, 1), (0, 0, radius, radius))
    weight = kernel.reshape(1, 1, *shape).expand(image.shape[1], 1, -1, -1)
    return functional.conv2d(functional.pad(image, pad, mode="reflect"), weight, groups=image.shape[1])
