"""The learned matcher as it runs: numpy, its weights, what it knows of a region, and how several frames' words become one."""

import numpy as np
import pytest
from pegbar.engine.pipelines.flat import network
from pegbar.engine.pipelines.flat.description import LOOKS, Regions, describe
from pegbar.engine.pipelines.flat.matching import Coloured, match, pairing

from .cartoon import pebbles, walk

SIZE = (320, 180)


def regions(time: float) -> tuple[Regions, np.ndarray]:
    """A walking figure's regions by its true identities, and the identity of each."""
    ids = walk(time, *SIZE)[1]
    values, labels = np.unique(ids, return_inverse=True)
    return describe(labels.reshape(ids.shape).astype(np.int32)), values


def test_the_weights_are_small():
    weights = network.parameters()
    assert sum(value.size for value in weights.values()) < 2_000_000
    assert network.WEIGHTS.stat().st_size < 4_000_000


def test_a_drawing_is_matched_with_itself():
    drawing, _ = regions(0.3)
    pairs = pairing(drawing, drawing)
    assert pairs.shape == (len(drawing), len(drawing) + 1)
    assert np.allclose(pairs.sum(1), 1, atol=1e-4)
    assert (pairs.argmax(1) == np.arange(len(drawing))).all()


def test_a_walking_figure_is_followed():
    (one, first), (other, second) = regions(0.3), regions(0.36)
    found = first[pairing(other, one)[:, :-1].argmax(1)]
    known = np.isin(second, first)
    assert (found == second)[known].mean() >= 0.95


def test_what_is_new_is_taken_for_none():
    down, across = np.mgrid[:120, :160]
    disc = (np.hypot(across - 60, down - 60) < 20).astype(np.int32)
    both = np.where((np.abs(across - 125) < 10) & (np.abs(down - 30) < 25), 2, disc).astype(np.int32)
    new = pairing(describe(both), describe(disc))[:, -1]
    assert new[2] > 5 * max(new[0], new[1])


def test_chances_add_up_and_name_a_partner():
    (one, _), (other, _) = regions(0.3), regions(0.36)
    found = match(other, [Coloured(one, np.eye(len(one), dtype=np.float32))])
    assert np.allclose(found.chances.sum(1), 1, atol=1e-4) and (found.chances >= 0).all()
    assert set(found.partner[:, 0].tolist()) <= {-1, 0} and (found.sure[found.partner[:, 0] == 0] > 0.1).all()


@pytest.mark.parametrize("identity", [[0, 1, 2], [0, 2, 1]])
def test_which_of_two_equal_shapes_is_which_is_known_from_following_them(identity):
    side_by_side, one_above_the_other = discs((65, 45), (95, 45)), discs((80, 30), (80, 60))
    before = Coloured(one_above_the_other, np.eye(3, dtype=np.float32)[identity], 2)
    reference = Coloured(side_by_side, np.eye(3, dtype=np.float32))
    assert match(one_above_the_other, [before, reference]).chances.argmax(1).tolist() == identity


def discs(*centres: tuple[int, int]) -> Regions:
    down, across = np.mgrid[:90, :160]
    labels = np.zeros((90, 160), np.int32)
    for number, (x, y) in enumerate(centres, 1):
        labels[np.hypot(across - x, down - y) < 9] = number
    return describe(labels)


def test_who_has_not_seen_a_region_is_hardly_heard():
    """The last frame shows a bar that the reference does not: what the reference would guess does not count."""
    down, across = np.mgrid[:90, :160]
    disc = (np.hypot(across - 40, down - 45) < 18).astype(np.int32)
    before = describe(np.where((np.abs(across - 120) < 6) & (np.abs(down - 45) < 35), 2, disc).astype(np.int32))
    sources = [Coloured(before, np.eye(3, dtype=np.float32)), Coloured(describe(disc), np.eye(2, 3, dtype=np.float32))]
    assert match(before, sources).chances.argmax(1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("asked", [1, 2, 3])
def test_what_is_known_of_others_tells_how_things_moved(asked):
    """A row of equal discs is shifted by the distance between two: which is which is told of all but the one that is asked about."""
    one, other = discs(*((30 + 24 * i, 45) for i in range(4))), discs(*((54 + 24 * i, 45) for i in range(4)))
    known = np.maximum(np.eye(5, dtype=np.float32), np.float32(0.02))
    known[asked] = 1
    assert pairing(other, one, known)[asked, asked] > 1.5 * pairing(other, one)[asked, asked]


def test_comparisons_turned_round_are_those_from_the_other_frame():
    one, other = regions(0.3)[0], regions(0.36)[0]
    assert np.allclose(network.turned_round(network.comparisons(one, other)), network.comparisons(other, one), atol=1e-5)


def test_where_a_region_went_follows_from_those_around_it():
    """A row of discs is turned, grown and shifted; what one of them is one does not know, and by itself it would be taken for another."""
    places = np.array([(40, 40), (60, 44), (80, 40), (100, 46), (120, 40)])
    turn = 1.15 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    one = discs(*places)
    other = discs(*np.rint((places - [80, 40]) @ turn.T + [70, 48]).astype(int))
    said = np.concatenate([np.eye(6), np.zeros((6, 1))], 1).astype(np.float32)
    said[3] = 1 / 7
    left_over, overlaps = network.carried(one, other, said)[[7, 9], 3]
    assert network.comparisons(one, other)[2, 3].argmin() != 3
    assert left_over.argmin() == overlaps.argmax() == 3


def test_a_larger_picture_of_the_same_drawing_looks_the_same():
    small, large = (describe(np.kron(walk(0.3, *SIZE)[1], np.ones((k, k))).astype(np.int32)) for k in (1, 3))
    apart = np.abs(small.looks.astype(int) - large.looks.astype(int))
    assert small.looks.shape[1] == LOOKS and apart.mean() < 12
    assert np.abs(small.centre - large.centre).max() < 0.01


def test_a_frame_of_one_region_and_one_of_a_thousand_are_matched():
    whole = describe(np.zeros((90, 160), np.int32))
    many = describe(np.unique(pebbles(0.2, 1000, 960, 540, 1)[1], return_inverse=True)[1].reshape(540, 960).astype(np.int32))
    assert pairing(whole, many).shape == (1, len(many) + 1)
    assert np.isfinite(pairing(many, whole)).all()
