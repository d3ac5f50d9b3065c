"""How fast and how right `flat` is: one core, fixed seeds.

usage: python -m benchmarks.flat [--study] [--clips N] [--first SEED]
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: one core is what is measured

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from scipy import ndimage

from benchmarks import flat_study
from engine.drawing.frames import encode_png, read_image
from engine.protocol import Done, InputFile, Job, JobFolder, Shot
from engine.worker import run_job
from tests.cartoon import coloured, palette, pebbles, walk

Frame = tuple[np.ndarray, np.ndarray]
COLOURS = palette(1)
SIZES = {"512 x 288": (512, 288), "1280 x 720": (1280, 720), "1920 x 1080": (1920, 1080), "3840 x 2160": (3840, 2160)}


def asked(folder: Path, frames: Iterable[Frame], references: Mapping[int, Frame] | None = None) -> JobFolder:
    """A take that colours a clip from true frames as references, else from its first."""
    take = JobFolder.create(folder)
    files: dict[str, list[InputFile]] = {"lineart": [], "reference": []}

    def put(name: str, number: int, image: np.ndarray) -> None:
        file = take.input_file(name, number, ".png")
        take.file(file).write_bytes(encode_png(image))
        files[name].append(InputFile(number, file))

    for number, frame in enumerate(frames, 1):
        put("lineart", number, frame[0])
        if number == 1 and references is None:
            put("reference", 1, coloured(*frame, COLOURS))
    for number, frame in (references or {}).items():
        put("reference", number, coloured(*frame, COLOURS))
    count = len(files["lineart"])
    take.write_job(Job("flat", {}, {name: tuple(some) for name, some in files.items()}, Shot("Scene", 1, count, 24)))
    return take


def run(folder: Path, frames: Iterable[Frame], references: Mapping[int, Frame] | None = None) -> tuple[JobFolder, float]:
    """Colours a clip; the take, and seconds of processor time a frame, all in."""
    take = asked(folder, frames, references)
    started = time.process_time()
    end = run_job(take)
    assert isinstance(end, Done), end
    return take, (time.process_time() - started) / len(take.read_job().shot.frames)


def rightness(take: JobFolder, frames: Iterable[Frame]) -> tuple[float, float, float]:
    """Shares of pixels off the lines and of regions of 12 pixels or more that have their true colour, and of pixels of no reference colour."""
    pixels, regions, foreign, total = [], [], 0, 0
    for path, (lines, ids) in zip(sorted((take.outputs / "clip").glob("*.png")), frames, strict=True):
        found = (read_image(path) * 255).round().astype(np.uint8)
        off = lines[..., 0] == 1
        ok = (found == COLOURS[ids]).all(-1)
        pixels.append(ok[off].mean())
        areas, count = ndimage.label(off)
        sizes = np.bincount(areas.ravel(), minlength=count + 1)
        hits = np.bincount(areas[ok], minlength=count + 1)
        regions += (hits > sizes / 2)[1:][sizes[1:] >= 12].tolist()
        foreign += int((~(found[off][:, None] == COLOURS[None]).all(-1).any(1)).sum())
        total += int(off.sum())
    return float(np.mean(pixels)), float(np.mean(regions)), foreign / total


def with_gaps(frame: Frame, seed: int, count: int = 8, radius: float = 2.0) -> Frame:
    """A frame whose lines are broken in some places."""
    lines, ids = frame[0].copy(), frame[1]
    rng = np.random.default_rng(seed)
    ys, xs = np.nonzero(lines[..., 0] < 0.5)
    y, x = np.mgrid[: ids.shape[0], : ids.shape[1]]
    for at in rng.integers(0, len(xs), count):
        lines[np.hypot(x - xs[at], y - ys[at]) <= radius, :3] = 1
    return lines, ids


def scanned(frame: Frame, seed: int) -> Frame:
    """A frame as a scanner sees it: uneven light and grain."""
    lines, ids = frame[0].copy(), frame[1]
    light = np.linspace(0.97, 0.8, ids.shape[1])[None, :, None]
    grain = np.random.default_rng(seed).normal(0, 0.015, (*ids.shape, 1))
    lines[..., :3] = np.clip((0.12 + 0.88 * lines[..., :3]) * light + grain, 0, 1)
    return lines, ids


def speed(folder: Path) -> None:
    print("\nSeconds a frame on one core: read, segment, match, compose, write")
    for name, (width, height) in SIZES.items():
        frames = [pebbles(0.2 * k, 300, width, height, max(1.5, height / 360)) for k in range(4)]
        print(f"  {name:>12}, 300 regions: {run(folder, frames)[1]:.3f} s", flush=True)
    for count in (50, 300, 1000):
        frames = [pebbles(0.2 * k, count, 1920, 1080, 3) for k in range(4)]
        print(f"   1920 x 1080, {count:4d} regions: {run(folder, frames)[1]:.3f} s", flush=True)


def length(folder: Path) -> None:
    print("\nGrowth with the clip: 640 x 360, 100 regions")
    for count in (12, 48, 192):
        take = asked(folder, (pebbles(0.05 * k, 100, 640, 360) for k in range(count)))
        subprocess.run([sys.executable, "-m", "engine", "run", str(take.path)], check=True, capture_output=True)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        state = sum(path.stat().st_size for path in take.state_folder.iterdir()) / 2**20
        print(
            f"  {count:4d} frames: {take.state().seconds / count:.3f} s a frame, peak memory {peak:.0f} MB, state folder {state:.1f} MB",
            flush=True,
        )


def accuracy(folder: Path) -> None:
    print("\nA walk cycle with a panning camera, 48 frames                    pixels   regions  foreign colours")
    clean = [walk(k / 24, 960, 540, 3) for k in range(48)]
    spoil: dict[str, Callable[[Frame, int], Frame]] = {"clean": lambda f, seed: f, "8 gaps a frame": with_gaps, "scanned": scanned}
    for name, change in spoil.items():
        lines = [change(frame, seed) for seed, frame in enumerate(clean)]
        for references in ((1,), (24,), (1, 48), (1, 16, 32, 48)):
            take, _ = run(folder, lines, {number: clean[number - 1] for number in references})
            pixels, regions, foreign = rightness(take, [(c[0], f[1]) for c, f in zip(clean, lines, strict=True)])
            print(f"  {name:>15}, references at {references!s:<24} {pixels:14.4f} {regions:9.4f} {foreign:12.6f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", action="store_true", help="the study's protocol alone")
    parser.add_argument("--clips", type=int, default=48, help="clips of the study (48)")
    parser.add_argument("--first", type=int, default=0, help="the first clip's seed (0)")
    asked_for = parser.parse_args()
    if asked_for.study:
        return flat_study.report(asked_for.clips, asked_for.first)
    with tempfile.TemporaryDirectory() as name:
        length(Path(name) / "length")
        speed(Path(name) / "speed")
        accuracy(Path(name) / "accuracy")


if __name__ == "__main__":
    main()
