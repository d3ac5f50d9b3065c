"""Sees to the engine: tests it, leads to where its Python is set."""

from pathlib import Path

import bpy

from ..preferences import PACKAGE
from ..runs import run
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


CLASSES = (PEGBAR_OT_test_engine, PEGBAR_OT_open_preferences)
