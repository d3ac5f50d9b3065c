"""What the artist gets where something fails: a number, a button that helps, and a report without prompts, names and folders."""

import getpass
import io
import json
import shutil
import uuid
import zipfile
from pathlib import Path

import bpy
import pytest
from pegbar.engine import errors
from pegbar.engine.diagnostics import MARK
from pegbar.engine.protocol import Job, JobFolder, PegbarError, Shot
from pegbar.engine.provenance import read_card
from pegbar.panels.failure import NEEDS_TAKE, REMEDIES
from pegbar.preferences import preferences
from pegbar.runs import engine, licences, placing, reporting, run, takes
from pegbar.runs.request import smaller
from pegbar.tests.blender import stage
from pegbar.tests.blender.paper import drawn

TOKEN = "hf_secretsecretsecret"
PROMPT = "a secret cat turns its head"


@pytest.fixture(scope="module", autouse=True)
def worker():
    """One engine for all tests."""
    yield
    engine.stop()


@pytest.fixture(autouse=True)
def ready(tmp_path, scene):
    preferences().engine_python, preferences().takes_folder = str(stage.ENGINE), str(tmp_path / "ACME Show")
    yield
    preferences().engine_python = preferences().takes_folder = ""


@pytest.fixture
def failed(scene, tmp_path):
    """The last run, which fails in the engine: its reference is damaged after it is read."""
    stage.line_art(scene, tmp_path)
    bpy.ops.pegbar.run(pipeline="flat")
    (take,) = takes.listed()
    Path(take.folder.path / "inputs/lineart/0002.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    for number in (2, 3, 4):
        take.folder.file(f"outputs/clip/{number:04d}.png").unlink()
    for kept in take.folder.state_folder.iterdir():
        kept.unlink()
    with pytest.raises(RuntimeError, match=r"0002\.png"):
        bpy.ops.pegbar.finish_take(folder=str(take.folder.path))
    return run.latest("flat")


def test_a_button_that_helps_is_there_and_knows_what_it_is_asked():
    for id, (name, _) in REMEDIES.items():
        assert id in errors.CATALOG
        group, _, operator = name.partition(".")
        properties = getattr(getattr(bpy.ops, group), operator).get_rna_type().properties
        assert ("folder" in properties) == (name in NEEDS_TAKE)


def test_a_run_that_failed_in_the_engine_has_the_number(failed):
    assert (failed.phase, failed.error) == ("failed", errors.INPUT_UNREADABLE)


def test_the_panel_shows_number_remedy_and_report(failed, tmp_path):
    shown = drawn("PEGBAR_PT_flat")
    assert errors.INPUT_UNREADABLE in shown.text and "0002.png is damaged" in shown.text
    assert [shown.button(f"pegbar.{name}") for name in ("finish_take", "copy_report")] == [("Try Again", True), ("Copy Report", True)]
    assert shown.button("pegbar.collect_diagnostics")
    failed.error = errors.DISK_FULL
    assert drawn("PEGBAR_PT_flat").button("pegbar.open_preferences") == ("Choose Folder", True)


def test_a_run_whose_source_is_gone_has_the_number(scene, tmp_path):
    stage.line_art(scene, tmp_path)
    (tmp_path / "reference.png").unlink()
    with pytest.raises(RuntimeError, match="put it back"):
        bpy.ops.pegbar.run(pipeline="flat")
    assert run.latest("flat").error == errors.SOURCE_GONE


def test_a_run_without_an_engine_has_the_number(scene, tmp_path):
    stage.line_art(scene, tmp_path)
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\nexit 3\n")
    fake.chmod(0o755)
    preferences().engine_python = str(fake)
    with pytest.raises(RuntimeError, match="did not start"):
        bpy.ops.pegbar.run(pipeline="flat")
    engine.stop()
    assert run.latest("flat").error == errors.ENGINE_MISSING


def test_a_report_tells_what_happened_and_what_it_ran_on(failed):
    text = reporting.report(failed)
    assert text.startswith(f"{errors.INPUT_UNREADABLE} <take_001>/inputs/lineart/0002.png is damaged")
    for fact in (f"Blender {bpy.app.version_string}", f"{MARK} 0.", "close_gaps", "seed ", "frames 1 to 4", "GB of memory", "Device: auto"):
        assert fact in text


def is_private(text, tmp_path):
    """Whether nothing in a text leads to the user."""
    names = (str(tmp_path), str(Path.home()), "ACME", "secret", "Günther", str(stage.ENGINE.parent.parent))
    return not [name for name in names if name in text] and getpass.getuser() not in text.replace("user", "")


def unpacked(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.fixture
def private(failed, tmp_path):
    """A second take, with the user's words in its settings and in its log."""
    folder = JobFolder.create(tmp_path / "ACME Show" / "unsaved" / "Günther's shot")
    folder.write_job(Job("vidsketch", {"prompt": PROMPT, "seed": 3}, {}, Shot("Scene", 1, 2, 24.0)))
    user, preferences().hub_token = getpass.getuser(), TOKEN
    folder.log_file.write_text(f"{folder.path}: {PROMPT!r} in {Path.home()}/films of {user}, /home/Günther/ACME/hero.png with {TOKEN}\n")
    (folder.path / "events.jsonl").write_text(json.dumps({"event": "warning", "text": f"{PROMPT} is long"}) + "\n")
    takes.update(folder)
    yield folder
    preferences().hub_token = ""


def test_diagnostics_hold_logs_but_no_prompt_no_name_and_no_folder(private, tmp_path):
    path = tmp_path / "out.zip"
    bpy.ops.pegbar.collect_diagnostics(filepath=str(path))
    files = unpacked(path.read_bytes())
    files.pop("setup.log", "")  # that of whoever runs this
    assert {Path(name).name for name in files} == {"report.txt", "worker.log", "events.jsonl", "job.txt"}
    assert len(files) == 7 and "0002.png is damaged" in files["report.txt"]
    for name, text in [*files.items(), ("names", " ".join(files)), ("bytes", path.read_bytes().decode("latin-1"))]:
        assert is_private(text, tmp_path), (name, text)


def test_diagnostics_hold_paths_where_the_user_agrees_but_never_prompts(private, tmp_path):
    path = tmp_path / "out.zip"
    bpy.ops.pegbar.collect_diagnostics(filepath=str(path), with_paths=True)
    text = "\n".join(unpacked(path.read_bytes()).values())
    assert str(private.path) in text and "secret" not in text


def test_a_mistake_outside_a_run_is_in_the_next_report():
    reporting.note("Traceback\n  File \"/home/x/pegbar/runs/run.py\", line 3\nKeyError: 'x'")
    assert "KeyError: 'x'" in reporting.report(None)


def test_an_unsaved_file_whose_takes_have_no_place_is_to_be_saved(scene):
    preferences().takes_folder = ""
    blocked = takes.shot_folder("Scene", f"blocked {uuid.uuid4().hex}")
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.touch()
    try:
        with pytest.raises(PegbarError, match="Save the file first") as raised:
            takes.create("Scene", blocked.name.removeprefix("Scene "))
    finally:
        blocked.unlink()
    assert raised.value.id == errors.FILE_UNSAVED


def test_less_memory_is_offered_until_there_is_none():
    job = Job("dropletvideo", {"memory": "automatic"}, {}, Shot("Scene", 1, 2, 24.0))
    assert smaller(job).params == {"memory": "smallest"}
    assert smaller(smaller(job)) is None
    assert smaller(Job("flat", {}, {}, Shot("Scene", 1, 2, 24.0))) is None


def test_the_licence_report_says_what_is_used_and_what_it_was_made_from(scene, tmp_path):
    stage.line_art(scene, tmp_path)
    bpy.ops.pegbar.run(pipeline="flat")
    (take,) = takes.listed()
    (strip,) = placing.strips_of(take)
    assert [(e.take, e.method, e.verdict.commercial) for e in licences.entries()] == [("Take 1 of lines", "Flat", "yes")]
    source = scene.sequence_editor.strips_all["lines"]
    source["pegbar_take"] = research_only(tmp_path).job.id
    (found,) = (e for e in licences.entries() if e.take == "Take 1 of lines")
    assert found.verdict.commercial == "no" and found.verdict.reasons[0].startswith("Made from take 1: checkpoint-2500: ")
    assert found.places == (f"the strip {strip.name!r} of 'Scene'",)
    bpy.ops.pegbar.licence_report()
    assert "Of 2 takes in this edit 2 may not be used commercially" in bpy.data.texts["Pegbar Licences"].as_string()
    assert len(json.loads(bpy.data.texts["Pegbar Licences.json"].as_string())["takes"]) == 2
    assert "2 may not be used" in " ".join(drawn("PEGBAR_PT_reports_view").text.split())


def research_only(tmp_path):
    """A take of FlipSketch, which may not be sold."""
    folder = JobFolder.create(tmp_path / "ACME Show" / "unsaved" / "Hero")
    folder.write_job(Job("flipsketch", {"prompt": PROMPT}, {}, Shot("Scene", 1, 2, 24.0)))
    takes.update(folder)
    return takes.listed()[-1]


def test_a_layer_and_a_plane_count_as_used_and_a_take_that_is_gone_as_unclear(scene, tmp_path):
    stage.draw(scene)
    bpy.ops.pegbar.run(pipeline="liven")
    stage.line_art(scene, tmp_path)
    scene.pegbar.result = "PLANE"
    bpy.ops.pegbar.run(pipeline="flat")
    found = {e.method: e for e in licences.entries()}
    assert found["Liven"].places[0].startswith("the layer ") and found["Flat"].places[0].startswith("the object ")
    shutil.rmtree(takes.listed()[0].folder.path)
    takes.update(takes.listed()[0].folder)
    assert sorted(e.verdict.commercial for e in licences.entries()) == ["unclear", "yes"]


def test_pictures_hold_their_settings_unless_the_artist_keeps_them_private(scene, tmp_path):
    stage.line_art(scene, tmp_path)
    try:
        for private in (False, True):
            preferences().settings_in_pictures = not private
            bpy.ops.pegbar.run(pipeline="flat")
            take = takes.listed()[-1]
            assert ("origin" in read_card(take.folder.file(take.frames[0].file))) != private
    finally:
        preferences().property_unset("settings_in_pictures")
