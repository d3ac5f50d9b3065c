"""How the fox moves: a walk that comes to a stop and becomes a wave, as numbers at any time. Knows no shape.

Times are frame numbers of the shot and may lie between frames. Lengths in metres, angles in radians, counter-clockwise from the
direction named. What hangs on the body (tail, scarf, balloon, satchel, ears) is a spring that the body pulls: it drags, passes
its rest and settles.
"""

from collections.abc import Callable

import numpy as np

FIRST, LAST = 1, 48
STEP_FRAMES = 10
STRIDE = 0.46
"""Metres from one foot to the other at a contact."""
_PER_FRAME = 4
_TIMES = np.arange(-60 * _PER_FRAME, 60 * _PER_FRAME + 1) / _PER_FRAME

Signal = Callable[[float], float]


def keyed(time: float, *keys: tuple[float, float]) -> float:
    """The value between keys (time, value), with a smooth start and end at each."""
    times, values = zip(*keys, strict=True)
    index = int(np.clip(np.searchsorted(times, time) - 1, 0, len(keys) - 2))
    share = np.clip((time - times[index]) / (times[index + 1] - times[index]), 0, 1)
    return float(values[index] + (values[index + 1] - values[index]) * share * share * (3 - 2 * share))


def spring(pull: Signal, seconds: float, damping: float) -> Signal:
    """A weight on a spring of that period, pulled by a signal."""
    omega, step = 2 * np.pi / (seconds * 24), 1 / _PER_FRAME
    place, speed = pull(_TIMES[0]), 0.0
    places = np.empty(len(_TIMES))
    for i, time in enumerate(_TIMES):
        speed += (omega**2 * (pull(time) - place) - 2 * damping * omega * speed) * step
        place += speed * step
        places[i] = place
    return lambda time: float(np.interp(time, _TIMES, places))


def walking(time: float) -> float:
    """1 while the fox walks, 0 once it stands."""
    return keyed(time, (24, 1), (37, 0))


def hip_x(time: float) -> float:
    """Even on the walk; from frame 21 on it slows down, passes the place where it stays by a hand's breadth, and settles back."""
    pace, share = STRIDE / STEP_FRAMES, np.clip((time - 21) / 15, 0, 1)
    slowing = 0.92 + 15 * pace * share * (1 - share) ** 2 + (1.4 - 0.92) * share**2 * (3 - 2 * share)
    return float(pace * (time - 1) if time < 21 else slowing - keyed(time, (36, 0), (43, 0.03)))


def speed(time: float) -> float:
    """Metres a frame."""
    return hip_x(time + 0.5) - hip_x(time - 0.5)


def hip_z(time: float) -> float:
    """Lowest just after a contact, highest just after the legs have passed; the stop is a deeper dip with its rebound."""
    phase = (time - FIRST) / STEP_FRAMES
    stop = keyed(time, (29, 0), (33, -0.05), (37.5, 0.022), (42, -0.006), (46, 0))
    return (
        0.55 - 0.03 * walking(time) * np.cos(2 * np.pi * (phase - 0.2)) + stop + 0.006 * np.sin(time * 2 * np.pi / 24) * (1 - walking(time))
    )


def lean(time: float) -> float:
    """The body's tilt from upright; negative is forward."""
    return keyed(time, (20, -0.1), (26, -0.12), (33, 0.1), (39, -0.02), (46, 0.01)) + 0.02 * walking(time) * np.sin(
        2 * np.pi * (time - FIRST) / STEP_FRAMES
    )


def squash(time: float) -> float:
    """The body's height against its rest; its width is the inverse."""
    return 1 + 1.5 * (hip_z(time) - 0.55)


def twist(time: float) -> float:
    """-1..1: the shoulders against the hips; 1 has the far shoulder forward."""
    return walking(time) * float(np.cos(np.pi * (time - FIRST) / STEP_FRAMES))


def yaw(time: float) -> float:
    """The head's turn: 0 looks at us, positive along the way."""
    return keyed(time, (1, 0.46), (8, 0.48), (16, 0.43), (25, 0.46), (28, 0.5), (34, -0.06), (39, 0.03), (48, 0.0))


def pitch(time: float) -> float:
    """The head's nod; positive is up. It dips within the turn, so that the nose moves in an arc."""
    step = 0.05 * walking(time) * np.sin(2 * np.pi * ((time - FIRST) / STEP_FRAMES - 0.3))
    return step + keyed(time, (25, 0.02), (30.5, -0.2), (35, 0.08), (40, 0.03), (48, 0.05))


def tilt(time: float) -> float:
    """The head's sideways tilt."""
    return keyed(time, (1, -0.02), (26, -0.05), (31, 0.02), (37, 0.12), (44, 0.07), (48, 0.09))


def lids(time: float) -> float:
    """0 open, 1 closed: a blink on the walk, another within the turn of the head, a third while waving."""
    blinks = [(10, 4.0), (30, 3.8), (43, 2.6)]
    return max(0.0, *(1.25 * (1 - abs(time - middle) / half) for middle, half in blinks))


def smile(time: float) -> float:
    """How wide the mouth stands open."""
    return keyed(time, (1, 0.45), (6, 0.55), (14, 0.35), (22, 0.5), (28, 0.12), (33, 0.2), (37, 1.0), (43, 0.85), (48, 0.95))


def foot(time: float, near: bool) -> tuple[float, float, float]:
    """Where a foot's ankle is (x, z) and its tilt; positive lifts the toe. A foot on the ground does not slide."""
    falls = _NEAR_FALLS if near else _FAR_FALLS
    index = max(i for i, (lands, _, _) in enumerate(falls) if lands <= time)
    lands, leaves, x = falls[index]
    if time <= leaves or index + 1 == len(falls):
        toe = keyed(time, (lands, 0.32), (lands + 2, 0.0))
        heel = keyed(time, (leaves - 3, 0.0), (leaves, -0.55)) if index + 1 < len(falls) else 0.0
        return x, 0.11 - 0.11 * heel * walking(time), (toe if time < lands + 3 else heel) * walking(time)
    next_lands, _, next_x = falls[index + 1]
    share = (time - leaves) / (next_lands - leaves)
    forward = share * share * (3 - 2 * share)
    lift = 0.11 + 0.06 * (1 - share) ** 2 * walking(time) + 0.11 * np.sin(np.pi * share) * (0.4 + 0.6 * walking(time))
    angle = keyed(share, (0, -0.55), (0.35, -0.75), (0.8, 0.3), (1, 0.32)) * walking(time)
    return x + (next_x - x) * forward, float(lift), angle


def near_arm(time: float) -> tuple[float, float]:
    """Angles of the upper arm and the forearm from straight down; positive is forward. The forearm follows the upper arm."""
    swing = walking(time + 1)
    upper = 0.62 * swing * -np.cos(np.pi * (time - FIRST) / STEP_FRAMES) * keyed(time, (22, 1), (27, 0.5))
    fore = upper + 0.35 + 0.28 * -np.cos(np.pi * (time - FIRST - 2.5) / STEP_FRAMES) * swing
    raised = keyed(time, (24, 0), (28, 0.55), (35, -1.98), (38, -1.8), (48, -1.86))
    bent = keyed(time, (24, 0), (29.5, 1.5), (33, 0.1), (37, -2.72), (40, -2.58), (48, -2.62))
    wave = 0.42 * np.sin(2 * np.pi * (time - 36.5) / 8) * keyed(time, (34, 0), (38, 1))
    share = keyed(time, (23, 0), (28, 1))
    return upper * (1 - share) + raised + 0.08 * wave, fore * (1 - share) + bent + wave


def near_hand(time: float) -> tuple[float, float]:
    """The hand's tilt against the forearm, late behind the wave, and how far its fingers are spread."""
    late = -0.38 * np.cos(2 * np.pi * (time - 36.5) / 8) * keyed(time, (35, 0), (39, 1))
    return late, keyed(time, (29, 0), (35, 1))


def _bounce(time: float) -> float:
    return hip_z(time) - 0.55


def _pace(time: float) -> float:
    """1 at the walk's speed, 0 at rest."""
    return speed(time) * STEP_FRAMES / STRIDE


_WALK = [(1 + 20 * n, 11.8 + 20 * n, STRIDE * (2 * n + 0.5)) for n in range(-3, 1)]
_NEAR_FALLS: list[tuple[float, float, float]] = [*_WALK, (21, 31, STRIDE * 2.5), (37, 99, 1.27)]
_FAR_FALLS: list[tuple[float, float, float]] = [(a - 10, b - 10, x - STRIDE) for a, b, x in _WALK] + [
    (11, 21.8, STRIDE * 1.5),
    (30.5, 99, 1.44),
]

pace = spring(_pace, 0.5, 0.6)
tail = spring(lambda t: _pace(t) + 6 * _bounce(t), 0.85, 0.22)
scarf = spring(lambda t: _pace(t) + 3 * _bounce(t), 0.6, 0.25)
balloon = spring(lambda t: _pace(t), 1.7, 0.24)
satchel = spring(lambda t: _pace(t) - 0.25 * twist(t), 0.55, 0.2)
ears = spring(lambda t: 5 * _bounce(t - 1) - 0.8 * yaw(t), 0.4, 0.25)
coat = spring(lambda t: _pace(t) - 0.2 * twist(t), 0.5, 0.3)
