"""The worker: a job comes to an end whatever happens, and what it wrote is whole and stays."""

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from pegbar.engine.catalog import PIPELINES
from pegbar.engine.errors import INPUT_UNFIT
from pegbar.engine.protocol import PROTOCOL_VERSION, Done, Failed, FrameWritten, JobFolder, PegbarError, Progress, Warned
from pegbar.engine.strokes import Strokes
from pegbar.engine.worker import run_job
from PIL import Image

from .takes import still_job, still_take


@pytest.fixture
def pipeline(monkeypatch) -> Callable[..., None]:
    """Puts a pipeline named `trial` into the house, with the inputs and outputs of `still` and the code given."""

    def put(generate: Callable, load: Callable = lambda weights, device: None) -> None:
        module = ModuleType("pipeline")
        module.load, module.generate = load, generate
        monkeypatch.setitem(sys.modules, "pegbar.engine.pipelines.trial.pipeline", module)
        monkeypatch.setitem(sys.modules, "pegbar.engine.pipelines.trial", ModuleType("trial"))
        monkeypatch.setitem(PIPELINES, "trial", replace(PIPELINES["still"], name="trial"))

    return put


def files(folder: JobFolder) -> list[str]:
    return sorted(p.relative_to(folder.outputs).as_posix() for p in folder.outputs.rglob("*") if p.is_file())


def cancelling(folder: JobFolder, after: int) -> Callable:
    """Asks to cancel as soon as so many frames are written."""
    seen = []

    def tell(event: object) -> None:
        seen.append(event)
        if sum(isinstance(e, FrameWritten) for e in seen) == after:
            folder.request_cancel()

    return tell


def test_a_job_is_done_and_every_frame_is_on_its_number(tmp_path):
    folder = still_take(tmp_path, frames=3)
    told = []
    end = run_job(folder, tell=told.append)
    assert isinstance(end, Done) and not end.cancelled
    assert folder.events()[0] == told and told[-1] == end
    assert folder.state().name == "done"
    assert [(f.output, f.frame, f.file) for f in folder.state().frames] == [("clip", n, f"outputs/clip/000{n}.png") for n in (1, 2, 3)]
    for frame in (1, 2, 3):
        given = np.asarray(Image.open(folder.path / f"inputs/image/000{frame}.png"))
        assert (np.asarray(Image.open(folder.path / f"outputs/clip/000{frame}.png")) == given).all()


def test_a_done_job_is_left_as_it_is(tmp_path):
    folder = still_take(tmp_path)
    run_job(folder)
    before = [os.stat(folder.outputs / f).st_mtime_ns for f in files(folder)]
    told = []
    run_job(folder, tell=told.append)
    assert told == [Done(folder.state().seconds)]
    assert [os.stat(folder.outputs / f).st_mtime_ns for f in files(folder)] == before


def test_cancel_between_steps_keeps_frames_and_the_job_goes_on_after_them(tmp_path):
    folder = still_take(tmp_path, frames=5)
    end = run_job(folder, tell=cancelling(folder, after=2))
    assert isinstance(end, Done) and end.cancelled
    assert folder.state().name == "stopped"
    assert files(folder) == ["clip/0001.png", "clip/0002.png"]
    before = [os.stat(folder.outputs / f).st_ino for f in files(folder)]
    folder.withdraw_cancel()
    told = []
    run_job(folder, tell=told.append)
    assert [e.frame for e in told if isinstance(e, FrameWritten)] == [3, 4, 5]
    assert folder.state().name == "done" and len(files(folder)) == 5
    assert [os.stat(folder.outputs / f).st_ino for f in files(folder)[:2]] == before


def test_a_job_cancelled_while_it_waits_ends_without_frames(tmp_path):
    folder = still_take(tmp_path)
    folder.request_cancel()
    assert run_job(folder).cancelled
    assert not folder.outputs.exists()


def test_a_file_that_is_gone_is_made_again(tmp_path):
    folder = still_take(tmp_path)
    run_job(folder)
    whole = {f: (folder.outputs / f).read_bytes() for f in files(folder)}
    (folder.outputs / "clip" / "0003.png").unlink()
    told = []
    run_job(folder, tell=told.append)
    assert [e.frame for e in told if isinstance(e, FrameWritten)] == [3]
    assert {f: (folder.outputs / f).read_bytes() for f in files(folder)} == whole


def test_half_written_files_of_a_run_cut_off_are_removed(tmp_path):
    folder = still_take(tmp_path)
    (folder.outputs / "clip").mkdir(parents=True)
    folder.state_folder.mkdir()
    for top in (folder.outputs / "clip", folder.state_folder):
        (top / ".0001.png.123.part").write_bytes(b"half")
    (folder.path / ".preview.png.123.part").write_bytes(b"half")
    run_job(folder)
    assert list(folder.path.rglob("*.part")) == []
    assert not folder.reserve_file.exists()


def test_a_bug_is_told_with_its_traceback(tmp_path, pipeline):
    def generate(model, job, inputs, report):
        report.write("clip", 1, inputs["image"][1])
        raise ZeroDivisionError("by nothing")

    pipeline(generate)
    folder = still_take(tmp_path, pipeline="trial")
    end = run_job(folder)
    assert isinstance(end, Failed)
    assert "ZeroDivisionError: by nothing" in end.text and "in generate" in end.traceback
    assert folder.state().name == "failed" and folder.state().error == end
    assert files(folder) == ["clip/0001.png"]
    assert "in generate" in folder.log_file.read_text()


def test_what_the_user_can_act_on_is_told_without_a_traceback(tmp_path, pipeline):
    def generate(model, job, inputs, report):
        raise PegbarError("The line art is all white: choose another strip")

    pipeline(generate)
    assert run_job(still_take(tmp_path, pipeline="trial")) == Failed("The line art is all white: choose another strip", id=INPUT_UNFIT)


def test_too_little_memory_is_told_in_one_sentence(tmp_path, pipeline):
    def generate(model, job, inputs, report):
        np.empty(2**62, np.uint8)

    pipeline(generate)
    end = run_job(still_take(tmp_path, pipeline="trial"))
    assert "too little free memory" in end.text and end.traceback == ""


def test_a_frame_outside_the_shot_is_a_bug(tmp_path, pipeline):
    pipeline(lambda model, job, inputs, report: report.write("clip", 99, np.zeros((2, 2, 4))))
    assert "KeyError" in run_job(still_take(tmp_path, pipeline="trial")).traceback


def test_strokes_and_notes_are_written_in_their_own_formats(tmp_path, pipeline):
    drawing = Strokes(
        size=(8, 8), points=np.zeros((2, 2)), depth=np.zeros(2), handles=np.zeros((2, 2, 2)), widths=np.ones(2, np.float32),
        opacity=np.ones(2, np.float32), offsets=np.array([0, 2], np.int32), curve_type=np.array([1], np.uint8), cyclic=np.array([False]),
        line_colour=np.ones((1, 4), np.float32), fill_colour=np.zeros((1, 4), np.float32), layer=np.zeros(1, np.int32),
        material=np.zeros(1, np.int32), source=np.zeros(1, np.int32), layers=("Lines",), matrices=np.eye(4)[None],
    )  # fmt: skip

    def generate(model, job, inputs, report):
        report.write("clip", 1, drawing)
        report.write("notes", 2, {"régions": [1, 2]})
        report.warn("Two regions were guessed")
        report.warn("Two regions were guessed")

    pipeline(generate)
    folder = still_take(tmp_path, pipeline="trial")
    run_job(folder)
    assert files(folder) == ["clip/0001.npz", "notes/0002.json"]
    assert (folder.outputs / "clip/0001.npz").read_bytes() == drawing.to_bytes()
    assert json.loads((folder.outputs / "notes/0002.json").read_bytes()) == {"régions": [1, 2]}
    assert folder.state().warnings == ("Two regions were guessed",)
    assert folder.events()[0].count(Warned("Two regions were guessed")) == 2


def test_progress_is_told_now_and_then_but_each_phase_begins_and_ends(tmp_path, pipeline):
    def generate(model, job, inputs, report):
        for step in range(1001):
            for phase in ("Matching", "Drawing"):
                report.progress(phase, step, 1000)

    pipeline(generate)
    folder = still_take(tmp_path, pipeline="trial")
    run_job(folder)
    told = [e for e in folder.events()[0] if isinstance(e, Progress)]
    assert told[0] == Progress("Loading", 0, 0)
    assert {Progress(phase, step, 1000) for phase in ("Matching", "Drawing") for step in (0, 1000)} <= set(told)
    assert len(told) < 20


def test_a_model_stays_loaded_for_the_next_job_and_not_after_a_bug(tmp_path, pipeline):
    loads = []

    def load(weights, device):
        loads.append(device)
        return len(loads)

    def generate(model, job, inputs, report):
        report.write("notes", 1, model)
        if job.seed == 2:
            raise ValueError

    pipeline(generate, load)
    models = {}
    for seed in (1, 2, 3):
        run_job(still_take(tmp_path, pipeline="trial", seed=seed), models)
    assert [int((f / "outputs/notes/0001.json").read_text()) for f in sorted(tmp_path.iterdir())] == [1, 1, 2]


def test_whatever_is_logged_meanwhile_is_in_the_jobs_log_alone(tmp_path, pipeline):
    pipeline(lambda model, job, inputs, report: logging.getLogger("some.library").info("a word for the makers"))
    first, second = (still_take(tmp_path, pipeline="trial") for _ in range(2))
    run_job(first)
    logging.getLogger("some.library").warning("not this")
    log = first.log_file.read_text()
    run_job(second)
    assert "a word for the makers" in log and first.log_file.read_text() == log


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"protocol": PROTOCOL_VERSION + 1}, "newer Pegbar"),
        ({"pipeline": "warp"}, "There is no pipeline 'warp'"),
        ({"params": {"seconds_per_frame": -1.0}}, "must be at least 0"),
        ({"inputs": {}}, "Still has no image"),
    ],
)
def test_a_job_that_cannot_be_is_told_in_one_sentence(tmp_path, changes, words):
    folder = still_take(tmp_path, **changes)
    end = run_job(folder)
    assert words in end.text and end.traceback == ""
    assert folder.state().name == "failed"


def test_an_input_outside_the_take_is_not_read(tmp_path):
    folder = still_take(tmp_path)
    (tmp_path / "secret.png").write_bytes((folder.path / "inputs/image/0001.png").read_bytes())
    request = folder.path / "job.json"
    request.write_text(request.read_text().replace("inputs/image/0001.png", "../secret.png"))
    assert "outside the take" in run_job(folder).text


@pytest.mark.parametrize("damage", [b"", b"no picture", "half"])
def test_a_corrupt_png_is_named_and_the_frames_before_it_stay(tmp_path, damage):
    folder = still_take(tmp_path)
    path = folder.path / "inputs/image/0003.png"
    path.write_bytes(path.read_bytes()[:300] if damage == "half" else damage)
    end = run_job(folder)
    assert "0003.png" in end.text and end.traceback == ""
    assert files(folder) == ["clip/0001.png", "clip/0002.png"]


def test_a_missing_input_is_named(tmp_path):
    folder = still_take(tmp_path)
    (folder.path / "inputs/image/0002.png").unlink()
    end = run_job(folder)
    assert "0002.png" in end.text and end.traceback == ""


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of 256 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        sys.platform != "linux"
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True).returncode
    ):
        pytest.skip("only root on Linux can make a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_full_disk_is_told_and_the_job_goes_on_once_there_is_room(small_disk):
    folder = still_take(small_disk, frames=4, size=64)
    wall = small_disk / "wall"
    wall.write_bytes(bytes(shutil.disk_usage(small_disk).free - 60_000))
    end = run_job(folder)
    assert "is full: free some space and go on" in end.text and end.traceback == ""
    assert folder.state().name == "failed" and folder.state().error == end
    ready = files(folder)
    assert 0 < len(ready) < 4
    for file in ready:
        Image.open(folder.outputs / file).load()
    wall.unlink()
    run_job(folder)
    assert folder.state().name == "done" and len(files(folder)) == 4


def test_a_disk_that_is_full_from_the_start_is_told_in_one_sentence(small_disk):
    folder = still_take(small_disk)
    with pytest.raises(OSError, match="No space"), open(small_disk / "wall", "wb", buffering=0) as wall:
        while wall.write(bytes(4096)) == 4096:
            pass
        wall.write(b"0")
    with pytest.raises(PegbarError, match="is full: free some space"):
        run_job(folder)
    assert not folder.is_running


def test_outputs_that_cannot_be_written_are_told_in_one_sentence(tmp_path):
    folder = still_take(tmp_path)
    folder.outputs.write_text("a file where a folder should be")
    end = run_job(folder)
    assert "cannot be used" in end.text and "choose another folder" in end.text and end.traceback == ""


def test_a_take_that_cannot_be_written_is_refused_in_one_sentence(tmp_path):
    folder = still_take(tmp_path)
    (folder.path / "events.jsonl").mkdir()
    with pytest.raises(PegbarError, match="cannot be used"):
        run_job(folder)


def test_a_path_of_300_characters_with_spaces_and_unicode_works(tmp_path):
    path = tmp_path / "my füms 日本 🎬 'q\" %s {x}"
    while len(str(path)) < 260:
        path /= "long long nàme"
    path /= "x" * (300 - len(str(path)) - len("/take_001") - 1)
    folder = still_take(path)
    assert len(str(folder.path)) == 300
    assert run_job(folder) == Done(folder.state().seconds)
    assert len(files(folder)) == 4


def test_the_same_job_gives_the_same_bytes(tmp_path):
    folders = [still_job(JobFolder.create(tmp_path)) for _ in range(2)]
    for folder in folders:
        run_job(folder)
    first, second = ({f: (folder.outputs / f).read_bytes() for f in files(folder)} for folder in folders)
    assert first == second
