"""How the published networks are told from each other: by the names and shapes of their tensors. Data; standard library only."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .tensors import Shapes


@dataclass(frozen=True)
class Network:
    """One network: some tensors that together no other one has, and all of them."""

    label: str
    tells: Mapping[str, tuple[int, ...]]
    count: int = 0
    """How many tensors the published file has; 0 where that is not known."""
    digest: str = ""
    """`digest` of the published file's tensors."""

    def likeness(self, shapes: Shapes) -> Literal["same", "alike", "other"]:
        """Whether tensors are all of this network's, or those that tell it."""
        if any(shapes.get(name) != shape for name, shape in self.tells.items()):
            return "other"
        return "same" if not self.digest or digest(shapes) == self.digest else "alike"


_OLD = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_OLD_NAME = re.compile(rf"(attentions\.\d+)\.({'|'.join(_OLD)})\.")


def todays(shapes: Shapes) -> Shapes:
    """Tensors by today's names: what older snapshots call otherwise or keep beside the weights is no difference."""
    names = {name: _OLD_NAME.sub(lambda match: f"{match[1]}.{_OLD[match[2]]}.", name) for name in shapes}
    return {names[name]: shape for name, shape in shapes.items() if not name.endswith("position_ids")}


def digest(shapes: Shapes) -> str:
    """The SHA-256 of all names and shapes."""
    return hashlib.sha256("\n".join(f"{name} {list(shape)}" for name, shape in sorted(shapes.items())).encode()).hexdigest()


SVD = Network(
    "Stable Video Diffusion",
    {
        "model.diffusion_model.out.0.bias": (320,),
        "conditioner.embedders.3.encoder.encoder.down.0.block.0.norm1.weight": (128,),
        "conditioner.embedders.0.open_clip.model.visual.transformer.resblocks.31.attn.out_proj.weight": (1280, 1280),
    },
    2446,
    "7ae7a73a5313b9409f5a8c0d04854eac84b63aa4d444437c98b925482ee22aca",
)
LVCD = Network(
    "LVCD's sketch ControlNet and attention",
    {
        "control_model.time_embed.0.bias": (1280,),
        "control_model.input_blocks.8.1.transformer_blocks.0.attn2.to_out.0.weight": (1280, 1280),
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight": (320, 320),
    },
    831,
    "2a69c1cf9d5f6315f00a33648ec629acff7b0cd45e4a497694c183287337a45a",
)
LINES = Network(
    "the finder of lines (informative-drawings)",
    {"model0.1.bias": (64,), "model2.0.conv_block.1.bias": (256,), "model2.2.conv_block.5.weight": (256, 256, 3, 3)},
    24,
    "be92e71c20e52605c60960472573a855d82e5dc495d4389141677b6eae143f8c",
)
TEXT_TO_VIDEO_UNET = Network(
    "a text-to-video UNet (ModelScope's or FlipSketch's)",
    {
        "transformer_in.norm.bias": (320,),
        "down_blocks.0.temp_attentions.1.norm.weight": (320,),
        "down_blocks.2.temp_attentions.1.transformer_blocks.0.attn2.to_out.0.weight": (1280, 1280),
    },
    1480,
    "586a7f0d21464c6da3c36be30a2262f1b8cefd81734d39ccc3eb2d7e2b4e57c8",
)
TEXT_TO_VIDEO_TEXT = Network(
    "a text-to-video model's text encoder",
    {
        "text_model.final_layer_norm.bias": (1024,),
        "text_model.encoder.layers.22.self_attn.out_proj.weight": (1024, 1024),
    },
    372,
    "ed8ac14c6009c58f16515860fa1c070e48548bc2b16204fad3f044782a4f068e",
)
LORA_UNET = Network(
    "FlipSketch's LoRA of the UNet",
    {"0": (320, 4, 1, 1), "577": (4, 1024), "1147": (4, 320, 3, 3)},
    1148,
    "cb56636f3948ca8b0f56e4dabd4a5b278512f3347a5ef320cbfb446056351577",
)
LORA_TEXT = Network(
    "FlipSketch's LoRA of the text encoder",
    {"0": (1024, 4), "137": (4, 1024), "275": (4, 4096)},
    276,
    "7b06f08d568707d9772006b2975bb1d43fed2dfd21d91f04f202bb3818da2c35",
)
CLIP = Network(
    "CLIP ViT-B/32",
    {
        "vision_model.embeddings.patch_embedding.weight": (768, 3, 32, 32),
        "visual_projection.weight": (512, 768),
        "vision_model.encoder.layers.11.self_attn.out_proj.weight": (768, 768),
    },
)
IMAGE_UNET = Network(
    "Stable Diffusion 1.5's UNet, or one made from it",
    {
        "conv_in.weight": (320, 4, 3, 3),
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": (320, 768),
        "up_blocks.3.resnets.2.conv_shortcut.weight": (320, 640, 1, 1),
    },
    686,
    "06ab0a594a10b99fc9b3d3c034559b191a587c22cb887c343b18421a3fbb5748",
)
IMAGE_VAE = Network(
    "Stable Diffusion's image coder",
    {
        "quant_conv.bias": (8,),
        "decoder.up_blocks.0.resnets.1.norm1.weight": (512,),
        "encoder.down_blocks.2.resnets.0.conv_shortcut.weight": (512, 256, 1, 1),
    },
    248,
    "a8eb7356226250e756201865679f4127b544badce9a66957f83afdbf731c2f37",
)
IMAGE_TEXT = Network(
    "Stable Diffusion 1.5's text encoder",
    {
        "text_model.final_layer_norm.bias": (768,),
        "text_model.encoder.layers.11.self_attn.out_proj.weight": (768, 768),
        "text_model.embeddings.token_embedding.weight": (49408, 768),
    },
    196,
    "3a39d8acef0ccd336d40cbcf3c67300e99368625b067ce95a0c52ed621e1ee72",
)
ADAPTER = Network(
    "the T2I-Adapter for sketches",
    {
        "adapter.conv_in.bias": (320,),
        "adapter.body.3.resnets.0.block2.bias": (1280,),
        "adapter.body.3.resnets.1.block2.weight": (1280, 1280, 1, 1),
    },
    38,
    "e3373ca2faea79fecf69610adf19ae694b9a3a6d85e74f39978d949779bff217",
)
MOTION = Network(
    "a motion of VidSketch",
    {
        "conv_in.conv1d.bias": (320,),
        "up_blocks.0.upsamplers.0.conv.conv_gate.bias": (1,),
        "down_blocks.2.attentions.1.transformer_blocks.0.attn_temp.to_out.0.weight": (1280, 1280),
    },
    1062,
    "49149596fb8212cd3882de336ec93a8532ec6ef255cca1f53d77814c860d98f0",
)
DROPLET = Network(
    "DropletVideo's transformer",
    {
        "fps_embedding.linear_1.weight": (512, 3072),
        "transformer_blocks.21.norm2.norm.weight": (3072,),
        "transformer_blocks.41.attn1.to_out.0.weight": (3072, 3072),
    },
    1028,
    "157066357a46de2481d8531f627bdb16006bb7c7edf8ffa7f1b227a8efdb8a8b",
)
VIDEO_VAE = Network(
    "CogVideoX's video coder",
    {
        "encoder.norm_out.bias": (512,),
        "decoder.up_blocks.3.resnets.3.norm2.conv_y.conv.weight": (128, 16, 1, 1, 1),
    },
    436,
    "b957c7b35468f71f7341577ff8ec7f4e0b56dd59370dcc0212389012d85babab",
)
T5 = Network(
    "T5 v1.1 XXL's text encoder",
    {
        "shared.weight": (32128, 4096),
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": (32, 64),
        "encoder.block.23.layer.1.DenseReluDense.wo.weight": (4096, 10240),
    },
    219,
    "62c306522b62d0ff21ee351b5b08fab351186d3649ff8ebadd1e65f250d9e81c",
)

CHECKPOINTS: Mapping[tuple[str, str], Mapping[str, Network]] = {
    ("lvcd", "svd"): {"": SVD},
    ("lvcd", "lvcd"): {"": LVCD},
    ("lvcd", "sk_model"): {"": LINES},
    ("flipsketch", "checkpoint"): {"unet": TEXT_TO_VIDEO_UNET, "vae": IMAGE_VAE, "text_encoder": TEXT_TO_VIDEO_TEXT},
    ("flipsketch", "lora"): {"2500_unet.pt": LORA_UNET, "2500_text_encoder.pt": LORA_TEXT},
    ("flipsketch", "clip"): {"": CLIP},
    ("vidsketch", "sd15"): {"unet": IMAGE_UNET, "vae": IMAGE_VAE, "text_encoder": IMAGE_TEXT},
    ("vidsketch", "adapter"): {"": ADAPTER},
    ("vidsketch", "motions"): {"": MOTION},
    ("dropletvideo", "dropletvideo"): {"transformer": DROPLET, "vae": VIDEO_VAE, "text_encoder": T5},
}
"""The networks of each checkpoint of the catalog, by the part of its folder; "" is the file, or the folder, itself."""
