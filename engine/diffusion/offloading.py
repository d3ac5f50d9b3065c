"""Networks off the device until it is their turn: whole ones, their blocks or their layers; and their weights in 8 bits.

Exact but for the 8 bits: the same numbers come out.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from diffusers.hooks import apply_group_offloading
from torch.nn import functional

from .memory import BLOCKS, EVERYTHING, part, release

_INT8_LARGEST = 127


class Turns:
    """Which networks of a model are on its device now; the others wait in main memory.

    Where nothing was said of the processor's memory all are always there, and no mode saves anything.
    """

    def __init__(self, networks: Mapping[str, torch.nn.Module], device: torch.device, by_layers: Iterable[str]) -> None:
        """All wait at first. `by_layers`: those that are brought layer by layer where blocks are offloaded."""
        self.mode = EVERYTHING
        self._networks, self._device, self._by_layers = dict(networks), device, tuple(by_layers)
        self._here: set[str] = set()
        self.held = 0
        """The bytes of weights on the device; two names of one network count once."""

    def change(self, mode: str) -> None:
        """Works in another of the modes from now on; blocks that are offloaded stay so until the next load."""
        if self.mode in (mode, BLOCKS):
            return
        self.leave()
        self.mode = mode
        if mode == BLOCKS:
            for name in self._by_layers:
                if name in self._networks:
                    offload_leaves(self._networks[name], self._device)

    def add(self, name: str, network: torch.nn.Module) -> None:
        """Takes in another network, which waits, in place of the one of that name."""
        if self._networks.get(name) is not network:
            self.drop(name)
            self._networks[name] = network
            if self.mode == BLOCKS and name in self._by_layers:
                offload_leaves(network, self._device)

    def drop(self, name: str) -> None:
        """Lets go of a network."""
        self._networks.pop(name, None)
        self._are_here(self._here - {name})

    def call(self, *names: str) -> None:
        """Brings networks to the device; where not all stay, the others leave it first."""
        if self.mode != EVERYTHING:
            self.leave(*names)
        for name in names:
            self._send(name, self._device)
        self._are_here(self._here | set(names))

    def leave(self, *but: str) -> None:
        """Sends the networks to main memory."""
        if leaving := self._here - set(but):
            for name in leaving:
                self._send(name, torch.device("cpu"))
            self._are_here(self._here & set(but))
            release(self._device)

    def _are_here(self, names: set[str]) -> None:
        self._here = names
        parts = {network: part(network, by_layers=self._is_split(network)) for network in (self._networks[name] for name in names)}
        self.held = sum(each.in_turn for each in parts.values())

    def _send(self, name: str, place: torch.device) -> None:
        if not self._is_split(self._networks[name]):
            self._networks[name].to(place)

    def _is_split(self, network: torch.nn.Module) -> bool:
        return self.mode == BLOCKS and any(self._networks.get(name) is network for name in self._by_layers)


def offload_blocks(model: Any, device: torch.device) -> None:
    """Lets a diffusers model keep its blocks in main memory and bring each to the device for its turn, the next one meanwhile.

    Exact: the same numbers come out. Without CUDA blocks are brought one after the other.
    """
    streams = device.type == "cuda"
    model.enable_group_offload(
        onload_device=device, offload_type="block_level", num_blocks_per_group=1, use_stream=streams, record_stream=streams
    )


def offload_leaves(model: torch.nn.Module, device: torch.device) -> None:
    """As `offload_blocks`, layer by layer, for any module: the least memory, and more waiting."""
    streams = device.type == "cuda"
    apply_group_offloading(model, onload_device=device, offload_type="leaf_level", use_stream=streams, record_stream=streams)


def keep_in_8_bits(model: Any, kind: str, dtype: torch.dtype) -> None:
    """Keeps a diffusers model's large weights in 8 bits, each layer's widened to `dtype` for its turn. Not exact.

    `fp8`: floats, but for embeddings and norms, by diffusers. `int8`: integers with a scale a row, in the linear layers of its blocks.
    """
    if kind == "fp8":
        model.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=dtype)
        return
    for block in model.transformer_blocks:
        layers = [(name, layer) for name, layer in block.named_modules() if isinstance(layer, torch.nn.Linear)]
        for name, layer in layers:
            block.set_submodule(name, _Int8Linear(layer))


class _Int8Linear(torch.nn.Module):
    """A linear layer with weights as integers of -127..127, times a scale for each row."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        weight = layer.weight.detach()
        scale = (weight.abs().amax(1, keepdim=True) / _INT8_LARGEST).clamp_min(torch.finfo(weight.dtype).tiny)
        self.register_buffer("weight", (weight.float() / scale.float()).round().to(torch.int8))
        self.register_buffer("scale", scale)
        self.bias = layer.bias

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return functional.linear(values, self.weight.to(values.dtype) * self.scale, self.bias)
