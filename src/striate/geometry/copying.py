"""A stand-in for a network: a copy of its structure without its weights, which can be run and thrown away."""

from __future__ import annotations

import copy
import random
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from striate.core.errors import TraceError

COPY_ERRORS = (TypeError, ValueError, RuntimeError, AttributeError, LookupError, OSError, copy.Error)
"""What an object raises that does not let itself be copied."""


def stand_in(network: nn.Module) -> nn.Module:
    """Copy a network with tensors that have a shape and no memory, in evaluation mode.

    Objects that cannot be copied (a lock, an open file) are shared with the original.

    Args:
        network: is left as it is.

    Returns:
        The copy, on the device ``meta``.

    Raises:
        TraceError: where it cannot be copied.
    """
    memo: dict[int, Any] = {}
    for module in network.modules():
        for value in vars(module).values():
            _remember(value, memo)
    try:
        found = copy.deepcopy(network, dict(memo))
    except COPY_ERRORS:
        for module in network.modules():
            for value in vars(module).values():
                _share_what_cannot_be_copied(value, memo)
        try:
            found = copy.deepcopy(network, memo)
        except COPY_ERRORS as error:
            raise TraceError(f"the network cannot be copied to be followed: {error}") from error
    return found.eval()


@contextmanager
def randomness_kept() -> Iterator[None]:
    """Leave the random generators of torch, Python and NumPy as they were."""
    state, pythons = torch.get_rng_state(), random.getstate()
    numpys = np.random.get_state() if "numpy.random" in sys.modules else None  # noqa: NPY002 (the user's own)
    try:
        yield
    finally:
        torch.set_rng_state(state)
        random.setstate(pythons)
        if numpys is not None:
            np.random.set_state(numpys)  # noqa: NPY002


def _remember(value: Any, memo: dict[int, Any]) -> None:
    """Note what is to stand for a value in the copy, so that no weights are copied, nor large arrays."""
    if isinstance(value, Tensor):
        if id(value) not in memo:
            memo[id(value)] = _without_memory(value)
    elif isinstance(value, np.ndarray):
        memo[id(value)] = value
    elif isinstance(value, OrderedDict) and not value:
        # The hooks of most modules: to copy them otherwise takes most of the time.
        memo[id(value)] = OrderedDict()
    elif isinstance(value, dict):
        for each in value.values():
            _remember(each, memo)
    elif isinstance(value, (list, tuple)):
        for each in value:
            _remember(each, memo)


def _without_memory(tensor: Tensor) -> Tensor:
    if isinstance(tensor, (UninitializedParameter, UninitializedBuffer)):
        kind: Any = type(tensor)
        lazy: Tensor = kind(requires_grad=tensor.requires_grad, device="meta")
        return lazy
    empty = torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(empty, requires_grad=tensor.requires_grad)
    return empty


def _share_what_cannot_be_copied(value: Any, memo: dict[int, Any]) -> None:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple, set)):
        for each in value:
            _share_what_cannot_be_copied(each, memo)
    elif not isinstance(value, nn.Module):  # whose own parts are looked at by themselves
        try:
            copy.deepcopy(value, dict(memo))
        except COPY_ERRORS:
            memo[id(value)] = value
