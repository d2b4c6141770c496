"""Torch's layers and functions for one, two and three spatial dimensions, in tables."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

CONVOLUTIONS: dict[int, Callable[..., nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
"""Spatial dimensions -> the convolution with weights of its own."""

CONVOLVE: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
"""Spatial dimensions -> the convolution by given weights."""

NORMS: dict[int, Callable[..., nn.Module]] = {
    1: nn.BatchNorm1d,
    2: nn.BatchNorm2d,
    3: nn.BatchNorm3d,
}
"""Spatial dimensions -> batch normalisation."""
