"""LVCD's sampler over one segment of a shot (SPEC §7): what goes in comes out, so that a caller may stream, keep what is needed and go on.

A segment has model frames: the reference, `overlap` frames that are already coloured, and the 14 that are coloured now.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...diffusion.sampling import guided
from ...protocol import PegbarError
from .conditioning import SCALE, Condition
from .networks import Networks
from .reference_attention import MODES, VIDEO_FRAMES, Pattern, pattern

SIGMA_MAX, SIGMA_MIN, RHO = 700.0, 0.002, 7.0

OnStep = Callable[[int, int, torch.Tensor], None]
"""(step from 1, of, denoised (t, 4, h, w) scaled): called after each step; may raise to stop."""


@dataclass(frozen=True)
class Settings:
    """How a shot is sampled; the defaults are the authors'. Raises PegbarError where a value is none that works."""

    overlap: int = 4
    """Frames that a segment shares with the one before."""
    num_inference_steps: int = 25
    mode: str = "prevref"
    """What the frames of later segments look at: `normal`, `prevref` or `normal1` (SPEC §6); the first segment is always `normal`."""
    prev_attn_steps: int = 25
    """Steps in which prev-reference attention is on."""
    guidance_scale: tuple[float, float] = (1.0, 1.0)
    """At the first and at the last model frame, linear between; there is no guidance where the last is 1."""
    combine: bool = True
    """Both halves of guidance in one batch."""
    blend_steps: int = 25
    """Steps in which the shared frames take the segment before's prediction."""

    def __post_init__(self) -> None:
        if not 1 <= self.overlap < VIDEO_FRAMES:
            raise PegbarError(f"The overlap is {self.overlap}: it must be between 1 and {VIDEO_FRAMES - 1}")
        if self.num_inference_steps < 1:
            raise PegbarError(f"There are {self.num_inference_steps} steps: at least one is needed")
        if self.mode not in MODES:
            raise PegbarError(f"The reference mode is {self.mode!r}: choose one of {', '.join(MODES)}")

    @property
    def num_frames(self) -> int:
        """Model frames of a segment."""
        return VIDEO_FRAMES + 1 + self.overlap

    @property
    def first_count(self) -> int:
        """Frames that the first segment gives, the reference's own with them."""
        return VIDEO_FRAMES + 1

    @property
    def new_count(self) -> int:
        """Frames that each later segment adds."""
        return VIDEO_FRAMES - self.overlap


@dataclass(frozen=True)
class Carry:
    """What a segment leaves to the next: float32 tensors on the CPU and nothing else, so `save_file(vars(carry), path)` keeps it and
    `Carry(**load_file(path))` has it back, bit for bit. Its size does not depend on the shot's length."""

    noise: torch.Tensor
    """(t, 4, h, w), N(0, 1): what the segment starts from."""
    x0: torch.Tensor
    """(overlap, 4, h, w), scaled: the last latents of the segment before; (0, 4, h, w) before the first segment."""
    denoised: torch.Tensor
    """(steps, overlap, 4, h, w), scaled: its predictions of these at each step."""


def settings_of(params: Mapping[str, Any]) -> Settings:
    """How a job asks for its shot to be sampled."""
    return Settings(
        num_inference_steps=params["num_inference_steps"],
        mode=params["ref_mode"],
        prev_attn_steps=params["prev_attn_steps"],
        guidance_scale=(params["min_guidance_scale"], params["max_guidance_scale"]),
    )


def first_carry(noise: torch.Tensor) -> Carry:
    """What the first segment starts from: noise (t, 4, h, w)."""
    return Carry(noise, noise[:0].clone(), noise[:0, None].clone())


def segment_count(frames: int, settings: Settings) -> int:
    """Segments that the original makes of so many frames; those left over at the end are dropped by it (SPEC §7.1), none below 15."""
    return max((frames - settings.first_count) // settings.new_count + 1, 0)


def frame_count(segments: int, settings: Settings) -> int:
    """Frames that so many segments give."""
    return settings.first_count + settings.new_count * (segments - 1)


def hint_frames(segment: int, settings: Settings) -> tuple[int, ...]:
    """Which frame's line art each model frame of a segment (from 0) sees: the reference, the shared ones, the new ones (SPEC §7.2)."""
    start = 1 + segment * settings.new_count
    shared = range(start, start + settings.overlap) if segment else [0] * settings.overlap
    return (0, *shared, *range(start, start + VIDEO_FRAMES))


def sigmas(steps: int) -> torch.Tensor:
    """(steps + 1), float32, falling to 0: Karras et al. 2022, eq. 5, with SVD's range."""
    ramp = torch.linspace(0, 1, steps)
    high, low = SIGMA_MAX ** (1 / RHO), SIGMA_MIN ** (1 / RHO)
    return torch.cat([(high + ramp * (low - high)) ** RHO, torch.zeros(1)])


def sample(
    networks: Networks, condition: Condition, hints: Sequence[torch.Tensor], noise: torch.Tensor, settings: Settings, on_step: OnStep
) -> Iterator[torch.Tensor]:
    """The original's whole run: scaled latents (k, 4, h, w) of the next frames as soon as they are final. `hints`: the line art (3, H, W) of
    each frame, lines 1 on 0; `noise` (t, 4, h, w). Raises PegbarError where there are fewer frames than a segment needs."""
    segments = segment_count(len(hints), settings)
    if not segments:
        raise PegbarError(f"There are {len(hints)} frames of line art: a segment needs {settings.first_count}")
    carry = first_carry(noise)
    for segment in range(segments):
        hint = torch.stack([hints[frame] for frame in hint_frames(segment, settings)])
        x0, carry = sample_segment(networks, condition, hint, carry, settings, on_step)
        yield final_latents(x0, condition, settings, first=segment == 0, last=segment == segments - 1)


def final_latents(x0: torch.Tensor, condition: Condition, settings: Settings, *, first: bool, last: bool) -> torch.Tensor:
    """Of a segment's latents (t, 4, h, w) those of the frames that it makes final, (k, 4, h, w): before the first segment's comes the
    reference's own, and the frames that the next segment shares are final only with it."""
    latents = torch.cat([condition.first_latents.cpu() * SCALE, x0[-VIDEO_FRAMES:]]) if first else x0[-VIDEO_FRAMES:]
    return latents if last else latents[: -settings.overlap]


def sample_segment(
    networks: Networks, condition: Condition, hint: torch.Tensor, carry: Carry, settings: Settings, on_step: OnStep = lambda *_: None
) -> tuple[torch.Tensor, Carry]:
    """Scaled latents (t, 4, h, w) of a segment's model frames, float32 on the CPU, and what the next one starts from (SPEC §7.4).

    `condition` may be another reference's than before. `hint` (t, 3, H, W): line art of `hint_frames`, lines 1 on 0; its first frame is that
    of the reference. `carry` is `first_carry(noise)` or what the segment before left.
    """
    first, shared = not len(carry.x0), slice(settings.overlap + 1, 2 * settings.overlap + 1)
    schedule = sigmas(settings.num_inference_steps).to(networks.device)
    concat, embeds = _conditions(condition, carry, settings)
    hint = networks.controlnet.embed_hint(hint.to(networks.device))
    x = carry.noise.to(networks.device) * (1 + schedule[0] ** 2) ** 0.5
    kept = []
    for step in range(settings.num_inference_steps):
        seen = pattern("normal" if first else settings.mode, settings.num_frames, settings.overlap, step < settings.prev_attn_steps)
        denoised = _predicted(networks, x, schedule[step], concat, embeds, condition.added_time_ids, hint, seen, settings)
        kept.append(denoised[-settings.overlap :].clone())  # as predicted: blending may reach into these
        if not first and step < settings.blend_steps:
            denoised[shared] = carry.denoised[step].to(x.device)
        x = euler(x, denoised, schedule[step], schedule[step + 1])
        on_step(step + 1, settings.num_inference_steps, denoised)
    x0 = x.cpu()
    return x0, Carry(_next_noise(carry.noise, settings.overlap), x0[-settings.overlap :].clone(), torch.stack(kept).cpu())


def euler(x: torch.Tensor, denoised: torch.Tensor, sigma: torch.Tensor, lower: torch.Tensor) -> torch.Tensor:
    """One Euler step of the probability-flow ODE from `sigma` to `lower` (Karras et al. 2022, algorithm 1)."""
    return x + (lower - sigma) * (x - denoised) / sigma


def scalings(sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """c_skip, c_out, c_in, c_noise: EDM's preconditioning with v-prediction (SPEC §2.4)."""
    root = (sigma**2 + 1).sqrt()
    return 1 / (sigma**2 + 1), -sigma / root, 1 / root, sigma.log() / 4


def denoise(
    networks: Networks,
    x: torch.Tensor,
    sigma: torch.Tensor,
    concat: torch.Tensor,
    image_embeds: torch.Tensor,
    added_time_ids: torch.Tensor,
    hint: torch.Tensor | None,
    seen: Pattern,
) -> torch.Tensor:
    """The networks' prediction of what x (t, 4, h, w) is without noise of deviation `sigma` (): (b, t, 4, h, w), float32.

    For b conditions at once: `concat` (b, t, 4, h, w) unscaled latents, `image_embeds` (b, 1, c), `added_time_ids` (1, 3). `hint` from
    `embed_hint`; no ControlNet where None. In float32 but for the networks themselves.
    """
    skip, out, scale, noise_level = scalings(sigma)
    batch = len(concat)
    sample = torch.cat([(scale * x).expand(batch, -1, -1, -1, -1), concat], dim=2).to(networks.dtype)
    given = sample, noise_level, image_embeds.to(networks.dtype), added_time_ids.expand(batch, -1), seen
    residuals = networks.controlnet(*given, hint) if hint is not None else ()
    return out * networks.unet(*given, residuals).float() + skip * x


def _conditions(condition: Condition, carry: Carry, settings: Settings) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents (b, t, 4, h, w), unscaled, and embeddings (b, 1, c) that a segment is conditioned on: with guidance those without the
    reference first. Later segments have their latents in both halves (SPEC §3)."""
    embeds, shared = condition.image_embeds, carry.x0.to(condition.first_latents) / SCALE
    if not len(shared):
        concat = condition.image_latents.expand(settings.num_frames, -1, -1, -1)
    else:
        rest = condition.first_latents.expand(settings.num_frames - len(shared) - 1, -1, -1, -1)
        concat = torch.cat([condition.first_latents, shared, rest])
    if settings.guidance_scale[1] == 1:
        return concat[None], embeds
    without = concat if len(shared) else torch.zeros_like(concat)
    return torch.stack([without, concat]), torch.cat([torch.zeros_like(embeds), embeds])


def _predicted(
    networks: Networks,
    x: torch.Tensor,
    sigma: torch.Tensor,
    concat: torch.Tensor,
    embeds: torch.Tensor,
    added_time_ids: torch.Tensor,
    hint: torch.Tensor,
    seen: Pattern,
    settings: Settings,
) -> torch.Tensor:
    """The prediction (t, 4, h, w), guided where there are two conditions: as one batch, or one after the other in half the memory."""
    parts = [slice(None)] if settings.combine else [slice(half, half + 1) for half in range(len(concat))]
    some = torch.cat([denoise(networks, x, sigma, concat[part], embeds[part], added_time_ids, hint, seen) for part in parts])
    if len(some) == 1:
        return some[0]
    weights = torch.linspace(*settings.guidance_scale, settings.num_frames, device=x.device)
    return guided(some[0], some[1], weights[:, None, None, None])


def _next_noise(noise: torch.Tensor, overlap: int) -> torch.Tensor:
    """The next segment's noise: the shared frames keep theirs, the new ones take that of the old."""
    last = noise[-overlap:]
    return torch.cat([noise[:1], last, last, noise[overlap + 1 : len(noise) - overlap]])
