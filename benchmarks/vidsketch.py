"""How fast VidSketch is and what memory it takes, on random weights: nothing is downloaded.

usage: python -m benchmarks.vidsketch          on the processor: against attention that writes out its scores, as the authors' code does;
                                               the calls of the full network take five minutes of one core, and 10 GB
       python -m benchmarks.vidsketch --quick  the same without those
       python -m benchmarks.vidsketch --gpu    on the graphics card, full size: a video of 10 frames of 512x320 in 50 steps; a training step
       python -m benchmarks.vidsketch --tiny   what --gpu does, tiny and on the processor: shows that it runs, its figures mean nothing
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from diffusers import AutoencoderKL, DDIMScheduler, T2IAdapter

from engine.pipelines.vidsketch import low_rank, sampling, unet
from engine.pipelines.vidsketch.learning import Batch, Learner
from engine.pipelines.vidsketch.unet import Clip, InflatedUNet, SparseCausal

WIDTHS = {"full": (320, 640, 1280, 1280), "mid": (64, 128, 256, 256), "tiny": (8, 16, 16, 16)}
TEXT = {"full": 768, "mid": 256, "tiny": 16}
FRAMES = 10
SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "clip_sample": False,
}
VIDEO_TFLOP, TRAINING_TFLOP = 677, 3 * 14.17 / 2
"""The least work at full size (TIMINGS): a video of 10 frames of 512x320 in 50 steps; a step of learning from one such video, whose pass
is made twice and gone back through; the gradients of the weights come on top."""
ORIGINAL_GB = 17.1
"""What the authors' code had taken when the system ended it in its first call at 512x320 (TIMINGS)."""


def network(size: str, device: torch.device, dtype: torch.dtype) -> InflatedUNet:
    """An inflated UNet of a size whose random weights keep the variance of what goes through."""
    groups = 4 if size == "tiny" else 32
    config = {"block_out_channels": WIDTHS[size], "cross_attention_dim": TEXT[size], "attention_head_dim": 8, "norm_num_groups": groups}
    with torch.device("meta"):
        module = InflatedUNet(config)
    return randomized(torch.nn.Module.to(module, dtype), device)


def randomized(module: Any, device: torch.device) -> Any:
    module.to_empty(device=device).eval().requires_grad_(False)
    for parameter in module.parameters():
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 0
        parameter.normal_(0, 0.5 / fan_in**0.5) if fan_in else parameter.fill_(0.5)
    return module


# --- on the processor


def materialised(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: object) -> torch.Tensor:
    """Attention with its scores written out, twice: before and after the softmax."""
    b, heads, queries, d = query.shape
    flat = [each.reshape(b * heads, -1, d) for each in (query, key, value)]
    scores = torch.baddbmm(torch.empty(b * heads, queries, key.shape[2]), flat[0], flat[1].transpose(1, 2), beta=0, alpha=d**-0.5)
    return torch.bmm(scores.softmax(-1), flat[2]).view(b, heads, queries, d)


def write_out_scores() -> None:
    """Every attention of the network as the authors' code has it; keys that are there twice are there twice."""
    unet.attend = materialised
    SparseCausal._parts = lambda self: [(range(0, 2), (0, 0)), (range(2, self.clip.frames), (0,))]  # type: ignore[method-assign]


def one_layer(frames: int, tokens: int, width: int) -> Callable[[], torch.Tensor]:
    """A sparse-causal layer over some frames of one video."""
    torch.manual_seed(0)
    attn = unet.Attention(width, heads=8, dim_head=width // 8, processor=SparseCausal(Clip(frames))).requires_grad_(False)
    x = torch.randn(frames, tokens, width)
    return lambda: attn(x)


def one_call(size: str, height: int, width: int) -> Callable[[], torch.Tensor]:
    """A call of the whole network, with and without the prompt."""
    torch.manual_seed(0)
    module = network(size, torch.device("cpu"), torch.float32)
    x, text = torch.randn(2, 4, FRAMES, height // 8, width // 8), torch.randn(2, 77, TEXT[size])
    return lambda: module(x, torch.tensor(500), text)


@dataclass(frozen=True)
class Case:
    make: Callable[..., Callable[[], torch.Tensor]]
    sizes: tuple[Any, ...]
    repeats: int = 3
    against: bool = True
    """Whether the form that writes out its scores fits this machine, too."""


FULL = "one call of the full network, 512x320, 10 frames"
CASES: Mapping[str, Case] = {
    "one layer, 256x160, 10 frames, full width": Case(one_layer, (10, 640, 320)),
    "one layer, 512x320, 5 frames, full width": Case(one_layer, (5, 2560, 320)),
    "one call, 256x160, 10 frames, a fifth of the width": Case(one_call, ("mid", 160, 256), 1),
    "one call of the full network, 384x240, 10 frames": Case(one_call, ("full", 240, 384), 1),
    FULL: Case(one_call, ("full", 320, 512), 1, against=False),
}


class Peak(threading.Thread):
    """The most memory of this process while it is looked at, in GB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over, self.gb = threading.Event(), 0.0

    def run(self) -> None:
        process = psutil.Process()
        while not self.over.wait(0.01):
            self.gb = max(self.gb, process.memory_info().rss / 1e9)


def measure(name: str, form: str) -> None:
    """In a process of its own: seconds of one processor, the most memory of the process and of the call alone, and some of the result."""
    torch.set_num_threads(1)
    case = CASES[name]
    if form == "materialised":
        write_out_scores()
    with torch.no_grad():
        call = case.make(*case.sizes)
        before, peak, times = psutil.Process().memory_info().rss / 1e9, Peak(), []
        peak.start()
        for _ in range(case.repeats):
            started = time.thread_time()
            result = call()
            times.append(time.thread_time() - started)
        peak.over.set()
    some = result.flatten()[:: max(1, result.numel() // 1000)].tolist()
    print(json.dumps({"seconds": min(times), "gb": peak.gb, "more_gb": peak.gb - before, "result": some}))


def on_the_processor(quick: bool) -> None:
    print("\nAgainst attention that writes out its scores: one core, float32, the same random weights; memory beyond weights and input\n")
    print("| what | seconds | written out | ratio | GB | written out | ratio | off by |\n|---|---|---|---|---|---|---|---|")
    for name, case in CASES.items():
        if case.against and not (quick and case.sizes[0] == "full"):
            ours, theirs = _measured(name, "ours"), _measured(name, "materialised")
            one, two = torch.tensor(ours["result"]), torch.tensor(theirs["result"])
            figures = [f"{value:.3g}" for key in ("seconds", "more_gb") for value in (ours[key], theirs[key], theirs[key] / ours[key])]
            print(f"| {name} | {' | '.join(figures)} | {(one - two).norm() / two.norm():.0e} |", flush=True)
    if not quick:
        ours = _measured(FULL, "ours")
        figures = [f"{ours['seconds']:.3g}", "-", "-", f"{ours['gb']:.3g}", f"over {ORIGINAL_GB}", f"{ORIGINAL_GB / ours['gb']:.2g}", "-"]
        print(f"| {FULL}, all of the process | {' | '.join(figures)} |")
        print(f"\nThe last row's other form is not run: the system ended the authors' code at {ORIGINAL_GB} GB in this call (TIMINGS).")


def _measured(name: str, form: str) -> Any:
    command = [sys.executable, "-m", "benchmarks.vidsketch", "measure", name, form]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


# --- on the graphics card


def matrix_rate(device: torch.device, side: int) -> float:
    """TFLOP/s of a large product in bfloat16."""
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * side**3 / seconds(lambda: a @ b, device, 10) / 1e12


def seconds(call: Callable[[], object], device: torch.device, repeats: int = 3) -> float:
    """The least time of a few calls after a first one."""
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - started)
    return min(times[1:])


def whole_video(device: torch.device, size: str, height: int, width: int, steps: int, rate: float) -> None:
    """Seconds of a video from drawings to frames, and the most memory."""
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    module, scheduler = network(size, device, dtype), DDIMScheduler(**SCHEDULE)
    widths = WIDTHS[size]
    with torch.device("meta"):
        adapter = T2IAdapter(in_channels=1, channels=list(widths), num_res_blocks=2, downscale_factor=8, adapter_type="full_adapter")
        vae = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=4,
            block_out_channels=(128, 256, 512, 512) if size == "full" else (8, 8, 16, 16), layers_per_block=2,
            norm_num_groups=32 if size == "full" else 4,
        )  # fmt: skip
    adapter, vae = randomized(torch.nn.Module.to(adapter, dtype), device), randomized(vae, device)
    sketch, text = torch.rand(4, 1, height, width, device=device, dtype=dtype), torch.randn(2, 77, TEXT[size], device=device, dtype=dtype)
    start = torch.randn(1, 4, FRAMES, height // 8, width // 8, device=device)

    def predict(latents: torch.Tensor, t: torch.Tensor, text: torch.Tensor, maps: Any) -> torch.Tensor:
        return module(latents.to(dtype), t, text, maps).float()

    @torch.no_grad()
    def video() -> None:
        maps = sampling.expanded(adapter(sketch), sampling.steering([0, 3, 6, 9], FRAMES), 0.65)
        latents = sampling.sample(predict, scheduler, start, text, maps, sampling.Sampling(steps))
        for frame in latents.unbind(2):
            vae.decode(frame, return_dict=False)

    took, peak = seconds(video, device, 1), _peak(device)
    print(
        f"| a video, {width}x{height}, {FRAMES} frames, {steps} steps | {took:.3g} | {peak} | {VIDEO_TFLOP / rate:.3g} | {took * rate / VIDEO_TFLOP:.3g} |"
    )


def training_step(device: torch.device, size: str, height: int, width: int, rank: int, rate: float) -> None:
    """Seconds of a step of learning: the way there, the way back, the optimizer."""
    learner = Learner(network(size, device, torch.float32), DDIMScheduler(**SCHEDULE), rank=rank)
    latents, noise = (torch.randn(1, 4, FRAMES, height // 8, width // 8, device=device) for _ in range(2))
    batch = Batch(latents, noise, torch.tensor([500], device=device), torch.randn(1, 77, TEXT[size], device=device))

    def step() -> None:
        learner.backward(batch)
        learner.step()

    took, peak, name = seconds(step, device), _peak(device), "low rank" if rank else "whole network"
    print(
        f"| a training step, {width}x{height}, {FRAMES} frames, {name} | {took:.3g} | {peak} | {TRAINING_TFLOP / rate:.3g} | {took * rate / TRAINING_TFLOP:.3g} |"
    )


def _peak(device: torch.device) -> str:
    """The most memory since this was last asked."""
    if device.type != "cuda":
        return "-"
    gib = torch.cuda.max_memory_allocated(device) / 2**30
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    return f"{gib:.3g}"


def on_the_card(tiny: bool) -> None:
    device = torch.device("cpu" if tiny else "cuda")
    size, height, width, steps = ("tiny", 32, 64, 2) if tiny else ("full", 320, 512, 50)
    rate = matrix_rate(device, 256 if tiny else 8192)
    print(f"\nThe matrix product of this device: {rate:.3g} TFLOP/s in bfloat16\n")
    print("| what | seconds | peak GiB | seconds at the matrix rate | ratio |\n|---|---|---|---|---|")
    whole_video(device, size, height, width, steps, rate)
    for rank in (0, low_rank.RANK):
        training_step(device, size, height, width, rank, rate)


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        measure(*sys.argv[2:])
    elif sys.argv[1:] in (["--gpu"], ["--tiny"]):
        on_the_card("--tiny" in sys.argv)
    elif sys.argv[1:] in ([], ["--quick"]):
        on_the_processor("--quick" in sys.argv)
    else:
        sys.exit(__doc__)
