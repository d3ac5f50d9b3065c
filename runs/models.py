"""Which published models are on this computer: looked for once, since panels ask at every draw, and again when the artist says so."""

import functools
from collections.abc import Sequence
from pathlib import Path

from ..engine.catalog import PIPELINES
from ..engine.spec import Listed, Param, Pipeline, Weights
from ..engine.weights import listed as listed_in
from ..engine.weights import locate
from ..engine.weights import missing as missing_in
from ..preferences import machine


def missing(spec: Pipeline) -> tuple[Weights, ...]:
    """The models that a pipeline needs and that were in no weights folder when they were last looked for."""
    return _missing(spec.name, machine().weights) if spec.weights else ()


def folder(spec: Pipeline) -> Path:
    """Where a pipeline's models are to be put."""
    return machine().weights[0] / spec.weights_folder


def listed(spec: Pipeline, param: Param) -> Sequence[Listed]:
    """What a setting can be chosen from on this computer at this moment."""
    return listed_in(spec, param.listing, machine().weights) if param.listing else ()


def look_again() -> None:
    """Forgets what was found."""
    _missing.cache_clear()


def check(spec: Pipeline) -> None:
    """Looks anew. Raises PegbarError where a model is missing."""
    look_again()
    locate(spec, machine().weights)


@functools.cache
def _missing(name: str, folders: tuple[Path, ...]) -> tuple[Weights, ...]:
    return missing_in(PIPELINES[name], folders)
