"""Tiny random checkpoints in the authors' layout, made once a session, and the engine with torch that runs them."""

import os
import subprocess
from pathlib import Path

import pytest
from pegbar.preferences import preferences
from pegbar.runs import engine, models, run

ROOT = Path(__file__).resolve().parents[2]
DIFFUSION = Path(os.environ.get("PEGBAR_DIFFUSION_PYTHON", ROOT / ".venv/diffusion/bin/python"))


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A function that gives the weights folder with a pipeline's tiny checkpoint in it."""
    folder = tmp_path_factory.mktemp("weights")

    def made(name):
        if not (folder / name).exists():
            subprocess.run([DIFFUSION, "-m", "tests.tiny", name, folder / name], cwd=ROOT, check=True)
            models.look_again()
        return folder

    return made


@pytest.fixture
def published(weights, tmp_path, scene, monkeypatch):
    """A function that readies the engine for a published pipeline."""
    own = preferences()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # a tiny network is slower on two

    def ready(name):
        own.engine_python, own.takes_folder = str(DIFFUSION), str(tmp_path / "takes")
        own.weights_folder, own.device = str(weights(name)), "CPU"
        scene.pegbar.keep_seed = True
        return getattr(scene.pegbar, name)

    yield ready
    for running in run.active():
        run.stop(running)
    engine.stop()
    for name in ("engine_python", "takes_folder", "weights_folder", "device"):
        own.property_unset(name)
