"""A known stroke bent to where its line is now: the same control points, of the same kind, so that a hand can go from one to the other.

Knows points alone: no ink.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve

from ..strokes import BEZIER, CATMULL_ROM, NURBS

Array = NDArray[np.float64]

_HELD = 0.02
"""Weight of where a control point is led by the points around it, against one place of the line."""
_EVEN = 0.05
"""Weight of its neighbours' going the same way."""


@dataclass(frozen=True)
class Shape:
    """One stroke's n control points, in pixels."""

    points: Array
    """(n, 2)"""
    handles: Array
    """(n, 2, 2)"""
    widths: Array
    """(n,)"""
    kind: int
    cyclic: bool

    @property
    def spans(self) -> int:
        """How many cubics it is made of."""
        n = len(self.points)
        if self.cyclic:
            return n if n > 1 else 0
        return n - 3 if self._spline else n - 1

    @property
    def _spline(self) -> bool:
        return self.kind == NURBS and len(self.points) >= 4

    def scaled(self, scale: Array) -> "Shape":
        """The same in a picture scaled by (x, y)."""
        return replace(self, points=self.points * scale, handles=self.handles * scale, widths=self.widths * np.sqrt(np.prod(scale)))

    def basis(self, u: Array) -> sparse.csr_array:
        """(k, n), for Bézier curves (k, 3n), what of each control point (then left, then right handles) is in the curve at u."""
        n, spans = len(self.points), self.spans
        j = np.clip(np.floor(u).astype(np.intp), 0, max(spans - 1, 0))
        t = u - j
        s = 1 - t
        taps = np.stack([j - 1, j, j + 1, j + 2, j + 3], axis=1)
        taps = taps % n if self.cyclic else taps.clip(0, n - 1)
        b0, b1, b2, b3 = s**3, 3 * s * s * t, 3 * s * t * t, t**3
        zero = np.zeros_like(t)
        if self.kind == BEZIER:
            taps = np.stack([taps[:, 1], taps[:, 2], 2 * n + taps[:, 1], n + taps[:, 2]], axis=1)
            weights = np.stack([b0, b3, b1, b2], axis=1)
        elif self._spline:
            weights = np.stack([zero, b0, 3 * t**3 - 6 * t * t + 4, 3 * s**3 - 6 * s * s + 4, b3], axis=1) / (1, 6, 6, 6, 6)
        elif self.kind == CATMULL_ROM:
            weights = np.stack([-b1 / 6, b0 + b1 + b2 / 6, b3 + b2 + b1 / 6, -b2 / 6, zero], axis=1)
        else:
            weights = np.stack([zero, s, t, zero, zero], axis=1)
        rows = np.repeat(np.arange(len(u)), taps.shape[1])
        return sparse.csr_array((weights.ravel(), (rows, taps.ravel())), shape=(len(u), n * (3 if self.kind == BEZIER else 1)))

    @property
    def control(self) -> Array:
        """(n, 2), for Bézier curves (3n, 2), as `basis` takes them."""
        if self.kind != BEZIER:
            return self.points
        return np.concatenate([self.points, self.handles[:, 0], self.handles[:, 1]])

    def with_control(self, control: Array) -> "Shape":
        n = len(self.points)
        if self.kind != BEZIER:
            return replace(self, points=control, handles=np.repeat(control[:, None], 2, axis=1))
        return replace(self, points=control[:n], handles=np.stack([control[n : 2 * n], control[2 * n :]], axis=1))

    def at(self, u: Array) -> Array:
        """(k, 2) places on the curve."""
        if not self.spans:
            return np.repeat(self.points[:1], len(u), axis=0)
        return self.basis(u) @ self.control

    def width_at(self, u: Array) -> Array:
        n = len(self.points)
        around = np.append(self.widths, self.widths[0]) if self.cyclic else self.widths
        return np.interp(u + (1.5 if self._spline else 0), np.arange(len(around)), around) if n > 1 else np.repeat(self.widths[:1], len(u))


def sampled(shape: Shape, spacing: float, most: int) -> Array:
    """Places u along a stroke that lie about `spacing` pixels apart."""
    if not shape.spans:
        return np.zeros(1)
    fine, along = _lengths(shape)
    return _spread(fine, along, int(np.clip(np.ceil(along[-1] / spacing), 1, most)) + 1)


def evenly(shape: Shape, count: int) -> Array:
    """(count,) places u along a stroke, evenly along its length, the first and the last its ends; its middle if there is one."""
    if not shape.spans or count == 1:
        return np.full(count, shape.spans / 2)
    return _spread(*_lengths(shape), count)


def _spread(fine: Array, along: Array, count: int) -> Array:
    return np.interp(np.linspace(0, along[-1], count), along, fine)


def _lengths(shape: Shape) -> tuple[Array, Array]:
    fine = np.linspace(0, shape.spans, 8 * shape.spans + 1)
    return fine, np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(shape.at(fine), axis=0), axis=1))])


def refitted(shape: Shape, u: Array, targets: Array, weights: Array) -> Shape:
    """The stroke whose places at u (k,) are at the targets (k, 2), as far as their weights (k,) say and its control points can."""
    n = len(shape.points)
    if not shape.spans:
        return shape.with_control(shape.control + np.average(targets - shape.at(u), axis=0, weights=weights))
    moved = targets - shape.at(u)
    led = [
        _led(moved, u, shape, np.arange(n, dtype=np.float64) + step) for step in ((0.0, -1 / 3, 1 / 3) if shape.kind == BEZIER else (0.0,))
    ]
    start = shape.control + np.concatenate(led)
    basis = shape.basis(u)
    weighed = sparse.diags_array(weights) @ basis
    count = basis.shape[1]
    even = sparse.diags_array([-1.0, 1.0], offsets=[0, 1], shape=(count - 1, count))
    left = basis.T @ weighed + _HELD * sparse.eye_array(count) + _EVEN * (even.T @ even)
    right = weighed.T @ (targets - basis @ start)
    found = shape.with_control(start + np.asarray(spsolve(left.tocsc(), right)).reshape(-1, 2))
    return smooth_handles(shape, found) if shape.kind == BEZIER else found


def _led(moved: Array, u: Array, shape: Shape, at: Array) -> Array:
    """(n, 2) how far the curve moved at some places."""
    at = at % shape.spans if shape.cyclic else at - (1 if shape.kind == NURBS else 0)
    return np.stack([np.interp(at, u, moved[:, axis]) for axis in (0, 1)], axis=1)


def smooth_handles(was: Shape, now: Shape) -> Shape:
    """The handles of a point in one line where they were in one."""
    before, after = was.handles - was.points[:, None], now.handles - now.points[:, None]
    long = np.linalg.norm(before, axis=2).clip(1e-9)
    straight = (before[:, 0] * before[:, 1]).sum(axis=1) < -0.998 * long.prod(axis=1)
    way = after[:, 1] - after[:, 0]
    way = way / np.linalg.norm(way, axis=1, keepdims=True).clip(1e-9)
    reach = np.linalg.norm(after, axis=2)
    aligned = now.points[:, None] + np.stack([-way * reach[:, :1], way * reach[:, 1:]], axis=1)
    return replace(now, handles=np.where(straight[:, None, None], aligned, now.handles))


def divided(shape: Shape) -> Shape:
    """The same stroke with a control point more in each span."""
    if not shape.spans:
        return shape
    u = np.arange(0, shape.spans + (0.0 if shape.cyclic else 0.25), 0.5)
    points, widths = shape.at(u), shape.width_at(u)
    handles = np.repeat(points[:, None], 2, axis=1)
    if shape.kind == BEZIER:
        step = 1e-4
        slope = (shape.at((u + step).clip(0, shape.spans)) - shape.at((u - step).clip(0, shape.spans))) / (2 * step)
        handles = points[:, None] + slope[:, None] * np.array([-1, 1])[:, None] / 6
    return replace(shape, points=points, handles=handles, widths=widths)
