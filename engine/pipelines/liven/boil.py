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
"""Features smaller than this part of the diagonal stray in proportion to their size."""


def strays(graph: Layout, seed: Sequence[int]) -> Array:
    """How far each place (m, 2) strays at strength 1, in pixels; the same seed draws the same lines.

    Two smooth noises are mixed: one along each stroke by itself, and one over the paper that takes over where strokes touch.
    """
    generator = np.random.default_rng(seed)
    own, shared = _along(graph, generator), _across(graph, generator)
    near = np.exp(-((graph.apart / (_JOIN * graph.size)) ** 2))[:, None]
    modest = np.minimum(1.0, graph.extent / (_SMALL * graph.size) + 0.1)[:, None]
    return _REACH * graph.size * modest * (own + near * (shared - own))


def _along(graph: Layout, generator: np.random.Generator) -> Array:
    """Waves along each stroke, whole numbers of them on closed ones."""
    on = graph.curves
    count = len(on.length)
    size = generator.uniform(-1, 1, (count, len(_WEIGHTS), 2)) * _WEIGHTS[:, None]
    start = generator.uniform(0, 1, (count, len(_WEIGHTS), 2))
    rounds = on.length / (_WAVE * graph.size)
    rounds = np.where(on.closed, np.maximum(1.0, np.round(rounds)), rounds)
    part = on.along / np.maximum(on.length, 1e-9)[on.stroke]
    turns = (rounds[on.stroke] * part)[:, None] * np.arange(len(_WEIGHTS))
    waves = np.cos(2 * np.pi * (turns[..., None] + start[on.stroke]))
    strayed: Array = (size[on.stroke] * waves).sum(axis=1)
    return strayed


def _across(graph: Layout, generator: np.random.Generator) -> Array:
    """Waves over the paper, in all directions."""
    heading = np.pi * (np.arange(5) + generator.uniform(0, 1, 5)) / 5
    across, down = (graph.curves.places / (_SWELL * graph.size)).T[..., None]
    turns = across * np.cos(heading) + down * np.sin(heading)
    size, start = generator.uniform(-1, 1, (5, 2)) / 2, generator.uniform(0, 1, (5, 2))
    strayed: Array = (size * np.cos(2 * np.pi * (turns[..., None] + start))).sum(axis=1)
    return strayed
