"""FlipSketch from the viewport's sidebar: without its model, with a sentence, while it draws, and its keys on a new layer."""

import sys

import bpy
import pbgui
import studio
from studio import ended, look, viewport

PROMPT = "The fox turns its head and wags its tail"
LENGTH = 20
"""Frames of the shot: ten drawings on twos."""


def main():
    yield from studio.empty_file()
    scene, drawing = yield from studio.portrait()
    own = studio.choose(scene, "flipsketch")
    scene.pegbar.length, scene.pegbar.rhythm = LENGTH, "2"
    area = viewport()
    yield 0.5
    yield from look(area, "model_missing")
    studio.weights(sys.argv[1])
    own.prompt, own.num_inference_steps, own.size = PROMPT, 8, 96
    yield from look(area, "idle")
    running = studio.click_run("flipsketch", area)
    yield from studio.previewed(running)
    yield from look(area, "running", 0.3)
    yield from ended(running, 280)
    assert running.phase == "done", running.text
    (layers,) = [entry["layers"] for entry in drawing.data["pegbar_takes"].values()]
    keys = [key.frame_number for key in drawing.data.layers[layers[0]].frames]
    assert keys[0] == 1 and keys[-1] == LENGTH + 1 and all(key % 2 for key in keys), keys
    yield from look(area, "done")
    with studio.override(area, "UI"):
        bpy.ops.pegbar.apply_take(folder=str(running.folder.path))
    scene.frame_set(7)
    yield from look(area, "applied", 1.0)


pbgui.play(main())
