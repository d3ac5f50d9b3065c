"""A tiny random DropletVideo in the authors' layout: a folder a part with its config, T5 in two shards, a tokenizer trained here."""

import io
import json
from pathlib import Path

import torch
from pegbar.engine.pipelines.dropletvideo import convert
from pegbar.engine.pipelines.dropletvideo.prompts import NEGATIVE, QUALITY, TEMPLATES
from safetensors.torch import save_file
from sentencepiece import SentencePieceTrainer

FAINT = 0.4
"""Gain of the decoder's last layer, so that few values lie outside of what a picture can show."""
FOLDER = "DropletVideo-V1.0-weights"
PIECES, EXTRA_IDS, WIDTH = 400, 100, 24
TRANSFORMER = {
    "_class_name": "DropletVideoTransformer3DModel",
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "num_layers": 3,
    "in_channels": 33,
    "out_channels": 16,
    "time_embed_dim": 24,
    "text_embed_dim": WIDTH,
    "use_rotary_positional_embeddings": True,
    "add_noise_in_inpaint_model": True,
}
VAE = {
    "_class_name": "AutoencoderKLDropletVideo",
    "block_out_channels": [8, 8, 8, 16],
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "latent_channels": 16,
    "scaling_factor": 0.7,
    "down_block_types": ["DropletVideoDownBlock3D"] * 4,
    "up_block_types": ["DropletVideoUpBlock3D"] * 4,
}
TEXT_ENCODER = {
    "architectures": ["T5EncoderModel"],
    "model_type": "t5",
    "d_model": WIDTH,
    "d_kv": 8,
    "d_ff": 32,
    "num_layers": 2,
    "num_heads": 3,
    "feed_forward_proj": "gated-gelu",
    "vocab_size": PIECES + EXTRA_IDS,
}
SCHEDULER = {
    "_class_name": "CogVideoXDDIMScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "set_alpha_to_one": True,
    "snr_shift_scale": 1.0,
    "steps_offset": 0,
    "timestep_spacing": "trailing",
}


def make(
    folder: Path,
    seed: int = 0,
    transformer: dict | None = None,
    vae: dict | None = None,
    dtype: torch.dtype = torch.float32,
    shards: int = 2,
) -> None:
    """Writes `DropletVideo-V1.0-weights` into a weights folder: about 1 MB. `transformer` and `vae` change their configs."""
    path = folder / FOLDER
    configs = {"transformer": TRANSFORMER | (transformer or {}), "vae": VAE | (vae or {}), "text_encoder": TEXT_ENCODER}
    for part, config in configs.items():
        (path / part).mkdir(parents=True, exist_ok=True)
        (path / part / "config.json").write_text(json.dumps(config, indent=1))
    (path / "scheduler").mkdir(exist_ok=True)
    (path / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER, indent=1))
    found = convert.published(path)
    generator = torch.Generator().manual_seed(seed)
    for part, model in (("transformer", convert.transformer_on_meta(found)), ("vae", convert.vae_on_meta(found))):
        save_file(random_tensors(model, generator, dtype), path / part / "diffusion_pytorch_model.safetensors")
    stored = random_tensors(convert.text_encoder_on_meta(found), generator, dtype)
    del stored["encoder.embed_tokens.weight"]
    save_shards(stored, path / "text_encoder", shards)
    (path / "tokenizer").mkdir(exist_ok=True)
    (path / "tokenizer" / "spiece.model").write_bytes(pieces())


def random_tensors(model: torch.nn.Module, generator: torch.Generator, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Tensors for a model on the meta device that neither grow nor fade what goes through, every one of them of some effect."""
    found = {}
    for name, tensor in model.state_dict().items():
        noise = torch.randn(tensor.shape, generator=generator)
        one = float(name.endswith("weight"))  # what scales, scales by about 1
        gain = FAINT if name == "decoder.conv_out.conv.weight" else 1.0
        found[name] = (one + 0.1 * noise if tensor.ndim == 1 else gain * noise * tensor[0].numel() ** -0.5).to(dtype)
    return found


def save_shards(tensors: dict[str, torch.Tensor], folder: Path, count: int) -> None:
    """Writes tensors as so many shards with their index."""
    names = {
        name: f"model-{1 + index * count // len(tensors):05d}-of-{count:05d}.safetensors" for index, name in enumerate(sorted(tensors))
    }
    for file in set(names.values()):
        save_file({name: tensors[name] for name in names if names[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))


def pieces() -> bytes:
    """A tokenizer of T5's kind, trained on the templates."""
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter([sentence for text in (*TEMPLATES.values(), QUALITY, NEGATIVE) for sentence in text.split(". ")]),
        model_writer=model,
        model_type="unigram",
        vocab_size=PIECES,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return model.getvalue()
