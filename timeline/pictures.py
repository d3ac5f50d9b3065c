"""Pictures from the file's images and from the disk: copied where the engine reads their kind, else turned into PNGs a few rows a piece."""

import struct
import zlib
from collections.abc import Generator, Sequence
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from ..engine.protocol import InputFile, JobFolder, PegbarError
from .colours import encoded
from .places import Source, write_input

READABLE = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"}
"""The kinds of file that the engine reads."""

PNG = b"\x89PNG\r\n\x1a\n"
STARTS = (PNG, b"\xff\xd8\xff", b"II", b"MM", b"RIFF", b"BM")
"""What files of these kinds begin with."""

PIECE = 1 << 18
"""Pixels that are compressed at a time: some 10 ms."""


def read_image(
    scene: bpy.types.Scene, sources: Sequence[Source], frames: Sequence[int], folder: JobFolder, name: str
) -> Generator[float, None, tuple[InputFile, ...]]:
    """Writes one image of the .blend, packed, painted or generated ones too; it stands on every frame."""
    image = bpy.data.images.get(sources[0].name)
    if image is None:
        raise PegbarError(f"The image {sources[0].name!r} is no longer there: undo its deletion or choose another")
    if image.source == "MOVIE":
        raise PegbarError(f"{image.name!r} is a movie: put it into the sequencer and choose its strip")
    path = Path(bpy.path.abspath(image.filepath, library=image.library))
    is_file = image.source in ("FILE", "SEQUENCE") and not image.is_dirty
    if is_file and image.packed_file and path.suffix.lower() in READABLE:
        file = folder.input_file(name, 1, path.suffix.lower())
        write_input(folder.file(file), image.packed_file.data)
    elif is_file and not image.packed_file:
        return (yield from read_file(scene, [Source("FILE", str(path))], frames, folder, name))
    else:
        file = folder.input_file(name, 1, ".png")
        write_input(folder.file(file), (yield from _png(pixels_of(image))))
    return tuple(InputFile(frame, file) for frame in frames)


def read_file(
    scene: bpy.types.Scene, sources: Sequence[Source], frames: Sequence[int], folder: JobFolder, name: str
) -> Generator[float, None, tuple[InputFile, ...]]:
    """Writes one picture from the disk; it stands on every frame."""
    path = Path(bpy.path.abspath(sources[0].name))
    if path.suffix.lower() in READABLE:
        file = folder.input_file(name, 1, path.suffix.lower())
        copy(path, folder.file(file))
        yield 1.0
    else:
        file = folder.input_file(name, 1, ".png")
        write_input(folder.file(file), (yield from _png(loaded(path))))
    return tuple(InputFile(frame, file) for frame in frames)


def copy(path: Path, to: Path) -> None:
    """Copies a picture into the take. Raises PegbarError that says which side refused, or what is wrong with the picture."""
    write_input(to, bytes_of(path))


def bytes_of(path: Path) -> bytes:
    """A picture's file. Raises PegbarError where it cannot be read or a quick look finds it damaged."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PegbarError(f"{path} cannot be read ({error.strerror or error}): put it back or choose another picture") from error
    if fault := _fault(data):
        raise PegbarError(f"{path} {fault}: export it again or choose another picture")
    return data


def _fault(data: bytes) -> str:
    """What a quick look finds wrong with a picture's file, here where its own name is known; the engine reads every pixel."""
    if not data:
        return "is empty"
    if not data.startswith(STARTS):
        return "is no picture"
    return "" if not data.startswith(PNG) or _is_whole_png(memoryview(data)) else "is damaged"


def _is_whole_png(data: memoryview) -> bool:
    """Whether all chunks that matter are there to the last and unchanged."""
    at = len(PNG)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        is_whole = data[end : end + 4] == zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        if kind[:1].isupper() and not is_whole:
            return False
        if kind == b"IEND":
            return True
        at = end + 4
    return False


def loaded(path: Path) -> NDArray[np.float32]:
    """A file of any kind that Blender reads: (h, w, 4) sRGB with straight alpha, 0..1, top row first. Raises PegbarError."""
    try:
        image = bpy.data.images.load(str(path), check_existing=False)
    except RuntimeError as error:
        raise PegbarError(f"{path} cannot be read as a picture: put it back or choose another") from error
    try:
        if image.source == "MOVIE" or (not image.has_data and not len(image.pixels)):
            raise PegbarError(f"{path} is no picture: choose an image file, or put a movie into the sequencer and choose its strip")
        return pixels_of(image)
    finally:
        bpy.data.images.remove(image)


def pixels_of(image: bpy.types.Image) -> NDArray[np.float32]:
    """(h, w, 4) sRGB with straight alpha, 0..1, top row first."""
    width, height = image.size
    if not width or not height:
        raise PegbarError(f"The image {image.name!r} has no pixels: its file {image.filepath!r} is gone, put it back or choose another")
    values = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(values)
    pixels = np.ones((height, width, 4), np.float32)
    values = values.reshape(height, width, image.channels)[::-1]
    pixels[..., : image.channels if image.channels > 2 else 3] = values if image.channels > 2 else values[..., :1]
    if image.is_float:
        # float images are linear and multiplied by their alpha
        pixels[..., :3] = encoded(pixels[..., :3] / np.where(pixels[..., 3:] > 0, pixels[..., 3:], 1))
    return pixels


def _png(pixels: NDArray[np.float32]) -> Generator[float, None, bytes]:
    """The PNG of pixels (h, w, 4), 0..1."""
    height, width = pixels.shape[:2]
    compressor, parts = zlib.compressobj(1), []
    rows = max(1, PIECE // width)
    for top in range(0, height, rows):
        lines = np.rint(np.clip(pixels[top : top + rows], 0, 1) * 255).astype(np.uint8).reshape(-1, width * 4)
        # each line begins with the number of its filter: none
        parts.append(compressor.compress(np.pad(lines, ((0, 0), (1, 0))).tobytes()))
        yield min(1.0, (top + rows) / height)
    parts.append(compressor.flush())
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return PNG + _chunk(b"IHDR", header) + _chunk(b"IDAT", b"".join(parts)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
