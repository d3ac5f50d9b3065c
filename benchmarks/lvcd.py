"""How fast LVCD is and what memory it takes, on random weights: nothing is downloaded.

usage: python -m benchmarks.lvcd          on the processor, mid-size: attention without masks against SPEC §6 as it is written
       python -m benchmarks.lvcd --gpu    on the graphics card, full size: a segment of 576x320, 19 frames, 25 steps, and its parts
       python -m benchmarks.lvcd --tiny   what --gpu does, tiny and on the processor: shows that it runs, its figures mean nothing
"""

import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor2_0
from torch.nn import functional

from engine.diffusion.memory import GIB, Room, precision_of
from engine.pipelines.lvcd import budget, conditioning, networks
from engine.pipelines.lvcd.decoding import Chunks, decode_chunk
from engine.pipelines.lvcd.reference_attention import BOOST, ReferenceAttention, pattern, references
from engine.pipelines.lvcd.sampling import Settings, denoise, first_carry, sample_segment

FRAMES, OVERLAP = 19, 4
PREVREF = pattern("prevref", FRAMES, OVERLAP)
MID: Mapping[str, Any] = {
    "unet_diffusers": {
        "block_out_channels": (64, 128, 256, 256),
        "num_attention_heads": (2, 4, 8, 8),
        "cross_attention_dim": 128,
        "addition_time_embed_dim": 64,
        "projection_class_embeddings_input_dim": 192,
        "num_frames": 14,
    },
    "controlnet": {"hint_widths": (16, 32, 96, 256)},
    "vae_diffusers": {"block_out_channels": (32, 64, 128, 128), "layers_per_block": 2},
    "clip_transformers": {
        "hidden_size": 64,
        "intermediate_size": 256,
        "projection_dim": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 224,
        "patch_size": 14,
        "hidden_act": "gelu",
    },
}
"""60 million parameters in the UNet."""
TINY: Mapping[str, Any] = {
    **MID,
    "unet_diffusers": {**MID["unet_diffusers"], "block_out_channels": (32,) * 4, "num_attention_heads": (2,) * 4},
    "vae_diffusers": {"block_out_channels": (32,) * 4, "layers_per_block": 2},
}
SEGMENT_TFLOP = 616
"""A segment's work at full size as the authors' code counts it: 25 steps of UNet and ControlNet (TIMINGS)."""
REPEATS = 2


def random_networks(config: Mapping[str, Any], device: torch.device, dtype: torch.dtype) -> networks.Networks:
    """Networks of a size whose weights keep the variance of what goes through."""
    modules = networks.empty(config)
    del modules["conditioner"]
    for name, module in modules.items():
        module.to_empty(device=device)
        precision = dtype if name in ("unet", "controlnet", "clip") else torch.float32
        for parameter in module.eval().requires_grad_(False).parameters():
            parameter.data = parameter.data.to(precision)
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 0
            parameter.normal_(0, 0.5 / fan_in**0.5) if fan_in else parameter.fill_(0.5)
        for part in module.modules():
            if "position_ids" in part._buffers:
                part.position_ids = torch.arange(part.position_ids.shape[-1], device=device)[None]
    return networks.Networks(**modules, conditioner=modules["encoder"], device=device, dtype=dtype)


class Straightforward(ReferenceAttention):
    """SPEC §6 as it is written: two halves of keys for each frame, and a bias for each query and key of every frame."""

    def __call__(self, attn: Any, hidden_states: torch.Tensor, **_: object) -> torch.Tensor:
        query, key, value = (
            layer(hidden_states).unflatten(-1, (attn.heads, -1)).transpose(1, 2) for layer in (attn.to_q, attn.to_k, attn.to_v)
        )
        own = [frame for run in self.pattern.runs for frame in run.own]
        other = [frame for run in self.pattern.runs for frame in run.other or run.own]
        keys, values = (torch.cat([tensor[own], tensor[other]], dim=2) for tensor in (key, value))
        tokens = query.shape[2]
        bias = torch.zeros(len(query), 1, tokens, 2 * tokens, dtype=query.dtype, device=query.device)
        for run in self.pattern.runs:
            if run.boosted and self.boosts:
                bias[run.start : run.stop, :, :, tokens:] = BOOST
        seen = functional.scaled_dot_product_attention(query, keys, values, attn_mask=bias)
        return attn.to_out[0](seen.transpose(1, 2).flatten(-2))


class MaskedTemporal:
    """Temporal attention under a mask, as SPEC §5.1 writes it."""

    def __call__(self, attn: Any, hidden_states: torch.Tensor, **_: object) -> torch.Tensor:
        frames = hidden_states.shape[1]
        mask = torch.eye(frames, dtype=torch.bool, device=hidden_states.device)
        mask[references(frames) :, references(frames) :] = True
        query, key, value = (
            layer(hidden_states).unflatten(-1, (attn.heads, -1)).transpose(1, 2) for layer in (attn.to_q, attn.to_k, attn.to_v)
        )
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return attn.to_out[0](seen.transpose(1, 2).flatten(-2))


def make_straightforward(made: networks.Networks) -> None:
    """Every attention of both networks in its straightforward form, those over one token with queries and keys."""
    for network in (made.unet, made.controlnet):
        network.attention = tuple(Straightforward(boosts=processor.boosts) for processor in network.attention)
        forms = {}
        for name, processor in network.attn_processors.items():
            reference = isinstance(processor, ReferenceAttention)
            plain = AttnProcessor2_0() if ".attn2." in name else MaskedTemporal()
            forms[name] = network.attention[not processor.boosts] if reference else plain
        network.set_attn_processor(forms)


def one_layer(heads: int, width: int, tokens: int, straightforward: bool) -> Callable[[], torch.Tensor]:
    """A layer's reference attention over a segment's frames."""
    from diffusers.models.attention_processor import Attention

    torch.manual_seed(0)
    attn = Attention(heads * width, heads=heads, dim_head=width).requires_grad_(False)
    processor = (Straightforward if straightforward else ReferenceAttention)(boosts=True)
    processor.pattern = PREVREF
    hidden = torch.randn(FRAMES, tokens, heads * width)
    return lambda: processor(attn, hidden)


def one_step(height: int, width: int, straightforward: bool) -> Callable[[], torch.Tensor]:
    """One denoising step of the mid-size networks, the first one's hint with it."""
    torch.manual_seed(0)
    made = random_networks(MID, torch.device("cpu"), torch.float32)
    if straightforward:
        make_straightforward(made)
    x, concat = torch.randn(FRAMES, 4, height // 8, width // 8), torch.randn(1, FRAMES, 4, height // 8, width // 8)
    hint = made.controlnet.embed_hint((torch.rand(FRAMES, 3, height, width) > 0.9).float())
    ids, embeds = torch.tensor([[6.0, 160.0, 0.0]]), torch.randn(1, 1, 128)
    return lambda: denoise(made, x, torch.tensor(2.5), concat, embeds, ids, hint, PREVREF)


CASES: Mapping[str, tuple[Callable[..., Callable[[], torch.Tensor]], tuple[int, ...]]] = {
    "one layer, 384 tokens, 2 heads of 32": (one_layer, (2, 32, 384)),
    "one layer, 720 tokens, 5 heads of 64": (one_layer, (5, 64, 720)),
    "one layer, 1440 tokens, 5 heads of 64": (one_layer, (5, 64, 1440)),
    "one whole step, 192x128 pixels": (one_step, (128, 192)),
    "one whole step, 256x192 pixels": (one_step, (192, 256)),
}


def measure(case: str, straightforward: bool) -> None:
    """In a process of its own: seconds of one processor, the memory that the call needs beyond what was there, and the result's norm."""
    torch.set_num_threads(1)
    make, sizes = CASES[case]
    call = make(*sizes, straightforward)
    before, times = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
    for _ in range(REPEATS):
        started = time.process_time()
        result = call()
        times.append(time.process_time() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({"seconds": min(times), "mb": peak / 1024, "result": result.flatten()[:: max(result.numel() // 1000, 1)].tolist()}))


def on_the_processor() -> None:
    print("\nAttention without masks against SPEC §6 as it is written: one core, float32, the same random weights\n")
    print("| what | seconds | as written | ratio | MB above | as written | ratio | off by |\n|---|---|---|---|---|---|---|---|")
    for case in CASES:
        ours, theirs = (_measured(case, form) for form in ("ours", "straightforward"))
        one, two = (torch.tensor(found["result"]) for found in (ours, theirs))
        figures = [f"{found:.3g}" for pair in (("seconds",), ("mb",)) for found in _pair(ours, theirs, *pair)]
        print(f"| {case} | {' | '.join(figures)} | {(one - two).norm() / two.norm():.0e} |", flush=True)


def _pair(ours: Mapping[str, float], theirs: Mapping[str, float], name: str) -> tuple[float, float, float]:
    return ours[name], theirs[name], theirs[name] / max(ours[name], 1e-9)


def _measured(case: str, form: str) -> Any:
    command = [sys.executable, "-m", "benchmarks.lvcd", "measure", case, form]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def seconds(call: Callable[[], object], device: torch.device, repeats: int = REPEATS) -> float:
    """The least time of a few calls after a first one."""
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - started)
    return min(times[1:])


def everything(config: Mapping[str, Any], device: torch.device, height: int, width: int, settings: Settings) -> int:
    """The bytes that are estimated for a shot with all networks on the device."""
    hollow = budget.hollow(config, precision_of(device))
    return next(iter(budget.rungs(hollow, Room(device, None, None), height, width, settings))).peak


def whole_segments(device: torch.device, config: Mapping[str, Any], height: int, width: int, settings: Settings) -> None:
    """Seconds a segment, frames a second, the most memory, and how far from what the card could do."""
    rate = matrix_rate(device, 8192 if device.type == "cuda" else 256)
    print(f"\nThe matrix product of this device: {rate:.3g} TFLOP/s in bfloat16\n")
    print(
        "| precision | s a segment | s to decode its frames | frames a second | peak GiB | as counted | s a segment at the matrix rate | ratio |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for dtype in (torch.float16, torch.bfloat16) if device.type == "cuda" else (torch.float32,):
        made = random_networks(config, device, dtype)
        segment, decoding, peak = one_segment(made, height, width, settings)
        least, counted = SEGMENT_TFLOP / rate, everything(config, device, height, width, settings) / GIB
        figures = segment, decoding, settings.new_count / (segment + decoding), peak, counted, least, segment / least
        print(f"| {str(dtype).removeprefix('torch.')} | {' | '.join(f'{figure:.3g}' for figure in figures)} |", flush=True)


def one_segment(made: networks.Networks, height: int, width: int, settings: Settings) -> tuple[float, float, float]:
    """Seconds to sample a later segment, seconds to decode the frames that it adds, and the peak in GiB."""
    device = made.device
    noise = conditioning.draw(0, settings.num_frames, height, width)
    given = conditioning.condition(made, torch.rand(1, 3, height, width) * 2 - 1, noise)
    hint = (torch.rand(settings.num_frames, 3, height, width) > 0.9).float()
    _, carry = sample_segment(made, given, hint, first_carry(noise.latents), settings)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    segment = seconds(lambda: sample_segment(made, given, hint, carry, settings), device, 1)
    chunk, fresh = Chunks(), Chunks().length - Chunks().overlap - Chunks().first
    decoding = seconds(lambda: decode_chunk(made, noise.latents[: chunk.length]), device, 1) * settings.new_count / fresh
    return segment, decoding, torch.cuda.max_memory_allocated(device) / GIB if device.type == "cuda" else math.nan


def matrix_rate(device: torch.device, size: int) -> float:
    """TFLOP a second of a large matrix product."""
    one, other = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * size**3 / seconds(lambda: one @ other, device, 10) / 1e12


def boost_forms(device: torch.device, levels: Mapping[int, tuple[int, int]]) -> None:
    """The four boosted frames' attention in exact forms without a matrix of biases, and with it."""
    print("\nThe boosted frames' attention, milliseconds: a bias of one row (what is used), a further channel, a matrix of biases, none\n")
    print("| tokens, heads | one row | channel | matrix | none |\n|---|---|---|---|---|")
    for tokens, (heads, width) in levels.items():
        made = [
            torch.randn(OVERLAP, heads, count, width, device=device, dtype=torch.bfloat16) for count in (tokens, 2 * tokens, 2 * tokens)
        ]
        forms = (_one_row, _channel, _matrix, lambda query, key, value: functional.scaled_dot_product_attention(query, key, value))
        times = [1000 * seconds(lambda: form(*made), device) for form in forms]  # noqa: B023
        print(f"| {tokens}, {heads} of {width} | {' | '.join(f'{took:.3g}' for took in times)} |", flush=True)


def _row(key: torch.Tensor) -> torch.Tensor:
    row = torch.zeros(1, 1, 1, key.shape[2], dtype=key.dtype, device=key.device)
    row[..., key.shape[2] // 2 :] = BOOST
    return row


def _one_row(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=_row(key))


def _matrix(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    bias = _row(key).expand(len(query), 1, query.shape[2], -1).contiguous()
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)


def _channel(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Eight channels more, as kernels want them: the first of the query is 1, of half of the keys the boost."""
    width = query.shape[-1]
    query, key, value = (functional.pad(tensor, (0, 8)) for tensor in (query, key, value))
    query[..., width] = 1
    key[..., key.shape[2] // 2 :, width] = BOOST * width**0.5
    return functional.scaled_dot_product_attention(query, key, value, scale=width**-0.5)[..., :width]


def on_the_card(tiny: bool) -> None:
    device = torch.device("cpu" if tiny else "cuda")
    torch.set_num_threads(1)
    print(
        "\nRandom weights, " + ("tiny, on the processor" if tiny else f"full size, {torch.cuda.get_device_name(device)}, 576x320, 25 steps")
    )
    settings = Settings(num_inference_steps=1 if tiny else 25)
    config = TINY if tiny else networks.config_beside(networks.Path("svd.safetensors"))
    whole_segments(device, config, *((64, 64) if tiny else (320, 576)), settings)
    boost_forms(device, {64: (2, 32)} if tiny else {2880: (5, 64), 720: (10, 64), 180: (20, 64)})


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        measure(sys.argv[2], sys.argv[3] == "straightforward")
    elif sys.argv[1:] in (["--gpu"], ["--tiny"]):
        on_the_card(sys.argv[1] == "--tiny")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        on_the_processor()
