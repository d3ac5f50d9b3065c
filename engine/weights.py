"""Finds a pipeline's checkpoints in the weights folders of this machine.

Standard library only, so that a panel can say what is missing. Opens no file but the cards of a collection.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import MODEL_MISSING
from .protocol import PegbarError
from .spec import Listed, Listing, Pipeline, Weights


@dataclass(frozen=True)
class Machine:
    """What a run may use of this machine."""

    weights: tuple[Path, ...] = ()
    """Folders with checkpoints, the first for new ones."""
    device: str = "auto"
    """`auto` for the fastest there is, or a name of torch's: `cpu`, `cuda`, `cuda:1`, `mps`."""
    memory_gb: float = 0.0
    """What a run may take of the device's memory, in GB of 2^30 bytes; 0 for all that is free."""

    @property
    def options(self) -> list[str]:
        """This machine as options of the engine's command line."""
        memory = ("--memory-gb", f"{self.memory_gb:g}") if self.memory_gb else ()
        return [*(word for folder in self.weights for word in ("--weights", str(folder))), "--device", self.device, *memory]


UNSET = Machine()
"""A machine of which nothing was said."""


def given_folders() -> tuple[Path, ...]:
    """The weights folders that PEGBAR_WEIGHTS names, parted as in PATH."""
    return tuple(Path(path) for path in os.environ.get("PEGBAR_WEIGHTS", "").split(os.pathsep) if path)


def given_memory() -> float:
    """The GB that PEGBAR_MEMORY_GB allows a run to take, 0 where it says nothing. Raises PegbarError where it is no number."""
    given = os.environ.get("PEGBAR_MEMORY_GB", "")
    try:
        return float(given or 0)
    except ValueError as error:
        raise PegbarError(f"PEGBAR_MEMORY_GB is {given!r}: give it as a number of GB") from error


def locate(spec: Pipeline, folders: Sequence[Path]) -> Mapping[str, Path]:
    """The path of each of the pipeline's weights that is there, by its name: in `<folder>/<pipeline>/`, else in the folder itself; the
    first folder that has it wins. Raises PegbarError where one that is required is in none.

    A collection (`Weights.joined`) lies in all folders that have one: see `everywhere`."""
    found = _found(spec, folders)
    if lacking := missing(spec, folders):
        wanted = " and ".join(f"{weights.fetched_as} ({weights.gigabytes:g} GB, {weights.source})" for weights in lacking)
        where = (
            f"put {'it' if len(lacking) == 1 else 'them'} into {folders[0] / spec.weights_folder}" if folders else "choose a weights folder"
        )
        raise PegbarError(f"{spec.label} needs {wanted}: {where}", MODEL_MISSING)
    return found


def listed(spec: Pipeline, listing: Listing, folders: Sequence[Path]) -> Sequence[Listed]:
    """What a pipeline lists in the folders that have it, each name once; empty where none has."""
    found = _found(spec, folders)
    entries: dict[str, Listed] = {}
    for path in everywhere(found, listing.weights):
        for entry in listing.of(path):
            entries.setdefault(entry.name.casefold(), entry)
    return tuple(entries[name] for name in sorted(entries))


def everywhere(found: Mapping[str, Path], name: str) -> tuple[Path, ...]:
    """All places of weights that are joined, the first folder's first: what `locate` gives as `name`, `name 2`, `name 3`."""
    return tuple(path for key, path in found.items() if key == name or key.startswith(f"{name} "))


def missing(spec: Pipeline, folders: Sequence[Path]) -> tuple[Weights, ...]:
    """The required weights of a pipeline that are in none of the folders."""
    return tuple(weights for weights in spec.weights if weights.required and place(spec, weights, folders) is None)


def place(spec: Pipeline, weights: Weights, folders: Sequence[Path]) -> Path | None:
    """Where weights lie: in the first of the folders that has them, by the best of their names."""
    return next(_places(spec, weights, folders), None)


def _found(spec: Pipeline, folders: Sequence[Path]) -> Mapping[str, Path]:
    found: dict[str, Path] = {}
    for weights in spec.weights:
        if weights.is_made and folders:
            found[weights.name] = place(spec, weights, folders[:1]) or folders[0] / spec.weights_folder / weights.names[0]
            continue
        for number, path in enumerate(_places(spec, weights, folders), 1):
            if number == 1 or weights.joined:
                found[weights.name if number == 1 else f"{weights.name} {number}"] = path
    return found


def _places(spec: Pipeline, weights: Weights, folders: Sequence[Path]) -> Iterator[Path]:
    """Where weights lie: at most one place a folder."""
    for folder in folders:
        places = (folder / inner / name for inner in (spec.weights_folder, "") for name in weights.names)
        if found := next((path for path in places if path.exists() and _holds(spec, weights, path)), None):
            yield found


def _holds(spec: Pipeline, weights: Weights, path: Path) -> bool:
    """Whether there is something in a collection: an empty folder of it is none."""
    listing = next((param.listing for param in spec.params if param.listing and param.listing.weights == weights.name), None)
    return listing is None or not weights.joined or len(listing.of(path)) > 0
