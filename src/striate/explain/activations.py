"""What an activation lets through: its slope at each value, the units that are dead, the share saturated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

STEEPEST = {"hardsigmoid": 1 / 6, "sigmoid": 1 / 4, "softsign": 1.0, "tanh": 1.0}
"""The steepest slopes of the activations that saturate on both sides."""

_RECTIFIERS = {"hardtanh", "leaky_relu", "prelu", "relu", "relu6", "rrelu", "threshold"}
_SMOOTH = {"celu", "elu", "gelu", "hardswish", "log_sigmoid", "mish", "selu", "silu", "softplus"}

ACTIVATIONS = frozenset({*STEEPEST, *_RECTIFIERS, *_SMOOTH})
"""The functions that count as activations, without the underscore of those that write in place."""

SATURATED = 1 - 0.95**2
"""An activation is saturated where its slope is under this share of its steepest."""

CHANNELS_LAST = (nn.Embedding, nn.LayerNorm, nn.Linear, nn.MultiheadAttention, nn.RNNBase)
"""The layers whose channels are along the last axis; those of all others are along the second."""


def slopes_at(
    values: Tensor, function: Callable[..., Any], more: tuple[Any, ...], named: Mapping[str, Any]
) -> Tensor:
    """Compute the derivative of an elementwise function at each value.

    Args:
        values: of any shape.
        function: takes the values first.
        more: its further arguments.
        named: its arguments by name.

    Returns:
        The slopes, of the shape of the values.

    >>> slopes_at(torch.tensor([-1.0, 2.0]), torch.relu, (), {})
    tensor([0., 1.])
    """
    # Hooks that keep what derivatives need elsewhere, as checkpointing does, are not meant for these.
    with torch.enable_grad(), saved_tensors_hooks(_as_it_is, _as_it_is):
        leaf = values.detach().clone().requires_grad_()
        # What writes in place may not write on a leaf.
        output = function(leaf.clone(), *more, **named)
        (slopes,) = torch.autograd.grad(output.sum(), leaf)
    return slopes


def dead_units(slopes: Tensor, *, before: nn.Module | None) -> tuple[int, int]:
    """Count the channels, and those whose slope is 0 for every image and at every place.

    Args:
        slopes: of an activation's output.
        before: the layer that computed what the activation got; it decides along which axis channels are.

    Returns:
        How many channels there are, and how many of them are dead.

    >>> dead_units(torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]), before=None)
    (3, 2)
    """
    active = slopes != 0
    if active.ndim > 1:
        axis = -1 if isinstance(before, CHANNELS_LAST) else 1
        active = active.movedim(axis, 0).flatten(1).any(dim=1)
    return active.numel(), int((~active).sum())


def saturated_share(slopes: Tensor, kind: str) -> float | None:
    """Give the share of elements whose slope is small.

    Args:
        slopes: of an activation's output.
        kind: the function's name.

    Returns:
        A share in [0, 1]; ``None`` for functions that do not saturate on both sides.

    >>> saturated_share(torch.tensor([0.25, 0.02]), "sigmoid"), saturated_share(torch.zeros(2), "relu")
    (0.5, None)
    """
    if kind not in STEEPEST:
        return None
    return float((slopes.abs() < SATURATED * STEEPEST[kind]).float().mean().item())


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor
