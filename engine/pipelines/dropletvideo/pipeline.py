"""Makes a shot from an image and a sentence: T5, the picture's latents, denoising, frames, one stage and one model after the other.

What a run that was cut off needs lies in the job's state folder; it goes on to the same bits. Knows no Blender.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save
from torch.nn import functional

from ...diffusion.memory import EVERYTHING, SMALLEST, climbed, room
from ...diffusion.sampling import noise, seeded
from ...drawing import raster
from ...drawing.frames import Frames
from ...protocol import Job, PegbarError, write_atomic
from ...spec import Report
from ...strokes import Strokes
from . import coding
from .budget import TILE, Size, rungs, stages, working_size
from .convert import tokenizer_of
from .denoising import PRESETS, Conditions, Preset, Step, denoise, fps_of
from .models import DropletVideo
from .prompts import whole_prompt
from .text import MAX_TOKENS, token_ids
from .timing import FPS, TRAINED_FRAMES, Timing, timing_of

log = logging.getLogger(__name__)

Picture = NDArray[np.float32]

_SAME_ASPECT = 0.01
_LATENTS_FILE = "latents.safetensors"
_PREVIEWS, _PREVIEW_LATENTS = 8, 24
"""Previews of a run, and the longer side of the latents that one is decoded from: 192 pixels."""


@dataclass(frozen=True)
class _Shot:
    """A job made concrete."""

    job: Job
    timing: Timing
    size: Size
    """What the model works at."""
    original: tuple[int, int]
    """Width and height of the image, and of what comes out."""
    first: NDArray[np.uint8]
    last: NDArray[np.uint8] | None
    preset: Preset
    mode: str = EVERYTHING


def load(weights: Mapping[str, Path], device: str) -> DropletVideo:
    """The published folder on a device. Raises PegbarError where it is not a DropletVideo that is supported."""
    return DropletVideo(weights["dropletvideo"], device)


def generate(model: DropletVideo, job: Job, inputs: Mapping[str, Frames], report: Report) -> None:
    """Writes a picture for each frame of the shot, at the image's size. Raises PegbarError, Cancelled, MemoryError."""
    if report.written("clip") >= set(job.shot.frames):
        return
    shot, prompts = _shot(model, job, inputs, report), _prompts(model, job, report)
    there = room(model.device, report.memory_gb, model.held)
    counted = stages(model.found, shot.size, model.dtype, job.params["precision"], there.has_workspaces)
    with torch.inference_mode():
        climbed(
            rungs(counted, there, job.params),
            there,
            report,
            lambda rung: _attempt(model, replace(shot, mode=rung.name), prompts, report),
            lambda: model.held,
        )


def _attempt(model: DropletVideo, shot: _Shot, prompts: tuple[str, str], report: Report) -> None:
    """One try in the shot's memory mode, from what an earlier one left; what is drawn whole is decoded at once."""
    report.progress("Reading", 0, 2)
    done, latents = _kept(model, shot, report)
    is_drawn = done == shot.preset.steps
    texts = {} if is_drawn else model.embeds(prompts, shot.mode, report.state)
    with model.vae(shot.mode) as vae:
        if not is_drawn:
            report.progress("Reading", 1, 2)
            given = _conditions(model, vae, shot, texts, prompts, report)
            latents = _drawn(model, vae, shot, given, done, latents, report)
        _write(vae, shot, latents, report)


# --- what is asked for


def _shot(model: DropletVideo, job: Job, inputs: Mapping[str, Frames], report: Report) -> _Shot:
    params, timing = job.params, timing_of(job.shot, job.params["timing"] == "time", job.params["keep_extra_frames"])
    image = _picture(inputs["image"])
    height, width = image.shape[:2]
    size = Size(*working_size(width, height, params["resolution"], model.found.multiple), timing.latent_frames)
    pixels = size.width, size.height
    last = _end_picture(inputs["end_image"], (width, height), pixels, timing, report)
    preset = PRESETS[params["preset"]]
    preset = replace(preset, steps=params["num_inference_steps"] or preset.steps)
    if timing.frames > TRAINED_FRAMES + 3:
        report.warn(
            f"The shot takes {timing.frames} frames of the model, which was trained on {TRAINED_FRAMES}: a shorter one, or Real Time, holds better"
        )
    log.info(
        "works at %dx%d, %d latent frames, %d frames at %g fps of which the first %d are left out",
        *pixels, timing.latent_frames, timing.frames, FPS, timing.dropped,
    )  # fmt: skip
    return _Shot(job, timing, size, (width, height), coding.pixels(image, pixels), last, preset)


def _picture(frames: Frames) -> Picture:
    image = frames[frames.numbers[0]]
    return raster.coloured(image, image.size) if isinstance(image, Strokes) else image


def _end_picture(
    frames: Frames, original: tuple[int, int], size: tuple[int, int], timing: Timing, report: Report
) -> NDArray[np.uint8] | None:
    """The picture that the shot ends on, its middle where it is of other proportions than the image."""
    if not frames.numbers:
        return None
    if timing.latent_frames == 1:
        raise PegbarError("A shot of one frame can't end on another image: make it longer, or leave the end image out")
    image = _picture(frames)
    height, width = image.shape[:2]
    aspect = original[0] / original[1]
    if abs(width / height / aspect - 1) > _SAME_ASPECT:
        report.warn("The end image has other proportions than the image: its middle is used")
        wide, high = min(width, max(1, round(height * aspect))), min(height, max(1, round(width / aspect)))
        left, top = (width - wide) // 2, (height - high) // 2
        image = image[top : top + high, left : left + wide]
    return coding.pixels(image, size)


def _prompts(model: DropletVideo, job: Job, report: Report) -> tuple[str, str]:
    """The prompt, completed, and the negative one; both are noted in the take."""
    prompt, negative = whole_prompt(job.params), str(job.params["negative_prompt"])
    count = token_ids(tokenizer_of(model.found), prompt)[1]
    note = {
        "prompt": prompt,
        "negative_prompt": negative,
        "words": len(prompt.split()),
        "tokens": count,
        "fps": fps_of(job.params["motion"]),
    }
    write_atomic(report.state / "prompt.json", json.dumps(note, ensure_ascii=False, indent=1).encode())
    log.info("prompt, %d words, %d of at most %d tokens: %s", note["words"], count, MAX_TOKENS, prompt)
    if count > MAX_TOKENS:
        report.warn(
            f"The prompt has {count} tokens with its template and the model reads {MAX_TOKENS}: shorten it, or use the template None"
        )
    return prompt, negative


# --- latents


def _conditions(
    model: DropletVideo, vae: Any, shot: _Shot, texts: Mapping[str, torch.Tensor], prompts: tuple[str, str], report: Report
) -> Conditions:
    size, patch = shot.size, model.found.multiple
    known = [coding.signed(picture) for picture in (shot.first, shot.last) if picture is not None]
    if model.found.adds_noise:
        # The initial latents come first, so that a seed gives the authors' own.
        generator = seeded(shot.job.seed)
        noise(_latent_shape(model, shot), generator, torch.device("cpu"))
        known = [coding.augmented(picture, noise(picture.shape, generator, picture.device)) for picture in known]
    video = coding.masked_video(known[0], shot.timing.frames, *known[1:]).to(model.device, model.dtype)
    cosines, sines = coding.positions(size.latent_frames, size.height // patch, size.width // patch, model.found.head_dim)
    return Conditions(
        pictures=coding.picture_latents(vae, video, shot.last is not None, lambda: report.progress("Reading", 1, 2)),
        prompt=texts[prompts[0]],
        negative_prompt=texts[prompts[1]],
        positions=(cosines.to(model.device), sines.to(model.device)),
        fps=fps_of(shot.job.params["motion"]),
        guidance_scale=shot.job.params["guidance_scale"],
    )


def _latent_shape(model: DropletVideo, shot: _Shot) -> tuple[int, ...]:
    size = shot.size
    return 1, size.latent_frames, model.found.latent_channels, size.height // 8, size.width // 8


def _kept(model: DropletVideo, shot: _Shot, report: Report) -> tuple[int, torch.Tensor]:
    """The steps that earlier runs of this job took and the latents (1, l, 16, h/8, w/8) after them: at first noise from the seed."""
    file = report.state / _LATENTS_FILE
    if not file.is_file():
        return 0, noise(_latent_shape(model, shot), seeded(shot.job.seed), model.device)
    kept = load_file(file, device=str(model.device))
    return int(kept["steps"]), kept["latents"]


def _drawn(model: DropletVideo, vae: Any, shot: _Shot, given: Conditions, done: int, latents: torch.Tensor, report: Report) -> torch.Tensor:
    """The latents after the last step, from those after `done` steps."""
    of = shot.preset.steps

    def tell() -> None:
        report.progress("Drawing", done, of)

    report.progress("Loading", 0, 0)
    with model.transformer(shot.mode, shot.job.params["precision"]) as transformer:
        tell()
        for step in denoise(transformer, model.scheduler, latents, given, shot.preset, done, tell):
            done, latents = step.index + 1, step.latents
            if shot.preset.keeps_after(step.index) or done == of:
                write_atomic(report.state / _LATENTS_FILE, save({"latents": latents.contiguous(), "steps": torch.tensor(done)}))
            if done % max(1, of // _PREVIEWS) == 0:
                report.preview(_preview(vae, step))
            tell()
    return latents


def _preview(vae: Any, step: Step) -> Picture:
    """The middle of what the shot seems to become, decoded small and by itself: 0.1 % of a step."""
    latents = step.predicted[:, step.predicted.shape[1] // 2]
    scale = min(1.0, _PREVIEW_LATENTS / max(latents.shape[2:]))
    height, width = (max(1, round(side * scale)) for side in latents.shape[2:])
    small = functional.interpolate(latents.float(), (height, width), mode="area")[:, None]
    return pictures(torch.cat(list(coding.decode(vae, coding.unscaled(vae, small))), 2))[0]


# --- frames


def _write(vae: Any, shot: _Shot, latents: torch.Tensor, report: Report) -> None:
    """Writes each frame of the shot as soon as it is decoded."""
    at: dict[int, list[int]] = {}
    for frame, index in zip(shot.job.shot.frames, shot.timing.shown, strict=True):
        at.setdefault(index + shot.timing.dropped, []).append(frame)
    total, written = len(shot.job.shot.frames), set(report.written("clip"))
    report.progress("Writing", len(written), total)
    for index, image in enumerate(_decoded(vae, shot, latents, lambda: report.progress("Writing", len(written), total))):
        if at and index > max(at):
            break
        for frame in at.get(index, ()):
            if frame not in written:
                report.write("clip", frame, _resized(image, shot.original))
                written.add(frame)
            report.progress("Writing", len(written), total)


def _decoded(vae: Any, shot: _Shot, latents: torch.Tensor, tick: coding.Tick) -> Iterator[Picture]:
    """The frames of latents as pictures, in order: chunk by chunk, or, in tiles, all at the end."""
    unscaled = coding.unscaled(vae, latents)
    if shot.mode == SMALLEST:
        yield from pictures(coding.decode_tiled(vae, unscaled, TILE, tick))
    else:
        for frames in coding.decode(vae, unscaled, tick):
            yield from pictures(frames)


def pictures(frames: torch.Tensor) -> NDArray[np.float32]:
    """Decoded frames (1, 3, f, h, w) as pictures (f, h, w, 3), 0..1."""
    return (frames[0].float() / 2 + 0.5).clamp(0, 1).permute(1, 2, 3, 0).cpu().numpy()


def _resized(image: Picture, size: tuple[int, int]) -> Picture:
    if image.shape[1::-1] == size:
        return image
    planes = [Image.fromarray(np.ascontiguousarray(image[..., c])).resize(size, Image.Resampling.LANCZOS) for c in range(3)]
    return np.stack([np.asarray(plane) for plane in planes], -1).clip(0, 1)
