"""The engine's pictures of Grease Pencil drawings against Blender's own renders of them, the whole way: reader, file, raster.

Blender renders in a process of its own, since without EGL it dies there (on Debian `libegl1` and `libgl1-mesa-dri` cure that).
"""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the rendering process runs this file as a script
from conftest import ROOT
from pegbar.engine.strokes import BEZIER, CATMULL_ROM, NURBS, POLY, Strokes
from pegbar.timeline import grease_pencil
from pegbar.timeline.places import Source

SIZE = 1920, 1080
KINDS = {"POLY": POLY, "CATMULL_ROM": CATMULL_ROM, "BEZIER": BEZIER, "NURBS": NURBS}
VIEWS = ("orthographic", "perspective")
EGL_PLATFORMS = 0x31DD, 0x313F
"""Mesa's without a surface, and a device's own: what there is without a window."""
ENGINE = os.environ.get("PEGBAR_ENGINE_PYTHON", str(ROOT / ".venv/engine/bin/python"))
RASTER = """
import sys
from pathlib import Path
import numpy as np
from engine.drawing.frames import read_image
from engine.drawing.raster import coloured, ink
from engine.strokes import Strokes
for file in map(Path, sys.argv[1:]):
    strokes = Strokes.load(file)
    np.savez(file.with_suffix(".pictures.npz"), ink=ink(strokes, strokes.size), coloured=coloured(strokes, strokes.size),
             blender=read_image(file.with_suffix(".png")))
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """By name of the drawing and view: the strokes, and the pictures of both sides."""
    if not has_egl():
        pytest.skip("This machine has no EGL, without which Blender cannot render: install libegl1 and libgl1-mesa-dri")
    folder = tmp_path_factory.mktemp("renders")
    rendered = subprocess.run([sys.executable, __file__, str(folder)], capture_output=True, text=True, timeout=300)
    assert rendered.returncode == 0, rendered.stdout + rendered.stderr
    files = sorted(file for file in folder.glob("*.npz"))
    subprocess.run([ENGINE, "-B", "-c", RASTER, *map(str, files)], check=True, cwd=ROOT, timeout=120)
    return {file.stem: (Strokes.load(file), np.load(file.with_suffix(".pictures.npz"))) for file in files}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_ink_of_every_kind_of_curve_is_blenders(pictures, view, kind):
    strokes, both = pictures[f"lines {view}"]
    of_kind = np.repeat(strokes.layer == strokes.layers.index(kind), np.diff(strokes.offsets))
    x = strokes.points[of_kind, 0]
    columns = slice(int(x.min()) - 20, int(x.max()) + 20)
    ours, theirs = both["ink"][:, columns], both["blender"][:, columns, 3]
    union = ((ours >= 0.5) | (theirs >= 0.5)).sum()
    overlap = ((ours >= 0.5) & (theirs >= 0.5)).sum() / union
    print(f"{view} {kind}: IoU {overlap:.4f}, ink {ours.sum() / theirs.sum() - 1:+.2%}")
    assert union > 10_000
    assert overlap >= 0.97
    assert abs(ours.sum() / theirs.sum() - 1) < 0.01


def test_the_colour_inside_lines_and_fills_is_blenders(pictures):
    """On every pixel that is flat in both pictures, but for a level or two of rounding; translucent layers lie as a whole."""
    _, both = pictures["colours"]
    ours, theirs = both["coloured"], both["blender"]
    flat = _flat(ours) & _flat(theirs)
    off = np.abs(ours - theirs).max(axis=2) * 255
    fading = np.zeros(off.shape, bool)
    fading[:180, 1000:] = True
    assert (flat & ~fading & (ours[..., 3] > 0)).sum() > 300_000
    assert (off[flat & ~fading] > 2.5).mean() < 1e-4
    # Blender stretches a change of opacity over the round caps.
    assert off[flat & fading].max() < 10


def _flat(image):
    """(h, w) whether all pixels within 2 are the same."""
    same = np.ones(image.shape[:2], bool)
    for axis in (0, 1):
        for step in (-2, -1, 1, 2):
            same &= (np.abs(image - np.roll(image, step, axis)) < 1.5 / 255).all(axis=2)
    return same


def has_egl():
    """Whether Blender can render without a window here; where it cannot it does not raise but dies."""
    if not sys.platform.startswith("linux"):
        return True
    try:
        egl = ctypes.CDLL("libEGL.so.1")
    except OSError:
        return False
    egl.eglGetPlatformDisplay.restype = ctypes.c_void_p
    displays = [egl.eglGetPlatformDisplay(platform, None, None) for platform in EGL_PLATFORMS]
    return any(display and egl.eglInitialize(ctypes.c_void_p(display), None, None) for display in displays)


def render_all(folder):
    """Draws, and writes each drawing as read by the extension beside Blender's render of it."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.film_transparent = True
    scene.render.dither_intensity = 0
    scene.render.image_settings.color_mode = "RGBA"
    scene.view_settings.view_transform = "Standard"
    # One sample still smooths edges. The 8 of 5.0 and later lie a fifth of a pixel off the middle, which alone costs an IoU of 0.02.
    scene.grease_pencil_settings.aa_samples = 1
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    for name, draw, look in (
        ("lines orthographic", draw_lines, look_straight),
        ("lines perspective", draw_lines, look_askew),
        ("colours", draw_colours, look_straight),
    ):
        drawing = draw(scene)
        look(camera)
        scene.view_layers[0].update()
        strokes = grease_pencil.read_drawing(Source("OBJECT", drawing.name), bpy.context.evaluated_depsgraph_get(), 1)
        strokes.save(folder / f"{name}.npz")
        scene.render.filepath = str(folder / f"{name}.png")
        bpy.ops.render.render(write_still=True)
        bpy.data.objects.remove(drawing)


def look_straight(camera):
    """A picture 16 wide and 9 high around the origin."""
    camera.data.type, camera.data.ortho_scale = "ORTHO", 16
    camera.location, camera.rotation_euler = (0, -10, 0), (np.pi / 2, 0, 0)


def look_askew(camera):
    camera.data.type, camera.data.lens = "PERSP", 35
    camera.location, camera.rotation_euler = (1.5, -17, 2.5), (np.pi / 2 - 0.14, 0.03, 0.09)


def draw_lines(scene):
    """A layer for each kind of curve, side by side and turned in space: a tapered line, a closed one, one with sharp turns."""
    drawing = new_drawing(scene, [((0, 0, 0, 1), None)])
    for column, kind in enumerate(KINDS):
        layer = drawing.data.layers.new(kind)
        layer.rotation, layer.scale = (0.2, 0.05 * column, 0), (1, 1, 1.05)
        t, turn = np.linspace(0, 1, 9), np.arange(7) / 7 * 2 * np.pi
        shape = np.where(np.arange(7) % 2, 1.5, 0.8)
        parts = (
            np.stack([0.3 + 3.2 * t, 0.5 * t, 2.6 + 1.2 * np.sin(9 * t)], axis=1),
            np.stack([2 + shape * np.cos(turn), 0.4 * np.sin(turn), -0.3 + 0.8 * shape * np.sin(turn)], axis=1),
            np.array([(0.4, 0, -2), (3.4, 0.3, -2.4), (0.6, 0.6, -2.9), (3.4, 0.9, -3.3), (1, 1.2, -4)]),
        )
        radius = np.concatenate([np.linspace(0.005, 0.08, 9), np.full(7, 0.03), [0.02, 0.06, 0.02, 0.06, 0.02]])
        strokes = add_strokes(
            layer, [part + np.array([4 * column - 8, 0, 0]) for part in parts], radius=radius, cyclic=[False, True, False]
        )
        if kind != "POLY":
            strokes.set_types(type=kind)
        if kind == "BEZIER":
            set_handles(strokes, parts, 4 * column - 8)
    return drawing


def set_handles(strokes, parts, x):
    """Free handles along the way from the point before to the point after, not of the same length on both sides."""
    along = [(np.roll(part, -1, axis=0) - np.roll(part, 1, axis=0)) / 5 for part in parts]
    position = np.concatenate(parts) + np.array([x, 0, 0])
    write(strokes, "handle_left", "FLOAT_VECTOR", "POINT", position - np.concatenate(along))
    write(strokes, "handle_right", "FLOAT_VECTOR", "POINT", position + 0.7 * np.concatenate(along))
    for side in ("left", "right"):
        write(strokes, f"handle_type_{side}", "INT8", "POINT", np.zeros(len(position)))


def draw_colours(scene):
    """Squares with broad lines in a grid: each row a layer, each column a material; and a translucent line that crosses itself."""
    looks = [
        ((0.2, 0.5, 0.8, 1), (0.9, 0.3, 0.1, 1)),
        ((0.05, 0.05, 0.05, 1), (0.6, 0.7, 0.2, 0.5)),
        ((0.8, 0.1, 0.3, 0.4), None),
        ((0.1, 0.3, 0.1, 1), None),
    ]
    drawing = new_drawing(scene, looks)
    rows = {"plain": {}, "point colour": {"vertex_color": (0.1, 0.9, 0.4, 0.5)}, "fill colour": {"fill_color": (0.9, 0.9, 0.1, 0.7)},
            "fill opacity": {"fill_opacity": 0.3}, "tint": {}, "layer opacity": {}}  # fmt: skip
    for row, (name, values) in enumerate(rows.items()):
        layer = drawing.data.layers.new(name)
        if name == "tint":
            layer.tint_color, layer.tint_factor = (0.1, 0.2, 0.9), 0.6
        layer.opacity = 0.5 if name == "layer opacity" else 1
        corners = np.array([(0, 0, 0), (1.6, 0, 0), (1.6, 0, 0.9), (0, 0, 0.9)])
        parts = [corners + np.array([-7.5 + 2.4 * column, 0, 3.2 - 1.45 * row]) for column in range(3)]
        strokes = add_strokes(layer, parts, radius=np.full(12, 0.08), cyclic=[True] * 3, material=[0, 1, 2])
        for attribute, value in values.items():
            domain = "POINT" if attribute == "vertex_color" else "CURVE"
            count = 12 if domain == "POINT" else 3
            write(strokes, attribute, "FLOAT_COLOR" if np.ndim(value) else "FLOAT", domain, np.tile(value, (count, 1)))
    layer = drawing.data.layers.new("opacity")
    crossing = np.array([(1, 0, -3), (6, 0, 2), (6, 0, -3), (1, 0, 2)], float)
    fading = np.array([(1, 0, 3.5), (7, 0, 3.5)], float)
    add_strokes(layer, [crossing, fading], radius=np.full(6, 0.25), opacity=[0.5] * 4 + [0.1, 0.9], cyclic=[False, False], material=[3, 3])
    return drawing


def new_drawing(scene, looks):
    """An empty Grease Pencil object with a material for each (line colour, fill colour or None)."""
    kinds = bpy.data.grease_pencils_v3 if hasattr(bpy.data, "grease_pencils_v3") else bpy.data.grease_pencils
    drawing = bpy.data.objects.new("Drawing", kinds.new("Drawing"))
    scene.collection.objects.link(drawing)
    for line, fill in looks:
        material = bpy.data.materials.new("Material")
        bpy.data.materials.create_gpencil_data(material)
        style = material.grease_pencil
        style.color, style.show_stroke, style.show_fill = line, True, fill is not None
        style.fill_color = fill or (0, 0, 0, 0)
        drawing.data.materials.append(material)
    return drawing


def add_strokes(layer, parts, radius, cyclic, opacity=None, material=None):
    """A drawing on frame 1 with a stroke for each part (n, 3)."""
    layer.use_lights = False  # there are none, and the reader knows of none
    drawing = layer.frames.new(1).drawing
    drawing.add_strokes([len(part) for part in parts])
    write(drawing, "position", "FLOAT_VECTOR", "POINT", np.concatenate(parts))
    write(drawing, "radius", "FLOAT", "POINT", radius)
    write(drawing, "opacity", "FLOAT", "POINT", np.ones(len(radius)) if opacity is None else opacity)
    write(drawing, "cyclic", "BOOLEAN", "CURVE", cyclic)
    write(drawing, "material_index", "INT", "CURVE", [0] * len(parts) if material is None else material)
    if bpy.app.version >= (5, 2) and material is not None:
        write(drawing, "fill_id", "INT", "CURVE", np.arange(len(parts)) + 1)
    return drawing


def write(drawing, name, kind, domain, values):
    attribute = drawing.attributes.get(name) or drawing.attributes.new(name, kind, domain)
    field = {"FLOAT_VECTOR": "vector", "FLOAT_COLOR": "color"}.get(kind, "value")
    dtype = {"BOOLEAN": bool, "INT": np.int32, "INT8": np.int8}.get(kind, np.float32)
    attribute.data.foreach_set(field, np.asarray(values, dtype).ravel())
    drawing.tag_positions_changed()


if __name__ == "__main__":
    render_all(Path(sys.argv[1]))
