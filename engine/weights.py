"""Finds a pipeline's checkpoints in the weights folders of this machine.

Standard library only, so that a panel can say what is missing. Opens no file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .protocol import PegbarError
from .spec import Pipeline, Weights


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


def locate(spec: Pipeline, folders: Sequence[Path]) -> Mapping[str, Path]:
    """The path of each of the pipeline's weights that is there, by its name: in `<folder>/<pipeline>/`, else in the folder itself; the
    first folder that has it wins. Raises PegbarError where one that is required is in none."""
    found = {weights.name: path for weights in spec.weights if (path := _path(spec, weights, folders)) is not None}
    lacking = [weights for weights in spec.weights if weights.required and weights.name not in found]
    if lacking:
        wanted = " and ".join(f"{weights.names[0]} ({weights.gigabytes:g} GB, {weights.source})" for weights in lacking)
        where = f"put {'it' if len(lacking) == 1 else 'them'} into {folders[0] / spec.name}" if folders else "choose a weights folder"
        raise PegbarError(f"{spec.label} needs {wanted}: {where}")
    return found


def _path(spec: Pipeline, weights: Weights, folders: Sequence[Path]) -> Path | None:
    places = [folder / inner / name for folder in folders for inner in (spec.name, "") for name in weights.names]
    return next((path for path in places if path.exists()), None)
