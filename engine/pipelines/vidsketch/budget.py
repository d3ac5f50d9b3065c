"""What VidSketch takes of a graphics card in each way of running it: every stage counted on the meta device, at the video's own size."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from ...diffusion.counting import counted_peak
from ...diffusion.memory import BLOCKS, EVERYTHING, ONE, Ladder, Room, Rung, Stage, part, peak, precision_of
from ...estimates import Work
from ...weights import everywhere
from . import models
from .drawings import MULTIPLE, Size, work_size
from .motions import Motion, chosen
from .sampling import windows

_TRAINED_AT_ONCE = 16
"""The authors' kind of network takes somewhat longer videos at once than it was trained on; beyond that it sees them in windows."""


@dataclass(frozen=True)
class Way:
    """How a video is made on a rung of the ladder. `apart`: guidance in two passes."""

    mode: str
    apart: bool = False
    told: str = ""


WAYS: Mapping[str, Way] = {
    EVERYTHING: Way(EVERYTHING),
    ONE: Way(ONE, told="with one network on the card at a time"),
    "apart": Way(ONE, True, "with one network on the card at a time and guidance in two passes"),
    BLOCKS: Way(BLOCKS, True, "with one layer at a time on the card and guidance in two passes"),
}


@dataclass(frozen=True)
class Hollow:
    """The networks without tensors, to count with, and how many frames the motion's sees at once."""

    networks: Mapping[str, Any]
    dtype: torch.dtype
    window: int


@dataclass(frozen=True)
class Made:
    """What is to be made: a video of so many frames at a size, from a picture or not; `is_warm`: the motion is loaded already."""

    size: Size
    frames: int
    from_picture: bool
    is_warm: bool = False


def window_of(motion: Motion) -> int:
    """The frames that a motion's network sees at once."""
    return max(motion.frames, _TRAINED_AT_ONCE)


def hollow_of(folder: Path, adapter: Path, motion: Motion, dtype: torch.dtype) -> Hollow:
    """The networks that these weights will be, in the precisions that they are loaded in."""
    networks = models.empty(folder) | {
        "picture": models.empty_picture(folder),
        "adapter": models.empty_adapter(adapter),
        "motion": models.empty_motion(motion, folder),
    }
    for name, network in networks.items():
        torch.nn.Module.to(network, torch.float32 if name == "vae" else dtype)
    return Hollow(networks, dtype, window_of(motion))


def estimate(weights: Mapping[str, Path], work: Work, there: Room) -> Ladder:
    """The ways of making a video whose first frame is drawn, before anything is loaded."""
    folder, *more = everywhere(weights, "motions")
    motion = chosen(folder, str(work.params["motion"]), *more)
    hollow = hollow_of(weights["sd15"], weights["adapter"], motion, precision_of(there.device))
    size = work_size((work.width, work.height), int(work.params["size"]))
    return rungs(hollow, there, Made(size, len(work.shot.frames), from_picture=False), work.params)


def rungs(hollow: Hollow, there: Room, made: Made, params: Mapping[str, Any]) -> Ladder:
    """The ways of making a video; each saves something against those above."""
    parts = {name: part(network, by_layers=name in ("motion", "picture")) for name, network in hollow.networks.items()}
    count = _Counts(hollow, there, made, params)

    def rung(name: str, way: Way) -> Rung:
        return Rung(name, peak(parts, count.stages(way.apart), way.mode, there.is_card), way.told)

    return Ladder(rung(name, way) for name, way in WAYS.items())


class _Counts:
    """The bytes that each stage makes; each is counted once."""

    def __init__(self, hollow: Hollow, there: Room, made: Made, params: Mapping[str, Any]) -> None:
        self._hollow, self._there, self._made = hollow, there, made
        self._guided, self._attended = params["guidance_scale"] != 1, params["sc_frames"]
        self._latent_size = made.size[1] // MULTIPLE, made.size[0] // MULTIPLE
        for name in ("_adapting", "_decoding", "_encoding", "_picturing", "_moving"):
            setattr(self, name, cache(getattr(self, name)))

    def stages(self, apart: bool) -> list[Stage]:
        """All of them; the picture's network is there for its own stage alone, the motion's from then on."""
        shared = ("text", "vae", "adapter")
        early = (*shared, "motion") if self._made.is_warm else shared
        first = (
            Stage(("vae",), self._encoding(), early)
            if self._made.from_picture
            else Stage(("picture",), self._picturing(apart), (*early, "picture"))
        )
        return [
            Stage(("adapter",), self._adapting(), early),
            first,
            Stage(("vae",), self._decoding(), (*shared, "motion")),
            Stage(("motion",), self._moving(apart), (*shared, "motion")),
        ]

    def _adapting(self) -> int:
        width, height = self._made.size
        channels = self._hollow.networks["adapter"].config.in_channels
        return self._counted(lambda: self._hollow.networks["adapter"](self._half(1, channels, height, width)))

    def _encoding(self) -> int:
        width, height = self._made.size
        return self._counted(lambda: self._hollow.networks["vae"].encode(_empty(1, 3, height, width)))

    def _decoding(self) -> int:
        return self._counted(lambda: self._hollow.networks["vae"].decode(_empty(1, 4, *self._latent_size)))

    def _picturing(self, apart: bool) -> int:
        rows = self._rows(apart)

        def run() -> None:
            maps = [level.expand(rows, -1, -1, -1) for level in self._maps()]
            sample = self._half(rows, 4, *self._latent_size)
            self._hollow.networks["picture"](
                sample, _empty(), self._words(rows), return_dict=False, down_intrablock_additional_residuals=maps
            )

        return self._counted(run)

    def _moving(self, apart: bool) -> int:
        """One prediction of the frames that the network sees at once; the maps are there for all."""
        rows, seen = self._rows(apart), len(windows(self._made.frames, self._hollow.window)[0])

        def run() -> None:
            maps = [level.unsqueeze(2).repeat(1, 1, self._made.frames, 1, 1) for level in self._maps()]
            parts = [level[:, :, :seen] for level in maps]
            sample = self._half(rows, 4, seen, *self._latent_size)
            self._hollow.networks["motion"](sample, _empty(), self._words(rows), parts, self._attended).float()

        return self._counted(run)

    def _maps(self) -> list[torch.Tensor]:
        width, height = self._made.size
        channels = self._hollow.networks["adapter"].config.in_channels
        return list(self._hollow.networks["adapter"](self._half(1, channels, height, width)))

    def _rows(self, apart: bool) -> int:
        return 2 if self._guided and not apart else 1

    def _words(self, rows: int) -> torch.Tensor:
        config = self._hollow.networks["text"].config
        return self._half(rows, config.max_position_embeddings, config.hidden_size)

    def _half(self, *shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=self._hollow.dtype, device="meta")

    def _counted(self, run: Callable[[], object]) -> int:
        return counted_peak(run, self._there.has_workspaces)


def _empty(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")
