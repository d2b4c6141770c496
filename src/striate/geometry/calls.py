"""One call of a tensor operation, as the rules see it: its arguments by name, and what these depend on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from striate.geometry.dependences import Dependence

Operation = Any
"""An overload of a torch operation; its type has no public name."""


class Call:
    """A call of a torch operation while a network is traced.

    Args:
        operation: which.
        arguments: given by place.
        options: given by name.
        depends: says what a tensor depends on.
        borders: identity of a tensor -> how many of its last elements are padding, from the last axis on.
        strict: whether a stride that leaves elements over is an error.
    """

    def __init__(
        self,
        operation: Operation,
        arguments: Sequence[Any],
        options: Mapping[str, Any],
        *,
        depends: Callable[[Tensor], Dependence],
        borders: Mapping[int, Sequence[int]],
        strict: bool = False,
    ) -> None:
        names, defaults = _signature(operation)
        self.name = base_name(operation)
        self.strict = strict
        self.notes: list[str] = []
        self.result: Any = None
        # In the order of the schema, so that the first stays the first.
        self._values = {**dict(zip(names, arguments, strict=False)), **options}
        for name, value in defaults.items():
            self._values.setdefault(name, value)
        self._depends = depends
        self._borders = borders

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def get(self, name: str) -> Any:
        """Give an argument, or ``None`` where the operation has none of that name."""
        return self._values.get(name)

    @property
    def first(self) -> Tensor:
        """The first argument, which is the tensor that most operations work on."""
        value = next(iter(self._values.values()))
        assert isinstance(value, Tensor)
        return value

    @property
    def values(self) -> list[Any]:
        """All arguments, lists of tensors as lists."""
        return list(self._values.values())

    @property
    def output(self) -> Tensor:
        """The first tensor that came out."""
        value = self.result if isinstance(self.result, Tensor) else self.result[0]
        assert isinstance(value, Tensor)
        return value

    def dependence(self, name: str) -> Dependence:
        """Give what the argument of a name depends on; nothing where it is no tensor."""
        return self.of(self._values.get(name))

    def of(self, value: Any) -> Dependence:
        """Give what a value depends on; nothing where it is no tensor."""
        return self._depends(value) if isinstance(value, Tensor) else {}

    def border(self, tensor: Tensor, dims: int) -> tuple[int, ...]:
        """Say how many of the last elements along each of the last axes are padding put there before."""
        known = tuple(self._borders.get(id(tensor), ()))[:dims]
        return (*(0,) * (dims - len(known)), *reversed(known))

    def numbers(self, name: str, dims: int) -> tuple[int, ...]:
        """Give an argument as one number an axis, however it was given."""
        value = self._values[name]
        values = (value,) if isinstance(value, int) else tuple(value)
        return values * dims if len(values) == 1 else values


def base_name(operation: Operation) -> str:
    """Give the name of an operation without its overload, and without the mark of working in place.

    Args:
        operation: an overload.

    Returns:
        Such as ``relu`` for ``aten.relu_.default``.
    """
    name: str = operation._overloadpacket.__name__
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


def axis_of(axis: int, dims: int) -> int:
    """Count an axis from the front.

    Args:
        axis: maybe counted from the end, by negative numbers.
        dims: how many axes there are.

    Returns:
        From 0.
    """
    return axis + dims if axis < 0 else axis


@cache
def _signature(operation: Operation) -> tuple[tuple[str, ...], dict[str, Any]]:
    arguments = operation._schema.arguments
    names = tuple(each.name for each in arguments)
    return names, {each.name: each.default_value for each in arguments if each.has_default_value()}


def tensors_in(values: Sequence[Any]) -> list[Tensor]:
    """Find the tensors among values and in the lists among them.

    Args:
        values: arguments or results of an operation.

    Returns:
        The tensors in their order.
    """
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += [each for each in value if isinstance(each, torch.Tensor)]
    return found
