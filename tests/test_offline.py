"""With the network cut the engine works as before: a socket ends it at once, and where the system can, there is no network at all."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from pegbar.engine.drawing.frames import encode_png
from pegbar.engine.protocol import JobFolder

from . import cartoon
from .conftest import ROOT
from .test_crash import liven

OFFLINE = ROOT / "tests/offline.py"


def without_network() -> list[str]:
    """The command that takes all networks away from another one; nothing where this system or this user has none."""
    for command in (["unshare", "-n"], ["unshare", "-r", "-n"]):
        if shutil.which("unshare") and subprocess.run([*command, "true"], check=False, capture_output=True).returncode == 0:
            return command
    return []


def run(*commands: list[str], python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """Runs commands of the engine in one process that has no network."""
    words = [json.dumps([str(word) for word in command]) for command in commands]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_", "PYTHON"))}
    return subprocess.run([*without_network(), python, str(OFFLINE), *words], env=environment, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    "look",
    [
        "import urllib.request; urllib.request.urlopen('http://192.0.2.1:9')",
        "import socket; socket.create_connection(('192.0.2.1', 9), 1)",
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))",
        "import socket; socket.getaddrinfo('huggingface.co', 443)",
    ],
)
def test_a_look_at_the_network_is_seen_though_it_is_caught(look):
    code = f"import sys; sys.path.insert(0, {str(OFFLINE.parent)!r}); import offline; sys.addaudithook(offline.refuse)\n"
    code += f"try:\n    {look}\nexcept BaseException: pass"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 99


def test_flat_liven_and_the_report_need_no_network(tmp_path):
    (tmp_path / "lines").mkdir()
    for frame in (1, 2, 3):
        lines, ids = cartoon.walk(frame / 24, 128, 72)
        (tmp_path / f"lines/{frame:04d}.png").write_bytes(encode_png(lines))
        if frame == 1:
            (tmp_path / "reference.png").write_bytes(encode_png(cartoon.coloured(lines, ids, cartoon.palette(1))))
    still = liven(tmp_path / "liven")
    flat = ["flat", "--lineart", tmp_path / "lines", "--reference", f"1={tmp_path / 'reference.png'}", "--out", tmp_path / "flat"]
    ended = run(["list"], flat, ["run", still.path], ["report", tmp_path])
    assert ended.returncode == 0, ended.stderr
    assert [JobFolder(path).state().name for path in (tmp_path / "flat", still.path)] == ["done", "done"]
    assert "All 2 takes" in ended.stdout


def test_serving_a_blender_needs_no_network(tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir()
    ended = subprocess.run(
        [*without_network(), sys.executable, str(OFFLINE), json.dumps(["serve", str(spool)])],
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0
