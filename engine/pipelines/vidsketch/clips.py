"""Clips to learn from: movies and folders of images, cut to size and encoded once; the loop draws from the latents."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor

from ...drawing.cels import smooth
from ...drawing.frames import read_image, read_movie
from ...protocol import PegbarError, write_atomic
from .drawings import Size
from .models import StableDiffusion

MOVIES = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".gif")
IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
Clip = Path | tuple[Path, ...]
"""A movie, a folder of images, or images in their order."""

_AT_ONCE = 4
"""Frames that are encoded at once."""


@dataclass(frozen=True)
class Encoded:
    """A clip as the VAE sees it, plain and mirrored: mean and deviation of its unscaled latents, (2, n, 4, h/8, w/8) each."""

    mean: Tensor
    std: Tensor

    def __len__(self) -> int:
        return self.mean.shape[1]


def found(folder: Path | tuple[Clip, ...]) -> Sequence[Clip]:
    """The clips in a folder, by name: movies, folders of images, or the folder itself where it has images; what is no folder is the clips
    themselves. Raises PegbarError."""
    if isinstance(folder, tuple):
        return folder
    if not folder.is_dir():
        raise PegbarError(f"There is no folder {folder}: choose the one with your clips")
    if _images(folder):
        return [folder]
    clips = sorted(path for path in folder.iterdir() if path.suffix.lower() in MOVIES or (path.is_dir() and _images(path)))
    if not clips:
        raise PegbarError(f"{folder} has no movies and no folders of images in it: choose the one with your clips")
    return clips


def named(clip: Clip) -> str:
    """What a clip is called."""
    return clip.name if isinstance(clip, Path) else f"{clip[0].parent.name} ({clip[0].name} to {clip[-1].name})"


def encoded(path: Clip, base: StableDiffusion, size: Size, cache: Path, told: Callable[[int], None] = lambda frames: None) -> Encoded:
    """A clip encoded, or read from `cache` where it was before; `told` hears how many frames are done. Raises PegbarError."""
    if not cache.is_file():
        frames = _read(path)
        means, stds, count = [], [], 0
        while part := [_fitted(frame, size) for frame in islice(frames, _AT_ONCE)]:
            mean, std = _encode(base, torch.from_numpy(np.stack(part)))
            means.append(mean)
            stds.append(std)
            count += len(part)
            told(count)
        if not means:
            raise PegbarError(f"{named(path)} has no frames: remove it, or export it again")
        write_atomic(cache, save({"mean": torch.cat(means, 1), "std": torch.cat(stds, 1)}))
    return Encoded(**load_file(cache))


def draw(clip: Encoded, frames: int, step: int, flip: bool, scale: float, generator: torch.Generator) -> Tensor:
    """Scaled latents (1, 4, f, h/8, w/8) of a stretch of a clip that starts anywhere, mirrored half of the time where `flip`."""
    start = int(torch.randint(0, len(clip) - (frames - 1) * step, (1,), generator=generator))
    mirrored = int(torch.randint(0, 2, (1,), generator=generator)) if flip else 0
    stretch = slice(start, start + (frames - 1) * step + 1, step)
    mean, std = clip.mean[mirrored, stretch], clip.std[mirrored, stretch]
    return ((mean + std * torch.randn(mean.shape, generator=generator)) * scale).transpose(0, 1)[None]


def _read(clip: Clip) -> Iterator[NDArray[np.float32]]:
    if isinstance(clip, Path) and not clip.is_dir():
        return read_movie(clip)
    return (read_image(image) for image in (clip if isinstance(clip, tuple) else _images(clip)))


def _images(folder: Path) -> list[Path]:
    """The images of a folder in natural order: 2 before 10."""
    images = [path for path in folder.iterdir() if path.suffix.lower() in IMAGES and not path.name.startswith(".")]
    return sorted(images, key=lambda path: [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.name)])


def _fitted(frame: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    """A frame (3, h, w), -1..1, on white: its middle, as large as fits the proportions, at the size."""
    height, width = frame.shape[:2]
    share = min(width / size[0], height / size[1])
    w, h = round(size[0] * share), round(size[1] * share)
    left, top = (width - w) // 2, (height - h) // 2
    cut = smooth(frame[top : top + h, left : left + w], size)
    return np.ascontiguousarray((2 * (1 + (cut[..., :3] - 1) * cut[..., 3:]) - 1).transpose(2, 0, 1))


@torch.no_grad()
def _encode(base: StableDiffusion, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (2, n, 4, h/8, w/8) of frames (n, 3, h, w), plain and mirrored."""
    both = torch.cat([frames, frames.flip(-1)]).to(base.device, base.vae.dtype)
    posterior = base.vae.encode(both).latent_dist
    mean, std = (each.float().cpu().unflatten(0, (2, -1)).contiguous() for each in (posterior.mean, posterior.std))
    return mean, std
