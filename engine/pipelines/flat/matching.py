"""Which colour each region of a frame has, from frames whose colours are known.

`match` is the one door. Who is who between two frames the network says (`network.py`); here several frames' words become one. Knows no
pixel and no file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .description import Floats, Regions
from .network import Seen, compare, look, parameters


@dataclass(frozen=True)
class Coloured:
    """A frame whose regions have colours, to match from."""

    regions: Regions
    chances: Floats
    """(n, p) how probably each region has each colour of the palette."""
    trust: float = 1.0
    """How much this frame's word counts beside others'."""


@dataclass(frozen=True)
class Matched:
    """What came of matching one frame of n regions."""

    chances: Floats
    """(n, p) how probably each region has each colour of the palette; rows add up to 1."""
    partner: NDArray[np.int32]
    """(n, 2) what each region is the same as or a part of: which of the frames matched from, and its region there; -1, -1 for none."""
    sure: Floats
    """(n,) how surely that is so: what a correction is carried along."""


_SHARP = 2.0
"""How much more is heard of who is sure."""
_DOUBT = 0.01
"""Chance that a region has any colour whatever is said of it."""
_UNLIKE = np.float32(0.02)
"""What is left of the chance that two regions of other colours are one, as long as it is asked how things moved: as in training."""
_PARTNER = 0.1
"""How surely a region must be another one, or a part of it, for the two to have the same colour where the artist corrects one."""
_AGAIN = 0.3
"""How much of that a frame farther away can say."""


def match(target: Regions, sources: Sequence[Coloured]) -> Matched:
    """The colours of a frame's regions, from the frames whose colours are known; the first of these is the nearest in time.

    Each source speaks for itself, but how things moved since one is told with the colours in mind that those before it gave. The result is
    their geometric mean, weighted by trust and by how sure each is of the region: an opinion that is repeated frame after frame does not
    grow by that, and who has not seen a region is not heard.
    """
    partner, sure = np.full((len(target), 2), -1, np.int32), np.full(len(target), _PARTNER, np.float32)
    logs = np.zeros((len(target), sources[0].chances.shape[1]), np.float32)
    whole = np.zeros((len(target), 1), np.float32)
    for i, source in enumerate(sources):
        known = np.maximum(_mean(logs, whole) @ source.chances.T, _UNLIKE) if i else None
        pairs = pairing(target, source.regions, known)
        best, share = pairs[:, :-1].argmax(1), pairs[:, :-1].max(1) * np.float32(_AGAIN if i else 1)
        partner[share > sure] = np.stack([np.full(len(best), i), best], 1)[share > sure]
        sure = np.maximum(share, sure)
        chances = chances_of(pairs, source.chances)
        weight = np.float32(source.trust) * chances.max(1, keepdims=True) ** np.float32(_SHARP)
        logs += weight * np.log(chances)
        whole += weight
    return Matched(_mean(logs, whole), partner, np.where(partner[:, 0] < 0, 0, sure))


def _mean(logs: Floats, whole: Floats) -> Floats:
    """(n, p) chances from the weighted sums of their logarithms (n, p) and the sums of the weights (n, 1)."""
    chances = np.exp((logs - logs.max(1, keepdims=True)) / whole)
    return chances / chances.sum(1, keepdims=True)


def pairing(target: Regions, source: Regions, known: Floats | None = None) -> Floats:
    """(t, s + 1) how probably each target region shows what each source region does; the last column is for none. `known` (t, s): see
    `compare`."""
    return np.exp(compare(parameters(), (target, _seen(target)), (source, _seen(source)), known))


@lru_cache(maxsize=6)
def _seen(regions: Regions) -> Seen:
    """What a frame sees in itself; the next frames are matched from it again."""
    return look(parameters(), regions)


def chances_of(pairs: Floats, chances: Floats) -> Floats:
    """The colours' chances (t, p) that follow from the regions' (t, s + 1); what is unseen can have any."""
    p = chances.shape[1]
    return ((1 - _DOUBT) * (pairs[:, :-1] @ chances + pairs[:, -1:] / p) + _DOUBT / p).astype(np.float32)
