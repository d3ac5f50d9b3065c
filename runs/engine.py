"""The one worker of this Blender: started when a job needs it, asked how it is, ended when it idles and with Blender."""

from pathlib import Path

import bpy

from ..engine.client import Health, Worker
from ..engine.errors import ENGINE_MISSING
from ..engine.protocol import JobFolder, PegbarError
from ..preferences import engine_python, machine, user_folder
from ..timeline import render

IDLE_S = 600.0
MISSING = "The Pegbar engine is not set up: press Install Engine, or choose a Python of your own in the preferences"

_worker: Worker | None = None
_health = Health("asleep")


def spools() -> Path:
    """Where every Blender of this user keeps what it and its worker share."""
    return user_folder() / "spools"


def health() -> Health:
    """How the worker was when it was last asked: no more than a look at memory, for panels."""
    return _health


def ask() -> Health:
    """Asks the worker how it is."""
    global _health
    _health = _worker.poll() if _worker else Health("asleep")
    return _health


def interpreter() -> Path:
    """The engine's Python. Raises PegbarError where none is set."""
    python = engine_python()
    if python is None:
        raise PegbarError(MISSING, ENGINE_MISSING)
    return python


def check() -> None:
    """Raises PegbarError where no job can be run, before anything is read for it."""
    python = interpreter()
    if not python.exists():
        raise PegbarError(f"There is no Python at {python}: choose the engine's Python in the preferences", ENGINE_MISSING)


def submit(folder: JobFolder) -> None:
    """Has a job run, new or to go on with; the worker is started where none runs or the last one fell. Raises PegbarError."""
    global _worker
    python, wanted = interpreter(), machine()
    if _worker and (_worker.python, _worker.machine) != (python, wanted) and not _worker.queue:
        stop()
    _worker = _worker or Worker(python, spools(), machine=wanted)
    if _worker.poll().name in ("silent", "gone"):
        restart()
    _worker.submit(folder)


def restart() -> None:
    """Ends the worker, even one that hangs, and starts another that goes on with the queue. Raises PegbarError."""
    if _worker:
        _worker.python, _worker.machine = interpreter(), machine()
        _worker.restart()


def queue() -> list[Path]:
    """The folders of the jobs not yet ended, the one being run first."""
    return [folder.path for folder in _worker.queue] if _worker else []


def holds(folder: JobFolder) -> bool:
    """Whether a job waits or is being run."""
    return folder.path.absolute() in queue()


def ahead(folder: JobFolder) -> int:
    """How many jobs come before this one."""
    return queue().index(folder.path.absolute()) if holds(folder) else 0


def stop() -> None:
    """Ends the worker; what it has written stays."""
    global _worker, _health
    worker, _worker, _health = _worker, None, Health("asleep")
    if worker:
        worker.stop()


def sleep_when_idle() -> None:
    """Ends the worker after some minutes without a job; it starts again by itself."""
    if not bpy.app.background:
        if bpy.app.timers.is_registered(_sleep):
            bpy.app.timers.unregister(_sleep)
        bpy.app.timers.register(_sleep, first_interval=IDLE_S, persistent=True)


def _sleep() -> None:
    if not queue():
        stop()


@bpy.app.handlers.persistent
def _on_render(*_: object) -> None:
    """The artist's render gets the machine; what the engine does goes on afterwards. Only a file is touched: this may be another thread."""
    if _worker and not render.is_own():
        _worker.pause()


@bpy.app.handlers.persistent
def _on_rendered(*_: object) -> None:
    if _worker and not render.is_own():
        _worker.resume()


@bpy.app.handlers.persistent
def _on_exit(*_: object) -> None:
    stop()


HANDLERS = {"render_init": _on_render, "render_complete": _on_rendered, "render_cancel": _on_rendered}


def register() -> None:
    for name, handler in HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)
    if hasattr(bpy.app.handlers, "exit_pre"):
        bpy.app.handlers.exit_pre.append(_on_exit)


def unregister() -> None:
    stop()
    if bpy.app.timers.is_registered(_sleep):
        bpy.app.timers.unregister(_sleep)
    for name, handler in HANDLERS.items():
        if handler in getattr(bpy.app.handlers, name):  # Blender empties its handlers before it disables add-ons on its way out
            getattr(bpy.app.handlers, name).remove(handler)
    if _on_exit in getattr(bpy.app.handlers, "exit_pre", ()):
        bpy.app.handlers.exit_pre.remove(_on_exit)
