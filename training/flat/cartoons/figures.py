"""Jointed figures: parts on bones that swing, bend and turn, posed for all frames at once.

A bone is an arc: it bends evenly along a stretch of its length, and all that lies along it bends with it. A turning body is round: what
lies on it slides over it and hides behind its rim.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from .outlines import Points, refined

Times = NDArray[np.float64]
Act = Callable[[Times], NDArray[np.float64]]
"""How open, 0 to 1, something is at each time: lids, a mouth, a thing that appears."""

ROOT = -1
NONE, INK = -1, -2
"""Paints of what is not filled, and of what is filled with ink."""
_HIDDEN = 0.12
"""Cosine of the angle to the viewer under which what lies on a round body is behind its rim."""
_NEARER = 4.0
"""How many levels a depth of one unit is worth: a limb on the far side of a turning body goes behind it."""


@dataclass(frozen=True)
class Wave:
    """A value that swings about its centre."""

    centre: float = 0.0
    swing: float = 0.0
    rate: float = 2.0
    phase: float = 0.0

    def __call__(self, times: Times) -> NDArray[np.float64]:
        return self.centre + self.swing * np.sin(self.rate * times + self.phase)


STILL = Wave()


@dataclass(frozen=True)
class Bone:
    """A frame of reference that hangs down (or stands up) from a joint of its parent."""

    parent: int
    joint: tuple[float, float, float]
    """x, y and depth in the parent's frame."""
    angle: Wave = STILL
    bend: Wave = STILL
    soft: tuple[float, float] = (0.0, 1.0)
    """From where to where along the bone it bends."""
    up: bool = False
    turn: Wave = STILL


@dataclass(frozen=True)
class Part:
    """A closed outline with a paint, fixed to a bone."""

    outline: Points
    paint: int
    """Index of its paint, or NONE, or INK."""
    bone: int
    level: float
    """What has a higher level lies over it."""
    around: tuple[float, float] | None = None
    """Half width and half height of the round body on whose front it lies; turning slides it over that."""
    rim: bool = False
    """Whether its ends stay at the body's rim as it slides: hair."""
    depth: float | None = None
    """How far before the bone's axis it lies flat; None: turning leaves it as it is."""
    swaps: float = 0.0
    """Levels by which it comes to the front or goes to the back as it turns."""
    act: int = 0
    pivot: float | None = None
    """The height that the act squashes it to; None: the act only shows and hides it."""
    shown: tuple[float, float] = (0.0, 2.0)
    """Between which values of its act it is seen."""
    ink: float = 1.0
    """Width of its line, as a share of the clip's; 0: no line."""
    strength: int = 255
    line: tuple[int, int] | None = None
    """From which to which of its points an open line runs, the latter excluded; None: all around."""

    def refined(self) -> "Part":
        """The same part with twice the points, for large pictures."""
        line = self.line and (2 * self.line[0], 2 * self.line[1] - 1)
        return replace(self, outline=refined(self.outline), line=line)

    def cut(self, start: int, gap: int) -> "Part":
        """The same part without its line's `gap` steps from a point on."""
        return replace(self, outline=np.roll(self.outline, -start - gap, axis=0), line=(0, len(self.outline) - gap + 1))


@dataclass
class Figure:
    """Bones, parents first, and the parts on them."""

    centre: tuple[float, float] = (0.0, 0.0)
    reach: float = 1.0
    """Half its extent from the centre."""
    bust: tuple[float, float, float] | None = None
    """x, y and half extent of what a close shot of it shows."""
    bones: list[Bone] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    acts: list[Act] = field(default_factory=lambda: [np.ones_like])

    def bone(self, parent: int = ROOT, joint: tuple[float, ...] = (0.0, 0.0, 0.0), **settings) -> int:
        """Adds a bone; its index."""
        self.bones.append(Bone(parent, (*joint, 0.0)[:3], **settings))
        return len(self.bones) - 1

    def part(self, bone: int, outline: Points, paint: int, level: float, **settings) -> None:
        """Adds a part."""
        self.parts.append(Part(outline, paint, bone, level, **settings))

    def act(self, act: Act) -> int:
        """Adds an act; its index."""
        self.acts.append(act)
        return len(self.acts) - 1


@dataclass
class Posed:
    """Figures in all frames."""

    points: NDArray[np.float32]
    """(f, n, 2) the points of all parts."""
    ends: NDArray[np.intp]
    """(p + 1,) where each part's points begin and end."""
    level: NDArray[np.float32]
    """(f, p)"""
    shown: NDArray[np.bool_]
    """(f, p)"""
    extent: NDArray[np.float64]
    """(p,) the larger side of each part as drawn, before it moves."""


def pose(figure: Figure, times: Times) -> Posed:
    """The figure in its own units at each time."""
    skeleton = _Skeleton(figure.bones, times)
    acts = np.stack([act(times) for act in figure.acts], 1)
    cloth = _Cloth(figure.parts, figure.bones)
    points = skeleton.placed(cloth, acts)
    facing = np.cos(cloth.facing + skeleton.turn[:, cloth.part_bone])
    level = cloth.level + cloth.swaps * facing + _NEARER * skeleton.near[:, cloth.part_bone]
    opened = acts[:, cloth.part_act]
    shown = (opened >= cloth.low) & (opened <= cloth.high) & ((facing > _HIDDEN) | ~cloth.hides)
    return Posed(points, cloth.ends, level, shown, cloth.extent)


class _Cloth:
    """The parts' points, end to end, in the coordinates that bending and turning want."""

    def __init__(self, parts: list[Part], bones: list[Bone]) -> None:
        sizes = np.array([len(part.outline) for part in parts])
        self.ends = np.concatenate([[0], np.cumsum(sizes)])
        owner = np.repeat(np.arange(len(parts)), sizes)
        x, self.y = np.concatenate([part.outline for part in parts]).T
        self.extent = np.maximum(_ptp(x, self.ends), _ptp(self.y, self.ends))
        self.part_bone = np.array([part.bone for part in parts])
        self.part_act = np.array([part.act for part in parts])
        self.level = np.array([part.level for part in parts])
        self.swaps = np.array([part.swaps for part in parts])
        self.low, self.high = np.array([part.shown for part in parts]).T
        self.hides = np.array([part.around is not None and not part.rim for part in parts])
        self.bone = self.part_bone[owner]
        self.act = np.where(np.array([part.pivot is None for part in parts]), 0, self.part_act)[owner]
        self.pivot = np.array([part.pivot or 0.0 for part in parts])[owner]
        self.sign = np.array([-1.0 if bone.up else 1.0 for bone in bones])[self.bone]
        self.low_bend, self.high_bend = np.array([bone.soft for bone in bones]).T[:, self.bone]
        self.limit = np.where(self.hides, np.pi / 2, np.inf)[owner]
        self._turning(parts, owner, x)
        self.facing = np.add.reduceat(self.phase, self.ends[:-1]) / sizes

    def _turning(self, parts: list[Part], owner: NDArray[np.intp], x: NDArray[np.float64]) -> None:
        """Radius, angle from the front, and gain, how far it follows a turn, of each point."""
        round_ = np.array([part.around is not None for part in parts])[owner]
        rim = np.array([part.rim for part in parts])[owner]
        flat = np.array([part.depth is not None for part in parts])[owner]
        depth = np.array([part.depth or 1e-9 for part in parts])[owner]
        width, height = np.array([part.around or (1.0, 1.0) for part in parts]).T[:, owner]
        ball = width * np.sqrt(np.clip(1 - (self.y / height) ** 2, 0.15, 1))
        self.phase = np.where(round_, np.arcsin(np.clip(x / ball, -1, 1)), np.arctan2(x, depth))
        self.radius = np.where(round_, np.maximum(ball, np.abs(x)), np.hypot(x, depth))
        self.gain = np.where(rim, np.cos(self.phase), (round_ | flat).astype(float))


def _ptp(values: NDArray[np.float64], ends: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.maximum.reduceat(values, ends[:-1]) - np.minimum.reduceat(values, ends[:-1])


class _Skeleton:
    """Where each bone is in each frame: angle, origin, bend, turn, nearness, all (f, bones)."""

    def __init__(self, bones: list[Bone], times: Times) -> None:
        shape = len(times), len(bones)
        self.angle, self.x, self.y, self.turn, self.near = (np.zeros(shape) for _ in range(5))
        self.bend = np.stack([bone.bend(times) for bone in bones], 1)
        for i, bone in enumerate(bones):
            self.angle[:, i], self.turn[:, i] = bone.angle(times), bone.turn(times)
            if bone.parent == ROOT:
                continue
            self._hang(i, bone, bones[bone.parent])

    def _hang(self, i: int, bone: Bone, parent: Bone) -> None:
        p, (x, y, z) = bone.parent, bone.joint
        sign = -1.0 if parent.up else 1.0
        radius, phase = np.hypot(x, z), np.arctan2(x, z) + self.turn[:, p]
        along, across, bent = _bent(sign * y, radius * np.sin(phase), self.bend[:, p], *parent.soft)
        c, s = np.cos(self.angle[:, p]), np.sin(self.angle[:, p])
        self.x[:, i] = self.x[:, p] + across * c - sign * along * s
        self.y[:, i] = self.y[:, p] + across * s + sign * along * c
        self.near[:, i] = self.near[:, p] + radius * np.cos(phase) - z
        self.angle[:, i] += self.angle[:, p] - sign * bent
        self.turn[:, i] += self.turn[:, p]

    def placed(self, cloth: _Cloth, acts: NDArray) -> NDArray[np.float32]:
        """The points of all parts (f, n, 2)."""
        bone = cloth.bone
        across = cloth.radius * np.sin(np.clip(cloth.phase + cloth.gain * self.turn[:, bone], -cloth.limit, cloth.limit))
        along = np.broadcast_to(cloth.y, across.shape)
        if acts.shape[1] > 1:
            along = cloth.pivot + (cloth.y - cloth.pivot) * acts[:, cloth.act]
        along, across = self._flexed(cloth, along, across)
        c, s = np.cos(self.angle)[:, bone], np.sin(self.angle)[:, bone]
        points = np.empty((*across.shape, 2), np.float32)
        points[..., 0] = self.x[:, bone] + across * c - along * s
        points[..., 1] = self.y[:, bone] + across * s + along * c
        return points

    def _flexed(self, cloth: _Cloth, along: NDArray, across: NDArray) -> tuple[NDArray, NDArray]:
        """Where points are on their bent bones; most bones are straight."""
        at = np.flatnonzero(self.bend.any(0)[cloth.bone])
        if not len(at):
            return along, across
        sign, bend = cloth.sign[at], self.bend[:, cloth.bone[at]]
        bent, aside, _ = _bent(sign * along[:, at], across[:, at], bend, cloth.low_bend[at], cloth.high_bend[at])
        along = along.copy()
        along[:, at], across[:, at] = sign * bent, aside
        return along, across


def _bent(along: NDArray, across: NDArray, bend: NDArray, low: NDArray, high: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Points along and across a straight bone where they are when it bends by an angle between `low` and `high`; and their turn."""
    arc = np.clip(along, low, high) - low
    turn = bend * arc / (high - low)
    chord = arc * np.sinc(turn / (2 * np.pi))
    straight, beyond = np.minimum(along, low), np.maximum(along - high, 0)
    c, s = np.cos(turn), np.sin(turn)
    half_c, half_s = np.cos(turn / 2), np.sin(turn / 2)
    return straight + chord * half_c + beyond * c - across * s, chord * half_s + beyond * s + across * c, turn
