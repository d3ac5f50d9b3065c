"""The takes of the open file: a listing kept in memory, read from the takes folder a few at a time. Draw functions look at it alone."""

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import get_args, get_type_hints

import bpy

from ..engine.catalog import PIPELINES
from ..engine.client import unfinished
from ..engine.corrections import palette
from ..engine.errors import FILE_UNSAVED, PLACE_REFUSED, RESULT_UNPLACED, TAKE_DAMAGED
from ..engine.licences import Verdict, verdict_of
from ..engine.protocol import FrameWritten, Job, JobFolder, PegbarError, Progress, State, refused
from ..engine.protocol import takes as takes_in
from ..engine.provenance import kept
from ..engine.spec import asked
from ..preferences import takes_folder, user_folder
from ..timeline import Source, Target
from . import engine, redraw

SLICE_S = 0.01
UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f]+')
NAME_LENGTH = 60
LEARNING = "Learning"
"""The phase whose steps are those of a lesson."""
SOURCES, TARGETS = get_args(get_type_hints(Source)["type"]), get_args(get_type_hints(Target)["type"])
UNKNOWN = Verdict("unclear", ())
NO_NOTES = "[]"
"""What a file of notes holds where there is nothing to say."""
NOTED_REGION = b'"region":'
"""What is in it once for each region: counted so since a listing may have hundreds of such files."""


@dataclass(frozen=True)
class Take:
    """A job's folder as the artist sees it; `job` is None and `fault` says why where the request can't be read."""

    folder: JobFolder
    job: Job | None
    state: State
    cut_off: bool = False
    """Begun or waiting, yet nobody works on it."""
    to_check: tuple[int, ...] = ()
    """The frame numbers for which the pipeline left notes, in order: there the artist should look."""
    learned: int = 0
    """Of a lesson: the steps that it has told of."""
    fault: str = ""
    verdict: Verdict = UNKNOWN
    """Whether it may be used commercially, by its own weights."""
    palette: tuple[tuple[str, str], ...] = ()
    """Name and colour (#rrggbb) of each colour that it has, where it can be corrected."""
    doubtful: int = 0
    """Regions to check, where it can be corrected."""

    @property
    def number(self) -> int:
        return number_of(self.folder)

    @property
    def source(self) -> str:
        """The drawing or strip that it was made from; empty where it was not made in Blender."""
        return str(self.job.origin.get("target", {}).get("source", "")) if self.job else ""

    @cached_property
    def frames(self) -> tuple[FrameWritten, ...]:
        """The frames of the main output that are whole on disk."""
        return main_frames(self.job, self.state) if self.job else ()

    @property
    def is_lesson(self) -> bool:
        """Whether it made something for a weights folder, and no frames."""
        return self.job is not None and self.job.pipeline in PIPELINES and not PIPELINES[self.job.pipeline].outputs

    @property
    def is_partial(self) -> bool:
        """Whether more frames were asked for than there are."""
        return self.job is not None and (self.cut_off or self.state.name in ("stopped", "failed"))


_takes: list[Take] = []
_scan: Iterator[None] = iter(())


def number_of(folder: JobFolder) -> int:
    """The number in a take's name."""
    return int(folder.path.name.rpartition("_")[2])


def main_frames(job: Job, state: State) -> tuple[FrameWritten, ...]:
    """The frames of the first output that a job was asked for."""
    outputs = asked(PIPELINES[job.pipeline], job.params) if job.pipeline in PIPELINES else ()
    return tuple(frame for frame in state.frames if outputs and frame.output == outputs[0].name)


def shot_folder(scene: str, source: str) -> Path:
    """The folder of a shot's takes, named after its scene and its drawing or strip."""
    name = UNSAFE.sub("-", f"{scene} {source}").lstrip(". ")[:NAME_LENGTH].rstrip(". ")
    return takes_folder() / (name or "shot")


def create(scene: str, source: str) -> JobFolder:
    """Makes the folder of a shot's next take. Raises PegbarError."""
    folder = shot_folder(scene, source)
    try:
        return JobFolder.create(folder)
    except PegbarError as error:
        if bpy.data.filepath or user_folder() not in folder.parents or error.id != PLACE_REFUSED:
            raise
        raise PegbarError(f"Save the file first, so that takes have a place to live: {error}", FILE_UNSAVED) from error


def target_of(job: Job) -> Target:
    """Where a job's result goes. Raises PegbarError where the job was not made in Blender."""
    try:
        target = Target(**job.origin["target"])
    except (KeyError, TypeError) as error:
        raise PegbarError("This take was not made in Blender: add its frames as an image sequence", RESULT_UNPLACED) from error
    if target.type not in TARGETS:
        raise PegbarError(f"This take goes to {target.type!r}, which is not known here: it was damaged or tampered with", TAKE_DAMAGED)
    return target


def sources_of(job: Job) -> dict[str, tuple[Source, ...]]:
    """Where a job's inputs came from; empty where it was not made in Blender. Raises PegbarError where it says so in no known way."""
    try:
        sources = job.origin.get("sources", {})
        found = {
            name: tuple(Source(**{**entry, "layers": tuple(entry["layers"])}) for entry in entries) for name, entries in sources.items()
        }
        if all(source.type in SOURCES and isinstance(source.name, str) for entries in found.values() for source in entries):
            return found
    except (KeyError, TypeError, AttributeError):
        pass
    raise PegbarError(
        "Where this take was made from is not said in a way that is known here: it was damaged or tampered with", TAKE_DAMAGED
    )


def listed() -> list[Take]:
    """All takes as last read, oldest first within a shot."""
    return _takes


def of_shot(scene: str, source: str | None) -> list[Take]:
    """The takes of one drawing or strip, of the whole scene where it is None, newest first."""
    found = (take for take in reversed(_takes) if take.job and take.job.shot.scene == scene)
    return [take for take in found if source in (None, take.source)]


def by_id(job_id: str) -> Take | None:
    """The take of a job; None where it is not in the listing."""
    return next((take for take in _takes if take.job and take.job.id == job_id), None)


def is_lesson(path: str) -> bool:
    """Whether the take in a folder is listed as a lesson."""
    return any(take.is_lesson for take in _takes if str(take.folder.path) == path)


def by_folder(path: str) -> Take:
    """The take in a folder, read anew. Raises PegbarError where it is gone or damaged."""
    take = read(JobFolder(Path(path)))
    if take.fault:
        raise PegbarError(take.fault)
    return take


def read(folder: JobFolder) -> Take:
    """One take from its folder."""
    try:
        return _read(folder)
    except PegbarError as error:
        return Take(folder, None, State(), fault=str(error))


def _read(folder: JobFolder) -> Take:
    job, state = folder.read_job(), folder.state()
    cut_off = state.name in ("queued", "running") and folder in unfinished(folder.path.parent, engine.spools())
    verdict = verdict_of(job.pipeline, kept(folder))
    notes, colours = _notes(folder, job, state), palette(folder)
    noted = tuple(sorted(frame for frame, path in notes.items() if path.stat().st_size > len(NO_NOTES)))
    doubtful = sum(notes[frame].read_bytes().count(NOTED_REGION) for frame in noted) if colours else 0
    return Take(folder, job, state, cut_off, noted, _learned(folder, job), verdict=verdict, palette=colours, doubtful=doubtful)


def _learned(folder: JobFolder, job: Job) -> int:
    if job.pipeline not in PIPELINES or PIPELINES[job.pipeline].outputs:
        return 0
    told = [event.step for event in folder.events()[0] if isinstance(event, Progress) and event.phase == LEARNING]
    return told[-1] if told else 0


def _notes(folder: JobFolder, job: Job, state: State) -> dict[int, Path]:
    """The files of notes that are there, by frame."""
    outputs = {output.name for output in PIPELINES[job.pipeline].outputs if output.kind == "notes"} if job.pipeline in PIPELINES else set()
    files = {event.frame: folder.file(event.file) for event in state.frames if event.output in outputs}
    return {frame: path for frame, path in files.items() if path.is_file()}


def update(folder: JobFolder) -> None:
    """Reads one take again; one whose folder is gone is a take no more."""
    place = next((i for i, take in enumerate(_takes) if take.folder == folder), len(_takes))
    _takes[place : place + 1] = [read(folder)] if folder.path.is_dir() else []


def delete(take: Take) -> None:
    """Removes a take's folder. Raises PegbarError where something in it can't be removed or a worker is at it."""
    if take.folder.is_running:
        raise PegbarError(f"Take {take.number} is being worked on: stop it first")
    try:
        shutil.rmtree(take.folder.path)
    except OSError as error:
        raise refused(take.folder.path, error) from error
    finally:
        _takes[:] = [other for other in _takes if other.folder != take.folder]


def scan() -> Iterator[None]:
    """Reads the takes folder of the open file anew, one take a step; what was listed stays until the end."""
    found: list[Take] = []
    root = takes_folder()
    for shot in sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else ():
        for folder in takes_in(shot):
            found.append(read(folder))
            yield
    elsewhere = [take for take in _takes if root not in take.folder.path.parents]
    _takes[:] = elsewhere + found


def refresh() -> None:
    """Reads the takes of the open file: at once in background, else in slices between the window's draws."""
    global _scan
    _scan = scan()
    if bpy.app.background:
        list(_scan)
    elif not bpy.app.timers.is_registered(_slice):
        bpy.app.timers.register(_slice, first_interval=SLICE_S, persistent=True)


def _slice() -> float | None:
    end = time.perf_counter() + SLICE_S
    while time.perf_counter() < end:
        if next(_scan, "end") == "end":
            redraw.panels()
            return None
    return SLICE_S


@bpy.app.handlers.persistent
def _on_load(*_: object) -> None:
    _takes.clear()
    refresh()


@bpy.app.handlers.persistent
def _on_save(*_: object) -> None:
    # a first save moves the takes folder: the takes made before it stay listed
    refresh()


def register() -> None:
    bpy.app.handlers.load_post.append(_on_load)
    bpy.app.handlers.save_post.append(_on_save)
    if not bpy.app.background:
        refresh()


def unregister() -> None:
    # Blender empties its handlers before it disables add-ons on its way out
    if _on_save in bpy.app.handlers.save_post:
        bpy.app.handlers.save_post.remove(_on_save)
        bpy.app.handlers.load_post.remove(_on_load)
    if bpy.app.timers.is_registered(_slice):
        bpy.app.timers.unregister(_slice)
    _takes.clear()
