"""How many frames the decoder takes at once on this machine: the authors' ten where they fit."""

import copy

import torch
from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import TemporalDecoder

from ...diffusion.memory import counted_peak, free_bytes, needed
from .decoding import Chunks
from .networks import Networks

_LENGTHS = (10, 8, 6, 5)
"""Frames of a chunk, the authors' first; fewer than five would give nothing new."""


def chunks_for(networks: Networks, height: int, width: int) -> Chunks:
    """Chunks that fit into what is free on the device now; on the processor the authors', so that results do not depend on the hour."""
    return chunks_within(networks.decoder, height, width, None if networks.device.type == "cpu" else free_bytes(networks.device))


def chunks_within(decoder: TemporalDecoder, height: int, width: int, free: int | None) -> Chunks:
    """The longest chunks of frames of so many pixels that take no more than `free` bytes; the authors' where that is not known."""
    if free is None:
        return Chunks()
    empty = copy.deepcopy(decoder).to("meta", torch.float16)
    fitting = (length for length in _LENGTHS if needed(peak(empty, length, height, width)) <= free)
    return Chunks(next(fitting, _LENGTHS[-1]))


def peak(decoder: TemporalDecoder, frames: int, height: int, width: int) -> int:
    """Bytes that decoding so many frames at once takes, at most; the decoder on the meta device, in the precision that is counted in."""
    latents = torch.empty(frames, 4, height // 8, width // 8, dtype=torch.float16, device="meta")
    still = latents.new_zeros(1, frames)
    return counted_peak(lambda: decoder(latents, image_only_indicator=still, num_frames=frames))
