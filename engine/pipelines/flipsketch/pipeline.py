"""Animates a drawing: seen as the model sees it, sampled segment by segment, ranked, and given back as strokes and pictures.

What a run has reached lies in the job's state folder, so that one that was cut off goes on to the same bits. Knows no Blender.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from safetensors.torch import save as saved

from ...diffusion.memory import Rung, climbed, device_of, room
from ...diffusion.offloading import Turns
from ...diffusion.sampling import noise, rough_picture, seeded
from ...drawing.frames import Frames
from ...drawing.trace import Tracer
from ...protocol import Job, PegbarError, write_atomic
from ...spec import Report
from ...strokes import Strokes
from . import budget, ink, ranking
from .budget import WAYS
from .method import Step, denoised, reference_noise, segments, settings_of, texts_of
from .model import COPIES, Model, load_model
from .view import STRIDE, Drawing, View, cleaned, view_of

Floats = NDArray[np.float32]

_CODER_SEED = 0
"""Of the copies' noise: one for all takes of a drawing, so that they share its inversion and another seed is another animation."""
_PREVIEW_EVERY = 5


@dataclass(frozen=True)
class Animator:
    """What stays loaded: the networks, and the noise of the drawing that was last inverted, by what it depends on."""

    model: Model
    hollow: budget.Hollow
    judge: ranking.Judge | None
    turns: Turns
    inverted: dict[str, torch.Tensor] = field(default_factory=dict)


def load(weights: Mapping[str, Path], device: str) -> Animator:
    """The networks, which come to the device when it is their turn. Raises PegbarError where a file is missing, damaged or of another
    model."""
    place = device_of(device)
    model = load_model(weights, place, waiting=True)
    judge = ranking.load_judge(weights["clip"], place) if "clip" in weights else None
    networks = {"text": model.text_encoder, "vae": model.vae, "unet": model.unet} | ({"judge": judge.network} if judge else {})
    return Animator(model, budget.hollow_of(weights, place), judge, Turns(networks, place, by_layers=("unet",)))


def generate(animator: Animator, job: Job, inputs: Mapping[str, Frames], report: Report) -> None:
    """Writes a drawing for each frame of the shot. Raises PegbarError where there is nothing to animate, or memory is full; Cancelled."""
    drawing = _drawing(inputs["sketch"], bool(job.params["clean"]))
    view = view_of(drawing, str(job.params["view"]), int(job.params["size"]))
    _check_size(animator.model, view)
    there = room(animator.model.device, report.memory_gb, animator.turns.held)
    ways = budget.rungs(animator.hollow, there, view.size, len(job.shot.frames), job.params)

    def sampled(rung: Rung) -> tuple[NDArray[np.uint8], list[int]]:
        WAYS[rung.name].take(animator.model.memory, animator.turns)
        found = _Run(animator, job, report).clips(view.sketch(drawing))
        if animator.judge:
            animator.turns.call("judge")
        return found, _ranked(animator, job, report, view.sketch(drawing), found)

    clips, order = climbed(ways, there, report, sampled, lambda: animator.turns.held)
    if len(clips) > 1:
        report.preview(np.concatenate([contact_sheet(1 - ink.ink_of(clip)) for clip in clips[order]])[..., None].repeat(3, -1))
    _write(report, job, drawing, view, _inks(job, clips[order[0]]))


def _check_size(model: Model, view: View) -> None:
    """Raises PegbarError where a picture would shrink to a point within the network."""
    shrinks = STRIDE * 2 ** (len(model.unet.down_blocks) - 1)
    if max(view.size) <= shrinks:
        raise PegbarError(f"Working Size is {min(view.size)}: this model needs more than {shrinks} pixels, and is made for 256")


class _Run:
    """The sampling of one job, segment by segment; what it has reached is on the disk."""

    def __init__(self, animator: Animator, job: Job, report: Report) -> None:
        self.animator, self.model, self.job, self.report = animator, animator.model, job, report
        self.settings = settings_of(job.params)
        self.count, self.at_once = len(job.shot.frames), int(job.params["drawings_at_once"])
        self.segments = segments(self.count, self.at_once)
        animator.turns.call("text")
        self.texts = texts_of(self.model, str(job.params["prompt"]), str(job.params["negative_prompt"]))
        self.steps = self.segments * self.settings.num_inference_steps
        self.before = self.done = 0

    def clips(self, sketch: Floats) -> NDArray[np.uint8]:
        """The frames (variations, f, h, w, 3) of the whole shot, from a sketch (h, w, 3)."""
        sketches, parts = sketch[None], []
        for segment in range(self.segments):
            frames = self._frames(segment, sketches)
            parts.append(frames[:, 1:] if segment else frames)
            sketches = np.stack([self._next_sketch(clip) for clip in frames])
        return np.concatenate(parts, 1)[:, : self.count]

    def _next_sketch(self, clip: NDArray[np.uint8]) -> Floats:
        """The sketch that a longer clip goes on from: the last drawing, its ink as black as the first one's was."""
        grey = 1 - _inks(self.job, clip)[-1]
        if grey.shape != clip.shape[1:3]:
            grey = grey.reshape(clip.shape[1], ink.ENLARGED, clip.shape[2], ink.ENLARGED).mean((1, 3))
        return np.repeat(grey[..., None], 3, 2)

    def _frames(self, segment: int, sketches: Floats) -> NDArray[np.uint8]:
        path = self.report.state / f"frames_{segment:02d}.safetensors"
        if path.is_file():
            return load_file(path)["frames"].numpy()
        latents = self._latents(segment, sketches)
        self.animator.turns.call("vae")
        video = self.model.decode(latents, self._tell)
        frames = np.stack([ink.eight_bit(one) for one in video.float().cpu().numpy()])
        write_atomic(path, saved({"frames": torch.from_numpy(frames)}))
        for done in ("noise", "step"):
            self._path(done, segment).unlink(missing_ok=True)
        return frames

    def _latents(self, segment: int, sketches: Floats) -> torch.Tensor:
        """The clean latents of a segment, from where an earlier run left them."""
        reference = self._reference(segment, sketches)
        begun, path = None, self._path("step", segment)
        if path.is_file():
            kept = {name: tensor.to(self.model.device) for name, tensor in load_file(path).items()}
            begun = Step(int(kept["index"]), kept["latents"], kept["reference"], kept["latents"], torch.empty(0))
        height, width = reference.shape[-2:]
        start = self._noise(segment, (4, self.at_once, height, width))

        def watch(step: Step) -> None:
            write_atomic(path, saved({**_kept(step), "index": torch.tensor(step.index)}))
            self._tell(step.index + 1)
            if (step.index + 1) % _PREVIEW_EVERY == 0:
                self.report.preview(contact_sheet(np.stack([rough_picture(frame) for frame in step.clean[0].unbind(1)])))

        self.before = segment * self.settings.num_inference_steps
        self._tell(begun.index + 1 if begun else 0)
        self.animator.turns.call("unet")
        return denoised(self.model, start, reference, self.texts, self.settings, watch, self._tell, begun)

    def _noise(self, segment: int, shape: tuple[int, ...]) -> torch.Tensor:
        """What each variation begins with: variation k is what the seed k higher gives alone, in every segment."""
        made = []
        for variation in range(int(self.job.params["variations"])):
            generator = seeded((self.job.seed + variation) % 2**63)
            made.append([noise(shape, generator, self.model.device) for _ in range(segment + 1)][-1])
        return torch.stack(made)

    def _reference(self, segment: int, sketches: Floats) -> torch.Tensor:
        """The noise that the sketches come from."""
        path = self._path("noise", segment)
        if path.is_file():
            return load_file(path)["noise"].to(self.model.device)
        pixels = torch.from_numpy(np.ascontiguousarray(np.moveaxis(sketches, -1, 1)))
        if self.job.params["sketch_range"] == "minus_one_one":
            pixels = 2 * pixels - 1
        key = hashlib.sha256(pixels.numpy().tobytes() + str((pixels.shape, self.settings.num_inference_steps)).encode()).hexdigest()
        reference = self.animator.inverted.get(key)
        if reference is None:
            reference = self._inverted(pixels)
            if not segment:
                self.animator.inverted.clear()
                self.animator.inverted[key] = reference
        write_atomic(path, saved({"noise": reference.cpu()}))
        return reference

    def _inverted(self, pixels: torch.Tensor) -> torch.Tensor:
        steps = self.settings.num_inference_steps
        size = (COPIES, 4, pixels.shape[2] // STRIDE, pixels.shape[3] // STRIDE)
        self.report.progress("Reading the drawing", 0, steps)
        self.animator.turns.call("vae")
        latents = self.model.encode_sketch(pixels, noise(size, seeded(_CODER_SEED), self.model.device))
        self.animator.turns.call("unet")
        return reference_noise(
            self.model, latents, self.texts.null, steps, lambda step, _: self.report.progress("Reading the drawing", step + 1, steps)
        )

    def _path(self, name: str, segment: int) -> Path:
        return self.report.state / f"{name}_{segment:02d}.safetensors"

    def _tell(self, step: int | None = None) -> None:
        """Says how many steps of the segment are done; between steps, that it lives: a run can be stopped there, too."""
        self.done = self.done if step is None else self.before + step
        self.report.progress("Drawing", self.done, self.steps)


def _kept(step: Step) -> dict[str, torch.Tensor]:
    return {"latents": step.latents.cpu().contiguous(), "reference": step.reference.cpu().contiguous()}


def _drawing(frames: Frames, clean: bool) -> Drawing:
    drawing = frames[frames.numbers[0]]
    if isinstance(drawing, Strokes):
        if not (np.isfinite(drawing.points).all() and np.isfinite(drawing.handles).all()):
            raise PegbarError("Points of the drawing have no place on the picture: delete them or bring them before the camera")
        return drawing
    return cleaned(drawing) if clean else drawing


def _inks(job: Job, frames: NDArray[np.uint8]) -> Floats:
    """The ink (f, h, w) of a clip, grey or black and white, as the job asks."""
    return ink.black_ink_of(frames) if job.params["black_and_white"] else ink.ink_of(frames)


def _ranked(animator: Animator, job: Job, report: Report, sketch: Floats, clips: NDArray[np.uint8]) -> list[int]:
    """The variations, the best first; the artist is told what they were ranked by and which seed gives each alone."""
    scores = ranking.scores(animator.judge, sketch, clips)
    order = sorted(range(len(clips)), key=lambda variation: -scores[variation])
    if len(clips) > 1:
        others = ", ".join(str(job.seed + variation) for variation in order[1:])
        by = "likeness to the drawing (CLIP)" if animator.judge else "ink kept and steadiness"
        report.warn(
            f"The best of {len(clips)} variations by {by} is the result, seed {job.seed + order[0]}; the others alone: seeds {others}"
        )
    if animator.judge and scores[order[0]] < ranking.ALIKE:
        report.warn(
            f"The animation is little like the drawing ({scores[order[0]]:.2f} of 1): try Stay on Model, less Motion or another seed"
        )
    return order


def _write(report: Report, job: Job, drawing: Drawing, view: View, inks: Floats) -> None:
    """Writes the result's frames in order. All are traced again where a run goes on: each follows from those before it."""
    frames = job.shot.frames
    if not any(one.any() for one in inks):
        report.warn("The model drew nothing: try another seed, or Stay on Model")
    source = view.into(drawing) if isinstance(drawing, Strokes) else None
    tracer = Tracer(source, (view.width, view.height))
    own = _own_ink(drawing, view)
    for index, (frame, one) in enumerate(zip(frames, inks, strict=True)):
        report.progress("Tracing", index, len(frames))
        mine = index == 0 and bool(job.params["keep_first"])
        one = own if mine else one
        if job.params["as_strokes"]:
            strokes = drawing if mine and isinstance(drawing, Strokes) else view.out_of(tracer.trace(one))
            if frame not in report.written("strokes"):
                report.write("strokes", frame, strokes)
        if job.params["as_clip"] and frame not in report.written("clip"):
            report.write("clip", frame, view.put(one))
    report.progress("Tracing", len(frames), len(frames))


def _own_ink(drawing: Drawing, view: View) -> Floats:
    """The ink of the artist's drawing, (h, w), in the pixels of its picture."""
    sketch = replace(view, size=(view.width, view.height)).sketch(drawing)
    if isinstance(drawing, Strokes):
        return 1 - sketch[..., 0]
    return ink.ink_of(np.rint(sketch * 255).astype(np.uint8)[None])[0]


def contact_sheet(pictures: Floats, most: int = 5) -> Floats:
    """Some of a clip's pictures (f, h, w, c) side by side, the first and the last among them."""
    chosen = np.unique(np.linspace(0, len(pictures) - 1, min(most, len(pictures))).round().astype(int))
    return np.concatenate(list(pictures[chosen]), 1)
