"""Original checkpoint files read safely and put into diffusers' and transformers' models strictly.

Knows no method: what a tensor is called where is its pipeline's `convert.py`. Never runs a pickle.
"""

import pickle
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open

from ..errors import MODEL_UNSAFE
from ..protocol import PegbarError

Tensors = Mapping[str, torch.Tensor]
Module = TypeVar("Module", bound=torch.nn.Module)

_PLAIN = ("numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "pathlib.PosixPath", "pathlib.WindowsPath")
"""What trainers keep a number or a path as: pickles call these, and are given nothing instead."""
_NO_CHECKPOINT = (
    RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError, OverflowError, MemoryError,
    struct.error, zipfile.BadZipFile,
)  # fmt: skip
"""What PyTorch's unpickler raises of a file that is none it can read."""
_SHOWN = 4
"""Names that an error lists of many."""


class SafeTensors(Mapping[str, torch.Tensor]):
    """The tensors of a safetensors file, each read when it is asked for."""

    def __init__(self, path: Path) -> None:
        """Raises PegbarError where the file is no whole safetensors file."""
        try:
            self._file = safe_open(path, "pt")
            self._names = frozenset(self._file.keys())
        except (SafetensorError, OSError) as error:
            raise PegbarError(f"{path} is damaged or no safetensors file ({error}): download it again") from error

    def __getitem__(self, name: str) -> torch.Tensor:
        if name not in self._names:
            raise KeyError(name)
        return self._file.get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names))

    def __len__(self) -> int:
        return len(self._names)


def read(path: Path) -> Tensors:
    """The tensors of a `.safetensors`, or of the state dict in a `.ckpt`, `.pt`, `.pth` or `.bin`, by their original names.

    Raises PegbarError where the file is missing, cut off, or a pickle that holds anything but data.
    """
    if not path.is_file():
        raise PegbarError(f"There is no file {path}: put the checkpoint there")
    if path.suffix == ".safetensors":
        return SafeTensors(path)
    content = read_pickle(path)
    state = content.get("state_dict", content) if isinstance(content, Mapping) else {}
    tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise PegbarError(f"{path} holds no weights: check that it is the file that was asked for")
    return tensors


def read_pickle(path: Path) -> Any:
    """What a PyTorch pickle holds, tensors mapped from the disk; objects of a trainer's own classes are there without effect. Raises
    PegbarError where it is damaged or would run code."""
    try:
        zipped = zipfile.is_zipfile(path)
        if not zipped and _head(path) in (b"PK", b""):
            raise PegbarError(f"{path} is not whole: download it again")
        with torch.serialization.safe_globals(_stand_ins(path) if zipped else []):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except pickle.UnpicklingError as error:
        text = f"{path} holds more than weights, so it was not opened: it may run a program; get it from its authors"
        raise PegbarError(text, MODEL_UNSAFE) from error
    except _NO_CHECKPOINT as error:
        raise PegbarError(f"{path} is damaged or no checkpoint ({_first_line(error)}): download it again") from error


class _Inert(type):
    """The class of classes that stand for those a checkpoint names: of what a trainer keeps beside the weights, nothing is needed. An
    instance may be made and given a state, which runs no code; a call, the way in which a pickle runs a program, is refused."""

    def __call__(cls, *_: object, **__: object) -> object:
        if cls.__name__ in _PLAIN:
            return super().__call__()
        raise pickle.UnpicklingError(f"it calls {cls.__name__}")


def _stand_ins(path: Path) -> list[tuple[type, str]]:
    """A class without effect for each global that PyTorch's safe unpickler does not know. The pickle is only looked through for them."""
    unknown = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    body = {"__new__": lambda cls, *_: object.__new__(cls), "__setstate__": lambda self, state: None}
    return [(_Inert(name, (), body), name) for name in unknown]


def _head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(2)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def fill(module: Module, tensors: Tensors, path: Path, dtype: torch.dtype = torch.float32) -> Module:
    """Gives a module, made on the meta device, its tensors: every one of them, each used, each of the right shape. It is set to
    evaluation and its parameters need no gradient. Raises PegbarError that names what does not fit."""
    wanted = {name: tensor.shape for name, tensor in module.state_dict().items()}
    if lacking := wanted.keys() - tensors.keys():
        raise PegbarError(f"{path} lacks {listed(lacking)}: it is not the checkpoint that was asked for, or not whole")
    if extra := tensors.keys() - wanted.keys():
        raise PegbarError(f"{path} has tensors that are not known here, {listed(extra)}: it is not the checkpoint that was asked for")
    values = {name: tensors[name].to(dtype) for name in wanted}
    if wrong := [name for name, value in values.items() if value.shape != wanted[name]]:
        shapes = f"{tuple(values[wrong[0]].shape)}, not {tuple(wanted[wrong[0]])}"
        raise PegbarError(f"{path} is of another size of the model ({listed(wrong)}: {shapes}): get the one that was asked for")
    module.load_state_dict(values, strict=True, assign=True)
    for part in module.modules():
        # transformers counts positions in a buffer that no checkpoint holds: on the meta device it was lost.
        if (positions := part._buffers.get("position_ids")) is not None and positions.is_meta:
            part._buffers["position_ids"] = torch.arange(positions.shape[-1])[None]
    return module.eval().requires_grad_(False)


def renamed(tensors: Tensors, names: Mapping[str, str]) -> dict[str, torch.Tensor]:
    """The tensors under new names: `names` leads from the original name to the new one; others are left out."""
    return {new: tensors[old] for old, new in names.items() if old in tensors}


def listed(names: Iterable[str]) -> str:
    """Some of the names, and how many more there are."""
    ordered = sorted(names)
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(ordered[:_SHOWN]) + more
