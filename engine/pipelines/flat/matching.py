"""Which colour each region of a frame has, from frames whose colours are known: by shape, place, neighbours and motion.

`match` is the one door: a matcher of another kind takes its place by the same signature. Knows no pixel and no file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .description import POINTS, Floats, Regions


@dataclass(frozen=True)
class Coloured:
    """A frame whose regions have colours, to match from."""

    regions: Regions
    chances: Floats
    """(n, p) how probably each region has each colour of the palette."""
    velocity: Floats
    """(n, 2) how far each region moved on the way to this frame."""
    travelled: Floats
    """(n, 2) how far each region has moved since the reference."""
    origin: NDArray[np.int32]
    """(n,) which of the reference's regions each region is."""
    known: Floats
    """(n,) how surely that is so."""
    trust: float = 1.0
    """How much this frame's word counts beside others'."""


@dataclass(frozen=True)
class Matched:
    """What came of matching one frame of n regions."""

    chances: Floats
    """(n, p) how probably each region has each colour of the palette; rows add up to 1."""
    velocity: Floats
    """(n, 2) how far each region moved since the first of the frames matched from."""
    travelled: Floats
    """(n, 2) how far each region has moved since the reference."""
    origin: NDArray[np.int32]
    """(n,) which of the reference's regions each region is."""
    known: Floats
    """(n,) how surely that is so."""
    partner: NDArray[np.int32]
    """(n, 2) what each region is the same as or a part of: which of the frames matched from, and its region there; -1, -1 for none."""
    sure: Floats
    """(n,) how surely that is so: what a correction is carried along."""


@dataclass(frozen=True)
class Weights:
    """How much each difference of two regions counts against their being the same; fitted once (see NOTES.md)."""

    area: float = 1.2
    extent: float = 2.0
    mask: float = 13.0
    turned: float = 1.5
    context: float = 8.5
    roundness: float = 4.1
    contact: float = 0.084
    degree: float = 0.16
    place: float = 0.91
    place_scale: float = 0.011
    neighbours: float = 4.2
    fragment: float = -7.0
    overlap: float = 2.0
    unseen: float = -10.0
    crowding: float = 4.5
    budget: float = 1.7
    around: float = 0.0063
    closed: float = 0.031
    sharp: float = 2.5
    iterations: int = 4


NEAR = Weights()
FAR = Weights(
    extent=2.8,
    mask=7.7,
    turned=3.6,
    contact=0.24,
    degree=0.092,
    place=0.65,
    place_scale=0.0052,
    neighbours=5.6,
    overlap=4.0,
    unseen=-16.0,
    crowding=0.77,
    budget=2.0,
    around=0.0088,
    closed=0.063,
    iterations=6,
)
"""Frames side by side, and frames far apart in time."""

_CARRY = 1.25

_KIN, _FOUND_AGAIN = 2.0, 0.3
"""How much it counts, frames far apart, that two regions go back to one of the reference's; and how much of what is known of a region is
still known where it was hidden and is found again."""

_PARTNER = 0.1
"""How surely a region must be another one, or a part of it, for the two to have the same colour where the artist corrects one."""

_RING = np.array([[r * np.cos(a), r * np.sin(a)] for r in (0.4, 0.7, 1.0) for a in np.linspace(0, 2 * np.pi, 12, endpoint=False) + r])
"""Points around a region, in units of how far one looks."""


def match(target: Regions, sources: Sequence[Coloured]) -> Matched:
    """The colours of a frame's regions, from the frames whose colours are known; the first of these is the nearest in time.

    Each source speaks for itself; the result is their geometric mean, weighted by trust and by how sure each is of the region: an opinion
    that is repeated frame after frame does not grow by that, and who has not seen a region is not heard.
    """
    unmoved = np.zeros((len(target), 2), np.float32)
    velocity, travelled = unmoved, unmoved
    origin, known = np.zeros(len(target), np.int32), np.zeros(len(target), np.float32)
    partner, sure = np.full((len(target), 2), -1, np.int32), np.full(len(target), _PARTNER, np.float32)
    logs = np.zeros((len(target), sources[0].chances.shape[1]), np.float32)
    whole = np.zeros((len(target), 1), np.float32)
    descent = origin, known
    for i, source in enumerate(sources):
        weights = FAR if i else NEAR
        if i == 0:
            place = source.regions.centre + source.velocity
            pairs, same, velocity = correspondence(target, place, source.regions, unmoved, weights)
            seen = pairs[:, :-1]
            travelled = velocity + seen @ source.travelled / np.maximum(seen.sum(1, keepdims=True), 1e-6)
            origin, known = descent = _descent(same, source)
        else:
            place = source.regions.centre - source.travelled
            pairs, same, _ = correspondence(target, place, source.regions, travelled, weights, _kinship(*descent, source))
            again, surely = _descent(same, source)
            surely = surely * np.float32(_FOUND_AGAIN)
            origin, known = np.where(surely > known, again, origin), np.maximum(surely, known)
        best, share = pairs[:, :-1].argmax(1), pairs[:, :-1].max(1) * np.float32(_FOUND_AGAIN if i else 1)
        partner[share > sure] = np.stack([np.full(len(best), i), best], 1)[share > sure]
        sure = np.maximum(share, sure)
        chances = chances_of(pairs, target, source, weights)
        weight = np.float32(source.trust) * chances.max(1, keepdims=True) ** np.float32(NEAR.sharp)
        logs += weight * np.log(chances)
        whole += weight
    chances = np.exp((logs - logs.max(1, keepdims=True)) / whole)
    return Matched(
        chances / chances.sum(1, keepdims=True), velocity, travelled, origin, known, partner, np.where(partner[:, 0] < 0, 0, sure)
    )


def coloured(regions: Regions, found: Matched) -> Coloured:
    """A frame that was matched, to match the next ones from."""
    return Coloured(regions, found.chances, found.velocity, found.travelled, found.origin, found.known)


def carried(chances: Floats) -> Floats:
    """The chances of the drawing just before, as they go on from it: each passing on flattens them a little, and this takes that back."""
    sharp = chances ** np.float32(_CARRY)
    return sharp / sharp.sum(1, keepdims=True)


def _descent(same: Floats, source: Coloured) -> tuple[NDArray[np.int32], Floats]:
    """(t,) which of the reference's regions each target region is by what it is the same as, and how surely."""
    best = same.argmax(1)
    return source.origin[best], same.max(1) * source.known[best]


def _kinship(origin: NDArray[np.int32], known: Floats, source: Coloured) -> Floats:
    """(t, s) what it speaks for each pair that both go back to one region of the reference, by following them drawing by drawing."""
    kin = (origin[:, None] == source.origin[None]) * known[:, None] * source.known[None]
    return (_KIN * kin).astype(np.float32)


def chances_of(pairs: Floats, target: Regions, source: Coloured, weights: Weights = NEAR) -> Floats:
    """The colours' chances that follow from the regions' (t, s + 1): what is unseen has the colours that lie around it, or any."""
    p = source.chances.shape[1]
    around = _around(target, source.regions, weights) @ source.chances
    unseen = 0.9 * around + 0.1 / p
    return (0.99 * (pairs[:, :-1] @ source.chances + pairs[:, -1:] * unseen) + 0.01 / p).astype(np.float32)


def _around(target: Regions, source: Regions, weights: Weights) -> Floats:
    """(t, s) how much of each source region lies around each target region, open ones, that reach the frame's edge, counting more."""
    rows, columns = source.plan.shape
    reach = weights.around + 1.5 * np.sqrt(target.area)
    at = target.centre[:, None] + _RING[None] * reach[:, None, None]
    at = at * max(rows, columns)
    x, y = np.clip(at[..., 0], 0, columns - 1).astype(np.intp), np.clip(at[..., 1], 0, rows - 1).astype(np.intp)
    code = np.arange(len(target))[:, None] * len(source) + source.plan[y, x]
    counts = np.bincount(code.ravel(), minlength=len(target) * len(source)).reshape(len(target), len(source))
    share = counts * (weights.closed + (1 - weights.closed) * source.contact.max(1))[None]
    return (share / np.maximum(share.sum(1, keepdims=True), 1e-6)).astype(np.float32)


def correspondence(
    target: Regions, place: Floats, source: Regions, moved: Floats, weights: Weights, kinship: Floats | None = None
) -> tuple[Floats, Floats, Floats]:
    """How probably each target region is each source region or a part of it, (t, s + 1), the last column for none; how probably it is the
    same, (t, s); and how far each has moved, (t, 2).

    `place` (s, 2) is where the source regions are expected, `moved` (t, 2) how far from there the target's are thought to have gone,
    `kinship` (t, s) what else speaks for each pair's being the same.

    Relaxation labelling (Rosenfeld, Hummel and Zucker, Scene Labeling by Relaxation Operations, 1976): each round believes a pair more where
    it moves as the pairs around it do, and where its neighbours are paired with its partner's neighbours on the same side.
    """
    alike = -_difference(target, source, weights)
    if kinship is not None:
        alike += kinship
    field = moved
    support = np.zeros((len(target), len(source)), np.float32)
    still = _overlap(target, source, np.zeros_like(moved))
    scale = np.sqrt(np.maximum(target.area[:, None], source.area[None]))
    kernels = _kernels(target)
    sides = _sides(target), _sides(source)
    pairs = np.zeros((len(target), len(source) + 1), np.float32)
    whole = pairs[:, :-1]
    for iteration in range(weights.iterations):
        gap = target.centre - field
        away = np.hypot(gap[:, 0, None] - place[None, :, 0], gap[:, 1, None] - place[None, :, 1])
        slack = weights.place_scale * (2.0 if iteration == 0 else 1.0) + 0.15 * scale
        over = np.maximum(still, _overlap(target, source, field))
        same = alike - weights.place * np.log1p((away / slack) ** 2) + weights.neighbours * support
        part = np.float32(weights.fragment) + np.float32(weights.overlap) * (over - 1)
        pairs, whole = _shares(same, part, target.area, source.area, weights)
        field = _field(target, place, pairs, kernels, iteration / max(1, weights.iterations - 1))
        support = _support(pairs[:, :-1], *sides)
    seen = 1 - pairs[:, -1:]
    partner = (pairs[:, :-1] @ source.centre) / np.maximum(seen, 1e-6)
    return pairs, whole, np.where(seen > 0.5, target.centre - partner, field).astype(np.float32)


def _difference(target: Regions, source: Regions, weights: Weights) -> Floats:
    """(t, s) the weighted sum of what sets two regions apart, wherever they lie."""

    def apart(one: Floats, other: Floats) -> Floats:
        return np.abs(one[:, None] - other[None])

    # The smaller a region, the less its measures say: pixels and anti-aliasing blur them.
    total = weights.area * 0.5 * apart(np.log(target.area), np.log(source.area))
    for axis in (0, 1):
        total += weights.extent * 0.5 * apart(np.log(target.extent[:, axis]), np.log(source.extent[:, axis]))
    total += weights.mask * (1 - target.mask @ source.mask.T)
    total += weights.turned * (1 - np.max([target.silhouette[0] @ turned.T for turned in source.silhouette], axis=0))
    total += weights.context * (1 - target.context @ source.context.T) * 0.5
    total += weights.roundness * apart(_roundness(target), _roundness(source))
    total += weights.contact * sum(apart(target.contact[:, side], source.contact[:, side]) for side in range(4))
    total += weights.degree * apart(_degree(target), _degree(source))
    return total


def _roundness(regions: Regions) -> Floats:
    """The logarithm of how far a region's pixels lie from its centre for its area: turning and scaling do not change it."""
    return np.log((regions.moments[:, 0] + regions.moments[:, 2]) / regions.area)


def _degree(regions: Regions) -> Floats:
    return np.log1p(np.bincount(regions.neighbours[:, 0], minlength=len(regions)).astype(np.float32))


def _shares(same: Floats, part: Floats, area: Floats, source_area: Floats, weights: Weights) -> tuple[Floats, Floats]:
    """Scores of being the same region, or a part of what one was, to shares (t, s + 1) that add up to 1 in each row; and those of the same.

    Only one region can be the same as another: a source wanted by several targets gives each less. It may have several parts, but what is
    left of its area must do for them.
    """
    best = np.maximum(np.maximum(same.max(1), part.max(1)), weights.unseen)[:, None]
    whole, piece, none = np.exp(same - best), np.exp(part - best), np.exp(weights.unseen - best)
    full = piece
    for _ in range(3):
        share = whole / (whole.sum(1, keepdims=True) + piece.sum(1, keepdims=True) + none)
        left = source_area[None] - (share * area[:, None]).sum(0, keepdims=True) + share * area[:, None]
        piece = full * np.clip(left / area[:, None], 0.02, 1) ** weights.budget
        whole /= np.maximum(share.sum(0, keepdims=True), 1) ** weights.crowding
    total = whole.sum(1, keepdims=True) + piece.sum(1, keepdims=True) + none
    return (np.concatenate([whole + piece, none], 1) / total).astype(np.float32), (whole / total).astype(np.float32)


def _kernels(target: Regions) -> tuple[Floats, Floats]:
    """(t, t) how much each region's motion says about each other's: from afar, and from close by."""
    away = np.hypot(*(target.centre[:, None, axis] - target.centre[None, :, axis] for axis in (0, 1)))
    near = 0.5 * np.sqrt(target.area)
    weight = np.sqrt(np.minimum(target.area, 0.01))[None]
    broad, close = (np.exp(-0.5 * (away / (reach + near[:, None])) ** 2) * weight for reach in (0.3, 0.04))
    return broad, close


def _field(target: Regions, place: Floats, pairs: Floats, kernels: tuple[Floats, Floats], progress: float) -> Floats:
    """How far the surroundings of each target region have moved, first broadly, then closely."""
    sure = pairs[:, :-1].max(1) ** 2
    moved = target.centre - place[pairs[:, :-1].argmax(1)]
    kernel = (kernels[0] ** (1 - progress) * kernels[1] ** progress) * sure[None]
    return (kernel @ moved / np.maximum(kernel.sum(1, keepdims=True), 1e-9)).astype(np.float32)


def _overlap(target: Regions, source: Regions, moved: Floats) -> Floats:
    """(t, s) the share of each target region that lies on each source region once its motion is taken back."""
    rows, columns = source.plan.shape
    at = (target.points - moved[:, None]) * max(rows, columns)
    x, y = np.clip(at[..., 0], 0, columns - 1).astype(np.intp), np.clip(at[..., 1], 0, rows - 1).astype(np.intp)
    code = np.arange(len(target))[:, None] * len(source) + source.plan[y, x]
    counts = np.bincount(code.ravel(), minlength=len(target) * len(source))
    return (counts.reshape(len(target), len(source)) / np.float32(POINTS)).astype(np.float32)


def _sides(regions: Regions) -> list[sparse.csr_matrix]:
    """(n, n) for each of four sides: how much of each region's outline each neighbour has there; all four together of unit length."""
    angle = np.arctan2(regions.towards[:, 1], regions.towards[:, 0])
    first, second = regions.neighbours.T
    shares = [regions.border * np.maximum(np.cos(angle - side), 0) for side in (0, np.pi / 2, np.pi, -np.pi / 2)]
    length = np.sqrt(np.bincount(first, sum(share**2 for share in shares), len(regions)))
    shape = (len(regions), len(regions))
    return [sparse.csr_matrix(((share / length[first]).astype(np.float32), (first, second)), shape=shape) for share in shares]


def _support(pairs: Floats, target: list[sparse.csr_matrix], source: list[sparse.csr_matrix]) -> Floats:
    """(t, s) how much the neighbours' pairs speak for each pair, 0..1."""
    total = np.zeros_like(pairs)
    for mine, theirs in zip(target, source, strict=True):
        total += (mine @ pairs) @ theirs.T
    return total
