"""LVCD's networks on tiny random weights: SVD's own where nothing is added, and each easy mistake seen."""

import pytest
import torch
from diffusers import UNetSpatioTemporalConditionModel
from diffusers.models.resnet import SpatioTemporalResBlock
from pegbar.engine.pipelines.lvcd import networks
from pegbar.engine.pipelines.lvcd.reference_attention import pattern
from pegbar.engine.pipelines.lvcd.sampling import denoise
from pegbar.tests.tiny import lvcd
from pegbar.tests.tiny.lvcd_mistakes import MISTAKES

ALLOWED = 2e-5
"""‖a-b‖/‖b‖ of one prediction that parity with the authors allows."""
SIGMA = torch.tensor(2.5)
PREVREF = pattern("prevref", 19, 4, True)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lvcd")
    lvcd.make(folder)
    return {"svd": folder / "svd.safetensors", "lvcd": folder / "lvcd.ckpt"}


@pytest.fixture(scope="module")
def made(files):
    return networks.load(files, "cpu")


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def given(frames=19, batch=1):
    """Noisy latents, conditions, and line art of 64x192 pixels."""
    x, concat = 2.7 * random(frames, 4, 8, 24), random(batch, frames, 4, 8, 24, seed=1)
    hint = (random(frames, 1, 64, 192, seed=3) > 1).float().expand(-1, 3, -1, -1)
    return x, concat, random(batch, 1, 32, seed=2), torch.tensor([[6.0, 160.0, 0.0]]), hint


def predict(made, seen=PREVREF, batch=1, frames=19, controlled=True):
    x, concat, embeds, ids, hint = given(frames, batch)
    hint = made.controlnet.embed_hint(hint) if controlled else None
    return denoise(made, x, SIGMA, concat, embeds, ids, hint, seen)


def off(one, other):
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_moves_a_prediction_further_than_is_allowed(made, files, mistake):
    wrong = networks.load(files, "cpu")
    mistake(wrong)
    assert off(predict(wrong), predict(made)) > 2 * ALLOWED


def test_epsilons_are_those_of_svd(made):
    def of(network):
        blocks = [module for module in network.modules() if isinstance(module, SpatioTemporalResBlock)]
        return {(part, getattr(getattr(block, part), norm).eps) for block in blocks for part in PARTS for norm in ("norm1", "norm2")}

    PARTS = ("spatial_res_block", "temporal_res_block")
    assert of(made.unet) == of(made.controlnet) == {(part, 1e-5) for part in PARTS}
    assert of(made.decoder) == {("spatial_res_block", 1e-6), ("temporal_res_block", 1e-5)}
    assert made.unet.conv_norm_out.eps == 1e-5 and made.unet.mid_block.attentions[0].norm.eps == 1e-6


@pytest.mark.parametrize("frames", [14, 7])
def test_frames_without_references_are_plain_svd(made, frames):
    plain = UNetSpatioTemporalConditionModel(**{k: v for k, v in made.unet.config.items() if not k.startswith("_")})
    plain.load_state_dict(made.unet.state_dict())
    for module in plain.modules():
        if isinstance(module, SpatioTemporalResBlock):
            for part in (module.spatial_res_block, module.temporal_res_block):
                part.norm1.eps = part.norm2.eps = 1e-5
    x, concat, embeds, ids, _ = given(frames)
    sample = torch.cat([x[None], concat], dim=2)
    with torch.no_grad():
        wanted = plain(sample, torch.tensor(0.3), embeds, ids, return_dict=False)[0]
    assert off(made.unet(sample, torch.tensor(0.3), embeds, ids, pattern("own", frames, 0)), wanted) < 5e-6


def test_two_conditions_at_once_are_the_two_alone(made):
    x, concat, embeds, ids, hint = given(batch=2)
    hint = made.controlnet.embed_hint(hint)
    both = denoise(made, x, SIGMA, concat, embeds, ids, hint, PREVREF)
    for half in (0, 1):
        alone = denoise(made, x, SIGMA, concat[half : half + 1], embeds[half : half + 1], ids, hint, PREVREF)[0]
        assert off(both[half], alone) < 1e-5


def test_the_line_art_of_a_frame_reaches_its_prediction_most(made):
    x, concat, embeds, ids, hint = given()
    other = hint.clone()
    other[11] = 1 - other[11]
    before, after = (denoise(made, x, SIGMA, concat, embeds, ids, made.controlnet.embed_hint(h), PREVREF)[0] for h in (hint, other))
    moved = (after - before).flatten(1).norm(dim=1)
    assert int(moved.argmax()) == 11 and moved[11] > 3 * moved[:4].max()


def test_every_residual_counts(made):
    x, concat, embeds, ids, _ = given()
    sample = torch.cat([x[None], concat], dim=2)
    arguments = sample, torch.tensor(0.3), embeds, ids, PREVREF
    residuals = made.controlnet(*arguments, made.controlnet.embed_hint(given()[-1]))
    assert len(residuals) == 13
    none = [torch.zeros_like(residual) for residual in residuals]
    assert torch.equal(made.unet(*arguments, none), made.unet(*arguments))
    plain = made.unet(*arguments)
    for index, residual in enumerate(residuals):
        one = [*none[:index], residual, *none[index + 1 :]]
        assert off(made.unet(*arguments, one), plain) > 1e-4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_near_and_the_sampler_stays_in_single(made, files, dtype):
    half = networks.load(files, "cpu", dtype)
    assert half.unet.dtype == half.controlnet.dtype == half.clip.dtype == dtype
    assert {part.dtype for network in (half.encoder, half.conditioner, half.decoder) for part in network.parameters()} == {torch.float32}
    predicted = predict(half)
    assert predicted.dtype == torch.float32 and off(predicted, predict(made)) < (0.03 if dtype == torch.bfloat16 else 0.005)
