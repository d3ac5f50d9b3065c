"""DropletVideo's memory and speed: what the estimate says against what a run takes, and what each preset saves and changes.

usage: python -m benchmarks.dropletvideo                   at mid-size on the processor, with .venv/diffusion (`make bench` runs it)
       python -m benchmarks.dropletvideo --gpu [--tiny]    at full size on the card: 672x384, 85 frames; with --tiny anywhere, as a trial

All weights are random: that does not change the time of a pass, but how far a preset's result is from Exact's, and what the first-block
cache takes over: of random weights nothing, as they change too much from step to step. `all cached` shows the other end, with every step
taken over that may be; a real shot lies between the two.
"""

import argparse
import functools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from engine.diffusion import counting, memory, offloading
from engine.pipelines.dropletvideo import budget, coding, convert, denoising
from engine.pipelines.dropletvideo.convert import Published

GIB, MIB = 2**30, 2**20
ENOUGH = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
"""So that the processor's memory is given back as soon as a tensor is let go of, and the peak is that of tensors."""


def published(heads: int, layers: int, channels: tuple[int, ...], text: int, depth: int = 3, groups: int = 32) -> Published:
    """A folder's configs for a size of the model."""
    return Published(
        Path("random"),
        transformer={
            "num_attention_heads": heads,
            "attention_head_dim": 64,
            "num_layers": layers,
            "text_embed_dim": text,
            "in_channels": 33,
            "use_rotary_positional_embeddings": True,
        },
        vae={"block_out_channels": channels, "layers_per_block": depth, "norm_num_groups": groups, "scaling_factor": 0.7},
        text_encoder={
            "d_model": text,
            "d_ff": 5 * text // 2,
            "num_layers": 24,
            "num_heads": text // 64,
            "feed_forward_proj": "gated-gelu",
            "vocab_size": 32128,
        },
        scheduler={
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "prediction_type": "v_prediction",
            "rescale_betas_zero_snr": True,
            "timestep_spacing": "trailing",
            "clip_sample": False,
        },
    )


FULL = published(48, 42, (128, 256, 256, 512), 4096), budget.Size(672, 384, 22)
MIDDLE = published(8, 6, (32, 64, 64, 128), 256, depth=1, groups=8), budget.Size(192, 128, 3)
QUICK = published(4, 4, (32, 64, 64, 128), 256), budget.Size(192, 128, 3)
MIDDLE_TILE = (96, 120)
TINY = published(1, 3, (8, 8, 8, 16), 64, depth=1, groups=4), budget.Size(64, 48, 3)


def filled(model: torch.nn.Module, device: torch.device, dtype: torch.dtype) -> torch.nn.Module:
    """A model of the meta device with random weights that keep the size of what goes through."""
    model = torch.nn.Module.to(model, dtype).to_empty(device=device).eval().requires_grad_(False)
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            parameter.normal_(std=0.1).add_(float(name.endswith("weight")))
        else:
            parameter.normal_(std=parameter[0].numel() ** -0.5)
    return model


def conditions(found: Published, size: budget.Size, device: torch.device, dtype: torch.dtype) -> tuple[torch.Tensor, denoising.Conditions]:
    """Initial latents, and random words and picture."""
    generator = torch.Generator().manual_seed(0)
    shape = 1, size.latent_frames, 16, size.height // 8, size.width // 8
    latents, video = (torch.randn(shape, generator=generator).to(device) for _ in range(2))
    mask = coding.mask_latents(size.latent_frames, *shape[3:], 0.7).to(device)
    prompt, negative = torch.randn(2, 1, 400, found.transformer["text_embed_dim"], generator=generator).to(device, dtype)
    positions = coding.positions(size.latent_frames, size.height // 16, size.width // 16, 64)
    given = denoising.Conditions(torch.cat([mask, video], 2), prompt, negative, tuple(p.to(device) for p in positions), 16)
    return latents, given


def runs(found: Published, size: budget.Size, device: torch.device, dtype: torch.dtype) -> dict[str, Callable[[], object]]:
    """The stages of a shot as `budget.Stages` names them, models included."""
    transformer = filled(convert.transformer_on_meta(found), device, dtype)
    vae = filled(convert.without_useless_caches(convert.vae_on_meta(found)), device, dtype)
    latents, given = conditions(found, size, device, dtype)
    video = coding.masked_video(torch.rand(3, size.height, size.width), 4 * size.latent_frames - 3).to(device, dtype)
    unscaled = coding.unscaled(vae, latents)
    return {
        "draw": lambda: denoising.predict(transformer, latents, given, given.prompt, 999),
        "encode": lambda: coding.encode(vae, video),
        "decode": lambda: [None for _ in coding.decode(vae, unscaled)],
    }


# --- on the processor


def measured() -> dict[str, int]:
    """The bytes that each stage at mid-size adds to this process at most, as Linux counts them."""
    found, size = MIDDLE
    peaks = {}
    with torch.inference_mode():
        for name, run in runs(found, size, torch.device("cpu"), torch.float32).items():
            run()  # libraries take their own share at the first call
            Path("/proc/self/clear_refs").write_text("5")
            before = status("VmRSS")
            run()
            peaks[name] = status("VmHWM") - before
    return peaks


def status(name: str) -> int:
    found = re.search(name + r":\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024


def measured_in_a_process() -> dict[str, int]:
    """`measured`, in a process whose allocator gives memory back at once."""
    command = [sys.executable, "-m", "benchmarks.dropletvideo", "--peaks"]
    done = subprocess.run(
        command, env={**os.environ, **ENOUGH}, cwd=Path(__file__).parent.parent, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def estimated() -> dict[str, int]:
    """What `budget` says of the same stages."""
    return vars(budget.stages(*MIDDLE, torch.float32, on_processor=True))


def memory_table() -> None:
    print("\nPeak of tensors at mid-size (192 x 128, 9 frames, float32), MiB      estimated  measured  ratio")
    said, taken = estimated(), measured_in_a_process()
    for name, peak in taken.items():
        print(f"  {name:<64} {said[name] / MIB:11.1f} {peak / MIB:9.1f} {peak / said[name]:6.2f}", flush=True)
    print("\nWhat a card must have free at 672 x 384, 85 frames, GB (estimated on the meta device)")
    print(f"  {'weights':<10}" + "".join(f"{mode:>12}" for mode in memory.MODES))
    for precision in ("full", "fp8", "int8"):
        peaks = budget.stages(*FULL, torch.bfloat16, precision).peaks()
        print(f"  {precision:<10}" + "".join(f"{memory.needed(peaks[mode]) / 1e9:12.1f}" for mode in memory.MODES), flush=True)


def mode_table() -> None:
    """What saving memory costs: blocks brought in turn, and frames decoded in tiles."""
    found, size = MIDDLE
    device, dtype = torch.device("cpu"), torch.float32
    latents, given = conditions(found, size, device, dtype)
    plain, offloaded, fp8, int8 = (filled(convert.transformer_on_meta(found), device, dtype) for _ in range(4))
    offloading.offload_blocks(offloaded, device)
    offloading.keep_in_8_bits(fp8, "fp8", dtype)
    offloading.keep_in_8_bits(int8, "int8", dtype)
    vae = filled(convert.without_useless_caches(convert.vae_on_meta(found)), device, dtype)
    unscaled = coding.unscaled(vae, latents)
    one_pass, *passes = (functools.partial(denoising.predict, m, latents, given, given.prompt, 999) for m in (plain, offloaded, fp8, int8))
    pairs: dict[str, tuple[Callable[[], torch.Tensor], Callable[[], torch.Tensor]]] = {
        **{name: (one_pass, other) for name, other in zip(("blocks offloaded", "8-bit floats", "8-bit integers"), passes, strict=True)},
        f"tiles of {MIDDLE_TILE}": (
            lambda: torch.cat(list(coding.decode(vae, unscaled)), 2),
            lambda: coding.decode_tiled(vae, unscaled, MIDDLE_TILE),
        ),
    }
    print("\nModes at mid-size: time, peak beside weights, result, each against the plain way")
    for name, ways in pairs.items():
        (one, seconds, peak), (other, other_seconds, other_peak) = (
            (way(), timed(way, device)[0], counting.counted_peak(way)) for way in ways
        )
        off = float((other - one).norm() / one.norm())
        print(f"  {name:<26} time x {other_seconds / seconds:.2f}, peak x {other_peak / peak:.2f}, {off:.1%} off", flush=True)


def preset_table(found: Published, size: budget.Size, device: torch.device, dtype: torch.dtype) -> None:
    print(
        f"\nPresets at {size.width} x {size.height}, {4 * size.latent_frames - 3} frames: passes, those of all blocks, time, latents against Exact's"
    )
    transformer = filled(convert.transformer_on_meta(found), device, dtype)
    latents, given = conditions(found, size, device, dtype)
    first = None
    counts = [0] * len(transformer.transformer_blocks)
    for index, block in enumerate(transformer.transformer_blocks):
        block.ff.register_forward_hook(lambda *_, index=index: counts.__setitem__(index, counts[index] + 1))
    always = {f"{name}, all cached": replace(denoising.PRESETS[name], threshold=1e9) for name in ("balanced", "draft")}
    for name, preset in {**denoising.PRESETS, **always}.items():
        counts[:] = [0] * len(counts)
        started = clock(device)
        for step in denoising.denoise(transformer, convert.scheduler_of(found), latents, given, preset):
            made = step.latents
        seconds = clock(device) - started
        first = first or (seconds, made)
        off = float((made - first[1]).norm() / first[1].norm())
        print(
            f"  {name:<20} passes {counts[0]:4d}, whole {counts[-1]:4d}, {first[0] / seconds:5.2f} times as fast, {off:6.1%} off",
            flush=True,
        )


def clock(device: torch.device) -> float:
    """Seconds: of the processor's time where it does the work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()


# --- on a graphics card


def card(device: torch.device, small: bool) -> None:
    """Seconds a step and for the VAE, peaks, and how near the floor of its arithmetic that is."""
    found, size = TINY if small else FULL
    dtype = memory.precision_of(device)
    said = budget.stages(found, size, dtype)
    rate = matmul_rate(device, dtype, 256 if small else 8192)
    print(
        f"{device}, {dtype}, {size.width} x {size.height}, {4 * size.latent_frames - 3} frames; matrix products {rate / 1e12:.2f} TFLOP/s"
    )
    for name, run in runs(found, size, device, dtype).items():
        seconds, peak = timed(run, device)
        floor = passes_flop(found, size) / rate if name == "draw" else None
        print(
            f"  {name:<8} {seconds * (2 if name == 'draw' else 1):8.3f} s{' a guided step' if name == 'draw' else ''}"
            + (f", {seconds / floor:.2f} times the floor" if floor else "")
            + (f", peak beside weights {peak / GIB:.2f} GiB, estimated {vars(said)[name] / GIB:.2f}" if peak else ""),
            flush=True,
        )
    memory.release(device)
    latents, given = conditions(found, size, device, dtype)
    offloaded = filled(convert.transformer_on_meta(found), torch.device("cpu"), dtype)
    offloading.offload_blocks(offloaded, device)
    seconds, peak = timed(functools.partial(denoising.predict, offloaded, latents, given, given.prompt, 999), device)
    print(f"  offloaded blocks {2 * seconds:8.3f} s a guided step" + (f", peak {peak / GIB:.2f} GiB" if peak else ""), flush=True)
    del offloaded
    memory.release(device)
    preset_table(found, size, device, dtype)


def timed(run: Callable[[], object], device: torch.device, times: int = 3) -> tuple[float, int]:
    """Seconds of a run after one to warm up, and the bytes that it makes at most (0 where the device does not say)."""
    run()
    before = 0
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
    started = clock(device)
    for _ in range(times):
        run()
    seconds = (clock(device) - started) / times
    return seconds, torch.cuda.max_memory_allocated(device) - before if device.type == "cuda" else 0


def passes_flop(found: Published, size: budget.Size) -> float:
    """FLOP of one pass: layers · (24 d² S + 4 S² d), S tokens of picture and text (TIMINGS)."""
    config = found.transformer
    wide = config["num_attention_heads"] * config["attention_head_dim"]
    tokens = size.latent_frames * (size.width // 16) * (size.height // 16) + 400
    return config["num_layers"] * (24.0 * wide**2 * tokens + 4.0 * tokens**2 * wide)


def matmul_rate(device: torch.device, dtype: torch.dtype, side: int) -> float:
    """FLOP a second of one large matrix product: what the device can do at best."""
    one, other = torch.randn(2, side, side, device=device, dtype=dtype)
    seconds, _ = timed(lambda: one @ other, device, 10)
    return 2.0 * side**3 / max(seconds, 1e-9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", action="store_true", help="full size on the card")
    parser.add_argument("--tiny", action="store_true", help="with --gpu: tiny sizes on any device")
    parser.add_argument("--peaks", action="store_true", help="print the measured peaks alone, as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with torch.inference_mode():
        if options.peaks:
            print(json.dumps(measured()))
        elif options.gpu:
            card(memory.device_of("auto"), options.tiny)
        else:
            memory_table()
            mode_table()
            preset_table(*QUICK, torch.device("cpu"), torch.float32)


if __name__ == "__main__":
    main()
