"""The golden sets: one folder a pipeline, with what the authors' code gave. Settings are read from the sets' own files.

`--golden FOLDER` (default: ../shared/golden beside the repository) and `--pipeline NAME` choose what is compared. In a clone that has
no golden sets these tests are skipped, aloud; where a folder is named or shared data are there, a set that lacks is a failure.
"""

import importlib.util
import os
from pathlib import Path

import pytest

# MKL's exp, sin and cos differ in the last bit from one kind of processor to another, and the sinusoid of timestep 999 makes 3e-5 of it.
# The sets were made on a processor where its common branch runs; read when MKL is first called.
os.environ.setdefault("MKL_CBWR", "COMPATIBLE")

ROOT = Path(__file__).resolve().parent.parent.parent
SHARED = ROOT.parent / "shared"

spec = importlib.util.spec_from_file_location("loading", ROOT / "tests" / "conftest.py")
spec.loader.exec_module(importlib.util.module_from_spec(spec))


def pytest_addoption(parser):
    parser.addoption("--golden", type=Path, help="folder with one golden set a pipeline")
    parser.addoption("--pipeline", help="compare this one alone")


def pytest_collection_modifyitems(config, items):
    """Tests of a pipeline are in `test_<pipeline>*.py`; others than the one asked for are deselected, and those of one whose set is
    not in a folder that was named."""
    named, wanted = config.getoption("--golden"), config.getoption("--pipeline")

    def chosen(item):
        name = pipeline_of(item.path)
        return wanted in (None, name) and (named is None or wanted == name or (named / name).is_dir())

    left_out = [item for item in items if not chosen(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if chosen(item)]


def pipeline_of(path):
    return path.stem.removeprefix("test_").partition("_")[0]


@pytest.fixture(scope="session")
def golden(request):
    """The folder with the sets. Skips where there is none and none was asked for."""
    named = request.config.getoption("--golden")
    if named is None and not SHARED.is_dir():
        pytest.skip(f"PARITY NOT RUN: there are no golden sets beside this clone ({SHARED}); name a folder with --golden")
    folder = (named or SHARED / "golden").resolve()
    assert folder.is_dir(), f"there is no folder {folder}"
    return folder


def pytest_terminal_summary(terminalreporter, config):
    from .golden import REPORT

    for line in REPORT:
        terminalreporter.write_line(line)
