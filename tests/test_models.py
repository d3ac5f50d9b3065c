"""Models are fetched from a hub on this computer, which cuts, stalls, lies and refuses: they end whole, or can be gone on with."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pegbar.engine.__main__ import BAD_USAGE, DONE, main
from pegbar.engine.errors import DISK_FULL, DOWNLOAD_STOPPED, LICENCE, MODEL_DAMAGED
from pegbar.engine.models import cards, fetching, hub, layout, records
from pegbar.engine.pipelines import dropletvideo, flipsketch, lvcd, vidsketch
from pegbar.engine.protocol import JobFolder, PegbarError, lock
from pegbar.engine.weights import locate, missing
from pegbar.tests.hub import COMMIT, Fault, serving

ROOT = Path(__file__).resolve().parent.parent
SVD, LVCD = "stabilityai/stable-video-diffusion-img2vid", "Kijai/LVCD-pruned"
SIZE = 300_000
FOLDER = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")


def content(name: str, size: int = SIZE) -> bytes:
    return random.Random(name).randbytes(size)


def put(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


@pytest.fixture
def repositories(tmp_path_factory):
    """Both repositories of LVCD, with other files beside those that are wanted."""
    folder = tmp_path_factory.mktemp("repositories")
    put(folder / SVD, {"svd.safetensors": content("svd"), "svd_image_decoder.safetensors": content("other"), "README.md": b"a page"})
    put(folder / LVCD, {"lvcd-fp16.safetensors": content("lvcd", 5000), "svd-fp16.safetensors": content("re-pack")})
    return folder


@pytest.fixture
def served(repositories):
    with serving(repositories) as given:
        yield given


def asked(given, endpoint="", **changes):
    return hub.Hub(endpoint or given.url, **{"stall_s": 10.0, "retries": 3, "pause_s": 0.001} | changes)


def fetched(given, own, names=(), tell=lambda *of: None, spec=lvcd.SPEC, **changes):
    return fetching.fetch(spec, fetching.lacking(spec, (own,), names), own, asked(given, **changes), tell, accepted=True)


def files_in(folder):
    """What a user sees in a folder: hidden files and what is in hidden folders left out."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts))


def test_what_a_pipeline_lacks_is_fetched_checked_recorded_and_found(served, tmp_path):
    own, told = tmp_path / "own", []
    assert fetched(served, own, tell=lambda *of: told.append(of)) == []
    assert files_in(own) == ["lvcd/lvcd-fp16.safetensors", "lvcd/svd.safetensors"]
    assert (own / "lvcd/svd.safetensors").read_bytes() == content("svd")
    assert locate(lvcd.SPEC, (own,))["lvcd"] == own / "lvcd/lvcd-fp16.safetensors" and not missing(lvcd.SPEC, (own,))
    record = records.read(own / "lvcd/svd.safetensors")
    assert (record.source, record.revision) == (f"huggingface.co/{SVD}", COMMIT) and len(record.accepted) == 10
    assert record.files == (records.File("svd.safetensors", SIZE, hashlib.sha256(content("svd")).hexdigest()),)
    assert told[-1] == ("Downloading lvcd-fp16.safetensors", SIZE + 5000, SIZE + 5000)
    assert not list(own.rglob("*.part"))
    assert all("telemetry" not in path for _, path, _ in served.asked)


@pytest.mark.parametrize("after", [0, 1, 4095, 30_000, 65_536, 99_999, 150_000, 262_144, SIZE - 1, SIZE])
def test_a_connection_that_is_cut_goes_on_where_it_was(served, tmp_path, after):
    served.faults = [Fault(after)]
    fetched(served, tmp_path, ["svd"])
    assert (tmp_path / "lvcd/svd.safetensors").read_bytes() == content("svd")
    ranges = [headers.get("range") for _, path, headers in served.contents() if path.startswith("/lfs/")]
    assert ranges == ([None] if after == SIZE else [None, f"bytes={after}-" if after else None])


def test_a_connection_that_is_cut_again_and_again_goes_on_while_anything_comes(served, tmp_path):
    served.faults = [Fault(10_000) for _ in range(12)]
    fetched(served, tmp_path, ["svd"], retries=1)
    assert (tmp_path / "lvcd/svd.safetensors").read_bytes() == content("svd") and len(served.contents()) >= 13


def test_a_silent_connection_is_made_anew(served, tmp_path):
    served.faults = [Fault(100_000, "stall", 90.0)]
    began = time.monotonic()
    fetched(served, tmp_path, ["svd"], stall_s=0.5)
    assert time.monotonic() - began < 60
    assert (tmp_path / "lvcd/svd.safetensors").read_bytes() == content("svd")
    assert served.contents()[-1][2]["range"] == "bytes=100000-"


def test_a_hub_that_does_not_answer_is_given_up_and_what_has_come_is_gone_on_with(served, tmp_path):
    served.faults = [Fault(200_000), *(Fault(0) for _ in range(9))]
    with pytest.raises(PegbarError, match="does not answer") as raised:
        fetched(served, tmp_path, ["svd"])
    assert raised.value.id == DOWNLOAD_STOPPED and files_in(tmp_path) == []
    (card,) = (card for card in cards.cards(lvcd.SPEC, (tmp_path,)) if card.weights.name == "svd")
    assert card.state == "begun" and card.begun > 200_000
    served.faults = []
    told = []
    fetched(served, tmp_path, ["svd"], tell=lambda *of: told.append(of))
    assert (tmp_path / "lvcd/svd.safetensors").read_bytes() == content("svd")
    assert served.contents()[-1][2]["range"] == "bytes=200000-"


@pytest.mark.parametrize("status", ["429", "500", "503"])
def test_a_busy_server_is_asked_again(served, tmp_path, status):
    served.faults = [Fault(kind=status), Fault(kind=status)]
    fetched(served, tmp_path, ["svd"])
    assert (tmp_path / "lvcd/svd.safetensors").read_bytes() == content("svd")


def test_a_damaged_file_is_fetched_anew_once_and_then_refused(served, tmp_path):
    served.faults = [Fault(kind="wrong")]
    fetched(served, tmp_path / "one", ["svd"])
    assert (tmp_path / "one/lvcd/svd.safetensors").read_bytes() == content("svd")
    served.faults = [Fault(kind="wrong"), Fault(kind="wrong")]
    with pytest.raises(PegbarError, match="checksum differs") as raised:
        fetched(served, tmp_path / "two", ["svd"])
    assert raised.value.id == MODEL_DAMAGED and files_in(tmp_path / "two") == []
    fetched(served, tmp_path / "two", ["svd"])
    assert (tmp_path / "two/lvcd/svd.safetensors").read_bytes() == content("svd")


def half_there(served, own, data=None):
    """Leaves a download at its half, or with other bytes in its part."""
    served.faults = [Fault(SIZE // 2), *(Fault(0) for _ in range(9))]
    with pytest.raises(PegbarError):
        fetched(served, own, ["svd"])
    served.faults = []
    part = own / "lvcd/.svd.part/files/svd.safetensors.part"
    assert part.stat().st_size == SIZE // 2
    if data is not None:
        part.write_bytes(data)


@pytest.mark.parametrize("data", [b"x" * (SIZE // 2), b"x" * SIZE, b"x" * (SIZE + 1), b""])
def test_a_part_that_is_not_of_the_file_is_replaced(served, tmp_path, data):
    half_there(served, tmp_path, data)
    fetched(served, tmp_path, ["svd"])
    assert (tmp_path / "lvcd/svd.safetensors").read_bytes() == content("svd")


@pytest.mark.parametrize("kind", ["whole", "416"])
def test_a_server_that_does_not_go_on_gives_the_file_from_its_beginning(served, tmp_path, kind):
    half_there(served, tmp_path)
    served.faults = [Fault(kind=kind)]
    fetched(served, tmp_path, ["svd"])
    assert (tmp_path / "lvcd/svd.safetensors").read_bytes() == content("svd")


def test_a_download_keeps_to_the_version_that_it_began_with(served, tmp_path):
    half_there(served, tmp_path)
    served.revision = "f" * 40
    fetched(served, tmp_path, ["svd"])
    assert records.read(tmp_path / "lvcd/svd.safetensors").revision == COMMIT
    assert f"/resolve/{COMMIT}/" in next(path for _, path, _ in reversed(served.asked) if "/resolve/" in path)


def test_a_version_that_the_catalog_names_is_asked_for(served, tmp_path):
    pinned = replace(lvcd.SPEC.weights[0], revision="e" * 40)
    fetching.fetch(lvcd.SPEC, [pinned], tmp_path, asked(served), lambda *of: None, accepted=True)
    assert served.asked[0][1] == f"/api/models/{SVD}/revision/{'e' * 40}"


def test_a_mirror_that_tells_no_hashes_is_asked_for_each_file(served, tmp_path):
    served.metadata = False
    fetched(served, tmp_path)
    assert (tmp_path / "lvcd/svd.safetensors").read_bytes() == content("svd")
    assert {method for method, path, _ in served.asked if "/resolve/" in path} == {"HEAD", "GET"}


def test_a_gated_model_says_what_to_do_and_comes_with_a_token(served, tmp_path):
    served.token = "hf_secret"
    with pytest.raises(PegbarError, match=r"agree, and enter a token") as raised:
        fetched(served, tmp_path, ["svd"])
    assert raised.value.id == LICENCE
    with pytest.raises(PegbarError, match="agree to its terms with the account of your token"):
        fetched(served, tmp_path, ["svd"], token="hf_other")
    fetched(served, tmp_path, ["svd"], token="hf_secret")
    assert (tmp_path / "lvcd/svd.safetensors").read_bytes() == content("svd")
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"hf_secret" not in kept and b"hf_other" not in kept


def test_a_token_is_not_given_to_where_the_hub_redirects(served, repositories, tmp_path):
    with serving(repositories) as elsewhere:
        served.url, own = elsewhere.url, served.url
        fetching.fetch(lvcd.SPEC, lvcd.SPEC.weights[:1], tmp_path, hub.Hub(own, "hf_secret"), lambda *of: None, accepted=True)
    (request,) = elsewhere.contents()
    assert request[1].startswith("/lfs/") and "authorization" not in request[2]


def test_a_repository_or_a_file_that_is_gone_is_a_sentence(served, repositories, tmp_path):
    (repositories / SVD / "svd.safetensors").rename(repositories / SVD / "renamed.safetensors")
    with pytest.raises(PegbarError, match=r"does not have svd\.safetensors any more: look at https://huggingface\.co/stabilityai"):
        fetched(served, tmp_path)
    (repositories / SVD).rename(repositories / "gone")
    with pytest.raises(PegbarError, match="it is gone, or asks for a token"):
        fetched(served, tmp_path)


def test_a_page_of_another_kind_is_no_hub(served, tmp_path):
    with pytest.raises(PegbarError, match="check the mirror's address"):
        fetched(served, tmp_path, endpoint=f"{served.url}/lfs/{LVCD}/lvcd-fp16.safetensors?")


def test_a_full_disk_is_told_before_and_while_it_happens(served, repositories, tmp_path):
    half_there(served, tmp_path)
    part = tmp_path / "lvcd/.svd.part/files/svd.safetensors.part"
    part.unlink()
    part.symlink_to("/dev/full")
    with pytest.raises(PegbarError, match="is full") as raised:
        fetched(served, tmp_path, ["svd"])
    assert raised.value.id == DISK_FULL and files_in(tmp_path) == []
    part.unlink()
    plan = json.loads((tmp_path / "lvcd/.svd.part/plan.json").read_text())
    plan["files"][0]["size"] = 10**16
    (tmp_path / "lvcd/.svd.part/plan.json").write_text(json.dumps(plan))
    requests = len(served.asked)
    with pytest.raises(PegbarError, match=r"GB left, 10000000\.0 GB are needed") as raised:
        fetched(served, tmp_path, ["svd"])
    assert raised.value.id == DISK_FULL and len(served.asked) == requests


def test_a_folder_that_cannot_be_written_is_a_sentence(served, tmp_path):
    (tmp_path / "own").write_text("a file")
    with pytest.raises(PegbarError, match="cannot be used"):
        fetched(served, tmp_path / "own")


def test_nothing_is_fetched_before_the_terms_are_accepted(served, tmp_path):
    with pytest.raises(PegbarError, match="accept the terms if your use is allowed") as raised:
        fetching.fetch(lvcd.SPEC, lvcd.SPEC.weights[:2], tmp_path, asked(served), lambda *of: None)
    assert raised.value.id == LICENCE and served.asked == []


def test_what_is_in_any_folder_is_not_fetched(served, tmp_path):
    put(tmp_path / "studio/lvcd", {"svd.safetensors": b""})
    assert [weights.name for weights in fetching.lacking(lvcd.SPEC, (tmp_path / "own", tmp_path / "studio"))] == ["lvcd"]
    with pytest.raises(PegbarError, match="has no model 'nonsense': it has svd, lvcd, sk_model"):
        fetching.lacking(lvcd.SPEC, (tmp_path,), ["nonsense"])


def test_a_folder_gets_its_name_when_all_its_files_are_there(tmp_path):
    top = tmp_path / "repositories/Hmrishav/t2v_sketch-lora/checkpoint-2500"
    files = {f"{part}/config.json": b"{}" for part in FOLDER[:3]} | {
        "unet/diffusion_pytorch_model.bin": content("pickle"),
        "unet/diffusion_pytorch_model.safetensors": content("unet"),
        "unet/diffusion_pytorch_model.fp16.safetensors": content("half"),
        "vae/diffusion_pytorch_model.fp16.safetensors": content("vae", 9000),
        "text_encoder/model-00001-of-00002.safetensors": content("text 1", 9000),
        "text_encoder/model-00002-of-00002.safetensors": content("text 2", 9000),
        "text_encoder/model.safetensors.index.json": b"{}",
        "text_encoder/pytorch_model.bin.index.json": b"{}",
        "tokenizer/vocab.json": b"{}",
        "tokenizer/merges.txt": b"a b",
        "scheduler/scheduler_config.json": b"{}",
        "lora/2500_unet.pt": content("lora", 5000),
        "lora/2500_text_encoder.pt": content("lora", 5000),
        "model_index.json": b"{}",
    }
    put(top, files)
    with serving(tmp_path / "repositories") as given:
        given.faults = [Fault(1, "stall", 0.0), *(Fault(0) for _ in range(9))]
        with pytest.raises(PegbarError, match="does not answer"):
            fetched(given, tmp_path / "own", ["checkpoint"], spec=flipsketch.SPEC)
        assert missing(flipsketch.SPEC, (tmp_path / "own",)) and files_in(tmp_path / "own") == []
        given.faults = []
        fetched(given, tmp_path / "own", ["checkpoint", "lora"], spec=flipsketch.SPEC)
    got = tmp_path / "own/flipsketch/checkpoint-2500"
    left_out = {
        "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "text_encoder/pytorch_model.bin.index.json",
    }
    assert files_in(got) == sorted(name for name in files if name.startswith(FOLDER) and name not in left_out)
    assert all((got / name).read_bytes() == files[name] for name in files_in(got))
    assert files_in(got.parent / "lora") == ["2500_text_encoder.pt", "2500_unet.pt"]
    assert records.unlike(got, records.read(got)) == []
    (got / "unet/diffusion_pytorch_model.safetensors").write_bytes(b"short")
    card = next(card for card in cards.cards(flipsketch.SPEC, (tmp_path / "own",)) if card.weights.name == "checkpoint")
    assert (card.state, card.damaged) == ("damaged", ("unet/diffusion_pytorch_model.safetensors",))


def test_a_repair_fetches_what_is_damaged_and_nothing_else(tmp_path):
    top = tmp_path / "repositories/TencentARC/t2iadapter_sketch_sd15v2"
    put(top, {"config.json": b"{}", "diffusion_pytorch_model.bin": content("adapter")})
    own, there = tmp_path / "own", tmp_path / "own/vidsketch/adapter"
    with serving(tmp_path / "repositories") as given:
        fetched(given, own, ["adapter"], spec=vidsketch.SPEC)
        before, requests = records.read(there), len(given.contents())
        damaged = bytearray(content("adapter"))
        damaged[SIZE // 2] ^= 1
        (there / "diffusion_pytorch_model.bin").write_bytes(damaged)
        given.revision = "f" * 40
        wanted = fetching.lacking(vidsketch.SPEC, (own,), ["adapter", "sd15"], repair=True)
        assert [weights.name for weights in wanted] == ["adapter"]
        given.faults = [Fault(1000), *(Fault(0) for _ in range(9))]
        with pytest.raises(PegbarError, match="does not answer"):
            fetching.fetch(vidsketch.SPEC, wanted, own, asked(given), lambda *of: None, accepted=True)
        assert not there.exists()
        given.faults = []
        fetched(given, own, ["adapter"], spec=vidsketch.SPEC)
    assert (there / "diffusion_pytorch_model.bin").read_bytes() == content("adapter") and records.read(there) == before
    assert {path.rpartition("/")[2] for _, path, _ in given.contents()[requests:]} == {"diffusion_pytorch_model.bin"}
    (api,) = (path for _, path, _ in given.asked[1:] if path.startswith("/api/"))
    assert api.endswith(COMMIT)


@pytest.mark.parametrize("odd", ["../../evil.safetensors", "/etc/evil.safetensors", "unet\\..\\..\\evil"])
def test_a_repository_that_names_a_file_outside_of_it_gives_nothing(odd):
    with pytest.raises(PegbarError, match="lies outside of it: nothing was fetched"):
        layout.chosen(lvcd.SPEC.weights[0], ("svd.safetensors", odd))


def test_files_at_the_top_of_a_repository_are_a_folders():
    adapter = next(weights for weights in vidsketch.SPEC.weights if weights.name == "adapter")
    listed = (
        ".gitattributes",
        "README.md",
        "config.json",
        "diffusion_pytorch_model.bin",
        "diffusion_pytorch_model.fp16.bin",
        "flax_model.msgpack",
    )
    assert sorted(layout.chosen(adapter, listed)) == ["config.json", "diffusion_pytorch_model.bin"]


def test_what_comes_by_hand_has_its_steps_on_it(served, tmp_path):
    motions = [weights for weights in vidsketch.SPEC.weights if weights.name == "motions"]
    (told,) = fetching.fetch(vidsketch.SPEC, motions, tmp_path, asked(served), lambda *of: None)
    assert "Google Drive" in told and served.asked == []


def test_every_model_says_what_it_is_for_who_may_sell_and_how_it_is_got():
    for spec in cards.methods():
        for weights in spec.weights:
            if not weights.is_made:
                assert weights.purpose and weights.reason and weights.page.startswith("https://")
                assert weights.repository or weights.by_hand
                assert bool(weights.repository) == bool(weights.files)
                assert weights.terms or weights.commercial == "yes" or not weights.required or not weights.repository
    assert dropletvideo.SPEC.weights[0].gated


# the command line, in a process of its own


def command(served, own, *words, **environment):
    line = [sys.executable, "-m", "engine", "fetch", "lvcd", "--weights", str(own), "--endpoint", served.url, "--accept-terms", *words]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return subprocess.Popen(
        line, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=clean | environment
    )


def test_the_command_fetches_and_its_events_tell_how_far_it_is(served, tmp_path):
    process = command(served, tmp_path)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == DONE, said
    assert "Downloading svd.safetensors" in said and not missing(lvcd.SPEC, (tmp_path,))
    state = JobFolder(tmp_path / ".activity/lvcd").state()
    assert state.name == "done" and (state.progress.step, state.progress.of) == (SIZE + 5000, SIZE + 5000)
    agents = {headers["user-agent"] for _, _, headers in served.asked}
    assert all(agent.startswith("pegbar/") and "torch" not in agent for agent in agents)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.85])
def test_a_killed_command_is_gone_on_with(served, tmp_path, share):
    served.slow = 500_000
    process = command(served, tmp_path, "--only", "svd")
    part = tmp_path / "lvcd/.svd.part/files/svd.safetensors.part"
    until = time.monotonic() + 120
    while not (part.is_file() and part.stat().st_size >= share * SIZE) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = part.stat().st_size
    assert files_in(tmp_path) == [] and 0 < there < SIZE
    served.slow, requests = 0.0, len(served.contents())
    fetched(served, tmp_path, ["svd"])
    assert (tmp_path / "lvcd/svd.safetensors").read_bytes() == content("svd")
    assert served.contents()[requests:][-1][2]["range"] == f"bytes={there}-"


def test_a_command_that_is_tied_ends_with_its_parent(served, tmp_path):
    served.slow = 100_000
    process = command(served, tmp_path, "--tied")
    part = tmp_path / "lvcd/.svd.part/files/svd.safetensors.part"
    until = time.monotonic() + 120
    while not part.is_file() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.stdin.close()
    assert process.wait(timeout=60) == 0 and files_in(tmp_path) == []


def test_two_at_once_do_not_fetch_the_same(tmp_path, capsys):
    (tmp_path / ".activity/lvcd").mkdir(parents=True)
    with lock(tmp_path / ".activity/lvcd/events.jsonl"):
        assert main(["fetch", "lvcd", "--weights", str(tmp_path), "--accept-terms"]) == BAD_USAGE
    assert "Another Pegbar is at this already" in capsys.readouterr().err


def test_the_commands_show_the_models_and_ask_for_the_terms(tmp_path, capsys):
    put(tmp_path / "lvcd", {"svd.safetensors": b"x" * 5_000_000})
    assert main(["models", "--weights", str(tmp_path)]) == DONE
    rows = {tuple(row.split()[:2]): row for row in capsys.readouterr().out.splitlines()}
    assert " installed " in rows["lvcd", "svd"] and " 5.0 MB " in rows["lvcd", "svd"] and str(tmp_path) in rows["lvcd", "svd"]
    assert (
        " missing " in rows["lvcd", "lvcd"] and " unclear " in rows["lvcd", "lvcd"] and "github.com/luckyhzt/LVCD" in rows["lvcd", "lvcd"]
    )
    assert main(["fetch", "lvcd", "--weights", str(tmp_path)]) == BAD_USAGE
    said = capsys.readouterr().err
    assert "Ask the authors" in said and "accept the terms" in said
    assert JobFolder(tmp_path / ".activity/lvcd").state().error.id == LICENCE
