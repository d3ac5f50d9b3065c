"""The published files at full size: every tensor has its place, or is known to be unused. Files as large as these, but of nothing."""

import json
import struct
from collections import Counter

import pytest
import torch
from pegbar.engine.pipelines.lvcd import convert, networks
from pegbar.engine.protocol import PegbarError

from .conftest import SHARED

GROUPS = {"encoder": "vae_first_stage", "decoder": "vae_first_stage", "conditioner": "vae_conditioner_encoder", "clip": "clip_vision"}
"""The key map's names for the networks that it calls otherwise."""


@pytest.fixture(scope="module")
def specs():
    folder = SHARED / "specs" / "lvcd"
    if not folder.is_dir():
        pytest.skip(f"PARITY NOT RUN: the list of the published tensors is not beside this clone ({folder})")
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in ("keys_full", "key_map")}


def hollow(path, shapes):
    """A safetensors file of half-precision zeros that takes no room on the disk."""
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 2 * torch.Size(shape).numel()
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + at)
    return path


@pytest.fixture
def weights(specs, tmp_path):
    return {name: hollow(tmp_path / f"{name}.safetensors", specs["keys_full"][name]) for name in ("svd", "lvcd")}


def test_the_published_files_fit_at_full_size(weights):
    """Both encoders are zeros here, so that one serves for both."""
    modules = networks.empty(networks.config_beside(weights["svd"]))
    tensors = networks.converted(modules, weights)
    assert tensors.keys() == modules.keys() - {"conditioner"}
    for network in tensors:
        assert {name: tensors[network][name].shape for name in tensors[network]} == {
            name: tensor.shape for name, tensor in modules[network].state_dict().items()
        }


def test_every_tensor_is_where_the_key_map_has_it(specs):
    used = Counter()
    for network, module in networks.empty(networks.config_beside(SHARED / "svd.safetensors")).items():
        group = GROUPS.get(network, network)
        part = network if group == "vae_first_stage" else "encoder"
        for name in module.state_dict():
            _, original = convert.source(network, name)
            target = specs["key_map"][group][original]
            targets = [target] if isinstance(target, str) else [entry["to"] for entry in target]
            assert (f"{part}.{name}" if group.startswith("vae") else name) in targets
            used[original] += 1
    every = specs["keys_full"]["svd"].keys() | specs["keys_full"]["lvcd"].keys()
    assert every - used.keys() - set(convert.FOLDED) == set(specs["key_map"]["unused"])
    assert {count for name, count in used.items() if "in_proj" not in name} == {1}
    assert {count for name, count in used.items() if "in_proj" in name} == {3}


def test_a_file_that_lacks_one_of_its_tensors_is_refused_by_name(specs, weights):
    modules = networks.empty(networks.config_beside(weights["svd"]))
    for file in ("svd", "lvcd"):
        every = specs["keys_full"][file]
        for gone in sorted(every)[:: len(every) // 3]:
            if gone.startswith(convert.UNUSED) or (file == "svd" and convert.overridden(gone)):
                continue
            cut = hollow(weights[file].with_stem(f"{file}-cut"), {name: shape for name, shape in every.items() if name != gone})
            with pytest.raises(PegbarError, match=f"lacks {gone}: "):
                networks.converted(modules, {**weights, file: cut})
