"""`models`, `fetch` and `import` of the command line, and what a Blender starts: the same commands, with their events in a folder.

Core. What they do is in `cards`, `fetching` and `importing`.
"""

import argparse
import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import IN_USE
from ..protocol import Done, Event, Failed, JobFolder, PegbarError, Progress, Warned, lock, refused
from ..setup.state import amount
from ..weights import given_folders
from .cards import activity, cards, methods

EVENT_S = 0.25
"""At most one progress event in this time."""
TOKEN, ENDPOINT = "HF_TOKEN", "HF_ENDPOINT"
"""Environment variables: what Hugging Face's own tools read. A token is never an argument, which other users of a computer can see."""

Tell = Callable[[Event], None]


def add(commands: Any) -> None:
    """Adds the sub-commands."""
    models = commands.add_parser("models", help="the published models: what each is for, its licence, and where it lies")
    fetch = commands.add_parser("fetch", help="fetch what a pipeline lacks from Hugging Face; the same command goes on where it stopped")
    fetch.add_argument("pipeline", choices=[spec.name for spec in methods()], metavar="PIPELINE")
    fetch.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="this model alone, also an optional one; may be repeated"
    )
    fetch.add_argument("--accept-terms", action="store_true", help="the terms of the models are read, and the use is allowed")
    fetch.add_argument("--repair", action="store_true", help="check every file of what was fetched, and fetch anew what is damaged")
    fetch.add_argument("--endpoint", metavar="URL", help=f"a mirror of Hugging Face (default: {ENDPOINT}, else huggingface.co)")
    fetch.add_argument("--stall", type=float, default=20.0, metavar="S", help="connect anew after so long without a byte (default: 20)")
    fetch.add_argument("--patience", type=int, default=6, metavar="N", help="attempts in a row that bring nothing (default: 6)")
    taken = commands.add_parser("import", help="take files that are on this computer already, whatever they are called")
    taken.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a file, or a folder that is looked through")
    taken.add_argument("--copy", action="store_true", help="copy them, where else they are linked")
    for command in (models, fetch, taken):
        command.add_argument(
            "--weights", type=Path, action="append", metavar="FOLDER",
            help="where models lie, the first is written to; may be repeated (default: PEGBAR_WEIGHTS)",
        )  # fmt: skip
    for command in (fetch, taken):
        command.add_argument("--tied", action="store_true", help=argparse.SUPPRESS)


def run(options: argparse.Namespace, say: Callable[[str], None]) -> None:
    """Runs one of the sub-commands. Raises PegbarError."""
    folders = [path.absolute() for path in options.weights or given_folders()]
    if options.command == "models":
        print(table(folders))
        return
    if not folders:
        raise PegbarError("Choose a weights folder: --weights FOLDER")
    if options.tied:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    with working(folders[0], options.pipeline if options.command == "fetch" else "import") as tell:
        (_fetch if options.command == "fetch" else _import)(options, folders, _both(tell, _Line(say)))


def table(folders: list[Path]) -> str:
    """The models, one a row."""
    rows = [("PIPELINE", "MODEL", "STATE", "SIZE", "COMMERCIAL", "LICENCE", "WHERE")]
    for spec in methods():
        for card in cards(spec, folders):
            weights = card.weights
            state = card.state + ("" if weights.required or card.path else ", optional")
            size = amount(card.size if card.path else int(weights.gigabytes * 1e9))
            where = str(card.path) if card.path else weights.source
            rows.append((spec.name, weights.name, state, size, weights.commercial, weights.licence, where))
    widths = [max(len(row[column]) for row in rows) for column in range(6)] + [0]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


@contextlib.contextmanager
def working(own: Path, name: str) -> Iterator[Tell]:
    """Holds an activity for this process, and writes its events and its end. Raises PegbarError where another process does it."""
    folder = activity(own, name)
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(own, error) from error
    if (held := lock(folder.path / "events.jsonl")) is None:
        raise PegbarError(f"Another Pegbar is at this already, in {own}: wait until it is done", IN_USE)
    with held:
        began = time.monotonic()
        try:
            yield _Events(folder)
        except PegbarError as error:
            with contextlib.suppress(PegbarError):
                folder.append(Failed(str(error), id=error.id))
            raise
        folder.append(Done(time.monotonic() - began))


class _Events:
    """Writes events, of progress not too many."""

    def __init__(self, folder: JobFolder) -> None:
        self._folder, self._told_at, self._phase = folder, 0.0, ""

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        if isinstance(event, Progress):
            if event.phase == self._phase and event.step != event.of and now - self._told_at < EVENT_S:
                return
            self._told_at, self._phase = now, event.phase
        with contextlib.suppress(PegbarError):  # a full disk is told by what is fetched
            self._folder.append(event)


class _Line:
    """Tells the user of a terminal about every tenth of a download."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._told = say, ("", -1)

    def __call__(self, event: Event) -> None:
        match event:
            case Progress(phase, step, of):
                if self._told != (told := (phase, 10 * step // of if of else 0)):
                    self._told = told
                    self._say(f"{phase}: {amount(step, of)} of {amount(of)}" if of else phase)
            case Warned(text):
                self._say(text)


def _both(one: Tell, other: Tell) -> Tell:
    def tell(event: Event) -> None:
        one(event)
        other(event)

    return tell


def _fetch(options: argparse.Namespace, folders: list[Path], tell: Tell) -> None:
    # before huggingface_hub is imported, which reads them then: nothing is told to anybody, and files come by HTTP, whose ranges go on
    os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    fetching, hub = _code("fetching"), _code("hub")
    spec = next(spec for spec in methods() if spec.name == options.pipeline)
    endpoint = (options.endpoint or os.environ.get(ENDPOINT) or hub.ENDPOINT).rstrip("/")
    asked = hub.Hub(endpoint, os.environ.get(TOKEN, ""), options.stall, options.patience)
    wanted = fetching.lacking(spec, folders, options.only, options.repair)
    by_hand = fetching.fetch(spec, wanted, folders[0], asked, lambda *of: tell(Progress(*of)), options.accept_terms)
    for text in by_hand:
        tell(Warned(text))
    if not wanted:
        tell(Warned("Nothing here was fetched" if options.repair else f"All that {spec.label} needs is there"))


def _import(options: argparse.Namespace, folders: list[Path], tell: Tell) -> None:
    importing = _code("importing")
    importing.take(options.files, folders, lambda *of: tell(Progress(*of)), lambda text: tell(Warned(text)), options.copy)


def _code(name: str) -> Any:
    """A module of this package that needs more than the standard library. Raises PegbarError where this Python lacks it."""
    try:
        return import_module(f".{name}", __package__)
    except ModuleNotFoundError as error:
        raise PegbarError(f"This engine lacks {error.name}, which fetches models: update the engine") from error


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)  # at once, whatever runs: what has come is gone on with
