"""Engines that are not there, die, hang or are shared, from the click on through the operator."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import bpy
import pytest
from pegbar.engine import client
from pegbar.engine.protocol import PROTOCOL_VERSION
from pegbar.preferences import preferences
from pegbar.runs import engine, placing, run, takes
from pegbar.runs.request import request
from pegbar.tests.blender import stage
from pegbar.tests.blender.faults import animate, children, finish, is_coloured, meanwhile, ready, slow, the_take, told, worker  # noqa: F401 - fixtures

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of properties that a later Blender drops
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and shell scripts are POSIX")


def test_a_job_of_a_newer_protocol(scene, tmp_path):
    stage.draw(scene)
    bpy.ops.pegbar.run(pipeline="liven")
    folder = the_take().folder
    job = folder.path / "job.json"
    job.write_text(job.read_text("utf-8").replace(f'"protocol": {PROTOCOL_VERSION}', '"protocol": 99'), "utf-8")
    takes.refresh()
    for operator in ("finish_take", "apply_take", "redo_take", "restore_settings"):
        text = told(getattr(bpy.ops.pegbar, operator), folder=str(folder.path))
        assert "take_001 was made by a newer Pegbar" in text and text.endswith("update Pegbar")
    assert the_take().fault and folder.path.is_dir()


@posix
def test_a_worker_that_dies(scene, tmp_path):
    slow(scene, tmp_path)
    with meanwhile(tmp_path, lambda take: os.killpg(engine._worker.pid, signal.SIGKILL)):
        text = told(bpy.ops.pegbar.run, pipeline="still")
    assert text.startswith("The engine closed unexpectedly") and "Your frames are safe: restart and continue" in text
    assert 2 <= len(the_take().frames) < 6
    finish(the_take(), 6)


@posix
@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_run_whose_worker_is_lost_can_be_stopped(scene, tmp_path, fault):
    slow(scene, tmp_path)
    running = run.start(request(bpy.context, "still"))
    while len(running.state.frames) < 2:
        run.advance(running)
    engine._worker._silent_s = 1.5
    os.kill(engine._worker.pid, fault)
    while not running.is_lost:
        run.advance(running)
    assert bpy.ops.pegbar.cancel() == {"FINISHED"}
    engine._worker._silent_s = 10
    run.run_to_end(running)
    assert running.phase == "stopped" and the_take().is_partial
    finish(the_take(), 6)


@posix
def test_a_worker_that_hangs(scene, tmp_path):
    slow(scene, tmp_path)

    def hang(take):
        os.kill(engine._worker.pid, signal.SIGSTOP)
        engine._worker._silent_s = 1.5  # else the test would take ten seconds

    with meanwhile(tmp_path, hang):
        text = told(bpy.ops.pegbar.run, pipeline="still")
    hung = engine._worker.pid
    assert "has not answered for" in text and "Your frames are safe: restart and continue" in text
    assert 2 <= len(the_take().frames) < 6
    finish(the_take(), 6)
    assert hung not in children()
    engine.stop()


@pytest.fixture
def script(tmp_path):
    """A function that makes an executable of some lines of shell and sets it as the engine's interpreter."""

    def write(lines):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)
        preferences().engine_python = str(path)

    yield write
    engine.stop()


@posix
def test_a_worker_that_dies_at_once(scene, tmp_path, script):
    script("echo 'no room in this house' >&2; exit 3")
    stage.draw(scene)
    assert animate() == "The engine did not start: no room in this house"
    preferences().engine_python = str(stage.ENGINE)
    take = the_take()
    assert bpy.ops.pegbar.finish_take(folder=str(take.folder.path)) == {"FINISHED"}
    assert placing.is_placed(the_take())


@posix
def test_a_worker_that_never_gets_ready(scene, tmp_path, script, monkeypatch):
    monkeypatch.setattr(client, "START_TIMEOUT_S", 0.5)
    script("exec sleep 60")
    stage.draw(scene)
    assert "has not answered for" in animate()


@posix
def test_a_worker_that_prints_rubbish(scene, tmp_path, script):
    rubbish = 'head -c 200000 /dev/urandom; head -c 200000 /dev/urandom >&2; echo \'{"event": "done"}\''
    script(f'{rubbish}\n(sleep 0.5; {rubbish}) & exec {stage.ENGINE} "$@"')
    stage.line_art(scene, tmp_path)
    bpy.ops.pegbar.run(pipeline="flat")
    assert is_coloured(the_take(), 4)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("no program")])
def test_an_interpreter_that_is_not_there(scene, tmp_path, make):
    make(tmp_path / "python")
    preferences().engine_python = str(tmp_path / "python")
    stage.draw(scene)
    text = animate()
    assert str(tmp_path / "python") in text and "choose the engine's Python in the preferences" in text


def test_a_take_that_another_blender_works_on(scene, tmp_path):
    stage.draw(scene)
    bpy.ops.pegbar.run(pipeline="liven")
    take = the_take()
    (take.folder.path / "events.jsonl").write_text("")
    with take.folder.running():
        text = told(bpy.ops.pegbar.finish_take, folder=str(take.folder.path))
    assert "already being worked on by another Pegbar" in text
    assert bpy.ops.pegbar.finish_take(folder=str(take.folder.path)) == {"FINISHED"}


BLENDER = f"""
import importlib.util, sys, time
from pathlib import Path
spec = importlib.util.spec_from_file_location("house", {str(Path(__file__).with_name("conftest.py"))!r})
house = importlib.util.module_from_spec(spec)
spec.loader.exec_module(house)
import bpy
bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
bpy.context.preferences.addons.new().module = house.PACKAGE
house.pegbar.register()
from pegbar.preferences import preferences
from pegbar.runs import placing, takes
from pegbar.tests.blender import stage
folder, own = Path(sys.argv[1]), sys.argv[2]
preferences().engine_python, preferences().takes_folder = str(stage.ENGINE), str(folder / "takes")
stage.line_art(bpy.context.scene, folder / own)
(folder / (own + ".ready")).touch()
while len(list(folder.glob("*.ready"))) < 2:
    time.sleep(0.01)
bpy.ops.pegbar.run(pipeline="flat")
(take,) = takes.listed()
print("took", take.folder.path.name, take.state.name, len(take.frames), placing.is_placed(take))
"""


def test_two_blenders_on_one_takes_folder(tmp_path):
    command = [sys.executable, "-c", BLENDER, str(tmp_path)]
    blenders = [subprocess.Popen([*command, own], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for own in ("one", "two")]
    outputs = [blender.communicate(timeout=60)[0] for blender in blenders]
    lines = sorted(line for output in outputs for line in output.splitlines() if line.startswith("took"))
    assert lines == ["took take_001 done 4 True", "took take_002 done 4 True"], "\n".join(outputs)
