"""What fits on this machine: the device, the precision of the weights, and running out of memory as one error."""

import contextlib
from collections.abc import Iterator

import torch

from ..protocol import PegbarError


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
