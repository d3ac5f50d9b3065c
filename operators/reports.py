"""Reports: what happened, for the makers; what may be sold, for the production. And going on after a failure with less."""

from pathlib import Path

import bpy

from ..engine.licences import as_json, as_text, headline
from ..engine.protocol import PegbarError, write_atomic
from ..runs import licences, reporting, run, takes
from ..runs.request import request_of, smaller
from .edge import Edge
from .takes import NeedsEngine, OnTake, folder_property

SUFFIX, REPORT = ".zip", "Pegbar Licences"


class PEGBAR_OT_copy_report(Edge, bpy.types.Operator):
    """Copy what happened, for a message to the makers; it holds no prompts and no paths"""

    bl_idname = "pegbar.copy_report"
    bl_label = "Copy Report"

    pipeline: bpy.props.StringProperty(name="Pipeline", options={"HIDDEN", "SKIP_SAVE"})

    def act(self, context: bpy.types.Context) -> None:
        context.window_manager.clipboard = reporting.report(run.latest(self.pipeline))
        self.report({"INFO"}, "The report is on the clipboard")


class PEGBAR_OT_collect_diagnostics(Edge, bpy.types.Operator):
    """Write a zip with logs, versions and what this computer is, for a message to the makers; it holds no prompts"""

    bl_idname = "pegbar.collect_diagnostics"
    bl_label = "Collect Diagnostics…"

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.zip", options={"HIDDEN"})
    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    with_paths: bpy.props.BoolProperty(
        name="Include Paths",
        description="Leave folders, file names and your user name in the logs; else they are taken out",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.filepath = "pegbar-diagnostics.zip"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: bpy.types.Context) -> None:
        path = Path(bpy.path.abspath(bpy.path.ensure_ext(self.filepath, SUFFIX)))
        write_atomic(path, reporting.diagnostics(self.with_paths))
        self.report({"INFO"}, f"Written to {path}")


class PEGBAR_OT_retry_smaller(NeedsEngine, OnTake, bpy.types.Operator):
    """Make the take anew in a way that needs less memory and takes longer"""

    bl_idname = "pegbar.retry_smaller"
    bl_label = "Try Again with Less Memory"

    folder: folder_property()

    def act_on(self, context: bpy.types.Context, take: takes.Take) -> None:
        if (job := smaller(take.job)) is None:
            raise PegbarError("This take already uses as little memory as it can: work at a smaller size, or make the shot shorter")
        started = run.start(request_of(job))
        if bpy.app.background:
            run.run_to_end(started)


class PEGBAR_OT_licence_report(Edge, bpy.types.Operator):
    """Write which takes of this file may be used commercially, and why, into two texts: one to read, one as JSON"""

    bl_idname = "pegbar.licence_report"
    bl_label = "Licence Report"
    bl_options = {"REGISTER", "UNDO"}

    def act(self, context: bpy.types.Context) -> None:
        found = licences.entries()
        for name, words in ((REPORT, as_text(found)), (f"{REPORT}.json", as_json(found))):
            made = bpy.data.texts.get(name) or bpy.data.texts.new(name)
            made.clear()
            made.write(words)
        self.report({"INFO"}, f"{headline(found)}: see the text {REPORT!r}")


CLASSES = (PEGBAR_OT_copy_report, PEGBAR_OT_collect_diagnostics, PEGBAR_OT_retry_smaller, PEGBAR_OT_licence_report)
