"""The self-test of a new environment: `still` and `flat` on a small drawing, and what PyTorch can do. It counts only if it passes."""

import json
import os
import shutil
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from ..errors import ENGINE_MISSING
from ..protocol import InputFile, Job, JobFolder, PegbarError, Shot, write_atomic

ROOT = Path(__file__).resolve().parents[2]
SIZE = 48
LIMIT_S = 300.0
"""The first start of PyTorch on a slow disk takes its time."""
PIXEL = "import sys, PIL.Image as i; p = int(sys.argv[2]); print(*i.open(sys.argv[1]).convert('RGB').getpixel((p, p)))"
RED, PAPER, INK = (200, 40, 40), (255, 255, 255), (0, 0, 0)


def run(python: Path, kind: str, backend: str, folder: Path, check: Callable[[], None] = lambda: None) -> str:
    """What the machine can do with this interpreter: `processor, 8 cores`. Raises PegbarError where anything fails."""
    shutil.rmtree(folder, ignore_errors=True)
    jobs = [_still(folder), _flat(folder)]
    said = _run(python, ["-m", "engine", "run", *(str(job.path) for job in jobs)], folder, check)
    for job in jobs:
        state = job.state()
        if state.name != "done" or not state.frames or not all(job.file(frame.file).stat().st_size for frame in state.frames):
            why = state.error.text if state.error else said.strip()[-300:] or "it said nothing"
            raise PegbarError(f"The new engine does not run {job.read_job().pipeline} ({why}): press Repair", id=ENGINE_MISSING)
    _check_colour(python, jobs[1], folder, check)
    able = f"processor, {os.cpu_count()} cores"
    if kind == "diffusion":
        able = _torch(python, backend, folder, check)
    shutil.rmtree(folder, ignore_errors=True)
    return able


def _still(folder: Path) -> JobFolder:
    job = JobFolder.create(folder)
    file = job.input_file("image", 1, ".png")
    write_atomic(job.file(file), png(drawing()))
    job.write_job(Job("still", {}, {"image": (InputFile(1, file),)}, Shot("test", 1, 1, 24.0)))
    return job


def _flat(folder: Path) -> JobFolder:
    job = JobFolder.create(folder)
    lines, colours = job.input_file("lineart", 1, ".png"), job.input_file("reference", 1, ".png")
    write_atomic(job.file(lines), png(drawing()))
    write_atomic(job.file(colours), png(drawing(inside=RED)))
    inputs = {"lineart": (InputFile(1, lines),), "reference": (InputFile(1, colours),)}
    job.write_job(Job("flat", {}, inputs, Shot("test", 1, 1, 24.0)))
    return job


def drawing(inside: tuple[int, int, int] = PAPER) -> list[list[tuple[int, int, int]]]:
    """A box of black lines on paper, as rows of pixels."""

    def pixel(x: int, y: int) -> tuple[int, int, int]:
        edge = max(abs(x - SIZE // 2), abs(y - SIZE // 2))
        return INK if SIZE // 4 - 1 <= edge <= SIZE // 4 else inside if edge < SIZE // 4 else PAPER

    return [[pixel(x, y) for x in range(SIZE)] for y in range(SIZE)]


def png(rows: list[list[tuple[int, int, int]]]) -> bytes:
    """The rows as a PNG of 8 bits a channel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 2, 0, 0, 0)
    body = b"".join(b"\0" + bytes(value for pixel in row for value in pixel) for row in rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def _check_colour(python: Path, job: JobFolder, folder: Path, check: Callable[[], None]) -> None:
    """Raises PegbarError where the box has not become red: an engine that gives pictures may still give wrong ones."""
    (frame,) = [frame for frame in job.state().frames if frame.output == "clip"]
    said = _run(python, ["-c", PIXEL, str(job.file(frame.file)), str(SIZE // 2)], folder, check).split()
    if said != [str(value) for value in RED]:
        raise PegbarError(f"The new engine colours wrongly ({' '.join(said)} for red): press Repair", id=ENGINE_MISSING)


def _torch(python: Path, backend: str, folder: Path, check: Callable[[], None]) -> str:
    said = _run(python, ["-m", "engine.diffusion.able"], folder, check)
    try:
        able = json.loads(said.splitlines()[-1])
        device, text = str(able["device"]), str(able["text"])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise PegbarError(f"The new engine's PyTorch does not work ({said.strip()[-300:]}): press Repair", id=ENGINE_MISSING) from error
    if device == "cpu" and backend != "cpu":
        raise PegbarError(
            f"The graphics card cannot be used ({text}): update its driver and press Try Again, or choose Processor", id=ENGINE_MISSING
        )
    return text


def _run(python: Path, arguments: list[str], folder: Path, check: Callable[[], None]) -> str:
    """What the engine prints under the new interpreter."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "__PYVENV"))}
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW
    log, end = folder / "trial.log", time.monotonic() + LIMIT_S
    with open(log, "wb") as file:
        command = [str(python), "-E", "-s", "-B", "-X", "utf8", *arguments]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, creationflags=flags
        )
        try:
            while process.poll() is None:
                check()
                if time.monotonic() > end:
                    raise PegbarError(f"The new engine has not answered for {LIMIT_S:.0f} s: press Repair", id=ENGINE_MISSING)
                time.sleep(0.05)
        finally:
            process.kill()
            process.wait()
    said = log.read_text(encoding="utf8", errors="replace")
    if process.returncode:
        last = next(iter(said.strip().splitlines()[-1:]), f"exit code {process.returncode}")
        raise PegbarError(f"The new engine does not start ({last}): press Repair", id=ENGINE_MISSING)
    return said
