"""Fetches what a pipeline lacks, so that at every moment each checkpoint is whole, or not there and can be gone on with.

Core. What is on its way lies in a hidden folder beside its place; a checkpoint gets its name once every file of it is whole and checked.
"""

import datetime
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from ..errors import DISK_FULL, LICENCE
from ..protocol import PegbarError, refused, write_atomic
from ..spec import Pipeline, Weights
from ..weights import place
from . import hub as hubs
from .cards import parts_of
from .hub import Hub, Wanted
from .records import File, Record, read, write

RESERVE = 64 << 20
"""Bytes that stay free on the disk."""

Tell = Callable[[str, int, int], None]
"""Gets what is being done, how many bytes of all that are there, and how many they are."""


@dataclass(frozen=True)
class Plan:
    """What is fetched of one checkpoint: one version, to which a download that is gone on with keeps."""

    weights: Weights
    parts: Path
    target: Path
    revision: str
    files: tuple[Wanted, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    def part(self, file: Wanted) -> Path:
        return self.parts / "files" / f"{file.file}.part"

    def whole(self, file: Wanted) -> Path:
        return self.parts / "files" / file.file

    @property
    def there(self) -> int:
        """Bytes that have come."""
        paths = [(self.whole(file), self.part(file)) for file in self.files]
        return sum(path.stat().st_size for pair in paths for path in pair if path.is_file())


def lacking(spec: Pipeline, folders: Sequence[Path], names: Sequence[str] = (), repair: bool = False) -> tuple[Weights, ...]:
    """The checkpoints that are to be fetched: of those named, else of those required, the ones that are in no folder. With `repair` the ones
    that were fetched into the first folder: each file of them is checked. Raises PegbarError."""
    known = {weights.name: weights for weights in spec.weights if not weights.is_made}
    if unknown := sorted(set(names) - known.keys()):
        raise PegbarError(f"{spec.label} has no model {unknown[0]!r}: it has {', '.join(known)}")
    asked = [known[name] for name in names] or [weights for weights in known.values() if weights.required]
    if repair:
        return tuple(weights for weights in asked if (record := read(target_of(spec, weights, folders[0]))) and record.revision)
    return tuple(weights for weights in asked if place(spec, weights, folders) is None)


def fetch(spec: Pipeline, wanted: Sequence[Weights], own: Path, hub: Hub, tell: Tell, accepted: bool = False) -> list[str]:
    """Fetches checkpoints into the folder `own`; gives a sentence on each that comes by hand. Raises PegbarError: what has come is kept."""
    if (gates := [weights for weights in wanted if weights.terms and weights.repository]) and not accepted:
        raise PegbarError(f"{gates[0].terms} Read {gates[0].page}, and accept the terms if your use is allowed", LICENCE)
    try:
        plans = [_planned(spec, weights, own, hub, tell) for weights in wanted if weights.repository]
        total, there = sum(plan.size for plan in plans), sum(plan.there for plan in plans)
        if plans:
            _check_space(own, total - there)
        before = 0
        for plan in plans:
            _fetch(plan, hub, partial(_tell_all, tell, before, total))
            before += plan.size
    except OSError as error:
        raise refused(own, error) from error
    return [f"{weights.names[0]} comes by hand: {'; '.join(weights.by_hand)}" for weights in wanted if not weights.repository]


def _tell_all(tell: Tell, before: int, total: int, phase: str, done: int) -> None:
    tell(phase, before + done, total)


def _tell_one(tell: Callable[[str, int], None], before: int, name: str, done: int) -> None:
    tell(f"Downloading {name}", before + done)


def target_of(spec: Pipeline, weights: Weights, own: Path) -> Path:
    """Where a checkpoint is fetched to."""
    return own / spec.weights_folder / weights.fetched_as


def _planned(spec: Pipeline, weights: Weights, own: Path, hub: Hub, tell: Tell) -> Plan:
    """The plan that was made when the download began, else a new one; a checkpoint that is to be repaired is no longer in its place."""
    target, parts = target_of(spec, weights, own), parts_of(spec, weights, own)
    plan = _begun(weights, target, parts) or _new(weights, target, parts, hub, tell)
    if target.exists():
        shutil.rmtree(parts / "files", ignore_errors=True)
        whole = parts / "files" if target.is_dir() else parts / "files" / target.name
        whole.parent.mkdir(exist_ok=True)
        os.replace(target, whole)
    return plan


def _begun(weights: Weights, target: Path, parts: Path) -> Plan | None:
    try:
        content = json.loads((parts / "plan.json").read_bytes())
        if content["repository"] == weights.repository and weights.revision in ("", content["revision"]):
            return Plan(weights, parts, target, str(content["revision"]), tuple(Wanted(**file) for file in content["files"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _new(weights: Weights, target: Path, parts: Path, hub: Hub, tell: Tell) -> Plan:
    tell(f"Asking {hub.name}", 0, 0)
    record = read(target) if target.exists() else None
    revision, files = hubs.files_of(replace(weights, revision=record.revision) if record else weights, hub)
    shutil.rmtree(parts, ignore_errors=True)  # of another version
    parts.mkdir(parents=True)
    plan = {"repository": weights.repository, "revision": revision, "files": [asdict(file) for file in files]}
    write_atomic(parts / "plan.json", json.dumps(plan, indent=1).encode())
    return Plan(weights, parts, target, revision, files)


def _check_space(own: Path, needed: int) -> None:
    free = shutil.disk_usage(own).free
    if needed + RESERVE > free:
        text = f"The disk of {own} has {free / 1e9:.1f} GB left, {needed / 1e9:.1f} GB are needed: free some space or choose another folder"
        raise PegbarError(text, DISK_FULL)


def _fetch(plan: Plan, hub: Hub, tell: Callable[[str, int], None]) -> None:
    recorded, before = [], 0
    for file in plan.files:
        whole, part = plan.whole(file), plan.part(file)
        whole.parent.mkdir(parents=True, exist_ok=True)
        if whole.is_file():  # checked when it got its name; its hash is for the record
            os.replace(whole, part)
        sha256 = hubs.fetch(plan.weights, plan.revision, file, part, hub, partial(_tell_one, tell, before, whole.name))
        with open(part, "rb+") as content:
            os.fsync(content.fileno())
        os.replace(part, whole)
        recorded.append(File(file.file, file.size, sha256))
        before += file.size
    accepted = datetime.date.today().isoformat() if plan.weights.terms else ""
    record = Record(f"huggingface.co/{plan.weights.repository}", plan.revision, plan.weights.licence, tuple(recorded), accepted)
    write(plan.target, record)
    is_file = [file.file for file in plan.files] == [plan.target.name]
    os.replace(plan.whole(plan.files[0]) if is_file else plan.parts / "files", plan.target)
    shutil.rmtree(plan.parts, ignore_errors=True)
