"""An offline bundle: a folder, or a zip of it, with all that an engine is made of, each file named with its hash in a manifest.

Nothing in it is trusted but what the add-on's own lock names by hash; a name that leads out of the bundle is refused.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from ..errors import ENGINE_MISSING
from ..protocol import PegbarError, refused

MANIFEST = "manifest.json"
BLOCK = 1 << 20


@dataclass(frozen=True)
class Bundle:
    """An opened bundle; `files` by name as (sha256, bytes)."""

    path: Path
    files: dict[str, tuple[str, int]]
    platform: str
    backend: str
    python: str
    archive: str = ""
    """The file of the Python that comes with it; none where empty."""

    def has(self, name: str) -> bool:
        return name in self.files

    def copy(self, name: str, path: Path, sha256: str = "", tell: Callable[[int], None] = lambda done: None) -> None:
        """Copies a file out of the bundle to `path`, whole and right or not at all. Raises PegbarError."""
        wanted, part, digest, done = sha256 or self.files[name][0], path.with_name(path.name + ".part"), hashlib.sha256(), 0
        try:
            with self._open(name) as source, open(part, "wb") as file:
                while block := source.read(BLOCK):
                    file.write(block)
                    digest.update(block)
                    done += len(block)
                    tell(done)
            if digest.hexdigest() != wanted:
                part.unlink()
                raise _damaged(self.path, f"{name} has another checksum")
            os.replace(part, path)
        except OSError as error:
            raise refused(path, error) from error
        except (zipfile.BadZipFile, KeyError, EOFError, ValueError) as error:
            raise _damaged(self.path, f"{name} cannot be read") from error

    def _open(self, name: str) -> Any:
        if self.path.is_dir():
            return open(inside(self.path, name), "rb")
        return _Member(self.path, name)


class _Member:
    """A file in a zip, and the zip that stays open as long."""

    def __init__(self, path: Path, name: str) -> None:
        self._archive = zipfile.ZipFile(path)
        self._file = self._archive.open(name)

    def __enter__(self) -> Any:
        return self._file

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._archive.close()


def opened(path: Path) -> Bundle:
    """The bundle in a folder or a zip. Raises PegbarError where it is none, or where a name in it leads outside."""
    try:
        return _parsed(path, json.loads(_manifest(path)))
    except OSError as error:
        raise PegbarError(
            f"{path} is no bundle of the engine ({MANIFEST} is not there): choose the folder that `python -m engine bundle` made",
            id=ENGINE_MISSING,
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, zipfile.BadZipFile) as error:
        raise _damaged(path, f"its {MANIFEST} cannot be read") from error


def inside(folder: Path, name: str) -> Path:
    """The path of a file in a folder. Raises PegbarError where the name, or a link, leads out of it."""
    _check(folder, name)
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise _damaged(folder, f"{name} leads outside")
    return path


def write(folder: Path, names: list[str], **about: str) -> None:
    """Writes the manifest of the files that lie in a folder; it comes last, so a bundle that was cut off is none."""
    entries = []
    for name in sorted(names):
        with open(folder / name, "rb") as file:
            entries.append(
                {"path": name, "bytes": (folder / name).stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
            )
    (folder / MANIFEST).write_text(json.dumps(about | {"files": entries}, indent=1))


def _manifest(path: Path) -> bytes:
    if path.is_dir():
        return inside(path, MANIFEST).read_bytes()
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            _check(path, member.filename)
            if member.external_attr >> 28 == 0o12:  # a link
                raise _damaged(path, f"{member.filename} is a link")
        return archive.read(MANIFEST)


def _parsed(path: Path, data: dict[str, Any]) -> Bundle:
    files = {str(entry["path"]): (str(entry["sha256"]), int(entry["bytes"])) for entry in data["files"]}
    for name in files:
        inside(path, name) if path.is_dir() else _check(path, name)
    return Bundle(path, files, str(data["platform"]), str(data["backend"]), str(data["python"]), str(data.get("archive", "")))


def _check(bundle: Path, name: str) -> None:
    parts = PurePosixPath(name).parts
    if not parts or "\\" in name or "\0" in name or ".." in parts or PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive:
        raise _damaged(bundle, f"{name!r} leads outside")


def _damaged(path: Path, why: str) -> PegbarError:
    return PegbarError(
        f"{path} is damaged or tampered with ({why}), nothing was installed: make or copy the bundle again", id=ENGINE_MISSING
    )
