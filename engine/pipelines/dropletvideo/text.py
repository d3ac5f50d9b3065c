"""A prompt as T5's embeddings, kept by what they depend on so that T5 is loaded for new words alone."""

import hashlib
import json

import torch
from sentencepiece import SentencePieceProcessor
from transformers import T5EncoderModel

from .convert import Published

MAX_TOKENS = 400
"""The length that the authors pad and cut to; it changes the result even of short prompts, as pads are attended (SPEC §7)."""
_PAD, _END = 0, 1


def token_ids(tokenizer: SentencePieceProcessor, prompt: str, length: int = MAX_TOKENS) -> tuple[torch.Tensor, int]:
    """The ids (1, length) of a prompt, cut or padded, its end marked; and how many tokens it has uncut, the mark included."""
    ids = [*tokenizer.encode(prompt), _END]
    cut = [*ids[: length - 1], _END] if len(ids) > length else ids
    return torch.tensor([cut + [_PAD] * (length - len(cut))]), len(ids)


def embeds(model: T5EncoderModel, ids: torch.Tensor) -> torch.Tensor:
    """The last hidden state (1, length, c) of ids: no attention mask, pads are attended as in the authors' runs."""
    return model(input_ids=ids, return_dict=True).last_hidden_state


def key(found: Published, prompt: str, dtype: torch.dtype) -> str:
    """A name for what a prompt's embeddings depend on: words, length, precision, and the encoder's files by size and time."""
    files = [path for part in ("tokenizer", "text_encoder") for path in sorted((found.path / part).iterdir())]
    stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps([prompt, MAX_TOKENS, str(dtype), stats]).encode()).hexdigest()[:32]
