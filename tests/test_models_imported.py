"""Files that a user has are known by their tensors, whatever they are called, and nothing in them is run."""

import os
import pickle
import random
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
from pegbar.engine.__main__ import BAD_USAGE, DONE, main
from pegbar.engine.errors import INPUT_UNFIT, MODEL_DAMAGED, MODEL_UNSAFE
from pegbar.engine.models import importing, records, signatures
from pegbar.engine.models.tensors import shapes
from pegbar.engine.pipelines import lvcd, vidsketch
from pegbar.engine.protocol import JobFolder, PegbarError
from pegbar.engine.weights import listed, locate, missing
from pegbar.tests import hollow

LINES = {
    **{f"model0.1.{kind}": shape for kind, shape in (("bias", (64,)), ("weight", (64, 3, 7, 7)))},
    **{f"model1.{place}.{kind}": shape for place in (0, 3) for kind, shape in (
        ("bias", (128 if place == 0 else 256,)), ("weight", (128, 64, 3, 3) if place == 0 else (256, 128, 3, 3)))},
    **{f"model2.{block}.conv_block.{place}.{kind}": shape for block in range(3) for place in (1, 5)
       for kind, shape in (("bias", (256,)), ("weight", (256, 256, 3, 3)))},
    **{f"model3.{place}.{kind}": shape for place in (0, 3) for kind, shape in (
        ("bias", (128 if place == 0 else 64,)), ("weight", (256, 128, 3, 3) if place == 0 else (128, 64, 3, 3)))},
    "model4.1.bias": (1,), "model4.1.weight": (1, 64, 7, 7),
}  # fmt: skip
"""All tensors of the small network that finds lines."""


class Rebuilt:
    """Pickles as a tensor of PyTorch's does."""

    def __init__(self, shape):
        self.shape = shape


class Pickler(pickle._Pickler):
    """Writes pickles that name what is not here."""

    def save(self, content, *rest):
        if isinstance(content, Rebuilt):
            for name in ("torch._utils", "_rebuild_tensor_v2"):
                self.save(name)
            self.write(pickle.STACK_GLOBAL + pickle.MARK)
            self.save(("storage", "FloatStorage", "0", "cpu", 1))
            self.write(pickle.BINPERSID)
            for part in (0, content.shape, (1,) * len(content.shape), False, OrderedDict()):
                self.save(part)
            self.write(pickle.TUPLE + pickle.REDUCE)
        else:
            super().save(content, *rest)


def zipped(path: Path, content: object) -> Path:
    """A file as PyTorch writes it, but for the tensors' data."""
    import io

    text = io.BytesIO()
    Pickler(text, 4).dump(content)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", text.getvalue())
        archive.writestr("archive/version", "3")
    return path


def old(path: Path, content: object) -> Path:
    """A file as PyTorch wrote it before its version 1.6."""
    with open(path, "wb") as file:
        for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, content, ["0"]):
            Pickler(file, 2 if not isinstance(part, dict) or "little_endian" in part else 4).dump(part)
        file.write(bytes(4096))
    return path


def tensors(of: dict) -> OrderedDict:
    return OrderedDict((name, Rebuilt(shape)) for name, shape in of.items())


def taken(paths, own, **options):
    said = []
    places = importing.take(paths, (own,), lambda *of: None, said.append, **options)
    return places, said


def test_a_file_is_known_by_its_tensors_and_linked_to_its_name(tmp_path):
    assert signatures.digest(LINES) == signatures.LINES.digest
    file = zipped(tmp_path / "a download (3).pth", tensors(LINES))
    (place,), said = taken([file], tmp_path / "own")
    assert place == tmp_path / "own/lvcd/sk_model.pth" and place.samefile(file)
    assert said == [f"a download (3).pth is the finder of lines (informative-drawings): linked to {place}"]
    record = records.read(place)
    assert record.files[0].size == file.stat().st_size and len(record.files[0].sha256) == 64
    assert sorted(path.name for path in place.parent.iterdir()) == [".sk_model.pth.pegbar.json", "sk_model.pth"]


@pytest.mark.parametrize("write", [zipped, old])
@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"epoch": 3, "state_dict": state, "callbacks": {}}])
def test_pickles_of_all_ages_are_listed(tmp_path, write, wrap):
    assert shapes(write(tmp_path / "x.ckpt", wrap(tensors(LINES)))) == LINES


def test_a_list_of_tensors_is_listed_by_their_places(tmp_path):
    assert shapes(zipped(tmp_path / "2500_unet.pt", [Rebuilt((320, 4, 1, 1)), Rebuilt((4, 4, 3, 3))])) == {
        "0": (320, 4, 1, 1),
        "1": (4, 4, 3, 3),
    }


def test_a_copy_is_made_where_it_is_asked_for_and_a_file_that_is_there_stays(tmp_path):
    file = zipped(tmp_path / "sk.pth", tensors(LINES))
    (place,), _ = taken([file], tmp_path / "own", copy=True)
    assert place.read_bytes() == file.read_bytes() and not place.samefile(file)
    places, said = taken([file], tmp_path / "own")
    assert places == [] and "already" in said[0]


def test_a_file_on_another_disk_is_linked_by_its_path(tmp_path):
    file = zipped(Path("/dev/shm") / f"pegbar-{os.getpid()}.pth", tensors(LINES))
    try:
        (place,), _ = taken([file], tmp_path / "own")
        assert place.samefile(file) and place.is_symlink() == (file.stat().st_dev != place.parent.stat().st_dev)
    finally:
        file.unlink()


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("write", [zipped, old])
def test_a_pickle_that_would_run_a_program_is_refused_and_runs_nothing(tmp_path, write):
    state = tensors(LINES)
    state["evil"] = Evil(tmp_path / "ran")
    file = write(tmp_path / "model.ckpt", {"state_dict": state})
    with pytest.raises(PegbarError, match=r"it may run a program \((posix|nt)\.system\)") as raised:
        shapes(file)
    assert raised.value.id == MODEL_UNSAFE
    with pytest.raises(PegbarError, match="None of these files is a model") as raised:
        taken([file], tmp_path / "own")
    assert raised.value.id == INPUT_UNFIT and not (tmp_path / "ran").exists() and not (tmp_path / "own").exists()


def test_a_header_that_is_said_to_have_ten_gigabytes_is_refused(tmp_path):
    file = tmp_path / "x.safetensors"
    file.write_bytes(struct.pack("<Q", 10**10) + b"{}")
    with pytest.raises(PegbarError, match="its header is said to have 10000000000 bytes") as raised:
        shapes(file)
    assert raised.value.id == MODEL_DAMAGED


def test_a_list_of_tensors_that_unpacks_to_gigabytes_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(110_000_000))
    with pytest.raises(PegbarError, match="its list of tensors has 110000000 bytes"):
        shapes(tmp_path / "x.pt")


def test_a_pickle_that_asks_for_a_place_far_away_takes_no_memory(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}r\xff\xff\xff\x7f.")
    with pytest.raises(PegbarError, match="it holds no tensors"):
        shapes(tmp_path / "x.pt")


def test_mutated_files_are_a_sentence_each(tmp_path):
    """Cut, with other bytes, with bytes put in: a sentence, or a list of tensors, at once."""
    good = [hollow.safetensors(tmp_path / "a.safetensors", dict(list(LINES.items())[:2])), zipped(tmp_path / "b.pt", tensors(LINES)),
            old(tmp_path / "c.pt", tensors(LINES))]  # fmt: skip
    chance, refused = random.Random(8), 0
    for number in range(900):
        source = good[number % 3]
        data = bytearray(source.read_bytes())
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(data))
            if chance.random() < 0.3:
                del data[place:]
                data += b"\0"
            else:
                data[place] = chance.randrange(256)
        file = tmp_path / f"mutated{source.suffix}"
        file.write_bytes(data)
        try:
            shapes(file)
        except PegbarError:
            refused += 1
    assert refused > 300


def test_what_is_no_model_is_named_with_why(tmp_path):
    (tmp_path / "notes.txt").write_text("words")
    hollow.safetensors(tmp_path / "other.safetensors", {"a.weight": (3, 3)})
    (tmp_path / "cut.safetensors").write_bytes(b"\x05")
    said = []
    with pytest.raises(PegbarError, match="None of these files is a model of Pegbar's"):
        importing.take([tmp_path / "notes.txt", tmp_path], (tmp_path / "own",), lambda *of: None, said.append)
    assert said[0] == "notes.txt is not a file of weights: they end in .safetensors, .ckpt, .pt, .pth, .bin"
    assert any("cut.safetensors is damaged" in text for text in said)
    assert any(text.startswith("other.safetensors is not a file of any Pegbar pipeline") for text in said)
    with pytest.raises(PegbarError, match="There is no file or folder"):
        taken([tmp_path / "nothing"], tmp_path / "own")


def adapter(folder: Path) -> Path:
    """The T2I-Adapter's tells in a folder as it is published."""
    hollow.safetensors(folder / "diffusion_pytorch_model.safetensors", dict(signatures.ADAPTER.tells))
    (folder / "config.json").write_text("{}")
    (folder / "README.md").write_text("a page")
    return folder


def stable_diffusion(folder: Path) -> Path:
    """Stable Diffusion's tells in a folder in diffusers' layout."""
    for part, network in signatures.CHECKPOINTS["vidsketch", "sd15"].items():
        name = "model" if part == "text_encoder" else "diffusion_pytorch_model"
        hollow.safetensors(folder / part / f"{name}.safetensors", dict(network.tells))
        (folder / part / f"{name}.bin").write_bytes(b"not needed")
        (folder / part / "config.json").write_text("{}")
    for name in ("tokenizer/vocab.json", "tokenizer/merges.txt", "scheduler/scheduler_config.json", "model_index.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("{}")
    return folder


def motion(folder: Path) -> Path:
    return hollow.safetensors(folder / "unet/diffusion_pytorch_model.safetensors", dict(signatures.MOTION.tells)).parent.parent


def test_a_folder_that_holds_all_is_taken_as_a_whole(tmp_path):
    """As Hugging Face's own cache keeps it: names that lead to blobs."""
    cache = tmp_path / "hub/models--a--b/snapshots/0123"
    stable_diffusion(cache), adapter(tmp_path / "hub/adapter"), motion(tmp_path / "hub/candle")
    blob = (cache / "unet/diffusion_pytorch_model.safetensors").rename(tmp_path / "blob")
    (cache / "unet/diffusion_pytorch_model.safetensors").symlink_to(blob)
    places, said = taken([tmp_path / "hub"], tmp_path / "own")
    found = locate(vidsketch.SPEC, (tmp_path / "own",))
    assert {found["sd15"], found["adapter"], found["motions"] / "candle"} == set(places) and not missing(
        vidsketch.SPEC, (tmp_path / "own",)
    )
    assert sorted(path.relative_to(found["sd15"]).as_posix() for path in found["sd15"].rglob("*") if path.is_file()) == sorted(
        ["scheduler/scheduler_config.json", "tokenizer/merges.txt", "tokenizer/vocab.json"]
        + [f"{part}/config.json" for part in ("text_encoder", "unet", "vae")]
        + ["text_encoder/model.safetensors"] + [f"{part}/diffusion_pytorch_model.safetensors" for part in ("unet", "vae")]
    )  # fmt: skip
    assert (found["sd15"] / "unet/diffusion_pytorch_model.safetensors").samefile(blob)
    assert all(", though not all of its tensors are as published: linked to" in text for text in said), said
    (listing,) = (param.listing for param in vidsketch.SPEC.params if param.listing)
    assert [entry.name for entry in listed(vidsketch.SPEC, listing, (tmp_path / "own",))] == ["candle"]


def test_one_file_of_a_folder_leads_to_the_folder_or_asks_for_it(tmp_path):
    folder = stable_diffusion(tmp_path / "sd")
    (place,), _ = taken([folder / "vae/diffusion_pytorch_model.safetensors"], tmp_path / "own")
    assert place == tmp_path / "own/vidsketch/sd15"
    alone = (folder / "unet/diffusion_pytorch_model.safetensors").rename(tmp_path / "unet.safetensors")
    said = []
    with pytest.raises(PegbarError):
        importing.take([alone], (tmp_path / "own",), lambda *of: None, said.append)
    assert "is Stable Diffusion 1.5's UNet, or one made from it, a part of sd15: choose the whole folder" in said[0]


def test_a_motion_by_itself_is_called_after_its_file(tmp_path):
    file = (motion(tmp_path / "x") / "unet/diffusion_pytorch_model.safetensors").rename(tmp_path / "Candle 2.safetensors")
    (place,), _ = taken([file], tmp_path / "own")
    assert place == tmp_path / "own/vidsketch/motions/Candle 2" and (place / "diffusion_pytorch_model.safetensors").is_file()


def test_the_longer_model_of_the_same_shape_is_not_taken_for_the_right_one(tmp_path):
    right = hollow.safetensors(tmp_path / "svd.safetensors", dict(signatures.SVD.tells))
    wrong = right.with_name("svd_xt.safetensors")
    wrong.write_bytes(right.read_bytes())
    places, said = taken([wrong], tmp_path / "own")
    assert places == [] and "by its name the model of 25 frames" in said[0]
    places, _ = taken([right, hollow.safetensors(tmp_path / "re-pack.safetensors", dict(signatures.LVCD.tells))], tmp_path / "own")
    assert [place.name for place in places] == ["svd.safetensors", "lvcd-fp16.safetensors"] and not missing(lvcd.SPEC, (tmp_path / "own",))


def test_a_half_done_import_leaves_nothing(tmp_path):
    file = zipped(tmp_path / "sk.pth", tensors(LINES))

    def full(phase, done, of):
        if phase.startswith("Taking"):
            raise OSError(28, "No space left on device")

    with pytest.raises(PegbarError, match="is full"):
        importing.take([file], (tmp_path / "own",), full, lambda text: None)
    assert list((tmp_path / "own/lvcd").iterdir()) == []


def test_the_command_imports_and_says_what_each_file_is(tmp_path, capsys):
    file = zipped(tmp_path / "sk.pth", tensors(LINES))
    assert main(["import", str(file), "--weights", str(tmp_path / "own")]) == DONE
    assert "sk.pth is the finder of lines" in capsys.readouterr().err
    state = JobFolder(tmp_path / "own/.activity/import").state()
    assert state.name == "done" and len(state.warnings) == 1
    assert main(["import", str(tmp_path / "nothing"), "--weights", str(tmp_path / "own")]) == BAD_USAGE
