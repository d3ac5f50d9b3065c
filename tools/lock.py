"""Makes the engine's locks, requirements/locks/<platform>-<backend>.txt: each wheel with its hash, its size, and its size unpacked.

usage: lock.py [NAME...]   with NAME as `linux-x86_64-core`; all of them by default. Needs uv, `packaging` and the package index; says
which it cannot make: where PyTorch's own index is not reached, a lock leaves torch to uv's torch backend, pinned.
"""

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote, urldefrag, urljoin
from urllib.request import Request, urlopen

from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).parent / "uv"
LOCKS = ROOT / "requirements" / "locks"
INDEX = os.environ.get("UV_DEFAULT_INDEX", "https://pypi.org/simple")
TORCH_INDEX = "https://download.pytorch.org/whl"
PYTHONS = ((3, 11), (3, 12), (3, 13))
TORCH = ("torch", "triton")
UNPACKED = {"cpu": 2.2e9, "cu130": 4.5e9, "rocm7.2": 18e9}
"""About what PyTorch takes unpacked, by torch backend, where its wheel is not at hand."""
PACKED = {"cpu": 0.2e9, "cu130": 2.0e9, "rocm7.2": 5.5e9}

LINUX = "x86_64-manylinux_2_28", [f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)] + ["manylinux2014_x86_64", "linux_x86_64"]
LINUX_ARM = "aarch64-manylinux_2_28", [f"manylinux_2_{minor}_aarch64" for minor in range(28, 16, -1)] + ["manylinux2014_aarch64"]
PLATFORMS = {
    "linux-x86_64": LINUX,
    "linux-aarch64": LINUX_ARM,
    "macos-arm64": ("aarch64-apple-darwin", list(mac_platforms((14, 0), "arm64"))),
    "macos-x86_64": ("x86_64-apple-darwin", list(mac_platforms((14, 0), "x86_64"))),
    "windows-x86_64": ("x86_64-pc-windows-msvc", ["win_amd64"]),
    "windows-arm64": ("aarch64-pc-windows-msvc", ["win_arm64"]),
}
"""By name: uv's, and the tags of wheels that fit, the best first."""
DIFFUSION = {
    "linux-x86_64-cuda": "",
    "linux-x86_64-cpu": "cpu",
    "linux-x86_64-rocm": "rocm7.2",
    "linux-aarch64-cuda": "",
    "macos-arm64-mps": "",
    "windows-x86_64-cpu": "",
    "windows-x86_64-cuda": "cu130",
}
"""The locks with torch, and uv's torch backend where the package index itself does not have that build."""
NAMES = [*(f"{platform}-core" for platform in PLATFORMS), *DIFFUSION]


@dataclass(frozen=True)
class Link:
    file: str
    url: str
    sha256: str


class Links(HTMLParser):
    """The wheels that a page of a simple index links to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self._page = page
        self.found: list[Link] = []

    def handle_starttag(self, tag, attributes):
        url, fragment = urldefrag(urljoin(self._page, dict(attributes).get("href") or ""))
        if tag == "a" and url.endswith(".whl"):
            self.found.append(Link(unquote(url.rsplit("/", 1)[-1]), url, fragment.removeprefix("sha256=")))


class Remote:
    """A file on a server as zipfile wants it: read by ranges, so that only a wheel's list of contents is fetched."""

    def __init__(self, url: str) -> None:
        self.url, self.at = url, 0
        with urlopen(Request(url, method="HEAD"), timeout=60) as answer:
            self.size = int(answer.headers["Content-Length"])

    def seekable(self):
        return True

    def seek(self, offset, whence=0):
        self.at = offset + (0, self.at, self.size)[whence]
        return self.at

    def tell(self):
        return self.at

    def read(self, count=-1):
        end = self.size if count is None or count < 0 else min(self.size, self.at + count)
        if end <= self.at:
            return b""
        with urlopen(Request(self.url, headers={"Range": f"bytes={self.at}-{end - 1}"}), timeout=60) as answer:
            data = answer.read()
        self.at += len(data)
        return data


def main(names: list[str]) -> int:
    failed = {}
    for name in names:
        try:
            lock(name)
        except LookupError as error:
            failed[name] = str(error)
            print(f"{name}: cannot be made: {error}")
    return int(bool(failed))


def lock(name: str) -> None:
    """Writes one lock."""
    platform, backend = name.rsplit("-", 1)
    torch = DIFFUSION.get(name, "")
    reached = not torch or is_reached(f"{TORCH_INDEX}/{torch}/torch/")
    pins = resolve(platform, "engine" if backend == "core" else "diffusion", torch if reached else "")
    text = [f"# Pegbar's engine, {name}: made by tools/lock.py. After each `wheel`: Python, bytes, bytes unpacked, sha256, file."]
    if not reached:
        version = pins["torch"]
        pins = {key: value for key, value in pins.items() if key not in TORCH and not key.startswith(("nvidia-", "cuda-"))}
        text.append(f"# torch {version} by uv's torch backend {torch}: {PACKED[torch]:.0f} bytes, {UNPACKED[torch]:.0f} unpacked")
    indexes = [INDEX, *([f"{TORCH_INDEX}/{torch}"] if torch and reached else [])]
    with ThreadPoolExecutor(8) as pool:
        text += pool.map(lambda pin: entry(*pin, PLATFORMS[platform][1], indexes), pins.items())
    if not reached and (local := at_hand(torch)):
        text.append(local_entry(local))
    LOCKS.mkdir(exist_ok=True)
    (LOCKS / f"{name}.txt").write_text("\n".join(text) + "\n")
    print(f"{name}: {len(pins)} packages" + ("" if reached else f", torch by uv's torch backend {torch} (its index is not reached)"))


def is_reached(page: str) -> bool:
    """Whether an index answers."""
    try:
        with urlopen(page, timeout=20) as answer:
            return answer.status == 200
    except OSError:
        return False


def at_hand(torch: str) -> Path | None:
    """A wheel of a build of PyTorch in one of pip's folders."""
    folders = [Path(folder) for folder in os.environ.get("PIP_FIND_LINKS", "").split()]
    return next((path for folder in folders for path in folder.glob(f"torch-*+{torch}-*.whl")), None)


def resolve(platform: str, requirements: str, torch: str) -> dict[str, str]:
    """The version of each package. The oldest Python decides: what fits it fits the newer ones."""
    command = [str(UV), "pip", "compile", "-q", "--no-header", "--no-annotate", "--only-binary", ":all:", "--default-index", INDEX]
    command += ["--python-platform", PLATFORMS[platform][0], "--python-version", "3.11", str(ROOT / f"requirements/{requirements}.txt")]
    command += ["--torch-backend", torch] if torch else []
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("UV_", "PIP_"))}
    done = subprocess.run(command, env=environment | {"MACOSX_DEPLOYMENT_TARGET": "14.0"}, capture_output=True, text=True)
    if done.returncode:
        raise LookupError(done.stderr.strip())
    return dict(line.split("==") for line in done.stdout.split())


def entry(name: str, version: str, platforms: list[str], indexes: list[str]) -> str:
    """A package's lines: its requirement with the hashes of the wheels that fit, then those wheels."""
    found = [link for index in indexes for link in links(f"{index}/{canonicalize_name(name)}/")]
    ofversion = [link for link in found if re.match(rf"[^-]+-{re.escape(version)}-", link.file)]
    chosen = {python: best(ofversion, python, platforms, f"{name} {version}") for python in PYTHONS}
    sizes = {link: measured(link.url) for link in set(chosen.values())}
    hashes = " ".join(f"--hash=sha256:{digest}" for digest in sorted({link.sha256 for link in chosen.values()}))
    pythons = {link: ",".join(f"{a}.{b}" for (a, b), one in chosen.items() if one == link) for link in dict.fromkeys(chosen.values())}
    wheels = [f"# wheel {versions} {sizes[link][0]} {sizes[link][1]} {link.sha256} {link.file}" for link, versions in pythons.items()]
    return "\n".join([f"{name}=={version} {hashes}", *wheels])


def links(page: str) -> list[Link]:
    """The wheels on a page of an index; none where it does not have the package."""
    parser = Links(page)
    try:
        with urlopen(page, timeout=60) as answer:
            parser.feed(answer.read().decode())
    except HTTPError as error:
        if error.code not in (403, 404):  # as PyTorch's index says it
            raise
    return parser.found


def local_entry(path: Path) -> str:
    """PyTorch's lines from the one wheel of its own index that is at hand."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    python = re.search(r"-cp3(\d+)-", path.name)[1]
    build = path.name.split("-")[1]
    return f"# wheel 3.{python} {path.stat().st_size} {unpacked} {digest} {path.name}\n# of torch=={build} --hash=sha256:{digest}"


def best(links: list[Link], python: tuple[int, int], platforms: list[str], what: str) -> Link:
    """The wheel that an installer would choose."""
    order = list(cpython_tags(python, platforms=platforms)) + list(compatible_tags(python, f"cp3{python[1]}", platforms))
    rank: dict[Tag, int] = {tag: index for index, tag in reversed(list(enumerate(order)))}
    ranked = [(min(rank.get(tag, len(order)) for tag in parse_wheel_filename(link.file)[3]), link.file, link) for link in links]
    found = min(ranked, default=(len(order), "", None))
    if found[0] == len(order):
        raise LookupError(f"{what} has no wheel for Python 3.{python[1]} on {platforms[0]}")
    return found[2]


def measured(url: str) -> tuple[int, int]:
    """A wheel's bytes, packed and unpacked."""
    remote = Remote(url)
    with zipfile.ZipFile(remote) as archive:
        return remote.size, sum(member.file_size for member in archive.infolist())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or NAMES))
