"""Dual attention composition (paper §3.3, SPEC §6): the drawing's queries and keys, put into the attention of what is drawn.

Processors by place in the network: each transformer block's first attention, spatial or temporal, and that to the text. Knows no sampling.
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

    A call's rows are clips: those in front are left plain, then come those that are recorded or composed.
    """

    def __init__(self) -> None:
        self.mode: Literal["off", "record", "compose"] = "off"
        self.rows = 1
        """Of the call: `Model.predict` says how many. The attentions see them mingled with frames or pixels."""
        self.plain = 0
        self.fidelity = 0.0
        self.kept: dict[str, torch.Tensor] = {}

    @contextmanager
    def recording(self, plain: int = 0) -> Iterator[None]:
        """A call within keeps the queries and keys of its rows from `plain` on, in place of those kept before."""
        self.kept.clear()
        with self._set("record", plain, 0.0):
            yield

    @contextmanager
    def composing(self, plain: int, fidelity: float) -> Iterator[None]:
        """A call within uses what is kept in its rows from `plain` on; afterwards nothing is kept. `fidelity` is the paper's lambda."""
        try:
            with self._set("compose", plain, fidelity):
                yield
        finally:
            self.kept.clear()

    @contextmanager
    def _set(self, mode: Literal["record", "compose"], plain: int, fidelity: float) -> Iterator[None]:
        self.mode, self.plain, self.fidelity = mode, plain, fidelity
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


class TextAttention:
    """Attention to the text, which all frames of a clip share: its keys and values are computed once a clip, not once a frame (SPEC §13)."""

    def __init__(self, composition: Composition) -> None:
        self.composition = composition

    def __call__(self, attn: Any, hidden_states: torch.Tensor, encoder_hidden_states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        """hidden_states (rows · frames, h · w, c); encoder_hidden_states (rows · frames, tokens, c), the same for a clip's frames"""
        clips = hidden_states.unflatten(0, (self.composition.rows, -1))
        found = attend(*projected(attn, clips.flatten(1, 2), encoder_hidden_states[:: clips.shape[1]]))
        return joined(attn, found).reshape(hidden_states.shape)


def _towards_first(query: torch.Tensor, key: torch.Tensor, fidelity: float) -> torch.Tensor:
    """What is added to the logits (b, heads, f, f): the column of the first frame times 1 + lambda · i / 50, i the asking frame."""
    frames = query.shape[2]
    logits = (query * key[:, :, :1]).sum(-1) * query.shape[-1] ** -0.5
    bias = query.new_zeros(*query.shape[:3], frames)
    bias[..., 0] = logits * (torch.arange(frames, device=query.device, dtype=query.dtype) * (fidelity * RAMP))
    return bias


def projected(
    attn: Any, hidden_states: torch.Tensor, context: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The query of the hidden states (b, tokens, c), key and value of the context or of themselves; each (b, heads, tokens, d)."""
    context = hidden_states if context is None else context
    query, key, value = (
        project(given).unflatten(-1, (attn.heads, -1)).transpose(1, 2)
        for project, given in ((attn.to_q, hidden_states), (attn.to_k, context), (attn.to_v, context))
    )
    return query, key, value


def joined(attn: Any, values: torch.Tensor) -> torch.Tensor:
    """What the heads found (b, heads, tokens, d), put together and projected: (b, tokens, c)."""
    return attn.to_out[0](values.transpose(1, 2).flatten(2))


def install(unet: Any, composition: Composition) -> None:
    """Gives a UNet's attentions their processors; the second temporal ones keep theirs."""
    processors = dict(unet.attn_processors)
    for name in processors:
        temporal = "temp_attentions" in name or name.startswith("transformer_in.")
        if name.endswith("attn1.processor"):
            processors[name] = (TemporalAttention if temporal else SpatialAttention)(name, composition)
        elif not temporal:
            processors[name] = TextAttention(composition)
    unet.set_attn_processor(processors)
