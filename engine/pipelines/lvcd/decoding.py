"""Latents to frames in chunks that overlap in time (SPEC §8), as the latents come: memory does not grow with the shot."""

from dataclasses import dataclass

import torch

from ...protocol import PegbarError
from .conditioning import SCALE
from .networks import Networks


@dataclass(frozen=True)
class Chunks:
    """How a shot is cut for the decoder; the defaults are the authors'. Raises PegbarError where a chunk would give nothing new."""

    length: int = 10
    """`decoding_t`: frames that are decoded together."""
    overlap: int = 3
    """`decoding_olap`: frames of the chunk before that are decoded again for what they tell of the next."""
    first: int = 1
    """`decoding_first`: how often the first frame is put before each chunk. From 2 on, frames 1.. become copies of frame 0: the
    original's own behaviour."""

    def __post_init__(self) -> None:
        if min(self.overlap, self.first) < 0 or self.length <= self.overlap + self.first:
            raise PegbarError(f"Decoding {self.length} frames at once with {self.overlap} shared leaves no new one: decode more at once")


@dataclass(frozen=True)
class Pending:
    """What is not decoded yet or needed once more: float32 tensors on the CPU and nothing else, so `save_file(vars(pending), path)` keeps
    it and `Pending(**load_file(path))` has it back."""

    first: torch.Tensor
    """(1, 4, h, w), scaled: the latents of frame 0; (0, 4, h, w) while nothing has been decoded."""
    latents: torch.Tensor
    """(k, 4, h, w), scaled: the next chunk's, from its start."""


def decode(
    networks: Networks, latents: torch.Tensor, pending: Pending | None = None, *, last: bool, chunks: Chunks = Chunks()
) -> tuple[torch.Tensor, Pending]:
    """Frames (k, 3, H, W) in -1..1, on the CPU, that the scaled latents (n, 4, h, w) that came now allow, and what is kept for the next call:
    with `last` all that is left. The same frames come whether latents come one by one or all at once."""
    latents = latents.float().cpu()
    first, waiting = (latents[:0], latents) if pending is None else (pending.first, torch.cat([pending.latents, latents]))
    frames = []
    if not len(first) and (len(waiting) >= max(chunks.length, 1) or last):
        first, start = waiting[:1], waiting[chunks.first :]
        frames.append(_chunk(networks, first, start, chunks)[: len(waiting)])
        waiting = start[chunks.length - chunks.first - chunks.overlap :]
    while len(first) and (len(waiting) >= chunks.length - chunks.first or (last and len(waiting) > chunks.overlap)):
        frames.append(_chunk(networks, first, waiting, chunks)[chunks.first + chunks.overlap :])
        waiting = waiting[chunks.length - chunks.first - chunks.overlap :]
    height, width = (8 * side for side in latents.shape[2:])
    return torch.cat([latents.new_zeros(0, 3, height, width), *frames]), Pending(first.clone(), waiting.clone())


def _chunk(networks: Networks, first: torch.Tensor, latents: torch.Tensor, chunks: Chunks) -> torch.Tensor:
    """Frame 0 so often and one chunk's latents, decoded together."""
    together = torch.cat([first.expand(chunks.first, -1, -1, -1), latents[: chunks.length - chunks.first]])
    return decode_chunk(networks, together).clamp(-1, 1)


def decode_chunk(networks: Networks, latents: torch.Tensor) -> torch.Tensor:
    """Frames (n, 3, H, W) around -1..1, float32 on the CPU, of scaled latents (n, 4, h, w) that are one stretch of time.

    On a graphics card in half precision, as diffusers decodes SVD; where a value does not fit into it, once more in single.
    """
    scaled = latents.to(networks.device) / SCALE
    still = torch.zeros(1, len(latents), device=networks.device)
    for half in [True, False] if networks.device.type == "cuda" else [False]:
        with torch.autocast(networks.device.type, torch.float16, enabled=half):
            frames = networks.decoder(scaled, image_only_indicator=still, num_frames=len(latents)).float().cpu()
        if frames.isfinite().all():
            break
    return frames
