"""Optimisers of torch that do not load its compiler, which takes over a second of a process."""

from __future__ import annotations

import functools
import inspect
from typing import Any, TypeVar

import torch

Kind = TypeVar("Kind", bound=torch.optim.Optimizer)

MARKED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
"""Methods that torch marks as not to be compiled, for which it imports its compiler when they are called."""


def uncompiled(kind: type[Kind]) -> type[Kind]:
    """Give a kind of optimiser without the marks for torch's compiler; it does the same otherwise.

    Making or stepping torch's own imports the compiler, used or not: 1.1 s by itself (median of 5) on 2
    cores, where a process that trains to 91 % of Fashion-MNIST takes 16.5 s with it and 15.0 s without
    (medians of 6 seeds, in turns; 1.2 epochs).

    Args:
        kind: an optimiser whose steps need no gradients of their own (``differentiable``), and are not
            compiled.

    Returns:
        A subclass of the same name.

    >>> optimizer = uncompiled(torch.optim.SGD)([torch.ones(2, requires_grad=True)], lr=0.1)
    >>> isinstance(optimizer, torch.optim.SGD)
    True
    """
    made: type[Kind] = _subclass(kind)  # type: ignore[arg-type]  # classes do have a hash
    return made


@functools.cache
def _subclass(kind: type[torch.optim.Optimizer]) -> Any:
    methods: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in MARKED}
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), {"__doc__": kind.__doc__, "__module__": kind.__module__, **methods})
