"""`python -m training.flat`: makes clips from seeds, trains the region matcher on them, and writes its weights, log and figures."""

import argparse
import os
import sys

# Before torch: one core for a batch, and the same bits each time; and room for the kernels of all shapes of batches, each of which takes long to make.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16384")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what repeatable products on a GPU ask for

from pathlib import Path

import torch

from .clips import build, read
from .train import Settings, Training, train

_HELD = 10_000_000
"""The first seed of the clips that are never trained on."""


def main() -> None:
    """Builds what clips are missing, then trains; both go on where they were ended."""
    parser = argparse.ArgumentParser(prog="python -m training.flat", description=main.__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs/flat"), help="where clips, state, weights and log are kept")
    parser.add_argument("--clips", type=int, default=32000, help="clips to train on")
    parser.add_argument("--held", type=int, default=200, help="clips to be examined on")
    parser.add_argument("--steps", type=int, default=Settings.steps, help="steps that the training is planned for")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="time after which to stop, to be resumed")
    parser.add_argument("--seed", type=int, default=0, help="what clips, first weights and batches follow from")
    parser.add_argument("--resume", action="store_true", help="go on with the training that lies in the folder")
    parser.add_argument("--build-only", action="store_true", help="make the clips, and train another time")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    sys.setswitchinterval(5e-4)  # the thread that makes batches holds up those that learn less
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # costs a tenth of the time, and nothing here reads what it did not write
    for name, first, count in (("held", _HELD, asked.held), ("train", asked.seed * 1_000_000, asked.clips)):
        for done in build(asked.folder / "clips", first, count):
            print(f"{name}: {done} of {count} clips", flush=True)
    if asked.build_only:
        return
    training = Training(Settings(asked.steps, asked.seed), asked.device)
    if asked.resume and (asked.folder / "state.pt").is_file():
        training.resume(asked.folder / "state.pt")
    clips = read(asked.folder / "clips", asked.seed * 1_000_000, asked.clips)
    held = read(asked.folder / "clips", _HELD, asked.held) if asked.held else None
    train(training, clips, held, asked.folder, lambda line: print(line, flush=True), asked.minutes)


if __name__ == "__main__":
    main()
