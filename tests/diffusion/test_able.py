"""The set-up's last question to an engine with PyTorch: what it can run on, and that it does."""

import os
import sys
from pathlib import Path

import pytest
from pegbar.engine.diffusion import able
from pegbar.engine.protocol import PegbarError
from pegbar.engine.setup import trial


def test_the_engine_says_what_it_runs_on():
    found = able.able()
    assert found["device"] in ("cpu", "cuda", "mps") and found["text"]
    assert able.words(able.torch.device("cpu")) == f"processor, {os.cpu_count()} cores"


def test_an_engine_for_a_card_that_pytorch_does_not_see_fails_its_test(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(PegbarError, match=r"The graphics card cannot be used .*update its driver and press Try Again, or choose Processor"):
        trial.run(Path(sys.executable), "diffusion", "cuda", tmp_path / "trial")
