"""The models of a published folder on a device: loaded when they are needed, kept or dropped as the memory mode says."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from transformers import T5EncoderModel

from ...diffusion.counting import in_main_memory
from ...diffusion.memory import LAYERS_AT_ONCE, device_of, part, precision_of, release
from ...diffusion.offloading import keep_in_8_bits, offload_blocks, offload_leaves
from ...protocol import write_atomic
from .convert import published, scheduler_of, text_encoder_of, tokenizer_of, transformer_of, vae_of
from .text import embeds, key, token_ids

_KEPT_PROMPTS = 16


class DropletVideo:
    """What `load` gives: nothing is read of the weights until a job needs them."""

    def __init__(self, path: Path, device: str) -> None:
        """Raises PegbarError where the folder's configs are not those of a DropletVideo that is supported."""
        self.found = published(path)
        self.device = device_of(device)
        self.dtype = precision_of(self.device)
        self.scheduler = scheduler_of(self.found)
        self._kept: dict[tuple[str, ...], Any] = {}
        self._prompts: dict[str, torch.Tensor] = {}
        self._at_work: dict[tuple[str, ...], int] = {}

    @property
    def held(self) -> int:
        """The bytes of weights on the device."""
        return sum(self._at_work.values())

    def transformer(self, mode: str, precision: str) -> contextlib.AbstractContextManager[Any]:
        """The transformer for as long as it is needed."""
        return self._part(("transformer", precision), mode, lambda: self._transformer(mode, precision))

    def vae(self, mode: str) -> contextlib.AbstractContextManager[Any]:
        """The VAE for as long as it is needed."""
        return self._part(("vae",), mode, lambda: vae_of(self.found, self.dtype).to(self.device))

    def embeds(self, prompts: tuple[str, ...], mode: str, state: Path) -> Mapping[str, torch.Tensor]:
        """The embeddings (1, tokens, c) of prompts on the device: from this process, from the job's state folder, else from T5, which is
        loaded for them and dropped before anything else is loaded."""
        names = {prompt: key(self.found, prompt, self.dtype) for prompt in prompts}
        files = {prompt: state / f"prompt_{name}.safetensors" for prompt, name in names.items()}
        for prompt, name in names.items():
            if name not in self._prompts and files[prompt].is_file():
                self._prompts[name] = load_file(files[prompt])["embeds"]
        if lacking := [prompt for prompt, name in names.items() if name not in self._prompts]:
            tokenizer = tokenizer_of(self.found)
            with self._part(("text",), mode, lambda: self._text_encoder(mode)) as (model, place):
                for prompt in lacking:
                    self._prompts[names[prompt]] = embeds(model, token_ids(tokenizer, prompt)[0].to(place)).to("cpu", self.dtype)
        found = {prompt: self._prompts[name] for prompt, name in names.items()}
        for prompt, value in found.items():
            if not files[prompt].is_file():
                write_atomic(files[prompt], save({"embeds": value.contiguous()}))
        self._prompts = dict(list(self._prompts.items())[-_KEPT_PROMPTS:])
        return {prompt: value.to(self.device) for prompt, value in found.items()}

    def _transformer(self, mode: str, precision: str) -> Any:
        model = transformer_of(self.found, self.dtype)
        if precision != "full":
            keep_in_8_bits(model, precision, self.dtype)
        if mode in ("blocks", "smallest"):
            offload_blocks(model, self.device)
            return model
        return model.to(self.device)

    def _text_encoder(self, mode: str) -> tuple[T5EncoderModel, torch.device]:
        if self.dtype == torch.float16:  # T5's activations exceed it; the processor takes half a minute for a prompt
            return text_encoder_of(self.found, torch.bfloat16), torch.device("cpu")
        model = text_encoder_of(self.found, self.dtype)
        if mode in ("blocks", "smallest"):
            offload_leaves(model, self.device)
            return model, self.device
        return model.to(self.device), self.device

    @contextlib.contextmanager
    def _part(self, name: tuple[str, ...], mode: str, make: Callable[[], Any]) -> Iterator[Any]:
        """A part by its name; with everything on the card it stays for the next job."""
        keep = mode == "everything"
        model = self._kept.get(name) if keep else None
        self._kept = {other: kept for other, kept in self._kept.items() if keep and other[0] != name[0]}
        self._at_work = {other: size for other, size in self._at_work.items() if other in self._kept or other[0] == "vae"}
        if model is None:
            with in_main_memory():
                model = make()
        self._at_work[name] = _on_device(model[0] if isinstance(model, tuple) else model, mode)
        try:
            yield model
        finally:
            if keep:
                self._kept[name] = model
            else:
                del self._at_work[name]
            del model
            release(self.device)


def _on_device(model: torch.nn.Module, mode: str) -> int:
    """The bytes of a model's weights on the device: of one whose blocks are offloaded those of the two that are there, and of its ends."""
    blocks = getattr(model, "transformer_blocks", None)
    if mode in ("everything", "one") or (blocks is None and not isinstance(model, T5EncoderModel)):
        return _bytes(model)
    if blocks is None:
        return part(model, by_layers=True).in_turn
    return _bytes(model) - (len(blocks) - LAYERS_AT_ONCE) * _bytes(blocks[0])


def _bytes(module: torch.nn.Module) -> int:
    return sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
