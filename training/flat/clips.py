"""Cartoon clips as the matcher sees them: rendered from their seeds, cut into regions, described, and kept on disk."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.drawing.regions import Labels, segment
from engine.pipelines.flat.description import LOOKS, Regions, describe

from .cartoons import TRAINING, clip

FRAMES = 4
"""Frames of a clip."""
SHARD = 200
"""Clips in a file."""
MOST = 250
"""Regions of a frame from which it is left out."""
_PLAN = 128
"""Cells along the longer side of the plans that are kept."""
_STORED = {"looks": np.uint8, "points": np.float16, "neighbours": np.int16, "border": np.float16, "towards": np.float32}
_SIZES = {128: 0.35, 160: 0.25, 192: 0.15, 256: 0.2, 384: 0.05}
"""Longer sides in pixels, and how often each is drawn."""
_CROWDS = 0.3
"""Share of crowds in pictures of 256 pixels and more."""
_ASPECTS = (1.0, 1.0, 16 / 9, 4 / 3, 9 / 16)


@dataclass(frozen=True)
class Drawings:
    """All frames of many clips; rows of all regions, of all their meetings, and cells of all plans one after the other."""

    rows: dict[str, NDArray]
    clip: NDArray[np.int32]
    """(f,) which clip each frame is of; frames of one follow each other."""
    regions: NDArray[np.int64]
    """(f + 1,) where each frame's regions begin."""
    meetings: NDArray[np.int64]
    cells: NDArray[np.int64]
    shape: NDArray[np.int16]
    """(f, 2) of each plan."""

    def frame(self, number: int) -> tuple[Regions, NDArray[np.int16]]:
        """A frame's regions, and which part's colour each has; -1 where it has several."""
        own = {}
        for field in fields(Regions):
            starts = self.meetings if field.name in ("neighbours", "border", "towards") else self.regions
            if field.name != "plan":
                own[field.name] = self.rows[field.name][starts[number] : starts[number + 1]]
        wide = {name: own[name].astype(np.int32 if name == "neighbours" else np.float32) for name in ("points", "neighbours", "border")}
        plan = self.rows["plan"][self.cells[number] : self.cells[number + 1]].reshape(self.shape[number]).astype(np.int32)
        colours = self.rows["colours"][self.regions[number] : self.regions[number + 1]]
        return Regions(**{**own, **wide}, plan=plan), colours

    @property
    def counts(self) -> NDArray[np.int64]:
        """(f,) regions of each frame."""
        return np.diff(self.regions)


def build(folder: Path, first: int, count: int) -> Iterator[int]:
    """Renders and describes the clips of `count` seeds into files below `folder`, on all cores, and yields how many are done; files there
    are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = [range(start, min(start + SHARD, first + count)) for start in range(first, first + count, SHARD)]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as workers:
        for seeds, _ in zip(shards, workers.map(_made, repeat(folder), shards), strict=True):
            yield seeds.stop - first


def _made(folder: Path, seeds: range) -> None:
    path = _shard(folder, seeds.start)
    if not path.is_file():
        _write(path, [_described(seed) for seed in seeds])


def read(folder: Path, first: int, count: int) -> Drawings:
    """The clips that `build` made."""
    shards = [np.load(_shard(folder, start)) for start in range(first, first + count, SHARD)]
    kept = [{name: shard[name] for name in shard.files} for shard in shards]
    joined = {name: np.concatenate([shard[name] for shard in kept]) for name in kept[0]}
    starts = [np.concatenate([[0], np.cumsum(joined.pop(name))]) for name in ("regions", "meetings", "cells")]
    return Drawings(clip=joined.pop("clip"), regions=starts[0], meetings=starts[1], cells=starts[2], shape=joined.pop("shape"), rows=joined)


def _shard(folder: Path, start: int) -> Path:
    return folder / f"clips_{start:07d}.npz"


def _described(seed: int) -> list[tuple[int, Regions, NDArray[np.int16]]]:
    rng = np.random.default_rng([seed, 7])
    longer, aspect = rng.choice(list(_SIZES), p=list(_SIZES.values())), rng.choice(_ASPECTS)
    size = (round(longer * min(1, aspect)), round(longer * min(1, 1 / aspect)))
    # The larger a picture, the finer its lines beside it, and so the smaller the regions between them.
    fine = float((min(size) / 128) ** -rng.uniform(0, 0.8)) if min(size) > 128 else 1.0
    low, high = TRAINING.width
    crowd = _CROWDS if longer >= 256 else TRAINING.crowd
    found = clip(seed, FRAMES, size, replace(TRAINING, width=(low * fine, high * fine), crowd=crowd))
    gaps, specks = int(rng.choice([3, 4, 6])), int(rng.choice([3, 4, 6, 8]))
    out = []
    for lines, ids in zip(found.lines, found.ids, strict=True):
        labels = segment(lines / np.float32(255), 0.5, gaps, specks)
        if 1 < int(labels.max()) + 1 <= MOST:
            out.append((seed, describe(labels), _colours(labels, lines, ids)))
    return out if len(out) > 1 else []


def _colours(labels: Labels, lines: NDArray[np.uint8], ids: NDArray) -> NDArray[np.int16]:
    """(n,) the colour that fills a region's paper, -1 where none fills two thirds of it."""
    n, k = int(labels.max()) + 1, int(ids.max()) + 1
    paper = np.where(lines < 128, 1.0, 1e-3).ravel()
    counts = np.bincount(labels.ravel().astype(np.intp) * k + ids.ravel(), paper, n * k).reshape(n, k)
    return np.where(counts.max(1) > counts.sum(1) * 2 / 3, counts.argmax(1), -1).astype(np.int16)


def _write(path: Path, clips: list[list[tuple[int, Regions, NDArray[np.int16]]]]) -> None:
    frames = [frame for clip_ in clips for frame in clip_]
    plans = [_coarse(regions.plan) for _, regions, _ in frames]
    arrays = {
        field.name: np.concatenate([getattr(regions, field.name) for _, regions, _ in frames]).astype(_STORED.get(field.name, np.float32))
        for field in fields(Regions)
        if field.name != "plan"
    }
    arrays |= {
        "plan": np.concatenate([plan.ravel() for plan in plans]),
        "shape": np.array([plan.shape for plan in plans], np.int16),
        "colours": np.concatenate([colours for _, _, colours in frames]),
        "clip": np.array([seed for seed, _, _ in frames], np.int32),
        "regions": np.array([len(regions) for _, regions, _ in frames]),
        "meetings": np.array([len(regions.neighbours) for _, regions, _ in frames]),
        "cells": np.array([plan.size for plan in plans]),
    }
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, **arrays)
    os.replace(partial, path)


def _coarse(plan: NDArray[np.int32]) -> NDArray[np.uint8]:
    rows, columns = (
        ((np.arange(max(1, side * _PLAN // max(plan.shape))) + 0.5) * max(plan.shape) / _PLAN).astype(int) for side in plan.shape
    )
    return plan[rows[:, None], columns].astype(np.uint8)


def turned(regions: Regions, across: bool, down: bool, corner: bool) -> Regions:
    """A frame mirrored left to right, top to bottom, and at its diagonal."""
    looks, centre, points, towards, plan = regions.looks, regions.centre, regions.points, regions.towards, regions.plan
    extent, moments, contact = regions.extent, regions.moments, regions.contact
    pictures = looks[:, : 5 * 144].reshape(-1, 5, 12, 12)
    for axis, mirrored in enumerate((across, down)):
        if mirrored:
            side = np.float32(plan.shape[1 - axis] / max(plan.shape))
            sign = np.array([-1, 1] if axis == 0 else [1, -1], np.float32)
            shift = np.where(sign < 0, side, np.float32(0))
            centre, points, towards = centre * sign + shift, points * sign + shift, towards * sign
            plan, pictures = np.flip(plan, 1 - axis), np.flip(pictures, 3 - axis)
            moments = moments * np.array([1, -1, 1], np.float32)
            contact = contact[:, [2, 1, 0, 3] if axis == 0 else [0, 3, 2, 1]]
    if corner:
        centre, points, towards, extent, moments = (v[..., ::-1] for v in (centre, points, towards, extent, moments))
        plan, pictures, contact = plan.T, pictures.swapaxes(2, 3), contact[:, [1, 0, 3, 2]]
    looks = np.concatenate([pictures.reshape(-1, 5 * 144), looks[:, 5 * 144 : LOOKS]], 1)
    return replace(
        regions, looks=looks, centre=centre, points=points, towards=towards, plan=plan, extent=extent, moments=moments, contact=contact
    )
