"""Deep residual networks for large images (He et al. 2015, table 1), with torchvision's parameter names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError
from striate.models.fitting import Expected, expect_counts
from striate.models.layers import Layers, he_initialise, stage


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a skip connection around them.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        stride: of the first convolution; with over 1, or other channels, the skip is a 1x1 convolution.
        layers: what it is built from.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int, layers: Layers) -> None:
        super().__init__()
        self.conv1 = layers.convolution(inputs, outputs, 3, stride=stride, padding=1)
        self.bn1 = layers.norm(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = layers.convolution(outputs, outputs, 3, padding=1)
        self.bn2 = layers.norm(outputs)
        self.downsample = _skip(inputs, outputs, stride=stride, layers=layers)
        self.sampling = layers.sampling_both(outputs, inputs, stride=stride)

    @property
    def branch_end(self) -> nn.Module:
        """The last layer of the branch, before its output is added."""
        return self.bn2

    def forward(self, images: Tensor) -> Tensor:
        """Apply the block to N x C x spatial features."""
        features = self.relu(self.bn1(self.conv1(images)))
        features, skip = self.sampling(features, images)
        summed: Tensor = self.bn2(self.conv2(features)) + self.downsample(skip)
        activated: Tensor = self.relu(summed)
        return activated


class Bottleneck(nn.Module):
    """A 1x1, a 3x3 and a 1x1 convolution with a skip connection around them.

    Args:
        inputs: channels of the input.
        outputs: channels of the output, four times those of the published 3x3 convolution.
        stride: with over 1, or other channels, the skip is a 1x1 convolution.
        layers: what it is built from.
        stride_in: which convolution strides: ``3x3``, or ``1x1`` for the first.
        widening: times the published channels of the 3x3 convolution.

    Raises:
        LayerError: for another ``stride_in``.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        stride: int,
        layers: Layers,
        stride_in: str = "3x3",
        widening: int = 1,
    ) -> None:
        super().__init__()
        if stride_in not in ("3x3", "1x1"):
            raise LayerError(f"stride_in is {stride_in!r}, where '3x3' or '1x1' is wanted")
        first, second = (1, stride) if stride_in == "3x3" else (stride, 1)
        width = outputs // 4 * widening
        self.conv1 = layers.convolution(inputs, width, 1, stride=first)
        self.bn1 = layers.norm(width)
        self.conv2 = layers.convolution(width, width, 3, stride=second, padding=1)
        self.bn2 = layers.norm(width)
        self.conv3 = layers.convolution(width, outputs, 1)
        self.bn3 = layers.norm(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _skip(inputs, outputs, stride=stride, layers=layers)
        self.sampling1 = layers.sampling_both(width, inputs, stride=first)
        self.sampling2 = layers.sampling_both(width, inputs, stride=second)

    @property
    def branch_end(self) -> nn.Module:
        """The last layer of the branch, before its output is added."""
        return self.bn3

    def forward(self, images: Tensor) -> Tensor:
        """Apply the block to N x C x spatial features."""
        features = self.relu(self.bn1(self.conv1(images)))
        features, skip = self.sampling1(features, images)
        features = self.relu(self.bn2(self.conv2(features)))
        features, skip = self.sampling2(features, skip)
        summed: Tensor = self.bn3(self.conv3(features)) + self.downsample(skip)
        activated: Tensor = self.relu(summed)
        return activated


def _skip(inputs: int, outputs: int, *, stride: int, layers: Layers) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(layers.convolution(inputs, outputs, 1, stride=stride), layers.norm(outputs))


class ResNet(nn.Module):
    """A stem of stride 4, four stages of residual blocks, a global average and a linear head.

    Convolutions begin by `he_initialise` and the rest as torch does, as in torchvision.

    Args:
        block: makes a block: `BasicBlock`, or `Bottleneck` with its choices made.
        depths: blocks in each of the four stages.
        expansion: times 64, 128, 256 and 512, the channels that the stages give: 1, or 4 with bottlenecks.
        classes: number of outputs.
        channels: channels of the images.
        layers: what it is built from.
    """

    def __init__(
        self,
        block: Callable[..., nn.Module],
        depths: tuple[int, int, int, int],
        *,
        expansion: int,
        classes: int,
        channels: int,
        layers: Layers,
    ) -> None:
        super().__init__()
        expect_counts(classes=classes, channels=channels)
        least = 3 if layers.wraps else 1  # circular padding of 3 goes round the image once at most
        self.expected = Expected(layer="conv1", channels=channels, dims=layers.dims, least=least)
        self.conv1 = layers.convolution(channels, 64, 7, stride=2, padding=3)
        self.bn1 = layers.norm(64)
        self.relu = nn.ReLU(inplace=True)
        self.sampling = layers.sampling(64, 2)
        self.maxpool = layers.max_pool(64, 3, stride=2, padding=1)
        make = partial(block, layers=layers)
        widths = [64 * expansion * 2**number for number in range(4)]
        self.layer1 = stage(make, depths[0], 64, widths[0], stride=1)
        self.layer2 = stage(make, depths[1], widths[0], widths[1], stride=2)
        self.layer3 = stage(make, depths[2], widths[1], widths[2], stride=2)
        self.layer4 = stage(make, depths[3], widths[2], widths[3], stride=2)
        self.avgpool = layers.average_to(1)
        self.fc = nn.Linear(widths[3], classes)
        he_initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits, N x classes, of normalised images, N x C x spatial."""
        self.expected.check(images)
        features = self.maxpool(self.sampling(self.relu(self.bn1(self.conv1(images)))))
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        logits: Tensor = self.fc(torch.flatten(self.avgpool(features), 1))
        return logits


def resnet18(
    *,
    classes: int = 1000,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
) -> nn.Module:
    """Build the residual network of 18 layers.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        downsample: ``stride``, ``blur`` or ``polyphase``, as `striate.models.layers` says.
        padding_mode: ``zeros`` or ``circular``.
        dims: 1 (signals), 2 (images) or 3 (volumes, video).

    Returns:
        The network; with the defaults it has 11,689,512 parameters.

    Raises:
        LayerError: where an argument is none of these.

    Source: He et al., Deep Residual Learning for Image Recognition (2015), table 1; a skip that changes
    shape is a 1x1 convolution (their option B).

    >>> resnet18(classes=10)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    return ResNet(BasicBlock, (2, 2, 2, 2), expansion=1, classes=classes, channels=channels, layers=layers)


def resnet34(
    *,
    classes: int = 1000,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
) -> nn.Module:
    """Build the residual network of 34 layers.

    Args:
        classes, channels, downsample, padding_mode, dims: as for `resnet18`.

    Returns:
        The network; with the defaults it has 21,797,672 parameters.

    Source: He et al. (2015), table 1.

    >>> with torch.device("meta"):
    ...     len(resnet34().layer3)
    6
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    return ResNet(BasicBlock, (3, 4, 6, 3), expansion=1, classes=classes, channels=channels, layers=layers)


def resnet50(
    *,
    classes: int = 1000,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
    stride_in: str = "3x3",
) -> nn.Module:
    """Build the residual network of 50 layers, of bottlenecks.

    Args:
        classes, channels, downsample, padding_mode, dims: as for `resnet18`.
        stride_in: which convolution of a bottleneck strides: ``3x3`` as in torchvision and its checkpoints,
            or ``1x1`` as published, which sees further (483 pixels instead of 427).

    Returns:
        The network; with the defaults it has 25,557,032 parameters.

    Raises:
        LayerError: where an argument is none of these.

    Source: He et al. (2015), table 1 and figure 5, with the stride in the 3x3 convolution by default.

    >>> with torch.device("meta"):
    ...     resnet50().layer1[0].conv3.out_channels
    256
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    block = partial(Bottleneck, stride_in=stride_in)
    return ResNet(block, (3, 4, 6, 3), expansion=4, classes=classes, channels=channels, layers=layers)


def resnet101(
    *,
    classes: int = 1000,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
    stride_in: str = "3x3",
) -> nn.Module:
    """Build the residual network of 101 layers, of bottlenecks.

    Args:
        classes, channels, downsample, padding_mode, dims, stride_in: as for `resnet50`.

    Returns:
        The network; with the defaults it has 44,549,160 parameters.

    Source: He et al. (2015), table 1; the stride as in `resnet50`.

    >>> with torch.device("meta"):
    ...     len(resnet101().layer3)
    23
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    block = partial(Bottleneck, stride_in=stride_in)
    return ResNet(block, (3, 4, 23, 3), expansion=4, classes=classes, channels=channels, layers=layers)


def resnet152(
    *,
    classes: int = 1000,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
    stride_in: str = "3x3",
) -> nn.Module:
    """Build the residual network of 152 layers, of bottlenecks.

    Args:
        classes, channels, downsample, padding_mode, dims, stride_in: as for `resnet50`.

    Returns:
        The network; with the defaults it has 60,192,808 parameters.

    Source: He et al. (2015), table 1; the stride as in `resnet50`.

    >>> with torch.device("meta"):
    ...     len(resnet152().layer3)
    36
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    block = partial(Bottleneck, stride_in=stride_in)
    return ResNet(block, (3, 8, 36, 3), expansion=4, classes=classes, channels=channels, layers=layers)
