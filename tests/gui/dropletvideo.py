"""DropletVideo from the sequencer's sidebar: a shot that starts on an image, without its model, while it shoots, and the strip."""

import sys

import bpy
import pbgui
import studio
from studio import ended, look, module

SHOOT, COLORIZE = (846, 416), (846, 69)
"""Where the panels' headers are in a window of 1400 x 900."""
PROMPT = "The fox looks around and waves"


def small(path):
    """A picture at a size that a tiny network shows quickly; gives its path."""
    image = bpy.data.images.load(str(path))
    image.scale(320, 180)
    image.filepath_raw = str(studio.OUT / "fox.png")
    image.save()
    return image.filepath_raw


def main():
    yield from studio.empty_file()
    shot = module("showcase.shot")
    scene = pbgui.window().scene = shot.new_scene("Clip", 16)
    area = pbgui.editor("SEQUENCE_EDITOR")
    yield 0.8
    area.spaces.active.view_type = "SEQUENCER_PREVIEW"
    area.spaces.active.timeline_overlay.show_strip_source = False
    own = studio.choose(scene, "dropletvideo")
    own.image.type, own.image.file, own.prompt = "FILE", small(studio.REPOSITORY / "demo/reference.png"), PROMPT
    scene.frame_set(1)
    yield from look(area, "closed")
    for header in (SHOOT, COLORIZE):
        pbgui.click(header)
        yield 0.5
    yield from look(area, "model_missing")
    studio.weights(sys.argv[1])
    own.num_inference_steps, own.template, own.resolution, scene.pegbar.length = 6, "plain", "image", 9
    yield from look(area, "idle")
    running = studio.click_run("dropletvideo", area)
    yield from studio.previewed(running)
    yield from look(area, "running", 0.5)
    yield from ended(running, 250)
    assert running.phase == "done", running.text
    with studio.override(area, "WINDOW"):
        bpy.ops.sequencer.view_all()
    scene.frame_set(3)
    yield from look(area, "done", 1.5)


pbgui.play(main())
