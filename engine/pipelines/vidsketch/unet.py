"""Stable Diffusion 1.5's UNet inflated in time (SPEC §2), as what differs from diffusers' UNet2DConditionModel.

Frames lie in the batch, (b·f, c, h, w): diffusers' blocks run as they are, and only the layers below know how many frames there are.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention import Attention, BasicTransformerBlock
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import Tensor, nn
from torch.nn import functional

from ...diffusion.attention import attend

Attended = Literal["first+prev", "first+second+prev"]
"""The frames that a frame's sparse-causal attention looks at: the first is the original's when it makes videos, the second when it trains."""
ATTENDED: tuple[Attended, ...] = get_args(Attended)


@dataclass
class Clip:
    """What the inflated layers must know of the call that they are part of: one for a whole network."""

    frames: int = 1
    attended: Attended = "first+prev"


class InflatedUNet(UNet2DConditionModel):
    """The inflated UNet; its state dict has the names of the authors' checkpoints."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """`config`: of a 2-D UNet or of the authors'; what diffusers does not know is left out."""
        known = inspect.signature(UNet2DConditionModel.__init__).parameters
        super().__init__(**{name: _flat(value) for name, value in config.items() if name in known and not name.startswith("_")})
        self.clip = Clip()
        _inflate(self, self.clip)

    def forward(
        self, sample: Tensor, timestep: Tensor, text: Tensor, residuals: Sequence[Tensor] = (), attended: Attended = "first+prev"
    ) -> Tensor:
        """The noise in `sample` (b, c, f, h, w) at `timestep` (scalar or (b,)), given `text` (b, tokens, d).

        `residuals`: the adapter's four maps (b or 1, c, f, h, w), none where the drawings do not steer; any h and w (SPEC §2.5).
        """
        batch, _, self.clip.frames = sample.shape[:3]
        self.clip.attended = attended
        if timestep.ndim:
            timestep = timestep.repeat_interleave(self.clip.frames)
        added = {"down_intrablock_additional_residuals": [_by_frame(r.expand(batch, *r.shape[1:])) for r in residuals]} if residuals else {}
        (noise,) = super().forward(_by_frame(sample), timestep, text, return_dict=False, **added)
        return noise.unflatten(0, (batch, -1)).transpose(1, 2)


class InflatedConv(nn.Module):
    """A 2-D convolution, then a gated causal one in time: frame f sees f-2, f-1 and f (SPEC §2.1)."""

    def __init__(self, conv: nn.Conv2d, clip: Clip) -> None:
        super().__init__()
        self.conv2d = conv
        self.conv_gate = nn.Conv2d(conv.out_channels, 1, 3, padding=1)
        self.conv1d = nn.Conv1d(conv.out_channels, conv.out_channels, 3)
        self.clip = clip

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2d(x)
        return torch.addcmul(y, self.conv_gate(y).sigmoid(), self._in_time(y))

    def _in_time(self, y: Tensor) -> Tensor:
        """The causal convolution as one product a tap, so that no frame is moved: the last tap is on the frame itself."""
        before_last, last, own = (tap[..., None, None] for tap in self.conv1d.weight.unbind(2))
        z = functional.conv2d(y, own, self.conv1d.bias).unflatten(0, (-1, self.clip.frames))
        frames = y.unflatten(0, (-1, self.clip.frames))
        for lag, tap in ((1, last), (2, before_last)):
            if self.clip.frames > lag:
                earlier = frames[:, :-lag]
                z[:, lag:] += functional.conv2d(earlier.flatten(0, 1), tap).view_as(earlier)
        return z.flatten(0, 1)


class JointGroupNorm(nn.GroupNorm):
    """A group norm whose statistics run over all frames of a video (SPEC §2.2)."""

    def __init__(self, norm: nn.GroupNorm, clip: Clip) -> None:
        super().__init__(norm.num_groups, norm.num_channels, norm.eps)
        self.clip = clip

    def forward(self, x: Tensor) -> Tensor:
        video = x.unflatten(0, (-1, self.clip.frames)).transpose(1, 2)
        return super().forward(video).transpose(1, 2).flatten(0, 1)


class InflatedBlock(BasicTransformerBlock):
    """A transformer block with sparse-causal attention, and attention in time after its feed-forward (SPEC §2.4)."""

    def __init__(self, block: BasicTransformerBlock, clip: Clip) -> None:
        super().__init__(
            block.dim, block.num_attention_heads, block.attention_head_dim,
            cross_attention_dim=block.cross_attention_dim, activation_fn=block.activation_fn, attention_bias=block.attention_bias,
        )  # fmt: skip
        self.norm_temp = nn.LayerNorm(block.dim)
        self.attn_temp = Attention(block.dim, heads=block.num_attention_heads, dim_head=block.attention_head_dim, processor=Attend())
        self.attn1.set_processor(SparseCausal(clip))
        self.attn2.set_processor(Attend())
        self.clip = clip

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        x = super().forward(hidden_states, *args, **kwargs).unflatten(0, (-1, self.clip.frames))
        pixels = x.transpose(1, 2).flatten(0, 1)
        pixels = pixels + self.attn_temp(self.norm_temp(pixels))
        return pixels.unflatten(0, (len(x), -1)).transpose(1, 2).flatten(0, 1)


class Attend:
    """Diffusers' attention layer through the one door. Queries may be of several frames for each batch of keys: they are put in a row."""

    def __call__(self, attn: Attention, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None, **_: Any) -> Tensor:
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        queries = attn.to_q(hidden_states).view(len(source), -1, attn.inner_dim)
        mixed = attend(_heads(attn, queries), _heads(attn, attn.to_k(source)), _heads(attn, attn.to_v(source)))
        return attn.to_out[0](mixed.transpose(1, 2).reshape(hidden_states.shape))


class SparseCausal:
    """Self-attention whose keys are of the first frame(s) and of the frame before, each projected once (SPEC §2.4)."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip

    def __call__(self, attn: Attention, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None, **_: Any) -> Tensor:
        q, k, v = (
            _heads(attn, project(hidden_states)).unflatten(0, (-1, self.clip.frames)) for project in (attn.to_q, attn.to_k, attn.to_v)
        )
        mixed = torch.cat([self._mixed(q, k, v, *part) for part in self._parts()], 1)
        return attn.to_out[0](mixed.flatten(0, 1).transpose(1, 2).reshape(hidden_states.shape))

    def _parts(self) -> list[tuple[range, tuple[int, ...]]]:
        """(frames, the fixed frames that they look at); those after frame 1 also look at the one before.

        A key that is there twice weighs twice. Where it is the only one that changes nothing, so [0, 0] is [0]; [0, 1, 0] is not [0, 1].
        """
        frames = self.clip.frames
        if self.clip.attended == "first+prev":
            parts: list[tuple[range, tuple[int, ...]]] = [(range(0, min(2, frames)), (0,)), (range(2, frames), (0,))]
        else:
            parts = [(range(0, min(2, frames)), (0, min(1, frames - 1), 0)), (range(2, frames), (0, 1))]
        return [part for part in parts if part[0]]

    @staticmethod
    def _mixed(q: Tensor, k: Tensor, v: Tensor, frames: range, fixed: tuple[int, ...]) -> Tensor:
        """What `frames` of q (b, f, heads, tokens, d) see in k and v."""
        before = [slice(frames[0] - 1, frames[-1])] if frames[0] > 1 else []

        def seen(x: Tensor) -> Tensor:
            shape = (len(x), len(frames), *x.shape[2:])
            return torch.cat([*(x[:, f : f + 1].expand(shape) for f in fixed), *(x[:, s] for s in before)], 3).flatten(0, 1)

        return attend(q[:, frames[0] : frames[-1] + 1].flatten(0, 1), seen(k), seen(v)).unflatten(0, (len(q), -1))


def _heads(attn: Attention, x: Tensor) -> Tensor:
    """(b, tokens, heads·d) as (b, heads, tokens, d)."""
    return x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)


def _by_frame(x: Tensor) -> Tensor:
    """(b, c, f, h, w) as (b·f, c, h, w)."""
    return x.transpose(1, 2).flatten(0, 1)


def _flat(value: Any) -> Any:
    """The authors' names of blocks as diffusers' 2-D ones."""
    if isinstance(value, str):
        return value.replace("3D", "2D")
    return tuple(_flat(each) for each in value) if isinstance(value, list) else value


def _inflate(module: nn.Module, clip: Clip) -> None:
    """Puts the inflated layers in the place of their 2-D ones, all the way down. A transformer's own norm and projections stay 2-D."""
    for name, child in module.named_children():
        if isinstance(module, Transformer2DModel) and name in ("norm", "proj_in", "proj_out"):
            continue
        if isinstance(child, nn.Conv2d):
            setattr(module, name, InflatedConv(child, clip))
        elif isinstance(child, nn.GroupNorm):
            setattr(module, name, JointGroupNorm(child, clip))
        elif isinstance(child, BasicTransformerBlock):
            module._modules[name] = InflatedBlock(child, clip)
        else:
            _inflate(child, clip)
