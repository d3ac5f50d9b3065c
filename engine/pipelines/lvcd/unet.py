"""SVD's UNet as LVCD runs it: reference attention, reference frames kept apart in time, a ControlNet's residuals (SPEC §2.1, §4-§6)."""

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import UNetSpatioTemporalConditionModel
from diffusers.models.resnet import SpatioTemporalResBlock
from diffusers.models.transformers.transformer_temporal import TransformerSpatioTemporalModel
from torch import nn

from .reference_attention import FramePositions, OneTokenAttention, Pattern, ReferenceAttention, VideoAttention, VideoConv

RESNET_EPS = 1e-5
"""What SVD was trained with; diffusers has 1e-6 in most blocks."""


class SplitUNet(UNetSpatioTemporalConditionModel):
    """What LVCD's UNet and ControlNet have in common; a checkpoint of diffusers' UNet fits it."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.attention = ReferenceAttention(boosts=True), ReferenceAttention(boosts=False)
        self.set_attn_processor({name: self._processor(name) for name in self.attn_processors})
        for module in self.modules():
            if isinstance(module, SpatioTemporalResBlock):
                _follow_svd(module)
            elif isinstance(module, TransformerSpatioTemporalModel):
                module.time_proj = FramePositions(module.in_channels, True, 0)

    def _processor(self, name: str) -> ReferenceAttention | VideoAttention | OneTokenAttention:
        if ".attn2." in name:
            return OneTokenAttention()
        if ".temporal_transformer_blocks." in name:
            return VideoAttention()
        # The three layers nearest to the picture are never boosted (SPEC §6.2).
        return self.attention[name.startswith(f"up_blocks.{len(self.config.up_block_types) - 1}.")]

    def contract(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        added_time_ids: torch.Tensor,
        pattern: Pattern,
        hint: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, list[torch.Tensor], dict[str, torch.Tensor]]:
        """The way down: the middle block's output, those before it that the way up takes, and what every block is given.

        `sample` (b, t, 8, h, w), `timestep` () in float32, `encoder_hidden_states` (b, 1, c), `added_time_ids` (b, 3), `hint` (t, c, h, w).
        """
        for processor in self.attention:
            processor.pattern = pattern
        batch, frames = sample.shape[:2]
        given = {
            "temb": self._embedding(timestep, added_time_ids, sample.dtype).repeat_interleave(frames, dim=0),
            "encoder_hidden_states": encoder_hidden_states.expand(batch, -1, -1)[:, None].expand(-1, frames, -1, -1).flatten(0, 1),
            "image_only_indicator": sample.new_zeros(batch, frames),
        }
        hidden_states = self.conv_in(sample.flatten(0, 1))
        if hint is not None:
            hidden_states = hidden_states + hint.repeat(batch, 1, 1, 1)
        skips = [hidden_states]
        for block in self.down_blocks:
            hidden_states, more = block(hidden_states, **_taken(block, given))
            skips += more
        return self.mid_block(hidden_states, **given), skips, given

    def _embedding(self, timestep: torch.Tensor, added_time_ids: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """(b, c): the noise level and the micro-conditions. The sinusoids are in float32."""
        time = self.time_proj(timestep.expand(len(added_time_ids)))
        added = self.add_time_proj(added_time_ids.flatten()).reshape(len(added_time_ids), -1)
        return self.time_embedding(time.to(dtype)) + self.add_embedding(added.to(dtype))


class ReferenceUNet(SplitUNet):
    """The UNet that predicts the frames."""

    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        added_time_ids: torch.Tensor,
        pattern: Pattern,
        residuals: Sequence[torch.Tensor] = (),
    ) -> torch.Tensor:
        """The network's output (b, t, 4, h, w); arguments as in `contract`. `residuals`: what the ControlNet adds, the middle block's last."""
        hidden_states, skips, given = self.contract(sample, timestep, encoder_hidden_states, added_time_ids, pattern)
        if residuals:
            *others, middle = residuals
            hidden_states = hidden_states + middle
            skips = [skip + residual for skip, residual in zip(skips, others, strict=True)]
        for block in self.up_blocks:
            count = len(block.resnets)
            hidden_states = block(hidden_states, res_hidden_states_tuple=tuple(skips[-count:]), **_taken(block, given))
            del skips[-count:]
        hidden_states = self.conv_out(self.conv_act(self.conv_norm_out(hidden_states)))
        return hidden_states.unflatten(0, sample.shape[:2])


def _taken(block: nn.Module, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What a block takes of what every block is given: those without attention have no use for an embedding."""
    if getattr(block, "has_cross_attention", False):
        return given
    return {name: value for name, value in given.items() if name != "encoder_hidden_states"}


def _follow_svd(block: SpatioTemporalResBlock) -> None:
    for inner in (block.spatial_res_block, block.temporal_res_block):
        inner.norm1.eps = inner.norm2.eps = RESNET_EPS
    temporal = block.temporal_res_block
    for name in ("conv1", "conv2"):
        conv = getattr(temporal, name)
        setattr(temporal, name, VideoConv(conv.in_channels, conv.out_channels, conv.kernel_size, padding=conv.padding))
