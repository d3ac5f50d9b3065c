"""The panels of one pipeline in an editor's sidebar: what it works on and its settings, its takes, its advanced settings."""

import bpy

from ..engine.catalog import PIPELINES
from ..engine.spec import Pipeline
from ..runs.request import scene_of
from . import draw, takes


class Main:
    """Mixed into the panel that starts the pipeline; its editor's mixin draws the source."""

    bl_category = "Pegbar"
    bl_region_type = "UI"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        draw.status(self.layout)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = scene_of(context).pegbar
        if self.draw_source(context, settings):
            draw.params(layout, getattr(settings, self.pipeline.name), self.pipeline)
            self.draw_length(context, settings)
            layout.separator()
        draw.start(layout, context, self.pipeline)


class Takes:
    """Mixed into the sub-panel with the takes of the shot."""

    bl_category = "Pegbar"
    bl_region_type = "UI"
    bl_label = "Takes"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        if count := len(takes.shown(context, self.pipeline, self.source_name(context))):
            self.layout.label(text=str(count))

    def draw(self, context: bpy.types.Context) -> None:
        takes.draw(self.layout, context, takes.shown(context, self.pipeline, self.source_name(context)))


class Advanced:
    """Mixed into the sub-panel with the settings that are rarely needed."""

    bl_category = "Pegbar"
    bl_region_type = "UI"
    bl_label = "Advanced"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        draw.params(self.layout, getattr(scene_of(context).pegbar, self.pipeline.name), self.pipeline, advanced=True)


def panels_in(editor: type) -> tuple[type[bpy.types.Panel], ...]:
    """The panels of all pipelines of an editor, whose mixin says where they are and draws what is worked on."""
    specs = [spec for spec in PIPELINES.values() if spec.space == editor.bl_space_type]
    return tuple(panel for spec in specs for panel in _panels_of(spec, editor))


def _panels_of(spec: Pipeline, editor: type) -> list[type[bpy.types.Panel]]:
    name = f"PEGBAR_PT_{spec.name}"
    parts = [(name, Main, {"bl_label": spec.verb}), (f"{name}_takes", Takes, {"bl_parent_id": name})]
    if any(param.advanced for param in spec.params):
        parts.append((f"{name}_advanced", Advanced, {"bl_parent_id": name}))
    return [type(cls, (part, editor, bpy.types.Panel), {"pipeline": spec, **own}) for cls, part, own in parts]
