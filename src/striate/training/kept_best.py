"""The weights of the best validation so far, chosen and kept on the device without asking the host."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class KeptBest:
    """Copies of a network's tensors as they were at the best validation so far.

    Args:
        network: which stays where it is.

    >>> network = nn.Linear(1, 1)
    >>> best = KeptBest(network)
    >>> best.offer(loss=torch.tensor(1.0), right=torch.tensor(5))
    >>> kept = network.weight.item()
    >>> _ = network.weight.data.add_(1)
    >>> best.offer(loss=torch.tensor(0.5), right=torch.tensor(4))
    >>> best.tensors["weight"].item() == kept
    True
    """

    def __init__(self, network: nn.Module) -> None:
        self._own = network.state_dict()  # detached, but the same memory
        self.tensors = {name: tensor.clone() for name, tensor in self._own.items()}
        device = next(iter(self._own.values())).device
        self._right = torch.full((), -1, dtype=torch.int64, device=device)
        self._loss = torch.full((), torch.inf, device=device)

    def begin(self, tensors: Mapping[str, Tensor], *, loss: float, right: int) -> None:
        """Start anew, or from where another training stood.

        Args:
            tensors: its best so far, none where there was no validation.
            loss: of that validation.
            right: how many images it predicted correctly, -1 where there was none.
        """
        for name, tensor in tensors.items():
            self.tensors[name].copy_(tensor)
        self._right.fill_(right)
        self._loss.fill_(loss)

    @torch.no_grad()
    def offer(self, *, loss: Tensor, right: Tensor) -> None:
        """Keep the network as it is now where a validation was as good as any before, or better.

        Args:
            loss: of the validation, float32, no dimension; it decides between equal accuracies.
            right: how many images were predicted correctly, int64, no dimension.
        """
        as_good = (right > self._right) | ((right == self._right) & (loss <= self._loss))
        better = as_good & torch.isfinite(loss)
        self._right.copy_(torch.where(better, right, self._right))
        self._loss.copy_(torch.where(better, loss, self._loss))
        for name, tensor in self._own.items():
            kept = self.tensors[name]
            kept.copy_(torch.where(better, tensor, kept))
