"""The panels of one job in an editor's sidebar: its methods, what it works on and its settings, its takes, its advanced settings."""

from typing import Any

import bpy

from ..engine.spec import Pipeline
from ..runs.request import can_be_filled, scene_of
from ..runs.takes import Take
from ..settings import chosen, method_property, methods_of
from . import draw, takes


def method_of(panel: Any, context: bpy.types.Context) -> Pipeline:
    """The method that is chosen for the panel's job."""
    return chosen(scene_of(context).pegbar, panel.methods)


class Main:
    """Mixed into the panel that starts the job; its editor's mixin draws the source."""

    bl_category = "Pegbar"
    bl_region_type = "UI"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        draw.status(self.layout, method_of(self, context), self.methods)

    def draw(self, context: bpy.types.Context) -> None:
        layout, spec = self.layout, method_of(self, context)
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = scene_of(context).pegbar
        if self.draw_source(context, settings, spec):
            group = getattr(settings, spec.name)
            if len(self.methods) > 1:
                layout.row().prop(settings, method_property(self.methods), expand=True)
            draw.prompt(layout, group, spec)
            draw.params(layout, group, spec, hidden=() if can_be_filled(settings, spec) else spec.forms)
            draw.shot(layout, settings, spec)
            layout.separator()
        draw.start(layout, context, spec, self.methods)


class Takes:
    """Mixed into the sub-panel with the takes of the shot."""

    bl_category = "Pegbar"
    bl_region_type = "UI"
    bl_label = "Takes"
    bl_options = {"DEFAULT_CLOSED"}

    def found(self, context: bpy.types.Context) -> list[Take]:
        return takes.shown(context, self.methods, self.source_name(context, method_of(self, context)))

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        if count := len(self.found(context)):
            self.layout.label(text=str(count))

    def draw(self, context: bpy.types.Context) -> None:
        takes.draw(self.layout, context, self.found(context))


class Advanced:
    """Mixed into the sub-panel with the settings that are rarely needed."""

    bl_category = "Pegbar"
    bl_region_type = "UI"
    bl_label = "Advanced"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return any(param.advanced for param in method_of(cls, context).params)

    def draw(self, context: bpy.types.Context) -> None:
        spec = method_of(self, context)
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        group = getattr(scene_of(context).pegbar, spec.name)
        draw.params(self.layout, group, spec, advanced=True)
        draw.whole_prompt(self.layout, context, group, spec)


def panels_in(editor: type) -> tuple[type[bpy.types.Panel], ...]:
    """The panels of all jobs of an editor, whose mixin says where they are and draws what is worked on. The first one is open."""
    jobs = enumerate(methods_of(editor.bl_space_type))
    return tuple(panel for index, methods in jobs for panel in _panels_of(methods, editor, set() if index == 0 else {"DEFAULT_CLOSED"}))


def _panels_of(methods: tuple[Pipeline, ...], editor: type, options: set[str]) -> list[type[bpy.types.Panel]]:
    name = f"PEGBAR_PT_{methods[0].name}"
    parts = [(name, Main, {"bl_label": methods[0].verb, "bl_options": options}), (f"{name}_takes", Takes, {"bl_parent_id": name})]
    if any(param.advanced for spec in methods for param in spec.params):
        parts.append((f"{name}_advanced", Advanced, {"bl_parent_id": name}))
    return [type(cls, (part, editor, bpy.types.Panel), {"methods": methods, **own}) for cls, part, own in parts]
