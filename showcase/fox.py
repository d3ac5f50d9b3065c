"""The fox: every part of its body as shapes, in painting order, at any time of its motion. Knows no bpy.

Lengths are in metres; the head's own space has the head's half width as its unit.
"""

import numpy as np
from numpy.typing import ArrayLike

from . import motion
from .shapes import Points, Shape, cut, line, oval, place, plain, soft, spaced, tube

INK, FINE = 0.017, 0.012
"""Widths of outlines, in metres: of a part and of a detail."""
HEAD = 0.44
"""Half the head's width in metres."""
EYE = (0.185, 0.265)
"""Half an eye's width and height, in the head's unit."""
PALETTE = {
    "Fur": "#e8793a", "Fur Light": "#fff1dc", "Fur Dark": "#5a3425", "Tuft": "#c95a24", "Ear Inside": "#f3bfa2",
    "Eye": "#fdfdf8", "Iris": "#4f9a5b", "Pupil": "#241a1c", "Gleam": "#ffffff", "Lid": "#e8793a", "Nose": "#33211f",
    "Mouth": "#8c2a36", "Tongue": "#e77c83", "Coat": "#f2b632", "Coat Band": "#fff3d6", "Pocket": "#cf962a", "Button": "#7c4a2a",
    "Belt": "#6b3e26", "Buckle": "#d8d3c4", "Trousers": "#39557f", "Boot": "#8c2f39",
    "Sole": "#e9d8b4", "Boot Cuff": "#c25c66", "Paw": "#4a2b20", "Scarf": "#1f8a8c", "Scarf Band": "#f4ede0",
    "Scarf Fold": "#176a6e", "Satchel": "#a8693d", "Flap": "#8b522d", "Strap": "#6e4024", "Clasp": "#e2b84d", "Letter": "#fbf7ec",
    "Seal": "#c9343f", "Balloon": "#e4485b", "Balloon Gleam": "#fbd0d2", "Knot": "#b93547", "Shadow": "#c9ad74",
}  # fmt: skip


UNLINED = {"Lid"}
"""Materials that are drawn without an outline."""


def fox(time: float) -> list[Shape]:
    """The whole fox from its balloon to its waving hand, bottom first, standing on z = 0."""
    return [*balloon(time), *tail(time), *scarf_end(time), *far_arm(time), *leg(time, False), *leg(time, True), *body(time), *satchel(time),
            *scarf(time), *head(time), *near_arm(time)]  # fmt: skip


def shadow(time: float) -> list[Shape]:
    lift = motion.hip_z(time) - 0.55
    return [soft("Shadow", oval((motion.hip_x(time), -0.015), (0.44 + lift, 0.045), 12), FINE)]


def on_body(time: float, points: ArrayLike) -> Points:
    """Points of the body's own space (from the hips' middle, upright) where the body is at that time."""
    height = motion.squash(time)
    return place(points, (motion.hip_x(time), motion.hip_z(time)), motion.lean(time), (1 / height, height))


def balloon(time: float) -> list[Shape]:
    hand = far_hand(time)
    angle = 0.3 * motion.balloon(time) - 0.16
    top = hand + place((0, 0.78), (0, 0), angle)
    sag = place((0.05 * motion.pace(time) + 0.02, 0.38), hand, angle)
    stretch = 1 + 0.02 * np.sin(time / 4)
    points = [(0, -0.02), (0.17, 0.1), (0.275, 0.34), (0.19, 0.58), (0, 0.66), (-0.19, 0.58), (-0.275, 0.34), (-0.17, 0.1)]
    parts = [
        cut("Knot", [(0, 0.02), (0.05, -0.05), (0, -0.035), (-0.05, -0.05)], FINE, range(4)),
        cut("Balloon", points, INK, [0]),
        soft("Balloon Gleam", [(-0.17, 0.36), (-0.13, 0.5), (-0.06, 0.56), (-0.08, 0.46), (-0.12, 0.36)], FINE * 0.7),
        line([(0.11, 0.12), (0.18, 0.23), (0.215, 0.36)], FINE),
    ]
    return [line([hand, sag, top], FINE, taper=0.2), *(part.moved(top, angle * 0.8, (1 / stretch, stretch)) for part in parts)]


def tail(time: float) -> list[Shape]:
    """A chain whose links follow one after the other, and which drags behind the body's speed."""
    at, links = on_body(time, (-0.13, 0.02)), []
    wave = motion.walking(time)
    for link, rest in enumerate([3.45, 3.3, 2.95, 2.55, 2.25, 2.1, 2.0, 1.9]):
        late = time - 1.6 * link
        drag = (motion.tail(late) - 0.55) * (0.1 + 0.13 * link)
        angle = rest + drag + 0.11 * wave * np.sin(2 * np.pi * late / 20) * (0.4 + 0.2 * link)
        angle += 0.05 * (1 - wave) * link * np.sin(2 * np.pi * late / 26)
        links.append(at)
        at = at + 0.135 * np.array([np.cos(angle), np.sin(angle)])
    spine = spaced(np.array([*links, at]), 11)
    widths = np.array([0.1, 0.15, 0.22, 0.29, 0.34, 0.36, 0.34, 0.29, 0.22, 0.13, 0.04])
    whole = tube(spine, widths, tip=1.2, root=0)
    upper, lower = whole[:11], whole[12:][::-1]
    tip = np.array([*upper[7:], whole[11], *lower[:6:-1]])
    middle = spine[7] - (spine[8] - spine[7]) * 0.9
    teeth = [
        lower[7] * 0.55 + spine[7] * 0.45 + (spine[8] - spine[7]) * 0.4,
        middle,
        upper[7] * 0.55 + spine[7] * 0.45 + (spine[8] - spine[7]) * 0.4,
    ]
    fur = [line([spine[3] * 0.3 + lower[3] * 0.7, spine[5] * 0.45 + lower[5] * 0.55, spine[6] * 0.5 + lower[6] * 0.5], FINE)]
    return [soft("Fur", whole, INK), cut("Fur Light", [*tip, *teeth], INK, [0, len(tip) - 1, len(tip), len(tip) + 1, len(tip) + 2]), *fur]


def scarf_end(time: float) -> list[Shape]:
    """The loose end of the scarf, which flies on the walk and falls at the stop."""
    at, links = on_body(time, (-0.13, 0.47)), []
    for link in range(8):
        late = time - 1.3 * link
        flight = np.clip(motion.scarf(late), -0.6, 1.4)
        angle = 4.3 - 0.95 * flight - 0.05 * link + 0.3 * np.sin(2 * np.pi * late / 13 - 0.3) * motion.walking(late + 3) * (link / 7)
        links.append(at)
        at = at + 0.1 * np.array([np.cos(angle), np.sin(angle)])
    spine = spaced(np.array(links), 9)
    whole = tube(spine, np.linspace(0.1, 0.165, 9), tip=0, root=0.3)
    left, right = whole[:9], whole[9:18][::-1]
    band = cut("Scarf Band", [left[5], left[6], right[6], right[5]], FINE, range(4))
    ends = [left[8] + (right[8] - left[8]) * share for share in (0.12, 0.37, 0.63, 0.88)]
    fringe = [line([end, end + (spine[8] - spine[7]) * 0.55], FINE, taper=0.5) for end in ends]
    return [*fringe, cut("Scarf", whole, INK, [8, 9]), band]


def far_hand(time: float) -> Points:
    """Where the hand is that holds the balloon: pulled back a little on the walk, up at rest."""
    rise = 0.05 * motion.balloon(time - 2)
    return on_body(time, (0.47 - 0.05 * motion.twist(time), 0.4 - rise + 0.02 * np.sin(2 * np.pi * time / 24)))


def far_arm(time: float) -> list[Shape]:
    shoulder, hand = on_body(time, (0.14 + 0.02 * motion.twist(time), 0.43)), far_hand(time)
    elbow = (shoulder + hand) / 2 + np.array([0.06, -0.15])
    spine = hose(shoulder, elbow, hand)
    fist = soft(
        "Paw", place([(-0.045, -0.03), (0.05, -0.045), (0.075, 0.02), (0.06, 0.08), (0, 0.1), (-0.06, 0.07)], spine[-1], -0.2), FINE
    )
    thumb = line([spine[-1] + (-0.02, 0.03), spine[-1] + (0.03, 0.045), spine[-1] + (0.06, 0.03)], FINE)
    return [
        soft("Coat", tube(spine[:7], np.linspace(0.15, 0.145, 7), tip=0.1), INK),
        fist,
        thumb,
        *cuff("Coat Band", spine, 5.6, 7, 0.165),
    ]


def leg(time: float, near: bool) -> list[Shape]:
    hip = on_body(time, ((-0.075 if near else 0.085) - 0.015 * motion.twist(time) * (1 if near else -1), 0.0))
    x, z, angle = motion.foot(time, near)
    ankle = np.array([x, z])
    knee = bend(hip, ankle, 0.25, 0.25)
    thigh = tube(hose(hip, knee, ankle), np.linspace(0.19, 0.13, 9), tip=0)
    boot = [
        (-0.085, 0.11),
        (-0.09, 0.0),
        (-0.105, -0.07),
        (-0.09, -0.1),
        (0.19, -0.1),
        (0.21, -0.055),
        (0.15, 0.0),
        (0.085, 0.03),
        (0.08, 0.11),
    ]
    sole = [(-0.11, -0.078), (-0.1, -0.112), (0.2, -0.112), (0.222, -0.075), (0.1, -0.078)]
    top = [(-0.1, 0.075), (0.095, 0.075), (0.1, 0.14), (-0.1, 0.14)]
    parts = [cut("Boot", boot, INK, [0, 8]), cut("Sole", sole, FINE, [0, 3]), cut("Boot Cuff", top, FINE, range(4), 0.6)]
    crease = [line([(0.02, 0.01), (0.06, 0.0), (0.1, 0.005)], FINE)] if near else []
    return [soft("Trousers", thigh, INK), *(part.moved(ankle, angle) for part in [*parts, *crease])]


def body(time: float) -> list[Shape]:
    """The coat, whose hem swings late."""
    swing = -0.05 * (motion.coat(time) - 0.4)
    turn = 0.02 * motion.twist(time)
    hem = [(0.345 + swing, -0.13), (0.12 + swing, -0.175), (-0.12 + swing, -0.175), (-0.345 + swing * 1.3, -0.12)]
    sides = [(-0.215, 0.18), (-0.235 + turn, 0.4), (-0.13 + turn, 0.52), (0.14 + turn, 0.52), (0.235 + turn, 0.4), (0.215, 0.18)]
    band = [
        np.array(a) * 0.82 + np.array(b) * 0.18
        for a, b in zip(hem, [(0.215, 0.18), (0.07, 0.18), (-0.07, 0.18), (-0.215, 0.18)], strict=True)
    ]
    front = np.array([(0.105 + turn, 0.42), (0.118, 0.32), (0.122, 0.24)])
    buttons = [soft("Button", oval(at, (0.027, 0.027), 8), FINE * 0.8) for at in ((0.06, 0.27), (0.065 + swing * 0.6, 0.04))]
    pocket = [(0.175 + swing * 0.4, 0.05), (0.275 + swing * 0.4, 0.035), (0.285 + swing * 0.5, -0.02), (0.18 + swing * 0.5, -0.005)]
    belt = [(-0.225, 0.205), (0, 0.185), (0.225, 0.205), (0.23, 0.145), (0, 0.122), (-0.23, 0.145)]
    buckle = [(0.075, 0.215), (0.16, 0.222), (0.165, 0.122), (0.08, 0.112)]
    inner = [(0.1, 0.19), (0.14, 0.194), (0.143, 0.147), (0.103, 0.142)]
    parts = [
        cut("Coat", [*hem, *sides], INK, [0, 3]),
        cut("Coat Band", [*hem, *band[::-1]], FINE, [0, 3, 4, 7]),
        line(front, FINE, taper=0.3),
        *buttons,
        cut("Pocket", pocket, FINE, range(4)),
        cut("Belt", belt, INK, [0, 2, 3, 5]),
        cut("Buckle", buckle, FINE, range(4), 0.8),
        cut("Belt", inner, FINE * 0.8, range(4), 0.8),
        line([(-0.12 + swing, -0.06), (-0.14, 0.03), (-0.13, 0.1)], FINE),
    ]
    height = motion.squash(time)
    return [part.moved((motion.hip_x(time), motion.hip_z(time)), motion.lean(time), (1 / height, height)) for part in parts]


def satchel(time: float) -> list[Shape]:
    """The bag on its strap, with a letter that looks out."""
    swing = -0.16 * (motion.satchel(time) - 0.7) - 0.05
    hang = on_body(time, (-0.17, 0.1))
    ends = on_body(time, [(0.16, 0.46), (0.03, 0.3), (-0.12, 0.13)])
    strap = cut("Strap", tube(spaced(ends, 5), np.full(5, 0.045), tip=0, root=0), FINE, [4, 5, 9, 0])
    letter = [(-0.1, 0.0), (0.06, 0.03), (0.035, 0.13), (-0.125, 0.1)]
    bag = [(-0.15, 0.02), (0.13, 0.02), (0.145, -0.17), (0.1, -0.205), (-0.12, -0.205), (-0.165, -0.17)]
    flap = [(-0.155, 0.03), (0.135, 0.03), (0.145, -0.07), (0.0, -0.115), (-0.16, -0.07)]
    parts = [
        plain("Letter", letter, FINE),
        line([(-0.1, 0.085), (-0.035, 0.05), (0.02, 0.1)], FINE * 0.8, taper=0.6),
        soft("Seal", oval((-0.036, 0.068), (0.022, 0.022), 8), FINE * 0.7),
        cut("Satchel", bag, INK, [0, 1], 0.9),
        cut("Flap", flap, INK, [0, 1], 0.9),
        cut("Clasp", [(-0.035, -0.085), (0.02, -0.085), (0.02, -0.145), (-0.035, -0.145)], FINE, range(4), 0.8),
    ]
    return [strap, *(part.moved(hang, swing + motion.lean(time) * 0.3) for part in parts)]


def scarf(time: float) -> list[Shape]:
    """The scarf's turns around the neck, under the chin."""
    turn = 0.03 * motion.twist(time)
    lower = soft("Scarf", [(-0.21, 0.5), (-0.2, 0.43), (-0.02, 0.385), (0.17 + turn, 0.42), (0.215, 0.5), (0.1, 0.56), (-0.1, 0.56)], INK)
    bands = [
        cut("Scarf Band", [(x, 0.56), (x + 0.055, 0.56), (x + 0.075, low), (x + 0.01, low - 0.004)], FINE, range(4))
        for x, low in ((-0.105, 0.402), (0.07 + turn, 0.4))
    ]
    fold = soft("Scarf Fold", [(-0.19, 0.49), (-0.03, 0.455), (0.19 + turn, 0.5), (0.1, 0.62), (-0.12, 0.62)], INK)
    height = motion.squash(time)
    return [part.moved((motion.hip_x(time), motion.hip_z(time)), motion.lean(time), (1 / height, height)) for part in (lower, *bands, fold)]


def head(time: float) -> list[Shape]:
    """The head, a ball that turns and nods: a part of the face moves by how far it lies in front."""
    late = time - 1.5
    centre = on_body(late, (0.03 * motion.walking(time), 0.84)) + np.array((motion.hip_x(time) - motion.hip_x(late), 0))
    stretch = 1 + 0.8 * (motion.hip_z(time) - motion.hip_z(time - 2))
    parts = [*head_ears(time), *face(time), *eyes(time), *muzzle(time), *tuft(time)]
    return [part.moved(centre, motion.tilt(time) + 0.35 * motion.lean(late), (HEAD / stretch, HEAD * stretch)) for part in parts]


def turned(time: float, points: ArrayLike, front: float = 0.85, bump: float = 0.0) -> Points:
    """Points of the face where the head's turn takes them: `front` is how far the ball's middle lies before its rim."""
    points = np.asarray(points, float)
    yaw, pitch = motion.yaw(time), motion.pitch(time)
    depth = front * np.sqrt(np.maximum(0, 1 - (points[..., 0] / 1.05) ** 2 - (points[..., 1] / 0.9) ** 2)) + bump
    return np.stack([points[..., 0] * np.cos(yaw) + depth * np.sin(yaw), points[..., 1] + depth * pitch], -1)


def head_ears(time: float) -> list[Shape]:
    parts = []
    for side in (1, -1):
        flop = 0.16 * motion.ears(time - (0.8 if side > 0 else 0)) * side - 0.1 * motion.yaw(time)
        squeeze = 1 - 0.22 * side * np.sin(motion.yaw(time))
        root = turned(time, (0.52 * side, 0.52), 0.0)
        ear = np.array([(-0.3, -0.02), (-0.24, 0.42), (0.16, 0.98), (0.36, 0.4), (0.34, -0.2)])
        tip = np.array([(-0.06, 0.69), (0.16, 0.98), (0.275, 0.66), (0.2, 0.74), (0.13, 0.62), (0.04, 0.74)])
        inside = np.array([(-0.12, 0.0), (-0.1, 0.32), (0.1, 0.58), (0.22, 0.32), (0.22, -0.1)])
        shapes = [
            cut("Fur", ear, INK, [0, 2, 4]),
            cut("Ear Inside", inside, FINE, [0, 2, 4]),
            cut("Fur Dark", tip, FINE, range(6), 0.9),
        ]
        parts += [shape.moved(root, flop - 0.06 * side, (side * squeeze, 1)) for shape in shapes]
    return parts


_HALF = [(0.5, 0.68), (0.84, 0.32), (0.96, 0.02), (1.2, -0.24), (0.97, -0.36), (1.03, -0.56), (0.76, -0.62), (0.36, -0.86)]


def face(time: float) -> list[Shape]:
    mirrored = [(-x, z) for x, z in _HALF[::-1]]
    outline = turned(time, [(0, 0.8), *_HALF, (0, -0.93), *mirrored], 0.4)
    bridge = [(-0.62, -0.2), (-0.3, -0.02), (-0.12, -0.1), (0, -0.22), (0.12, -0.1), (0.3, -0.02), (0.62, -0.2)]
    lower = np.array([*_HALF[3:], (0, -0.93), *mirrored[:5]])
    mask = [*turned(time, lower, 0.4), *turned(time, bridge)]
    marks = [line(turned(time, [(x, 0.72 - abs(x) * 0.3), (x * 0.8, 0.5)]), FINE) for x in (-0.16, 0.0, 0.16)]
    return [cut("Fur", outline, INK, [4, 5, 6, 12, 13, 14]), cut("Fur Light", mask, INK * 0.85, [0, 1, 2, 8, 9, 10, 14]), *marks]


def eyes(time: float) -> list[Shape]:
    """Two eyes with iris, pupil and gleam, the lid over them where they blink, and the brows."""
    closed = min(1.0, motion.lids(time))
    look = np.array([0.02 + 0.03 * motion.yaw(time), 0.0])
    parts = []
    for side in (-1, 1):
        white = oval((0.42 * side, 0.1), EYE, 12)
        middle = np.array((0.395 * side, 0.07)) + look
        parts.append(soft("Eye", turned(time, white), INK * 0.8))
        if closed < 0.98:
            parts += [
                soft("Iris", turned(time, oval(middle, (0.13, 0.185))), FINE * 0.8),
                soft("Pupil", turned(time, oval(middle, (0.085, 0.13))), FINE * 0.6),
                soft("Gleam", turned(time, oval(middle + np.array((0.035, 0.075)), (0.047, 0.062), 8)), FINE * 0.5),
            ]
        lash = [white[i] for i in (7, 6, 5, 4, 3, 2, 1, 0)]
        parts += lid(time, np.array((0.42 * side, 0.1)), closed) if closed > 0.05 else [line(turned(time, lash), INK * 1.5)]
        brow = [(0.24 * side, 0.44), (0.42 * side, 0.5 + 0.05 * motion.smile(time)), (0.62 * side, 0.4)]
        parts.append(line(turned(time, brow), INK * 1.5, taper=0.7))
    return parts


def lid(time: float, eye: Points, closed: float) -> list[Shape]:
    """The lid over an eye about its middle: fur down to its edge, without an outline but for the lashes there."""
    reach, height = EYE
    edge = height * (1 - 2 * closed)
    wide = 1.0 if edge < 0 else np.sqrt(1 - min(edge / height, 1) ** 2)
    across = np.linspace(-wide, wide, 13)
    low = np.maximum(edge - 0.05 * (1 - across**2), -height * np.sqrt(1 - across**2))
    lashes = eye + np.stack([across * reach, low], 1)
    start = np.arcsin(np.clip(low[-1] / height, -1, 1))
    over = np.linspace(start, np.pi - start, 13)
    top = eye + np.stack([np.cos(over) * reach * 1.12, np.sin(over) * height * 1.09], 1)
    patch = turned(time, [*lashes, *top])
    return [Shape("Lid", patch, np.full(len(patch), FINE), "POLY"), line(turned(time, lashes), INK * 1.5, taper=0.6)]


def muzzle(time: float) -> list[Shape]:
    """The nose and the mouth, which opens with the smile."""
    wide = motion.smile(time)
    reach = 0.27 + 0.09 * wide
    lip = [(-reach, -0.42 + 0.05 * wide), (-reach * 0.5, -0.53), (0, -0.47), (reach * 0.5, -0.53), (reach, -0.42 + 0.05 * wide)]
    chin = -0.53 - 0.27 * wide
    mouth = [
        (-reach * 0.72, -0.49),
        (-reach * 0.36, -0.53),
        (0, -0.475),
        (reach * 0.36, -0.53),
        (reach * 0.72, -0.49),
        (reach * 0.4, chin),
        (-reach * 0.4, chin),
    ]
    tongue = [
        (-reach * 0.46, chin + 0.035),
        (-reach * 0.2, chin + 0.12 * wide + 0.01),
        (reach * 0.2, chin + 0.12 * wide + 0.01),
        (reach * 0.46, chin + 0.035),
        (reach * 0.36, chin),
        (-reach * 0.36, chin),
    ]
    nose = [(-0.135, -0.2), (0, -0.165), (0.135, -0.2), (0.07, -0.31), (0, -0.35), (-0.07, -0.31)]
    parts = []
    if wide > 0.15:
        parts += [cut("Mouth", turned(time, mouth), FINE, [0, 2, 4]), soft("Tongue", turned(time, tongue), FINE * 0.8)]
    parts += [line(turned(time, lip), INK, taper=0.6), line(turned(time, [(0, -0.33), (0, -0.4), (0, -0.47)], bump=0.1), FINE, taper=0.3)]
    return [*parts, soft("Nose", turned(time, nose, bump=0.12), INK)]


def tuft(time: float) -> list[Shape]:
    """The forelock: three locks that lag behind the head's turn."""
    lag = 0.3 * motion.ears(time - 1.5)
    points = [(-0.2, 0.72), (-0.34, 0.94), (-0.42 + 0.5 * lag, 1.0), (-0.2, 0.98), (-0.08, 0.93), (-0.1, 1.08), (-0.2 + lag, 1.24), (0.08, 1.1),
              (0.14, 0.93), (0.2, 1.0), (0.2 + 0.8 * lag, 1.13), (0.34, 0.92), (0.27, 0.71), (0.04, 0.63)]  # fmt: skip
    return [cut("Tuft", turned(time, points, 0.25), INK, [0, 2, 4, 6, 8, 10, 12])]


def near_arm(time: float) -> list[Shape]:
    upper, fore = motion.near_arm(time)
    shoulder = on_body(time, (-0.175 - 0.03 * motion.twist(time), 0.42))
    tilt = motion.lean(time)
    elbow = place((0, -0.27), shoulder, upper + tilt)
    wrist = place((0, -0.25), elbow, fore + tilt)
    spine = hose(shoulder, elbow, wrist)
    late, spread = motion.near_hand(time)
    sleeve = soft("Coat", tube(spine[:8], np.linspace(0.155, 0.15, 8), tip=0.1), INK)
    return [*hand(spine[-1], fore + tilt + late, spread), sleeve, *cuff("Coat Band", spine, 6.4, 7.8, 0.172)]


def hand(wrist: Points, angle: float, spread: float) -> list[Shape]:
    """A paw hanging down from its wrist, thumb to the front; its fingers reach out as they spread."""
    far = 0.045 * spread
    outline = [(-0.05, 0.02), (0.05, 0.02), (0.075, -0.05), (0.115 + far, -0.075 - far * 0.3), (0.09 + far * 0.7, -0.115), (0.062, -0.11),
               (0.065 + far * 0.8, -0.16 - far), (0.03 + far * 0.3, -0.185 - far), (0.016, -0.145), (0.0, -0.2 - far * 1.2), (-0.036, -0.19 - far),
               (-0.03, -0.145), (-0.062 - far * 0.6, -0.175 - far * 0.7), (-0.09 - far * 0.6, -0.135 - far * 0.5), (-0.07, -0.06)]  # fmt: skip
    pads = [line([(0.02, -0.13), (0.017, -0.1)], FINE), line([(-0.028, -0.13), (-0.024, -0.1)], FINE)]
    return [part.moved(wrist, angle) for part in (cut("Paw", outline, INK, [], 1.0), *pads)]


def cuff(material: str, spine: Points, start: float, end: float, width: float) -> list[Shape]:
    """A band around a sleeve, between two places along its spine."""
    at = np.linspace(start, end, 3)
    run = np.stack([np.interp(at, np.arange(len(spine)), spine[:, axis]) for axis in (0, 1)], 1)
    return [cut(material, tube(run, np.full(3, width), tip=0, root=0), FINE, [0, 2, 3, 5])]


def hose(start: Points, middle: Points, end: Points) -> Points:
    """A limb's spine of 9 points, bent round its joint like a hose."""
    u = np.linspace(0, 1, 9)[:, None]
    control = middle + (middle - (start + end) / 2) * 0.55
    return start * (1 - u) ** 2 + control * 2 * u * (1 - u) + end * u**2


def bend(hip: Points, ankle: Points, thigh: float, shin: float) -> Points:
    """Where the knee is, bent forwards; the leg stretches where it does not reach."""
    reach = ankle - hip
    distance = max(float(np.linalg.norm(reach)), 1e-6)
    along = (thigh**2 - shin**2 + distance**2) / (2 * distance)
    out = np.sqrt(max(thigh**2 - along**2, 0.0))
    return hip + reach / distance * along + np.array([-reach[1], reach[0]]) / distance * out
