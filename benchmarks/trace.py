"""How well and how fast sketches are traced: real ones, 200 whose strokes are known, and clips in which every stroke has a name.

usage: python -m benchmarks.trace [FOLDER OF SKETCHES]
"""

import sys
import time
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

import tests.conftest  # makes the repository's root the package `pegbar`

# isort: split
from pegbar.engine.drawing import lineart
from pegbar.engine.drawing.frames import read_image
from pegbar.engine.drawing.raster import ink
from pegbar.engine.drawing.trace import Tracer, trace

from tests.sketches import FAULTS, clip, faulty, kept, off, overlap, sketch

DRAWINGS, CLIPS = 200, 24
FOLDER = tests.conftest.ROOT.parent / "shared/inputs/flipsketch_sketches"


def timed(function, *arguments):
    """What is made, and the seconds of one core that it took."""
    started = time.process_time()
    made = function(*arguments)
    return made, time.process_time() - started


def row(name, *values):
    print(f"{name:16}", *(f"{value:>11}" if isinstance(value, str) else f"{value:11.3f}" for value in values), flush=True)


def real(folder):
    row("sketch", "IoU", "strokes", "points", "512x512 s")
    found = []
    for path in sorted(folder.glob("*.png")):
        image = lineart.ink(read_image(path))
        made, seconds = timed(trace, image)
        again = overlap(ink(made, made.size), image)
        found.append((again, len(made.cyclic), len(made.points), seconds * 512**2 / image.size))
        row(path.stem, again, *map(str, found[-1][1:3]), found[-1][3])
    row("median", *np.median(found, axis=0))


def generated():
    row("generated", "IoU", "strokes/true", "within 25%", "off px", "off 90% px", "512x512 s", "most s")
    found = {fault: [] for fault in FAULTS}
    for seed in range(DRAWINGS):
        fault, true = FAULTS[seed % len(FAULTS)], sketch(seed)
        clean = ink(true, true.size)
        made, seconds = timed(trace, faulty(clean, fault, np.random.default_rng([seed, 3])))
        again = ink(replace(made, opacity=np.ones_like(made.opacity)), made.size)
        count, away = len(made.cyclic) / len(true.cyclic), off(true, made)
        values = (
            overlap(again, clean),
            count,
            abs(count - 1) <= 0.25,
            np.median(away),
            np.percentile(away, 90),
            seconds * 512**2 / clean.size,
        )
        found[fault].append(values)
    for fault, values in [*found.items(), ("all", [*chain(*found.values())])]:
        middle = np.median(values, axis=0)
        row(fault, *middle[:2], np.mean(values, axis=0)[2], *middle[3:], np.max(values, axis=0)[-1])


def followed():
    row("12-frame clips", "kept", "kept at last", "strokes/true", "IoU", "same points", "512x512 s", "most s")
    found = {fault: [] for fault in FAULTS}
    for seed in range(CLIPS):
        fault = FAULTS[seed % len(FAULTS)]
        moving = clip(seed, fault=fault)
        first = moving.truth[0]
        tracer, values = Tracer(first, first.size), []
        for true, image in zip(moving.truth, moving.frames, strict=True):
            made, seconds = timed(tracer.trace, image)
            sizes, count = np.diff(first.offsets), len(made.cyclic)
            same = [n == sizes[s] for n, s in zip(np.diff(made.offsets), made.source, strict=True) if s >= 0]
            again = overlap(ink(made, made.size), ink(true, true.size))
            values.append((kept(true, made).mean(), count / len(sizes), again, np.mean(same), seconds * 512**2 / image.size))
        share, count, again, same, seconds = np.transpose(values)
        found[fault].append((share.mean(), share[-1], np.median(count), np.median(again), same.mean(), seconds.mean(), seconds.max()))
    for fault, values in [*found.items(), ("all", [*chain(*found.values())])]:
        row(fault, *np.mean(values, axis=0)[:-1], np.max(values, axis=0)[-1])


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    if folder.is_dir():
        real(folder)
    generated()
    followed()


if __name__ == "__main__":
    main()
