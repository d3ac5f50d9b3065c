"""What fits on this machine: the device, the precision of the weights, how much memory a run takes and which way of running it fits.

A pipeline counts its own stages with `counted_peak`, on the meta device before anything is loaded; the arithmetic is in docs/memory.md.
"""

import contextlib
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.hooks import apply_group_offloading
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..protocol import PegbarError

MODES = ("everything", "one", "blocks", "smallest")
"""The ways of running a pipeline, the fastest first: all models on the card, one at a time, its blocks in turn, and all that saves."""
GIB = 2**30
_INT8_LARGEST = 127
_SMALL_CONVOLUTION = 20480
_CONVOLUTIONS = (torch.ops.aten.conv2d.default, torch.ops.aten.conv3d.default)
_RESERVE, _FRAGMENTED = 0.6 * GIB, 1.06
"""What the driver and the libraries take for themselves, and how much more an allocator holds than is in use."""


def device_of(name: str) -> torch.device:
    """The device that a name of `Machine.device` stands for. Raises PegbarError where it is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise PegbarError(f"There is no device {name!r} on this machine: choose auto or cpu") from error
    return device


def precision_of(device: torch.device) -> torch.dtype:
    """The precision of the weights on a device: half on a graphics card, single on the processor."""
    if device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


@contextlib.contextmanager
def out_of_memory_as_error() -> Iterator[None]:
    """Turns a device's out-of-memory error into MemoryError, which the worker has a sentence for."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise MemoryError(str(error)) from error


def release(device: torch.device) -> None:
    """Gives the memory of what was dropped back to the device, so that another model finds it in one piece."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def free_bytes(device: torch.device) -> int | None:
    """The memory that is free for a run; None where the system does not say."""
    if device.type == "cuda":
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + held
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def chosen(peaks: Mapping[str, int], free: int | None) -> str:
    """The fastest of MODES whose peak (bytes) fits into what is free; the second where that is not known, the last where none does."""
    if free is None:
        return MODES[1]
    return next((mode for mode in MODES if needed(peaks[mode]) <= free), MODES[-1])


def needed(peak: int) -> int:
    """The memory that a device should have free for a peak of tensors (bytes)."""
    return int(peak * _FRAGMENTED + _RESERVE)


def weight_bytes(module: torch.nn.Module, dtype: torch.dtype) -> int:
    """The size of a module's weights in a precision, also of one on the meta device."""
    return sum(parameter.numel() for parameter in module.parameters()) * dtype.itemsize


# --- counting


def counted_peak(run: Callable[[], object], on_processor: bool = False) -> int:
    """The bytes of the tensors that a run makes and that live at the same time, at most. On the meta device nothing is computed.

    `on_processor`: with what convolutions take there besides.
    """
    counter = _Counter(on_processor)
    with torch.inference_mode(), _OneKernelAttention(), counter:
        run()
    return counter.peak


class _Counter(TorchDispatchMode):
    """Adds up the storages that operations make, until Python lets go of them. Those that come in from outside do not count."""

    def __init__(self, on_processor: bool) -> None:
        super().__init__()
        self.peak = self._now = 0
        self._on_processor = on_processor
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for storage in _storages((args, kwargs)):
            self._know(storage, 0)
        output = func(*args, **(kwargs or {}))
        for storage in _storages(output):
            self._know(storage, storage.nbytes())
        workspace = _workspace(args[0], args[1], output) if self._on_processor and func in _CONVOLUTIONS else 0
        self.peak = max(self.peak, self._now + workspace)
        return output

    def _know(self, storage: torch.UntypedStorage, size: int) -> None:
        key = id(storage)
        if key not in self._known:
            self._known.add(key)
            self._now += size
            weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size


def _workspace(values: torch.Tensor, weight: torch.Tensor, output: torch.Tensor) -> int:
    """What a convolution on the processor takes besides its output: oneDNN a copy of its input in a layout of its own; PyTorch's own, which
    does small ones of one sample, a column for each window (`use_mkldnn` in ATen/native/Convolution.cpp)."""
    if values.ndim == 5 and values.shape[:4].numel() <= _SMALL_CONVOLUTION:
        return weight[0].numel() * output[0, 0].numel() * values.itemsize
    return values.nbytes


class _OneKernelAttention(TorchFunctionMode):
    """Counts attention as the fused kernels take it: the meta device would write out every pair of tokens."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is functional.scaled_dot_product_attention and args and args[0].device.type == "meta":
            return torch.empty_like(args[0])
        return func(*args, **(kwargs or {}))


def _storages(values: object) -> list[torch.UntypedStorage]:
    return [leaf.untyped_storage() for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]


# --- saving


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
