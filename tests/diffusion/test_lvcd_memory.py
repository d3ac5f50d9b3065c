"""What LVCD takes of a graphics card: counted at full size without one, and networks that take turns on it."""

import pytest
import torch
from pegbar.engine.diffusion.memory import GIB, MODES, chosen, needed
from pegbar.engine.pipelines.lvcd import memory, networks
from pegbar.engine.pipelines.lvcd.memory import DECODING, EVERYTHING, LAYERS, ONE, PAINTING, READING, Turns
from pegbar.engine.pipelines.lvcd.reference_attention import pattern
from pegbar.engine.pipelines.lvcd.sampling import Settings, denoise

CARD = torch.device("meta")
"""Stands for a graphics card: weights can be sent there, and are not here then."""


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """The networks at full size in half precision, made of nothing."""
    modules = networks.empty(networks.config_beside(tmp_path_factory.mktemp("none") / "svd.safetensors"))
    for name, module in modules.items():
        torch.nn.Module.to(module, "meta", torch.float16 if name in ("unet", "controlnet", "clip") else torch.float32)
    return networks.Networks(**modules, device=CARD, dtype=torch.float16)


@pytest.fixture
def made(lvcd_weights):
    return networks.load({"svd": lvcd_weights / "svd.safetensors", "lvcd": lvcd_weights / "lvcd.ckpt"}, "cpu")


def test_a_segment_of_the_models_own_size_fits_a_card_of_8_gb_when_networks_take_turns(full):
    peaks = memory.peaks(full, 320, 576, Settings())
    assert list(peaks) == list(MODES) and sorted(peaks.values(), reverse=True) == list(peaks.values())
    assert [chosen(peaks, card * 10**9) for card in (12, 8, 4)] == [EVERYTHING, ONE, LAYERS]
    print({mode: f"{peak / GIB:.1f} GiB, {needed(peak) / 10**9:.1f} GB free" for mode, peak in peaks.items()})


def test_both_halves_of_guidance_at_once_and_larger_pictures_take_more(full):
    plain, guided, split, larger = (
        memory.peaks(full, height, width, settings)[LAYERS]
        for height, width, settings in (
            (576, 1024, Settings()),
            (576, 1024, Settings(guidance_scale=(1.0, 2.0))),
            (576, 1024, Settings(guidance_scale=(1.0, 2.0), combine=False)),
            (1024, 1024, Settings()),
        )
    )
    assert plain == split < guided and plain < larger


def test_the_decoder_takes_the_authors_ten_frames_or_as_many_as_fit(full):
    ten, eight = (memory.decoding_peak(full, frames, 320, 576) for frames in (10, 8))
    assert 0.2 * GIB < ten / 10 < 0.6 * GIB and eight < ten
    for free, length in ((needed(ten), 10), (needed(ten) - 1, 8), (needed(eight) - 1, 6), (0, 5)):
        assert memory.chunks_within(full, 320, 576, free).length == length


def test_counting_leaves_the_networks_as_they_are(made):
    before = {name: tensor.data_ptr() for name, tensor in made.unet.state_dict().items()}
    assert memory.peaks(made, 64, 64, Settings())[EVERYTHING] > 0
    assert {name: tensor.data_ptr() for name, tensor in made.unet.state_dict().items()} == before


class Sent(torch.nn.Linear):
    """A network that notes where it was sent; what stands for a card keeps no numbers, so nothing real would come back from it."""

    place = torch.device("cpu")

    def to(self, place):
        self.place = place
        return self


@pytest.fixture
def sent():
    names = (*READING, *PAINTING, *DECODING)
    return networks.Networks(**{name: Sent(1, 1) for name in names}, device=CARD, dtype=torch.float16)


def on_the_card(made):
    return {name for name in (*READING, *PAINTING, *DECODING) if getattr(made, name).place == CARD}


def test_networks_take_turns_on_the_card(sent):
    turns = Turns(sent)
    turns.mode = ONE
    for names in (PAINTING, DECODING, READING, PAINTING):
        turns.call(names)
        assert on_the_card(sent) == set(names)


def test_what_is_on_the_card_stays_there_where_everything_fits(sent):
    turns = Turns(sent)
    for count, names in enumerate((READING, PAINTING, DECODING), 1):
        turns.call(names)
        assert on_the_card(sent) == {name for some in (READING, PAINTING, DECODING)[:count] for name in some}


def test_after_a_full_card_networks_take_turns_until_nothing_is_left_to_try(made, sent):
    turns = Turns(sent)
    turns.call(PAINTING)
    assert turns.lower() and turns.mode == ONE and not on_the_card(sent)
    turns.mode = LAYERS
    assert not turns.lower()
    assert not Turns(made).lower()


def test_networks_that_are_offloaded_by_layers_give_the_same_bits(made):
    def predicted():
        generator = torch.Generator().manual_seed(0)
        x, hint = (torch.randn(19, *shape, generator=generator) for shape in ((4, 8, 8), (3, 64, 64)))
        embeds, ids = torch.randn(1, 1, 32, generator=generator), torch.tensor([[6.0, 160.0, 0.0]])
        return denoise(made, x, torch.tensor(2.5), x[None], embeds, ids, made.controlnet.embed_hint(hint), pattern("prevref", 19, 4))

    with torch.inference_mode():
        wanted = predicted()
        for name in PAINTING:
            memory.offload_leaves(getattr(made, name), torch.device("cpu"))
        assert torch.equal(predicted(), wanted)
