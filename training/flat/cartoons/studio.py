"""What every builder of a cartoon draws from: chances, measures, fresh paints, and the way things are shaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from . import outlines
from .config import Config
from .figures import NONE, Act, Figure, Wave
from .outlines import Points


@dataclass
class Studio:
    """A clip in the making."""

    rng: np.random.Generator
    config: Config
    used: int = 1
    """Paints so far, the sky's own 0 included."""
    light: float | None = None
    """The angle that light comes from where shadows are drawn."""
    tones: dict[tuple[str, int], int] = field(default_factory=dict)
    common: dict[str, int] = field(default_factory=dict)
    """Paints that several figures may share."""

    def paint(self, name: str = "", share: float = 0.0) -> int:
        """A paint of its own; with a chance of `share` the one that was last made under that name."""
        if name in self.common and self.chance(share):
            return self.common[name]
        if self.used >= self.config.most:
            return int(self.rng.integers(1, self.used))
        self.used += 1
        self.common[name] = self.used - 1
        return self.used - 1

    def either(self, paint: int, share: float = 0.5) -> int:
        """That paint, or one of its own."""
        return paint if self.chance(share) else self.paint()

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def between(self, low: float, high: float) -> float:
        return float(low + (high - low) * self.rng.random())

    def scale(self, low: float, high: float) -> float:
        """A measure between two, small ones as likely as large."""
        return float(low * (high / low) ** self.rng.random())

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return int(self.rng.integers(low, high + 1))

    def pick(self, shares: str | Mapping[str, float]) -> str:
        """One of the keys, each as often as its share; of the configuration's table of that name."""
        table = self.config.shares[shares] if isinstance(shares, str) else shares
        at = self.between(0, sum(table.values()))
        for key, share in table.items():
            at -= share
            if at < 0:
                return key
        return key

    def some(self, table: str) -> list[str]:
        """All keys of a table of chances that come up."""
        return [key for key, share in self.config.shares[table].items() if self.chance(share)]

    def wave(self, swing: float, centre: float = 0.0) -> Wave:
        """A swing of about that size at a pace of its own."""
        return Wave(centre, swing * self.between(0.4, 1.3), self.between(1.4, 4), self.between(0, 2 * np.pi))

    def winks(self, share: float = 0.2, shut: float = 0.12) -> Act:
        """An act that is open but for a share of the time."""
        wave = self.wave(1.0)
        edge = np.cos(np.pi * share)
        return lambda times: np.where(np.sin(2 * wave.rate * times + wave.phase) > edge, shut, 1.0)

    def opens(self, shut: float = 0.15) -> Act:
        """An act that opens and closes smoothly: a talking mouth."""
        wave = self.wave(1.0)
        return lambda times: shut + (1 - shut) * np.abs(np.sin(1.7 * wave.rate * times + wave.phase))

    def comes(self) -> Act:
        """An act that is 0 at first and 1 from some time on, or the other way round."""
        at, late = self.between(-0.5, 0.6), self.chance(0.75)
        return lambda times: ((times > at) == late).astype(float)

    def solid(self, figure: Figure, bone: int, outline: Points, paint: int, level: float, **settings) -> None:
        """A part that has a shadow, perhaps a highlight too, where the clip has a light."""
        if self.light is None or self.chance(0.25):
            figure.part(bone, outline, paint, level, **settings)
            return
        separator = {"ink": 0.6, "strength": self.config.separator}
        figure.part(bone, outline, paint, level, **{**settings, "ink": 0})
        light = self.light + self.between(-0.2, 0.2)
        jags = self.rng.uniform(0.4, 1.1, 9) if self.chance(0.35) else None
        shadow, inner = outlines.crescent(outline, light, self.between(0.35, 0.5), self.between(0.3, 0.6), jags)
        figure.part(bone, shadow, self.tone("shadow", paint), level + 1e-3, **{**settings, **separator, "line": (inner, len(shadow))})
        if self.chance(0.25):
            centre, size = outline.mean(0), np.ptp(outline, axis=0)
            at = centre + size * (0.25 * np.cos(light), 0.25 * np.sin(light))
            shine = outlines.ellipse(size[0] * 0.12, size[1] * 0.09, tuple(at))
            figure.part(bone, shine, self.tone("shine", paint), level + 1e-3, **{**settings, **separator})
        figure.part(bone, outline, NONE, level + 2e-3, **settings)

    def tone(self, kind: str, paint: int) -> int:
        """The paint of another's shadow or shine, the same wherever it is."""
        if (kind, paint) not in self.tones:
            self.tones[kind, paint] = self.paint()
        return self.tones[kind, paint]
