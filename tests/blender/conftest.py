"""Loads the repository as the installed extension `bl_ext.user_default.pegbar`, enabled; every test starts in an empty file.

Tests import it as `pegbar`, like the engine's tests: both names lead to the same modules, never to a second copy.
"""

import importlib
import importlib.abc
import importlib.util
import sys
import types
from pathlib import Path

import bpy
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = "bl_ext.user_default.pegbar"


class OneCopy(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers an import of `pegbar.x` with the module of the extension."""

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name.startswith("pegbar.") else None

    def create_module(self, spec):
        module = importlib.import_module(f"bl_ext.user_default.{spec.name}")
        self.spec = module.__spec__
        return module

    def exec_module(self, module):
        module.__spec__ = self.spec


def load():
    """The root package under both names; loaded once, also where a script imports this file anew."""
    if PACKAGE in sys.modules:
        return sys.modules[PACKAGE]
    for parent in ("bl_ext", "bl_ext.user_default"):
        if parent not in sys.modules:
            sys.modules[parent] = types.ModuleType(parent)
            sys.modules[parent].__path__ = []
    spec = importlib.util.spec_from_file_location(PACKAGE, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    root = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = sys.modules["pegbar"] = root
    spec.loader.exec_module(root)
    sys.meta_path.insert(0, OneCopy())
    return root


pegbar = load()
JobFolder = importlib.import_module("pegbar.engine.protocol").JobFolder
tiny = importlib.import_module("pegbar.tests.blender.tiny")
weights, published = tiny.weights, tiny.published
"""Fixtures: tiny checkpoints of the published pipelines, and the engine that runs them."""


@pytest.fixture(scope="session", autouse=True)
def registered():
    """The extension, enabled as Blender does it."""
    bpy.context.preferences.addons.new().module = PACKAGE
    pegbar.register()
    yield pegbar
    pegbar.unregister()


@pytest.fixture(autouse=True)
def scene():
    """The scene of an empty new file."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    return bpy.context.scene


@pytest.fixture
def picture():
    """A function that writes a PNG of one colour (0..255 a channel) and gives its path."""

    def write(path, colour, size=(16, 8)):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = bpy.data.images.new("picture", *size, alpha=True)
        image.pixels.foreach_set(np.tile(np.float32([*colour, 255][:4]) / 255, size[0] * size[1]))
        image.filepath_raw, image.file_format = str(path), "PNG"
        image.save()
        bpy.data.images.remove(image)
        return path

    return write


@pytest.fixture
def pixels():
    """A function that reads a picture as integers (h, w, 4), 0..255, top row first."""

    def read(path):
        image = bpy.data.images.load(str(path))
        values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
        image.pixels.foreach_get(values)
        size = image.size[1], image.size[0], 4
        bpy.data.images.remove(image)
        return np.rint(values.reshape(size)[::-1] * 255).astype(int)

    return read


@pytest.fixture
def take(tmp_path):
    """An empty job folder."""
    return JobFolder.create(tmp_path / "shot")


@pytest.fixture
def steps():
    """A function that exhausts a Reader or Writer, holds that the scene is as it was at every yield, and gives what it returns."""

    def run(scene, generator):
        before = snapshot(scene)
        while True:
            try:
                share = next(generator)
            except StopIteration as end:
                return end.value
            assert 0 <= share <= 1
            assert snapshot(scene) == before

    return run


def snapshot(owner):
    """All that can be set on a scene, its render settings and its strips, as plain values."""
    found = {}
    for part in (owner, owner.render, owner.render.image_settings, owner.render.image_settings.view_settings, owner.view_settings):
        found |= {(part.bl_rna.identifier, p.identifier): str(getattr(part, p.identifier)) for p in part.bl_rna.properties if plain(p)}
    found["view"] = owner.render.image_settings.display_settings.display_device, owner.render.filepath
    for strip in owner.sequence_editor.strips if owner.sequence_editor else ():
        place = strip.transform if hasattr(strip, "transform") else None
        found[strip.name] = strip.mute, strip.blend_type, strip.blend_alpha, place and (place.scale_x, place.scale_y)
    found["channels"] = tuple(channel.mute for channel in owner.sequence_editor.channels) if owner.sequence_editor else ()
    return found


def plain(prop):
    single = prop.type in ("BOOLEAN", "INT", "FLOAT", "STRING", "ENUM") and not getattr(prop, "is_array", False)
    return single and not prop.is_readonly and prop.identifier != "use_nodes"  # which 6.0 will not know


@pytest.fixture
def draw(scene):
    """A function that adds strokes (lists of points in space) to a frame of a layer of a Grease Pencil object, made where it is not
    there; further attributes by name as (data type, domain, values), one value for all or one each."""
    versions = importlib.import_module("pegbar.timeline.versions")
    attributes = importlib.import_module("pegbar.timeline.attributes")

    def add(strokes, frame=1, layer="Lines", name="Hero", type="POLY", radius=0.1, **others):
        found = bpy.data.objects.get(name)
        if found is None:
            found = bpy.data.objects.new(name, versions.grease_pencils().new(name))
            scene.collection.objects.link(found)
        layers = found.data.layers
        drawing = (layers.get(layer) or layers.new(layer)).frames.new(frame).drawing
        if len(strokes):
            points = np.concatenate(strokes)
            drawing.add_strokes([len(stroke) for stroke in strokes])
            drawing.set_types(type=type)
            attributes.write(drawing, "position", "FLOAT_VECTOR", "POINT", points)
            usual = {"radius": ("FLOAT", "POINT", radius), "opacity": ("FLOAT", "POINT", 1.0)}
            for key, (data_type, domain, values) in (usual | others).items():
                count = len(points) if domain == "POINT" else len(strokes)
                width = {"FLOAT_COLOR": (4,), "FLOAT_VECTOR": (3,)}.get(data_type, ())
                attributes.write(drawing, key, data_type, domain, np.broadcast_to(values, (count, *width)))
        bpy.context.view_layer.update()
        return found

    return add


@pytest.fixture
def camera(scene):
    """A camera 10 units before the front plane, its picture 320 x 180."""
    scene.render.resolution_x, scene.render.resolution_y = 320, 180
    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(scene.camera)
    scene.camera.location, scene.camera.rotation_euler = (0, -10, 0), (np.pi / 2, 0, 0)
    return scene.camera


@pytest.fixture
def animate(scene, take, steps):
    """A function that reads `Hero` at its frame, lets `move(strokes, frame)` move it over the shot, and places the result."""

    protocol, strokes, timeline = (importlib.import_module(f"pegbar.{name}") for name in ("engine.protocol", "engine.strokes", "timeline"))

    def run(move, first=1, last=4, step=1, read_at=(1,), layers=(), **target):
        source = timeline.Source("OBJECT", "Hero", layers)
        inputs = {"sketch": steps(scene, timeline.READ["sketch"](scene, [source], read_at, take, "sketch"))}
        job = protocol.Job("liven", {}, inputs, protocol.Shot(scene.name, first, last, 24.0, step))
        read = {file.frame: strokes.Strokes.load(take.file(file.file)) for file in inputs["sketch"]}
        events = []
        for index, frame in enumerate(job.shot.frames):
            held = max((number for number in read if number <= frame), default=min(read))
            file = take.output_file("strokes", index + 1, ".npz")
            move(read[held], frame).save(take.file(file))
            events.append(protocol.FrameWritten("strokes", frame, file))
        return steps(scene, timeline.WRITE["strokes"](scene, take, job, events, timeline.Target("LAYER", "Hero", **target)))

    return run
