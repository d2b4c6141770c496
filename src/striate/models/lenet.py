"""LeNet-5: two convolutions, two poolings and three dense layers (LeCun et al. 1998)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from striate.geometry import Window
from striate.models.fitting import Expected, Steps, expect_counts, expect_size, follow
from striate.models.layers import Layers

STEPS: Steps = (
    ("conv1", Window(kernel=5, before=2, after=2)),
    ("pool1", Window(kernel=2, stride=2)),
    ("conv2", Window(kernel=5)),
    ("pool2", Window(kernel=2, stride=2)),
)
"""The layers that lie on the image."""


class LeNet(nn.Module):
    """Convolution and pooling, twice, and three dense layers, with hyperbolic tangents between them.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: of the images along each axis, each at least 12.
        layers: what it is built from.

    Raises:
        ShapeError: where nothing would be left of the images before the dense layers.
    """

    def __init__(self, *, classes: int, channels: int, size: tuple[int, ...], layers: Layers) -> None:
        super().__init__()
        expect_counts(classes=classes, channels=channels)
        left = follow(size, STEPS, network="LeNet")
        self.expected = Expected(layer="conv1", channels=channels, dims=layers.dims, size=size)
        self.tanh = nn.Tanh()
        self.conv1 = layers.convolution(channels, 6, 5, padding=2, bias=True)
        self.pool1 = layers.average_pool(6, 2, stride=2)
        self.conv2 = layers.convolution(6, 16, 5, bias=True)
        self.pool2 = layers.average_pool(16, 2, stride=2)
        self.fc1 = nn.Linear(16 * math.prod(left), 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits, N x classes, of normalised images, N x C x spatial."""
        self.expected.check(images)
        features = self.pool1(self.tanh(self.conv1(images)))
        features = self.pool2(self.tanh(self.conv2(features)))
        hidden = self.tanh(self.fc1(torch.flatten(features, 1)))
        logits: Tensor = self.fc3(self.tanh(self.fc2(hidden)))
        return logits


def lenet(
    *,
    classes: int = 10,
    channels: int = 1,
    size: tuple[int, ...] = (28, 28),
    downsample: str = "stride",
    padding_mode: str = "zeros",
) -> nn.Module:
    """Build LeNet-5 for signals, images or volumes of one size.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: of the images along each axis, as many numbers as there are axes (1, 2 or 3), each at least 12.
        downsample: ``stride``, ``blur`` or ``polyphase``, as `striate.models.layers` says.
        padding_mode: ``zeros`` or ``circular``. A dense head sees where things are, so no form of this
            network is invariant to shifts.

    Returns:
        The network; with the defaults it has 61,706 parameters.

    Raises:
        ShapeError: where the images are too small.
        LayerError: where another argument is none of these.

    Source: LeCun et al., Gradient-Based Learning Applied to Document Recognition (1998), section II.B. What
    differs: the paper's 32x32 is 28x28 padded by 2, as its digits are; a pooling is a plain mean, without
    coefficient, bias and non-linearity; the second convolution takes all six channels (the paper's table I
    leaves some out, and has 60,000 parameters in all); the hyperbolic tangent is not scaled; the output is
    linear, for cross entropy, where the paper has radial basis functions. Weights are drawn as torch does.

    >>> sum(parameter.numel() for parameter in lenet().parameters())
    61706
    """
    sides = expect_size(size)
    layers = Layers(dims=len(sides), downsample=downsample, padding_mode=padding_mode)
    return LeNet(classes=classes, channels=channels, size=sides, layers=layers)
