"""Where a picture comes from: in the take, in each of its pictures, the same whenever it is made, and hashed but once."""

import hashlib
import json
import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from pegbar.engine.catalog import PIPELINES
from pegbar.engine.drawing.frames import encode_png
from pegbar.engine.errors import NOT_RESTORED, TAKE_NEWER
from pegbar.engine.protocol import Done, FrameWritten, JobFolder, PegbarError, Warned
from pegbar.engine.provenance import SMALL, card_of, embedded, job_of, kept, read_card, sha256_of, used
from pegbar.engine.weights import locate
from pegbar.engine.worker import run_job
from PIL import Image

from .takes import png, still_job, still_take

ORIGIN = {"sources": {}, "target": {"kind": "STRIP", "source": "Günther's strip"}}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("PEGBAR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache/pegbar/hashes.json"


def pictures(folder: JobFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder.outputs / "clip").iterdir())}


def test_a_take_and_its_pictures_say_all_that_made_them(tmp_path):
    folder = still_take(tmp_path, seed=11, origin=ORIGIN)
    run_job(folder)
    card, job = kept(folder), folder.read_job()
    first = folder.path / "inputs/image/0001.png"
    assert card["inputs"]["image"][0] == {
        "frame": 1, "file": "inputs/image/0001.png", "sha256": hashlib.sha256(first.read_bytes()).hexdigest(),
    }  # fmt: skip
    assert (card["pipeline"], card["seed"], card["device"], card["weights"]) == ("still", 11, "cpu", {})
    held = read_card(folder.outputs / "clip/0003.png")
    assert held == {**card, "inputs": {"image": {"frames": [1, 2, 3, 4], "sha256": held["inputs"]["image"]["sha256"]}}}
    again = job_of(held)
    assert (again.pipeline, again.params, again.seed, again.shot, again.origin) == ("still", job.params, 11, job.shot, ORIGIN)


def test_pillow_reads_the_card_and_the_pixels_are_untouched(tmp_path):
    image = np.random.default_rng(0).random((9, 7, 4)).astype(np.float32)
    (tmp_path / "with.png").write_bytes(encode_png(image, {"pegbar": "x" * 5000}))
    (tmp_path / "without.png").write_bytes(encode_png(image))
    with Image.open(tmp_path / "with.png") as one, Image.open(tmp_path / "without.png") as other:
        assert one.text["pegbar"] == "x" * 5000 and (np.asarray(one) == np.asarray(other)).all()


def test_the_same_settings_and_inputs_give_the_same_files_whatever_the_take(tmp_path):
    one, other = (still_job(JobFolder.create(tmp_path), id=name) for name in ("one", "other"))
    run_job(one), run_job(other)
    assert pictures(one) == pictures(other)


@pytest.mark.parametrize("with_card", [True, False])
def test_a_run_that_goes_on_gives_the_same_files(tmp_path, with_card):
    folder = still_take(tmp_path, frames=5)
    run_job(folder)
    whole = pictures(folder)
    (folder.outputs / "clip/0004.png").unlink()
    if not with_card:
        folder.card_file.unlink()
    told = []
    run_job(folder, tell=told.append)
    assert [event.frame for event in told if isinstance(event, FrameWritten)] == [4]
    assert not [event for event in told if isinstance(event, Warned)] and pictures(folder) == whole


def test_inputs_that_changed_since_a_take_was_begun_are_told_of(tmp_path):
    folder = still_take(tmp_path)
    run_job(folder)
    (folder.outputs / "clip/0002.png").unlink()
    folder.path.joinpath("inputs/image/0002.png").write_bytes(png(99))
    told = []
    run_job(folder, tell=told.append)
    assert Warned("The image of this take changed since it was begun: its frames may not match") in told


def test_what_the_user_wrote_stays_out_of_the_pictures_on_request(tmp_path):
    folder = still_take(tmp_path)
    card = card_of(folder, folder.read_job(), [], "cpu", "")
    card |= {"pipeline": "vidsketch", "params": {"prompt": "a secret cat", "tau": 0.5}, "origin": ORIGIN}
    assert "secret" in embedded(card) and "Günther" in json.loads(embedded(card))["origin"]["target"]["source"]
    short = embedded(card, with_words=False)
    assert "secret" not in short and "nther" not in short and json.loads(short)["params"] == {"tau": 0.5}


def test_a_private_job_has_private_pictures_and_a_whole_card(tmp_path):
    folder = still_take(tmp_path, private=True, origin=ORIGIN)
    assert folder.read_job().private
    run_job(folder)
    assert "origin" not in read_card(folder.outputs / "clip/0001.png") and kept(folder)["origin"] == ORIGIN


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_text(text: bytes) -> bytes:
    return png(1)[:33] + chunk(b"tEXt", b"pegbar\0" + text) + png(1)[33:]


GOOD = {
    "pegbar": "1", "protocol": 1, "pipeline": "flat", "params": {}, "seed": 1, "inputs": {}, "weights": {},
    "shot": {"scene": "", "first": 1, "last": 2, "fps": 24.0, "step": 1},
}  # fmt: skip


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (png(1), "has no settings"),
        (b"", "has no settings"),
        (b"GIF89a", "has no settings"),
        (png(1)[:20], "are damaged"),
        (with_text(b"{"), "are damaged"),
        (with_text(b"[]"), "are damaged"),
        (with_text(b"[" * 100_000), "are damaged"),
        (with_text(json.dumps({**GOOD, "shot": {}}).encode()), "are damaged"),
        (with_text(json.dumps({**GOOD, "params": 3}).encode()), "are damaged"),
        (with_text(json.dumps({**GOOD, "origin": 3}).encode()), "are damaged"),
        (with_text(json.dumps({**GOOD, "inputs": {"lineart": {"frames": ["x"]}}}).encode()), "are damaged"),
        (png(1)[:33] + struct.pack(">I4s", 0x7FFFFFFF, b"tEXt") + b"pegbar\0{}", "are damaged"),
    ],
)
def test_a_picture_without_a_card_is_refused_in_one_sentence(tmp_path, data, words):
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(PegbarError, match=words) as raised:
        read_card(path)
    assert raised.value.id == NOT_RESTORED and "\n" not in str(raised.value)


def test_a_card_of_a_newer_pegbar_is_refused():
    with pytest.raises(PegbarError, match="made by a newer Pegbar") as raised:
        job_of({**GOOD, "protocol": 99})
    assert raised.value.id == TAKE_NEWER


def test_a_large_file_is_hashed_once_until_it_changes(tmp_path, cache):
    path = tmp_path / "weights.bin"
    path.write_bytes(bytes(SMALL + 1))
    wanted = hashlib.sha256(bytes(SMALL + 1)).hexdigest()
    assert sha256_of(path) == wanted
    known = json.loads(cache.read_text())
    known[str(path)][2] = "from the cache"
    cache.write_text(json.dumps(known))
    assert sha256_of(path) == "from the cache"
    os.utime(path, ns=(1, 1))
    assert sha256_of(path) == wanted


@pytest.mark.parametrize("content", ["", "{", "[]", '{"x": 3}'])
def test_a_damaged_cache_costs_nothing_but_time(tmp_path, cache, content):
    cache.parent.mkdir(parents=True)
    cache.write_text(content)
    path = tmp_path / "weights.bin"
    path.write_bytes(bytes(SMALL + 1))
    assert sha256_of(path) == hashlib.sha256(bytes(SMALL + 1)).hexdigest()


def test_a_cache_that_cannot_be_written_is_no_matter(tmp_path, monkeypatch):
    monkeypatch.setenv("PEGBAR_CACHE", "/proc/nowhere")
    path = tmp_path / "weights.bin"
    path.write_bytes(bytes(SMALL + 1))
    assert sha256_of(path) == hashlib.sha256(bytes(SMALL + 1)).hexdigest()


def test_a_folders_hash_follows_its_names_and_contents(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    (one / "unet").mkdir(parents=True)
    (one / "unet/a.bin").write_bytes(b"a")
    (one / ".cache").mkdir()
    shutil.copytree(one, other)
    (other / ".cache/lock").touch()
    assert sha256_of(one) == sha256_of(other)
    (other / "unet/a.bin").rename(other / "unet/b.bin")
    assert sha256_of(one) != sha256_of(other)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes in folders")
def test_a_pipe_or_a_device_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert sha256_of(tmp_path / "pipe") == sha256_of(Path("/dev/zero")) == ""


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_of_motions_only_the_chosen_one_is_used_and_one_taught_has_its_own_terms(tmp_path):
    top = tmp_path / "vidsketch"
    put(top, "sd15/unet/a.safetensors", "adapter/config.json", "adapter/a.bin", "motions/theirs/unet/pytorch_model.bin")
    put(top, "motions/mine/low_rank.safetensors")
    (top / "motions/mine/motion.json").write_text('{"name": "mine"}')
    spec, folders = PIPELINES["vidsketch"], (tmp_path,)
    found = {
        name: {entry.weights.name: entry for entry in used(spec, {"motion": name}, locate(spec, folders), folders)}
        for name in ("mine", "theirs")
    }
    assert found["mine"]["motions"].path == top / "motions/mine/low_rank.safetensors"
    assert found["mine"]["motions"].terms["commercial"] == "unclear"
    assert found["theirs"]["motions"].path.parent == top / "motions/theirs/unet"
    assert found["theirs"]["motions"].terms["commercial"] == "no"
    assert set(found["mine"]) == {"sd15", "motions", "adapter"}


def test_a_job_is_done_without_a_card_of_an_older_take(tmp_path):
    folder = still_take(tmp_path)
    run_job(folder)
    folder.card_file.unlink()
    assert isinstance(run_job(folder), Done) and kept(folder) is None
