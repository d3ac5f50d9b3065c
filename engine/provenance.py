"""Where a picture comes from: a card with all that made it, kept beside a take and in each of its pictures.

Standard library only: the other side reads cards. Opens weights to hash them, and knows nothing of what is in them.
"""

import contextlib
import hashlib
import json
import os
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from . import __version__
from .catalog import PIPELINES
from .diagnostics import words
from .errors import NOT_RESTORED, TAKE_NEWER
from .protocol import PROTOCOL_VERSION, InputFile, Job, JobFolder, PegbarError, Shot, write_atomic
from .spec import Pipeline, Weights
from .weights import everywhere, listed

Card = dict[str, Any]

KEY = "pegbar"
"""Under which a PNG holds its card."""
SMALL = 1 << 20
"""Bytes up to which a file is hashed anew each time."""
MOST_CHUNKS, LONGEST_CARD = 64, 1 << 20
TAUGHT = {
    "licence": "That of the clips it was taught from", "commercial": "unclear", "reason": "It was taught with Pegbar: it is as free as its clips",
}  # fmt: skip
"""The terms of what users make themselves."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Used:
    """Weights that a job works with: what is published of them, and where they lie."""

    weights: Weights
    path: Path
    is_taught: bool = False
    """They are none of the published ones: somebody has taught them with Pegbar."""

    @property
    def terms(self) -> Card:
        """Under what terms they are used, in plain data."""
        published = self.weights
        if self.is_taught:
            return dict(TAUGHT)
        return {"licence": published.licence, "commercial": published.commercial, "reason": published.reason}


def used(spec: Pipeline, params: Mapping[str, Any], found: Mapping[str, Path], folders: Sequence[Path]) -> Iterator[Used]:
    """The weights that a job with these params works with, of those that were found for its pipeline."""
    for weights in spec.weights:
        choice = next((param for param in spec.params if param.listing and param.listing.weights == weights.name), None)
        if choice and choice.listing:
            entries = listed(spec, choice.listing, folders)
            if entry := next((entry for entry in entries if params.get(choice.name) in ("", entry.name)), None):
                yield Used(weights, entry.weights.parent if entry.weights.suffix == ".json" else entry.weights, entry.is_taught)
        elif not weights.is_made:  # what a pipeline makes of others is as they are
            yield from (Used(weights, path) for path in everywhere(found, weights.name) if path.exists())


def card_of(folder: JobFolder, job: Job, weights: Sequence[Used], device: str, precision: str) -> Card:
    """All that a job's result follows from: hashes its inputs and weights. The same job on the same machine gives the same card."""
    return {
        "pegbar": __version__,
        "protocol": PROTOCOL_VERSION,
        "pipeline": job.pipeline,
        "params": dict(job.params),
        "seed": job.seed,
        "shot": asdict(job.shot),
        "inputs": {name: [_input(folder, file) for file in files] for name, files in job.inputs.items()},
        "weights": {entry.weights.name: _weights(entry) for entry in weights},
        "device": device,
        "precision": precision,
        "origin": dict(job.origin),
    }


def embedded(card: Card, with_words: bool = True) -> str:
    """A card as it is kept in a picture: of the inputs one hash for all frames, and on request without what the user wrote himself."""
    inputs = {
        name: {"frames": [file["frame"] for file in files], "sha256": _digest(file["sha256"] for file in files)}
        for name, files in card["inputs"].items()
    }
    short = {**card, "inputs": inputs}
    if not with_words:
        own = set(words(PIPELINES.get(card["pipeline"]), card["params"]))
        short["params"] = {name: value for name, value in card["params"].items() if value not in own}
        del short["origin"]
    return json.dumps(short, sort_keys=True, separators=(",", ":"))


def keep(folder: JobFolder, card: Card) -> None:
    """Writes a card beside its take. Raises PegbarError."""
    write_atomic(folder.card_file, json.dumps(card, indent=1, sort_keys=True, ensure_ascii=False).encode())


def kept(folder: JobFolder) -> Card | None:
    """The card of a take; None where it has none that can be read."""
    try:
        return _checked(json.loads(folder.card_file.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def changed(before: Card, now: Card) -> list[str]:
    """The names of the inputs and weights that are other files than when a card was written."""
    names = [name for kind in ("inputs", "weights") for name in now[kind] if _hashes(before[kind].get(name)) != _hashes(now[kind][name])]
    return sorted(names)


def read_card(path: Path) -> Card:
    """The card in a picture. Raises PegbarError where there is none."""
    try:
        with open(path, "rb") as file:
            return _checked(json.loads(next(_cards(file))))
    except StopIteration:
        raise PegbarError(f"{path.name} has no settings of Pegbar in it: choose a picture from a take's folder", NOT_RESTORED) from None
    except OSError as error:
        raise PegbarError(f"{path} cannot be read ({error.strerror}): choose another picture", NOT_RESTORED) from error
    except (ValueError, KeyError, TypeError, RecursionError, struct.error, zlib.error) as error:
        raise PegbarError(f"The settings in {path.name} are damaged ({error}): choose another picture", NOT_RESTORED) from error


def job_of(card: Card) -> Job:
    """The request that a picture's card tells of, without its files. Raises PegbarError where a newer Pegbar made it."""
    if card["protocol"] > PROTOCOL_VERSION:
        text = f"The picture was made by a newer Pegbar ({card['pegbar']}): update this one ({__version__}) to restore its settings"
        raise PegbarError(text, TAKE_NEWER)
    inputs = {name: tuple(InputFile(frame, "") for frame in _told(entry)[0]) for name, entry in card["inputs"].items()}
    return Job(card["pipeline"], card["params"], inputs, Shot(**card["shot"]), card["seed"], origin=card.get("origin", {}))


def sha256_of(path: Path, cache: Path | None = None) -> str:
    """The sha256 of a file, or of all names and hashes in a folder; empty where there is neither. Of a large file that is as it was last
    time, the one in the cache."""
    if path.is_dir():
        names = sorted(inner.relative_to(path) for inner in path.rglob("*"))
        return _digest(f"{name.as_posix()} {sha256_of(path / name, cache)}" for name in names if _counts(path, name))
    if not path.is_file():
        return ""  # not there, or a pipe or a device that never ends
    state = path.stat()
    if state.st_size <= SMALL:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    cache = cache or cache_file()
    key, stamp = str(path.absolute()), [state.st_size, state.st_mtime_ns]
    if (known := _known(cache).get(key)) and known[:2] == stamp:
        return str(known[2])
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    _remember(cache, key, [*stamp, found])
    return found


def cache_file() -> Path:
    """Where this user's hashes of large files are kept."""
    usual = {"win32": "~/AppData/Local", "darwin": "~/Library/Caches"}.get(sys.platform, "~/.cache")
    base = os.environ.get("PEGBAR_CACHE") or os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME") or usual
    return Path(base).expanduser() / "pegbar" / "hashes.json"


class Meanwhile:
    """A value that a thread works out while something else goes on."""

    def __init__(self, work: Callable[[], Card]) -> None:
        self._work = work
        self._value: Card | BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def get(self) -> Card:
        """The value, once it is there; what the thread raised is raised here."""
        self._thread.join()
        if isinstance(self._value, BaseException):
            raise self._value
        assert self._value is not None
        return self._value

    def _run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as error:
            self._value = error


def _input(folder: JobFolder, file: InputFile) -> Card:
    path = folder.file(file.file)
    try:
        return {"frame": file.frame, "file": file.file, "sha256": sha256_of(path)}
    except OSError:  # the pipeline says what is wrong with it, where it reads it
        return {"frame": file.frame, "file": file.file, "sha256": ""}


def _weights(entry: Used) -> Card:
    return {"file": entry.path.name, "sha256": sha256_of(entry.path), "source": entry.weights.source, **entry.terms}


def _digest(parts: Any) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _hashes(entry: Any) -> list[Any]:
    return [part.get("sha256") for part in (entry if isinstance(entry, list) else [entry or {}])]


def _counts(folder: Path, name: Path) -> bool:
    return (folder / name).is_file() and not any(part.startswith(".") for part in name.parts)


def _known(cache: Path) -> dict[str, Any]:
    try:
        known = json.loads(cache.read_bytes())
        return known if isinstance(known, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _remember(cache: Path, key: str, entry: list[Any]) -> None:
    """Adds to the cache what is told; one that cannot be written costs time, no more."""
    with contextlib.suppress(OSError, PegbarError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        there = {path: known for path, known in _known(cache).items() if Path(path).exists()}
        write_atomic(cache, json.dumps({**there, key: entry}).encode())


def _cards(file: BinaryIO) -> Iterator[bytes]:
    """What a PNG holds under KEY; of its pixels nothing is read."""
    if file.read(len(_SIGNATURE)) != _SIGNATURE:
        return
    for _ in range(MOST_CHUNKS):
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind in (b"IDAT", b"IEND"):
            return
        if kind != b"tEXt" or length > LONGEST_CARD:
            file.seek(length + 4, os.SEEK_CUR)
            continue
        key, _, text = file.read(length).partition(b"\0")
        file.seek(4, os.SEEK_CUR)
        if key == KEY.encode():
            yield text


def _checked(card: Any) -> Card:
    """A card whose fields are what they should be. Raises ValueError, KeyError or TypeError."""
    kinds = {"pegbar": str, "protocol": int, "pipeline": str, "params": dict, "seed": int, "shot": dict, "inputs": dict, "weights": dict}
    for name, kind in kinds.items():
        if not isinstance(card[name], kind):
            raise ValueError(f"{name} is {card[name]!r}")
    if not isinstance(card.get("origin", {}), dict):
        raise ValueError("origin is no table")
    if not all(isinstance(told, dict) for told in card["weights"].values()):
        raise ValueError("its weights are no tables")
    Shot(**card["shot"])
    for entry in card["inputs"].values():
        frames, hashes = _told(entry)
        if not (all(isinstance(frame, int) for frame in frames) and all(isinstance(digest, str) for digest in hashes)):
            raise ValueError(f"its inputs are at {frames!r}")
    return dict(card)


def _told(entry: Any) -> tuple[list[Any], list[Any]]:
    """The frames and hashes of an input, on a take's card or on a picture's."""
    if isinstance(entry, list):
        return [file["frame"] for file in entry], [file["sha256"] for file in entry]
    return list(entry["frames"]), [entry["sha256"]]
