"""Where wheels come from: a bundle, folders and package indexes, as uv and pip are configured on this machine.

What comes from there is trusted by its hash alone, so any place will do.
"""

import http.client
import json
import os
import re
import shutil
import sys
import tomllib
import urllib.error
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from urllib.request import url2pathname

from ..errors import DOWNLOAD_STOPPED, OFFLINE
from ..protocol import PegbarError, refused
from . import download
from .bundle import Bundle

PYPI = "https://pypi.org/simple"
TORCH = "https://download.pytorch.org/whl"
"""The indexes of PyTorch's builds, one an accelerator: `2.13.0+cpu` is in that of `cpu`."""
ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"


@dataclass(frozen=True)
class Places:
    """Where to look, in this order."""

    bundle: Bundle | None = None
    folders: tuple[Path, ...] = ()
    indexes: tuple[str, ...] = (PYPI,)
    online: bool = True
    pages: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict, compare=False)
    """What each index links to for a package: addresses by file name."""

    def get(self, file: str, sha256: str, into: Path, tell: download.Tell = lambda done: None) -> None:
        """Puts a wheel of that name and hash into a folder, where it is not there yet. Raises PegbarError."""
        path = into / file
        if path.exists() and download.sha256_of(path) == sha256:
            return tell(path.stat().st_size)
        if self.bundle and self.bundle.has(f"wheels/{file}"):
            return self.bundle.copy(f"wheels/{file}", path, sha256, tell)
        if found := next((folder / file for folder in self.folders if (folder / file).is_file()), None):
            return _copy(found, path, sha256, tell)
        address = self._address(file)
        if address.startswith("file:"):
            return _copy(Path(url2pathname(urlsplit(address).path)), path, sha256, tell)
        download.fetch(address, path, sha256, tell)

    def _address(self, file: str) -> str:
        """Where an index has the file."""
        name, version, *_ = file.split("-")
        what, faults = f"{name.replace('_', '-')} {version}", []
        builds = (f"{TORCH}/{version.split('+')[1]}",) if "+" in version else ()
        for index in (*self.indexes, *builds):
            if not self.online and not index.startswith("file:"):
                continue
            try:
                if address := self._page(index.rstrip("/"), re.sub(r"[-_.]+", "-", name).lower()).get(file):
                    return address
                faults.append(f"{download.host(index)} does not have it")
            except (OSError, ValueError, http.client.HTTPException) as error:
                faults.append(f"{download.host(index)} does not answer ({download.reason(error)})")
        if not self.online:
            raise PegbarError(
                f"{what} is in no folder, and Blender is set to work offline: allow online access, or install from a folder", id=OFFLINE
            )
        raise PegbarError(
            f"{what} cannot be downloaded: {', '.join(faults) or 'no index is set'}. Press Try Again, or choose a mirror or a folder",
            id=DOWNLOAD_STOPPED,
        )

    def _page(self, index: str, name: str) -> dict[str, str]:
        if (index, name) not in self.pages:
            self.pages[index, name] = _links(f"{index}/{name}/")
        return self.pages[index, name]


def configured(environment: Mapping[str, str] = os.environ, mirror: str = "", bundle: Bundle | None = None, online: bool = True) -> Places:
    """The places that the panel's mirror, uv's and pip's variables and uv's configuration files name."""
    files = [_settings(path) for path in _configuration_files(environment)]
    words: dict[str, list[str]] = {"find-links": [], "index": [], "default": []}
    for prefix in ("UV_", "PIP_"):
        words["find-links"] += _split(environment.get(f"{prefix}FIND_LINKS", ""))
        for name in ("INDEX", "EXTRA_INDEX_URL"):
            words["index"] += [
                word.split("=", 1)[-1] if "=" in word.split("://")[0] else word for word in _split(environment.get(f"{prefix}{name}", ""))
            ]
        words["default"] += [
            environment[f"{prefix}{name}"] for name in ("DEFAULT_INDEX", "INDEX_URL") if environment.get(f"{prefix}{name}")
        ]
    for settings in files:
        words["find-links"] += settings.get("find-links", [])
        words["index"] += [entry["url"] for entry in settings.get("index", []) if not entry.get("default")] + settings.get(
            "extra-index-url", []
        )
        words["default"] += [entry["url"] for entry in settings.get("index", []) if entry.get("default")] + _listed(
            settings.get("index-url")
        )
    alone = environment.get("UV_NO_INDEX") or environment.get("PIP_NO_INDEX")
    indexes = [mirror] if mirror else [] if alone else [*words["index"], *(words["default"] or [PYPI])]
    folders = [
        Path(url2pathname(urlsplit(word).path) if word.startswith("file:") else word)
        for word in words["find-links"]
        if "://" not in word or word.startswith("file:")
    ]
    return Places(bundle, tuple(folders), tuple(dict.fromkeys(indexes)), online)


def _configuration_files(environment: Mapping[str, str]) -> list[Path]:
    """uv's own, the user's first."""
    if given := environment.get("UV_CONFIG_FILE"):
        return [Path(given)]
    if environment.get("UV_NO_CONFIG"):
        return []
    if sys.platform == "win32":
        roots = [environment.get("APPDATA", ""), environment.get("PROGRAMDATA", "C:\\ProgramData")]
    else:
        roots = [environment.get("XDG_CONFIG_HOME") or f"{environment.get('HOME', '')}/.config", "/etc"]
    return [Path(root) / "uv" / "uv.toml" for root in roots if root]


def _settings(path: Path) -> dict[str, Any]:
    """What a uv.toml says of indexes; its section `pip` says it for installing."""
    try:
        settings = tomllib.loads(path.read_text(encoding="utf8"))
    except (OSError, ValueError):
        return {}
    return settings | {
        name: value for name, value in settings.get("pip", {}).items() if name in ("find-links", "index-url", "extra-index-url")
    }


def _links(page: str) -> dict[str, str]:
    """The files that a page of a simple index links to. Empty where the index does not know the package."""
    if page.startswith("file:"):
        folder = Path(url2pathname(urlsplit(page).path))
        file = folder / "index.html"
        return _html(file.read_text(encoding="utf8"), page) if file.exists() else {}
    try:
        data, kind, address = download.read(page, ACCEPT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 404:
            return {}
        raise
    if "json" in kind:
        return {str(entry["filename"]): urljoin(address, entry["url"]) for entry in json.loads(data)["files"]}
    return _html(data.decode("utf8", "replace"), address)


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a" and (address := dict(attrs).get("href")):
            self.found.append(address)


def _html(text: str, page: str) -> dict[str, str]:
    anchors = _Anchors()
    anchors.feed(text)
    addresses = [urldefrag(urljoin(page, address))[0] for address in anchors.found]
    return {unquote(address.rsplit("/", 1)[-1]): address for address in addresses if address.endswith(".whl")}


def _copy(found: Path, path: Path, sha256: str, tell: download.Tell) -> None:
    """Copies a wheel that lies on this computer."""
    part = path.with_name(path.name + ".part")
    try:
        shutil.copyfile(found, part)
        if download.sha256_of(part) != sha256:
            part.unlink()
            raise PegbarError(f"{found} is damaged or another file (checksum differs): remove it and press Try Again", id=DOWNLOAD_STOPPED)
        os.replace(part, path)
    except OSError as error:
        raise refused(path.parent, error) from error
    tell(path.stat().st_size)


def _split(words: str) -> list[str]:
    return [word for word in re.split(r"[\s,]+", words) if word]


def _listed(word: Any) -> list[str]:
    return [word] if isinstance(word, str) else []
