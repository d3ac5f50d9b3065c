"""What a run works on, in words for its card."""

import torch

from .memory import device_of, precision_of


def described(name: str) -> tuple[str, str]:
    """The device that a name of `Machine.device` stands for, and the precision of weights on it. Raises PegbarError."""
    device = device_of(name)
    model = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    return f"{device}{model}", str(precision_of(device)).removeprefix("torch.")
