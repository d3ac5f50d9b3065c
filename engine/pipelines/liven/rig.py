"""A drawing ready to move: its field, its limbs as damped springs, and the solve that keeps its strokes joined. Knows no files.

Each place has a wish, how its surroundings turn and stretch (the field's gradient, a limb's lag on top, a pure turn in small features),
and the pose is the one that follows all wishes along the strokes best (Yu et al. 2004, mesh editing with Poisson-based gradient field
manipulation): what touches stays together, whatever the wishes.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import splu

from ...strokes import Strokes
from .layout import Layout, layout
from .limbs import Limbs, limbs
from .motion import MOTIONS, Array, Field, turned

_BASE = 0.07
"""What lies within this part of the drawing's extent of its lowest line stands on the ground."""
_ANCHOR = 0.03
"""The body keeps to its field over this part of the diagonal; a limb goes its own way."""
_NEAREST = 1e-3
"""Touches nearer than this part of the diagonal weigh alike."""
_RAMP = 0.12
"""A limb is half as loose as it gets at this part of the diagonal from the body."""
_STIFF, _LOOSE = 3.0, 1.4
"""Frequency of the springs at a limb's root and tip, as multiples of the motion's."""
_DAMPING = 0.35
_EXAGGERATION = 1.6
_FARTHEST = 0.7
"""Radians that a limb may trail."""
_HARMONICS = 6


@dataclass(frozen=True)
class Rig:
    """One drawing under one motion."""

    strokes: Strokes
    graph: Layout
    field: Field
    lag: NDArray[np.complex128]
    """(m, k) harmonics of the angle by which each place trails the body, in radians"""
    rigid: Array
    """(m,) 1 where a place is on a small feature that only moves and turns"""
    solve: "Solve"

    def pose(self, phase: float, strength: float = 1.0) -> tuple[Array, Array]:
        """Where the control points (n, 2) and the handles (n, 2, 2) go at a phase."""
        home, wish = self._wishes(phase, strength)
        arms = self.strokes.handles - self.strokes.points[:, None]
        arms = np.einsum("nij,nhj->nhi", wish[: len(arms)], arms)
        points = self.solve(home, wish, arms.reshape(-1, 2))
        return points, points[:, None] + arms

    def _wishes(self, phase: float, strength: float) -> tuple[Array, Array]:
        """Where the field takes each place (m, 2), and how its surroundings turn and stretch (m, 2, 2)."""
        places, small = self.graph.curves.places, np.flatnonzero(self.rigid)
        home, wish = self.field.at(places, phase, strength)
        if len(small):
            group, rigid = np.unique(self.graph.group[small], return_inverse=True)[1], self.rigid[small, None]
            angle = _angle(_mean(wish[small].reshape(-1, 4), group).reshape(-1, 2, 2))
            held = _mean(home[small], group) + turned(places[small] - _mean(places[small], group), angle)
            home[small] += rigid * (held - home[small])
            wish[small] += rigid[..., None] * (turned(np.broadcast_to(np.eye(2), (len(small), 2, 2)), angle) - wish[small])
        waves = np.exp(2j * np.pi * phase * np.arange(1, self.lag.shape[1] + 1))
        trail = strength * _FARTHEST * np.tanh(np.einsum("mk,k->m", self.lag, waves).real / _FARTHEST)
        return home, turned(wish, trail)


class Solve:
    """The least squares over a drawing's control points: each edge wishes to be as long and to point as the mean of its ends' wishes
    says, each place to be where the field takes it, the more the firmer its grip."""

    def __init__(self, graph: Layout, grip: Array) -> None:
        on, edges, count = graph.curves, np.concatenate([graph.edges, graph.links]), len(graph.cell)
        step = on.places[edges[:, 1]] - on.places[edges[:, 0]]
        length = np.linalg.norm(step, axis=1)
        weight = 1 / np.maximum(length, _NEAREST * graph.size)
        at = (np.tile(np.arange(len(edges)), 2), edges.T.ravel())
        ends = coo_array((np.repeat([-1.0, 1.0], len(edges)), at), shape=(len(edges), count)).tocsr()
        mean = coo_array((np.full(2 * len(edges), 0.5), at), shape=(len(edges), count)).tocsr()
        reach = np.bincount(edges.ravel(), np.repeat(length / 2, 2), minlength=count) + 1e-4 * graph.size
        anchor = diags_array(grip * reach / (_ANCHOR * graph.size) ** 2)
        springs = ends.T @ (diags_array(weight) @ ends) + anchor
        self._right, self._down = (on.from_points.T @ ends.T @ (diags_array(weight * step[:, axis]) @ mean) for axis in (0, 1))
        self._home, self._arms = on.from_points.T @ anchor, on.from_points.T @ springs @ on.from_arms
        matrix = (on.from_points.T @ springs @ on.from_points).tocsc()
        self._factor = splu(matrix, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})

    def __call__(self, home: Array, wish: Array, arms: Array) -> Array:
        """The control points (n, 2) for a home (m, 2) and a wish (m, 2, 2) of every place, where the arms (2n, 2) are these."""
        asked = self._right @ wish[:, :, 0] + self._down @ wish[:, :, 1] + self._home @ home - self._arms @ arms
        points: Array = self._factor.solve(asked)
        return points


def pivot_of(strokes: Strokes) -> str:
    """Where a drawing is best held, by balance: it stands if its middle is above a base that is wide enough."""
    places = layout(strokes).curves.places
    low, high = places.min(axis=0), places.max(axis=0)
    base = places[places[:, 1] >= high[1] - _BASE * (high[1] - low[1]), 0]
    width = max(high[0] - low[0], 1e-9)
    balanced = base.min() - 0.1 * width <= places[:, 0].mean() <= base.max() + 0.1 * width
    return "ground" if balanced and np.ptp(base) >= 0.2 * width else "middle"


def rig(strokes: Strokes, motion: str, amount: float, follow_through: float, pivot: str, seed: int) -> Rig:
    """Makes a drawing with at least one point ready to move, held at its "ground", "middle" or "top"; the seed gives it its temper."""
    generator = np.random.default_rng(seed % 2**64)
    graph = layout(strokes)
    lean, trail = generator.choice([-1.0, 1.0]) * generator.uniform(0.9, 1.1), generator.uniform(0.8, 1.2)
    field = replace(_field(graph, pivot, motion, amount), lean=float(lean), trail=float(trail))
    hanging = limbs(graph, _cells_held(graph, pivot))
    loose = hanging.hang / (hanging.hang + _RAMP * graph.size)
    smooth = 1 - np.clip((graph.extent / graph.size - 0.08) / 0.12, 0, 1)
    rigid = smooth * smooth * (3 - 2 * smooth)
    grip = np.maximum((1 - np.minimum(1, hanging.hang[graph.cell] / (0.05 * graph.size))) ** 2, 1e-6)
    lag = follow_through * _lag(graph, hanging, loose, field, generator)[graph.cell]
    return Rig(strokes, graph, field, lag, rigid, Solve(graph, grip))


def _field(graph: Layout, pivot: str, motion: str, amount: float) -> Field:
    low, high = graph.curves.places.min(axis=0), graph.curves.places.max(axis=0)
    middle = graph.curves.places.mean(axis=0)
    y = {"ground": high[1], "middle": middle[1], "top": low[1]}[pivot]
    if pivot != "middle":
        row = graph.curves.places[np.abs(graph.curves.places[:, 1] - y) <= _BASE * (high[1] - low[1]), 0]
        middle[0] = (row.min() + row.max()) / 2
    extent = high - low
    height = max(float(extent[1]), 0.35 * float(extent[0]), 1.0)
    slender = min(1.0, 1.2 * float(extent[1]) / max(float(extent[0]), 1e-9))
    return Field(
        MOTIONS[motion], amount, (float(middle[0]), float(y)), height, float(y - high[1]) / height, float(y - low[1]) / height, slender
    )


def _cells_held(graph: Layout, pivot: str) -> NDArray[np.intp]:
    """The cells that the drawing hangs from or stands on."""
    low, high = graph.cells.min(axis=0), graph.cells.max(axis=0)
    reach = _BASE * (high[1] - low[1])
    if pivot == "middle":
        away = np.linalg.norm(graph.cells - graph.curves.places.mean(axis=0), axis=1)
        return np.flatnonzero(away <= away.min() + 0.05 * graph.size)
    away = high[1] - graph.cells[:, 1] if pivot == "ground" else graph.cells[:, 1] - low[1]
    return np.flatnonzero(away <= reach)


def _lag(graph: Layout, hanging: Limbs, loose: Array, field: Field, generator: np.random.Generator) -> NDArray[np.complex128]:
    """Harmonics (c, k) of each cell's angle behind the body: the steady state of a damped spring driven by the field's motion there.

    A pendulum whose foot is moved by D and turned by r obeys a'' + 2 z w0 a' + w0^2 a = -(r + l x D / |l|^2)''; for a wave of
    frequency w the answer is w^2 / (w0^2 - w^2 + 2 i z w0 w) of it.
    """
    lag = np.zeros((len(loose), _HARMONICS), np.complex128)
    free = np.flatnonzero(loose > 1e-3)
    if not len(free):
        return lag
    length = np.linalg.norm(hanging.lever[free], axis=1)
    outward = hanging.lever[free] / (length + 0.03 * graph.size)[:, None]
    places, phases = graph.cells[free], np.arange(48) / 48
    moved, gradient = map(np.stack, zip(*(field.at(places, phase) for phase in phases), strict=True))
    moved, leaned = moved - places, _angle(gradient)
    thrown = (outward[:, 0] * moved[..., 1] - outward[:, 1] * moved[..., 0]) / np.maximum(length, _RAMP * graph.size)
    drive = 2 * np.fft.rfft(leaned + thrown, axis=0)[1 : _HARMONICS + 1].T / len(phases)
    temper = generator.uniform(0, 1, (2, len(loose)))[:, hanging.number[free]]
    own = ((_STIFF + (_LOOSE - _STIFF) * loose[free]) * (0.9 + 0.2 * temper[0]))[:, None]
    nth = np.arange(1, _HARMONICS + 1)
    lag[free] = _EXAGGERATION * loose[free][:, None] * drive * nth**2 / (own**2 - nth**2 + 2j * _DAMPING * own * nth)
    lift = 0.5 * (1 - np.abs(outward[:, 0])) - outward[:, 0]
    lag[free, 0] += (
        -1j * field.amount * field.motion.swing * lift * loose[free] * np.exp(-2j * np.pi * (0.12 * temper[1] + 0.2 * loose[free]))
    )
    return lag


def _angle(gradient: Array) -> Array:
    angle: Array = np.arctan2(gradient[..., 1, 0] - gradient[..., 0, 1], gradient[..., 0, 0] + gradient[..., 1, 1])
    return angle


def _mean(values: Array, group: NDArray[np.intp]) -> Array:
    """The mean of the values (n, k) of each group, at each of its members."""
    sums = np.stack([np.bincount(group, column) for column in values.T], axis=1)
    mean: Array = (sums / np.bincount(group)[:, None])[group]
    return mean
