"""The place: sky, hills, a cottage, a tree and a path, as shapes on layers at their distances. Knows no bpy.

Every layer is drawn as it looks on the fox's own plane from where the camera starts; `shot.py` moves it to its distance.
"""

import numpy as np

from .shapes import Shape, cut, line, oval, plain, puffs, soft

FAR, THIN = 0.012, 0.009
"""Widths of outlines in metres: the background's lines are thinner than the fox's."""
PALETTE = {
    "Sky": "#a9dde0", "Sun": "#ffd166", "Cloud": "#fffaf0", "Hill": "#76b386", "Field": "#93c46b", "Path": "#e3c88f", "Wall": "#f3ddb3", "Roof": "#c8553d", "Roof Side": "#a6412e",
    "Door": "#7a4e2d", "Window": "#fff0a8", "Chimney": "#b58463", "Trunk": "#87583a", "Crown": "#4d985a", "Crown Light": "#6db866",
    "Apple": "#d8403a", "Post": "#8a6a4a", "Box": "#4f7cac", "Box Front": "#7fa6cf", "Flag": "#d94f45", "Grass": "#5fa04e",
    "Petal": "#f7a6c1", "Heart": "#ffd54f",
}  # fmt: skip


def layers() -> dict[str, tuple[float, list[Shape]]]:
    """Every layer's distance behind the fox in metres (negative: before it) and its shapes, bottom first."""
    return {
        "Sky": (40.0, sky()),
        "Hills": (18.0, hills()),
        "Village": (6.0, [*cottage(), *tree()]),
        "Ground": (0.0, [*ground(), *letter_box()]),
    }


def meadow() -> tuple[float, list[Shape]]:
    """What grows before the fox: distance and shapes."""
    return -1.2, [*tussock(-1.55, 0.62), *tussock(1.5, 0.58), *flower(1.95, 0.36)]


def sky() -> list[Shape]:
    wide = [(-6, -1), (6, -1), (6, 5), (-6, 5)]
    clouds = [cloud((-0.55, 2.14), 0.58), cloud((1.75, 2.28), 0.44), cloud((-2.85, 1.85), 0.5)]
    return [plain("Sky", wide, FAR), soft("Sun", oval((-1.75, 2.2), (0.32, 0.32), 14), FAR), *clouds]  # fmt: skip


def cloud(at: tuple[float, float], size: float) -> Shape:
    outline = [(-0.9, 0), (-1.08, 0.2), (-0.82, 0.36), (-0.62, 0.32), (-0.5, 0.62), (-0.1, 0.68), (0.06, 0.5), (0.3, 0.6), (0.58, 0.46), (0.62, 0.3),
               (0.9, 0.34), (1.08, 0.12), (0.9, 0)]  # fmt: skip
    return cut("Cloud", np.array(outline) * size + at, FAR, [0, 3, 6, 9, 12])


def hills() -> list[Shape]:
    ridge = [(-6, -1), (6, -1), (6, 1.0), (3.4, 0.8), (1.5, 1.12), (-0.3, 0.78), (-2.2, 1.16), (-3.8, 0.9), (-6, 1.1)]
    return [cut("Hill", ridge, FAR, [0, 1, 2, 8])]


def cottage() -> list[Shape]:
    """A house that runs out of the picture."""
    x = 1.72
    chimney = [(x + 0.32, 1.42), (x + 0.32, 1.86), (x + 0.5, 1.86), (x + 0.5, 1.32)]
    cap = [(x + 0.28, 1.86), (x + 0.28, 1.93), (x + 0.54, 1.93), (x + 0.54, 1.86)]
    wall = [(x - 0.55, 0.4), (x + 1.6, 0.4), (x + 1.6, 1.12), (x - 0.55, 1.12)]
    gable = [(x - 0.72, 1.05), (x - 0.42, 1.62), (x + 1.6, 1.62), (x + 1.6, 1.05)]
    edge = [(x - 0.74, 1.05), (x + 1.6, 1.05), (x + 1.6, 1.12), (x - 0.74, 1.12)]
    door = [(x - 0.1, 0.4), (x - 0.1, 0.82), (x - 0.03, 0.9), (x + 0.07, 0.93), (x + 0.17, 0.9), (x + 0.24, 0.82), (x + 0.24, 0.4)]
    left = x + 0.335
    window = plain("Window", [(left, 0.66), (left + 0.23, 0.66), (left + 0.23, 0.92), (left, 0.92)], THIN)
    tiles = [
        line([(x + dx, 1.3 + dz), (x + dx + 0.16, 1.29 + dz)], THIN)
        for dx, dz in ((-0.4, 0), (0.1, 0.12), (0.4, -0.08), (-0.15, -0.06), (-0.2, 0.2))
    ]
    return [plain("Chimney", chimney, FAR), plain("Roof Side", cap, FAR), plain("Wall", wall, FAR), plain("Roof", gable, FAR), *tiles,
            plain("Roof Side", edge, FAR), cut("Door", door, FAR, [0, 6]), soft("Clasp", oval((x + 0.18, 0.63), (0.025, 0.025), 8), THIN), window]  # fmt: skip


def tree() -> list[Shape]:
    x = -2.56
    trunk = [(x - 0.16, 0.35), (x - 0.09, 0.7), (x - 0.1, 1.1), (x + 0.1, 1.1), (x + 0.09, 0.7), (x + 0.2, 0.35)]
    crown, valleys = puffs((x, 1.55), (0.72, 0.56), 8, turn=0.2)
    light, inner = puffs((x - 0.16, 1.72), (0.36, 0.22), 6, turn=0.5)
    apples = [soft("Apple", oval((x + dx, z), (0.055, 0.055), 8), THIN) for dx, z in ((0.42, 1.5), (0.02, 1.24))]
    return [cut("Trunk", trunk, FAR, [0, 5]), cut("Crown", crown, FAR, valleys, 1.1),
            cut("Crown Light", light, THIN, inner, 1.1), *apples]  # fmt: skip


def ground() -> list[Shape]:
    field = [(-6, -1), (6, -1), (6, 0.42), (3, 0.46), (0.5, 0.4), (-2, 0.47), (-6, 0.4)]
    path = [(-6, -1), (6, -1), (6, 0.14), (3.5, 0.16), (1, 0.13), (-1.5, 0.16), (-6, 0.13)]
    stones = [
        line([(x, z), (x + 0.06, z + 0.012), (x + 0.13, z)], THIN)
        for x, z in ((-1.7, 0.03), (-0.5, -0.06), (0.5, 0.05), (1.5, -0.07), (2.3, 0.02))
    ]
    blades = [
        line([(x, z), (x + 0.02, z + 0.07)], THIN)
        for x, z in ((-2.2, 0.24), (-0.9, 0.28), (-0.84, 0.27), (0.3, 0.23), (1.1, 0.29), (2.4, 0.24))
    ]
    return [cut("Field", field, FAR, [0, 1, 2, 6]), cut("Path", path, FAR, [0, 1, 2, 6]), *stones, *blades]


def letter_box() -> list[Shape]:
    x = 1.24
    post = [(x - 0.035, 0.16), (x + 0.045, 0.16), (x + 0.045, 0.66), (x - 0.035, 0.66)]
    box = [(x - 0.2, 0.64), (x + 0.22, 0.64), (x + 0.22, 0.8), (x + 0.16, 0.89), (x + 0.06, 0.9), (x - 0.1, 0.9), (x - 0.2, 0.84)]
    front = [(x - 0.24, 0.64), (x - 0.08, 0.64), (x - 0.08, 0.8), (x - 0.11, 0.88), (x - 0.16, 0.905), (x - 0.21, 0.88), (x - 0.24, 0.8)]
    flag = [(x + 0.09, 0.75), (x + 0.12, 0.75), (x + 0.12, 0.93), (x + 0.22, 0.93), (x + 0.22, 1.03), (x + 0.09, 1.03)]
    return [plain("Post", post, FAR), cut("Box", box, FAR, [0, 1]), cut("Box Front", front, FAR, [0, 1]),
            line([(x - 0.2, 0.77), (x - 0.12, 0.77)], THIN), plain("Flag", flag, FAR)]  # fmt: skip


def tussock(x: float, size: float) -> list[Shape]:
    points = [(-0.2, -0.2), (-0.34, 0.0), (-0.2, -0.06), (-0.18, 0.16), (-0.06, -0.02), (0.02, 0.22), (0.1, -0.02), (0.22, 0.13), (0.22, -0.08),
              (0.36, -0.01), (0.2, -0.2), (0, -0.24)]  # fmt: skip
    return [cut("Grass", np.array(points) * size + (x, -0.01), FAR, range(1, 10), 0.9)]


def flower(x: float, height: float) -> list[Shape]:
    centre = np.array((x, -0.3 + height))
    petals, valleys = puffs(centre, (0.085, 0.085), 5, 0.22, 0.3)
    stalk = line([(x, -0.45), (x + 0.015, -0.38 + height / 2), centre], FAR * 1.6, taper=0.2)
    return [stalk, cut("Petal", petals, THIN, valleys, 1.1), soft("Heart", oval(centre, (0.032, 0.032), 8), THIN)]
