"""Averages of a network's weights over the latest of its steps, kept beside it and validated in its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from striate.models import KeepsNorms


class AveragedWeights:
    """Averages of all tensors of a network over about a share of the steps so far, the latest ones.

    After step t they are ``b a + (1 - b) w`` with ``b = (1 - 1/t)^(2/share - 1)``. The steps in them are as
    old, on the average, as those of a plain mean over the latest ``share t`` steps, and with a share of 1
    they are the plain mean over all steps. The average grows with the training and knows nothing of its end.
    Running figures of norms are averaged as weights are; whole numbers are those of the last step.

    Args:
        network: which goes on learning as if there were no averages.
        share: in (0, 1]; ``None``: no averages are kept, and nothing below does anything.

    Source: Karras et al., Analyzing and Improving the Training Dynamics of Diffusion Models (2024), section
    3.1, for the power of t; the share stands for their gamma = 2/share - 2.

    >>> network = nn.Linear(1, 1, bias=False)
    >>> averages = AveragedWeights(network, share=1.0)
    >>> for step in (1, 2, 3):
    ...     _ = network.weight.data.fill_(step)
    ...     averages.update(step)
    >>> with averages.in_place():
    ...     round(network.weight.item(), 4)
    2.0
    """

    def __init__(self, network: nn.Module, *, share: float | None) -> None:
        self._network = network
        self._own: dict[str, Tensor] = {} if share is None else network.state_dict()
        self._kept = {name: tensor.clone() for name, tensor in self._own.items()}
        self._power = 0.0 if share is None else 2 / share - 1

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the weights after a step into the averages.

        Args:
            step: its number, from 1.
        """
        new = 1 - (1 - 1 / step) ** self._power
        for name, tensor in self._own.items():
            if tensor.is_floating_point():
                self._kept[name].lerp_(tensor, new)
            else:
                self._kept[name].copy_(tensor)

    @torch.no_grad()
    def update_by(self, number: Tensor) -> None:
        """Take the weights after a step into the averages by operations of the device alone.

        Args:
            number: of the step from 0, int64, no or one dimension, on the device.
        """
        if not self._own:
            return
        new = 1 - (1 - 1 / (number.double() + 1)).pow(self._power)
        names = [name for name, tensor in self._own.items() if tensor.is_floating_point()]
        kept = [self._kept[name] for name in names]
        apart = torch._foreach_sub([self._own[name] for name in names], kept)
        torch._foreach_mul_(apart, new.float().squeeze())
        torch._foreach_add_(kept, apart)
        for name, tensor in self._own.items():
            if not tensor.is_floating_point():
                self._kept[name].copy_(tensor)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the averages in the place of the weights while a block runs."""
        if not self._own:
            yield
            return
        before = {name: tensor.clone() for name, tensor in self._own.items()}
        self.settle()
        try:
            yield
        finally:
            _copy(before, self._own)

    def settle(self) -> None:
        """Put the averages in the place of the weights for good."""
        _copy(self._kept, self._own)
        # A mean of filters is shorter than they are.
        if self._own and isinstance(self._network, KeepsNorms):
            self._network.keep_norms()

    def follow(self) -> None:
        """Begin anew from the weights as they are, where a training went back to others."""
        _copy(self._own, self._kept)

    def tensors(self) -> dict[str, Tensor]:
        """Give what a checkpoint has to hold.

        Returns:
            The averages by name; nothing where none are kept.
        """
        return self._kept

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from a checkpoint.

        Args:
            tensors: what `tensors` gave; nothing before the first step.
        """
        if tensors:
            _copy(tensors, self._kept)


@torch.no_grad()
def _copy(values: Mapping[str, Tensor], into: Mapping[str, Tensor]) -> None:
    for name, tensor in into.items():
        tensor.copy_(values[name])
