"""The matcher of `engine/pipelines/flat/network.py` for training: the same parameters by the same names, batches padded to one size."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.pipelines.flat.network import ALONE, CARRIED, COMPARISONS, EARLY, FEATURES, HEADS, LATE, PAIR, REACHES, RELATIONS, WIDTH

NEVER = -1e4
"""What is added where there is no region."""


@dataclass(frozen=True)
class Places:
    """Where the regions of 2 b frames lie; `b` frames first, then the `b` frames that they are compared with."""

    area: Tensor
    """(2 b, n)"""
    centre: Tensor
    """(2 b, n, 2)"""
    edge: Tensor
    """(2 b, n) whether a region touches the frame's edge."""
    points: Tensor
    """(2 b, n, k, 2)"""
    plan: Tensor
    """(2 b, rows, columns) which region lies where; padded."""
    shape: Tensor
    """(2 b, 2) rows and columns of each plan."""

    def swapped(self) -> "Places":
        return Places(*(_swapped(part) for part in vars(self).values()))

    def to(self, device: torch.device) -> "Places":
        return Places(*(part.to(device) for part in vars(self).values()))


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


class Answer(nn.Module):
    """Who is who, by tokens that have looked at each other."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.query, self.key = nn.Linear(WIDTH, WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        self.none = nn.Linear(WIDTH, 1)
        self.mutual = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithms of chances (2 b, n, n + 1): what both frames answer together, and what each alone; `bias` (2 b, n, n)."""
        x = self.norm(x)
        scores = self.query(x) @ _swapped(self.key(x)).transpose(1, 2) / WIDTH**0.5
        alone = torch.cat([scores.float() + bias.float(), self.none(x).float()], -1).log_softmax(-1)
        heard = _swapped(alone[..., :-1].transpose(1, 2)).clamp(min=-30)
        together = torch.cat([alone[..., :-1] + self.mutual * heard, alone[..., -1:]], -1).log_softmax(-1)
        return together, alone


class Matcher(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(FEATURES, 2 * WIDTH), nn.SiLU(), nn.Linear(2 * WIDTH, WIDTH))
        self.near = _relate(RELATIONS, ALONE + EARLY + LATE - 1)
        self.far = _relate(COMPARISONS, EARLY + 1)
        self.moved = _relate(COMPARISONS + 2 * CARRIED, LATE + 1)
        self.alone = nn.ModuleList(Block() for _ in range(ALONE))
        self.across = nn.ModuleList(Block() for _ in range(EARLY + LATE))
        self.within = nn.ModuleList(Block() for _ in range(EARLY + LATE - 1))
        self.early, self.late = Answer(), Answer()
        for block in (*self.alone, *self.across, *self.within):
            for linear in (block.out, block.shrink):
                nn.init.normal_(linear.weight, std=0.02 / (ALONE + 2 * (EARLY + LATE)) ** 0.5)

    def forward(
        self, features: Tensor, relations: Tensor, there: Tensor, back: Tensor, real: Tensor, places: Places, known: Tensor | None = None
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """The last answer and the early one, each with what each frame alone answers: logarithms of chances, (2 b, n, n + 1).

        Both frames one after the other in a batch: `features` (2 b, n, FEATURES), `relations` (2 b, RELATIONS, n, n), `real` (2 b, n) which
        are regions and no padding; `there` and `back` (b, COMPARISONS, n, n). `known` (2 b, n, n) is multiplied with the early answer's
        chances before it tells how things moved.
        """
        barred = torch.where(real, 0.0, NEVER)
        near = [bias + barred[:, None, None] for bias in _biases(self.near, relations)]
        other = _swapped(barred)[:, None, None]
        compared = torch.cat([there, back])
        far = [bias + other for bias in _biases(self.far, compared)]
        x = self.embed(features)
        for layer, block in enumerate(self.alone):
            x = block(x, x, near[layer])
        for layer in range(EARLY):
            x = self.across[layer](x, _swapped(x), far[layer])
            if layer < EARLY - 1:
                x = self.within[layer](x, x, near[ALONE + layer])
        early = self.early(x, far[EARLY][:, 0])
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            said = early[0][..., :-1].exp()
            mine = carried(said if known is None else said * known, early[0][..., -1:].exp(), places, real)
        told = torch.cat([compared, mine, _swapped(mine).transpose(2, 3)], 1)
        far = [bias + other for bias in _biases(self.moved, told)]
        for layer in range(EARLY, EARLY + LATE):
            x = self.within[layer - 1](x, x, near[ALONE + layer - 1])
            x = self.across[layer](x, _swapped(x), far[layer - EARLY])
        return self.late(x, far[LATE][:, 0]), early


def carried(chances: Tensor, none: Tensor, places: Places, real: Tensor) -> Tensor:
    """(2 b, CARRIED, n, n) as `carried` of the engine's network has it, both ways; `chances` (2 b, n, n) and `none` (2 b, n, 1) in
    proportion."""
    others = places.swapped()
    sure, best = chances.max(-1)
    sure = sure / (chances.sum(-1) + none[..., 0] + 1e-9)
    partner = others.centre.gather(1, best[..., None].expand(-1, -1, 2))
    alike = torch.exp(-2 * (others.area.gather(1, best) / places.area).log().abs())
    weight = sure**2 * alike * places.area**0.25 * torch.where(places.edge, 0.1, 1.0) * real
    offset = places.centre[:, None] - places.centre[:, :, None]
    distance = (offset**2).sum(-1)
    shift = partner - places.centre
    columns: list[Tensor] = []
    for reach in REACHES:
        near = torch.exp(-distance / (2 * reach**2)) * weight[:, None]
        near = near - torch.diag_embed(near.diagonal(dim1=1, dim2=2))
        centre, mean, turn, total = _fit(near, places.centre, shift)
        moved = places.centre + mean + _turned(turn, places.centre - centre)
        points = places.points + mean[:, :, None] + _turned(turn[:, :, None], places.points - centre[:, :, None])
        left = others.centre[:, None] - moved[:, :, None]
        far = left.norm(dim=-1)
        columns += [
            *(torch.sign(part) * torch.log1p(16 * part.abs()) for part in left.unbind(-1)),
            torch.log1p(64 * far),
            torch.log1p(4 * far / places.area.sqrt()[..., None]),
            _overlap(points, others),
        ]
    columns.append(torch.log1p(20 * total)[..., None].expand_as(distance))
    return torch.stack(columns, 1)


def _fit(near: Tensor, place: Tensor, shift: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The similarity by which the regions around each moved, by least squares with the weights `near` (b, n, n): about which point (b, n, 2),
    the shift there, the turn (b, n, 2), and on how much it rests (b, n)."""
    total = near.sum(-1)
    centre = near @ place / (total[..., None] + 1e-9)
    mean = near @ shift / (total[..., None] + 0.01)
    (x, y), (dx, dy) = place.unbind(-1), shift.unbind(-1)

    def both(one: Tensor, other: Tensor, means: Tensor) -> Tensor:
        return (near @ (one * other)[..., None])[..., 0] - total * means

    average = near @ shift / (total[..., None] + 1e-9)
    (cx, cy), (mx, my) = centre.unbind(-1), average.unbind(-1)
    spread = both(x, x, cx * cx) + both(y, y, cy * cy) + 0.03**2 * total + 1e-6
    turn = [both(dx, x, mx * cx) + both(dy, y, my * cy), both(dy, x, my * cx) - both(dx, y, mx * cy)]
    return centre, mean, torch.stack([part / spread for part in turn], -1), total


def _turned(turn: Tensor, at: Tensor) -> Tensor:
    """What is added to places `at` by the turn and growth `turn`."""
    (p, q), (x, y) = turn.unbind(-1), at.unbind(-1)
    return torch.stack([p * x - q * y, q * x + p * y], -1)


def _overlap(points: Tensor, others: Places) -> Tensor:
    """(2 b, n, n) share of each region's points (2 b, n, k, 2) that lie on each region of the other frame."""
    (b, n, k, _), columns = points.shape, others.plan.shape[2]
    at = points * others.shape.max(-1).values[:, None, None, None]
    y = at[..., 1].clamp(min=0).minimum(others.shape[:, 0, None, None] - 1.0).long()
    x = at[..., 0].clamp(min=0).minimum(others.shape[:, 1, None, None] - 1.0).long()
    found = others.plan.flatten(1).gather(1, (y * columns + x).flatten(1)).view(b, n, k)
    return torch.zeros(b, n, n, device=points.device).scatter_add_(2, found, torch.full_like(at[..., 0], 1 / k))


def _swapped(x: Tensor) -> Tensor:
    """The other frame's instead of each."""
    return torch.cat(x.chunk(2)[::-1])


def _relate(inputs: int, layers: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, PAIR), nn.ReLU(), nn.Linear(PAIR, layers * HEADS, bias=False))


def _biases(relate: nn.Sequential, pairs: Tensor) -> tuple[Tensor, ...]:
    """(b, HEADS, n, m) for each layer; `pairs` (b, c, n, m): what belongs to one head lies together, unlike what nn.Linear would give."""
    hidden = functional.relu(relate[0].weight @ pairs.flatten(2) + relate[0].bias[:, None])
    return (relate[2].weight @ hidden).unflatten(2, pairs.shape[2:]).unflatten(1, (-1, HEADS)).unbind(1)


def _heads(x: Tensor) -> Tensor:
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)
