"""The set-up of the engine, seen from Blender: its process, how it stands, what this machine has. Panels read what was last looked at."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import bpy

from ..engine import __version__
from ..engine.client import ROOT
from ..engine.errors import ENGINE_MISSING, IN_USE, OFFLINE
from ..engine.protocol import PegbarError, lock, refused
from ..engine.setup.bundle import opened
from ..engine.setup.state import Home, State, amount
from ..engine.spec import Pipeline
from ..preferences import engine_folder, forget_engine, own_engine, preferences
from . import engine, redraw

POLL_S, IDLE_S = 0.25, 3.0
"""Between two looks at the set-up's file: while it works, and else, where another Blender may begin one."""
STOP_TIMEOUT_S = 5.0
OFFLINE_TEXT = "Blender is set to work offline: allow online access, or install from a folder"


@dataclass(frozen=True)
class Machine:
    """What `look` found; all empty before."""

    fault: str = ""
    backend: str = ""
    accelerators: tuple[tuple[str, str, str], ...] = ()
    """(backend, words, why it can't be used) of each, the best first."""
    sizes: Mapping[str, Mapping[str, int]] = None  # type: ignore[assignment]
    locks: Mapping[str, list[str]] = None  # type: ignore[assignment]

    @property
    def text(self) -> str:
        return self.accelerators[0][1] if self.accelerators else ""


_process: subprocess.Popen[bytes] | None = None
_looking: subprocess.Popen[bytes] | None = None
_removing: subprocess.Popen[bytes] | None = None
_looks_at = Path()
_state = State()
_machine = Machine()
_seen: tuple[float, ...] = ()
_used: BinaryIO | None = None
_held = ""
"""The environment in use, which `_used` keeps from being removed."""


def home() -> Home:
    """The folder that the engine is set up in."""
    return Home(engine_folder())


def state() -> State:
    """How the set-up stood when it was last looked at: no more than a look at memory, for panels."""
    return _state


def machine() -> Machine:
    """What this machine has, as it was last looked at."""
    return _machine


def backend() -> str:
    """The accelerator that the diffusion engine is set up for: the one chosen, else the best that was found."""
    chosen = preferences().backend.lower()
    return _machine.backend if chosen == "auto" else chosen


def size(kind: str) -> Mapping[str, int]:
    """`download` and `disk` of a set-up in bytes; empty before the machine was looked at, or where there is no such engine."""
    return (_machine.sizes or {}).get("core" if kind == "core" else backend(), {})


def says_size(kind: str) -> str:
    """A set-up's download as people say it; nothing where it is not known yet."""
    return amount(size(kind)["download"]) if size(kind) else ""


def lacks_diffusion(spec: Pipeline) -> bool:
    """Whether a pipeline needs PyTorch and the engine in use is ours without it. One that was chosen by hand says so itself."""
    return bool(spec.weights) and uses_own() and own_engine().get("kind") == "core"


def uses_own() -> bool:
    """Whether the engine in use is one that was set up here."""
    return bool(own_engine()) and not preferences().engine_python


def is_outdated() -> bool:
    """Whether this add-on's locks name other packages than the engine in use has."""
    own = own_engine()
    there = (_machine.locks or {}).get(str(own.get("backend")), [])
    return bool(own) and bool(there) and own.get("lock") not in there


def check(spec: Pipeline) -> None:
    """Raises PegbarError where the engine in use cannot run a pipeline."""
    if lacks_diffusion(spec):
        raise PegbarError(
            f"{spec.label} needs the diffusion engine ({says_size('diffusion') or 'with PyTorch'}): press Install Diffusion Engine",
            id=ENGINE_MISSING,
        )


def start(kind: str, bundle: str = "", repair: bool = False) -> None:
    """Sets the engine up, or goes on with it, in a process of its own. Raises PegbarError."""
    global _process
    if _process is not None and _process.poll() is None:
        return
    if _removing is not None and _removing.poll() is None:
        raise PegbarError("The old engine is being removed: try again in a moment", id=IN_USE)
    if not bundle and not bpy.app.online_access:
        raise PegbarError(OFFLINE_TEXT, id=OFFLINE)
    own = preferences()
    options = [kind, *_wanted_backend(kind, bundle), "--owned"]
    options += ["--bundle", bundle] if bundle else []
    options += ["--offline"] if not bpy.app.online_access else []
    options += ["--repair"] if repair else []
    options += ["--index", own.index_mirror] if own.index_mirror else []
    options += ["--python-mirror", own.python_mirror] if own.python_mirror else []
    home().make()
    home().withdraw_stop()
    forget()  # what it says is of the last try
    _process = _started(options)
    refresh()
    _watch()


def bundle_at(file: str, folder: str) -> Path:
    """The bundle that was chosen: a zip, else the folder that the file browser shows. Raises PegbarError where it is none."""
    path = Path(file) if file and Path(file).suffix == ".zip" else Path(folder or file)
    opened(path)
    return path


def go_on() -> None:
    """Goes on with a set-up that was paused or failed. Raises PegbarError."""
    start(_state.kind or "core", _state.bundle)


def stop(cancels: bool = False) -> None:
    """Has the set-up end; what has come is kept. One that is paused already is given up by `cancels`. Raises PegbarError."""
    if _state.name == "running":
        home().request_stop("cancel" if cancels else "pause")
    elif cancels:
        forget()


def forget() -> None:
    """Gives up a set-up that was paused or failed; what has come is kept."""
    with contextlib.suppress(OSError):
        home().state_file.unlink(missing_ok=True)
    refresh()


def remove() -> None:
    """Removes the engine that was set up here; the files go in a process of their own. Raises PegbarError."""
    global _removing
    if home().is_busy:
        raise PegbarError("The engine is being set up at this moment: cancel that first", id=IN_USE)
    engine.stop()
    _release()
    try:
        home().current_file.unlink(missing_ok=True)
    except OSError as error:
        raise refused(home().current_file, error) from error
    _removing = _started(["remove"])
    if bpy.app.background:
        _removing.wait()
    refresh()
    _watch()


def look() -> None:
    """Has a process look what this machine has; it asks the drivers, which takes a while."""
    global _looking, _looks_at
    if _looking is None or _looking.poll() is not None or _looks_at != engine_folder():
        home().make()
        _looking, _looks_at = _started(["look"]), engine_folder()
    _watch()


def wait() -> State:
    """Waits until the set-up has ended, for `blender -b`."""
    while _process is not None and _process.poll() is None:
        time.sleep(POLL_S)
    refresh()
    _take_up()
    return _state


def report() -> str:
    """What happened, for a message to the makers: the state and the end of the log."""
    try:
        log = home().log_file.read_text(encoding="utf8", errors="replace")[-6000:]
    except OSError:
        log = ""
    about = f"Pegbar {__version__}, Blender {bpy.app.version_string}, Python {sys.version.split()[0]}, {sys.platform}"
    found = "; ".join(" ".join(filter(None, one[1:])) for one in _machine.accelerators)
    told = f"{_state.name} {_state.kind} {_state.backend}, step {_state.step} of {_state.steps}: {_state.text}\n{_state.id} {_state.error}"
    return "\n".join([about, found, told, log]).replace(str(Path.home()), "~")


def _wanted_backend(kind: str, bundle: str) -> list[str]:
    chosen = preferences().backend.lower()
    return [] if kind == "core" or bundle or chosen == "auto" else ["--backend", chosen]


def _started(options: list[str]) -> subprocess.Popen[bytes]:
    """The set-up's process, under Blender's own Python; it ends when this one does, since its stdin ends then."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "__PYVENV"))}
    if proxy := preferences().proxy:
        environment |= {name: proxy for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")}
    flags = subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0
    command = [sys.executable, "-E", "-s", "-B", "-X", "utf8", "-m", "engine.setup", *options, "--folder", str(engine_folder())]
    try:
        with open(home().path / "process.log", "wb") if home().path.is_dir() else contextlib.nullcontext(subprocess.DEVNULL) as log:
            return subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, creationflags=flags
            )
    except OSError as error:
        raise refused(Path(sys.executable), error) from error


def _last_words() -> str:
    try:
        return (home().path / "process.log").read_text(encoding="utf8", errors="replace").strip().splitlines()[-1]
    except (OSError, IndexError):
        return ""


def refresh() -> None:
    """Reads the set-up's files where they have changed, and has the panels drawn anew."""
    global _state, _machine, _seen
    place = home()
    ended = _process is not None and _process.poll() is not None
    seen = (*(_changed(path) for path in (place.state_file, place.current_file, place.machine_file)), float(ended), hash(str(place.path)))
    if seen == _seen and _state.name != "running":
        return
    was, _seen = _state, seen
    _state = place.state()
    if _process is not None and not ended and _state.name == "none":
        _state = State("running", steps=1, step=1, text="Starting")
    if ended and _state.name == "none" and was.name == "running":
        _state = State("failed", error=f"The set-up did not start: {_last_words()}. Press Try Again, or Copy Report", id=ENGINE_MISSING)
    _machine = _found(place.machine())
    forget_engine()
    redraw.panels()
    redraw.preferences()


def _take_up() -> None:
    """Leaves the old engine for the new one as soon as its jobs are done, and has the old one removed."""
    folder = str(own_engine().get("folder", ""))
    if folder != _held and not engine.queue():
        if _held:
            engine.stop()
        _hold(folder)
        look()


def _hold(folder: str) -> None:
    """Says to other Blenders' set-ups that this one uses the environment: it is not to be removed under it."""
    global _used, _held
    _release()
    if folder:
        with contextlib.suppress(PegbarError):
            _used = lock(home().path / folder / f"used-{os.getpid()}")
    _held = folder


def _release() -> None:
    global _used, _held
    if _used is not None:
        _used.close()
    _used, _held = None, ""


def _found(data: Mapping[str, Any]) -> Machine:
    try:
        return Machine(
            str(data.get("fault", "")),
            str(data.get("backend", "")),
            tuple((str(a), str(b), str(c)) for a, b, c in data.get("accelerators", [])),
            dict(data.get("sizes", {})),
            dict(data.get("locks", {})) if data.get("engine") == __version__ else {},
        )
    except (TypeError, ValueError):
        return Machine()


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _tick() -> float:
    global _removing
    refresh()
    _take_up()
    if _removing is not None and _removing.poll() is not None:
        _removing = None
        look()  # at a computer without an engine again
    works = _state.name == "running" or any(one is not None and one.poll() is None for one in (_looking, _removing))
    return POLL_S if works else IDLE_S


def _watch() -> None:
    """Looks soon, and from then on as often as it needs to be."""
    if not bpy.app.background:
        if bpy.app.timers.is_registered(_tick):
            bpy.app.timers.unregister(_tick)
        bpy.app.timers.register(_tick, first_interval=POLL_S, persistent=True)


def _begin() -> None:
    """Once a window is there: how it stands, and what the machine has where that may still be asked for."""
    refresh()
    with contextlib.suppress(PegbarError):
        if own_engine().get("kind") != "diffusion" or not _machine.locks:
            look()
    _watch()


def leave() -> None:
    """Ends the set-up's process; it pauses, and the next start of Blender offers to go on."""
    global _process
    process, _process = _process, None
    for one in (process, _looking):
        if one is not None and one.poll() is None and one.stdin:
            one.stdin.close()
    if process is not None:
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@bpy.app.handlers.persistent
def _on_exit(*_: object) -> None:
    leave()


def register() -> None:
    if not bpy.app.background:
        bpy.app.timers.register(_begin, first_interval=0.5, persistent=True)
    if hasattr(bpy.app.handlers, "exit_pre"):
        bpy.app.handlers.exit_pre.append(_on_exit)


def unregister() -> None:
    leave()
    _release()
    for timer in (_begin, _tick):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    if _on_exit in getattr(bpy.app.handlers, "exit_pre", ()):
        bpy.app.handlers.exit_pre.remove(_on_exit)
