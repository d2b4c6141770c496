"""AlexNet: the two towers of 2012, and the single tower of 2014 with torchvision's parameter names."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from striate.geometry import Window
from striate.models.fitting import Expected, Steps, expect_counts, expect_size, follow, least_size
from striate.models.layers import Layers, draw_normal

STEPS: Steps = (
    ("conv1", Window(kernel=11, stride=4, before=2, after=2)),
    ("pool1", Window(kernel=3, stride=2)),
    ("pool2", Window(kernel=3, stride=2)),
    ("pool3", Window(kernel=3, stride=2)),
)
"""The layers that change the size; the other convolutions keep it."""


class AlexNet(nn.Module):
    """Convolutions, an average of 6x6 windows, and a head of three dense layers.

    Args:
        features: the convolutions with all that is between them; they give 256 channels.
        head: takes 256 * 6 * 6 values, gives the logits.
        channels: channels of the images.
    """

    def __init__(self, features: nn.Sequential, head: nn.Sequential, *, channels: int) -> None:
        super().__init__()
        self.expected = Expected(layer="features.0", channels=channels, dims=2, least=least_size(STEPS))
        self.features = features
        # Of 224x224 pixels 6x6 are left and stay as they are.
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = head

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits, N x classes, of normalised images, N x C x H x W."""
        self.expected.check(images)
        features = self.avgpool(self.features(images))
        logits: Tensor = self.classifier(torch.flatten(features, 1))
        return logits


def alexnet(
    *,
    classes: int = 1000,
    channels: int = 3,
    size: tuple[int, int] = (224, 224),
    downsample: str = "stride",
    padding_mode: str = "zeros",
) -> nn.Module:
    """Build AlexNet as a single tower, the form of 2014.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: their height and width in pixels, each at least 63; images of other such sizes can be
            given afterwards too.
        downsample: ``stride``, ``blur`` or ``polyphase``, as `striate.models.layers` says. Poolings
            without padding leave few sizes that polyphase sampling divides: 32 n + 62, such as 222 and 254.
        padding_mode: ``zeros`` or ``circular``. A dense head sees where things are, so no form of this
            network is invariant to shifts.

    Returns:
        The network; with the defaults it has 61,100,840 parameters. Weights are drawn as torch does.

    Raises:
        ShapeError: where the images are too small.
        LayerError: where another argument is none of these.

    Source: Krizhevsky, One Weird Trick for Parallelizing Convolutional Neural Networks (2014), footnote 1,
    with the channels, dropout and averaging to 6x6 of torchvision's ``alexnet``.

    >>> with torch.device("meta"):
    ...     sum(parameter.numel() for parameter in alexnet().parameters())
    61100840
    """
    expect_counts(classes=classes, channels=channels)
    follow(expect_size(size, dims=(2,)), STEPS, network="AlexNet")
    make = Layers(downsample=downsample, padding_mode=padding_mode)
    features = nn.Sequential(
        make.convolution(channels, 64, 11, stride=4, padding=2, bias=True),
        nn.Sequential(nn.ReLU(inplace=True), make.sampling(64, 4)),
        make.max_pool(64, 3, stride=2),
        make.convolution(64, 192, 5, padding=2, bias=True),
        nn.ReLU(inplace=True),
        make.max_pool(192, 3, stride=2),
        make.convolution(192, 384, 3, padding=1, bias=True),
        nn.ReLU(inplace=True),
        make.convolution(384, 256, 3, padding=1, bias=True),
        nn.ReLU(inplace=True),
        make.convolution(256, 256, 3, padding=1, bias=True),
        nn.ReLU(inplace=True),
        make.max_pool(256, 3, stride=2),
    )
    head = nn.Sequential(
        nn.Dropout(),
        nn.Linear(256 * 6 * 6, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
        nn.Linear(4096, classes),
    )
    return AlexNet(features, head, channels=channels)


def alexnet_2012(
    *,
    classes: int = 1000,
    channels: int = 3,
    size: tuple[int, int] = (224, 224),
    downsample: str = "stride",
    padding_mode: str = "zeros",
) -> nn.Module:
    """Build AlexNet as it won ILSVRC-2012: two towers that meet in places, and local response norms.

    The towers are halves of the channels; a convolution of two groups keeps them apart.

    Args:
        classes, channels, size, downsample, padding_mode: as for `alexnet`.

    Returns:
        The network; with the defaults it has 60,965,224 parameters.

    Raises:
        ShapeError: where the images are too small.
        LayerError: where another argument is none of these.

    Source: Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep Convolutional Neural
    Networks (2012), section 3 and figure 2; weights and biases begin as in section 5. What differs: images
    of 224x224 are padded by 2, which the paper's 55x55 needs; the norm looks over the border between the
    towers; images of other sizes are averaged to 6x6 before the head.

    As in the paper, its dense layers want a rate of about 0.01: trained on the digits at 64x64 with an
    ``other_rate`` of 0.05 it diverged, and with 0.005, its default, it did not.

    >>> with torch.device("meta"):
    ...     sum(parameter.numel() for parameter in alexnet_2012().parameters())
    60965224
    """
    expect_counts(classes=classes, channels=channels)
    follow(expect_size(size, dims=(2,)), STEPS, network="AlexNet")
    make = Layers(downsample=downsample, padding_mode=padding_mode)
    features = nn.Sequential(
        make.convolution(channels, 96, 11, stride=4, padding=2, bias=True),
        nn.Sequential(nn.ReLU(inplace=True), make.sampling(96, 4)),
        _response_norm(),
        make.max_pool(96, 3, stride=2),
        make.convolution(96, 256, 5, padding=2, groups=2, bias=True),
        nn.ReLU(inplace=True),
        _response_norm(),
        make.max_pool(256, 3, stride=2),
        make.convolution(256, 384, 3, padding=1, bias=True),
        nn.ReLU(inplace=True),
        make.convolution(384, 384, 3, padding=1, groups=2, bias=True),
        nn.ReLU(inplace=True),
        make.convolution(384, 256, 3, padding=1, groups=2, bias=True),
        nn.ReLU(inplace=True),
        make.max_pool(256, 3, stride=2),
    )
    head = nn.Sequential(
        nn.Linear(256 * 6 * 6, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(4096, classes),
    )
    network = AlexNet(features, head, channels=channels)
    _initialise_2012(network)
    return network


def _response_norm() -> nn.Module:
    # b = a / (2 + 1e-4 times the sum of squares over 5 channels)^0.75; torch divides its alpha by the 5.
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


def _initialise_2012(network: AlexNet) -> None:
    """Draw weights of deviation 0.01; biases are 1 where that keeps rectifiers alive early on, else 0."""
    layers = [part for part in network.modules() if isinstance(part, (nn.Conv2d, nn.Linear))]
    ones = (1, 3, 4, 5, 6)  # the second, fourth and fifth convolution, and the hidden dense layers
    for place, layer in enumerate(layers):
        draw_normal(layer.weight, deviation=0.01)
        if layer.bias is not None:
            nn.init.constant_(layer.bias, 1.0 if place in ones else 0.0)
