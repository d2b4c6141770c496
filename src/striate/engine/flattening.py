"""Flatten maps with channels last in the order in which they lie, for a while, for the layer behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from striate.engine.following import directly_followed, is_untouched


@contextmanager
def flattened_as_they_lie(network: nn.Module, images: Tensor) -> Iterator[None]:
    """Spare the copies by which maps with channels last become vectors, and their gradients maps again.

    The columns of the dense layer behind a flattening are laid out anew, so that it gives the same but for
    rounding. Nothing is done where anything else looks at the vectors, or maps lie in another order.

    Args:
        network: borrowed; its parameters stay the same objects.
        images: N x C x H x W; the first is used to see what is flattened.

    Yields:
        Nothing.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(8, 1)).requires_grad_(False)
    >>> network[1].weight[0] = torch.arange(8.0)
    >>> with flattened_as_they_lie(network, torch.rand(1, 2, 2, 2).to(memory_format=torch.channels_last)):
    ...     network[1].weight.tolist()
    [[0.0, 4.0, 1.0, 5.0, 2.0, 6.0, 3.0, 7.0]]
    """
    found = directly_followed(network, images, first=_flattens, second=_is_dense) if images.ndim == 4 else []
    pairs: list[tuple[Any, Any, Tensor]] = [
        (follow.first, follow.second, follow.given) for follow in found if _has_channels_last(follow.given)
    ]
    kept = [dense.weight.data for _, dense, _ in pairs]
    try:
        for flatten, dense, given in pairs:
            columns = torch.arange(given[0].numel()).view(given.shape[1:]).permute(1, 2, 0).flatten()
            dense.weight.data = dense.weight.data[:, columns.to(dense.weight.device)]
            flatten.forward = _flatten_with_channels_last
        yield
    finally:
        for (flatten, dense, _), weight in zip(pairs, kept, strict=True):
            dense.weight.data = weight
            flatten.__dict__.pop("forward", None)


def _flatten_with_channels_last(maps: Tensor) -> Tensor:
    return maps.permute(0, 2, 3, 1).flatten(1)


def _flattens(module: nn.Module) -> bool:
    known = type(module) is nn.Flatten and (module.start_dim, module.end_dim) in ((1, -1), (1, 3))
    return known and is_untouched(module)


def _is_dense(module: nn.Module) -> bool:
    return type(module) is nn.Linear and is_untouched(module)


def _has_channels_last(maps: Tensor) -> bool:
    last = maps.ndim == 4 and maps.is_contiguous(memory_format=torch.channels_last)
    return last and not maps.is_contiguous()
