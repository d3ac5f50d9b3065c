"""The matcher of `engine/pipelines/flat/network.py` for training: the same parameters by the same names, batches padded to one size."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.pipelines.flat.network import ALONE, COMPARISONS, FEATURES, HEADS, PAIR, RELATIONS, TOGETHER, WIDTH

NEVER = -1e4
"""What is added where there is no region."""


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.query, self.pair = nn.Linear(WIDTH, WIDTH, bias=False), nn.Linear(WIDTH, 2 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.grow, self.shrink = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor, y: Tensor, bias: Tensor) -> Tensor:
        """`x` (b, n, c) looks at `y` (b, m, c); `bias` (b, HEADS, n, m)."""
        seen = self.norm(x)
        given = seen if y is x else self.norm(y)
        q, k, v = (_heads(z) for z in (self.query(seen), *self.pair(given).chunk(2, -1)))
        # Written out: with a bias, torch's own attention is slower on a CPU.
        share = (q @ k.transpose(-1, -2) * (WIDTH / HEADS) ** -0.5 + bias).softmax(-1)
        x = x + self.out((share.to(v.dtype) @ v).transpose(1, 2).flatten(2))
        return x + self.shrink(functional.silu(self.grow(self.norm2(x))))


class Matcher(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(FEATURES, 2 * WIDTH), nn.SiLU(), nn.Linear(2 * WIDTH, WIDTH))
        self.near = _relate(RELATIONS, ALONE + TOGETHER - 1)
        self.far = _relate(COMPARISONS, TOGETHER + 1)
        self.alone = nn.ModuleList(Block() for _ in range(ALONE))
        self.across = nn.ModuleList(Block() for _ in range(TOGETHER))
        self.within = nn.ModuleList(Block() for _ in range(TOGETHER - 1))
        self.last = nn.LayerNorm(WIDTH)
        self.query, self.key = nn.Linear(WIDTH, WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        self.none = nn.Linear(WIDTH, 1)
        self.mutual = nn.Parameter(torch.tensor(0.5))
        for block in (*self.alone, *self.across, *self.within):
            for linear in (block.out, block.shrink):
                nn.init.normal_(linear.weight, std=0.02 / (ALONE + 2 * TOGETHER) ** 0.5)

    def forward(self, features: Tensor, relations: Tensor, there: Tensor, back: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithms of how probably each region of one frame is each of the other or none, (2 b, n, n + 1); and what each frame alone answers.

        Both frames one after the other in a batch: `features` (2 b, n, FEATURES), `relations` (2 b, n, n, RELATIONS), `real` (2 b, n) which
        are regions and no padding; `there` and `back` (b, n, n, COMPARISONS).
        """
        barred = torch.where(real, 0.0, NEVER)
        near = [bias + barred[:, None, None] for bias in _biases(self.near, relations)]
        other = torch.cat(barred.chunk(2)[::-1])
        far = _biases(self.far, torch.cat([there, back]))
        x = self.embed(features)
        for layer, block in enumerate(self.alone):
            x = block(x, x, near[layer])
        for layer, block in enumerate(self.across):
            x = block(x, torch.cat(x.chunk(2)[::-1]), far[layer] + other[:, None, None])
            if layer < TOGETHER - 1:
                x = self.within[layer](x, x, near[ALONE + layer])
        x = self.last(x)
        scores = self.query(x) @ torch.cat(self.key(x).chunk(2)[::-1]).transpose(1, 2) / WIDTH**0.5
        scores = scores.float() + far[TOGETHER][:, 0].float() + other[:, None]
        alone = torch.cat([scores, self.none(x).float()], -1).log_softmax(-1)
        heard = torch.cat(alone[..., :-1].transpose(1, 2).chunk(2)[::-1]).clamp(min=-30)
        together = torch.cat([alone[..., :-1] + self.mutual * heard, alone[..., -1:]], -1).log_softmax(-1)
        return together, alone


def _relate(inputs: int, layers: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, PAIR), nn.ReLU(), nn.Linear(PAIR, layers * HEADS, bias=False))


def _biases(relate: nn.Sequential, pairs: Tensor) -> tuple[Tensor, ...]:
    """(b, HEADS, n, m) for each layer."""
    return relate(pairs).permute(0, 3, 1, 2).unflatten(1, (-1, HEADS)).unbind(1)


def _heads(x: Tensor) -> Tensor:
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)
