"""What clips are drawn from: shares and ranges, as data."""

from collections.abc import Mapping
from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class Config:
    """Shares of kinds, and ranges of measures, that the clips of a set have."""

    casts: Mapping[str, float]
    """Shares of figures by their kind."""
    span: Range = (0.15, 1.0)
    """Half the time that a clip lasts; figures swing about once in a time of 2."""
    most: int = 80
    """Identities at most."""


TRAINING = Config({"heap": 0.4, "doll": 0.6})
"""What the matcher is trained on."""
HELD_OUT = Config({"heap": 0.6, "doll": 0.4})
"""What it never sees in training."""
