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


@pytest.fixture(scope="session")
def vidsketch_weights(tmp_path_factory):
    """A folder with a tiny VidSketch in the authors' layout."""
    from pegbar.tests.tiny import vidsketch

    folder = tmp_path_factory.mktemp("vidsketch_weights")
    vidsketch.make(folder)
    return folder


@pytest.fixture(scope="session")
def vidsketch_base(vidsketch_weights):
    """The tiny Stable Diffusion that VidSketch's motions share."""
    from pegbar.engine.pipelines.vidsketch import models

    return models.load_stable_diffusion(vidsketch_weights / "sd15", torch.device("cpu"))


@pytest.fixture(scope="session")
def vidsketch_network(vidsketch_weights, vidsketch_base):
    """The tiny network of a motion."""
    from pegbar.engine.pipelines.vidsketch import models
    from pegbar.engine.pipelines.vidsketch.motions import chosen

    return models.load_motion(chosen(vidsketch_weights / "motions", "candle"), vidsketch_base)
