"""What a message to the makers holds: facts about this machine, logs and settings without the user's words, names and folders left out.

Standard library only, for both sides of the boundary.
"""

import contextlib
import getpass
import importlib.metadata
import io
import json
import os
import platform
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from . import __version__
from .spec import Pipeline

MARK = "Engine"
"""Begins the line of a log in which a run says what it runs on; see `about`."""
TAIL_LINES = 40
LOG_BYTES = 400_000
_LIBRARIES = ("torch", "diffusers", "transformers", "numpy")
_SHORTEST = 3
"""Letters of a name or a sentence that is looked for and left out: a shorter one is in every text."""
_PATH = re.compile(r"(?<![\w:/\\.>~])(?:~|[A-Za-z]:)?[\\/]+(?:[^\\/\n\"'<>|]{1,60}[\\/]+)*[^\s\\/\"'<>|:,)]*")
"""An absolute path, or one in the user's folder. Where a folder's name has spaces, too much is taken rather than too little."""


def about() -> str:
    """This process in a line: versions, system, processors, memory."""
    libraries = [f"{name} {version}" for name in _LIBRARIES if (version := _version(name))]
    cores, memory = os.cpu_count() or 0, memory_bytes()
    machine = [platform.platform(), f"{cores} processors", f"{memory / 1e9:.1f} GB of memory" if memory else "unknown memory"]
    return ", ".join([f"{MARK} {__version__}", f"Python {sys.version.split()[0]}", *libraries, *machine])


def memory_bytes() -> int | None:
    """The computer's memory; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def words(spec: Pipeline | None, params: Mapping[str, Any]) -> tuple[str, ...]:
    """What the user has written himself in a job's settings: prompts, names, folders; not what the pipeline brings along."""
    usual = {(param.name, value) for param in spec.params for value in (param.default, *(c[0] for c in param.choices))} if spec else set()
    return tuple(value for name, value in params.items() if isinstance(value, str) and value and (name, value) not in usual)


def wordless(spec: Pipeline | None, params: Mapping[str, Any]) -> dict[str, Any]:
    """A job's settings without what the user has written himself: of that only how long it is."""
    own = set(words(spec, params))
    return {name: f"({len(v)} characters)" if isinstance(v, str) and v in own else v for name, v in params.items()}


def last_run(log: str) -> str:
    """Of a take's log the line in which its last run says what it runs on, and the last lines."""
    lines = log.splitlines()
    start = next((i for i in reversed(range(len(lines))) if f": {MARK} " in lines[i]), 0)
    rest = lines[start:]
    return "\n".join(rest if len(rest) <= TAIL_LINES else [rest[0], "...", *rest[-TAIL_LINES:]])


def tail(path: Path, size: int = LOG_BYTES) -> str:
    """The end of a text file; empty where it is not there."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return file.read(size).decode(errors="replace")
    except OSError:
        return ""


def redacted(text: str, own_words: Iterable[str], folders: Mapping[Path, str], keep_paths: bool = False) -> str:
    """A text without the user's own words and, unless `keep_paths`, without the paths and the name of the user. `folders` are known ones
    and what they are called instead."""
    for word in sorted(set(own_words), key=len, reverse=True):
        text = _without(text, word, "[words]")
    if keep_paths:
        return text
    known = {**folders, Path.home(): "~", Path(tempfile.gettempdir()): "<temp>"}
    for folder in sorted(known, key=lambda path: len(str(path)), reverse=True):
        if len(folder.parts) > 1:
            text = _without(text, str(folder), known[folder])
    text = _PATH.sub(_shortened, text)
    for name in _user_names():
        text = re.sub(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", "user", text, flags=re.IGNORECASE)
    return text


def bundle(files: Mapping[str, str]) -> bytes:
    """Texts by name as a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _without(text: str, word: str, instead: str) -> str:
    """The text with a word replaced, however it is written in a log, in JSON or in Python."""
    if len(word.strip()) < _SHORTEST:
        return text
    for form in {word, json.dumps(word)[1:-1], json.dumps(word, ensure_ascii=False)[1:-1], repr(word)[1:-1], Path(word).as_posix()}:
        text = text.replace(form, instead)
    return text


def _shortened(match: re.Match[str]) -> str:
    """An unknown path: of a library's or Python's own file what is below its folder, of any other its kind alone."""
    path = match[0].replace("\\", "/")
    for folder in ("/site-packages/", "/dist-packages/"):
        if folder in path:
            return "<packages>/" + path.rpartition(folder)[2]
    if library := re.search(r"/lib/python3\.\d+/(.+)", path):
        return "<python>/" + library[1]
    return f"<path>{Path(path).suffix}" if path.strip("/") else match[0]


def _user_names() -> set[str]:
    names = {Path.home().name}
    with contextlib.suppress(OSError, KeyError, ImportError):
        names.add(getpass.getuser())
    return {name for name in names if len(name) >= _SHORTEST}
