"""What LVCD takes of a graphics card in each way of running it: every stage counted on the meta device, at the shot's own size."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from ...diffusion.counting import counted_peak
from ...diffusion.memory import BLOCKS, EVERYTHING, ONE, Ladder, Part, Room, Rung, Stage, part, peak, precision_of
from ...estimates import Work
from .conditioning import Noise, condition
from .networks import Networks, config_beside, empty
from .plan import fitted
from .reference_attention import pattern
from .sampling import Settings, denoise, settings_of

READING, PAINTING, DECODING = ("clip", "encoder", "conditioner"), ("unet", "controlnet"), ("decoder",)
"""The networks that are at work together."""


@dataclass(frozen=True)
class Way:
    """How a shot is painted on a rung of the ladder."""

    mode: str
    length: int = 10
    """Frames of a chunk that is decoded, the authors' first; fewer than five would give nothing new."""
    combine: bool = True
    """Both halves of guidance in one batch."""
    told: str = ""


WAYS: Mapping[str, Way] = {
    EVERYTHING: Way(EVERYTHING),
    ONE: Way(ONE, told="with its networks taking turns"),
    "apart": Way(ONE, combine=False, told="with its networks taking turns and guidance in two passes"),
    BLOCKS: Way(BLOCKS, combine=False, told="with one layer at a time on the card"),
    **{f"decode {n}": Way(ONE, n, False, f"with its networks taking turns and {n} frames decoded at a time") for n in (8, 6, 5)},
    **{f"blocks {n}": Way(BLOCKS, n, False, f"with one layer at a time on the card and {n} frames decoded at a time") for n in (8, 6, 5)},
}
"""Fewer frames are decoded only where nothing else fits: their decoder sees less of the time around, and the frames change a little."""


def estimate(weights: Mapping[str, Path], work: Work, there: Room) -> Ladder:
    """The ways of painting a shot, before anything is loaded."""
    networks = hollow(config_beside(weights["svd"]), precision_of(there.device))
    width, height = fitted((work.width, work.height), work.params["working_width"])
    return rungs(networks, there, height, width, settings_of(work.params))


def hollow(config: Mapping[str, Any], dtype: torch.dtype) -> Networks:
    """The networks of a config without their tensors, in the precisions that they are loaded in."""
    modules = empty(config)
    for name, module in modules.items():  # some classes put single numbers on the processor whatever the device
        torch.nn.Module.to(module, "meta", dtype if name in ("unet", "controlnet", "clip") else torch.float32)
    return Networks(**modules, device=torch.device("meta"), dtype=dtype)


def rungs(networks: Networks, there: Room, height: int, width: int, settings: Settings) -> Ladder:
    """The ways of painting frames of so many pixels with networks on the meta device; each saves something against those above."""
    parts = {name: part(getattr(networks, name), by_layers=name in PAINTING) for name in (*READING, *PAINTING, *DECODING)}
    if networks.conditioner is networks.encoder:
        parts["conditioner"] = Part(0, 0)
    count = _Counts(networks, there, height, width)

    def rung(name: str, way: Way) -> Rung:
        stages = (
            Stage(READING, count.reading()),
            Stage(PAINTING, count.painting(replace(settings, combine=way.combine))),
            Stage(DECODING, count.decoding(way.length)),
        )
        return Rung(name, peak(parts, stages, way.mode, there.is_card), way.told, is_exact=way.length == Way.length)

    return Ladder(rung(name, way) for name, way in WAYS.items())


class _Counts:
    """The bytes that each stage makes for frames of one size; each is counted once."""

    def __init__(self, networks: Networks, there: Room, height: int, width: int) -> None:
        self._networks, self._there, self._size = networks, there, (height, width)
        self._latent_size = height // 8, width // 8
        self.reading, self.painting, self.decoding = (cache(count) for count in (self._reading, self._painting, self._decoding))

    def _reading(self) -> int:
        """Encoding a reference."""
        image, noise = _empty(1, 3, *self._size), Noise(*(_empty(*shape) for shape in self._noises()))
        return self._counted(lambda: condition(self._networks, image, noise))

    def _painting(self, settings: Settings) -> int:
        """One prediction of a segment, the line art with it."""
        made, frames = self._networks, settings.num_frames
        batch = 2 if settings.guidance_scale[1] != 1 and settings.combine else 1

        def run() -> None:
            hint = made.controlnet.embed_hint(_empty(frames, 3, *self._size))
            x = _empty(frames, 4, *self._latent_size)
            concat, embeds = _empty(batch, *x.shape), _empty(batch, 1, made.unet.config.cross_attention_dim)
            denoise(made, x, _empty(), concat, embeds, _empty(1, 3), hint, pattern(settings.mode, frames, settings.overlap))

        return self._counted(run)

    def _decoding(self, frames: int) -> int:
        """Decoding so many frames at once: on a CUDA card in half precision."""
        dtype = torch.float16 if self._there.device.type == "cuda" else torch.float32
        decoder = copy.deepcopy(self._networks.decoder).to(dtype)
        latents = torch.empty(frames, 4, *self._latent_size, dtype=dtype, device="meta")
        return self._counted(lambda: decoder(latents, image_only_indicator=latents.new_zeros(1, frames), num_frames=frames).float())

    def _noises(self) -> tuple[tuple[int, ...], ...]:
        return (1, 4, *self._latent_size), (1, 4, *self._latent_size), (1, 3, *self._size)

    def _counted(self, run: Callable[[], object]) -> int:
        return counted_peak(run, self._there.has_workspaces)


def _empty(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")
