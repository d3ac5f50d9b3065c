"""Before a run the panel says what it takes: memory by the engine's own count, time by an earlier take; and it never waits."""

import time

import bpy
import pytest
from pegbar.engine.catalog import PIPELINES
from pegbar.engine.estimates import Estimate
from pegbar.preferences import machine, preferences, user_folder
from pegbar.runs import engine, forecast, run, takes
from pegbar.runs.request import request
from pegbar.tests.blender import stage

SPEC = PIPELINES["flat"]


@pytest.fixture(autouse=True)
def ready(tmp_path, scene):
    preferences().engine_python = str(stage.ENGINE)
    preferences().takes_folder = str(tmp_path / "takes")
    (user_folder() / "estimates.json").unlink(missing_ok=True)
    forecast.unregister()
    stage.line_art(scene, tmp_path, 4)
    yield
    forecast.unregister()
    engine.stop()
    (user_folder() / "estimates.json").unlink(missing_ok=True)
    preferences().engine_python = preferences().takes_folder = ""
    preferences().memory = "AUTO"


def words():
    return forecast.words(bpy.context, SPEC, request(bpy.context, "flat"))


def learn(seconds=60):
    until = time.monotonic() + seconds
    while not words():
        forecast.look()
        assert time.monotonic() < until
        time.sleep(0.05)


def test_memory_is_asked_in_the_background_and_kept_for_these_settings():
    assert words() == "", "nothing is waited for"
    learn()
    assert words().startswith("uses 0.1 of ") and words().endswith(" GB")
    forecast.unregister()
    assert words().startswith("uses 0.1 of "), "the next session knows it"
    bpy.context.scene.pegbar.flat.check_below -= 0.1
    assert words() == "", "other settings are asked anew"


def test_the_time_is_that_of_an_earlier_take_with_these_settings(scene):
    takes.refresh()
    assert "about" not in words()
    run.run_to_end(run.start(request(bpy.context, "flat")))
    assert words().startswith("about ")
    bpy.context.scene.pegbar.flat.check_below -= 0.1
    assert "about" not in words()


def test_what_does_not_fit_is_said_before_it_is_tried(monkeypatch):
    wanted = request(bpy.context, "flat")
    for found, said in (
        (Estimate(14.2, 12.0, 11.3), "This needs 14.2 GB of memory and 11.3 GB is free"),
        (
            Estimate(6.1, 12.0, 11.3, "with one model on the card at a time"),
            "To fit into the memory it works with one model on the card at a time",
        ),
        (Estimate(6.1, 12.0, 11.3), ""),
    ):
        monkeypatch.setattr(forecast, "_estimate", lambda *_, found=found: found)
        assert forecast.caution(bpy.context, SPEC, wanted).startswith(said) and bool(forecast.caution(bpy.context, SPEC, wanted)) == bool(
            said
        )


def test_a_tier_bounds_what_runs_may_take():
    assert machine().memory_gb == 0 and "--memory-gb" not in machine().options
    for tier, device, most in (("LOW", "auto", 6.5), ("MEDIUM", "auto", 12.5), ("HIGH", "auto", 24.5), ("CPU", "cpu", 0)):
        preferences().memory = tier
        assert (machine().device, machine().memory_gb) == (device, most)
        assert ("--memory-gb" in machine().options) == bool(most)
