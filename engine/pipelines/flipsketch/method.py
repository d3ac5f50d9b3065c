"""FlipSketch's method: noise of the drawing, alignment of the other frames' noise with it, two streams denoised together.

Latents are (b, 4, f, h/8, w/8), scaled, in single precision; b are variations. The reference's b may be 1: all variations share it.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
from diffusers import DDIMScheduler

from ...diffusion.sampling import guided, inverted
from .model import Memory, Model

ALIGN_LEARNING_RATE = 1e-3
ALIGN_UPDATES = 9
"""The published code makes ten, but gives back the latents from before the last (SPEC §7)."""


@dataclass(frozen=True)
class Settings:
    """How a clip is sampled."""

    num_inference_steps: int = 25
    guidance_scale: float = 9.0
    fidelity: float = 0.5
    """The paper's lambda: how much later frames look at the drawing, 0 lively to 1 calm."""
    compose: bool = True
    compose_until: int = 15
    """The last step at which attention is composed, counted from 0."""
    align: bool = False
    align_steps: int = 10
    """The noise is aligned in so many steps, the first ones."""


def settings_of(params: Mapping[str, Any]) -> Settings:
    """The method's settings of a job; shares of the steps are counted as published (ERRATA 2)."""
    steps = int(params["num_inference_steps"])
    return Settings(
        num_inference_steps=steps,
        guidance_scale=float(params["guidance_scale"]),
        fidelity=1 - float(params["motion"]),
        compose=bool(params["compose"]),
        compose_until=_part(steps, float(params["compose_until"])),
        align=bool(params["align"]),
        align_steps=_part(steps, float(params["align_until"])),
    )


def _part(steps: int, share: float) -> int:
    """A share of the steps, whole ones; a slider's 0.7 is a little less than that."""
    return int(share * steps + 1e-4)


def segments(count: int, at_once: int) -> int:
    """How many clips of `at_once` drawings make so many, each from the second on beginning with the last drawing of the one before."""
    return 1 + max(0, ceil((count - at_once) / (at_once - 1)))


@dataclass(frozen=True)
class Texts:
    """The embeddings (1, 77, c) of the prompt, of what to avoid, and of nothing; the last two are one object where they are equal."""

    prompt: torch.Tensor
    negative: torch.Tensor
    null: torch.Tensor


@dataclass(frozen=True)
class Step:
    """Where sampling stands after a step."""

    index: int
    latents: torch.Tensor
    reference: torch.Tensor
    clean: torch.Tensor
    """The latents without the noise that the step sees in them."""
    losses: torch.Tensor
    """(updates,) the loss before each update of the alignment; empty where there was none."""


Watch = Callable[[Step], None]
Tell = Callable[[], None]


def texts_of(model: Model, prompt: str, negative_prompt: str) -> Texts:
    """The embeddings that a run needs."""
    null = model.encode_prompt("")
    return Texts(model.encode_prompt(prompt), model.encode_prompt(negative_prompt) if negative_prompt else null, null)


def reference_noise(
    model: Model, latents: torch.Tensor, null: torch.Tensor, num_inference_steps: int, watch: Callable[[int, torch.Tensor], None]
) -> torch.Tensor:
    """The noise (b, 4, 1, h/8, w/8) that a drawing's noisy copies (b, 4, 5, h/8, w/8) come from (SPEC §4): DDIM inversion without text.

    One call a step: with no text on either side, guidance would change nothing.
    """

    def predict(x: torch.Tensor, timestep: int) -> torch.Tensor:
        return in_parts(model.memory, len(x), lambda own: (model.predict(x[own], timestep, null),))[0]

    with torch.no_grad():
        noise = inverted(latents, predict, model.inverse_schedule(num_inference_steps), watch)
    return noise.mean(2, keepdim=True)


def denoised(
    model: Model,
    noise: torch.Tensor,
    reference: torch.Tensor,
    texts: Texts,
    settings: Settings,
    watch: Watch = lambda step: None,
    tell: Tell = lambda: None,
    begun: Step | None = None,
) -> torch.Tensor:
    """The latents of the clips that noise (b, 4, f, h/8, w/8) and the drawing's (1 or b, 4, 1, h/8, w/8) become (SPEC §5).

    `begun` is the last step of a run that was cut off. `tell` is called between calls of the network and may raise, `watch` after each step.
    """
    if begun is None:
        latents, reference, first = with_first(noise, reference), reference.expand(-1, -1, noise.shape[2], -1, -1), 0
    else:
        latents, reference, first = begun.latents, begun.reference, begun.index + 1
    scheduler = model.schedule(settings.num_inference_steps)
    for index in range(first, settings.num_inference_steps):
        step = sampling_step(model, scheduler, index, latents, reference, texts, settings, tell)
        latents, reference = step.latents, step.reference
        watch(step)
    return latents


def with_first(latents: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """The latents with the reference's first frame as theirs."""
    return torch.cat([reference[:, :, :1].expand(len(latents), -1, -1, -1, -1), latents[:, :, 1:]], 2)


def sampling_step(
    model: Model,
    scheduler: DDIMScheduler,
    index: int,
    latents: torch.Tensor,
    reference: torch.Tensor,
    texts: Texts,
    settings: Settings,
    tell: Tell = lambda: None,
) -> Step:
    """One step of both streams (SPEC §5): align the noise, record the reference's attention, compose it into the text's."""
    timestep = int(scheduler.timesteps[index])
    reference = reference[:, :, : max(1, latents.shape[2] - index)]
    losses = torch.empty(0)
    if settings.align and index < settings.align_steps:
        latents, losses = aligned(model, latents, reference, timestep, texts, tell)
    tell()
    composed = settings.compose and index <= settings.compose_until
    follows = composed or (settings.align and index + 1 < settings.align_steps and index <= settings.compose_until)

    def moved(own: slice) -> tuple[torch.Tensor, ...]:
        followed = reference[own] if len(reference) > 1 else reference
        if follows:
            eps = predict_reference(model, followed, timestep, texts, settings.guidance_scale)
            followed = scheduler.step(eps, timestep, followed).prev_sample
            tell()
        uncond, cond = predict_clip(model, latents[own], timestep, texts, settings, composed)
        stepped = scheduler.step(guided(uncond, cond, settings.guidance_scale), timestep, latents[own])
        return followed, stepped.prev_sample, stepped.pred_original_sample

    with torch.no_grad():
        followed, stepped, clean = in_parts(model.memory, len(latents), moved)
    return Step(index, stepped, followed[: len(reference)], clean, losses)


def in_parts(memory: Memory, count: int, work: Callable[[slice], tuple[torch.Tensor, ...]]) -> tuple[torch.Tensor, ...]:
    """What the work gives for so many variations at once, or for one after the other."""
    if not memory.one_by_one:
        return work(slice(None))
    parts = [work(slice(index, index + 1)) for index in range(count)]
    return tuple(torch.cat(part) for part in zip(*parts, strict=True))


def predict_reference(model: Model, reference: torch.Tensor, timestep: int, texts: Texts, guidance_scale: float) -> torch.Tensor:
    """The noise in the reference by no text, its attention recorded; guided away from what to avoid where that is anything (pass B)."""
    away = None if texts.negative is texts.null or guidance_scale <= 1 else texts.negative
    return guided(*_pair(model, reference, timestep, away, texts.null, model.composition.recording), guidance_scale)


def predict_clip(
    model: Model, latents: torch.Tensor, timestep: int, texts: Texts, settings: Settings, composed: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """The noise in the clips by what to avoid and by the prompt, which is composed with what is recorded. Without guidance the first is
    not computed; both are the second."""
    away = texts.negative if settings.guidance_scale > 1 else None

    def attending(plain: int) -> AbstractContextManager[None]:
        return model.composition.composing(plain, settings.fidelity) if composed else nullcontext()

    return _pair(model, latents, timestep, away, texts.prompt, attending)


def _pair(
    model: Model,
    latents: torch.Tensor,
    timestep: int,
    away: torch.Tensor | None,
    text: torch.Tensor,
    attending: Callable[[int], AbstractContextManager[None]],
) -> tuple[torch.Tensor, torch.Tensor]:
    """The noise by what to avoid and by a text: two passes in one call, or one after the other where memory is short. `attending` is what
    the attention does in the second, whose rows come after the number that it is given."""
    count = len(latents)
    if away is not None and not model.memory.one_by_one:
        with attending(count):
            both = torch.cat([away.expand(count, -1, -1), text.expand(count, -1, -1)])
            eps = model.predict(torch.cat([latents, latents]), timestep, both)
        return eps[:count], eps[count:]
    first = None if away is None else model.predict(latents, timestep, away)
    with attending(0):
        second = model.predict(latents, timestep, text)
    return second if first is None else first, second


def aligned(
    model: Model, latents: torch.Tensor, reference: torch.Tensor, timestep: int, texts: Texts, tell: Tell = lambda: None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The latents moved so that their first frame is predicted as the drawing alone is, and the losses (updates,) (SPEC §7).

    Adam on single-precision latents whatever the network's precision: a step of 1e-3 would not move half of them in half precision.
    One variation after the other, as gradients need much memory; the mean is over all, as published.
    """
    with torch.no_grad():
        target = model.predict(reference[:, :, :1], timestep, texts.null)
    first = reference[:, :, :1].expand(len(latents), -1, -1, -1, -1)
    target = target.expand(len(latents), -1, -1, -1, -1)
    moved, losses = [], latents.new_zeros(ALIGN_UPDATES)
    for index in range(len(latents)):
        own = slice(index, index + 1)
        others = latents[own, :, 1:].clone()
        adam = torch.optim.Adam([others], lr=ALIGN_LEARNING_RATE)
        for update in range(ALIGN_UPDATES):
            tell()
            loss, others.grad = alignment_gradient(model, first[own], others, target[own], timestep, texts.prompt)
            others.grad /= len(latents)
            losses[update] += loss / len(latents)
            adam.step()
        moved.append(torch.cat([first[own], others], 2))
    return torch.cat(moved), losses


def alignment_gradient(
    model: Model, first: torch.Tensor, others: torch.Tensor, target: torch.Tensor, timestep: int, prompt: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean squared difference between the noise predicted in the first frame of a clip and the target, and its gradient by the others.

    The way back starts from the sum, not from the mean: half precision would lose what is thousands of times smaller.
    """

    with torch.enable_grad():
        free = others.detach().requires_grad_()
        eps = model.predict(torch.cat([first, free], 2), timestep, prompt)
        loss = (eps[:, :, :1] - target).square().sum()
        (gradient,) = torch.autograd.grad(loss, free)
    return loss.detach() / target.numel(), gradient / target.numel()
