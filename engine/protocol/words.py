"""The words between Blender and the engine: a job, its shot and inputs, the events of its run, the state that they add up to."""

import json
import math
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from .faults import PegbarError

PROTOCOL_VERSION = 1

ESCAPED = "backslashreplace"
"""How JSON is encoded: half a character, as a damaged name may hold one, stays one as `\\ud800`."""
MOST_FRAMES = 1 << 20
"""Of a shot: as many as Blender's timeline has."""


@dataclass(frozen=True)
class Shot:
    """The stretch of the timeline that a job is about; `first` and `last` are Blender's frame numbers, both included."""

    scene: str
    first: int
    last: int
    fps: float
    step: int = 1

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise PegbarError(f"The shot ends at frame {self.last}, before its first frame {self.first}: choose a later end")
        if self.step < 1:
            raise PegbarError(f"The shot has a step of {self.step}: choose 1 for ones, 2 for twos")
        if self.last - self.first >= MOST_FRAMES:
            raise PegbarError(f"The shot goes from frame {self.first} to {self.last}: choose at most {MOST_FRAMES} frames")
        if not math.isfinite(self.fps):
            raise PegbarError(f"The shot plays at {self.fps} frames a second: choose a rate like 24")

    @property
    def frames(self) -> tuple[int, ...]:
        """The frame numbers that are worked on: every one on ones, every second on twos."""
        return tuple(range(self.first, self.last + 1, self.step))


@dataclass(frozen=True)
class InputFile:
    """One input at one frame number; `file` is relative to the job folder, with forward slashes."""

    frame: int
    file: str


@dataclass(frozen=True)
class Job:
    """One request, written once and never edited: the recipe of a take."""

    pipeline: str
    params: Mapping[str, Any]
    inputs: Mapping[str, tuple[InputFile, ...]]
    shot: Shot
    seed: int = 0
    protocol: int = PROTOCOL_VERSION
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    origin: Mapping[str, Any] = field(default_factory=dict)
    """Where the other side took the inputs from and where the result goes: its own plain data, which the engine passes over."""
    private: bool = False
    """Its pictures do not hold what the user has written himself."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands: `step` of `of` in a phase; `of` is 0 where the length is not known."""

    phase: str
    step: int
    of: int


@dataclass(frozen=True)
class FrameWritten:
    """One frame of one output is whole on disk; `file` is relative to the job folder."""

    output: str
    frame: int
    file: str


@dataclass(frozen=True)
class Warned:
    """Something the artist should know about the result."""

    text: str


@dataclass(frozen=True)
class Planned:
    """What memory the run takes, in GB of 2^30 bytes, `of` how much, 0 where that is not known; `told` is what it does to save some."""

    gigabytes: float
    of: float
    told: str


@dataclass(frozen=True)
class Failed:
    """The run ended without its result; `traceback` is empty where the user can act on `text`; `id` is its entry in `errors`."""

    text: str
    traceback: str = ""
    id: str = ""


@dataclass(frozen=True)
class Done:
    """The run ended: with all its frames, or stopped on request with those written so far."""

    seconds: float
    cancelled: bool = False


Event = Progress | FrameWritten | Warned | Planned | Failed | Done
_EVENTS: dict[str, type[Event]] = {
    "progress": Progress,
    "frame": FrameWritten,
    "warning": Warned,
    "memory": Planned,
    "error": Failed,
    "done": Done,
}
_NAMES = {kind: name for name, kind in _EVENTS.items()}


@dataclass(frozen=True)
class State:
    """A job as its events tell it."""

    name: Literal["queued", "running", "done", "stopped", "failed"] = "queued"
    progress: Progress | None = None
    frames: tuple[FrameWritten, ...] = ()
    warnings: tuple[str, ...] = ()
    memory: Planned | None = None
    error: Failed | None = None
    seconds: float = 0.0


def state_of(events: Iterable[Event]) -> State:
    """The state that a job's events add up to; anything after an end means that it was taken up again."""
    state = State()
    frames: dict[tuple[str, int], FrameWritten] = {}
    warnings: dict[str, None] = {}
    for event in events:
        state = replace(state, name="running", error=None)
        match event:
            case Progress():
                state = replace(state, progress=event)
            case FrameWritten():
                frames[event.output, event.frame] = event
            case Warned():
                warnings[event.text] = None
            case Planned():
                state = replace(state, memory=event)
            case Failed():
                state = replace(state, name="failed", error=event)
            case Done():
                state = replace(state, name="stopped" if event.cancelled else "done", seconds=event.seconds)
    return replace(state, frames=tuple(frames.values()), warnings=tuple(warnings))


def line_of(event: Event) -> bytes:
    """An event as a line."""
    return (json.dumps({"event": _NAMES[type(event)], **asdict(event)}, ensure_ascii=False) + "\n").encode(errors=ESCAPED)


def event_of(line: bytes) -> Event | None:
    """The event that a line tells; None where it tells none."""
    try:
        data = json.loads(line)
        event = _EVENTS[data.pop("event")](**data)
        whole = all(isinstance(getattr(event, f.name), (int, float) if f.type is float else f.type) for f in fields(event))  # type: ignore[arg-type]
        return event if whole else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
