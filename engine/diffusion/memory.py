"""What fits on this machine: the device, the precision of the weights, and the ladder of ways to run a job, each of less memory.

A pipeline's `budget.py` names its networks and stages; what a stage makes is counted on the meta device before anything is loaded
(`counting.py`). The arithmetic is in docs/memory.md.
"""

import contextlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch

from ..errors import NO_DEVICE, OUT_OF_MEMORY
from ..estimates import main_memory
from ..protocol import PegbarError, write_atomic
from ..spec import Report
from .counting import enforced

log = logging.getLogger(__name__)

Result = TypeVar("Result")

MODES = EVERYTHING, ONE, BLOCKS, SMALLEST = "everything", "one", "blocks", "smallest"
"""The ways of running a pipeline, the fastest first: all models on the card, one at a time, its blocks in turn, and all that saves."""
GIB = 2**30
"""What is called a GB of a graphics card."""
LAYERS_AT_ONCE = 2
"""Of blocks or layers that are offloaded the one at work and the next one, which is on its way to the card."""
_RESERVE, _FRAGMENTED = 0.6 * GIB, 1.06
"""What the driver and the libraries take for themselves, and how much more an allocator holds than is in use."""
_OWN = 25 * 2**20
"""What Python, numpy, Pillow and the libraries' kernels take for a job on the processor, measured."""
_LESS = 0.98
"""A rung saves something where it takes less than this share of what the others take."""
_KEPT = "memory.json"
_FULL = ("not enough memory", "out of memory", "can't allocate memory")
"""In what PyTorch's RuntimeError says where the processor's or Metal's memory is full."""


def device_of(name: str) -> torch.device:
    """The device that a name of `Machine.device` stands for. Raises PegbarError where it is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise PegbarError(f"There is no device {name!r} on this machine: choose auto or cpu", NO_DEVICE) from error
    return device


def precision_of(device: torch.device) -> torch.dtype:
    """The precision of the weights on a device: half on a graphics card, single on the processor."""
    if device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def release(device: torch.device) -> None:
    """Gives the memory of what was dropped back to the device, so that another model finds it in one piece."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


# --- what there is


@dataclass(frozen=True)
class Room:
    """The memory of a device, in bytes; None where the system does not say."""

    device: torch.device
    free: int | None
    total: int | None
    is_limited: bool = False
    """The artist, or a test, said how much may be taken."""

    @property
    def is_card(self) -> bool:
        """Whether networks come and go, as on a card; the processor's memory is one only where it was limited."""
        return self.device.type != "cpu" or self.is_limited

    @property
    def has_workspaces(self) -> bool:
        """Whether what the processor's convolutions take besides counts."""
        return not self.is_card


def room(device: torch.device, memory_gb: float = 0.0, held: int = 0) -> Room:
    """What there is for a run. `memory_gb`: what it may take at most where that is not 0; `held`: bytes that its own weights hold."""
    free, total = free_bytes(device), total_bytes(device)
    if not memory_gb:
        return Room(device, None if free is None else free + held, total)
    limit = int(memory_gb * GIB)
    return Room(device, limit if free is None else min(free + held, limit), limit, is_limited=True)


def free_bytes(device: torch.device) -> int | None:
    """The memory that is free for a run; None where the system does not say."""
    if device.type == "cuda":
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + held
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    return main_memory("MemAvailable")


def total_bytes(device: torch.device) -> int | None:
    """The memory of a device; None where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    if device.type == "mps":
        return torch.mps.recommended_max_memory()
    return main_memory("MemTotal")


# --- what is needed


@dataclass(frozen=True)
class Part:
    """A network's weights in bytes: all of them, and what is on the device at a time where its blocks are offloaded."""

    whole: int
    in_turn: int


@dataclass(frozen=True)
class Stage:
    """What is done at one time: the parts at work, and the bytes that it makes beside their weights, at most."""

    parts: tuple[str, ...]
    makes: int
    loaded: tuple[str, ...] | None = None
    """The parts that are loaded meanwhile; all where None."""


@dataclass(frozen=True)
class Rung:
    """A way of running a job, one of a ladder: each lower one takes less memory and more time."""

    name: str
    peak: int
    """Bytes of tensors on the device, at most."""
    told: str = ""
    """What is done to save memory, as the artist is told: `with one model on the card at a time`."""
    is_exact: bool = True
    """Whether the same frames come of it as of the first, but for rounding."""


class Ladder:
    """The rungs of a job, the fastest first; each is counted only when it is come to. One that saves nothing against those above is passed
    over."""

    def __init__(self, rungs: Iterable[Rung]) -> None:
        self._kept: list[Rung] = []
        self._further = iter(rungs)

    def __iter__(self) -> Iterator[Rung]:
        yield from self._kept
        for rung in self._further:
            if not self._kept or rung.peak < _LESS * self._kept[-1].peak:
                self._kept.append(rung)
                yield rung

    def below(self, rung: Rung) -> Rung | None:
        """The next one down; None below the last."""
        rungs = iter(self)
        return next(rungs, None) if any(rung == above for above in rungs) else None


def part(module: torch.nn.Module, dtype: torch.dtype | None = None, by_layers: bool = False) -> Part:
    """A network's weights, also of one on the meta device, in a precision or in its own; `by_layers`: layers are offloaded."""
    whole = weight_bytes(module.parameters(), dtype)
    layers = (weight_bytes(layer.parameters(recurse=False), dtype) for layer in module.modules())
    return Part(whole, min(whole, LAYERS_AT_ONCE * max(layers)) if by_layers else whole)


def weight_bytes(weights: Iterable[torch.nn.Parameter], dtype: torch.dtype | None = None) -> int:
    """The size of weights in a precision, or in their own."""
    return sum(weight.numel() * (dtype or weight.dtype).itemsize for weight in weights)


def peak(parts: Mapping[str, Part], stages: Iterable[Stage], mode: str, is_card: bool = True) -> int:
    """The bytes on the device, at most, in one of MODES. In the processor's own memory all parts lie anyway."""

    def weights(stage: Stage) -> int:
        if mode == EVERYTHING or not is_card:
            return sum(parts[name].whole for name in (parts if stage.loaded is None else stage.loaded))
        return sum(parts[name].whole if mode == ONE else parts[name].in_turn for name in stage.parts)

    return max(weights(stage) + stage.makes for stage in stages)


def needed(peak: int) -> int:
    """The memory that a device should have free for a peak of tensors (bytes)."""
    return int(peak * _FRAGMENTED + _RESERVE)


def asked_of(there: Room, peak: int) -> int:
    """The bytes that a run with this peak takes of a device; where the processor was made as small as a card, no more than its tensors."""
    if there.device.type != "cpu":
        return needed(peak)
    return peak if there.is_limited else peak + _OWN


def chosen(ladder: Ladder, there: Room) -> Rung:
    """The fastest rung that fits into what is free; where that is not known the first that has not all models on the card, and the last
    where none fits. On the processor, whose free memory differs from hour to hour, only one that gives the same frames."""
    last = None
    for rung in ladder:
        if last is not None and not (rung.is_exact or there.is_card):
            break
        last = rung
        if (rung.name != EVERYTHING) if there.free is None else (asked_of(there, rung.peak) <= there.free):
            break
    assert last is not None
    return last


# --- the ladder


def climbed(ladder: Ladder, there: Room, report: Report, run: Callable[[Rung], Result], held: Callable[[], int] = lambda: 0) -> Result:
    """What `run` gives on the fastest rung that fits. Where memory runs out all the same it is called again on the next one, saying so:
    it goes on from what it has written. The rung is kept in the job's state, so that a later run goes on the same way.

    `held`: the bytes of weights on the device at any time. Raises PegbarError where memory runs out on the last.
    """
    rung = _begun(ladder, there, report)
    report.planned(asked_of(there, rung.peak) / GIB, (there.total or 0) / GIB, rung.told)
    while True:
        _keep(report, rung)
        try:
            with _limited(there, held):
                return run(rung)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            log.warning("out of memory (%s) with %s", error, rung.name)
            lower = ladder.below(rung)
            if lower is None:
                raise PegbarError(full(there, rung), OUT_OF_MEMORY) from error
        rung = lower
        release(there.device)
        report.warn(f"{_memory_of(there)} was full: goes on {rung.told}, slower")
        report.planned(asked_of(there, rung.peak) / GIB, (there.total or 0) / GIB, rung.told)


def full(there: Room, rung: Rung) -> str:
    """The sentence for a job that does not fit (UX PB-E01)."""
    free = "" if there.free is None else f", {gb(there.free)} is free"
    where = "graphics card's memory" if there.device.type != "cpu" else "memory"
    return (
        f"Not enough {where}: this needs {gb(asked_of(there, rung.peak))}{free}: work at a smaller size, make the shot shorter, "
        "or close other programs"
    )


def gb(size: int) -> str:
    """A size in bytes as the artist reads it."""
    return f"{size / GIB:.1f} GB" if size >= GIB else f"{size / GIB:.2g} GB"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is full, in whatever way this device says it."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(words in str(error).lower() for words in _FULL)


@contextlib.contextmanager
def out_of_memory_as_error() -> Iterator[None]:
    """Turns a device's out-of-memory error into MemoryError, which the worker has a sentence for."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise MemoryError(str(error)) from error


def _begun(ladder: Ladder, there: Room, report: Report) -> Rung:
    """The rung that an earlier run of this job was on, or else the one that fits."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        name = json.loads((report.state / _KEPT).read_bytes())["mode"]
        if kept := next((rung for rung in ladder if rung.name == name), None):
            return kept
    return chosen(ladder, there)


def _keep(report: Report, rung: Rung) -> None:
    write_atomic(report.state / _KEPT, json.dumps({"mode": rung.name}).encode())


@contextlib.contextmanager
def _limited(there: Room, held: Callable[[], int]) -> Iterator[None]:
    """Holds a run to what it may take: by the device's own allocator, on the processor by counting what it makes."""
    if not there.is_limited or there.total is None:
        yield
    elif there.device.type == "cpu":
        with enforced(there.total, held):
            yield
    else:
        own = torch.cuda if there.device.type == "cuda" else torch.mps
        of = total_bytes(there.device) or there.total
        own.set_per_process_memory_fraction(min(1.0, there.total / of))
        try:
            yield
        finally:
            own.set_per_process_memory_fraction(1.0)


def _memory_of(there: Room) -> str:
    return "The computer's memory" if there.device.type == "cpu" else "The graphics card's memory"
