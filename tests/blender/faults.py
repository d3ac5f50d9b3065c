"""What the tests of bad input stand on: a sentence is clear, Blender's data are as they were, finished frames stay, no process is left."""

import contextlib
import logging
import threading

import bpy
import numpy as np
import psutil
import pytest
from pegbar.preferences import preferences
from pegbar.runs import engine, placing, run, takes

from . import stage

KINDS = ("scenes", "objects", "collections", "cameras", "materials", "images", "actions", "movieclips", "texts", "sounds")
UNSTABLE = {"rna_type", "original", "preview", "session_uid", "depsgraph"}


def values(owner, name=""):
    """(name, value) of every property of a Blender struct, however deep; other data by name."""
    for prop in owner.bl_rna.properties if name.count(".") < 6 else ():
        value = None if prop.identifier in UNSTABLE else getattr(owner, prop.identifier, None)
        parts = value if prop.type == "COLLECTION" and value is not None else [value]
        for index, part in enumerate(parts):
            inner = f"{name}.{prop.identifier}[{index}]"
            if isinstance(part, bpy.types.bpy_struct) and not isinstance(part, bpy.types.ID):
                yield from values(part, inner)
            else:
                yield inner, repr(list(part) if getattr(prop, "is_array", False) else part)


def everything():
    """All that the open file holds and a run must leave alone, by name."""
    found = {"file": bpy.data.filepath, "scene": repr(bpy.context.scene), "active": repr(bpy.context.active_object)}
    for block in (block for kind in KINDS for block in getattr(bpy.data, kind)):
        found |= values(block, repr(block))
        if isinstance(block, bpy.types.Object) and block.type == "GREASEPENCIL":
            found |= values(block.data, repr(block.data))
            for layer in block.data.layers:
                found[repr(layer)] = repr({frame: place.tolist() for frame, place in stage.strokes_of(layer).items()})
    return found


def children():
    """The processes that this one has started and that still are."""
    living = (child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE)
    return {child.pid for child in living if "serve" in child.cmdline()}


@pytest.fixture(scope="module", autouse=True)
def worker():
    """One worker for all tests that do it no harm; none is left at the end."""
    yield
    engine.stop()
    assert not children()


@pytest.fixture(autouse=True)
def ready(tmp_path, scene, caplog):
    """An engine, takes in a folder of the test; afterwards no run goes on, no bug was logged and only the one worker lives."""
    preferences().engine_python, preferences().takes_folder = str(stage.ENGINE), str(tmp_path / "takes")
    scene.pegbar.keep_seed = True
    yield
    for running in run.active():
        run.stop(running)
    preferences().engine_python = preferences().takes_folder = ""
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(children()) <= 1


def told(operator, **settings):
    """The sentence with which an operator refuses; all of Blender's data are as before."""
    bpy.context.view_layer.update()
    before = everything()
    with pytest.raises(RuntimeError) as raised:
        operator(**settings)
    text = str(raised.value).removeprefix("Error: ").strip()
    after = everything()
    assert not {name: (before.get(name), after.get(name)) for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert "\n" not in text and "mistake" not in text and "Traceback" not in text and "Error" not in text
    return text


def colorize():
    return told(bpy.ops.pegbar.run, pipeline="flat")


def animate():
    return told(bpy.ops.pegbar.run, pipeline="liven")


def the_take():
    (take,) = takes.listed()
    return take


def nothing_left(tmp_path):
    """Whether no run left files behind."""
    return not takes.listed() and not list((tmp_path / "takes").rglob("take_*"))


def colour_at(path, x, y):
    """The 8-bit RGB of a pixel, from the top left."""
    image = bpy.data.images.load(str(path))
    width, height = image.size
    pixels = np.zeros(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return tuple(int(value) for value in (pixels.reshape(height, width, 4)[height - 1 - y, x, :3] * 255).round())


def is_coloured(take, frames):
    """Whether a take of the stage's line art has all its frames with the reference's colours in both boxes."""
    assert take.state.name == "done" and len(take.frames) == frames and placing.is_placed(take)
    pictures = [take.folder.file(frame.file) for frame in take.frames]
    return all((colour_at(path, 22, 32), colour_at(path, 70, 32)) == (stage.RED, stage.BLUE) for path in pictures)


@contextlib.contextmanager
def meanwhile(tmp_path, act, frames=2):
    """Once so many frames of the one take are whole, acts on its folder; from a thread, without Blender's data."""
    ended = threading.Event()

    def watch():
        while not ended.wait(0.01):
            if found := list(tmp_path.rglob(f"take_*/outputs/clip/{frames:04d}.png")):
                return act(found[0].parents[2])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def slow(scene, tmp_path, frames=6):
    """Readies a run of `still` that takes its time."""
    strip, _ = stage.line_art(scene, tmp_path, frames)
    scene.pegbar.references.clear()
    scene.pegbar.still.seconds_per_frame = 0.15
    return strip


def finish(take, frames):
    """Finishes a take that fell, keeps what was there, places it."""
    kept = {frame.file: take.folder.file(frame.file).stat().st_mtime_ns for frame in take.frames}
    assert bpy.ops.pegbar.finish_take(folder=str(take.folder.path)) == {"FINISHED"}
    take = the_take()
    assert take.state.name == "done" and len(take.frames) == frames and placing.is_placed(take)
    assert all(take.folder.file(file).stat().st_mtime_ns == at for file, at in kept.items())
