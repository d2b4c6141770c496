"""The two-convolution network that courses show on MNIST: 5x5 filters with stride 2 and SAME padding."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from striate.core.errors import ShapeError
from striate.geometry import same_tf_padding
from striate.models.fitting import Expected, expect_counts, expect_size
from striate.models.layers import Layers
from striate.nn.inputs import by

KERNEL = 5
LEAST_CIRCULAR = 3
"""The smallest side around which circular padding goes once at most, in both convolutions."""


class MnistConvnet(nn.Module):
    """Two convolutions of stride 2, each followed by a rectifier, and a dense layer.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: of the images along each axis.
        layers: what it is built from.

    Raises:
        ShapeError: where images are too small for circular padding.
    """

    def __init__(self, *, classes: int, channels: int, size: tuple[int, ...], layers: Layers) -> None:
        super().__init__()
        expect_counts(classes=classes, channels=channels)
        if layers.wraps and min(size) < LEAST_CIRCULAR:
            raise ShapeError(
                f"images of {by(size)} pixels are too small for circular padding under a kernel of {KERNEL}; "
                f"{by([LEAST_CIRCULAR] * len(size))} and larger fit"
            )
        half = [math.ceil(side / 2) for side in size]
        quarter = [math.ceil(side / 2) for side in half]
        self.expected = Expected(layer="conv1", channels=channels, dims=layers.dims, size=size)
        self.relu = nn.ReLU(inplace=True)
        self.pad1 = _same(size, layers)
        self.conv1 = layers.convolution(channels, 16, KERNEL, stride=2, bias=True)
        self.sampling1 = layers.sampling(16, 2)
        self.pad2 = _same(half, layers)
        self.conv2 = layers.convolution(16, 32, KERNEL, stride=2, bias=True)
        self.sampling2 = layers.sampling(32, 2)
        self.fc = nn.Linear(32 * math.prod(quarter), classes)

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits, N x classes, of normalised images, N x C x spatial."""
        self.expected.check(images)
        features = self.sampling1(self.relu(self.conv1(self.pad1(images))))
        features = self.sampling2(self.relu(self.conv2(self.pad2(features))))
        logits: Tensor = self.fc(torch.flatten(features, 1))
        return logits


def _same(size: Sequence[int], layers: Layers) -> nn.Module:
    # Torch's padding layers take the last axis first.
    sides = [same_tf_padding(side, kernel=KERNEL, stride=layers.stride(2)) for side in reversed(size)]
    pad = layers.kinds.circular_pad if layers.wraps else layers.kinds.zero_pad
    return pad(tuple(amount for side in sides for amount in side))


def mnist_convnet(
    *,
    classes: int = 10,
    channels: int = 1,
    size: tuple[int, ...] = (28, 28),
    downsample: str = "stride",
    padding_mode: str = "zeros",
) -> nn.Module:
    """Build the two-convolution network for signals, images or volumes of one size.

    16 filters of 5x5 with stride 2 and SAME padding make 14x14x16 of 28x28; as many more of the same kind,
    32, make 7x7x32 of that; a dense layer reads these 1,568 values.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: of the images along each axis, as many numbers as there are axes (1, 2 or 3).
        downsample: ``stride``, ``blur`` or ``polyphase``, as `striate.models.layers` says.
        padding_mode: ``zeros`` or ``circular``. A dense head sees where things are, so no form of this
            network is invariant to shifts.

    Returns:
        The network; with the defaults it has 28,938 parameters.

    Raises:
        ShapeError: where images are under 3 pixels with circular padding.
        LayerError: where another argument is none of these.

    Source: teaching material gives its first layer only; the second has the same kernel, stride and
    padding and twice the filters, and nothing hidden stands before the output. SAME is TensorFlow's
    (``ceil(W/S)`` outputs, the odd pixel of padding at the end). Weights are drawn as torch does.

    >>> network = mnist_convnet()
    >>> network.conv1(network.pad1(torch.zeros(1, 1, 28, 28))).shape
    torch.Size([1, 16, 14, 14])
    """
    sides = expect_size(size)
    layers = Layers(dims=len(sides), downsample=downsample, padding_mode=padding_mode)
    return MnistConvnet(classes=classes, channels=channels, size=sides, layers=layers)
