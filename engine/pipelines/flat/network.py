"""The learned matcher: which region of one frame is which of another, by a transformer over regions (its training: `training/flat`).

Frames look at themselves, then at each other: Sarlin et al., SuperGlue, 2020; Lindenberger et al., LightGlue, 2023. Numpy alone; knows no
colour and no time. Both directions use the same weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from .description import AROUND, LOOKS, MASK, POINTS, SHAPE, TURNED, Floats, Regions

WIDTH, HEADS = 128, 4
ALONE, TOGETHER = 2, 3
"""Layers in which each frame looks at itself only, and in which two look at each other and then, but for the last, again at themselves."""
PAIR = 24
"""Width of what is made of two regions' relation."""
_CHUNK = 8192
"""Pairs at a time: what fits into a core's cache."""
FEATURES = LOOKS + 49
RELATIONS, COMPARISONS = 9, 16
"""Numbers that tell how two regions of one frame lie to each other, and how two of different frames compare."""

WEIGHTS = Path(__file__).with_name("matcher.safetensors")

Parameters = Mapping[str, Floats]


@dataclass(frozen=True)
class Seen:
    """A frame's n regions after looking at each other."""

    tokens: Floats
    """(n, WIDTH)"""
    biases: Floats
    """(TOGETHER - 1, HEADS, n, n)"""


@cache
def parameters() -> Parameters:
    """The weights that come with Pegbar."""
    return {name: value.astype(np.float32) for name, value in load_file(WEIGHTS).items()}


# --- what goes in


def features(regions: Regions) -> Floats:
    """(n, FEATURES) what there is to know about each region by itself."""
    place: Floats = regions.centre - np.float32(0.5)
    spread = regions.moments[:, 0] + regions.moments[:, 2]
    logs = np.stack([np.log(regions.area), *np.log(regions.extent).T, np.log(spread / regions.area)], 1) / 3
    lean = np.stack([regions.moments[:, 0] - regions.moments[:, 2], 2 * regions.moments[:, 1]], 1) / spread[:, None]
    fill = regions.area / regions.extent.prod(1)
    degree = np.log1p(np.bincount(regions.neighbours[:, 0], minlength=len(regions)))
    fineness = np.log(np.minimum(regions.pixels, 400)) / 6
    waves = [_waves(place, 4), _waves(logs[:, :3].astype(np.float32), 3)]
    columns = [2 * place, logs, lean, regions.contact, *(v[:, None] for v in (fill, degree, fineness)), *waves]
    return np.concatenate([regions.looks / np.float32(255), *columns], 1).astype(np.float32)


def _waves(values: Floats, octaves: int) -> Floats:
    """(n, 2 · k · octaves) sines and cosines of (n, k) values."""
    phases = (values[..., None] * np.float32(np.pi) * 2.0 ** np.arange(octaves, dtype=np.float32)).reshape(len(values), -1)
    return np.concatenate([np.sin(phases), np.cos(phases)], 1)


def relations(regions: Regions) -> Floats:
    """(RELATIONS, n, n) how the second region lies to the first: where, how large, how much of the outline they share and on which side."""
    n = len(regions)
    out = np.zeros((RELATIONS, n, n), np.float32)
    _lie(out, regions, regions)
    first, second = regions.neighbours.T
    out[4, first, second] = regions.border
    out[5, second, first] = regions.border
    out[6, first, second] = 1
    out[7:, first, second] = regions.towards.T / np.maximum(np.hypot(*regions.towards.T), 1e-6)
    return out


def comparisons(one: Regions, other: Regions) -> Floats:
    """(COMPARISONS, n, m) how each region of one frame compares to each of another, both taken as lying in the same place."""
    out = np.empty((COMPARISONS, len(one), len(other)), np.float32)
    _lie(out, one, other)
    for axis in (0, 1):
        out[4 + axis] = _apart(np.log(one.extent[:, axis]), np.log(other.extent[:, axis]))
    np.abs(out[3], out=out[6])
    for k, part in enumerate((MASK, SHAPE, TURNED, *AROUND)):
        np.matmul(_unit(one.looks, part, k > 2), _unit(other.looks, part, k > 2).T, out=out[7 + k])
    out[13] = overlap(one, other)
    out[14] = overlap(other, one).T
    out[15] = sum(np.abs(_apart(one.contact[:, side], other.contact[:, side])) for side in range(4))
    return out


_MIRROR = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 13, 15])
_OPPOSITE = np.array([-1, -1, 1, -1, -1, -1] + [1] * 10, np.float32)
"""Which comparison is which seen from the other frame, and of what sign."""


def turned_round(compared: Floats) -> Floats:
    """The comparisons (COMPARISONS, n, m) seen from the other frame, (COMPARISONS, m, n)."""
    return compared[_MIRROR].transpose(0, 2, 1) * _OPPOSITE[:, None, None]


def _lie(out: Floats, one: Regions, other: Regions) -> None:
    """Where the second lies seen from the first, how far, and how much larger it is, on scales that bend: the first four of `out`."""
    for axis in (0, 1):
        out[axis] = _apart(one.centre[:, axis], other.centre[:, axis])
    out[2] = np.log1p(64 * np.hypot(out[0], out[1]))
    out[:2] = np.copysign(np.log1p(16 * np.abs(out[:2])), out[:2])
    out[3] = _apart(np.log(one.area), np.log(other.area)) / 2


def _apart(one: Floats, other: Floats) -> Floats:
    return other[None] - one[:, None]


def _unit(looks: NDArray[np.uint8], part: slice, centred: bool) -> Floats:
    rows = looks[:, part].astype(np.float32)
    if centred:
        rows -= rows.mean(1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1)


def overlap(target: Regions, source: Regions, moved: Floats | None = None) -> Floats:
    """(t, s) the share of each target region that lies on each source region once its motion (t, 2) is taken back."""
    rows, columns = source.plan.shape
    at = (target.points if moved is None else target.points - moved[:, None]) * max(rows, columns)
    x, y = np.clip(at[..., 0], 0, columns - 1).astype(np.intp), np.clip(at[..., 1], 0, rows - 1).astype(np.intp)
    code = np.arange(len(target))[:, None] * len(source) + source.plan[y, x]
    counts = np.bincount(code.ravel(), minlength=len(target) * len(source))
    return (counts.reshape(len(target), len(source)) / np.float32(POINTS)).astype(np.float32)


# --- the network


def look(p: Parameters, regions: Regions) -> Seen:
    """A frame's regions as they see each other; once a frame, whatever it is matched with."""
    x = _silu(features(regions) @ p["embed.0.weight"].T + p["embed.0.bias"]) @ p["embed.2.weight"].T + p["embed.2.bias"]
    biases = _biases(relations(regions), p["near.0.weight"], p["near.0.bias"], p["near.2.weight"])
    for layer in range(ALONE):
        x = _block(p, f"alone.{layer}", x, x, biases[layer])
    return Seen(x, biases[ALONE:])


def compare(p: Parameters, target: tuple[Regions, Seen], source: tuple[Regions, Seen]) -> Floats:
    """(t, s + 1) logarithm of how probably each target region shows what each source region does; the last column is for none."""
    there, back = _far(p, comparisons(target[0], source[0]))
    x, y = target[1].tokens, source[1].tokens
    for layer in range(TOGETHER):
        name = f"across.{layer}"
        x, y = _block(p, name, x, y, there[layer]), _block(p, name, y, x, back[layer])
        if layer < TOGETHER - 1:
            name = f"within.{layer}"
            x, y = (_block(p, name, z, z, seen.biases[layer]) for z, (_, seen) in ((x, target), (y, source)))
    x, y = _norm(p, "last", x), _norm(p, "last", y)
    mine, theirs = _answers(p, x, y, there[TOGETHER, 0]), _answers(p, y, x, back[TOGETHER, 0])
    mine[:, :-1] += p["mutual"] * theirs[:, :-1].T
    return _log_softmax(mine)


def _answers(p: Parameters, x: Floats, y: Floats, bias: Floats) -> Floats:
    """(n, m + 1) what one frame alone answers."""
    scores = (x @ p["query.weight"].T) @ (y @ p["key.weight"].T).T / np.float32(WIDTH**0.5) + bias
    return _log_softmax(np.concatenate([scores, x @ p["none.weight"].T + p["none.bias"]], 1))


def _log_softmax(scores: Floats) -> Floats:
    scores = scores - scores.max(1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(1, keepdims=True))


def _far(p: Parameters, compared: Floats) -> tuple[Floats, Floats]:
    """(k, HEADS, n, m) and (k, HEADS, m, n) what comparisons add to attention from the one frame to the other, and back."""
    weight, out = p["far.0.weight"], p["far.2.weight"]
    there = _biases(compared, weight, p["far.0.bias"], out)
    back = _biases(compared, weight[:, _MIRROR] * _OPPOSITE[_MIRROR], p["far.0.bias"], out)
    return there, back.swapaxes(2, 3)


def _biases(pairs: Floats, weight: Floats, bias: Floats, out: Floats) -> Floats:
    """(k, HEADS, n, m) what pairs' relations (c, n, m) add to each layer's attention."""
    width, *shape = pairs.shape
    flat = pairs.reshape(width, -1)
    found = np.empty((len(out), flat.shape[1]), np.float32)
    for start in range(0, flat.shape[1], _CHUNK):
        hidden = weight @ flat[:, start : start + _CHUNK]
        hidden += bias[:, None]
        np.matmul(out, np.maximum(hidden, 0, out=hidden), out=found[:, start : start + _CHUNK])
    return found.reshape(-1, HEADS, *shape)


def _block(p: Parameters, name: str, x: Floats, y: Floats, bias: Floats) -> Floats:
    """Attention from regions (n, c) to regions (m, c), and what each makes of it."""
    seen = _norm(p, f"{name}.norm", x)
    given = seen if y is x else _norm(p, f"{name}.norm", y)
    q = _heads(seen @ p[f"{name}.query.weight"].T) * np.float32((WIDTH / HEADS) ** -0.5)
    k, v = (_heads(half) for half in np.split(given @ p[f"{name}.pair.weight"].T, 2, axis=1))
    share = q @ k.transpose(0, 2, 1)
    share += bias
    share -= share.max(-1, keepdims=True)
    np.exp(share, out=share)
    taken = (share @ v) / share.sum(-1, keepdims=True)
    x = x + taken.transpose(1, 0, 2).reshape(len(x), WIDTH) @ p[f"{name}.out.weight"].T
    hidden = _silu(_norm(p, f"{name}.norm2", x) @ p[f"{name}.grow.weight"].T + p[f"{name}.grow.bias"])
    return x + hidden @ p[f"{name}.shrink.weight"].T


def _heads(x: Floats) -> Floats:
    return x.reshape(len(x), HEADS, -1).transpose(1, 0, 2)


def _norm(p: Parameters, name: str, x: Floats) -> Floats:
    centred = x - x.mean(1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(1, keepdims=True) + np.float32(1e-5)) * p[f"{name}.weight"] + p[f"{name}.bias"]


def _silu(x: Floats) -> Floats:
    return x / (1 + np.exp(-x))
