"""Replace the derivatives of functions by rules, however they are called: as modules, by name, in place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from striate.explain.activations import slopes_at

Pull: TypeAlias = Callable[[Tensor], Tensor]
"""Takes what comes back to a function's output, and gives what goes on back from its input."""


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a function that takes a tensor first.

    Args:
        kind: the function's name, without underscores around it.
        function: what was called.
        values: the tensor.
        more: its further arguments.
        named: its arguments by name.
    """

    kind: str
    function: Callable[..., Any]
    values: Tensor
    more: tuple[Any, ...]
    named: Mapping[str, Any]

    @property
    def differentiable(self) -> bool:
        """Whether a derivative by the values, and by them alone, is asked for."""
        others = (*self.more, *self.named.values())
        wanted = torch.is_grad_enabled() and self.values.requires_grad
        return wanted and not any(isinstance(each, Tensor) and each.requires_grad for each in others)

    def run(self) -> Any:
        """Call the function as it was called.

        Returns:
            What it gives.
        """
        return self.function(self.values, *self.more, **self.named)

    def at(self, values: Tensor) -> Tensor:
        """Call the function with other values, which it does not write.

        Args:
            values: of any floating type; other arguments are brought to it.

        Returns:
            Its output, the first where there are several.
        """
        more, named = self._others(values)
        return first_of(self.function(values.clone(), *more, **named))

    def slopes(self, values: Tensor) -> Tensor:
        """Compute the derivative of an elementwise function.

        Args:
            values: where.

        Returns:
            Of their shape and type.
        """
        more, named = self._others(values)
        return slopes_at(values, self.function, more, named)

    def _others(self, values: Tensor) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (
            tuple(_in_type_of(values, each) for each in self.more),
            {name: _in_type_of(values, each) for name, each in self.named.items()},
        )


class Intercepted(TorchFunctionMode):
    """Gives calls of some functions to a handler, as long as it is entered as a context.

    Args:
        kinds: names of functions, without underscores around them.
        handle: gives what the call shall give.
    """

    def __init__(self, kinds: Collection[str], handle: Callable[[Call], Any]) -> None:
        super().__init__()
        self._kinds, self._handle = kinds, handle

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        del types
        named = dict(kwargs or {})
        kind = getattr(func, "__name__", "").strip("_")
        if kind not in self._kinds or "out" in named:
            return func(*args, **named)
        values, more = (args[0], args[1:]) if args else (named.pop("input", None), ())
        if not isinstance(values, Tensor) or not values.is_floating_point():
            return func(*args, **dict(kwargs or {}))
        return self._handle(Call(kind, func, values, more, named))


def replaced(call: Call, pull: Pull) -> Any:
    """Carry a call out with another derivative.

    Args:
        call: whose values have a derivative.
        pull: the derivative.

    Returns:
        What the call gives; its first tensor has the derivative.

    >>> leaf = torch.tensor([-1.0, 2.0], requires_grad=True)
    >>> output = replaced(Call("relu", torch.relu, leaf, (), {}), lambda gradient: 10 * gradient)
    >>> output.sum().backward()
    >>> output.tolist(), leaf.grad.tolist()
    ([0.0, 2.0], [10.0, 10.0])
    """
    given = call.values.detach().clone()
    with torch.no_grad():
        result = call.function(given, *call.more, **call.named)
    # In a list, since a tensor that a Function is given and gives back counts as a view of it.
    output: Tensor = _Replaced.apply(call.values, [first_of(result)], pull)  # type: ignore[no-untyped-call]
    if given._version:  # it was written in place, and so are the values
        return call.values.copy_(output)
    return output if isinstance(result, Tensor) else type(result)([output, *result[1:]])


def first_of(result: Any) -> Tensor:
    """Take the first tensor of what a function gives.

    Args:
        result: a tensor, or a tuple that begins with one.

    Returns:
        The tensor.
    """
    tensor: Tensor = result if isinstance(result, Tensor) else result[0]
    return tensor


def operations_behind(tensor: Tensor) -> set[torch.autograd.graph.Node]:
    """Collect the operations through which derivatives of a tensor go.

    Args:
        tensor: with a graph.

    Returns:
        The nodes of its graph.

    >>> leaf = torch.ones(1, requires_grad=True)
    >>> sorted(node.name() for node in operations_behind(leaf.exp() + 1))
    ['AddBackward0', 'ExpBackward0', 'torch::autograd::AccumulateGrad']
    """
    found: set[torch.autograd.graph.Node] = set()
    waiting = [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found:
            found.add(node)
            waiting.extend(each for each, _ in node.next_functions)
    return found


def name_of(node: torch.autograd.graph.Node) -> str:
    """Name the operation that a node of a graph goes back through.

    Args:
        node: of the graph.

    Returns:
        Its name in torch's spelling, without what all such names have.

    >>> name_of(torch.ones(1, requires_grad=True).relu().grad_fn)
    'Relu'
    """
    return node.name().rpartition("::")[2].partition("Backward")[0]


class _Replaced(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, output: list[Tensor], pull: Pull) -> Tensor:
        del values
        ctx.pull = pull
        return output[0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return ctx.pull(gradient), None, None


def _in_type_of(values: Tensor, argument: Any) -> Any:
    is_floating = isinstance(argument, Tensor) and argument.is_floating_point()
    return argument.to(values.dtype) if is_floating else argument
