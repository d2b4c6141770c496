"""Blocks that networks of several families are made of."""

from __future__ import annotations

from torch import Tensor, nn


class Residual(nn.Module):
    """Add the input to what a body makes of it: ``x + body(x)``.

    Args:
        body: a module whose output has the shape of its input.

    Source: He et al., Deep Residual Learning (2015), section 3.2.

    >>> import torch
    >>> Residual(nn.Identity())(torch.ones(2)).tolist()
    [2.0, 2.0]
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, images: Tensor) -> Tensor:
        """Apply the body and add the input."""
        transformed: Tensor = self.body(images)
        return images + transformed
