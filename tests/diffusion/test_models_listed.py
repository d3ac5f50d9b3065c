"""What PyTorch writes is listed without PyTorch: in its form of today and of before 1.6, with what trainers keep beside the weights."""

import pathlib

import numpy as np
import pytest
import torch
from pegbar.engine.errors import MODEL_UNSAFE
from pegbar.engine.models.tensors import shapes
from pegbar.engine.protocol import PegbarError


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_trainers_checkpoint_is_listed_as_it_was_saved(tmp_path, is_zip):
    module = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Conv2d(2, 4, 3), torch.nn.BatchNorm1d(7))
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    beside = {"loss": np.float32(0.5), "folder": pathlib.PurePosixPath("runs"), "config": pathlib.Path("x"), "optimizer": torch.optim.Adam}
    for state in (module.state_dict(), dict(module.named_parameters()) | dict(module.named_buffers())):
        for content in (state, {"epoch": 1, "state_dict": state, **{name: beside[name] for name in ("loss", "config", "optimizer")}}):
            torch.save(content, tmp_path / "x.ckpt", _use_new_zipfile_serialization=is_zip)
            assert shapes(tmp_path / "x.ckpt") == wanted
    torch.save(list(module.parameters()), tmp_path / "list.pt", _use_new_zipfile_serialization=is_zip)
    assert list(shapes(tmp_path / "list.pt").values()) == [tuple(value.shape) for value in module.parameters()]


def test_a_whole_module_is_no_file_of_weights(tmp_path):
    """A pickled module names classes of its own, which are neither looked up nor made."""
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(PegbarError):
        shapes(tmp_path / "module.pt")


def test_a_call_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return eval, ("open('ran', 'w')",)

    torch.save({"state_dict": {"a": torch.zeros(2)}, "evil": Evil()}, tmp_path / "x.ckpt")
    with pytest.raises(PegbarError) as raised:
        shapes(tmp_path / "x.ckpt")
    assert raised.value.id == MODEL_UNSAFE and not pathlib.Path("ran").exists()
