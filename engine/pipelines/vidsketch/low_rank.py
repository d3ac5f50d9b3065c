"""A motion as a small addition to Stable Diffusion: low-rank changes (Hu et al. 2021) of the layers that training changes."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ...diffusion.checkpoints import Tensors, listed
from ...protocol import PegbarError
from .unet import InflatedConv, InflatedUNet

DOWN, UP = ".weight.down", ".weight.up"
RANK = 16
"""25 MB at Stable Diffusion's size."""


class LowRank(nn.Module):
    """A weight plus up · down: without effect at first."""

    def __init__(self, weight: Tensor, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        columns = weight[0].numel()
        down = torch.empty(rank, columns, device=weight.device)
        if not down.is_meta:
            down = torch.randn(rank, columns, generator=generator).to(down) * columns**-0.5
        self.down = nn.Parameter(down)
        self.up = nn.Parameter(torch.zeros(len(weight), rank, device=weight.device))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.up @ self.down).view_as(weight).to(weight)


def layers(unet: InflatedUNet) -> dict[str, nn.Module]:
    """The layers whose weight is changed by a low-rank product: what training changes, but the gates, which are small."""
    return {
        name: module
        for name, module in unet.named_modules()
        if isinstance(module, nn.Linear | nn.Conv1d) and ("attn_temp" in name or name.endswith(("attn1.to_q", ".conv1d")))
    }


def attach(unet: InflatedUNet, rank: int, generator: torch.Generator) -> dict[str, nn.Parameter]:
    """Gives each such layer a low-rank change, and returns all that is to be learned, by the names that it is kept under: these, the
    layers' biases, and the gates."""
    learned: dict[str, nn.Parameter] = {}
    for name, module in layers(unet).items():
        change = LowRank(module.weight, rank, generator)
        parametrize.register_parametrization(module, "weight", change)
        learned |= {name + DOWN: change.down, name + UP: change.up}
        if isinstance(module.bias, nn.Parameter):
            learned[f"{name}.bias"] = module.bias
    for name, module in unet.named_modules():
        if isinstance(module, InflatedConv):
            learned |= {f"{name}.conv_gate.{own}": parameter for own, parameter in module.conv_gate.named_parameters()}
    return learned


@torch.no_grad()
def merged(unet: InflatedUNet, tensors: Tensors, path: Path) -> InflatedUNet:
    """The network with a motion's changes laid on it. Raises PegbarError that names what does not fit."""
    own: Mapping[str, Tensor] = unet.state_dict()
    targets = {name: name.removesuffix(DOWN).removesuffix(UP) + (".weight" if name.endswith((DOWN, UP)) else "") for name in tensors}
    if strange := {name for name, target in targets.items() if target not in own}:
        raise PegbarError(f"{path} has tensors that are not known here, {listed(strange)}: it is no motion for this Stable Diffusion")
    wanted = {f"{name}{end}" for name in layers(unet) for end in (DOWN, UP)}
    if lacking := wanted - targets.keys():
        raise PegbarError(f"{path} lacks {listed(lacking)}: it is not whole")
    try:
        for name, tensor in tensors.items():
            if name.endswith(DOWN):
                weight = own[targets[name]]
                weight += (tensors[name.removesuffix(DOWN) + UP] @ tensor).view_as(weight).to(weight)
            elif not name.endswith(UP):
                own[name].copy_(tensor)
    except RuntimeError as error:
        raise PegbarError(f"{path} is of another size of the model ({name}): get the one that was asked for") from error
    return unet
