"""FlipSketch from a request to strokes, on a tiny checkpoint: what an animator gets, what is said, and what a dead run leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet3DConditionModel
from pegbar.engine import worker
from pegbar.engine.catalog import pipeline as spec_of
from pegbar.engine.drawing import curves
from pegbar.engine.drawing.frames import encode_png, read_image
from pegbar.engine.pipelines.flipsketch import convert, ink, model, pipeline, ranking, view
from pegbar.engine.protocol import Done, Failed, InputFile, Job, JobFolder, PegbarError, Shot
from pegbar.engine.spec import complete
from pegbar.engine.strokes import POLY, Strokes
from pegbar.engine.weights import Machine, locate
from pegbar.tests.tiny import flipsketch as tiny
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).resolve().parent.parent.parent
QUICK = {"num_inference_steps": 2, "size": 64, "prompt": "the horse", "as_clip": True}


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    tiny.make(folder)
    return Machine((folder,), "cpu")


@pytest.fixture(scope="module")
def models():
    """What stays loaded from test to test."""
    return {}


def drawing(size=(320, 180)):
    """A ring and a line, on a layer of an animator's own."""
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    ring = np.stack([200 + 40 * np.cos(turn), 90 + 40 * np.sin(turn)], 1)
    points = np.concatenate([ring, np.stack([np.linspace(165, 235, 12), np.full(12, 140.0)], 1)])
    n = len(points)
    return Strokes(
        size=size, points=points, depth=np.zeros(n), handles=np.repeat(points[:, None], 2, 1), widths=np.full(n, 4, np.float32),
        opacity=np.ones(n, np.float32), offsets=np.array([0, 40, n], np.int32), curve_type=np.full(2, POLY, np.uint8),
        cyclic=np.array([True, False]), line_colour=np.tile(np.float32([0, 0, 0, 1]), (2, 1)), fill_colour=np.zeros((2, 4), np.float32),
        layer=np.zeros(2, np.int32), material=np.array([0, 1], np.int32), source=np.arange(2, dtype=np.int32), layers=("Hero",),
        matrices=np.eye(4)[None], materials=("Ink", "Red"), drawing=7,
    )  # fmt: skip


def asked(folder, sketch, frames=4, step=1, seed=0, **params):
    take = JobFolder.create(folder)
    file = take.input_file("sketch", 1, ".npz" if isinstance(sketch, Strokes) else ".png")
    take.file(file).write_bytes(sketch.to_bytes() if isinstance(sketch, Strokes) else encode_png(sketch))
    shot = Shot("Scene", 7, 7 + step * (frames - 1), 24.0, step)
    take.write_job(Job("flipsketch", QUICK | params, {"sketch": (InputFile(7, file),)}, shot, seed))
    return take


def done(take, machine, models=None):
    end = worker.run_job(take, models, machine=machine)
    assert isinstance(end, Done), end
    return take


def outputs(take):
    return {path.relative_to(take.outputs).as_posix(): path.read_bytes() for path in sorted(take.outputs.rglob("*")) if path.is_file()}


def content(take):
    """What the outputs hold, without the job's name in the pictures' headers."""
    return {name: read_image(take.outputs / name).tobytes() if name.endswith(".png") else data for name, data in outputs(take).items()}


def test_drawings_come_back_as_strokes_and_pictures_on_twos(tmp_path, machine, models):
    mine = drawing()
    take = done(asked(tmp_path, mine, frames=5, step=2, drawings_at_once=5), machine, models)
    assert sorted(outputs(take)) == [f"{kind}/{n:04d}.{end}" for kind, end in (("clip", "png"), ("strokes", "npz")) for n in range(1, 6)]
    assert (take.outputs / "strokes/0001.npz").read_bytes() == mine.to_bytes()
    for path in sorted((take.outputs / "strokes").iterdir()):
        strokes = Strokes.load(path)
        assert (strokes.size, strokes.layers, strokes.materials[:2], strokes.drawing) == (mine.size, ("Hero",), ("Ink", "Red"), 7)
    first = read_image(take.outputs / "clip/0001.png")
    assert first.shape == (180, 320, 4) and first[90, 240, 3] > 0.9 and first[90, 200, 3] == 0 and not first[..., :3].any()


def test_a_scan_is_animated_too(tmp_path, machine, models):
    image = np.ones((60, 100, 4), np.float32)
    image[20:40, 48:52, :3] = 0
    take = done(asked(tmp_path, image, frames=3, drawings_at_once=3), machine, models)
    first = Strokes.load(take.outputs / "strokes/0001.npz")
    assert first.size == (100, 60) and len(first.curve_type) == 1
    assert np.abs(first.points[:, 0] - 50).max() < 2 and 18 < first.points[:, 1].min() < first.points[:, 1].max() < 42
    assert read_image(take.outputs / "clip/0002.png").shape == (60, 100, 4)


def test_any_number_of_drawings_is_made_in_parts(tmp_path, machine, models):
    """One needs a whole part; six in parts of three need three, of which the second and third begin with a drawing that is there."""
    assert [pipeline.segments(count, 3) for count in (1, 3, 4, 5, 6)] == [1, 1, 2, 2, 3]
    assert [pipeline.segments(count, 10) for count in (8, 10, 19, 20, 64)] == [1, 1, 2, 3, 7]
    take = done(asked(tmp_path, drawing(), frames=6, drawings_at_once=3), machine, models)
    assert len(outputs(take)) == 12
    parts = [load_file(path)["frames"] for path in sorted((take.path / "state").glob("frames_*"))]
    assert [tuple(part.shape[:2]) for part in parts] == [(1, 3)] * 3
    assert len(outputs(done(asked(tmp_path, drawing(), frames=1, drawings_at_once=3), machine, models))) == 2


def test_the_same_job_gives_the_same_bits_and_another_seed_another_animation(tmp_path, machine, models):
    takes = [
        done(asked(tmp_path, drawing(), frames=3, seed=seed, drawings_at_once=3), machine, kept)
        for seed, kept in ((4, models), (4, {}), (5, models))
    ]
    first, again, other = map(content, takes)
    assert first == again and first["clip/0002.png"] != other["clip/0002.png"]


def test_variations_are_ranked_and_each_is_a_seed_of_its_own(tmp_path, machine, models):
    take = done(asked(tmp_path, drawing(), frames=3, seed=10, variations=3, drawings_at_once=3), machine, models)
    (warning,) = take.state().warnings
    best = int(warning.partition("seed ")[2].partition(";")[0])
    assert "best of 3 variations by ink kept" in warning and 10 <= best <= 12
    clips = load_file(take.path / "state/frames_00.safetensors")["frames"].numpy()
    scores = ranking.scores(None, np.ones((64, 64, 3), np.float32), clips)
    assert int(np.argmax(scores)) == best - 10
    alone = done(asked(tmp_path, drawing(), frames=3, seed=best, drawings_at_once=3), machine, models)
    off = np.abs(load_file(alone.path / "state/frames_00.safetensors")["frames"][0].numpy().astype(int) - clips[best - 10])
    assert off.max() <= 1
    assert read_image(take.preview_file).shape[:2] == (3 * 64, 3 * 64)


def stopped_at(take, machine, models, count):
    """Runs a take until so many events were told, then stops it; whether it was stopped before it was done."""
    told = []

    def tell(event):
        told.append(event)
        if len(told) == count:
            take.request_cancel()

    end = worker.run_job(take, models, tell, machine)
    take.withdraw_cancel()
    assert isinstance(end, Done), end
    return end.cancelled


def test_a_run_that_is_stopped_again_and_again_ends_with_the_same_bits(tmp_path, machine, models):
    params = {"frames": 5, "drawings_at_once": 3, "align": True, "num_inference_steps": 3}
    wanted = content(done(asked(tmp_path, drawing(), **params), machine, models))
    take, stops = asked(tmp_path, drawing(), **params), 0
    while stopped_at(take, machine, models, 6 + stops):
        stops += 1
        assert stops < 40
    assert stops >= 3 and content(take) == wanted


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_run_goes_on_to_the_same_bits(tmp_path, machine):
    command = [sys.executable, "-m", "engine", "flipsketch", "--sketch", str(tmp_path / "sketch.npz"), "--weights", str(machine.weights[0])]
    command += [
        "--device", "cpu", "--first", "1", "--last", "4", "--drawings-at-once", "4", "--size", "64", "--num-inference-steps", "8", "--as-clip",
    ]  # fmt: skip
    drawing().save(tmp_path / "sketch.npz")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    killed, whole = (JobFolder(tmp_path / name) for name in ("killed", "whole"))
    process = subprocess.Popen(
        [*command, "--out", str(killed.path)], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    step = killed.state_folder / "step_00.safetensors"
    while not step.is_file():
        assert process.poll() is None, "the run ended before it was killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not killed.state().frames
    for folder in (killed, whole):
        subprocess.run([*command, "--out", str(folder.path)], cwd=ROOT, env=environment, check=True, capture_output=True)
    assert content(killed) == content(whole)


def test_what_cannot_be_animated_is_said(tmp_path, machine, models):
    def said(sketch, **params):
        end = worker.run_job(asked(tmp_path, sketch, **params), models, machine=machine)
        assert isinstance(end, Failed) and not end.traceback, end
        return end.text

    assert "no lines that can be seen" in said(np.ones((40, 40, 4), np.float32))
    assert "no lines that can be seen" in said(replace(drawing(), line_colour=np.zeros((2, 4), np.float32)))
    lost = drawing()
    lost.points[3] = np.nan
    assert "no place on the picture" in said(lost)


def test_a_size_at_which_the_network_would_see_a_point_is_refused(machine):
    flip = model.load_model(locate(spec_of("flipsketch"), machine.weights), torch.device("cpu"))
    with torch.device("meta"):
        published = UNet3DConditionModel()
    small = view.view_of(drawing(), "drawing", 64)
    pipeline._check_size(flip, small)
    with pytest.raises(PegbarError, match="Working Size is 64: this model needs more than 64"):
        pipeline._check_size(replace(flip, unet=published), small)


def test_shares_of_the_steps_are_whole_steps(tmp_path):
    """As published for 25; and what a slider gives in single precision counts as what it shows."""

    def counts(**params):
        job = asked(tmp_path, drawing(), **params).read_job()
        settings = pipeline.settings_of(complete(spec_of("flipsketch"), job.params))
        return settings.compose_until, settings.align_steps

    assert counts(num_inference_steps=25) == (15, 10) and counts(num_inference_steps=12) == (7, 4)
    assert counts(num_inference_steps=10, compose_until=float(np.float32(0.7))) == (7, 4)


# --- the model's view, ink, and what is best


def test_the_model_sees_the_drawing_with_room_around_it():
    seen = view.view_of(drawing(), "drawing", 256)
    assert seen.size == (256, 256) and seen.width == seen.height
    assert seen.left < 158 and seen.left + seen.width > 242 and seen.width < 140
    assert view.view_of(drawing((384, 256)), "picture", 256).size == (384, 256)
    assert view.view_of(drawing((320, 192)), "picture", 192).size == (320, 192)
    assert view.view_of(drawing((1920, 1080)), "squeezed", 256).size == (256, 256)


def test_strokes_and_ink_go_into_the_view_and_back():
    seen = view.view_of(drawing(), "drawing", 128)
    back = seen.out_of(seen.into(drawing()))
    assert np.allclose(back.points, drawing().points) and back.size == (320, 180)
    own = pipeline._own_ink(drawing(), seen)
    whole = 1 - view.View((320, 180), 0, 0, 320, 180, (320, 180)).sketch(drawing())[..., 0]
    assert np.abs(seen.put(own)[..., 3] - whole).max() < 1e-6
    image = np.stack([1 - whole] * 3 + [np.ones_like(whole)], -1)
    assert np.abs(seen.sketch(image) - seen.sketch(drawing())).mean() < 0.02


def test_a_curve_in_perspective_is_the_same_in_the_view():
    """How it is bent follows from where its points are in space, so the view needs the way to there of its own."""
    away = np.array([[1.5, 0, 0, 0.2], [0, 2, 0, 0.1], [0.3, 0.1, -1, 3], [0.4, 0.2, -0.5, 4]])
    curved = replace(drawing(), matrices=away[None], curve_type=np.zeros(2, np.uint8))
    seen = view.view_of(curved, "drawing", 128)
    part = seen.into(curved)
    assert np.allclose(curves._distances(part, np.zeros(52, int)), curves._distances(curved, np.zeros(52, int)))
    assert np.ptp(curves._distances(part, np.zeros(52, int))) > 0.1
    assert np.allclose(seen.out_of(part).matrices, away)


def test_what_is_hidden_in_a_scans_alpha_is_paper():
    image = np.zeros((40, 40, 4), np.float32)
    image[18:22, 10:30, 3] = 1
    shown = view.view_of(image, "squeezed", 64).sketch(image)
    assert shown[0].min() == 1 and shown[32, 32].max() < 0.1


def test_ink_of_any_grey_is_full_ink_and_paper_is_none():
    frames = np.full((2, 32, 32, 3), 250, np.uint8)
    frames[:, 10:14, 5:25] = 128
    found = ink.ink_of(frames)
    assert found[:, 11, 10].min() == 1 and found[:, 20:].max() == 0
    assert not ink.ink_of(np.full((2, 32, 32, 3), 240, np.uint8)).any()
    black = ink.black_ink_of(frames)
    assert black.shape == (2, 128, 128) and set(np.unique(black)) == {0, 1} and black[0, 46, 40] == 1
    assert not ink.black_ink_of(np.full((1, 16, 16, 3), 240, np.uint8)).any()


def test_a_clip_that_loses_ink_or_flickers_ranks_below_one_that_moves():
    line = np.zeros((6, 32, 32), np.float32)
    for frame in range(6):
        line[frame, 4 + 3 * frame, 4:28] = 1
    fading, flickering = line * np.linspace(1, 0.2, 6)[:, None, None], line.copy()
    flickering[2, :, 4:16] = 0
    assert ranking.steady(line) == 1 and ranking.steady(fading) < 0.8 and ranking.steady(flickering) < 0.95
    assert abs(ranking.line_distance(line[0], line[1]) - 3) < 1e-9 and ranking.line_distance(line[0], line[0]) == 0


def test_with_clip_there_clips_are_ranked_by_it(tmp_path):
    from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

    tiny.make_clip(tmp_path)
    judge = ranking.load_judge(tmp_path / "clip-vit-base-patch32", torch.device("cpu"))
    frames = np.random.default_rng(1).integers(0, 255, (3, 64, 96, 3)).astype(np.uint8)
    tensors = {name: t for name, t in load_file(tmp_path / "clip-vit-base-patch32/model.safetensors").items() if name != "logit_scale"}
    theirs = CLIPVisionModelWithProjection(judge.network.config).eval()
    theirs.load_state_dict(tensors)
    processor = CLIPImageProcessorPil(size={"shortest_edge": 224}, crop_size={"height": 224, "width": 224})
    with torch.no_grad():
        wanted = theirs(processor(list(frames), return_tensors="pt").pixel_values).image_embeds
    assert torch.cosine_similarity(judge.features(frames), wanted).min() > 0.9999
    sketch = frames[0] / np.float32(255)
    like, unlike = np.repeat(frames[:1], 3, 0), frames
    one, other = ranking.scores(judge, sketch, [like, unlike])
    assert one > 0.9999 > other


# --- checkpoints


@pytest.fixture
def checkpoint(tmp_path, machine):
    shutil.copytree(machine.weights[0] / "checkpoint-2500", tmp_path / "checkpoint-2500")
    return tmp_path / "checkpoint-2500"


def test_base_and_lists_give_the_checkpoint(tmp_path, machine):
    tiny.make_base(tmp_path)
    own, merged = (
        model.load_model(locate(spec_of("flipsketch"), [folder]), torch.device("cpu")) for folder in (tmp_path, machine.weights[0])
    )
    for part in ("unet", "text_encoder", "vae"):
        others = getattr(merged, part).state_dict()
        for name, tensor in getattr(own, part).state_dict().items():
            assert torch.allclose(tensor, others[name], atol=1e-6), name
    shutil.rmtree(tmp_path / "lora")
    with pytest.raises(PegbarError, match="cannot draw sketches by itself"):
        model.load_model(locate(spec_of("flipsketch"), [tmp_path]), torch.device("cpu"))


def test_shards_and_pickles_are_read_alike(checkpoint):
    whole = checkpoint / "unet/diffusion_pytorch_model.safetensors"
    tensors = load_file(whole)
    wanted = model.load_model({"checkpoint": checkpoint}, torch.device("cpu")).unet.state_dict()
    names = sorted(tensors)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, some in parts.items():
        save_file({name: tensors[name] for name in some}, checkpoint / "unet" / file)
    index = {"metadata": {}, "weight_map": {name: file for file, some in parts.items() for name in some}}
    (checkpoint / "unet/diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    whole.unlink()
    vae = checkpoint / "vae/diffusion_pytorch_model.safetensors"
    old = {name.replace(".to_q.", ".query.").replace(".to_out.0.", ".proj_attn."): tensor for name, tensor in load_file(vae).items()}
    torch.save(old, vae.with_suffix(".bin"))
    vae.unlink()
    found = model.load_model({"checkpoint": checkpoint}, torch.device("cpu")).unet.state_dict()
    assert all(torch.equal(tensor, found[name]) for name, tensor in wanted.items())


def test_a_checkpoint_that_is_not_whole_is_named(checkpoint, tmp_path, machine):
    def said():
        with pytest.raises(PegbarError) as error:
            model.load_model({"checkpoint": checkpoint}, torch.device("cpu"))
        return str(error.value)

    (checkpoint / "tokenizer/merges.txt").unlink()
    assert "tokenizer lacks merges.txt" in said()
    (checkpoint / "text_encoder/model.safetensors").unlink()
    assert "text_encoder has no weights" in said()
    path = checkpoint / "unet/diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    tensors.pop("conv_in.bias")
    save_file(tensors, path)
    assert "lacks conv_in.bias" in said()
    (checkpoint / "unet/config.json").write_text("{")
    assert "config.json is damaged" in said()


def test_lists_of_another_model_are_refused(tmp_path, machine):
    tiny.make_base(tmp_path)
    base, lists = tmp_path / "text-to-video-ms-1.7b", tmp_path / "lora/2500_unet.pt"
    tensors = torch.load(lists, weights_only=True)
    torch.save(tensors[:-2], lists)
    with pytest.raises(PegbarError, match=rf"has {len(tensors) - 2} tensors, the model needs {len(tensors)}"):
        model.load_model({"checkpoint": base, "lora": tmp_path / "lora"}, torch.device("cpu"))
    torch.save([tensors[1], tensors[0], *tensors[2:]], lists)
    with pytest.raises(PegbarError, match="belongs to another model"):
        model.load_model({"checkpoint": base, "lora": tmp_path / "lora"}, torch.device("cpu"))
    with pytest.raises(PegbarError, match="no list of LoRA"):
        torch.save({"a": tensors[0]}, lists)
        convert.with_lora(model.load_model({"checkpoint": machine.weights[0] / "checkpoint-2500"}, torch.device("cpu")).unet, {}, lists)
