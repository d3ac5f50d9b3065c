"""Finds a pipeline's checkpoints in the weights folders of this machine.

Standard library only, so that a panel can say what is missing. Opens no file.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .protocol import PegbarError
from .spec import Listed, Listing, Pipeline, Weights


@dataclass(frozen=True)
class Machine:
    """What a run may use of this machine."""

    weights: tuple[Path, ...] = ()
    """Folders with checkpoints, the first for new ones."""
    device: str = "auto"
    """`auto` for the fastest there is, or a name of torch's: `cpu`, `cuda`, `cuda:1`, `mps`."""

    @property
    def options(self) -> list[str]:
        """This machine as options of the engine's command line."""
        return [*(word for folder in self.weights for word in ("--weights", str(folder))), "--device", self.device]


UNSET = Machine()
"""A machine of which nothing was said."""


def given_folders() -> tuple[Path, ...]:
    """The weights folders that PEGBAR_WEIGHTS names, parted as in PATH."""
    return tuple(Path(path) for path in os.environ.get("PEGBAR_WEIGHTS", "").split(os.pathsep) if path)


def locate(spec: Pipeline, folders: Sequence[Path]) -> Mapping[str, Path]:
    """The path of each of the pipeline's weights that is there, by its name: in `<folder>/<pipeline>/`, else in the folder itself; the
    first folder that has it wins. Raises PegbarError where one that is required is in none."""
    found = _found(spec, folders)
    if lacking := missing(spec, folders):
        wanted = " and ".join(f"{weights.names[0]} ({weights.gigabytes:g} GB, {weights.source})" for weights in lacking)
        where = (
            f"put {'it' if len(lacking) == 1 else 'them'} into {folders[0] / spec.weights_folder}" if folders else "choose a weights folder"
        )
        raise PegbarError(f"{spec.label} needs {wanted}: {where}")
    return found


def listed(spec: Pipeline, listing: Listing, folders: Sequence[Path]) -> Sequence[Listed]:
    """What a pipeline lists in the first of the folders that has it; empty where none has."""
    path = _found(spec, folders).get(listing.weights)
    return listing.of(path) if path else ()


def missing(spec: Pipeline, folders: Sequence[Path]) -> tuple[Weights, ...]:
    """The required weights of a pipeline that are in none of the folders."""
    return tuple(weights for weights in spec.weights if weights.required and _path(spec, weights, folders) is None)


def _found(spec: Pipeline, folders: Sequence[Path]) -> Mapping[str, Path]:
    found = {weights.name: path for weights in spec.weights if (path := _path(spec, weights, folders)) is not None}
    return found | {weights.name: _place(spec, weights, folders[0]) for weights in spec.weights if weights.is_made and folders}


def _place(spec: Pipeline, weights: Weights, folder: Path) -> Path:
    """Where in a folder a pipeline's own makings are, or are to be."""
    return _path(spec, weights, [folder]) or folder / spec.weights_folder / weights.names[0]


def _path(spec: Pipeline, weights: Weights, folders: Sequence[Path]) -> Path | None:
    places = [folder / inner / name for folder in folders for inner in (spec.weights_folder, "") for name in weights.names]
    return next((path for path in places if path.exists()), None)
