"""One thread and no network: figures repeat, and nothing is fetched."""

import importlib.util
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import pytest
import torch

torch.set_num_threads(1)
ROOT = Path(__file__).resolve().parent.parent.parent
spec = importlib.util.spec_from_file_location("loading", ROOT / "tests" / "conftest.py")
spec.loader.exec_module(importlib.util.module_from_spec(spec))


@pytest.fixture(scope="session")
def lvcd_weights(tmp_path_factory):
    """A folder with a tiny LVCD in the authors' layout."""
    from pegbar.tests.tiny import lvcd

    folder = tmp_path_factory.mktemp("lvcd_weights")
    lvcd.make(folder)
    return folder
