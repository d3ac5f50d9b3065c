"""The set-up of the engine: whole or to be gone on with, tested before it counts, and the old engine works on until then.

Real uv, real environments and the real self-test, on wheels made here: one of them leads to the packages of this very environment.
"""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import pytest
from pegbar.engine.protocol import PegbarError, lock
from pegbar.engine.setup import bundle, environment, locks, machine, survey, uv
from pegbar.engine.setup.__main__ import main as bundling_main
from pegbar.engine.setup.environment import Wanted, set_up
from pegbar.engine.setup.places import Places
from pegbar.engine.setup.state import Home, State, amount, duration

from .registry import Registry, locked, wheel

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PACKAGES = wheel("packages", {"packages.pth": sysconfig.get_paths()["purelib"].encode() + b"\n"})
"""What stands for numpy and the others."""
BIG = wheel("big_one", {"big_one.py": f"data = {os.urandom(300_000).hex()!r}".encode()})
SMALL, SMALL_2 = wheel("small", {"small.py": b"version = 1\n"}), wheel("small", {"small.py": b"version = 2\n"}, "2.0")


@pytest.fixture
def registry():
    with Registry(dict([PACKAGES, BIG, SMALL, SMALL_2])) as found:
        yield found


@pytest.fixture
def platform(tmp_path, monkeypatch):
    """This computer's name, with locks of its own, the environment's uv, and an interpreter that uv finds."""
    monkeypatch.delenv("PEGBAR_LOCKS", raising=False)
    name = machine.this_platform()
    monkeypatch.setenv("PEGBAR_LOCKS", str(tmp_path / "locks"))
    monkeypatch.setenv("PEGBAR_UV", str(BIN / "uv"))
    monkeypatch.setenv("PATH", f"{sys.base_prefix}/bin:/usr/bin:/bin")
    for variable in ("UV_FIND_LINKS", "PIP_FIND_LINKS", "UV_INDEX_URL", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    locked(tmp_path / "locks", name, "core", dict([PACKAGES, BIG, SMALL]))
    return name


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "engine")


@pytest.fixture(scope="module")
def once():
    """Where the core is set up once for all tests that begin with one."""
    with tempfile.TemporaryDirectory() as folder:
        yield Home(Path(folder) / "engine")


@pytest.fixture
def core_there(once, home, platform, registry):
    """The core, set up."""
    if not once.current():
        assert core(once, platform, registry).name == "done", once.state()
    shutil.copytree(once.path, home.path, symlinks=True)
    registry.asked.clear()
    return home.path / home.current()["folder"]


def places(registry, **options):
    return Places(None, (), (f"{registry.url}/simple",), **options)


def core(home, platform, registry, **options):
    """Sets the core up here."""
    return set_up(home, Wanted("core", platform, "core", **options), places(registry))


def ask(home, words):
    """What the new engine's Python answers."""
    return subprocess.run([home.python, "-c", f"import {words}"], capture_output=True, text=True, check=True).stdout.strip()


def started(home, registry, *options):
    """The set-up in a process of its own, as Blender starts it."""
    command = [sys.executable, "-m", "engine.setup", "core", "--folder", str(home.path), "--index", f"{registry.url}/simple", *options]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )


def until(condition, what, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.005)


def test_the_core_is_set_up_tested_and_in_use(home, platform, registry):
    said = []
    state = set_up(home, Wanted("core", platform, "core"), places(registry), lambda state: said.append((state.step, state.text)))
    assert (state.name, state.text) == ("done", f"Ready – processor, {os.cpu_count()} cores"), state.error
    assert list(dict.fromkeys(step for step, _ in said)) == [1, 2, 3, 4, 5]
    assert home.state() == state and home.current()["able"] == f"processor, {os.cpu_count()} cores"
    assert ask(home, "small; print(small.version)") == "1" and home.python.is_relative_to(home.path)
    assert not home.downloads.exists() and not home.cache.exists()


def test_an_update_downloads_what_has_changed_and_the_old_engine_goes(home, platform, registry, core_there, tmp_path):
    old, big = core_there, (home.python.parent.parent / "lib").glob("*/site-packages/big_one.py")
    kept = os.stat(next(big)).st_ino
    locked(tmp_path / "locks", platform, "core", dict([PACKAGES, BIG, SMALL_2]))
    assert core(home, platform, registry).name == "done", home.state()
    assert [name for name, _ in registry.asked] == [SMALL_2[0]]
    assert ask(home, "small; print(small.version)") == "2" and not old.exists()
    assert os.stat(next((home.python.parent.parent / "lib").glob("*/site-packages/big_one.py"))).st_ino == kept


def test_an_engine_that_fails_its_test_never_counts_and_the_old_one_works_on(home, platform, registry, core_there, tmp_path):
    before = home.current()
    locked(tmp_path / "locks", platform, "core", dict([BIG, SMALL_2]))
    state = core(home, platform, registry)
    assert state.name == "failed" and "lacks the engine's packages" in state.error and "Repair" in state.error
    assert home.current() == before and ask(home, "small; print(small.version)") == "1"


def test_an_engine_that_a_blender_works_with_is_not_removed_under_it(home, platform, registry, core_there, tmp_path):
    old = core_there
    locked(tmp_path / "locks", platform, "core", dict([PACKAGES, SMALL_2]))
    with lock(old / "used-1"):
        core(home, platform, registry)
        assert old.exists() and home.current()["folder"] != old.name
        survey.look(home)
        assert old.exists()
    survey.look(home)
    assert not old.exists() and home.python.exists()


def test_repair_makes_all_of_it_anew_beside_the_damaged_one(home, platform, registry, core_there):
    damaged = next((home.python.parent.parent / "lib").glob("*/site-packages/small.py"))
    damaged.write_text("version = 0\n")
    assert core(home, platform, registry, repair=True).name == "done"
    assert len(registry.asked) == 3 and ask(home, "small; print(small.version)") == "1"


def test_too_little_space_is_told_before_anything_is_fetched(home, platform, registry, tmp_path):
    path = tmp_path / "locks" / f"{platform}-core.txt"
    path.write_text(path.read_text().replace(f" {2 * len(BIG[1])} ", f" {10**17} "))
    state = core(home, platform, registry)
    assert state.id == "PB-E02" and "left. The engine needs 115000000." in state.error, state
    assert not registry.asked


def test_another_file_under_a_locked_name_is_never_installed(home, platform, registry):
    registry.files[SMALL[0]] = wheel("small", {"small.py": b"version = 'evil'\n"})[1]
    state = core(home, platform, registry)
    assert state.name == "failed" and "checksum differs" in state.error
    assert not home.current() and not list(home.path.glob("core-*"))
    registry.add(*SMALL)
    assert core(home, platform, registry).name == "done", home.state()


def test_killed_at_each_step_and_begun_again_it_ends_whole(home, platform, registry):
    registry.speed = 1_500_000
    for step in (2, 3, 4, 5):
        process = started(home, registry)
        until(lambda step=step: home.state().step >= step and home.state().name == "running", f"step {step}: {home.state()}")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # A child that was just forked holds the lock, too, until it runs uv.
        until(lambda: home.state().name == "paused", "the lock is held on", 10)
        assert not home.current()
        registry.speed = registry.speed if step < 3 else 0
    assert core(home, platform, registry).name == "done", home.state()
    assert ask(home, "small, big_one; print(small.version)") == "1"
    assert len([name for name, _ in registry.asked if name == BIG[0]]) <= 3
    assert {path.name for path in home.path.iterdir()} >= {"current.json", home.current()["folder"]}
    assert len(list(home.path.glob("core-*"))) == 1


def test_a_pause_keeps_the_parts_and_the_next_start_goes_on_with_them(home, platform, registry):
    registry.speed = 600_000
    process = started(home, registry)
    until(lambda: (home.downloads / f"{BIG[0]}.part").exists() and home.state().done > 100_000, home.state())
    home.request_stop("pause")
    assert process.wait(10) == 130 and home.state().name == "paused"
    assert home.state().figures.endswith(" of 603 KB") and not home.stop_file.exists()
    kept = (home.downloads / f"{BIG[0]}.part").stat().st_size
    registry.speed = 0
    registry.asked.clear()
    assert core(home, platform, registry).name == "done", home.state()
    assert (BIG[0], f"bytes={kept}-") in registry.asked


def test_cancel_leaves_nothing_installed_and_the_parts_for_another_time(home, platform, registry):
    registry.speed = 600_000
    process = started(home, registry)
    until(lambda: home.state().done > 100_000, home.state())
    home.request_stop("cancel")
    assert process.wait(10) == 130 and home.state().name == "cancelled" and not home.current()
    assert list(home.downloads.glob("*.part"))


def test_it_ends_with_the_blender_that_started_it_and_can_be_gone_on_with(home, platform, registry):
    registry.speed = 300_000
    process = started(home, registry, "--owned")
    until(lambda: home.state().done > 50_000, home.state())
    process.stdin.close()
    assert process.wait(10) == 130 and home.state().name == "paused"
    assert b"Fatal" not in process.stdout.read()


def test_two_blenders_do_not_set_it_up_at_once(home, platform, registry):
    home.make()
    with lock(home.lock_file), pytest.raises(PegbarError, match="Another Blender sets the engine up"):
        core(home, platform, registry)
    with lock(home.lock_file), pytest.raises(PegbarError, match="cancel that first"):
        environment.remove(home)


def test_without_the_network_it_says_what_to_do(home, platform, registry):
    state = set_up(home, Wanted("core", platform, "core"), places(registry, online=False))
    assert state.id == "PB-E27" and "allow online access, or install from a folder" in state.error


def test_uv_comes_from_the_index_where_the_machine_has_none(home, platform, registry, monkeypatch):
    program = f"uv-{uv.VERSION}.data/scripts/uv"
    file, data = wheel("uv", {program: f'#!/bin/sh\nexec "{BIN / "uv"}" "$@"\n'.encode()}, uv.VERSION)
    monkeypatch.setitem(uv.WHEELS, platform, locks.Wheel(file, registry.add(file, data), len(data), 100))
    monkeypatch.delenv("PEGBAR_UV")
    assert core(home, platform, registry).name == "done", home.state()
    assert registry.asked[0][0] == file and (home.path / "uv" / uv.VERSION / "uv").stat().st_mode & 0o111


def test_where_no_python_is_found_or_got_the_one_that_runs_is_taken_if_it_fits(home, platform, registry, monkeypatch):
    monkeypatch.setenv("UV_PYTHON_PREFERENCE", "only-managed")
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    home.make()
    tool = uv.find(home, platform)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert uv.python_for(tool, locks.PYTHONS, lambda: None, online=False) == (Path(sys.executable), version)
    with pytest.raises(PegbarError, match=r"this computer has none, and it could not be downloaded"):
        uv.python_for(tool, tuple(p for p in locks.PYTHONS if p != version), lambda: None, online=False)


def test_uvs_own_words_are_told_where_it_fails(home, platform, registry):
    home.make()
    with pytest.raises(PegbarError, match=r"could not be put together: .*no such command.*Copy Report|unrecognized subcommand"):
        uv.find(home, platform).run("frobnicate")


def test_remove_leaves_nothing(home, platform, registry, core_there):
    environment.remove(home)
    assert not home.path.exists() and home.python is None
    environment.remove(home)


def test_a_look_says_what_there_is_and_what_each_engine_takes(home, platform, registry, tmp_path):
    locked(tmp_path / "locks", platform, "cpu", dict([PACKAGES, BIG, SMALL, SMALL_2]))
    survey.look(home)
    found = home.machine()
    everything = sum(len(data) for _, data in (PACKAGES, BIG, SMALL))
    assert found["backend"] == "cpu" and found["sizes"]["core"]["download"] == everything
    assert found["accelerators"][-1] == ["cpu", f"processor, {os.cpu_count()} cores", ""]
    core(home, platform, registry)
    survey.look(home)
    assert home.machine()["sizes"]["cpu"]["download"] == len(SMALL_2[1])


def test_a_state_file_that_is_damaged_is_no_state(home):
    home.make()
    for text in ("", "{", "[]", '{"name": 1, "more": 2}', '{"done": "x"}', '{"name": "done", "left_s": null}', "[" * 100_000):
        home.state_file.write_text(text)
        assert isinstance(home.state(), State) and home.state().figures == ""


def test_amounts_and_times_are_said_as_people_say_them():
    assert [amount(1_100_000_000, 2_400_000_000), amount(2_400_000_000), amount(14_000_000), amount(3_200_000)] == [
        "1.1",
        "2.4 GB",
        "14 MB",
        "3.2 MB",
    ]
    assert [duration(s) for s in (3, 38, 88, 640, 7200)] == ["5 s", "40 s", "1 min 30 s", "10 min", "2.0 h"]
    state = State("running", done=1_100_000_000, total=2_400_000_000, speed=14e6, left_s=88.0, text="Downloading PyTorch")
    assert state.words == "Downloading PyTorch 1.1 of 2.4 GB · 14 MB/s · 1 min 30 s left"


def test_a_bundle_installs_without_a_network(home, platform, registry, monkeypatch, tmp_path):
    file, data = wheel("uv", {"uv/__init__.py": b""}, uv.VERSION)
    monkeypatch.setitem(uv.WHEELS, platform, locks.Wheel(file, registry.add(file, data), len(data), 100))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(tmp_path / "none.json"))
    (tmp_path / "none.json").write_text("{}")
    command = ["bundle", str(tmp_path / "bundle"), "--index", f"{registry.url}/simple"]
    assert bundling_main(command) == 0
    registry.files.clear()
    opened = bundle.opened(tmp_path / "bundle")
    state = set_up(home, Wanted("core", platform, "core"), Places(opened, (), (), online=False))
    assert state.name == "done" and state.bundle == str(tmp_path / "bundle"), state
    state = set_up(home, Wanted("diffusion", "windows-arm64", "core"), Places(opened, (), (), online=False))
    assert "is a bundle for" in state.error or "no engine for" in state.error
