"""The published folder, read strictly: its own config files checked and made into models, its tensors put into them.

The names of its tensors are diffusers' and transformers' own. `model_index.json` is not needed: parts are known by their folders.
"""

import inspect
import json
import logging
from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLCogVideoX, DDIMScheduler
from sentencepiece import SentencePieceProcessor
from transformers import T5Config, T5EncoderModel

from ...diffusion.checkpoints import Tensors, fill, listed, read
from ...protocol import PegbarError
from .transformer import DropletVideoTransformer3DModel

log = logging.getLogger(__name__)

Config = Mapping[str, Any]

_BLOCKS = {"down": "CogVideoXDownBlock3D", "up": "CogVideoXUpBlock3D"}
_SPACE, _TIME = 8, 4
"""Pixels and frames to a latent, of every published VAE of this family; the base grid of positions counts on it."""
_ENCODED_FRAMES = 4
"""Frames that the authors encode at a time; GroupNorm's statistics depend on it (SPEC §6)."""


@dataclass(frozen=True)
class Published:
    """A DropletVideo folder: where it lies and what its config files say."""

    path: Path
    transformer: Config
    vae: Config
    text_encoder: Config
    scheduler: Config

    @property
    def latent_channels(self) -> int:
        return int(self.vae.get("latent_channels", 16))

    @property
    def multiple(self) -> int:
        """What width and height are multiples of."""
        return _SPACE * int(self.transformer.get("patch_size", 2))

    @property
    def head_dim(self) -> int:
        return int(self.transformer.get("attention_head_dim", 64))

    @property
    def adds_noise(self) -> bool:
        """Whether the model was trained with noise on the given image."""
        return bool(self.transformer.get("add_noise_in_inpaint_model", False))


def published(path: Path) -> Published:
    """The folder's configs. Raises PegbarError where one is missing, damaged, or asks for what is not supported here."""
    names = {"transformer": "config.json", "vae": "config.json", "text_encoder": "config.json", "scheduler": "scheduler_config.json"}
    found = Published(path, **{part: _json(path / part / file) for part, file in names.items()})
    for what, value, supported in _demands(found):
        if not supported:
            file, _, setting = what.partition(":")
            raise PegbarError(
                f"{path / file} asks for {setting} {value!r}, which is not supported: get the DropletVideo that was asked for"
            )
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise PegbarError(f"There is no file {path}: the DropletVideo folder is not whole, download it again") from error
    except ValueError as error:
        raise PegbarError(f"{path} is damaged ({error}): download it again") from error
    if not isinstance(content, dict):
        raise PegbarError(f"{path} is no config: download it again")
    return content


def _demands(found: Published) -> Iterator[tuple[str, Any, bool]]:
    """(file:setting, its value, whether that is supported) of every setting of which not all values are."""
    latent, t, v = found.latent_channels, found.transformer, found.vae

    def only(part: str, config: Config, name: str, supported: Any, default: Any) -> tuple[str, Any, bool]:
        return f"{part}/config.json:{name}", (value := config.get(name, default)), value == supported

    yield only("transformer", t, "use_rotary_positional_embeddings", True, False)
    yield only("transformer", t, "use_learned_positional_embeddings", False, False)
    yield only("transformer", t, "patch_size_t", None, None)
    yield only("transformer", t, "ofs_embed_dim", None, None)
    yield only("transformer", t, "patch_bias", True, True)
    yield only("transformer", t, "in_channels", 2 * latent + 1, 16)
    yield only("transformer", t, "out_channels", latent, 16)
    yield only("transformer", t, "text_embed_dim", found.text_encoder.get("d_model"), 4096)
    yield only("vae", v, "temporal_compression_ratio", _TIME, 4)
    yield only("vae", v, "invert_scale_latents", False, False)
    for name in ("shift_factor", "latents_mean", "latents_std"):
        yield only("vae", v, name, None, None)
    levels = len(v.get("block_out_channels", (128, 256, 256, 512)))
    yield "vae/config.json:levels", levels, 2 ** (levels - 1) == _SPACE
    for way, block in _BLOCKS.items():
        kinds = v.get(f"{way}_block_types", [block])
        yield f"vae/config.json:{way}_block_types", kinds, all(str(kind).endswith(block.removeprefix("CogVideoX")) for kind in kinds)


def transformer_on_meta(found: Published) -> DropletVideoTransformer3DModel:
    """The transformer of the config, without its tensors."""
    with torch.device("meta"):
        return DropletVideoTransformer3DModel(**_known(DropletVideoTransformer3DModel, found.transformer, found.path / "transformer"))


def vae_on_meta(found: Published) -> AutoencoderKLCogVideoX:
    """The VAE of the config, without its tensors, encoding four frames at a time."""
    known = _known(AutoencoderKLCogVideoX, found.vae, found.path / "vae")
    for way, block in _BLOCKS.items():  # the folder has the authors' own names for these blocks
        known[f"{way}_block_types"] = (block,) * len(known.get(f"{way}_block_types", (block,) * 4))
    with torch.device("meta"):
        vae = AutoencoderKLCogVideoX(**known)
    vae.num_sample_frames_batch_size = _ENCODED_FRAMES
    return vae


def text_encoder_on_meta(found: Published) -> T5EncoderModel:
    """T5's encoder of the config, without its tensors."""
    with torch.device("meta"):
        return T5EncoderModel(T5Config(**{name: value for name, value in found.text_encoder.items() if not name.startswith("_")}))


def transformer_of(found: Published, dtype: torch.dtype) -> DropletVideoTransformer3DModel:
    """The transformer on the processor. Raises PegbarError where its tensors are not exactly those of its config."""
    return fill(transformer_on_meta(found), tensors(found.path / "transformer"), found.path / "transformer", dtype)


def vae_of(found: Published, dtype: torch.dtype) -> AutoencoderKLCogVideoX:
    """The VAE on the processor, without its useless caches. Raises PegbarError as `transformer_of`."""
    return without_useless_caches(fill(vae_on_meta(found), tensors(found.path / "vae"), found.path / "vae", dtype))


def text_encoder_of(found: Published, dtype: torch.dtype) -> T5EncoderModel:
    """T5's encoder on the processor. Raises PegbarError as `transformer_of`."""
    path = found.path / "text_encoder"
    stored = dict(tensors(path))
    if "shared.weight" in stored:  # one table under two names, of which the file has the first
        stored.setdefault("encoder.embed_tokens.weight", stored["shared.weight"])
    model = fill(text_encoder_on_meta(found), stored, path, dtype)
    model.set_input_embeddings(model.shared)
    return model


def tokenizer_of(found: Published) -> SentencePieceProcessor:
    """The folder's own pieces, read by SentencePiece itself as the authors' slow tokenizer does. Raises PegbarError."""
    path = found.path / "tokenizer" / "spiece.model"
    if not path.is_file():
        raise PegbarError(f"There is no file {path}: the DropletVideo folder is not whole, download it again")
    try:
        return SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError) as error:
        raise PegbarError(f"{path} is damaged ({error}): download it again") from error


def scheduler_of(found: Published) -> DDIMScheduler:
    """The generic DDIM scheduler with the folder's settings, whichever class the file names (ERRATA 12)."""
    return DDIMScheduler(**_known(DDIMScheduler, found.scheduler, found.path / "scheduler", quietly=("snr_shift_scale",)))


def without_useless_caches(vae: AutoencoderKLCogVideoX) -> AutoencoderKLCogVideoX:
    """The VAE whose convolutions of one frame no longer keep their whole input for the next chunk, which nothing reads (SPEC §6)."""
    for module in vae.modules():
        if getattr(module, "time_kernel_size", None) == 1:
            module.register_forward_hook(lambda _module, _inputs, output: (output[0], None))
    return vae


def tensors(folder: Path) -> Tensors:
    """The tensors of a part, in one file or many, `.safetensors` before `.bin`; those that an index names where there is one.

    Raises PegbarError where a file is missing, damaged or has a tensor of another, or where the index and the files disagree.
    """
    for suffix in (".safetensors", ".bin"):
        index = next(iter(sorted(folder.glob(f"*{suffix}.index.json"))), None)
        files = sorted(folder.glob(f"*{suffix}"))
        if index is not None:
            return _indexed(index)
        if files:
            return _joined([(file, read(file)) for file in files])
    raise PegbarError(f"{folder} has no weights in it: the DropletVideo folder is not whole, download it again")


def _indexed(index: Path) -> Tensors:
    named = _json(index).get("weight_map")
    if not isinstance(named, dict):
        raise PegbarError(f"{index} is no index of weights: download it again")
    found = _joined([(index.parent / file, read(index.parent / file)) for file in sorted(set(named.values()))])
    if lacking := named.keys() - found.keys():
        raise PegbarError(f"{index.parent} lacks {listed(lacking)}, which {index.name} names: download it again")
    return found


def _joined(shards: list[tuple[Path, Tensors]]) -> Tensors:
    seen: dict[str, Path] = {}
    for file, content in shards:
        for name in content:
            if name in seen:
                raise PegbarError(f"{file} and {seen[name].name} both hold {name}: leave the files of one checkpoint alone in the folder")
            seen[name] = file
    return ChainMap(*(dict(content) if isinstance(content, dict) else content for _, content in shards))  # type: ignore[arg-type]


def _known(model: type, config: Config, path: Path, quietly: tuple[str, ...] = ()) -> dict[str, Any]:
    """The settings that the class takes; others are told in the log: what matters among them shows in the tensors' names and shapes."""
    names = inspect.signature(model.__init__).parameters.keys() - {"self"}  # type: ignore[misc]
    stray = [name for name, value in config.items() if name not in names and not name.startswith("_") and value and name not in quietly]
    if stray:
        log.warning("%s has settings that are not known here: %s", path, listed(stray))
    return {name: value for name, value in config.items() if name in names}
