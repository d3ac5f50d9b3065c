"""How much work FlipSketch takes: network calls as published and here, time of a whole run against the published sequence, on a card the
ratio to what its matrix units could do.

usage: python -m benchmarks.flipsketch [--gpu] [--tiny]     (with .venv/diffusion; `--gpu`: full size, random weights)
"""

import argparse
import functools
import itertools
import math
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet3DConditionModel
from torch.utils.flop_counter import FlopCounterMode

from engine.pipelines.flipsketch import ink, method, ranking
from engine.pipelines.flipsketch.model import Model, precision_on, prepared
from tests.flipsketch_plainly import Plainly

SCHEDULE = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False, "set_alpha_to_one": False,
    "steps_offset": 1,
}  # fmt: skip
MIDDLE = {
    "sample_size": 16, "block_out_channels": (64, 128, 128, 128), "layers_per_block": 1, "attention_head_dim": 32, "cross_attention_dim": 24,
}  # fmt: skip
FULL = {"sample_size": 32}
"""diffusers' defaults are the published sizes."""
TINY = MIDDLE | {"block_out_channels": (32, 32, 32, 32), "attention_head_dim": 8}
SMALLEST = {
    "sample_size": 4, "block_out_channels": (32, 32), "layers_per_block": 1, "attention_head_dim": 8, "cross_attention_dim": 24,
    "down_block_types": ("CrossAttnDownBlock3D", "DownBlock3D"), "up_block_types": ("UpBlock3D", "CrossAttnUpBlock3D"),
}  # fmt: skip
VAE = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4, "latent_channels": 4}
VAE_FULL = VAE | {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2}
VAE_TINY = VAE | {"block_out_channels": (8, 8, 16, 16), "norm_num_groups": 4}
FRAMES = 10
ROUNDS = 2
"""Of which the quickest counts, the two sequences in turn: what else a machine does slows processor seconds, too."""


def networks(unet_config: dict, vae_config: dict, device: torch.device, dtype: torch.dtype) -> Model:
    """A model of random weights; it has no text encoder."""
    torch.manual_seed(0)
    with torch.device(device):
        unet = UNet3DConditionModel(**unet_config).to(dtype).eval().requires_grad_(False)
        vae = AutoencoderKL(**vae_config, scaling_factor=0.18215).eval().requires_grad_(False)
    composition, memory = prepared(unet)
    absent = SimpleNamespace()
    return Model(unet, vae, absent, absent, SCHEDULE, composition, memory, device)


def texts_of(model: Model) -> method.Texts:
    width = model.unet.config.cross_attention_dim
    prompt, null = torch.randn(2, 1, 77, width, generator=torch.Generator().manual_seed(1)).to(model.device, model.unet.dtype)
    return method.Texts(prompt, null, null)


def drawn(model: Model, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2)).to(model.device)


def run(model: Model, settings: method.Settings, side: int) -> torch.Tensor:
    """A whole run as the pipeline makes it, from the copies' latents to the clip's."""
    texts, latents = texts_of(model), drawn(model, 1, 4, 5, side, side)
    noise = method.reference_noise(model, latents, texts.null, settings.num_inference_steps, lambda step, x: None)
    return method.denoised(model, drawn(model, 1, 4, FRAMES, side, side), noise, texts, settings)


def run_plainly(model: Model, settings: method.Settings, side: int) -> torch.Tensor:
    """The same as the published calls, with gradients of the weights, on a network of its own."""
    texts, latents = texts_of(model), drawn(model, 1, 4, 5, side, side)
    unet = UNet3DConditionModel(**dict(model.unet.config)).eval()
    unet.load_state_dict(model.unet.state_dict())
    taus = settings.align_steps, settings.compose_until
    alphas = DDIMScheduler(**SCHEDULE).alphas_cumprod
    plain = Plainly(unet, alphas, settings.num_inference_steps, settings.guidance_scale, settings.fidelity, taus, settings.align)
    noise = plain.invert(latents, texts.null)
    return plain.sample(drawn(model, 1, 4, FRAMES, side, side), noise, texts.prompt, texts.negative, texts.null)


def seconds(work: Callable[[], torch.Tensor]) -> tuple[float, torch.Tensor]:
    """Processor seconds, and what the work gives."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def whole_runs(config: dict) -> None:
    torch.set_num_threads(1)
    model = networks(config, VAE_TINY, torch.device("cpu"), torch.float32)
    side, settings = config["sample_size"], method.Settings(5, compose_until=3, align=True, align_steps=2)
    parameters = sum(parameter.numel() for parameter in model.unet.parameters())
    print(f"\nWhole runs on one core, float32: {parameters:,} parameters, {FRAMES} frames at {8 * side} pixels, 5 steps, processor seconds")
    print(f"{'':>24} {'published':>10} {'here':>8} {'ratio':>6} {'largest difference of latents':>30}")
    for name, align in (("with alignment", True), ("without", False)):
        own = replace(settings, align=align)
        plain_s = own_s = math.inf
        for _ in range(ROUNDS):
            elapsed, wanted = seconds(functools.partial(run_plainly, model, own, side))
            plain_s = min(plain_s, elapsed)
            elapsed, found = seconds(functools.partial(run, model, own, side))
            own_s = min(own_s, elapsed)
        off = float((found - wanted).abs().max() / wanted.std())
        print(f"{name:>24} {plain_s:10.2f} {own_s:8.2f} {plain_s / own_s:6.2f} {off:24.1e} of std", flush=True)


def counts(config: dict) -> None:
    """Clips through the network in 25 steps of 10 frames."""
    model = networks(config, VAE_TINY, torch.device("cpu"), torch.float32)
    seen: list[tuple[int, int, bool]] = []
    model.unet.register_forward_pre_hook(lambda module, args: seen.append((len(args[0]), args[0].shape[2], torch.is_grad_enabled())))
    run(model, method.Settings(align=True), config["sample_size"])
    rows = {
        "inversion": sum(count for count, frames, wanted in seen[:25]),
        "A and D": sum(count for count, frames, wanted in seen[25:] if count == 2),
        "C": sum(count for count, frames, wanted in seen[25:] if count == 1 and not wanted) - 10,
        "B": 0,
        "alignment's targets": 10,
        "alignment's gradients": sum(count for count, frames, wanted in seen if wanted),
    }
    published = {"inversion": 50, "A and D": 50, "C": 16, "B": 25, "alignment's targets": 10, "alignment's gradients": 100}
    print("\nClips through the network: 10 frames, 25 steps, one variation, aligned")
    for what, count in published.items():
        print(f"{what:>24} {count:4d} published {rows[what]:4d} here", flush=True)


def seams(config: dict) -> None:
    """How far lines move across the seam of a longer clip, against within its parts. Random networks draw noise: the method of measuring."""
    model = networks(config, VAE_TINY, torch.device("cpu"), torch.float32)
    settings, texts, side = method.Settings(5, compose_until=3), texts_of(model), config["sample_size"]
    sketch = torch.ones(1, 3, 8 * side, 8 * side)
    sketch[:, :, 4 * side - 2 : 4 * side + 2, side : 7 * side] = 0
    parts: list[np.ndarray] = []
    for _ in range(2):
        latents = model.encode_sketch(sketch, drawn(model, 5, 4, side, side))
        noise = method.reference_noise(model, latents, texts.null, 5, lambda step, x: None)
        video = model.decode(method.denoised(model, drawn(model, 1, 4, FRAMES, side, side), noise, texts, settings))
        parts.append(ink.ink_of(ink.eight_bit(video[0].numpy())))
        sketch = torch.from_numpy(1 - parts[-1][-1])[None, None].repeat(1, 3, 1, 1)
    within = [ranking.line_distance(a, b) for part in parts for a, b in itertools.pairwise(part[1:])]
    across, repeated = ranking.line_distance(parts[0][-1], parts[1][1]), ranking.line_distance(parts[0][-1], parts[1][0])
    print(
        f"\nLine distance in pixels, random weights: within a part {np.mean(within):.2f}, across the seam {across:.2f}, to the dropped first {repeated:.2f}"
    )


def full_size(tiny: bool) -> None:
    """Seconds, memory and the ratio to the floor that the multiplications set, with and without alignment."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu" and not tiny:
        raise SystemExit("There is no graphics card here: --gpu --tiny runs the same at a tiny size on the processor")
    unet_config, vae_config = (TINY, VAE_TINY) if tiny else (FULL, VAE_FULL)
    steps = 2 if tiny else 25
    model = networks(unet_config, vae_config, device, precision_on(device))
    rate = matmul_rate(device, model.unet.dtype, 512 if tiny else 8192)
    side, where = unet_config["sample_size"], torch.cuda.get_device_name() if device.type == "cuda" else "processor"
    print(
        f"\n{where}, {model.unet.dtype}: {FRAMES} frames at {8 * side} pixels, {steps} steps; matrices multiply at {rate / 1e12:.2f} TFLOP/s"
    )
    for name, align in (("without alignment", False), ("with alignment", True)):
        settings = method.Settings(steps, compose_until=int(0.6 * steps), align=align, align_steps=math.ceil(0.4 * steps))
        with FlopCounterMode(display=False) as flops:
            whole(model, settings, side)  # warms up as well
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        elapsed = timed(device, functools.partial(whole, model, settings, side))
        peak = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else float("nan")
        floor = flops.get_total_flops() / rate
        print(
            f"{name:>18}: {elapsed:.2f} s, {flops.get_total_flops() / 1e12:.3g} TFLOP, {elapsed / floor:.2f} times the floor, peak {peak:.1f} GiB",
            flush=True,
        )


def whole(model: Model, settings: method.Settings, side: int) -> torch.Tensor:
    model.encode_sketch(drawn(model, 1, 3, 8 * side, 8 * side), drawn(model, 5, 4, side, side))
    return model.decode(run(model, settings, side))


def timed(device: torch.device, work: Callable[[], object]) -> float:
    """Seconds until the device has done it all."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def matmul_rate(device: torch.device, dtype: torch.dtype, side: int) -> float:
    """FLOP a second of square matrix products, the best of a few."""
    a, b = torch.randn(2, side, side, device=device).to(dtype)
    return 2 * side**3 / min(timed(device, lambda: a @ b) for _ in range(10))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gpu", action="store_true", help="full size with random weights, on a graphics card")
    parser.add_argument("--tiny", action="store_true", help="tiny networks: to see that it runs")
    options = parser.parse_args()
    if options.gpu:
        full_size(options.tiny)
    else:
        counts(SMALLEST)
        whole_runs(TINY if options.tiny else MIDDLE)
        seams(TINY)
