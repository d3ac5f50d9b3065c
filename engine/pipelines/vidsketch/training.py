"""Teaching a motion from one's own clips: a folder that the pipeline offers as a motion, and goes on learning from where it stopped.

`learn` is the work, for a job (pipelines/teach) and for `train`, the command line's, whose folder is motion and take in one:
`events.jsonl` tells how far it is, `cancel` stops it, `preview.png` shows what it makes.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from ...diffusion.checkpoints import read_pickle
from ...diffusion.memory import device_of, out_of_memory_as_error
from ...diffusion.sampling import noise, seeded
from ...drawing.frames import encode_png
from ...protocol import Cancelled, Done, Failed, JobFolder, PegbarError, Progress, lock, refused, write_atomic
from . import clips, drawings, low_rank, models, plot, sampling
from .learning import Batch, Learner
from .motions import CARD, LOW_RANK, PICTURE

LEARNED, SETTINGS = "learned.pt", "training.json"
STATE = f"state/{LEARNED}"
_HELD_OUT_DRAWS = 4
"""Fixed stretches, noises and timesteps that the held-out loss is the mean of."""
_HEIGHT_SHOWN = 160
_TOLD_EVERY_S = 0.5

Told = Callable[[Progress], None]


@dataclass(frozen=True)
class Lesson:
    """What is to be learned, from where, and where it is kept."""

    clips: Path | tuple[clips.Clip, ...]
    """A folder of them, or each one."""
    held_out: Path | None
    out: Path
    """The motion's folder: what is there is a motion from the first checkpoint on."""
    params: Mapping[str, Any]
    """All of `TRAINING`'s."""
    job: str = ""
    """The id of the job that teaches it, which its card keeps."""


class Listener(Protocol):
    """What is told while it learns, and where all is kept that a later run goes on with: part of `spec.Report`."""

    state: Path

    def progress(self, phase: str, step: int, of: int) -> None: ...

    def preview(self, image: object) -> None: ...


def train(lesson: Lesson, stable_diffusion: Path, device: str, told: Told = lambda progress: None) -> None:
    """Learns a motion in a folder that is its take, too: see `learn`. Raises PegbarError, Cancelled."""
    folder, started = JobFolder(lesson.out), time.monotonic()
    with _held(folder):
        try:
            _claim(lesson)
            learn(lesson, stable_diffusion, device, _Take(folder, told))
            folder.append(Done(time.monotonic() - started))
        except Cancelled:
            folder.append(Done(time.monotonic() - started, cancelled=True))
            raise
        except PegbarError as error:
            folder.append(Failed(str(error)))
            raise


def learn(lesson: Lesson, stable_diffusion: Path, device: str, listener: Listener) -> None:
    """Learns a motion, or goes on learning it from what the listener keeps, until all steps are done. Raises PegbarError, Cancelled."""
    if odd := [side for side in ("width", "height") if lesson.params[side] % drawings.MULTIPLE]:
        raise PegbarError(f"The {odd[0]} is {lesson.params[odd[0]]}: choose a multiple of {drawings.MULTIPLE}")
    try:
        with out_of_memory_as_error():
            _Training(lesson, stable_diffusion, device, listener).run()
    except MemoryError as error:
        raise PegbarError("There is too little memory to learn this: choose fewer frames, a smaller size, or a small file") from error


@contextlib.contextmanager
def _held(folder: JobFolder) -> Iterator[None]:
    """Makes the folder and keeps it for this process. Raises PegbarError where another has it."""
    try:
        folder.state_folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(folder.path, error) from error
    file = lock(folder.path / "events.jsonl")
    if file is None:
        raise PegbarError(f"{folder.path} is already being learned by another Pegbar: wait until it is done")
    with file:
        yield


def _claim(lesson: Lesson) -> None:
    """Takes the folder for this lesson, or finds the same one in it. Raises PegbarError."""
    out, settings = lesson.out, _identity(lesson)
    before = (out / SETTINGS).read_text("utf-8") if (out / SETTINGS).exists() else None
    if before is not None and before != settings:
        raise PegbarError(f"{out} holds what was learned by another command: choose another folder, or repeat that command unchanged")
    write_atomic(out / SETTINGS, settings.encode())


def _identity(lesson: Lesson) -> str:
    """All that the result depends on but the number of steps, which may grow."""
    given = {name: value for name, value in lesson.params.items() if name not in ("steps", "checkpoint_every", "sample_steps", "name")}
    names, held_out = (part and [clips.named(clip) for clip in clips.found(part)] for part in (lesson.clips, lesson.held_out))
    return json.dumps({"params": given, "clips": names, "held_out": held_out}, indent=1, ensure_ascii=False)


class _Take:
    """The listener of a training that is no job: its folder, and whoever wants to hear."""

    def __init__(self, folder: JobFolder, told: Told) -> None:
        self.state, self._folder, self._told = folder.state_folder, folder, told
        self._phase, self._told_at = "", 0.0

    def progress(self, phase: str, step: int, of: int) -> None:
        if self._folder.cancel_requested:
            raise Cancelled
        if phase != self._phase or step == of or time.monotonic() - self._told_at >= _TOLD_EVERY_S:
            self._phase, self._told_at = phase, time.monotonic()
            self._folder.append(Progress(phase, step, of))
        self._told(Progress(phase, step, of))

    def preview(self, image: Any) -> None:
        write_atomic(self._folder.preview_file, encode_png(image))


class _Training:
    """A motion on its way."""

    def __init__(self, lesson: Lesson, stable_diffusion: Path, device: str, listener: Listener) -> None:
        self.lesson, self.params, self.listener = lesson, lesson.params, listener
        paths = clips.found(lesson.clips)  # before the models are read
        self.base = models.load_stable_diffusion(stable_diffusion, device_of(device))
        self.text = self.base.encode_text(self.params["prompt"]).float()
        self.clips = self._encoded(paths, "clips")
        self.held_out = self._encoded(clips.found(lesson.held_out), "held_out") if lesson.held_out else []
        self.rank = low_rank.RANK if self.params["low_rank"] else 0
        seed = self.params["seed"]
        unet = self.base.inflated(seeded(0 if self.rank else seed))
        self.learner = Learner(unet, self.base.scheduler, self.params["learning_rate"], self.rank, seed)
        self.generator = seeded(seed)
        self.losses: list[tuple[int, float]] = []
        self.held_out_losses: list[tuple[int, float]] = []
        self.done = 0
        self._restore()

    def run(self) -> None:
        """Learns until all steps are done; what is learned is kept where it is stopped, too."""
        try:
            self._learn()
        except Cancelled:
            self._keep_state()
            raise

    def _learn(self) -> None:
        every, steps = self.params["checkpoint_every"], self.params["steps"]
        if self.done == 0:
            self._evaluate()
        self.listener.progress("Learning", self.done, steps)
        while self.done < steps:
            loss = self.learner.backward(self._batch(self.clips[self.done % len(self.clips)], self.generator))
            self.learner.step()
            self.done += 1
            self.losses.append((self.done, loss))
            if self.done % every == 0 or self.done == steps:
                self._evaluate()
                self._keep()
            self.listener.progress("Learning", self.done, steps)

    # --- what is learned from

    def _encoded(self, paths: Sequence[clips.Clip], name: str) -> list[clips.Encoded]:
        """The clips, encoded. Raises PegbarError where one is not long enough."""
        encoded = []
        needed = (self.params["frames"] - 1) * self.params["frame_step"] + 1
        size = (self.params["width"], self.params["height"])
        for index, path in enumerate(paths):
            tell = partial(self.listener.progress, "Reading clips", index, len(paths))
            tell()
            cache = self.listener.state / f"{name}_{index:04d}.safetensors"
            clip = clips.encoded(path, self.base, size, cache, lambda frames, tell=tell: tell())  # type: ignore[misc]
            if len(clip) < needed:
                raise PegbarError(
                    f"{clips.named(path)} has {len(clip)} frames, {needed} are needed: use a longer clip or learn fewer frames"
                )
            encoded.append(clip)
        return encoded

    def _batch(self, clip: clips.Encoded, generator: torch.Generator) -> Batch:
        params, device = self.params, self.base.device
        scale = self.base.vae.config.scaling_factor
        latents = clips.draw(clip, params["frames"], params["frame_step"], params["flip"], scale, generator).to(device)
        timestep = torch.randint(0, self.base.scheduler.config.num_train_timesteps, (1,), generator=generator).to(device)
        return Batch(latents, noise(latents.shape, generator, device), timestep, self.text)

    # --- what came of it

    def _evaluate(self) -> None:
        """The loss on clips that are not learned from, always on the same draws."""
        if self.held_out:
            generator = seeded(self.params["seed"] + 1)
            batches = [self._batch(clip, generator) for clip in self.held_out for _ in range(_HELD_OUT_DRAWS)]
            self.held_out_losses.append((self.done, float(np.mean([self.learner.loss(batch) for batch in batches]))))

    def _keep(self) -> None:
        """Writes the motion, its picture and the plot of losses; and last, all that a later run goes on with."""
        self._write_card()
        frames, losses = self._show(), plot.losses(self.losses, self.held_out_losses)
        write_atomic(self.lesson.out / "loss.png", encode_png(losses))
        self.listener.preview(plot.under(frames, losses))
        self._write_motion()
        self._keep_state()

    def _keep_state(self) -> None:
        state = {**self.learner.state(), "generator": self.generator.get_state(), "done": self.done}
        state |= {"losses": self.losses, "held_out_losses": self.held_out_losses}
        _save(self.listener.state / LEARNED, lambda path: torch.save(state, path))

    def _write_card(self) -> None:
        """Writes what the motion is called: first of all, since the folder is taken by it."""
        out = self.lesson.out
        card = {"name": self.params["name"] or out.name, "prompt": self.params["prompt"], "frames": self.params["frames"]}
        card |= {"job": self.lesson.job} if self.lesson.job else {}
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refused(out, error) from error
        write_atomic(out / CARD, json.dumps(card, indent=1, ensure_ascii=False).encode())

    def _write_motion(self) -> None:
        """The motion as the pipeline loads it: the whole network as the authors publish theirs, or what is added to Stable Diffusion's. It
        is a motion once it has weights: they come last."""
        out = self.lesson.out
        if self.rank:
            tensors = {name: each.detach().cpu().contiguous() for name, each in self.learner.parameters.items()}
            _save(out / LOW_RANK, lambda path: save_file(tensors, path))
        else:
            (out / "unet").mkdir(exist_ok=True)
            config = models.read_config(self.base.folder / "unet") | {"_class_name": "UNet3DConditionModel", "use_temp": True}
            write_atomic(out / "unet" / "config.json", json.dumps(config, indent=1).encode())
            tensors = {name: each.cpu().contiguous() for name, each in self.learner.unet.state_dict().items()}
            _save(out / "unet" / "diffusion_pytorch_model.safetensors", lambda path: save_file(tensors, path))

    def _show(self) -> list[Any]:
        """Makes a video from the first frame of the first clip with what is learned so far: its frames side by side."""
        generator = seeded(self.params["seed"])
        clip, scale = self.clips[0], self.base.vae.config.scaling_factor
        first = (clip.mean[0, :1] * scale).transpose(0, 1)[None].to(self.base.device)
        start = noise((1, 4, self.params["frames"], *first.shape[-2:]), generator, self.base.device)
        text = torch.cat([self.base.encode_text("").float(), self.text])
        settings = sampling.Sampling(self.params["sample_steps"], attended="first+second+prev")
        latents = sampling.sample(
            self._predict, self.base.scheduler, sampling.started(first, sampling.shared(start)), text, (), settings,
            lambda done, latents: self.listener.progress("Showing", done, settings.num_inference_steps),
        )  # fmt: skip
        pictures = [self._decoded(frame) for frame in latents.unbind(2)]
        (self.lesson.out / "samples").mkdir(exist_ok=True)
        write_atomic(self.lesson.out / "samples" / f"{self.done:06d}.png", encode_png(np.concatenate(pictures, 1)))
        write_atomic(self.lesson.out / PICTURE, encode_png(pictures[len(pictures) // 2]))
        return pictures

    def _predict(self, latents: Tensor, t: Tensor, text: Tensor, maps: Any) -> Tensor:
        return self.learner.predict(latents, t, text)

    def _decoded(self, latents: Tensor) -> Any:
        picture = self.base.decode(latents)[0].permute(1, 2, 0).float().cpu().numpy()
        height, width = picture.shape[:2]
        share = min(1, _HEIGHT_SHOWN / height)
        return drawings.resized(picture, (max(1, round(width * share)), max(1, round(height * share))))

    def _restore(self) -> None:
        if (path := self.listener.state / LEARNED).is_file():
            state = read_pickle(path)
            self.learner.restore(state)
            self.generator.set_state(state["generator"])
            self.done, self.losses, self.held_out_losses = state["done"], state["losses"], state["held_out_losses"]


def _save(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a large file so that it is seen whole or not at all, without holding it in memory as bytes."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(part)
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise refused(path.parent, error) from error
