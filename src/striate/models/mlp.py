"""The multilayer perceptron: dense layers only, to compare convolutional networks with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from striate.models.fitting import Expected, expect_counts, expect_size


class Mlp(nn.Module):
    """Dense layers with an activation after each but the last.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: of the images along each axis.
        hidden: units of each hidden layer.
        activation: makes each non-linearity.
    """

    def __init__(
        self,
        *,
        classes: int,
        channels: int,
        size: tuple[int, ...],
        hidden: Sequence[int],
        activation: Callable[[], nn.Module],
    ) -> None:
        super().__init__()
        expect_counts(classes=classes, channels=channels)
        for units in hidden:
            expect_counts(hidden=units)
        self.expected = Expected(layer="layers.0", channels=channels, dims=len(size), size=size)
        self.layers = nn.Sequential()
        for inputs, outputs in pairwise((channels * math.prod(size), *hidden)):
            self.layers.append(nn.Linear(inputs, outputs))
            self.layers.append(activation())
        self.head = nn.Linear(hidden[-1] if hidden else channels * math.prod(size), classes)

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits, N x classes, of normalised images, N x C x spatial."""
        self.expected.check(images)
        logits: Tensor = self.head(self.layers(torch.flatten(images, 1)))
        return logits


def mlp(
    *,
    classes: int = 10,
    channels: int = 1,
    size: tuple[int, ...] = (28, 28),
    hidden: Sequence[int] = (512, 256),
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Module:
    """Build a multilayer perceptron for signals, images or volumes of one size.

    Nothing is convolved or pooled in it, so there is nothing to downsample or to pad in other ways.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: of the images along each axis, as many numbers as there are axes (1, 2 or 3).
        hidden: units of each hidden layer; none makes softmax regression.
        activation: makes each non-linearity.

    Returns:
        The network; with the defaults it has 535,818 parameters, drawn as torch does.

    Raises:
        ShapeError: where the size is none.
        LayerError: where another argument is out of range.

    Source: Rumelhart, Hinton and Williams, Learning Representations by Back-Propagating Errors (1986), with
    rectifiers.

    >>> sum(parameter.numel() for parameter in mlp().parameters())
    535818
    """
    sides = expect_size(size)
    return Mlp(classes=classes, channels=channels, size=sides, hidden=hidden, activation=activation)
