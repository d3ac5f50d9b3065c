"""Things that stand about: heaps of plain shapes, houses, trees, clouds, furniture."""

import numpy as np

from . import outlines
from .figures import INK, NONE, Figure
from .outlines import Points
from .studio import Studio


def heap(studio: Studio) -> Figure:
    """A round or angular body with parts stuck on and behind it."""
    figure, rng = Figure(), studio.rng
    root = figure.bone(bend=studio.wave(0.3), soft=(-0.5, 0.5))
    if studio.chance(0.6):
        body = outlines.blob(rng, studio.between(0.6, 1.1), studio.between(0.6, 1.1), studio.between(0.1, 0.3))
    else:
        body = outlines.angular(rng, studio.whole(3, 8), 1.0)
    paint = studio.paint()
    figure.part(root, body, paint, 0)
    for _ in range(studio.whole(1, 6)):
        paint = paint if studio.chance(0.2) else studio.paint()
        angle, distance = studio.between(0, outlines.TAU), studio.between(0, 1)
        joint = (distance * np.cos(angle), distance * np.sin(angle))
        bone = figure.bone(root, joint, angle=studio.wave(0.3, studio.between(0, 6)))
        act = figure.act(studio.winks()) if studio.chance(0.15) else 0
        level = studio.between(0.5, 2) if studio.chance(0.7) else -studio.between(0.5, 2)
        figure.part(bone, lump(studio, studio.between(0.15, 0.5)), paint, level, act=act, pivot=0.0 if act else None)
    return figure


def lump(studio: Studio, radius: float) -> Points:
    """Any round or angular shape of that size."""
    kind = studio.pick({"blob": 0.5, "angular": 0.25, "ellipse": 0.25})
    if kind == "blob":
        return outlines.blob(studio.rng, radius, radius)
    if kind == "angular":
        return outlines.angular(studio.rng, studio.whole(3, 6), radius)
    return outlines.ellipse(radius, radius * studio.between(0.5, 1))


# --- pieces of backdrops: each adds itself to a figure, standing on `at`, as high as `size`


def house(studio: Studio, figure: Figure, bone: int, at: tuple[float, float], size: float, level: float) -> None:
    x, y = at
    w, h = size * studio.between(0.35, 0.55), size * 0.65
    wall, roof, glass = studio.paint(), studio.paint("roof", 0.3), studio.paint("glass", 0.6)
    figure.part(bone, outlines.box(size * 0.05, size * 0.16, (x + w * 0.5, y - size * 0.85)), studio.either(wall), level - 0.01)
    studio.solid(figure, bone, outlines.box(w, h / 2, (x, y - h / 2)), wall, level)
    peak = studio.between(0.0, 0.5)
    studio.solid(
        figure,
        bone,
        outlines.polygon([(x - w * 1.15, y - h), (x - w * peak, y - size), (x + w * peak, y - size), (x + w * 1.15, y - h)]),
        roof,
        level + 0.01,
    )
    figure.part(bone, outlines.box(w * 0.2, h * 0.24, (x - w * 0.5, y - h * 0.24)), studio.paint(), level + 0.02)
    for row in range(studio.whole(1, 2)):
        for column in (0.0, 0.55):
            pane = outlines.box(w * 0.17, h * 0.12, (x + w * column, y - h * (0.35 + 0.4 * row)))
            figure.part(bone, pane, glass, level + 0.02)


def tower(studio: Studio, figure: Figure, bone: int, at: tuple[float, float], size: float, level: float) -> None:
    x, y = at
    w = size * studio.between(0.14, 0.25)
    wall, glass = studio.paint(), studio.paint("glass", 0.5)
    studio.solid(figure, bone, outlines.box(w, size / 2, (x, y - size / 2)), wall, level)
    if studio.chance(0.5):
        figure.part(bone, outlines.polygon([(x - w, y - size), (x, y - size * 1.25), (x + w, y - size)]), studio.paint(), level + 0.01)
    columns, rows = studio.whole(1, 3), studio.whole(2, 4)
    for i in range(columns * rows):
        pane = outlines.box(
            w * 0.6 / columns,
            size * 0.3 / rows,
            (x + w * 2 * ((i % columns + 0.5) / columns - 0.5), y - size * ((i // columns + 0.6) / rows) * 0.95),
        )
        figure.part(bone, pane, glass if studio.chance(0.85) else studio.paint("lit", 0.9), level + 0.02)


def tree(studio: Studio, figure: Figure, bone: int, at: tuple[float, float], size: float, level: float) -> None:
    x, y = at
    trunk, leaf = studio.paint("wood", 0.6), studio.paint("leaf", 0.5)
    w = size * studio.between(0.05, 0.09)
    figure.part(
        bone, outlines.polygon([(x - w, y), (x - w * 0.6, y - size * 0.6), (x + w * 0.6, y - size * 0.6), (x + w, y)]), trunk, level
    )
    kind = studio.pick({"cloud": 0.5, "fir": 0.3, "balls": 0.2})
    crown = figure.bone(bone, (x, y - size * 0.4), angle=studio.wave(0.06))
    if kind == "fir":
        for i in range(3):
            wide, low = size * (0.32 - 0.07 * i), -size * 0.2 * i
            figure.part(crown, outlines.polygon([(-wide, low), (0, low - size * 0.35), (wide, low)]), leaf, level + 0.01 * (i + 1))
    elif kind == "cloud":
        studio.solid(
            figure,
            crown,
            outlines.moved(outlines.scallops(studio.rng, size * 0.36, size * 0.34, studio.whole(6, 9)), 0, -size * 0.25),
            leaf,
            level + 0.01,
        )
    else:
        for dx, dy in ((-0.18, -0.15), (0.18, -0.15), (0, -0.38)):
            figure.part(crown, outlines.ellipse(size * 0.22, size * 0.2, (dx * size, dy * size)), leaf, level + 0.01 * (2 + dy))
    fruit = studio.paint()
    for _ in range(studio.whole(2, 4) if studio.chance(0.3) else 0):
        spot = outlines.ellipse(size * 0.045, size * 0.045, (studio.between(-0.2, 0.2) * size, studio.between(-0.4, -0.1) * size))
        figure.part(crown, spot, fruit, level + 0.1)


def cloud(studio: Studio, figure: Figure, bone: int, at: tuple[float, float], size: float, level: float) -> None:
    paint = studio.paint("cloud", 0.8)
    shape = outlines.scallops(studio.rng, size, size * studio.between(0.35, 0.6), studio.whole(5, 9))
    figure.part(bone, outlines.moved(shape, *at), paint, level)


def bush(studio: Studio, figure: Figure, bone: int, at: tuple[float, float], size: float, level: float) -> None:
    leaf, flower = studio.paint("leaf", 0.5), studio.paint()
    studio.solid(
        figure,
        bone,
        outlines.moved(outlines.scallops(studio.rng, size * 0.7, size * 0.45, studio.whole(5, 8)), at[0], at[1] - size * 0.3),
        leaf,
        level,
    )
    for _ in range(studio.whole(1, 3) if studio.chance(0.4) else 0):
        spot = outlines.ellipse(
            size * 0.09, size * 0.09, (at[0] + studio.between(-0.4, 0.4) * size, at[1] - studio.between(0.15, 0.5) * size)
        )
        figure.part(bone, spot, flower, level + 0.01)


def rock(studio: Studio, figure: Figure, bone: int, at: tuple[float, float], size: float, level: float) -> None:
    shape = outlines.angular(studio.rng, studio.whole(5, 7), size * 0.5) * [1, 0.8]
    studio.solid(figure, bone, outlines.moved(shape, at[0], at[1] - size * 0.3), studio.paint("rock", 0.5), level)


def fence(studio: Studio, figure: Figure, bone: int, at: tuple[float, float], size: float, level: float) -> None:
    wood, posts = studio.paint("wood", 0.5), studio.whole(3, 7)
    for y in (0.35, 0.7):
        figure.part(bone, outlines.box(size * 0.22 * posts, size * 0.06, (at[0], at[1] - size * y)), wood, level)
    for x in (np.arange(posts) - posts / 2 + 0.5) * size * 0.42:
        post = [(x - size * 0.09, 0), (x - size * 0.09, -size * 0.9), (x, -size), (x + size * 0.09, -size * 0.9), (x + size * 0.09, 0)]
        figure.part(bone, outlines.moved(outlines.polygon(post, 2), *at), wood, level + 0.01)


def table(studio: Studio, figure: Figure, bone: int, at: tuple[float, float], size: float, level: float) -> None:
    x, y = at
    top, leg = studio.paint("wood", 0.4), studio.paint()
    for side in (-1, 1):
        figure.part(bone, outlines.box(size * 0.06, size * 0.32, (x + side * size * 0.6, y - size * 0.32)), leg, level)
    if studio.chance(0.6):
        figure.part(
            bone,
            outlines.polygon(
                [
                    (x - size * 0.1, y - size),
                    (x + size * 0.1, y - size),
                    (x + size * 0.06, y - size * 0.7),
                    (x - size * 0.06, y - size * 0.7),
                ]
            ),
            studio.paint(),
            level + 0.02,
        )
    if studio.chance(0.4):
        for dx in (-0.25, 0.0, 0.25):
            figure.part(
                bone,
                outlines.ellipse(size * 0.12, size * 0.12, (x + size * (0.35 + dx * 0.5), y - size * 0.82)),
                studio.paint(),
                level + 0.01,
            )
    figure.part(bone, outlines.box(size * 0.75, size * 0.07, (x, y - size * 0.67)), top, level + 0.03)


def chair(studio: Studio, figure: Figure, bone: int, at: tuple[float, float], size: float, level: float) -> None:
    x, y = at
    wood, seat = studio.paint("wood", 0.4), studio.paint()
    figure.part(bone, outlines.box(size * 0.28, size * 0.3, (x, y - size * 0.75), 0.3), wood, level)
    figure.part(bone, outlines.box(size * 0.18, size * 0.18, (x, y - size * 0.78), 0.3), seat, level + 0.01)
    for side in (-1, 1):
        figure.part(bone, outlines.box(size * 0.04, size * 0.22, (x + side * size * 0.25, y - size * 0.22)), wood, level + 0.02)
    figure.part(bone, outlines.box(size * 0.33, size * 0.07, (x, y - size * 0.42), 0.5), seat, level + 0.03)


def shelf(studio: Studio, figure: Figure, bone: int, at: tuple[float, float], size: float, level: float) -> None:
    x, y = at
    wood, back = studio.paint("wood", 0.4), studio.paint()
    figure.part(bone, outlines.box(size * 0.4, size / 2, (x, y - size / 2)), wood, level)
    books = [studio.paint() for _ in range(3)]
    for row in range(2):
        base = y - size * (0.06 + 0.46 * row)
        figure.part(bone, outlines.box(size * 0.34, size * 0.2, (x, base - size * 0.2)), back, level + 0.01)
        for i in range(studio.whole(2, 4)):
            tall = size * studio.between(0.1, 0.17)
            figure.part(bone, outlines.box(size * 0.05, tall, (x - size * 0.25 + i * size * 0.12, base - tall)), books[i % 3], level + 0.02)


def window(studio: Studio, figure: Figure, bone: int, at: tuple[float, float], size: float, level: float) -> None:
    x, y = at
    frame, glass, cloth = studio.paint(), studio.paint("glass", 0.5), studio.paint()
    figure.part(bone, outlines.box(size * 0.4, size * 0.5, (x, y)), frame, level)
    for dx in (-0.18, 0.18):
        figure.part(bone, outlines.box(size * 0.15, size * 0.42, (x + dx * size, y)), glass, level + 0.01)
    if studio.chance(0.5):
        for side in (-1, 1):
            curtain = [(side * 0.5, -0.55), (side * 0.12, -0.55), (side * 0.3, 0.1), (side * 0.34, 0.6), (side * 0.52, 0.6)]
            figure.part(bone, outlines.moved(outlines.path(np.array(curtain) * size, 3), *at), cloth, level + 0.02)


def picture(studio: Studio, figure: Figure, bone: int, at: tuple[float, float], size: float, level: float) -> None:
    w, h = size * studio.between(0.25, 0.5), size * studio.between(0.25, 0.4)
    figure.part(bone, outlines.box(w, h, at), studio.paint(), level)
    figure.part(bone, outlines.box(w * 0.8, h * 0.78, at), studio.paint(), level + 0.01)
    figure.part(bone, outlines.moved(lump(studio, h * 0.45), *at), studio.paint(), level + 0.02)


def clock(studio: Studio, figure: Figure, bone: int, at: tuple[float, float], size: float, level: float) -> None:
    figure.part(bone, outlines.ellipse(size * 0.3, size * 0.3, at), studio.paint(), level)
    figure.part(bone, outlines.ellipse(size * 0.23, size * 0.23, at), studio.paint("white", 0.6), level + 0.01)
    for long, speed in ((0.19, 3.0), (0.12, 0.5)):
        hand = figure.bone(bone, at, angle=studio.wave(speed, studio.between(0, 6)))
        figure.part(hand, np.array([[0, 0], [0, long * size]]), NONE, level + 0.02, line=(0, 2))


def lamp(studio: Studio, figure: Figure, bone: int, at: tuple[float, float], size: float, level: float) -> None:
    x, y = at
    figure.part(bone, outlines.box(size * 0.03, size * 0.45, (x, y - size * 0.45)), studio.paint(), level)
    figure.part(bone, outlines.ellipse(size * 0.16, size * 0.04, (x, y)), INK if studio.chance(0.3) else studio.paint(), level + 0.01)
    shade = [
        (x - size * 0.12, y - size),
        (x + size * 0.12, y - size),
        (x + size * 0.24, y - size * 0.68),
        (x - size * 0.24, y - size * 0.68),
    ]
    figure.part(bone, outlines.polygon(shade), studio.paint(), level + 0.02)
