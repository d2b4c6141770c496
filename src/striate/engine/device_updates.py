"""The steps of optimisers as operations of the device alone, so that they can be compiled and recorded.

An optimiser of torch takes its rate from the host and counts its steps there. These take both from the
device, and keep the momenta where the optimisers themselves keep them, so that either can go on where the
other was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from striate.core.errors import TrainingError
from striate.engine.optimizers import Muon
from striate.engine.orthogonal_stacks import orthogonal_each
from striate.engine.penalties import penalty_slope


class Moved(NamedTuple):
    """Parameters that one rule moves in one step.

    Args:
        parameters: what is moved.
        gradients: along which.
        momenta: what the rule remembers, by name, for each parameter.
        factor: of the peak rate, no dimension.
        step: the number of the step from 1, no dimension, float32.
    """

    parameters: list[Tensor]
    gradients: list[Tensor]
    momenta: dict[str, list[Tensor]]
    factor: Tensor
    step: Tensor


Rule = Callable[[Mapping[str, Any], Moved], None]


class DeviceUpdates:
    """The steps of some optimisers, from gradients and a rate that lie on the device.

    Args:
        optimizers: from `striate.engine.optimizers.make_optimizers`; their momenta are made at once, and
            changed in place from then on.

    Raises:
        TrainingError: for an optimiser of another kind.
    """

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        self._optimizers = list(optimizers)
        self._groups: list[tuple[Rule, dict[str, Any], list[Tensor], dict[str, list[Tensor]]]] = []
        for optimizer in optimizers:
            rule, names, more = _kind(optimizer)
            for group in optimizer.param_groups:
                parameters = list(group["params"])
                settings = {name: value for name, value in group.items() if name not in ("params", "lr")}
                momenta = {name: _momenta(optimizer, parameters, name) for name in names}
                self._groups.append((rule, {**settings, **more}, parameters, momenta))

    @property
    def parameters(self) -> list[Tensor]:
        """What is moved, in the order in which gradients are wanted."""
        return [parameter for _, _, parameters, _ in self._groups for parameter in parameters]

    @torch.no_grad()
    def __call__(self, gradients: Sequence[Tensor | None], *, factor: Tensor, step: Tensor) -> None:
        """Move every parameter that has a gradient.

        Args:
            gradients: one for each of `parameters`; ``None`` for those that the loss does not depend on.
            factor: of the peak rates, no dimension.
            step: the number of this step from 1, no dimension, float32.
        """
        first = 0
        for rule, settings, parameters, momenta in self._groups:
            own = gradients[first : first + len(parameters)]
            first += len(parameters)
            there = [number for number, gradient in enumerate(own) if gradient is not None]
            if there:
                moved = Moved(
                    [parameters[number] for number in there],
                    [gradient for gradient in own if gradient is not None],
                    {name: [each[number] for number in there] for name, each in momenta.items()},
                    factor,
                    step,
                )
                rule(settings, _penalised(rule, settings, moved))

    def count(self, steps: int) -> None:
        """Tell the optimisers how many steps were taken, before they are saved.

        Args:
            steps: in all.
        """
        for optimizer in self._optimizers:
            if isinstance(optimizer, torch.optim.AdamW):
                for state in optimizer.state.values():
                    state["step"] = torch.tensor(float(steps))

    @torch.no_grad()
    def take(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        """Copy the momenta of others; where they have none yet, momenta are set to zero.

        Args:
            optimizers: made in the same way for a network of the same structure.
        """
        groups = [(other, group["params"]) for other in optimizers for group in other.param_groups]
        for (other, parameters), (_, _, own, momenta) in zip(groups, self._groups, strict=True):
            for number in range(len(own)):
                given = other.state.get(parameters[number], {})
                for name, tensors in momenta.items():
                    if name not in given:
                        tensors[number].zero_()
                    elif given[name] is not tensors[number]:
                        tensors[number].copy_(given[name])


def _kind(optimizer: torch.optim.Optimizer) -> tuple[Rule, tuple[str, ...], dict[str, Any]]:
    """Give an optimiser's rule, what it remembers of each parameter, and settings that no group holds."""
    groups = optimizer.param_groups
    if isinstance(optimizer, Muon):
        return _move_by_muon, ("momentum_buffer",), {"dtype": optimizer._dtype}
    if isinstance(optimizer, torch.optim.SGD) and all(group["nesterov"] for group in groups):
        return _move_by_sgd, ("momentum_buffer",), {}
    if isinstance(optimizer, torch.optim.AdamW) and not any(group["amsgrad"] for group in groups):
        return _move_by_adamw, ("exp_avg", "exp_avg_sq"), {}
    raise TrainingError(f"no rule for the device is written for the optimiser {type(optimizer).__name__}")


def _momenta(optimizer: torch.optim.Optimizer, parameters: list[Tensor], name: str) -> list[Tensor]:
    for parameter in parameters:
        state = optimizer.state[parameter]
        if name not in state:
            state[name] = torch.zeros_like(parameter)
        if isinstance(optimizer, torch.optim.AdamW):
            state.setdefault("step", torch.tensor(0.0))
    return [optimizer.state[parameter][name] for parameter in parameters]


def _penalised(rule: Rule, settings: Mapping[str, Any], moved: Moved) -> Moved:
    """Draw weights towards 0 as `striate.engine.penalties.penalise` does."""
    penalties = settings.get("penalties", ())
    if not penalties:
        return moved
    slopes = [penalty_slope(parameter, penalties) for parameter in moved.parameters]
    if rule is _move_by_sgd:
        return moved._replace(gradients=list(torch._foreach_add(moved.gradients, slopes)))
    rate = settings["peak"] * moved.factor
    torch._foreach_add_(moved.parameters, torch._foreach_mul(slopes, -rate))
    return moved


def _move_by_muon(settings: Mapping[str, Any], moved: Moved) -> None:
    rate = settings["peak"] * moved.factor
    directions = _nesterov(moved.momenta["momentum_buffer"], moved.gradients, settings["momentum"])
    matrices = [direction.flatten(1).to(settings["dtype"]) for direction in directions]
    updates = [
        update.reshape(parameter.shape).to(parameter.dtype) * (0.2 * max(update.shape) ** 0.5)
        for parameter, update in zip(moved.parameters, orthogonal_each(matrices), strict=True)
    ]
    if settings["weight_decay"]:
        torch._foreach_mul_(moved.parameters, 1 - rate * settings["weight_decay"])
    torch._foreach_add_(moved.parameters, torch._foreach_mul(updates, -rate))


def _move_by_sgd(settings: Mapping[str, Any], moved: Moved) -> None:
    gradients = moved.gradients
    if settings["weight_decay"]:
        gradients = list(torch._foreach_add(gradients, moved.parameters, alpha=settings["weight_decay"]))
    directions = _nesterov(moved.momenta["momentum_buffer"], gradients, settings["momentum"])
    rate = settings["peak"] * moved.factor
    torch._foreach_add_(moved.parameters, torch._foreach_mul(directions, -rate))


def _move_by_adamw(settings: Mapping[str, Any], moved: Moved) -> None:
    rate, (first, second) = settings["peak"] * moved.factor, settings["betas"]
    means, squares = moved.momenta["exp_avg"], moved.momenta["exp_avg_sq"]
    steps = moved.step.double()  # 0.999**step lies too near 1 for float32
    if settings["weight_decay"]:
        torch._foreach_mul_(moved.parameters, 1 - rate * settings["weight_decay"])
    torch._foreach_lerp_(means, moved.gradients, 1 - first)
    torch._foreach_mul_(squares, second)
    torch._foreach_addcmul_(squares, moved.gradients, moved.gradients, 1 - second)
    roots = torch._foreach_sqrt(squares)
    torch._foreach_mul_(roots, (1 - second**steps).rsqrt().float())
    torch._foreach_add_(roots, settings["eps"])
    along = torch._foreach_div(means, roots)
    torch._foreach_add_(moved.parameters, torch._foreach_mul(along, -rate / (1 - first**steps).float()))


def _nesterov(buffers: list[Tensor], gradients: list[Tensor], momentum: float) -> list[Tensor]:
    torch._foreach_mul_(buffers, momentum)
    torch._foreach_add_(buffers, gradients)
    return list(torch._foreach_add(gradients, buffers, alpha=momentum))
