"""Heads: what turns the last feature map into logits, by flattening or by a global average or maximum."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.nn.inputs import by, check_dims, check_features


class FlattenHead(nn.Sequential):
    """Flatten the feature map and connect each of its values to each class: W flatten(x) + b.

    It takes one size only; `dense_as_conv` turns it into what slides over larger ones.

    Args:
        channels: of the feature map.
        classes: number of outputs.
        size: of the feature map along each of its 1, 2 or 3 axes.

    Raises:
        LayerError: where a number is under 1, or there are none or too many axes.

    >>> FlattenHead(100, 10, size=(4, 4))[1].in_features
    1600
    """

    def __init__(self, channels: int, classes: int, *, size: Sequence[int]) -> None:
        check_dims(len(size), layer="FlattenHead")
        _check_counts("FlattenHead", channels, classes, *size)
        super().__init__(nn.Flatten(), nn.Linear(channels * prod(size), classes))
        self.channels, self.size = channels, tuple(size)

    def forward(self, features: Tensor) -> Tensor:
        """Give logits, N x classes, of a feature map of the one size, N x channels x spatial."""
        check_features(features, layer="FlattenHead", dims=len(self.size), channels=self.channels)
        if tuple(features.shape[2:]) != self.size:
            values = prod(features.shape[1:])
            raise ShapeError(
                f"FlattenHead was made for {self.channels}x{by(self.size)} = {self[1].in_features} values "
                f"and got {by(features.shape[1:])} = {values}; dense_as_conv makes it slide over larger "
                "feature maps, and a global head takes any size"
            )
        logits: Tensor = self[1](self[0](features))
        return logits


class GlobalAverageHead(nn.Module):
    """Average each channel over the whole feature map and connect the averages: W mean(x) + b.

    Args:
        channels: of the feature map.
        classes: number of outputs.
        dims: its spatial dimensions: 1, 2 or 3.

    Raises:
        LayerError: where a number is out of range.

    Source: Lin et al., Network In Network (2014), section 3.2, with a dense layer behind the average.

    >>> import torch
    >>> GlobalAverageHead(100, 10)(torch.zeros(2, 100, 8, 8)).shape
    torch.Size([2, 10])
    """

    def __init__(self, channels: int, classes: int, *, dims: int = 2) -> None:
        super().__init__()
        check_dims(dims, layer="GlobalAverageHead")
        _check_counts("GlobalAverageHead", channels, classes)
        self.axes = tuple(range(2, dims + 2))
        self.dense = nn.Linear(channels, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Give logits, N x classes, of a feature map of any size, N x channels x spatial."""
        _check_input(self, features)
        logits: Tensor = self.dense(features.mean(dim=self.axes))
        return logits


class GlobalMaxHead(nn.Module):
    """Take the largest value of each channel of the feature map and connect these: W max(x) + b.

    Args:
        channels: of the feature map.
        classes: number of outputs.
        dims: its spatial dimensions: 1, 2 or 3.

    Raises:
        LayerError: where a number is out of range.

    >>> import torch
    >>> GlobalMaxHead(100, 10, dims=1)(torch.zeros(2, 100, 8)).shape
    torch.Size([2, 10])
    """

    def __init__(self, channels: int, classes: int, *, dims: int = 2) -> None:
        super().__init__()
        check_dims(dims, layer="GlobalMaxHead")
        _check_counts("GlobalMaxHead", channels, classes)
        self.axes = tuple(range(2, dims + 2))
        self.dense = nn.Linear(channels, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Give logits, N x classes, of a feature map of any size, N x channels x spatial."""
        _check_input(self, features)
        logits: Tensor = self.dense(features.amax(dim=self.axes))
        return logits


def _check_input(head: GlobalAverageHead | GlobalMaxHead, features: Tensor) -> None:
    layer, channels = type(head).__name__, head.dense.in_features
    check_features(features, layer=layer, dims=len(head.axes), channels=channels)


def _check_counts(head: str, *counts: int) -> None:
    for count in counts:
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise LayerError(
                f"{head}: {count!r} cannot be a number of channels, classes or elements; 1 and more can"
            )
