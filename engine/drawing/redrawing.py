"""Traced strokes led to where, drawn again, they are the ink: each edge by as much ink as is missing or too much across it.

A curve of few points is nowhere quite where the ink was measured, and its widths are straight between them; what is drawn tells where it
is off. Knows no other frame.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..strokes import BEZIER, Strokes
from . import raster
from .raster import MIN_WIDTH
from .refitting import Shape, sampled, smooth_handles
from .single import Stroke, together

Array = NDArray[np.float64]
Ink = NDArray[np.float32]

_SPACING, _PLACES = 1.0, 300
"""Pixels between the places of a stroke whose edges are looked at, and how many they are at most."""
_OUT, _STEP = 1.5, 0.5
"""Pixels to both sides of an edge in which ink is counted, and between the places where it is read."""
_MOST = 0.75
"""Pixels that an edge is moved at once."""
_BLUR, _BLURRIEST = 0.5, 2.0
"""Pixels by which an image's blur is told, and its most."""
_SEEN = 0.05
"""Weight of an edge that is hidden in other ink, against one that is seen."""
_HELD, _STIFF = 0.05, 0.5
"""Weights of a control point's place and of its width as they are, against one place of the stroke."""
_ROUNDS = 2
"""How often the strokes are drawn and moved."""
_FAINT = 0.1
"""Opacity under which a stroke is left as it is."""


@dataclass(frozen=True)
class _Led:
    """A stroke that is led to the ink, a Bézier spline in pixels of the ink: what its control points have to do with k places of it."""

    shape: Shape
    opacity: float
    basis: Array
    """(k, 3n) as `Shape.basis`"""
    slopes: Array
    """(k, 3n) the same of the curve's direction"""
    shares: Array
    """(k, n) of its widths"""

    @property
    def normals(self) -> Array:
        """(k, 2)"""
        way = self.slopes @ self.shape.control
        way = way / np.linalg.norm(way, axis=1, keepdims=True).clip(1e-9)
        return np.stack([-way[:, 1], way[:, 0]], axis=1)


def redrawn(strokes: list[Stroke], free: list[bool], like: Strokes, ink: Ink, scale: Array) -> list[Stroke]:
    """The strokes, of which those that are free, Bézier splines, have been led to the ink (h, w) 0..1 by the control points they had.

    `scale` leads from the drawing's pixels to the ink's.
    """
    led = {i: _as_led(strokes[i].shape.scaled(scale), _opacity(strokes[i])) for i in np.flatnonzero(free).tolist() if _can(strokes[i])}
    blur: float | None = None
    for _ in range(_ROUNDS if led else 0):
        drawn = raster.ink(together(strokes, like), (ink.shape[1], ink.shape[0]))
        blur = _blur(drawn, ink) if blur is None else blur
        lack = ink - _blurred(drawn, blur)
        moved = _moved(list(led.values()), lack, drawn, _OUT + 1.5 * blur)
        led = dict(zip(led, moved, strict=True))
        strokes = list(strokes)
        for i, at in led.items():
            strokes[i] = replace(strokes[i], shape=at.shape.scaled(1 / scale))
    return strokes


def _opacity(stroke: Stroke) -> float:
    return float(stroke.opacity.mean()) * float(stroke.line_colour[3])


def _can(stroke: Stroke) -> bool:
    return stroke.shape.kind == BEZIER and bool(stroke.shape.spans) and _opacity(stroke) >= _FAINT


def _as_led(shape: Shape, opacity: float) -> _Led:
    u, n = sampled(shape, _SPACING, _PLACES), len(shape.points)
    low = np.clip(np.floor(u).astype(np.intp), 0, shape.spans - 1)
    row, high = np.arange(len(u)), (low + 1) % n
    t = u - low
    s = 1 - t
    taps = (low, 2 * n + low, n + high, high)
    basis, slopes, shares = np.zeros((len(u), 3 * n)), np.zeros((len(u), 3 * n)), np.zeros((len(u), n))
    for tap, value in zip(taps, (s**3, 3 * s * s * t, 3 * s * t * t, t**3), strict=True):
        basis[row, tap] += value
    for tap, value in zip(taps, (-s * s, s * s - 2 * s * t, 2 * s * t - t * t, t * t), strict=True):
        slopes[row, tap] += value
    shares[row, low] += s
    shares[row, high] += t
    return _Led(shape, opacity, basis, slopes, shares)


def _blurred(image: Ink, blur: float) -> Ink:
    return ndimage.gaussian_filter(image, blur, truncate=3) if blur else image


def _blur(drawn: Ink, ink: Ink) -> float:
    """The blur, in pixels, with which the drawing is most like the ink."""
    blur, least = 0.0, float(np.square(ink - drawn).sum())
    while blur < _BLURRIEST:
        off = float(np.square(ink - _blurred(drawn, blur + _BLUR)).sum())
        if off >= least:
            break
        blur, least = blur + _BLUR, off
    return blur


def _moved(led: list[_Led], lack: Ink, drawn: Ink, reach: float) -> list[_Led]:
    """The strokes moved and widened by what is missing at their edges: `lack` is the ink less what is drawn."""
    normals = [each.normals for each in led]
    cuts = np.cumsum([len(each.basis) for each in led])[:-1]
    points, across = np.concatenate([each.basis @ each.shape.control for each in led]), np.concatenate(normals)
    radius = np.concatenate([np.maximum(each.shares @ each.shape.widths, MIN_WIDTH) / 2 for each in led])
    opacity = np.repeat([each.opacity for each in led], [len(each.basis) for each in led])
    left, right = (_edges(points, side * across, radius, opacity, lack, drawn, reach) for side in (-1, 1))
    parts = (np.split(np.stack([off, weight], axis=1), cuts) for off, weight in (left, right))
    return [_solved(each, normal, *sides) for each, normal, *sides in zip(led, normals, *parts, strict=True)]


def _edges(points: Array, normals: Array, radius: Array, opacity: Array, lack: Ink, drawn: Ink, reach: float) -> tuple[Array, Array]:
    """(k,) the pixels by which edges should lie farther out, and (k,) 0..1 whether other ink hides them."""
    from_edge = np.arange(_STEP / 2 - np.ceil(reach / _STEP) * _STEP, reach, _STEP)
    places = radius[:, None] + from_edge
    own = np.clip(places / _STEP + 0.5, 0, 1)  # beyond the middle line it is the other edge's
    at = points[:, None] + normals[:, None] * places[..., None]
    missing = ndimage.map_coordinates(lack, (at[..., 1] - 0.5, at[..., 0] - 0.5), order=1, mode="constant")
    beyond = points + normals * (radius[:, None] + 1)
    hidden = ndimage.map_coordinates(drawn, (beyond[:, 1] - 0.5, beyond[:, 0] - 0.5), order=1, mode="constant")
    off = (missing * own).sum(axis=1) * _STEP / opacity
    return off.clip(-_MOST, _MOST), (1 - 1.5 * hidden / opacity).clip(0, 1)


def _solved(led: _Led, normals: Array, left: Array, right: Array) -> _Led:
    """The stroke whose edges lie farther out by (k, 2), pixels and weight, on each side; a hidden edge moves with the other."""
    shift = (right[:, 0] * right[:, 1] - left[:, 0] * left[:, 1]) / np.maximum(left[:, 1] + right[:, 1], 1)
    wider = left[:, 0] * left[:, 1] + right[:, 0] * right[:, 1]
    weights = np.maximum(left[:, 1], right[:, 1]).clip(_SEEN)
    control = _ridge(led.basis, weights, shift[:, None] * normals, _HELD)
    widths = _ridge(led.shares, weights, wider[:, None], _STIFF)[:, 0]
    shape = smooth_handles(led.shape, led.shape.with_control(led.shape.control + control))
    return replace(led, shape=replace(shape, widths=np.maximum(led.shape.widths + widths, MIN_WIDTH)))


def _ridge(basis: Array, weights: Array, values: Array, held: float) -> Array:
    """What makes `basis` times it nearest to the values, itself small."""
    weighed = basis * weights[:, None]
    left = basis.T @ weighed + held * np.eye(basis.shape[1])
    return np.asarray(np.linalg.solve(left, weighed.T @ values), np.float64)
