"""Line art to regions, and regions to exact colours."""

import io

import numpy as np
import pytest
from pegbar.engine.drawing import regions
from PIL import Image
from scipy import ndimage

RED, BLUE, CREAM, NOTHING = (200, 30, 40, 255), (20, 60, 180, 255), (250, 240, 220, 255), (0, 0, 0, 0)


def box(gap: int = 0, line: int = 3) -> np.ndarray:
    """A square outline in the middle, with a gap in its right side, (120, 160) 0..1."""
    ink = np.zeros((120, 160), np.float32)
    ink[30:90, 50:110] = 1
    ink[30 + line : 90 - line, 50 + line : 110 - line] = 0
    ink[60 : 60 + gap, 100:] = 0
    return ink


def picture(labels: np.ndarray, colours: list) -> np.ndarray:
    return np.array(colours, np.uint8)[labels]


def test_closed_lines_enclose_and_every_pixel_has_a_region():
    labels = regions.segment(box(), close_gaps=0)
    assert labels.max() == 1 and labels[0, 0] == 0 and labels[60, 80] == 1


def test_colours_meet_under_the_middle_of_a_line():
    labels = regions.segment(box(line=4), close_gaps=0)
    assert labels[60, 48:56].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("gap", [1, 2, 3, 5, 6])
def test_gaps_up_to_the_given_width_do_not_leak(gap):
    labels = regions.segment(box(gap), close_gaps=6)
    assert labels.max() == 1
    assert (labels[35:85, 55:105] == labels[60, 80]).all() and labels[0, 0] != labels[60, 80]


@pytest.mark.parametrize(("gap", "close"), [(3, 0), (12, 6), (25, 10)])
def test_wider_openings_are_openings(gap, close):
    assert regions.segment(box(gap), close_gaps=close).max() == 0


def test_slanted_gaps_are_closed_too():
    turned = ndimage.rotate(box(5), 33, reshape=False, order=1, prefilter=False)
    assert regions.segment(turned, close_gaps=6).max() == 1


def test_a_tapering_shape_is_not_cut():
    y, x = np.mgrid[:120, :200]
    inside = np.abs(y - 60) < (x - 20) * 0.25
    ink = (ndimage.binary_dilation(inside & (x < 180), iterations=3) & ~(inside & (x < 180))).astype(np.float32)
    assert regions.segment(ink, close_gaps=12).max() == 1


def test_a_line_that_stops_short_of_the_frame_still_parts_it():
    ink = np.zeros((80, 100), np.float32)
    ink[39:42, 3:97] = 1
    assert regions.segment(ink, close_gaps=6).max() == 1
    assert regions.segment(ink, close_gaps=0).max() == 0


def test_specks_take_the_region_around_them():
    ink = box()
    ink[50:56, 70:76] = 1
    ink[52:54, 72:74] = 0
    assert regions.segment(ink, close_gaps=0, speck_size=12).max() == 1
    assert regions.segment(ink, close_gaps=0, speck_size=0).max() == 2


def test_ink_everywhere_is_one_region():
    assert regions.segment(np.ones((20, 30), np.float32)).max() == 0


def test_a_palette_holds_the_exact_colours_and_none_of_the_edges():
    labels = regions.segment(box(), close_gaps=0)
    blurred = ndimage.gaussian_filter(picture(labels, [CREAM, RED]).astype(np.float32), (1.5, 1.5, 0))
    paint = regions.painted(labels, blurred.round().astype(np.uint8))
    palette, index = regions.merged(paint.colours, np.array([2.0, 1.0]), paint.tolerance)
    assert palette[index].tolist() == [list(CREAM), list(RED)]


def test_lines_in_the_reference_add_no_colour():
    ink = box()
    labels = regions.segment(ink, close_gaps=0)
    image = (picture(labels, [CREAM, RED]) * (1 - ink[..., None] * [1, 1, 1, 0])).astype(np.uint8)
    paint = regions.painted(labels, image, ink)
    assert paint.colours.tolist() == [list(CREAM), list(RED)] and (paint.share == 1).all() and paint.true.all()


def test_transparent_is_a_colour():
    labels = regions.segment(box(), close_gaps=0)
    image = regions.eight_bit(np.where((labels == 0)[..., None], [0.3, 0.9, 0.1, 0.0], np.array(BLUE) / 255).astype(np.float32))
    assert regions.painted(labels, image).colours.tolist() == [list(NOTHING), list(BLUE)]


def test_a_region_seen_only_under_ink_is_no_colour_of_the_palette():
    ink = box()
    ink[60:64, 80:84] = 0.4
    labels = regions.segment(box(), close_gaps=0)
    labels[60:64, 80:84] = 2
    image = picture(labels, [CREAM, RED, (120, 20, 25, 255)])
    paint = regions.painted(labels, image, ink)
    palette, index = regions.merged(paint.colours, np.array([3, 2, 1]) * paint.true, 0)
    assert paint.true.tolist() == [True, True, False]
    assert palette.tolist() == [list(CREAM), list(RED)] and index.tolist() == [0, 1, 1]


def test_compressed_references_give_one_colour_a_paint():
    labels = regions.segment(box(), close_gaps=0)
    labels[:, :25][labels[:, :25] == 0] = 2
    buffer = io.BytesIO()
    Image.fromarray(picture(labels, [CREAM, RED, CREAM])[..., :3]).save(buffer, "JPEG", quality=60)
    grain = np.random.default_rng(0).integers(-3, 4, (120, 160, 3))
    noisy = np.clip(np.asarray(Image.open(buffer)).astype(int) + grain, 0, 255)
    image = np.dstack([noisy, np.full((120, 160), 255)]).astype(np.uint8)
    paint = regions.painted(labels, image)
    palette, index = regions.merged(paint.colours, np.bincount(labels.ravel()).astype(float), paint.tolerance)
    assert len(palette) == 2 and index[0] == index[2] != index[1]
    assert all((image.reshape(-1, 4) == colour).all(1).any() for colour in palette)
    assert np.abs(palette[index].astype(int) - [CREAM, RED, CREAM]).max() <= 8


def test_near_colours_of_a_clean_reference_stay_apart():
    labels = regions.segment(box(), close_gaps=0)
    near = [(200, 30, 40, 255), (201, 30, 40, 255)]
    paint = regions.painted(labels, picture(labels, near))
    assert regions.merged(paint.colours, np.array([2.0, 1.0]), paint.tolerance)[0].tolist() == [list(c) for c in near]


def test_two_colours_in_a_region_are_told_and_kept_apart():
    labels = regions.segment(box(), close_gaps=0)
    image = picture(labels, [CREAM, RED])
    image[35:85, 55:70] = BLUE
    paint = regions.painted(labels, image)
    palette, index = regions.merged(np.concatenate([paint.colours, paint.others]), np.array([3.0, 2.0, 1.0]), 0)
    assert paint.share[0] == 1 and 0.5 < paint.share[1] < 0.8 and paint.others.tolist() == [list(BLUE)]
    at = palette[regions.separated(labels, index[:2], image, paint, palette)]
    assert (at[33:87, 53:107] == image[33:87, 53:107]).all()


def test_the_lock_snaps_any_picture_to_the_palette_by_region():
    labels = regions.segment(box(), close_gaps=0)
    palette = np.array([CREAM, RED, BLUE], np.uint8)
    wild = picture(labels, [CREAM, BLUE]).astype(np.float32) / 255
    wild[..., :3] = np.clip(wild[..., :3] + np.random.default_rng(0).normal(0, 0.15, (120, 160, 3)), 0, 1)
    index, share = regions.lock(labels, wild.astype(np.float32), palette)
    assert index.tolist() == [0, 2] and (share > 0.8).all()


def test_the_lock_does_not_count_what_lies_under_ink():
    ink = box(line=20)
    labels = regions.segment(ink, close_gaps=0)
    image = (picture(labels, [CREAM, RED]) / 255 * (1 - ink[..., None] * [1, 1, 1, 0])).astype(np.float32)
    palette = np.array([CREAM, RED, (0, 0, 0, 255)], np.uint8)
    assert regions.lock(labels, image, palette)[0].tolist() == [0, 2]
    assert regions.lock(labels, image, palette, ink)[0].tolist() == [0, 1]


@pytest.mark.parametrize("lines", [True, False])
def test_a_coloured_frame_has_regions_of_its_own(lines):
    ink = box()
    labels = regions.segment(ink, close_gaps=0)
    image = picture(labels, [CREAM, RED])
    if lines:
        image = (image * (1 - ink[..., None] * [1, 1, 1, 0])).astype(np.uint8)
    found, _ = regions.from_colours(image)
    assert found.max() == 1 and (found == labels).mean() > 0.98


def two_rooms(gap: int, scale: int = 1) -> np.ndarray:
    """A box with a wall across it, from which `gap` pixels are missing, (120, 160) 0..1."""
    ink = box()
    ink[58:61, 50:110] = 1
    ink[58:61, 76 : 76 + gap] = 0
    return np.kron(ink, np.ones((scale, scale), np.float32))


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_a_gap_is_closed_where_a_line_ends_at_any_width_of_line(scale):
    assert regions.segment(two_rooms(6, scale)).max() == 2
    assert regions.segment(two_rooms(16, scale)).max() == 1


def test_a_neck_between_closed_lines_is_not_cut():
    ink = box()
    y, x = np.mgrid[:120, :160]
    for top in (44, 76):
        ink[np.hypot(y - top, x - 80) <= 13.2] = 1  # two discs in the box, 5 pixels apart
    assert regions.segment(ink, close_gaps=8).max() == 1  # outside, and both sides of the neck in one


def test_small_regions_between_thin_lines_are_kept():
    ink = np.zeros((128, 128), np.float32)
    ink[50:56, 50:56] = 1
    ink[51:55, 51:54] = 0
    assert regions.segment(ink).max() == 1
    assert regions.segment(np.kron(ink, np.ones((8, 8), np.float32))).max() == 1
