"""Regions to outlines that fit together without a gap."""

import numpy as np
import pytest
import skia
from pegbar.engine.drawing import contours
from scipy import ndimage
from skimage.measure import label


def blobs(seed: int, shape=(90, 140), kinds: int = 4, sigma: float = 5) -> np.ndarray:
    """Regions of all shapes, some with holes, some with islands in them."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((kinds, *shape)), (0, sigma, sigma))
    return label(noise.argmax(0), background=-1, connectivity=1) - 1


def filled(outlines: contours.Outlines, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The region of each pixel by its middle, and how many lie on it: each outline's winding added up."""
    region, count = np.full(shape, -1), np.zeros(shape, int)
    for number in np.unique(outlines.region):
        canvas = np.zeros(shape, np.uint8)
        path = skia.PathBuilder()
        path.setFillType(skia.PathFillType.kEvenOdd)
        for i in np.flatnonzero(outlines.region == number):
            path.addPolygon([skia.Point(*point) for point in outlines.of(i).tolist()], True)
        surface = skia.Surface(canvas, skia.kAlpha_8_ColorType, skia.kPremul_AlphaType)
        surface.getCanvas().drawPath(path.detach(), skia.Paint(AntiAlias=False))
        region[canvas > 0] = number
        count += canvas > 0
    return region, count


@pytest.mark.parametrize("seed", range(6))
def test_regions_drawn_from_their_outlines_cover_every_pixel_once(seed):
    labels = blobs(seed, sigma=(1, 3, 6)[seed % 3])
    region, count = filled(contours.outlines(labels), labels.shape)
    inner = (slice(1, -1), slice(1, -1))  # the frame's corners are rounded by half a pixel
    assert (count[inner] == 1).mean() > 0.9995 and (count[inner] > 0).all()
    at_border = ndimage.maximum_filter(labels, 3) != ndimage.minimum_filter(labels, 3, mode="constant", cval=-1)
    assert (region == labels)[~at_border].all() and (region == labels).mean() > (0.85, 0.95, 0.98)[seed % 3]


@pytest.mark.parametrize("seed", range(3))
def test_the_areas_inside_are_those_of_the_regions(seed):
    labels = blobs(seed)
    found = contours.outlines(labels)
    assert np.bincount(found.region, found.area).tolist() == np.bincount(labels.ravel()).tolist()
    assert np.bincount(found.region, found.area > 0).tolist() == [1] * (labels.max() + 1)


def test_two_neighbours_have_the_very_same_points_between_them():
    found = contours.outlines(blobs(1))
    whole = {tuple(point) for i in range(len(found.region)) for point in found.of(i).tolist()}
    sides: dict[tuple, int] = {}
    for i in range(len(found.region)):
        points = [tuple(point) for point in found.of(i).tolist()]
        for one, other in zip(points, points[1:] + points[:1], strict=True):
            sides[one, other] = sides.get((one, other), 0) + 1
    lone = [(one, other) for one, other in sides if (other, one) not in sides]
    assert len(whole) > 100
    assert all(x in (0, 140) or y in (0, 90) or min(x, y, 140 - x, 90 - y) < 1 for pair in lone for x, y in pair)


def test_a_slanting_edge_is_a_straight_line_of_few_points():
    y, x = np.mgrid[:200, :300]
    found = contours.outlines((y > 0.3 * x + 40.2).astype(np.int64))
    assert np.diff(found.offsets).max() <= 10
    _, count = filled(found, (200, 300))
    assert (count[1:-1, 1:-1] == 1).all()


def test_a_disc_is_round_to_half_a_pixel():
    y, x = np.mgrid[:121, :121]
    found = contours.outlines((np.hypot(x - 60, y - 60) < 40).astype(np.int64))
    disc = found.of(int(np.flatnonzero(found.region == 1)[0]))
    assert np.abs(np.hypot(*(disc - 60.5).T) - 40).max() < 0.8 and 12 <= len(disc) <= 40
    hole = found.of(int(np.flatnonzero(found.area < 0)[0]))
    assert {tuple(p) for p in hole.tolist()} == {tuple(p) for p in disc.tolist()}


def test_one_region_alone_is_the_frame():
    found = contours.outlines(np.zeros((5, 8), np.int64))
    assert found.area.tolist() == [40] and found.region.tolist() == [0]
