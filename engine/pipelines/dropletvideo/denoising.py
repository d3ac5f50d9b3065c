"""From noise to latents: DDIM steps of the transformer with guidance, first-block cache and guidance interval as a preset says.

Goes on from any step that `Preset.keeps_after` names to the same bits. Knows no job and no file.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from diffusers import DDIMScheduler
from diffusers.hooks import FirstBlockCacheConfig

from ...diffusion.sampling import guided
from .coding import Tick
from .transformer import DropletVideoTransformer3DModel

_CALMEST_FPS, _OCTAVES = 32, 3
"""The frame rates that the authors show are 32, 16, 8, 4: the lower, the more happens from frame to frame (SPEC §3)."""
_REFRESH = 5
"""Steps after which what is cached is computed anew: a run can go on from there, and errors don't pile up."""


@dataclass(frozen=True)
class Preset:
    """How much of the sampling is computed; NOTES.md has what each gives away."""

    steps: int
    threshold: float = 0.0
    """Relative change of the first block's residual below which the others' are taken over from the step before; 0: never."""
    guided_share: float = 1.0
    """Share of the steps, from the first, that are guided (Kynkäänniemi et al. 2024: the last ones gain nothing)."""

    def keeps_after(self, step: int) -> bool:
        """Whether a run can go on after a step (from 0) to the same bits."""
        return not self.threshold or (step + 1) % _REFRESH == 0


PRESETS = {
    "exact": Preset(50),
    "balanced": Preset(40, threshold=0.05, guided_share=0.8),
    "draft": Preset(20, threshold=0.12, guided_share=0.6),
}


@dataclass(frozen=True)
class Conditions:
    """What a shot is made of beside noise; all on the transformer's device."""

    pictures: torch.Tensor
    """(1, l, 17, h/8, w/8): mask and masked-video latents."""
    prompt: torch.Tensor
    """(1, tokens, c)"""
    negative_prompt: torch.Tensor
    positions: tuple[torch.Tensor, torch.Tensor]
    fps: float
    guidance_scale: float = 6.0


@dataclass(frozen=True)
class Step:
    """What one step came to: latents (1, l, 16, h/8, w/8), and what they will be at the end as far as one can tell."""

    index: int
    latents: torch.Tensor
    predicted: torch.Tensor


def fps_of(motion: float) -> int:
    """The frame rate that stands for a motion from 0, calm, to 1, lively."""
    return round(_CALMEST_FPS * 2 ** (-_OCTAVES * motion))


def timesteps(scheduler: DDIMScheduler, steps: int) -> list[int]:
    """The timesteps of a run, and the scheduler set to them. For some counts rounding gives one more, which is negative (ERRATA 2)."""
    scheduler.set_timesteps(steps)
    return [int(t) for t in scheduler.timesteps if t >= 0]


def predict(
    transformer: DropletVideoTransformer3DModel, latents: torch.Tensor, given: Conditions, text: torch.Tensor, timestep: int
) -> torch.Tensor:
    """The velocity (1, l, 16, h/8, w/8), float32, of one sample: half of what guidance needs, and at half of its memory."""
    device = latents.device
    return transformer(
        hidden_states=torch.cat([latents, given.pictures], 2).to(text.dtype),
        encoder_hidden_states=text,
        timestep=torch.tensor([timestep], device=device),
        ofs=torch.tensor([given.fps], device=device),
        image_rotary_emb=given.positions,
    ).sample.float()


def denoise(
    transformer: DropletVideoTransformer3DModel,
    scheduler: DDIMScheduler,
    latents: torch.Tensor,
    given: Conditions,
    preset: Preset,
    start: int = 0,
    tick: Tick = lambda: None,
) -> Iterator[Step]:
    """Takes the steps from `start` on, one at a time; `latents` are those before it. `tick` is called before each block and may raise."""
    times = timesteps(scheduler, preset.steps)
    with _ticking(transformer, tick), _no_cache_left(transformer):
        for index in range(start, len(times)):
            if preset.threshold and index % _REFRESH == 0:
                _forget(transformer)
                transformer.enable_cache(FirstBlockCacheConfig(threshold=preset.threshold))
            with transformer.cache_context("cond"):
                velocity = predict(transformer, latents, given, given.prompt, times[index])
            if given.guidance_scale > 1 and index < preset.guided_share * len(times):
                with transformer.cache_context("uncond"):
                    negative = predict(transformer, latents, given, given.negative_prompt, times[index])
                velocity = guided(negative, velocity, given.guidance_scale)
            step = scheduler.step(velocity, times[index], latents)
            latents = step.prev_sample
            yield Step(index, latents, step.pred_original_sample)


@contextlib.contextmanager
def _ticking(transformer: DropletVideoTransformer3DModel, tick: Tick) -> Iterator[None]:
    hooks = [block.register_forward_pre_hook(lambda *_: tick()) for block in transformer.transformer_blocks]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextlib.contextmanager
def _no_cache_left(transformer: DropletVideoTransformer3DModel) -> Iterator[None]:
    try:
        yield
    finally:
        _forget(transformer)


def _forget(transformer: DropletVideoTransformer3DModel) -> None:
    if transformer.is_cache_enabled:
        transformer.disable_cache()
