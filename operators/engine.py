"""Sees to the engine and its models: tests it, leads to where its Python is set and to where models are put."""

from pathlib import Path

import bpy

from ..engine.catalog import pipeline
from ..engine.protocol import refused
from ..preferences import PACKAGE
from ..runs import models, redraw, run
from .edge import Edge


class PEGBAR_OT_test_engine(Edge, bpy.types.Operator):
    """Send one picture through the engine and back"""

    bl_idname = "pegbar.test_engine"
    bl_label = "Test Engine"

    def act(self, context: bpy.types.Context) -> None:
        tested = run.test(Path(bpy.app.tempdir) / "pegbar")
        if bpy.app.background:
            run.run_to_end(tested)
            self.report({"INFO"}, context.window_manager.pegbar_test)


class PEGBAR_OT_open_preferences(Edge, bpy.types.Operator):
    """Open Pegbar's preferences, where the engine's Python is set"""

    bl_idname = "pegbar.open_preferences"
    bl_label = "Set Up Engine…"

    def act(self, context: bpy.types.Context) -> None:
        bpy.ops.preferences.addon_show(module=PACKAGE)


class PEGBAR_OT_open_weights(Edge, bpy.types.Operator):
    """Open the folder that this model is to be put into; it is made where it is not there"""

    bl_idname = "pegbar.open_weights"
    bl_label = "Open Folder"

    pipeline: bpy.props.StringProperty(name="Pipeline", options={"HIDDEN", "SKIP_SAVE"})

    def act(self, context: bpy.types.Context) -> None:
        folder = models.folder(pipeline(self.pipeline))
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refused(folder, error) from error
        bpy.ops.wm.path_open(filepath=str(folder))


class PEGBAR_OT_look_again(Edge, bpy.types.Operator):
    """Look for the models again, after you have put them into their folder"""

    bl_idname = "pegbar.look_again"
    bl_label = "Look Again"

    def act(self, context: bpy.types.Context) -> None:
        models.look_again()
        redraw.panels()


CLASSES = (PEGBAR_OT_test_engine, PEGBAR_OT_open_preferences, PEGBAR_OT_open_weights, PEGBAR_OT_look_again)
