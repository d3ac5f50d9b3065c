"""What an engine is made of: the locked wheels of a platform, an accelerator and a Python, read from requirements/locks/."""

import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import ENGINE_MISSING
from ..protocol import PegbarError

PYTHONS = ("3.11", "3.12", "3.13")
"""The versions of Python that the engine runs on, the best tested first."""
_WHEEL = re.compile(r"# wheel (\S+) (\d+) (\d+) ([0-9a-f]{64}) (\S+\.whl)")
_TORCH = re.compile(r"# torch (\S+) by uv's torch backend (\S+): (\d+) bytes, (\d+) unpacked")


@dataclass(frozen=True)
class Wheel:
    """One file of a lock; `bytes` packed, `unpacked` installed."""

    file: str
    sha256: str
    bytes: int
    unpacked: int

    @property
    def name(self) -> str:
        """The package's normalized name."""
        return re.sub(r"[-_.]+", "-", self.file.split("-")[0]).lower()

    @property
    def version(self) -> str:
        return self.file.split("-")[1]


@dataclass(frozen=True)
class Torch:
    """PyTorch where no wheel of it is locked: the version, from the index of uv's torch backend. Sizes are about right."""

    version: str
    backend: str
    bytes: int
    unpacked: int


@dataclass(frozen=True)
class Lock:
    """All that one environment is made of."""

    platform: str
    backend: str
    python: str
    wheels: tuple[Wheel, ...]
    torch: Torch | None = None

    @property
    def kind(self) -> str:
        return "core" if self.backend == "core" else "diffusion"

    @property
    def id(self) -> str:
        """Names an environment of these very files. The add-on's version is no part of it: its code is not in the environment, and an
        update that needs no other packages needs no download."""
        parts = [self.python, *sorted(wheel.sha256 for wheel in self.wheels)]
        parts += [f"{self.torch.version}+{self.torch.backend}"] if self.torch else []
        return f"{self.backend}-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:10]}"

    @property
    def bytes(self) -> int:
        """What is to be downloaded."""
        return sum(wheel.bytes for wheel in self.wheels) + (self.torch.bytes if self.torch else 0)

    @property
    def unpacked(self) -> int:
        """What it takes once it is installed, compiled modules (a seventh) with it."""
        return int(1.15 * (sum(wheel.unpacked for wheel in self.wheels) + (self.torch.unpacked if self.torch else 0)))


def folder() -> Path:
    """Where the locks lie: PEGBAR_LOCKS's folder where a studio has its own, else the add-on's."""
    return Path(os.environ.get("PEGBAR_LOCKS") or Path(__file__).resolve().parents[2] / "requirements" / "locks")


def backends(platform: str) -> tuple[str, ...]:
    """The accelerators that there is a lock with torch for, on a platform."""
    names = (path.stem.rsplit("-", 1) for path in sorted(folder().glob(f"{platform}-*.txt")))
    return tuple(backend for found, backend in names if found == platform and backend != "core")


def read(platform: str, backend: str, python: str) -> Lock:
    """The lock of a platform, `core` or an accelerator, and a Python's version. Raises PegbarError where there is none."""
    path = folder() / f"{platform}-{backend}.txt"
    if python not in PYTHONS:
        raise PegbarError(f"Pegbar's engine runs on Python {', '.join(PYTHONS)}, not on {python}: choose another one", id=ENGINE_MISSING)
    try:
        text = path.read_text(encoding="utf8")
    except OSError as error:
        raise PegbarError(f"Pegbar has no engine for {platform} with {backend}: choose Processor", id=ENGINE_MISSING) from error
    wheels = tuple(
        Wheel(file, sha256, int(packed), int(unpacked))
        for versions, packed, unpacked, sha256, file in _WHEEL.findall(text)
        if python in versions.split(",")
    )
    torch = Torch(found[1], found[2], int(found[3]), int(found[4])) if (found := _TORCH.search(text)) else None
    lock = Lock(platform, backend, python, wheels, torch)
    return replace(lock, torch=None) if any(wheel.name == "torch" for wheel in wheels) else lock


def whole(platform: str, backend: str) -> tuple[str, ...]:
    """The Pythons to try, those first for which every wheel is locked."""
    return tuple(sorted(PYTHONS, key=lambda python: read(platform, backend, python).torch is not None))
