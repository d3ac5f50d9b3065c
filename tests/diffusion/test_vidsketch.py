"""VidSketch on a tiny random checkpoint: what each part must do, and whole runs from drawings to frames."""

import json
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from pegbar.engine.pipelines.vidsketch import SPEC, drawings, low_rank, models, motions, sampling, unet
from pegbar.engine.pipelines.vidsketch.abstraction import Control, control_at, measured
from pegbar.engine.pipelines.vidsketch.motions import chosen
from pegbar.engine.protocol import Cancelled, Done, InputFile, Job, JobFolder, PegbarError, Progress, Shot
from pegbar.engine.weights import Machine
from pegbar.engine.worker import run_job
from pegbar.tests.tiny.vidsketch import MOTION, make
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file

CPU = torch.device("cpu")
STEPS = 6


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("weights")
    make(made)
    return made


@pytest.fixture(scope="session")
def base(folder):
    return models.load_stable_diffusion(folder / "sd15", CPU)


@pytest.fixture(scope="session")
def network(folder, base):
    return models.load_motion(chosen(folder / "motions", "candle"), base)


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# --- networks


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
@pytest.mark.parametrize("attended", unet.ATTENDED)
def test_sparse_causal_attention_is_that_over_the_literal_frame_sets(network, frames, attended):
    attn = network.down_blocks[0].attentions[0].transformer_blocks[0].attn1
    network.clip.frames, network.clip.attended = frames, attended
    x = randn(2 * frames, 7, attn.inner_dim)
    seen = x.view(2, frames, 7, -1)

    def keys(f):
        fixed = [0] if attended == "first+prev" else [0, min(1, frames - 1)]
        return torch.cat([seen[:, g] for g in [*fixed, max(f - 1, 0)]], 1)

    with torch.no_grad():
        wanted = torch.stack([unet.Attend()(attn, seen[:, f], keys(f)) for f in range(frames)], 1).flatten(0, 1)
        torch.testing.assert_close(attn(x), wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_the_convolution_in_time_is_causal_and_padded_with_nothing(network, frames):
    conv = network.down_blocks[0].resnets[0].conv1
    network.clip.frames = frames
    y = randn(2 * frames, 8, 3, 5)
    with torch.no_grad():
        series = y.view(2, frames, 8, 15).permute(0, 3, 2, 1).reshape(30, 8, frames)
        wanted = conv.conv1d(torch.nn.functional.pad(series, (2, 0))).view(2, 15, 8, frames).permute(0, 3, 2, 1).reshape(y.shape)
        torch.testing.assert_close(conv._in_time(y), wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("sides", [(8, 16), (5, 9)])
def test_a_freshly_inflated_network_is_stable_diffusion_on_a_still(base, sides):
    """Identical frames: the statistics over frames are those of one. Sides of any number of latents."""
    picture, text = randn(1, 4, *sides), base.encode_text("a candle")
    maps = [randn(1, width, -(-sides[0] // 2**i), -(-sides[1] // 2**i)) for i, width in enumerate(base.unet_2d().config.block_out_channels)]
    with torch.no_grad():
        wanted = base.unet_2d()(picture, 500, text, down_intrablock_additional_residuals=list(maps)).sample
        still = picture[:, :, None].expand(-1, -1, 3, -1, -1)
        noise = base.inflated(torch.Generator())(
            still, torch.tensor(500), text, [each[:, :, None].expand(-1, -1, 3, -1, -1) for each in maps]
        )
    torch.testing.assert_close(noise, wanted[:, :, None].expand_as(noise), atol=2e-4, rtol=1e-4)


def test_as_in_the_original_the_temporal_bias_may_start_at_random(base):
    clean, original = (base.inflated(torch.Generator().manual_seed(0), original) for original in (False, True))
    differing = {name for name, tensor in clean.state_dict().items() if not torch.equal(tensor, original.state_dict()[name])}
    assert differing == {name for name in clean.state_dict() if name.endswith("attn_temp.to_out.0.bias")}


# --- loading


def test_pickles_and_safetensors_are_the_same_motion_with_or_without_a_config(folder, base, tmp_path):
    tensors = torch.load(folder / "motions/candle/unet/diffusion_pytorch_model.bin")
    (tmp_path / "bare").mkdir()
    save_file(tensors, tmp_path / "bare/model.safetensors")
    (found,) = motions(tmp_path)
    bare, pickled = (models.load_motion(motion, base).state_dict() for motion in (found, chosen(folder / "motions", "candle")))
    assert all(torch.equal(bare[name], pickled[name]) for name in pickled)


def test_a_motion_in_several_files_is_read_whole(folder, base, tmp_path):
    tensors = torch.load(folder / "motions/candle/unet/diffusion_pytorch_model.bin")
    parts = [dict(list(tensors.items())[start::2]) for start in range(2)]
    (tmp_path / "parts").mkdir()
    for index, part in enumerate(parts):
        save_file(part, tmp_path / f"parts/{index}.safetensors")
    where = {name: f"{index}.safetensors" for index, part in enumerate(parts) for name in part}
    (tmp_path / "parts/diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    network = models.load_motion(chosen(tmp_path, ""), base).state_dict()
    assert all(torch.equal(network[name], tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize(
    ("part", "name"), [("unet", "mid_block.resnets.0.conv1.weight"), ("vae", "quant_conv.bias"), ("text_encoder", "final_layer_norm.bias")]
)
def test_what_a_checkpoint_lacks_is_named(folder, tmp_path, part, name):
    sd15 = shutil.copytree(folder / "sd15", tmp_path / "sd15")
    (path,) = (path for path in (sd15 / part).iterdir() if path.suffix != ".json")
    tensors = dict(torch.load(path) if path.suffix == ".bin" else load_file(path))
    tensors = {key: tensor for key, tensor in tensors.items() if not f".{key}".endswith(f".{name}")}
    torch.save(tensors, path) if path.suffix == ".bin" else save_file(tensors, path)
    with pytest.raises(PegbarError, match=f"lacks {name.replace('conv1.', 'conv1.(conv2d.)?')}"):
        models.load_stable_diffusion(sd15, CPU).inflated(torch.Generator())


def test_a_network_that_is_not_inflated_is_no_motion(folder, base, tmp_path):
    (tmp_path / "flat").mkdir()
    shutil.copy(folder / "sd15/unet/diffusion_pytorch_model.bin", tmp_path / "flat")
    with pytest.raises(PegbarError, match=r"lacks .*conv1d"):
        models.load_motion(chosen(tmp_path, ""), base)
    assert motions(folder / "sd15") == () and motions(folder) == ()


def test_motions_are_listed_by_name_with_picture_and_prompt(folder):
    candle, flag = motions(folder / "motions")
    assert (candle.name, candle.prompt, candle.picture) == ("candle", "", None)
    assert (flag.name, flag.prompt, flag.frames) == ("Waving Flag", "A flag waves.", 6)
    assert flag.picture == folder / "motions/flag/motion.png"
    assert chosen(folder / "motions", "") == candle and chosen(folder / "motions", "Waving Flag") == flag
    with pytest.raises(PegbarError, match="choose one of candle, Waving Flag"):
        chosen(folder / "motions", "fish")


# --- drawings


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


# --- sampling


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


def test_without_guidance_half_the_work_is_done(network, base):
    sizes = []

    def predict(latents, t, text, maps):
        sizes.append(len(latents))
        return network(latents, t, text, maps)

    for scale in (1.0, 7.5):
        settings = sampling.Sampling(1, scale)
        sampling.sample(predict, base.scheduler, randn(1, 4, 3, 4, 4), base.encode_text("", "a"), (), settings)
    assert sizes == [1, 2]


@pytest.mark.parametrize("positions", [[0.0], [0.0, 2.0, 4.0]])
def test_drawings_change_the_video_by_default(folder, base, network, positions):
    adapter = models.load_adapter(folder / "adapter", CPU)
    with torch.no_grad():
        features = adapter(torch.rand(len(positions), 1, 32, 64, generator=torch.Generator().manual_seed(1)))
    text, start = base.encode_text("", "a candle"), randn(1, 4, 5, 4, 8)

    def made(scale):
        maps = sampling.expanded(features, sampling.steering(positions, 5), scale)
        return sampling.sample(network, base.scheduler, start, text, maps, sampling.Sampling(3, 2.0, Control(scale, 1.0)))

    change = (made(0.65) - made(0.0)).abs().amax((0, 1, 3, 4))
    assert change[0] == 0 and (change[1:] > 1e-3).all()


def test_colours_are_those_of_the_first_frame():
    first = np.asarray(randn(16, 16, 3).sigmoid())
    frame = np.asarray(randn(16, 16, 3, seed=1).sigmoid()) * np.float32(0.5)
    matched = sampling.colours_matched(frame, first)
    assert abs(matched.mean() - first.mean()) < 0.01 < abs(frame.mean() - first.mean())


# --- whole runs


def sketches(folder: JobFolder, frames=(1, 4), size=(90, 52)):
    files = []
    for index, frame in enumerate(frames, start=1):
        image = Image.new("L", size, 255)
        ImageDraw.Draw(image).ellipse((10 + 3 * index, 8, 50 + 3 * index, 44), outline=0, width=2)
        file = folder.input_file("sketch", index, ".png")
        image.save(folder.file(file))
        files.append(InputFile(frame, file))
    return tuple(files)


def job(path: Path, first_frame=False, frames=4, params=None, size=(90, 52), drawn=(1, 4), **changes) -> JobFolder:
    folder = JobFolder(path)
    folder.path.mkdir(parents=True)
    inputs = {"sketch": sketches(folder, drawn, size)}
    if first_frame:
        file = folder.input_file("first_frame", 1, ".png")
        Image.effect_noise((size[0] * 2, size[1] * 2), 60).convert("RGB").save(folder.file(file))
        inputs["first_frame"] = (InputFile(1, file),)
    given = {"prompt": "a candle", "size": 64, "num_inference_steps": STEPS, **(params or {})}
    folder.write_job(Job("vidsketch", given, inputs, Shot("Scene", 1, frames, 24.0), **{"seed": 3, "id": "id", **changes}))
    return folder


def finish(folder, weights, tell=lambda event: None):
    end = run_job(folder, tell=tell, machine=Machine((weights,), "cpu"))
    assert isinstance(end, Done), end
    return end


def clip(folder):
    return [path.read_bytes() for path in sorted((folder.outputs / "clip").iterdir())]


def note(folder):
    return json.loads((folder.outputs / "notes/0001.json").read_bytes())


def test_a_run_gives_frames_of_the_drawings_size_and_the_same_ones_again(folder, tmp_path):
    runs = [job(tmp_path / name, **changes) for name, changes in (("a", {}), ("b", {}), ("c", {"seed": 4}))]
    for run in runs:
        finish(run, folder)
    a, b, c = map(clip, runs)
    assert len(a) == 4 and a == b and all(x != y for x, y in zip(a, c, strict=True))
    with Image.open(runs[0].outputs / "clip/0003.png") as image:
        assert image.size == (90, 52)


def test_the_first_frame_is_there_before_the_others_are_made(folder, tmp_path):
    for given in (True, False):
        events = []
        run = job(tmp_path / str(given), first_frame=given)
        finish(run, folder, events.append)
        phases = [
            event.phase if isinstance(event, Progress) else (event.output, event.frame) for event in events if not isinstance(event, Done)
        ]
        assert phases.index(("clip", 1)) < phases.index("Drawing") < phases.index(("clip", 2))
        assert ("Drawing the first frame" in phases) != given
        assert run.preview_file.is_file()


def test_a_given_first_frame_is_the_videos_first(folder, base, tmp_path):
    run = job(tmp_path / "run", first_frame=True)
    finish(run, folder)
    with Image.open(run.file("inputs/first_frame/0001.png")) as given, Image.open(run.outputs / "clip/0001.png") as made:
        picture = drawings.picture(np.asarray(given.convert("RGBA"), np.float32) / 255, (64, 40))
        first = base.decode(base.encode(picture, randn(1, 4, 5, 8, seed=3)))[0].permute(1, 2, 0).numpy()
        assert np.abs(np.asarray(made) / 255 - drawings.resized(first, (90, 52))).max() < 0.003


def test_a_run_that_was_stopped_goes_on_to_the_same_bits_whenever_it_was(folder, tmp_path):
    """Stopped within a step: before the first of the network's blocks, and deep in it."""
    whole = job(tmp_path / "whole")
    finish(whole, folder)

    class Impatient(list):
        def __init__(self, run, calls):
            self.run, self.calls = run, calls

        def __call__(self, event):
            self.calls -= 1
            if self.calls == 0:
                self.run.request_cancel()

    for calls in (3, 6, 9, 12, 14):
        run = job(tmp_path / str(calls))
        end = run_job(run, tell=Impatient(run, calls), machine=Machine((folder,), "cpu"))
        assert isinstance(end, Done) and end.cancelled
        run.withdraw_cancel()
        finish(run, folder)
        assert clip(run) == clip(whole)


def test_a_run_stops_within_a_step(folder, base, network):
    heard = []

    class Report:
        def progress(self, phase, step, of):
            heard.append(step)
            if len(heard) == 5:
                raise Cancelled

    from pegbar.engine.pipelines.vidsketch.pipeline import _Phase

    phase = _Phase(Report(), "Drawing", 3)
    with pytest.raises(Cancelled), phase.heard_in(network):
        sampling.sample(network, base.scheduler, randn(1, 4, 3, 4, 8), base.encode_text("", "a"), (), sampling.Sampling(3))
    assert heard == [0] * 5
    network(randn(1, 4, 3, 4, 8), torch.tensor(1), base.encode_text("a"))
    assert len(heard) == 5, "the network still listens"


def test_what_was_kept_is_gone_on_with_not_made_again(folder, tmp_path):
    run = job(tmp_path / "run")
    finish(run, folder)
    whole, events = clip(run), []
    for path in (run.outputs / "clip").iterdir():
        path.unlink()
    finish(run, folder, events.append)
    assert clip(run) == whole
    assert {event.step for event in events if isinstance(event, Progress) and event.phase == "Drawing"} == {STEPS}


def test_how_the_drawings_steer_is_said_and_can_be_overridden(folder, tmp_path):
    given = {"auto": {}, "abstraction": {"abstraction": 1.0}, "fixed": {"strength": 0.3, "tau": 0.2}}
    notes = {}
    for control, params in given.items():
        run = job(tmp_path / control, params={"control": control, "num_inference_steps": 1, **params})
        finish(run, folder)
        notes[control] = note(run)
    measured_at = control_at(notes["auto"]["abstraction"])
    assert (notes["auto"]["strength"], notes["auto"]["duration"]) == (measured_at.scale, measured_at.tau)
    assert notes["abstraction"]["strength"] == pytest.approx(0.805) and notes["abstraction"]["duration"] == pytest.approx(0.66)
    assert (notes["fixed"]["strength"], notes["fixed"]["duration"]) == (0.3, 0.2)
    assert [drawing["frame"] for drawing in notes["auto"]["drawings"]] == [1, 4]


def test_a_long_video_of_one_drawing_in_another_motion(folder, tmp_path):
    run = job(tmp_path / "run", frames=20, drawn=(7,), size=(40, 70), params={"motion": "Waving Flag", "num_inference_steps": 2})
    finish(run, folder)
    assert len(clip(run)) == 20


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"frames": 65}, "has 65 frames: choose a range of 2 to 64"),
        ({"frames": 1}, "has 1 frames"),
        ({"params": {"motion": "fish"}}, "There is no motion 'fish'"),
    ],
)
def test_what_cannot_be_made_is_said(folder, tmp_path, changes, sentence):
    end = run_job(job(tmp_path / "run", **changes), machine=Machine((folder,), "cpu"))
    assert sentence in end.text


def test_drawings_of_other_proportions_are_refused(folder, tmp_path):
    run = job(tmp_path / "run")
    Image.new("L", (50, 50), 255).save(run.file("inputs/sketch/0002.png"))
    end = run_job(run, machine=Machine((folder,), "cpu"))
    assert "The drawing at frame 4 is 50 x 50, the first drawing 90 x 52" in end.text


# --- the small form of a motion


def test_a_low_rank_motion_is_under_50_megabytes_at_full_size():
    with torch.device("meta"):
        full = unet.InflatedUNet(
            {
                **MOTION,
                "attention_head_dim": 8,
                "block_out_channels": (320, 640, 1280, 1280),
                "cross_attention_dim": 768,
                "norm_num_groups": 32,
            }
        )
        learned = low_rank.attach(full, low_rank.RANK, torch.Generator())
    assert sum(tensor.numel() for tensor in full.parameters()) > 1.1e9
    assert 4 * sum(tensor.numel() for tensor in learned.values()) < 50e6


def test_a_low_rank_motion_laid_on_the_weights_is_the_one_that_was_learned(base, tmp_path):
    learning = base.inflated(torch.Generator().manual_seed(0))
    learned = low_rank.attach(learning, 3, torch.Generator().manual_seed(1))
    with torch.no_grad():
        for index, parameter in enumerate(learned.values()):
            parameter += 0.1 * randn(*parameter.shape, seed=index)
        arguments = randn(1, 4, 3, 4, 8), torch.tensor(300), base.encode_text("a")
        wanted = learning(*arguments)
        merged = low_rank.merged(base.inflated(torch.Generator().manual_seed(0)), learned, tmp_path)
        torch.testing.assert_close(merged(*arguments), wanted, atol=1e-4, rtol=1e-4)
    name = next(name for name in learned if name.endswith(low_rank.UP))
    with pytest.raises(PegbarError, match=r"lacks .*weight\.up"):
        low_rank.merged(base.inflated(torch.Generator()), {key: value for key, value in learned.items() if key != name}, tmp_path)


def test_the_spec_is_complete():
    assert {"num_inference_steps", "guidance_scale", "tau", "motion", "prompt"} <= {param.name for param in SPEC.params}
