"""EfficientNet-Lite 0, 1 and 2, for photos on small machines, with the published weights' names."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from striate.models.fitting import Expected, expect_counts
from striate.models.layers import draw_normal
from striate.nn import Conv

STAGES = (
    # blocks, side of the filters, stride, widening, channels: of EfficientNet-B0 (table 1)
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""The stages of the smallest network; wider and deeper ones are multiples of it."""

STEM, TOP = 32, 1280
"""Channels of the first convolution and of the last one, which the Lite networks never scale."""

MOMENTUM, EPSILON = 0.01, 1e-3
"""Of the norms, as published: what 0.99 is in TensorFlow, torch calls 0.01."""


class InvertedBlock(nn.Module):
    """Widen by 1x1 filters, filter each channel by itself, narrow by 1x1 filters; skip where the shape stays.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        kernel: side of the filters in the middle.
        stride: of these.
        widening: channels in the middle, as a multiple of the input's; with 1 nothing widens.

    Source: Sandler et al., MobileNetV2 (2018), section 3.3; without squeeze and excitation.
    """

    def __init__(self, inputs: int, outputs: int, *, kernel: int, stride: int, widening: int) -> None:
        super().__init__()
        inner = inputs * widening
        self.widens = widening != 1
        self.skips = stride == 1 and inputs == outputs
        if self.widens:
            self._expand_conv = _convolution(inputs, inner)
            self._bn0 = _norm(inner)
        self._depthwise_conv = _convolution(inner, inner, kernel=kernel, stride=stride, groups=inner)
        self._bn1 = _norm(inner)
        self._project_conv = _convolution(inner, outputs)
        self._bn2 = _norm(outputs)
        self.relu = nn.ReLU6(inplace=True)

    @property
    def branch_end(self) -> nn.Module | None:
        """The last layer of the branch; ``None`` where there is no skip."""
        return self._bn2 if self.skips else None

    def forward(self, images: Tensor) -> Tensor:
        """Apply the block to N x C x H x W features."""
        features = images
        if self.widens:
            features = self.relu(self._bn0(self._expand_conv(features)))
        features = self.relu(self._bn1(self._depthwise_conv(features)))
        features = self._bn2(self._project_conv(features))
        result: Tensor = features + images if self.skips else features
        return result


class EfficientNetLite(nn.Module):
    """A strided stem, seven stages of inverted blocks, 1280 channels, a global average and a linear head.

    Args:
        width: what channels are multiplied by, rounded to multiples of 8.
        depth: what blocks of all stages but the first and last are multiplied by, rounded up.
        dropout: share of the features that are dropped before the head, while training.
        classes: number of outputs.
        channels: channels of the images.

    Raises:
        LayerError: where a number of classes or channels is none.
    """

    def __init__(self, *, width: float, depth: float, dropout: float, classes: int, channels: int) -> None:
        super().__init__()
        expect_counts(classes=classes, channels=channels)
        self.expected = Expected(layer="_conv_stem", channels=channels, dims=2)
        self._conv_stem = _convolution(channels, STEM, kernel=3, stride=2)
        self._bn0 = _norm(STEM)
        self._blocks = nn.ModuleList()
        inputs = STEM
        for number, (blocks, kernel, stride, widening, outputs) in enumerate(STAGES):
            scaled = blocks if number in (0, len(STAGES) - 1) else math.ceil(blocks * depth)
            wide = rounded_channels(outputs * width)
            for place in range(scaled):
                step = stride if place == 0 else 1
                self._blocks.append(
                    InvertedBlock(inputs, wide, kernel=kernel, stride=step, widening=widening)
                )
                inputs = wide
        self._conv_head = _convolution(inputs, TOP)
        self._bn1 = _norm(TOP)
        self.relu = nn.ReLU6(inplace=True)
        self._dropout = nn.Dropout(dropout)
        self._fc = nn.Linear(TOP, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits, N x classes, of normalised images, N x C x H x W."""
        self.expected.check(images)
        features = self.relu(self._bn0(self._conv_stem(images)))
        for block in self._blocks:
            features = block(features)
        features = self.relu(self._bn1(self._conv_head(features)))
        logits: Tensor = self._fc(self._dropout(torch.mean(features, dim=(2, 3))))
        return logits


def rounded_channels(channels: float) -> int:
    """Round a number of channels to a multiple of 8, but not to under nine tenths of it.

    Args:
        channels: over 0.

    Returns:
        At least 8.

    >>> [rounded_channels(1.1 * channels) for channels in (24, 40, 112)]
    [24, 48, 120]
    """
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


def _convolution(inputs: int, outputs: int, *, kernel: int = 1, stride: int = 1, groups: int = 1) -> Conv:
    # TensorFlow's padding, which the published weights were trained with.
    layer = Conv(inputs, outputs, kernel=kernel, stride=stride, padding="same-tf", groups=groups)
    layer.bias = None
    draw_normal(layer.weight, deviation=math.sqrt(2 * groups / (kernel * kernel * outputs)))
    return layer


def _norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, eps=EPSILON, momentum=MOMENTUM)


def efficientnet_lite0(*, classes: int = 1000, channels: int = 3) -> nn.Module:
    """Build EfficientNet-Lite0, made for images of 224x224 pixels; any size can be given.

    Args:
        classes: number of outputs.
        channels: channels of the images.

    Returns:
        The network; with the defaults it has 4,652,008 parameters. With the published weights it names
        75.1 % of ImageNet's validation images rightly.

    Raises:
        LayerError: where a number is under 1.

    Source: Tan and Le, EfficientNet (2019), table 1 and section 3.3; the Lite form (2020) has no squeeze and
    excitation, rectifiers cut at 6, and a first and last part that are not scaled. What differs: no block
    is skipped at random, unless a recipe's stochastic depth says so, and the head begins as torch's dense
    layers do.

    >>> with torch.device("meta"):
    ...     sum(parameter.numel() for parameter in efficientnet_lite0().parameters())
    4652008
    """
    return EfficientNetLite(width=1.0, depth=1.0, dropout=0.2, classes=classes, channels=channels)


def efficientnet_lite1(*, classes: int = 1000, channels: int = 3) -> nn.Module:
    """Build EfficientNet-Lite1, made for images of 240x240 pixels; any size can be given.

    Args:
        classes, channels: as for `efficientnet_lite0`.

    Returns:
        The network; with the defaults it has 5,416,680 parameters. With the published weights it names
        76.7 % of ImageNet's validation images rightly.

    Source: as for `efficientnet_lite0`, 1.1 times as deep.

    >>> with torch.device("meta"):
    ...     len(efficientnet_lite1()._blocks)
    21
    """
    return EfficientNetLite(width=1.0, depth=1.1, dropout=0.2, classes=classes, channels=channels)


def efficientnet_lite2(*, classes: int = 1000, channels: int = 3) -> nn.Module:
    """Build EfficientNet-Lite2, made for images of 260x260 pixels; any size can be given.

    Args:
        classes, channels: as for `efficientnet_lite0`.

    Returns:
        The network; with the defaults it has 6,092,072 parameters. With the published weights it names
        77.6 % of ImageNet's validation images rightly.

    Source: as for `efficientnet_lite0`, 1.1 times as wide and 1.2 times as deep.

    >>> with torch.device("meta"):
    ...     efficientnet_lite2()._conv_head.inputs
    352
    """
    return EfficientNetLite(width=1.1, depth=1.2, dropout=0.3, classes=classes, channels=channels)
