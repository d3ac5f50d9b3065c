"""What FlipSketch takes of a graphics card in each way of running it: every stage counted on the meta device, at the job's own size."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...diffusion.counting import counted_peak
from ...diffusion.memory import BLOCKS, EVERYTHING, ONE, Ladder, Room, Rung, Stage, part, peak
from ...diffusion.offloading import Turns
from ...estimates import Work
from . import model
from .method import Settings, Texts, alignment_gradient, reference_noise, sampling_step, segments, settings_of
from .model import COPIES, Memory
from .ranking import empty_judge
from .view import STRIDE, size_of


@dataclass(frozen=True)
class Hollow:
    """The networks without tensors, to count with."""

    model: model.Model
    judge: Any = None


@dataclass(frozen=True)
class Way:
    """How a job runs on a rung of the ladder."""

    mode: str
    memory: Memory
    told: str = ""

    def take(self, memory: Memory, turns: Turns) -> None:
        """Goes this way from now on."""
        vars(memory).update(vars(self.memory))
        turns.change(self.mode)


_SAVING = Memory(recomputes=True, one_by_one=True, decoded_at_once=1)
WAYS: Mapping[str, Way] = {
    EVERYTHING: Way(EVERYTHING, Memory()),
    "recompute": Way(EVERYTHING, Memory(recomputes=True), "with gradients computed anew"),
    ONE: Way(ONE, Memory(recomputes=True), "with one network on the card at a time"),
    "apart": Way(ONE, _SAVING, "with one network on the card and one clip at a time"),
    BLOCKS: Way(BLOCKS, _SAVING, "with one layer on the card and one clip at a time"),
}


def hollow_of(weights: Mapping[str, Path], device: torch.device) -> Hollow:
    """The networks that these weights will be."""
    return Hollow(model.hollow(weights["checkpoint"], device), empty_judge(weights["clip"]) if "clip" in weights else None)


def estimate(weights: Mapping[str, Path], work: Work, there: Room) -> Ladder:
    """The ways of running a job, before anything is loaded."""
    size = size_of((work.width, work.height), str(work.params["view"]), int(work.params["size"]))
    return rungs(hollow_of(weights, there.device), there, size, len(work.shot.frames), work.params)


def rungs(hollow: Hollow, there: Room, size: tuple[int, int], frames: int, params: Mapping[str, Any]) -> Ladder:
    """The ways of animating a drawing seen at a size (width, height); each saves something against those above."""
    own = hollow.model
    parts = {"text": part(own.text_encoder), "vae": part(own.vae), "unet": part(own.unet, by_layers=True)}
    if hollow.judge:
        parts["judge"] = part(hollow.judge)
    count = _Counts(hollow, there, size, frames, params)

    def rung(name: str, way: Way) -> Rung:
        return Rung(name, peak(parts, count.stages(way.memory), way.mode, there.is_card), way.told)

    return Ladder(rung(name, way) for name, way in WAYS.items())


class _Counts:
    """The bytes that each stage of a job makes; each is counted once."""

    def __init__(self, hollow: Hollow, there: Room, size: tuple[int, int], frames: int, params: Mapping[str, Any]) -> None:
        self._model, self._judge, self._there = hollow.model, hollow.judge, there
        self._settings: Settings = settings_of(params)
        self._variations, self._at_once = int(params["variations"]), int(params["drawings_at_once"])
        self._segments, self._frames = segments(frames, self._at_once), frames
        self._latent_size = size[1] // STRIDE, size[0] // STRIDE
        config, dtype = self._model.text_encoder.config, self._model.text_encoder.dtype
        prompt, avoided, null = (_empty(1, config.max_position_embeddings, config.hidden_size).to(dtype) for _ in range(3))
        self._counted_before: dict[object, int] = {}
        self._texts = Texts(prompt, avoided if params["negative_prompt"] else null, null)

    def stages(self, memory: Memory) -> list[Stage]:
        """All of them, in a way of saving memory; what else is alive meanwhile is small."""
        vars(self._model.memory).update(vars(memory))
        stages = [
            Stage(("vae",), self._once("encode", self._encoding)),
            Stage(("unet",), self._once(("invert", memory.one_by_one), self._inverting)),
            Stage(("unet",), self._once(("sample", memory.one_by_one), self._sampling)),
            Stage(("vae",), self._once(("decode", memory.decoded_at_once), self._decoding)),
        ]
        if self._settings.align and self._settings.align_steps:
            stages.append(Stage(("unet",), self._once(("align", memory.recomputes), self._aligning)))
        if self._judge:
            stages.append(Stage(("judge",), self._once("judge", self._judging)))
        return stages

    def _once(self, name: object, count: Callable[[], int]) -> int:
        if name not in self._counted_before:
            self._counted_before[name] = count()
        return self._counted_before[name]

    def _encoding(self) -> int:
        height, width = (STRIDE * side for side in self._latent_size)
        return self._counted(lambda: self._model.vae.encode(_empty(COPIES, 3, height, width)))

    def _inverting(self) -> int:
        """A later segment begins with a drawing of each variation."""
        drawings = self._variations if self._segments > 1 else 1
        latents = _empty(drawings, 4, COPIES, *self._latent_size)
        return self._counted(lambda: reference_noise(self._model, latents, self._texts.null, 1, lambda *_: None))

    def _sampling(self) -> int:
        """The first step: the drawing is followed in all frames."""
        latents = _empty(self._variations, 4, self._at_once, *self._latent_size)
        drawings = self._variations if self._segments > 1 else 1
        reference = _empty(drawings, 4, self._at_once, *self._latent_size)
        plain = Settings(**{**vars(self._settings), "align": False})
        scheduler = self._model.schedule(self._settings.num_inference_steps)
        return self._counted(lambda: sampling_step(self._model, scheduler, 0, latents, reference, self._texts, plain))

    def _aligning(self) -> int:
        """One update of the noise: forwards, and back through what that has kept."""
        first, others = _empty(1, 4, 1, *self._latent_size), _empty(1, 4, self._at_once - 1, *self._latent_size)
        return self._counted(
            lambda: alignment_gradient(self._model, first, others, _empty(*first.shape), 999, self._texts.prompt), gradient=True
        )

    def _decoding(self) -> int:
        """Some frames at a time; in the end all are there twice."""
        at_once, (height, width) = min(self._model.memory.decoded_at_once, self._variations * self._at_once), self._latent_size
        some = self._counted(lambda: self._model.vae.decode(_empty(at_once, 4, height, width)))
        return some + 2 * self._variations * self._at_once * 3 * STRIDE**2 * height * width * 4

    def _judging(self) -> int:
        side = self._judge.config.image_size
        return self._counted(lambda: self._judge(_empty(max(1, self._frames - 1), 3, side, side)))

    def _counted(self, run: Callable[[], object], gradient: bool = False) -> int:
        return counted_peak(run, self._there.has_workspaces, gradient)


def _empty(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")
