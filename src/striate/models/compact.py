"""Compact networks for small images: whitened patches, then convolution, pooling and norm, three widths.

In the spirit of the CIFAR-10 speed records (Page 2019; Jordan, airbench, 2024): a first layer that is
computed from the images instead of trained, few and wide layers, a norm after each, and a global
maximum before the head. What differs: the first layer strides, so that no trained convolution runs at
full resolution, and rectifiers stand in for GELU. On CPUs with bfloat16 units both save time that
more steps repay.
"""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from striate.core.errors import ShapeError
from striate.nn import patches_in, whitening_filters


@runtime_checkable
class LearnsFirstLayer(Protocol):
    """A network whose first layer is computed from images before training, and then stays."""

    def learn_first_layer(self, images: Tensor) -> None:
        """Compute the first layer.

        Args:
            images: normalised, N x C x H x W.
        """


ENOUGH_PATCHES = 500_000
"""From about how many patches the first layer is computed: thousands for each of its values."""

SMALLEST = 4
"""The smallest side of an image in pixels."""


class Compact(nn.Module):
    """A network of a whitening stem, stages of two convolutions, and a linear head.

    Args:
        classes: number of outputs, at least 2.
        channels: channels of the images.
        size: height and width of the images in pixels, each at least 4.
        widths: channels of the first stage, of the second, and of all later ones.
        pool_first: whether a stage pools before its first convolution and not behind it, which takes three
            quarters of the work out of the most expensive convolutions.

    Raises:
        ShapeError: where a side is under 4 pixels.
    """

    def __init__(
        self,
        *,
        classes: int,
        channels: int,
        size: tuple[int, int],
        widths: tuple[int, int, int],
        pool_first: bool = False,
    ) -> None:
        super().__init__()
        side = min(size)
        if side < SMALLEST:
            raise ShapeError(
                f"images of {size[0]}x{size[1]} pixels are too small for a compact network; "
                f"{SMALLEST}x{SMALLEST} and larger fit, and size=8 enlarges them"
            )
        stride = 1 if side < 20 else 2 if side < 56 else 4
        kernel = 3 if stride == 1 else 2 * stride
        stem_width = 2 * min(kernel * kernel * channels, 24)
        self.stem = nn.Conv2d(channels, stem_width, kernel, stride=stride, padding=kernel // 2 - (stride > 1))
        self.stages = nn.Sequential(nn.ReLU(), *_convolution(stem_width, widths[0], pool=False))
        width = widths[0]
        poolings = max(1, math.ceil(math.log2(side / stride / 4)))
        for stage in range(1, poolings + 1):
            wider = widths[min(stage, 2)]
            if pool_first:
                self.stages.append(nn.MaxPool2d(2))
            self.stages.extend(_convolution(width, wider, pool=not pool_first))
            self.stages.extend(_convolution(wider, wider, pool=False))
            width = wider
        self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits, N x classes, of normalised images, N x C x H x W."""
        features = self.stages(self.stem(images))
        logits: Tensor = self.head(features.amax(dim=(2, 3)))
        return logits

    def learn_first_layer(self, images: Tensor) -> None:
        """Set the stem to filters that whiten the patches of images, each beside its negative; freeze them.

        Args:
            images: normalised, N x C x H x W; as many of them are used as are needed.
        """
        whiten(self.stem, images)


@torch.no_grad()
def whiten(stem: nn.Conv2d, images: Tensor) -> None:
    """Set a convolution to filters that whiten the patches of images, each beside its negative; freeze it.

    Args:
        stem: with a bias, and with twice as many maps as filters are wanted.
        images: normalised, N x C x H x W, each side at least that of a filter; as many of them are used as
            are needed.
    """
    kernel, stride = stem.kernel_size[0], stem.stride[0]
    half = stem.out_channels // 2
    each = patches_in(images.shape[2], images.shape[3], kernel=kernel, stride=stride)
    images = images[:: max(1, len(images) * each // ENOUGH_PATCHES)]
    filters = whitening_filters(images, kernel=kernel, stride=stride)[:half].to(stem.weight)
    stem.weight.copy_(torch.cat([filters, -filters]))
    assert stem.bias is not None
    stem.bias.zero_()
    stem.weight.requires_grad_(False)


def _convolution(inputs: int, outputs: int, *, pool: bool) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="linear")
    pooling: list[nn.Module] = [nn.MaxPool2d(2)] if pool else []
    # The norm's running figures must follow a short training closely.
    return [convolution, *pooling, nn.BatchNorm2d(outputs, momentum=0.4), nn.ReLU(inplace=True)]


def compact_light(*, classes: int = 10, channels: int = 1, size: tuple[int, int] = (28, 28)) -> nn.Module:
    """Build the compact network of the least work, for trainings of seconds: wide, but where maps are small.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: their height and width in pixels.

    Returns:
        The network.

    >>> compact_light()(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """
    return Compact(classes=classes, channels=channels, size=size, widths=(32, 64, 128), pool_first=True)


def compact_small(*, classes: int = 10, channels: int = 1, size: tuple[int, int] = (28, 28)) -> nn.Module:
    """Build the narrowest compact network.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: their height and width in pixels.

    Returns:
        The network.

    >>> compact_small()(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """
    return Compact(classes=classes, channels=channels, size=size, widths=(24, 48, 96))


def compact_medium(*, classes: int = 10, channels: int = 1, size: tuple[int, int] = (28, 28)) -> nn.Module:
    """Build the compact network of medium width, the default.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: their height and width in pixels.

    Returns:
        The network.

    >>> compact_medium(channels=3, size=(64, 48))(torch.zeros(1, 3, 64, 48)).shape
    torch.Size([1, 10])
    """
    return Compact(classes=classes, channels=channels, size=size, widths=(32, 64, 128))


def compact_large(*, classes: int = 10, channels: int = 1, size: tuple[int, int] = (28, 28)) -> nn.Module:
    """Build the widest compact network.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: their height and width in pixels.

    Returns:
        The network.

    >>> compact_large(size=(8, 8))(torch.zeros(1, 1, 8, 8)).shape
    torch.Size([1, 10])
    """
    return Compact(classes=classes, channels=channels, size=size, widths=(64, 128, 256))
