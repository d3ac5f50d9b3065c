"""The learned matcher: which region of one frame is which of another, by a transformer over regions (its training: `training/flat`).

Frames look at themselves, then at each other: Sarlin et al., SuperGlue, 2020; Lindenberger et al., LightGlue, 2023. Numpy alone; knows no
colour and no time. Both directions use the same weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from .description import AROUND, LOOKS, MASK, POINTS, SHAPE, TURNED, Floats, Regions

WIDTH, HEADS = 128, 4
ALONE, EARLY, LATE = 2, 2, 2
"""Layers in which each frame looks at itself only; in which two look at each other and then again at themselves before the first answer;
and such layers after it, in which it is known how things moved."""
PAIR = 24
"""Width of what is made of two regions' relation."""
_CHUNK = 8192
"""Pairs at a time: what fits into a core's cache."""
FEATURES = LOOKS + 49
RELATIONS, COMPARISONS, CARRIED = 9, 16, 11
"""Numbers that tell how two regions of one frame lie to each other, how two of different frames compare, and how they do once one frame's
regions are moved as those around them did."""

REACHES = (0.07, 0.25)
"""How far around a region one looks for how it moved."""

WEIGHTS = Path(__file__).with_name("matcher.safetensors")

Parameters = Mapping[str, Floats]


@dataclass(frozen=True)
class Seen:
    """A frame's n regions after looking at each other."""

    tokens: Floats
    """(n, WIDTH)"""
    biases: Floats
    """(EARLY + LATE - 1, HEADS, n, n)"""


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
    out[13] = overlap(one.points, other)
    out[14] = overlap(other.points, one).T
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
    out[2] = np.log(1 + 64 * _distance(out[0], out[1]))
    out[:2] = _bent(out[:2])
    out[3] = _apart(np.log(one.area), np.log(other.area)) / 2


def _bent(way: Floats) -> Floats:
    """Far less of what is far; not by log1p and hypot, which are several times as slow."""
    return np.copysign(np.log(1 + 16 * np.abs(way)), way)


def _distance(x: Floats, y: Floats) -> Floats:
    return np.sqrt(x * x + y * y)


def _apart(one: Floats, other: Floats) -> Floats:
    return other[None] - one[:, None]


def _unit(looks: NDArray[np.uint8], part: slice, centred: bool) -> Floats:
    rows = looks[:, part].astype(np.float32)
    if centred:
        rows -= rows.mean(1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1)


def carried(one: Regions, other: Regions, said: Floats) -> Floats:
    """(CARRIED, n, m) how each region of one frame compares to each of another once moved as the surer ones around it did.

    `said` (n, m + 1) are the chances of being each of the other frame's, or none.
    """
    best, sure = said[:, :-1].argmax(1), said[:, :-1].max(1)
    shift = other.centre[best] - one.centre
    alike = np.exp(-2 * np.abs(np.log(other.area[best] / one.area)))
    weight = sure**2 * alike * one.area ** np.float32(0.25) * np.where(one.contact.any(1), np.float32(0.1), np.float32(1))
    distance = _apart(one.centre[:, 0], one.centre[:, 0]) ** 2 + _apart(one.centre[:, 1], one.centre[:, 1]) ** 2
    out = np.empty((CARRIED, len(one), len(other)), np.float32)
    for reach, columns in zip(REACHES, (out[:5], out[5:10]), strict=True):
        near = np.exp(distance / np.float32(-2 * reach**2)) * weight
        np.fill_diagonal(near, 0)
        motion = _motion(near, one.centre, shift)
        moved = one.centre + motion.at(one.centre)
        for axis in (0, 1):
            columns[axis] = _apart(moved[:, axis], other.centre[:, axis])
        far = _distance(*columns[:2])
        columns[:2] = _bent(columns[:2])
        columns[2] = np.log(1 + 64 * far)
        columns[3] = np.log(1 + far * (4 / np.sqrt(one.area))[:, None])
        columns[4] = overlap(one.points + motion.at(one.points), other)
    out[10] = np.log(1 + 20 * near.sum(1))[:, None]
    return out


@dataclass(frozen=True)
class Motion:
    """How what is around each of n regions moved: by a similarity."""

    centre: Floats
    """(n, 2) about which point."""
    shift: Floats
    """(n, 2) how far that point moved."""
    turn: Floats
    """(n, 2) cosine less 1 and sine of the turn, times the growth."""

    def at(self, places: Floats) -> Floats:
        """How far places (n, 2) or (n, k, 2) of each region move."""
        centre, shift, (p, q) = self.centre, self.shift, self.turn.T
        if places.ndim == 3:
            centre, shift, p, q = centre[:, None], shift[:, None], p[:, None], q[:, None]
        x, y = np.moveaxis(places - centre, -1, 0)
        return shift + np.stack([p * x - q * y, q * x + p * y], -1)


def _motion(near: Floats, place: Floats, shift: Floats) -> Motion:
    """The motion (by least squares) that fits the shifts (n, 2) of regions at their places, each weighing `near` (n, n) for each."""
    total = near.sum(1)
    safe = total + np.float32(1e-9)
    centre, mean = (near @ value / safe[:, None] for value in (place, shift))
    (x, y), (dx, dy), (cx, cy), (mx, my) = place.T, shift.T, centre.T, mean.T

    def both(one: Floats, other: Floats, means: Floats) -> Floats:
        return near @ (one * other) - total * means

    spread = both(x, x, cx * cx) + both(y, y, cy * cy) + np.float32(0.03**2) * total + np.float32(1e-6)
    turn = [both(dx, x, mx * cx) + both(dy, y, my * cy), both(dy, x, my * cx) - both(dx, y, mx * cy)]
    return Motion(centre, mean * (safe / (total + np.float32(0.01)))[:, None], (np.stack(turn) / spread).T)


def overlap(points: Floats, source: Regions) -> Floats:
    """(t, s) the share of each region's points (t, k, 2) that lie on each source region."""
    count, (rows, columns) = len(points), source.plan.shape
    at = points * max(rows, columns)
    x, y = np.clip(at[..., 0], 0, columns - 1).astype(np.intp), np.clip(at[..., 1], 0, rows - 1).astype(np.intp)
    code = np.arange(count)[:, None] * len(source) + source.plan[y, x]
    counts = np.bincount(code.ravel(), minlength=count * len(source))
    return (counts.reshape(count, len(source)) / np.float32(POINTS)).astype(np.float32)


# --- the network


def look(p: Parameters, regions: Regions) -> Seen:
    """A frame's regions as they see each other; once a frame, whatever it is matched with."""
    x = _silu(features(regions) @ p["embed.0.weight"].T + p["embed.0.bias"]) @ p["embed.2.weight"].T + p["embed.2.bias"]
    biases = _biases([(p["near.0.weight"], relations(regions))], p["near.0.bias"], p["near.2.weight"])
    for layer in range(ALONE):
        x = _block(p, f"alone.{layer}", x, x, biases[layer])
    return Seen(x, biases[ALONE:])


def compare(p: Parameters, target: tuple[Regions, Seen], source: tuple[Regions, Seen], known: Floats | None = None) -> Floats:
    """(t, s + 1) logarithm of how probably each target region shows what each source region does; the last column is for none.

    A first answer tells how things moved, and a second one is given with that known. `known` (t, s) is multiplied with the first one's
    chances before: small where others have said that two regions are not the same.
    """
    (one, seen), (other, given) = target, source
    compared = comparisons(one, other)
    there, back = _far(p, compared)
    x, y = _looked(p, range(EARLY), (seen.tokens, given.tokens), (seen, given), (there, back))
    said, heard = _answers(p, "early", x, y, there[EARLY, 0], back[EARLY, 0])
    said, heard = np.exp(said), np.exp(heard)
    if known is not None:
        said, heard = _told(said, known), _told(heard, known.T)
    there, back = _moved(p, compared, carried(one, other, said), carried(other, one, heard))
    x, y = _looked(p, range(EARLY, EARLY + LATE), (x, y), (seen, given), (there, back))
    return _answers(p, "late", x, y, there[LATE, 0], back[LATE, 0])[0]


def _told(chances: Floats, known: Floats) -> Floats:
    """(n, m + 1) chances with what is `known` (n, m) of all but the last; rows add up to 1."""
    told = np.concatenate([chances[:, :-1] * known, chances[:, -1:]], 1)
    return told / told.sum(1, keepdims=True)


def _looked(
    p: Parameters, layers: range, tokens: tuple[Floats, Floats], seen: tuple[Seen, Seen], biases: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """Two frames' tokens after some layers in which each looks at itself, but for the very first, and then at the other."""
    x, y = tokens
    for layer, there, back in zip(layers, *biases, strict=False):  # the last biases are the answer's
        if layer:
            x, y = (_block(p, f"within.{layer - 1}", z, z, own.biases[layer - 1]) for z, own in zip((x, y), seen, strict=True))
        x, y = _block(p, f"across.{layer}", x, y, there), _block(p, f"across.{layer}", y, x, back)
    return x, y


def _answers(p: Parameters, name: str, x: Floats, y: Floats, there: Floats, back: Floats) -> tuple[Floats, Floats]:
    """(n, m + 1) and (m, n + 1) what both frames answer together."""
    x, y = _norm(p, f"{name}.norm", x), _norm(p, f"{name}.norm", y)
    mine, theirs = _alone(p, name, x, y, there), _alone(p, name, y, x, back)
    said = mine.copy()
    said[:, :-1] += p[f"{name}.mutual"] * np.maximum(theirs[:, :-1].T, -30)
    theirs[:, :-1] += p[f"{name}.mutual"] * np.maximum(mine[:, :-1].T, -30)
    return _log_softmax(said), _log_softmax(theirs)


def _alone(p: Parameters, name: str, x: Floats, y: Floats, bias: Floats) -> Floats:
    """(n, m + 1) what one frame alone answers."""
    scores = (x @ p[f"{name}.query.weight"].T) @ (y @ p[f"{name}.key.weight"].T).T / np.float32(WIDTH**0.5) + bias
    return _log_softmax(np.concatenate([scores, x @ p[f"{name}.none.weight"].T + p[f"{name}.none.bias"]], 1))


def _log_softmax(scores: Floats) -> Floats:
    scores = scores - scores.max(1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(1, keepdims=True))


def _far(p: Parameters, compared: Floats) -> tuple[Floats, Floats]:
    """(k, HEADS, n, m) and (k, HEADS, m, n) what comparisons add to attention from the one frame to the other, and back."""
    weight, rest = p["far.0.weight"], (p["far.0.bias"], p["far.2.weight"])
    return _biases([(weight, compared)], *rest), _biases([(_round(weight), compared)], *rest).swapaxes(2, 3)


def _moved(p: Parameters, compared: Floats, mine: Floats, theirs: Floats) -> tuple[Floats, Floats]:
    """The same once it is known how things moved."""
    plain, own, others = np.split(p["moved.0.weight"], [COMPARISONS, COMPARISONS + CARRIED], axis=1)
    rest = (p["moved.0.bias"], p["moved.2.weight"])
    theirs = np.ascontiguousarray(theirs.transpose(0, 2, 1))
    there = _biases([(plain, compared), (own, mine), (others, theirs)], *rest)
    return there, _biases([(_round(plain), compared), (own, theirs), (others, mine)], *rest).swapaxes(2, 3)


def _round(weight: Floats) -> Floats:
    """The weights of comparisons for what is seen from the other frame."""
    return weight[:, _MIRROR] * _OPPOSITE[_MIRROR]


def _biases(parts: Sequence[tuple[Floats, Floats]], bias: Floats, out: Floats) -> Floats:
    """(k, HEADS, n, m) what pairs' relations add to each layer's attention; `parts` are weights (PAIR, c) with relations (c, n, m)."""
    shape = parts[0][1].shape[1:]
    weight = np.concatenate([part for part, _ in parts], 1)
    flat = [pairs.reshape(len(pairs), -1) for _, pairs in parts]
    count = flat[0].shape[1]
    found = np.empty((len(out), count), np.float32)
    for start in range(0, count, _CHUNK):
        some = [pairs[:, start : start + _CHUNK] for pairs in flat]
        hidden = weight @ (np.concatenate(some) if len(some) > 1 else some[0])
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
