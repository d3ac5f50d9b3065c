"""Takes and pictures from strangers: nothing outside the take is read or written, nothing is waited for, nothing is run."""

import io
import json
import os
import struct
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from pegbar.engine.__main__ import BAD_USAGE, main
from pegbar.engine.drawing.frames import image_size, read_image
from pegbar.engine.errors import INPUT_UNREADABLE, PLACE_REFUSED, TAKE_DAMAGED
from pegbar.engine.protocol import Failed, JobFolder, PegbarError
from pegbar.engine.strokes import Strokes
from pegbar.engine.worker import run_job

from .takes import png, still_take

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps links and pipes to administrators")
SECRET = b"the user's own"


@pytest.fixture
def elsewhere(tmp_path) -> Path:
    """A folder of the user's with a file in it, which must stay as it is."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "0001.png").write_bytes(SECRET)
    (folder / ".notes.part").write_bytes(SECRET)
    return folder


def untouched(elsewhere: Path) -> bool:
    return {path.name: path.read_bytes() for path in elsewhere.iterdir()} == {"0001.png": SECRET, ".notes.part": SECRET}


def ends_with(folder: JobFolder, *ids: str) -> str:
    """Runs the job, which fails with one of these numbers, and gives the sentence."""
    try:
        end = run_job(folder)
    except PegbarError as error:
        end = Failed(str(error), id=error.id)
    assert isinstance(end, Failed) and end.id in ids and not end.traceback and "\n" not in end.text, end
    return end.text


def name_as_input(folder: JobFolder, file: str) -> None:
    data = json.loads((folder.path / "job.json").read_text())
    data["inputs"]["image"][1]["file"] = file
    (folder.path / "job.json").write_text(json.dumps(data))


@pytest.mark.parametrize(
    "file",
    ["/etc/hostname.png", "../elsewhere/0001.png", "inputs/../../../elsewhere/0001.png", "inputs/image/\0.png", "inputs/\ud800.png", "x" * 5000 + ".png"],
)  # fmt: skip
def test_an_input_outside_the_take_is_not_read(tmp_path, elsewhere, file):
    folder = still_take(tmp_path)
    name_as_input(folder, file)
    ends_with(folder, TAKE_DAMAGED, INPUT_UNREADABLE)
    assert untouched(elsewhere) and not (folder.outputs / "clip/0002.png").exists()


@needs_links
@pytest.mark.parametrize("link", ["inputs/image/0002.png", "inputs/image", "inputs"])
def test_a_link_out_of_the_take_is_not_followed_for_reading(tmp_path, elsewhere, link):
    folder = still_take(tmp_path)
    path = folder.path / link
    path.rename(tmp_path / "moved")
    path.symlink_to(elsewhere / "0001.png" if link.endswith(".png") else tmp_path / "moved")
    assert "tampered" in ends_with(folder, TAKE_DAMAGED)


@needs_links
@pytest.mark.parametrize(
    "link", ["outputs", "outputs/clip", "state", "worker.log", "events.jsonl", "preview.png", "provenance.json", "reserve"]
)
def test_a_link_out_of_the_take_is_not_written_through(tmp_path, elsewhere, link):
    folder = still_take(tmp_path)
    path = folder.path / link
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(elsewhere if link in ("outputs", "outputs/clip", "state") else elsewhere / "0001.png")
    ends_with(folder, TAKE_DAMAGED)
    assert untouched(elsewhere)


@needs_links
def test_a_takes_folder_that_is_itself_reached_by_a_link_is_used(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "takes").symlink_to(tmp_path / "disk")
    folder = still_take(tmp_path / "takes")
    assert not isinstance(run_job(folder), Failed) and len(folder.state().frames) == 4


@needs_links
@pytest.mark.parametrize("special", ["pipe", "/dev/zero", "/dev/random", "folder"])
@pytest.mark.parametrize("name", ["inputs/image/0002.png", "job.json", "events.jsonl"])
def test_a_pipe_or_a_device_is_not_waited_for(tmp_path, name, special):
    folder = still_take(tmp_path)
    path = folder.path / name
    path.unlink(missing_ok=True)
    if special == "pipe":
        os.mkfifo(path)
    elif special == "folder":
        path.mkdir()
    else:
        path.symlink_to(special)
    ends_with(folder, TAKE_DAMAGED, INPUT_UNREADABLE, PLACE_REFUSED)
    assert not folder.is_running
    with pytest.raises(PegbarError):
        folder.read_job(), folder.state(), read_image(path), Strokes.load(path)


def test_an_event_that_names_a_file_outside_is_not_followed(tmp_path, elsewhere):
    folder = still_take(tmp_path)
    (folder.path / "events.jsonl").write_text('{"event": "frame", "output": "clip", "frame": 1, "file": "../elsewhere/0001.png"}\n')
    ends_with(folder, TAKE_DAMAGED)
    assert untouched(elsewhere)


@pytest.mark.parametrize(
    "shot",
    [
        {"last": 10**15},
        {"first": -(10**15)},
        {"fps": 1e999},
        {"fps": "nan"},
        {"last": 1e999},
        {"step": -1},
        {"first": "1" * 5000},
    ],
)
def test_a_shot_that_would_never_end_is_refused(tmp_path, shot):
    folder = still_take(tmp_path)
    data = json.loads((folder.path / "job.json").read_text())
    data["shot"] |= shot
    (folder.path / "job.json").write_text(json.dumps(data))
    ends_with(folder, TAKE_DAMAGED)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int, *chunks: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")


TEXT = chunk(b"zTXt", b"comment\0\0" + zlib.compress(bytes(200 << 20), 9))


@pytest.mark.parametrize("data", [bomb(60_000, 60_000), bomb(2**31 - 1, 2**31 - 1), bomb(9000, 9000), bomb(64, 64, TEXT)])
def test_a_picture_that_would_fill_the_memory_is_refused(tmp_path, data):
    path = tmp_path / "a.png"
    path.write_bytes(data)
    for read in (read_image, image_size):
        with pytest.raises(PegbarError) as raised:
            if read(path) == (64, 64):
                raise PegbarError("its size alone is no harm", INPUT_UNREADABLE)
        assert raised.value.id == INPUT_UNREADABLE


def test_a_picture_that_would_start_another_program_is_not_opened(tmp_path):
    """Pillow hands PostScript to Ghostscript."""
    path, trace = tmp_path / "a.png", tmp_path / "trace"
    path.write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(" + str(trace).encode() + b") (w) file\nshowpage\n%%EOF\n"
    )
    with pytest.raises(PegbarError, match="no picture that can be read"):
        read_image(path)
    assert not trace.exists()


def drawing_with(**arrays: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in arrays.items():
            archive.writestr(f"{name}.npy", data)
    return buffer.getvalue()


def array(shape: str, kind: str = "<f8", data: bytes = b"") -> bytes:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


class Malicious:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return open, (str(self.trace), "w")


def test_a_drawing_is_no_place_for_a_program(tmp_path):
    trace, path, buffer = tmp_path / "trace", tmp_path / "a.npz", io.BytesIO()
    np.save(buffer, np.array([Malicious(trace)], object), allow_pickle=True)
    for data in (drawing_with(names=buffer.getvalue()), buffer.getvalue()):
        path.write_bytes(data)
        with pytest.raises(PegbarError) as raised:
            Strokes.load(path)
        assert raised.value.id == INPUT_UNREADABLE
    assert not trace.exists()


@pytest.mark.parametrize(
    "shape", ["(1000000000000,)", "(-1,)", "(2, 9223372036854775807)", "(1e9,)", "(((((1,)", "(" * 60_000, "__import__('os')"]
)
def test_a_drawing_of_absurd_size_is_refused(tmp_path, shape):
    path = tmp_path / "a.npz"
    path.write_bytes(drawing_with(names=array(shape, "|u1")))
    with pytest.raises(PegbarError):
        Strokes.load(path)


def test_a_drawing_that_unpacks_to_more_than_the_memory_is_refused(tmp_path):
    path, data = tmp_path / "a.npz", bytearray(drawing_with(names=array("(3,)", "|u1", b"{}")))
    at = data.index(b"PK\1\2") + 24
    data[at : at + 4] = struct.pack("<I", 0xFFFFFF00)
    path.write_bytes(data)
    with pytest.raises(PegbarError, match="is said to hold 4294967040 bytes"):
        Strokes.load(path)


@needs_links
def test_a_pipe_given_to_the_command_line_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    assert main(["still", "--image", str(tmp_path / "a.png"), "--out", str(tmp_path / "take")]) == BAD_USAGE


def test_a_good_picture_and_a_good_take_are_not_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(png(1))
    assert read_image(tmp_path / "a.png").shape == (16, 16, 4)
    assert not isinstance(run_job(still_take(tmp_path)), Failed)
