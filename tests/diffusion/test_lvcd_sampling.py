"""LVCD's sampler against its description followed to the letter (SPEC §7, §8), where the golden set cannot look (ERRATA item 15)."""

import pytest
import torch
from pegbar.engine.pipelines.lvcd import conditioning, networks
from pegbar.engine.pipelines.lvcd.conditioning import SCALE, condition, draw
from pegbar.engine.pipelines.lvcd.decoding import Chunks, Pending, decode, decode_chunk
from pegbar.engine.pipelines.lvcd.reference_attention import pattern
from pegbar.engine.pipelines.lvcd.sampling import (
    Carry,
    Settings,
    denoise,
    first_carry,
    frame_count,
    hint_frames,
    sample,
    sample_segment,
    segment_count,
    sigmas,
)
from pegbar.engine.protocol import PegbarError
from pegbar.tests.tiny import lvcd
from safetensors.torch import load_file, save_file

SEED = 7


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lvcd")
    lvcd.make(folder)
    return networks.load({"svd": folder / "svd.safetensors", "lvcd": folder / "lvcd.ckpt"}, "cpu")


def picture(height=64, width=64):
    y, x = torch.arange(height)[:, None] / height, torch.arange(width)[None] / width
    return torch.stack([y + 0 * x, x + 0 * y, (3 * x - y) % 1])[None] * 2 - 1


def lines(count, height=64, width=64):
    """A bar that moves."""
    hints = torch.zeros(count, 3, height, width)
    for frame in range(count):
        hints[frame, :, :, 2 * frame % width : 2 * frame % width + 2] = 1
    return hints


def conditioned(made, settings, size=(64, 64), **micro):
    noise = draw(SEED, settings.num_frames, *size)
    return condition(made, picture(*size), noise, **micro), noise


def run(made, count, settings, size=(64, 64), **micro):
    given, noise = conditioned(made, settings, size, **micro)
    return torch.cat(list(sample(made, given, lines(count, *size), noise.latents, settings, lambda *_: None)))


def literal(made, count, settings, size=(64, 64), aug=0.0):
    """SPEC §7.4 line by line: everything kept, nothing streamed, every hint embedded in every step."""
    frames, o, steps = 15 + settings.overlap, settings.overlap, settings.num_inference_steps
    torch.manual_seed(SEED)
    xt = torch.randn(frames, 4, size[0] // 8, size[1] // 8)
    eps = torch.randn(1, 4, size[0] // 8, size[1] // 8)
    image, hints = picture(*size), lines(count, *size)
    mean, log_variance = made.encoder(image).chunk(2, 1)
    first_cond = mean + torch.exp(0.5 * log_variance.clamp(-30, 20)) * eps
    embeds = made.clip(conditioning.clip_pixels(image)).image_embeds[:, None]
    ids = torch.tensor([[6.0, 160.0, aug]])
    weights = torch.linspace(*settings.guidance_scale, frames).reshape(-1, 1, 1, 1)
    segments = (count - (frames - o)) // (frames - 2 * o - 1) + 1
    schedule, start, kept, out, x0 = sigmas(steps), 1, [], None, None
    for s in range(segments):
        end = start + frames - o - 1
        index = [0] + [0] * o + list(range(1, end)) if s == 0 else [0, *range(start, start + o), *range(start, end)]
        hint = made.controlnet.embed_hint(hints[index])
        torch.manual_seed(SEED)
        noised = image + aug * torch.randn_like(image)
        if s == 0:
            concat = made.conditioner(noised)[:, :4].repeat(frames, 1, 1, 1)
            uncond = torch.zeros_like(concat)
        else:
            concat = uncond = torch.cat([first_cond, x0[-o:] / 0.18215, first_cond.repeat(frames - o - 1, 1, 1, 1)])
        x, den = xt * torch.sqrt(1 + schedule[0] ** 2), []
        for i in range(steps):
            seen = pattern("normal" if s == 0 else settings.mode, frames, o, i < settings.prev_attn_steps)
            d = denoise(made, x, schedule[i], concat[None], embeds, ids, hint, seen)[0]
            if settings.guidance_scale[1] != 1:
                u = denoise(made, x, schedule[i], uncond[None], torch.zeros_like(embeds), ids, hint, seen)[0]
                d = u + weights * (d - u)
            den.append(d.clone())
            if s > 0 and i < 25:
                d[o + 1 : 2 * o + 1] = kept[-1][i][-o:]
            x = x + (schedule[i + 1] - schedule[i]) * (x - d) / schedule[i]
        x0 = x
        kept.append(den)
        out = torch.cat([first_cond * 0.18215, x0[-14:]]) if s == 0 else torch.cat([out[:-o], x0[-14:]])
        xt = torch.cat([xt[:1], xt[-o:], xt[-o:], xt[o + 1 : frames - o]])
        start = end - o
    return out


def near(one, other, allowed=2e-5):
    assert one.shape == other.shape
    assert float((one - other).norm() / other.norm()) < allowed


CASES = {
    "four segments, prev-reference off halfway": (45, Settings(num_inference_steps=2, prev_attn_steps=1), (64, 64), 0.0),
    "leftover frames are dropped": (28, Settings(num_inference_steps=2), (64, 64), 0.0),
    "one step": (25, Settings(num_inference_steps=1), (64, 64), 0.0),
    "noise on the reference": (25, Settings(num_inference_steps=2, mode="normal1"), (64, 64), 0.3),
    "portrait, guidance": (25, Settings(num_inference_steps=2, guidance_scale=(1.0, 2.0)), (192, 64), 0.0),
    "overlap 1": (28, Settings(num_inference_steps=2, overlap=1, mode="normal"), (64, 64), 0.0),
    "overlap 6": (31, Settings(num_inference_steps=2, overlap=6, mode="normal"), (64, 64), 0.0),
    "overlap 8, guidance, three segments": (
        27,
        Settings(num_inference_steps=2, overlap=8, mode="normal", guidance_scale=(2.0, 1.5)),
        (64, 64),
        0.0,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_sampler_does_what_its_description_says(made, case):
    count, settings, size, aug = CASES[case]
    near(run(made, count, settings, size, noise_aug_strength=aug), literal(made, count, settings, size, aug))


def test_after_25_steps_the_shared_frames_are_their_own(made):
    settings = Settings(num_inference_steps=27, prev_attn_steps=2)
    given, noise = conditioned(made, settings)
    hints, told = lines(25), []
    carry = Carry(noise.latents, torch.randn(4, 4, 8, 8), torch.randn(27, 4, 4, 8, 8))
    _, after = sample_segment(
        made, given, hints[list(hint_frames(1, settings))], carry, settings, lambda step, of, d: told.append((step, of, d[5:9].clone()))
    )
    assert [(step, of) for step, of, _ in told] == [(step, 27) for step in range(1, 28)]
    assert [torch.equal(shared, carry.denoised[step - 1]) for step, _, shared in told] == [True] * 25 + [False] * 2
    assert after.denoised.shape == (27, 4, 4, 8, 8)


@pytest.mark.parametrize("mode", ["normal", "prevref", "normal1"])
def test_guidance_in_one_batch_equals_that_in_two(made, mode):
    one = Settings(num_inference_steps=2, prev_attn_steps=1, mode=mode, guidance_scale=(1.0, 2.5))
    two = Settings(num_inference_steps=2, prev_attn_steps=1, mode=mode, guidance_scale=(1.0, 2.5), combine=False)
    near(run(made, 25, one), run(made, 25, two))


def test_there_is_no_guidance_where_its_last_scale_is_1(made):
    steps = {"num_inference_steps": 1}
    assert torch.equal(run(made, 15, Settings(**steps, guidance_scale=(3.0, 1.0))), run(made, 15, Settings(**steps)))


def test_a_carry_goes_through_a_file_bit_for_bit(made, tmp_path):
    settings = Settings(num_inference_steps=2, guidance_scale=(1.0, 1.5))
    given, noise = conditioned(made, settings)
    hints, carry, latents = lines(35), first_carry(noise.latents), []
    for segment in range(3):
        save_file(vars(carry), tmp_path / "carry.safetensors")
        carry = Carry(**load_file(tmp_path / "carry.safetensors"))
        x0, carry = sample_segment(made, given, hints[list(hint_frames(segment, settings))], carry, settings)
        latents.append(x0[-14:] if segment == 2 else x0[-14:-4])
    assert torch.equal(torch.cat([given.first_latents * SCALE, *latents]), run(made, 35, settings))


def test_noise_on_the_reference_reaches_the_first_segments_latents_alone(made):
    settings = Settings()
    clean, noisy = (conditioned(made, settings, noise_aug_strength=strength)[0] for strength in (0.0, 0.5))
    assert torch.equal(clean.image_embeds, noisy.image_embeds) and torch.equal(clean.first_latents, noisy.first_latents)
    assert not torch.allclose(clean.image_latents, noisy.image_latents, atol=0.01)
    assert noisy.added_time_ids.tolist() == [[6.0, 160.0, 0.5]]


def test_another_seed_is_another_result_and_the_same_seed_the_same():
    one, two, other = draw(1, 19, 64, 64), draw(1, 19, 64, 64), draw(2, 19, 64, 64)
    assert torch.equal(one.latents, two.latents) and torch.equal(one.image, two.image)
    assert not torch.equal(one.latents, other.latents) and not torch.equal(one.posterior, other.posterior)


def test_a_step_that_is_told_may_stop_the_run(made):
    settings, steps = Settings(num_inference_steps=5), []

    def stop(step, of, denoised):
        steps.append(step)
        raise KeyboardInterrupt

    given, noise = conditioned(made, settings)
    with pytest.raises(KeyboardInterrupt):
        sample_segment(made, given, lines(19), first_carry(noise.latents), settings, stop)
    assert steps == [1]


def test_segments_see_the_line_art_of_these_frames():
    settings = Settings()
    assert hint_frames(0, settings) == (0, 0, 0, 0, 0, *range(1, 15))
    assert hint_frames(1, settings) == (0, 11, 12, 13, 14, *range(11, 25))
    assert hint_frames(2, settings) == (0, 21, 22, 23, 24, *range(21, 35))
    two = Settings(overlap=2)
    assert hint_frames(0, two) == (0, 0, 0, *range(1, 15)) and hint_frames(2, two) == (0, 25, 26, *range(25, 39))


def test_clips_of_these_lengths_have_so_many_segments():
    settings = Settings()
    assert [segment_count(count, settings) for count in (1, 14, 15, 24, 25, 34, 35, 75)] == [0, 0, 1, 1, 2, 2, 3, 7]
    assert [frame_count(count, settings) for count in (1, 2, 7)] == [15, 25, 75]
    assert segment_count(39, Settings(overlap=2)) == 3 and frame_count(3, Settings(overlap=2)) == 39


def test_the_schedule_falls_from_700_to_nothing():
    assert sigmas(1).tolist() == [pytest.approx(700, rel=1e-5), 0]
    schedule = sigmas(30)
    assert schedule[-2].item() == pytest.approx(0.002, rel=1e-4) and (schedule.diff() < 0).all() and schedule.dtype == torch.float32


@pytest.mark.parametrize("wrong", [{"overlap": 0}, {"overlap": 14}, {"num_inference_steps": 0}, {"mode": "sideways"}, {"mode": "own"}])
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(PegbarError):
        Settings(**wrong)


def test_too_few_frames_are_refused(made):
    with pytest.raises(PegbarError, match="14 frames"):
        run(made, 14, Settings())


def whole(made, latents, t, p, f):
    """SPEC §8 line by line."""
    frames, total, i = [], len(latents), 0
    while True:
        start = i * (t - f - p) + f
        end = min(start + t - f, total)
        chunk = decode_chunk(made, latents[[0] * f + list(range(start, end))]).clamp(-1, 1)
        frames.append(chunk if i == 0 else chunk[f + p :])
        if end == total:
            return torch.cat(frames)
        i += 1


@pytest.mark.parametrize(("t", "p", "f"), [(10, 3, 1), (5, 1, 0), (5, 1, 1), (6, 2, 2), (7, 3, 3)])
@pytest.mark.parametrize("count", [3, 8, 14, 15])
def test_latents_are_decoded_in_the_original_chunks_however_they_come(made, tmp_path, count, t, p, f):
    latents = torch.randn(count, 4, 1, 2, generator=torch.Generator().manual_seed(count))
    wanted, chunks = whole(made, latents, t, p, f), Chunks(t, p, f)
    frames, pending = decode(made, latents, last=True, chunks=chunks)
    assert torch.equal(frames, wanted) and len(frames) == count
    pending, frames, most = None, [], 0
    for at in range(count):
        some, pending = decode(made, latents[at : at + 1], pending, last=at == count - 1, chunks=chunks)
        frames.append(some)
        most = max(most, len(pending.latents))
        save_file(vars(pending), tmp_path / "pending.safetensors")
        pending = Pending(**load_file(tmp_path / "pending.safetensors"))
    assert torch.equal(torch.cat(frames), wanted) and most < t


def test_one_frame_is_decoded_and_chunks_that_go_nowhere_are_refused(made):
    frames, _ = decode(made, torch.zeros(1, 4, 1, 2), last=True)
    assert frames.shape == (1, 3, 8, 16)
    for wrong in ((4, 3, 1), (3, 3, 0), (5, -1, 1)):
        with pytest.raises(PegbarError):
            Chunks(*wrong)
