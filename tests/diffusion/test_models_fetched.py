"""From the card to the networks: LVCD's models are fetched from a hub on this computer, located, and loaded."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pegbar.engine.pipelines.lvcd import SPEC, networks
from pegbar.engine.weights import locate
from pegbar.tests.hub import Fault, serving
from pegbar.tests.tiny import lvcd
from safetensors.torch import save_file


@pytest.mark.filterwarnings("ignore")
def test_models_that_were_fetched_are_located_and_load_as_the_authors_files_do(tmp_path):
    svd, re_pack = (tmp_path / "hub" / weights.repository for weights in SPEC.weights[:2])
    for folder in (svd, re_pack):
        folder.mkdir(parents=True)
    lvcd.make(svd)
    state = torch.load(svd / "lvcd.ckpt", weights_only=True)["state_dict"]
    save_file({name: value.contiguous() for name, value in state.items()}, re_pack / "lvcd-fp16.safetensors")
    own = tmp_path / "own"
    with serving(tmp_path / "hub") as given:
        given.faults = [Fault(1_000_000), Fault(kind="503")]
        command = [sys.executable, "-m", "engine", "fetch", "lvcd", "--weights", str(own), "--accept-terms", "--endpoint", given.url]
        online = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        subprocess.run(command, cwd=Path(__file__).parents[2], env=online, check=True)
    assert sorted(path.name for path in (own / "lvcd").iterdir() if not path.name.startswith(".")) == [
        "lvcd-fp16.safetensors",
        "svd.safetensors",
    ]
    shutil.copy(svd / "config.json", own / "lvcd/config.json")  # the tiny sizes, which a published folder does not have
    loaded = networks.load(locate(SPEC, (own,)), "cpu")
    wanted = networks.load({"svd": svd / "svd.safetensors", "lvcd": svd / "lvcd.ckpt"}, "cpu")
    for name in ("unet", "controlnet", "clip"):
        pairs = zip(getattr(loaded, name).state_dict().values(), getattr(wanted, name).state_dict().values(), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)
    assert (own / "lvcd/converted/lvcd" / networks.STAMP).is_file()
