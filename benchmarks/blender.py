"""How long Blender's thread is held: 100 frames of 300 strokes of 30 points read, and placed again as a layer.

usage: .venv/blender-5.0/bin/python -m benchmarks.blender   (any of the Blender environments; `make bench` runs them all)

Beside it the same points read one by one from Python, at a twentieth of the frames: the ratio is between the seconds a frame.
"""

import importlib
import tempfile
import time
from pathlib import Path

import bpy
import numpy as np

FRAMES, STROKES, POINTS = 100, 300, 30
ONE_BY_ONE = FRAMES // 20


def main() -> None:
    importlib.import_module("tests.conftest")  # the repository under the name `pegbar`
    timeline, protocol, layers = (importlib.import_module(f"pegbar.{name}") for name in ("timeline", "engine.protocol", "engine.strokes"))
    scene = stage()
    print(f"Blender {bpy.app.version_string}: {FRAMES} frames of {STROKES} strokes of {POINTS} points")
    print(f"{'':24} {'seconds':>8} {'longest piece ms':>17} {'one by one, ratio':>18}")
    with tempfile.TemporaryDirectory() as folder:
        take = protocol.JobFolder.create(Path(folder))
        source = timeline.Source("OBJECT", "Hero")
        files, seconds, longest = exhaust(timeline.READ["sketch"](scene, [source], range(1, FRAMES + 1), take, "sketch"))
        ratio = one_by_one(scene) / ONE_BY_ONE / (seconds / FRAMES)
        print(f"{'read, files written':24} {seconds:8.2f} {1000 * longest:17.0f} {ratio:18.0f}")
        job = protocol.Job("liven", {}, {"sketch": files}, protocol.Shot(scene.name, 1, FRAMES, 24.0))
        take.write_job(job)
        written = []
        for index, file in enumerate(files, start=1):
            output = take.output_file("strokes", index, ".npz")
            layers.Strokes.load(take.file(file.file)).save(take.file(output))
            written.append(protocol.FrameWritten("strokes", file.frame, output))
        target = timeline.Target("LAYER", "Hero")
        _, seconds, longest = exhaust(timeline.WRITE["strokes"](scene, take, job, written, target))
        print(f"{'placed as a layer':24} {seconds:8.2f} {1000 * longest:17.0f}")


def stage() -> bpy.types.Scene:
    """A scene with a camera and the drawings."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location, camera.rotation_euler = (0.5, -3, 0.5), (np.pi / 2, 0, 0)
    data = (bpy.data.grease_pencils_v3 if hasattr(bpy.data, "grease_pencils_v3") else bpy.data.grease_pencils).new("Hero")
    for thing in (camera, bpy.data.objects.new("Hero", data)):
        scene.collection.objects.link(thing)
    scene.camera = camera
    layer, random = data.layers.new("Lines"), np.random.default_rng(0)
    for frame in range(1, FRAMES + 1):
        drawing = layer.frames.new(frame).drawing
        drawing.add_strokes([POINTS] * STROKES)
        drawing.attributes["position"].data.foreach_set("vector", random.random(STROKES * POINTS * 3, np.float32))
        for name, value in (("radius", 0.004), ("opacity", 1.0)):
            attribute = drawing.attributes.get(name) or drawing.attributes.new(name, "FLOAT", "POINT")
            attribute.data.foreach_set("value", np.full(STROKES * POINTS, value, np.float32))
    bpy.context.view_layer.update()
    return scene


def exhaust(steps):
    """What a Reader or Writer returns, its seconds, and those of its longest piece."""
    marks = [time.perf_counter()]
    while True:
        try:
            next(steps)
            marks.append(time.perf_counter())
        except StopIteration as end:
            marks.append(time.perf_counter())
            return end.value, marks[-1] - marks[0], max(np.diff(marks))


def one_by_one(scene: bpy.types.Scene) -> float:
    """Seconds to read positions and radii of some frames through Python's objects."""
    started = time.perf_counter()
    hero = scene.objects["Hero"]
    for frame in range(1, ONE_BY_ONE + 1):
        scene.frame_set(frame)
        evaluated = hero.evaluated_get(bpy.context.evaluated_depsgraph_get())
        for stroke in evaluated.data.layers[0].current_frame().drawing.strokes:
            [(tuple(point.position), point.radius) for point in stroke.points]
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
