"""What a run will take, said before it is started: its memory, asked of the engine in the background, and its time, from earlier takes.

A panel looks at what is known and never waits; an answer is kept for its settings, also for the next session.
"""

import contextlib
import json
import math
import subprocess
import tempfile
import time
from dataclasses import asdict
from typing import IO

import bpy

from ..engine.client import launch
from ..engine.estimates import Estimate
from ..engine.protocol import PegbarError, write_atomic
from ..engine.spec import Pipeline
from ..preferences import engine_python, machine, user_folder
from ..timeline.projection import render_size
from ..timeline.render import picture_size
from . import redraw, takes
from .request import Request

SETTLED_S = 0.8
"""How long settings stay as they are before the engine is asked about them."""
LOOK_S = 0.3
MOST = 200
"""Answers that are kept."""
ALIKE = 1.5
"""A take tells of a run's time where neither made so many times as many frames as the other."""

_known: dict[str, Estimate | None] | None = None
_wanted: tuple[list[str], float] | None = None
_asked: tuple[list[str], subprocess.Popen[bytes], IO[bytes]] | None = None


def words(context: bpy.types.Context, spec: Pipeline, wanted: Request) -> str:
    """The line under the button, as far as it is known: time, memory, and what is done to save some."""
    seconds, found = _seconds(spec, wanted), _estimate(context, spec, wanted)
    parts = [_about(seconds)] if seconds is not None else []
    if found is not None:
        parts.append(f"uses {found.gigabytes:.1f} of {found.of:.0f} GB" if found.of else f"uses {found.gigabytes:.1f} GB")
    return ", ".join(parts)


def caution(context: bpy.types.Context, spec: Pipeline, wanted: Request) -> str:
    """Why the run may be slow, or fail; empty where neither is expected."""
    found = _estimate(context, spec, wanted)
    if found is None:
        return ""
    if not found.fits:
        return (
            f"This needs {found.gigabytes:.1f} GB of memory and {found.free:.1f} GB is free: work at a smaller size, make the shot shorter, "
            "or close other programs"
        )
    return f"To fit into the memory it works {found.told}, slower" if found.told else ""


def _seconds(spec: Pipeline, wanted: Request) -> float | None:
    """How long the newest take with these settings took, for as many frames."""
    settings, count = _settings(spec, wanted.params), len(wanted.shot.frames)
    for take in reversed(takes.listed()):
        if take.job and take.job.pipeline == spec.name and take.state.name == "done" and take.state.seconds:
            frames = len(take.job.shot.frames)
            if _settings(spec, take.job.params) == settings and max(count, frames) <= ALIKE * min(count, frames):
                return take.state.seconds * count / frames
    return None


def _about(seconds: float) -> str:
    if seconds < 50:
        return f"about {max(5, math.ceil(seconds / 5) * 5)} s"
    return f"about {math.ceil(seconds / 60)} min"


# --- memory


def _estimate(context: bpy.types.Context, spec: Pipeline, wanted: Request) -> Estimate | None:
    """What the engine said of such a run; where it was not asked yet, it will be."""
    global _wanted
    arguments = _arguments(context.scene, spec, wanted)
    known = _all()
    if (key := json.dumps(arguments)) in known:
        return known[key]
    if _wanted is None or _wanted[0] != arguments:
        _wanted = arguments, time.monotonic()
    if not bpy.app.background and not bpy.app.timers.is_registered(look):
        bpy.app.timers.register(look, first_interval=LOOK_S, persistent=True)
    return None


def look() -> float | None:
    """Asks what a panel wanted to know once settings have settled, and takes up the answer; when to look again."""
    global _asked
    if _asked is not None and _asked[1].poll() is not None:
        arguments, process, answer = _asked
        _asked = None
        if process.stdin:
            process.stdin.close()
        _learn(arguments, answer)
        redraw.panels()
    if _asked is None and _wanted is not None and time.monotonic() - _wanted[1] >= SETTLED_S:
        _ask(_wanted[0])
    return LOOK_S if _asked is not None or _wanted is not None else None


def _ask(arguments: list[str]) -> None:
    global _asked, _wanted
    _wanted = None
    if json.dumps(arguments) in _all() or (python := engine_python()) is None:
        return
    answer = tempfile.TemporaryFile()  # noqa: SIM115 - the process writes into it for as long as it lives
    try:
        _asked = arguments, launch(python, arguments, answer), answer
    except PegbarError:
        answer.close()


def _learn(arguments: list[str], answer: IO[bytes]) -> None:
    """Notes the answer; None where there is none, so that it is asked once a session."""
    with answer:
        answer.seek(0)
        lines = [line for line in answer.read().decode(errors="replace").splitlines() if line.startswith("{")]
    found = None
    with contextlib.suppress(ValueError, TypeError):
        found = Estimate(**json.loads(lines[-1])) if lines else None
    known = _all()
    known[json.dumps(arguments)] = found
    keep = {key: asdict(value) for key, value in list(known.items())[-MOST:] if value is not None}
    with contextlib.suppress(PegbarError):
        write_atomic(user_folder() / "estimates.json", json.dumps(keep).encode())


def _all() -> dict[str, Estimate | None]:
    """What is known, read once."""
    global _known
    if _known is None:
        _known = {}
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            kept = json.loads((user_folder() / "estimates.json").read_bytes())
            _known.update({key: Estimate(**value) for key, value in kept.items()})
    return _known


def _arguments(scene: bpy.types.Scene, spec: Pipeline, wanted: Request) -> list[str]:
    """The command that asks for a run's estimate."""
    width, height = _size(scene, wanted)
    shot = wanted.shot
    return [
        "estimate", spec.name, "--size", f"{width}x{height}", "--frames", str(len(shot.frames)), "--fps", f"{shot.fps:g}", "--step", str(shot.step),
        "--params", json.dumps(_settings(spec, wanted.params), sort_keys=True), *machine().options,
    ]  # fmt: skip


def _settings(spec: Pipeline, params: object) -> dict[str, object]:
    """The settings that memory and time can depend on: none that is told in words, but for the choice of what is learned."""
    given = dict(params)  # type: ignore[call-overload]
    told = {param.name for param in spec.params if isinstance(param.default, str) and not param.choices and not param.listing}
    return {name: value for name, value in given.items() if name not in told}


def _size(scene: bpy.types.Scene, wanted: Request) -> tuple[int, int]:
    """The pixels of the main input: a strip's own, else the scene's."""
    source = next((sources[0] for sources in wanted.sources.values() if sources), None)
    editor = scene.sequence_editor
    strip = editor.strips_all.get(source.name) if source is not None and source.type == "STRIP" and editor else None
    return (picture_size(strip) if strip else None) or render_size(scene)


def unregister() -> None:
    global _asked, _wanted, _known
    if bpy.app.timers.is_registered(look):
        bpy.app.timers.unregister(look)
    if _asked is not None and _asked[1].poll() is None:
        _asked[1].kill()
        _asked[1].wait()
    _asked = _wanted = _known = None
