"""Which takes may be used in work that earns money, and why: from their cards, and from what is known of each published model.

Standard library only. What is told here is what the makers of the models say of them; it is no legal advice.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .catalog import PIPELINES
from .errors import PLACE_REFUSED
from .protocol import JobFolder, PegbarError
from .provenance import TAUGHT, Card, kept
from .spec import Commercial, Pipeline, Weights

ANSWERS: tuple[Commercial, ...] = ("no", "unclear", "yes")
"""The worst first: of several the first one holds."""
NO_MODEL = "Made without any published model"
NO_CARD = "It has no card of its own: judged by what its method needs"
UNKNOWN = "Its method is not known here"
TITLE = "Pegbar: what may be used commercially"


@dataclass(frozen=True)
class Verdict:
    """Whether something may be sold, and why; the reasons of the answer alone."""

    commercial: Commercial
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One take in a report: its name, its method, where it is used, and the verdict."""

    take: str
    method: str
    places: tuple[str, ...]
    verdict: Verdict


def verdict_of(pipeline: str, card: Card | None) -> Verdict:
    """Whether a take may be sold, by the weights on its card, or where it has none by those that its pipeline needs."""
    spec = PIPELINES.get(pipeline)
    if card is None and spec is None:
        return Verdict("unclear", (UNKNOWN,))
    if card is None and spec is not None and any(weights.required for weights in spec.weights):
        found = worst(_known(weights) for weights in spec.weights if weights.required)
        return Verdict(found.commercial, (*found.reasons, NO_CARD))
    return worst(_verdict_of_weights(spec, name, told) for name, told in (card["weights"] if card else {}).items())


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict over things that are used together."""
    given = list(verdicts)
    if not given:
        return Verdict("yes", (NO_MODEL,))
    answer = next(answer for answer in ANSWERS if any(verdict.commercial == answer for verdict in given))
    reasons = dict.fromkeys(reason for verdict in given if verdict.commercial == answer for reason in verdict.reasons if reason)
    return Verdict(answer, tuple(reasons))


def of_take(folder: JobFolder) -> Entry:
    """A take by itself. Raises PegbarError where its request cannot be read."""
    job = folder.read_job()
    spec = PIPELINES.get(job.pipeline)
    name = f"{folder.path.parent.name}/{folder.path.name}"
    return Entry(name, spec.label if spec else job.pipeline, (), verdict_of(job.pipeline, kept(folder)))


def of_folder(top: Path) -> list[Entry]:
    """Every take in a folder, however deep; one whose request is damaged is unclear. Raises PegbarError where there is no folder."""
    if not top.is_dir():
        raise PegbarError(f"There is no folder {top}: choose one with takes", PLACE_REFUSED)
    return [_entry(JobFolder(path.parent)) for path in sorted(top.rglob("job.json")) if path.is_file()]


def headline(entries: Sequence[Entry], where: str = "in this edit") -> str:
    """The report in a sentence: `2 of 5 takes in this edit may not be used commercially, 1 is unclear`."""
    if not entries:
        return f"There are no takes {where}"
    count = {answer: sum(entry.verdict.commercial == answer for entry in entries) for answer in ANSWERS}
    every = f"{len(entries)} takes" if len(entries) > 1 else "1 take"
    if count["yes"] == len(entries):
        return f"{'All ' if len(entries) > 1 else ''}{every} {where} may be used commercially"
    parts = [f"{count['no']} may not be used commercially"] if count["no"] else []
    parts += [f"{count['unclear']} {'is' if count['unclear'] == 1 else 'are'} unclear"] if count["unclear"] else []
    return f"Of {every} {where} {', '.join(parts)}"


def as_text(entries: Sequence[Entry], where: str = "in this edit") -> str:
    """The whole report to read."""
    return "\n".join([TITLE, "", headline(entries, where), *(line for entry in _sorted(entries) for line in _lines(entry)), ""])


def as_json(entries: Sequence[Entry], where: str = "in this edit") -> str:
    """The whole report for other programs."""
    return json.dumps({"headline": headline(entries, where), "takes": [asdict(entry) for entry in _sorted(entries)]}, indent=1)


def _verdict_of_weights(spec: Pipeline | None, name: str, told: Card) -> Verdict:
    """By what is known today of published weights; by the card where they are not, or where somebody has taught them."""
    known = next((weights for weights in spec.weights if weights.name == name), None) if spec else None
    if known is not None and told.get("licence") != TAUGHT["licence"]:
        return _known(known)
    answer = told.get("commercial")
    return Verdict(answer if answer in ANSWERS else "unclear", (f"{name}: {told.get('reason', UNKNOWN)}",))


def _known(weights: Weights) -> Verdict:
    return Verdict(weights.commercial, (f"{weights.names[0]}: {weights.reason}",))


def _entry(folder: JobFolder) -> Entry:
    try:
        return of_take(folder)
    except PegbarError as error:
        return Entry(f"{folder.path.parent.name}/{folder.path.name}", "", (), Verdict("unclear", (str(error),)))


def _sorted(entries: Sequence[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: (ANSWERS.index(entry.verdict.commercial), entry.take))


def _lines(entry: Entry) -> Iterator[str]:
    yield ""
    yield f"{entry.verdict.commercial.upper():8} {', '.join(filter(None, (entry.take, entry.method)))}"
    yield from (f"{'':8} {reason}" for reason in entry.verdict.reasons)
    if entry.places:
        yield f"{'':8} used as {', '.join(entry.places)}"
