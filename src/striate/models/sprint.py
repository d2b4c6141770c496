"""Networks for training in seconds on a GPU: whitened patches, few wide layers, filters that keep their norm.

They stand on what the CIFAR-10 speed records found out (Page, How to Train Your ResNet, 2019, parts 7 and
8; Jordan, 94% on CIFAR-10 in 3.29 Seconds on a Single GPU, 2024): a frozen whitening layer, filters that
begin as the identity, norms without a scale whose offsets learn fast, a global maximum before a small head.
What differs: in `sprint` the whitening layer strides, so that no map is larger than 15 x 15 for images of
32 x 32, which spares an eighth of the operations and much of the memory traffic; no offset is trained there;
and the scales of filters, offsets and head are set here, so that two learning rates fit all parameters.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from striate.core.errors import ShapeError
from striate.nn import patches_in, whitening_filters

SMALLEST = 10
"""The smallest side of an image in pixels: the whitening layer must leave 4 to be pooled twice."""

OFFSET_GAIN = 64.0
"""How many times faster offsets of norms learn than by their rate alone."""

MOST_FILTERS = 24
"""How many of the whitening filters are kept, those of largest variance; the others see mostly noise."""

ENOUGH_PATCHES = 500_000
"""From about how many patches the first layer is computed."""


@runtime_checkable
class KeepsNorms(Protocol):
    """A network whose filters are brought back to their norm after every step of its optimiser."""

    def keep_norms(self) -> None:
        """Scale the filters back."""


class OffsetNorm(nn.Module):
    """Batch norm without a scale, whose offset learns faster.

    The offset is `OFFSET_GAIN` times a parameter, whose gradient grows by the gain, and so does what its
    steps do to the offset: it learns as if its rate were larger by the gain squared.

    Args:
        channels: of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        # The running figures must follow a short training closely.
        self.norm = nn.BatchNorm2d(channels, momentum=0.4, affine=False)
        # Of two dimensions, so that it is decayed as the head is, and not spared as plain offsets are.
        self.offset = nn.Parameter(torch.zeros(1, channels))

    def forward(self, features: Tensor) -> Tensor:
        """Give features, N x C x H x W, whose channels have the mean ``offset`` and a variance of 1."""
        normed: Tensor = self.norm(features)
        # In the type of the features: these are half as many bytes.
        return normed + (OFFSET_GAIN * self.offset)[:, :, None, None].to(normed.dtype)


class Sprint(nn.Module):
    """A network of a whitening layer, three stages of convolutions, and a linear head.

    Args:
        classes: number of outputs, at least 2.
        channels: channels of the images.
        size: height and width of the images in pixels, each at least 10.
        widths: channels of the three stages.
        dense: whether the whitening layer looks at 2 x 2 pixels at every place, with a pooling after the
            first convolution, rather than at 4 x 4 at every second place.

    Raises:
        ShapeError: where a side is under 10 pixels.
    """

    def __init__(
        self,
        *,
        classes: int,
        channels: int,
        size: tuple[int, int],
        widths: tuple[int, int, int] = (64, 256, 256),
        dense: bool = False,
    ) -> None:
        super().__init__()
        if min(size) < SMALLEST:
            raise ShapeError(
                f"images of {size[0]}x{size[1]} pixels are too small for a sprint network; "
                f"{SMALLEST}x{SMALLEST} and larger fit, and size=16 enlarges them"
            )
        kernel = 2 if dense else 4
        filters = min(channels * kernel * kernel, MOST_FILTERS)
        self.stem = nn.Conv2d(channels, 2 * filters, kernel, stride=kernel // 2, bias=False)
        first, second, third = widths
        self.stages = nn.Sequential(
            nn.GELU(),
            *_convolution(2 * filters, first, pool=dense),
            *(_convolution(first, first) if dense else []),
            *_convolution(first, second, pool=True),
            *_convolution(second, second),
            *_convolution(second, third, pool=True),
            *_convolution(third, third),
        )
        self.head = nn.Linear(third, classes, bias=False)
        nn.init.normal_(self.head.weight, std=1 / third)
        self.keep_norms()

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits, N x classes, of normalised images, N x C x H x W."""
        logits: Tensor = self.head(self.stages(self.stem(images)).amax(dim=(2, 3)))
        return logits

    @torch.no_grad()
    def keep_norms(self) -> None:
        """Scale each layer's filters to a norm of the root of their number, as if each had a norm of 1.

        A norm follows each, so that this changes nothing but how far the next step turns the filters.
        """
        filters = [each.weight for each in self.stages if isinstance(each, nn.Conv2d)]
        norms = torch._foreach_norm(filters)
        scales = [len(weight) ** 0.5 / (norm + 1e-7) for weight, norm in zip(filters, norms, strict=True)]
        torch._foreach_mul_(filters, scales)

    @torch.no_grad()
    def learn_first_layer(self, images: Tensor) -> None:
        """Set the first layer to filters that whiten patches, each beside its negative, and freeze them.

        Args:
            images: normalised, N x C x H x W; as many of them are used as are needed.
        """
        kernel, stride, half = self.stem.kernel_size[0], self.stem.stride[0], self.stem.out_channels // 2
        each = patches_in(images.shape[2], images.shape[3], kernel=kernel, stride=stride)
        images = images[:: max(1, len(images) * each // ENOUGH_PATCHES)]
        filters = whitening_filters(images, kernel=kernel, stride=stride)[:half].to(self.stem.weight)
        self.stem.weight.copy_(torch.cat([filters, -filters]))
        self.stem.weight.requires_grad_(False)


def _convolution(inputs: int, outputs: int, *, pool: bool = False) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="linear")
    nn.init.dirac_(convolution.weight.data[: min(inputs, outputs)])
    pooling: list[nn.Module] = [nn.MaxPool2d(2)] if pool else []
    return [convolution, *pooling, OffsetNorm(outputs), nn.GELU()]


def sprint(*, classes: int = 10, channels: int = 3, size: tuple[int, int] = (32, 32)) -> nn.Module:
    """Build the network whose whitening layer strides: the fewest operations.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: their height and width in pixels, each at least 10.

    Returns:
        The network.

    >>> sprint()(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    return Sprint(classes=classes, channels=channels, size=size)


def sprint_dense(*, classes: int = 10, channels: int = 3, size: tuple[int, int] = (32, 32)) -> nn.Module:
    """Build the network whose whitening layer looks at every place: the records' own shape.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: their height and width in pixels, each at least 10.

    Returns:
        The network.

    >>> sprint_dense(channels=1, size=(28, 28))(torch.zeros(1, 1, 28, 28)).shape
    torch.Size([1, 10])
    """
    return Sprint(classes=classes, channels=channels, size=size, dense=True)
