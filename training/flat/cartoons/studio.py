"""What every builder of a cartoon draws from: chances, measures and fresh paints."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from .figures import Wave

Choice = TypeVar("Choice")


@dataclass
class Studio:
    """A clip in the making."""

    rng: np.random.Generator
    most: int = 80
    """Paints at most, the background's own 0 included; then earlier ones are used again."""
    used: int = 1

    def paint(self) -> int:
        """A paint of its own."""
        if self.used >= self.most:
            return int(self.rng.integers(1, self.most))
        self.used += 1
        return self.used - 1

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return int(self.rng.integers(low, high + 1))

    def pick(self, shares: Mapping[Choice, float]) -> Choice:
        """One of the keys, each as often as its share."""
        weights = np.cumsum(list(shares.values()))
        return list(shares)[int(np.searchsorted(weights, self.rng.uniform(0, weights[-1]), "right"))]

    def wave(self, swing: float, centre: float = 0.0) -> Wave:
        """A swing of about that size at a pace of its own."""
        return Wave(centre, swing * self.between(0.4, 1.3), self.between(1.4, 4), self.between(0, 2 * np.pi))
