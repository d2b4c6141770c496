"""What a visualisation makes large: the mean of a channel's map or a class's logit; what it keeps apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.explain.layers import called, find_layer, split_call
from striate.explain.scores import reason_of
from striate.geometry.functions import first_tensor
from striate.nn.inputs import by


class Objective:
    """Computes how much units are excited by images, with derivatives.

    Args:
        network: borrowed.
        layer: whose channels are the units; ``None``: the units are the network's outputs.
        features: of which layer feature maps are wanted; ``None``: of none.
    """

    def __init__(self, network: nn.Module, *, layer: str | None, features: str | None) -> None:
        self._network = network
        self.layer, self._features = layer, features
        names = [name for name in (layer, features) if name is not None]
        self._modules = {split_call(name)[0]: find_layer(network, name) for name in names}
        weight = next((each for each in network.parameters() if each.is_floating_point()), torch.empty(0))
        self.device, self._kind = weight.device, weight.dtype

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Excite the units.

        Args:
            images: N x C x H x W.

        Returns:
            (N, units), each the mean over the places of a map; and N x channels x places of the layer
            whose features are wanted.

        Raises:
            LayerError: where the network cannot take the images, the layer is not called or gives no tensor
                of channels, or a value is inf or NaN.
        """
        given = images.to(device=self.device, dtype=self._kind, copy=True)
        caught: dict[str, Tensor | None] = {}

        def tell(call: str, arguments: Any, output: Any) -> None:
            del arguments
            tensor = first_tensor(output)
            # A copy, since a later layer may write over it.
            caught[call] = None if tensor is None else tensor.clone()

        try:
            with called(self._modules, tell):
                output = self._network(given)
        except torch.OutOfMemoryError:
            raise
        except (IndexError, RuntimeError, TypeError, ValueError) as error:
            raise LayerError(
                f"the network cannot take images of {by(images.shape)}: {reason_of(error)}"
            ) from error
        maps = self._found(caught, self.layer, len(images)) if self.layer is not None else output
        values = self._checked(maps, len(images))
        features = None
        if self._features is not None:
            features = self._found(caught, self._features, len(images)).flatten(2).float()
        return values, features

    def _found(self, caught: dict[str, Tensor | None], name: str, count: int) -> Tensor:
        call = split_call(name)[1]
        if call not in caught:
            raise LayerError(f"the network does not call its layer '{name}' for these images")
        tensor = caught[call]
        if tensor is None or not tensor.is_floating_point() or tensor.ndim < 2 or len(tensor) != count:
            raise LayerError(f"layer '{name}' gives no floating-point tensor of {count} x channels")
        return tensor

    def _checked(self, maps: Any, count: int) -> Tensor:
        if not isinstance(maps, Tensor) or maps.ndim < 2 or len(maps) != count:
            given = by(maps.shape) if isinstance(maps, Tensor) else f"a {type(maps).__name__}"
            raise ShapeError(f"the network gives {given} for {count} images, where {count} x classes is due")
        values = maps.float().flatten(2).mean(dim=2) if maps.ndim > 2 else maps.float()
        if not torch.isfinite(values).all():
            where = "the network" if self.layer is None else f"layer '{self.layer}'"
            raise LayerError(f"{where} gives values that are inf or NaN, which cannot be made larger")
        return values


def check_units(units: Sequence[int], count: int, layer: str | None) -> tuple[int, ...]:
    """Refuse units that are not there.

    Args:
        units: numbers of channels or classes.
        count: how many there are.
        layer: of the channels; ``None``: they are classes.

    Returns:
        The units.

    Raises:
        LayerError: where there is none, or one is out of range.

    >>> check_units([3], 3, None)
    Traceback (most recent call last):
    striate.core.errors.LayerError: there is no class 3: the network has 3, which are 0 to 2
    """
    kind, owner = ("class", "the network") if layer is None else ("channel", f"layer '{layer}'")
    if not units:
        raise LayerError(f"no {kind} is named to be visualised; 0 to {count - 1} can be")
    for unit in units:
        if isinstance(unit, bool) or not isinstance(unit, int) or not 0 <= unit < count:
            raise LayerError(f"there is no {kind} {unit}: {owner} has {count}, which are 0 to {count - 1}")
    return tuple(units)


def similarity(features: Tensor) -> Tensor:
    """Measure how alike images are in what features occur together, wherever they are.

    For each group of V images: the mean over pairs of the cosine between their Gram matrices
    ``G = (F - m)(F - m)' / places``, of features F, channels x places, and the mean m of each channel over
    the places of the whole group.

    Args:
        features: groups x V x channels x places, V at least 2.

    Returns:
        (groups), 1 where all images of a group have the same Gram matrix, up to a factor.

    Source: Olah, Mordvintsev and Schubert, Feature visualization (Distill, 2017), on diversity; there m is 0,
    which makes images of one brightness alike whatever they show.

    >>> round(similarity(torch.eye(4).expand(1, 2, 4, 4)).item(), 4)
    1.0
    """
    variants = features.shape[1]
    centred = features - features.mean(dim=(1, 3), keepdim=True)
    grams = (centred @ centred.transpose(2, 3) / features.shape[3]).flatten(2)
    # Ones that are all 0 have no direction: they count as unlike.
    directions = grams / grams.norm(dim=2, keepdim=True).clamp(min=1e-20)
    cosines = directions @ directions.transpose(1, 2)
    pairs: Tensor = cosines.sum(dim=(1, 2)) - cosines.diagonal(dim1=1, dim2=2).sum(dim=1)
    return pairs / (variants * (variants - 1))
