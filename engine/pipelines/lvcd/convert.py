"""Where each tensor of diffusers' and transformers' models lies in the authors' files, `svd` and `lvcd` (SPEC §10.3).

Knows names and shapes, no file. Names lead from the new to the original one, so that what a file lacks is told in its own words.
"""

import re
from collections.abc import Callable, Mapping

import torch

UNET, CONTROLNET = "model.diffusion_model.", "control_model."
ENCODER, DECODER = "first_stage_model.encoder.", "first_stage_model.decoder."
CONDITIONER = "conditioner.embedders.3.encoder."
CLIP = "conditioner.embedders.0.open_clip.model."
UNUSED = (
    CONDITIONER + "decoder.",
    CONDITIONER + "post_quant_conv.",
    *(CLIP + name for name in ("positional_embedding", "text_projection", "logit_scale", "token_embedding.weight", "ln_final.")),
)
"""What the svd file holds beside what is used, by the names' beginnings: the conditioner's decoder and CLIP's text half."""
FOLDED = tuple(f"{CONDITIONER}quant_conv.{part}" for part in ("weight", "bias"))
"""What is folded into the conditioner's last convolution."""

_Replacement = str | Callable[[re.Match[str]], str]
_Rules = tuple[tuple[str, _Replacement], ...]

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
"""A resnet's layers in Stability's words, spatial and temporal in the UNet, temporal alone in the decoder."""


def _down(match: re.Match[str]) -> str:
    return f"input_blocks.{3 * int(match[1]) + int(match[3]) + 1}.{0 if match[2] == 'resnets' else 1}."


def _up(match: re.Match[str]) -> str:
    return f"output_blocks.{3 * int(match[1]) + int(match[3])}.{0 if match[2] == 'resnets' else 1}."


def _upsampler(match: re.Match[str]) -> str:
    """It comes after a resnet and, on every level but the lowest, an attention."""
    return f"output_blocks.{3 * int(match[1]) + 2}.{1 if match[1] == '0' else 2}."


_UNET_RULES: _Rules = (
    (r"^time_embedding\.linear_([12])", lambda match: f"time_embed.{2 * int(match[1]) - 2}"),
    (r"^add_embedding\.linear_([12])", lambda match: f"label_emb.0.{2 * int(match[1]) - 2}"),
    (r"time_pos_embed\.linear_([12])", lambda match: f"time_pos_embed.{2 * int(match[1]) - 2}"),
    (r"^conv_in\.", "input_blocks.0.0."),
    (r"^conv_norm_out\.", "out.0."),
    (r"^conv_out\.", "out.2."),
    (r"^controlnet_cond_embedding\.conv_in\.", "input_hint_block.0."),
    (r"^controlnet_cond_embedding\.blocks\.(\d)", lambda match: f"input_hint_block.{2 * int(match[1]) + 2}"),
    (r"^controlnet_cond_embedding\.conv_out\.", "input_hint_block.14."),
    (r"^controlnet_down_blocks\.(\d+)\.", r"zero_convs.\1.0."),
    (r"^controlnet_mid_block\.", "middle_block_out.0."),
    (r"^mid_block\.resnets\.0\.", "middle_block.0."),
    (r"^mid_block\.attentions\.0\.", "middle_block.1."),
    (r"^mid_block\.resnets\.1\.", "middle_block.2."),
    (r"^down_blocks\.(\d)\.downsamplers\.0\.conv\.", lambda match: f"input_blocks.{3 * int(match[1]) + 3}.0.op."),
    (r"^up_blocks\.(\d)\.upsamplers\.0\.", _upsampler),
    (r"^down_blocks\.(\d)\.(resnets|attentions)\.(\d)\.", _down),
    (r"^up_blocks\.(\d)\.(resnets|attentions)\.(\d)\.", _up),
    (r"spatial_res_block\.(\w+)", lambda match: _RESNET[match[1]]),
    (r"temporal_res_block\.(\w+)", lambda match: "time_stack." + _RESNET[match[1]]),
    (r"temporal_transformer_blocks\.", "time_stack."),
)
_VAE_RULES: _Rules = (
    (r"^mid_block\.resnets\.([01])\.", lambda match: f"mid.block_{int(match[1]) + 1}."),
    (r"^mid_block\.attentions\.0\.to_out\.0\.", "mid.attn_1.proj_out."),
    (r"^mid_block\.attentions\.0\.to_", "mid.attn_1."),
    (r"^mid_block\.attentions\.0\.group_norm\.", "mid.attn_1.norm."),
    (r"^down_blocks\.(\d)\.resnets\.", r"down.\1.block."),
    (r"^down_blocks\.(\d)\.downsamplers\.0\.", r"down.\1.downsample."),
    (r"^up_blocks\.(\d)\.resnets\.", lambda match: f"up.{3 - int(match[1])}.block."),
    (r"^up_blocks\.(\d)\.upsamplers\.0\.", lambda match: f"up.{3 - int(match[1])}.upsample."),
    (r"temporal_res_block\.(\w+)", lambda match: "time_stack." + _RESNET[match[1]]),
    (r"spatial_res_block\.", ""),
    (r"time_mixer\.", ""),
    (r"conv_shortcut", "nin_shortcut"),
    (r"^conv_norm_out", "norm_out"),
    (r"^time_conv_out", "conv_out.time_mix_conv"),
)
_CLIP_RULES: _Rules = (
    (r"^visual_projection\.weight", "visual.proj"),
    (r"^vision_model\.embeddings\.class_embedding", "visual.class_embedding"),
    (r"^vision_model\.embeddings\.position_embedding\.weight", "visual.positional_embedding"),
    (r"^vision_model\.embeddings\.patch_embedding", "visual.conv1"),
    (r"^vision_model\.pre_layrnorm", "visual.ln_pre"),
    (r"^vision_model\.post_layernorm", "visual.ln_post"),
    (r"^vision_model\.encoder\.layers", "visual.transformer.resblocks"),
    (r"layer_norm([12])", r"ln_\1"),
    (r"self_attn\.[qkv]_proj\.", "attn.in_proj_"),
    (r"self_attn", "attn"),
    (r"mlp\.fc1", "mlp.c_fc"),
    (r"mlp\.fc2", "mlp.c_proj"),
)
_NETWORKS: Mapping[str, tuple[str, _Rules]] = {
    "unet": (UNET, _UNET_RULES),
    "controlnet": (CONTROLNET, _UNET_RULES),
    "encoder": (ENCODER, _VAE_RULES),
    "conditioner": (CONDITIONER + "encoder.", _VAE_RULES),
    "decoder": (DECODER, _VAE_RULES),
    "clip": (CLIP, _CLIP_RULES),
}


def source(network: str, name: str) -> tuple[str, str]:
    """The file, `svd` or `lvcd`, and the original name of a network's tensor. `network` is a name of `Networks`' fields."""
    prefix, rules = _NETWORKS[network]
    original = name
    for wanted, replacement in rules:
        original = re.sub(wanted, replacement, original)
    retrained = network == "unet" and ".attn1." in name
    return "lvcd" if network == "controlnet" or retrained else "svd", prefix + original


def overridden(original: str) -> bool:
    """Whether the svd file's tensor of that name gives way to the lvcd file's."""
    return original.startswith(UNET) and ".attn1." in original


def adapted(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """An original tensor as diffusers and transformers lay it out under the new name."""
    if (third := re.search(r"self_attn\.([qkv])_proj\.", name)) is not None:
        return tensor.chunk(3)["qkv".index(third[1])]
    if name == "visual_projection.weight":
        return tensor.T
    return tensor[:, :, 0, 0] if tensor.ndim == 4 and ".attentions." in name else tensor


def folded(tensors: Mapping[str, torch.Tensor], weight: torch.Tensor, bias: torch.Tensor) -> dict[str, torch.Tensor]:
    """An encoder with a 1x1 convolution (the quantizing one) folded into its last, in float32 (SPEC §2.2)."""
    weight, bias = weight.float()[:, :, 0, 0], bias.float()
    last = torch.einsum("oi,ihwk->ohwk", weight, tensors["conv_out.weight"].float())
    return {**tensors, "conv_out.weight": last, "conv_out.bias": weight @ tensors["conv_out.bias"].float() + bias}
