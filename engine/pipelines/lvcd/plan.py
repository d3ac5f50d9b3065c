"""A shot as runs of the model: which drawings each paints, in which direction of time, from which reference, and at what size.

Numbers alone: knows no picture, no file and no network.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, log

FIRST, NEXT = 15, 10
"""Drawings that the first segment of a run paints, and each further one (SPEC §7.1)."""
SIDE = 64
"""Both sides of the size worked at are multiples of so many pixels (SPEC §1.1)."""
_ASPECT = 9 / 5
"""Width over height of the size that the model was trained at, 576x320."""
_AREA_COUNTS = 0.15
"""How much being larger or smaller than asked for counts beside being stretched as much."""
_AREA_WITHIN = 1.35


@dataclass(frozen=True)
class Run:
    """One painting from a reference onwards. Its first drawing is the reference's own."""

    reference: int
    """The reference's frame number."""
    drawings: tuple[int | None, ...]
    """Which drawing of the shot comes at each place, 15 + 10 k in all; None for a reference that shows none of the shot's drawings."""
    shares: tuple[float, ...]
    """How much of each comes into the result: 0 for the reference's own where it is pasted, and for padding; between 0 and 1 at a seam."""

    @property
    def segments(self) -> int:
        return (len(self.drawings) - FIRST) // NEXT + 1

    @property
    def painted(self) -> frozenset[int]:
        """The drawings of which something comes into the result."""
        return frozenset(d for d, share in zip(self.drawings, self.shares, strict=True) if d is not None and share > 0)


def anchored(numbers: tuple[int, ...], starts: Sequence[int], last: int) -> dict[int, int]:
    """Where each reference that is of use stands: its drawing -> its frame number.

    `starts` are the first frames of the shot's drawings, `last` is its last frame. A reference before the shot stands at -1, one after it
    behind the last drawing; of several at one place only the nearest is of use: the last before the shot, else the first.
    """
    places: dict[int, int] = {}
    for number in sorted(numbers):
        if number < starts[0]:
            places[-1] = number
        else:
            places.setdefault(bisect_right(starts, number) - 1 if number <= last else len(starts), number)
    return dict(sorted(places.items()))


def runs(drawings: int, anchors: Mapping[int, int], blend: int, pasted: bool) -> tuple[Run, ...]:
    """The runs that paint a shot of so many drawings, in order of time.

    Each drawing is painted from the nearest reference on either side, forwards from the one before it and backwards from the one after it;
    half-way between two references both runs paint up to `blend` drawings, whose shares pass smoothly from one to the other. Where they are
    `pasted`, the references' own drawings are painted only as the model's start.
    """
    found = []
    places = sorted(anchors)
    if not places:
        return ()
    shares: dict[tuple[int, int], dict[int, float]] = {(place, way): {} for place in places for way in (-1, 1)}
    shares[places[0], -1] |= dict.fromkeys(range(places[0]), 1.0)
    shares[places[-1], 1] |= dict.fromkeys(range(places[-1] + 1, drawings), 1.0)
    for a, b in pairwise(places):
        for drawing, share in _seam(a, b, blend):
            shares[a, 1][drawing], shares[b, -1][drawing] = 1 - share, share
    for place in places:
        if not pasted and 0 <= place < drawings:
            shares[place, 1 if any(shares[place, 1].values()) or not any(shares[place, -1].values()) else -1][place] = 1.0
    for (place, way), painted in sorted(shares.items()):
        if any(painted.values()):
            found.append(_run(anchors[place], place, way, painted, drawings))
    return tuple(found)


def fitted(size: tuple[int, int], working_width: int) -> tuple[int, int]:
    """The width and height to work at: multiples of 64 of about the area that a 9:5 picture of `working_width` has.

    The picture is stretched to it and the result back. Of the sizes within a third of that area the least stretched is taken, by under 8 %
    for any proportions up to 3:1 at the default; the model was trained on 16:9 pictures stretched to 9:5. Padding would paint a border that
    no training picture had, and waste time on it.
    """
    width, height = size
    area = max(working_width * working_width / _ASPECT, SIDE * SIDE)

    def cost(sides: tuple[int, int]) -> float:
        w, h = sides
        return abs(log(w * height / (h * width))) + _AREA_COUNTS * abs(log(w * h / area))

    longest = ceil(area * _AREA_WITHIN / SIDE / SIDE)
    sides = [(w * SIDE, h * SIDE) for w in range(1, longest + 1) for h in range(1, longest // w + 1)]
    near = [(w, h) for w, h in sides if 1 / _AREA_WITHIN <= w * h / area <= _AREA_WITHIN]
    return min(near or sides, key=cost)


def _seam(a: int, b: int, blend: int) -> Iterator[tuple[int, float]]:
    """Each drawing between two references with the share that the later one has in it: 0, then a smooth step half-way, then 1."""
    between = b - a - 1
    width = min(blend, between)
    start = a + 1 + (between - width) // 2
    for drawing in range(a + 1, b):
        t = min(max((drawing - start + 1) / (width + 1), 0.0), 1.0)
        yield drawing, t * t * (3 - 2 * t)


def _run(reference: int, place: int, way: int, painted: Mapping[int, float], drawings: int) -> Run:
    """A run long enough for what is painted. It is filled up with the shot's next drawings, or its last where there are no more."""
    reach = max(abs(drawing - place) for drawing, share in painted.items() if share > 0) + 1
    length = FIRST + NEXT * max(0, ceil((reach - FIRST) / NEXT))
    clipped = [min(max(place + way * step, 0), drawings - 1) for step in range(1, length)]
    own = place if 0 <= place < drawings else None
    wanted = [painted.get(place + way * step, 0.0) for step in range(length)]
    return Run(reference, (own, *clipped), tuple(wanted))
