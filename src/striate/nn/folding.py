"""Fold batch norms into the convolutions before them, which computes the same in fewer passes over memory."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from striate.nn.convolution import Conv

_Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d | Conv


class _Followed:
    """Which norms are given what a convolution made, untouched, while images go through a network."""

    def __init__(self) -> None:
        self.pairs: list[tuple[_Convolution, _BatchNorm]] = []
        self.calls: Counter[nn.Module] = Counter()
        # The tensors themselves are kept, so that none of them has the identity of another that is gone.
        self._made: dict[int, tuple[_Convolution, Tensor, int]] = {}

    def note_output(self, module: nn.Module, _: Any, output: Any) -> None:
        self.calls[module] += 1
        if isinstance(module, _Convolution) and isinstance(output, Tensor):
            self._made[id(output)] = module, output, output._version

    def note_input(self, module: nn.Module, given: tuple[Any, ...]) -> None:
        if not isinstance(module, _BatchNorm) or not given:
            return
        convolution, output, version = self._made.get(id(given[0]), (None, None, -1))
        # An activation in place gives the same tensor, with other values.
        if convolution is not None and output is not None and output._version == version:
            self.pairs.append((convolution, module))


@torch.no_grad()
def fold_norms(network: nn.Module, images: Tensor) -> int:
    """Fold every batch norm that follows a convolution into it, as it is in evaluation.

    ``w' = w g/s`` and ``b' = (b - m) g/s + h``: m and s are the norm's running mean and deviation, g and h
    its weight and bias. Which norms follow convolutions is found by looking at images on their way; a layer
    that is called twice stays as it is.

    Args:
        network: changed in place; it must be in evaluation mode, and is good for that only afterwards.
        images: a few that it takes.

    Returns:
        How many norms were folded.

    >>> network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()).eval()
    >>> fold_norms(network, torch.zeros(1, 1, 4, 4)), network[1]
    (1, Identity())
    """
    followed = _Followed()
    handles = []
    for module in network.modules():
        handles.append(module.register_forward_hook(followed.note_output))
        handles.append(module.register_forward_pre_hook(followed.note_input))
    try:
        network(images)
    finally:
        for handle in handles:
            handle.remove()
    names = {module: name for name, module in network.named_modules()}
    folded = 0
    for convolution, norm in followed.pairs:
        if followed.calls[convolution] == followed.calls[norm] == 1 and norm.running_var is not None:
            _fold(convolution, norm)
            network.set_submodule(names[norm], nn.Identity())
            folded += 1
    return folded


def _fold(convolution: _Convolution, norm: _BatchNorm) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = (norm.running_var + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight
    before = 0 if convolution.bias is None else convolution.bias
    bias = (before - norm.running_mean) * scale
    if norm.bias is not None:
        bias = bias + norm.bias
    weight = convolution.weight * scale.view(-1, *[1] * (convolution.weight.ndim - 1))
    convolution.weight = nn.Parameter(weight, requires_grad=False)
    convolution.bias = nn.Parameter(bias, requires_grad=False)
