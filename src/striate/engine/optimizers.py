"""Optimisers: Muon for filters, and which parameter goes to which optimiser at which rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn

from striate.core.recipe import Recipe
from striate.engine.uncompiled import uncompiled


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal: every direction of a filter matrix moves alike.

    With ``B = momentum B + G`` and ``U = orthogonal(G + momentum B)``, a parameter seen as a matrix
    of ``rows`` (output channels) by ``columns`` moves by ``-rate 0.2 sqrt(max(rows, columns)) U``,
    whose root mean square is about that of AdamW's update.

    Args:
        parameters: tensors of at least two dimensions, or groups of them.
        lr: the rate, over 0.
        momentum: in [0, 1).
        weight_decay: decoupled decay, at least 0.
        dtype: in which updates are made orthogonal: bfloat16 is exact enough, and fast where the
            hardware computes it.

    Source: Jordan et al., Muon (2024); the factor of the rate is that of Liu et al., Muon is Scalable
    for LLM Training (2025), section 2.2.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor] | Iterable[dict[str, Any]],
        *,
        lr: float,
        momentum: float = 0.6,
        weight_decay: float = 0.0,
        dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        self._dtype = dtype
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(parameters, defaults)

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Move every parameter once by its gradient.

        Args:
            closure: none is needed; where given, it is called for the loss.

        Returns:
            What the closure returned.
        """
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(parameter)
                buffer = state["momentum_buffer"]
                buffer.mul_(group["momentum"]).add_(parameter.grad)
                direction = parameter.grad.add(buffer, alpha=group["momentum"])
                matrix = direction.flatten(1)
                factor = 0.2 * max(matrix.shape) ** 0.5
                if group["weight_decay"]:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                update = orthogonal(matrix.to(self._dtype)).view_as(direction)
                parameter.add_(update.to(parameter.dtype), alpha=-group["lr"] * factor)
        return loss


def orthogonal(matrix: Tensor, *, steps: int = 5) -> Tensor:
    """Bring all singular values of a matrix near 1 and keep its singular vectors.

    The quintic Newton-Schulz iteration ``X <- a X + (b X X' + c (X X')^2) X``; its
    coefficients trade exactness for speed, so singular values end between about 0.7 and 1.2.

    Args:
        matrix: two dimensions.
        steps: iterations.

    Returns:
        A matrix of the same shape and type; a matrix of zeros stays one.

    Source: Jordan et al., Muon (2024), for the coefficients.

    >>> result = orthogonal(torch.diag(torch.tensor([3.0, 1.0])))
    >>> bool((torch.linalg.svdvals(result.float()) > 0.6).all())
    True
    """
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.T
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return x if wide else x.T


def make_optimizers(
    network: nn.Module, recipe: Recipe, *, rate_of: Callable[[Tensor], float] = lambda _: 1.0
) -> list[torch.optim.Optimizer]:
    """Make the optimisers of a network as a recipe says.

    Under ``muon``, filters (parameters of three or more dimensions with over one input) go to Muon and
    the rest to SGD with Nesterov momentum. Biases and the parameters of norms are neither decayed nor
    penalised.

    Args:
        network: its parameters that need gradients are trained.
        recipe: with optimizer, rates and weight decay decided.
        rate_of: gives what a parameter's rate is multiplied by: less for the early layers of a network that
            is trained already.

    Returns:
        One or two optimisers; a group's ``peak`` holds the rate that schedules multiply, its ``penalties``
        what `striate.engine.penalties` does besides.
    """
    rate, other_rate, decay = recipe.learning_rate, recipe.other_rate, recipe.weight_decay
    if rate is None or other_rate is None or decay is None:
        raise ValueError("the recipe is not resolved")
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    filters = [p for p in trained if p.ndim > 2 and p[0].numel() > 1] if recipe.optimizer == "muon" else []
    taken = {id(p) for p in filters}
    rest = [p for p in trained if id(p) not in taken]
    slow = other_rate if recipe.optimizer == "muon" else rate
    sized: dict[str, Any] = {"weight_decay": decay, "penalties": recipe.penalties}
    groups = [
        *_groups([p for p in rest if p.ndim > 1], rate_of, rate=slow, **sized),
        *_groups([p for p in rest if p.ndim <= 1], rate_of, rate=slow, weight_decay=0.0, penalties=()),
    ]
    optimizers: list[torch.optim.Optimizer] = []
    if filters:
        dtype = torch.bfloat16 if recipe.precision == "bfloat16" else torch.float32
        moved = _groups(filters, rate_of, rate=rate, **sized)
        optimizers.append(uncompiled(Muon)(moved, lr=rate, dtype=dtype))
    if groups and recipe.optimizer == "adamw":
        optimizers.append(uncompiled(torch.optim.AdamW)(groups, lr=slow))
    elif groups:
        optimizers.append(uncompiled(torch.optim.SGD)(groups, lr=slow, momentum=0.9, nesterov=True))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optimizers


def _groups(
    parameters: list[nn.Parameter], rate_of: Callable[[Tensor], float], *, rate: float, **settings: Any
) -> list[dict[str, Any]]:
    """Divide parameters into groups of one rate each, in their order."""
    by_scale: dict[float, list[nn.Parameter]] = {}
    for parameter in parameters:
        by_scale.setdefault(rate_of(parameter), []).append(parameter)
    return [{"params": group, "lr": rate * scale, **settings} for scale, group in by_scale.items()]


def scale_peaks(optimizers: list[torch.optim.Optimizer], share: float) -> None:
    """Multiply every group's peak rate.

    Args:
        optimizers: from `make_optimizers`.
        share: by what.
    """
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] *= share


def set_rates(optimizers: list[torch.optim.Optimizer], factor: float) -> None:
    """Set every group's rate to its peak times a factor.

    Args:
        optimizers: from `make_optimizers`.
        factor: from `striate.engine.schedules.rate_factor`.
    """
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * factor
