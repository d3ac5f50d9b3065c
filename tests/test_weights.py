"""Checkpoints are found in the weights folders, and what is missing is said with where it comes from and where it goes."""

from pathlib import Path

import pytest
from pegbar.engine.protocol import PegbarError
from pegbar.engine.spec import Pipeline, Weights
from pegbar.engine.weights import Machine, locate, missing

SPEC = Pipeline(
    "method", "Method", "Do", "Does", (), (), (),
    weights=(
        Weights("base", ("base.safetensors", "base-fp16.safetensors"), "example.org/base", "MIT", 9.6),
        Weights("extra", ("extra.pth",), "example.org/extra", "MIT", 0.1, required=False),
    ),
)  # fmt: skip


def test_the_first_folder_and_the_best_name_win(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one / "method", two):
        folder.mkdir(parents=True)
    (one / "method" / "base-fp16.safetensors").touch()
    (two / "base.safetensors").touch()
    (two / "extra.pth").touch()
    assert locate(SPEC, (one, two)) == {"base": one / "method" / "base-fp16.safetensors", "extra": two / "extra.pth"}
    assert locate(SPEC, (two, one))["base"] == two / "base.safetensors"


def test_what_is_missing_is_named_with_its_source_and_its_place(tmp_path: Path) -> None:
    with pytest.raises(PegbarError, match=r"Method needs base\.safetensors \(9\.6 GB, example\.org/base\): put it into .*method"):
        locate(SPEC, (tmp_path,))
    with pytest.raises(PegbarError, match="choose a weights folder"):
        locate(SPEC, ())
    assert [weights.name for weights in missing(SPEC, (tmp_path,))] == ["base"]
    (tmp_path / "base.safetensors").touch()
    assert missing(SPEC, (tmp_path,)) == ()


def test_a_machine_is_said_on_the_command_line() -> None:
    assert Machine((Path("a"), Path("b")), "cuda:1").options == ["--weights", "a", "--weights", "b", "--device", "cuda:1"]
