"""uv, the one tool that makes environments: found on this machine, or got as the package index's own wheel; and run.

What the machine's user has set for uv, by variables or files, holds.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..errors import DISK_FULL, DOWNLOAD_STOPPED, ENGINE_MISSING
from ..protocol import PegbarError, refused
from .locks import PYTHONS, Wheel
from .places import Places
from .state import Home

VERSION = "0.13.9"
_OLDEST = (0, 8)
"""The oldest uv of the machine that has all that is asked of it."""
_MANY = "manylinux2014"
WHEELS = {
    "linux-x86_64": Wheel(
        f"uv-{VERSION}-py3-none-manylinux_2_17_x86_64.{_MANY}_x86_64.whl",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19", 17606939, 38409000),
    "linux-aarch64": Wheel(
        f"uv-{VERSION}-py3-none-manylinux_2_17_aarch64.{_MANY}_aarch64.musllinux_1_1_aarch64.whl",
        "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe", 18026789, 0),
    "macos-arm64": Wheel(
        f"uv-{VERSION}-py3-none-macosx_11_0_arm64.whl", "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63", 14660755, 0),
    "macos-x86_64": Wheel(
        f"uv-{VERSION}-py3-none-macosx_10_12_x86_64.whl", "c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5", 17529974, 0),
    "windows-x86_64": Wheel(f"uv-{VERSION}-py3-none-win_amd64.whl", "6a44b2ed8111d2f60d2b92627c5dccda3f7ed7570b18ce115e569cd68c28246b", 15662317, 0),
    "windows-arm64": Wheel(f"uv-{VERSION}-py3-none-win_arm64.whl", "eeb92051c2123b9730c46b04cc843cfa4bc7d7b0aec56df431a2215ef4cb0273", 15841844, 0),
}  # fmt: skip
TAIL = 6
"""Lines of what uv said that a sentence repeats at most."""


@dataclass(frozen=True)
class Uv:
    """uv with the folder that it works for."""

    path: Path
    home: Home

    def run(self, *arguments: str, check: Callable[[], None] = lambda: None, **variables: str) -> str:
        """What uv prints. `check` is called while it runs, and ends it by raising. Raises PegbarError with uv's last words."""
        log = self.home.log_file
        with open(log, "ab") as file:
            start = file.tell()
            file.write(f"$ uv {' '.join(arguments)}\n".encode())
            file.flush()
            with tempfile.TemporaryFile() as output:
                process = _started([str(self.path), *arguments], self._environment() | variables, output, file)
                try:
                    while process.poll() is None:
                        check()
                        time.sleep(0.05)
                finally:
                    _end(process)
                output.seek(0)
                told = output.read().decode(errors="replace")
        if process.returncode:
            raise self._failed(arguments[0], _read_from(log, start))
        return told

    def _failed(self, command: str, said: str) -> PegbarError:
        if "No space left" in said or "os error 28" in said or "os error 112" in said:
            return PegbarError(f"The disk of {self.home.path} is full: free some space and press Try Again", id=DISK_FULL)
        if fetched := re.search(r"Failed to (?:fetch|download)\S*:? .*?https?://([^/\s`]+)", said):
            why = said.strip().rsplit(": ", 1)[-1]
            return PegbarError(
                f"PyTorch cannot be downloaded: {fetched[1]} does not answer ({why}). Press Try Again, or install from a folder",
                id=DOWNLOAD_STOPPED,
            )
        return PegbarError(_sentence(command, said), id=ENGINE_MISSING)

    def _environment(self) -> dict[str, str]:
        """The machine's variables, uv's among them, but for those that name another environment."""
        others = ("PYTHON", "__PYVENV", "VIRTUAL_ENV", "CONDA_PREFIX")
        own = {name: value for name, value in os.environ.items() if not name.startswith(others)}
        ours = {"UV_CACHE_DIR": self.home.cache, "UV_PYTHON_INSTALL_DIR": self.home.pythons, "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
        return {"UV_HTTP_TIMEOUT": "60", "UV_COMPILE_BYTECODE_TIMEOUT": "600"} | own | {name: str(value) for name, value in ours.items()}


def find(home: Home, platform: str) -> Uv | None:
    """The uv that is there: the one set by PEGBAR_UV, ours from before, or the machine's if it is new enough."""
    if given := os.environ.get("PEGBAR_UV"):
        return Uv(Path(given), home)
    own = _own(home, platform)
    if own.exists():
        return Uv(own, home)
    found = shutil.which("uv")
    return Uv(Path(found), home) if found and _version(found) >= _OLDEST else None


def get(home: Home, platform: str, places: Places, tell: Callable[[int], None]) -> Uv:
    """Fetches uv's wheel and takes the one program out of it. Raises PegbarError."""
    wheel, own = WHEELS[platform], _own(home, platform)
    places.get(wheel.file, wheel.sha256, home.downloads, tell)
    part = own.with_name(own.name + ".part")
    try:
        own.parent.mkdir(parents=True, exist_ok=True)
        program = f"uv-{VERSION}.data/scripts/{own.name}"
        with zipfile.ZipFile(home.downloads / wheel.file) as archive, archive.open(program) as source, open(part, "wb") as file:
            shutil.copyfileobj(source, file)
        part.chmod(0o755)
        os.replace(part, own)
    except OSError as error:
        raise refused(own.parent, error) from error
    return Uv(own, home)


def python_for(uv: Uv, versions: tuple[str, ...], check: Callable[[], None], online: bool, mirror: str = "") -> tuple[Path, str]:
    """An interpreter of one of the versions, the first that is there, and its version; uv fetches one where there is none. Blender's own
    comes last: it is gone with that Blender. Raises PegbarError."""
    listed = json.loads(uv.run("python", "list", "--only-installed", "--output-format", "json", check=check) or "[]")
    there = [(".".join(one["version"].split(".")[:2]), one["path"]) for one in listed if _fits(one)]
    for version in versions:
        for found, path in there:
            if found == version and _runs(path):
                return Path(path), version
    if online or mirror:
        with contextlib.suppress(PegbarError):
            options = ["--mirror", mirror] if mirror else []
            uv.run("python", "install", "--no-bin", *options, versions[0], check=check)
            path = uv.run("python", "find", "--managed-python", "--no-project", versions[0], check=check).strip()
            return Path(path), versions[0]
    mine = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if mine in versions and _runs(sys.executable):
        return Path(sys.executable), mine
    raise PegbarError(
        f"The engine needs Python {PYTHONS[0]} to {PYTHONS[-1]}; this computer has none, and it could not be downloaded: install one from "
        "python.org and press Try Again, or install from a folder",
        id=ENGINE_MISSING,
    )


def _fits(one: dict[str, object]) -> bool:
    return one.get("implementation") == "cpython" and one.get("variant", "default") == "default" and bool(one.get("path"))


def _runs(path: str) -> bool:
    """Whether an interpreter starts, and can make environments."""
    try:
        return subprocess.run([path, "-I", "-c", "import venv, ssl"], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _own(home: Home, platform: str) -> Path:
    return home.path / "uv" / VERSION / ("uv.exe" if platform.startswith("windows") else "uv")


def _version(path: str) -> tuple[int, ...]:
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20).stdout.split()
        return tuple(int(part) for part in said[1].split(".")[:2])
    except (OSError, subprocess.TimeoutExpired, IndexError, ValueError):
        return ()


def _started(command: list[str], environment: dict[str, str], output: IO[bytes], log: IO[bytes]) -> "subprocess.Popen[bytes]":
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    try:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=log,
            start_new_session=True,
            creationflags=flags,
        )
    except OSError as error:
        raise PegbarError(
            f"{command[0]} cannot be run ({error.strerror}): remove it, or set PEGBAR_UV to another uv", id=ENGINE_MISSING
        ) from error


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ends uv and what it started; what it has put into its cache is whole."""
    if process.poll() is None:
        if sys.platform == "win32":
            process.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _read_from(path: Path, start: int) -> str:
    with open(path, "rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace")


def _sentence(command: str, said: str) -> str:
    lines = [line.strip() for line in said.splitlines()[1:] if line.strip() and not line.lstrip().startswith("warning")]
    what = "The Python for the engine could not be got" if command == "python" else "The engine could not be put together"
    return f"{what}: {' '.join(lines[-TAIL:]) or 'uv said nothing'}. Press Try Again, or Copy Report for the whole log"
