"""The engine is got by the button that needs it: each state as the panels show it, and the whole way with a real uv and a real engine."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import bpy
import pytest
from pegbar.engine.protocol import lock
from pegbar.engine.setup import bundle, machine
from pegbar.panels import setup as panel
from pegbar.preferences import engine_python, forget_engine, preferences
from pegbar.runs import engine, run, setup
from pegbar.tests.blender import stage
from pegbar.tests.blender.paper import Paper, Sidebar, drawn
from pegbar.tests.registry import Registry, locked, wheel

NOWHERE = "http://127.0.0.1:9/simple"
FIELDS = ("engine_python", "engine_folder", "index_mirror", "backend", "takes_folder", "show_advanced", "proxy")


def packages():
    """The wheel that stands for numpy and the others: it leads to those of the tests' engine."""
    code = "import sys, sysconfig; print(sysconfig.get_paths()['purelib']); print(sys.base_prefix)"
    site, base = subprocess.run([stage.ENGINE, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    return base, wheel("packages", {"packages.pth": site.encode() + b"\n"})


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A package index, with locks that name what it has."""
    base, made = packages()
    folder = tmp_path_factory.mktemp("setup")
    platform = machine.this_platform()
    torch = wheel("torch", {"torch.py": b""})
    locked(folder / "locks", platform, "core", dict([made]))
    locked(folder / "locks", platform, "cpu", dict([made, torch]))
    with Registry(dict([made, torch])) as found:
        found.base, found.folder = base, folder
        yield found


@pytest.fixture(autouse=True)
def nothing_there(registry, tmp_path, scene, monkeypatch):
    """A computer without an engine, on which Blender may go online."""
    monkeypatch.delenv("PEGBAR_ENGINE_PYTHON", raising=False)
    for name in ("UV_FIND_LINKS", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PEGBAR_LOCKS", str(registry.folder / "locks"))
    monkeypatch.setenv("PEGBAR_UV", str(stage.ENGINE.parent / "uv"))
    monkeypatch.setenv("PATH", f"{registry.base}/bin:/usr/bin:/bin")
    own = preferences()
    own.engine_folder, own.index_mirror, own.takes_folder = str(tmp_path / "engine"), f"{registry.url}/simple", str(tmp_path / "takes")
    bpy.context.preferences.system.use_online_access = True
    setup.refresh()
    yield own
    engine.stop()
    for name in FIELDS:
        own.property_unset(name)
    bpy.context.preferences.system.use_online_access = False
    forget_engine()
    setup.refresh()


def looked():
    """Has the machine looked at, and waits for it."""
    setup.look()
    setup._looking.wait(30)
    setup.refresh()


def told(**state):
    """Has the set-up's file say this."""
    setup.home().make()
    setup.home().state_file.write_text(json.dumps(state))
    setup._seen = ()
    setup.refresh()


def section():
    """The preferences' section of the engine."""
    paper = Paper()
    panel.section(paper, Sidebar("PREFERENCES"))
    return paper


def sequencer(scene, tmp_path):
    stage.line_art(scene, tmp_path)
    return drawn("PEGBAR_PT_flat")


def test_the_first_button_that_needs_the_engine_offers_it_with_size_folder_and_what_was_found(scene, tmp_path, registry):
    looked()
    paper = sequencer(scene, tmp_path)
    size = f"({len(registry.files['packages-1.0-py3-none-any.whl']) / 1000:.1f} KB)"
    assert paper.button("pegbar.run") == ("Colorize Strip", False)
    assert paper.button("pegbar.install_engine") == (f"Install Engine {size}", True)
    assert "not installed" in paper.text and f"processor, {os.cpu_count()} cores" in paper.text
    assert "".join(str(tmp_path / "engine").split()) in "".join(paper.text.split())
    assert section().button("pegbar.install_engine") == paper.button("pegbar.install_engine")
    with pytest.raises(RuntimeError, match="press Install Engine"):
        bpy.ops.pegbar.run(pipeline="flat")


def test_offline_it_says_so_and_fetches_nothing(scene, tmp_path, registry):
    bpy.context.preferences.system.use_online_access = False
    paper = sequencer(scene, tmp_path)
    assert "Blender is set to work offline." in paper.text and paper.button("pegbar.install_engine") is None
    assert paper.button("pegbar.allow_online") and paper.button("pegbar.install_from_folder")
    registry.asked.clear()
    with pytest.raises(RuntimeError, match="set to work offline: allow online access, or install from a folder"):
        bpy.ops.pegbar.install_engine()
    assert not registry.asked and not (tmp_path / "engine" / "setup.json").exists()


def test_from_no_engine_to_a_coloured_strip_and_back(scene, tmp_path, registry, nothing_there):
    nothing_there.index_mirror = NOWHERE
    with pytest.raises(RuntimeError, match=r"packages 1\.0 cannot be downloaded: 127\.0\.0\.1 does not answer"):
        bpy.ops.pegbar.install_engine()
    paper = sequencer(scene, tmp_path)
    assert paper.button("pegbar.continue_setup") == ("Try Again", True) and "does not answer" in paper.text
    nothing_there.index_mirror = f"{registry.url}/simple"
    assert bpy.ops.pegbar.continue_setup() == {"FINISHED"}
    assert engine_python().is_relative_to(tmp_path / "engine")
    assert f"Ready – processor, {os.cpu_count()} cores" in section().text
    bpy.ops.pegbar.run(pipeline="flat")
    assert run.latest("flat").phase == "done"
    scene.pegbar.flat_method = "lvcd"
    looked()
    paper = drawn("PEGBAR_PT_flat")
    assert "LVCD needs the diffusion engine, " in paper.text
    assert paper.button("pegbar.run") == ("Colorize Strip", False)
    assert paper.button("pegbar.install_engine")[0].startswith("Install Diffusion Engine (")
    with pytest.raises(RuntimeError, match=r"LVCD needs the diffusion engine .*press Install Diffusion Engine"):
        bpy.ops.pegbar.run(pipeline="lvcd")
    assert bpy.ops.pegbar.remove_engine() == {"FINISHED"}
    assert engine_python() is None and not (tmp_path / "engine" / "current.json").exists()


def test_it_shows_how_far_it_is_and_can_be_paused_continued_and_cancelled(scene, tmp_path):
    running = {"name": "running", "kind": "diffusion", "backend": "cpu", "step": 3, "steps": 5, "text": "Downloading PyTorch"}
    figures = {"done": 1_100_000_000, "total": 2_400_000_000, "speed": 14e6, "left_s": 88.0}
    setup.home().make()
    with lock(setup.home().lock_file):
        told(**running, **figures)
        for paper in (sequencer(scene, tmp_path), section()):
            assert "Installing the diffusion engine, step 3 of 5" in paper.text and "Downloading PyTorch" in paper.text
            assert "1.1 of 2.4 GB · 14 MB/s · 1 min 30 s left" in " ".join(paper.text.split())
            assert [about for kind, _, about in paper.lines if kind == "bar"] == [pytest.approx(11 / 24)]
        assert bpy.ops.pegbar.pause_setup() == {"FINISHED"} and setup.home().asked_to_stop() == "pause"
        assert bpy.ops.pegbar.cancel_setup() == {"FINISHED"} and setup.home().asked_to_stop() == "cancel"
    told(**running, **figures)  # whoever did it is gone: killed, or Blender was closed
    paper = sequencer(scene, tmp_path)
    assert "The diffusion engine is not installed yet. Paused at 1.1 of 2.4 GB." in " ".join(paper.text.split())
    assert paper.button("pegbar.continue_setup") == ("Continue", True)
    assert bpy.ops.pegbar.cancel_setup() == {"FINISHED"}
    assert drawn("PEGBAR_PT_flat").button("pegbar.install_engine")


def test_a_failure_is_one_sentence_with_a_report_that_names_nobody(scene, tmp_path):
    error = f"The disk of {Path.home() / 'x'} has 3.1 GB left. The engine needs 9.4 GB: free some space and press Try Again"
    told(name="failed", kind="core", step=3, steps=5, text="Downloading", error=error, id="PB-E02")
    paper = sequencer(scene, tmp_path)
    assert "has 3.1 GB left. The engine needs 9.4 GB" in " ".join(paper.text.split())
    assert paper.button("pegbar.continue_setup") == ("Try Again", True) and paper.button("pegbar.copy_setup_report")
    setup.home().log_file.write_text(f"$ uv venv {Path.home()}/engine")
    assert "PB-E02" in setup.report() and "uv venv ~/engine" in setup.report() and str(Path.home()) not in setup.report()


def ready(kind="core", backend="core", lock_id="core-0"):
    """An engine that was set up here, as far as panels look."""
    setup.home().make()
    (setup.home().path / "python").write_text("")
    current = {
        "folder": "x",
        "python": "python",
        "version": "3.11",
        "kind": kind,
        "backend": backend,
        "lock": lock_id,
        "able": "a card, 8 GB",
    }
    setup.home().current_file.write_text(json.dumps(current))
    looked()


def test_an_engine_older_than_the_add_on_is_told_and_works_on(scene, tmp_path):
    ready()
    paper = section()
    assert "Ready – a card, 8 GB" in paper.text and "older than this add-on. It works on" in " ".join(paper.text.split())
    assert paper.button("pegbar.install_engine")[0].startswith("Update Engine (")
    ready(lock_id=setup.machine().locks["core"][0])
    assert "older than this add-on" not in " ".join(section().text.split()) and section().button("pegbar.remove_engine")


def test_another_accelerator_is_offered_beside_the_one_in_use(scene, nothing_there):
    ready("diffusion", "cuda")
    nothing_there.backend = "CPU"
    assert section().button("pegbar.install_engine")[0].startswith("Install for Processor (")


def test_a_python_of_ones_own_comes_first_and_is_asked_for_nothing(scene, tmp_path, nothing_there):
    ready()
    nothing_there.engine_python = str(stage.ENGINE)
    scene.pegbar.flat_method = "lvcd"
    paper = sequencer(scene, tmp_path)
    assert "diffusion engine" not in paper.text and engine_python() == stage.ENGINE
    assert f"Ready – {stage.ENGINE}" in section().text


def test_a_bundle_that_is_none_or_leads_outside_is_refused(tmp_path):
    with pytest.raises(RuntimeError, match="is no bundle of the engine"):
        bpy.ops.pegbar.install_from_folder(directory=str(tmp_path))
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "a").write_bytes(b"a")
    bundle.write(tmp_path, ["wheels/a"], platform="p", backend="core", python="3.11")
    manifest = tmp_path / "manifest.json"
    manifest.write_text(manifest.read_text().replace("wheels/a", "../a"))
    with pytest.raises(RuntimeError, match="leads outside"):
        bpy.ops.pegbar.install_from_folder(directory=str(tmp_path))
    assert not (tmp_path / "engine").exists()


def test_the_end_of_the_add_on_pauses_what_is_under_way(registry, nothing_there):
    registry.speed = 500
    try:
        setup.start("core")
        while setup.home().state().step < 3:
            assert setup._process.poll() is None
        process = setup._process
        setup.leave()
        assert process.poll() == 130 and setup.home().state().name == "paused"
    finally:
        registry.speed = 0
        shutil.rmtree(setup.home().path)
