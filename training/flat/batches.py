"""Pairs of frames of one clip in padded batches, each a function of the seed and its number alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.pipelines.flat.description import POINTS, Regions
from engine.pipelines.flat.network import COMPARISONS, FEATURES, RELATIONS, comparisons, features, relations, turned_round

from .clips import Drawings, turned
from .network import Places

POOL = 16
"""Batches that are drawn together and sorted by the number of regions, so that little is padded."""
_REGIONS = 600
"""Regions of one side of a batch, padding and all."""


_STEP = 16
"""What the regions of a side are padded to a multiple of: few shapes, for each of which a processor's kernels are made anew."""
_TOLD = 0.25
"""Share of frames of which one knows most answers."""


@dataclass(frozen=True)
class Batch:
    """b pairs of frames, n regions each at most; first all the one frames, then all the others."""

    features: Tensor
    relations: Tensor
    there: Tensor
    back: Tensor
    real: Tensor
    """(2 b, n)"""
    right: Tensor
    """(2 b, n, n + 1) which answers are right for each region: those of its colour, else none."""
    judged: Tensor
    """(2 b, n) which regions have one colour."""
    small: Tensor
    """(2 b, n) which regions are small."""
    known: Tensor
    """(2 b, n, n) what is left of each answer where some are known: small where it is wrong."""
    places: Places


def pool(drawings: Drawings, seed: int, number: int, mirrored: bool = True) -> list[Batch]:
    """The batches of one pool, in the order in which they are trained on."""
    rng = np.random.default_rng([seed, number])
    pairs = _drawn(drawings, rng)
    groups = _grouped(drawings, pairs)
    return [batch(drawings, groups[k], rng if mirrored else None) for k in rng.permutation(len(groups))]


def _drawn(drawings: Drawings, rng: np.random.Generator) -> NDArray[np.intp]:
    """(k, 2) frames of one clip each, enough for a pool."""
    starts = np.flatnonzero(np.diff(drawings.clip, prepend=-1))
    lengths = np.diff(np.append(starts, len(drawings.clip)))
    count = POOL * _REGIONS // int(drawings.counts.mean() * 1.15)
    chosen = rng.integers(0, len(starts), count)
    first = rng.integers(0, lengths[chosen])
    second = (first + 1 + rng.integers(0, lengths[chosen] - 1)) % lengths[chosen]
    return starts[chosen, None] + np.stack([first, second], 1)


def _grouped(drawings: Drawings, pairs: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Pairs of like size, as many together as a batch holds."""
    sizes = _padded(drawings.counts[pairs].max(1))
    groups: list[list[int]] = [[]]
    for pair in np.argsort(sizes, kind="stable"):
        if groups[-1] and (len(groups[-1]) + 1) * sizes[pair] > _REGIONS:
            groups.append([])
        groups[-1].append(int(pair))
    return [pairs[group] for group in groups]


def _padded(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return -(-counts // _STEP) * _STEP


def batch(drawings: Drawings, pairs: NDArray[np.intp], rng: np.random.Generator | None = None) -> Batch:
    """The pairs (b, 2) as tensors, mirrored at random where there is chance."""
    b = len(pairs)
    n = int(_padded(drawings.counts[pairs].max()))
    feats, rels = np.zeros((2 * b, n, FEATURES), np.float32), np.zeros((2 * b, RELATIONS, n, n), np.float32)
    there, back = (np.zeros((b, COMPARISONS, n, n), np.float32) for _ in range(2))
    colours, area = np.full((2 * b, n), -2, np.int16), np.ones((2 * b, n), np.float32)
    centre, edge = np.zeros((2 * b, n, 2), np.float32), np.zeros((2 * b, n), bool)
    points, plans = np.zeros((2 * b, n, POINTS, 2), np.float32), []
    for k, pair in enumerate(pairs):
        seen = [drawings.frame(int(number)) for number in pair]
        frames = _mirrored([regions for regions, _ in seen], rng)
        for side, (regions, (_, own)) in enumerate(zip(frames, seen, strict=True)):
            row, m = k + side * b, len(regions)
            feats[row, :m], rels[row, :, :m, :m] = features(regions), relations(regions)
            colours[row, :m], area[row, :m] = own, regions.area
            centre[row, :m], edge[row, :m], points[row, :m] = regions.centre, regions.contact.any(1), regions.points
            plans.append((row, regions.plan))
        compared = comparisons(*frames)
        there[k, :, : len(frames[0]), : len(frames[1])] = compared
        back[k, :, : len(frames[1]), : len(frames[0])] = turned_round(compared)
    right = _right(colours)
    arrays = (feats, rels, there, back, colours > -2, right, colours >= 0, area < 60 / 128**2, _known(right, rng))
    shape = np.zeros((2 * b, 2), np.float32)
    plan = np.zeros((2 * b, *np.max([plan.shape for _, plan in plans], 0)), np.int64)
    for row, own in plans:
        shape[row], plan[row, : own.shape[0], : own.shape[1]] = own.shape, own
    places = Places(*(torch.from_numpy(array) for array in (area, centre, edge, points, plan, shape)))
    return Batch(*(torch.from_numpy(array) for array in arrays), places)


def _mirrored(frames: Sequence[Regions], rng: np.random.Generator | None) -> list[Regions]:
    if rng is None:
        return list(frames)
    how = [bool(rng.random() < chance) for chance in (0.5, 0.1, 0.1)]
    return [turned(regions, *how) if any(how) else regions for regions in frames]


def _known(right: NDArray[np.bool_], rng: np.random.Generator | None) -> NDArray[np.float32]:
    """Of most regions of some frames, that a wrong answer is wrong."""
    b, n, _ = right.shape
    told = np.zeros((b, n), bool) if rng is None else (rng.random((b, 1)) < _TOLD) & (rng.random((b, n)) < 0.8)
    return np.where(told[..., None] & ~right[..., :-1], np.float32(0.02), np.float32(1))


def _right(colours: NDArray[np.int16]) -> NDArray[np.bool_]:
    other = np.roll(colours, len(colours) // 2, 0)
    same = (colours[:, :, None] == other[:, None]) & (colours[:, :, None] >= 0)
    return np.concatenate([same, ~same.any(-1, keepdims=True)], -1)
