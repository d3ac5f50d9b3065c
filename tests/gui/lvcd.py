"""LVCD from the sequencer's sidebar: line art and two coloured frames, without its model, while it paints, and the painted strip."""

import sys

import bpy
import pbgui
import studio
from studio import ended, look, module

FRAMES = 6


def main():
    yield from studio.empty_file()
    shot = module("showcase.shot")
    scene = pbgui.window().scene = shot.new_scene("Clip", FRAMES)
    area = pbgui.editor("SEQUENCE_EDITOR")
    yield 0.8
    strip = studio.fox_lines(scene.sequence_editor, FRAMES)
    area.spaces.active.view_type = "SEQUENCER_PREVIEW"
    area.spaces.active.timeline_overlay.show_strip_source = False  # a path says nothing to who looks at the picture
    own = studio.choose(scene, "lvcd")
    scene.pegbar.references.clear()
    truth = sorted((studio.REPOSITORY / "demo/truth").glob("*.png"))
    for frame in (1, FRAMES):
        scene.frame_set(frame)
        with studio.override(area, "UI"):
            bpy.ops.pegbar.add_reference(type="FILE", filepath=str(truth[frame - 1]))
    scene.frame_set(1)
    with studio.override(area, "WINDOW"):
        bpy.ops.sequencer.view_all()
    yield 0.5
    yield from look(area, "model_missing")
    studio.weights(sys.argv[1])
    own.num_inference_steps, own.working_width = 6, 128
    yield from look(area, "idle")
    running = studio.click_run("lvcd", area)
    yield from studio.previewed(running)
    yield from look(area, "running", 0.5)
    yield from ended(running, 250)
    assert running.phase == "done", running.text
    made = [found for found in scene.sequence_editor.strips if found.get("pegbar_pipeline") == "lvcd"]
    assert [(found.channel, found.content_start, found.content_duration) for found in made] == [(strip.channel + 1, 1, FRAMES)]
    scene.frame_set(3)
    yield from look(area, "done", 1.5)


pbgui.play(main())
