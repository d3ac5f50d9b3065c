"""Which of several variations is best: by CLIP's likeness to the drawing where its weights are there, else by ink kept and steadiness."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from ...diffusion.checkpoints import fill
from .convert import component, config_of, part
from .ink import ink_of

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

ALIKE = 0.9
"""Mean cosine from which the authors keep a clip (SPEC §8)."""
_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
"""Of CLIP's pictures."""


@dataclass(frozen=True)
class Judge:
    """CLIP's vision network."""

    network: CLIPVisionModelWithProjection
    device: torch.device

    def features(self, frames: Bytes) -> torch.Tensor:
        """CLIP's projection of frames (f, h, w, 3): (f, d)."""
        side = self.network.config.image_size
        pixels = np.stack([np.asarray(_cut(frame, side), np.float32) / 255 for frame in frames])
        pixels = torch.from_numpy(np.moveaxis((pixels - _MEAN) / _STD, -1, 1).copy())
        with torch.no_grad():
            return self.network(pixels.to(self.device)).image_embeds.float()


def load_judge(folder: Path, device: torch.device) -> Judge:
    """The vision part of a CLIP checkpoint, in main memory until it is called to its device. Raises PegbarError where it is missing, damaged or of another model."""
    path, tensors = component(folder)
    network = empty_judge(folder)
    chosen = part(tensors, ("vision_model.", "visual_projection."), path)
    return Judge(fill(network, chosen, path), device)


def empty_judge(folder: Path) -> CLIPVisionModelWithProjection:
    """CLIP's vision network of a config on the meta device. Raises PegbarError."""
    config = config_of(folder)
    with torch.device("meta"):
        return CLIPVisionModelWithProjection(
            CLIPVisionConfig(**{"projection_dim": config.get("projection_dim", 512), **config.get("vision_config", config)})
        )


def scores(judge: Judge | None, sketch: Floats, clips: Sequence[Bytes] | Bytes) -> list[float]:
    """How good each clip (f, h, w, 3) is, higher is better: with a judge the mean cosine of its frames from the second on to the sketch
    (h, w, 3), 0..1 (the published filter meant so and looked at one frame); else `steady`."""
    if judge is None:
        return [steady(ink_of(clip)) for clip in clips]
    wanted = judge.features(np.rint(sketch * 255).astype(np.uint8)[None])
    return [float(torch.cosine_similarity(judge.features(clip[1:] if len(clip) > 1 else clip), wanted).mean()) for clip in clips]


def steady(inks: Floats) -> float:
    """1 for a clip (f, h, w) that keeps its first frame's amount of ink; less by the share of ink that is lost, and by the share by which
    a frame has more or less ink than its neighbours' mean: flicker. Lines may move at will."""
    amount = inks.sum((1, 2), dtype=np.float64)
    if not amount[0]:
        return 0.0
    lost = (1 - amount / amount[0]).clip(0, 1).mean()
    flicker = np.abs(amount[1:-1] - (amount[:-2] + amount[2:]) / 2).mean() / amount[0] if len(amount) > 2 else 0.0
    return float(1 - lost - flicker)


def line_distance(one: Floats, other: Floats) -> float:
    """How far apart two drawings' lines are, in pixels: the mean distance from each inked pixel to the other's nearest, both ways.

    It measures the seam of a longer clip against the steps within its parts. Infinite where one of the two is empty.
    """
    first, second = one > 0.5, other > 0.5
    if not (first.any() and second.any()):
        return float("inf")
    to_second, to_first = ndimage.distance_transform_edt(~second), ndimage.distance_transform_edt(~first)
    return float((to_second[first].mean() + to_first[second].mean()) / 2)


def _cut(frame: Bytes, side: int) -> Image.Image:
    """A frame as CLIP sees it: its shorter side brought to `side` pixels, its middle cut out."""
    picture = Image.fromarray(frame)
    scale = side / min(picture.size)
    picture = picture.resize((max(side, round(picture.width * scale)), max(side, round(picture.height * scale))), Image.Resampling.BICUBIC)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))
