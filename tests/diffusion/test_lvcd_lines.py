"""What LVCD is shown of a drawing: the same lines whatever paper they lie on, found alike in all of a shot."""

import numpy as np
import pytest
from pegbar.engine.drawing import lineart
from pegbar.engine.drawing.frames import Frames
from pegbar.engine.pipelines.lvcd.lines import Lines, reference_picture
from scipy import ndimage

from .painting import drawn, take

SIZE = (192, 128)
PARAMS = {"line_source": "auto", "line_softness": 0.0}


def lines_of(folder, images, **params):
    job = take(folder, images, {1: images[0]})
    frames = Frames(job, job.read_job().inputs["lineart"])
    return Lines(frames, frames.numbers, SIZE, PARAMS | params, None, None)


def grey(darkness):
    return np.dstack([np.round((1 - darkness) * 255).astype(np.float32) / 255] * 3 + [np.ones_like(darkness)])


def test_a_grey_shaded_noisy_scan_gives_the_lines_of_the_clean_drawing(tmp_path):
    ink = 1 - drawn(0, SIZE)[0][..., 0]
    shade = np.linspace(0.92, 0.65, SIZE[0], dtype=np.float32)[None]
    noise = np.random.default_rng(0).normal(0, 0.015, ink.shape).astype(np.float32)
    scan = grey(np.clip(1 - (1 - 0.85 * ink) * shade + noise, 0, 1))
    clean, cleaned = (lines_of(tmp_path, [image]).hint(0) for image in (grey(ink), scan))
    assert np.abs(clean - cleaned).mean() < 0.02
    assert ((clean > 0.5) == (cleaned > 0.5)).mean() > 0.98 and (cleaned[ndimage.maximum_filter(clean, 5) == 0] == 0).mean() > 0.99


def test_clean_line_art_of_the_working_size_is_shown_to_the_bit(tmp_path):
    soft = grey(ndimage.gaussian_filter(1 - drawn(0, SIZE)[0][..., 0], 1.2))
    for softness in (0.0, 1.0):
        assert np.array_equal(lines_of(tmp_path, [soft], line_softness=softness).hint(0), 1 - soft[..., 1])


def test_how_lines_are_found_is_decided_by_the_first_drawing_for_all(tmp_path):
    """A pale drawing in a clean shot stays pale; in a shot of pale pencil it is brought to full ink like the others."""
    ink = 1 - drawn(0, SIZE)[0][..., 0]
    black, pale, blank = grey(ink), grey(0.5 * ink), grey(0 * ink)
    assert lines_of(tmp_path, [blank, black, pale]).hint(2).max() == pytest.approx(0.5, abs=0.01)
    tinted = pale * np.float32([0.97, 0.94, 0.8, 1])
    assert lines_of(tmp_path, [tinted, tinted]).hint(1).max() == 1


def test_what_the_input_shows_can_be_said(tmp_path):
    frame = drawn(0, SIZE)[1]
    assert lines_of(tmp_path, [frame]).in_colour and not lines_of(tmp_path, [drawn(0, SIZE)[0]]).in_colour
    assert not lines_of(tmp_path, [frame], line_source="drawing").in_colour
    extracted = lines_of(tmp_path, [drawn(0, SIZE)[0]], line_source="colour")
    assert np.allclose(extracted.hint(0), lineart.extract(np.round(drawn(0, SIZE)[0] * 255).astype(np.float32) / 255), atol=1e-6)


def test_a_reference_is_laid_on_white_cut_to_the_shots_proportions_and_made_its_size():
    image = np.zeros((80, 60, 4), np.float32)
    image[20:60, :, :] = (1, 0, 0, 1)
    picture = reference_picture(image, (96, 64), (600, 400))
    assert picture.shape == (64, 96, 3) and np.allclose(picture, [1, 0, 0])
    image[20:60] = 0
    assert np.allclose(reference_picture(image, (96, 64), (600, 400)), 1)
