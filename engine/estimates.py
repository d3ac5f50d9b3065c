"""What a job will take of this machine's memory, before it is run: for a panel, or typed.

Core: the pipeline's own `budget.py` knows; one that has none takes no more than the engine itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .protocol import Shot


@dataclass(frozen=True)
class Work:
    """What the memory of a job depends on: its params, the pixels of its main input, and its shot."""

    params: Mapping[str, Any]
    width: int
    height: int
    shot: Shot


@dataclass(frozen=True)
class Estimate:
    """What a job takes, in GB of 2^30 bytes."""

    gigabytes: float
    of: float
    """What there is; 0 where that is not known."""
    free: float
    told: str = ""
    """What it does to save memory."""

    @property
    def fits(self) -> bool:
        """Whether it is expected to run."""
        return not self.free or self.gigabytes <= self.free
