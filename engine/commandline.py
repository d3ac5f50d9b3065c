"""What is typed, as a job: options made from each pipeline's SPEC, input files found, numbered and copied into a take.

Core. Prints nothing: `say` takes what the user should know.
"""

import argparse
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from .catalog import PIPELINES
from .drawing.frames import encode_png, read_movie
from .estimates import Work
from .models import commands as models_commands
from .pipelines.vidsketch import TRAINING
from .protocol import InputFile, Job, JobFolder, PegbarError, Shot, refused, write_atomic
from .setup import bundling
from .spec import SUFFIXES, Input, Param, Pipeline, check, complete
from .weights import Machine, given_folders, given_memory, missing

MOVIES = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """One frame of an input where the user has it; `path` is a movie's for each of its frames."""

    frame: int
    path: Path


def parser(version: str) -> argparse.ArgumentParser:
    """The whole command line: `options.command` names the sub-command."""
    top = argparse.ArgumentParser(prog="pegbar", description="Pegbar's engine: 2D animation pipelines on files and folders.")
    top.add_argument("--version", action="version", version=version)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_weights(commands.add_parser("list", help="the pipelines: what goes in and comes out, and whose weights are there"))
    run = commands.add_parser("run", help="run takes, or go on with them")
    run.add_argument("jobs", nargs="+", type=Path, metavar="JOB", help="folder of a take (it holds a job.json)")
    serve = commands.add_parser("serve", help="run what a Blender drops in a folder, until stdin ends")
    serve.add_argument("folder", type=Path, metavar="FOLDER")
    for command in (run, serve):
        _add_machine(command)
    models_commands.add(commands)
    bundling.add_options(commands.add_parser("bundle", help="make a folder from which the engine installs without a network"))
    report = commands.add_parser("report", help="which takes may be used commercially, and why")
    report.add_argument("folder", type=Path, metavar="TAKES_FOLDER", help="a folder with takes in it, however deep")
    report.add_argument("--json", action="store_true", help="for other programs")
    _add_estimate(commands.add_parser("estimate", help="the memory that a job will take of this machine, as JSON"))
    taught = commands.add_parser("train", help="teach a pipeline from your own clips").add_subparsers(
        dest="pipeline", required=True, metavar="PIPELINE"
    )
    _add_training(taught.add_parser(TRAINING.name, help=_plain(TRAINING.help), description=_plain(TRAINING.help)))
    for spec in PIPELINES.values():
        _add_pipeline(commands.add_parser(spec.name, help=_plain(spec.help), description=_plain(spec.help)), spec)
    return top


def _add_estimate(command: argparse.ArgumentParser) -> None:
    command.add_argument("pipeline", choices=list(PIPELINES), metavar="PIPELINE")
    command.add_argument("--size", default="1920x1080", metavar="WxH", help="of the main input in pixels (default: 1920x1080)")
    command.add_argument("--frames", type=int, default=24, metavar="N", help="how many are made (default: 24)")
    command.add_argument("--fps", type=float, default=24.0, metavar="X", help="(default: 24)")
    command.add_argument("--step", type=int, default=1, metavar="N", help="1 on ones, 2 on twos (default: 1)")
    command.add_argument("--params", type=json.loads, default={}, metavar="JSON", help="the settings that are not at their defaults")
    _add_machine(command)


def work_of(options: argparse.Namespace) -> Work:
    """What an estimate is asked for. Raises PegbarError where a setting or the size makes no sense."""
    params = complete(PIPELINES[options.pipeline], options.params)
    sides = re.fullmatch(r"(\d+)x(\d+)", options.size)
    if sides is None:
        raise PegbarError(f"The size is {options.size!r}: give it as WIDTHxHEIGHT, 1920x1080")
    shot = Shot("", 1, 1 + options.step * (options.frames - 1), options.fps, options.step)
    return Work(params, int(sides[1]), int(sides[2]), shot)


def machine_of(options: argparse.Namespace) -> Machine:
    """What the options, or PEGBAR_WEIGHTS, say of the machine."""
    memory = given_memory() if options.memory is None else options.memory
    return Machine(tuple(path.absolute() for path in options.weights or given_folders()), options.device, memory)


def table(options: argparse.Namespace) -> str:
    """The pipelines, one a row. `[...]` can be left out, `...` may be several."""
    rows = [("PIPELINE", "INPUTS", "OUTPUTS", "WEIGHTS", "WHAT IT DOES")]
    folders = options.weights or given_folders()
    for spec in PIPELINES.values():
        inputs = ", ".join(_optional(i.name + "..." * i.several, not i.required) for i in spec.inputs)
        outputs = ", ".join(_optional(o.name, bool(o.option)) for o in spec.outputs)
        rows.append((spec.name, inputs, outputs, _weights(spec, folders), spec.help))
    widths = [max(len(row[column]) for row in rows) for column in range(4)] + [0]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def take(spec: Pipeline, options: argparse.Namespace, say: Say) -> JobFolder:
    """The take that the options ask for: made in `--out`, or found there from the same command. Raises PegbarError."""
    sources, shot = _gather(spec, options, say)
    params = {param.name: getattr(options, f"param_{param.name}") for param in spec.params}
    named = {
        name: tuple(InputFile(s.frame, ".png" if _is_movie(s.path) else s.path.name) for s in found) for name, found in sources.items()
    }
    params = check(spec, params, named)
    identity = _identity(spec.name, params, shot, options.seed, sources)
    folder = JobFolder(options.out.absolute())
    if (folder.path / "job.json").exists():
        if folder.read_job().id != identity:
            raise PegbarError(f"{options.out} holds the take of another job: choose another folder, or repeat that job's command unchanged")
        return folder
    _make(folder.path)
    inputs = {name: _copy(folder, name, found) for name, found in sources.items()}
    folder.write_job(Job(spec.name, params, inputs, shot, options.seed, id=identity))
    return folder


def lesson(options: argparse.Namespace) -> dict[str, Any]:
    """The completed settings of a training. Raises PegbarError where one is none that it can take."""
    return dict(complete(TRAINING, {param.name: getattr(options, f"param_{param.name}") for param in TRAINING.params}))


def _add_pipeline(command: argparse.ArgumentParser, spec: Pipeline) -> None:
    inputs = command.add_argument_group(
        "inputs", "a folder of images or of drawings (.npz), a movie, a file, or N=FILE for frame N (repeat it)"
    )
    for wanted in spec.inputs:
        inputs.add_argument(
            _flag(wanted.name), dest=f"input_{wanted.name}", action="append", default=[], required=wanted.required,
            metavar="FILES", help=_plain(f"{wanted.label}: {wanted.help}"),
        )  # fmt: skip
    shot = command.add_argument_group("shot")
    shot.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the take; the same command goes on where it stopped")
    shot.add_argument(
        "--first",
        type=int,
        metavar="N",
        help=f"first frame (of the shot, and of files without numbers; default: the first {spec.inputs[0].name}, or 1)",
    )
    shot.add_argument("--last", type=int, metavar="N", help=f"last frame (default: {_usual_last(spec)})")
    shot.add_argument("--step", type=int, default=1, metavar="N", help="1: on ones, 2: on twos (default: 1)")
    shot.add_argument("--fps", type=float, default=24.0, help="frames a second (default: 24)")
    shot.add_argument("--seed", type=int, default=0, metavar="N", help="the same seed gives the same result (default: 0)")
    settings = command.add_argument_group("settings")
    for param in spec.params:
        _add_param(settings, param)
    if spec.weights:
        _add_machine(command)
    else:
        command.set_defaults(weights=None, device="cpu", memory=None)


def _add_training(command: argparse.ArgumentParser) -> None:
    clips = command.add_argument_group("clips", "a folder of movies, of folders of images, or of the images of one clip")
    clips.add_argument("--clips", type=Path, required=True, metavar="FOLDER", help="what is learned from")
    clips.add_argument("--held-out", type=Path, metavar="FOLDER", help="clips that are not learned from: the loss on them is measured")
    clips.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER",
        help="the motion; in motions/ of a weights folder it is offered at once; the same command goes on where it stopped",
    )  # fmt: skip
    settings = command.add_argument_group("settings")
    for param in TRAINING.params:
        _add_param(settings, param)
    _add_machine(command)


def _add_machine(command: argparse.ArgumentParser) -> None:
    machine = command.add_argument_group("machine")
    _add_weights(machine)
    machine.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    text = "how much of the device's memory a run may take (default: PEGBAR_MEMORY_GB, else all that is free)"
    machine.add_argument("--memory-gb", dest="memory", type=float, metavar="GB", help=text)


def _add_weights(group: Any) -> None:
    text = "where checkpoints lie, in it or in a folder of the pipeline's name in it; may be repeated (default: PEGBAR_WEIGHTS)"
    group.add_argument("--weights", type=Path, action="append", metavar="FOLDER", help=text)


def _add_param(group: Any, param: Param) -> None:
    text = _plain(param.help if param.default == "" else f"{param.help} (default: {param.default})")
    options: dict[str, Any] = {"dest": f"param_{param.name}", "default": param.default, "help": text}
    if isinstance(param.default, bool):
        options |= {"action": argparse.BooleanOptionalAction}
    elif param.choices:
        options |= {"choices": [value for value, _, _ in param.choices]}
    else:
        options |= {"type": type(param.default), "metavar": {int: "N", float: "X", str: "TEXT"}[type(param.default)]}
    group.add_argument(_flag(param.name), **options)


def _gather(spec: Pipeline, options: argparse.Namespace, say: Say) -> tuple[dict[str, list[Source]], Shot]:
    """The inputs' sources by name, and the shot; the pipeline's first input sets the shot's length."""
    first = options.first
    sources: dict[str, list[Source]] = {}
    for wanted in spec.inputs:
        values = getattr(options, f"input_{wanted.name}")
        found = sources[wanted.name] = _sources(wanted, values, 1 if first is None else first, options.step, say)
        if first is None and found:
            first = found[0].frame
    given = {name: found for name, found in sources.items() if found}
    shot = Shot("", 1 if first is None else first, _last(spec, options, given, 1 if first is None else first), options.fps, options.step)
    for wanted in spec.inputs:
        if wanted.at_end and wanted.name in given:
            given[wanted.name] = [replace(source, frame=shot.frames[-1]) for source in given[wanted.name]]
    return given, shot


def _last(spec: Pipeline, options: argparse.Namespace, given: dict[str, list[Source]], first: int) -> int:
    """The last frame: as asked, or that of the leading input; one drawing or picture alone says nothing about a length."""
    if options.last is not None:
        return int(options.last)
    leading = next(iter(given.values()), [])
    if len(leading) == 1 and _is_animated(spec.inputs[0]):
        return first + spec.length - 1
    return leading[-1].frame if leading else first


def _usual_last(spec: Pipeline) -> str:
    main = spec.inputs[0]
    last, of_one = f"the last {main.name}", f"the one after which there are {spec.length}"
    if not _is_animated(main):
        return last
    return f"{last}; with one alone {of_one}" if main.several else of_one


def _is_animated(wanted: Input) -> bool:
    """Whether one frame of an input becomes many."""
    return wanted.is_drawing or wanted.is_picture


def _sources(wanted: Input, values: list[str], first: int, step: int, say: Say) -> list[Source]:
    """The sources that an input's values name, by frame number."""
    found: list[Source] = []
    for value in values:
        if numbered := re.fullmatch(r"(-?\d+)=(.+)", value):
            found.append(Source(int(numbered[1]), _one_frame(Path(numbered[2]))))
            continue
        path = _existing(Path(value))
        paths = _folder_files(path, wanted) if path.is_dir() else _movie_frames(path) if _is_movie(path) else [path]
        own = _own_numbers(paths, step) if path.is_dir() else None
        numbers = own or [first + step * index for index in range(len(paths))]
        found += [Source(number, p) for number, p in zip(numbers, paths, strict=True)]
        if len(paths) > 1:
            how = "by the numbers in their names" if own else "in order"
            say(f"{wanted.name}: {len(paths)} frames, numbered {numbers[0]} to {numbers[-1]} {how}")
    return sorted(found, key=lambda source: source.frame)


def _one_frame(path: Path) -> Path:
    if _existing(path).is_dir() or _is_movie(path):
        raise PegbarError(f"{path} is more than one frame: N=FILE takes one image or drawing")
    return path


def _existing(path: Path) -> Path:
    if not path.exists():
        raise PegbarError(f"There is no file or folder {path}: check the path")
    if not (path.is_file() or path.is_dir()):
        raise PegbarError(f"{path} is neither a file nor a folder: check the path")
    return path


def _folder_files(folder: Path, wanted: Input) -> list[Path]:
    """The files of a folder that the input takes, all images or all drawings, in natural order."""
    files = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES[wanted.kind] and not p.name.startswith(".")]
    if not files:
        raise PegbarError(f"{folder} has no file for {wanted.name} in it: it takes {', '.join(SUFFIXES[wanted.kind])}")
    if len({p.suffix.lower() == ".npz" for p in files}) > 1:
        raise PegbarError(f"{folder} has images and drawings in it: put them in two folders")
    return sorted(files, key=lambda p: [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", p.name)])


def _is_movie(path: Path) -> bool:
    return path.suffix.lower() in MOVIES


def _movie_frames(path: Path) -> list[Path]:
    """The movie's path, once for each of its frames."""
    return [path for _ in read_movie(path)]


def _own_numbers(paths: list[Path], step: int) -> list[int] | None:
    """The numbers at the ends of the files' names; None where they do not follow each other."""
    ends = [re.search(r"\d+$", path.stem) for path in paths]
    numbers = [int(end[0]) for end in ends if end]
    steps = {b - a for a, b in pairwise(numbers)}
    return numbers if len(numbers) == len(paths) and steps in (set(), {1}, {step}) else None


def _identity(pipeline: str, params: dict[str, Any], shot: Shot, seed: int, sources: dict[str, list[Source]]) -> str:
    """A job's id from all that its result depends on: the same command on the same files gives the same."""
    paths = {source.path for found in sources.values() for source in found}
    content = {path: _sha256(path) for path in paths}
    inputs = {name: [(s.frame, content[s.path]) for s in found] for name, found in sources.items()}
    recipe = json.dumps([pipeline, params, asdict(shot), seed, inputs], sort_keys=True)
    return hashlib.sha256(recipe.encode()).hexdigest()[:32]


def _sha256(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise PegbarError(f"{path} cannot be read ({error.strerror}): choose another file") from error


def _make(folder: Path) -> None:
    """Makes the take's folder; inputs in it are from a copy that was cut off."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if strange := sorted(p.name for p in folder.iterdir() if p.name != "inputs"):
            raise PegbarError(f"{folder} is no take and has {strange[0]} in it: choose an empty or a new folder")
    except OSError as error:
        raise refused(folder, error) from error


def _copy(folder: JobFolder, name: str, sources: list[Source]) -> tuple[InputFile, ...]:
    """Copies an input's sources into the take."""
    files = []
    for index, (source, (suffix, data)) in enumerate(zip(sources, _contents(sources), strict=True), start=1):
        file = folder.input_file(name, index, suffix)
        write_atomic(folder.file(file), data)
        files.append(InputFile(source.frame, file))
    return tuple(files)


def _contents(sources: list[Source]) -> Iterator[tuple[str, bytes]]:
    """Each source's suffix and bytes in a take: files as they are, a movie as PNGs."""
    for path, frames in groupby(source.path for source in sources):
        if _is_movie(path):
            yield from ((".png", encode_png(image)) for _, image in zip(frames, read_movie(path), strict=True))
        else:
            data = path.read_bytes()
            yield from ((path.suffix.lower(), data) for _ in frames)


def _weights(spec: Pipeline, folders: Sequence[Path]) -> str:
    if not any(weights.required for weights in spec.weights):
        return "none needed"
    lacking = missing(spec, folders)
    return f"{sum(weights.gigabytes for weights in lacking):g} GB missing" if lacking else "there"


def _optional(text: str, optional: bool) -> str:
    return f"[{text}]" if optional else text


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _plain(text: str) -> str:
    return text.replace("%", "%%")
