"""Checkpoints are found in the weights folders, and what is missing is said with where it comes from and where it goes."""

from pathlib import Path

import pytest
from pegbar.engine.pipelines import lvcd, vidsketch
from pegbar.engine.protocol import PegbarError
from pegbar.engine.spec import Pipeline, Weights
from pegbar.engine.weights import Machine, everywhere, listed, locate, missing

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


def motion_in(folder: Path, name: str) -> None:
    """Puts what counts as a motion into a folder of motions."""
    (folder / name).mkdir(parents=True)
    (folder / name / "low_rank.safetensors").touch()


def test_motions_of_all_folders_are_offered_and_the_own_ones_come_first(tmp_path: Path) -> None:
    own, studio = tmp_path / "own" / "vidsketch" / "motions", tmp_path / "studio" / "vidsketch" / "motions"
    for folder, name in ((own, "walk"), (own, "blink"), (own, ".half.import"), (studio, "candle"), (studio, "Walk")):
        motion_in(folder, name)
    for folder in (tmp_path / "own" / "vidsketch", tmp_path / "studio" / "vidsketch"):
        for name in ("sd15", "adapter"):
            (folder / name).mkdir()
    folders = (tmp_path / "own", tmp_path / "studio")
    found = locate(vidsketch.SPEC, folders)
    assert everywhere(found, "motions") == (own, studio) and found["sd15"].is_relative_to(tmp_path / "own")
    (listing,) = (param.listing for param in vidsketch.SPEC.params if param.listing)
    assert [entry.name for entry in listed(vidsketch.SPEC, listing, folders)] == ["blink", "candle", "walk"]


def test_an_empty_folder_of_motions_is_none(tmp_path: Path) -> None:
    (tmp_path / "vidsketch" / "motions").mkdir(parents=True)
    assert "motions" in {weights.name for weights in missing(vidsketch.SPEC, (tmp_path,))}


def test_what_a_pipeline_makes_lies_in_the_own_folder_whatever_the_shared_one_has(tmp_path: Path) -> None:
    own, studio = tmp_path / "own", tmp_path / "studio"
    (studio / "lvcd" / "converted").mkdir(parents=True)
    for name in ("svd.safetensors", "lvcd.ckpt"):
        (studio / "lvcd" / name).touch()
    assert locate(lvcd.SPEC, (own, studio))["converted"] == own / "lvcd" / "converted"
