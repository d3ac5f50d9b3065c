"""Sees to models: downloads, pauses, imports and deletes them, and remembers whose terms are accepted."""

from pathlib import Path

import bpy

from ..engine.catalog import pipeline
from ..engine.setup.state import amount
from ..runs import fetching, models
from .edge import Edge


class OfModel(Edge):
    """Mixed into an operator on a pipeline's models, or on one of them."""

    pipeline: bpy.props.StringProperty(name="Pipeline", options={"HIDDEN", "SKIP_SAVE"})
    model: bpy.props.StringProperty(name="Model", description="Its name; several are parted by spaces", options={"HIDDEN", "SKIP_SAVE"})


class PEGBAR_OT_download_model(OfModel, bpy.types.Operator):
    """Download what this method lacks from Hugging Face, or go on with it; Blender stays usable meanwhile"""

    bl_idname = "pegbar.download_model"
    bl_label = "Download Model"

    repair: bpy.props.BoolProperty(
        name="Repair",
        description="Check every file of a model that is there, and fetch anew what is damaged",
        options={"HIDDEN", "SKIP_SAVE"},
    )

    def act(self, context: bpy.types.Context) -> None:
        started = fetching.start(models.owner(pipeline(self.pipeline)), self.model.split(), self.repair)
        if bpy.app.background:
            fetching.wait(started)

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return "Check every file of this model, and fetch anew what is damaged" if properties.repair else cls.__doc__


class PEGBAR_OT_pause_download(OfModel, bpy.types.Operator):
    """Stop downloading for now; what has come is kept, also when Blender is closed"""

    bl_idname = "pegbar.pause_download"
    bl_label = "Pause"

    def act(self, context: bpy.types.Context) -> None:
        fetching.pause(pipeline(self.pipeline))


class PEGBAR_OT_cancel_download(OfModel, bpy.types.Operator):
    """Stop downloading and delete what has come of it; models that are whole stay"""

    bl_idname = "pegbar.cancel_download"
    bl_label = "Cancel"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        come = sum(card.begun for card in models.cards(pipeline(self.pipeline)))
        words = f"{amount(come)} that have come are deleted" if come else "What has come is deleted"
        return context.window_manager.invoke_confirm(self, event, title="Cancel Download", message=words, confirm_text="Delete")

    def act(self, context: bpy.types.Context) -> None:
        fetching.cancel(pipeline(self.pipeline))


class PEGBAR_OT_import_models(Edge, bpy.types.Operator):
    """Choose files or a folder that you have already: each is recognised, whatever it is called, and linked to where it belongs"""

    bl_idname = "pegbar.import_models"
    bl_label = "Import Files…"

    directory: bpy.props.StringProperty(name="Folder", subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    files: bpy.props.CollectionProperty(name="Files", type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.safetensors;*.ckpt;*.pt;*.pth;*.bin", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: bpy.types.Context) -> None:
        folder = Path(bpy.path.abspath(self.directory))
        started = fetching.take([folder / file.name for file in self.files if file.name] or [folder])
        if bpy.app.background:
            try:
                fetching.wait(started)
            finally:
                for text in started.told:
                    self.report({"INFO"}, text)


class PEGBAR_OT_delete_model(OfModel, bpy.types.Operator):
    """Delete this model from your own folder; a file that was linked stays where it was"""

    bl_idname = "pegbar.delete_model"
    bl_label = "Delete"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        card = models.card(pipeline(self.pipeline), self.model)
        words = f"{card.path}, {amount(card.size)}"
        return context.window_manager.invoke_confirm(self, event, title="Delete Model", message=words, confirm_text="Delete")

    def act(self, context: bpy.types.Context) -> None:
        models.delete(pipeline(self.pipeline), self.model)
        fetching.redraw_all()


class PEGBAR_OT_accept_terms(OfModel, bpy.types.Operator):
    """You have read these terms, and what you make with this model is allowed by them; it is remembered on this computer"""

    bl_idname = "pegbar.accept_terms"
    bl_label = "Our Use Is Allowed"

    def act(self, context: bpy.types.Context) -> None:
        weights = models.card(pipeline(self.pipeline), self.model).weights
        models.accept(weights, not models.accepted(weights))
        fetching.redraw_all()


class PEGBAR_OT_open_model_page(OfModel, bpy.types.Operator):
    """Open the page where this model is published, in your browser"""

    bl_idname = "pegbar.open_model_page"
    bl_label = "Open Page"

    def act(self, context: bpy.types.Context) -> None:
        bpy.ops.wm.url_open(url=models.card(pipeline(self.pipeline), self.model).weights.page)


class PEGBAR_OT_dismiss_import(Edge, bpy.types.Operator):
    """Take this off the list"""

    bl_idname = "pegbar.dismiss_import"
    bl_label = "Dismiss"

    def act(self, context: bpy.types.Context) -> None:
        fetching.forget(fetching.IMPORT)


CLASSES = (
    PEGBAR_OT_download_model,
    PEGBAR_OT_pause_download,
    PEGBAR_OT_cancel_download,
    PEGBAR_OT_import_models,
    PEGBAR_OT_delete_model,
    PEGBAR_OT_accept_terms,
    PEGBAR_OT_open_model_page,
    PEGBAR_OT_dismiss_import,
)
