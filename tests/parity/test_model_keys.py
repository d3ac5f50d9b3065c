"""Files of the published names and shapes are recognised, each as what it is and as nothing else."""

import json

import pytest
from pegbar.engine.models import signatures
from pegbar.engine.models.signatures import CHECKPOINTS, todays
from pegbar.engine.models.tensors import shapes
from pegbar.tests import hollow

from .conftest import SHARED

PUBLISHED = {
    ("lvcd", "svd"): signatures.SVD,
    ("lvcd", "lvcd"): signatures.LVCD,
    ("lvcd", "sk_model"): signatures.LINES,
    ("flipsketch", "unet"): signatures.TEXT_TO_VIDEO_UNET,
    ("flipsketch", "vae"): signatures.IMAGE_VAE,
    ("flipsketch", "text_encoder"): signatures.TEXT_TO_VIDEO_TEXT,
    ("vidsketch", "unet"): signatures.MOTION,
    ("vidsketch", "unet_sd15_2d"): signatures.IMAGE_UNET,
    ("vidsketch", "vae"): signatures.IMAGE_VAE,
    ("vidsketch", "text_encoder"): signatures.IMAGE_TEXT,
    ("vidsketch", "adapter"): signatures.ADAPTER,
    ("dropletvideo", "transformer"): signatures.DROPLET,
    ("dropletvideo", "vae"): signatures.VIDEO_VAE,
}
ALL = {id(network): network for parts in CHECKPOINTS.values() for network in parts.values()}.values()


@pytest.mark.parametrize(("pipeline", "part"), PUBLISHED)
def test_a_published_network_is_known_and_is_no_other(tmp_path, pipeline, part):
    folder = SHARED / "specs"
    if not folder.is_dir():
        pytest.skip(f"PARITY NOT RUN: the lists of the published tensors are not beside this clone ({folder})")
    keys = json.loads((folder / pipeline / "keys_full.json").read_text())[part]
    there = todays(shapes(hollow.safetensors(tmp_path / "x.safetensors", keys, "F16")))
    network = PUBLISHED[pipeline, part]
    assert len(there) == network.count and network.likeness(there) == "same"
    assert [other.label for other in ALL if other.likeness(there) != "other"] == [network.label]
    fewer = dict(list(there.items())[:-1]) | network.tells
    assert network.likeness({**fewer, "another": (1,)}) == "alike"
