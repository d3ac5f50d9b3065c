"""The demo in Blender: draws the shot, takes both routes through Pegbar's own operators, and saves what an artist would find.

The pictures are made and judged by the engine's Python (`pictures.py`).
"""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import bpy

from ..engine.protocol import JobFolder, takes
from ..runs.engine import interpreter
from ..runs.takes import shot_folder
from ..timeline import Source, finish
from ..timeline.grease_pencil import read_drawing
from ..timeline.stepping import at_frames
from . import desk, motion, shot

POSE = 38
"""The moment of the shot whose fox is the drawing that `liven` gets."""
LENGTH = 24
"""Frames that `liven` makes of it."""
SHOT = range(motion.FIRST, motion.LAST + 1)


@dataclass
class Clock:
    """Seconds from one lap to the next, by name."""

    laps: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def lap(self, name: str) -> float:
        """The seconds since the last lap, counted to a name."""
        seconds = time.monotonic() - self.started - sum(self.laps.values())
        self.laps[name] = self.laps.get(name, 0.0) + seconds
        return seconds


def make(demo: Path) -> Iterator[str]:
    """Makes the demo in a folder, which is emptied first; tells what it did. Raises PegbarError where there is no engine."""
    clock = Clock()
    shutil.rmtree(demo, ignore_errors=True)
    (demo / "drawings").mkdir(parents=True)
    scene, still = shot.new_scene("Shot", motion.LAST), shot.new_scene("Drawing", LENGTH)
    for other in set(bpy.data.scenes) - {scene, still}:
        bpy.data.scenes.remove(other)
    figure, portrait = shot.draw_shot(scene), shot.draw_portrait(still, POSE)
    yield f"drew {figure.name!r} in Grease Pencil: {len(SHOT)} frames, up to {most_strokes(figure)} strokes each: {clock.lap('drawing'):.1f} s"
    read_shot(scene, figure, demo / "drawings")
    yield f"read its strokes through the camera: {clock.lap('reading'):.1f} s"
    pictures("draw")
    yield f"made line art, truth and one reference of them: {clock.lap('pictures'):.1f} s"
    place_strips(scene, demo)
    bpy.context.preferences.filepaths.save_version = 0
    bpy.ops.wm.save_as_mainfile(filepath=str(demo / "demo.blend"))
    livened = liven(still, portrait)
    yield f"Animate Drawing (liven): {LENGTH} frames of strokes on a new layer: {clock.lap('liven'):.1f} s"
    coloured = flat(scene, demo)
    yield f"Colorize Strip (flat): {len(SHOT)} frames from one reference as a new strip: {clock.lap('flat'):.1f} s"
    desk.arrange(scene)
    bpy.ops.file.make_paths_relative()
    bpy.ops.wm.save_mainfile()
    summary = {
        "engine_seconds": {"flat": coloured.state().seconds, "liven": livened.state().seconds},
        "drawing": livened.file(livened.read_job().inputs["sketch"][0].file).relative_to(demo).as_posix(),
        "takes": {"flat": outputs(demo, coloured, "clip"), "liven": outputs(demo, livened, "strokes")},
    }
    (demo / "summary.json").write_text(json.dumps(summary))
    pictures("judge")
    clock.lap("judging")
    pictures("show")
    yield f"saved demo.blend, judged the colours, made the movie and the contact sheet: {clock.laps['judging'] + clock.lap('showing'):.1f} s"
    yield from told(demo, clock)


def pictures(step: str) -> None:
    """Has the engine's Python do a step of the pictures."""
    subprocess.run([str(interpreter()), str(Path(__file__).parent), step], check=True)


def most_strokes(figure: bpy.types.Object) -> int:
    """The strokes of the frame that has most."""
    layers = figure.data.layers
    return max(sum(layer.get_frame_at(frame).drawing.attributes.domain_size("CURVE") for layer in layers) for frame in SHOT)


def read_shot(scene: bpy.types.Scene, figure: bpy.types.Object, folder: Path) -> None:
    """Writes the drawing at each frame as strokes, through the camera."""

    def visit(depsgraph: bpy.types.Depsgraph, frame: int) -> None:
        read_drawing(Source("OBJECT", figure.name), depsgraph, frame).save(folder / f"{frame:04d}.npz")

    finish(at_frames(scene, SHOT, visit))


def place_strips(scene: bpy.types.Scene, demo: Path) -> None:
    """The reference and the line art on the timeline, as an artist would drop them there."""
    strips = scene.sequence_editor_create().strips
    strips.new_image("Reference", str(demo / "reference.png"), channel=1, frame_start=motion.FIRST)
    line_art = strips.new_image("Line Art", str(demo / "lineart" / "0001.png"), channel=2, frame_start=motion.FIRST)
    for frame in SHOT[1:]:
        line_art.elements.append(f"{frame:04d}.png")


def liven(scene: bpy.types.Scene, portrait: bpy.types.Object) -> JobFolder:
    """Presses Animate Drawing on the portrait."""
    bpy.context.window.scene = scene
    scene.view_layers[0].objects.active = portrait
    scene.pegbar.length, scene.pegbar.rhythm = LENGTH, "1"
    return run("liven", scene, portrait.name)


def flat(scene: bpy.types.Scene, demo: Path) -> JobFolder:
    """Presses Colorize Strip on the line art, with the one reference."""
    bpy.context.window.scene = scene
    scene.sequence_editor.active_strip = scene.sequence_editor.strips["Line Art"]
    scene.pegbar.flat.close_gaps = 0  # these lines are drawn closed
    reference = scene.pegbar.references.add()
    reference.type, reference.name, reference.at, reference.frame = "STRIP", "Reference", motion.FIRST, motion.FIRST
    return run("flat", scene, "Line Art")


def run(pipeline: str, scene: bpy.types.Scene, source: str) -> JobFolder:
    """Presses the pipeline's button, then Apply on the take that it made of a drawing or strip."""
    bpy.ops.pegbar.run(pipeline=pipeline)
    folder = list(takes(shot_folder(scene.name, source)))[-1]
    bpy.ops.pegbar.apply_take(folder=str(folder.path))
    return folder


def outputs(demo: Path, folder: JobFolder, name: str) -> list[str]:
    """The files of a take's output in the order of their frames, relative to the demo's folder."""
    written = sorted((event.frame, event.file) for event in folder.state().frames if event.output == name)
    return [folder.file(file).relative_to(demo).as_posix() for _, file in written]


def told(demo: Path, clock: Clock) -> Iterator[str]:
    """What came of it, in words."""
    summary = json.loads((demo / "summary.json").read_text())
    (demo / "summary.json").write_text(json.dumps({**summary, "seconds": {n: round(s, 2) for n, s in clock.laps.items()}}, indent=1) + "\n")
    yield f"flat took {summary['seconds_per_frame']:.2f} s a frame and has right, off the lines and against the fills that it never saw:"
    for name, kind in (("", "all"), ("fox_", "the fox alone")):
        yield f"  {kind}: {summary[f'{name}pixels_right']:.2%} of pixels, {summary[f'{name}regions_right']:.2%} of regions"
    yield f"  {summary['palette_violations']} pixels of a colour that the reference has not"
    yield f"in {sum(clock.laps.values()):.0f} s; look into {demo}: demo.blend, demo.mp4, contact_sheet.png, summary.json"
