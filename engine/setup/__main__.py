"""`python -m engine.setup`: sets the engine up, makes offline bundles, says what there is, removes it. For Blender and for studios."""

import argparse
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from ..protocol import PegbarError
from . import bundling, environment, machine, places, survey
from .bundle import opened
from .state import Home, State

DONE, FAILED, BAD_USAGE, STOPPED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and gives its exit code: 0 done, 1 failed, 2 bad usage, 130 paused or cancelled."""
    options = _parser().parse_args(arguments)
    if options.command != "bundle":
        home = Home(options.folder.absolute())
    try:
        if options.command == "bundle":
            bundling.make(options, lambda text: print(text, flush=True))
        elif options.command == "look":
            survey.look(home)
        elif options.command == "remove":
            environment.remove(home)
        else:
            return _set_up(home, options)
        return DONE
    except PegbarError as error:
        print(error, file=sys.stderr)
        return BAD_USAGE


def _set_up(home: Home, options: argparse.Namespace) -> int:
    platform = machine.this_platform()
    bundle = opened(options.bundle.absolute()) if options.bundle else None
    backend = "core" if options.command == "core" else bundle.backend if bundle and options.backend == "auto" else options.backend
    if backend == "auto":
        backend = machine.choose(machine.accelerators(), platform)
    elif backend not in ("core", "cpu"):
        machine.check(backend, machine.accelerators())
    if options.owned:
        _watch_owner(home)
    kind = "core" if backend == "core" else "diffusion"
    wanted = environment.Wanted(kind, platform, backend, options.repair, options.python_mirror)
    where = places.configured(os.environ, options.index, bundle, not options.offline)
    state = environment.set_up(home, wanted, where, _Lines().say)
    if state.error:
        print(state.error, file=sys.stderr)
    return {"done": DONE, "failed": FAILED}.get(state.name, STOPPED)


def _watch_owner(home: Home) -> None:
    """Pauses when stdin ends, which is when whoever started this ends: nothing goes on behind a Blender that was closed."""

    def wait() -> None:
        while os.read(0, 4096):  # not by sys.stdin, whose lock a thread that waits would hold at the end
            pass
        try:
            home.request_stop("pause")
        except PegbarError:
            os._exit(STOPPED)

    threading.Thread(target=wait, daemon=True).start()


class _Lines:
    """Progress as lines, a new one where the words change."""

    def __init__(self) -> None:
        self._said = ""

    def say(self, state: State) -> None:
        if state.text != self._said:
            self._said = state.text
            print(f"{state.step}/{state.steps} {state.words}" if state.name == "running" else state.words, flush=True)


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m engine.setup", description="Sets Pegbar's engine up in a folder of its own.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in (("core", "the engine for flat and liven"), ("diffusion", "the engine with PyTorch, for the published methods")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--folder", type=Path, required=True, help="where the engine is to lie")
        command.add_argument("--backend", default="auto", choices=("auto", "cpu", "cuda", "rocm", "mps"), help="default: what fits here")
        command.add_argument("--index", default="", metavar="URL", help="a mirror of the package index")
        command.add_argument("--python-mirror", default="", metavar="URL", help="a mirror for the Python that uv fetches")
        command.add_argument("--bundle", type=Path, metavar="FOLDER", help="install from an offline bundle")
        command.add_argument("--offline", action="store_true", help="use no network")
        command.add_argument("--repair", action="store_true", help="take nothing over from the engine that is there")
        command.add_argument("--owned", action="store_true", help="pause when stdin ends")
    for name, text in (("look", "say in machine.json what this machine has"), ("remove", "remove the engine")):
        commands.add_parser(name, help=text).add_argument("--folder", type=Path, required=True)
    bundling.add_options(commands.add_parser("bundle", help="make a folder that installs without a network"))
    return top


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # at once: a download that hangs on a dead connection would be waited for
