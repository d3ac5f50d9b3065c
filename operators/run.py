"""Runs a pipeline, stops a run, goes on after the engine fell."""

import bpy

from ..engine.catalog import PIPELINES
from ..preferences import engine_python
from ..runs import engine, models, placing, run, setup, teaching
from ..runs.request import Request, reason, request, scene_of, seeded
from .edge import Edge


class PEGBAR_OT_run(Edge, bpy.types.Operator):
    """Run a pipeline on what is selected; in a window it goes on while you work"""

    bl_idname = "pegbar.run"
    bl_label = "Run Pegbar"

    pipeline: bpy.props.StringProperty(name="Pipeline", options={"HIDDEN", "SKIP_SAVE"})
    wait: bpy.props.BoolProperty(name="Wait", description="Return when the result is placed", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        if (spec := PIPELINES.get(properties.pipeline)) is None:
            return cls.__doc__
        blocked = reason(context, spec)
        return f"{spec.help}.\n\nDisabled: {blocked}" if blocked else spec.help

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if engine_python() is None:
            cls.poll_message_set(engine.MISSING)
            return False
        return True

    def act(self, context: bpy.types.Context) -> None:
        settings = scene_of(context).pegbar
        wanted = request(context, self.pipeline)
        engine.check()
        setup.check(PIPELINES[self.pipeline])
        models.check(PIPELINES[self.pipeline])
        if not PIPELINES[self.pipeline].outputs:
            teaching.check_name(wanted.target.source)
        replaces = _show_source(wanted)
        wanted = seeded(request(context, self.pipeline) if replaces else wanted, settings.keep_seed)
        started = run.start(wanted, replaces)
        settings.seed = wanted.seed
        if self.wait or bpy.app.background:
            run.run_to_end(started)


def _show_source(wanted: Request) -> bool:
    """Shows the drawing again where a take is shown instead; whether it was so."""
    found = bpy.data.objects.get(wanted.target.source) if PIPELINES[wanted.pipeline].inputs[0].is_drawing else None
    return found is not None and placing.show_source(found)


class PEGBAR_OT_cancel(Edge, bpy.types.Operator):
    """Stop; frames that are finished are kept"""

    bl_idname = "pegbar.cancel"
    bl_label = "Stop"

    key: bpy.props.IntProperty(name="Run", description="Which of the active runs; all where 0", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not run.active():
            cls.poll_message_set("Nothing is running")
            return False
        return True

    def act(self, context: bpy.types.Context) -> None:
        for running in run.active():
            if self.key in (0, running.key):
                run.stop(running)


class PEGBAR_OT_restart_engine(Edge, bpy.types.Operator):
    """Start the engine again; what was under way goes on after its last finished frame"""

    bl_idname = "pegbar.restart_engine"
    bl_label = "Restart and Continue"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not any(running.is_lost for running in run.active()):
            cls.poll_message_set("The engine is working")
            return False
        return True

    def act(self, context: bpy.types.Context) -> None:
        engine.restart()


CLASSES = (PEGBAR_OT_run, PEGBAR_OT_cancel, PEGBAR_OT_restart_engine)
