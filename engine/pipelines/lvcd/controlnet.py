"""LVCD's sketch-guided ControlNet: the UNet's way down once more, which sees the line art (SPEC §4)."""

from collections.abc import Sequence
from typing import Any

import torch
from diffusers.models.controlnets.controlnet import ControlNetConditioningEmbedding
from torch import nn

from .reference_attention import Pattern
from .unet import SplitUNet


class SketchControlNet(SplitUNet):
    """A copy of the UNet's way down with weights of its own; its outputs are added to the UNet's."""

    def __init__(self, hint_widths: Sequence[int] = (16, 32, 96, 256), **config: Any) -> None:
        super().__init__(**config)
        del self.up_blocks, self.conv_norm_out, self.conv_act, self.conv_out
        widths = self.config.block_out_channels
        self.controlnet_cond_embedding = ControlNetConditioningEmbedding(widths[0], 3, tuple(hint_widths))
        outputs = [widths[0]]
        for width, block in zip(widths, self.down_blocks, strict=True):
            outputs += [width] * (len(block.resnets) + (block.downsamplers is not None))
        self.controlnet_down_blocks = nn.ModuleList(nn.Conv2d(width, width, 1) for width in outputs)
        self.controlnet_mid_block = nn.Conv2d(widths[-1], widths[-1], 1)

    def embed_hint(self, hint: torch.Tensor) -> torch.Tensor:
        """Line art (t, 3, H, W), lines 1 on 0, as (t, c, h, w). It is the same in every step: once a segment is enough."""
        return self.controlnet_cond_embedding(hint.to(self.dtype))

    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        added_time_ids: torch.Tensor,
        pattern: Pattern,
        hint: torch.Tensor,
    ) -> list[torch.Tensor]:
        """What is added to the UNet's skips, each (b · t, c, h', w'), and last to its middle block's output; arguments as in `contract`,
        `hint` from `embed_hint`."""
        middle, skips, _ = self.contract(sample, timestep, encoder_hidden_states, added_time_ids, pattern, hint)
        residuals = [layer(skip) for layer, skip in zip(self.controlnet_down_blocks, skips, strict=True)]
        return [*residuals, self.controlnet_mid_block(middle)]
