"""A region of the demo's shot recoloured by a click in the preview: how it looks, and how long it takes until the strip shows it.

The 48 frames are coloured first; the figures are written to `corrections.json`.
"""

import json
import subprocess
import time

import bpy
import pbgui
import studio
from studio import ended, look, module, run, takes

shot = module("showcase.shot")
correcting, pointing, placing = module("runs.correcting"), module("timeline.pointing"), module("runs.placing")
FIRST, SECOND = 24, 40
"""Frames that are corrected."""
COAT, SKY = (0.52, 0.47), (0.5, 0.06)
"""Places on frame FIRST and on frame SECOND."""


def main():
    yield from studio.empty_file()
    scene = pbgui.window().scene = shot.new_scene("Clip", 48)
    area = pbgui.editor("SEQUENCE_EDITOR")
    yield 0.8
    studio.fox_lines(scene.sequence_editor)
    area.spaces.active.view_type = "SEQUENCER_PREVIEW"
    area.spaces.active.timeline_overlay.show_strip_source = False
    scene.pegbar.flat.close_gaps = 0
    with studio.override(area, "UI"):
        bpy.ops.pegbar.add_reference(type="FILE", filepath=str(studio.REPOSITORY / "demo/reference.png"))
    yield 0.5
    with studio.override(area, "WINDOW"):
        bpy.ops.sequencer.view_all()
    running = studio.click_run("flat", area)
    yield from ended(running, 400)
    assert running.phase == "done", running.text
    first = takes.listed()[0]
    scene.frame_set(FIRST)
    yield from look(area, "palette", 1.5)

    strip = scene.sequence_editor.active_strip
    bpy.ops.pegbar.pick_colour(colour="#3f7fd0")
    with studio.override(area, "UI"):
        assert bpy.ops.pegbar.recolour_region("INVOKE_DEFAULT") == {"RUNNING_MODAL"}
    yield 0.5
    seconds = [(yield from clicked(area, scene, strip, COAT))]
    yield from look(area, "recoloured", 1.5)
    scene.frame_set(SECOND)
    bpy.ops.pegbar.pick_colour(colour="#f2c879")
    yield 1.0
    seconds.append((yield from clicked(area, scene, strip, SKY)))
    yield from look(area, "recoloured_sky", 1.5)
    subprocess.run(["xdotool", "key", "Escape"], check=True, timeout=30)
    yield 0.5
    last = takes.by_id(strip["pegbar_take"])
    assert correcting.count(last.job) == 2 and not bpy.context.window_manager.get("pegbar_modal")

    scene.frame_set(1)
    for _ in range(2):
        with studio.override(area, "UI"):
            bpy.ops.pegbar.next_check(folder=str(last.folder.path))
        assert scene.frame_current in last.to_check
    yield from look(area, "to_check", 1.0)

    for name in ("one", "two"):
        with studio.override(area):
            bpy.ops.ed.undo()
        yield 0.5
        pbgui.log("undone", name, bpy.context.window_manager.windows[0].scene.sequence_editor.active_strip["pegbar_take"])
    scene = bpy.context.window_manager.windows[0].scene
    assert scene.sequence_editor.active_strip["pegbar_take"] == first.job.id
    yield from look(area, "undone", 1.0)
    changed = sum(not first.folder.file(frame.file).samefile(last.folder.file(frame.file)) for frame in first.frames)
    figures = {"seconds from the click to the strip": seconds, "frames changed": changed, "engine's seconds": last.state.seconds}
    (studio.OUT / "corrections.json").write_text(json.dumps(figures, indent=1))
    pbgui.log(figures)


def clicked(area, scene, strip, place):
    """Clicks a place of the strip's picture in the preview; gives the seconds until the strip shows another take."""
    region = pbgui.region(area, "PREVIEW")
    x, y = region.view2d.view_to_region(*pointing.in_preview(scene, strip, *place), clip=False)
    at = region.x + x, pbgui.window().height - (region.y + y)
    before = strip["pegbar_take"]
    subprocess.run(["xdotool", "mousemove", *map(str, map(round, at))], check=True, timeout=30)
    yield 0.3
    began = time.monotonic()
    subprocess.run(["xdotool", "click", "1"], check=True, timeout=30)
    yield from pbgui.wait(lambda: strip["pegbar_take"] != before, 60, 0.02, f"the correction {run.latest('flat')}")
    return time.monotonic() - began


pbgui.play(main())
