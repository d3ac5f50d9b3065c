"""What can be done with a take: apply, finish, redo, restore its settings, open or delete its folder."""

from dataclasses import replace
from pathlib import Path

import bpy

from ..engine.catalog import pipeline
from ..engine.protocol import JobFolder, PegbarError
from ..engine.provenance import job_of, read_card
from ..preferences import engine_python
from ..runs import engine, models, placing, restoring, run, takes
from ..runs.request import request_of, scene_of, seeded
from .edge import Edge


class OnTake(Edge):
    """Mixed into an operator that works on the take in `folder`."""

    def act(self, context: bpy.types.Context) -> None:
        self.act_on(context, takes.by_folder(self.folder))


class NeedsEngine:
    """Mixed into an operator that sends something to the engine."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if engine_python() is None:
            cls.poll_message_set(engine.MISSING)
            return False
        return True


def folder_property() -> bpy.props.StringProperty:
    """The property by which a button names its take."""
    return bpy.props.StringProperty(name="Take", description="The take's folder", subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})


class PEGBAR_OT_apply_take(OnTake, bpy.types.Operator):
    """Show this take instead of what it was made from"""

    bl_idname = "pegbar.apply_take"
    bl_label = "Apply"
    bl_options = {"REGISTER", "UNDO"}

    folder: folder_property()

    def act_on(self, context: bpy.types.Context, take: takes.Take) -> None:
        if placing.is_placed(take):
            placing.show(take)
            return
        started = run.apply(take)
        if bpy.app.background:
            run.run_to_end(started)


class PEGBAR_OT_finish_take(NeedsEngine, OnTake, bpy.types.Operator):
    """Make the frames that are missing; those that are there stay"""

    bl_idname = "pegbar.finish_take"
    bl_label = "Finish"

    folder: folder_property()

    def act_on(self, context: bpy.types.Context, take: takes.Take) -> None:
        started = run.go_on(take)
        if bpy.app.background:
            run.run_to_end(started)


class PEGBAR_OT_redo_take(NeedsEngine, OnTake, bpy.types.Operator):
    """Make another take with the settings of this one and a new seed"""

    bl_idname = "pegbar.redo_take"
    bl_label = "Another"

    folder: folder_property()

    def act_on(self, context: bpy.types.Context, take: takes.Take) -> None:
        engine.check()
        models.check(pipeline(take.job.pipeline))
        found = bpy.data.objects.get(take.source) if pipeline(take.job.pipeline).inputs[0].is_drawing else None
        replaces = found is not None and placing.show_source(found)
        started = run.start(seeded(request_of(take.job), keep=False), replaces)
        if bpy.app.background:
            run.run_to_end(started)


class PEGBAR_OT_restore_settings(OnTake, bpy.types.Operator):
    """Set the panel as it was for this take"""

    bl_idname = "pegbar.restore_settings"
    bl_label = "Restore Settings"
    bl_options = {"REGISTER", "UNDO"}

    folder: folder_property()

    def act_on(self, context: bpy.types.Context, take: takes.Take) -> None:
        tell_restored(self, restoring.restore(context, take.job))


class PEGBAR_OT_restore_from_picture(Edge, bpy.types.Operator):
    """Set the panel as it was for the take that a picture is from, wherever the picture is now"""

    bl_idname = "pegbar.restore_from_picture"
    bl_label = "Restore Settings from Picture…"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.png", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.filepath:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: bpy.types.Context) -> None:
        job = job_of(read_card(Path(bpy.path.abspath(self.filepath))))
        if job.shot.scene not in bpy.data.scenes:
            job = replace(job, shot=replace(job.shot, scene=scene_of(context).name))
        tell_restored(self, restoring.restore(context, job))


def tell_restored(operator: bpy.types.Operator, remarks: list[str]) -> None:
    """Says that all is as it was, or what is not."""
    operator.report({"WARNING"} if remarks else {"INFO"}, "; ".join(remarks) or "The settings are as they were: the same frames come again")


class PEGBAR_OT_delete_take(OnTake, bpy.types.Operator):
    """Delete this take's files; this cannot be undone"""

    bl_idname = "pegbar.delete_take"
    bl_label = "Delete Take"

    folder: folder_property()

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event, title="Delete this take and its files?", confirm_text="Delete")

    def act(self, context: bpy.types.Context) -> None:
        take = takes.read(JobFolder(Path(self.folder)))  # a damaged one, too: all that can be done with it
        if take.job and (shown := [*placing.strips_of(take), *placing.pictures_of(take)]):
            raise PegbarError(f"{shown[0].name!r} shows this take: delete it from the file first")
        takes.delete(take)


class PEGBAR_OT_next_check(OnTake, bpy.types.Operator):
    """Go to the next frame on which this take is unsure of a region"""

    bl_idname = "pegbar.next_check"
    bl_label = "Next Frame to Check"

    folder: folder_property()
    backwards: bpy.props.BoolProperty(name="Backwards", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return f"Go to the {'previous' if properties.backwards else 'next'} frame on which this take is unsure of a region"

    def act_on(self, context: bpy.types.Context, take: takes.Take) -> None:
        if not take.to_check:
            raise PegbarError(f"Take {take.number} has nothing to check")
        scene = scene_of(context)
        frames, now = take.to_check, scene.frame_current
        after = (frame for frame in (reversed(frames) if self.backwards else frames) if (frame < now if self.backwards else frame > now))
        scene.frame_set(next(after, frames[-1 if self.backwards else 0]))


class PEGBAR_OT_open_folder(OnTake, bpy.types.Operator):
    """Open the folder with this take's files"""

    bl_idname = "pegbar.open_folder"
    bl_label = "Open Folder"

    folder: folder_property()

    def act_on(self, context: bpy.types.Context, take: takes.Take) -> None:
        bpy.ops.wm.path_open(filepath=str(take.folder.path))


CLASSES = (
    PEGBAR_OT_apply_take,
    PEGBAR_OT_finish_take,
    PEGBAR_OT_redo_take,
    PEGBAR_OT_restore_settings,
    PEGBAR_OT_restore_from_picture,
    PEGBAR_OT_delete_take,
    PEGBAR_OT_next_check,
    PEGBAR_OT_open_folder,
)
