"""Penalties on the size of weights besides their decay: a strength times the sum of |w|^p."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Penalties = Sequence[tuple[float, float]]
"""Powers of at least 1, each with its strength."""


def penalty_slope(weights: Tensor, penalties: Penalties) -> Tensor:
    """Give the derivative of penalties: the sum of ``strength p |w|^(p - 1) sign(w)``.

    Args:
        weights: of any shape.
        penalties: powers and strengths.

    Returns:
        A slope for each weight; 0 at 0, where |w| has none.

    >>> penalty_slope(torch.tensor([-2.0, 0.0, 3.0]), [(1.0, 0.5), (2.0, 0.1)])
    tensor([-0.9000,  0.0000,  1.1000])
    """
    signs = weights.sign()
    total = torch.zeros_like(weights)
    for power, strength in penalties:
        slope = signs if power == 1 else signs * weights.abs().pow(power - 1)
        total = total.add(slope, alpha=strength * power)
    return total


@torch.no_grad()
def penalise(optimizers: Sequence[torch.optim.Optimizer]) -> None:
    """Draw weights towards 0 as the groups' penalties say; call it between the gradient and the step.

    Under SGD the slope is added to the gradient, as decay is there. Elsewhere updates forget how large
    gradients are, so that the weights themselves move by rate times slope.

    Args:
        optimizers: from `striate.engine.optimizers.make_optimizers`; what has no gradient does not move.
    """
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            penalties = group.get("penalties", ())
            for parameter in group["params"] if penalties else ():
                if parameter.grad is None:
                    continue
                slope = penalty_slope(parameter, penalties)
                if isinstance(optimizer, torch.optim.SGD):
                    parameter.grad.add_(slope)
                else:
                    parameter.sub_(slope, alpha=group["lr"])
