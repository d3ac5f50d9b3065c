"""What the window's scripts share: the extension, a stage with a drawing and strips, and steps that wait for a run."""

import importlib
import os
import sys
import time
from pathlib import Path

import bpy
import pbgui

REPOSITORY = Path(os.environ["PB_REPOSITORY"])
OUT = Path(os.environ["PB_OUT"])
PACKAGE = "bl_ext.user_default.pegbar"
extension = sys.modules[PACKAGE]
if str(REPOSITORY) not in extension.__path__:
    extension.__path__.append(str(REPOSITORY))  # the drawings of the demo and the tests' stage, which the zip leaves out


def module(name):
    """A module of the extension, or of the repository beside it."""
    return importlib.import_module(f"{PACKAGE}.{name}")


run, takes, engine = module("runs.run"), module("runs.takes"), module("runs.engine")
stage = module("tests.blender.stage")


def empty_file(name="stage"):
    """A new file with nothing in it, saved, with its takes in the run's folder."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(OUT / f"{name}.blend"))
    bpy.context.preferences.view.show_splash = False
    yield 1.0  # an area of a window not yet drawn must not be touched
    return pbgui.window().scene


def override(area, region="WINDOW"):
    """The context of a click in an area."""
    return bpy.context.temp_override(window=pbgui.window(), area=area, region=pbgui.region(area, region))


def click_run(pipeline, area):
    """What the button in the sidebar does."""
    with override(area, "UI"):
        assert bpy.ops.pegbar.run("INVOKE_DEFAULT", pipeline=pipeline) == {"FINISHED"}
    return run.latest(pipeline)


def ended(running, timeout=60):
    """Waits until a run is at its end."""
    yield from pbgui.wait(lambda: not running.is_active, timeout, 0.05, f"the end of {running.pipeline}: {running}")


class Stopwatch:
    """Measures every tick of the run's timer."""

    def __init__(self):
        self.ticks = []
        self.told = run._tick
        run._tick = self.tick

    def tick(self):
        began = time.perf_counter()
        phase = "+".join(running.phase for running in run.active())
        try:
            return self.told()
        finally:
            self.ticks.append((time.perf_counter() - began, phase))

    def longest(self):
        """The longest tick in ms, by phase."""
        found = {}
        for seconds, phase in self.ticks:
            found[phase] = max(found.get(phase, 0), round(seconds * 1000, 1))
        return found

    def total(self):
        """The time of all ticks in ms, by phase: what Blender's thread gave to the run."""
        found = {}
        for seconds, phase in self.ticks:
            found[phase] = round(found.get(phase, 0) + seconds * 1000, 1)
        return found
