"""Training the region matcher: numpy and torch agree, a kill changes nothing, and a seed gives the same weights."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from engine.pipelines.flat import network as numpys
from training.flat import clips
from training.flat.batches import batch, pool
from training.flat.network import Matcher
from training.flat.train import Settings, Training, judged, train

CLIPS = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    assert list(clips.build(folder, 0, CLIPS)) == [CLIPS]
    return folder


@pytest.fixture(scope="module")
def drawings(folder) -> clips.Drawings:
    return clips.read(folder, 0, CLIPS)


@pytest.fixture(scope="module")
def network() -> Matcher:
    torch.manual_seed(1)
    network = Matcher().eval()
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.05)
    return network


def trained(drawings: clips.Drawings, folder: Path, steps: int, seed: int = 0) -> dict[str, np.ndarray]:
    """The weights after some steps of five, taking up what lies in the folder."""
    folder.mkdir(exist_ok=True)
    training = Training(Settings(steps=5, seed=seed, save_every=1))
    if (folder / "state.pt").is_file():
        training.resume(folder / "state.pt")
    stop = training.step + steps

    def tell(line: str) -> None:
        if json.loads(line)["step"] == stop:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        train(training, drawings, None, folder, tell)
    return load_file(folder / "matcher.safetensors")


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)


@pytest.mark.parametrize("told", [False, True])
def test_numpy_and_torch_agree(drawings, network, told):
    weights = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    pairs = np.array([[0, 3], [4, 5]])
    made = batch(drawings, pairs)
    half = torch.rand(len(pairs), *made.known.shape[1:], generator=torch.Generator().manual_seed(0))
    known = torch.cat([half, half.transpose(1, 2)])
    with torch.no_grad():
        args = (made.features, made.relations, made.there, made.back, made.real, made.places)
        found = network(*args, known if told else None)[0][0].numpy()
    for k, (one, other) in enumerate(pairs):
        for row, target, source in ((k, one, other), (k + len(pairs), other, one)):
            t, s = drawings.frame(int(target))[0], drawings.frame(int(source))[0]
            expected = np.concatenate([found[row, : len(t), : len(s)], found[row, : len(t), -1:]], 1)
            own = known[row, : len(t), : len(s)].numpy() if told else None
            chances = numpys.compare(weights, (t, numpys.look(weights, t)), (s, numpys.look(weights, s)), own)
            assert np.abs(chances - expected).max() < 1e-3


def test_answers_that_are_known_are_multiplied_with_what_a_frame_said(drawings, network):
    made = batch(drawings, np.array([[0, 3]]), np.random.default_rng(0))
    args = (made.features, made.relations, made.there, made.back, made.real, made.places)
    with torch.no_grad():
        late, _ = network(*args)
        same, knowing = (network(*args, known)[0] for known in (torch.ones_like(made.known), made.right[..., :-1].float() + 1e-3))
    assert torch.allclose(late[0], same[0], atol=1e-5) and not torch.allclose(late[0], knowing[0], atol=1e-3)


def test_the_shipped_weights_fit_the_network():
    Matcher().load_state_dict({name: torch.from_numpy(value) for name, value in numpys.parameters().items()})


def test_a_seed_gives_the_same_weights_and_another_others(drawings, tmp_path):
    weights = [trained(drawings, tmp_path / name, 2, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1))]
    assert same(weights[0], weights[1]) and not same(weights[0], weights[2])


def test_one_thread_and_two_take_the_same_step(drawings):
    batches, stepped = pool(drawings, 0, 0)[:2], []
    for hands in (1, 2):
        training = Training(Settings(steps=5))
        training.hands = ThreadPoolExecutor(hands)
        training.on((batches * 2)[:2])
        stepped.append({name: value.numpy() for name, value in training.network.state_dict().items()})
    assert same(*stepped)


def test_a_training_that_was_cut_off_goes_on_to_the_same_weights(drawings, tmp_path):
    straight = trained(drawings, tmp_path / "straight", 4)
    trained(drawings, tmp_path / "cut", 1)
    assert same(trained(drawings, tmp_path / "cut", 3), straight)


def test_training_lowers_the_loss(drawings):
    training = Training(Settings(steps=40))
    made = pool(drawings, 0, 0)[0]
    before = judged(training.network, made, training.device)[0].item()
    for _ in range(25):
        training.on([made, made])
    assert judged(training.network, made, training.device)[0].item() < before - 0.2


def test_clips_are_built_once(folder):
    path = next(folder.glob("*.npz"))
    made = path.stat().st_mtime_ns
    assert list(clips.build(folder, 0, CLIPS)) == [CLIPS] and path.stat().st_mtime_ns == made


@pytest.mark.parametrize("how", [(True, False, False), (False, True, False), (False, False, True), (True, True, True)])
def test_a_mirrored_frame_is_the_mirrored_picture_described(how):
    labels = np.zeros((60, 90), np.int32)
    labels[10:31, 20:60], labels[25:51, 55:80], labels[40:60, 0:12] = 1, 2, 3
    picture = labels[:: -1 if how[1] else 1, :: -1 if how[0] else 1]
    expected = clips.describe(np.ascontiguousarray(picture.T if how[2] else picture))
    found = clips.turned(clips.describe(labels), *how)
    for name in ("area", "centre", "extent", "moments", "contact"):
        assert np.allclose(getattr(found, name), getattr(expected, name), atol=1e-5), name
    assert np.abs(found.looks.astype(int) - expected.looks).mean() < 6
    assert np.allclose(numpys.relations(found), numpys.relations(expected), atol=1e-4)
