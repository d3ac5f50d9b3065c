"""What of LVCD lies on the graphics card, and how many frames are decoded at once: counted for the shot's size, for what is free."""

import copy
import logging
from collections.abc import Iterable

import torch
from torch import nn

from ...diffusion.memory import MODES, chosen, counted_peak, free_bytes, needed, offload_leaves, release, weight_bytes
from .decoding import Chunks
from .networks import Networks
from .reference_attention import pattern
from .sampling import Settings, denoise

log = logging.getLogger(__name__)

READING, PAINTING, DECODING = ("clip", "encoder", "conditioner"), ("unet", "controlnet"), ("decoder",)
"""The networks that are at work together."""
_ALL = (*READING, *PAINTING, *DECODING)
EVERYTHING, ONE, LAYERS, _ = MODES
"""All stay on the card; those that are at work, while the others wait in main memory; of those that paint a layer at a time, which is the
least there is. The same numbers come of each."""
_LENGTHS = (10, 8, 6, 5)
"""Frames of a chunk, the authors' first; fewer than five would give nothing new."""
_LAYERS_AT_ONCE = 2
"""The layer at work and the next one, which is on its way to the card."""


class Turns:
    """Which networks are on their device now. On the processor all are always there."""

    def __init__(self, networks: Networks) -> None:
        self.mode = EVERYTHING
        self._networks, self._device = networks, networks.device

    def settle(self, height: int, width: int, settings: Settings) -> None:
        """Takes the fastest mode that a shot of so many pixels fits in; once layers are offloaded, they stay so until the next load."""
        if self._device.type == "cpu" or self.mode == LAYERS:
            return
        mode = chosen(peaks(self._networks, height, width, settings), self._free())
        if (mode := min(mode, LAYERS, key=MODES.index)) != self.mode:
            self._change(mode)

    def lower(self) -> bool:
        """Whether there is a mode that takes less memory than this one; it is then taken."""
        if self._device.type == "cpu" or self.mode == LAYERS:
            return False
        self._change(MODES[MODES.index(self.mode) + 1])
        return True

    def call(self, names: Iterable[str]) -> None:
        """Brings networks to the device; where not all stay, the others leave it first."""
        if self.mode != EVERYTHING:
            self._send(set(_ALL).difference(names), torch.device("cpu"))
            release(self._device)
        self._send(names, self._device)

    def chunks(self, height: int, width: int) -> Chunks:
        """Chunks of frames that fit beside the weights; on the processor the authors', so that results do not depend on the hour."""
        if self._device.type == "cpu" or (free := self._free()) is None:
            return Chunks()
        return chunks_within(self._networks, height, width, free - _weights(self._networks, _ALL if self.mode == EVERYTHING else DECODING))

    def _change(self, mode: str) -> None:
        log.info("works with memory %s from now on, %s before", mode, self.mode)
        self._send(_ALL, torch.device("cpu"))
        release(self._device)
        self.mode = mode
        if mode == LAYERS:
            for name in PAINTING:
                offload_leaves(getattr(self._networks, name), self._device)

    def _send(self, names: Iterable[str], place: torch.device) -> None:
        for name in names:
            if self.mode != LAYERS or name not in PAINTING:
                getattr(self._networks, name).to(place)

    def _free(self) -> int | None:
        """What is free, and what these networks hold."""
        free = free_bytes(self._device)
        here = {p for name in _ALL for p in getattr(self._networks, name).parameters() if p.device.type == self._device.type}
        return None if free is None else free + sum(p.nbytes for p in here)


def chunks_within(networks: Networks, height: int, width: int, free: int) -> Chunks:
    """The longest chunks of frames of so many pixels whose decoding takes no more than `free` bytes, weights not counted."""
    fitting = (length for length in _LENGTHS if needed(decoding_peak(networks, length, height, width)) <= free)
    return Chunks(next(fitting, _LENGTHS[-1]))


def peaks(networks: Networks, height: int, width: int, settings: Settings) -> dict[str, int]:
    """The bytes of tensors on the card in each mode, at most, for frames of so many pixels. Nothing is computed."""
    read, paint = _reading_peak(networks, height, width), _painting_peak(networks, height, width, settings)
    most, least = (decoding_peak(networks, length, height, width) for length in (_LENGTHS[0], _LENGTHS[-1]))
    reading, painting, decoding = (_weights(networks, names) for names in (READING, PAINTING, DECODING))
    layers = (m for name in PAINTING for m in getattr(networks, name).modules() if not any(m.children()))
    layer = max(weight_bytes(m, networks.dtype) for m in layers)
    everything = reading + painting + decoding + max(read, paint, most)
    one = max(reading + read, painting + paint, decoding + most)
    smallest = max(reading + read, _LAYERS_AT_ONCE * layer + paint, decoding + least)
    return dict(zip(MODES, (everything, one, smallest, smallest), strict=True))


def decoding_peak(networks: Networks, frames: int, height: int, width: int) -> int:
    """Bytes that decoding so many frames at once in half precision makes, at most."""
    decoder = _hollow(networks.decoder).to(torch.float16)
    latents = torch.empty(frames, 4, height // 8, width // 8, dtype=torch.float16, device="meta")
    return counted_peak(lambda: decoder(latents, image_only_indicator=latents.new_zeros(1, frames), num_frames=frames))


def _painting_peak(networks: Networks, height: int, width: int, settings: Settings) -> int:
    """Bytes that one prediction of a segment makes, at most."""
    unet, controlnet = (_hollow(getattr(networks, name)) for name in PAINTING)
    made = Networks(**{**vars(networks), "unet": unet, "controlnet": controlnet, "device": torch.device("meta")})
    batch = 2 if settings.guidance_scale[1] != 1 and settings.combine else 1
    x = torch.empty(settings.num_frames, 4, height // 8, width // 8, device="meta")
    concat, embeds = x.expand(batch, -1, -1, -1, -1).clone(), x.new_empty(batch, 1, unet.config.cross_attention_dim)
    hint = x.new_empty(len(x), unet.config.block_out_channels[0], *x.shape[2:], dtype=made.dtype)
    seen = pattern(settings.mode, len(x), settings.overlap)
    return counted_peak(lambda: denoise(made, x, x.new_empty(()), concat, embeds, x.new_empty(1, 3), hint, seen))


def _reading_peak(networks: Networks, height: int, width: int) -> int:
    """Bytes that encoding a reference makes, at most; CLIP makes fewer."""
    encoder, image = _hollow(networks.encoder), torch.empty(1, 3, height, width, device="meta")
    return counted_peak(lambda: encoder(image))


def _weights(networks: Networks, names: Iterable[str]) -> int:
    """Bytes of networks' weights; two names of one network count once."""
    return sum(p.nbytes for module in {getattr(networks, name) for name in names} for p in module.parameters())


def _hollow(module: nn.Module) -> nn.Module:
    """A module like this one on the meta device; no weight is copied on the way."""
    empty = {id(tensor): tensor.to("meta") for tensor in module.buffers()}
    empty |= {id(tensor): nn.Parameter(tensor.to("meta"), requires_grad=False) for tensor in module.parameters()}
    return copy.deepcopy(module, empty)
