"""12,000 damaged files: each is read, or refused in one sentence that names it; none crashes, hangs or fills the memory.

Deterministic from SEED. A case that hangs ends the process with its traceback.
"""

import copy
import json
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pegbar.engine.catalog import pipeline
from pegbar.engine.drawing.frames import encode_png, image_size, read_image
from pegbar.engine.models.tensors import shapes
from pegbar.engine.protocol import Done, Failed, FrameWritten, JobFolder, PegbarError, Progress, Warned
from pegbar.engine.provenance import embedded, job_of, kept, read_card
from pegbar.engine.spec import check
from pegbar.engine.strokes import POLY, Strokes
from pegbar.engine.worker import run_job
from pegbar.tests.watching import watched

from .takes import still_take

SEED = 20261121
NASTY: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**63, 10**30, 1e308, float("inf"), float("nan"), "", "\0", "\ud800", "../../x", "/etc/passwd", "C:\\x", "NaN",
    "x" * 70_000, "9" * 5000, [], {}, [[]], [None], {"": {}}, [2**63, -1],
)  # fmt: skip

Case = tuple[str, bytes]


@pytest.fixture(autouse=True)
def watch() -> Iterator[None]:
    with watched():
        yield


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Some bytes changed, taken out, doubled, put in or exchanged."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5))):
        at, length = chance.randrange(len(out) + 1), min(chance.choice((1, 1, 2, 8, 64)), len(out))
        match chance.randrange(6):
            case 0 if out:
                out[at % len(out)] ^= 1 << chance.randrange(8)
            case 1:
                del out[at : at + length]
            case 2:
                out[at:at] = out[at : at + length]
            case 3:
                out[at:at] = chance.randbytes(length)
            case 4:
                out[at : at + length] = chance.choice((b"\xff", b"\0", b"9", b"[", b'"')) * length
            case _:
                del out[at:]
    return bytes(out)


def twisted(value: Any, chance: random.Random) -> Any:
    """A table in which something is of another kind, gone, or under another name."""
    value = copy.deepcopy(value)
    places = list(places_of(value))
    for _ in range(chance.choice((1, 1, 2, 4))):
        owner, key = chance.choice(places)
        match chance.randrange(4):
            case 0 if isinstance(owner, dict):
                owner.pop(key, None)
            case 1 if isinstance(owner, dict):
                owner[chance.choice(("", "x", "file", "\0", "__class__"))] = owner.get(key)
            case _ if isinstance(owner, dict) or key < len(owner):
                owner[key] = copy.deepcopy(chance.choice(NASTY))
    return value


def places_of(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places_of(value[key])


def of_json(text: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Half with other values, half with other bytes."""
    chance, whole = random.Random(seed), json.loads(text)
    for index in range(count):
        yield json.dumps(twisted(whole, chance)).encode() if index % 2 else damaged(text, chance)


def holds(path: Path, count: Iterator[bytes], *reads: Callable[[], object]) -> tuple[int, int]:
    """How many of the files were read and how many refused, by any of the readers; each refusal is one sentence."""
    read = refused = 0
    for data in count:
        path.unlink(missing_ok=True)  # a file that is cut to nothing and written again is waited for until it is on the disk
        path.write_bytes(data)
        for reader in reads:
            try:
                reader()
                read += 1
            except PegbarError as error:
                text = str(error)
                assert text and "\n" not in text and len(text) < 1100 and "Traceback" not in text, text
                refused += 1
    return read, refused


@pytest.fixture
def folder(tmp_path) -> JobFolder:
    return still_take(tmp_path, origin={"target": {"type": "STRIP"}, "sources": {"image": [{"type": "STRIP", "name": "a", "layers": []}]}})


def test_4000_requests(folder):
    def read() -> None:
        job = folder.read_job()
        check(pipeline(job.pipeline), job.params, job.inputs)
        for files in job.inputs.values():
            for file in files:
                folder.file(file.file)
        assert len(job.shot.frames) < 1 << 21 and repr(job)

    path = folder.path / "job.json"
    good, bad = holds(path, of_json(path.read_bytes(), 4000, SEED), read)
    assert good > 50 and bad > 2000


def events(folder: JobFolder) -> bytes:
    """One of each."""
    path = folder.path / "events.jsonl"
    path.unlink(missing_ok=True)
    for event in (
        Progress("Drawing", 1, 4), FrameWritten("clip", 1, "outputs/clip/0001.png"), Warned("Näher"), Failed("No", "trace\n", "PB-E19"), Done(1.5),
    ):  # fmt: skip
        folder.append(event)
    return path.read_bytes()


def test_4000_lists_of_events(folder):
    chance, whole = random.Random(SEED), events(folder)

    def cases() -> Iterator[bytes]:
        for index in range(4000):
            lines = whole.splitlines()
            at = chance.randrange(len(lines))
            lines[at] = json.dumps(twisted(json.loads(lines[at]), chance)).encode()
            yield b"\n".join(lines) + b"\n" if index % 2 else damaged(whole, chance)

    def read() -> None:
        state = folder.state()
        assert state.name in ("queued", "running", "done", "stopped", "failed") and repr(state)
        for offset in (0, 7):
            folder.events(offset)

    good, bad = holds(folder.path / "events.jsonl", cases(), read)
    assert (good, bad) == (4000, 0), "what is no event is passed over"


@pytest.mark.parametrize("name", ["job.json", "events.jsonl", "provenance.json"])
def test_60_runs_on_damaged_files_end_in_one_sentence(folder, name):
    run_job(folder)
    path, chance = folder.path / name, random.Random(SEED)
    whole = events(folder) if name == "events.jsonl" else path.read_bytes()
    for index in range(60):
        path.write_bytes(
            damaged(whole, chance) if index % 2 or name == "events.jsonl" else json.dumps(twisted(json.loads(whole), chance)).encode()
        )
        try:
            end = run_job(folder)
        except PegbarError as error:
            end = Failed(str(error))
        assert isinstance(end, Done) or (not end.traceback and "\n" not in end.text), end


def safetensors() -> bytes:
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, shape in (("unet.conv_in.weight", (4, 3, 3, 3)), ("unet.conv_in.bias", (4,)), ("vae.decoder", (2, 2))):
        size = 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + size]}
        data += bytes(size)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_3000_safetensors(tmp_path):
    path, whole, chance = tmp_path / "a.safetensors", safetensors(), random.Random(SEED)
    length = struct.unpack("<Q", whole[:8])[0]

    def cases() -> Iterator[bytes]:
        for index in range(3000):
            if index % 2:
                text = json.dumps(twisted(json.loads(whole[8 : 8 + length]), chance)).encode()
                yield struct.pack("<Q", len(text)) + text + whole[8 + length :]
            elif index % 20 == 0:
                yield struct.pack("<Q", chance.choice((0, 1, 10**10, 2**63, 2**64 - 1, chance.randrange(2**64)))) + whole[8:]
            else:
                yield damaged(whole, chance)

    good, bad = holds(path, cases(), lambda: shapes(path))
    assert good > 50 and bad > 1500


def drawing() -> Strokes:
    points = np.random.default_rng(0).random((6, 2)) * 16
    return Strokes(
        size=(16, 16), points=points, depth=np.zeros(6), handles=np.repeat(points[:, None], 2, 1), widths=np.ones(6, np.float32),
        opacity=np.ones(6, np.float32), offsets=np.int32([0, 3, 6]), curve_type=np.full(2, POLY, np.uint8), cyclic=np.zeros(2, bool),
        line_colour=np.ones((2, 4), np.float32), fill_colour=np.zeros((2, 4), np.float32), layer=np.zeros(2, np.int32),
        material=np.zeros(2, np.int32), source=np.arange(2, dtype=np.int32), layers=("Lines",), matrices=np.eye(4)[None], materials=("Ink",),
    )  # fmt: skip


def test_600_drawings(tmp_path):
    path, chance = tmp_path / "a.npz", random.Random(SEED)
    whole = drawing().to_bytes()
    good, bad = holds(path, (damaged(whole, chance) for _ in range(600)), lambda: Strokes.load(path))
    assert good + bad == 600 and bad > 200


def test_500_pictures(tmp_path, folder):
    run_job(folder)
    path, chance = tmp_path / "a.png", random.Random(SEED)
    whole = encode_png(np.random.default_rng(0).random((12, 9, 4)), {"pegbar": embedded(kept(folder))})

    good, bad = holds(
        path, (damaged(whole, chance) for _ in range(500)), lambda: read_image(path), lambda: image_size(path), lambda: read_card(path)
    )
    assert good > 100 and bad > 500


def test_1000_cards(tmp_path, folder):
    run_job(folder)
    card = embedded(kept(folder)).encode()
    path, head = tmp_path / "a.png", encode_png(np.zeros((2, 2)))[:33]

    def cases() -> Iterator[bytes]:
        for text in of_json(card, 1000, SEED):
            yield head + struct.pack(">I4s", len(text) + 7, b"tEXt") + b"pegbar\0" + text + bytes(4) + b"\0\0\0\0IEND\xae\x42\x60\x82"

    good, bad = holds(path, cases(), lambda: job_of(read_card(path)))
    assert good > 50 and bad > 400
