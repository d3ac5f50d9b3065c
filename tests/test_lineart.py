"""A drawing's lines apart from its paper, whatever the paper is."""

import io

import numpy as np
import pytest
from pegbar.engine.drawing import lineart
from PIL import Image, ImageDraw


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
