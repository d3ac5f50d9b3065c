"""Reference attention (SPEC §6) and the parting of reference and video frames in time (SPEC §5), as attention processors and modules.

Nothing is computed twice: a frame that sees only itself has its own keys alone, and there is no mask anywhere.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import torch
from diffusers.models.attention_processor import Attention
from diffusers.models.embeddings import Timesteps
from torch import nn

from ...diffusion.attention import attend

VIDEO_FRAMES = 14
"""Frames that the video model was trained on: the last of a segment; those before are its references."""
MODES = ("normal", "prevref", "normal1")
BOOST = math.log(10)
"""What prev-reference attention adds to the logits of what the shared frames look at."""
LOOK_BACK = 3
"""How many frames back the new frames look in place of themselves."""


@dataclass(frozen=True)
class Run:
    """Model frames `start` to `stop` (excluded) that are computed together: each sees `own` and, where given, `other`."""

    start: int
    stop: int
    own: tuple[int, ...]
    other: tuple[int, ...]
    """Empty where a frame sees nothing but itself."""
    boosted: bool


@dataclass(frozen=True)
class Pattern:
    """Which model frames see which, as runs that cover them in order."""

    runs: tuple[Run, ...]

    @property
    def frames(self) -> int:
        return self.runs[-1].stop


def pattern(mode: str, frames: int, overlap: int, look_back: bool = True) -> Pattern:
    """The table of SPEC §6: mode `normal`, `prevref` (`look_back` in the steps in which prev-reference attention is on) or `normal1`.

    Beside these: `first`, each frame sees itself and frame 0, and `own`, each sees itself alone.
    """
    views = [_view(mode, frame, overlap, look_back) for frame in range(frames)]
    runs = []
    for (_, boosted), group in groupby(range(frames), lambda frame: (views[frame][0] == views[frame][1], views[frame][2])):
        some = list(group)
        own, other = ([views[frame][half] for frame in some] for half in (0, 1))
        runs.append(Run(some[0], some[-1] + 1, tuple(own), tuple(other) if own != other else (), boosted))
    return Pattern(tuple(runs))


def _view(mode: str, frame: int, overlap: int, look_back: bool) -> tuple[int, int, bool]:
    """What a frame sees: two frames, and whether the second is boosted."""
    shared = overlap < frame <= 2 * overlap
    boosted = shared and mode in ("prevref", "normal1")
    if mode == "own" or (mode != "first" and frame <= overlap):
        return frame, frame, False
    if mode == "prevref" and look_back:
        return (frame, frame - overlap, boosted) if shared else (frame - LOOK_BACK, 0, False)
    if mode == "normal1" and frame == overlap + 1:
        return frame, overlap, boosted
    return frame, 0, boosted


class ReferenceAttention:
    """Spatial self-attention in which frames see other frames too, by the pattern that the network sets before each pass."""

    def __init__(self, boosts: bool) -> None:
        self.boosts = boosts
        self.pattern = pattern("own", VIDEO_FRAMES, 0)

    def __call__(self, attn: Attention, hidden_states: torch.Tensor, **_: object) -> torch.Tensor:
        query, key, value = (
            layer(hidden_states).unflatten(-1, (attn.heads, -1)).unflatten(0, (-1, self.pattern.frames))
            for layer in (attn.to_q, attn.to_k, attn.to_v)
        )
        seen = torch.empty_like(query)
        for run in self.pattern.runs:
            seen[:, run.start : run.stop] = _attend(run, query, key, value, run.boosted and self.boosts)
        return attn.to_out[0](seen.flatten(-2).flatten(0, 1))


def _attend(run: Run, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, boosted: bool) -> torch.Tensor:
    """What a run's frames see (b, frames, tokens, heads, d) of all model frames' (b, t, tokens, heads, d)."""
    frames, bias = slice(run.start, run.stop), None
    query, keys, values = query[:, frames], key[:, frames], value[:, frames]
    if run.other:
        rows = _rows(run.own, run.other, query.device)
        keys, values = (tensor[:, rows].flatten(2, 3) for tensor in (key, value))
    if boosted:
        bias = _boost(query.shape[2], query.dtype, query.device)
    query, keys, values = (tensor.flatten(0, 1).transpose(1, 2) for tensor in (query, keys, values))
    return attend(query, keys, values, bias).transpose(1, 2).unflatten(0, (-1, run.stop - run.start))


@lru_cache(maxsize=32)
def _rows(own: tuple[int, ...], other: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """(frames, 2) on the device: which two frames each sees."""
    return torch.tensor(list(zip(own, other, strict=True)), device=device)


@lru_cache(maxsize=32)
def _boost(tokens: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """(1, 1, 1, 2 · tokens): one row for every query, never a matrix."""
    bias = torch.zeros(1, 1, 1, 2 * tokens, dtype=dtype, device=device)
    bias[..., tokens:] = BOOST
    return bias


class VideoAttention:
    """Temporal self-attention of the video frames among themselves; a reference frame, which would see itself alone, keeps its value."""

    def __call__(self, attn: Attention, hidden_states: torch.Tensor, **_: object) -> torch.Tensor:
        video = hidden_states[:, references(hidden_states.shape[1]) :]
        value = attn.to_v(hidden_states)
        query, keys, values = (
            tensor.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for tensor in (attn.to_q(video), attn.to_k(video), value[:, -video.shape[1] :])
        )
        value[:, -video.shape[1] :] = attend(query, keys, values).transpose(1, 2).flatten(-2)
        return attn.to_out[0](value)


class OneTokenAttention:
    """Cross-attention to one token: whatever is asked, it is the answer, so there is nothing to weigh."""

    def __call__(self, attn: Attention, hidden_states: torch.Tensor, encoder_hidden_states: torch.Tensor, **_: object) -> torch.Tensor:
        one = encoder_hidden_states.stride(0) == 0
        return attn.to_out[0](attn.to_v(encoder_hidden_states[:1] if one else encoder_hidden_states))


class VideoConv(nn.Conv3d):
    """A temporal convolution (3, 1, 1) over the video frames; for a reference frame, whose neighbours are nothing, its centre alone."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        count = references(input.shape[2])
        if not count:
            return super().forward(input)
        alone = nn.functional.conv3d(input[:, :, :count], self.weight[:, :, 1:2], self.bias)
        return torch.cat([alone, super().forward(input[:, :, count:])], dim=2)


class FramePositions(Timesteps):
    """The frames' positions in time: every reference frame is where the first video frame is."""

    def forward(self, timesteps: torch.Tensor) -> torch.Tensor:
        count = (timesteps[-1] + 1 - VIDEO_FRAMES).clamp(min=0)
        return super().forward((timesteps - count).clamp(min=0))


def references(frames: int) -> int:
    """How many of so many model frames are references (SPEC §5)."""
    return max(frames - VIDEO_FRAMES, 0)
