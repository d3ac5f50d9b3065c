"""What computer this is: its platform, and the accelerators that PyTorch could use. Asks the system's own tools; loads no driver."""

import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import DRIVER_TOO_OLD, ENGINE_MISSING
from ..protocol import PegbarError
from . import locks

CUDA_DRIVER = {"linux": 580, "windows": 580}
"""The oldest NVIDIA driver that CUDA 13, with which PyTorch is built, runs on."""
PATIENCE_S = 20.0
_MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}
_SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}


@dataclass(frozen=True)
class Accelerator:
    """What PyTorch could run on. `backend` names the lock; `fault` says why it can't be used all the same."""

    backend: str
    text: str
    fault: str = ""


def this_platform() -> str:
    """The locks' name of this computer: `linux-x86_64`. Raises PegbarError where there is no engine for it."""
    system, machine = _SYSTEMS.get(sys.platform, sys.platform), _MACHINES.get(platform.machine().lower(), platform.machine())
    name = f"{system}-{'aarch64' if (system, machine) == ('linux', 'arm64') else machine}"
    if not (locks.folder() / f"{name}-core.txt").exists():
        raise PegbarError(
            f"Pegbar has no engine for this computer ({name}): set up a Python of your own and choose it below", id=ENGINE_MISSING
        )
    if system == "linux" and platform.libc_ver()[0] not in ("glibc", ""):
        raise PegbarError(
            "This Linux has no glibc, which the engine's packages need: set up a Python of your own and choose it below", id=ENGINE_MISSING
        )
    return name


def accelerators() -> list[Accelerator]:
    """What is found, the best first; the processor comes last and is always there."""
    found = [*_nvidia(), *_amd(), *_apple()]
    return [*found, Accelerator("cpu", f"processor, {os.cpu_count()} cores")]


def choose(found: list[Accelerator], platform: str) -> str:
    """The accelerator that fits best and that there is a lock for."""
    there = locks.backends(platform)
    usable = [one.backend for one in found if one.backend in there and not one.fault]
    return usable[0] if usable else there[0] if there else ""


def check(backend: str, found: list[Accelerator]) -> None:
    """Raises PegbarError where the machine has the accelerator, yet it can't be used."""
    fault = next((one.fault for one in found if one.backend == backend and one.fault), "")
    if fault:
        raise PegbarError(fault, id=DRIVER_TOO_OLD)


def _nvidia() -> list[Accelerator]:
    listed = _said("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits").strip()
    if not listed:
        return []
    name, memory, driver = (word.strip() for word in listed.splitlines()[0].split(","))
    cuda = re.search(r"CUDA Version: ([\d.]+)", _said("nvidia-smi"))
    gigabytes = f" {round(int(memory) / 1024)} GB" if memory.isdigit() else ""
    text = f"{name}{gigabytes}" + (f", CUDA {cuda[1]}" if cuda else "")
    return [Accelerator("cuda", text, _driver_fault(driver))]


def _driver_fault(driver: str) -> str:
    wanted = CUDA_DRIVER.get(_SYSTEMS.get(sys.platform, ""), 0)
    major = driver.split(".")[0]
    if major.isdigit() and int(major) < wanted:
        return f"Driver {driver} is too old for this engine. Version {wanted} or newer is needed: update it, or choose Processor"
    return ""


def _amd() -> list[Accelerator]:
    if sys.platform != "linux":
        return []
    names = re.findall(r"Marketing Name:\s+(.+)", _said("rocminfo"))
    cards = [name.strip() for name in names if "Radeon" in name or "Instinct" in name]
    if cards:
        return [Accelerator("rocm", f"{cards[0]}, ROCm")]
    return [Accelerator("rocm", "AMD graphics, ROCm")] if Path("/opt/rocm").is_dir() and Path("/dev/kfd").exists() else []


def _apple() -> list[Accelerator]:
    return [Accelerator("mps", "Apple GPU, Metal")] if sys.platform == "darwin" and platform.machine() == "arm64" else []


def _said(*command: str) -> str:
    """What a tool of the system prints; nothing where it is not there or fails."""
    try:
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NO_WINDOW
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PATIENCE_S, creationflags=flags)
        return done.stdout if done.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired):
        return ""
