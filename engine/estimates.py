"""What a job will take of this machine's memory, before it is run: for a panel, or typed.

Core: the pipeline's own `budget.py` knows; one that has none takes what the engine takes itself.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .diagnostics import memory_bytes
from .protocol import Shot
from .spec import Pipeline
from .weights import Machine, locate

GIB = 2**30
ENGINE_BYTES = 110 * 2**20
"""What the engine takes with its core's libraries, measured."""


@dataclass(frozen=True)
class Work:
    """What the memory of a job depends on: its params, the pixels of its main input, and its shot."""

    params: Mapping[str, Any]
    width: int
    height: int
    shot: Shot


@dataclass(frozen=True)
class Estimate:
    """What a job takes, in GB of 2^30 bytes; `of` and `free` are 0 where the system does not say."""

    gigabytes: float
    of: float
    free: float
    told: str = ""
    """What it does to save memory."""

    @property
    def fits(self) -> bool:
        """Whether it is expected to run."""
        return not self.free or self.gigabytes <= self.free

    def line(self) -> str:
        """The estimate as a line of JSON."""
        return json.dumps(asdict(self))


def main_memory(name: str) -> int | None:
    """The bytes of the computer's memory, in all (`MemTotal`) or free (`MemAvailable`); None where the system does not say."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return int(lines[name].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return memory_bytes() if name == "MemTotal" else None


def estimate(spec: Pipeline, work: Work, machine: Machine) -> Estimate:
    """What a job takes of the device that the machine names. Raises PegbarError where weights or the device are not there."""
    own = f"{__package__}.pipelines.{spec.name}.budget"
    budget = import_module(own) if find_spec(own) else None
    if budget is None or not spec.weights:
        total, free = main_memory("MemTotal"), main_memory("MemAvailable")
        taken = ENGINE_BYTES + (budget.needed(work) if budget else 0)
        return Estimate(taken / GIB, (total or 0) / GIB, (free or 0) / GIB)
    memory = import_module(f"{__package__}.diffusion.memory")
    there = memory.room(memory.device_of(machine.device), machine.memory_gb)
    rung = memory.chosen(budget.estimate(locate(spec, machine.weights), work, there), there)
    return Estimate(memory.asked_of(there, rung.peak) / GIB, (there.total or 0) / GIB, (there.free or 0) / GIB, rung.told)
