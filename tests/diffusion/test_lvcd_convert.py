"""LVCD's files become its networks whole, once, and by name where they don't."""

import json
import os
import shutil

import pytest
import torch
from pegbar.engine.pipelines.lvcd import convert, networks
from pegbar.engine.protocol import PegbarError
from pegbar.tests.tiny import lvcd
from safetensors.torch import load_file, save_file

PARTS = ("unet", "controlnet", "encoder", "conditioner", "decoder", "clip")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original")
    lvcd.make(folder)
    return folder


@pytest.fixture
def folder(original, tmp_path):
    for path in original.iterdir():
        shutil.copy2(path, tmp_path)
    return tmp_path


def files(folder, svd="svd.safetensors", lvcd="lvcd.ckpt"):
    return {"svd": folder / svd, "lvcd": folder / lvcd}


def load(folder, **names):
    return networks.load(files(folder, **names), "cpu")


def same(one, other):
    pairs = [(getattr(one, part).state_dict(), getattr(other, part).state_dict()) for part in PARTS]
    return all(torch.equal(tensor, b[name]) for a, b in pairs for name, tensor in a.items())


def changed(folder, change):
    """The folder with svd.safetensors changed."""
    tensors = dict(load_file(folder / "svd.safetensors"))
    change(tensors)
    (folder / "svd.safetensors").unlink()  # what was read of it may still be in use
    save_file(tensors, folder / "svd.safetensors")
    return folder


def told(folder, **names):
    with pytest.raises(PegbarError) as error:
        load(folder, **names)
    return str(error.value)


def test_every_tensor_is_the_files_own(folder):
    made, svd = load(folder), load_file(folder / "svd.safetensors")
    state = torch.load(folder / "lvcd.ckpt", weights_only=True)["state_dict"]
    name = "input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight"
    assert torch.equal(made.unet.down_blocks[0].attentions[0].transformer_blocks[0].attn1.to_q.weight, state[convert.UNET + name].float())
    assert not torch.equal(state[convert.UNET + name], svd[convert.UNET + name])
    assert torch.equal(made.unet.conv_in.weight, svd[convert.UNET + "input_blocks.0.0.weight"].float())
    assert torch.equal(made.controlnet.conv_in.weight, state[convert.CONTROLNET + "input_blocks.0.0.weight"].float())
    assert torch.equal(made.clip.visual_projection.weight, svd[convert.CLIP + "visual.proj"].float().T)


def test_an_encoder_with_its_quantizer_folded_in_gives_the_same(folder):
    made, svd = load(folder), load_file(folder / "svd.safetensors")
    weight, bias = (svd[name].float() for name in convert.FOLDED)
    names = {name: convert.source("conditioner", name)[1] for name in made.conditioner.state_dict()}
    plain = networks.empty(networks.config_beside(folder / "svd.safetensors"))["conditioner"]
    plain.load_state_dict({name: convert.adapted(name, svd[at]).float() for name, at in names.items()}, assign=True)
    image = torch.rand(1, 3, 32, 48) * 2 - 1
    wanted = torch.nn.functional.conv2d(plain(image), weight, bias)
    assert torch.allclose(made.conditioner(image), wanted, atol=1e-5)


def test_two_encoders_that_are_equal_are_one(folder):
    assert load(folder).conditioner is not load(folder).encoder

    def equal(tensors):
        prefix = convert.CONDITIONER + "encoder."
        encoder = {name.removeprefix(prefix): tensors[name].clone() for name in tensors if name.startswith(prefix)}
        folded = convert.folded(encoder, *(tensors[name] for name in convert.FOLDED))
        tensors.update({convert.ENCODER + name: value for name, value in folded.items()})

    made = load(changed(folder, equal))
    assert made.conditioner is made.encoder
    assert not (folder / "converted" / "lvcd" / "conditioner.safetensors").exists()
    again = load(folder)
    assert again.conditioner is again.encoder


def test_repacks_without_a_wrapper_are_the_same(folder):
    state = torch.load(folder / "lvcd.ckpt", weights_only=True)["state_dict"]
    first = load(folder)
    save_file(state, folder / "lvcd-fp16.safetensors")
    shutil.copy(folder / "svd.safetensors", folder / "svd-fp16.safetensors")
    assert same(first, load(folder, svd="svd-fp16.safetensors", lvcd="lvcd-fp16.safetensors"))


def test_what_was_converted_is_taken_until_a_file_changes(folder):
    first, stamp = load(folder), folder / "converted" / "lvcd" / networks.STAMP
    written = stamp.stat().st_mtime_ns
    assert same(first, load(folder)) and stamp.stat().st_mtime_ns == written
    name = convert.UNET + "input_blocks.0.0.bias"
    changed(folder, lambda tensors: tensors.update({name: tensors[name] * 2}))
    assert torch.equal(load(folder).unet.conv_in.bias, first.unet.conv_in.bias * 2)
    assert stamp.stat().st_mtime_ns != written


def test_what_is_converted_of_a_folder_that_may_not_be_written_is_kept_in_the_own_one(folder, tmp_path_factory):
    own, before = tmp_path_factory.mktemp("own") / "lvcd" / "converted", sorted(os.listdir(folder))
    weights = {"svd": folder / "svd.safetensors", "lvcd": folder / "lvcd.ckpt", "converted": own}
    folder.chmod(0o555)
    try:
        first = networks.load(weights, "cpu")
        written = (own / "lvcd" / networks.STAMP).stat().st_mtime_ns
        assert same(first, networks.load(weights, "cpu")) and (own / "lvcd" / networks.STAMP).stat().st_mtime_ns == written
        assert sorted(os.listdir(folder)) == before
    finally:
        folder.chmod(0o755)


def test_an_older_converters_work_and_a_damaged_one_are_made_anew(folder):
    first, kept = load(folder), folder / "converted" / "lvcd"
    stamp = json.loads((kept / networks.STAMP).read_text())
    (kept / networks.STAMP).write_text(json.dumps({**stamp, "converter": 0}))
    assert same(first, load(folder)) and json.loads((kept / networks.STAMP).read_text()) == stamp
    whole = (kept / "unet.safetensors").read_bytes()
    (kept / "unet.safetensors").unlink()
    (kept / "unet.safetensors").write_bytes(whole[: len(whole) // 2])
    assert same(first, load(folder)) and (kept / "unet.safetensors").read_bytes() == whole
    (kept / networks.STAMP).write_text("{")
    assert same(first, load(folder))


def test_a_conversion_is_whole_or_not_there(folder):
    load(folder)
    names = {path.name for path in (folder / "converted" / "lvcd").iterdir()}
    assert names == {f"{part}.safetensors" for part in PARTS} | {networks.STAMP}


def test_a_folder_that_may_not_be_written_is_left_as_it_is(folder, tmp_path_factory):
    wanted = load(folder)
    shutil.rmtree(folder / "converted")
    before = sorted(os.listdir(folder))
    folder.chmod(0o555)
    try:
        assert same(wanted, load(folder)) and sorted(os.listdir(folder)) == before
    finally:
        folder.chmod(0o755)
    (folder / "converted").write_text("something else is in the way")
    assert same(wanted, load(folder))


@pytest.mark.parametrize(
    ("file", "lost"),
    [
        ("svd.safetensors", convert.UNET + "out.2.weight"),
        ("svd.safetensors", convert.CONDITIONER + "quant_conv.weight"),
        ("svd.safetensors", convert.CLIP + "visual.proj"),
        ("svd.safetensors", convert.DECODER + "conv_in.bias"),
        ("lvcd.ckpt", convert.CONTROLNET + "input_hint_block.14.weight"),
        ("lvcd.ckpt", convert.UNET + "middle_block.1.time_stack.0.attn1.to_v.weight"),
    ],
)
def test_a_file_that_lacks_a_tensor_is_refused_by_its_name(folder, file, lost):
    if file == "svd.safetensors":
        changed(folder, lambda tensors: tensors.pop(lost))
    else:
        content = torch.load(folder / file, weights_only=True)
        content["state_dict"].pop(lost)
        torch.save(content, folder / file)
    assert f"{folder / file} lacks {lost}: " in told(folder)
    assert not (folder / "converted").exists()


def test_files_that_are_exchanged_cut_or_another_models_are_refused(folder):
    (folder / "a.safetensors").symlink_to(folder / "svd.safetensors")
    assert "exchanged" in told(folder, svd="lvcd.ckpt", lvcd="a.safetensors")
    assert "lvcd-is-svd.safetensors lacks control_model." in told_of_copy(folder, "lvcd-is-svd.safetensors")
    changed(folder, lambda tensors: tensors.update({"lora.weight": torch.ones(2)}))
    assert "svd.safetensors has tensors that are not known here, lora.weight" in told(folder)
    name = convert.UNET + "out.2.bias"
    changed(folder, lambda tensors: (tensors.pop("lora.weight"), tensors.update({name: torch.ones(3)})))
    assert f"({name} is (3,), not (4,))" in told(folder)
    for file in ("svd.safetensors", "lvcd.ckpt"):
        whole = (folder / file).read_bytes()
        (folder / file).unlink()
        (folder / file).write_bytes(whole[: len(whole) // 2])
        assert str(folder / file) in told(folder) and any(word in told(folder) for word in ("damaged", "not whole"))
        (folder / file).write_bytes(whole)
        changed(folder, lambda tensors: tensors.update({name: torch.ones(4)}))
    (folder / "svd.safetensors").unlink()
    assert "no file" in told(folder)


def told_of_copy(folder, name):
    shutil.copy(folder / "svd.safetensors", folder / name)
    return told(folder, lvcd=name)


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_a_checkpoint_that_would_run_a_program_is_refused_and_runs_nothing(folder):
    content, trace = torch.load(folder / "lvcd.ckpt", weights_only=True), folder / "trace"
    torch.save({**content, "callbacks": {"x": Malicious(str(trace))}}, folder / "lvcd.ckpt")
    assert "was not opened" in told(folder) and not trace.exists()


def test_a_config_that_cannot_be_read_is_said(folder):
    (folder / "config.json").write_text("{")
    assert "config.json cannot be read" in told(folder)


def test_the_published_sizes_are_those_of_the_published_files(tmp_path):
    """Counts of SPEC §10 for full-size networks, which take no memory here."""
    (tmp_path / "config.json").write_text('{"some": "other program\'s"}')
    modules = networks.empty(networks.config_beside(tmp_path / "svd.safetensors"))
    states = {name: module.state_dict() for name, module in modules.items()}
    assert {name: len(state) for name, state in states.items()} == {
        "unet": 1428, "controlnet": 671, "encoder": 106, "conditioner": 106, "decoder": 266, "clip": 520,
    }  # fmt: skip
    places = {convert.source(network, name): tensor for network, state in states.items() for name, tensor in state.items()}
    assert len([file for file, _ in places if file == "lvcd"]) == 831
    assert sum(tensor.numel() for (file, _), tensor in places.items() if file == "lvcd") == 781_169_697
    assert len([file for file, _ in places if file == "svd"]) + 160 + len(convert.FOLDED) + 146 == 2446
