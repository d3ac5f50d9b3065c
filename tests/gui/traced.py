"""What tracing gives: the demo's drawing was moved, seen as pictures and traced back; here are the keys, in its own strokes."""

import sys
from pathlib import Path

import bpy
import pbgui
import studio
from studio import module, viewport

NUMBER = 9
"""The frame that is shown: the fifth drawing on twos."""


def main():
    yield from studio.empty_file()
    scene, drawing = yield from studio.portrait()
    protocol, timeline = module("engine.protocol"), module("timeline")
    read, files = Path(sys.argv[1]), sorted(Path(sys.argv[2]).glob("*.npz"))
    folder = protocol.JobFolder.create(studio.OUT / "takes")
    inputs = {"sketch": (protocol.InputFile(1, folder.input_file("sketch", 1, ".npz")),)}
    protocol.write_atomic(folder.file(inputs["sketch"][0].file), read.read_bytes())
    job = protocol.Job("flipsketch", {}, inputs, protocol.Shot(scene.name, 1, 2 * len(files), 24.0, 2))
    events = []
    for index, (frame, path) in enumerate(zip(job.shot.frames, files, strict=True)):
        file = folder.output_file("strokes", index + 1, ".npz")
        protocol.write_atomic(folder.file(file), path.read_bytes())
        events.append(protocol.FrameWritten("strokes", frame, file))
    placed = timeline.finish(timeline.WRITE["strokes"](scene, folder, job, events, timeline.Target("LAYER", drawing.name)))
    for layer in drawing.data.layers:
        layer.hide = layer.name not in placed.layers
    first, *_ = placed.layers
    assert [key.frame_number for key in drawing.data.layers[first].frames] == [*job.shot.frames, 2 * len(files) + 1]
    scene.frame_end = 2 * len(files)
    scene.frame_set(NUMBER)
    area = viewport()
    area.spaces.active.show_region_ui = False
    bpy.ops.object.select_all(action="DESELECT")
    yield 0.5
    with studio.override(area):
        bpy.ops.view3d.view_center_camera()
    yield 1.0
    pbgui.shot("drawing")
    drawing.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    with studio.override(area):
        bpy.ops.grease_pencil.select_all(action="DESELECT")
    yield 1.0
    pbgui.shot("strokes")


pbgui.play(main())
