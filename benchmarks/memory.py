"""What memory a job is said to take, and what it takes: each point of a grid is a whole job in a process of its own.

usage: python -m benchmarks.memory             on the processor, with .venv/diffusion (`make bench` runs it)
       python -m benchmarks.memory --gpu       the same jobs on a card, against torch.cuda.max_memory_allocated
       python -m benchmarks.memory lvcd        those of one pipeline

Checkpoints are random and tiny to mid-size; sizes, frames, precision and ladder rungs vary. On the processor the measure is the largest
resident set (VmHWM) above that of the same process once torch and the pipeline's modules are imported and a few small operations have
set up their libraries: tensors, weights, and what Python, numpy and Pillow take for the job besides. One thread; glibc gives freed memory
back at once (MALLOC_MMAP_THRESHOLD_ and MALLOC_TRIM_THRESHOLD_ of 64 KiB), as Windows' and macOS's allocators do for large blocks.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MIB = 2**20
ENOUGH = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
WITHIN = 0.15
"""How far an estimate may be off."""


@dataclass(frozen=True)
class Point:
    """A job of the grid: `width` times as wide networks as the tiny ones, pictures of a size, so many frames."""

    pipeline: str
    wide: int
    size: tuple[int, int]
    frames: int
    params: Mapping[str, Any] = field(default_factory=dict)
    rung: str = ""
    """The rung that it runs on; the first where empty."""

    @property
    def label(self) -> str:
        told = ", ".join(f"{name} {value}" for name, value in self.params.items() if name in SHOWN)
        return f"{self.pipeline} x{self.wide}, {self.size[0]} x {self.size[1]}, {self.frames} frames" + (f", {told}" if told else "")


SHOWN = ("align", "variations", "guidance_scale", "max_guidance_scale", "memory", "precision")
_LVCD = {"num_inference_steps": 1, "line_softness": 0.0}
_FLIP = {"num_inference_steps": 2, "as_clip": True, "as_strokes": False}
_VID = {"num_inference_steps": 1, "prompt": "a candle"}
_DROPLET = {"num_inference_steps": 2, "resolution": "image", "template": "plain", "prompt": "A cat turns"}
GRID = (
    Point("lvcd", 1, (256, 128), 4, _LVCD | {"working_width": 256}),
    Point("lvcd", 2, (256, 192), 4, _LVCD | {"working_width": 320}),
    Point("lvcd", 2, (256, 192), 4, _LVCD | {"working_width": 320}, "decode 5"),
    Point("lvcd", 4, (192, 128), 4, _LVCD | {"working_width": 192, "max_guidance_scale": 2.0}),
    Point("flipsketch", 1, (256, 256), 6, _FLIP | {"size": 192}),
    Point("flipsketch", 2, (256, 256), 10, _FLIP | {"size": 256, "variations": 2}),
    Point("flipsketch", 2, (256, 256), 10, _FLIP | {"size": 256, "variations": 2}, "apart"),
    Point("flipsketch", 3, (128, 128), 6, _FLIP | {"size": 128, "align": True, "align_until": 1.0}),
    Point("flipsketch", 3, (128, 128), 6, _FLIP | {"size": 128, "align": True, "align_until": 1.0}, "recompute"),
    Point("vidsketch", 4, (256, 256), 8, _VID | {"size": 256}),
    Point("vidsketch", 8, (384, 256), 6, _VID | {"size": 384}),
    Point("vidsketch", 8, (384, 256), 6, _VID | {"size": 384}, "apart"),
    Point("dropletvideo", 2, (256, 192), 9, _DROPLET | {"memory": "one"}),
    Point("dropletvideo", 4, (256, 160), 17, _DROPLET | {"memory": "everything"}),
    Point("dropletvideo", 4, (480, 272), 9, _DROPLET | {"memory": "smallest"}),
)
"""From about 100 MiB to 3 GiB: below, what a process takes for itself would hide what a job takes."""


# --- one point, in its own process


def measured(point: Point, gpu: bool) -> dict[str, float]:
    """The bytes that a job is said to take and takes, and its seconds."""
    import_module("tests.conftest")  # loads the repository as the package `pegbar`
    torch = import_module("torch")
    torch.set_num_threads(1)
    worker, weights = (import_module(f"pegbar.engine.{name}") for name in ("worker", "weights"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "weights").mkdir()
        wide_weights(point.pipeline, point.wide, folder / "weights")
        made = take(point, folder)
        machine = weights.Machine((folder / "weights",), "cuda" if gpu else "cpu", 0.0)
        _warm(torch, point.pipeline)
        before = _started(torch, gpu)
        end = worker.run_job(made, {}, machine=machine)
        peak = _peak(torch, gpu) - before
        said = made.state().memory
        if getattr(end, "text", "") or said is None:
            raise RuntimeError(end)
        return {"said": said.gigabytes * 2**30, "taken": peak, "seconds": end.seconds}


def _warm(torch: Any, pipeline: str) -> None:
    """Imports what the job will, and lets the libraries set up what they keep."""
    import_module(f"pegbar.engine.pipelines.{pipeline}.pipeline")
    with torch.inference_mode():
        for shape, kernel in (((1, 8, 16, 16), (8, 8, 3, 3)), ((1, 8, 4, 16, 16), (8, 8, 3, 3, 3))):
            convolve = torch.nn.functional.conv2d if len(shape) == 4 else torch.nn.functional.conv3d
            convolve(torch.randn(shape), torch.randn(kernel))
        (torch.randn(64, 64) @ torch.randn(64, 64)).softmax(-1)


def _started(torch: Any, gpu: bool) -> int:
    if gpu:
        torch.cuda.reset_peak_memory_stats()
        return int(torch.cuda.memory_allocated())
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak(torch: Any, gpu: bool) -> int:
    return int(torch.cuda.max_memory_allocated()) if gpu else _status("VmHWM")


def _status(name: str) -> int:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return int(lines[name].split()[0]) * 1024


# --- what it works on


def wide_weights(pipeline: str, wide: int, folder: Path) -> None:
    """The random checkpoint of the tests, its networks so many times as wide."""
    tiny = import_module(f"pegbar.tests.tiny.{pipeline}")
    for name, value in vars(tiny).items():
        if name.isupper() and isinstance(value, dict):
            _widen(value, wide)
    tiny.make(folder)


def _widen(config: dict[str, Any], wide: int) -> None:
    """Multiplies the channels in a config, and the heads where they say how many channels there are."""
    for name, value in config.items():
        if isinstance(value, dict):
            _widen(value, wide)
        elif name in ("block_out_channels", "channels"):
            config[name] = [wide * channels for channels in value]
        elif name == "num_attention_heads" and "time_embed_dim" in config:
            config[name] = wide * value


def take(point: Point, folder: Path) -> Any:
    """The point's job as a take; its inputs are noise and a ring."""
    protocol, spec, catalog = (import_module(f"pegbar.engine.{name}") for name in ("protocol", "spec", "catalog"))
    made = protocol.JobFolder.create(folder)
    numbers = {"lineart": range(1, point.frames + 1)}
    inputs = {
        wanted.name: tuple(
            protocol.InputFile(frame, _drawn(made, wanted.name, frame, point.size)) for frame in numbers.get(wanted.name, (1,))
        )
        for wanted in catalog.PIPELINES[point.pipeline].inputs
        if wanted.required
    }
    params = spec.complete(catalog.PIPELINES[point.pipeline], point.params)
    made.write_job(protocol.Job(point.pipeline, params, inputs, protocol.Shot("Scene", 1, point.frames, 8.0), id="id"))
    if point.rung:
        made.state_folder.mkdir()
        (made.state_folder / "memory.json").write_text(json.dumps({"mode": point.rung}))
    return made


def _drawn(made: Any, name: str, frame: int, size: tuple[int, int]) -> str:
    pictures, drawing = import_module("PIL.Image"), import_module("PIL.ImageDraw")
    image = pictures.new("RGB", size, "white")
    drawing.Draw(image).ellipse((8 + frame, 8, size[0] // 2 + frame, size[1] - 9), outline="black", width=3)
    file = made.input_file(name, frame, ".png")
    image.save(made.file(file))
    return str(file)


# --- the table


def in_a_process(point: Point, gpu: bool = False) -> dict[str, float]:
    """`measured`, in a process whose allocator gives memory back at once."""
    command = [sys.executable, "-m", "benchmarks.memory", "--point", str(GRID.index(point)), *(["--gpu"] if gpu else [])]
    done = subprocess.run(command, env={**os.environ, **ENOUGH}, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def table(points: list[Point], gpu: bool) -> float:
    """Prints a row a point, and gives how far the worst estimate is off."""
    print("| job | rung | estimated, MiB | measured, MiB | measured / estimated |\n|---|---|---|---|---|", flush=True)
    worst = 0.0
    for point in points:
        found = in_a_process(point, gpu)
        ratio = found["taken"] / found["said"]
        worst = max(worst, abs(ratio - 1))
        print(
            f"| {point.label} | {point.rung or 'first'} | {found['said'] / MIB:.0f} | {found['taken'] / MIB:.0f} | {ratio:.2f} |",
            flush=True,
        )
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pipelines", nargs="*", help="those of these pipelines alone")
    parser.add_argument("--gpu", action="store_true", help="on a card")
    parser.add_argument("--point", type=int, help="measure one job in this process and print it as JSON")
    options = parser.parse_args()
    if options.point is not None:
        print(json.dumps(measured(GRID[options.point], options.gpu)))
        return
    worst = table([point for point in GRID if point.pipeline in (options.pipelines or [point.pipeline])], options.gpu)
    print(f"\nThe worst is {worst:.0%} off; {WITHIN:.0%} is allowed.")


if __name__ == "__main__":
    main()
