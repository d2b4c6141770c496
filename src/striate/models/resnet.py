"""ResNet-18: deep residual learning (He et al. 2015, table 1), with torchvision's parameter names."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a skip connection around them.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        stride: of the first convolution; with over 1, or other channels, the skip is a 1x1 convolution.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, images: Tensor) -> Tensor:
        """Apply the block to N x C x H x W features."""
        features = self.relu(self.bn1(self.conv1(images)))
        summed: Tensor = self.bn2(self.conv2(features)) + self.downsample(images)
        activated: Tensor = self.relu(summed)
        return activated


class ResNet(nn.Module):
    """A stem of stride 4, four stages of basic blocks, a global average and a linear head.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        depths: blocks in each of the four stages.
    """

    def __init__(self, *, classes: int, channels: int, depths: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(64, 64, depth=depths[0], stride=1)
        self.layer2 = _stage(64, 128, depth=depths[1], stride=2)
        self.layer3 = _stage(128, 256, depth=depths[2], stride=2)
        self.layer4 = _stage(256, 512, depth=depths[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits, N x classes, of normalised images, N x C x H x W."""
        features = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        logits: Tensor = self.fc(torch.flatten(self.avgpool(features), 1))
        return logits


def _stage(inputs: int, outputs: int, *, depth: int, stride: int) -> nn.Sequential:
    first = BasicBlock(inputs, outputs, stride=stride)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs, stride=1) for _ in range(depth - 1)))


def resnet18(*, classes: int = 1000, channels: int = 3) -> nn.Module:
    """Build the residual network of 18 layers.

    Args:
        classes: number of outputs.
        channels: channels of the images.

    Returns:
        The network; with the defaults it has 11,689,512 parameters.

    Source: He et al., Deep Residual Learning for Image Recognition (2015), table 1; a skip that changes
    shape is a 1x1 convolution (their option B).

    >>> sum(parameter.numel() for parameter in resnet18().parameters())
    11689512
    """
    return ResNet(classes=classes, channels=channels, depths=(2, 2, 2, 2))
