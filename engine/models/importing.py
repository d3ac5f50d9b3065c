"""Takes files that the user has already: says what each is, and links it to where it is looked for, or copies it where it cannot.

Core. A file is known by its tensors, whatever it is called; nothing that a checkpoint may hold is run.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from ..errors import DISK_FULL, INPUT_UNFIT
from ..protocol import PegbarError, refused
from ..setup.state import amount
from ..spec import Pipeline, Weights
from .cards import methods
from .layout import under
from .records import File, Record, write
from .signatures import CHECKPOINTS, Network, todays
from .tensors import SUFFIXES, shapes

RESERVE = 64 << 20
_DEPTH = 6
"""How deep a folder is looked through: a cache of Hugging Face's tools has five levels."""
_USUAL = ("diffusion_pytorch_model", "pytorch_model", "model", "unet", "motions", "")
"""Names that say nothing of a motion."""
_READ_BYTES = 4 << 20

Tell = Callable[[str, int, int], None]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """A checkpoint of the catalog among the user's files: its files by what they are called in it ("" where it is one file)."""

    spec: Pipeline
    weights: Weights
    files: Mapping[str, Path]
    is_exact: bool
    """All tensors are as published, not only those that tell it."""

    @property
    def place(self) -> Path:
        """The file or the folder that it is."""
        first = next(iter(self.files.items()))
        return first[1] if first[0] == "" else first[1].parents[first[0].count("/")]

    @property
    def name(self) -> str:
        """What the user knows it by."""
        return next(iter(self.files.values())).name if self.weights.joined else self.place.name


def take(paths: Sequence[Path], folders: Sequence[Path], tell: Tell, say: Say, copy: bool = False) -> list[Path]:
    """Takes what is known among files and folders into the first of the folders, and says of each file what it is; gives the places.
    Raises PegbarError where nothing is taken."""
    found: dict[Path, Found] = {}
    for number, path in enumerate(paths):
        tell("Looking at the files", number, len(paths))
        for one in recognised(path.absolute(), say):
            found.setdefault(one.place, one)
    placed = [place for one in found.values() if (place := _placed(one, folders, tell, say, copy)) is not None]
    if not found:
        raise PegbarError("None of these files is a model of Pegbar's: the cards say what is needed", INPUT_UNFIT)
    return placed


def recognised(path: Path, say: Say, depth: int = 0) -> Iterator[Found]:
    """The checkpoints that a file is, or a folder is or holds; of what is none it is said why."""
    if not path.exists():
        raise PegbarError(f"There is no file or folder {path}: check the path", INPUT_UNFIT)
    if path.is_file():
        yield from _of_file(path, say)
    elif (whole := _of_folder(path)) is not None:
        yield whole
    elif depth < _DEPTH:
        for inner in sorted(path.iterdir()):
            if inner.is_dir() or inner.suffix in SUFFIXES:
                yield from recognised(inner, say, depth + 1)


def _of_file(path: Path, say: Say) -> Iterator[Found]:
    if path.suffix not in SUFFIXES:
        say(f"{path.name} is not a file of weights: they end in {', '.join(SUFFIXES)}")
        return
    try:
        there = todays(shapes(path))
    except PegbarError as error:
        say(str(error))
        return
    matches = [(key, network) for key, parts in CHECKPOINTS.items() for network in parts.values() if network.likeness(there) != "other"]
    if not matches:
        say(f"{path.name} is not a file of any Pegbar pipeline: no method of its knows such tensors")
        return
    key, network = matches[0]
    spec, weights = _entry(key)
    if (name := _alone(weights, path)) is not None:
        yield Found(spec, weights, {name: path, **_beside(weights, name, path)}, network.likeness(there) == "same")
    elif (whole := next((whole for folder in list(path.parents)[:2] if (whole := _of_folder(folder)) is not None), None)) is not None:
        yield whole
    else:
        say(f"{path.name} is {network.label}, a part of {weights.names[0]}: choose the whole folder, with {', '.join(weights.files)} in it")


def _alone(weights: Weights, path: Path) -> str | None:
    """What a file is called in its checkpoint, where it makes one by itself; else None."""
    if weights.joined:
        return f"diffusion_pytorch_model{path.suffix}"
    return "" if _is_file(weights) else None


def _is_file(weights: Weights) -> bool:
    return Path(weights.names[0]).suffix in SUFFIXES


def _beside(weights: Weights, name: str, path: Path) -> dict[str, Path]:
    """What a motion's settings, picture and name are."""
    beside = {file: path.parent / file for file in ("config.json", "motion.json", "motion.png")} if name else {}
    return {file: place for file, place in beside.items() if place.is_file()}


def _of_folder(folder: Path) -> Found | None:
    """The checkpoint that a folder is, by the networks of its parts."""
    listed = [path.relative_to(folder).as_posix() for path in _files(folder)]
    for key, parts in CHECKPOINTS.items():
        spec, weights = _entry(key)
        found = [under(PurePosixPath(), name, listed) for name in weights.files]
        if _is_file(weights) or not found or not all(found):
            continue
        files = {file: path for part in found for file, path in part.items()}
        likenesses = {_likeness(network, folder, files, part) for part, network in parts.items()}
        if "other" not in likenesses:
            return Found(spec, weights, {name: folder / path for name, path in files.items()}, likenesses == {"same"})
    return None


def _likeness(network: Network, folder: Path, files: Mapping[str, str], part: str) -> str:
    """How alike a network is to the tensors in a part of a checkpoint, which may be in several files."""
    there: dict[str, tuple[int, ...]] = {}
    for name, path in files.items():
        if Path(path).suffix in SUFFIXES and (part in ("", name) or name.startswith(f"{part}/")):
            try:
                there |= todays(shapes(folder / path))
            except PegbarError:
                return "other"
    return network.likeness(there)


def _files(folder: Path) -> Iterator[Path]:
    """The files of a folder and of the folders in it: no deeper, or a whole disk may be looked through."""
    for path in folder.iterdir():
        if path.is_dir() and not path.name.startswith("."):
            yield from (inner for inner in path.iterdir() if inner.is_file())
        elif path.is_file():
            yield path


def _entry(key: tuple[str, str]) -> tuple[Pipeline, Weights]:
    spec = next(spec for spec in methods() if spec.name == key[0])
    return spec, next(weights for weights in spec.weights if weights.name == key[1])


def _placed(found: Found, folders: Sequence[Path], tell: Tell, say: Say, copy: bool) -> Path | None:
    """Puts a checkpoint to where it is looked for; None where it is there, or there is no name for it."""
    spec, weights, own = found.spec, found.weights, folders[0]
    label = next(iter(CHECKPOINTS[spec.name, weights.name].values())).label
    what = f"{found.name} is {label}" + ("" if found.is_exact else ", though not all of its tensors are as published")
    if weights.name == "svd" and "xt" in found.place.stem.lower():
        say(
            f"{found.place.name} is Stable Video Diffusion, by its name the model of 25 frames: {spec.label} needs that of 14, svd.safetensors"
        )
        return None
    target = _target(found, own)
    if target is None:
        say(f"{what}, but {spec.label} takes it as {' or '.join(weights.names)} alone: get it in that form")
    elif target.exists():
        say(f"{what}; it is in {target.parent} already")
    else:
        how, files = _transferred(found, target, tell, copy)
        write(target, Record(f"imported: {label}", "", weights.licence, files))
        say(f"{what}: {how} to {target}")
        return target
    return None


def _target(found: Found, own: Path) -> Path | None:
    """Where a checkpoint is looked for, by a name that says what form it is in."""
    weights, folder = found.weights, own / found.spec.weights_folder
    if weights.joined:
        return folder / weights.names[0] / _motion(found)
    if list(found.files) != [""]:
        return folder / weights.names[0]
    pickled = found.place.suffix != ".safetensors"
    name = next((name for name in weights.names if (Path(name).suffix != ".safetensors") == pickled), "")
    return folder / name if name else None


def _motion(found: Found) -> str:
    """What a motion's folder is called: after its file, or else after the folder that it lies in."""
    file = next(iter(found.files.values()))
    names = (file.stem, file.parent.name, file.parent.parent.name)
    return next((name for name in names if name not in _USUAL and not name.startswith("checkpoint")), "motion")


def _transferred(found: Found, target: Path, tell: Tell, copy: bool) -> tuple[str, tuple[File, ...]]:
    """Links or copies the files beside their place, hashes them, and gives them their name; says how, and what they are."""
    parts = target.with_name(f".{target.name}.import")
    total = sum(path.stat().st_size for path in found.files.values())
    ways, recorded, done = set(), [], 0
    try:
        shutil.rmtree(parts, ignore_errors=True)
        for name, path in found.files.items():
            place = parts / (name or target.name)
            place.parent.mkdir(parents=True, exist_ok=True)
            ways.add(way := _link(path.resolve(), place, copy, total - done))
            sha256 = _hashed(path, place if way == "copied" else None, partial(_told, tell, target.name, done, total))
            recorded.append(File(name or target.name, path.stat().st_size, sha256))
            done += path.stat().st_size
        os.replace(parts / target.name if list(found.files) == [""] else parts, target)
        shutil.rmtree(parts, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(parts, ignore_errors=True)
        raise refused(target.parent, error) from error
    return " and ".join(sorted(ways)), tuple(recorded)


def _told(tell: Tell, name: str, before: int, total: int, read: int) -> None:
    tell(f"Taking {name}", before + read, total)


def _link(source: Path, place: Path, copy: bool, size: int) -> str:
    """A second name for a file where the disk knows such, else a link, else room for a copy; says which."""
    if not copy:
        for link in (os.link, os.symlink):
            try:
                link(source, place)
                return "linked"
            except (OSError, NotImplementedError):  # of another disk; not allowed on Windows
                continue
    if size + RESERVE > (free := shutil.disk_usage(place.parent).free):
        raise PegbarError(f"The disk of {place.parent} has {amount(free)} left, {amount(size)} are needed: free some space", DISK_FULL)
    return "copied"


def _hashed(source: Path, place: Path | None, tell: Callable[[int], None]) -> str:
    """The SHA-256 of a file, which is copied to a place meanwhile where there is one."""
    known, read = hashlib.sha256(), 0
    with open(source, "rb") as file, open(place or os.devnull, "wb") as written:
        while data := file.read(_READ_BYTES):
            known.update(data)
            if place:
                written.write(data)
            read += len(data)
            tell(read)
        if place:
            written.flush()
            os.fsync(written.fileno())
    return known.hexdigest()
