"""Which takes may be sold: the least free of what made them decides, and what is not known is said to be unclear."""

import json

import pytest
from pegbar.engine.__main__ import BAD_USAGE, DONE, main
from pegbar.engine.catalog import PIPELINES
from pegbar.engine.licences import NO_CARD, NO_MODEL, Entry, Verdict, as_json, as_text, headline, of_folder, verdict_of, worst
from pegbar.engine.provenance import TAUGHT, keep
from pegbar.engine.worker import run_job

from .takes import still_take


def weights_of(name: str, *names: str) -> dict[str, dict[str, str]]:
    return {
        w.name: {"licence": w.licence, "commercial": w.commercial, "reason": w.reason} for w in PIPELINES[name].weights if w.name in names
    }


def entry(answer: str) -> Entry:
    return Entry("shot/take_001", "Flat", (), Verdict(answer, ("why",)))


def test_every_published_model_says_whether_and_why():
    for spec in PIPELINES.values():
        for weights in (weights for weights in spec.weights if not weights.is_made):
            assert weights.commercial in ("yes", "no", "unclear") and len(weights.reason) > 10, (spec.name, weights.name)


@pytest.mark.parametrize("name", ["flat", "liven", "still"])
def test_what_needs_no_model_may_be_sold(name):
    assert verdict_of(name, None) == verdict_of(name, {"weights": {}}) == Verdict("yes", (NO_MODEL,))


@pytest.mark.parametrize(
    ("name", "answer"), [("flipsketch", "no"), ("vidsketch", "no"), ("dropletvideo", "unclear"), ("unheard of", "unclear")]
)
def test_a_take_without_a_card_is_judged_by_what_its_method_needs(name, answer):
    found = verdict_of(name, None)
    assert found.commercial == answer and (name == "unheard of" or NO_CARD in found.reasons)


def test_the_least_free_weights_decide_and_give_the_reason():
    found = verdict_of("vidsketch", {"weights": weights_of("vidsketch", "sd15", "motions", "adapter")})
    assert found.commercial == "no" and len(found.reasons) == 1 and "CC BY-NC" in found.reasons[0]
    own = weights_of("vidsketch", "sd15", "adapter") | {"motions": TAUGHT}
    assert verdict_of("vidsketch", {"weights": own}) == Verdict("unclear", (f"motions: {TAUGHT['reason']}",))
    assert verdict_of("vidsketch", {"weights": weights_of("vidsketch", "sd15", "adapter")}).commercial == "yes"


def test_a_card_cannot_say_that_a_published_model_is_freer_than_it_is():
    told = {"checkpoint": {"licence": "MIT", "commercial": "yes", "reason": "I say so"}}
    assert verdict_of("flipsketch", {"weights": told}).commercial == "no"
    assert verdict_of("flipsketch", {"weights": {"other": {"commercial": "perhaps"}}}).commercial == "unclear"


def test_of_several_the_worst_holds():
    assert worst([Verdict("yes", ("a",)), Verdict("unclear", ("b",)), Verdict("no", ("c",)), Verdict("no", ("c", "d"))]) == Verdict(
        "no", ("c", "d")
    )


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([], "There are no takes in this edit"),
        (["yes"], "1 take in this edit may be used commercially"),
        (["yes", "yes"], "All 2 takes in this edit may be used commercially"),
        (["no", "yes", "no"], "Of 3 takes in this edit 2 may not be used commercially"),
        (["unclear", "no", "yes", "yes"], "Of 4 takes in this edit 1 may not be used commercially, 1 is unclear"),
    ],
)
def test_the_headline_counts(answers, words):
    assert headline([entry(answer) for answer in answers]) == words


def test_the_report_lists_the_worst_first():
    text, data = (make([entry("yes"), entry("no")]) for make in (as_text, as_json))
    assert text.index("NO ") < text.index("YES ") and [take["verdict"]["commercial"] for take in json.loads(data)["takes"]] == ["no", "yes"]


def test_the_command_reports_every_take_in_a_folder(tmp_path, capsys):
    run_job(still_take(tmp_path / "shot a"))
    folder = still_take(tmp_path / "shot b", pipeline="flipsketch")
    keep(
        folder,
        {**json.loads((tmp_path / "shot a/take_001/provenance.json").read_text()), "weights": weights_of("flipsketch", "checkpoint")},
    )
    (still_take(tmp_path / "shot c").path / "job.json").write_text("{")
    assert main(["report", str(tmp_path)]) == DONE
    text = capsys.readouterr().out
    assert "Of 3 takes in" in text and "1 may not be used commercially, 1 is unclear" in text and "ModelScope" in text
    assert main(["report", "--json", str(tmp_path)]) == DONE
    assert [take["take"] for take in json.loads(capsys.readouterr().out)["takes"]] == [
        "shot b/take_001",
        "shot c/take_001",
        "shot a/take_001",
    ]
    assert len(of_folder(tmp_path / "shot a")) == 1
    assert main(["report", str(tmp_path / "nowhere")]) == BAD_USAGE
