"""Wide residual networks (Zagoruyko and Komodakis 2016): fewer layers of many channels."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from striate.models.fitting import Expected, expect_counts
from striate.models.layers import Layers, he_initialise, stage
from striate.models.preactresnet import PreActivationBlock
from striate.models.resnet import Bottleneck, ResNet


class WideResNet(nn.Module):
    """A 3x3 convolution, three stages of pre-activation blocks, a global average and a linear head.

    Args:
        depth: convolutions on the way, shape-changing skips counted in: 6 n + 4 for n blocks a stage.
        widening: times 16, 32 and 64, the channels of the stages.
        classes: number of outputs.
        channels: channels of the images.
        layers: what it is built from.

    Weights are drawn by `he_initialise`, as in the authors' code.
    """

    def __init__(self, *, depth: int, widening: int, classes: int, channels: int, layers: Layers) -> None:
        super().__init__()
        expect_counts(classes=classes, channels=channels)
        self.expected = Expected(layer="conv1", channels=channels, dims=layers.dims)
        blocks = (depth - 4) // 6
        make = partial(PreActivationBlock, layers=layers)
        widths = [16 * widening, 32 * widening, 64 * widening]
        self.conv1 = layers.convolution(channels, 16, 3, padding=1)
        self.layer1 = stage(make, blocks, 16, widths[0], stride=1)
        self.layer2 = stage(make, blocks, widths[0], widths[1], stride=2)
        self.layer3 = stage(make, blocks, widths[1], widths[2], stride=2)
        self.bn1 = layers.norm(widths[2])
        self.relu = nn.ReLU(inplace=True)
        self.avgpool = layers.average_to(1)
        self.fc = nn.Linear(widths[2], classes)
        he_initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits, N x classes, of normalised images, N x C x spatial."""
        self.expected.check(images)
        features = self.layer3(self.layer2(self.layer1(self.conv1(images))))
        features = self.avgpool(self.relu(self.bn1(features)))
        logits: Tensor = self.fc(torch.flatten(features, 1))
        return logits


def wide_resnet16_4(
    *,
    classes: int = 10,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
) -> nn.Module:
    """Build the wide residual network of 16 layers, four times as wide, for small images.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        downsample: ``stride``, ``blur`` or ``polyphase``, as `striate.models.layers` says.
        padding_mode: ``zeros`` or ``circular``.
        dims: 1 (signals), 2 (images) or 3 (volumes, video).

    Returns:
        The network; with the defaults it has 2,748,890 parameters.

    Raises:
        LayerError: where an argument is none of these.

    Source: Zagoruyko and Komodakis, Wide Residual Networks (2016), table 1, blocks B(3, 3), without
    dropout, which they use in some experiments only.

    >>> wide_resnet16_4()(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    return WideResNet(depth=16, widening=4, classes=classes, channels=channels, layers=layers)


def wide_resnet28_10(
    *,
    classes: int = 10,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
) -> nn.Module:
    """Build the wide residual network of 28 layers, ten times as wide, for small images.

    Args:
        classes, channels, downsample, padding_mode, dims: as for `wide_resnet16_4`.

    Returns:
        The network; with the defaults it has 36,479,194 parameters.

    Source: Zagoruyko and Komodakis, Wide Residual Networks (2016), table 1, without dropout.

    >>> with torch.device("meta"):
    ...     wide_resnet28_10()(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    return WideResNet(depth=28, widening=10, classes=classes, channels=channels, layers=layers)


def wide_resnet50_2(
    *,
    classes: int = 1000,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
    stride_in: str = "3x3",
) -> nn.Module:
    """Build ResNet-50 with twice the channels in the 3x3 convolutions, for large images.

    Args:
        classes, channels, downsample, padding_mode, dims: as for `wide_resnet16_4`.
        stride_in: which convolution of a bottleneck strides: ``3x3`` as in torchvision, or ``1x1``.

    Returns:
        The network; with the defaults it has 68,883,240 parameters, named as torchvision's.

    Source: Zagoruyko and Komodakis, Wide Residual Networks (2016), section 3.4. By default the stride is
    in the 3x3 convolution, where He et al. (2015) have it in the first 1x1.

    >>> with torch.device("meta"):
    ...     wide_resnet50_2().layer1[0].conv2.out_channels
    128
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    block = partial(Bottleneck, stride_in=stride_in, widening=2)
    return ResNet(block, (3, 4, 6, 3), expansion=4, classes=classes, channels=channels, layers=layers)
