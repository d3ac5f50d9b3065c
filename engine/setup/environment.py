"""Makes an environment beside the one in use, step by step; each step leaves what it did, so the next try goes on from there.

An environment counts once `current.json` names it, which is written after its self-test; then the old ones go.
"""

import contextlib
import csv
import json
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .. import __version__
from ..errors import ENGINE_MISSING, IN_USE, OFFLINE
from ..protocol import PegbarError, lock, locked, refused, write_atomic
from . import locks, trial, uv
from .bundle import Bundle
from .locks import Lock, Wheel
from .places import Places
from .state import Home, State, Stopped, Teller, check_space

STEPS = 5
UV, PYTHON, PACKAGES, INSTALLING, TESTING = range(1, STEPS + 1)
AT_ONCE = 3
"""Downloads at a time: one alone leaves a fast line idle between small files."""
SPARE = 200_000_000
"""Bytes that a disk is left."""
_MANIFEST = "pegbar.json"


@dataclass(frozen=True)
class Wanted:
    """What is to be set up."""

    kind: str
    """`core` or `diffusion`."""
    platform: str
    backend: str
    """`core`, or the accelerator."""
    repair: bool = False
    """Nothing of the environment in use is taken over."""
    python_mirror: str = ""


def set_up(home: Home, wanted: Wanted, places: Places, say: Callable[[State], None] = lambda state: None) -> State:
    """Sets the engine up, or goes on with it, and tells how it stands in the home's file. Raises PegbarError only where even that cannot
    be done; what else goes wrong is the state that it gives."""
    home.make()
    held = _locked(home)
    bundle = str(places.bundle.path) if places.bundle else ""
    teller = Teller(home, State("running", wanted.kind, wanted.backend, steps=STEPS, bundle=bundle), say)
    with held:
        home.withdraw_stop()
        try:
            text = _steps(home, wanted, places, teller)
            teller.end("done", text=f"Ready – {text}")
        except Stopped as stopped:
            teller.end("paused" if stopped.ending == "pause" else "cancelled")
        except PegbarError as error:
            teller.end("failed", error=str(error), id=error.id)
        except OSError as error:
            teller.end("failed", error=str(refused(Path(error.filename or home.path), error)), id=ENGINE_MISSING)
        home.withdraw_stop()
    return teller.state


def _locked(home: Home) -> BinaryIO:
    """The home for this process alone. Whoever asks whether it is busy has it for an instant, too."""
    patient_until = time.monotonic() + 1.0
    while (held := lock(home.lock_file)) is None:
        if time.monotonic() > patient_until:
            raise PegbarError("Another Blender sets the engine up at this moment: wait until it is done", id=IN_USE)
        time.sleep(0.05)
    return held


def _steps(home: Home, wanted: Wanted, places: Places, teller: Teller) -> str:
    """What the machine can do with the new environment."""
    locks.read(wanted.platform, wanted.backend, locks.PYTHONS[0])  # raises where there is no such engine, before anything is fetched
    tool = _uv(home, wanted, places, teller)
    python, version = _python(home, wanted, tool, places, teller)
    wanted_lock = locks.read(wanted.platform, wanted.backend, version)
    reused = {} if wanted.repair else reusable(home, wanted_lock)
    _packages(home, wanted_lock, reused, places, teller)
    folder = _installed(home, wanted_lock, reused, tool, python, places, teller)
    teller.step(TESTING, "Testing the Engine")
    inner = _interpreter(folder)
    text = trial.run(inner, wanted.kind, wanted.backend, home.path / "trial", teller.check)
    _use(home, folder, wanted_lock, text)
    clean(home)
    return text


def _uv(home: Home, wanted: Wanted, places: Places, teller: Teller) -> uv.Uv:
    teller.step(UV, "Preparing")
    found = uv.find(home, wanted.platform)
    if found and (places.bundle is None or "PEGBAR_UV" in os.environ):  # a bundle's Python is one that its own uv knows
        return found
    wheel = uv.WHEELS[wanted.platform]
    check_space(home.path, wheel.bytes + wheel.unpacked, "The installer")
    teller.step(UV, "Downloading the Installer", 0, wheel.bytes)
    return uv.get(home, wanted.platform, places, _counted(teller))


def _python(home: Home, wanted: Wanted, tool: uv.Uv, places: Places, teller: Teller) -> tuple[Path, str]:
    teller.step(PYTHON, "Looking for a Python")
    bundle, versions, mirror = places.bundle, locks.whole(wanted.platform, wanted.backend), wanted.python_mirror
    if bundle:
        if (bundle.platform, bundle.backend) != (wanted.platform, wanted.backend):
            raise PegbarError(
                f"{bundle.path.name} is a bundle for {bundle.platform} with {bundle.backend}, this needs {wanted.platform} with "
                f"{wanted.backend}: make that one",
                id=ENGINE_MISSING,
            )
        versions = (bundle.python,)
        mirror = _unpacked_python(home, bundle)
    used = str(home.current().get("version", ""))
    if used in versions:  # so that what is installed can be taken over
        versions = (used, *(version for version in versions if version != used))
    return uv.python_for(tool, versions, teller.check, places.online and bundle is None, mirror)


def _unpacked_python(home: Home, bundle: Bundle) -> str:
    """The bundle's Python as uv looks for it on a mirror; none where the bundle has none."""
    if not bundle.archive:
        return ""
    path = home.downloads / bundle.archive
    path.parent.mkdir(parents=True, exist_ok=True)
    bundle.copy(bundle.archive, path)
    return (home.downloads / bundle.archive.split("/")[0]).as_uri()


def _packages(home: Home, wanted: Lock, reused: dict[Wheel, list[Path]], places: Places, teller: Teller) -> None:
    """Gets the wheels that are neither there nor taken over, several at a time."""
    missing = [wheel for wheel in wanted.wheels if wheel not in reused]
    there = {wheel: fetched(home, wheel) for wheel in missing}
    total = sum(wheel.bytes for wheel in missing)
    torch = wanted.torch.bytes if wanted.torch else 0
    unpacked = int(1.15 * (sum(w.unpacked for w in missing) + (wanted.torch.unpacked if wanted.torch else 0)))
    check_space(home.path, total - sum(there.values()) + torch + unpacked + SPARE, "The engine")
    teller.step(PACKAGES, "Downloading", sum(there.values()), total)
    names: dict[str, None] = {}

    def one(wheel: Wheel) -> None:
        def tell(done: int) -> None:
            teller.check()
            if failed:
                raise Stopped("pause")
            there[wheel] = done
            names[wheel.name] = None

        try:
            places.get(wheel.file, wheel.sha256, home.downloads, tell)
        except BaseException as error:
            failed.append(error)
            raise
        names.pop(wheel.name, None)

    failed: list[BaseException] = []
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        # the largest first: the small ones fill the gaps
        tasks = [pool.submit(one, wheel) for wheel in sorted(missing, key=lambda wheel: -wheel.bytes)]
        while wait(tasks, timeout=0.1, return_when=FIRST_EXCEPTION).not_done and not failed:
            largest = max((w for w in missing if w.name in names), key=lambda w: w.bytes, default=None)
            teller.count(min(total, sum(there.values())), f"Downloading {_label(largest)}" if largest else "")
            teller.check()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # one that hangs on a dead connection is not waited for
    if failed:
        raise failed[0]
    teller.step(PACKAGES, "Downloading", total, total)


def _installed(
    home: Home, wanted: Lock, reused: dict[Wheel, list[Path]], tool: uv.Uv, python: Path, places: Places, teller: Teller
) -> Path:
    """The folder of the new environment, made afresh: what an earlier try left half done is not built upon."""
    teller.step(INSTALLING, "Installing")
    folder = _place(home, wanted)
    shutil.rmtree(folder, ignore_errors=True)
    tool.run("venv", "--no-project", "--no-config", "--python", str(python), str(folder), check=teller.check)
    inner = _interpreter(folder)
    site = _site(folder)
    for files in reused.values():
        teller.check()
        _take_over(_current_site(home), files, site)
    lines = [
        f"{wheel.name} @ {(home.downloads / wheel.file).as_uri()} --hash=sha256:{wheel.sha256}"
        for wheel in wanted.wheels
        if wheel not in reused
    ]
    listed = home.downloads / "requirements.txt"
    write_atomic(listed, "\n".join(lines).encode())
    # The engine is started with -B, so what is not compiled now is compiled at every start.
    options = ["--python", str(inner), "--no-deps", "--only-binary", ":all:", "--compile-bytecode"]
    teller.step(INSTALLING, "Installing", 0, wanted.unpacked)
    check = _weighed(folder, teller, 1.0)
    tool.run("pip", "install", *options, "--offline", "--no-index", "--require-hashes", "-r", str(listed), check=check)
    if wanted.torch:
        _torch(home, wanted, inner, tool, places, teller)
    manifest = {"lock": wanted.id, "wheels": [wheel.sha256 for wheel in wanted.wheels]}
    write_atomic(folder / _MANIFEST, json.dumps(manifest).encode())
    return folder


def _torch(home: Home, wanted: Lock, inner: Path, tool: uv.Uv, places: Places, teller: Teller) -> None:
    """PyTorch where no wheel of it is locked: its pinned version, with what it depends on, from the index of uv's torch backend."""
    torch = wanted.torch
    assert torch is not None
    if not places.online:
        raise PegbarError(
            "PyTorch is not here, and Blender is set to work offline: allow online access, or install from a folder", id=OFFLINE
        )
    teller.step(INSTALLING, "Downloading PyTorch", 0, torch.bytes)
    check = _weighed(home.cache, teller, torch.bytes / torch.unpacked)
    pins = home.downloads / "constraints.txt"
    write_atomic(pins, "\n".join(f"{wheel.name}=={wheel.version}" for wheel in wanted.wheels).encode())
    options = ["--python", str(inner), "--only-binary", ":all:", "--compile-bytecode", "--constraints", str(pins)]
    tool.run("pip", "install", *options, "--torch-backend", torch.backend, f"torch=={torch.version}", check=check)


def _weighed(folder: Path, teller: Teller, share: float) -> Callable[[], None]:
    """Counts by what a folder has grown: uv does not say how far it is. `share` of what is unpacked there is counted."""
    before, asked = _weight(folder), [time.monotonic()]

    def check() -> None:
        teller.check()
        if time.monotonic() - asked[0] > 1:
            asked[0] = time.monotonic()
            teller.count(min(int((_weight(folder) - before) * share), int(0.99 * teller.state.total)))

    return check


def reusable(home: Home, wanted: Lock) -> dict[Wheel, list[Path]]:
    """The wheels of a lock that the environment in use has, with their files there: an update downloads only what has changed."""
    current = home.current()
    site = _current_site(home)
    if current.get("version") != wanted.python or site is None:
        return {}
    try:
        installed = set(json.loads((home.path / str(current["folder"]) / _MANIFEST).read_bytes())["wheels"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    found = {wheel: _files(site, wheel) for wheel in wanted.wheels if wheel.sha256 in installed}
    return {wheel: files for wheel, files in found.items() if files}


def fetched(home: Home, wheel: Wheel) -> int:
    """The bytes of a wheel that have come."""
    for path in (home.downloads / wheel.file, home.downloads / f"{wheel.file}.part"):
        with contextlib.suppress(OSError):
            return min(path.stat().st_size, wheel.bytes)
    return 0


def _files(site: Path, wheel: Wheel) -> list[Path]:
    """A package's files below its folder; none where one of them is not as it was installed."""
    record = site / f"{wheel.file.split('-')[0]}-{wheel.version}.dist-info" / "RECORD"
    files = []
    try:
        with open(record, encoding="utf8", newline="") as file:
            for name, _, size in csv.reader(file):
                if name.startswith(("..", "/")):
                    continue  # a program for the command line, which nobody calls
                if size and (site / name).stat().st_size != int(size):
                    return []
                files.append(Path(name))
    except (OSError, ValueError):
        return []
    return files


def _take_over(old: Path | None, files: list[Path], new: Path) -> None:
    """The same files in another environment, without another copy on the disk where it can be."""
    assert old is not None
    for name in files:
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(old / name, new / name)
        except OSError:
            shutil.copy2(old / name, new / name)


def _use(home: Home, folder: Path, wanted: Lock, text: str) -> None:
    """Makes the environment the one in use."""
    python = _interpreter(folder).relative_to(home.path).as_posix()
    current = {"folder": folder.name, "python": python, "version": wanted.python, "kind": wanted.kind, "backend": wanted.backend}
    current |= {"lock": wanted.id, "engine": __version__, "able": text}
    write_atomic(home.current_file, json.dumps(current, ensure_ascii=False).encode())


def clean(home: Home) -> None:
    """Removes what was needed on the way, and the environments that nobody uses any more."""
    for path in (home.cache, home.downloads, home.path / "trial"):
        shutil.rmtree(path, ignore_errors=True)
    clean_old(home)


def clean_old(home: Home) -> None:
    """Removes environments that are not in use: neither the current one, nor one that a Blender's engine still works in."""
    used = home.current().get("folder")
    for path in home.path.iterdir() if used else ():
        if path.name != used and (path / "pyvenv.cfg").exists() and not any(locked(user) for user in path.glob("used-*")):
            shutil.rmtree(path, ignore_errors=True)


def remove(home: Home) -> None:
    """Removes the engine and all that was fetched for it. Raises PegbarError where something holds it."""
    held = lock(home.lock_file) if home.path.is_dir() else None
    if held is None and home.path.is_dir():
        raise PegbarError("The engine is being set up at this moment: cancel that first", id=IN_USE)
    if held:
        with held:
            home.current_file.unlink(missing_ok=True)  # first: a folder half removed is no engine
            home.state_file.unlink(missing_ok=True)
    try:
        shutil.rmtree(home.path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise refused(home.path, error) from error


def _counted(teller: Teller) -> Callable[[int], None]:
    def tell(done: int) -> None:
        teller.check()
        teller.count(done)

    return tell


def _place(home: Home, wanted: Lock) -> Path:
    """A folder that the environment in use does not have."""
    used = str(home.current().get("folder", ""))
    return home.path / (f"{wanted.id}-2" if used == wanted.id else wanted.id)


def _interpreter(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _site(folder: Path) -> Path:
    if os.name == "nt":
        return folder / "Lib" / "site-packages"
    return next((folder / "lib").glob("python3.*")) / "site-packages"


def _current_site(home: Home) -> Path | None:
    folder = home.path / str(home.current().get("folder") or "none")
    return _site(folder) if (folder / "pyvenv.cfg").exists() else None


def _weight(folder: Path) -> int:
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(root, name)).st_size
    return total


def _label(wheel: Wheel) -> str:
    return {"torch": "PyTorch", "av": "PyAV", "numpy": "NumPy", "scipy": "SciPy", "skia-python": "Skia"}.get(wheel.name, wheel.name)
