"""Line boil: the tremble of lines that are drawn anew for every drawing. Knows no motion and no time."""

from collections.abc import Sequence

import numpy as np

from .curves import Array
from .layout import Layout

_REACH = 0.008
"""How far a line strays at most along each axis at strength 1, as a part of the drawing's diagonal."""
_WAVE = 0.25
"""Length of the slowest wave along a line, as a part of the diagonal; the others are its harmonics."""
_SWELL = 0.4
"""Length of the waves over the paper, as a part of the diagonal."""
_WEIGHTS = np.array([0.3, 0.4, 0.2, 0.1])
"""Of the shift of the whole stroke and of each harmonic."""
_JOIN = 0.05
"""Along this part of the diagonal beside a touch a line comes to stray with what it touches."""
_SMALL = 0.12
"""Features smaller than this part of the diagonal have the less noise of their own the smaller they are."""


def strays(graph: Layout, seed: Sequence[int]) -> Array:
    """How far each control point (n, 2) strays at strength 1, in pixels; the same seed draws the same lines.

    Two smooth noises are mixed: one along each stroke by itself, and one over the paper that takes over where strokes touch and in
    small features: a pupil stays in its eye.
    """
    generator = np.random.default_rng(seed)
    own, shared = _along(graph, generator), _across(graph, generator)
    count = len(own)
    apart = 1 - np.exp(-((graph.apart[:count] / (_JOIN * graph.size)) ** 2))
    large = np.minimum(1.0, graph.extent[:count] / (_SMALL * graph.size)) ** 2
    return _REACH * graph.size * (shared + (apart * large)[:, None] * (own - shared))


def _along(graph: Layout, generator: np.random.Generator) -> Array:
    """Waves along each stroke, whole numbers of them on closed ones."""
    on, count = graph.curves, graph.curves.from_points.shape[1]
    size = generator.uniform(-1, 1, (len(on.length), len(_WEIGHTS), 2)) * _WEIGHTS[:, None]
    start = generator.uniform(0, 2 * np.pi, (len(on.length), len(_WEIGHTS), 2))
    rounds = on.length / (_WAVE * graph.size)
    rounds = np.where(on.closed, np.maximum(1.0, np.round(rounds)), rounds)
    stroke = on.stroke[:count]
    turns = 2 * np.pi * (rounds / np.maximum(on.length, 1e-9))[stroke] * on.along[:count]
    return _waves(turns[:, None] * np.arange(len(_WEIGHTS)), (size * np.cos(start))[stroke], (size * np.sin(start))[stroke])


def _across(graph: Layout, generator: np.random.Generator) -> Array:
    """Waves over the paper, in all directions."""
    places = graph.curves.places[: graph.curves.from_points.shape[1]]
    heading = np.pi * (np.arange(5) + generator.uniform(0, 1, 5)) / 5
    across, down = (2 * np.pi * places / (_SWELL * graph.size)).T[..., None]
    size, start = generator.uniform(-1, 1, (5, 2)) / 2, generator.uniform(0, 2 * np.pi, (5, 2))
    return _waves(across * np.cos(heading) + down * np.sin(heading), size * np.cos(start), size * np.sin(start))


def _waves(turns: Array, even: Array, odd: Array) -> Array:
    """The sum (n, 2) of waves at turns (n, k) in radians; their cosine and sine parts are (k, 2), or (n, k, 2)."""
    cos, sin = np.cos(turns), np.sin(turns)
    return np.stack([(cos * even[..., axis] + sin * odd[..., axis]).sum(axis=1) for axis in (0, 1)], axis=1)
