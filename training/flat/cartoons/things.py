"""Plain things: heaps of round and angular parts."""

import numpy as np

from . import outlines
from .figures import Figure
from .outlines import Points
from .studio import Studio


def heap(studio: Studio) -> Figure:
    """A round or angular body with parts stuck on and behind it."""
    figure, rng = Figure(), studio.rng
    root = figure.bone(bend=studio.wave(0.3), soft=(-0.5, 0.5))
    if studio.chance(0.6):
        body = outlines.blob(rng, studio.between(0.6, 1.1), studio.between(0.6, 1.1), studio.between(0.1, 0.3))
    else:
        body = outlines.angular(rng, studio.whole(3, 8), 1.0)
    paint = studio.paint()
    figure.part(root, body, paint, 0)
    for _ in range(studio.whole(1, 6)):
        paint = paint if studio.chance(0.2) else studio.paint()
        angle, distance = studio.between(0, outlines.TAU), studio.between(0, 1)
        joint = (distance * np.cos(angle), distance * np.sin(angle))
        bone = figure.bone(root, joint, angle=studio.wave(0.3, studio.between(0, 6)))
        act = figure.act(winks(studio)) if studio.chance(0.15) else 0
        level = studio.between(0.5, 2) if studio.chance(0.7) else -studio.between(0.5, 2)
        figure.part(bone, lump(studio, studio.between(0.15, 0.5)), paint, level, act=act, pivot=0.0 if act else None)
    return figure


def lump(studio: Studio, radius: float) -> Points:
    """Any round or angular shape of that size."""
    kind = studio.pick({"blob": 0.5, "angular": 0.25, "ellipse": 0.25})
    if kind == "blob":
        return outlines.blob(studio.rng, radius, radius)
    if kind == "angular":
        return outlines.angular(studio.rng, studio.whole(3, 6), radius)
    return outlines.ellipse(radius, radius * studio.between(0.5, 1))


def winks(studio: Studio, share: float = 0.2, shut: float = 0.12):
    """An act that is open but for a share of the time."""
    wave = studio.wave(1.0)
    edge = np.cos(np.pi * share)
    return lambda times: np.where(np.sin(2 * wave.rate * times + wave.phase) > edge, shut, 1.0)
