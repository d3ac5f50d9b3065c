"""Where a shot's painting stands, as one file: enough to go on after the last sampled segment to the same bits."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ...protocol import write_atomic
from .decoding import Pending
from .sampling import Carry

_FORMAT = "1"
_NUMBERS = ("run", "segment", "place", "chunk")


@dataclass(frozen=True)
class Checkpoint:
    """A segment that is sampled and not decoded yet. Its size does not depend on the shot's length."""

    run: int
    """Index of the run among the plan's."""
    segment: int
    """Which of its segments was sampled last."""
    place: int
    """Places of the run that were decoded before it."""
    chunk: int
    """Frames that are decoded at once; it stays as it was where less memory is free later."""
    carry: Carry
    """What the next segment starts from."""
    pending: Pending | None
    """What the decoder keeps from the segments before."""
    latents: torch.Tensor
    """(k, 4, h, w): the segment's final ones."""
    seam: Mapping[int, torch.Tensor]
    """Drawing -> (h, w, 3): the share that an earlier run has in it."""


def keep(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes the checkpoint in place of the one before. Raises PegbarError where the disk refuses."""
    tensors = {f"carry.{name}": value for name, value in vars(checkpoint.carry).items()}
    if checkpoint.pending is not None:
        tensors |= {f"pending.{name}": value for name, value in vars(checkpoint.pending).items()}
    tensors |= {f"seam.{drawing}": value for drawing, value in checkpoint.seam.items()}
    tensors["latents"] = checkpoint.latents
    numbers = {name: str(getattr(checkpoint, name)) for name in _NUMBERS}
    data = save({name: tensor.contiguous() for name, tensor in tensors.items()}, numbers | {"format": _FORMAT})
    write_atomic(_file(folder), data)


def kept(folder: Path) -> Checkpoint | None:
    """The last checkpoint; None where there is none that can be read."""
    if not _file(folder).is_file():
        return None
    try:
        with safe_open(_file(folder), "pt") as file:
            numbers = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except SafetensorError:
        return None
    if numbers.get("format") != _FORMAT:
        return None
    parts: dict[str, dict[str, torch.Tensor]] = {"carry": {}, "pending": {}, "seam": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        if rest:
            parts[part][rest] = tensor
    return Checkpoint(
        **{name: int(numbers[name]) for name in _NUMBERS},
        carry=Carry(**parts["carry"]),
        pending=Pending(**parts["pending"]) if parts["pending"] else None,
        latents=tensors["latents"],
        seam={int(drawing): tensor for drawing, tensor in parts["seam"].items()},
    )


def forget(folder: Path) -> None:
    """Removes the checkpoint of a shot that is whole."""
    _file(folder).unlink(missing_ok=True)


def _file(folder: Path) -> Path:
    return folder / "painting.safetensors"
