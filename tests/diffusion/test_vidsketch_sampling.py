"""How drawings steer VidSketch's frames, and how the frames are sampled and matched."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from pegbar.engine.pipelines.vidsketch import models, sampling
from pegbar.engine.pipelines.vidsketch.abstraction import Control, control_at, measured
from PIL import Image, ImageDraw

from .noises import randn

CPU = torch.device("cpu")


def test_rough_drawings_steer_shorter_and_more_loosely():
    rough, detailed = control_at(0.9), control_at(0.1)
    assert rough.tau < detailed.tau and rough.scale < detailed.scale
    assert control_at(0).tau == pytest.approx(0.825) and control_at(1).scale == pytest.approx(0.805)


def test_contours_are_outer_borders_and_those_of_holes():
    image = Image.new("L", (60, 40), 255)
    ImageDraw.Draw(image).rectangle((5, 5, 25, 25), outline=0, width=3)
    ImageDraw.Draw(image).point((40, 20), 0)
    found = measured(np.asarray(image))
    assert found.contours == 3 and found.connectivity == pytest.approx(3 / 20)
    sides, area, perimeter = 60 * 40 / 200, 20 * 20 + 16 * 16, 4 * 20 + 4 * 14 + 4 * 2**0.5
    assert found.continuity == pytest.approx(area / perimeter / sides, rel=0.05)


def test_an_empty_drawing_is_measured_as_in_the_original():
    assert measured(np.full((10, 10), 255, np.uint8)).score == pytest.approx(0.4 + 0.3 * (1 - 1 / 20) + 0.3)


def test_one_drawing_steers_every_frame_and_the_last_frame_is_steered():
    assert torch.equal(sampling.steering([0.0], 5), torch.ones(5, 1))
    shares = sampling.steering([0.0, 4.0], 5)
    assert shares[4].tolist() == [0, 1] and shares[1].tolist() == [0.75, 0.25]
    assert not sampling.steering([0.0], 5, original=True).any()
    assert not sampling.steering([0.0, 4.0], 5, original=True)[4].any()


def test_drawings_steer_at_their_own_frames_even_between_and_outside_the_shots():
    shares = sampling.steering([-2.0, 0.5, 9.0], 4)
    assert torch.allclose(shares.sum(1), torch.ones(4))
    assert shares[0].tolist() == pytest.approx([0.2, 0.8, 0], abs=1e-6) and shares[3, 2] > shares[2, 2] > 0


def test_matching_to_the_first_frame_starts_at_the_same_share_of_any_number_of_steps():
    assert sampling.Sampling(50).matched_after == 30 == sampling.Sampling(50, original=True).matched_after
    assert sampling.Sampling(25).matched_after == 15 and sampling.Sampling(25, original=True).matched_after == 30


def test_adain_gives_the_styles_mean_and_deviation():
    content, style = randn(1, 4, 3, 8, 8), 3 * randn(1, 4, 1, 8, 8, seed=1) + 2
    mixed = sampling.adain(content, style)
    for frame in range(3):
        torch.testing.assert_close(mixed[:, :, frame].mean((-1, -2)), style[:, :, 0].mean((-1, -2)))
        torch.testing.assert_close(mixed[:, :, frame].std((-1, -2)), style[:, :, 0].std((-1, -2)))


@pytest.mark.parametrize("frames", [10, 11, 12, 17, 24, 63, 64])
def test_windows_show_every_frame_after_the_first_one_and_overlap(frames):
    parts = sampling.windows(frames, 10)
    assert {frame for part in parts for frame in part} == set(range(frames))
    assert all(part[0] == 0 and len(part) <= 10 and part[1:] == sorted(part[1:]) for part in parts)
    assert all(set(a[1:]) & set(b[1:]) for a, b in pairwise(parts))


def test_parts_that_overlap_are_blended_smoothly():
    """A network that tells each part's own number: the mix moves from one to the next without a jump."""
    told = iter(range(100))
    settings = sampling.Sampling(guidance_scale=1, window=10)
    count = len(sampling.windows(20, 10))
    noise = sampling.noise_of(lambda x, *_: torch.full_like(x, next(told)), randn(1, 4, 20, 2, 2), 0, randn(2, 1, 1), (), settings)
    line = noise[0, 0, 1:, 0, 0]
    assert line[0] == 0 and line[-1] == count - 1 and (line.diff() >= 0).all() and line.diff().max() < 0.6


def test_without_guidance_half_the_work_is_done(vidsketch_network, vidsketch_base):
    sizes = []

    def predict(latents, t, text, maps):
        sizes.append(len(latents))
        return vidsketch_network(latents, t, text, maps)

    for scale in (1.0, 7.5):
        settings = sampling.Sampling(1, scale)
        sampling.sample(predict, vidsketch_base.scheduler, randn(1, 4, 3, 4, 4), vidsketch_base.encode_text("", "a"), (), settings)
    assert sizes == [1, 2]


@pytest.mark.parametrize("positions", [[0.0], [0.0, 2.0, 4.0]])
def test_drawings_change_the_video_by_default(vidsketch_weights, vidsketch_base, vidsketch_network, positions):
    adapter = models.load_adapter(vidsketch_weights / "adapter", CPU)
    with torch.no_grad():
        features = adapter(torch.rand(len(positions), 1, 32, 64, generator=torch.Generator().manual_seed(1)))
    text, start = vidsketch_base.encode_text("", "a candle"), randn(1, 4, 5, 4, 8)

    def made(scale):
        maps = sampling.expanded(features, sampling.steering(positions, 5), scale)
        return sampling.sample(
            vidsketch_network, vidsketch_base.scheduler, start, text, maps, sampling.Sampling(3, 2.0, Control(scale, 1.0))
        )

    change = (made(0.65) - made(0.0)).abs().amax((0, 1, 3, 4))
    assert change[0] == 0 and (change[1:] > 1e-3).all()


def test_colours_are_those_of_the_first_frame():
    first = np.asarray(randn(16, 16, 3).sigmoid())
    frame = np.asarray(randn(16, 16, 3, seed=1).sigmoid()) * np.float32(0.5)
    matched = sampling.colours_matched(frame, first)
    assert abs(matched.mean() - first.mean()) < 0.01 < abs(frame.mean() - first.mean())
