"""Colours that a reference shows under a drawing's lines alone."""

import io

import numpy as np
import pytest
from pegbar.engine.drawing import regions
from pegbar.engine.drawing.cels import Lines
from pegbar.engine.drawing.undercolours import uncovered
from PIL import Image

CREAM, RED, GREEN = (250, 240, 220, 255), (200, 30, 40, 255), (31, 157, 83, 255)
SIZE = (160, 120)


def drawing(covers: list[float], line: tuple[float, float, float] = (0, 0, 0)) -> tuple[np.ndarray, regions.Labels]:
    """Lines (h, w, 4) 8-bit: a soft square outline, and in it pixels covered so much; and regions: outside, square, and those pixels."""
    layer = np.zeros((120, 160, 4), np.float32)
    layer[..., :3] = line
    for at, alpha in ((30, 0.3), (31, 1), (32, 1), (33, 0.6)):
        for rows, columns in ((slice(at, 120 - at), (at, 119 - at)), ((at, 119 - at), slice(at, 120 - at))):
            layer[rows, columns, 3] = alpha
    labels = np.zeros((120, 160), np.int32)
    labels[32:88, 32:88] = 1
    layer[60, 60 : 60 + len(covers), 3] = covers
    labels[60, 60 : 60 + len(covers)] = 2
    return Lines.of(layer).layer(SIZE), labels


def reference(lines: np.ndarray, labels: regions.Labels) -> np.ndarray:
    """The coloured frame (h, w, 4): cream outside, a red square, green under the pixels in it."""
    return Lines.of(lines / np.float32(255)).lay_on(np.array([CREAM, RED, GREEN], np.uint8)[labels])


def read(image: np.ndarray, labels: regions.Labels, lines: np.ndarray) -> tuple[regions.Painted, regions.Painted]:
    """What is seen, and what is read through the lines as well."""
    seen = regions.painted(labels, image, lines[..., 3] / np.float32(255))
    assert seen.true.tolist() == [True, True, False]
    return seen, uncovered(seen, labels, image, lines)


@pytest.mark.parametrize("line", [(0, 0, 0), (0.2, 0.1, 0.6)])
def test_a_colour_that_shows_through_soft_ink_is_read_exactly(line):
    lines, labels = drawing([0.1, 0.22, 0.14, 0.18], line)
    seen, found = read(reference(lines, labels), labels, lines)
    assert seen.colours[2].tolist() != list(GREEN)
    assert found.colours.tolist() == [list(CREAM), list(RED), list(GREEN)] and found.true.all()


def test_a_reference_without_lines_shows_it_plainly():
    lines, labels = drawing([0.4, 0.5])
    found = read(np.array([CREAM, RED, GREEN], np.uint8)[labels], labels, lines)[1]
    assert found.colours.tolist() == [list(CREAM), list(RED), list(GREEN)] and found.true.all()


def test_what_several_colours_explain_is_the_nearest_guess():
    lines, labels = drawing([0.6])
    _, found = read(reference(lines, labels), labels, lines)
    assert np.abs(found.colours[2].astype(int) - GREEN).max() <= 1 and not found.true[2]


def test_pixels_that_no_one_colour_explains_are_no_colour():
    lines, labels = drawing([0.2, 0.2])
    image = reference(lines, labels)
    image[60, 61] = image[60, 61] // 2
    assert not read(image, labels, lines)[1].true[2]


def test_ink_that_hides_everything_is_not_read_through():
    lines, labels = drawing([1, 0.9])
    seen, found = read(reference(lines, labels), labels, lines)
    assert found.colours.tolist() == seen.colours.tolist() and not found.true[2]


def test_a_compressed_reference_is_not_read_through():
    lines, labels = drawing([0.1, 0.22, 0.14, 0.18])
    buffer = io.BytesIO()
    Image.fromarray(reference(lines, labels)[..., :3]).save(buffer, "JPEG", quality=60)
    image = np.dstack([np.asarray(Image.open(buffer)), np.full((120, 160), 255, np.uint8)])
    seen, found = read(image, labels, lines)
    assert found is seen


def test_a_reference_with_lines_of_its_own_is_not_read_through():
    lines, labels = drawing([0.1, 0.22, 0.14, 0.18])
    fainter = lines.copy()
    fainter[..., 3] //= 2
    seen, found = read(reference(fainter, labels), labels, lines)
    assert found is seen


def test_what_is_transparent_stays_so():
    lines, labels = drawing([0.1, 0.22, 0.14, 0.18])
    image = reference(lines, labels)
    image[60, 60:64] = 0
    seen, found = read(image, labels, lines)
    assert found.colours.tolist() == seen.colours.tolist()
