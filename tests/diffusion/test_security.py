"""Checkpoints from strangers: no pickle runs, no header fills the memory, and 1,500 damaged ones are each read or refused in a sentence."""

import collections
import functools
import io
import json
import operator
import pickle
import random
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from pegbar.engine.diffusion import checkpoints
from pegbar.engine.errors import MODEL_UNSAFE
from pegbar.engine.models.tensors import shapes
from pegbar.engine.protocol import PegbarError
from pegbar.tests.watching import watched
from safetensors.torch import save

pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol")
SEED = 20261121


class Calls:
    """Unpickled, calls a function."""

    def __init__(self, *call: object) -> None:
        self.call = call

    def __reduce__(self) -> tuple[object, ...]:
        return self.call[0], self.call[1:]


def named(module: str, name: str, *arguments: object) -> bytes:
    """A pickle that calls what need not be there while it is written."""
    code = b"\x80\x04" + b"\x8c" + bytes([len(module)]) + module.encode() + b"\x8c" + bytes([len(name)]) + name.encode() + b"\x93("
    return code + b"".join(pickle.dumps(argument, 2)[2:-1] for argument in arguments) + b"tR."


def gadgets(trace: Path) -> dict[str, bytes]:
    """Pickles that would each leave a trace, or run what could."""
    mark = str(trace)
    program = f"open({mark!r}, 'w').close()"
    inner = pickle.dumps(Calls(exec, program))
    dumped = {
        "exec": Calls(exec, program),
        "eval": Calls(eval, program),
        "open": Calls(open, mark, "w"),
        "nested in bytes": Calls(pickle.loads, inner),
        "torch.load within": Calls(torch.storage._load_from_bytes, inner),
        "partial": Calls(functools.partial(exec, program)),
        "getattr": Calls(getattr, Calls(__import__, "os"), "system"),
        "attrgetter": Calls(operator.attrgetter("system"), Calls(__import__, "os")),
        "methodcaller": Calls(operator.methodcaller("touch"), trace),
        "map": Calls(list, Calls(map, exec, [program])),
        "rebuild of another type": Calls(torch._tensor._rebuild_from_type_v2, open, torch.Tensor, (mark, "w"), {}),
        "a path's method": Calls(Path.touch, trace),
        "a defaultdict's factory": Calls(collections.defaultdict, exec),
    }
    modules = {
        "os.system": ("os", "system", f"touch {mark}"), "posix": ("posix", "system", f"touch {mark}"), "nt": ("nt", "system", f"echo > {mark}"),
        "subprocess": ("subprocess", "Popen", ["touch", mark]), "runpy": ("runpy", "_run_code", program, {}),
        "pty": ("pty", "spawn", ["touch", mark]), "import": ("importlib", "import_module", "antigravity"),
        "numpy": ("numpy.testing._private.utils", "runstring", program, {}), "code": ("code", "InteractiveInterpreter.runcode", program),
        "timeit": ("timeit", "main", [program]), "webbrowser": ("webbrowser", "open", "file://" + mark), "rmtree": ("shutil", "rmtree", mark),
        "hub": ("torch.hub", "load", "owner/name", "model"), "jit": ("torch.jit", "load", mark), "cffi": ("ctypes", "CDLL", "libc.so.6"),
        "bdb": ("bdb", "Bdb.run", program), "profile": ("cProfile", "run", program), "function": ("types", "FunctionType", program),
        "package": ("torch.package", "PackageImporter", mark), "network": ("socket", "create_connection", ("127.0.0.1", 9)),
    }  # fmt: skip
    found = {name: pickle.dumps(thing) for name, thing in dumped.items()} | {name: named(*call) for name, call in modules.items()}
    found["INST"] = b"(S'touch " + mark.encode() + b"'\nios\nsystem\n."
    found["OBJ"] = b"(cos\nsystem\nS'touch " + mark.encode() + b"'\no."
    found["GLOBAL and REDUCE"] = b"cos\nsystem\n(S'touch " + mark.encode() + b"'\ntR."
    found["BUILD"] = b"\x80\x02cpathlib\nPosixPath\n)\x81}X\x0c\x00\x00\x00__setstate__cbuiltins\nexec\nsbX" + struct.pack("<I", len(program)) + program.encode() + b"b."  # fmt: skip
    found["an extension"] = b"\x80\x02\x82\x01."
    found["memory"] = b"\x80\x04r\xff\xff\xff\xff."
    return found


NAMES = list(gadgets(Path("trace")))


def zipped(path: Path, content: bytes, entry: str = "archive/data.pkl") -> None:
    """A checkpoint in PyTorch's form of today around a pickle."""
    whole = io.BytesIO()
    torch.save({"a": torch.ones(2)}, whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, content if info.filename.endswith("data.pkl") else old.read(info))


def legacy(path: Path, content: bytes) -> None:
    """A checkpoint in the form of before PyTorch 1.6 around a pickle."""
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    parts = (torch.serialization.MAGIC_NUMBER, 1001, system)
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in parts) + content)


def alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def in_optimizer(content: bytes) -> bytes:
    """The pickle as a value deep in a trainer's table."""
    body = content[2:] if content[:1] == b"\x80" else content
    return b"\x80\x04}(X\x0a\x00\x00\x00state_dict}X\x09\x00\x00\x00optimizer}X\x05\x00\x00\x00state](" + body[:-1] + b"esu."


@pytest.mark.parametrize("wrap", [zipped, legacy, alone])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", [bytes, in_optimizer])
def test_no_pickle_runs_wherever_it_is(tmp_path, monkeypatch, wrap, name, place):
    monkeypatch.chdir(tmp_path)
    trace = tmp_path / "trace"
    (kept := tmp_path / "kept").write_text("x")
    for suffix in (".ckpt", ".bin", ".pt"):
        path = tmp_path / f"a{suffix}"
        wrap(path, place(gadgets(kept if name == "rmtree" else trace)[name]))
        for read in (checkpoints.read, checkpoints.read_pickle, shapes) if suffix == ".ckpt" else (checkpoints.read,):
            try:
                found = read(path)
            except PegbarError as error:
                assert "\n" not in str(error)
            else:  # of a function that is named and not called nothing is left
                assert read is checkpoints.read_pickle and not callable(found)
            assert not trace.exists() and kept.exists()


@pytest.mark.parametrize("name", ["exec", "open", "nested in bytes", "os.system", "subprocess", "INST", "OBJ", "GLOBAL and REDUCE"])
def test_the_same_pickles_do_run_where_they_are_not_read_safely(tmp_path, name):
    code = "import pickle, sys, time; pickle.load(sys.stdin.buffer); time.sleep(0.1)"
    subprocess.run([sys.executable, "-c", code], input=gadgets(tmp_path / "trace")[name], check=False, capture_output=True)
    assert (tmp_path / "trace").exists()


def test_what_was_refused_for_running_a_program_has_its_number(tmp_path):
    zipped(tmp_path / "a.ckpt", in_optimizer(gadgets(tmp_path / "trace")["os.system"]))
    with pytest.raises(PegbarError, match="may run a program") as raised:
        checkpoints.read(tmp_path / "a.ckpt")
    assert raised.value.id == MODEL_UNSAFE


GOOD = save({"a": torch.ones(2, 3), "b": torch.zeros(4)})
LENGTH = struct.unpack("<Q", GOOD[:8])[0]


def safetensors(**changes: object) -> bytes:
    """A file whose header says something else of `b`, which has 16 bytes from 24 to 40."""
    header = json.loads(GOOD[8 : 8 + LENGTH])
    header["b"] |= changes
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + GOOD[8 + LENGTH :]


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<Q", 10 * 2**30) + GOOD[8:],
        struct.pack("<Q", 2**64 - 1) + GOOD[8:],
        struct.pack("<Q", 99_000_000) + b"{" + b" " * 1000,
        safetensors(data_offsets=[24, 10**15]),
        safetensors(data_offsets=[-8, 8]),
        safetensors(data_offsets=[40, 24]),
        safetensors(data_offsets=[8, 24]),
        safetensors(data_offsets=[0, 16]),
        safetensors(shape=[2**63]),
        safetensors(shape=[2**32, 2**32]),
        safetensors(shape=[-4]),
        safetensors(shape=[4, 0]),
        safetensors(shape=[5]),
        safetensors(dtype="F1"),
        safetensors(data_offsets=[24]),
        GOOD + b"more",
        GOOD[:-1],
        GOOD[:7],
        b"",
    ],
)
def test_a_safetensors_file_that_lies_is_refused(tmp_path, data):
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    for read in (checkpoints.read, shapes):
        with pytest.raises(PegbarError, match="damaged"):
            read(path)


@pytest.fixture
def watch() -> Iterator[None]:
    with watched():
        yield


def damaged(data: bytes, chance: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 3))):
        at = chance.randrange(len(out) + 1)
        match chance.randrange(4):
            case 0 if out:
                out[at % len(out)] ^= 1 << chance.randrange(8)
            case 1:
                del out[at : at + chance.choice((1, 4, 50))]
            case 2:
                out[at:at] = chance.randbytes(chance.choice((1, 4, 50)))
            case _:
                out[at : at + 4] = b"\xff" * 4
    return bytes(out)


def all_of(tensors: checkpoints.Tensors) -> list[torch.Tensor]:
    return [tensors[name].clone() for name in tensors]


def today() -> bytes:
    whole = io.BytesIO()
    torch.save({"state_dict": {"a": torch.ones(3, 2), "b": torch.zeros(4)}, "epoch": 3}, whole)
    return whole.getvalue()


def before() -> bytes:
    whole = io.BytesIO()
    torch.save({"state_dict": {"a": torch.ones(3, 2), "b": torch.zeros(4)}, "epoch": 3}, whole, _use_new_zipfile_serialization=False)
    return whole.getvalue()


@pytest.mark.parametrize(("suffix", "make"), [(".safetensors", lambda: GOOD), (".ckpt", today), (".bin", before)])
def test_500_damaged_checkpoints_of_a_kind(tmp_path, watch, suffix: str, make: Callable[[], bytes]):
    path, chance, whole = tmp_path / f"a{suffix}", random.Random(SEED), make()
    refused = 0
    for _ in range(500):
        path.unlink(missing_ok=True)
        path.write_bytes(damaged(whole, chance))
        for read in (lambda: all_of(checkpoints.read(path)), lambda: shapes(path)):
            try:
                read()
            except PegbarError as error:
                assert "\n" not in str(error) and len(str(error)) < 1100
                refused += 1
    assert refused > 300
