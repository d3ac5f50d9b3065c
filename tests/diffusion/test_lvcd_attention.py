"""Attention: the one door gives the same whatever serves it; LVCD's forms without masks equal the straightforward ones with them."""

import math

import pytest
import torch
from diffusers.models.attention_processor import Attention
from pegbar.engine.diffusion import attention
from pegbar.engine.pipelines.lvcd.reference_attention import (
    FramePositions,
    OneTokenAttention,
    ReferenceAttention,
    VideoAttention,
    VideoConv,
    pattern,
)
from torch.nn import functional
from torch.overrides import TorchFunctionMode

FRAMES, OVERLAP, TOKENS, HEADS, WIDTH = 19, 4, 12, 2, 16


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def straightforward(query, key, value, bias, scale=None):
    scores = query @ key.transpose(-1, -2) * (scale or query.shape[-1] ** -0.5)
    return (scores + bias).softmax(-1) @ value


@pytest.mark.parametrize("scale", [None, 0.3])
def test_the_door_gives_softmax_attention(scale):
    query, key, value = (random(2, 3, count, 8, seed=count) for count in (5, 7, 7))
    bias = random(1, 1, 1, 7)
    assert torch.allclose(attention.attend(query, key, value, None, scale), straightforward(query, key, value, 0, scale), atol=1e-6)
    assert torch.allclose(attention.attend(query, key, value, bias, scale), straightforward(query, key, value, bias, scale), atol=1e-6)


def slow(query, key, value, scale):
    for _ in range(20):
        seen = attention.sdpa(query, key, value, scale)
    return seen


def wrong(query, key, value, scale):
    return value[:, :, : query.shape[2]]


def broken(query, key, value, scale):
    raise RuntimeError("no kernel image is available for execution on the device")


def known(query, key, value, scale):
    """As fast as a kernel can be, and right: it knows the answer."""
    return ANSWERS[query.shape]


ANSWERS = {}


def test_another_kernel_serves_where_it_is_right_and_clearly_faster():
    given = [random(2, 4, 256, 32, seed=seed) for seed in range(3)]
    ANSWERS[given[0].shape] = attention.sdpa(*given, None)
    assert attention.choose({"slow": slow, "wrong": wrong, "broken": broken}, *given) is attention.sdpa
    assert attention.choose({"slow": slow, "wrong": wrong, "broken": broken, "known": known}, *given) is known


def test_nothing_but_pytorch_is_required():
    assert attention._fastest(torch.device("cpu"), torch.float32, (1, 1, 1, 1, 8)) is attention.sdpa or dict(attention.installed())


def layer(cross=None):
    torch.manual_seed(1)
    return Attention(HEADS * WIDTH, cross, heads=HEADS, dim_head=WIDTH).requires_grad_(False)


def table(mode, step_on):
    """SPEC §6's table, written out: (A, R, boosted) of each frame."""
    rows = []
    for frame in range(FRAMES):
        own, other, boosted = frame, frame if frame <= OVERLAP else 0, False
        if mode == "prevref" and step_on and frame > OVERLAP:
            own, other = (frame, frame - OVERLAP) if frame <= 2 * OVERLAP else (frame - 3, 0)
        if mode == "normal1" and frame == OVERLAP + 1:
            other = OVERLAP
        if mode == "first":
            other = 0
        if mode == "own":
            other = frame
        boosted = mode in ("prevref", "normal1") and OVERLAP < frame <= 2 * OVERLAP
        rows.append((own, other, boosted))
    return rows


MODES = [("normal", True), ("prevref", True), ("prevref", False), ("normal1", True), ("first", True), ("own", True)]


def with_masks(attn, hidden, rows, boosts):
    """SPEC §6 as it is written: two halves of keys for every frame, and a bias for each."""
    batch = len(hidden) // FRAMES
    query, key, value = (
        linear(hidden).reshape(batch, FRAMES, TOKENS, HEADS, WIDTH).transpose(2, 3) for linear in (attn.to_q, attn.to_k, attn.to_v)
    )
    seen = []
    for frame, (own, other, boosted) in enumerate(rows):
        keys, values = (torch.cat([tensor[:, own], tensor[:, other]], dim=2) for tensor in (key, value))
        bias = torch.zeros(TOKENS, 2 * TOKENS)
        bias[:, TOKENS:] = math.log(10) * (boosted and boosts)
        seen.append(straightforward(query[:, frame], keys, values, bias))
    return attn.to_out[0](torch.stack(seen, dim=1).transpose(2, 3).reshape(hidden.shape))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("boosts", [True, False])
@pytest.mark.parametrize(("mode", "step_on"), MODES)
def test_reference_attention_without_masks_equals_that_with_them(mode, step_on, boosts, batch):
    attn, processor = layer(), ReferenceAttention(boosts)
    processor.pattern = pattern(mode, FRAMES, OVERLAP, step_on)
    hidden = random(batch * FRAMES, TOKENS, HEADS * WIDTH)
    assert torch.allclose(processor(attn, hidden), with_masks(attn, hidden, table(mode, step_on), boosts), atol=2e-6)


class Asked(TorchFunctionMode):
    """Notes what PyTorch's attention is asked for: how many frames, keys, and numbers of bias."""

    def __init__(self):
        super().__init__()
        self.notes = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is functional.scaled_dot_product_attention:
            bias = (kwargs or {}).get("attn_mask")
            self.notes.append((len(args[0]), args[1].shape[2], None if bias is None else bias.numel()))
        return function(*args, **(kwargs or {}))


def test_no_keys_are_doubled_and_no_matrix_of_biases_is_made():
    """The frames that see themselves alone have their own keys, the boosted four a bias of one row, the rest none."""
    processor = ReferenceAttention(boosts=True)
    processor.pattern = pattern("prevref", FRAMES, OVERLAP, True)
    with Asked() as asked:
        processor(layer(), random(FRAMES, TOKENS, HEADS * WIDTH))
    assert asked.notes == [(5, TOKENS, None), (4, 2 * TOKENS, 2 * TOKENS), (10, 2 * TOKENS, None)]


@pytest.mark.parametrize("frames", [19, 15, 14, 7])
def test_video_frames_see_each_other_and_references_themselves(frames):
    attn, hidden = layer(), random(3, frames, HEADS * WIDTH)
    split = max(frames - 14, 0)
    allowed = torch.eye(frames, dtype=torch.bool)
    allowed[split:, split:] = True
    query, key, value = (linear(hidden).unflatten(-1, (HEADS, WIDTH)).transpose(1, 2) for linear in (attn.to_q, attn.to_k, attn.to_v))
    seen = straightforward(query, key, value, torch.zeros(frames, frames).masked_fill(~allowed, -torch.inf))
    assert torch.allclose(VideoAttention()(attn, hidden), attn.to_out[0](seen.transpose(1, 2).flatten(-2)), atol=1e-6)


@pytest.mark.parametrize("frames", [19, 15, 14, 7])
def test_a_reference_frame_is_convolved_as_a_clip_of_one(frames):
    torch.manual_seed(2)
    conv = VideoConv(4, 6, (3, 1, 1), padding=(1, 0, 0)).requires_grad_(False)
    clip, split = random(2, 4, frames, 3, 5), max(frames - 14, 0)
    plain = [
        functional.conv3d(part, conv.weight, conv.bias, padding=(1, 0, 0))
        for part in (*(clip[:, :, frame : frame + 1] for frame in range(split)), clip[:, :, split:])
    ]
    assert torch.allclose(conv(clip), torch.cat(plain, dim=2), atol=1e-6)


@pytest.mark.parametrize(("frames", "batch"), [(19, 1), (19, 2), (15, 2), (14, 1), (3, 2)])
def test_every_reference_is_where_the_first_video_frame_is(frames, batch):
    positions = FramePositions(8, True, 0)
    wanted = [0] * max(frames - 14, 0) + list(range(min(frames, 14)))
    asked = torch.arange(frames).repeat(batch)
    plain = super(FramePositions, positions).forward(torch.tensor(wanted * batch))
    assert torch.equal(positions(asked), plain)


@pytest.mark.parametrize("rows", ["each its own", "one"])
def test_cross_attention_to_one_token_is_that_token(rows):
    attn, hidden = layer(cross=8), random(6, TOKENS, HEADS * WIDTH)
    context = random(6, 1, 8) if rows == "each its own" else random(1, 1, 8).expand(6, -1, -1)
    query = attn.to_q(hidden).unflatten(-1, (HEADS, WIDTH)).transpose(1, 2)
    key, value = (linear(context).unflatten(-1, (HEADS, WIDTH)).transpose(1, 2) for linear in (attn.to_k, attn.to_v))
    wanted = attn.to_out[0](straightforward(query, key, value, 0).transpose(1, 2).flatten(-2))
    assert torch.allclose(hidden + OneTokenAttention()(attn, hidden, context), hidden + wanted, atol=1e-6)
