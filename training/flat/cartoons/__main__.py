"""`python -m training.flat.cartoons OUT.png`: contact sheets of both configurations, and their figures."""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from . import HELD_OUT, TRAINING, Clip, Config, clean, clip, palette


def main() -> None:
    """Writes the sheets and prints what the clips are like."""
    parser = argparse.ArgumentParser(prog="python -m training.flat.cartoons", description=main.__doc__)
    parser.add_argument("out", type=Path, help="the contact sheet of TRAINING; HELD_OUT's gets its name with _held_out")
    parser.add_argument("--clips", type=int, default=200, help="clips that the figures are taken from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, nargs=2, default=(128, 128))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    for name, config in (("training", TRAINING), ("held out", HELD_OUT)):
        out = options.out if config is TRAINING else options.out.with_stem(options.out.stem + "_held_out")
        cv2.imwrite(str(out), sheet(options.seed, config, tuple(options.size))[..., ::-1])
        kind = options.seed, options.clips, config, tuple(options.size)
        print(f"{name}: {speed(*kind):.0f} frames a CPU second; {census(*kind)}")


def sheet(seed: int, config: Config, size: tuple[int, int], rows: int = 12, frames: int = 5) -> NDArray[np.uint8]:
    """Clips in rows of two columns: lines and colours side by side."""
    strips = []
    for s in range(seed, seed + 2 * rows):
        made = clip(s, frames, size, config)
        coloured = painted(made, palette(np.random.default_rng(s), made.count))
        lines = np.repeat(255 - made.lines[[0, -1], ..., None], 3, -1)
        strips.append(np.concatenate([*lines, *coloured], 1))
    return np.concatenate([np.concatenate(strips[:rows]), np.concatenate(strips[rows:])], 1)


def painted(made: Clip, colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The coloured frames (f, h, w, 3) under their lines."""
    return (colours[made.ids] * (1 - made.lines[..., None] / 255)).astype(np.uint8)


def speed(seed: int, clips: int, config: Config, size: tuple[int, int], frames: int = 8) -> float:
    """Frames a CPU second, all in."""
    start = time.process_time()
    for s in range(seed, seed + clips):
        clip(s, frames, size, config)
    return clips * frames / (time.process_time() - start)


def census(seed: int, clips: int, config: Config, size: tuple[int, int], frames: int = 8) -> str:
    """What clips with clean lines are like: regions a frame, purity, unseen regions, lines at the edge, identities."""
    counts, pure, areas, unseen, edge, identities = [], 0, 0, 0, 0, []
    for s in range(seed, seed + clips):
        made = clip(s, frames, size, clean(config))
        known = np.isin(np.arange(made.count), made.ids[0][made.lines[0] < 128])
        identities.append(made.count)
        for ids, lines in zip(made.ids, made.lines, strict=True):
            owners, best, area = regions(ids, lines, made.count)
            counts.append(len(area))
            pure, areas = pure + best[area >= 20].sum(), areas + area[area >= 20].sum()
            unseen += (~known[owners]).sum()
            edge += max(lines[0].max(), lines[-1].max(), lines[:, 0].max(), lines[:, -1].max()) > 128
    spread = np.percentile(counts, [5, 25, 50, 75, 95]).astype(int).tolist()
    return (
        f"regions a frame {spread} (5, 25, 50, 75, 95 %); {pure / areas:.4f} of their area pure; {unseen / sum(counts):.3f} unseen in the "
        f"first frame; lines touch the edge in {edge / len(counts):.2f} of the frames; "
        f"identities {int(np.median(identities))}, at most {max(identities)}"
    )


def regions(ids: NDArray[np.uint8], lines: NDArray[np.uint8], count: int, least: int = 8) -> tuple[NDArray, NDArray, NDArray]:
    """Of the areas that the lines enclose: their most common identity, its pixels, and all pixels."""
    n, labels, stats, _ = cv2.connectedComponentsWithStats((lines < 128).astype(np.uint8), connectivity=4)
    votes = np.bincount(labels.ravel() * count + ids.ravel(), minlength=n * count).reshape(n, count)[1:]
    keep = stats[1:, cv2.CC_STAT_AREA] >= least
    return votes.argmax(1)[keep], votes.max(1)[keep], stats[1:, cv2.CC_STAT_AREA][keep]


if __name__ == "__main__":
    main()
