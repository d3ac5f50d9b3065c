"""Paints a shot's line art after its references, segment by segment; a frame is written as soon as it is final.

What a later run needs to go on is one file in the job's state folder, replaced after each segment, so neither memory nor disk grows with
the shot. Knows no Blender.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...diffusion import lineart as line_network
from ...diffusion.memory import Rung, climbed, room
from ...diffusion.offloading import Turns
from ...diffusion.sampling import rough_picture
from ...drawing import cels, raster
from ...drawing.frames import Frames
from ...drawing.regions import eight_bit
from ...protocol import Job, Shot
from ...spec import Report
from ...strokes import Strokes
from . import checkpoint, colours, networks, plan
from .budget import DECODING, PAINTING, READING, WAYS, hollow, rungs
from .checkpoint import Checkpoint
from .conditioning import Condition, condition, draw
from .decoding import Chunks, Pending, decode
from .lines import Lines, cut, reference_picture
from .networks import Networks
from .sampling import Carry, final_latents, first_carry, hint_frames, sample_segment, settings_of

Floats = NDArray[np.float32]

_PREVIEW_STEPS, _PREVIEW_SIDE = 5, 256
"""Steps from one preview to the next, and the longer side of its picture."""


@dataclass(frozen=True)
class Model:
    """What is loaded: LVCD's networks and, where its weights are there, that which finds lines in colour frames."""

    networks: Networks
    hollow: Networks
    """The same without tensors, to count with."""
    turns: Turns
    lines: line_network.LineNetwork | None


def load(weights: Mapping[str, Path], device: str) -> Model:
    """The networks, which come to the device when it is their turn. Raises PegbarError where a file is missing, damaged or another."""
    loaded = networks.load(weights, device, waiting=True)
    empty = hollow(networks.config_beside(weights["svd"]), loaded.dtype)
    if loaded.conditioner is loaded.encoder:
        empty = replace(empty, conditioner=empty.encoder)
    turns = Turns({name: getattr(loaded, name) for name in (*READING, *PAINTING, *DECODING)}, loaded.device, by_layers=PAINTING)
    return Model(loaded, empty, turns, line_network.load(weights["sk_model"], loaded.device) if "sk_model" in weights else None)


def generate(model: Model, job: Job, inputs: Mapping[str, Frames], report: Report) -> None:
    """Writes a painted frame for each frame of the shot. Raises PegbarError, also where memory is full; Cancelled."""
    shot = _Shot(model, job, inputs["lineart"], inputs["reference"], report)
    shot.paste()
    there = room(model.networks.device, report.memory_gb, model.turns.held)
    ways = rungs(model.hollow, there, *shot.working_size[::-1], shot.settings)
    with torch.inference_mode():
        climbed(ways, there, report, shot.paint, lambda: model.turns.held)


class _Shot:
    """A shot on the way to its frames. A drawing is what the line art shows from one frame until it changes: it is painted once, however
    long it is held."""

    def __init__(self, model: Model, job: Job, lines: Frames, references: Frames, report: Report) -> None:
        self.params = job.params
        self.seed = job.seed
        self._model, self._references, self._report = model, references, report
        self.size = cels.common_size(lines)
        self.frames = [tuple(held) for _, held in groupby(job.shot.frames, key=lambda frame: lines.file(lines.shown(frame)))]
        self.anchors = self._anchored(job.shot)
        self.runs = plan.runs(len(self.frames), self.anchors, self.params["blend_frames"], self.params["keep_references"])
        self.working_size = plan.fitted(self.size, self.params["working_width"])
        numbers = [lines.shown(held[0]) for held in self.frames]
        self.lines = Lines(lines, numbers, self.working_size, self.params, model.lines, report)
        self.settings = settings_of(self.params)
        self.chunks = Chunks()
        self._condition = lru_cache(maxsize=1)(self._conditioned)
        self._palette = self._locked_palette() if self.params["lock_colours"] else None

    # --- references

    def _anchored(self, shot: Shot) -> dict[int, int]:
        anchors = plan.anchored(self._references.numbers, [held[0] for held in self.frames], shot.last)
        for number in self._references.numbers:
            if number not in anchors.values():
                self._report.warn(f"The reference at frame {number} is not used: another one is nearer to all that it could serve")
            elif not shot.first <= number <= shot.last:
                self._report.warn(f"The reference at frame {number} lies outside the shot, so its lines are found in the picture itself")
        for number, (width, height) in cels.other_proportions(self._references, self.size):
            self._report.warn(
                f"The reference at frame {number} is {width} x {height}, the line art {self.size[0]} x {self.size[1]}: its middle is used"
            )
        return anchors

    def _conditioned(self, number: int) -> Condition:
        self._model.turns.call(*READING)
        picture = reference_picture(self._references[number], self.working_size, self.size)
        image = torch.from_numpy(picture.transpose(2, 0, 1)[None] * 2 - 1)
        noise = draw(self.seed, self.settings.num_frames, *self.working_size[::-1])
        params = self.params
        return condition(self._model.networks, image, noise, params["motion_fps"], params["motion_bucket_id"], params["noise_aug_strength"])

    def _locked_palette(self) -> NDArray[np.uint8]:
        pictures = (eight_bit(cels.exact(self._references[number], self.size)) for number in self._references.numbers)
        return colours.palette_of(pictures, self.params["speck_size"])

    def paste(self) -> None:
        """Writes the references at the drawings that they show, where that is wanted."""
        if self.params["keep_references"]:
            for drawing, number in self.anchors.items():
                if 0 <= drawing < len(self.frames) and not self._have(drawing):
                    frame = self._references[number]
                    if isinstance(frame, Strokes):
                        self._write(drawing, raster.coloured(frame, self.size))
                    else:
                        self._write(drawing, cels.smooth(cut(frame, self.size), self.size))

    # --- painting

    def paint(self, rung: Rung) -> None:
        """Paints every run of which a frame is not written yet, on from the checkpoint where it fits what is there."""
        way = WAYS[rung.name]
        self._model.turns.change(way.mode)
        start = checkpoint.kept(self._report.state)
        if start is not None and not self._fits(start):
            start = None
        self.settings = replace(self.settings, combine=way.combine)
        self.chunks = Chunks(way.length if start is None else min(way.length, start.chunk))
        seam = {} if start is None else {drawing: part.numpy() for drawing, part in start.seam.items()}
        for index in range(0 if start is None else start.run, len(self.runs)):
            going_on = start if start is not None and start.run == index else None
            if going_on or not all(self._have(drawing) for drawing in self.runs[index].painted):
                self._paint_run(index, going_on, seam)
        checkpoint.forget(self._report.state)

    def _fits(self, start: Checkpoint) -> bool:
        """Whether all that was painted before the checkpoint is still there."""
        earlier = [drawing for run in self.runs[: start.run] for drawing in run.painted]
        run = self.runs[start.run]
        earlier += [d for d, share in zip(run.drawings[: start.place], run.shares, strict=False) if d is not None and share > 0]
        return all(self._have(drawing) or drawing in start.seam for drawing in earlier)

    def _paint_run(self, index: int, start: Checkpoint | None, seam: dict[int, Floats]) -> None:
        run = self.runs[index]
        places = _Places(run)
        pending = None
        for segment, carry, latents in self._segments(index, start):
            if start is not None and segment == start.segment:
                places.next, pending = start.place, start.pending
            else:
                parts = {drawing: torch.from_numpy(part) for drawing, part in seam.items()}
                checkpoint.keep(
                    self._report.state, Checkpoint(index, segment, places.next, self.chunks.length, carry, pending, latents, parts)
                )
            pending = self._decode(run, places, latents, pending, segment == run.segments - 1, seam)

    def _segments(self, index: int, start: Checkpoint | None) -> Iterator[tuple[int, Carry, torch.Tensor]]:
        """Each segment of a run from the checkpoint's on: its index, what follows from it, and its final latents."""
        run = self.runs[index]
        given = self._condition(run.reference)
        if start is None:
            first, carry = 0, first_carry(draw(self.seed, self.settings.num_frames, *self.working_size[::-1]).latents)
        else:
            first, carry = start.segment + 1, start.carry
            yield start.segment, carry, start.latents
        before = sum(earlier.segments for earlier in self.runs[:index])
        total = sum(run.segments for run in self.runs)
        for segment in range(first, run.segments):
            hint = self._hint(run, segment)
            phase = f"Segment {before + segment + 1} of {total}"
            self._report.progress(phase, 0, self.settings.num_inference_steps)
            self._model.turns.call(*PAINTING)
            x0, carry = sample_segment(self._model.networks, given, hint, carry, self.settings, self._teller(phase))
            yield segment, carry, final_latents(x0, given, self.settings, first=segment == 0, last=segment == run.segments - 1)

    def _hint(self, run: plan.Run, segment: int) -> torch.Tensor:
        """(t, 3, H, W): the lines that each model frame of a segment sees."""
        hints: list[torch.Tensor] = []
        for place in hint_frames(segment, self.settings):
            self._report.progress("Reading Lines", len(hints), self.settings.num_frames)
            drawing = run.drawings[place]
            own = self.lines.of_picture(self._references[run.reference], self.size) if drawing is None else self.lines.hint(drawing)
            hints.append(torch.from_numpy(own))
        return torch.stack(hints)[:, None].repeat(1, 3, 1, 1)

    def _teller(self, phase: str) -> Any:
        def on_step(step: int, of: int, denoised: torch.Tensor) -> None:
            self._report.progress(phase, step, of)
            if step % _PREVIEW_STEPS == 0 or step == of:
                self._report.preview(cels.smooth(_opaque(rough_picture(denoised[-1])), _within(self.size, _PREVIEW_SIDE)))

        return on_step

    def _decode(
        self, run: plan.Run, places: "_Places", latents: torch.Tensor, pending: Pending | None, last: bool, seam: dict[int, Floats]
    ) -> Pending | None:
        """Writes the frames that these latents make final, and gives what the decoder keeps. Padding that nothing needs is not decoded."""
        self._model.turns.call(*DECODING)
        for step, latent in enumerate(latents.split(1)):
            if not places.wanted:
                break
            self._report.progress("Decoding", step, len(latents))
            frames, pending = decode(self._model.networks, latent, pending, last=last and step == len(latents) - 1, chunks=self.chunks)
            for frame in frames:
                drawing, share = places.take()
                if drawing is not None and share > 0 and not self._have(drawing):
                    self._finish(drawing, share, frame.permute(1, 2, 0).numpy() / 2 + 0.5, seam)
        return pending

    def _finish(self, drawing: int, share: float, picture: Floats, seam: dict[int, Floats]) -> None:
        """Takes a run's picture of a drawing; writes it once its shares are whole."""
        if share < 1:
            picture = np.float32(share) * picture
            if drawing not in seam:
                seam[drawing] = picture
                return
            picture = seam.pop(drawing) + picture
        image = cels.smooth(_opaque(np.clip(picture, 0, 1)), self.size)
        if self._palette is not None:
            layer = self.lines.layer(drawing, self.size)
            threshold = colours.EXTRACTED if self.lines.in_colour else colours.DRAWN
            pixels = colours.locked(image[..., :3], layer, self._palette, threshold, self.params["close_gaps"], self.params["speck_size"])
            image = np.divide(pixels, 255, dtype=np.float32)
        self._write(drawing, image)
        self._report.preview(cels.smooth(image, _within(self.size, _PREVIEW_SIDE)))

    # --- frames

    def _have(self, drawing: int) -> bool:
        return self._report.written("clip").issuperset(self.frames[drawing])

    def _write(self, drawing: int, image: Floats) -> None:
        for frame in self.frames[drawing]:
            self._report.write("clip", frame, image)


class _Places:
    """The places of a run in the order in which their frames come."""

    def __init__(self, run: plan.Run) -> None:
        self.next = 0
        self._run = run
        self._end = max(place for place, share in enumerate(run.shares) if share > 0) + 1

    @property
    def wanted(self) -> bool:
        return self.next < self._end

    def take(self) -> tuple[int | None, float]:
        """Drawing and share of the next place."""
        self.next += 1
        return self._run.drawings[self.next - 1], self._run.shares[self.next - 1]


def _opaque(picture: Floats) -> Floats:
    return np.concatenate([picture, np.ones((*picture.shape[:2], 1), np.float32)], -1)


def _within(size: cels.Size, side: int) -> cels.Size:
    """The size of a small picture of the same proportions."""
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
