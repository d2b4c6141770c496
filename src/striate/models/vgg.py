"""Very deep networks of 3x3 filters (Simonyan and Zisserman 2015), with torchvision's parameter names."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from striate.geometry import Window
from striate.models.fitting import Expected, Steps, expect_counts, expect_size, follow, least_size
from striate.models.layers import Layers, draw_normal, he_initialise

STEPS: Steps = tuple((f"pool{number}", Window(kernel=2, stride=2)) for number in range(1, 6))
"""The layers that change the size; the convolutions keep it."""

WIDTHS = (64, 128, 256, 512, 512)
"""Channels of the five stages."""

HIDDEN = 4096
"""Units of the two hidden dense layers."""

AVERAGED = 7
"""Windows along each axis that are averaged before the head."""

AVERAGED_OF_VOLUMES = 3
"""The same of volumes: 343 windows would make a dense layer of 719 million weights."""


class Vgg(nn.Module):
    """Five stages of 3x3 convolutions and a pooling, an average of 7x7 windows, and three dense layers.

    Args:
        depths: convolutions in each stage.
        classes: number of outputs.
        channels: channels of the images.
        size: of the images along each axis, each at least 32.
        norm: whether batch normalisation follows each convolution.
        layers: what it is built from.

    Raises:
        ShapeError: where nothing would be left of the images before the dense layers.

    Weights are drawn as torchvision does: those of convolutions by `he_initialise`, dense ones with a
    deviation of 0.01 (the paper draws all so, and begins deep networks with the layers of shallow ones).
    """

    def __init__(
        self,
        depths: tuple[int, ...],
        *,
        classes: int,
        channels: int,
        size: tuple[int, ...],
        norm: bool,
        layers: Layers,
    ) -> None:
        super().__init__()
        expect_counts(classes=classes, channels=channels)
        dims = len(expect_size(size))
        follow(size, STEPS, network="VGG")
        self.expected = Expected(layer="features.0", channels=channels, dims=dims, least=least_size(STEPS))
        self.features = nn.Sequential()
        inputs = channels
        for depth, width in zip(depths, WIDTHS, strict=True):
            for _ in range(depth):
                self.features.append(layers.convolution(inputs, width, 3, padding=1, bias=True))
                if norm:
                    self.features.append(layers.norm(width))
                self.features.append(nn.ReLU(inplace=True))
                inputs = width
            self.features.append(layers.max_pool(width, 2, stride=2))
        # Of 224x224 pixels 7x7 are left and stay as they are.
        windows = AVERAGED_OF_VOLUMES if dims == 3 else AVERAGED
        self.avgpool = layers.average_to(windows)
        self.classifier = nn.Sequential(
            nn.Linear(512 * windows**dims, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(HIDDEN, classes),
        )
        he_initialise(self)
        for dense in self.classifier:
            if isinstance(dense, nn.Linear):
                draw_normal(dense.weight, deviation=0.01)
                nn.init.zeros_(dense.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits, N x classes, of normalised images, N x C x spatial."""
        self.expected.check(images)
        features = self.avgpool(self.features(images))
        logits: Tensor = self.classifier(torch.flatten(features, 1))
        return logits


def vgg11(
    *,
    classes: int = 1000,
    channels: int = 3,
    size: tuple[int, ...] = (224, 224),
    downsample: str = "stride",
    padding_mode: str = "zeros",
) -> nn.Module:
    """Build the VGG network of 11 layers with weights.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: of the images along each axis, as many numbers as there are axes (1, 2 or 3), each at least 32;
            images of other such sizes can be given afterwards too.
        downsample: ``stride``, ``blur`` or ``polyphase``, as `striate.models.layers` says.
        padding_mode: ``zeros`` or ``circular``. A dense head sees where things are, so no form of this
            network is invariant to shifts.

    Returns:
        The network; with the defaults it has 132,863,336 parameters.

    Raises:
        ShapeError: where the images are too small.
        LayerError: where another argument is none of these.

    Source: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition
    (2015), table 1, column A. What differs: images of other sizes than 224x224 are averaged to 7x7 before
    the head, as torchvision does.

    As in the paper, the forms without norm want a rate of about 0.01 for their dense layers: trained on the
    digits at 32x32 with an ``other_rate`` of 0.05 this one diverged, and with 0.005, the default, it did not.

    >>> with torch.device("meta"):
    ...     sum(parameter.numel() for parameter in vgg11().parameters())
    132863336
    """
    layers = Layers(dims=len(expect_size(size)), downsample=downsample, padding_mode=padding_mode)
    return Vgg((1, 1, 2, 2, 2), classes=classes, channels=channels, size=size, norm=False, layers=layers)


def vgg11_bn(
    *,
    classes: int = 1000,
    channels: int = 3,
    size: tuple[int, ...] = (224, 224),
    downsample: str = "stride",
    padding_mode: str = "zeros",
) -> nn.Module:
    """Build the VGG network of 11 layers with weights and batch normalisation.

    Args:
        classes, channels, size, downsample, padding_mode: as for `vgg11`.

    Returns:
        The network; with the defaults it has 132,868,840 parameters.

    Source: Simonyan and Zisserman (2015), table 1, column A, with the norm that torchvision adds.
    """
    layers = Layers(dims=len(expect_size(size)), downsample=downsample, padding_mode=padding_mode)
    return Vgg((1, 1, 2, 2, 2), classes=classes, channels=channels, size=size, norm=True, layers=layers)


def vgg13(
    *,
    classes: int = 1000,
    channels: int = 3,
    size: tuple[int, ...] = (224, 224),
    downsample: str = "stride",
    padding_mode: str = "zeros",
) -> nn.Module:
    """Build the VGG network of 13 layers with weights.

    Args:
        classes, channels, size, downsample, padding_mode: as for `vgg11`.

    Returns:
        The network; with the defaults it has 133,047,848 parameters.

    Source: Simonyan and Zisserman (2015), table 1, column B.
    """
    layers = Layers(dims=len(expect_size(size)), downsample=downsample, padding_mode=padding_mode)
    return Vgg((2, 2, 2, 2, 2), classes=classes, channels=channels, size=size, norm=False, layers=layers)


def vgg13_bn(
    *,
    classes: int = 1000,
    channels: int = 3,
    size: tuple[int, ...] = (224, 224),
    downsample: str = "stride",
    padding_mode: str = "zeros",
) -> nn.Module:
    """Build the VGG network of 13 layers with weights and batch normalisation.

    Args:
        classes, channels, size, downsample, padding_mode: as for `vgg11`.

    Returns:
        The network; with the defaults it has 133,053,736 parameters.

    Source: Simonyan and Zisserman (2015), table 1, column B, with the norm that torchvision adds.
    """
    layers = Layers(dims=len(expect_size(size)), downsample=downsample, padding_mode=padding_mode)
    return Vgg((2, 2, 2, 2, 2), classes=classes, channels=channels, size=size, norm=True, layers=layers)


def vgg16(
    *,
    classes: int = 1000,
    channels: int = 3,
    size: tuple[int, ...] = (224, 224),
    downsample: str = "stride",
    padding_mode: str = "zeros",
) -> nn.Module:
    """Build the VGG network of 16 layers with weights.

    Args:
        classes, channels, size, downsample, padding_mode: as for `vgg11`.

    Returns:
        The network; with the defaults it has 138,357,544 parameters.

    Source: Simonyan and Zisserman (2015), table 1, column D.
    """
    layers = Layers(dims=len(expect_size(size)), downsample=downsample, padding_mode=padding_mode)
    return Vgg((2, 2, 3, 3, 3), classes=classes, channels=channels, size=size, norm=False, layers=layers)


def vgg16_bn(
    *,
    classes: int = 1000,
    channels: int = 3,
    size: tuple[int, ...] = (224, 224),
    downsample: str = "stride",
    padding_mode: str = "zeros",
) -> nn.Module:
    """Build the VGG network of 16 layers with weights and batch normalisation.

    Args:
        classes, channels, size, downsample, padding_mode: as for `vgg11`.

    Returns:
        The network; with the defaults it has 138,365,992 parameters.

    Source: Simonyan and Zisserman (2015), table 1, column D, with the norm that torchvision adds.
    """
    layers = Layers(dims=len(expect_size(size)), downsample=downsample, padding_mode=padding_mode)
    return Vgg((2, 2, 3, 3, 3), classes=classes, channels=channels, size=size, norm=True, layers=layers)


def vgg19(
    *,
    classes: int = 1000,
    channels: int = 3,
    size: tuple[int, ...] = (224, 224),
    downsample: str = "stride",
    padding_mode: str = "zeros",
) -> nn.Module:
    """Build the VGG network of 19 layers with weights.

    Args:
        classes, channels, size, downsample, padding_mode: as for `vgg11`.

    Returns:
        The network; with the defaults it has 143,667,240 parameters.

    Source: Simonyan and Zisserman (2015), table 1, column E.
    """
    layers = Layers(dims=len(expect_size(size)), downsample=downsample, padding_mode=padding_mode)
    return Vgg((2, 2, 4, 4, 4), classes=classes, channels=channels, size=size, norm=False, layers=layers)


def vgg19_bn(
    *,
    classes: int = 1000,
    channels: int = 3,
    size: tuple[int, ...] = (224, 224),
    downsample: str = "stride",
    padding_mode: str = "zeros",
) -> nn.Module:
    """Build the VGG network of 19 layers with weights and batch normalisation.

    Args:
        classes, channels, size, downsample, padding_mode: as for `vgg11`.

    Returns:
        The network; with the defaults it has 143,678,248 parameters.

    Source: Simonyan and Zisserman (2015), table 1, column E, with the norm that torchvision adds.
    """
    layers = Layers(dims=len(expect_size(size)), downsample=downsample, padding_mode=padding_mode)
    return Vgg((2, 2, 4, 4, 4), classes=classes, channels=channels, size=size, norm=True, layers=layers)
