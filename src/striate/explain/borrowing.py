"""Borrow a network: whatever a pass through it changes is put back, even where the pass fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def borrowed_in_training(network: nn.Module) -> Iterator[None]:
    """Put a network into training mode for a while, and put back the modes and buffers of all its parts.

    A pass in training mode moves the running figures of norms, which are buffers. Weights are not copied:
    a pass does not write them. A network whose own ``train`` keeps some parts in evaluation mode, as is
    done to freeze norms, keeps them so here.

    Args:
        network: any module.

    Yields:
        Nothing; the network is in training mode inside the block.

    >>> norm = nn.BatchNorm1d(2).eval()
    >>> with borrowed_in_training(norm):
    ...     _ = norm(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    >>> norm.training, norm.running_mean.tolist(), norm.num_batches_tracked.item()
    (False, [0.0, 0.0], 0)
    """
    modes = [(module, module.training) for module in network.modules()]
    buffers = [
        (module, name, buffer, buffer.detach().clone())
        for module in network.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]
    try:
        network.train()
        yield
    finally:
        for module, training in modes:
            module.training = training
        with torch.no_grad():
            for module, name, buffer, kept in buffers:
                buffer.copy_(kept)
                if getattr(module, name) is not buffer:
                    setattr(module, name, buffer)
