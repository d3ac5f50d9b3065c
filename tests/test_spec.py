"""Params and inputs are checked before a job is sent; what is wrong is said with the value and the remedy."""

import pytest
from pegbar.engine.catalog import PIPELINES, pipeline
from pegbar.engine.protocol import InputFile, PegbarError
from pegbar.engine.spec import SUFFIXES, Input, Output, Param, Pipeline, check, complete

SPEC = Pipeline(
    name="test",
    label="Test",
    verb="Test It",
    help="Tests",
    inputs=(
        Input("lineart", "lineart", "Line Art", "Choose a strip", several=True),
        Input("sketch", "strokes", "Drawing", "Select a drawing", required=False),
    ),
    outputs=(Output("clip", "clip", "Clip"),),
    params=(
        Param("count", 3, "Count", "How many", 1, 10),
        Param("amount", 0.5, "Amount", "How much", minimum=0.0),
        Param("loop", False, "Loop", "Whether it loops"),
        Param("style", "boil", "Style", "How it moves", choices=(("boil", "Boil", ""), ("sway", "Sway", ""))),
    ),
)
LINEART = (InputFile(1, "inputs/lineart/0001.png"), InputFile(2, "inputs/lineart/0002.NPZ"))


def test_defaults_are_filled_in():
    assert complete(SPEC, {"loop": True}) == {"count": 3, "amount": 0.5, "loop": True, "style": "boil"}


def test_a_whole_number_is_a_number():
    value = complete(SPEC, {"amount": 2})["amount"]
    assert (value, type(value)) == (2.0, float)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"count": 0}, "Count is 0: it must be at least 1"),
        ({"count": 11}, "Count is 11: it must be at most 10"),
        ({"count": 2.0}, "Count is 2.0: it takes a whole number"),
        ({"count": True}, "Count is True: it takes a whole number"),
        ({"amount": -0.1}, "Amount is -0.1: it must be at least 0"),
        ({"amount": float("nan")}, "Amount is nan: it must be at least 0"),
        ({"amount": "1"}, "Amount is '1': it takes a number"),
        ({"loop": 1}, "Loop is 1: it takes true or false"),
        ({"style": "fly"}, "Style is 'fly': choose one of boil, sway"),
        ({"style": None}, "Style is None: it takes text"),
        ({"colour": 1}, "Test has no setting 'colour': it has amount, count, loop, style"),
    ],
)
def test_a_wrong_param_is_named_with_its_value_and_the_remedy(params, sentence):
    with pytest.raises(PegbarError) as error:
        complete(SPEC, params)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({}, "Test has no line art: choose a strip"),
        ({"lineart": ()}, "Test has no line art: choose a strip"),
        ({"lineart": (LINEART[0], LINEART[0])}, "Line Art is given twice for frame 1: leave one of them out"),
        ({"lineart": (InputFile(4, "a.exr"),)}, f"Line Art of frame 4 is a.exr: it takes {', '.join(SUFFIXES['lineart'])}"),
        ({"lineart": LINEART, "sketch": (InputFile(1, "a.png"),)}, "Drawing of frame 1 is a.png: it takes .npz"),
        (
            {"lineart": LINEART, "sketch": (InputFile(1, "a.npz"), InputFile(2, "b.npz"))},
            "Test takes one drawing, 2 were given: choose one",
        ),
        ({"lineart": LINEART, "depth": LINEART}, "Test has no input 'depth': it has lineart, sketch"),
    ],
)
def test_a_wrong_input_is_named_with_the_remedy(inputs, sentence):
    with pytest.raises(PegbarError) as error:
        check(SPEC, {}, inputs)
    assert str(error.value) == sentence


def test_a_sketch_is_strokes_or_a_scan():
    spec = Pipeline("test", "Test", "Test It", "Tests", (Input("sketch", "sketch", "Drawing", "Select a drawing"),), (), ())
    for file in ("a.npz", "a.PNG"):
        assert check(spec, {}, {"sketch": (InputFile(1, file),)}) == {}


def test_right_inputs_pass():
    assert check(SPEC, {}, {"lineart": LINEART})["count"] == 3


def test_an_unknown_pipeline_is_named():
    with pytest.raises(PegbarError, match="There is no pipeline 'warp': this Pegbar has flat"):
        pipeline("warp")


@pytest.mark.parametrize("spec", PIPELINES.values(), ids=list(PIPELINES))
def test_every_spec_is_sound(spec):
    """What settings, panels and the command line take for granted."""
    assert complete(spec, {}) == {param.name: param.default for param in spec.params}
    names = [thing.name for thing in (*spec.inputs, *spec.params)]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and name.islower() for name in (spec.name, *names))
    options = {param.name for param in spec.params if isinstance(param.default, bool)}
    assert all(output.option in options for output in spec.outputs if output.option)
    texts = [spec.help, *(i.help for i in spec.inputs), *(p.help for p in spec.params)]
    assert all(text and not text.endswith(".") for text in texts)
