"""Borrow a network: whatever a pass through it changes is put back, even where the pass fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from striate.core.errors import LayerError


@contextmanager
def borrowed(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode with its weights frozen, and put back all that this changes.

    No gradient is computed for weights, and none is left on them. Modes, ``requires_grad`` and buffers are as
    before afterwards, also after an error; hooks are removed by whoever sets them.

    Args:
        network: any module.

    Yields:
        Nothing; the network is in evaluation mode inside the block.

    Raises:
        LayerError: where it has lazy layers, which a pass would change for good.

    >>> layer = nn.Linear(2, 2)
    >>> with borrowed(layer):
    ...     print(layer.training, layer.weight.requires_grad)
    False False
    >>> layer.training, layer.weight.requires_grad
    (True, True)
    """
    if any(nn.parameter.is_lazy(each) for each in (*network.parameters(), *network.buffers())):
        raise LayerError("the network has lazy layers, whose sizes are not known yet; run it on images once")
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    with _modes_and_buffers_kept(network):
        try:
            network.eval()
            for parameter in trained:
                parameter.requires_grad_(False)
            yield
        finally:
            for parameter in trained:
                parameter.requires_grad_(True)


@contextmanager
def borrowed_for_gradients(network: nn.Module) -> Iterator[None]:
    """Borrow a network, and take derivatives by its input, whatever the caller has switched off.

    Args:
        network: any module.

    Yields:
        Nothing; inside the block the network is borrowed, and what is computed has derivatives.

    >>> with torch.inference_mode(), borrowed_for_gradients(nn.Linear(2, 2)):
    ...     print(torch.is_grad_enabled(), torch.is_inference_mode_enabled())
    True False
    """
    with borrowed(network), torch.inference_mode(False), torch.enable_grad():
        yield


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
    with _modes_and_buffers_kept(network):
        network.train()
        yield


@contextmanager
def _modes_and_buffers_kept(network: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in network.modules()]
    buffers = [
        (module, name, buffer, buffer.detach().clone())
        for module in network.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        with torch.no_grad():
            for module, name, buffer, kept in buffers:
                if not torch.equal(buffer, kept):  # to write would spoil graphs that others hold
                    buffer.copy_(kept)
                if getattr(module, name) is not buffer:
                    setattr(module, name, buffer)
