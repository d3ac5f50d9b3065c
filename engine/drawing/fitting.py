"""Traced points to curves that a hand can edit: cubic Béziers of few points, corners kept.

Schneider, An Algorithm for Automatically Fitting Digitized Curves (Graphics Gems, 1990), with widths. Knows no ink.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_CORNER = np.deg2rad(50)
"""Turn over a few pixels from which a line has a corner."""
_ROUNDS = 4
"""How often the places along a curve are improved before it is split."""


@dataclass(frozen=True)
class Curve:
    """A cubic Bézier spline of n control points."""

    points: Array
    """(n, 2)"""
    handles: Array
    """(n, 2, 2) left and right"""
    widths: Array
    """(n,)"""
    closed: bool


def fitted(points: Array, widths: Array, closed: bool, tolerance: float) -> Curve:
    """The spline that leaves the points (k, 2) nowhere by more than `tolerance` and the widths (k,) by little more."""
    step = np.linalg.norm(np.diff(points, axis=0), axis=1)
    keep = np.concatenate([[True], step > 1e-6])
    points, widths = points[keep], widths[keep]
    if len(points) < 3:
        return _straight(points, widths)
    corners = _corners(points, closed)
    if closed:
        first = corners[0] if len(corners) else 0
        points, widths = (np.roll(a, -first, axis=0) for a in (points, widths))
        points, widths = np.concatenate([points, points[:1]]), np.concatenate([widths, widths[:1]])
        corners = [corner - first for corner in corners[1:]]
        smooth = first == 0 and not corners
    cuts = [0, *[c for c in corners if 0 < c < len(points) - 1], len(points) - 1]
    pieces: list[tuple[Array, float, float]] = []
    for i, j in pairwise(cuts):
        start, end = _tangent(points[i : j + 1]), _tangent(points[i : j + 1][::-1])
        if closed and len(cuts) == 2 and smooth:
            way = points[min(4, len(points) - 1)] - points[max(-5, -len(points))]
            start = way / max(float(np.linalg.norm(way)), 1e-9)
            end = -start
        _fit(points[i : j + 1], widths[i : j + 1], start, end, tolerance, pieces)
    return _spline(pieces, closed)


def _straight(points: Array, widths: Array) -> Curve:
    handles = np.repeat(points[:, None], 2, axis=1)
    if len(points) == 2:
        third = (points[1] - points[0]) / 3
        handles = np.stack([points - third, points + third], axis=1)
    return Curve(points, handles, widths, False)


def _spline(pieces: list[tuple[Array, float, float]], closed: bool) -> Curve:
    control = np.array([piece for piece, _, _ in pieces])
    points = np.concatenate([control[:, 0], control[-1:, 3]])
    widths = np.array([*[first for _, first, _ in pieces], pieces[-1][2]])
    right = np.concatenate([control[:, 1], 2 * control[-1:, 3] - control[-1:, 2]])
    left = np.concatenate([2 * control[:1, 0] - control[:1, 1], control[:, 2]])
    handles = np.stack([left, right], axis=1)
    if closed:
        handles[0, 0] = handles[-1, 0]
        return Curve(points[:-1], handles[:-1], widths[:-1], True)
    return Curve(points, handles, widths, False)


def _corners(points: Array, closed: bool) -> list[int]:
    """The places at which a line turns at once."""
    apart, n = 5, len(points)
    if n < 2 * apart + 3:
        return []
    index = np.arange(n)
    before = points[(index - apart) % n if closed else np.maximum(index - apart, 0)]
    after = points[(index + apart) % n if closed else np.minimum(index + apart, n - 1)]
    into, out = points - before, after - points
    turn = np.abs(np.arctan2(into[:, 0] * out[:, 1] - into[:, 1] * out[:, 0], (into * out).sum(axis=1)))
    if not closed:
        turn[:apart] = turn[n - apart :] = 0
    found: list[int] = []
    for i in np.argsort(-turn):
        if turn[i] < _CORNER:
            break
        if all(abs(int(i) - other) > apart for other in found):
            found.append(int(i))
    return sorted(found)


def _tangent(points: Array) -> Array:
    """The direction in which a line starts, of length 1."""
    near = points[: min(6, len(points))]
    way = (near[1:] - near[0]).sum(axis=0)
    return way / max(float(np.linalg.norm(way)), 1e-9)


def _fit(points: Array, widths: Array, start: Array, end: Array, tolerance: float, pieces: list[tuple[Array, float, float]]) -> None:
    """Adds the cubics that go through the first and the last point in these directions (the last one's against the way)."""
    if len(points) == 2:
        third = np.linalg.norm(points[1] - points[0]) / 3
        pieces.append((np.array([points[0], points[0] + start * third, points[1] + end * third, points[1]]), widths[0], widths[1]))
        return
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    t = along / along[-1]
    straight = widths[0] + (widths[-1] - widths[0]) * t
    uneven = np.abs(widths - straight) - tolerance - 0.04 * widths.max()
    split = int(uneven.argmax())
    if uneven[split] <= 0 or len(points) < 6:
        for _ in range(_ROUNDS):
            control = _cubic(points, t, start, end)
            off = ((_at(control, t) - points) ** 2).sum(axis=1)
            worst = float(off.max())
            if worst <= tolerance**2:
                pieces.append((control, widths[0], widths[-1]))
                return
            split = int(off.argmax())
            if worst > (4 * tolerance) ** 2 + 1:
                break
            t = _nearer(control, points, t)
    split = min(max(split, 1), len(points) - 2)
    low, high = max(split - 3, 0), min(split + 3, len(points) - 1)
    way = points[low] - points[high]
    middle = way / max(float(np.linalg.norm(way)), 1e-9)
    _fit(points[: split + 1], widths[: split + 1], start, middle, tolerance, pieces)
    _fit(points[split:], widths[split:], -middle, end, tolerance, pieces)


def _cubic(points: Array, t: Array, start: Array, end: Array) -> Array:
    """The cubic (4, 2) nearest to the points at t: only the lengths of its two handles are free."""
    first, last = points[0], points[-1]
    s = 1 - t
    b0, b1, b2, b3 = s**3, 3 * s * s * t, 3 * s * t * t, t**3
    rest = points - np.outer(b0 + b1, first) - np.outer(b2 + b3, last)
    c00, c01, c11 = b1 @ b1, (b1 @ b2) * (start @ end), b2 @ b2
    x0, x1 = b1 @ (rest @ start), b2 @ (rest @ end)
    det = c00 * c11 - c01 * c01
    chord = float(np.linalg.norm(last - first))
    third, one, other = chord / 3, 0.0, 0.0
    if abs(det) > 1e-12:
        one, other = float((x0 * c11 - x1 * c01) / det), float((c00 * x1 - c01 * x0) / det)
    along = float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
    if min(one, other) < 1e-3 * chord or max(one, other) > along:  # where both directions are nearly one, any length would do
        one = other = third
    return np.array([first, first + start * one, last + end * other, last])


def _at(control: Array, t: Array) -> Array:
    s = 1 - t
    return np.stack([s**3, 3 * s * s * t, 3 * s * t * t, t**3], axis=1) @ control


def _nearer(control: Array, points: Array, t: Array) -> Array:
    """The places of the curve nearest to the points, by one step of Newton's from t."""
    one = 3 * np.diff(control, axis=0)
    two = 2 * np.diff(one, axis=0)
    s = 1 - t
    off = _at(control, t) - points
    slope = np.stack([s * s, 2 * s * t, t * t], axis=1) @ one
    bend = np.stack([s, t], axis=1) @ two
    down = (slope**2).sum(axis=1) + (off * bend).sum(axis=1)
    better = t - np.where(np.abs(down) > 1e-9, (off * slope).sum(axis=1) / np.where(np.abs(down) > 1e-9, down, 1), 0)
    return np.maximum.accumulate(better.clip(0, 1))
