"""Places a clip in space: as a plane, as an image empty or as the background of the scene's camera, each picture on its own frame."""

import contextlib
import os
from collections.abc import Generator, Sequence
from pathlib import Path

import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector

from ..engine.protocol import FrameWritten, Job, JobFolder, PegbarError
from ..engine.strokes import Strokes
from .grease_pencil import world_matrix
from .pictures import copy
from .places import Placed, Target, existing, from_file, held, last_frame, sign, title
from .projection import unproject
from .stepping import depsgraph_of, scene_named

HEIGHT = 2.0
"""Of a plane or empty in a scene without a camera."""

DEPTH = 10.0
"""How far before the camera a plane or empty stands that no object says a place for."""


def write(
    scene: bpy.types.Scene, folder: JobFolder, job: Job, frames: Sequence[FrameWritten], target: Target
) -> Generator[float, None, Placed]:
    """Places a clip where the camera sees it fill the picture, in the depth of its source; without a camera where its source was read, if
    that is a drawing, else upright on it."""
    scene_name = scene.name
    files = yield from existing(folder, frames)
    if target.type == "CAMERA" and scene_named(scene_name).camera is None:
        raise PegbarError("The scene has no camera to put a background behind: add one")
    first, last = min(files), last_frame(files, job.shot)
    shown = yield from _numbered(folder, frames[0].output, held(files, last))
    scene = scene_named(scene_name)
    name = title(target.source, folder, frames[0].output)
    image, aspect = _sequence(shown[0], name)
    sign(image, folder, job, target.source)
    if target.type == "CAMERA":
        if (camera := scene.camera) is None:
            raise PegbarError("The scene has no camera to put a background behind: add one")
        background = camera.data.background_images.new()
        background.image = image
        _play(background.image_user, first, last)
        camera.data.show_background_images = True
        return Placed("OBJECT", camera.name)
    place, corners = (None if scene.camera else _as_read(folder, job, target.source)) or _place(scene, target.source, aspect)
    made = _plane(name, image, corners, first, last) if target.type == "PLANE" else _empty(name, image, corners, first, last)
    made.matrix_world = place
    _show_during(made, first, last)
    scene.collection.objects.link(made)
    sign(made, folder, job, target.source)
    return Placed("OBJECT", made.name)


def _numbered(folder: JobFolder, output: str, shown: Sequence[Path]) -> Generator[float, None, list[Path]]:
    """One file a frame, numbered from 1 without a gap: an image sequence knows no holds. Files that are so already stay where they are."""
    numbered = [folder.file(folder.held_file(output, index + 1, path.suffix)) for index, path in enumerate(shown)]
    if [path.stem for path in shown] == [path.stem for path in numbered]:
        return list(shown)
    for done, (path, link) in enumerate(zip(shown, numbered, strict=True)):
        yield done / len(shown)
        link.unlink(missing_ok=True)
        # a link costs nothing; some file systems have none
        with contextlib.suppress(OSError):
            os.link(path, link)
        if not link.exists():
            copy(path, link)
    return numbered


def _sequence(first: Path, name: str) -> tuple[bpy.types.Image, float]:
    """The image sequence that begins with a file, and its width over its height."""
    image = bpy.data.images.load(from_file(first), check_existing=False)
    width, height = image.size
    if not width or not height:
        bpy.data.images.remove(image)
        raise PegbarError(f"{first} is damaged: run the take again")
    # asked for before: a sequence has no size while its user is on no frame
    image.name, image.source = name, "SEQUENCE"
    image.colorspace_settings.name = "sRGB"
    return image, width / height


def _play(user: bpy.types.ImageUser, first: int, last: int) -> None:
    """Shows file 1 on the first frame. The number shown is frame - frame_start + 1 + frame_offset."""
    user.frame_start, user.frame_offset, user.frame_duration = first, 0, last - first + 1
    user.use_auto_refresh, user.use_cyclic = True, False


def _as_read(folder: JobFolder, job: Job, source: str) -> tuple[Matrix, np.ndarray] | None:
    """The same of the picture as which a drawing was read, in its mean depth; None where the drawing or its layer is gone."""
    found = bpy.data.objects.get(source)
    files = [file.file for files in job.inputs.values() for file in files if file.file.endswith(".npz")]
    if found is None or found.type != "GREASEPENCIL" or not files:
        return None
    read = Strokes.load(folder.file(files[0]))
    layer = found.data.layers.get(read.layers[0]) if read.layers else None
    if layer is None or not len(read.depth):
        return None
    on_layer = unproject(read.matrices[0], (_UNIT * (1, -1) + 0.5) * read.size, np.full(4, read.depth.mean()), read.size)
    there = np.array([(Matrix(world_matrix(found, layer)) @ Vector(corner))[:] for corner in on_layer])
    middle, across, up = there.mean(axis=0), there[1] - there[0], there[3] - there[0]
    size = np.linalg.norm(across), np.linalg.norm(up)
    turn = np.stack([across / size[0], up / size[1], np.cross(across / size[0], up / size[1])], axis=1)
    return Matrix.Translation(middle) @ Matrix(turn).to_4x4(), _UNIT * size


def _place(scene: bpy.types.Scene, source: str, aspect: float) -> tuple[Matrix, np.ndarray]:
    """Where the picture stands, and its corners (4, 2) there, counter-clockwise from the bottom left."""
    depsgraph = depsgraph_of(scene)
    found = bpy.data.objects.get(source)
    at = found.evaluated_get(depsgraph).matrix_world.translation if found else None
    if scene.camera is None:
        upright = Euler((np.pi / 2, 0, 0)).to_matrix().to_4x4()
        return Matrix.Translation(Vector() if at is None else at) @ upright, _UNIT * (HEIGHT * aspect, HEIGHT)
    seen = scene.camera.evaluated_get(depsgraph).matrix_world.normalized()
    depth = -(seen.inverted() @ at).z if at is not None else DEPTH
    depth = depth if depth > 0 else DEPTH
    frame = np.array([corner[:] for corner in scene.camera.data.view_frame(scene=scene)])
    if scene.camera.data.type != "ORTHO":
        frame = frame * (depth / -frame[:, 2:])
    low, high = frame[:, :2].min(axis=0), frame[:, :2].max(axis=0)
    width, height = high - low
    size = (min(width, height * aspect), min(height, width / aspect))
    return seen @ Matrix.Translation((*(low + high) / 2, -depth)), _UNIT * size


_UNIT = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])


def _plane(name: str, image: bpy.types.Image, corners: np.ndarray, first: int, last: int) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(*corner, 0.0) for corner in corners.tolist()], [], [(0, 1, 2, 3)])
    mesh.uv_layers.new(name="UVMap").uv.foreach_set("vector", np.float32(_UNIT + 0.5).ravel())
    mesh.materials.append(_shadeless(name, image, first, last))
    return bpy.data.objects.new(name, mesh)


def _empty(name: str, image: bpy.types.Image, corners: np.ndarray, first: int, last: int) -> bpy.types.Object:
    made = bpy.data.objects.new(name, None)
    made.empty_display_type, made.data = "IMAGE", image
    made.empty_display_size = float(np.ptp(corners, axis=0).max())
    made.use_empty_image_alpha = True  # else the viewport shows what is half clear as solid
    _play(made.image_user, first, last)
    return made


def _shadeless(name: str, image: bpy.types.Image, first: int, last: int) -> bpy.types.Material:
    """A material that shows the picture as it is, clear where it is clear."""
    material = bpy.data.materials.new(name)
    if material.node_tree is None:
        material.use_nodes = True
    material.surface_render_method = "BLENDED"
    tree = material.node_tree
    tree.nodes.clear()
    kinds = ("ShaderNodeTexImage", "ShaderNodeEmission", "ShaderNodeBsdfTransparent", "ShaderNodeMixShader", "ShaderNodeOutputMaterial")
    picture, light, clear, mix, output = (tree.nodes.new(kind) for kind in kinds)
    for column, node in enumerate((picture, light, clear, mix, output)):
        node.location.x = 200 * column
    picture.image, picture.extension = image, "CLIP"
    _play(picture.image_user, first, last)
    for a, b in (
        (picture.outputs["Color"], light.inputs["Color"]),
        (picture.outputs["Alpha"], mix.inputs[0]),
        (clear.outputs[0], mix.inputs[1]),
        (light.outputs[0], mix.inputs[2]),
        (mix.outputs[0], output.inputs["Surface"]),
    ):
        tree.links.new(a, b)
    return material


def _show_during(made: bpy.types.Object, first: int, last: int) -> None:
    """Hides an object outside its frames: an image sequence shows nothing sensible there."""
    for frame, hidden in ((first - 1, True), (first, False), (last + 1, True)):
        made.hide_viewport = made.hide_render = hidden
        made.keyframe_insert("hide_viewport", frame=frame)
        made.keyframe_insert("hide_render", frame=frame)
