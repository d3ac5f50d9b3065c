"""The run: reads inputs, writes the job, follows the engine, places the result. One generator, stepped by a timer or run to its end.

Its state lives here and in the take's folder, so that undo, saving and File > Open lose nothing; between steps it holds no bpy data.
"""

import base64
import itertools
import logging
import shutil
import time
import traceback
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import bpy

from ..engine.catalog import pipeline
from ..engine.errors import BUG, ENGINE_LOST, RESULT_UNPLACED, SETTING, SOURCE_GONE
from ..engine.protocol import (
    Done,
    Event,
    Failed,
    InputFile,
    Job,
    JobFolder,
    PegbarError,
    Progress,
    Shot,
    State,
    known_as,
    state_of,
    write_atomic,
)
from ..engine.spec import check
from ..preferences import preferences
from ..timeline import READ
from . import engine, models, placing, preview, redraw, takes
from .request import Request

log = logging.getLogger(__name__)

TICK_S = 0.02
"""How long a tick works; a piece of reading or placing that takes longer ends it."""
BUSY_S, FOLLOW_S = 0.01, 0.1
"""Between two ticks: while something is to be done here, while the engine works."""

TEST_PICTURE = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGP4z8DA8B8ABgAB/3hctoEAAAAASUVORK5CYII=")
"""A PNG of 2 x 2 pixels."""

_USUAL = {"reading": SOURCE_GONE, "engine": ENGINE_LOST, "placing": RESULT_UNPLACED}
"""What is met in each phase where the sentence has no number of its own."""

Step = Generator[bool, None, None]
"""Yields whether there is more to do at once; else the engine has to go on first."""


@dataclass(eq=False)
class Run:
    """One take on its way, as the panels show it."""

    pipeline: str
    shot: Shot
    source: str
    session: int
    """Which opening of a file it was started in; see `is_home`."""
    file: str
    folder: JobFolder | None = None
    phase: Literal["reading", "engine", "placing", "done", "stopped", "failed"] = "reading"
    share: float = 0.0
    """Of reading or placing, 0..1."""
    state: State = field(default_factory=State)
    text: str = ""
    """Why it failed, or what keeps the engine from going on, in one sentence."""
    report: str = ""
    """What a report says besides: a traceback, or what the engine printed last."""
    error: str = ""
    """Why it failed, or what keeps the engine from going on, as the number of its entry in `engine.errors`."""
    ahead: int = 0
    """How many jobs the engine does before it."""
    is_lost: bool = False
    """The engine hangs or is gone: it can be started again, and the run goes on."""
    is_stopping: bool = False
    is_placed: bool = False
    replaces: bool = False
    is_listed: bool = True
    """Whether it makes a take for the artist; a test of the engine does not."""
    pace: tuple[Progress, float] | None = None
    """The first progress of the phase, and when it came."""
    job: Job | None = None
    steps: Iterator[bool] = field(default=iter(()), repr=False)
    key: int = field(default_factory=itertools.count(1).__next__)
    """By which a button names it."""

    @property
    def is_active(self) -> bool:
        return self.phase in ("reading", "engine", "placing")

    @property
    def is_home(self) -> bool:
        """Whether the file that it belongs to is open: a run of another file neither reads nor places anything here."""
        return self.session == _session or (self.file != "" and self.file == bpy.data.filepath)

    @property
    def seconds_left(self) -> float | None:
        """How long the phase still takes, from its own pace; None while that is not known."""
        now = self.state.progress
        if not (self.pace and now and now.of and now.step - self.pace[0].step >= 2):
            return None
        return (time.monotonic() - self.pace[1]) / (now.step - self.pace[0].step) * (now.of - now.step)


_runs: list[Run] = []
_session = 0
_drawn_at = 0.0


def active() -> list[Run]:
    """The runs not yet ended, oldest first."""
    return [run for run in _runs if run.is_active]


def recent() -> list[Run]:
    """The runs since the file was opened of which something is known, the last of each pipeline, oldest first."""
    return list(_runs)


def latest(*names: str) -> Run | None:
    """The last run of any of these pipelines since the file was opened."""
    return next((run for run in reversed(_runs) if run.pipeline in names), None)


def of_folder(folder: JobFolder) -> Run | None:
    """The run that works on a take."""
    return next((run for run in active() if run.folder == folder), None)


def start(wanted: Request, replaces: bool = False) -> Run:
    """Begins a run; where it `replaces` a take its result is shown instead of the source. Raises PegbarError where there is no engine."""
    engine.check()
    run = Run(wanted.pipeline, wanted.shot, wanted.target.source, _session, bpy.data.filepath, replaces=replaces)
    return _begin(run, _whole(run, wanted))


def go_on(take: takes.Take) -> Run:
    """Takes up a take that was stopped, cut off or failed; what is written stays. Raises PegbarError."""
    engine.check()
    run = _of_take(take, "engine")
    return _begin(run, _rest(run))


def apply(take: takes.Take) -> Run:
    """Places the frames that a take has, and shows it instead of its source. Raises PegbarError."""
    run = _of_take(take, "placing")
    return _begin(run, _applied(run, take))


def correct(old: JobFolder, folder: JobFolder, job: Job) -> Run:
    """Begins the take in a folder that corrects the one in another, in whose place it comes. Raises PegbarError."""
    engine.check()
    run = Run(job.pipeline, job.shot, takes.target_of(job).source, _session, bpy.data.filepath, folder, "engine", job=job)
    return _begin(run, _corrected(run, old))


def test(folder: Path) -> Run:
    """Sends one picture through the engine and back, in a folder that is removed afterwards. Raises PegbarError."""
    engine.check()
    run = Run("still", Shot("Test", 1, 1, 24.0), "", _session, bpy.data.filepath, is_listed=False)
    return _begin(run, _tested(run, folder))


def run_to_end(run: Run) -> None:
    """Steps a run until it ended, for scripts and `blender -b`. Raises PegbarError where it failed."""
    while run.is_active:
        if not advance(run) and run.is_active:
            if run.is_lost:
                _fail(run, run.text, run.report, run.error)
            time.sleep(FOLLOW_S / 2)
    if run.phase == "failed":
        raise PegbarError(run.text)


def stop(run: Run) -> None:
    """Ends a run early; finished frames are kept."""
    run.is_stopping = True
    if run.phase == "reading":
        run.steps.close()
        _drop_unasked(run)
        _end(run, "stopped")
    elif run.phase == "engine":
        try:
            run.folder.request_cancel()
            if run.is_lost:
                engine.restart()  # the next worker writes the end that the lost one cannot write
        except PegbarError:
            _end(run, "stopped")


def advance(run: Run) -> bool:
    """Makes one step; whether there is more to do at once. A fault ends the run with its sentence."""
    try:
        return next(run.steps)
    except StopIteration:
        return False
    except PegbarError as error:
        _fail(run, str(error), id=error.id or _USUAL[run.phase])
    except Exception as error:  # the operator's edge: a run is an operator that outlives its call
        log.exception("a bug")
        _fail(run, f"Pegbar made a mistake ({type(error).__name__}: {error}): send the report to the makers", traceback.format_exc(), BUG)
    return False


def _of_take(take: takes.Take, phase: Literal["engine", "placing"]) -> Run:
    if of_folder(take.folder):
        raise PegbarError(f"Take {take.number} is being worked on: wait until it is done, or stop it")
    job = take.job
    return Run(job.pipeline, job.shot, take.source, _session, bpy.data.filepath, take.folder, phase, state=take.state, job=job)


def _begin(run: Run, steps: Step) -> Run:
    run.steps = steps
    _runs[:] = [other for other in _runs if other.is_active or other.pipeline != run.pipeline]
    _runs.append(run)
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=BUSY_S, persistent=True)
    return run


def _whole(run: Run, wanted: Request) -> Step:
    yield True  # the click answers at once
    run.folder = takes.create(wanted.shot.scene, wanted.target.source)
    kinds = {entry.name: entry.kind for entry in pipeline(wanted.pipeline).inputs}
    inputs = {}
    for index, (name, sources) in enumerate(wanted.sources.items()):
        steps = READ[kinds[name]](bpy.data.scenes[wanted.shot.scene], sources, wanted.frames[name], run.folder, name)
        inputs[name] = yield from _shared(run, steps, index, len(wanted.sources))
    with known_as(SETTING):
        params = check(pipeline(wanted.pipeline), wanted.params, inputs)
    private = not preferences().settings_in_pictures
    job = Job(wanted.pipeline, params, inputs, wanted.shot, wanted.seed, origin=wanted.origin, private=private)
    run.folder.write_job(job)
    run.job = job
    yield from _rest(run)


def _rest(run: Run) -> Step:
    if not (yield from _generated(run)):
        return
    models.look_again()  # it may have made one
    run.phase = "placing"
    yield True  # the last look at the engine and the first piece of placing are not one tick
    if run.is_home and pipeline(run.pipeline).outputs:
        yield from _placed(run)
    _end(run, "done")


def _generated(run: Run) -> Generator[bool, None, bool]:
    """Has the engine do the run's job; whether it is done as a whole, else the run is at its end."""
    run.phase = "engine"
    old, offset = run.folder.events()
    engine.submit(run.folder)
    end = yield from _follow(run, old, offset)
    if isinstance(end, Failed):
        _fail(run, end.text, end.traceback, end.id)
    elif end.cancelled:
        _end(run, "stopped")
    return isinstance(end, Done) and not end.cancelled


def _placed(run: Run) -> Step:
    yield from _shared(run, placing.place(run.folder, run.job, run.state.frames), 0, 1)
    if run.replaces:
        placing.show(takes.read(run.folder))
    run.is_placed = True
    placing.push_undo(f"Pegbar Take {takes.number_of(run.folder)}")


def _applied(run: Run, take: takes.Take) -> Step:
    yield from _shared(run, placing.place(take.folder, take.job, take.state.frames), 0, 1)
    placing.show(take)
    run.is_placed = True
    placing.push_undo(f"Apply Take {take.number}")
    _end(run, "done")


def _corrected(run: Run, old: JobFolder) -> Step:
    if not (yield from _generated(run)):
        return
    run.phase = "placing"
    if run.is_home:
        yield from _shared(run, placing.replace(takes.read(old), takes.read(run.folder)), 0, 1)
        run.is_placed = True
        placing.push_undo("Recolour Region")
    _end(run, "done")


def _tested(run: Run, folder: Path) -> Step:
    bpy.context.window_manager.pegbar_test = "Testing the engine…"
    yield True
    began = time.monotonic()
    run.folder = JobFolder.create(folder)
    try:
        file = run.folder.input_file("image", 1, ".png")
        write_atomic(run.folder.file(file), TEST_PICTURE)
        run.job = Job("still", {}, {"image": (InputFile(1, file),)}, run.shot)
        run.folder.write_job(run.job)
        if (yield from _generated(run)):
            run.text = f"The engine works: it answered in {time.monotonic() - began:.1f} s"
            _end(run, "done")
    finally:
        shutil.rmtree(run.folder.path, ignore_errors=True)


def _follow(run: Run, old: list[Event], offset: int) -> Generator[bool, None, Done | Failed]:
    """Keeps the run's state up with the job's events; gives the one that ends it."""
    run.state = replace(state_of(old), name="queued", progress=None, error=None)
    while True:
        held = engine.holds(run.folder)  # asked before the events: a job leaves the queue after its last one
        new, offset = run.folder.events(offset)
        if new:
            old += new
            run.state = state_of(old)
            _time(run)
            if end := next((event for event in new if isinstance(event, Done | Failed)), None):
                return end
        if run.state.name == "queued":
            run.ahead = engine.ahead(run.folder)
        preview.look(run.folder.preview_file)
        health = engine.ask()
        run.is_lost = health.name in ("silent", "gone")
        run.text, run.report, run.error = health.text, health.log, health.id
        if not held and not run.is_lost:
            raise PegbarError(health.text or f"The engine gave up {run.folder.path.name} without a word: try again", health.id)
        yield False


def _shared(run: Run, steps: Generator[float, None, Any], index: int, of: int) -> Generator[bool, None, Any]:
    """A Reader's or Writer's steps as those of the run."""
    while True:
        if not run.is_home:
            raise PegbarError("Another file was opened before all was read or placed: open the first one and start again")
        try:
            run.share = (index + next(steps)) / of
        except StopIteration as end:
            return end.value
        yield True


def _time(run: Run) -> None:
    now = run.state.progress
    if now and (run.pace is None or run.pace[0].phase != now.phase):
        run.pace = now, time.monotonic()


def _fail(run: Run, text: str, report: str = "", id: str = "") -> None:
    if run.phase == "reading":
        _drop_unasked(run)
    run.text, run.report, run.error = text, report, id
    _end(run, "failed")


def _drop_unasked(run: Run) -> None:
    """Removes the folder of a run that never became a take."""
    if run.folder is not None and run.job is None:
        shutil.rmtree(run.folder.path, ignore_errors=True)
        run.folder = None


def _end(run: Run, phase: Literal["done", "stopped", "failed"]) -> None:
    run.phase, run.is_lost = phase, False
    if not run.is_listed:
        bpy.context.window_manager.pegbar_test = run.text
    elif run.folder is not None:
        preview.forget(run.folder.preview_file)
        takes.update(run.folder)
    engine.sleep_when_idle()
    redraw.panels(everything=True)


def _tick() -> float | None:
    global _drawn_at
    end = time.perf_counter() + TICK_S
    busy = False
    for run in active():
        while (more := advance(run)) and time.perf_counter() < end:
            pass
        busy = busy or more
    if time.monotonic() - _drawn_at >= FOLLOW_S:
        redraw.panels()
        _drawn_at = time.monotonic()
    return (BUSY_S if busy else FOLLOW_S) if active() else None


@bpy.app.handlers.persistent
def _on_load(*_: object) -> None:
    global _session
    _session += 1
    _runs[:] = active()


@bpy.app.handlers.persistent
def _on_save(*_: object) -> None:
    for run in _runs:
        if run.session == _session:
            run.file = bpy.data.filepath


def register() -> None:
    bpy.app.handlers.load_post.append(_on_load)
    bpy.app.handlers.save_post.append(_on_save)


def unregister() -> None:
    # Blender empties its handlers before it disables add-ons on its way out
    if _on_save in bpy.app.handlers.save_post:
        bpy.app.handlers.save_post.remove(_on_save)
        bpy.app.handlers.load_post.remove(_on_load)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    for run in active():
        run.steps.close()
    _runs.clear()
