"""What happened, for a message to the makers: the report of a run, and a zip with the logs of the newest takes. No prompts in either."""

import contextlib
import platform
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import bpy
import gpu

from ..engine import __version__
from ..engine.catalog import PIPELINES
from ..engine.diagnostics import bundle, last_run, memory_bytes, redacted, tail, wordless, words
from ..engine.errors import CATALOG
from ..engine.protocol import Job, PegbarError
from ..preferences import engine_folder, engine_python, machine, preferences, takes_folder, user_folder
from . import engine, run, takes

NEWEST = 5
"""Takes whose logs are collected."""
EXTENSION = Path(__file__).resolve().parent.parent

_bug = ""


def note(traceback: str) -> None:
    """Keeps the last mistake that no run tells of."""
    global _bug
    _bug = traceback


def report(running: run.Run | None, keep_paths: bool = False) -> str:
    """All that is known of a run, of this Blender and of its engine."""
    lines = [*_happened(running), about(), f"Device: {machine().device}", *_asked(running)]
    log = tail(running.folder.log_file) if running and running.folder else ""
    parts = ("\n".join(filter(None, lines)), running.report if running else _bug, last_run(log) if log else engine.health().log)
    return _clean("\n\n".join(filter(None, parts)), [running.job] if running and running.job else [], keep_paths) + "\n"


def about() -> str:
    """This Blender in a line."""
    memory = memory_bytes()
    parts = [f"Pegbar {__version__}", f"Blender {bpy.app.version_string}", f"Python {sys.version.split()[0]}", platform.platform()]
    return ", ".join([*parts, f"{memory / 1e9:.1f} GB of memory" if memory else "", _graphics()]).strip(", ")


def diagnostics(keep_paths: bool) -> bytes:
    """A zip with the report of each last run, the engine's log, and logs, events and settings of the newest takes."""
    jobs = [take.job for take in takes.listed() if take.job]
    files = {"report.txt": _reports(keep_paths), "engine.log": engine.health().log, "setup.log": _setup_logs()}
    for take in _newest():
        name = f"{take.folder.path.name}-{take.job.id[:8] if take.job else 'damaged'}"
        files[f"{name}/worker.log"] = tail(take.folder.log_file)
        files[f"{name}/events.jsonl"] = tail(take.folder.path / "events.jsonl")
        files[f"{name}/job.txt"] = _job(take.job) if take.job else take.fault
    return bundle({name: _clean(text, jobs, keep_paths) for name, text in files.items() if text})


def _happened(running: run.Run | None) -> list[str]:
    if running is None:
        return []
    entry = CATALOG.get(running.error)
    spec = PIPELINES.get(running.pipeline)
    return [
        f"{running.error} {running.text}".strip(),
        f"({entry.what})" if entry else "",
        f"{spec.label if spec else running.pipeline}: {running.phase}, {len(running.state.frames)} files written",
    ]


def _asked(running: run.Run | None) -> list[str]:
    return [_job(running.job)] if running and running.job else []


def _job(job: Job) -> str:
    settings = wordless(PIPELINES.get(job.pipeline), job.params)
    shot = f"frames {job.shot.first} to {job.shot.last}, step {job.shot.step}, {job.shot.fps:g} fps"
    inputs = ", ".join(f"{len(files)} {name}" for name, files in job.inputs.items())
    return f"{job.pipeline}: {settings}, seed {job.seed}, {shot}, inputs: {inputs}"


def _reports(keep_paths: bool) -> str:
    last = {running.pipeline: running for running in run.recent()}
    return "\n----\n".join([report(running, keep_paths) for running in last.values()] or [report(None, keep_paths)])


def _newest() -> list[takes.Take]:
    def changed(take: takes.Take) -> float:
        path = take.folder.path / "events.jsonl"
        return path.stat().st_mtime if path.exists() else 0.0

    return sorted(takes.listed(), key=changed, reverse=True)[:NEWEST]


def _setup_logs() -> str:
    """What setting up the engine, and fetching models, have left."""
    logs = {path for folder in (engine_folder(), user_folder()) for path in folder.glob("*.log")}
    return "\n".join(f"--- {path.name}\n{tail(path)}" for path in sorted(logs))


def _graphics() -> str:
    if bpy.app.background:
        return ""  # it has no answer without a window
    return f"{gpu.platform.renderer_get()} ({gpu.platform.version_get()})"


def _clean(text: str, jobs: Iterable[Job], keep_paths: bool) -> str:
    own = {preferences().hub_token, preferences().proxy} - {""}
    for job in jobs:
        own |= {*words(PIPELINES.get(job.pipeline), job.params), *_files(job)}
    return redacted(text, own, _folders(), keep_paths)


def _files(job: Job) -> set[str]:
    """The files that a job's pictures came from, which lie anywhere."""
    with contextlib.suppress(PegbarError):
        return {source.name for sources in takes.sources_of(job).values() for source in sources if source.type == "FILE"}
    return set()


def _folders() -> Mapping[Path, str]:
    """Folders that a log names often, by what they are called instead."""
    known = {EXTENSION: "<pegbar>", takes_folder(): "<takes>", user_folder(): "<user>", engine_folder(): "<engine>"}
    known |= {folder: "<weights>" for folder in machine().weights}
    if python := engine_python():
        known[python.parent.parent] = "<python>"
    if bpy.data.filepath:
        known[Path(bpy.data.filepath)] = "<file>"
    return known | {take.folder.path: f"<{take.folder.path.name}>" for take in takes.listed()}
