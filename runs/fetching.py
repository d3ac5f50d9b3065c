"""Downloads and imports of models on their way: each a process of the engine, whose events are read now and then. Panels read memory.

Blender never waits for one, but in the background. A process that ends, however it ends, leaves what can be gone on with.
"""

import collections
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import bpy

from ..engine.catalog import PIPELINES
from ..engine.client import launch
from ..engine.errors import DOWNLOAD_STOPPED, LICENCE, OFFLINE
from ..engine.models import cards as found_cards
from ..engine.protocol import Done, Failed, JobFolder, PegbarError, Progress, Warned, refused
from ..engine.setup.state import amount, duration
from ..engine.spec import Pipeline, Weights
from ..preferences import machine, preferences, user_folder
from . import engine, models, redraw

IMPORT = "import"
"""The name of an import among the activities; the others are called as their pipelines."""
POLL_S = 0.25
END_S = 3.0
PACE_S = 10.0
"""The time over which the speed is measured."""
SILENT_S = 5.0
"""Without a byte for so long the panel says that it waits."""
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@dataclass
class Activity:
    """One download or import, as panels show it."""

    name: str
    folder: JobFolder
    process: subprocess.Popen[bytes] | None
    log: Path
    offset: int = 0
    phase: Literal["running", "paused", "failed", "done"] = "running"
    progress: Progress | None = None
    told: list[str] = field(default_factory=list)
    """What was said of the files."""
    error: str = ""
    id: str = ""
    pace: collections.deque[tuple[float, int]] = field(default_factory=collections.deque)
    """(when, bytes) of late."""

    @property
    def share(self) -> float:
        return self.progress.step / self.progress.of if self.progress and self.progress.of else 0.0

    @property
    def bar(self) -> str:
        """`1.1 of 2.4 GB`, or what is done before there are bytes."""
        if self.progress is None or not self.progress.of:
            return self.progress.phase if self.progress else "Starting"
        return f"{amount(self.progress.step, self.progress.of)} of {amount(self.progress.of)}"

    @property
    def words(self) -> str:
        """`Downloading svd.safetensors · 14 MB/s · 1 min 30 s left`."""
        if self.progress is None:
            return ""
        if self.phase == "running" and self.pace and time.monotonic() - self.pace[-1][0] > SILENT_S:
            return f"{self.progress.phase} · waiting for an answer"
        return " · ".join([self.progress.phase, *self._speed()])

    def _speed(self) -> list[str]:
        if self.phase != "running" or len(self.pace) < 2 or self.progress is None or self.pace[-1][0] - self.pace[0][0] < 0.5:
            return []
        speed = (self.pace[-1][1] - self.pace[0][1]) / (self.pace[-1][0] - self.pace[0][0])
        return [f"{amount(int(speed))}/s", f"{duration((self.progress.of - self.progress.step) / speed)} left"] if speed > 0 else []


_activities: dict[str, Activity] = {}


def of(name: str) -> Activity | None:
    """A pipeline's download, or the import, that goes on or was the last since Blender started."""
    return _activities.get(name)


def begun(spec: Pipeline) -> bool:
    """Whether a download was paused, here or before Blender was started."""
    return any(card.state == "begun" for card in models.cards(spec))


def start(spec: Pipeline, names: Sequence[str] = (), repair: bool = False) -> Activity:
    """Downloads what a pipeline lacks, or these of its models, or goes on with it; or checks them and fetches what is damaged of them.
    Raises PegbarError."""
    if (going := of(spec.name)) and going.phase == "running":
        return going
    if not bpy.app.online_access:
        raise PegbarError("Blender is set to work offline: allow online access, or import the files", OFFLINE)
    wanted = [weights for weights in spec.weights if weights.name in names] if names else _fetchable(models.missing(spec))
    if unread := [weights for weights in wanted if not models.accepted(weights)]:
        text = f"Read the terms of {unread[0].fetched_as} and press Our Use Is Allowed, if it is"
        raise PegbarError(text, LICENCE)
    only = [word for weights in wanted for word in ("--only", weights.name)]
    return _begin(spec.name, ["fetch", spec.name, *only, "--accept-terms", *(["--repair"] if repair else [])])


def take(paths: Sequence[Path]) -> Activity:
    """Takes files that are on this computer already. Raises PegbarError."""
    return _begin(IMPORT, ["import", *(str(path) for path in paths)])


def pause(spec: Pipeline) -> None:
    """Ends a download for now; what has come is kept."""
    if (going := of(spec.name)) and going.phase == "running":
        _end(going)
        _read(going)
        if going.phase == "running":
            going.phase = "paused"
        _changed()


def cancel(spec: Pipeline) -> None:
    """Ends a download and removes what has come of models that are not whole. Raises PegbarError."""
    pause(spec)
    for card in models.cards(spec):
        found_cards.discard(spec, card.weights, machine().weights[0])
    _activities.pop(spec.name, None)
    _changed()


def forget(name: str) -> None:
    """Takes what a download or an import came to off the panels."""
    if (ended := of(name)) and ended.phase != "running":
        del _activities[name]
        redraw_all()


def wait(activity: Activity) -> None:
    """Waits for the end, for scripts and `blender -b`. Raises PegbarError where it failed."""
    while activity.phase == "running":
        _poll(activity)
        time.sleep(POLL_S / 5)
    if activity.phase == "failed":
        raise PegbarError(activity.error, activity.id)


def redraw_all() -> None:
    redraw.panels()
    redraw.preferences()


def _fetchable(wanted: Sequence[Weights]) -> list[Weights]:
    return [weights for weights in wanted if weights.repository]


def _begin(name: str, arguments: list[str]) -> Activity:
    engine.check()
    own, place = preferences(), machine()
    told = {"HF_TOKEN": own.hub_token} if own.hub_token else {}
    told |= {"HF_ENDPOINT": own.hub_mirror} if own.hub_mirror else {}
    told |= dict.fromkeys(PROXIES, own.proxy) if own.proxy else {}
    weights = [word for folder in place.weights for word in ("--weights", str(folder))]
    folder, log = found_cards.activity(place.weights[0], name), user_folder() / f"{name}.log"
    _, offset = folder.events()
    try:
        with open(log, "wb") as written:
            process = launch(engine.interpreter(), [*arguments, "--tied", *weights], written, **told)
    except OSError as error:
        raise refused(log, error) from error
    _activities[name] = activity = Activity(name, folder, process, log, offset)
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=POLL_S, persistent=True)
    redraw_all()
    return activity


def _poll(activity: Activity) -> None:
    """Reads what is new; a process that ended without a word failed."""
    ended = activity.process is None or activity.process.poll() is not None  # asked before the events: its last ones come before its end
    _read(activity)
    if ended and activity.phase == "running":
        last = next(reversed(activity.log.read_text("utf-8", "replace").strip().splitlines()), "it said nothing")
        activity.phase, activity.error, activity.id = "failed", f"The download ended unexpectedly: {last}", DOWNLOAD_STOPPED
    if activity.phase != "running":
        _end(activity)
        _changed()


def _read(activity: Activity) -> None:
    events, activity.offset = activity.folder.events(activity.offset)
    for event in events:
        match event:
            case Progress():
                if activity.progress is None or activity.progress.of != event.of:
                    activity.pace.clear()
                activity.progress = event
                activity.pace.append((time.monotonic(), event.step))
            case Warned(text):
                activity.told.append(text)
            case Failed():
                activity.phase, activity.error, activity.id = "failed", event.text, event.id
            case Done():
                activity.phase = "done"
    while activity.pace and activity.pace[-1][0] - activity.pace[0][0] > PACE_S:
        activity.pace.popleft()


def _end(activity: Activity) -> None:
    """Ends the process: it ends at once when its stdin does."""
    process, activity.process = activity.process, None
    if process is None:
        return
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _changed() -> None:
    models.look_again()
    redraw_all()


def _tick() -> float | None:
    going = [activity for activity in _activities.values() if activity.phase == "running"]
    for activity in going:
        _poll(activity)
    if going:
        redraw_all()
    return POLL_S if going else None


def specs() -> list[Pipeline]:
    """The pipelines that have models."""
    return [PIPELINES[spec.name] for spec in found_cards.methods()]


@bpy.app.handlers.persistent
def _on_exit(*_: object) -> None:
    for activity in _activities.values():
        _end(activity)


def register() -> None:
    if hasattr(bpy.app.handlers, "exit_pre"):
        bpy.app.handlers.exit_pre.append(_on_exit)


def unregister() -> None:
    _on_exit()
    _activities.clear()
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if _on_exit in getattr(bpy.app.handlers, "exit_pre", ()):
        bpy.app.handlers.exit_pre.remove(_on_exit)
