"""The motions: where every place of a drawing goes at a phase of the move. Knows no strokes, only points.

A motion is a few waves over one cycle (Thomas and Johnston's squash and stretch, anticipation, slow in and slow out, arcs) and the
smooth field that they make: an upright spine that stretches, bends and is thrown, with the drawing around it. See NOTES.md.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

Array = NDArray[np.float64]
Wave = Callable[[Array], Array]
"""Value at a phase in cycles; repeats every 1."""


def _still(phase: Array) -> Array:
    return np.zeros_like(phase)


def _sine(amplitude: float, per_cycle: int = 1, start: float = 0.0) -> Wave:
    return lambda phase: amplitude * np.sin(2 * np.pi * (per_cycle * phase + start))


def _breath(amplitude: float) -> Wave:
    """In over two fifths of the cycle, out over three."""
    return lambda phase: amplitude * np.sin(2 * np.pi * phase + 0.35 * (1 - np.cos(2 * np.pi * phase)))


def _keys(*keys: tuple[float, float]) -> Wave:
    """A wave through extremes (phase, value), slow in and out of each; the first stands at 0 and comes back at 1."""
    phases, values = np.array([*keys, (1.0, keys[0][1])]).T
    curve = PchipInterpolator(np.concatenate([phases[:-1] - 1, phases, phases[1:] + 1]), np.concatenate([values[:-1], values, values[1:]]))
    return lambda phase: np.asarray(curve(phase % 1.0), np.float64)


def _throw(height: float, off: float, on: float) -> Wave:
    """A leap between the phases where the feet leave and meet the ground: the parabola of a thrown body."""

    def wave(phase: Array) -> Array:
        flight = (phase % 1.0 - off) / (on - off)
        return height * np.maximum(0.0, 4 * flight * (1 - flight))

    return wave


@dataclass(frozen=True)
class Motion:
    """The waves of one cycle, at amount 1. Lengths are in heights of the drawing, angles in radians, clockwise."""

    seconds: float
    """How long a cycle takes at speed 1."""
    stretch: Wave = _still
    """Logarithm of the length of the spine; the width takes the inverse, so that the volume stays."""
    bend: Wave = _still
    """Angle of the spine's far end against its foot."""
    lift: Wave = _still
    tilt: Wave = _still
    """Rotation of the whole about where it is held."""
    swing: float = 0.0
    """Angle by which limbs stir of themselves: tails wave, arms lift outward a little after the body rises."""
    delay: float = 0.0
    """Cycles by which the far end of the spine trails its foot."""


MOTIONS = {
    "breathe": Motion(2.0, stretch=_breath(0.05), bend=_sine(0.045), swing=0.2, delay=0.06),
    "sway": Motion(2.0, stretch=_sine(-0.012, 2, -0.25), bend=_sine(0.32), delay=0.12),
    "bounce": Motion(
        1.0,
        stretch=_keys((0, 0), (0.13, -0.17), (0.25, 0.13), (0.44, -0.015), (0.62, 0.11), (0.73, -0.19), (0.86, 0.05)),
        bend=_keys((0, 0), (0.13, 0.05), (0.30, -0.05), (0.62, 0.03), (0.75, -0.03)),
        lift=_throw(0.24, 0.20, 0.66),
        delay=0.02,
    ),
    "wobble": Motion(1.0, stretch=_sine(0.055, 2), bend=_sine(0.20), delay=0.38),
    "float": Motion(
        2.5, stretch=_sine(0.015, 1, 0.25), bend=_sine(0.10, 1, 0.1), lift=_sine(0.06), tilt=_sine(0.05, 1, -0.2), swing=0.14, delay=0.12
    ),
    "boil": Motion(1.0),
}

_PLANTED = 0.22
"""Up to this part of the height the squash eases in from where the drawing is held: feet neither slide nor sink."""

_FLATTEST = 0.45
"""Logarithm of the stretch that no amount goes beyond: 1.6 times as long, or as wide."""


@dataclass(frozen=True)
class Field:
    """A motion laid on a drawing: held at `pivot` (pixels), `height` pixels high, reaching from `low` to `high` heights above it."""

    motion: Motion
    amount: float
    pivot: tuple[float, float]
    height: float
    low: float
    high: float
    slender: float = 1.0
    """1 where the drawing is upright; less where it is wide and would fold over at the same bend."""
    lean: float = 1.0
    """Which way the bend begins, and how far it goes, about 1 or -1."""
    trail: float = 1.0
    """How much of the motion's delay the far end has."""

    def at(self, points: Array, phase: float, strength: float = 1.0) -> tuple[Array, Array]:
        """Where points (n, 2) go at a phase, in pixels, and the field's gradient (n, 2, 2) there: its columns are where a small step
        right and one down go. Strength 0 leaves everything in place."""
        amount = self.amount * strength
        heights, *tables = self._spine(phase, amount)
        up = (self.pivot[1] - points[:, 1]) / self.height
        right, above, angle, turn, stretch, swell = (np.interp(up, heights, table) for table in tables)
        cos, sin, narrow = np.cos(angle), np.sin(angle), np.exp(-stretch)
        across = (points[:, 0] - self.pivot[0]) / self.height * narrow
        x, y = right + across * cos, above - across * sin
        rise, thin = 1 / narrow - across * turn, across * swell
        step_right = np.stack([narrow * cos, narrow * sin], axis=1)
        step_down = np.stack([thin * cos - rise * sin, rise * cos + thin * sin], axis=1)
        tilt = amount * float(self.motion.tilt(np.array(phase)))
        lift = amount * float(self.motion.lift(np.array(phase)))
        moved = self.height * (turned(np.stack([x, -y], axis=1), tilt) - [0.0, lift]) + self.pivot
        return moved, turned(np.stack([step_right, step_down], axis=2), tilt)

    def _spine(self, phase: float, amount: float) -> tuple[Array, ...]:
        """Heights along the spine, and there: its place right and up, its angle and logarithmic stretch, each with its slope."""
        margin = 0.02 * (self.high - self.low) + 1e-3
        below, above = min(self.low, 0.0) - margin, max(self.high, 0.0) + margin
        heights = np.concatenate([np.linspace(below, 0, 65)[:-1], np.linspace(0, above, 65)])
        far = np.abs(heights) / max(self.high, -self.low, 1e-9)
        then = phase - self.trail * self.motion.delay * far
        ease = np.clip(far / _PLANTED, 0, 1)
        stretch = _FLATTEST * np.tanh(amount / _FLATTEST * self.motion.stretch(then)) * ease * ease * (3 - 2 * ease)
        angle = amount * self.lean * self.slender * self.motion.bend(then) * np.sign(heights) * far**1.2
        run = np.exp(stretch) * np.stack([np.sin(angle), np.cos(angle)])
        steps = (run[:, 1:] + run[:, :-1]) / 2 * np.diff(heights)
        place = np.concatenate([np.zeros((2, 1)), np.cumsum(steps, axis=1)], axis=1)
        place -= place[:, 64:65]
        return heights, place[0], place[1], angle, np.gradient(angle, heights), stretch, np.gradient(stretch, heights)


def turned(columns: Array, angle: Array | float) -> Array:
    """Vectors (n, 2) or the columns of matrices (n, 2, k), turned by an angle each, in radians, from right to down."""
    cos, sin = (np.reshape(f(angle), (-1,) + (1,) * (columns.ndim - 2)) for f in (np.cos, np.sin))
    x, y = columns[:, 0], columns[:, 1]
    return np.stack([cos * x - sin * y, sin * x + cos * y], axis=1)
