"""The parts that panels are made of: settings from Params, texts that wrap, and the state of a run as UX words."""

import math

import bpy

from ..engine.catalog import PIPELINES
from ..engine.protocol import PegbarError
from ..engine.spec import Input, Pipeline, asked
from ..runs import engine, forecast, models, placing, preview, run, takes
from ..runs.request import Request, chosen_params, chosen_strip, describe, request, rhythm_property, scene_of
from ..settings import PEGBAR_PG_scene, Picture, values_of
from . import failure, listing, setup
from . import models as cards
from .words import text

BUTTON_SCALE = 1.5
LABELS = 0.4
"""Share of a panel's width that the names of settings take."""
PREVIEW_SCALE, LESSON_SCALE = 6.0, 10.0
"""Longer side of the picture of what is being made, in rows: a wide one is about four high. A lesson's has a plot in it."""
PROMPT = "prompt"
"""The name by which every pipeline calls the sentence that it is told."""
ORDINALS = {1: "Next in line", 2: "2nd in line", 3: "3rd in line"}

Methods = tuple[Pipeline, ...]
"""The pipelines that do one job: what one panel offers."""


def params(
    layout: bpy.types.UILayout, group: bpy.types.PropertyGroup, spec: Pipeline, advanced: bool = False, hidden: tuple[str, ...] = ()
) -> None:
    """The settings of a pipeline but its prompt and the hidden ones: the ones always shown, or the advanced ones."""
    column = layout.column()
    for param in spec.params:
        if param.advanced == advanced and param.name not in (PROMPT, *hidden) and not param.is_folder:
            row = column.row(align=True)
            row.prop(group, param.name)
            if param.listing:
                listing.button(row, spec, param)


def prompt(layout: bpy.types.UILayout, group: bpy.types.PropertyGroup, spec: Pipeline, hint: str = "What happens") -> None:
    """The sentence that a pipeline is told, over the whole width."""
    if any(param.name == PROMPT for param in spec.params):
        row = layout.row()
        row.use_property_split = False
        row.prop(group, PROMPT, text="", placeholder=hint)


def whole_prompt(layout: bpy.types.UILayout, context: bpy.types.Context, group: bpy.types.PropertyGroup, spec: Pipeline) -> None:
    """What the model is told with the settings as they are, where that is more than the prompt."""
    if spec.whole_prompt:
        words = spec.whole_prompt(values_of(group))
        text(layout.box(), context, f"The whole prompt, {len(words.split())} words: {words}")


def pictures(layout: bpy.types.UILayout, context: bpy.types.Context, settings: PEGBAR_PG_scene, spec: Pipeline) -> None:
    """Where each of a pipeline's pictures comes from."""
    for wanted in spec.inputs:
        if wanted.is_picture:
            _picture(layout.column(), context, getattr(getattr(settings, spec.name), wanted.name), wanted)


def _picture(column: bpy.types.UILayout, context: bpy.types.Context, entry: Picture, wanted: Input) -> None:
    column.prop(entry, "type", text=wanted.label)
    scene = scene_of(context)
    match entry.type:
        case "STRIP" if scene.sequence_editor:
            column.prop_search(entry, "strip", scene.sequence_editor, "strips_all", text=" ", icon="SEQUENCE")
            if not entry.strip and (strip := chosen_strip(scene, "", as_picture=True)):
                split = column.split(factor=LABELS)
                split.label(text="")
                split.label(text=strip.name)
        case "FILE":
            column.prop(entry, "file", text=" ")
        case "IMAGE":
            column.prop(entry, "image", text=" ")
        case "OBJECT":
            column.prop(entry, "drawing", text=" ")


def shot(layout: bpy.types.UILayout, settings: PEGBAR_PG_scene, spec: Pipeline) -> None:
    """How long the result is, where the source does not say so, what it comes back as, and its seed."""
    main, column = spec.inputs[0], layout.column()
    if main.is_drawing or main.is_picture:
        column.separator()
        column.prop(settings, "length", text="Length" if settings.length else "Length (Auto)")
        column.prop(settings, rhythm_property(spec))
    if any(output.kind == "clip" for output in asked(spec, chosen_params(settings, spec))):
        column.prop(settings, "result")
    if spec.is_seeded:
        row = column.row(align=True)
        row.prop(settings, "seed")
        row.prop(settings, "keep_seed", text="", icon="LOCKED" if settings.keep_seed else "UNLOCKED")


def status(layout: bpy.types.UILayout, spec: Pipeline, methods: Methods) -> None:
    """How it stands with a job in a word, for its panel's header."""
    row = layout.row()
    row.alignment = "RIGHT"
    names = {method.name for method in methods}
    if setup.blocks(spec):
        word, icon = setup.word()
        row.label(text=word, icon=icon)
    elif engine.health().name in ("silent", "gone") and run.active():
        row.label(text="Engine Lost", icon="ERROR")
    elif any(running.pipeline in names for running in run.active()):
        row.label(text="Working")
    else:
        row.label(text="No Model" if models.missing(spec) else "Ready")
    row.separator()


def start(layout: bpy.types.UILayout, context: bpy.types.Context, spec: Pipeline, methods: Methods) -> None:
    """The one button, what it will make or why it can't, and what the job's last run came to."""
    try:
        wanted = request(context, spec.name)
        told, blocked = describe(wanted), ""
    except PegbarError as error:
        told, blocked = "", str(error)
    lacking = models.missing(spec)
    row = layout.row()
    row.scale_y = BUTTON_SCALE
    waits = setup.blocks(spec)
    row.enabled = not (blocked or lacking or waits)
    row.operator("pegbar.run", text=spec.verb).pipeline = spec.name
    if waits:
        setup.sidebar(layout, context, spec)
    elif lacking:
        cards.sidebar(layout, context, spec)
    elif blocked:
        text(layout, context, blocked, "INFO")
    else:
        text(layout, context, told)
        _forecast(layout, context, spec, wanted)
    _runs(layout, context, methods)


def _forecast(layout: bpy.types.UILayout, context: bpy.types.Context, spec: Pipeline, wanted: Request) -> None:
    """How long the run takes and what memory, as far as that is known, and why it may be slow."""
    if line := forecast.words(context, spec, wanted):
        text(layout, context, line)
    if why := forecast.caution(context, spec, wanted):
        text(layout, context, why, "INFO")


def _runs(layout: bpy.types.UILayout, context: bpy.types.Context, methods: Methods) -> None:
    """The runs of a job that go on, else what the last one came to, else the newest take that was cut off."""
    names = [spec.name for spec in methods]
    going = [running for running in run.active() if running.pipeline in names]
    for running in going:
        _active(layout.box(), context, running)
    last = run.latest(*names)
    if not going and last is not None:
        _ended(layout.box(), context, last)
    elif not going and (take := _cut_off(context, names)):
        (_taught if take.is_lesson else _partial)(layout.box(), context, take)


def _cut_off(context: bpy.types.Context, names: list[str]) -> takes.Take | None:
    scene = scene_of(context).name
    found = (take for take in takes.listed() if take.cut_off and take.job.pipeline in names and take.job.shot.scene == scene)
    return next(found, None)


def _active(box: bpy.types.UILayout, context: bpy.types.Context, running: run.Run) -> None:
    if running.is_lost:
        text(box, context, running.text, "ERROR")
        column = box.column(align=True)
        column.operator("pegbar.restart_engine", icon="FILE_REFRESH")
        row = column.row(align=True)
        row.operator("pegbar.cancel").key = running.key
        failure.report(column, running)
        return
    words, share = _progress(running)
    row = box.row(align=True)
    row.progress(text=words, factor=share)
    row.operator("pegbar.cancel", text="", icon="X").key = running.key
    if told := _told(running):
        text(box, context, told)
    if running.folder and (picture := preview.of(running.folder.preview_file)):
        box.template_icon(icon_value=picture.icon_id, scale=PREVIEW_SCALE if PIPELINES[running.pipeline].outputs else LESSON_SCALE)


def _progress(running: run.Run) -> tuple[str, float]:
    """The words on the bar and how far it is."""
    state = running.state
    if running.is_stopping:
        return "Stopping", 0.0
    if running.phase != "engine":
        return ("Preparing" if running.phase == "reading" else "Placing"), running.share
    if state.name == "queued":
        return ("Starting the Engine" if running.ahead == 0 else ORDINALS.get(running.ahead, f"{running.ahead}th in line")), 0.0
    if state.progress is None or not state.progress.of:
        return (state.progress.phase if state.progress else "Preparing"), 0.0
    of = state.progress.of
    # a step may be told less often than the frames it wrote
    step = max(state.progress.step, _ready(running)) if of == len(running.shot.frames) else state.progress.step
    phase = state.progress.phase
    return f"{phase}{',' if phase[-1:].isdigit() else ''} {step}/{of}", step / of


def _ready(running: run.Run) -> int:
    return len(takes.main_frames(running.job, running.state)) if running.job else 0


def _told(running: run.Run) -> str:
    ready = _ready(running)
    left = running.seconds_left
    parts = (f"{ready} of {len(running.shot.frames)} frames ready" if ready else "", about(left) if left is not None else "")
    return ", ".join(filter(None, parts))


def _ended(box: bpy.types.UILayout, context: bpy.types.Context, last: run.Run) -> None:
    take = next((take for take in takes.listed() if take.folder == last.folder), None)
    if last.phase == "failed":
        text(box, context, last.text, "ERROR")
        failure.buttons(box, last, take)
    elif take is None:
        text(box, context, "Stopped.")
    elif take.is_lesson:
        _taught(box, context, take)
    elif take.is_partial:
        _partial(box, context, take)
    else:
        where = "" if last.is_placed else f" It belongs to {bpy.path.basename(last.file) or 'another file'}."
        text(box, context, f"Done in {clock(take.state.seconds)}. Take {take.number}.{where}", "CHECKMARK")
        for warning in take.state.warnings:
            text(box, context, warning, "INFO")
        if take.to_check:
            row = box.row()
            row.label(text=f"{_notes_label(take)} on {len(take.to_check)} of {len(take.frames)} frames", icon="INFO")
            row.operator("pegbar.next_check", text="", icon="NEXT_KEYFRAME").folder = str(take.folder.path)
        row = box.row(align=True)
        if not placing.is_shown(take):
            row.operator("pegbar.apply_take").folder = str(take.folder.path)
        row.operator("pegbar.redo_take").folder = str(take.folder.path)


def _notes_label(take: takes.Take) -> str:
    return next(output.label for output in PIPELINES[take.job.pipeline].outputs if output.kind == "notes")


def _partial(box: bpy.types.UILayout, context: bpy.types.Context, take: takes.Take) -> None:
    ready, wanted = len(take.frames), len(take.job.shot.frames)
    text(box, context, f"Take {take.number} stopped. {ready} of {wanted} frames are ready.", "PAUSE")
    row = box.row(align=True)
    row.operator("pegbar.finish_take").folder = str(take.folder.path)
    if ready:
        row.operator("pegbar.apply_take", text="Use These").folder = str(take.folder.path)


def _taught(box: bpy.types.UILayout, context: bpy.types.Context, take: takes.Take) -> None:
    """What came of teaching a motion, which can be used as soon as it was kept once."""
    params = take.job.params
    if take.is_partial:
        text(box, context, f"{take.source} stopped at step {take.learned} of {params['steps']}.", "PAUSE")
    else:
        text(box, context, f"{take.source} is learned, in {clock(take.state.seconds)}: the menu of motions has it.", "CHECKMARK")
    row = box.row(align=True)
    if take.is_partial:
        row.operator("pegbar.finish_take").folder = str(take.folder.path)
    if not take.is_partial or take.learned > params["checkpoint_every"]:
        use(row, take)


def use(row: bpy.types.UILayout, take: takes.Take) -> None:
    """The button that chooses the motion that a take has taught."""
    button = row.operator("pegbar.choose_listed", text="Use")
    button.pipeline, button.param, button.name = "vidsketch", "motion", take.source


def about(seconds: float) -> str:
    """A time left, rounded up as people say it."""
    if seconds < 50:
        return f"about {max(5, math.ceil(seconds / 5) * 5)} s left"
    return f"about {math.ceil(seconds / 60)} min left"


def clock(seconds: float) -> str:
    """A time taken: `0:04`."""
    return f"{int(seconds + 0.5) // 60}:{int(seconds + 0.5) % 60:02d}"
