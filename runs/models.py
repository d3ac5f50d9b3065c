"""Which published models are on this computer: looked for once, since panels ask at every draw, and again when the artist says so."""

import functools
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from ..engine.catalog import PIPELINES
from ..engine.models import cards as found_cards
from ..engine.models.cards import Card
from ..engine.protocol import PegbarError
from ..engine.spec import Listed, Param, Pipeline, Weights
from ..engine.weights import listed as listed_in
from ..engine.weights import locate
from ..engine.weights import missing as missing_in
from ..preferences import machine, preferences


def missing(spec: Pipeline) -> tuple[Weights, ...]:
    """The models that a pipeline needs and that were in no weights folder when they were last looked for."""
    return _missing(spec.name, machine().weights) if spec.weights else ()


def owner(spec: Pipeline) -> Pipeline:
    """The pipeline whose models a pipeline works with."""
    return PIPELINES[spec.shares] if spec.shares else spec


def folder(spec: Pipeline) -> Path:
    """Where a pipeline's models are to be put."""
    return machine().weights[0] / spec.weights_folder


def listed(spec: Pipeline, param: Param) -> Sequence[Listed]:
    """What a setting can be chosen from on this computer at this moment."""
    return listed_in(spec, param.listing, machine().weights) if param.listing else ()


def cards(spec: Pipeline) -> tuple[Card, ...]:
    """The cards of a pipeline's models, as they were when they were last looked for."""
    return _cards(spec.name, machine().weights)


def card(spec: Pipeline, name: str) -> Card:
    """One of a pipeline's cards. Raises PegbarError where there is none of that name."""
    if found := next((card for card in cards(spec) if card.weights.name == name), None):
        return found
    raise PegbarError(f"{spec.label} has no model {name!r}")


def free() -> int:
    """Bytes that are free where models are put, when it was last looked."""
    return _free(machine().weights[0])


def look_again() -> None:
    """Forgets what was found."""
    for found in (_missing, _cards, _free):
        found.cache_clear()


def check(spec: Pipeline) -> None:
    """Looks anew. Raises PegbarError where a model is missing."""
    look_again()
    locate(spec, machine().weights)


def delete(spec: Pipeline, name: str) -> None:
    """Removes a model from the own folder. Raises PegbarError where it lies in a shared one."""
    found_cards.delete(card(spec, name))
    look_again()


def accepted(weights: Weights) -> bool:
    """Whether the terms of a model, as they are worded today, were accepted on this computer; there may be none."""
    return not weights.terms or _mark(weights) in preferences().accepted_terms.split()


def accept(weights: Weights, agrees: bool) -> None:
    """Remembers that the terms are accepted, or no longer."""
    marks = set(preferences().accepted_terms.split())
    preferences().accepted_terms = " ".join(sorted(marks | {_mark(weights)} if agrees else marks - {_mark(weights)}))


def _mark(weights: Weights) -> str:
    return hashlib.sha256(f"{weights.page}\n{weights.terms}".encode()).hexdigest()[:16]


@functools.cache
def _missing(name: str, folders: tuple[Path, ...]) -> tuple[Weights, ...]:
    return missing_in(PIPELINES[name], folders)


@functools.cache
def _cards(name: str, folders: tuple[Path, ...]) -> tuple[Card, ...]:
    return found_cards.cards(PIPELINES[name], folders)


@functools.cache
def _free(own: Path) -> int:
    there = next((place for place in (own, *own.parents) if place.exists()), None)
    return shutil.disk_usage(there).free if there else 0
