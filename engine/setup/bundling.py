"""Makes an offline bundle: uv, the wheels of one platform, accelerator and Python, and that Python where it can be got."""

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .. import __version__
from ..errors import ENGINE_MISSING
from ..protocol import PegbarError, refused
from . import bundle, download, locks, machine, places, uv
from .state import Home, amount

PLATFORMS = tuple(uv.WHEELS)


def add_options(command: argparse.ArgumentParser) -> None:
    """The options of the command `bundle`."""
    command.add_argument("folder", type=Path, metavar="FOLDER", help="the bundle; a new or an empty folder, or one to go on with")
    command.add_argument(
        "--platform", default="", choices=("", *PLATFORMS), metavar="NAME", help=f"default: this one; {', '.join(PLATFORMS)}"
    )
    command.add_argument("--backend", default="core", choices=("core", "cpu", "cuda", "rocm", "mps"), help="default: core")
    command.add_argument("--python", default=locks.PYTHONS[0], choices=locks.PYTHONS, help=f"default: {locks.PYTHONS[0]}")
    command.add_argument("--index", default="", metavar="URL", help="a mirror of the package index")


def make(options: argparse.Namespace, say: Callable[[str], None]) -> None:
    """Fills a folder; the same command goes on where it stopped. Raises PegbarError where a wheel cannot be got."""
    folder, platform = options.folder.absolute(), options.platform or machine.this_platform()
    lock = locks.read(platform, options.backend, options.python)
    if lock.torch:
        raise PegbarError(
            f"PyTorch for {platform} with {options.backend} and Python {options.python} is not locked, so it cannot be bundled: "
            f"choose {' or '.join(_complete(platform))}",
            id=ENGINE_MISSING,
        )
    where = places.configured(os.environ, options.index)
    try:
        (folder / "wheels").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(folder, error) from error
    wheels = [uv.WHEELS[platform], *lock.wheels]
    for number, wheel in enumerate(wheels, start=1):
        say(f"{number}/{len(wheels)} {wheel.file} {amount(wheel.bytes)}")
        where.get(wheel.file, wheel.sha256, folder / "wheels")
    archive = _python(folder, platform, options.python, say)
    names = [f"wheels/{wheel.file}" for wheel in wheels] + ([archive] if archive else [])
    about = {"engine": __version__, "platform": platform, "backend": options.backend, "python": options.python, "archive": archive}
    bundle.write(folder, names, **about)
    say(f"{folder}: {len(names)} files, {amount(sum((folder / name).stat().st_size for name in names))}")


def _complete(platform: str) -> list[str]:
    """The backends of a platform that are locked whole, with their Pythons."""
    found = [locks.read(platform, backend, python) for backend in ("core", *locks.backends(platform)) for python in locks.PYTHONS]
    return [f"--backend {lock.backend} --python {lock.python}" for lock in found if lock.torch is None]


def _python(folder: Path, platform: str, version: str, say: Callable[[str], None]) -> str:
    """The name of the Python's archive in the bundle, laid as uv's mirrors are; none where it can't be got."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Home(Path(scratch))
        home.make()
        tool = uv.find(home, machine.this_platform()) or uv.get(home, machine.this_platform(), places.configured(), lambda done: None)
        target = platform.replace("arm64", "aarch64")
        said = tool.run("python", "list", version, "--all-platforms", "--only-downloads", "--output-format", "json")
    listed = [one for one in json.loads(said or "[]") if _is_for(one, target)]
    if not listed:
        say(f"uv knows no Python {version} for {platform}: the computer needs one of its own")
        return ""
    url = str(listed[0]["url"])
    name = "python/" + "/".join(unquote(urlsplit(url).path).split("/")[-2:])
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    try:
        say(f"Python: {name.rsplit('/', 1)[-1]}")
        download.fetch(url, folder / name, "")  # uv knows its hash, and checks it when it installs it
        return name
    except PegbarError as error:
        say(f"{error}. The bundle comes without a Python: the computer needs Python {version} of its own")
        return ""


def _is_for(one: dict[str, object], target: str) -> bool:
    system, machine_ = target.split("-")
    wanted = {"implementation": "cpython", "variant": "default", "os": system, "arch": machine_}
    return all(one.get(name) == value for name, value in wanted.items()) and one.get("libc") in ("gnu", "none") and bool(one.get("url"))
