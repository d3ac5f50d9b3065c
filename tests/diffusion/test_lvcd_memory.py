"""What LVCD takes of a graphics card: counted at full size without one, and networks that take turns on it."""

import pytest
import torch
from pegbar.engine.diffusion.memory import BLOCKS, EVERYTHING, GIB, ONE, Room, chosen
from pegbar.engine.diffusion.offloading import Turns, offload_leaves
from pegbar.engine.pipelines.lvcd import budget, networks
from pegbar.engine.pipelines.lvcd.budget import DECODING, PAINTING, READING
from pegbar.engine.pipelines.lvcd.reference_attention import pattern
from pegbar.engine.pipelines.lvcd.sampling import Settings, denoise

ALL = (*READING, *PAINTING, *DECODING)
CARD = torch.device("meta")
"""Stands for a graphics card: weights can be sent there, and are not here then."""
THERE = Room(torch.device("cuda"), None, None)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """The networks at full size in half precision, made of nothing."""
    return budget.hollow(networks.config_beside(tmp_path_factory.mktemp("none") / "svd.safetensors"), torch.float16)


@pytest.fixture
def made(lvcd_weights):
    return networks.load({"svd": lvcd_weights / "svd.safetensors", "lvcd": lvcd_weights / "lvcd.ckpt"}, "cpu")


def test_a_segment_of_the_models_own_size_fits_a_card_of_8_gb_when_networks_take_turns(full):
    ladder = budget.rungs(full, THERE, 320, 576, Settings())
    fitting = [chosen(ladder, Room(THERE.device, card * GIB, None)).name for card in (12, 8, 6, 4)]
    assert fitting == [EVERYTHING, ONE, BLOCKS, "blocks 8"]


def test_both_halves_of_guidance_at_once_take_more_until_they_go_apart(full):
    guided = {rung.name: rung for rung in budget.rungs(full, THERE, 576, 1024, Settings(guidance_scale=(1.0, 2.0)))}
    plain = {rung.name: rung for rung in budget.rungs(full, THERE, 576, 1024, Settings())}
    assert plain.keys() == guided.keys() - {"apart"} and guided[EVERYTHING].peak >= plain[EVERYTHING].peak
    assert [rung.is_exact for rung in guided.values()] == ["of" not in name and name[-1] not in "865" for name in guided]


class Sent(torch.nn.Linear):
    """A network that notes where it was sent; what stands for a card keeps no numbers, so nothing real would come back from it."""

    place = torch.device("cpu")

    def to(self, place):
        self.place = place
        return self


@pytest.fixture
def sent():
    return {name: Sent(1, 1) for name in ALL}


def turns_of(sent):
    return Turns(sent, CARD, PAINTING)


def on_the_card(sent):
    return {name for name, network in sent.items() if network.place == CARD}


def test_networks_take_turns_on_the_card(sent):
    turns = turns_of(sent)
    turns.change(ONE)
    for names in (PAINTING, DECODING, READING, PAINTING):
        turns.call(*names)
        assert on_the_card(sent) == set(names) and turns.held == 8 * len(names)


def test_what_is_on_the_card_stays_there_where_everything_fits(sent):
    turns = turns_of(sent)
    for count, names in enumerate((READING, PAINTING, DECODING), 1):
        turns.call(*names)
        assert on_the_card(sent) == {name for some in (READING, PAINTING, DECODING)[:count] for name in some}


def test_a_change_empties_the_card_and_offloaded_blocks_stay_so(sent):
    turns = turns_of(sent)
    turns.call(*PAINTING)
    turns.change(ONE)
    assert not on_the_card(sent) and not turns.held
    turns = Turns(
        {name: torch.nn.Linear(1, 1) for name in sent}, torch.device("cpu"), PAINTING
    )  # layers are offloaded by what must be a real device
    turns.change(BLOCKS)
    turns.change(EVERYTHING)
    assert turns.mode == BLOCKS


def test_networks_that_are_offloaded_by_layers_give_the_same_bits(made):
    def predicted():
        generator = torch.Generator().manual_seed(0)
        x, hint = (torch.randn(19, *shape, generator=generator) for shape in ((4, 8, 8), (3, 64, 64)))
        embeds, ids = torch.randn(1, 1, 32, generator=generator), torch.tensor([[6.0, 160.0, 0.0]])
        return denoise(made, x, torch.tensor(2.5), x[None], embeds, ids, made.controlnet.embed_hint(hint), pattern("prevref", 19, 4))

    with torch.inference_mode():
        wanted = predicted()
        for name in PAINTING:
            offload_leaves(getattr(made, name), torch.device("cpu"))
        assert torch.equal(predicted(), wanted)
