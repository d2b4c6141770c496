"""The filters of a convolution as data; of the first layer they can be read as small images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from striate.core.errors import LayerError
from striate.explain.layers import find_layer, unwrapped
from striate.nn import Conv


@dataclass(frozen=True, kw_only=True, eq=False)
class Filters:
    """The filters of a convolution.

    Args:
        layer: its name.
        weights: float32, filters x channels x kernel, on the CPU.
    """

    layer: str
    weights: Tensor

    @property
    def norms(self) -> Tensor:
        """Euclidean norm of each filter."""
        found: Tensor = torch.linalg.vector_norm(self.weights.flatten(1), dim=1)
        return found

    @property
    def are_colours(self) -> bool:
        """Whether each filter has three channels and two axes: red, green and blue of a small image."""
        return self.weights.ndim == 4 and self.weights.shape[1] == 3

    def as_images(self) -> Tensor:
        """Give the filters as images in [0, 1]: ``1/2 + w / (2 max|w|)``, the maximum over the whole filter.

        A weight of 0 is 1/2, so that of colours grey is where nothing is weighed.

        Returns:
            float32, filters x channels x kernel; a filter of zeros is 1/2 everywhere.

        >>> Filters(layer="conv", weights=torch.tensor([[[-2.0, 0.0, 1.0]]])).as_images().tolist()
        [[[0.0, 0.5, 0.75]]]
        """
        largest = self.weights.flatten(1).abs().amax(dim=1).view(-1, *[1] * (self.weights.ndim - 1))
        return 0.5 + self.weights / (2 * torch.where(largest > 0, largest, 1))

    def strongest(self, count: int) -> Tensor:
        """Number the filters of the largest norm.

        Args:
            count: at most so many.

        Returns:
            int64, the strongest first.
        """
        return self.norms.argsort(descending=True, stable=True)[:count]


def first_filters(network: nn.Module, *, layer: str | None = None) -> Filters:
    """Take the filters of a network's first convolution, or of another one.

    Args:
        network: any module.
        layer: name of a convolution; ``None``: the first one that the network lists.

    Returns:
        The filters, biases left out.

    Raises:
        LayerError: for an unknown layer, one that is no convolution, or a network without any.

    >>> first_filters(nn.Sequential(nn.Flatten(2), nn.Conv1d(3, 8, 5))).weights.shape
    torch.Size([8, 3, 5])
    """
    network = unwrapped(network)
    found = {path: module for path, module in network.named_modules() if is_convolution(module)}
    if layer is None:
        if not found:
            raise LayerError(f"the network ({type(network).__name__}) has no convolution, so no filters")
        layer = next(iter(found))
    module = find_layer(network, layer)
    if not is_convolution(module):
        first = f"; '{next(iter(found))}' is the first that is one" if found else ""
        raise LayerError(f"layer '{layer}' ({type(module).__name__}) is no convolution{first}")
    weight = module.weight
    assert isinstance(weight, Tensor)
    if nn.parameter.is_lazy(weight):
        raise LayerError(f"layer '{layer}' has no weights yet; run the network on images once")
    return Filters(layer=layer, weights=weight.detach().float().cpu())


def is_convolution(module: nn.Module) -> bool:
    """Tell whether a module weighs windows of its input by shared weights and sums them up.

    Args:
        module: any.

    Returns:
        True of torch's and striate's convolutions; not of transposed ones.

    >>> is_convolution(nn.Conv2d(1, 1, 1)), is_convolution(nn.ConvTranspose2d(1, 1, 1))
    (True, False)
    """
    return isinstance(module, Conv) or (isinstance(module, _ConvNd) and not module.transposed)
