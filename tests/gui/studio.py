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


def choose(scene, pipeline):
    """Chooses a published pipeline as an artist does; gives its settings. The tiny networks of this test are slower on two threads."""
    os.environ["OMP_NUM_THREADS"] = "1"
    module("settings").choose(scene.pegbar, module("engine.catalog").pipeline(pipeline))
    return getattr(scene.pegbar, pipeline)


def weights(folder):
    """Chooses the weights folder in the preferences."""
    module("preferences").preferences().weights_folder = folder
    module("runs.models").look_again()


def portrait():
    """The demo's drawing in a file of its own, active on frame 1, without what takes have made of it; gives its scene and itself."""
    bpy.ops.wm.open_mainfile(filepath=str(REPOSITORY / "demo/demo.blend"), load_ui=False)
    yield 1.0
    bpy.ops.wm.save_as_mainfile(filepath=str(OUT / "fox.blend"))
    scene = pbgui.window().scene = bpy.data.scenes["Drawing"]
    drawing = next(found for found in scene.objects if found.type == "GREASEPENCIL")
    for entry in drawing.data.pop("pegbar_takes").values():
        for name in entry["layers"]:
            drawing.data.layers.remove(drawing.data.layers[name])
    for layer in drawing.data.layers:
        layer.hide = False
    pbgui.window().view_layer.objects.active = drawing
    scene.frame_set(1)
    return scene, drawing


def fox_lines(editor, frames=48):
    """The demo's line art as the active strip."""
    lines = sorted((REPOSITORY / "demo/lineart").glob("*.png"))[:frames]
    strip = editor.strips.new_image("fox lines", str(lines[0]), channel=1, frame_start=1)
    for path in lines[1:]:
        strip.elements.append(path.name)
    editor.active_strip = strip
    return strip


def viewport():
    """A viewport on the scene's camera with the sidebar open."""
    area = pbgui.editor("VIEW_3D")
    space = area.spaces.active
    space.region_3d.view_perspective = "CAMERA"
    space.overlay.show_floor = space.overlay.show_axis_x = space.overlay.show_axis_y = False
    space.shading.type, space.shading.background_type = "SOLID", "VIEWPORT"
    space.shading.background_color = (0.9, 0.9, 0.9)
    return area


def look(area, name, seconds=0.6):
    """A picture of the screen with the area's sidebar on Pegbar."""
    pbgui.tab(area, "Pegbar")
    area.tag_redraw()
    yield seconds
    pbgui.shot(name)


def override(area, region="WINDOW"):
    """The context of a click in an area."""
    return bpy.context.temp_override(window=pbgui.window(), area=area, region=pbgui.region(area, region))


def click_run(pipeline, area):
    """What the button in the sidebar does."""
    with override(area, "UI"):
        assert bpy.ops.pegbar.run("INVOKE_DEFAULT", pipeline=pipeline) == {"FINISHED"}
    return run.latest(pipeline)


def previewed(running, timeout=200):
    """Waits until there is a picture of what a run makes."""
    shown = module("runs.preview").of
    yield from pbgui.wait(lambda: (running.folder and shown(running.folder)) or not running.is_active, timeout, 0.02, "a preview")


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
