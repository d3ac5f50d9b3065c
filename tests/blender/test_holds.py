"""Frames that show what the one before shows are holds: the artist retimes keys, not copies."""

from dataclasses import replace

import numpy as np
import pytest

LINE = [(-1, 0, 0), (1, 0, 0)]
ARC = [(-2, 0, -1), (-1, 0, 1), (1, 0, 1), (2, 0, -1)]


def moved_on(*frames, layer=None):
    """A move that goes ten pixels up on each of these frames, of all layers or of one, and else stays."""

    def move(strokes, frame):
        up = np.repeat(strokes.layer == strokes.layers.index(layer), np.diff(strokes.offsets)) if layer else True
        shift = np.where(up, 10.0 * sum(number <= frame for number in frames), 0)
        return replace(strokes, points=strokes.points - np.multiply.outer(np.broadcast_to(shift, len(strokes.points)), (0, 1)))

    return move


def keys(hero, layer="Lines take 1"):
    return [key.frame_number for key in hero.data.layers[layer].frames]


@pytest.mark.parametrize(("step", "frames"), [(1, [1, 4, 5, 9]), (2, [1, 5, 9]), (3, [1, 4, 7, 9])])
def test_a_frame_that_equals_the_one_before_makes_no_key(camera, draw, animate, step, frames):
    hero = draw([LINE, ARC])
    animate(moved_on(4, 5), last=8, step=step)
    assert keys(hero) == frames


def test_a_layer_that_rests_while_another_moves_has_one_drawing(camera, draw, animate):
    hero = draw([LINE])
    draw([ARC], layer="Face")
    animate(moved_on(2, 3, 4, layer="Face"))
    assert (keys(hero), keys(hero, "Face take 1")) == ([1, 5], [1, 2, 3, 4, 5])


def test_a_drawing_that_comes_back_has_a_key_again(camera, draw, animate):
    hero = draw([LINE])
    animate(lambda strokes, frame: strokes if frame in (1, 2, 4) else moved_on(3)(strokes, frame))
    assert keys(hero) == [1, 3, 4, 5]


def test_a_take_that_ends_empty_ends_with_its_first_empty_frame(camera, draw, animate):
    hero = draw([LINE])
    none = {name: np.zeros((0, *shape), kind) for name, shape, kind in (
        ("points", (2,), float), ("depth", (), float), ("handles", (2, 2), float), ("widths", (), np.float32), ("opacity", (), np.float32),
        ("curve_type", (), np.uint8), ("cyclic", (), bool), ("line_colour", (4,), np.float32), ("fill_colour", (4,), np.float32),
        ("layer", (), np.int32), ("material", (), np.int32), ("source", (), np.int32),
    )}  # fmt: skip
    animate(lambda strokes, frame: replace(strokes, offsets=np.zeros(1, np.int32), **none) if frame > 2 else strokes)
    assert keys(hero) == [1, 3]
    assert hero.data.layers["Lines take 1"].frames[1].drawing.attributes.domain_size("CURVE") == 0
