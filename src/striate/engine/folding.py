"""Let convolutions do, for a while, what the norms behind them would: at inference these scale and shift."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from striate.nn import Conv

ABOUT_TENSORS = frozenset(
    {
        *("shape", "size", "dim", "ndim", "ndimension", "numel", "nelement", "__len__", "dtype", "device"),
        *("requires_grad", "is_floating_point", "is_complex", "layout", "is_sparse", "is_quantized"),
    }
)
"""What is asked of a tensor without looking at its values."""

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, Conv)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def function_name(function: Callable[..., Any]) -> str:
    """Name a function of torch as it is written; of a property, the property.

    Args:
        function: as a mode or a subclass of tensors is given it.

    Returns:
        The name, such as ``conv2d``, ``add_`` or ``shape``.
    """
    name: str = getattr(function, "__name__", "")
    return getattr(function.__self__, "__name__", "") if name == "__get__" else name  # type: ignore[attr-defined]


@contextmanager
def norms_folded(network: nn.Module, images: Tensor) -> Iterator[None]:
    """Multiply batch norms into the convolutions right before them, and put all back as it was.

    What is computed is the same but for rounding; gradients by the images of ResNet-18 take a twelfth less
    time so. Nothing is done for what is not float32 or float64, where weights want gradients, and for norms
    that learn, that are hooked, or whose convolution something else looks at too.

    Args:
        network: borrowed; its parameters stay the same objects.
        images: N x C x spatial; the first is used to see which norm follows which convolution.

    Yields:
        Nothing.

    >>> network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).eval().requires_grad_(False)
    >>> with norms_folded(network, torch.rand(1, 1, 5, 5)):
    ...     values = torch.ones(1)
    ...     network[1](values) is values
    True
    """
    pairs = _pairs(network, images)
    kept = [(convolution.weight.data, convolution.bias) for convolution, _ in pairs]
    try:
        for convolution, norm in pairs:
            _fold(convolution, norm)
        yield
    finally:
        for (convolution, norm), (weight, bias) in zip(pairs, kept, strict=True):
            convolution.weight.data = weight
            convolution.bias = bias
            norm.__dict__.pop("forward", None)


def _fold(convolution: Any, norm: Any) -> None:
    with torch.no_grad():
        scale = (norm.running_var.double() + norm.eps).rsqrt()
        scale = scale if norm.weight is None else scale * norm.weight
        shift = -norm.running_mean * scale if norm.bias is None else norm.bias - norm.running_mean * scale
        shift = shift if convolution.bias is None else shift + convolution.bias * scale
        weight = convolution.weight
        convolution.bias = nn.Parameter(shift.to(weight.dtype), requires_grad=False)
        weight.data = (weight * scale.view(-1, *[1] * (weight.ndim - 1))).to(weight.dtype)
    norm.forward = _as_it_is


def _as_it_is(values: Tensor) -> Tensor:
    return values


def _pairs(network: nn.Module, images: Tensor) -> list[tuple[Any, Any]]:
    """Find convolutions whose output goes into a norm, and nowhere else."""
    modules = list(network.modules())
    if any(isinstance(each, torch.jit.ScriptModule) or hasattr(each, "_orig_mod") for each in modules):
        return []
    tensors = Counter(id(each) for module in modules for each in module._parameters.values())
    foldable = [each for each in modules if _is_plain(each) and tensors[id(each.weight)] == 1]
    norms = [each for each in modules if _is_norm(each)]
    if not foldable or not norms:
        return []
    uses, outputs, inputs = _Uses(), dict[int, Any](), dict[int, Any]()
    calls = Counter[int]()

    def seen(module: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        calls[id(module)] += 1
        if type(module) in CONVOLUTIONS:
            outputs[id(output)] = module
        elif given:
            inputs[id(given[0])] = module
        uses.held += [output, *given]

    handles = [each.register_forward_hook(seen) for each in (*foldable, *norms)]
    weight = next(foldable[0].parameters())
    try:
        with torch.no_grad(), uses:
            last = network(images[:1].to(device=weight.device, dtype=weight.dtype, copy=True))
    except (IndexError, RuntimeError, TypeError, ValueError):  # as plainly, where it is told of
        return []
    finally:
        for handle in handles:
            handle.remove()
    found = [(outputs[key], norm, key) for key, norm in inputs.items() if key in outputs]
    given_out = {id(each) for each in tree_leaves(last)}
    return [
        (convolution, norm)
        for convolution, norm, key in found
        if uses.counts[key] == uses.counts[id(convolution.weight)] == 1
        and calls[id(convolution)] == calls[id(norm)] == 1
        and key not in given_out
    ]


def _is_plain(module: nn.Module) -> bool:
    """Say whether a module is a convolution whose weights may be others for a while."""
    if type(module) not in CONVOLUTIONS or _hooked(module) or module._parameters.get("weight") is None:
        return False
    own = [each for each in module._parameters.values() if each is not None]
    return all(each.dtype in (torch.float32, torch.float64) and not each.requires_grad for each in own)


def _is_norm(module: nn.Module) -> bool:
    if type(module) not in NORMS or module.training or _hooked(module) or "forward" in vars(module):
        return False
    return module.running_mean is not None and not any(each.requires_grad for each in module.parameters())


def _hooked(module: nn.Module) -> bool:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(module, kind) for kind in kinds)


class _Uses(TorchFunctionMode):
    """Counts how many functions look at the values of each tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = Counter[int]()
        self.held: list[Any] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        del types
        given = dict(kwargs or {})
        if function_name(func) not in ABOUT_TENSORS:
            leaves = {id(each): each for each in tree_leaves((args, given)) if isinstance(each, Tensor)}
            self.counts.update(leaves.keys())
            self.held.extend(leaves.values())  # so that no other tensor comes to have its number
        return func(*args, **given)
