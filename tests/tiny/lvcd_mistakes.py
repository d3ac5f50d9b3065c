"""Mistakes that a port of LVCD easily makes, each as a change of its networks: the tests show that each is seen (SPEC §11b)."""

import functools

from diffusers.models.attention_processor import AttnProcessor2_0
from diffusers.models.embeddings import Timesteps
from diffusers.models.resnet import SpatioTemporalResBlock, TemporalResnetBlock
from diffusers.models.transformers.transformer_temporal import TransformerSpatioTemporalModel
from torch import nn


def _each(kind):
    """A change of every module of a class, as a change of the UNet and the ControlNet."""

    def change_of_networks(change):
        @functools.wraps(change)
        def changed(networks):
            for network in (networks.unet, networks.controlnet):
                for module in network.modules():
                    if isinstance(module, kind):
                        change(module)

        return changed

    return change_of_networks


@_each(TransformerSpatioTemporalModel)
def unmasked_temporal_attention(module):
    for block in module.temporal_transformer_blocks:
        block.attn1.set_processor(AttnProcessor2_0())


@_each(TemporalResnetBlock)
def unmasked_temporal_convolution(module):
    for name in ("conv1", "conv2"):
        split = getattr(module, name)
        plain = nn.Conv3d(split.in_channels, split.out_channels, split.kernel_size, padding=split.padding)
        plain.load_state_dict(split.state_dict())
        setattr(module, name, plain.to(split.weight.dtype).requires_grad_(False))


@_each(TransformerSpatioTemporalModel)
def positions_that_count_on(module):
    module.time_proj = Timesteps(module.in_channels, True, 0)


@_each(SpatioTemporalResBlock)
def diffusers_own_epsilon(module):
    for part in (module.spatial_res_block, module.temporal_res_block):
        part.norm1.eps = part.norm2.eps = 1e-6


def no_boost(networks):
    for network in (networks.unet, networks.controlnet):
        network.attention[0].boosts = False


def boost_everywhere(networks):
    networks.unet.attention[1].boosts = True


def lines_and_paper_exchanged(networks):
    embed = networks.controlnet.embed_hint
    networks.controlnet.embed_hint = lambda hint: embed(1 - hint)


MISTAKES = (
    unmasked_temporal_attention,
    unmasked_temporal_convolution,
    positions_that_count_on,
    diffusers_own_epsilon,
    no_boost,
    boost_everywhere,
    lines_and_paper_exchanged,
)
