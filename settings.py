"""The artist's settings on a scene: one group a pipeline, made from its Params and pictures, and what is read and how long the result is."""

from typing import Any

import bpy

from .engine.catalog import PIPELINES
from .engine.spec import Input, Param, Pipeline, Value

FLOAT_DIGITS = 6
"""Blender keeps 32-bit floats: this many digits give back what was typed."""


def property_of(param: Param) -> Any:
    """The Blender property that a Param becomes."""
    common = {"name": param.label, "description": param.help, "default": param.default}
    if param.choices:
        return bpy.props.EnumProperty(items=param.choices, **common)
    if isinstance(param.default, bool):
        return bpy.props.BoolProperty(**common)
    if isinstance(param.default, str):
        return bpy.props.StringProperty(**common, subtype="DIR_PATH" if param.is_folder else "NONE")
    limits = {name: value for name, value in (("min", param.minimum), ("max", param.maximum)) if value is not None}
    if isinstance(param.default, int):
        return bpy.props.IntProperty(**common, **{name: int(value) for name, value in limits.items()})
    share = (param.minimum, param.maximum) == (0, 1)
    precision = 6 if 0 < param.default < 0.01 else 2
    return bpy.props.FloatProperty(**common, **limits, precision=precision, step=10, subtype="FACTOR" if share else "NONE")


def group_of(pipeline: Pipeline) -> type[bpy.types.PropertyGroup]:
    """The class of a pipeline's settings: its Params, and where each of its pictures comes from."""
    properties = {param.name: property_of(param) for param in pipeline.params}
    properties |= {wanted.name: picture_of(wanted) for wanted in pipeline.inputs if wanted.is_picture}
    members = {"__doc__": pipeline.help, "__annotations__": properties, "pipeline": pipeline}
    return type(f"PEGBAR_PG_{pipeline.name}", (bpy.types.PropertyGroup,), members)


def picture_of(wanted: Input) -> Any:
    """The Blender property that an input of one picture becomes."""
    kind = PEGBAR_PG_picture if wanted.required else PEGBAR_PG_optional_picture
    return bpy.props.PointerProperty(name=wanted.label, description=wanted.help, type=kind)


def values_of(group: bpy.types.PropertyGroup) -> dict[str, Value]:
    """The values of a pipeline's settings by the names of its Params."""
    return {param.name: _plain(getattr(group, param.name)) for param in type(group).pipeline.params}


def set_values(group: bpy.types.PropertyGroup, values: dict[str, Value]) -> None:
    """Puts values back into a pipeline's settings; a name that it no longer has is passed over."""
    for param in type(group).pipeline.params:
        if param.name in values:
            setattr(group, param.name, values[param.name])


def _plain(value: Value) -> Value:
    return float(f"{value:.{FLOAT_DIGITS}g}") if isinstance(value, float) else value


FROM = (
    ("STRIP", "Strip", "A frame of a strip", "SEQUENCE", 0),
    ("FILE", "File", "An image file", "FILE_IMAGE", 1),
    ("IMAGE", "Image", "An image of this file", "IMAGE_DATA", 2),
    ("OBJECT", "Drawing", "A Grease Pencil drawing with its fills, as the camera sees it", "OUTLINER_OB_GREASEPENCIL", 3),
    ("CAMERA", "Render", "What the scene's camera renders", "CAMERA_DATA", 4),
)
NOTHING = ("NONE", "None", "Without it", "BLANK1", 5)


def _is_drawing(_self: Any, candidate: bpy.types.Object) -> bool:
    return candidate.type == "GREASEPENCIL"


class Picture:
    """Mixed into where one picture comes from; each type keeps what was chosen for it."""

    strip: bpy.props.StringProperty(name="Strip", description="The strip whose frame is taken; the active one where empty")
    file: bpy.props.StringProperty(name="File", description="An image file", subtype="FILE_PATH")
    image: bpy.props.PointerProperty(name="Image", description="An image of this file", type=bpy.types.Image)
    drawing: bpy.props.PointerProperty(name="Drawing", description="A coloured drawing", type=bpy.types.Object, poll=_is_drawing)


class PEGBAR_PG_picture(Picture, bpy.types.PropertyGroup):
    """Where a picture comes from that a pipeline cannot do without."""

    type: bpy.props.EnumProperty(name="From", items=FROM)


class PEGBAR_PG_optional_picture(Picture, bpy.types.PropertyGroup):
    """Where a picture comes from that a pipeline can do without."""

    type: bpy.props.EnumProperty(name="From", items=(NOTHING, *FROM), default="NONE")


class PEGBAR_PG_reference(bpy.types.PropertyGroup):
    """One coloured frame; `name` is that of a strip, object or image, or the path of a file."""

    type: bpy.props.EnumProperty(name="From", items=FROM)
    at: bpy.props.IntProperty(name="Stands For", description="The frame of the shot whose colours this reference shows")
    frame: bpy.props.IntProperty(name="Read At", description="The frame at which the strip or drawing is read")


RHYTHMS = (
    ("1", "On Ones", "A new one on every frame"),
    ("2", "On Twos", "A new one on every second frame"),
    ("3", "On Threes", "A new one on every third frame"),
)


class PEGBAR_PG_scene(bpy.types.PropertyGroup):
    """Pegbar's settings on a scene; a group for each pipeline is added below."""

    drawings: bpy.props.EnumProperty(
        name="Drawings",
        items=(
            ("THIS", "This", "The drawing on the current frame"),
            ("KEYS", "Keys", "Every drawing of the shot in its own time, read at its key"),
            ("FRAMES", "Frames", "The drawing as each frame shows it: with its moving modifiers and parents"),
        ),
        description="What is animated",
    )
    layers: bpy.props.EnumProperty(
        name="Layers",
        items=(("VISIBLE", "All Visible", "Every visible layer but those of takes"), ("ACTIVE", "Active", "The active layer alone")),
        description="Which layers of the drawing are read",
    )
    length: bpy.props.IntProperty(
        name="Length",
        description="Frames of the result, from the current one on; 0: as long as its drawings say, or a usual length",
        min=0,
        soft_max=240,
    )
    rhythm: bpy.props.EnumProperty(name="Drawn", description="How often there is a new drawing", items=RHYTHMS, default="2")
    clip_rhythm: bpy.props.EnumProperty(name="Shown", description="How often there is a new picture", items=RHYTHMS, default="1")
    seed: bpy.props.IntProperty(name="Seed", description="The same seed and settings give the same take", min=0)
    keep_seed: bpy.props.BoolProperty(name="Keep Seed", description="Use the same seed again; else every take gets its own")
    line_art: bpy.props.EnumProperty(
        name="Line Art",
        items=(
            ("STRIP", "Strip", "The active strip, or the pinned one"),
            ("OBJECT", "Drawing", "A Grease Pencil drawing over the scene's frame range"),
        ),
        description="Where the lines come from",
    )
    strip: bpy.props.StringProperty(name="Strip", description="The line-art strip that stays chosen whichever is active")
    drawing: bpy.props.PointerProperty(name="Drawing", description="The drawing to colour", type=bpy.types.Object, poll=_is_drawing)
    references: bpy.props.CollectionProperty(type=PEGBAR_PG_reference)
    colour: bpy.props.FloatVectorProperty(
        name="Colour", description="The colour that a region gets", subtype="COLOR_GAMMA", size=4, min=0, max=1, default=(1, 1, 1, 1)
    )
    clips: bpy.props.EnumProperty(
        name="Clips",
        items=(
            ("STRIPS", "Strips", "What each strip that is selected in the sequencer shows is a clip"),
            ("FOLDER", "Folder", "A folder of movies, of folders of images, or of the images of one clip"),
        ),
        description="What a motion is learned from",
    )
    result: bpy.props.EnumProperty(
        name="Result",
        items=(
            ("STRIP", "Strip", "An image strip on the first free channel of the sequencer"),
            ("PLANE", "Image Plane", "A plane with the frames as its texture, filling the camera"),
            ("EMPTY", "Reference Image", "An image empty, filling the camera; it is not rendered"),
            ("CAMERA", "Camera Background", "A background image of the scene's camera; it is not rendered"),
        ),
        description="What the frames come back as",
    )


def methods_of(space: str) -> list[tuple[Pipeline, ...]]:
    """The pipelines of an editor, those together that do the same job: what one panel offers. What needs no models comes first."""
    jobs: dict[str, list[Pipeline]] = {}
    for spec in sorted(PIPELINES.values(), key=lambda spec: bool(spec.weights)):
        if spec.space == space:
            jobs.setdefault(spec.verb, []).append(spec)
    return [tuple(methods) for methods in jobs.values()]


def method_property(methods: tuple[Pipeline, ...]) -> str:
    """The name of the scene's property that says which of the methods is chosen."""
    return f"{methods[0].name}_method"


def chosen(settings: bpy.types.PropertyGroup, methods: tuple[Pipeline, ...]) -> Pipeline:
    """The method that the artist chose."""
    return PIPELINES[getattr(settings, method_property(methods))] if len(methods) > 1 else methods[0]


def choose(settings: bpy.types.PropertyGroup, pipeline: Pipeline) -> None:
    """Chooses the method that a pipeline is."""
    methods = next((methods for methods in methods_of(pipeline.space) if pipeline in methods), (pipeline,))
    if len(methods) > 1:
        setattr(settings, method_property(methods), pipeline.name)


def _method_of(methods: tuple[Pipeline, ...]) -> Any:
    items = [(spec.name, spec.label, spec.help) for spec in methods]
    return bpy.props.EnumProperty(name="Method", description="How it is made", items=items)


GROUPS = {pipeline.name: group_of(pipeline) for pipeline in PIPELINES.values()}
PEGBAR_PG_scene.__annotations__ |= {name: bpy.props.PointerProperty(type=group) for name, group in GROUPS.items()}
PEGBAR_PG_scene.__annotations__ |= {
    method_property(methods): _method_of(methods)
    for space in ("VIEW_3D", "SEQUENCE_EDITOR")
    for methods in methods_of(space)
    if len(methods) > 1
}
CLASSES = (PEGBAR_PG_picture, PEGBAR_PG_optional_picture, *GROUPS.values(), PEGBAR_PG_reference, PEGBAR_PG_scene)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.pegbar = bpy.props.PointerProperty(type=PEGBAR_PG_scene)
    bpy.types.WindowManager.pegbar_test = bpy.props.StringProperty(name="Engine Test", description="What the last test of the engine found")


def unregister() -> None:
    del bpy.types.WindowManager.pegbar_test
    del bpy.types.Scene.pegbar
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
