"""One step of learning a motion (SPEC §6): what is learned, the loss, the optimizer. Knows no file."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn

from . import low_rank
from .unet import InflatedUNet

_LEARNED = ("conv1d", "conv_gate", "attn1.to_q", "attn_temp")
_MOST_NORM = 1.0


@dataclass(frozen=True)
class Batch:
    """Videos to learn from: scaled latents and noise (b, 4, f, h/8, w/8), the timestep of each (b,), the text (b, 77, d)."""

    latents: Tensor
    noise: Tensor
    timestep: Tensor
    text: Tensor


def learned(unet: InflatedUNet) -> dict[str, nn.Parameter]:
    """The parameters that the authors' training changes, by name: those of the modules whose names end so."""
    return {
        f"{name}.{own}": parameter
        for name, module in unet.named_modules()
        if name.endswith(_LEARNED)
        for own, parameter in module.named_parameters()
    }


def noised(scheduler: DDIMScheduler, batch: Batch) -> Tensor:
    """The latents at their timestep, the first frame clean."""
    noisy: Any = scheduler.add_noise(batch.latents, batch.noise, batch.timestep)
    return torch.cat([batch.latents[:, :, :1], noisy[:, :, 1:]], 2)


def loss_of(unet: InflatedUNet, scheduler: DDIMScheduler, batch: Batch) -> Tensor:
    """The mean squared error of what is predicted of all frames but the first."""
    prediction = unet(noised(scheduler, batch), batch.timestep, batch.text, attended="first+second+prev")
    wanted = batch.noise
    if scheduler.config.prediction_type == "v_prediction":
        wanted = scheduler.get_velocity(batch.latents, batch.noise, batch.timestep)
    return (prediction.float() - wanted)[:, :, 1:].square().mean()


class Learner:
    """A network that learns: its parameters, the optimizer's memory, and how much of it is changed."""

    def __init__(self, unet: InflatedUNet, scheduler: DDIMScheduler, learning_rate: float = 3e-5, rank: int = 0, seed: int = 0) -> None:
        """`rank` over 0: only low-rank changes are learned, which start from `seed`."""
        self.unet, self.scheduler = unet, scheduler
        self.parameters: Mapping[str, nn.Parameter] = (
            low_rank.attach(unet, rank, torch.Generator().manual_seed(seed)) if rank else learned(unet)
        )
        for parameter in self.parameters.values():
            parameter.requires_grad_(True)
        self.optimizer = torch.optim.AdamW(self.parameters.values(), learning_rate, (0.9, 0.999), eps=1e-8, weight_decay=1e-2)
        self._half = torch.device(unet.device).type == "cuda"
        unet.enable_gradient_checkpointing()

    def backward(self, batch: Batch) -> float:
        """The loss, its gradients left in the parameters. On a graphics card the network computes in bfloat16, its weights in full."""
        self.optimizer.zero_grad(set_to_none=True)
        with self._precision():
            loss = loss_of(self.unet, self.scheduler, batch)
        loss.backward()
        return loss.item()

    def step(self) -> float:
        """One step of the optimizer, and the gradients' norm before it was clipped."""
        norm = nn.utils.clip_grad_norm_(self.parameters.values(), _MOST_NORM)
        self.optimizer.step()
        return float(norm)

    @torch.no_grad()
    def loss(self, batch: Batch) -> float:
        """The loss on videos that are not learned from."""
        with self._precision():
            return float(loss_of(self.unet, self.scheduler, batch))

    @torch.no_grad()
    def predict(self, latents: Tensor, timestep: Tensor, text: Tensor) -> Tensor:
        """The noise as the network sees it now."""
        with self._precision():
            return self.unet(latents, timestep, text, attended="first+second+prev").float()

    @contextlib.contextmanager
    def _precision(self) -> Iterator[None]:
        with torch.autocast("cuda", torch.bfloat16, enabled=self._half):
            yield

    def state(self) -> dict[str, Any]:
        """All that a later run needs to go on to the same bits."""
        return {"parameters": {name: each.detach() for name, each in self.parameters.items()}, "optimizer": self.optimizer.state_dict()}

    def restore(self, state: Mapping[str, Any]) -> None:
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(state["parameters"][name])
        self.optimizer.load_state_dict(state["optimizer"])
