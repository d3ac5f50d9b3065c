"""Teaching a motion as a job: the take keeps what it has learned so far, the motion itself goes where VidSketch finds it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from ...drawing.frames import Frames
from ...protocol import Job, PegbarError, refused, write_atomic
from ...spec import Report
from ..vidsketch import TRAINING, clips, motions
from ..vidsketch.motions import CARD
from ..vidsketch.training import Lesson, learn

UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f]+')
NAME_LENGTH = 60
NAMES = "clips.json"


@dataclass(frozen=True)
class School:
    """What a lesson starts from and where its motion goes. Nothing is loaded: the network is changed as it learns."""

    stable_diffusion: Path
    motions: Path
    device: str


def load(weights: Mapping[str, Path], device: str) -> School:
    """Where things are; the models are read for each job."""
    return School(weights["sd15"], weights["motions"], device)


def generate(school: School, job: Job, inputs: Mapping[str, Frames], report: Report) -> None:
    """Teaches the motion, or goes on where it was stopped. Raises PegbarError, Cancelled."""
    own = {"name": job.params["motion"].strip(), "seed": job.seed}
    params = {param.name: job.params.get(param.name) for param in TRAINING.params} | own
    out = _place(school.motions, job)
    footage = _footage(job, inputs["clips"])
    _check_the_same(footage, report.state / NAMES)
    learn(Lesson(footage, None, out, params, job.id), school.stable_diffusion, school.device, report)


def _place(folder: Path, job: Job) -> Path:
    """The motion's own folder among the others. Raises PegbarError where it has no name or one that is taken."""
    name = job.params["motion"].strip()
    inner = UNSAFE.sub("-", name).strip(". ")[:NAME_LENGTH].rstrip(". ")
    if not inner:
        raise PegbarError("The motion has no name: give it one, it is listed by it")
    out = folder / inner
    known = motions(folder)
    if any(motion.weights.parent in (folder, folder / "unet") for motion in known):
        raise PegbarError(f"{folder} is a motion itself: move what is in it into a folder of its own in it")
    if _job_of(out) == job.id:
        return out
    if name.casefold() in {motion.name.casefold() for motion in known} or (out.is_dir() and any(out.iterdir())):
        raise PegbarError(f"There is already a motion {name!r}: choose another name")
    try:
        out.mkdir(parents=True, exist_ok=True)  # now, not when hours of learning are to be written
    except OSError as error:
        raise refused(out, error) from error
    return out


def _job_of(motion: Path) -> str:
    """The job that a motion was taught by; empty where it was none."""
    try:
        return str(json.loads((motion / CARD).read_bytes()).get("job", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def _footage(job: Job, frames: Frames) -> tuple[clips.Clip, ...]:
    """The clips: each folder of the input's files is one, held frames as often as they are shown; then those of the folder named."""
    files = [frames.file(number) for number in frames.numbers]
    given: list[clips.Clip] = [tuple(clip) for _, clip in groupby(files, key=lambda path: path.parent)]
    if job.params["folder"]:
        given += clips.found(Path(job.params["folder"]))
    if not given:
        raise PegbarError("There are no clips to learn from: choose a folder with some, or select strips")
    return tuple(given)


def _check_the_same(footage: tuple[clips.Clip, ...], path: Path) -> None:
    """Raises PegbarError where what is learned from is not what was begun with."""
    names = [clips.named(clip) for clip in footage]
    if not path.exists():
        write_atomic(path, json.dumps(names, indent=1, ensure_ascii=False).encode())
    elif json.loads(path.read_bytes()) != names:
        raise PegbarError("The clips are others than those that it began with: put the folder back as it was, or teach another motion")
