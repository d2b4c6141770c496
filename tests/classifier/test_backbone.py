"""Features: the input of the head, of any network, in any batches, in either precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from striate.classifier import Backbone, head_of, open_backbone
from striate.classifier.views import views
from striate.core.device import Policy
from striate.models import build

EXACT = Policy("cpu", "float32", True, "as the test asks")
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 3, 40, 36), np.uint8)


def network_of(name: str) -> nn.Module:
    torch.manual_seed(0)
    return build(name, classes=4, channels=3, size=(40, 36)).eval()


@torch.no_grad()
def expected_features(
    network: nn.Module, images: np.ndarray, *, mirrored: bool, shifted: int
) -> torch.Tensor:
    """Compute the head's input by a hook on the network as it is."""
    _, head = head_of(network)
    kept: list[torch.Tensor] = []
    handle = head.register_forward_pre_hook(lambda _, given: kept.append(given[0]))
    normalised = (torch.from_numpy(images) / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(
        3, 1, 1
    )
    total = torch.zeros(())
    for share, view in views(normalised, mirrored=mirrored, shifted=shifted):
        network(view)
        total = total + share * kept.pop()
    handle.remove()
    return total


@pytest.mark.parametrize("name", ["efficientnet-lite0", "resnet18", "compact-small"])
@pytest.mark.parametrize(("mirrored", "shifted"), [(False, 0), (True, 2)])
def test_features_are_the_mean_input_of_the_head_over_the_views(
    images, name, mirrored, shifted, monkeypatch
) -> None:
    monkeypatch.setattr("striate.classifier.batches.LARGEST_BATCH", 2)
    network = network_of(name)
    backbone = Backbone(network, mean=MEAN, std=STD, size=(40, 36), policy=EXACT)
    found = backbone.features(images, mirrored=mirrored, shifted=shifted)
    expected = expected_features(network, images, mirrored=mirrored, shifted=shifted)
    assert found.shape == (5, backbone.width)
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4 * expected.abs().max().item())


def test_bfloat16_is_near(images) -> None:
    network = network_of("efficientnet-lite0")
    policy = Policy("cpu", "bfloat16", True, "as the test asks")
    found = Backbone(network, mean=MEAN, std=STD, size=(40, 36), policy=policy).features(images)
    expected = expected_features(network, images, mirrored=False, shifted=0)
    assert found.dtype == torch.float32
    assert (found - expected).norm() < 0.05 * expected.norm()


def test_the_network_itself_is_left_as_it_was(images) -> None:
    network = network_of("resnet18").train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    Backbone(network, mean=MEAN, std=STD, size=(40, 36), policy=EXACT).features(images)
    assert network.training
    assert all(tensor.equal(before[name]) for name, tensor in network.state_dict().items())
    assert not head_of(network)[1]._forward_pre_hooks


def test_progress_is_told_and_no_images_have_no_features(images) -> None:
    backbone = Backbone(network_of("compact-small"), mean=MEAN, std=STD, size=(40, 36), policy=EXACT)
    events = []
    backbone.features(images, on_event=events.append)
    assert events[-1].data == {"what": "computing features", "done": 5, "total": 5, "unit": "images"}
    assert backbone.features(images[:0]).shape == (0, backbone.width)


def test_published_features_tell_pictures_apart_that_noise_does_not() -> None:
    backbone = open_backbone("efficientnet-lite0", device="cpu")
    assert (backbone.width, backbone.size, backbone.channels) == (1280, (224, 224), 3)
    flat = np.full((2, 3, 64, 64), 128, np.uint8)
    flat[1] += 1
    noise = np.random.default_rng(0).integers(0, 256, (1, 3, 64, 64), np.uint8)
    one, like, other = backbone.features(np.concatenate([flat, noise]))
    assert (one - like).norm() < 0.3 * (one - other).norm()
