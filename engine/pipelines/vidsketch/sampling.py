"""VidSketch's sampler (SPEC §3): one clean first frame, shared noise, drawings that steer, frames matched to the first at each step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from numpy.typing import NDArray
from torch import Tensor

from ...diffusion.sampling import guided
from .abstraction import Control
from .unet import Attended

Predict = Callable[[Tensor, Tensor, Tensor, Sequence[Tensor]], Tensor]
"""(latents (b, 4, f, h, w), timestep, text (b, 77, d), the adapter's maps or none) -> noise (b, 4, f, h, w)"""
Told = Callable[[int, Tensor], None]
"""Hears of each step that is done: how many are, and the latents."""

_SHARED = 0.2
_MATCHED_FROM = 0.6
"""Share of the steps after which frame 1 is matched to frame 0; the authors' code has the index 30, of its 50 steps."""


@dataclass(frozen=True)
class Sampling:
    """How a video is sampled. `original` keeps what is wrong in the authors' code: matching from step 31 on, however many there are."""

    num_inference_steps: int = 50
    guidance_scale: float = 12.5
    control: Control = field(default_factory=Control)
    attended: Attended = "first+prev"
    window: int = 64
    """Frames that the network sees at once; a longer video is made in windows that overlap."""
    apart: bool = False
    """What guidance compares is predicted in turn, in half the memory."""
    original: bool = False

    @property
    def matched_after(self) -> float:
        return 30 if self.original else _MATCHED_FROM * self.num_inference_steps


# --- where the drawings steer


def steering(positions: Sequence[float], frames: int, original: bool = False) -> Tensor:
    """How much each drawing steers each frame, (frames, drawings): between two drawings both, by nearness; outside them the nearest one.

    `positions`: of the drawings, ascending, in frames from the first. `original`: the authors' shares, which take no positions.
    """
    if original:
        return _original_steering(len(positions), frames)
    at = np.arange(frames)
    shares = [np.interp(at, positions, own) for own in np.eye(len(positions))]
    return torch.from_numpy(np.stack(shares, 1)).float()


def _original_steering(drawings: int, frames: int) -> Tensor:
    """Drawings spread over the frames; the last frame is not steered, and a drawing that is alone steers nothing (SPEC §2.5)."""
    shares = torch.zeros(frames, drawings)
    index = torch.linspace(0, frames - 1, drawings).to(torch.int).tolist()
    for i, (start, end) in enumerate(pairwise(index)):
        nearness = (torch.arange(start, end) - start) / max(1, end - start)
        shares[start:end, i], shares[start:end, i + 1] = 1 - nearness, nearness
    return shares


def expanded(features: Sequence[Tensor], shares: Tensor, scale: float) -> list[Tensor]:
    """The adapter's maps of n drawings, each (n, c, h, w), as maps of all frames (1, c, f, h, w) by `shares` (f, n)."""
    shares = (shares * scale).to(features[0])
    return [(shares @ each.flatten(1)).view(len(shares), *each.shape[1:]).transpose(0, 1)[None] for each in features]


def steers(timestep: Tensor | int, tau: float, num_train_timesteps: int = 1000) -> bool:
    """Whether the drawings steer at a timestep: for the first share `tau` of the way."""
    return float(timestep) >= (1 - tau) * num_train_timesteps


# --- latents


def shared(noise: Tensor) -> Tensor:
    """Noise (1, 4, f, h, w) whose later frames have a part of the first one's."""
    return torch.cat([noise[:, :, :1], _SHARED * noise[:, :, :1] + (1 - _SHARED) * noise[:, :, 1:]], 2)


def started(first: Tensor, noise: Tensor) -> Tensor:
    """What sampling starts from: the clean first frame (1, 4, 1, h, w), then noise."""
    return torch.cat([first, noise[:, :, 1:]], 2)


def adain(content: Tensor, style: Tensor) -> Tensor:
    """Content (b, c, f, h, w) with the mean and deviation, a channel and a frame, of style (b, c, 1, h, w) (Huang & Belongie 2017, eq. 8)."""
    (c_var, c_mean), (s_var, s_mean) = (torch.var_mean(each, dim=(-2, -1), keepdim=True) for each in (content, style))
    return (content - c_mean) / (c_var + 1e-8).sqrt() * (s_var + 1e-8).sqrt() + s_mean


def matched(latents: Tensor, to_first: bool) -> Tensor:
    """The latents after a step: frame 1 matched to frame 0 where `to_first`, all later ones to frame 1."""
    first, second, later = latents[:, :, :1], latents[:, :, 1:2], latents[:, :, 2:]
    if to_first and second.shape[2]:
        second = adain(second, first)
    return torch.cat([first, second, adain(later, second) if later.shape[2] else later], 2)


# --- steps


def timesteps(scheduler: DDIMScheduler, steps: int) -> Tensor:
    scheduler.set_timesteps(steps)
    return scheduler.timesteps


@torch.no_grad()
def sample(
    predict: Predict, scheduler: DDIMScheduler, latents: Tensor, text: Tensor, residuals: Sequence[Tensor], settings: Sampling,
    told: Told = lambda done, latents: None, done: int = 0,
) -> Tensor:  # fmt: skip
    """Denoises latents (1, 4, f, h, w) whose first frame is clean, from step `done` on; `text` (2, 77, d) is without and with the prompt.

    `residuals`: the scaled maps of `expanded`, none for no control. All in single precision but what `predict` does.
    """
    for index, t in enumerate(timesteps(scheduler, settings.num_inference_steps)):
        if index >= done:
            active = residuals if steers(t, settings.control.tau) else ()
            latents = stepped(scheduler, latents, noise_of(predict, latents, t, text, active, settings), t)
            latents = matched(latents, index > settings.matched_after)
            told(index + 1, latents)
    return torch.cat([latents[:, :, :1], adain(latents[:, :, 1:], latents[:, :, :1])], 2)


def stepped(scheduler: DDIMScheduler, latents: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """A DDIM step of all frames but the first, which stays clean."""
    later: Any = scheduler.step(noise[:, :, 1:], t, latents[:, :, 1:], eta=0.0, return_dict=False)
    return torch.cat([latents[:, :, :1], later[0]], 2)


def noise_of(predict: Predict, latents: Tensor, t: Tensor, text: Tensor, residuals: Sequence[Tensor], settings: Sampling) -> Tensor:
    """The guided noise of all frames. A video longer than the window is predicted in parts that each begin with the first frame, as the
    network was trained; where they overlap, the nearer to a part's middle weighs more."""
    parts = windows(latents.shape[2], settings.window)
    if len(parts) == 1:
        return _guided(predict, latents, t, text, residuals, settings)
    total, weight = torch.zeros_like(latents), torch.zeros(latents.shape[2], device=latents.device)
    for part in parts:
        noise = _guided(predict, latents[:, :, part], t, text, [each[:, :, part] for each in residuals], settings)
        shares = _hat(part).to(latents)
        total[:, :, part] += noise * shares[:, None, None]
        weight[part] += shares
    return total / weight[:, None, None]


def windows(frames: int, length: int) -> list[list[int]]:
    """The frames that the network sees at once: all, or runs that overlap by a third, each with frame 0 before it."""
    if frames <= length:
        return [list(range(frames))]
    run = length - 1
    count = -(-(frames - 1 - run // 3) // (run - run // 3))
    starts = [1 + round(i * (frames - 1 - run) / (count - 1)) for i in range(count)]
    return [[0, *range(start, start + run)] for start in starts]


def _hat(part: Sequence[int]) -> Tensor:
    """The weight of each frame of a window: least at the ends of its run."""
    run = torch.arange(1.0, len(part))
    return torch.cat([torch.ones(1), torch.minimum(run, run.flip(0))])


def _guided(predict: Predict, latents: Tensor, t: Tensor, text: Tensor, residuals: Sequence[Tensor], settings: Sampling) -> Tensor:
    """Without guidance (a scale of 1) only what has the prompt is computed."""
    if settings.guidance_scale == 1:
        return predict(latents, t, text[1:], residuals)
    if settings.apart:
        uncond, cond = (predict(latents, t, text[half : half + 1], residuals) for half in range(2))
    else:
        uncond, cond = predict(latents.expand(2, -1, -1, -1, -1), t, text, residuals).chunk(2)
    return guided(uncond, cond, settings.guidance_scale)


@torch.no_grad()
def sample_picture(
    unet: UNet2DConditionModel, scheduler: DDIMScheduler, latents: Tensor, text: Tensor, features: Sequence[Tensor], settings: Sampling,
    told: Told = lambda done, latents: None,
) -> Tensor:  # fmt: skip
    """The first frame's latents (1, 4, h, w) by Stable Diffusion itself, steered by one drawing's maps (1, c, h, w) (SPEC §1)."""
    scaled = [(each * settings.control.scale).to(unet.dtype) for each in features]

    def predict(video: Tensor, t: Tensor, text: Tensor, maps: Sequence[Tensor]) -> Tensor:
        added = {"down_intrablock_additional_residuals": [each.expand(len(video), -1, -1, -1) for each in maps]} if maps else {}
        return unet(video[:, :, 0].to(unet.dtype), t, text, return_dict=False, **added)[0].float()[:, :, None]

    for done, t in enumerate(timesteps(scheduler, settings.num_inference_steps), start=1):
        noise = _guided(predict, latents[:, :, None], t, text, scaled if steers(t, settings.control.tau) else (), settings)
        latents = scheduler.step(noise[:, :, 0], t, latents, eta=0.0, return_dict=False)[0]
        told(done, latents)
    return latents


# --- frames


def colours_matched(frame: NDArray[np.float32], first: NDArray[np.float32]) -> NDArray[np.float32]:
    """A frame (h, w, 3), 0..1, with the histogram of the first one, a channel at a time; its values are k/255 (SPEC §3)."""
    levels, wanted = ((each * np.float32(255)).astype(np.uint8) for each in (frame, first))
    planes = [_lookup(levels[..., c], wanted[..., c])[levels[..., c]] for c in range(levels.shape[-1])]
    return np.divide(np.stack(planes, -1), np.float32(255), dtype=np.float32)


def _lookup(levels: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.searchsorted(_cdf(wanted), _cdf(levels), side="left").clip(0, 255).astype(np.uint8)


def _cdf(levels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """As the authors add it up: the rounding of these sums decides between equal counts."""
    return np.histogram(levels.ravel(), 256, (0, 256), density=True)[0].cumsum()
