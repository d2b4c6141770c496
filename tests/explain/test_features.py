"""Features are what goes into the last linear layer, or what a layer gives, one number a channel."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from striate.core.errors import LayerError
from striate.explain import features, layer_features
from striate.explain.features import weighing_layers


class Tokens(nn.Module):
    """A small transformer on patches, with a class token."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, 8, 4, stride=4)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patch(images).flatten(2).transpose(1, 2)
        tokens = self.norm(tokens + self.attention(tokens, tokens, tokens)[0])
        return self.head(tokens.mean(dim=1)).softmax(dim=1)


def network_of() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(6, 5), nn.Linear(5, 2)
    )


IMAGES = torch.randint(0, 256, (11, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_the_penultimate_features_are_the_input_of_the_last_linear_layer() -> None:
    network = network_of()
    with torch.no_grad():
        expected = network[:5](IMAGES.float() / 255)
    for batch in (1, 4, None):
        torch.testing.assert_close(features(network, IMAGES, batch=batch), expected)
    torch.testing.assert_close(features(network, IMAGES.numpy()), expected)


def test_a_named_layer_gives_its_output_averaged_over_places() -> None:
    network = network_of()
    with torch.no_grad():
        maps = network[:2](IMAGES.float() / 255)
    found = layer_features(network, IMAGES, ["1", "5"], batch=3)
    torch.testing.assert_close(found["1"], maps.mean(dim=(2, 3)))
    torch.testing.assert_close(features(network, IMAGES, layer="1"), found["1"])
    assert found["5"].shape == (11, 2)


def test_tokens_are_averaged_and_attention_is_no_linear_layer() -> None:
    network = Tokens()
    with torch.no_grad():
        tokens = network.patch(IMAGES.float() / 255).flatten(2).transpose(1, 2)
        tokens = network.norm(tokens + network.attention(tokens, tokens, tokens)[0])
    torch.testing.assert_close(features(network, IMAGES), tokens.mean(dim=1))
    torch.testing.assert_close(features(network, IMAGES, layer="norm"), tokens.mean(dim=1))


def test_layers_that_weigh_are_convolutions_and_linear_layers() -> None:
    assert weighing_layers(network_of(), torch.zeros(1, 1, 8, 8)) == ("0", "4", "5")
    wrapped = nn.Sequential(
        torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 2, 3)), nn.BatchNorm2d(2)
    )
    assert weighing_layers(wrapped, torch.zeros(1, 1, 8, 8)) == ("0",)
    with pytest.raises(LayerError, match="no layer with a matrix"):
        weighing_layers(nn.Sequential(nn.ReLU()), torch.zeros(1, 1, 8, 8))


def test_what_is_not_there_or_not_finite_is_said() -> None:
    with pytest.raises(LayerError, match="runs no linear layer"):
        features(nn.Sequential(nn.Conv2d(1, 2, 3)), IMAGES)
    with pytest.raises(LayerError, match="no layer 'x'"):
        features(network_of(), IMAGES, layer="x")
    broken = network_of()
    nn.init.constant_(broken[0].bias, torch.inf)
    with pytest.raises(LayerError, match="of 11 of 11 images are inf or NaN"):
        features(broken, IMAGES)
