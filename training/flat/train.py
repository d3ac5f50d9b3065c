"""Trains the region matcher: a loop that a kill may end at any time, and that goes on to the same weights."""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.pipelines.flat.network import WIDTH

from .batches import POOL, Batch, pool
from .clips import Drawings
from .network import Matcher

TOGETHER = 2
"""Batches of a step; each is learned from in a thread of its own."""
_RATE, _FAST, _DECAY, _WARM = 1.2e-3, 3e-3, 0.03, 300
"""Learning rates of AdamW and of Muon, weight decay of both, steps until the rates are reached."""
_LOW, _AGAIN = 0.02, 0.25
"""Shares of the rates that they fall to, and that they start from once more."""
_EMA = 0.9985
_SHARES = (1.0, 0.5, 0.4, 0.2)
"""How much counts what both frames answer, what each answers alone, and the same of the early answers."""
_SMALL = 1.5
"""How much a small region counts beside a large one: there are many ways to get it wrong."""


@dataclass(frozen=True)
class Settings:
    """What a training follows from, together with its clips."""

    steps: int = 20000
    seed: int = 0
    save_every: int = 250


class Training:
    """The state of a training between two steps."""

    def __init__(self, settings: Settings, device: str = "cpu") -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.device, self.step, self.seconds = settings, torch.device(device), 0, 0.0
        self.network = Matcher().to(self.device)
        self.average = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.optimizers = _optimizers(self.network)
        self.rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in self.optimizers]
        self.hands = ThreadPoolExecutor(TOGETHER)

    def on(self, batches: Sequence[Batch]) -> dict[str, float]:
        """Takes one step along the mean of the batches' gradients; the mean loss, and share of regions right, before it."""
        share = _schedule(self.step, self.settings.steps)
        found = list(self.hands.map(self._learned, batches))
        for parameter, *parts in zip(self.network.parameters(), *(gradients for gradients, _ in found), strict=True):
            parameter.grad = torch.stack(parts).mean(0)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimizer, rates in zip(self.optimizers, self.rates, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * share
        list(self.hands.map(_stepped, self.optimizers))
        self.step += 1
        keep = min(_EMA, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.values()), list(self.network.state_dict().values()), 1 - keep)
        return _means([measured for _, measured in found])

    def _learned(self, batch: Batch) -> tuple[tuple[Tensor, ...], dict[str, float]]:
        torch.set_num_threads(1)  # holds for a thread; the same bits however many cores there are
        loss, right = judged(self.network, batch, self.device, hinted=True)
        return torch.autograd.grad(loss, list(self.network.parameters())), {"loss": loss.item(), "right": right}

    def save(self, path: Path) -> None:
        kept = {
            "settings": asdict(self.settings), "step": self.step, "seconds": self.seconds, "network": self.network.state_dict(),
            "average": self.average, "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }  # fmt: skip
        torch.save(kept, path.with_suffix(".partial"))
        os.replace(path.with_suffix(".partial"), path)

    def resume(self, path: Path) -> None:
        kept: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        self.network.load_state_dict(kept["network"])
        for optimizer, state in zip(self.optimizers, kept["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        self.average, self.step, self.seconds = kept["average"], kept["step"], kept["seconds"]


def judged(network: Matcher, batch: Batch, device: torch.device, hinted: bool = False) -> tuple[Tensor, float]:
    """The mean over regions of -log of what the right answers get, small ones counting more; and the share of regions right.

    Both frames' answer counts whole, what each says alone by half; the early ones less. `hinted` batches know in some pairs of most
    regions what they are before it is asked how things moved: as where the drawings between two frames have been matched.
    """
    args = [part.to(device) for part in (batch.features, batch.relations, batch.there, batch.back, batch.real)]
    with torch.autocast(device.type, dtype=torch.bfloat16):
        late, early = network(*args, batch.places.to(device), batch.known.to(device) if hinted else None)
    right, which = batch.right.to(device), batch.judged.to(device)
    weight = torch.where(batch.small.to(device)[which], _SMALL, 1.0)
    good = [chances.masked_fill(~right, -1e4).logsumexp(-1)[which].clamp(min=-12) for chances in (*late, *early)]
    hit = right.gather(-1, late[0].argmax(-1, keepdim=True))[..., 0][which]
    total = torch.stack([share * part for share, part in zip(_SHARES, good, strict=True)]).sum(0)
    return -(total * weight).sum() / weight.sum(), hit.float().mean().item()


def train(
    training: Training, drawings: Drawings, held: Drawings | None, folder: Path, tell: Callable[[str], None], minutes: float = float("inf")
) -> None:
    """Takes the steps that are left, or as many as the minutes allow, and keeps state, weights and log in `folder`."""
    settings, recent, began = training.settings, [], time.monotonic() - training.seconds
    for batches in _from(training.step, settings, drawings):
        recent.append(training.on(batches))
        if training.step % settings.save_every and training.step < settings.steps:
            continue
        training.seconds = time.monotonic() - began
        line = {"step": training.step, "seconds": round(training.seconds), **_means(recent), **(examined(training, held) if held else {})}
        with (folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        training.save(folder / "state.pt")
        write(training, folder / "matcher.safetensors")
        tell(json.dumps(line))
        recent = []
        if training.seconds > 60 * minutes:
            return


def _from(step: int, settings: Settings, drawings: Drawings) -> Iterator[list[Batch]]:
    """The batches of each step that is left; the next pool is made while one is trained on."""
    each = POOL // TOGETHER
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(pool, drawings, settings.seed, step // each)
        while step < settings.steps:
            batches = coming.result()
            coming = ahead.submit(pool, drawings, settings.seed, step // each + 1)
            for k in range(step % each, min(each, settings.steps - step // each * each)):
                yield [batches[(k * TOGETHER + j) % len(batches)] for j in range(TOGETHER)]
                step += 1


@torch.no_grad()
def examined(training: Training, held: Drawings) -> dict[str, float]:
    """Loss and share of regions right of the averaged weights on clips never trained on."""
    network = Matcher().to(training.device)
    network.load_state_dict(training.average)
    network.eval()
    found = []
    for batch in pool(held, 0, 0, mirrored=False):
        loss, right = judged(network, batch, training.device)
        found.append({"held_loss": loss.item(), "held_right": right})
    return _means(found)


def write(training: Training, path: Path) -> None:
    """The averaged weights in half precision."""
    partial = path.with_suffix(".partial")
    save_file({name: value.to("cpu", torch.float16).contiguous() for name, value in training.average.items()}, partial)
    os.replace(partial, path)


def _means(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(float(np.mean([row[name] for row in rows])), 5) for name in rows[0]}


def _optimizers(network: Matcher) -> list[torch.optim.Optimizer]:
    """Muon (https://kellerjordan.github.io/posts/muon) for the large matrices, AdamW for all else; weight decay on matrices."""
    parameters = list(network.parameters())
    inner = [p for p in parameters if p.ndim > 1 and min(p.shape) >= WIDTH]
    outer = [p for p in parameters if p.ndim > 1 and min(p.shape) < WIDTH]
    groups = [{"params": outer}, {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0}]
    return [
        *(torch.optim.Muon(inner[k::TOGETHER], _FAST, _DECAY, adjust_lr_fn="match_rms_adamw") for k in range(TOGETHER)),
        torch.optim.AdamW(groups, _RATE, betas=(0.9, 0.98), weight_decay=_DECAY, fused=True),
    ]


def _stepped(optimizer: torch.optim.Optimizer) -> None:
    torch.set_num_threads(1)
    optimizer.step()


def _schedule(step: int, steps: int) -> float:
    """Up over the first steps, then down along half a cosine, and over the last quarter down once more, from a quarter of the rates."""
    turn = 0.75 * steps
    high, at, of = (1.0, step, turn) if step < turn else (_AGAIN, step - turn, steps - turn)
    return min(1.0, (step + 1) / _WARM) * (_LOW + (high - _LOW) * 0.5 * (1 + float(np.cos(np.pi * at / of))))
