"""The effective receptive field: which part of what a unit could see its gradient really comes from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError, TraceError
from striate.geometry.functions import first_tensor
from striate.geometry.traced import Fields
from striate.geometry.tracing import trace

INSIDE = 1 - 0.9545
"""From which share of the largest gradient an element counts to the field: two standard deviations."""


@dataclass(frozen=True, kw_only=True)
class EffectiveField:
    """Where the gradient of the middle unit of a layer comes from.

    Args:
        layer: path of the module.
        unit: index of the unit along each spatial axis.
        map: mean size of the gradient at each place of the input, summed over channels, the largest being 1.
        images: how many were averaged.
        field: the theoretical receptive field, one an axis.
    """

    layer: str
    unit: tuple[int, ...]
    map: Tensor
    images: int
    field: Fields

    @property
    def radius(self) -> float:
        """Root of the mean squared distance from the map's centre of mass, in input elements."""
        weights = self.map.double()
        total = weights.sum()
        axes = [torch.arange(size, dtype=torch.float64) for size in weights.shape]
        places = torch.meshgrid(*axes, indexing="ij")
        squared = sum(
            ((place - (weights * place).sum() / total) ** 2 for place in places), torch.zeros_like(weights)
        )
        return math.sqrt(float((weights * squared).sum() / total))

    @property
    def size(self) -> float:
        """Side of the square of as many elements as have over 4.55 % of the largest gradient."""
        return float((self.map > INSIDE).sum().item() ** (1 / self.map.ndim))

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON can hold it.

        Returns:
            The fields and figures by name; the map as nested lists.
        """
        return {
            "layer": self.layer,
            "unit": list(self.unit),
            "radius": self.radius,
            "size": self.size,
            "images": self.images,
            "field": [field and field.to_dict() for field in self.field],
            "map": self.map.tolist(),
        }


def effective_receptive_field(
    network: nn.Module,
    images: Tensor | Sequence[int],
    *,
    layer: str | None = None,
    count: int = 8,
    seed: int = 0,
) -> EffectiveField:
    """Measure from which input elements the gradient of a layer's middle unit comes.

    The gradient of the unit, summed over its channels, with respect to the image; its absolute value summed
    over the image's channels, averaged over images, divided by the largest. In evaluation mode; the network,
    its gradients and its mode stay as they are.

    Args:
        network: any module of one input.
        images: N x C x spatial; or a shape without the batch, for which random ones (standard normal) are
            drawn.
        layer: path of a module; ``None`` takes the last one whose elements have places in the input.
        count: how many random images, at least 1.
        seed: of the random images.

    Returns:
        The map with its radius and size.

    Raises:
        ShapeError: where the images have no spatial axes, or are none.
        LayerError: where there is no such module, or it gives no feature map.
        TraceError: where the network never calls the module, or has no feature map.

    Source: Luo, Li, Urtasun and Zemel, Understanding the Effective Receptive Field in Deep Convolutional
    Neural Networks (2016), section 3; they give the unit a gradient of 1 too, and call what is over 4.55 % of
    the largest the field. The radius is our addition, since it needs no threshold.

    >>> network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 1, 3, padding=1))
    >>> tuple(effective_receptive_field(network, (1, 9, 9)).map.shape)
    (9, 9)
    """
    if not isinstance(images, Tensor):
        generator = torch.Generator().manual_seed(seed)
        first = next(network.parameters(), torch.empty(0))
        drawn = torch.randn((count, *images), generator=generator)
        images = drawn.to(device=first.device, dtype=first.dtype)
    if images.ndim < 3 or not len(images):
        raise ShapeError(
            f"images of shape {tuple(images.shape)} have no effective receptive field; give N x C x spatial, "
            "N from 1"
        )
    layer, field = _field_of(network, tuple(images.shape[1:]), layer)
    gradients, unit = _gradients(network, images, layer)
    found = gradients.abs().sum(dim=1).mean(dim=0).float().cpu()
    largest = found.max()
    return EffectiveField(
        layer=layer, unit=unit, map=found / largest if largest > 0 else found, images=len(images), field=field
    )


def _field_of(network: nn.Module, shape: tuple[int, ...], layer: str | None) -> tuple[str, Fields]:
    """Find the layer to be measured, and its theoretical receptive field."""
    layers = (each for each in trace(network, shape).layers if len(each.output) == len(shape))
    maps = [each for each in layers if each.is_map and not each.functional]
    if layer is None:
        if not maps:
            raise TraceError(
                "the network has no module that gives a feature map; name one of its modules by layer="
            )
        layer = maps[-1].name
    elif layer not in dict(network.named_modules()):
        raise LayerError(f"the network has no module '{layer}'; named_modules() lists them")
    known = next((each.fields for each in reversed(maps) if each.name == layer), None)
    return layer, known or (None,) * (len(shape) - 1)


def _gradients(network: nn.Module, images: Tensor, layer: str) -> tuple[Tensor, tuple[int, ...]]:
    """Run the network up to a layer and give the gradient of its middle unit with respect to the images."""
    images = images.detach().clone().requires_grad_()
    with _evaluating(network), torch.enable_grad(), _stopping_at(network.get_submodule(layer)):
        try:
            network(images)
        except _Reached as reached:
            features = reached.features
        else:
            raise TraceError(f"the network never calls its module '{layer}'")
    if features is None or features.ndim != images.ndim:
        shape = "no tensor" if features is None else f"{tuple(features.shape)}"
        raise LayerError(
            f"the module '{layer}' gives {shape}, which is no feature map of images of {images.ndim - 2} axes"
        )
    unit = tuple(size // 2 for size in features.shape[2:])
    place: list[Any] = [slice(None), slice(None), *unit]
    middle = features[tuple(place)].sum()
    return torch.autograd.grad(middle, images)[0], unit


class _Reached(BaseException):
    """Ends a forward pass where the layer asked for has been computed; nothing on the way may catch it."""

    def __init__(self, features: Tensor | None) -> None:
        super().__init__()
        self.features = features


@contextmanager
def _stopping_at(module: nn.Module) -> Iterator[None]:
    def stop(module: nn.Module, args: Any, output: Any) -> None:
        del module, args
        raise _Reached(first_tensor(output))

    handle = module.register_forward_hook(stop)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, and each of its parts back into the mode it was in."""
    training = [part for part in network.modules() if part.training]
    network.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True
