"""Pictures as the latents that the transformer is given, latents as frames, and the positions of tokens.

Arithmetic of SPEC §2 and §4.3 with ERRATA 1 and 11. Knows no file and no job.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from diffusers import AutoencoderKLCogVideoX
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from numpy.typing import NDArray
from PIL import Image

NOISE_STRENGTH = 0.0563
"""Standard deviation of the noise on the known pictures, exp(-2.88), as the model was trained with."""
LATENT_FRAMES = 4
"""Pixel frames of every latent frame but the first, which is one."""
_HIDDEN = -1.0
"""What the frames that are to be made show: black."""
_BASE_GRID = (30, 45)
"""Rows and columns of tokens of a 720x480 picture, on which positions are laid whatever the config says (SPEC §4.3)."""

Tick = Callable[[], None]


def pixels(image: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture (h, w, 3 or 4) of 0..1 at a size (width, height): 8 bits, alpha laid on white, Pillow's antialiased bicubic."""
    rgb = image[..., :3] if image.shape[2] == 3 else 1 + (image[..., :3] - 1) * image[..., 3:]
    eight = (rgb * 255 + 0.5).clip(0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(eight).resize(size))


def signed(picture: NDArray[np.uint8]) -> torch.Tensor:
    """A picture (h, w, 3) as a tensor (3, h, w), -1..1."""
    return 2 * (torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 255) - 1


def augmented(picture: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """A picture (3, h, w) with a little standard-normal noise of its shape; none where it is exactly black, as hidden frames are."""
    return picture + torch.where(picture == _HIDDEN, 0.0, noise * NOISE_STRENGTH)


def masked_video(first: torch.Tensor, frames: int, last: torch.Tensor | None = None) -> torch.Tensor:
    """The video (1, 3, f, h, w) of which only the first picture is known, and the last where there is one.

    The last picture fills the four frames of the last latent frame: only then is that latent frame known as a whole, as its mask says.
    """
    video = first.new_full((1, 3, frames, *first.shape[1:]), _HIDDEN)
    video[0, :, 0] = first
    if last is not None:
        video[0, :, -LATENT_FRAMES:] = last[:, None]
    return video


def mask_latents(latent_frames: int, height: int, width: int, scaling_factor: float, ends: bool = False) -> torch.Tensor:
    """The mask (1, f, 1, h, w) of known latent frames. It is scaled as latents are, which the model was trained with (SPEC §2.5)."""
    mask = torch.zeros(1, latent_frames, 1, height, width)
    mask[:, 0] = scaling_factor
    if ends:
        mask[:, -1] = scaling_factor
    return mask


def picture_latents(vae: AutoencoderKLCogVideoX, video: torch.Tensor, ends: bool = False, tick: Tick = lambda: None) -> torch.Tensor:
    """Mask and scaled masked-video latents (1, l, 17, h/8, w/8) of a masked video (1, 3, f, h, w), float32."""
    scaled = encode(vae, video, tick).float().permute(0, 2, 1, 3, 4) * vae.config.scaling_factor
    mask = mask_latents(scaled.shape[1], scaled.shape[3], scaled.shape[4], vae.config.scaling_factor, ends)
    return torch.cat([mask.to(scaled), scaled], 2)


def unscaled(vae: AutoencoderKLCogVideoX, latents: torch.Tensor) -> torch.Tensor:
    """Latents (1, l, 16, h/8, w/8) as the VAE decodes them, (1, 16, l, h/8, w/8) in its precision (ERRATA 1: by the reciprocal)."""
    return ((1 / vae.config.scaling_factor) * latents.permute(0, 2, 1, 3, 4)).to(vae.dtype)


def encode(vae: AutoencoderKLCogVideoX, video: torch.Tensor, tick: Tick = lambda: None) -> torch.Tensor:
    """The moments' mean of a video (1, 3, f, h, w) as latents (1, 16, l, h/8, w/8), unscaled; `tick` is called between chunks."""
    means, cache = [], None
    for first, last in chunks(video.shape[2], vae.num_sample_frames_batch_size):
        tick()
        moments, cache = vae.encoder(video[:, :, first:last], conv_cache=cache)
        if vae.quant_conv is not None:
            moments = vae.quant_conv(moments)
        means.append(moments.chunk(2, 1)[0])
    return torch.cat(means, 2)


def decode(vae: AutoencoderKLCogVideoX, latents: torch.Tensor, tick: Tick = lambda: None) -> Iterator[torch.Tensor]:
    """The frames (1, 3, f, h, w) of unscaled latents (1, 16, l, h/8, w/8), around -1..1, chunk by chunk."""
    cache = None
    for first, last in chunks(latents.shape[2], vae.num_latent_frames_batch_size):
        tick()
        chunk = latents[:, :, first:last]
        if vae.post_quant_conv is not None:
            chunk = vae.post_quant_conv(chunk)
        frames, cache = vae.decoder(chunk, conv_cache=cache)
        yield frames


def decode_tiled(vae: AutoencoderKLCogVideoX, latents: torch.Tensor, tile: tuple[int, int], tick: Tick = lambda: None) -> torch.Tensor:
    """The frames (1, 3, f, h, w) of unscaled latents, decoded in overlapping tiles of (height, width) pixels: less memory, but each tile
    has its own GroupNorm statistics. Raises ValueError where the overlaps of such tiles are no whole latents (SPEC §6, ERRATA 9)."""
    vae.enable_tiling(*tile)
    hook = vae.decoder.register_forward_pre_hook(lambda *_: tick())
    try:
        shares = vae.tile_overlap_factor_height, vae.tile_overlap_factor_width
        if any(int(side / 8 * (1 - share)) * 8 != side - int(side * share) for side, share in zip(tile, shares, strict=True)):
            raise ValueError(f"tiles of {tile} overlap by parts of latents")
        return vae.decode(latents).sample
    finally:
        hook.remove()
        vae.disable_tiling()


def chunks(frames: int, size: int) -> list[tuple[int, int]]:
    """(first, after the last) of the pieces that a VAE works in: the first also takes what is left over (SPEC §6)."""
    rest = frames % size
    ends = [rest + size * (i + 1) for i in range(max(frames // size, 1))] if frames >= size else [frames]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def positions(latent_frames: int, rows: int, columns: int, head_dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines (f·rows·columns, d) of the rotary positions of a grid of tokens, centred on the base grid."""
    high, wide = _BASE_GRID
    upright = rows / columns > high / wide
    fitted = (high, round(high / rows * columns)) if upright else (round(wide / columns * rows), wide)
    top, left = round((high - fitted[0]) / 2), round((wide - fitted[1]) / 2)  # to even, as the authors' round
    corners = (top, left), (top + fitted[0], left + fitted[1])
    return get_3d_rotary_pos_embed(head_dim, corners, (rows, columns), latent_frames)
