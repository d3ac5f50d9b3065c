"""The engine by itself: `python -m engine` lists pipelines, runs jobs, serves a Blender, and has a sub-command a pipeline."""

import importlib.util
import sys

# Before the imports below, which an older Python cannot even read; the client shows the last line to the artist.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        f"Pegbar needs Python 3.11 or newer, {sys.executable} is {sys.version.split()[0]}: choose the engine's Python in the preferences"
    )
if MISSING := [m for m in ("numpy", "scipy", "skimage", "skia", "PIL", "av", "safetensors") if importlib.util.find_spec(m) is None]:
    sys.exit(
        f"{sys.executable} lacks the engine's packages ({', '.join(MISSING)}): install them, or choose the engine's Python in the preferences"
    )

import argparse
import contextlib
import signal
import time
from collections.abc import Iterator, Sequence

from . import __version__
from .catalog import PIPELINES
from .commandline import lesson, machine_of, parser, table, take, work_of
from .estimates import estimate
from .licences import as_json, as_text, of_folder
from .models import commands as models_commands
from .pipelines.vidsketch import TRAINING
from .protocol import Cancelled, Done, Event, Failed, FrameWritten, JobFolder, PegbarError, Progress, Warned
from .setup import bundling
from .weights import Machine, locate
from .worker import Models, code_of, run_job, serve

DONE, FAILED, BAD_USAGE, CANCELLED = 0, 1, 2, 130
LINE_S = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and gives its exit code: 0 done, 1 failed, 2 bad usage, 130 cancelled."""
    options = parser(__version__).parse_args(arguments)
    try:
        if options.command == "list":
            print(table(options))
            return DONE
        if options.command == "serve":
            serve(options.folder, machine_of(options))
        if options.command in ("models", "fetch", "import"):
            models_commands.run(options, say)
            return DONE
        if options.command == "bundle":
            bundling.make(options, say)
            return DONE
        if options.command == "report":
            print((as_json if options.json else as_text)(of_folder(options.folder), f"in {options.folder}"))
            return DONE
        if options.command == "estimate":
            print(estimate(PIPELINES[options.pipeline], work_of(options), machine_of(options)).line())
            return DONE
        if options.command == "run":
            return run([JobFolder(path.absolute()) for path in options.jobs], machine_of(options))
        if options.command == "train":
            return teach(options)
        return run([take(PIPELINES[options.command], options, say)], machine_of(options))
    except PegbarError as error:
        say(str(error))
        return BAD_USAGE
    except KeyboardInterrupt:
        return CANCELLED


def run(folders: list[JobFolder], machine: Machine) -> int:
    """Runs takes one after the other; Ctrl-C keeps what is written and ends them all."""
    models: Models = {}
    ends = []
    for folder in folders:
        ends.append(_run_one(folder, models, machine))
        if isinstance(ends[-1], Done) and ends[-1].cancelled:
            say(f"Stopped. {len(folder.state().frames)} files are ready in {folder.outputs}; the same command goes on after them")
            return CANCELLED
    return FAILED if any(isinstance(end, Failed) for end in ends) else DONE


def teach(options: argparse.Namespace) -> int:
    """Teaches a motion; Ctrl-C keeps what is learned."""
    params, machine, folder = lesson(options), machine_of(options), JobFolder(options.out.absolute())
    weights = locate(TRAINING, machine.weights)
    training = code_of(TRAINING, "training")
    folder.withdraw_cancel()
    try:
        with _interrupt_cancels(folder):
            given = training.Lesson(options.clips.absolute(), options.held_out and options.held_out.absolute(), folder.path, params)
            training.train(given, weights["sd15"], machine.device, Line().tell)
    except Cancelled:
        say(f"Stopped. What is learned so far is in {folder.path}; the same command goes on")
        return CANCELLED
    print(folder.path, flush=True)
    return DONE


def say(text: str) -> None:
    """Tells the user something; stdout is for results alone."""
    print(text, file=sys.stderr, flush=True)


class Line:
    """The line of progress: rewritten in place in a terminal, else a new one now and then."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._width = 0
        self._phases: set[str] = set()
        self._shown_at = 0.0

    def tell(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._show(event.phase, f"{event.phase} {event.step}/{event.of}" if event.of else event.phase)
        elif not isinstance(event, FrameWritten):
            self._end()
        if isinstance(event, Warned):
            say(event.text)

    def _show(self, phase: str, text: str) -> None:
        if self._terminal:
            print(f"\r{text.ljust(self._width)}", end="", file=sys.stderr, flush=True)
            self._width = len(text)
        elif phase not in self._phases or time.monotonic() - self._shown_at > LINE_S:
            self._phases.add(phase)
            self._shown_at = time.monotonic()
            say(text)

    def _end(self) -> None:
        """Leaves the line as it stands."""
        if self._width:
            say("")
        self._width = 0


def _run_one(folder: JobFolder, models: Models, machine: Machine) -> Done | Failed:
    try:
        folder.withdraw_cancel()
        with _interrupt_cancels(folder):
            end = run_job(folder, models, Line().tell, machine)
    except PegbarError as error:
        end = Failed(str(error))
    if isinstance(end, Failed):
        say(end.traceback + end.text)
    elif not end.cancelled:
        print(folder.outputs, flush=True)
    return end


@contextlib.contextmanager
def _interrupt_cancels(folder: JobFolder) -> Iterator[None]:
    """The first Ctrl-C asks the job to stop between steps, the second stops it there and then."""

    def cancel(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        folder.request_cancel()

    before = signal.signal(signal.SIGINT, cancel)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


if __name__ == "__main__":
    sys.exit(main())
