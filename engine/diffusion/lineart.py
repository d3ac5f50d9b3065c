"""Line art from colour frames by the network of Chan, Durand & Isola, Learning to Generate Line Drawings that Convey Geometry and
Semantics (CVPR 2022), with its weights `sk_model.pth` as published: the lines that LVCD was trained on.

Knows one image at a time.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from . import checkpoints

BLOCKS = 3


class LineNetwork(nn.Module):
    """The generator (LVCD SPEC §9 with ERRATA 10): (b, 3, h, w) 0..1 in colour to (b, 1, h, w), 1 on paper. Named as in the checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.model0 = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(3, 64, 7), *_normalised(64))
        self.model1 = nn.Sequential(*(layer for c in (64, 128) for layer in (nn.Conv2d(c, 2 * c, 3, 2, 1), *_normalised(2 * c))))
        self.model2 = nn.Sequential(*(_Residual(256) for _ in range(BLOCKS)))
        self.model3 = nn.Sequential(
            *(layer for c in (256, 128) for layer in (nn.ConvTranspose2d(c, c // 2, 3, 2, 1, 1), *_normalised(c // 2)))
        )
        self.model4 = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(64, 1, 7), nn.Sigmoid())

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.model4(self.model3(self.model2(self.model1(self.model0(image)))))


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        first, second = (nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3)) for _ in range(2))
        self.conv_block = nn.Sequential(*first, *_normalised(channels), *second, nn.InstanceNorm2d(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv_block(x)


def _normalised(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(channels), nn.ReLU()


def load(path: Path, device: torch.device) -> LineNetwork:
    """The network with its published weights, in single precision. Raises PegbarError where the file is another one or damaged."""
    with torch.device("meta"):
        network = LineNetwork()
    return checkpoints.fill(network, checkpoints.read(path), path).to(device)


@torch.inference_mode()
def extract(network: LineNetwork, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The lines of a frame (h, w, 3), sRGB 0..1, both sides multiples of 4: (h, w), 0 paper, 1 ink, in 256 steps as the original has them."""
    device = next(network.parameters()).device
    pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].to(device)
    paper = (network(pixels)[0, 0] * 255).clamp(0, 255).to(torch.uint8)
    return 1 - paper.cpu().numpy() / np.float32(255)
