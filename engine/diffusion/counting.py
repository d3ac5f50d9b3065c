"""Counts the bytes of tensors that live at the same time: of a run on the meta device before anything is loaded, or of one that goes on.

Sees what PyTorch's operations make; what they take for themselves on the way is added for the processor's convolutions.
"""

import contextlib
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch._prims_common import suggest_memory_format
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

_SMALL_CONVOLUTION = 20480
_aten = torch.ops.aten
_CONVOLUTIONS = (_aten.conv2d.default, _aten.conv3d.default, _aten.convolution.default)
_NORMS = {_aten.group_norm.default, _aten.layer_norm.default}
_PLAIN = _NORMS | {_aten.linear.default, _aten.silu.default, _aten.gelu.default}
"""What makes one tensor of a shape that is known at once: PyTorch's own way on the meta device takes a millisecond, and most of a count."""


def counted_peak(run: Callable[[], object], on_processor: bool = False, gradient: bool = False) -> int:
    """The bytes of the tensors that a run makes and that live at the same time, at most. On the meta device nothing is computed.

    `on_processor`: with what convolutions take there besides. `gradient`: the run goes back through what it made.
    """
    counter = Counter(on_processor)
    with torch.inference_mode(not gradient), torch.set_grad_enabled(gradient), _attention_in_one_kernel(), counter:
        run()
    return counter.peak


@contextlib.contextmanager
def enforced(limit: int, held: Callable[[], int]) -> Iterator[None]:
    """Makes the processor as small as a card: an operation that takes the tensors made within, and the weights that are `held` at that
    time, above `limit` bytes raises torch.OutOfMemoryError."""
    with Counter(limit=limit, held=held):
        yield


@contextlib.contextmanager
def in_main_memory() -> Iterator[None]:
    """What is made within does not count: networks are read there, and then brought to the device."""
    with _disable_current_modes():
        yield


class Counter(TorchDispatchMode):
    """Adds up the storages that operations make, until Python lets go of them. Those that come in from outside do not count."""

    def __init__(self, on_processor: bool = False, limit: int | None = None, held: Callable[[], int] = lambda: 0) -> None:
        super().__init__()
        self.peak = self._now = 0
        self._on_processor, self._limit, self._held = on_processor, limit, held
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for storage in _storages(args, *kwargs.values()) if kwargs else _storages(args):
            self._know(storage, 0)
        output = _shaped(func, args) if func in _PLAIN and args[0].device.type == "meta" else func(*args, **(kwargs or {}))
        if self._on_processor and func is _aten.conv2d.default:  # there it keeps the order, on the meta device it does not
            output = output.contiguous(memory_format=_layout(args[0]))
        for storage in _storages(output):
            self._know(storage, storage.nbytes())
        workspace = _workspace(func, args, output) if self._on_processor else 0
        now = self._now + self._held()
        if self._limit is not None and now > self._limit:
            raise torch.OutOfMemoryError(f"{now} bytes are in use, {self._limit} may be")
        self.peak = max(self.peak, now + workspace)
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


def _shaped(func: Any, args: Any) -> torch.Tensor:
    values = args[0]
    if func is _aten.linear.default:
        return values.new_empty(*values.shape[:-1], len(args[1]))
    if func is _aten.layer_norm.default:
        return values.new_empty(values.shape)
    return torch.empty_like(values, memory_format=_layout(values) if func is _aten.group_norm.default else torch.preserve_format)


def _workspace(func: Any, args: Any, output: torch.Tensor) -> int:
    """What an operation on the processor takes besides its output: measured, an operation at a time (docs/memory.md)."""
    if func in _NORMS:
        return 0 if args[0].is_contiguous(memory_format=_layout(args[0])) else _copied(args[0])
    return _beside_convolution(args[0], args[1], output) if func in _CONVOLUTIONS else 0


def _beside_convolution(values: torch.Tensor, weight: torch.Tensor, output: torch.Tensor) -> int:
    """oneDNN takes a copy of its input in a layout of its own, but none for single pixels, and a column for each window of one over time alone;
    PyTorch's own, which does small 3D ones of one sample, such columns too (`use_mkldnn` in ATen/native/Convolution.cpp)."""
    kernel = weight.shape[2:]
    if kernel.numel() == 1:
        return _copied(values)
    if values.ndim == 5 and (values.shape[:4].numel() <= _SMALL_CONVOLUTION or kernel[1:].numel() == 1):
        return weight[0].numel() * output[0, 0].numel() * len(values) * values.itemsize + _copied(values)
    return values.nbytes + _copied(values)


def _layout(values: torch.Tensor) -> torch.memory_format:
    """The order that norms keep: channels last, as attention's output often lies, or first."""
    return suggest_memory_format(values) if values.ndim in (4, 5) else torch.contiguous_format


def _copied(values: torch.Tensor) -> int:
    """What comes first where the values do not lie in order."""
    return 0 if values.is_contiguous() else values.numel() * values.itemsize


@contextlib.contextmanager
def _attention_in_one_kernel() -> Iterator[None]:
    """Counts attention as the fused kernels take it: the meta device would write out every pair of tokens. The function itself is replaced:
    a mode of PyTorch's would not be there on the way back through a checkpoint."""
    own = functional.scaled_dot_product_attention

    def attended(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        return _Attended.apply(query, key, value) if query.device.type == "meta" else own(query, key, value, *args, **kwargs)

    functional.scaled_dot_product_attention = attended
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = own


class _Attended(torch.autograd.Function):
    """What attention keeps for the way back: what it was given, and what it gave."""

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        mixed = torch.empty_like(query)
        ctx.save_for_backward(query, key, value, mixed)
        return mixed

    @staticmethod
    def backward(ctx: Any, *_: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(torch.empty_like(given) for given in ctx.saved_tensors[:3])


def _storages(*values: Any) -> Iterator[torch.UntypedStorage]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value.untyped_storage()
        elif isinstance(value, (tuple, list)):
            yield from _storages(*value)
