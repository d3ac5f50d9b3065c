"""A drawing's lines apart from its paper, whatever the paper is."""

import io

import numpy as np
import pytest
from pegbar.engine.drawing import lineart
from PIL import Image, ImageDraw
from scipy import ndimage


def drawing(line=(0, 0, 0), paper=(255, 255, 255), size=(240, 160)) -> np.ndarray:
    """A ring and a diagonal, anti-aliased, (h, w, 4) 0..1."""
    large = Image.new("RGB", (size[0] * 4, size[1] * 4), paper)
    draw = ImageDraw.Draw(large)
    draw.ellipse((160, 80, 640, 560), outline=line, width=16)
    draw.line((640, 40, 920, 600), fill=line, width=16)
    rgb = np.asarray(large.resize(size, Image.Resampling.BOX), np.float32) / 255
    return np.dstack([rgb, np.ones(rgb.shape[:2], np.float32)])


def clean() -> np.ndarray:
    return 1 - drawing()[..., 0]


def agreement(ink: np.ndarray) -> float:
    """Intersection over union with the true ink at about half coverage."""
    found, true = ink >= 0.47, clean() >= 0.47
    return float((found & true).sum() / (found | true).sum())


def test_black_on_white_comes_back_as_its_darkness():
    assert np.allclose(lineart.ink(drawing()), clean(), atol=1e-3)


def test_white_on_black_is_told_from_black_on_white():
    assert agreement(lineart.ink(drawing((255, 255, 255), (0, 0, 0)))) > 0.98


@pytest.mark.parametrize("line", [(255, 0, 0), (0, 60, 255), (0, 130, 0), (120, 120, 120)])
def test_coloured_and_pale_lines_are_ink(line):
    assert agreement(lineart.ink(drawing(line))) > 0.9


def test_ink_on_transparency_is_its_alpha():
    image = np.zeros((160, 240, 4), np.float32)
    image[..., :3], image[..., 3] = (0.2, 0.1, 0.4), clean()
    assert np.array_equal(lineart.line_layer(image), image)


def test_a_white_filled_figure_cut_out_is_lines_on_paper():
    image = drawing()
    image[:20, :, 3] = 0
    image[:20, :, :3] = 0
    assert agreement(lineart.ink(image)) > 0.95


def test_a_shaded_noisy_scan_gives_the_same_lines():
    noise = np.random.default_rng(1).normal(0, 0.02, (160, 240, 1))
    shade = np.linspace(0.95, 0.6, 240)[None, :, None] * np.linspace(1, 0.9, 160)[:, None, None]
    scan = drawing((30, 30, 40)).copy()
    scan[..., :3] = np.clip(scan[..., :3] * shade + noise, 0, 1)
    ink = lineart.ink(scan.astype(np.float32))
    assert agreement(ink) > 0.9
    assert (ink[clean() == 0] == 0).mean() > 0.99


def test_jpeg_blocks_are_no_lines():
    buffer = io.BytesIO()
    Image.fromarray((drawing()[..., :3] * 255).astype(np.uint8)).save(buffer, "JPEG", quality=50)
    rgb = np.asarray(Image.open(buffer), np.float32) / 255
    ink = lineart.ink(np.dstack([rgb, np.ones(rgb.shape[:2], np.float32)]))
    assert agreement(ink) > 0.95


@pytest.mark.parametrize("line", [(0, 0, 0), (200, 30, 30), (90, 90, 90)])
def test_the_lines_laid_on_their_paper_are_the_drawing(line):
    image = drawing(line)
    layer = lineart.line_layer(image)
    over = layer[..., :3] * layer[..., 3:] + (1 - layer[..., 3:])
    assert np.abs(over - image[..., :3]).max() < 2 / 255


@pytest.mark.parametrize(("value", "word"), [(1.0, "white"), (0.0, "black"), (0.97, "white")])
def test_a_drawing_of_one_tone_has_no_lines(value, word):
    image = np.full((60, 80, 4), value, np.float32)
    image[..., 3] = 1
    with pytest.raises(lineart.Blank, match=f"all {word}"):
        lineart.ink(image)


def test_an_empty_layer_has_no_lines():
    with pytest.raises(lineart.Blank, match="is empty"):
        lineart.ink(np.zeros((60, 80, 4), np.float32))


# --- lines from colour frames


def painted_frame(size=(240, 160)) -> np.ndarray:
    """A flat-coloured frame: a red ball with a black outline and a green hill without one under a blue sky, (h, w, 4) 0..1."""
    large = Image.new("RGB", (size[0] * 4, size[1] * 4), (130, 170, 230))
    draw = ImageDraw.Draw(large)
    draw.rectangle((0, 440, 960, 640), fill=(60, 140, 70))
    draw.ellipse((160, 80, 480, 400), fill=(200, 40, 50), outline=(20, 10, 10), width=12)
    rgb = np.asarray(large.resize(size, Image.Resampling.BOX), np.float32) / 255
    return np.dstack([rgb, np.ones(rgb.shape[:2], np.float32)])


def test_a_colour_frame_gives_its_outlines_and_its_edges_and_clean_paper_between():
    ink = lineart.extract(painted_frame())
    outline, edge = np.abs(np.hypot(*np.ogrid[-60:100, -80:160]) - 39) < 1.5, np.s_[109:112, 20:220]
    assert ink[outline].mean() > 0.5 and ink[edge].max(0).min() > 0.3
    away = np.ones((160, 240), bool)
    away[np.abs(np.hypot(*np.ogrid[-60:100, -80:160]) - 39) < 8] = False
    away[103:117] = False
    assert ink[away].max() < 0.02


def test_frames_in_colour_are_told_from_drawings():
    assert lineart.in_colour(painted_frame())
    pale = np.linspace(1, 0.6, 240, dtype=np.float32)[None, :, None] * np.float32([1, 0.97, 0.88])
    scan = drawing()
    scan[..., :3] *= pale
    transparent = np.zeros((160, 240, 4), np.float32)
    transparent[..., 0], transparent[..., 3] = 1, clean()
    for image in (drawing(), drawing((255, 0, 0)), drawing((255, 255, 255), (0, 0, 0)), scan, transparent):
        assert not lineart.in_colour(image)


def test_a_clean_drawing_is_known_and_keeps_its_greys():
    image = drawing((120, 120, 120))
    assert lineart.is_ink(image) and np.array_equal(lineart.darkness(image), 1 - image[..., 1])
    grey_paper, coloured, cut_out = drawing(paper=(225, 225, 225)), drawing((255, 0, 0)), drawing()
    cut_out[:20, :, 3] = 0
    assert not any(lineart.is_ink(image) for image in (grey_paper, coloured, cut_out, drawing((255, 255, 255), (0, 0, 0))))
    assert (lineart.darkness(cut_out)[:20] == 0).all()
    with pytest.raises(lineart.Blank, match="all white"):
        lineart.darkness(np.ones((60, 80, 4), np.float32))


# --- the measure of lines


def strokes(width: float, count: int = 9) -> np.ndarray:
    """Black slanted lines of a width in pixels, (h, w) 0..1."""
    x, y = np.meshgrid(np.arange(0.125, 240, 0.25), np.arange(0.125, 160, 0.25))
    ink = np.zeros(x.shape, np.float32)
    for k in range(count):
        ink[np.abs(x + 0.2 * y - 20 - 26 * k) * np.cos(np.arctan(0.2)) < width / 2] = 1
    return ink.reshape(160, 4, 240, 4).mean((1, 3))


@pytest.mark.parametrize("width", [1.5, 2.5, 4.0])
def test_width_and_contrast_of_lines_are_measured(width):
    found = lineart.measured(strokes(width))
    assert found.contrast == pytest.approx(1, abs=0.12) and found.width == pytest.approx(width, rel=0.12)
    softer = lineart.measured(ndimage.gaussian_filter(strokes(width), 1))
    assert softer.width > found.width and softer.contrast < found.contrast and softer.slope < found.slope


def test_nothing_drawn_has_no_measure_and_needs_no_softening():
    empty = np.zeros((100, 100), np.float32)
    assert lineart.measured(empty) is None and lineart.softening(empty) == lineart.Softening()


@pytest.mark.parametrize("width", [0.7, 1.0, 1.5, 2.0])
def test_thin_crisp_lines_are_softened_to_those_of_the_extractor(width):
    crisp = strokes(width)
    soft = lineart.measured(lineart.softening(crisp)(crisp))
    assert lineart.EXTRACTED.width <= soft.width < lineart.EXTRACTED.width + 0.25
    assert soft.contrast >= 0.9 * lineart.EXTRACTED.contrast and soft.slope < 0.8


def test_lines_that_are_as_soft_already_are_left_to_the_bit():
    soft = ndimage.gaussian_filter(strokes(3), 0.8)
    assert lineart.softening(soft) == lineart.Softening() and lineart.Softening()(soft) is soft
    assert lineart.softening(strokes(1), strength=0) == lineart.Softening()


def test_a_thin_line_made_smaller_grows_fainter_and_does_not_break():
    ink = np.zeros((320, 480), np.float32)
    ink[:, 101] = 1
    small = lineart.resized(ink, (150, 100))
    column = small[:, 30:33].sum(1)
    assert small.shape == (100, 150) and column == pytest.approx(np.full(100, 150 / 480), rel=1e-3)
    assert lineart.resized(ink, (480, 320)) is ink


def test_the_soft_edges_of_many_lines_are_no_grain():
    ink = np.zeros((90, 120), np.float32)
    ink[:, 5::12] = 1
    ink[:, 4::12] = ink[:, 6::12] = 0.047
    image = np.dstack([1 - ink] * 3 + [np.ones_like(ink)])
    assert np.allclose(lineart.line_layer(image)[..., 3], ink, atol=1e-6)
