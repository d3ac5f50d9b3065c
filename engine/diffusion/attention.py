"""The one door to attention: PyTorch's SDPA, which picks its own flash and memory-efficient kernels."""

import torch
from torch.nn import functional


def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor | None = None, scale: float | None = None
) -> torch.Tensor:
    """softmax(query · keyᵀ · scale + bias) · value, all (b, heads, tokens, d); `bias` is broadcast to (b, heads, queries, keys).

    `scale` is d^-½ where None. Without a bias the fast kernels serve.
    """
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale)
