"""The job folder: what crosses the boundary comes back equal, and damage or a stranger ends in one sentence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pegbar.engine.protocol import (
    PROTOCOL_VERSION,
    Done,
    Failed,
    FrameWritten,
    InputFile,
    Job,
    JobFolder,
    PegbarError,
    Progress,
    Shot,
    State,
    Warned,
    lock,
    locked,
    state_of,
    takes,
    write_atomic,
)

from .conftest import ROOT
from .takes import still_take

JOB = Job(
    "flat",
    {"close_gaps": 6, "separate_lines": True},
    {"lineart": (InputFile(-3, "inputs/lineart/0001.png"),)},
    Shot("Szene Ä", -3, 9, 23.976, 2),
    7,
)
EVENTS = [
    Progress("Drawing", 1, 2),
    FrameWritten("clip", -3, "outputs/clip/0001.png"),
    Warned("Näher"),
    Failed("No", "trace\n"),
    Done(1.5, True),
]


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    return JobFolder.create(tmp_path / "shot")


def damage(folder: JobFolder, **changes: object) -> None:
    data = json.loads((folder.path / "job.json").read_text())
    (folder.path / "job.json").write_text(json.dumps({**data, **changes}))


def test_a_job_comes_back_equal(folder):
    folder.write_job(JOB)
    assert folder.read_job() == JOB


def test_events_come_back_equal_and_from_an_offset(folder):
    for event in EVENTS[:3]:
        folder.append(event)
    first, offset = folder.events()
    for event in EVENTS[3:]:
        folder.append(event)
    assert first == EVENTS[:3]
    assert folder.events(offset)[0] == EVENTS[3:]


def test_frames_of_a_shot_on_twos():
    assert JOB.shot.frames == (-3, -1, 1, 3, 5, 7, 9)


@pytest.mark.parametrize(("changes", "words"), [({"first": 5, "last": 4}, "before its first frame 5"), ({"step": 0}, "choose 1 for ones")])
def test_a_shot_that_cannot_be_is_refused(changes, words):
    with pytest.raises(PegbarError, match=words):
        Shot(**{"scene": "", "first": 1, "last": 9, "fps": 24.0, **changes})


def test_a_torn_last_line_waits_until_it_is_whole(folder):
    folder.append(EVENTS[0])
    path = folder.path / "events.jsonl"
    with open(path, "ab") as file:
        file.write(b'{"event": "done", "sec')
    assert folder.events()[0] == EVENTS[:1]


def test_an_event_after_a_torn_line_is_whole(folder):
    (folder.path / "events.jsonl").write_bytes(b'{"event": "frame", "outp')
    folder.append(EVENTS[1])
    assert folder.events()[0] == [EVENTS[1]]


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\xff\xfe\x00",
        b"",
        b"[]",
        b"12",
        b"null",
        b'{"event": "unknown"}',
        b'{"event": []}',
        b'{"event": "done"}',
        b'{"event": "done", "seconds": "1"}',
        b'{"event": "progress", "phase": null, "step": 1, "of": 2}',
        b'{"event": "frame", "output": "clip", "frame": 1.5, "file": "x"}',
        b"[" * 100_000,
    ],
)
def test_a_line_that_is_no_event_is_passed_over(folder, rubbish):
    folder.append(EVENTS[0])
    with open(folder.path / "events.jsonl", "ab") as file:
        file.write(rubbish + b"\n")
    folder.append(EVENTS[4])
    assert folder.events()[0] == [EVENTS[0], EVENTS[4]]


def test_state_follows_the_events():
    assert state_of([]) == State("queued")
    assert state_of(EVENTS[:3]).name == "running"
    failed = state_of(EVENTS[:4])
    assert (failed.name, failed.error, failed.warnings) == ("failed", EVENTS[3], ("Näher",))
    assert state_of(EVENTS).name == "stopped"
    again = state_of([*EVENTS, EVENTS[1], Done(2.0)])
    assert (again.name, again.seconds, again.frames, again.error) == ("done", 2.0, (EVENTS[1],), None)


def test_a_job_of_a_newer_protocol_is_refused_in_one_sentence(folder):
    folder.write_job(JOB)
    damage(folder, protocol=PROTOCOL_VERSION + 1, shot={"unheard": "of"})
    with pytest.raises(PegbarError, match=r"made by a newer Pegbar .*: update Pegbar"):
        folder.read_job()


@pytest.mark.parametrize(
    "changes",
    [
        {"shot": 1},
        {"shot": {}},
        {"inputs": []},
        {"inputs": {"a": 1}},
        {"inputs": {"a": [{}]}},
        {"params": 3},
        {"seed": "x"},
        {"protocol": None},
    ],
)
def test_a_damaged_job_is_refused_in_one_sentence(folder, changes):
    folder.write_job(JOB)
    damage(folder, **changes)
    with pytest.raises(PegbarError, match="is damaged"):
        folder.read_job()


@pytest.mark.parametrize("content", [b"", b"\xff\xff", b"{", b"[]", b"[" * 100_000])
def test_a_job_that_is_no_request_is_refused(folder, content):
    (folder.path / "job.json").write_bytes(content)
    with pytest.raises(PegbarError, match="is damaged"):
        folder.read_job()


def test_a_missing_job_is_refused(folder):
    with pytest.raises(PegbarError, match=r"cannot be read \(No such file"):
        folder.read_job()


@pytest.mark.parametrize("file", ["../secret", "inputs/../../secret", "/etc/passwd", ".."])
def test_a_file_outside_the_take_is_refused(folder, file):
    with pytest.raises(PegbarError, match="outside the take"):
        folder.file(file)


def test_two_processes_never_make_the_same_take(tmp_path):
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\nfrom engine.protocol import JobFolder\nsys.stdin.readline()\n"
        f"for _ in range(50): print(JobFolder.create(Path({str(tmp_path / 'shot')!r})).path.name)\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    names = [name for process in both for name in process.communicate()[0].split()]
    assert sorted(names) == [f"take_{n:03d}" for n in range(1, 101)]


def test_takes_are_listed_oldest_first_and_only_with_a_request(tmp_path):
    for _ in range(3):
        still_take(tmp_path)
    JobFolder.create(tmp_path)
    (tmp_path / "take_1000").mkdir()
    (tmp_path / "take_1000" / "job.json").touch()
    (tmp_path / "notes").mkdir()
    assert [take.path.name for take in takes(tmp_path)] == ["take_001", "take_002", "take_003", "take_1000"]
    assert list(takes(tmp_path / "nowhere")) == []


def test_a_running_job_is_refused_to_a_second(folder):
    folder.write_job(JOB)
    assert not folder.is_running
    with folder.running():
        assert folder.is_running
        with pytest.raises(PegbarError, match="already being worked on"), folder.running():
            pass
    assert not folder.is_running


def test_a_killed_process_holds_no_lock(tmp_path):
    path = tmp_path / "file"
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom pathlib import Path\nfrom engine.protocol import lock\n"
    script += f"held = lock(Path({str(path)!r})); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert locked(path)
        process.kill()
    assert not locked(path)
    lock(path).close()


def test_a_folder_that_is_no_take_is_not_written_to(tmp_path):
    with pytest.raises(PegbarError, match="is no take"), JobFolder(tmp_path).running():
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file_and_no_part(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PegbarError, match=r"disk of .* is full: free some space"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_below_a_file_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PegbarError, match=r"cannot be used \(Not a directory\): choose another"):
        JobFolder.create(tmp_path / "file" / "shot")


def test_a_name_that_is_too_long_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(PegbarError, match="too long for this system"):
        JobFolder.create(tmp_path / ("x" * 300))
