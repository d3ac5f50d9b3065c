"""Drawings and a sentence to a video: reads the drawings, makes or fits the first frame, samples, decodes frame by frame.

What was sampled is kept in the job's state every few steps, so a job that was cut off goes on to the same bits. Knows no Blender.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor

from ...diffusion.memory import EVERYTHING, Rung, climbed, device_of, room
from ...diffusion.offloading import Turns
from ...diffusion.sampling import noise, rough_picture, seeded
from ...drawing.frames import Frames
from ...protocol import Job, PegbarError, write_atomic
from ...spec import Report
from ...weights import everywhere
from . import budget, drawings, models, sampling
from .abstraction import Control, control_at, measured
from .models import Model
from .motions import chosen
from .unet import InflatedUNet

MOST_FRAMES = 64
_KEPT_EVERY = 5
"""Steps after which what was sampled is kept."""


@dataclass(frozen=True)
class Drawings:
    """What the drawings say: how they steer, and the adapter's maps of each, (n, c, h, w) a level."""

    control: Control
    maps: list[Tensor]
    positions: list[float]
    """Of each drawing, in frames from the first."""


def load(weights: Mapping[str, Path], device: str) -> Model:
    """The networks that every motion shares; a motion is loaded when a job asks for it. Raises PegbarError."""
    place = device_of(device)
    motions, *more = everywhere(weights, "motions")
    base = models.load_stable_diffusion(weights["sd15"], place, waiting=True)
    adapter = models.load_adapter(weights["adapter"], place, waiting=True)
    turns = Turns({"text": base.text_encoder, "vae": base.vae, "adapter": adapter}, place, by_layers=("motion", "picture"))
    return Model(base, adapter, weights["adapter"], turns, motions, tuple(more))


def generate(model: Model, job: Job, inputs: Mapping[str, Frames], report: Report) -> None:
    """Writes the video's frames, the first one before the others are made, and says how the drawings steer. Raises PegbarError, also where
    memory is full; Cancelled."""
    if not 2 <= len(job.shot.frames) <= MOST_FRAMES:
        raise PegbarError(f"The shot has {len(job.shot.frames)} frames: choose a range of 2 to {MOST_FRAMES}, or a larger step")
    video = _Video(model, job, inputs, report)
    there = room(model.stable_diffusion.device, report.memory_gb, model.turns.held)
    hollow = budget.hollow_of(video.base.folder, model.adapter_folder, video.motion, video.base.dtype)
    made = budget.Made(video.sizes.work, len(job.shot.frames), bool(video.first_frame), model.has(video.motion))
    climbed(budget.rungs(hollow, there, made, job.params), there, report, video.make, lambda: model.turns.held)


class _Video:
    """One video on its way."""

    def __init__(self, model: Model, job: Job, inputs: Mapping[str, Frames], report: Report) -> None:
        self.model, self.base, self.job, self.report = model, model.stable_diffusion, job, report
        self.frames = job.shot.frames
        self.sketches, self.first_frame = inputs["sketch"], inputs["first_frame"]
        self.motion = chosen(model.motions, job.params["motion"], *model.more_motions)
        self.way = budget.WAYS[EVERYTHING]
        self.sizes = drawings.sizes(self.sketches, self.first_frame, job.params["size"])
        width, height = self.sizes.work
        self.latent_shape = (4, height // drawings.MULTIPLE, width // drawings.MULTIPLE)
        generator = seeded(job.seed)
        self.picture_noise = noise((1, *self.latent_shape), generator, self.base.device)
        self.noise = noise((1, 4, len(self.frames), *self.latent_shape[1:]), generator, self.base.device)

    def make(self, rung: Rung) -> None:
        """Makes what is not there yet."""
        self.way = budget.WAYS[rung.name]
        self.model.turns.change(self.way.mode)
        self.model.turns.call("text")
        text = self.base.encode_text(self.job.params["negative_prompt"], self.job.params["prompt"] or self.motion.prompt)
        self.model.turns.call("adapter")
        drawn = self._read()
        settings = self._settings(drawn.control)
        first = self._first_latents(drawn, text, settings)
        picture = self._decoded(first)
        self._write(0, picture)
        self.report.preview(drawings.resized(picture, _small(self.sizes.work)))
        self.report.progress("Loading", 0, 0)
        latents = self._sampled(self.model.network(self.motion), drawn, text, settings, first)
        for index in range(1, len(self.frames)):
            if self.frames[index] not in self.report.written("clip"):
                self.report.progress("Finishing", index, len(self.frames))
                frame = self._decoded(latents[:, :, index])
                self._write(index, sampling.colours_matched(frame, picture) if self.job.params["match_colours"] else frame)
        self.report.progress("Finishing", len(self.frames), len(self.frames))

    # --- drawings

    def _read(self) -> Drawings:
        """The drawings as the adapter sees them; says how abstract they are and how they steer."""
        scores, maps = [], []
        for step, number in enumerate(self.sketches.numbers):
            self.report.progress("Reading drawings", step, len(self.sketches))
            drawing = self.sketches[number]
            scores.append(measured(drawings.grey(drawing)).score)
            image = drawings.control_image(drawings.grey(drawing, self.sizes.work), self.sizes.work)
            maps.append(self._adapted(image))
        control = self._control(float(np.mean(scores)))
        shot = self.job.shot
        positions = [(number - shot.first) / shot.step for number in self.sketches.numbers]
        return Drawings(control, [torch.cat(level) for level in zip(*maps, strict=True)], positions)

    @torch.no_grad()
    def _adapted(self, image: Tensor) -> list[Tensor]:
        return self.model.adapter(image[None].to(self.base.device, self.model.adapter.dtype))

    def _control(self, score: float) -> Control:
        """How drawings of this mean abstraction steer by the job's params, said to the artist."""
        params = self.job.params
        given = {"auto": "", "abstraction": f", taken as {params['abstraction']:.2f}", "fixed": ", not used"}[params["control"]]
        if params["control"] == "fixed":
            control = Control(params["strength"], params["tau"])
        else:
            control = control_at(score if params["control"] == "auto" else params["abstraction"])
        self.report.warn(
            f"Measured abstraction {score:.2f}{given}: the drawings steer at strength {control.scale:.2f} for {control.tau:.0%} of the steps"
        )
        return control

    def _settings(self, control: Control) -> sampling.Sampling:
        params, window, apart = self.job.params, budget.window_of(self.motion), self.way.apart
        return sampling.Sampling(params["num_inference_steps"], params["guidance_scale"], control, params["sc_frames"], window, apart)

    # --- pictures

    def _first_latents(self, drawn: Drawings, text: Tensor, settings: sampling.Sampling) -> Tensor:
        """The clean first frame's scaled latents (1, 4, h/8, w/8): of the artist's picture, or made from the first drawing."""
        kept = self.report.state / "first_frame.safetensors"
        if kept.is_file():
            return load_file(kept)["latents"].to(self.base.device)
        if self.first_frame:
            picture = drawings.picture(self.first_frame[self.first_frame.numbers[0]], self.sizes.work)
            self.model.turns.call("vae")
            latents = self.base.encode(picture, self.picture_noise)
        else:
            latents = self._drawn_first(drawn, text, settings)
        write_atomic(kept, save({"latents": latents.cpu().contiguous()}))
        return latents

    def _drawn_first(self, drawn: Drawings, text: Tensor, settings: sampling.Sampling) -> Tensor:
        """Stable Diffusion's own picture of the first drawing; its UNet leaves again before the motion's comes."""
        self.report.progress("Loading", 0, 0)
        unet = self.base.unet_2d()
        self.model.turns.add("picture", unet)
        self.model.turns.call("picture")
        phase = _Phase(self.report, "Drawing the first frame", settings.num_inference_steps)

        def told(done: int, latents: Tensor) -> None:
            phase.told(done)
            self._preview(latents[0], done)

        try:
            with phase.heard_in(unet):
                maps = [level[:1] for level in drawn.maps]
                return sampling.sample_picture(unet, self.base.scheduler, self.picture_noise, text, maps, settings, told)
        finally:
            self.model.turns.drop("picture")

    def _decoded(self, latents: Tensor) -> NDArray[np.float32]:
        """The picture (h, w, 3) of one frame's latents (1, 4, h/8, w/8), at the working size."""
        self.model.turns.call("vae")
        return self.base.decode(latents)[0].permute(1, 2, 0).float().cpu().numpy()

    def _write(self, index: int, picture: NDArray[np.float32]) -> None:
        if self.frames[index] not in self.report.written("clip"):
            self.report.write("clip", self.frames[index], drawings.resized(picture, self.sizes.own))

    def _preview(self, latents: Tensor, done: int) -> None:
        if done % _KEPT_EVERY == 0:
            self.report.preview(rough_picture(latents))

    # --- sampling

    def _sampled(self, unet: InflatedUNet, drawn: Drawings, text: Tensor, settings: sampling.Sampling, first: Tensor) -> Tensor:
        """The video's latents (1, 4, f, h/8, w/8), gone on with where an earlier run has left them."""
        kept = self.report.state / "video.safetensors"
        done, latents = 0, sampling.started(first[:, :, None], sampling.shared(self.noise))
        if kept.is_file():
            state = load_file(kept)
            done, latents = int(state["done"]), state["latents"].to(self.base.device)
        self.model.turns.call("motion")
        phase = _Phase(self.report, "Drawing", settings.num_inference_steps, done)

        def predict(video: Tensor, t: Tensor, text: Tensor, maps: Any) -> Tensor:
            return unet(video.to(unet.dtype), t, text, maps, settings.attended).float()

        def told(done: int, latents: Tensor) -> None:
            if done % _KEPT_EVERY == 0 or done == settings.num_inference_steps:
                write_atomic(kept, save({"done": torch.tensor(done), "latents": latents.cpu().contiguous()}))
            phase.told(done)
            self._preview(latents[0, :, latents.shape[2] // 2], done)

        shares = sampling.steering(drawn.positions, len(self.frames))
        maps = sampling.expanded(drawn.maps, shares, settings.control.scale)
        with phase.heard_in(unet):
            return sampling.sample(predict, self.base.scheduler, latents, text, maps, settings, told, done)


class _Phase:
    """Tells of the steps of a phase, and listens within each step, so that a run stops within one."""

    def __init__(self, report: Report, name: str, steps: int, done: int = 0) -> None:
        self._report, self._name, self._steps, self._done = report, name, steps, done
        self._tell()

    def told(self, done: int) -> None:
        self._done = done
        self._tell()

    def _tell(self, *_: Any) -> None:
        self._report.progress(self._name, self._done, self._steps)

    @contextlib.contextmanager
    def heard_in(self, unet: torch.nn.Module) -> Iterator[None]:
        """Listens before each of the network's blocks."""
        blocks: list[Any] = [*unet.down_blocks, unet.mid_block, *unet.up_blocks]
        listen: Callable[..., None] = self._tell
        hooks = [layer.register_forward_pre_hook(listen) for block in blocks for layer in block.resnets]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def _small(size: drawings.Size, longer_side: int = 256) -> drawings.Size:
    """A preview's size."""
    share = min(1.0, longer_side / max(size))
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))
