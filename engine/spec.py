"""What a pipeline is, as data: Param, Input, Output, Weights, Pipeline; and the contract of its code: Report.

Standard library only. Settings, panel, validation and command line are made from these.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from .protocol import InputFile, PegbarError

Kind = Literal["sketch", "lineart", "reference", "image", "clip", "strokes", "fills", "notes"]
"""strokes: one `.npz` of `engine.strokes` a frame; fills: the same, to lie under the lines they were made from. sketch, lineart, reference,
image, clip: an image file a frame, or a `.npz` of strokes that the engine rasterises. notes: one JSON file a frame."""

_IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
_PAINTED = (*_IMAGES, ".npz")
SUFFIXES: dict[Kind, tuple[str, ...]] = {
    "sketch": _PAINTED,
    "strokes": (".npz",),
    "fills": (".npz",),
    "lineart": _PAINTED,
    "reference": _PAINTED,
    "image": _PAINTED,
    "clip": _PAINTED,
    "notes": (".json",),
}
"""What the files of each kind end in, in lower case."""

Value = bool | int | float | str

Commercial = Literal["yes", "no", "unclear"]


class Listed(Protocol):
    """One of any number that a folder of weights holds."""

    @property
    def name(self) -> str: ...

    @property
    def picture(self) -> Path | None: ...

    @property
    def weights(self) -> Path: ...

    @property
    def is_taught(self) -> bool: ...


@dataclass(frozen=True)
class Listing:
    """What there is to choose from on this computer: `of` lists what lies where the weights of that name are."""

    weights: str
    of: Callable[[Path], Sequence[Listed]]


@dataclass(frozen=True)
class Param:
    """One setting; its type is its default's type. `label` in title case, `help` a sentence without a full stop."""

    name: str
    default: Value
    label: str
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[tuple[str, str, str], ...] = ()
    """For text: (value, label, help) of each choice."""
    listing: Listing | None = None
    """For text: the names that it can be, beside none."""
    advanced: bool = False
    """Shown in the closed sub-panel."""
    is_folder: bool = False
    """For text: the path of a folder that is read where it lies."""


@dataclass(frozen=True)
class Input:
    """What goes in, by kind. `several`: any number of frames; else one, which stands for the shot's first frame."""

    name: str
    kind: Kind
    label: str
    help: str
    several: bool = False
    required: bool = True
    at_end: bool = False
    """Of one frame: it stands for the shot's last frame."""

    @property
    def is_drawing(self) -> bool:
        """Whether it is what an artist draws, key by key."""
        return self.kind in ("sketch", "strokes")

    @property
    def is_picture(self) -> bool:
        """Whether it is one image, from wherever there is one."""
        return self.kind == "image" and not self.several


@dataclass(frozen=True)
class Output:
    """What comes out, by kind. `option`: the name of the boolean Param that asks for it; always made where empty."""

    name: str
    kind: Kind
    label: str
    option: str = ""


@dataclass(frozen=True)
class Weights:
    """One checkpoint that a pipeline loads as its authors published it: a file, or a folder in diffusers' layout."""

    name: str
    """What `load` finds it under."""
    names: tuple[str, ...]
    """The names that it may lie under in a weights folder, the best first."""
    source: str
    """Where it is published: host and path."""
    licence: str
    gigabytes: float
    required: bool = True
    is_made: bool = False
    """The pipeline makes what lies there: `load` gets its place in the first weights folder, whether there is something or not."""
    joined: bool = False
    """A collection: what lies in all weights folders is used, not in the first alone. `load` gets the others as `<name> 2`, `<name> 3`."""
    purpose: str = ""
    """What it is for, as a sentence without a full stop."""
    commercial: Commercial = "unclear"
    """Whether works made with it may be sold."""
    reason: str = ""
    """Why, in one sentence."""
    terms: str = ""
    """What its user has to know and agree to before it is fetched, in plain words; nothing where empty."""
    repository: str = ""
    """`owner/name` on Hugging Face, where it can be fetched from there."""
    files: tuple[str, ...] = ()
    """What is fetched: files, or folders of the repository with their settings and the best one of several forms of their tensors; "" is
    the top. They are looked for in the uppermost folder that has them all."""
    revision: str = ""
    """The full hash of a commit of the repository. Not known where empty: then the newest one is taken at the first download and recorded."""
    gated: bool = False
    """Its page asks to sign in and agree before anything is given."""
    by_hand: tuple[str, ...] = ()
    """The steps to get it where no program can, or the original of what is fetched."""

    @property
    def fetched_as(self) -> str:
        """The name that it gets when it is fetched."""
        return self.files[0] if self.files and self.files[0] in self.names else self.names[0]

    @property
    def page(self) -> str:
        """The web page where it is published and its licence can be read."""
        return f"https://{self.source.split(',')[0]}"


@dataclass(frozen=True)
class Pipeline:
    """A method, runnable: what the catalog lists. Its code is `pipelines/<name>/pipeline.py` with `load` and `generate`."""

    name: str
    label: str
    verb: str
    """The button's words, in title case: `Colorize Strip`."""
    help: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    params: tuple[Param, ...]
    weights: tuple[Weights, ...] = ()
    space: Literal["VIEW_3D", "SEQUENCE_EDITOR", ""] = ""
    """The editor whose sidebar shows it; none where empty."""
    length: int = 24
    """Frames of a shot whose length nothing else says."""
    is_seeded: bool = True
    """Whether the seed changes the result."""
    whole_prompt: Callable[[Mapping[str, Any]], str] | None = None
    """What the model is told with these params, where that is more than the prompt."""
    memory: str = ""
    """How much graphics memory it takes, in a few words."""
    shares: str = ""
    """The pipeline whose weights it works with; its own where empty."""

    @property
    def forms(self) -> tuple[str, ...]:
        """The params by which an artist has pictures or fills back, where there are both: only a drawing has that choice."""
        fills = tuple(output.option for output in self.outputs if output.kind == "fills")
        return (self.outputs[0].option, *fills) if fills else ()

    @property
    def weights_folder(self) -> str:
        """The name of the folder in a weights folder in which its weights lie."""
        return self.shares or self.name


class Report(Protocol):
    """What `generate(model, job, inputs, report)` tells and keeps while it works."""

    state: Path
    """A folder for what a later run needs to go on; the pipeline owns its files and writes them by `protocol.write_atomic`."""
    memory_gb: float
    """What the run may take of its device's memory, in GB of 2^30 bytes; 0 for all that is free."""

    def progress(self, phase: str, step: int, of: int) -> None:
        """Says where the run stands. Raises Cancelled where the other side asked to stop: call it between steps."""

    def write(self, output: str, frame: int, content: object) -> None:
        """Writes one frame of an output whole, then names it in an event: an image array, Strokes, or (notes) JSON data. Several
        threads may do so at once."""

    def keep(self, output: str, frame: int, path: Path) -> None:
        """Takes over one frame of an output from another take's file, which costs nothing, then names it in an event."""

    def written(self, output: str) -> frozenset[int]:
        """The frame numbers of an output that an earlier run of this job has already written whole."""

    def preview(self, image: object) -> None:
        """Shows a picture of what is being made, in place of the one before: an image array, best below 256 pixels a side."""

    def warn(self, text: str) -> None:
        """Tells the artist something about the result, in one sentence."""

    def planned(self, gigabytes: float, of: float, told: str) -> None:
        """Says what memory the run takes, of how much there is (0 where that is not known), and what it does to save some."""


def asked(pipeline: Pipeline, params: Mapping[str, Any]) -> tuple[Output, ...]:
    """The outputs that these params ask for; one that an older take does not know has its default."""
    params = {param.name: param.default for param in pipeline.params} | dict(params)
    return tuple(output for output in pipeline.outputs if not output.option or params[output.option])


def complete(pipeline: Pipeline, params: Mapping[str, Any]) -> dict[str, Value]:
    """Every param of the pipeline with its value, defaults filled in. Raises PegbarError where a value is not one it can take."""
    known = {param.name for param in pipeline.params}
    if unknown := sorted(set(params) - known):
        raise PegbarError(f"{pipeline.label} has no setting {', '.join(map(repr, unknown))}: it has {', '.join(sorted(known))}")
    return {param.name: _checked(param, params.get(param.name, param.default)) for param in pipeline.params}


def check(pipeline: Pipeline, params: Mapping[str, Any], inputs: Mapping[str, tuple[InputFile, ...]]) -> dict[str, Value]:
    """The completed params, once everything that can be said without opening a file is right. Raises PegbarError."""
    for wanted in pipeline.inputs:
        files = inputs.get(wanted.name, ())
        if wanted.required and not files:
            raise PegbarError(f"{pipeline.label} has no {wanted.label.lower()}: {wanted.help[0].lower()}{wanted.help[1:]}")
        if not wanted.several and len(files) > 1:
            raise PegbarError(f"{pipeline.label} takes one {wanted.label.lower()}, {len(files)} were given: choose one")
        _check_files(wanted, files)
    if unknown := sorted(set(inputs) - {wanted.name for wanted in pipeline.inputs}):
        raise PegbarError(
            f"{pipeline.label} has no input {', '.join(map(repr, unknown))}: it has {', '.join(i.name for i in pipeline.inputs)}"
        )
    return complete(pipeline, params)


def _check_files(wanted: Input, files: tuple[InputFile, ...]) -> None:
    seen: set[int] = set()
    for file in files:
        if file.frame in seen:
            raise PegbarError(f"{wanted.label} is given twice for frame {file.frame}: leave one of them out")
        seen.add(file.frame)
        allowed = SUFFIXES[wanted.kind]
        if not file.file.lower().endswith(allowed):
            raise PegbarError(f"{wanted.label} of frame {file.frame} is {file.file}: it takes {', '.join(allowed)}")


def _checked(param: Param, value: Any) -> Value:
    kind = type(param.default)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise PegbarError(f"{param.label} is {value!r}: it takes {_NOUN[kind]}")
    if param.choices and value not in [choice for choice, _, _ in param.choices]:
        raise PegbarError(f"{param.label} is {value!r}: choose one of {', '.join(choice for choice, _, _ in param.choices)}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = param.minimum, param.maximum
        if low is not None and not value >= low:
            raise PegbarError(f"{param.label} is {value}: it must be at least {low:g}")
        if high is not None and not value <= high:
            raise PegbarError(f"{param.label} is {value}: it must be at most {high:g}")
    checked: Value = value
    return checked


_NOUN: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
