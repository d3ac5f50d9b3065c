"""What the published files call a tensor, and what it is called in the models here (SPEC §5)."""

import re
from collections.abc import Mapping

import torch

from ...diffusion.checkpoints import Tensors

_OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_OLD_NAME = re.compile(r"(mid_block\.attentions\.0\.)(query|key|value|proj_attn)\.")

NEW = (".conv_gate.", ".conv1d.", ".attn_temp.", ".norm_temp.")
"""What inflation adds to Stable Diffusion's UNet."""


def inflated(
    tensors: Tensors, wanted: Mapping[str, torch.Tensor], generator: torch.Generator, original: bool = False
) -> dict[str, torch.Tensor]:
    """Stable Diffusion's 2-D UNet as the tensors of an inflated one, whose (meta) state dict is `wanted`; new layers start without effect.

    `original`: as in the authors' code, the bias of the temporal attention's output is random, so that a fresh network is no longer
    Stable Diffusion (SPEC §2.4).
    """
    result = {name.replace(".conv2d.", "."): name for name in wanted if not any(new in name for new in NEW)}
    known = {result.get(name, name): tensor for name, tensor in tensors.items()}
    return known | {name: _fresh(name, like, generator, original) for name, like in wanted.items() if name not in result.values()}


def vae(tensors: Tensors) -> dict[str, torch.Tensor]:
    """A VAE's tensors with today's names: older snapshots call its attention otherwise."""
    return {_OLD_NAME.sub(lambda m: f"{m[1]}{_OLD_ATTENTION[m[2]]}.", name): tensor for name, tensor in tensors.items()}


def text_encoder(tensors: Tensors) -> dict[str, torch.Tensor]:
    """CLIP's text tensors as transformers calls them today; `position_ids` of older snapshots are no weights."""
    return {name.removeprefix("text_model."): tensor for name, tensor in tensors.items() if not name.endswith("position_ids")}


def _fresh(name: str, like: torch.Tensor, generator: torch.Generator, original: bool) -> torch.Tensor:
    """A new layer's tensor: queries, keys and values as PyTorch draws a linear layer's, a norm of one, all else zero."""
    bias = name.endswith("attn_temp.to_out.0.bias")
    if bias or re.search(r"attn_temp\.to_[qkv]\.weight$", name):
        bound = like.shape[-1] ** -0.5
        drawn = torch.empty(like.shape).uniform_(-bound, bound, generator=generator)
        return drawn if original or not bias else torch.zeros_like(drawn)
    return torch.ones(like.shape) if name.endswith("norm_temp.weight") else torch.zeros(like.shape)
