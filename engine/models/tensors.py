"""The names and shapes of the tensors in a file of weights, read without its data and without running what a pickle says.

Standard library only.
"""

import json
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from ..errors import MODEL_DAMAGED, MODEL_UNSAFE
from ..protocol import PegbarError

SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")
"""What files of weights end in."""
MOST_BYTES = 100_000_000
"""Of a header or of a pickle without its tensors: those of the largest models have a few megabytes."""
_DAMAGED = (
    EOFError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    AssertionError,
    NotImplementedError,
    MemoryError,
)
_BROKEN = (*_DAMAGED, RecursionError, OverflowError, zipfile.BadZipFile, zipfile.LargeZipFile, struct.error, pickle.UnpicklingError)

_BITS = {
    **dict.fromkeys(("F4",), 4), **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16), **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}  # fmt: skip
"""Of one number of each of the format's types."""

Shapes = Mapping[str, tuple[int, ...]]


def shapes(path: Path) -> Shapes:
    """The shapes of a file's tensors by their names; of a list of tensors by their places. Raises PegbarError where it is damaged, no file
    of weights, or a pickle that would run a program."""
    try:
        return _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
    except _Program as error:
        raise PegbarError(
            f"{path} holds more than weights, so it was not opened: it may run a program ({error}); get it from its authors", MODEL_UNSAFE
        ) from error
    except _BROKEN as error:
        raise PegbarError(f"{path} is damaged or no file of weights ({_words(error)}): get it again", MODEL_DAMAGED) from error


def _safetensors(path: Path) -> Shapes:
    size = path.stat().st_size
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > min(MOST_BYTES, size - 8):
            raise ValueError(f"its header is said to have {length} bytes")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    found, end = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        found[name] = _shape(entry["shape"])
        first, last = entry["data_offsets"]
        if first != end or (last - first) * 8 != math.prod(found[name]) * _BITS[entry["dtype"]]:
            raise ValueError(f"{name} does not lie where it should")
        end = last
    if end != size - 8 - length:
        raise ValueError("it is cut off" if end > size - 8 - length else "there is more in it than it says")
    return found


def _pickled(path: Path) -> Shapes:
    content = _content(path)
    state = content.get("state_dict", content) if isinstance(content, Mapping) else dict(enumerate(content))
    found = {str(name): value.shape for name, value in state.items() if isinstance(value, _Tensor)}
    if not found:
        raise ValueError("it holds no tensors")
    return found


def _content(path: Path) -> Any:
    """What a pickle holds, in PyTorch's form of today (a zip) or of before 1.6 (pickles one after the other)."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            entry = next((entry for entry in archive.infolist() if entry.filename.endswith("data.pkl")), None)
            if entry is None:
                raise ValueError("it is a zip without a list of tensors")
            if entry.file_size > MOST_BYTES:
                raise ValueError(f"its list of tensors has {entry.file_size} bytes")
            with archive.open(entry) as file:
                return _Reader(BytesIO(file.read(MOST_BYTES))).load()
    with open(path, "rb") as file:
        head = BytesIO(file.read(MOST_BYTES))
    for _ in range(3):  # a magic number, a version, a system
        _Reader(head).load()
    return _Reader(head).load()


class _Program(Exception):
    """A pickle calls something."""


class _Tensor:
    """Stands for a tensor."""

    def __init__(self, shape: Any) -> None:
        self.shape = _shape(shape)


class _Nothing:
    """Stands for a number or a path, of which nothing is needed."""

    def __setstate__(self, _: Any) -> None:
        pass


class _Inert(type):
    """The class of what stands for the classes that a pickle names. One of them may be made and given a state, which does nothing; a call,
    the way in which a pickle runs a program, is refused, but for what trainers keep numbers and paths as."""

    def __call__(cls, *arguments: Any) -> Any:
        if cls.__name__ in _REBUILT:
            return _REBUILT[cls.__name__](*arguments)
        if cls.__name__ in _PLAIN:
            return _Nothing()
        raise _Program(cls.__name__)


_PLAIN = (
    *("numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "_codecs.encode", "torch.device"),
    *("pathlib.PosixPath", "pathlib.WindowsPath", "builtins.set", "builtins.bytearray", "builtins.complex", "collections.Counter"),
)
"""What PyTorch's own safe reader, or the pipelines', lets by."""
_REBUILT: Mapping[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": lambda storage, offset, size, *_: _Tensor(size),
    "torch._utils._rebuild_tensor_v2": lambda storage, offset, size, *_: _Tensor(size),
    "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
    "torch._utils._rebuild_parameter_with_state": lambda tensor, *_: tensor,
    "torch.Size": tuple,
}


# The reader in Python: that in C sets aside as much memory as a few bytes of a pickle tell it to.
class _Reader(pickle._Unpickler):
    """Reads a pickle in which every class is replaced."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        body = {"__new__": lambda cls, *_: object.__new__(cls), "__setstate__": lambda self, state: None}
        return _Inert(f"{module}.{name}", (), body)

    def persistent_load(self, _: Any) -> None:
        return None  # where a tensor's data lie


def _shape(sizes: Any) -> tuple[int, ...]:
    shape = tuple(int(size) for size in sizes)
    if any(size < 0 for size in shape) or math.prod(shape) > 1 << 50:
        raise ValueError(f"a tensor of {shape}")
    return shape


def _words(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
