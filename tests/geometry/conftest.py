"""Oracles for receptive fields: networks whose gradients hide nothing, and where gradients come from."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

POOLINGS = {"max_pool1d": F.avg_pool1d, "max_pool2d": F.avg_pool2d, "max_pool3d": F.avg_pool3d}


class Smooth(TorchFunctionMode):
    """Puts averages in the place of maxima, which hide what loses, and the identity in that of rectifiers."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = dict(kwargs or {})
        name = getattr(func, "__name__", "").strip("_")
        if name in POOLINGS:
            values = [*args[1:], *([None] * (6 - len(args)))]
            named = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
            given = {key: value for key, value in zip(named, values, strict=False) if value is not None}
            given.update({key: value for key, value in options.items() if key in named})
            dilation = given.pop("dilation", 1)
            assert dilation in (1, (1, 1), [1, 1]), "averages have no dilation"
            return POOLINGS[name](args[0], **given)
        if name in (
            "relu",
            "relu6",
            "hardtanh",
            "leaky_relu",
            "elu",
            "gelu",
            "silu",
            "hardswish",
            "tanh",
            "sigmoid",
        ):
            return args[0].clone()
        if name == "amax":
            return args[0].mean(*args[1:], **options)
        return func(*args, **options)


def positive(network: nn.Module) -> nn.Module:
    """Copy a network in evaluation mode with equal positive weights, without biases, in float64."""
    network = copy.deepcopy(network).double().eval()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if not tensor.is_floating_point():
                continue
            if name.endswith(("running_mean", "bias")):
                tensor.zero_()
            elif name.endswith("running_var") or tensor.ndim < 2:
                tensor.fill_(1)
            else:
                tensor.fill_(1 / math.prod(tensor.shape[1:]))
    return network


def support(output: Tensor, images: Tensor, unit: tuple[int, ...]) -> list[tuple[int, int] | None]:
    """Give the first and last input element along each axis from which a unit's gradient comes."""
    middle = output[(slice(None), slice(None), *unit)].sum()
    (gradient,) = torch.autograd.grad(middle, images, retain_graph=True, allow_unused=True)
    if gradient is None:
        return [None] * (images.ndim - 2)
    seen = gradient.abs().sum(dim=(0, 1)) > 0
    found: list[tuple[int, int] | None] = []
    for axis in range(seen.ndim):
        others = tuple(each for each in range(seen.ndim) if each != axis)
        places = (seen.any(dim=others) if others else seen).nonzero().flatten().tolist()
        found.append((min(places), max(places)) if places else None)
    return found


class Reached(BaseException):
    """Ends a forward pass at the layer that is looked at."""


def outputs_of(network: nn.Module, images: Tensor, layers: list[str]) -> dict[str, Tensor]:
    """Run a network without anything that hides gradients, and give the first outputs of some modules."""
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Tensor) -> None:  # noqa: ARG001 (torch gives them)
            found.setdefault(name, output.clone())
            if len(found) == len(layers):
                raise Reached

        return hook

    handles = [network.get_submodule(name).register_forward_hook(keep(name)) for name in layers]
    try:
        with Smooth():
            network(images)
    except Reached:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return found


class Oracle:
    """The functions above, for tests."""

    positive = staticmethod(positive)
    support = staticmethod(support)
    outputs_of = staticmethod(outputs_of)
    Smooth = Smooth


@pytest.fixture(scope="session")
def oracle() -> type[Oracle]:
    """What is needed to compare receptive fields with gradients; it keeps nothing from test to test."""
    return Oracle
