"""Residual networks for small images: three stages, no parameters on skips (He et al. 2015, section 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.models.fitting import Expected, expect_counts
from striate.models.layers import Layers, he_initialise, stage


class AppendedChannels(nn.Module):
    """Append channels that are zero.

    Args:
        count: how many.
        dims: axes of an image.
    """

    def __init__(self, count: int, *, dims: int) -> None:
        super().__init__()
        self.padding = (0, 0) * dims + (0, count)

    def forward(self, features: Tensor) -> Tensor:
        """Give N x (C + count) x spatial features."""
        return F.pad(features, self.padding)


class CifarBlock(nn.Module):
    """Two 3x3 convolutions with a skip connection that has no parameters around them.

    Args:
        inputs: channels of the input.
        outputs: channels of the output, at least as many; the skip appends zeros for those it lacks.
        stride: of the first convolution.
        layers: what it is built from.
        norm: whether batch normalisation follows each convolution; where none does, these have biases.
        activation: makes the non-linearity.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        stride: int,
        layers: Layers,
        norm: bool,
        activation: Callable[[], nn.Module],
    ) -> None:
        super().__init__()
        self.conv1 = layers.convolution(inputs, outputs, 3, stride=stride, padding=1, bias=not norm)
        self.bn1 = layers.norm(outputs) if norm else nn.Identity()
        self.activation1 = activation()
        self.conv2 = layers.convolution(outputs, outputs, 3, padding=1, bias=not norm)
        self.bn2 = layers.norm(outputs) if norm else nn.Identity()
        self.activation2 = activation()
        self.sampling = layers.sampling_both(outputs, inputs, stride=stride)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            appended = AppendedChannels(outputs - inputs, dims=layers.dims)
            self.downsample = nn.Sequential(layers.subsampling(stride), appended)

    @property
    def branch_end(self) -> nn.Module:
        """The last layer of the branch, before its output is added."""
        return self.bn2

    def forward(self, images: Tensor) -> Tensor:
        """Apply the block to N x C x spatial features."""
        features = self.activation1(self.bn1(self.conv1(images)))
        features, skip = self.sampling(features, images)
        summed: Tensor = self.bn2(self.conv2(features)) + self.downsample(skip)
        activated: Tensor = self.activation2(summed)
        return activated


class CifarNetwork(nn.Module):
    """A 3x3 convolution, three stages of blocks of 16, 32 and 64 channels, a global average, a linear head.

    Args:
        block: makes a block: `CifarBlock`, or `striate.models.plain.PlainBlock`.
        depth: layers with weights: 6 n + 2 for n blocks a stage.
        classes: number of outputs.
        channels: channels of the images.
        layers: what it is built from.
        norm: whether batch normalisation follows each convolution.
        activation: makes each non-linearity.

    Weights are drawn by `he_initialise`, whatever the activation is.
    """

    def __init__(
        self,
        block: Callable[..., nn.Module],
        depth: int,
        *,
        classes: int,
        channels: int,
        layers: Layers,
        norm: bool,
        activation: Callable[[], nn.Module],
    ) -> None:
        super().__init__()
        expect_counts(classes=classes, channels=channels)
        self.expected = Expected(layer="conv1", channels=channels, dims=layers.dims)
        make = partial(block, layers=layers, norm=norm, activation=activation)
        blocks = (depth - 2) // 6
        self.conv1 = layers.convolution(channels, 16, 3, padding=1, bias=not norm)
        self.bn1 = layers.norm(16) if norm else nn.Identity()
        self.activation = activation()
        self.layer1 = stage(make, blocks, 16, 16, stride=1)
        self.layer2 = stage(make, blocks, 16, 32, stride=2)
        self.layer3 = stage(make, blocks, 32, 64, stride=2)
        self.avgpool = layers.average_to(1)
        self.fc = nn.Linear(64, classes)
        he_initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits, N x classes, of normalised images, N x C x spatial."""
        self.expected.check(images)
        features = self.activation(self.bn1(self.conv1(images)))
        features = self.layer3(self.layer2(self.layer1(features)))
        logits: Tensor = self.fc(torch.flatten(self.avgpool(features), 1))
        return logits


def resnet20(
    *,
    classes: int = 10,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
    norm: bool = True,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Module:
    """Build the residual network of 20 layers for small images.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        downsample: ``stride``, ``blur`` or ``polyphase``, as `striate.models.layers` says.
        padding_mode: ``zeros`` or ``circular``.
        dims: 1 (signals), 2 (images) or 3 (volumes, video).
        norm: whether batch normalisation follows each convolution; where none does, these have biases.
        activation: makes each non-linearity.

    Returns:
        The network; with the defaults it has 269,722 parameters.

    Raises:
        LayerError: where an argument is none of these.

    Source: He et al., Deep Residual Learning for Image Recognition (2015), section 4.2. Skips have no
    parameters, as there (their option A): where the shape changes, every other element is taken, and
    channels of zeros are appended. So the plain twin has as many parameters.

    >>> resnet20()(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    return CifarNetwork(
        CifarBlock, 20, classes=classes, channels=channels, layers=layers, norm=norm, activation=activation
    )


def resnet32(
    *,
    classes: int = 10,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
    norm: bool = True,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Module:
    """Build the residual network of 32 layers for small images.

    Args:
        classes, channels, downsample, padding_mode, dims, norm, activation: as for `resnet20`.

    Returns:
        The network; with the defaults it has 464,154 parameters.

    Source: He et al., Deep Residual Learning for Image Recognition (2015), section 4.2.

    >>> with torch.device("meta"):
    ...     len(resnet32().layer1)
    5
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    return CifarNetwork(
        CifarBlock, 32, classes=classes, channels=channels, layers=layers, norm=norm, activation=activation
    )


def resnet44(
    *,
    classes: int = 10,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
    norm: bool = True,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Module:
    """Build the residual network of 44 layers for small images.

    Args:
        classes, channels, downsample, padding_mode, dims, norm, activation: as for `resnet20`.

    Returns:
        The network; with the defaults it has 658,586 parameters.

    Source: He et al., Deep Residual Learning for Image Recognition (2015), section 4.2.

    >>> with torch.device("meta"):
    ...     len(resnet44().layer1)
    7
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    return CifarNetwork(
        CifarBlock, 44, classes=classes, channels=channels, layers=layers, norm=norm, activation=activation
    )


def resnet56(
    *,
    classes: int = 10,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
    norm: bool = True,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Module:
    """Build the residual network of 56 layers for small images.

    Args:
        classes, channels, downsample, padding_mode, dims, norm, activation: as for `resnet20`.

    Returns:
        The network; with the defaults it has 853,018 parameters.

    Source: He et al., Deep Residual Learning for Image Recognition (2015), section 4.2.

    >>> with torch.device("meta"):
    ...     len(resnet56().layer1)
    9
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    return CifarNetwork(
        CifarBlock, 56, classes=classes, channels=channels, layers=layers, norm=norm, activation=activation
    )


def resnet110(
    *,
    classes: int = 10,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
    norm: bool = True,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Module:
    """Build the residual network of 110 layers for small images.

    Args:
        classes, channels, downsample, padding_mode, dims, norm, activation: as for `resnet20`.

    Returns:
        The network; with the defaults it has 1,727,962 parameters.

    Source: He et al., Deep Residual Learning for Image Recognition (2015), section 4.2.

    >>> with torch.device("meta"):
    ...     len(resnet110().layer1)
    18
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    return CifarNetwork(
        CifarBlock, 110, classes=classes, channels=channels, layers=layers, norm=norm, activation=activation
    )
