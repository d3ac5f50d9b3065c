"""The catalog of errors: one page for all numbers, one number for each kind of failure, and old takes read as before."""

import ast
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pegbar.engine import errors
from pegbar.engine.catalog import PIPELINES
from pegbar.engine.diagnostics import about, last_run, redacted, wordless, words
from pegbar.engine.errors import CATALOG
from pegbar.engine.protocol import Failed, JobFolder, PegbarError, known_as
from pegbar.engine.worker import run_job

from .conftest import ROOT
from .takes import png, still_take

IDS = {name: value for name, value in vars(errors).items() if isinstance(value, str) and value.startswith("PB-E")}


def code() -> dict[Path, str]:
    """The source of everything that may fail; a panel tells of it."""
    folders = [ROOT / name for name in ("engine", "operators", "runs", "timeline")]
    files = [file for folder in folders for file in folder.rglob("*.py")]
    return {file: file.read_text("utf8") for file in [*files, ROOT / "preferences.py"] if file.name != "errors.py"}


def test_the_page_is_the_catalog():
    assert (ROOT / "docs/errors.md").read_text("utf8") == errors.page(), "write page() there"


def test_every_number_has_an_entry_and_an_anchor_of_its_own():
    assert sorted(IDS.values()) == sorted(CATALOG) and len(set(IDS.values())) == len(IDS)
    page = errors.page()
    for id in CATALOG:
        assert page.count(f'<a id="{errors.anchor(id)}"></a>') == 1 and page.count(f"## {id}: ") == 1


def test_every_entry_is_met_in_the_code_and_no_number_is_written_there():
    met = {node.id for text in code().values() for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    met |= {node.attr for text in code().values() for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)}
    assert [name for name in IDS if name not in met] == []
    written = [(file.name, id) for file, text in code().items() for id in IDS.values() if f'"{id}"' in text]
    assert written == []


@pytest.mark.parametrize("entry", CATALOG.values(), ids=lambda entry: entry.id)
def test_an_entry_says_what_why_and_what_to_press_in_whole_sentences(entry):
    for text in (entry.what, entry.why, entry.press):
        assert text[0].isupper() or text[0] == "*"
        assert text[-1] in ".*" and "  " not in text
    assert len(entry.what) < 80


def test_an_error_gets_the_number_of_where_it_is_met_but_keeps_its_own():
    with pytest.raises(PegbarError) as raised, known_as(errors.SETTING):
        raise PegbarError("Amount is 7: it must be at most 3")
    assert raised.value.id == errors.SETTING
    with pytest.raises(PegbarError) as raised, known_as(errors.SETTING), known_as(errors.IN_USE):
        raise PegbarError("Full", errors.DISK_FULL)
    assert raised.value.id == errors.DISK_FULL


def test_a_failure_of_an_older_take_is_read(tmp_path):
    folder = still_take(tmp_path)
    (folder.path / "events.jsonl").write_text('{"event": "error", "text": "No", "traceback": ""}\n')
    assert folder.state().error == Failed("No")


def damaged_request(folder: JobFolder) -> None:
    (folder.path / "job.json").write_text("{")


def request_of(**changes: object) -> Callable[[JobFolder], None]:
    def change(folder: JobFolder) -> None:
        data = json.loads((folder.path / "job.json").read_text())
        (folder.path / "job.json").write_text(json.dumps({**data, **changes}))

    return change


def picture_of(data: bytes) -> Callable[[JobFolder], None]:
    return lambda folder: (folder.path / "inputs/image/0002.png").write_bytes(data) and None


def no_picture(folder: JobFolder) -> None:
    (folder.path / "inputs/image/0001.png").unlink()


@pytest.mark.parametrize(
    ("harm", "id"),
    [
        (damaged_request, errors.TAKE_DAMAGED),
        (request_of(protocol=99), errors.TAKE_NEWER),
        (request_of(params={"seconds_per_frame": -1.0}), errors.SETTING),
        (request_of(params={"colour": "red"}), errors.SETTING),
        (request_of(pipeline="nothing"), errors.SETTING),
        (request_of(inputs={"image": [{"frame": 1, "file": "../../secret.png"}]}), errors.TAKE_DAMAGED),
        (picture_of(b""), errors.INPUT_UNREADABLE),
        (picture_of(png(1)[:60]), errors.INPUT_UNREADABLE),
        (no_picture, errors.INPUT_UNREADABLE),
        (request_of(pipeline="vidsketch", inputs={"sketch": [{"frame": 1, "file": "inputs/image/0001.png"}]}, params={}), errors.MODEL_MISSING),
    ],
)  # fmt: skip
def test_what_fails_ends_with_its_number(tmp_path, harm, id):
    folder = still_take(tmp_path)
    harm(folder)
    end = run_job(folder)
    assert isinstance(end, Failed) and (end.id, end.traceback) == (id, ""), end
    assert folder.state().error == end


def test_the_log_of_a_take_says_what_it_runs_on_and_not_what_the_user_wrote(tmp_path):
    folder = still_take(tmp_path, pipeline="vidsketch", params={"prompt": "the secret cat turns"})
    run_job(folder)
    log = folder.log_file.read_text()
    assert about() in log and "secret cat" not in log


PROMPT = 'the "secret" cat turns\nits head, Günther\\'


@pytest.mark.parametrize("write", [str, repr, json.dumps, lambda text: json.dumps(text, ensure_ascii=False)])
def test_the_users_words_are_left_out_however_they_are_written(write):
    text = f"before {write(PROMPT)} after"
    left = redacted(text, [PROMPT], {}, keep_paths=True)
    assert "secret" not in left and "nther" not in left and left.startswith("before ") and left.endswith(" after")


def test_a_pipelines_own_words_are_no_secret():
    spec = PIPELINES["dropletvideo"]
    usual = {param.name: param.default for param in spec.params}
    assert words(spec, usual) == ()
    assert words(spec, {**usual, "prompt": "a cat"}) == ("a cat",)
    assert wordless(spec, {**usual, "prompt": "a cat"}) == {**usual, "prompt": "(5 characters)"}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/alice/films/ACME Show/hero.png is damaged (cut off): export it again", "<path>.png is damaged (cut off): export it again"),
        ("The disk of /mnt/My Show is full", "The disk of <path> Show is full"),
        (r"C:\Users\Alice\ACME\hero.blend cannot be read", "<path>.blend cannot be read"),
        (r'{"file": "C:\\Users\\Alice\\ACME\\hero.png"}', '{"file": "<path>.png"}'),
        ("~/ACME/hero.png is gone", "<path>.png is gone"),
        ('File "/opt/x/lib/python3.11/json/decoder.py", line 3', 'File "<python>/json/decoder.py", line 3'),
        ('File "/opt/x/lib/python3.11/site-packages/torch/nn/a.py", line 3', 'File "<packages>/torch/nn/a.py", line 3'),
        ("/takes/sc010/take_003/outputs/clip/0001.png is gone", "<take_003>/outputs/clip/0001.png is gone"),
        (
            "outputs/clip/0001.png, 3/4 of 12, and/or https://example.org/a/b",
            "outputs/clip/0001.png, 3/4 of 12, and/or https://example.org/a/b",
        ),
    ],
)
def test_paths_are_left_out_but_for_what_helps(text, left):
    assert redacted(text, [], {Path("/takes/sc010/take_003"): "<take_003>"}) == left


def test_the_users_name_is_left_out_wherever_it_stands(monkeypatch):
    monkeypatch.setenv("LOGNAME", "alice")
    assert redacted("Alice's file, owned by ALICE, of alice-pc and malice", [], {}) == "user's file, owned by user, of user-pc and malice"


def test_of_a_log_the_last_run_is_kept(tmp_path):
    line = "2026-11-21 INFO engine.worker: "
    log = "\n".join([line + "Engine 0.1", "old", line + "Engine 0.2", *(f"line {n}" for n in range(100))])
    kept = last_run(log).splitlines()
    assert kept[0].endswith("Engine 0.2") and kept[-1] == "line 99" and "old" not in kept and len(kept) < 50
