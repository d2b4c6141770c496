"""LeNet-5: the sizes and weights of the paper's figure 2, and its formula."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from striate.core.errors import ShapeError
from striate.models import lenet


def test_layers_have_the_numbers_of_the_paper() -> None:
    network = lenet()
    counts = {
        name: sum(parameter.numel() for parameter in part.parameters())
        for name, part in network.named_children()
        if list(part.parameters())
    }
    # The paper's C3 has 1,516, since its table I leaves connections out.
    assert counts == {"conv1": 156, "conv2": 2416, "fc1": 48120, "fc2": 10164, "fc3": 850}


def test_the_network_is_its_formula() -> None:
    torch.manual_seed(0)
    network = lenet(channels=2, classes=4, size=(20, 31))
    images = torch.randn(3, 2, 20, 31)
    features = F.avg_pool2d(F.conv2d(images, network.conv1.weight, network.conv1.bias, padding=2).tanh(), 2)
    features = F.avg_pool2d(F.conv2d(features, network.conv2.weight, network.conv2.bias).tanh(), 2)
    hidden = (features.flatten(1) @ network.fc1.weight.T + network.fc1.bias).tanh()
    hidden = (hidden @ network.fc2.weight.T + network.fc2.bias).tanh()
    expected = hidden @ network.fc3.weight.T + network.fc3.bias
    assert torch.allclose(network(images), expected, atol=1e-5)


def test_the_digits_of_28_see_what_the_paper_s_32_see() -> None:
    network = lenet()
    images = torch.rand(1, 1, 28, 28)
    expected = F.conv2d(F.pad(images, (2, 2, 2, 2)), network.conv1.weight, network.conv1.bias)
    assert torch.allclose(network.conv1(images), expected, atol=1e-6)


def test_images_of_another_size_than_it_was_built_for_are_refused() -> None:
    with pytest.raises(ShapeError, match="conv1 got images of 32x32, and the network was built for 28x28"):
        lenet()(torch.rand(1, 1, 32, 32))


@pytest.mark.parametrize("size", [(), (28, 28, 28, 28), (28, 0)])
def test_what_is_no_size_is_refused(size) -> None:
    with pytest.raises(ShapeError, match="1 or 2 or 3 whole numbers"):
        lenet(size=size)
