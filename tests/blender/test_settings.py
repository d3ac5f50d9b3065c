"""Params become properties and come back as they were."""

import bpy
import pytest
from pegbar.engine.catalog import PIPELINES
from pegbar.engine.spec import complete
from pegbar.settings import set_values, values_of

SPECS = list(PIPELINES.values())


def group(spec):
    return getattr(bpy.context.scene.pegbar, spec.name)


def other(param):
    """A value that the param can take and does not have by default."""
    if param.choices:
        return param.choices[-1][0]
    if isinstance(param.default, bool):
        return not param.default
    if isinstance(param.default, str):
        return "words"
    step = 1 if isinstance(param.default, int) else 0.1
    return param.default + step if param.maximum is None or param.default + step <= param.maximum else param.default - step


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_defaults_come_back_exactly(spec):
    assert values_of(group(spec)) == {param.name: param.default for param in spec.params}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_values_go_in_and_come_out(spec):
    values = {param.name: other(param) for param in spec.params}
    set_values(group(spec), values)
    read = values_of(group(spec))
    assert read == pytest.approx(values)
    assert {name: type(value) for name, value in read.items()} == {param.name: type(param.default) for param in spec.params}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_limits_are_kept_and_pass_the_check(spec):
    """A 32-bit float just over a limit would be refused by the engine."""
    for limit in ("minimum", "maximum"):
        edge = {param.name: getattr(param, limit) for param in spec.params if getattr(param, limit) is not None}
        for name, value in edge.items():
            setattr(group(spec), name, type(getattr(group(spec), name))(value + (-1 if limit == "minimum" else 1)))
        read = values_of(group(spec))
        assert complete(spec, read) == read
        assert {name: read[name] for name in edge} == edge


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_labels_and_helps_are_the_params(spec):
    properties = group(spec).bl_rna.properties
    assert {param.name: (param.label, param.help) for param in spec.params} == {
        param.name: (properties[param.name].name, properties[param.name].description) for param in spec.params
    }


def test_a_value_of_an_older_version_is_passed_over():
    spec = PIPELINES["flat"]
    set_values(group(spec), {"close_gaps": 9, "no_longer_there": 1})
    assert values_of(group(spec))["close_gaps"] == 9
