"""Comparing with a golden set: what is there is compared, what is not is named, and every figure is printed."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

REPORT: list[str] = []
"""One line a comparison, printed at the end of the run."""


class Golden:
    """The tensors of a set's `.safetensors` files, and comparisons with them."""

    def __init__(self, *files: Path) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        for file in files:
            if file.is_file():
                self.tensors |= load_file(file)
            else:
                REPORT.append(f"ABSENT  {file.name} is not in this set")

    def __contains__(self, name: str) -> bool:
        if name not in self.tensors:
            REPORT.append(f"ABSENT  {name} is not in this set")
        return name in self.tensors

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.tensors[name]

    def check(self, name: str, value: torch.Tensor | np.ndarray, **limits: float) -> None:
        """Holds a value against the tensor of that name. Limits: `rel_l2` ‖a-b‖/‖b‖, `max_abs` max|a-b|, `rms` RMS of a-b over b's
        standard deviation, `max_std` max|a-b| over it. A tensor that the set has not is named and passed over."""
        if name in self:
            compare(name, torch.as_tensor(value), self[name], **limits)


def compare(name: str, value: torch.Tensor, wanted: torch.Tensor, **limits: float) -> None:
    """Asserts each limit, and notes all figures."""
    assert tuple(value.shape) == tuple(wanted.shape), f"{name} is {tuple(value.shape)}, not {tuple(wanted.shape)}"
    value, wanted = value.detach().double().cpu(), wanted.detach().double().cpu()
    off = value - wanted
    std = max(float(wanted.std(correction=0)), 1e-30)
    figures = {
        "rel_l2": float(off.norm() / wanted.norm().clamp_min(1e-30)),
        "max_abs": float(off.abs().max()),
        "rms": float(off.square().mean().sqrt()) / std,
        "max_std": float(off.abs().max()) / std,
    }
    told = ", ".join(f"{limit} {figures[limit]:.1e} of {most:.0e}" for limit, most in limits.items())
    REPORT.append(f"{'ok' if all(figures[limit] <= most for limit, most in limits.items()) else 'OFF':7} {name}: {told}")
    for limit, most in limits.items():
        assert figures[limit] <= most, f"{name}: {limit} is {figures[limit]:.3e}, at most {most:.0e} is allowed"
