"""Which layer's output goes into which layer and nowhere else, found out by a pass: these may share work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

ABOUT_TENSORS = frozenset(
    {
        *("shape", "size", "dim", "ndim", "ndimension", "numel", "nelement", "__len__", "dtype", "device"),
        *("requires_grad", "is_floating_point", "is_complex", "layout", "is_sparse", "is_quantized"),
    }
)
"""What is asked of a tensor without looking at its values."""


PRECISE = (torch.float32, torch.float64)
"""The types whose rounding is small enough not to be seen when sums come in another order."""


@dataclass(frozen=True, eq=False)
class Follow:
    """A layer, and the one that alone takes what it gives.

    Args:
        first: the layer before.
        second: the layer behind.
        given: what the first was given, of one image.
    """

    first: nn.Module
    second: nn.Module
    given: Tensor


def function_name(function: Callable[..., Any]) -> str:
    """Name a function of torch as it is written; of a property, the property.

    Args:
        function: as a mode or a subclass of tensors is given it.

    Returns:
        The name, such as ``conv2d``, ``add_`` or ``shape``.
    """
    name: str = getattr(function, "__name__", "")
    return getattr(function.__self__, "__name__", "") if name == "__get__" else name  # type: ignore[attr-defined]


def is_untouched(module: nn.Module) -> bool:
    """Say whether a layer may compute something else for a while, without anyone seeing it.

    Args:
        module: of a network that is borrowed.

    Returns:
        False where it is hooked, its ``forward`` is not that of its class, or a parameter wants a gradient
        or is of half precision.

    >>> is_untouched(nn.Linear(1, 1)), is_untouched(nn.Linear(1, 1).requires_grad_(False))
    (False, True)
    """
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    if any(getattr(module, kind) for kind in kinds) or "forward" in vars(module):
        return False
    return all(each.dtype in PRECISE and not each.requires_grad for each in module.parameters())


def directly_followed(
    network: nn.Module,
    images: Tensor,
    *,
    first: Callable[[nn.Module], bool],
    second: Callable[[nn.Module], bool],
) -> list[Follow]:
    """Find layers of one kind whose output goes into a layer of another kind, and nowhere else.

    Each of both passes once, its parameters belong to it alone, and no other function looks at them.

    Args:
        network: borrowed.
        images: N x C x spatial; the first passes through the network.
        first: says of a layer whether it is of the kind that comes before.
        second: the same of what comes behind.

    Returns:
        The pairs; none where the network is compiled or scripted, or cannot take the images.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).requires_grad_(False)
    >>> kinds = {"first": lambda layer: layer is network[0], "second": lambda layer: layer is network[1]}
    >>> len(directly_followed(network, torch.rand(1, 1, 2, 2), **kinds))
    1
    """
    modules = list(network.modules())
    if any(isinstance(each, torch.jit.ScriptModule) or hasattr(each, "_orig_mod") for each in modules):
        return []
    owners = Counter(
        id(each) for module in modules for each in module._parameters.values() if each is not None
    )
    alone = [
        each
        for each in modules
        if all(owners[id(own)] == 1 for own in each._parameters.values() if own is not None)
    ]
    before, behind = [each for each in alone if first(each)], [each for each in alone if second(each)]
    if not before or not behind:
        return []
    watch = _Watch()
    handles = [each.register_forward_hook(watch.left) for each in before]
    handles += [each.register_forward_hook(watch.entered) for each in behind]
    weight = next((each for each in network.parameters() if each.is_floating_point()), images)
    try:
        with torch.no_grad(), watch:
            last = network(images[:1].to(device=weight.device, dtype=weight.dtype, copy=True))
    except (IndexError, RuntimeError, TypeError, ValueError):  # as plainly, where it is told of
        return []
    finally:
        for handle in handles:
            handle.remove()
    given_out = {id(each) for each in tree_leaves(last)}
    return [
        Follow(one, other, given)
        for key, (one, given) in watch.outputs.items()
        if (other := watch.inputs.get(key)) is not None
        and key not in given_out
        and watch.uses[key] == 1
        and watch.calls[id(one)] == watch.calls[id(other)] == 1
        and all(watch.uses[id(each)] <= 1 for each in (*one.parameters(), *other.parameters()))
    ]


class _Watch(TorchFunctionMode):
    """Counts how many functions look at the values of each tensor; notes what goes through some layers."""

    def __init__(self) -> None:
        super().__init__()
        self.uses, self.calls = Counter[int](), Counter[int]()
        self.outputs: dict[int, tuple[nn.Module, Tensor]] = {}
        self.inputs: dict[int, nn.Module] = {}
        self._held: list[Any] = []  # so that no other tensor comes to have the number of one that is gone

    def left(self, module: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        """Note what a layer gave, as a hook of it."""
        self.calls[id(module)] += 1
        if len(given) == 1 and isinstance(given[0], Tensor):
            self.outputs[id(output)] = module, given[0]
        self._held.append(output)

    def entered(self, module: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        """Note what a layer was given, as a hook of it."""
        del output
        self.calls[id(module)] += 1
        if len(given) == 1:
            self.inputs[id(given[0])] = module
        self._held.extend(given)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Count, and call the function."""
        del types
        named = dict(kwargs or {})
        if function_name(func) not in ABOUT_TENSORS:
            leaves = {id(each): each for each in tree_leaves((args, named)) if isinstance(each, Tensor)}
            self.uses.update(leaves.keys())
            self._held.extend(leaves.values())
        return func(*args, **named)
