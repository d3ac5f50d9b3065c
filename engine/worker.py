"""Runs jobs: reads the request, calls the pipeline, writes what it gives as files and events. `serve` does so for one Blender.

Core only: a pipeline's own code is imported by its name when a job asks for it. Knows no bpy and no pipeline.
"""

import contextlib
import errno
import faulthandler
import gc
import json
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from .catalog import pipeline
from .diagnostics import about, wordless
from .drawing.frames import Frames, encode_png
from .errors import BUG, DISK_FULL, ENGINE_PLAIN, INPUT_UNFIT, MODEL_DAMAGED, OUT_OF_MEMORY, SETTING
from .protocol import (
    Cancelled,
    Done,
    Event,
    Failed,
    FrameWritten,
    Job,
    JobFolder,
    PegbarError,
    Planned,
    Progress,
    Warned,
    known_as,
    link,
    refused,
    sentence,
    write_atomic,
)
from .provenance import KEY, Card, Meanwhile, card_of, changed, embedded, keep, kept, used
from .spec import Pipeline, check
from .spool import Spool
from .strokes import Strokes
from .weights import UNSET, Machine, locate

log = logging.getLogger(__name__)

HEARTBEAT_S = 1.0
IDLE_S = 0.1
PAUSED = "Paused while Blender renders"
PROGRESS_S = 0.2
"""At most one progress event in this time, but for a phase's first and last: two phases may take turns many times a second."""
DIFFUSION = ("torch", "diffusers", "transformers", "sentencepiece")
"""What the extra `diffusion` brings."""
RESERVE = 16384
"""Bytes kept free for the last words of a job on a full disk."""

Tell = Callable[[Event], None]
Models = dict[str, tuple[Any, Any]]
"""Pipeline -> its module and its loaded model. One at a time: a model may fill the memory."""


def run_job(
    folder: JobFolder,
    models: Models | None = None,
    tell: Tell = lambda event: None,
    machine: Machine = UNSET,
    is_paused: Callable[[], bool] = lambda: False,
) -> Done | Failed:
    """Runs a job to its end, or on from its last whole frame; each event also goes to `tell`. Where `is_paused` says so, it holds still
    between two steps with its memory given back, and goes on later from what it has kept. Raises PegbarError where the folder can't be
    written or another process works on the job."""
    with folder.running(), _logged(folder):
        end = _attempt(folder, {} if models is None else models, tell, machine, is_paused)
        with contextlib.suppress(OSError):
            folder.reserve_file.unlink()
        folder.append(end)
        tell(end)
        return end


def serve(path: Path, machine: Machine = UNSET) -> NoReturn:
    """Runs the jobs dropped in a spool, in order, until stdin ends (the parent is gone) or the spool is removed."""
    faulthandler.enable()
    spool = Spool(path)
    threading.Thread(target=_end_with_parent, args=(_take_stdin(),), daemon=True).start()
    spool.greet()
    threading.Thread(target=_beat, args=(spool,), daemon=True).start()
    models: Models = {}
    while True:
        if spool.is_paused and models:
            _let_go(models)
        for entry in spool.entries()[:1]:
            folder = JobFolder(Path(os.fsdecode(entry.read_bytes())))
            try:
                run_job(folder, models, machine=machine, is_paused=lambda: spool.is_paused)
            except PegbarError as error:
                log.error("%s: %s", folder.path, error)
                with contextlib.suppress(OSError):
                    spool.refused_file.write_text(str(error), "utf-8")
            entry.unlink(missing_ok=True)
        time.sleep(IDLE_S)


class JobReport:
    """What a pipeline tells and keeps, as files and events of its job (see `spec.Report`)."""

    card: Meanwhile | None = None
    """Where the result comes from, while its hashes are worked out."""

    def __init__(
        self, folder: JobFolder, job: Job, tell: Tell, memory_gb: float = 0.0, is_paused: Callable[[], bool] = lambda: False
    ) -> None:
        self.state = folder.state_folder
        self.memory_gb = memory_gb
        self._is_paused = is_paused
        self._folder = folder
        self._tell = tell
        self._order = threading.RLock()
        self._private = job.private
        self._text: dict[str, str] = {}
        self._index = {frame: index for index, frame in enumerate(job.shot.frames, start=1)}
        self._written = {(f.output, f.frame) for f in folder.state().frames if folder.file(f.file).is_file()}
        self._phases: set[str] = set()
        self._told_at = 0.0

    def progress(self, phase: str, step: int, of: int) -> None:
        if self._folder.cancel_requested:
            raise Cancelled
        if self._is_paused():
            raise _Paused
        now = time.monotonic()
        if phase not in self._phases or step == of or now - self._told_at >= PROGRESS_S:
            self._phases.add(phase)
            self._told_at = now
            self._say(Progress(phase, step, of))

    def write(self, output: str, frame: int, content: object) -> None:
        with self._order:
            text = self._provenance()
        suffix, data = self._encode(content, text)
        file = self._folder.output_file(output, self._index[frame], suffix)
        write_atomic(self._folder.file(file), data)
        self._wrote(output, frame, file)

    def keep(self, output: str, frame: int, path: Path) -> None:
        file = self._folder.output_file(output, self._index[frame], path.suffix)
        link(path, self._folder.file(file))
        self._wrote(output, frame, file)

    def _wrote(self, output: str, frame: int, file: str) -> None:
        self._written.add((output, frame))
        self._say(FrameWritten(output, frame, file))

    def written(self, output: str) -> frozenset[int]:
        return frozenset(frame for name, frame in self._written if name == output)

    def preview(self, image: object) -> None:
        write_atomic(self._folder.preview_file, self._encode(image, {})[1])

    def warn(self, text: str) -> None:
        self._say(Warned(text))

    def planned(self, gigabytes: float, of: float, told: str) -> None:
        self._say(Planned(round(gigabytes, 4), round(of, 4), told))

    def _say(self, event: Event) -> None:
        with self._order:
            self._folder.append(event)
            self._tell(event)

    def _provenance(self) -> dict[str, str]:
        """What each picture holds. The card of a run before this one stays: so a picture is the same whenever it is made."""
        if not self._text and self.card is not None:
            now, before = self.card.get(), kept(self._folder)
            if before is None:
                keep(self._folder, now)
            elif others := changed(before, now):
                self.warn(f"The {' and the '.join(others)} of this take changed since it was begun: its frames may not match")
            self._text = {KEY: embedded(before or now, not self._private)}
        return self._text

    def _encode(self, content: object, text: Mapping[str, str]) -> tuple[str, bytes]:
        if isinstance(content, Strokes):
            return ".npz", content.to_bytes()
        if isinstance(content, np.ndarray):
            return ".png", encode_png(content, text)
        return ".json", json.dumps(content, ensure_ascii=False, indent=1).encode()


def _attempt(folder: JobFolder, models: Models, tell: Tell, machine: Machine, is_paused: Callable[[], bool]) -> Done | Failed:
    """The job's end, whatever happens."""
    started = time.monotonic()
    try:
        if (end := _finished(folder)) is None:
            _generate_in_turns(folder, models, tell, machine, is_paused)
            end = Done(time.monotonic() - started)
        return end
    except (Cancelled, KeyboardInterrupt):
        return Done(time.monotonic() - started, cancelled=True)
    except PegbarError as error:
        log.error("%s", error)
        return Failed(str(error), id=error.id)
    except MemoryError:
        log.exception("out of memory")
        models.clear()
        text = "The computer has too little free memory for this job: close other programs or work at a smaller size"
        return Failed(text, id=OUT_OF_MEMORY)
    except Exception as error:
        log.exception("a bug")
        models.clear()
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Failed(str(refused(folder.path, error)), id=DISK_FULL)
        text = f"Pegbar made a mistake ({type(error).__name__}: {error}): your frames are safe, send the report to the makers"
        return Failed(sentence(text), traceback.format_exc(), BUG)


class _Paused(Exception):
    """The other side needs the machine."""


def _generate_in_turns(folder: JobFolder, models: Models, tell: Tell, machine: Machine, is_paused: Callable[[], bool]) -> None:
    """Does a job's work, with waits in which nothing of it is in memory."""
    while True:
        try:
            return _generate(folder, models, tell, machine, is_paused)
        except _Paused:
            log.info("paused")
        _let_go(models)
        waiting = Progress(PAUSED, 0, 0)
        folder.append(waiting)
        tell(waiting)
        while is_paused():
            if folder.cancel_requested:
                raise Cancelled
            time.sleep(IDLE_S)


def _let_go(models: Models) -> None:
    """Gives the memory of what is loaded back, the card's too."""
    models.clear()
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    elif torch is not None and torch.backends.mps.is_available():
        torch.mps.empty_cache()


def _generate(folder: JobFolder, models: Models, tell: Tell, machine: Machine, is_paused: Callable[[], bool]) -> None:
    log.info("%s, device %s", about(), machine.device)
    job = folder.read_job()
    with known_as(SETTING):
        spec = pipeline(job.pipeline)
        job = replace(job, params=check(spec, job.params, job.inputs))
    log.info("%s, job %s, pipeline %s, params %s, seed %d", folder.path, job.id, spec.name, wordless(spec, job.params), job.seed)
    _sweep(folder)
    write_atomic(folder.reserve_file, bytes(RESERVE))
    report = JobReport(folder, job, tell, machine.memory_gb, is_paused)
    report.progress("Loading", 0, 0)
    with known_as(MODEL_DAMAGED):
        module, model = _loaded(spec, models, machine)
        report.card = Meanwhile(lambda: _card(folder, job, spec, machine))  # the weights are in memory now: they are hashed from there
    inputs: Mapping[str, Frames] = {wanted.name: Frames(folder, job.inputs.get(wanted.name, ())) for wanted in spec.inputs}
    with known_as(INPUT_UNFIT):
        module.generate(model, job, inputs, report)


def _card(folder: JobFolder, job: Job, spec: Pipeline, machine: Machine) -> Card:
    weights = list(used(spec, job.params, locate(spec, machine.weights), machine.weights))
    place = import_module(".diffusion.devices", __package__).described(machine.device) if spec.weights else ("cpu", "")
    return card_of(folder, job, weights, *place)


def _loaded(spec: Pipeline, models: Models, machine: Machine) -> tuple[Any, Any]:
    if spec.name not in models:
        models.clear()
        weights = locate(spec, machine.weights)
        module = code_of(spec)
        models[spec.name] = module, module.load(weights, machine.device)
    return models[spec.name]


def code_of(spec: Pipeline, module: str = "pipeline") -> Any:
    """A module of a pipeline's code. Raises PegbarError where this Python lacks what it needs."""
    try:
        return import_module(f".pipelines.{spec.name}.{module}", __package__)
    except ModuleNotFoundError as error:
        if error.name not in DIFFUSION:
            raise
        text = f"{spec.label} needs the diffusion engine, and this Python lacks {error.name}: install pegbar-engine[diffusion] in it"
        raise PegbarError(text, ENGINE_PLAIN) from error


def _finished(folder: JobFolder) -> Done | None:
    """The end of a job that has all that it made: run again, it is left as it is."""
    state = folder.state()
    if state.name == "done" and all(folder.file(f.file).is_file() for f in state.frames):
        return Done(state.seconds)
    return None


def _sweep(folder: JobFolder) -> None:
    """Makes the folder for the pipeline's state and removes the half-written files of a run that was cut off."""
    try:
        folder.state_folder.mkdir(exist_ok=True)
        for top in (folder.outputs, folder.state_folder):
            for part in list(top.rglob(".*.part")):
                part.unlink()
        for part in list(folder.path.glob(f".{folder.preview_file.name}.*.part")):
            part.unlink()
    except OSError as error:
        raise refused(folder.path, error) from error


class _JobLog(logging.FileHandler):
    """A full disk costs lines of the log, no more."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


@contextlib.contextmanager
def _logged(folder: JobFolder) -> Iterator[None]:
    """Everything that is logged meanwhile, by whatever library, goes to the job's log."""
    try:
        handler = _JobLog(folder.log_file, encoding="utf-8")
    except OSError as error:
        raise refused(folder.log_file, error) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()


def _take_stdin() -> int:
    """The pipe to the parent under a number of its own; stdin becomes empty. On Windows a library that looks at stdin while a thread
    reads it would hang, and nowhere should one swallow the end of the pipe."""
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return pipe


def _end_with_parent(pipe: int) -> None:
    while os.read(pipe, 4096):
        pass
    os._exit(0)  # at once, whatever runs: every file is whole or not there


def _beat(spool: Spool) -> None:
    while True:
        try:
            spool.beat()
        except FileNotFoundError:
            os._exit(0)
        time.sleep(HEARTBEAT_S)
