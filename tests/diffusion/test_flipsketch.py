"""FlipSketch's sampling: equal to its authors' calls written out plainly, with fewer calls, at any size, and resumed to the same bits."""

import pytest
import torch
from diffusers import UNet3DConditionModel
from pegbar.engine.pipelines.flipsketch import method, model
from pegbar.tests.flipsketch_plainly import Plainly
from pegbar.tests.tiny import flipsketch as tiny


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    tiny.make(folder)
    return {"checkpoint": folder / "checkpoint-2500"}


@pytest.fixture(scope="module")
def flip(weights):
    return model.load_model(weights, torch.device("cpu"))


def drawn(*shape, seed=3):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def plain_run(flip, settings):
    unet = UNet3DConditionModel.from_config(flip.unet.config)
    unet.load_state_dict(flip.unet.state_dict())
    return Plainly(
        unet.eval(),
        flip.schedule(2).alphas_cumprod,
        settings.num_inference_steps,
        settings.guidance_scale,
        settings.fidelity,
        (settings.align_steps, settings.compose_until),
        settings.align,
        settings.compose,
    )


def settings_of(steps=5, align=True, **changes):
    return method.Settings(**{"num_inference_steps": steps, "compose_until": int(0.6 * steps), "align": align, "align_steps": 1, **changes})


def relative(value, wanted):
    return float((value - wanted).norm() / wanted.norm())


@pytest.mark.parametrize(
    ("size", "frames", "negative", "changes"),
    [
        ((8, 8), 6, "", {}),
        ((8, 8), 6, "", {"steps": 12, "align": False}),
        ((8, 8), 4, "a photograph, colours", {"steps": 7}),
        ((5, 7), 5, "", {"fidelity": 0.3}),
        ((4, 12), 3, "blur", {"fidelity": 1.0, "guidance_scale": 4.0}),
        ((8, 8), 4, "", {"guidance_scale": 1.0}),
        ((8, 8), 4, "", {"compose": False, "align_steps": 2}),
        ((8, 8), 16, "", {"steps": 3, "align": False}),
        ((16, 16), 16, "", {"steps": 2, "align": False}),
        ((8, 8), 24, "", {"steps": 2, "align": False}),
        ((8, 8), 1, "", {"steps": 3, "align": False}),
    ],
)
def test_it_equals_the_published_calls(flip, size, frames, negative, changes):
    """16 frames at 64 and 256 tokens a level: where as many tokens as frames would be taken for time."""
    settings = settings_of(**changes)
    texts = method.texts_of(flip, "the horse walks slowly", negative)
    latents, noise = 0.3 * drawn(1, 4, 5, *size), drawn(2, 4, frames, *size, seed=4)
    plain = plain_run(flip, settings)
    reference = method.reference_noise(flip, latents, texts.null, settings.num_inference_steps, lambda step, x: None)
    assert relative(reference, plain.invert(latents, texts.null)) < 1e-5
    found = method.denoised(flip, noise, reference, texts, settings)
    assert relative(found, plain.sample(noise, reference, texts.prompt, texts.negative, texts.null)) < 1e-4


def calls_of(flip, work):
    """(rows, frames, whether a gradient is wanted) of each call of the network during some work."""
    seen = []
    hook = flip.unet.register_forward_pre_hook(lambda module, args: seen.append((len(args[0]), args[0].shape[2], torch.is_grad_enabled())))
    try:
        work()
    finally:
        hook.remove()
    return seen


def whole(flip, frames, variations, settings, size=(4, 8), negative=""):
    texts = method.texts_of(flip, "the horse", negative)
    latents, noise = drawn(1, 4, 5, *size), drawn(variations, 4, frames, *size)
    inversion = calls_of(
        flip, lambda: method.reference_noise(flip, latents, texts.null, settings.num_inference_steps, lambda step, x: None)
    )
    reference = drawn(1, 4, 1, *size, seed=5)
    return inversion, calls_of(flip, lambda: method.denoised(flip, noise, reference, texts, settings))


def passes(calls, frames, gradient=False):
    """How many clips of so many frames went through the network."""
    return sum(rows for rows, count, wanted in calls if count == frames and wanted == gradient)


def test_no_call_is_made_in_vain(flip):
    """The minimal exact counts of 10 frames in 25 steps, of one clip: 25 inverted, A 25, B 0, C 16 with 61 frames, D 25; aligned
    10 targets of one frame and 90 gradients."""
    settings = method.Settings(align=True)
    inversion, calls = whole(flip, 10, 1, settings)
    assert inversion == [(1, 5, False)] * 25
    pairs = [call for call in calls if call[0] == 2]
    assert pairs == [(2, 10, False)] * 25
    assert passes(calls, 10, gradient=True) == 90 and all(call[1] == 10 for call in calls if call[2])
    alone = [call for call in calls if call[0] == 1 and not call[2]]
    assert sorted((frames for _, frames, _ in alone), reverse=True) == sorted([*range(10, 1, -1), *[1] * 7, *[1] * 10], reverse=True)
    assert sum(range(1, 11)) + 6 == 61 and len(alone) == 16 + 10


def test_variations_share_the_drawing(flip):
    """Three variations: as many calls as one, the drawing's stream and the target computed once for all; only gradients one by one."""
    settings = settings_of(align=True)
    _, calls = whole(flip, 4, 3, settings)
    assert {call for call in calls if call[2]} == {(1, 4, True)} and passes(calls, 4, gradient=True) == 3 * 9
    assert [call for call in calls if call[0] == 6] == [(6, 4, False)] * 5
    assert [rows for rows, frames, wanted in calls if not wanted and rows != 6] == [1] * (4 + 1)


def test_what_to_avoid_costs_the_pass_that_else_equals_another(flip):
    _, calls = whole(flip, 4, 1, settings_of(align=False), negative="blur")
    assert [rows for rows, frames, _ in calls] == [2, 2] * 4 + [2]


def test_a_variation_is_what_it_would_be_alone(flip):
    texts, settings = method.texts_of(flip, "the horse", ""), settings_of(align=True)
    noise, reference = drawn(3, 4, 4, 8, 8), drawn(1, 4, 1, 8, 8)
    together = method.denoised(flip, noise, reference, texts, settings)
    alone = method.denoised(flip, noise[1:2], reference, texts, settings)
    assert relative(together[1:2], alone) < 1e-4


@pytest.mark.parametrize(("size", "frames"), [((32, 48), 10), ((24, 40), 16), ((40, 24), 24), ((33, 57), 8)])
def test_other_sizes_and_lengths_work(flip, size, frames):
    """256x384, 320x192 both ways round, and a side that the network's strides do not part evenly."""
    texts = method.texts_of(flip, "the horse", "")
    found = method.denoised(flip, drawn(1, 4, frames, *size), drawn(1, 4, 1, *size), texts, settings_of(2, align=False))
    assert found.shape == (1, 4, frames, *size) and found.isfinite().all()
    assert flip.decode(found[:, :, :1]).shape == (1, 3, 1, 8 * size[0], 8 * size[1])


def test_a_step_can_be_taken_up_again_to_the_same_bits(flip):
    texts, settings = method.texts_of(flip, "the horse", ""), settings_of(align=True)
    noise, reference, steps = drawn(2, 4, 4, 8, 8), drawn(1, 4, 1, 8, 8), []
    straight = method.denoised(flip, noise, reference, texts, settings, steps.append)
    for step in steps:
        again = method.denoised(flip, noise, reference, texts, settings, begun=step)
        assert torch.equal(again, straight)


class Stop(Exception):
    pass


def test_a_run_can_be_stopped_within_a_step(flip):
    """Between two calls of the network, so after one gradient at most."""
    told = []

    def tell():
        told.append(None)
        if len(told) == 4:
            raise Stop

    def work():
        with pytest.raises(Stop):
            method.denoised(flip, drawn(1, 4, 4, 8, 8), drawn(1, 4, 1, 8, 8), method.texts_of(flip, "", ""), settings_of(), tell=tell)

    assert len(calls_of(flip, work)) == 4  # the target and three gradients
    assert flip.composition.mode == "off"


def moved(flip, latents, reference, timestep=961):
    """How the alignment moves latents."""
    texts = method.texts_of(flip, "the horse", "")
    return method.aligned(flip, latents, reference, timestep, texts)[0][:, :, 1:] - latents[:, :, 1:]


def of_precision(weights, dtype):
    half = model.load_model(weights, torch.device("cpu"))
    half.unet.to(dtype), half.text_encoder.to(dtype)
    return half


def moved_as_published(flip, latents, reference, timestep=961):
    """Ten steps of Adam on latents in bfloat16, like the network; the tenth is not counted."""
    texts = method.texts_of(flip, "the horse", "")
    others, first = latents[:, :, 1:].bfloat16(), reference.bfloat16()
    start, adam = others.clone(), torch.optim.Adam([others], lr=1e-3)
    with torch.no_grad():
        target = flip.predict(first, timestep, texts.null)
    for _ in range(9):
        others.grad = method.alignment_gradient(flip, first, others, target, timestep, texts.prompt)[1].bfloat16()
        adam.step()
    return others.float() - start.float()


def test_in_half_precision_the_noise_is_aligned_as_in_single(flip, weights):
    """As published, latents are in half precision too, where Adam's step of 1e-3 is less than half of a unit in the last place for all
    values from 0.5 on: most never move."""
    latents, reference = drawn(1, 4, 6, 8, 8), drawn(1, 4, 1, 8, 8)
    single, half = moved(flip, latents, reference), moved(of_precision(weights, torch.float16), latents, reference)
    published = moved_as_published(of_precision(weights, torch.bfloat16), latents, reference)
    cosines = [float(torch.cosine_similarity(single.flatten(), other.flatten(), 0)) for other in (half, published)]
    unmoved = [float((other == 0).float().mean()) for other in (half, published)]
    print(
        f"cosine to single precision {cosines[0]:.4f}, as published {cosines[1]:.4f}; unmoved {unmoved[0]:.3f}, as published {unmoved[1]:.3f}"
    )
    assert cosines[0] >= 0.99 and unmoved[0] < 0.01
    assert unmoved[1] > 0.5 and cosines[1] < 0.9


def test_saving_memory_changes_no_bit(flip):
    latents, reference = drawn(1, 4, 4, 8, 8), drawn(1, 4, 1, 8, 8)
    wanted = moved(flip, latents, reference)
    flip.memory.recomputes = True
    try:
        assert torch.equal(moved(flip, latents, reference), wanted)
    finally:
        flip.memory.recomputes = False


@pytest.fixture
def double():
    """Puts a model's network into double precision for a test."""
    changed = []

    def put(flip):
        changed.append(flip.unet.double())

    yield put
    for unet in changed:
        unet.float()


@pytest.mark.parametrize(("drawings", "negative"), [(1, ""), (3, "blur")])
def test_clips_that_go_one_by_one_are_the_same(flip, double, drawings, negative):
    """Three variations of one drawing, or of three as in a longer clip's second part; first all at once.

    The network is in double precision: a last bit of single precision grows to some thousandths in two steps.
    """
    single, settings = method.texts_of(flip, "the horse", negative), settings_of(2)
    null = single.null.double()
    texts = method.Texts(single.prompt.double(), single.negative.double() if negative else null, null)
    latents, noise = 0.3 * drawn(drawings, 4, 5, 4, 8), drawn(3, 4, 3, 4, 8)
    double(flip)

    def run():
        reference = method.reference_noise(flip, latents, texts.null, 2, lambda step, x: None)
        return method.denoised(flip, noise, reference, texts, settings)

    wanted = run()
    flip.memory.one_by_one = True
    try:
        assert relative(run(), wanted) < 1e-5
    finally:
        flip.memory.one_by_one = False
