"""The one door to attention: PyTorch's SDPA, or on a graphics card another kernel that is installed and was measured to be faster.

No other kernel is required. One is taken only where it agrees with SDPA, so that the result does not depend on what is installed.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec

import torch
from torch.nn import functional

log = logging.getLogger(__name__)

Kernel = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, float | None], torch.Tensor]
"""(query, key, value, scale) as in `attend`."""

MARGIN = 0.9
"""A kernel must take less than this share of SDPA's time: where two are alike the choice, and with it the last bit, must not change from
one run to the next."""
_TOLERANCE = 0.02
"""‖a-b‖/‖b‖ that half-precision kernels may differ by."""
_REPEATS = 5
_DOES_NOT_SERVE = (ImportError, OSError, RuntimeError, ValueError, TypeError, AttributeError, AssertionError)
"""What extensions raise that were built for another card or another PyTorch."""


def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor | None = None, scale: float | None = None
) -> torch.Tensor:
    """softmax(query · keyᵀ · scale + bias) · value, all (b, heads, tokens, d); `bias` is broadcast to (b, heads, queries, keys).

    `scale` is d^-½ where None. Without a bias the fast kernels serve; a bias of one row, (1, 1, 1, keys), costs next to nothing either.
    """
    if bias is not None:
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale)
    if query.device.type != "cuda" or query.dtype == torch.float32 or query.requires_grad:
        return sdpa(query, key, value, scale)
    return _fastest(query.device, query.dtype, _shape_class(query, key))(query, key, value, scale)


def sdpa(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None) -> torch.Tensor:
    """PyTorch's own."""
    return functional.scaled_dot_product_attention(query, key, value, scale=scale)


def installed() -> Iterator[tuple[str, Kernel]]:
    """The other kernels that this Python has, by name."""
    for name, kernel in (("flash_attn", _flash), ("xformers", _xformers)):
        if find_spec(name) is not None:
            yield name, kernel


def choose(kernels: Mapping[str, Kernel], query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> Kernel:
    """The kernel that is clearly the fastest on these tensors among those that work and agree with SDPA; SDPA itself where none is."""
    wanted = sdpa(query, key, value, None)
    best: Kernel = sdpa
    least = MARGIN * _seconds(sdpa, query, key, value)
    for name, kernel in kernels.items():
        try:
            off = (kernel(query, key, value, None).float() - wanted.float()).norm() / wanted.float().norm()
            seconds = _seconds(kernel, query, key, value)
        except _DOES_NOT_SERVE as error:
            log.info("%s does not work here: %s", name, error)
            continue
        if off <= _TOLERANCE and seconds < least:
            best, least = kernel, seconds
    return best


def _flash(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None) -> torch.Tensor:
    turned = (tensor.transpose(1, 2) for tensor in (query, key, value))
    return import_module("flash_attn").flash_attn_func(*turned, softmax_scale=scale).transpose(1, 2)


def _xformers(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None) -> torch.Tensor:
    turned = (tensor.transpose(1, 2) for tensor in (query, key, value))
    return import_module("xformers.ops").memory_efficient_attention(*turned, scale=scale).transpose(1, 2)


Shape = tuple[int, int, int, int, int]


def _shape_class(query: torch.Tensor, key: torch.Tensor) -> Shape:
    """A shape rounded up to powers of two, but for the head's width: shapes of one class are measured once."""
    batch, heads, queries, width = query.shape
    return _power(batch), _power(heads), _power(queries), _power(key.shape[2]), width


def _power(count: int) -> int:
    return 1 << (count - 1).bit_length()


@lru_cache(maxsize=256)
def _fastest(device: torch.device, dtype: torch.dtype, shape: Shape) -> Kernel:
    kernels = dict(installed())
    if not kernels:
        return sdpa
    batch, heads, queries, keys, width = shape
    own = torch.Generator(device).manual_seed(0)
    made = (torch.randn(batch, count, heads, width, device=device, dtype=dtype, generator=own) for count in (queries, keys, keys))
    return choose(kernels, *(tensor.transpose(1, 2) for tensor in made))


def _seconds(kernel: Kernel, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> float:
    """The least time of a few calls, the first, which may compile, left out."""
    times = []
    for _ in range(_REPEATS + 1):
        started = time.perf_counter()
        kernel(query, key, value, None)
        if query.device.type == "cuda":
            torch.cuda.synchronize(query.device)
        times.append(time.perf_counter() - started)
    return min(times[1:])
