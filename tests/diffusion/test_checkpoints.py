"""Checkpoints are read without running them, and fit a model exactly or are refused by name."""

import os
import pickle
import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from pegbar.engine.diffusion import checkpoints
from pegbar.engine.protocol import PegbarError
from safetensors.torch import save_file


def test_a_lightning_checkpoint_and_a_plain_one_are_read_alike(tmp_path):
    tensors = {"a.weight": torch.ones(2, 3)}
    torch.save({"epoch": 1, "state_dict": tensors}, tmp_path / "a.ckpt")
    torch.save(tensors, tmp_path / "a.bin")
    save_file(tensors, tmp_path / "a.safetensors")
    for name in ("a.ckpt", "a.bin", "a.safetensors"):
        read = checkpoints.read(tmp_path / name)
        assert list(read) == ["a.weight"] and torch.equal(read["a.weight"], tensors["a.weight"])


class Malicious:
    def __init__(self, call, *arguments):
        self.call = call, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("way", ["open", "system", "eval", "rebuild"])
def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(tmp_path, zipped, way):
    path, trace = tmp_path / "a.ckpt", tmp_path / "trace"
    rebuilt = torch._tensor._rebuild_from_type_v2, open, torch.Tensor, (str(trace), "w"), {}
    calls = {"open": (open, str(trace), "w"), "system": (os.system, f"touch {trace}"), "eval": (eval, f"open({str(trace)!r}, 'w')")}
    malicious = Malicious(*{**calls, "rebuild": rebuilt}[way])
    if zipped:
        torch.save({"state_dict": {"a": torch.ones(1)}, "callbacks": malicious}, path)
    else:
        path.write_bytes(pickle.dumps({"callbacks": malicious}))
    with pytest.raises(PegbarError, match="was not opened"):
        checkpoints.read(path)
    assert not trace.exists()


@pytest.mark.parametrize("suffix", ["ckpt", "safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_cut_file_is_called_damaged(tmp_path, suffix, share):
    path = tmp_path / f"a.{suffix}"
    tensors = {"a": torch.rand(100, 100)}
    save_file(tensors, path) if suffix == "safetensors" else torch.save(tensors, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(PegbarError, match=r"damaged|not whole"):
        checkpoints.read(path)


def test_tensors_fit_exactly_or_are_named(tmp_path):
    def module():
        with torch.device("meta"):
            return torch.nn.Linear(3, 2)

    good = {"weight": torch.ones(2, 3, dtype=torch.float16), "bias": torch.zeros(2)}
    filled = checkpoints.fill(module(), good, tmp_path)
    assert filled.weight.dtype == torch.float32 and not filled.weight.requires_grad and not filled.training
    with pytest.raises(PegbarError, match="lacks bias"):
        checkpoints.fill(module(), {"weight": good["weight"]}, tmp_path)
    with pytest.raises(PegbarError, match="not known here, other"):
        checkpoints.fill(module(), good | {"other": good["bias"]}, tmp_path)
    with pytest.raises(PegbarError, match=r"weight: \(3, 2\), not \(2, 3\)"):
        checkpoints.fill(module(), good | {"weight": torch.ones(3, 2)}, tmp_path)


def test_a_folder_without_the_file_is_said(tmp_path):
    shutil.rmtree(tmp_path)
    with pytest.raises(PegbarError, match="no file"):
        checkpoints.read(tmp_path / "a.ckpt")


def trainers(monkeypatch):
    """A class as a trainer has it, in a module that is there while the checkpoint is written and gone when it is read."""
    module = types.ModuleType("lightning_like")
    module.MixedPrecision = type("MixedPrecision", (), {"__module__": "lightning_like"})
    monkeypatch.setitem(sys.modules, "lightning_like", module)
    precision = module.MixedPrecision()
    precision.scale = 65536.0
    return precision


def test_a_trainers_objects_do_not_keep_weights_from_being_read(tmp_path, monkeypatch):
    content = {"state_dict": {"a": torch.ones(1)}, "precision": trainers(monkeypatch), "best": np.float64(1), "path": tmp_path}
    torch.save(content, tmp_path / "a.ckpt")
    monkeypatch.delitem(sys.modules, "lightning_like")
    trusted = set(torch.serialization.get_safe_globals())
    assert list(checkpoints.read(tmp_path / "a.ckpt")) == ["a"]
    inert = checkpoints.read_pickle(tmp_path / "a.ckpt")["precision"]
    assert type(inert).__name__ == "lightning_like.MixedPrecision" and not hasattr(inert, "scale")
    assert "lightning_like" not in sys.modules and set(torch.serialization.get_safe_globals()) == trusted


def test_positions_that_no_checkpoint_holds_are_counted():
    class Positions(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("position_ids", torch.arange(5)[None], persistent=False)

    with torch.device("meta"):
        module = Positions()
    assert checkpoints.fill(module, {}, Path()).position_ids.tolist() == [[0, 1, 2, 3, 4]]
