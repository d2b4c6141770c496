"""Torch's layers and functions for one, two and three spatial dimensions, in tables that all layers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn


class Kinds(NamedTuple):
    """The layer classes of torch for one number of dimensions.

    Args:
        convolution: its cross-correlation.
        norm: batch normalisation.
        max_pool: the maximum of each window.
        average_pool: the mean of each window.
        adaptive_average_pool: the mean of as many windows as are wanted.
        zero_pad: padding with zeros.
        circular_pad: padding with what lies at the other end.
        repeating_pad: padding with the nearest element.
    """

    convolution: Callable[..., nn.Module]
    norm: Callable[..., nn.Module]
    max_pool: Callable[..., nn.Module]
    average_pool: Callable[..., nn.Module]
    adaptive_average_pool: Callable[..., nn.Module]
    zero_pad: Callable[..., nn.Module]
    circular_pad: Callable[..., nn.Module]
    repeating_pad: Callable[..., nn.Module]


BY_DIMS = {
    1: Kinds(
        convolution=nn.Conv1d,
        norm=nn.BatchNorm1d,
        max_pool=nn.MaxPool1d,
        average_pool=nn.AvgPool1d,
        adaptive_average_pool=nn.AdaptiveAvgPool1d,
        zero_pad=nn.ZeroPad1d,
        circular_pad=nn.CircularPad1d,
        repeating_pad=nn.ReplicationPad1d,
    ),
    2: Kinds(
        convolution=nn.Conv2d,
        norm=nn.BatchNorm2d,
        max_pool=nn.MaxPool2d,
        average_pool=nn.AvgPool2d,
        adaptive_average_pool=nn.AdaptiveAvgPool2d,
        zero_pad=nn.ZeroPad2d,
        circular_pad=nn.CircularPad2d,
        repeating_pad=nn.ReplicationPad2d,
    ),
    3: Kinds(
        convolution=nn.Conv3d,
        norm=nn.BatchNorm3d,
        max_pool=nn.MaxPool3d,
        average_pool=nn.AvgPool3d,
        adaptive_average_pool=nn.AdaptiveAvgPool3d,
        zero_pad=nn.ZeroPad3d,
        circular_pad=nn.CircularPad3d,
        repeating_pad=nn.ReplicationPad3d,
    ),
}
"""Number of dimensions -> the classes."""

CONVOLVE: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
"""Spatial dimensions -> the convolution by given weights."""
