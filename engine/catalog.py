"""The pipelines that there are: one line each. Standard library only."""

from .pipelines import dropletvideo, flat, flipsketch, liven, lvcd, still, teach, vidsketch
from .protocol import PegbarError
from .spec import Pipeline

PIPELINES: dict[str, Pipeline] = {
    spec.name: spec
    for spec in (flat.SPEC, lvcd.SPEC, dropletvideo.SPEC, flipsketch.SPEC, liven.SPEC, vidsketch.SPEC, teach.SPEC, still.SPEC)
}


def pipeline(name: str) -> Pipeline:
    """The pipeline of that name. Raises PegbarError where there is none."""
    if name not in PIPELINES:
        raise PegbarError(f"There is no pipeline {name!r}: this Pegbar has {', '.join(PIPELINES)}")
    return PIPELINES[name]
