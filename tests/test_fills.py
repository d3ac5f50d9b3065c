"""Coloured regions to fill strokes: drawn again they are the regions, and what is transparent stays so."""

import numpy as np
import pytest
from pegbar.engine.drawing import raster
from pegbar.engine.drawing.fills import fills
from pegbar.engine.strokes import Strokes
from scipy import ndimage

from .test_contours import blobs
from .test_flat import rectangles

PALETTE = np.array([(200, 30, 40, 255), (20, 60, 180, 255), (250, 240, 220, 255), (0, 0, 0, 0), (30, 200, 90, 128)], np.uint8)
NAMES = ("Red", "Blue", "Cream", "Nothing", "Glass")


def drawing(size=(140, 90)) -> Strokes:
    """Line art on the tilted plane of its layer `Lines`: 0.1 deeper a pixel to the right."""
    made = rectangles((10, 10, 60, 50), (70, 20, 120, 70), size=size)
    made.depth[:] = 0.3 + made.points[:, 0] * 1e-3
    return made


def made(labels: np.ndarray, colours: list[int]) -> Strokes:
    return fills(labels, np.array(colours, np.int32)[labels], PALETTE, NAMES, drawing(labels.shape[::-1]), "Lines")[0]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("clear", [False, True])
def test_drawn_again_they_are_the_regions(seed, clear):
    labels = blobs(seed, kinds=5)
    colours = np.random.default_rng(seed).integers(0, 4 if clear else 3, labels.max() + 1).tolist()
    seen = raster.coloured(made(labels, colours), labels.shape[::-1])
    wanted = PALETTE[np.array(colours)[labels]]
    off_border = ndimage.maximum_filter(labels, 5) == ndimage.minimum_filter(labels, 5)
    assert ((seen * 255).round().astype(np.uint8) == wanted)[off_border].all()


def rings(*radii: float) -> np.ndarray:
    y, x = np.mgrid[:90, :140]
    away = np.hypot(x - 70, y - 45)
    return sum((away < radius).astype(np.int64) for radius in radii)


@pytest.mark.parametrize(
    ("colours", "polygons"),
    [([0, 1, 2], [8, 30, 30]), ([0, 1, 3], [0, 0]), ([3, 1, 2], [30, 30]), ([0, 4, 2], [0, 0, 30]), ([3, 3, 3], [])],
    ids=["opaque", "clear inside twice", "clear outside", "glass around", "all clear"],
)
def test_what_is_clear_inside_others_stays_clear(colours, polygons):
    labels = rings(40, 20)
    strokes = made(labels, colours)
    seen = raster.coloured(strokes, (140, 90))
    for x, region in ((2, 0), (42, 1), (70, 2)):
        assert (seen[45, x] * 255).round().tolist() == PALETTE[colours[region]].tolist()
    assert len(strokes.curve_type) == len(polygons)
    assert all(not most or count <= most for count, most in zip(np.diff(strokes.offsets), polygons, strict=True))


def test_they_have_no_line_and_a_material_a_colour():
    strokes = made(rings(40, 20), [0, 1, 2])
    assert (strokes.line_colour[:, 3] == 0).all() and (strokes.opacity == 0).all()
    assert strokes.materials == NAMES and strokes.material.tolist() == [0, 1, 2]
    assert (strokes.fill_colour * 255).round().astype(int).tolist() == PALETTE[:3].tolist()
    assert strokes.cyclic.all() and (strokes.source == -1).all()


def test_they_lie_on_the_plane_of_the_lines_and_reach_beyond_the_frame():
    strokes = made(rings(40), [0, 1])
    assert strokes.depth == pytest.approx(0.3 + strokes.points[:, 0] * 1e-3, abs=1e-9)
    assert strokes.points.min() < 0 and strokes.points.max(axis=0) == pytest.approx((140.5, 90.5), abs=0.51)


def test_they_are_in_the_pixels_of_the_drawing():
    labels = rings(40)
    strokes = fills(labels.repeat(2, 0).repeat(2, 1), labels.repeat(2, 0).repeat(2, 1), PALETTE, NAMES, drawing(), "Lines")[0]
    assert strokes.size == (140, 90) and strokes.points.max() < 142


def test_crumbs_take_the_colour_around_them():
    labels = rings(40)
    labels[45, 70] = 2
    assert len(made(labels, [0, 1, 2]).curve_type) == 2
