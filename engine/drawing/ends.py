"""The ends of a followed stroke: up to where its lines end, on along what goes on there, and no shorter where they cannot be seen."""

import numpy as np

from .centrelines import CentreLines
from .ways import Array, Found, Indices, Way, length_of

_LONGER = 0.3
"""Share of a stroke's length by which it may become longer or shorter from one frame to the next."""
_HIDDEN = 0.15
"""Share of its length by which a stroke is led on where its end cannot be seen."""


def to_ends(lines: CentreLines, points: Array, row: Indices, width: float, length: float) -> Array:
    """The stroke made as long as its lines where these end free, else no shorter than it was: an end may lie in another's ink."""
    hidden = []
    for turn in (-1, 1):
        points, row = points[::-1], row[::-1]
        rest = _rest(lines, points, row)
        if rest is None:
            hidden.append(turn)
            continue
        along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        beyond = points[-1] - rest[-1]
        way = points[-1] - points[max(len(points) - 4, 0)]
        way = way / max(float(np.linalg.norm(way)), 1e-9)
        over = float(beyond @ way)
        more = float(np.linalg.norm(np.diff(rest, axis=0), axis=1).sum()) if over < 0 else -over
        if not 0.25 < abs(more) < max(_LONGER * along[-1], 2 * width):
            continue
        path = np.concatenate([points, rest[(rest - points[-1]) @ way > 0]]) if over < 0 else points
        points = _stretched(path, along, more)
    for turn in hidden:
        points = _lengthened(points[::turn], min((length - length_of(points)) / len(hidden), _HIDDEN * length))[::turn]
    return points


def _lengthened(points: Array, more: float) -> Array:
    """A stroke led straight on at its last place."""
    if more < 0.25:
        return points
    way = points[-1] - points[max(len(points) - 8, 0)]
    end = points[-1] + way / max(float(np.linalg.norm(way)), 1e-9) * more
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    return _stretched(np.concatenate([points, end[None]]), along, more)


def _stretched(path: Array, along: Array, change: float) -> Array:
    """The places of a stroke `along` a path, with the last of them moved on by `change`, those before it by less and less."""
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    change = min(length[-1], along[-1] + change) - along[-1]
    t = ((along - along[-1]) / max(min(3 * abs(change), along[-1]), 1e-9) + 1).clip(0, 1)
    at = along + change * t * t * (3 - 2 * t)
    return np.stack([np.interp(at, length, path[:, axis]) for axis in (0, 1)], axis=1)


def _rest(lines: CentreLines, points: Array, row: Indices) -> Array | None:
    """The points of the line that a stroke's last place is on, from there to its end, where that is free."""
    seen = np.flatnonzero(row >= 0)
    if len(seen) < 2 or seen[-1] < len(row) - 4:
        return None
    last, before = int(row[seen[-1]]), int(row[seen[max(len(seen) - 4, 0)]])
    e = int(np.searchsorted(lines.offsets, last, side="right") - 1)
    heading = points[-1] - points[max(len(points) - 4, 0)]
    side = int(heading @ lines.tangents[last] > 0)
    node = int(lines.ends[e, side])
    if node < 0 or lines.degree[node] != 1 or (before == last and len(seen) > 4):
        return None
    return lines.points[last : lines.offsets[e + 1]] if side else lines.points[lines.offsets[e] : last + 1][::-1]


def continued(found: list[Found], ways: list[Way], paths: list[Array]) -> tuple[list[Found], set[int]]:
    """Strokes made longer by paths that go on where they end, and which paths those are."""
    found, used = list(found), set()
    for i, (at, way) in enumerate(zip(found, ways, strict=True)):
        if not at.seen or way.closed or len(at.points) < 4:
            continue
        limit = max(_LONGER * length_of(at.points), 3 * way.width)
        for turn in (1, -1):
            points = found[i].points[::turn]
            heading = points[-1] - points[max(len(points) - 6, 0)]
            heading = heading / max(float(np.linalg.norm(heading)), 1e-9)
            best, least, more = -1, np.inf, points[:0]
            for j, path in enumerate(paths):
                if j in used or len(path) < 2 or length_of(path) > limit:
                    continue
                for one in (path, path[::-1]):
                    gap = float(np.linalg.norm(one[0] - points[-1]))
                    away = one[-1] - one[0]
                    ahead = float(heading @ away) / max(float(np.linalg.norm(away)), 1e-9)
                    if gap < 1.5 * way.width + 3 and ahead > 0.7 and gap < least:
                        best, least, more = j, gap, one
            if best >= 0:
                more = more[(more - points[-1]) @ heading > 0]
                path = np.concatenate([points, more])
                along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
                longer = _stretched(path, along, length_of(path) - along[-1])[::turn]
                found[i] = Found(True, longer, found[i].widths, found[i].on)
                used.add(best)
    return found, used
