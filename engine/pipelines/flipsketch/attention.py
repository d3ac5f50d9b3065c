"""Dual attention composition (paper §3.3, SPEC §6): the drawing's queries and keys, put into the attention of what is drawn.

Processors for the first attention of every transformer block, spatial or temporal by its place in the network. Knows no sampling.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch

from ...diffusion.attention import attend

RAMP = 1 / 50
"""By how much of lambda each later frame looks more at the first (SPEC §6.4)."""


class Composition:
    """What the attentions do in a call of the network: nothing, keep the drawing's queries and keys, or use them.

    A call's rows are those in front that are left plain, then those that are recorded or composed.
    """

    def __init__(self) -> None:
        self.mode: Literal["off", "record", "compose"] = "off"
        self.rows = self.plain = 0
        self.fidelity = 0.0
        self.kept: dict[str, torch.Tensor] = {}

    @contextmanager
    def recording(self, rows: int, plain: int = 0) -> Iterator[None]:
        """Calls within keep the queries and keys of their rows from `plain` on, in place of those kept before."""
        self.kept.clear()
        with self._set("record", rows, plain, 0.0):
            yield

    @contextmanager
    def composing(self, rows: int, plain: int, fidelity: float) -> Iterator[None]:
        """Calls within use what is kept in their rows from `plain` on; afterwards nothing is kept. `fidelity` is the paper's lambda."""
        try:
            with self._set("compose", rows, plain, fidelity):
                yield
        finally:
            self.kept.clear()

    @contextmanager
    def _set(self, mode: Literal["record", "compose"], rows: int, plain: int, fidelity: float) -> Iterator[None]:
        self.mode, self.rows, self.plain, self.fidelity = mode, rows, plain, fidelity
        try:
            yield
        finally:
            self.mode = "off"


class SpatialAttention:
    """Self-attention within a frame; composed, the first frames ask the drawing's queries (SPEC §6.3)."""

    def __init__(self, name: str, composition: Composition) -> None:
        self.name, self.composition = name, composition

    def __call__(self, attn: Any, hidden_states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        """hidden_states (rows · frames, h · w, c)"""
        query, key, value = projected(attn, hidden_states)
        own = self.composition
        if own.mode == "record":
            own.kept[self.name] = query.unflatten(0, (own.rows, -1))[own.plain :]
        if own.mode == "compose":
            reference = own.kept.pop(self.name)
            query.unflatten(0, (own.rows, -1))[own.plain :, : reference.shape[1]] = reference
        return joined(attn, attend(query, key, value))


class TemporalAttention:
    """Self-attention of a pixel over the frames; composed, the drawing's key stands for the first frame's, and later frames look
    at it the more, the larger lambda (SPEC §6.4)."""

    def __init__(self, name: str, composition: Composition) -> None:
        self.name, self.composition = name, composition

    def __call__(self, attn: Any, hidden_states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        """hidden_states (rows · h · w, frames, c)"""
        query, key, value = projected(attn, hidden_states)
        own = self.composition
        if own.mode == "record":
            own.kept[self.name] = key.unflatten(0, (own.rows, -1))[own.plain :, :, :, 0]
        if own.mode != "compose":
            return joined(attn, attend(query, key, value))
        key.unflatten(0, (own.rows, -1))[own.plain :, :, :, 0] = own.kept.pop(self.name)
        if not own.fidelity:
            return joined(attn, attend(query, key, value))
        plain = len(query) // own.rows * own.plain
        left = attend(query[:plain], key[:plain], value[:plain])
        query, key, value = query[plain:], key[plain:], value[plain:]
        return joined(attn, torch.cat([left, attend(query, key, value, bias=_towards_first(query, key, own.fidelity))]))


def _towards_first(query: torch.Tensor, key: torch.Tensor, fidelity: float) -> torch.Tensor:
    """What is added to the logits (b, heads, f, f): the column of the first frame times 1 + lambda · i / 50, i the asking frame."""
    frames = query.shape[2]
    logits = (query * key[:, :, :1]).sum(-1) * query.shape[-1] ** -0.5
    bias = query.new_zeros(*query.shape[:3], frames)
    bias[..., 0] = logits * (torch.arange(frames, device=query.device, dtype=query.dtype) * (fidelity * RAMP))
    return bias


def projected(attn: Any, hidden_states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Query, key and value, each (b, heads, tokens, d)."""
    query, key, value = (
        project(hidden_states).unflatten(-1, (attn.heads, -1)).transpose(1, 2) for project in (attn.to_q, attn.to_k, attn.to_v)
    )
    return query, key, value


def joined(attn: Any, values: torch.Tensor) -> torch.Tensor:
    """What the heads found (b, heads, tokens, d), put together and projected: (b, tokens, c)."""
    return attn.to_out[0](values.transpose(1, 2).flatten(2))


def install(unet: Any, composition: Composition) -> None:
    """Gives every block's first attention its processor; the others keep theirs."""
    processors = dict(unet.attn_processors)
    for name in processors:
        if name.endswith("attn1.processor"):
            temporal = "temp_attentions" in name or name.startswith("transformer_in.")
            processors[name] = (TemporalAttention if temporal else SpatialAttention)(name, composition)
    unet.set_attn_processor(processors)
