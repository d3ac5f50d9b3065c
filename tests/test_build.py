"""The zip that `make build` makes: what is in it, its size, and what Blender's own validator says."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from pegbar.engine import __version__

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf8"))
CLI = next(iter(sorted(ROOT.glob(".venv/blender-*/lib/python3.*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))), None)
MOST_BYTES = 8 << 20


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The zip, built by Blender's own tool, which needs no Blender."""
    if CLI is None:
        pytest.skip("no bpy package here: make test-blender brings Blender's tool")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, str(CLI), "build", "--source-dir", str(ROOT), "--output-dir", str(folder)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (path,) = folder.glob("*.zip")
    return path


def test_the_validator_accepts_it(package):
    tags = {"Animation", "Grease Pencil", "Sequencer"}
    done = subprocess.run([sys.executable, str(CLI), "validate", str(package)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(MANIFEST["tags"]) == tags


def test_it_holds_the_extension_and_nothing_else(package):
    names = zipfile.ZipFile(package).namelist()
    tops = {name.removeprefix("pegbar/").split("/")[0] for name in names}
    assert tops == {
        "blender_manifest.toml", "LICENSE", "README.md", "__init__.py", "preferences.py", "settings.py",
        "engine", "operators", "panels", "requirements", "runs", "timeline",
    }  # fmt: skip
    assert all(name.removeprefix("pegbar/").startswith("requirements/locks/") for name in names if "requirements/" in name)
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".whl"))]


def test_it_is_small(package):
    assert package.stat().st_size < MOST_BYTES


def test_the_version_is_the_engines():
    assert MANIFEST["version"] == __version__


def test_permissions_give_short_reasons():
    assert set(MANIFEST["permissions"]) == {"files", "network"}
    assert all(len(reason) <= 64 and reason[-1].isalnum() for reason in MANIFEST["permissions"].values())
