"""Residual networks with norm and rectifier before each convolution (He et al. 2016): a clean skip."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from striate.models.fitting import Expected, expect_counts
from striate.models.layers import Layers, he_initialise, stage


class PreActivationBlock(nn.Module):
    """Norm, rectifier and 3x3 convolution, twice, with a skip connection around them.

    Where the shape changes, the skip is a 1x1 convolution of the activated input; elsewhere it is the
    input itself, to which nothing is done from the first block of a stage to its last.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        stride: of the first convolution.
        layers: what it is built from.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int, layers: Layers) -> None:
        super().__init__()
        self.bn1 = layers.norm(inputs)
        self.conv1 = layers.convolution(inputs, outputs, 3, stride=stride, padding=1)
        self.bn2 = layers.norm(outputs)
        self.conv2 = layers.convolution(outputs, outputs, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.sampling = layers.sampling_both(outputs, inputs, stride=stride)
        self.changes_shape = stride != 1 or inputs != outputs
        self.downsample: nn.Module = nn.Identity()
        if self.changes_shape:
            self.downsample = layers.convolution(inputs, outputs, 1, stride=stride)

    @property
    def branch_end(self) -> nn.Module:
        """The last layer of the branch, before its output is added."""
        return self.conv2

    def forward(self, images: Tensor) -> Tensor:
        """Apply the block to N x C x spatial features."""
        activated = self.relu(self.bn1(images))
        features = self.relu(self.bn2(self.conv1(activated)))
        features, skip = self.sampling(features, activated if self.changes_shape else images)
        summed: Tensor = self.conv2(features) + self.downsample(skip)
        return summed


class FirstPreActivationBlock(nn.Module):
    """The block behind the stem, whose output is activated already: its first norm and rectifier are there.

    Args:
        channels: of the input and the output.
        layers: what it is built from.
    """

    def __init__(self, channels: int, *, layers: Layers) -> None:
        super().__init__()
        self.conv1 = layers.convolution(channels, channels, 3, padding=1)
        self.bn2 = layers.norm(channels)
        self.conv2 = layers.convolution(channels, channels, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    @property
    def branch_end(self) -> nn.Module:
        """The last layer of the branch, before its output is added."""
        return self.conv2

    def forward(self, images: Tensor) -> Tensor:
        """Apply the block to N x C x spatial features."""
        features: Tensor = self.conv2(self.relu(self.bn2(self.conv1(images))))
        return features + images


class PreActivationResNet(nn.Module):
    """A stem of stride 4, four stages of two pre-activation blocks, a global average and a linear head.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        layers: what it is built from.

    Weights are drawn by `he_initialise`, as in the authors' code.
    """

    def __init__(self, *, classes: int, channels: int, layers: Layers) -> None:
        super().__init__()
        expect_counts(classes=classes, channels=channels)
        least = 3 if layers.wraps else 1  # circular padding of 3 goes round the image once at most
        self.expected = Expected(layer="conv1", channels=channels, dims=layers.dims, least=least)
        make = partial(PreActivationBlock, layers=layers)
        self.conv1 = layers.convolution(channels, 64, 7, stride=2, padding=3)
        self.bn1 = layers.norm(64)
        self.relu = nn.ReLU(inplace=True)
        self.sampling = layers.sampling(64, 2)
        self.maxpool = layers.max_pool(64, 3, stride=2, padding=1)
        self.layer1 = nn.Sequential(FirstPreActivationBlock(64, layers=layers), make(64, 64, stride=1))
        self.layer2 = stage(make, 2, 64, 128, stride=2)
        self.layer3 = stage(make, 2, 128, 256, stride=2)
        self.layer4 = stage(make, 2, 256, 512, stride=2)
        self.bn2 = layers.norm(512)
        self.avgpool = layers.average_to(1)
        self.fc = nn.Linear(512, classes)
        he_initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits, N x classes, of normalised images, N x C x spatial."""
        self.expected.check(images)
        features = self.maxpool(self.sampling(self.relu(self.bn1(self.conv1(images)))))
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        features = self.avgpool(self.relu(self.bn2(features)))
        logits: Tensor = self.fc(torch.flatten(features, 1))
        return logits


def preactresnet18(
    *,
    classes: int = 1000,
    channels: int = 3,
    downsample: str = "stride",
    padding_mode: str = "zeros",
    dims: int = 2,
) -> nn.Module:
    """Build the pre-activation residual network of 18 layers.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        downsample: ``stride``, ``blur`` or ``polyphase``, as `striate.models.layers` says.
        padding_mode: ``zeros`` or ``circular``.
        dims: 1 (signals), 2 (images) or 3 (volumes, video).

    Returns:
        The network; with the defaults it has 11,687,720 parameters.

    Raises:
        LayerError: where an argument is none of these.

    Source: He et al., Identity Mappings in Deep Residual Networks (2016), figure 4 (e) and the appendix on
    the first and last units. The paper's own networks are deeper; stem and stages are those of ResNet-18
    (He et al. 2015, table 1).

    >>> preactresnet18(classes=10)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    layers = Layers(dims=dims, downsample=downsample, padding_mode=padding_mode)
    return PreActivationResNet(classes=classes, channels=channels, layers=layers)
