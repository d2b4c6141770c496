"""Inception-v3 in the variant whose published weights the Inception Score, FID and KID are defined by.

It is the network of December 2015, with 1,008 outputs. It differs from later ones, torchvision's among
them, in its pooling branches: averages leave out what lies beyond the border, and the last block takes the
maximum. Its parameters bear the names that the published file has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from striate.models.fitting import Expected, expect_counts

SMALLEST = 75
"""The smallest side of an image in pixels: of 74 the last reduction would have 2 x 2 for its 3 x 3."""

EPSILON = 1e-3
"""Of the norms, as published."""


class ConvNorm(nn.Module):
    """A convolution without bias, a norm and a rectifier.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        kernel: height and width of the filters.
        stride: from one window to the next.
        padding: zeros above and below, and at the sides.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: tuple[int, int],
        stride: int = 1,
        padding: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=EPSILON)

    def forward(self, images: Tensor) -> Tensor:
        """Apply the three to N x C x H x W features."""
        return torch.relu(self.bn(self.conv(images)))


@dataclass(frozen=True)
class Step:
    """One convolution of a branch; without a stride it is padded so that the size stays.

    Args:
        suffix: what its name has behind that of the branch.
        outputs: channels of its output.
        height, width: of its filters.
        stride: from one window to the next.
        is_beside: whether it takes the same input as the step before, and its output comes behind that one's.
    """

    suffix: str
    outputs: int
    height: int = 1
    width: int = 1
    stride: int = 1
    is_beside: bool = False

    def layer(self, inputs: int) -> ConvNorm:
        """Make it.

        Args:
            inputs: channels of its input.

        Returns:
            The layer.
        """
        padding = (self.height // 2, self.width // 2) if self.stride == 1 else (0, 0)
        kernel = (self.height, self.width)
        return ConvNorm(inputs, self.outputs, kernel=kernel, stride=self.stride, padding=padding)


Branches = Mapping[str, Sequence[Step]]

POOLED = "branch_pool"
"""The name of the branch that begins with a pooling."""


class Mixed(nn.Module):
    """Branches of convolutions over the same input, and a pooling, whose outputs come one behind the other.

    Args:
        inputs: channels of the input.
        branches: the steps of each branch, by its name; the last one is that of the pooling.
        pooling: what the last branch begins with.
    """

    def __init__(self, inputs: int, branches: Branches, *, pooling: nn.Module) -> None:
        super().__init__()
        self._branches = branches
        self._pooling = pooling
        for branch, steps in branches.items():
            before, now = inputs, inputs
            for step in steps:
                before = before if step.is_beside else now
                self.add_module(branch + step.suffix, step.layer(before))
                now = step.outputs

    def forward(self, images: Tensor) -> Tensor:
        """Apply the block to N x C x H x W features."""
        found: list[Tensor] = []
        for branch, steps in self._branches.items():
            before = now = self._pooling(images) if branch == POOLED else images
            for step in steps:
                if step.is_beside:
                    found.append(now)
                else:
                    before = now
                now = self.get_submodule(branch + step.suffix)(before)
            found.append(now)
        return torch.cat(found, dim=1)


class InceptionV3(nn.Module):
    """A stem of convolutions, eleven blocks of branches, a global average and a linear head.

    Args:
        classes: number of outputs.
        channels: channels of the images.

    Raises:
        LayerError: where a number of classes or channels is none.
    """

    def __init__(self, *, classes: int, channels: int) -> None:
        super().__init__()
        expect_counts(classes=classes, channels=channels)
        self.expected = Expected(layer="Conv2d_1a_3x3", channels=channels, dims=2, least=SMALLEST)
        self.Conv2d_1a_3x3 = ConvNorm(channels, 32, kernel=(3, 3), stride=2)
        self.Conv2d_2a_3x3 = ConvNorm(32, 32, kernel=(3, 3))
        self.Conv2d_2b_3x3 = ConvNorm(32, 64, kernel=(3, 3), padding=(1, 1))
        self.pool1 = nn.MaxPool2d(3, stride=2)
        self.Conv2d_3b_1x1 = ConvNorm(64, 80, kernel=(1, 1))
        self.Conv2d_4a_3x3 = ConvNorm(80, 192, kernel=(3, 3))
        self.pool2 = nn.MaxPool2d(3, stride=2)
        self.Mixed_5b = _fine(192, pooled=32)
        self.Mixed_5c = _fine(256, pooled=64)
        self.Mixed_5d = _fine(288, pooled=64)
        self.Mixed_6a = _first_reduction(288)
        self.Mixed_6b = _wide(768, inner=128)
        self.Mixed_6c = _wide(768, inner=160)
        self.Mixed_6d = _wide(768, inner=160)
        self.Mixed_6e = _wide(768, inner=192)
        self.Mixed_7a = _second_reduction(768)
        self.Mixed_7b = _coarse(1280, pooling=_average())
        self.Mixed_7c = _coarse(2048, pooling=nn.MaxPool2d(3, stride=1, padding=1))
        self.fc = nn.Linear(2048, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits, N x classes, of images in [-1, 1], N x C x H x W, made for 299 x 299 pixels."""
        self.expected.check(images)
        features = images
        for name, part in self.named_children():
            if name != "fc":
                features = part(features)
        logits: Tensor = self.fc(features.mean(dim=(2, 3)))
        return logits


def _average() -> nn.Module:
    return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)


def _fine(inputs: int, *, pooled: int) -> Mixed:
    """Make a block for maps of 35 x 35: figure 5, where one branch has kept its 5 x 5 windows."""
    branches = {
        "branch1x1": [Step("", 64)],
        "branch5x5": [Step("_1", 48), Step("_2", 64, 5, 5)],
        "branch3x3dbl": [Step("_1", 64), Step("_2", 96, 3, 3), Step("_3", 96, 3, 3)],
        POOLED: [Step("", pooled)],
    }
    return Mixed(inputs, branches, pooling=_average())


def _first_reduction(inputs: int) -> Mixed:
    """Make the block from 35 x 35 to 17 x 17: figure 10."""
    branches = {
        "branch3x3": [Step("", 384, 3, 3, stride=2)],
        "branch3x3dbl": [Step("_1", 64), Step("_2", 96, 3, 3), Step("_3", 96, 3, 3, stride=2)],
        POOLED: [],
    }
    return Mixed(inputs, branches, pooling=nn.MaxPool2d(3, stride=2))


def _wide(inputs: int, *, inner: int) -> Mixed:
    """Make a block for maps of 17 x 17, of windows of one row or one column: figure 6."""
    branches = {
        "branch1x1": [Step("", 192)],
        "branch7x7": [Step("_1", inner), Step("_2", inner, 1, 7), Step("_3", 192, 7, 1)],
        "branch7x7dbl": [
            Step("_1", inner),
            Step("_2", inner, 7, 1),
            Step("_3", inner, 1, 7),
            Step("_4", inner, 7, 1),
            Step("_5", 192, 1, 7),
        ],
        POOLED: [Step("", 192)],
    }
    return Mixed(inputs, branches, pooling=_average())


def _second_reduction(inputs: int) -> Mixed:
    """Make the block from 17 x 17 to 8 x 8."""
    branches = {
        "branch3x3": [Step("_1", 192), Step("_2", 320, 3, 3, stride=2)],
        "branch7x7x3": [
            Step("_1", 192),
            Step("_2", 192, 1, 7),
            Step("_3", 192, 7, 1),
            Step("_4", 192, 3, 3, stride=2),
        ],
        POOLED: [],
    }
    return Mixed(inputs, branches, pooling=nn.MaxPool2d(3, stride=2))


def _coarse(inputs: int, *, pooling: nn.Module) -> Mixed:
    """Make a block for maps of 8 x 8, whose branches fork at their ends: figure 7."""
    branches = {
        "branch1x1": [Step("", 320)],
        "branch3x3": [Step("_1", 384), Step("_2a", 384, 1, 3), Step("_2b", 384, 3, 1, is_beside=True)],
        "branch3x3dbl": [
            Step("_1", 448),
            Step("_2", 384, 3, 3),
            Step("_3a", 384, 1, 3),
            Step("_3b", 384, 3, 1, is_beside=True),
        ],
        POOLED: [Step("", 192)],
    }
    return Mixed(inputs, branches, pooling=pooling)


def inception_v3(*, classes: int = 1008, channels: int = 3) -> nn.Module:
    """Build Inception-v3 as the published weights of FID want it, made for images of 299 x 299 pixels.

    Args:
        classes: number of outputs; the published network has ImageNet's 1,000 among its 1,008.
        channels: channels of the images.

    Returns:
        The network; with the defaults it has 23,850,960 parameters.

    Raises:
        LayerError: where a number is under 1.

    Source: Szegedy et al., Rethinking the Inception architecture for computer vision, CVPR 2016, table 1, as
    TensorFlow published it on 2015-12-05. Differs: no auxiliary head, which is for training.

    >>> with torch.device("meta"):
    ...     sum(parameter.numel() for parameter in inception_v3().parameters())
    23850960
    """
    return InceptionV3(classes=classes, channels=channels)
