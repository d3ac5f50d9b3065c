"""How much memory a shot takes in each way of running it: every stage counted on the meta device, at the shot's own size.

Weights that a mode keeps on the card are added to what the stage makes there. The arithmetic is written out in docs/memory.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ...diffusion.counting import counted_peak
from ...diffusion.memory import MODES, SMALLEST, Ladder, Room, Rung, precision_of, weight_bytes
from ...estimates import Work
from .coding import decode, encode
from .convert import Published, published, text_encoder_on_meta, transformer_on_meta, vae_on_meta, without_useless_caches
from .text import MAX_TOKENS
from .timing import timing_of

_AREAS = {"small": 480 * 272, "standard": 672 * 384, "large": 1120 * 640}
_COUNTED_BLOCKS = 2
"""Blocks that the activations are counted with: each lets go of what it made."""
_COUNTED_FRAMES = {"encode": 13, "decode": 5}
"""Frames and latent frames after which a VAE's chunks repeat."""
_TOLD = (
    "",
    "with one model on the card at a time",
    "with one block of the model on the card",
    "with one block on the card and frames decoded in tiles",
)
_ON_CARD_BLOCKS = 2
"""The block at work and the one on its way."""
TILE = (240, 360)
"""Height and width of a decoded tile in pixels: multiples of 48 and 40, at which diffusers' overlaps come out whole (SPEC §6)."""


@dataclass(frozen=True)
class Size:
    """What memory depends on: pixels and latent frames."""

    width: int
    height: int
    latent_frames: int


@dataclass(frozen=True)
class Stages:
    """Bytes: the weights of each part, and what each stage makes beside them."""

    text_weights: int
    transformer_weights: int
    block_weights: int
    """Those of one block."""
    outer_weights: int
    """Those of the transformer that are in no block."""
    vae_weights: int
    text: int
    draw: int
    encode: int
    decode: int
    decode_tiled: int
    on_processor: bool

    def peaks(self) -> dict[str, int]:
        """The peak in each of MODES, on a card that blocks are brought to, or in the main memory, where all of them lie anyway."""
        text = self.text + (self.text_weights if self.on_processor else 0)
        offloaded = self.outer_weights + _ON_CARD_BLOCKS * self.block_weights
        on_card = self.transformer_weights if self.on_processor else offloaded
        resident = self.text_weights + self.transformer_weights + self.vae_weights
        untiled, tiled = max(self.encode, self.decode), max(self.encode, self.decode_tiled)
        peaks = (
            resident + max(self.text, self.draw, untiled),
            max(self.text_weights + self.text, self.vae_weights + max(self.transformer_weights + self.draw, untiled)),
            max(text, self.vae_weights + max(on_card + self.draw, untiled)),
            max(text, self.vae_weights + max(on_card + self.draw, tiled)),
        )
        return dict(zip(MODES, peaks, strict=True))


def estimate(weights: Mapping[str, Path], work: Work, there: Room) -> Ladder:
    """The ways of making a shot, before anything is loaded."""
    found, timing = (
        published(weights["dropletvideo"]),
        timing_of(work.shot, work.params["timing"] == "time", work.params["keep_extra_frames"]),
    )
    size = Size(*working_size(work.width, work.height, work.params["resolution"], found.multiple), timing.latent_frames)
    return rungs(stages(found, size, precision_of(there.device), work.params["precision"], there.has_workspaces), there, work.params)


def rungs(counted: Stages, there: Room, params: Mapping[str, Any]) -> Ladder:
    """The ways of making a shot; each saves something against those above. The one that was asked for comes alone."""
    peaks = zip(counted.peaks().items(), _TOLD, strict=True)
    asked = str(params["memory"])
    return Ladder(Rung(mode, peak, told, is_exact=mode != SMALLEST) for (mode, peak), told in peaks if asked in ("automatic", mode))


def working_size(width: int, height: int, resolution: str, multiple: int) -> tuple[int, int]:
    """Width and height to work at: in the picture's proportions as nearly as multiples of `multiple` can be, of about the area chosen."""
    scale = 1.0 if resolution == "image" else (_AREAS[resolution] / (width * height)) ** 0.5
    wide, high = (max(1, round(side * scale / multiple)) * multiple for side in (width, height))
    return wide, high


def stages(found: Published, size: Size, dtype: torch.dtype, precision: str = "full", on_processor: bool = False) -> Stages:
    """The stages of a shot on a card or the processor, with the transformer's weights in a precision (`full`, `fp8`, `int8`)."""
    short = replace(found, transformer={**found.transformer, "num_layers": _COUNTED_BLOCKS})
    transformer, text, vae = (_in(part, dtype) for part in (transformer_on_meta(short), text_encoder_on_meta(found), vae_on_meta(found)))
    without_useless_caches(vae)
    layers = int(found.transformer.get("num_layers", 30))
    block = kept_bytes(transformer.transformer_blocks[0], dtype, precision)
    outer = weight_bytes(transformer.parameters(), dtype) - _COUNTED_BLOCKS * weight_bytes(
        transformer.transformer_blocks[0].parameters(), dtype
    )
    ids = torch.empty(1, MAX_TOKENS, dtype=torch.long, device="meta")
    sides, latents = (size.height, size.width), (found.latent_channels, size.latent_frames)
    tile = tuple(min(pair) for pair in zip(sides, TILE, strict=True))
    runs = {
        "text": lambda: text(input_ids=ids),
        "draw": _drawing(found, transformer, size, dtype),
        "encode": _coding(encode, vae, (3, 4 * size.latent_frames - 3, *sides), dtype),
        "decode": _coding(decode, vae, (*latents, *(side // 8 for side in sides)), dtype),
        "decode_tiled": _coding(decode, vae, (*latents, *(side // 8 for side in tile)), dtype),
    }
    return Stages(
        text_weights=weight_bytes(text.parameters(), dtype),
        transformer_weights=outer + layers * block,
        block_weights=block,
        outer_weights=outer,
        vae_weights=weight_bytes(vae.parameters(), dtype),
        on_processor=on_processor,
        **{name: counted_peak(run, on_processor) for name, run in runs.items()},
    )


def kept_bytes(block: torch.nn.Module, dtype: torch.dtype, precision: str) -> int:
    """The size of a block's weights: of its linear layers in 8 bits, as integers the weights, as floats all but the norms'."""
    layers = [(name, layer) for name, layer in block.named_modules() if isinstance(layer, torch.nn.Linear)]
    small = {
        "full": [],
        "fp8": [tensor for name, layer in layers if "norm" not in name for tensor in layer.parameters()],
        "int8": [layer.weight for _, layer in layers],
    }
    return weight_bytes(block.parameters(), dtype) - (dtype.itemsize - 1) * sum(tensor.numel() for tensor in small[precision])


def _drawing(found: Published, transformer: torch.nn.Module, size: Size, dtype: torch.dtype) -> Callable[[], object]:
    rows, columns = size.height // found.multiple, size.width // found.multiple
    channels = int(found.transformer["in_channels"])
    latents = _empty(dtype, 1, size.latent_frames, channels, size.height // 8, size.width // 8)
    text = _empty(dtype, 1, MAX_TOKENS, int(found.transformer.get("text_embed_dim", 4096)))
    one = _empty(torch.float32, 1)
    angles = _empty(torch.float32, size.latent_frames * rows * columns, found.head_dim)
    return lambda: transformer(hidden_states=latents, encoder_hidden_states=text, timestep=one, ofs=one, image_rotary_emb=(angles, angles))


def _coding(code: Callable[..., object], vae: torch.nn.Module, shape: tuple[int, ...], dtype: torch.dtype) -> Callable[[], object]:
    channels, count, *sides = shape
    limit = _COUNTED_FRAMES[code.__name__]
    video = _empty(dtype, 1, channels, count if count <= limit else limit - (limit - count) % 2, *sides)

    def run() -> None:
        for _ in code(vae, video):  # type: ignore[attr-defined]
            pass

    return run


def _in(model: Any, dtype: torch.dtype) -> Any:
    """A model in a precision, without diffusers' own `to` and what it says about it."""
    return torch.nn.Module.to(model, dtype)


def _empty(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")
