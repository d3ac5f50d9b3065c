"""How right and how fast `flat` is, beside what it is measured against: one core, fixed seeds, markdown.

usage: python -m benchmarks.flat [rightness] [speed] [memory] [walks] [corrections] [real] [--quick]
       python -m benchmarks.flat --study [--clips N] [--first SEED]
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: one core is what is measured

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from benchmarks import flat_real, flat_study
from benchmarks.flat_study import Case, Method, Scores
from engine.protocol import Done, InputFile
from engine.worker import run_job
from tests.cartoon import palette, pebbles, walk

Cases = Callable[[], Iterable[Case]]

SIZES = {"512 x 512": (512, 512), "1920 x 1080": (1920, 1080), "3840 x 2160": (3840, 2160)}
HELD_OUT_SEEDS = 900_000_000
"""First seed of clips that no matcher is trained from."""
COLOURS = palette(1)[:, :3]
PEAK = """
import sys
from pathlib import Path
from engine.protocol import JobFolder
from engine.worker import run_job
run_job(JobFolder(Path(sys.argv[1])))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
"""Runs a job and prints the most memory it took, in kB. (What the parent's rusage says of a child begins with the parent's own.)"""
STUDY_WEIGHTS = flat_study.STUDY / "regionformer3_fp16.safetensors"


# --- clips


def conditions(quick: bool) -> dict[str, Cases]:
    """What every method is judged on, by name; what cannot be had here is left out, aloud."""
    few = 4 if quick else 1
    found: dict[str, Cases] = {}
    if flat_study.generator() is not None:
        found["clean"] = lambda: flat_study.clips(48 // few)
        found["8 breaks"] = lambda: flat_study.clips(16 // few, breaks=8)
        found["scans"] = lambda: map(scanned, flat_study.clips(16 // few))
    if importlib.util.find_spec("cv2") is None:
        print("The cartoons are left out: their generator needs OpenCV (pip install -r requirements/training.txt)")
        return found
    found["held-out seeds"] = lambda: cartoons("TRAINING", 24 // few)
    found["new configuration"] = lambda: cartoons("HELD_OUT", 24 // few)
    found["3 references, 48 frames"] = lambda: cartoons("TRAINING", 4 // few, 48, (0, 23, 47))
    return found


def cartoons(config: str, count: int, frames: int = 5, references: tuple[int, ...] = (0,)) -> Iterator[Case]:
    """Clips of the matcher's own generator with undamaged lines, by seeds that it never trains with."""
    from training.flat import cartoons as drawn

    for seed in range(HELD_OUT_SEEDS, HELD_OUT_SEEDS + count):
        made = drawn.clip(seed, frames, (128, 128), drawn.clean(getattr(drawn, config)))
        if made.lines.any(axis=(1, 2)).all():
            yield Case(made.lines, made.lines, made.ids, drawn.palette(np.random.default_rng(seed), made.count), references)


def scanned(case: Case) -> Case:
    """A case as a scanner sees it: pencil, uneven light and grain, but for the reference's drawing."""
    light = np.linspace(0.97, 0.8, case.lines.shape[2])[None, None]
    grain = np.random.default_rng(0).normal(0, 0.015, case.lines.shape)
    seen = np.clip((0.12 + 0.88 * (1 - case.lines / 255)) * light + grain, 0, 1)
    seen[list(case.references)] = 1 - case.lines[list(case.references)] / 255
    grey = (seen * 255 + 0.5).astype(np.uint8)
    return replace(case, given=np.stack([grey, grey, grey, np.full_like(grey, 255)], -1))


def walking(references: tuple[int, ...], spoilt: Callable[[Case], Case] = lambda case: case, frames: int = 48, height: int = 360) -> Case:
    """A walk cycle with a panning camera."""
    made = [walk(k / 24, height * 16 // 9, height, height / 144) for k in range(frames)]
    lines = np.stack([255 - (drawing[..., 0] * 255 + 0.5).astype(np.uint8) for drawing, _ in made])
    return spoilt(Case(lines, lines, np.stack([ids for _, ids in made]), COLOURS, references))


def pebbled(count: int, width: int, height: int, frames: int = 4) -> Case:
    """A field of so many pebbles, for timing."""
    made = [pebbles(0.2 * k, count, width, height, max(1.5, height / 360)) for k in range(frames)]
    lines = np.stack([255 - (drawing[..., 0] * 255 + 0.5).astype(np.uint8) for drawing, _ in made])
    return Case(lines, lines, np.stack([ids for _, ids in made]), COLOURS)


# --- methods


def methods() -> dict[str, Method]:
    """The table's rows."""
    found: dict[str, Method] = {"true painting": lambda case: flat_study.Found({frame: case.painting(frame) for frame in case.wanted})}
    if importlib.util.find_spec("cv2") is not None:
        from benchmarks import flat_rivals

        found |= {"copy": flat_rivals.copy, "classical (the study's)": flat_rivals.classical(flat_rivals.connected)}
        if STUDY_WEIGHTS.is_file():
            found["RegionFormer (the study's)"] = flat_rivals.region_former(STUDY_WEIGHTS)
        else:
            print(f"The study's matcher is left out: {STUDY_WEIGHTS} is not there")
        found["flat's regions, classical matching"] = flat_rivals.classical(flat_rivals.enclosed)
    ours = flat_study.pipeline()
    return found | {
        "**flat**": ours,
        "flat, no time links": flat_study.each_alone(ours),
        "flat, no gaps closed": flat_study.pipeline({"close_gaps": 0}),
    }


# --- tables


def row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def head(*names: str) -> None:
    row(*names)
    row(*["---"] + ["--:"] * (len(names) - 1))


def percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.1f}"


def rightness(quick: bool) -> None:
    """The methods on every condition, then what is told of each region's sureness."""
    wanted = conditions(quick)
    print("\n## Regions right as the study counts / allowing for ink that lies over them / area right, in percent")
    print(
        "Of regions of 8 pixels or more whose colour a reference has; one reference but in the last. The true painting's row is the ceiling."
    )
    head("", *(name + far for name in wanted for far in (["", ", 4th frame"] if name == "clean" else [""])))
    ours: dict[str, Scores] = {}
    for name, method in methods().items():
        cells = []
        for condition, cases in wanted.items():
            found = flat_study.judged(method, cases())
            cells.append(" / ".join(percent(share) for share in (found.as_the_study_counts, found.regions, found.pixels)))
            cells += [percent(found.at(4))] if condition == "clean" else []
            if name == "**flat**":
                ours[condition] = found
        row(name, *cells)
    details(ours)


def details(ours: dict[str, Scores]) -> None:
    below = flat_study.check_below()
    print(f"\n## What flat says of itself\nFlagged: regions less sure than {below}, which the artist is asked to check.")
    head("", "regions", "small", "big", "flagged", "errors in the flagged", "in the least sure 15", "unseen flagged", "foreign pixels")
    for name, found in {**ours, "all of these": flat_study.joined([*ours.values()])}.items():
        flagged, caught = found.flagged(below)
        shares = found.of_size(True), found.of_size(False), flagged, caught, found.caught(0.15), found.unseen(below)
        row(name, len(found.right), *(percent(share) for share in shares), found.foreign.sum())


def walks(quick: bool) -> None:
    print("\n## A walk cycle with a panning camera, 640 x 360, 48 frames")
    head("", "references at", "regions", "area", "flagged", "errors in the flagged", "foreign pixels")
    plan = [("clean", walking, (0,)), ("scanned", walking, (0,)), ("clean", walking, (0, 47)), ("clean", walking, (0, 15, 31, 47))]
    for name, make, references in plan[: 1 if quick else None]:
        found = flat_study.judged(flat_study.pipeline(), [make(references, scanned if name == "scanned" else lambda case: case)])
        flagged, caught = found.flagged(flat_study.check_below())
        shares = found.regions, found.pixels, flagged, caught
        row(name, ", ".join(str(at + 1) for at in references), *(percent(share) for share in shares), found.foreign.sum())


def speed(quick: bool) -> None:
    """Over so many frames that those far back speak, too; a few at 4K, for memory's sake."""
    print("\n## Seconds of processor time a frame, all in: read, segment, match, compose, write")
    head("", "regions", "frames", "seconds a frame")
    plan = [(name, 300, 4 if name == "3840 x 2160" else 24) for name in SIZES] + [("1920 x 1080", 1000, 24)]
    for name, count, frames in plan[: 2 if quick else None]:
        with tempfile.TemporaryDirectory() as folder:
            take = flat_study.asked(Path(folder), pebbled(count, *SIZES[name], frames), {})
            started = time.process_time()
            end = run_job(take)
            assert isinstance(end, Done), end
            row(name, count, frames, f"{(time.process_time() - started) / frames:.2f}")


def memory(quick: bool) -> None:
    print("\n## Growth with the clip: 640 x 360, 100 regions")
    head("frames", "seconds a frame", "peak memory, MB", "state folder, MB")
    for count in (12, 48) if quick else (12, 48, 192):
        with tempfile.TemporaryDirectory() as folder:
            take = flat_study.asked(Path(folder), pebbled(100, 640, 360, count), {})
            run = subprocess.run([sys.executable, "-c", PEAK, str(take.path)], check=True, capture_output=True, text=True)
            peak = int(run.stdout.split()[-1]) / 1024
            state = sum(path.stat().st_size for path in take.state_folder.rglob("*") if path.is_file()) / 2**20
            row(count, f"{take.state().seconds / count:.3f}", f"{peak:.0f}", f"{state:.1f}")


def corrections(quick: bool) -> None:
    """A colour set in a region of the second frame, until all that follows from it is there."""
    print("\n## A correction: a walk of 48 frames from one reference")
    head("", "frames made anew", "seconds of processor time", "seconds")
    for height in (360,) if quick else (360, 720):
        case = walking((0,), height=height)
        size = np.bincount(case.ids[1].ravel())
        deep = ndimage.distance_transform_cdt(case.ids[1] == size.argsort()[-3])
        y, x = (place / side for place, side in zip(np.unravel_index(deep.argmax(), deep.shape), deep.shape, strict=True))
        with tempfile.TemporaryDirectory() as folder:
            take = flat_study.asked(Path(folder), case, {})
            assert isinstance(run_job(take), Done)
            made = flat_study.asked(Path(folder), case, {"corrects": take.path.name})
            file = made.input_file("corrections", 2, ".json")
            made.file(file).write_text(json.dumps([{"x": x, "y": y, "colour": "#00ff00"}]))
            job = made.read_job()
            made.write_job(replace(job, inputs={**job.inputs, "corrections": (InputFile(2, file),)}))
            began, started = time.perf_counter(), time.process_time()
            assert isinstance(run_job(made), Done)
            took = time.process_time() - started, time.perf_counter() - began
            anew = sum(not path.samefile(take.outputs / "clip" / path.name) for path in (made.outputs / "clip").iterdir())
            row(f"{height * 16 // 9} x {height}", anew, *(f"{seconds:.2f}" for seconds in took))


def real(quick: bool) -> None:
    flat_real.report(Path("dist"), 13 if quick else 36)


SECTIONS = {"rightness": rightness, "speed": speed, "memory": memory, "walks": walks, "corrections": corrections, "real": real}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="section", help=f"of {', '.join(SECTIONS)}; all where none is named")
    parser.add_argument("--quick", action="store_true", help="a quarter of the clips")
    parser.add_argument("--study", action="store_true", help="the study's protocol alone")
    parser.add_argument("--clips", type=int, default=48, help="clips of the study (48)")
    parser.add_argument("--first", type=int, default=0, help="the first clip's seed (0)")
    asked_for = parser.parse_args()
    if asked_for.study:
        return flat_study.report(asked_for.clips, asked_for.first)
    for name in asked_for.sections or SECTIONS:
        SECTIONS[name](asked_for.quick)


if __name__ == "__main__":
    main()
