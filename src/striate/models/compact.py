"""Compact networks for small images, series and volumes: convolution, pooling and norm, three widths.

In the spirit of the CIFAR-10 speed records (Page 2019; Jordan, airbench, 2024): a first layer that is
computed from the images instead of trained, few and wide layers, a norm after each, and a global
maximum before the head. What differs: the first layer strides, so that no trained convolution runs at
full resolution, and rectifiers stand in for GELU. On CPUs with bfloat16 units both save time that
more steps repay. For series, volumes and clips the first layer is trained, with a norm: of the patches of
many channels, or of several frames, the directions of largest variance are not those that matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from striate.core.errors import ShapeError
from striate.models.fitting import expect_size
from striate.nn import patches_in, whitening_filters
from striate.nn.by_dims import BY_DIMS, Kinds
from striate.nn.inputs import by


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

NORM_MOMENTUM = 0.4
"""The norms' running figures must follow a short training closely."""

_NOUNS = {1: "series of {}", 2: "images of {} pixels", 3: "volumes of {}"}


class Compact(nn.Module):
    """A network of a whitening stem, stages of two convolutions, and a linear head.

    Images are halved along both axes alike, by their shorter side; series and volumes along each axis as its
    own length wants it, so that the few frames of a clip are not pooled away.

    Args:
        classes: number of outputs, at least 2.
        channels: channels of the images.
        size: height and width of the images in pixels, each at least 4; or the length of series, or the three
            sides of volumes and clips.
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
        size: tuple[int, ...],
        widths: tuple[int, int, int],
        pool_first: bool = False,
    ) -> None:
        super().__init__()
        dims, plan = len(expect_size(size)), _plan(size)
        kinds = BY_DIMS[dims]
        whitens = dims == 2
        stem_width = 2 * min(math.prod(plan.kernel) * channels, 24) if whitens else widths[0]
        self.stem = kinds.convolution(
            channels, stem_width, plan.kernel, stride=plan.stride, padding=plan.padding, bias=whitens
        )
        first: list[nn.Module] = [] if whitens else [kinds.norm(stem_width, momentum=NORM_MOMENTUM)]
        self.stages = nn.Sequential(*first, nn.ReLU(), *_convolution(kinds, stem_width, widths[0], pool=()))
        width = widths[0]
        for stage, window in enumerate(plan.poolings, 1):
            wider = widths[min(stage, 2)]
            if pool_first:
                self.stages.append(kinds.max_pool(_alike(window)))
            self.stages.extend(_convolution(kinds, width, wider, pool=() if pool_first else window))
            self.stages.extend(_convolution(kinds, wider, wider, pool=()))
            width = wider
        self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits, N x classes, of normalised images, N x C x H x W, or N x C x spatial."""
        features = self.stages(self.stem(images))
        logits: Tensor = self.head(features.amax(dim=tuple(range(2, features.ndim))))
        return logits

    def learn_first_layer(self, images: Tensor) -> None:
        """Set the stem to filters that whiten the patches of images, each beside its negative; freeze them.

        Of series and volumes nothing is computed.

        Args:
            images: normalised, N x C x H x W; as many of them are used as are needed.
        """
        if isinstance(self.stem, nn.Conv2d):
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


@dataclass(frozen=True)
class _Plan:
    """The windows of a compact network, of each axis: those of its first layer, and of each pooling."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    poolings: list[tuple[int, ...]]


def _plan(size: tuple[int, ...]) -> _Plan:
    if min(size) < SMALLEST:
        least = by([SMALLEST] * len(size))
        raise ShapeError(
            f"{_NOUNS[len(size)].format(by(size))} are too small for a compact network; {least} and larger "
            "fit, "
            "and size=8 enlarges them"
        )
    sides = (min(size),) * 2 if len(size) == 2 else tuple(size)
    strides = tuple(1 if side < 20 else 2 if side < 56 else 4 for side in sides)
    counts = [math.ceil(math.log2(side / stride / 4)) for side, stride in zip(sides, strides, strict=True)]
    most = max(1, *counts)
    # Short axes are pooled last, when what is told along the long ones is known.
    poolings = [tuple(2 if most - stage <= count else 1 for count in counts) for stage in range(most)]
    if max(counts) < 1:
        poolings = [(2,) * len(size)]
    return _Plan(
        kernel=tuple(3 if stride == 1 else 2 * stride for stride in strides),
        stride=strides,
        padding=tuple((3 if stride == 1 else 2 * stride) // 2 - (stride > 1) for stride in strides),
        poolings=poolings,
    )


def _alike(window: tuple[int, ...]) -> int | tuple[int, ...]:
    """Write a window of equal sides as one number, as such layers are shown."""
    return window[0] if len(set(window)) == 1 else window


def _convolution(kinds: Kinds, inputs: int, outputs: int, *, pool: tuple[int, ...]) -> list[nn.Module]:
    convolution = kinds.convolution(inputs, outputs, 3, padding=1, bias=False)
    assert isinstance(convolution.weight, Tensor)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="linear")
    pooling = [kinds.max_pool(_alike(pool))] if pool else []
    return [convolution, *pooling, kinds.norm(outputs, momentum=NORM_MOMENTUM), nn.ReLU(inplace=True)]


def compact_light(*, classes: int = 10, channels: int = 1, size: tuple[int, ...] = (28, 28)) -> nn.Module:
    """Build the compact network of the least work, for trainings of seconds: wide, but where maps are small.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: their height and width in pixels; or the length of series, or the three sides of volumes.

    Returns:
        The network.

    >>> compact_light()(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """
    return Compact(classes=classes, channels=channels, size=size, widths=(32, 64, 128), pool_first=True)


def compact_small(*, classes: int = 10, channels: int = 1, size: tuple[int, ...] = (28, 28)) -> nn.Module:
    """Build the narrowest compact network.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: their height and width in pixels; or the length of series, or the three sides of volumes.

    Returns:
        The network.

    >>> compact_small()(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """
    return Compact(classes=classes, channels=channels, size=size, widths=(24, 48, 96))


def compact_medium(*, classes: int = 10, channels: int = 1, size: tuple[int, ...] = (28, 28)) -> nn.Module:
    """Build the compact network of medium width, the default.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: their height and width in pixels; or the length of series, or the three sides of volumes.

    Returns:
        The network.

    >>> compact_medium(channels=3, size=(64, 48))(torch.zeros(1, 3, 64, 48)).shape
    torch.Size([1, 10])
    """
    return Compact(classes=classes, channels=channels, size=size, widths=(32, 64, 128))


def compact_large(*, classes: int = 10, channels: int = 1, size: tuple[int, ...] = (28, 28)) -> nn.Module:
    """Build the widest compact network.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: their height and width in pixels; or the length of series, or the three sides of volumes.

    Returns:
        The network.

    >>> compact_large(size=(8, 8))(torch.zeros(1, 1, 8, 8)).shape
    torch.Size([1, 10])
    """
    return Compact(classes=classes, channels=channels, size=size, widths=(64, 128, 256))
