"""The network that finds lines in colour frames: its published layout, its sizes, its own file."""

import numpy as np
import pytest
import torch
from pegbar.engine.diffusion import lineart
from pegbar.engine.protocol import PegbarError

LAYOUT = {
    **{"model0.1.weight": (64, 3, 7, 7), "model1.0.weight": (128, 64, 3, 3), "model1.3.weight": (256, 128, 3, 3)},
    **{f"model2.{block}.conv_block.{conv}.weight": (256, 256, 3, 3) for block in range(3) for conv in (1, 5)},
    **{"model3.0.weight": (256, 128, 3, 3), "model3.3.weight": (128, 64, 3, 3), "model4.1.weight": (1, 64, 7, 7)},
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    generator = torch.Generator().manual_seed(0)
    tensors = {name: torch.randn(shape, generator=generator) * 0.05 for name, shape in LAYOUT.items()}
    outputs = {name: shape[1] if name.startswith("model3") else shape[0] for name, shape in LAYOUT.items()}
    biases = {name.replace("weight", "bias"): torch.randn(count, generator=generator) * 0.05 for name, count in outputs.items()}
    path = tmp_path_factory.mktemp("weights") / "sk_model.pth"
    torch.save(tensors | biases, path)
    return path


def test_the_published_layout_is_filled_strictly(weights, tmp_path):
    network = lineart.load(weights, torch.device("cpu"))
    assert len(network.state_dict()) == 24 and {n: tuple(t.shape) for n, t in network.state_dict().items() if n in LAYOUT} == LAYOUT
    broken = torch.load(weights)
    del broken["model2.1.conv_block.5.bias"]
    torch.save(broken, tmp_path / "sk_model.pth")
    with pytest.raises(PegbarError, match=r"lacks model2\.1\.conv_block\.5\.bias"):
        lineart.load(tmp_path / "sk_model.pth", torch.device("cpu"))


def test_lines_come_in_the_frames_size_in_256_steps_and_are_1_less_the_networks_paper(weights):
    network = lineart.load(weights, torch.device("cpu"))
    image = np.random.default_rng(0).random((64, 128, 3), np.float32)
    ink = lineart.extract(network, image)
    with torch.no_grad():
        paper = network(torch.from_numpy(image.transpose(2, 0, 1)[None]))[0, 0].numpy()
    assert ink.shape == (64, 128) and ink.dtype == np.float32 and np.ptp(ink) > 0.05
    assert np.abs(1 - paper - ink).max() <= 1 / 255 + 1e-6
    assert np.abs(ink * 255 - np.round(ink * 255)).max() < 1e-3


def test_the_first_layers_are_those_of_the_spec(weights):
    """SPEC §9: reflected borders, instance norm without scale, ReLU."""
    network = lineart.load(weights, torch.device("cpu"))
    image = torch.rand(1, 3, 16, 20, generator=torch.Generator().manual_seed(1))
    tensors = torch.load(weights)
    padded = torch.nn.functional.pad(image, (3, 3, 3, 3), mode="reflect")
    expected = torch.nn.functional.conv2d(padded, tensors["model0.1.weight"], tensors["model0.1.bias"])
    mean, variance = expected.mean((2, 3), keepdim=True), expected.var((2, 3), correction=0, keepdim=True)
    expected = ((expected - mean) / (variance + 1e-5).sqrt()).relu()
    assert torch.allclose(network.model0(image), expected, atol=1e-5)
