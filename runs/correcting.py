"""A colour that the artist sets on a region of a take: the job that it asks for, whose take comes in place of the one before."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import bpy

from ..engine.corrections import CORRECTIONS, CORRECTS, Correction
from ..engine.protocol import InputFile, Job, JobFolder, PegbarError, link
from ..engine.strokes import Strokes
from ..timeline import fills
from ..timeline.places import last_frame, write_input
from . import engine, placing, run, takes


def can_be_corrected(take: takes.Take | None) -> bool:
    """Whether a take tells what its colours follow from."""
    return take is not None and bool(take.palette) and not take.is_partial


def taken(strip: bpy.types.Strip | None) -> takes.Take | None:
    """The take that a strip shows."""
    return takes.by_id(strip.get("pegbar_take", "")) if strip else None


def count(job: Job) -> int:
    """The frames on which a job has corrections."""
    return len(job.inputs.get(CORRECTIONS, ()))


def correct(take: takes.Take, corrections: Sequence[Correction]) -> run.Run:
    """Begins the take that corrections make of another one, with all that were made before. Raises PegbarError."""
    engine.check()
    last = _last(take)
    folder, job = (last.folder, last.job) if last else (take.folder, take.job)
    made = JobFolder.create(folder.path.parent)
    inputs = {name: tuple(_linked(folder, made, name, file) for file in files) for name, files in job.inputs.items() if name != CORRECTIONS}
    inputs[CORRECTIONS] = _written(made, _before(folder, job), corrections)
    params = dict(job.params) | {CORRECTS: folder.path.name}
    wanted = replace(job, params=params, inputs=inputs, id=Job("", {}, {}, job.shot).id)
    made.write_job(wanted)
    return run.correct(folder, made, wanted)


def changed_fills(found: bpy.types.Object, frame: int) -> tuple[takes.Take, list[Correction]]:
    """The take whose fills a drawing shows, and what the artist changed of them on a frame. Raises PegbarError."""
    shown = placing.fills_shown(found)
    if shown is None or not can_be_corrected(shown[0]):
        raise PegbarError(f"{found.name!r} shows no fills of a take: colour it first")
    take, layer = shown
    earlier = [written for written in take.frames if written.frame <= frame]
    if not earlier or frame > last_frame([written.frame for written in take.frames], take.job.shot):
        raise PegbarError(f"Take {take.number} has no fills on frame {frame}: go to one of its frames")
    strokes = Strokes.load(take.folder.file(earlier[-1].file))
    changed = fills.recoloured(found, layer, frame, strokes)
    if not changed:
        raise PegbarError("No fill on this frame has another material than the take gave it: change one first")
    return take, [Correction(earlier[-1].frame, *place, fills.colour_of(material)) for place, material in changed]


def _last(take: takes.Take) -> run.Run | None:
    """The run under way that corrects a take, or what comes of that one: the next correction starts from it."""
    found, name = None, take.folder.path.name
    for other in run.active():
        if other.job and other.folder and other.folder.path.parent == take.folder.path.parent and other.job.params.get(CORRECTS) == name:
            found, name = other, other.folder.path.name
    return found


def _linked(folder: JobFolder, made: JobFolder, name: str, file: InputFile) -> InputFile:
    to = made.file(file.file)
    if not to.exists():
        to.parent.mkdir(parents=True, exist_ok=True)
        link(folder.file(file.file), to)
    return file


def _before(folder: JobFolder, job: Job) -> dict[int, list[Any]]:
    """The corrections that a job has already, by frame."""
    try:
        return {file.frame: json.loads(folder.file(file.file).read_bytes()) for file in job.inputs.get(CORRECTIONS, ())}
    except (OSError, ValueError) as error:
        raise PegbarError(f"The corrections of {folder.path.name} cannot be read ({error}): correct an earlier take") from error


def _written(folder: JobFolder, before: dict[int, list[Any]], corrections: Sequence[Correction]) -> tuple[InputFile, ...]:
    for entry in corrections:
        values = asdict(entry)
        before.setdefault(values.pop("frame"), []).append(values)
    files = []
    for index, (frame, entries) in enumerate(sorted(before.items()), start=1):
        files.append(InputFile(frame, folder.input_file(CORRECTIONS, index, ".json")))
        write_input(folder.file(files[-1].file), json.dumps(entries, indent=1).encode())
    return tuple(files)
