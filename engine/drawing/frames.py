"""Image files and movies to float arrays and back: the only file that knows pixel formats.

An image is a float32 array (h, w, 4): RGBA, sRGB 0..1, straight alpha. Colour profiles are not applied, as in Blender.
"""

import contextlib
import io
import itertools
import struct
import warnings
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from ..errors import INPUT_UNREADABLE, TAKE_DAMAGED
from ..protocol import InputFile, JobFolder, PegbarError
from ..strokes import Strokes

MAX_PIXELS = 8192 * 8192
"""A larger picture is refused: as floats it would take over 1 GB."""

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
"""What is read: others have no need, and for some Pillow starts another program."""

_DAMAGED = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, RuntimeError, AttributeError, MemoryError,
    struct.error, zlib.error,
)  # fmt: skip
"""What Pillow and PyAV raise on damaged files: Pillow has no exception of its own for it."""


def read_image(path: Path) -> NDArray[np.float32]:
    """Reads a PNG, JPEG, TIFF, WebP or BMP of 8 or 16 bits, turned upright as its EXIF data say; of an animation, the first frame.

    8-bit values are exactly k/255. Raises PegbarError where the file is missing, damaged, of another kind, or over MAX_PIXELS.
    """
    with _picture(path) as picture:
        if _has_16_bit_colour(picture) and (values := _decode_16_bits(path)) is not None:
            return values
        return _floats(ImageOps.exif_transpose(picture))


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of an upright image or of a drawing's sketch; of an image only the header is read. Raises PegbarError."""
    if path.suffix == ".npz":
        return Strokes.load(path).size
    with _picture(path) as picture:
        turned = picture.getexif().get(0x0112, 1) >= 5
        return (picture.height, picture.width) if turned else picture.size


def encode_png(image: NDArray[Any], text: Mapping[str, str] | None = None) -> bytes:
    """The 8-bit PNG of an image (h, w) or (h, w, 1, 3 or 4), floats 0..1: the same image gives the same bytes, k/255 gives exactly k.

    Values out of range are clipped, NaN is 0. Bytes (h, w, 4) are taken as a cel, of few colours. `text` is kept in the file's header.
    """
    if image.dtype == np.uint8:
        return _encode_cel(image, text or {})
    values = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    info = PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        info.add_text(key, value)
    buffer = io.BytesIO()
    # Level 1: 50 ms for 1920x1080 RGBA of flat colours; level 6 takes half as long again (on scans three times) to save 15 %.
    Image.fromarray(_bytes(values)).save(buffer, "PNG", compress_level=1, pnginfo=info)
    return buffer.getvalue()


def _encode_cel(image: NDArray[np.uint8], text: Mapping[str, str]) -> bytes:
    """The PNG of flat colours: without filters, which take three times as long and make it larger."""
    height, width, _ = image.shape
    lines = np.zeros((height, 1 + width * 4), np.uint8)  # each line begins with the number of its filter: none
    lines[:, 1:] = image.reshape(height, -1)
    words = [b"tEXt", b"iTXt"]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))]
    chunks += [(words[0], key.encode("latin-1") + b"\0" + value.encode("latin-1")) for key, value in text.items() if value.isascii()]
    chunks += [(words[1], key.encode("latin-1") + bytes(5) + value.encode()) for key, value in text.items() if not value.isascii()]
    chunks += [(b"IDAT", zlib.compress(lines.data, 1)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def write_mp4(path: Path, frames: Iterable[NDArray[Any]], fps: float) -> None:
    """Writes images of one size as an H.264 movie that plays everywhere; alpha lies on white, odd sizes gain a row or a column.

    Raises PegbarError where there are no frames or the file cannot be written.
    """
    images = iter(frames)
    first = next(images, None)
    if first is None:
        raise PegbarError(f"{path} would have no frames: nothing was written")
    height, width = first.shape[:2]
    try:
        with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as movie:
            stream: Any = movie.add_stream(
                "libx264" if "libx264" in av.codecs_available else "mpeg4", Fraction(fps).limit_denominator(1001)
            )
            stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
            if stream.name == "libx264":
                stream.options = {"crf": "16", "preset": "veryfast"}
            for image in itertools.chain([first], images):
                even = np.pad(_bytes(_on_white(image)), ((0, height % 2), (0, width % 2), (0, 0)), "edge")
                movie.mux(stream.encode(av.VideoFrame.from_ndarray(even, "rgb24")))
            movie.mux(stream.encode(None))
    except OSError as error:
        raise PegbarError(f"{path} cannot be written ({error.strerror or error}): choose another place") from error


def read_movie(path: Path) -> Iterator[NDArray[np.float32]]:
    """The frames of a movie in order, one in memory at a time. Raises PegbarError where it is missing or damaged."""
    try:
        with av.open(str(path)) as movie:
            for frame in movie.decode(video=0):
                yield _floats(frame.to_image())
    except FileNotFoundError as error:
        raise _gone(path) from error
    except _DAMAGED as error:
        raise PegbarError(
            f"{path} is no movie that can be read or is damaged ({_reason(error)}): export it again", INPUT_UNREADABLE
        ) from error


class Frames(Mapping[int, NDArray[np.float32] | Strokes]):
    """The frames of one input by frame number, in order; each is read from its file when it is asked for and not kept."""

    def __init__(self, folder: JobFolder, files: tuple[InputFile, ...]) -> None:
        self._files = {file.frame: folder.file(file.file) for file in sorted(files, key=lambda file: file.frame)}
        if len(self._files) < len(files):
            raise PegbarError(f"{folder.path.name} names a frame of an input twice: delete this take and start again", TAKE_DAMAGED)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The frame numbers, ascending."""
        return tuple(self._files)

    def file(self, number: int) -> Path:
        """The file of a frame; held frames share one."""
        return self._files[number]

    def shown(self, number: int) -> int:
        """The number of the frame on show at a frame number: each is held until the next, the first also before it."""
        return self.numbers[max(0, bisect_right(self.numbers, number) - 1)]

    def __getitem__(self, number: int) -> NDArray[np.float32] | Strokes:
        path = self._files[number]
        return Strokes.load(path) if path.suffix == ".npz" else read_image(path)

    def __iter__(self) -> Iterator[int]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


@contextlib.contextmanager
def _picture(path: Path) -> Iterator[Image.Image]:
    """An opened image; whatever is wrong with its file, on opening or on decoding, becomes a PegbarError that names it."""
    try:
        if path.exists() and not path.is_file():
            raise IsADirectoryError  # or a device or a pipe, whose end would be waited for
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise Image.DecompressionBombError(f"{picture.width}x{picture.height} pixels")
            yield picture
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise _gone(path) from error
    except Image.DecompressionBombError as error:
        raise PegbarError(f"{path} is too large ({_reason(error)}): export it with at most 8192x8192 pixels", INPUT_UNREADABLE) from error
    except UnidentifiedImageError as error:
        what = "is empty" if path.stat().st_size == 0 else "is no picture that can be read"
        raise PegbarError(f"{path} {what}: export it again as PNG, JPEG, TIFF, WebP or BMP", INPUT_UNREADABLE) from error
    except PermissionError as error:
        raise PegbarError(f"{path} may not be read: change its permissions", INPUT_UNREADABLE) from error
    except _DAMAGED as error:
        raise PegbarError(f"{path} is damaged ({_reason(error)}): export it again", INPUT_UNREADABLE) from error


def _floats(picture: Image.Image) -> NDArray[np.float32]:
    if picture.mode.startswith("I"):
        return _spread_grey(np.asarray(picture).clip(0, 65535) / np.float32(65535))
    if picture.mode == "F":
        return _spread_grey(np.nan_to_num(np.asarray(picture)).clip(0, 1))
    return np.divide(np.asarray(picture.convert("RGBA")), np.float32(255), dtype=np.float32)


def _spread_grey(grey: NDArray[Any]) -> NDArray[np.float32]:
    rgba = np.ones((*grey.shape, 4), np.float32)
    rgba[..., :3] = grey[..., None]
    return rgba


def _has_16_bit_colour(picture: Image.Image) -> bool:
    """Pillow keeps 16 bits of grey only; of colour it drops the lower byte."""
    return picture.mode in ("RGB", "RGBA") and any(";16" in str(tile.args) for tile in getattr(picture, "tile", ()))


def _decode_16_bits(path: Path) -> NDArray[np.float32] | None:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    if frame.format.name not in ("rgb48le", "rgb48be", "rgba64le", "rgba64be"):
        return None
    values = frame.to_ndarray()
    rgba = np.ones((*values.shape[:2], 4), np.float32)
    rgba[..., : values.shape[2]] = values / np.float32(65535)
    return rgba


def _bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    scaled = np.multiply(image, np.float32(255), dtype=np.float32)
    scaled += np.float32(0.5)
    np.fmax(scaled, 0, out=scaled)  # fmax and fmin pass over NaN
    np.fmin(scaled, 255, out=scaled)
    return np.ascontiguousarray(scaled.astype(np.uint8))


def _on_white(image: NDArray[Any]) -> NDArray[Any]:
    rgb = np.broadcast_to(image[..., None], (*image.shape, 3)) if image.ndim == 2 else image[..., :3]
    if image.ndim == 2 or image.shape[2] < 4:
        return np.broadcast_to(rgb, (*image.shape[:2], 3))
    return 1 + (rgb - 1) * image[..., 3:]


def _gone(path: Path) -> PegbarError:
    return PegbarError(f"{path} is not there: put it back or choose another file", INPUT_UNREADABLE)


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__).splitlines()[0]
