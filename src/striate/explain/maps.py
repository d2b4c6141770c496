"""Feature maps: what the channels of a layer, or of every layer of a pass, give for one image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.engine.borrowing import borrowed
from striate.explain.layers import check_images, find_layer, layer_calls, observe, unwrapped
from striate.nn.inputs import by

_UNCHANGING = (
    nn.AlphaDropout,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.FeatureAlphaDropout,
    nn.Identity,
)
"""What gives in evaluation mode what it was given."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureMaps:
    """The maps of some channels of a layer for one image.

    Args:
        layer: its name.
        kind: its class.
        maps: float32, channels x spatial, on the CPU, the strongest first where not all are there.
        channels: int64, their numbers.
        total: how many channels the layer has.
        low: smallest value of all of its channels.
        high: largest value of all of its channels.
    """

    layer: str
    kind: str
    maps: Tensor
    channels: Tensor
    total: int
    low: float
    high: float


def feature_maps(network: nn.Module, image: Tensor, layer: str, *, count: int | None = None) -> FeatureMaps:
    """Compute the maps of a layer for one image, in evaluation mode.

    Args:
        network: any module; it is left as it was.
        image: 1 x C x spatial as the network takes it.
        layer: a name as in ``named_modules()``.
        count: at most so many channels, those of the largest mean of ``|value|``; ``None``: all in order.

    Returns:
        The maps and the range of the values.

    Raises:
        LayerError: for an unknown layer, one whose output is no map or not finite, or a count under 1.
        ShapeError: where it is not one image, or of a wrong size.

    >>> feature_maps(nn.Sequential(nn.Conv2d(1, 8, 3)), torch.zeros(1, 1, 5, 5), "0", count=2).maps.shape
    torch.Size([2, 3, 3])
    """
    return _maps_of(network, image, [layer], count)[0]


def all_feature_maps(
    network: nn.Module, image: Tensor, *, layers: Sequence[str] | None = None, count: int = 8
) -> tuple[FeatureMaps, ...]:
    """Compute the strongest maps of every layer of one forward pass: what a contact sheet shows.

    Args:
        network: any module; it is left as it was.
        image: 1 x C x spatial as the network takes it.
        layers: names; ``None``: every call of a module without parts that gives a map of more than one place,
            those left out that change nothing in evaluation mode (dropout, identity).
        count: at most so many channels of each, those of the largest mean of ``|value|``.

    Returns:
        The maps of each layer, in the order in which they are computed.

    Raises:
        LayerError: where no layer gives maps, and as `feature_maps`.
        ShapeError: where it is not one image, or of a wrong size.

    >>> network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten())
    >>> [found.layer for found in all_feature_maps(network, torch.zeros(1, 1, 5, 5))]
    ['0', '1']
    """
    if layers is None:
        check_images(image)
        layers = [
            call.name
            for call in layer_calls(network, image)
            if len(call.output or ()) == image.ndim
            and any(size > 1 for size in (call.output or ())[2:])
            and not any(call.module.children())
            and not isinstance(call.module, _UNCHANGING)
        ]
    if not layers:
        raise LayerError(f"no layer gives maps for an image of {by(image.shape[1:])}; there is none to show")
    return _maps_of(network, image, layers, count)


def _maps_of(
    network: nn.Module, image: Tensor, layers: Sequence[str], count: int | None
) -> tuple[FeatureMaps, ...]:
    check_images(image)
    if len(image) != 1:
        raise ShapeError(f"the maps of one image are wanted, and these are {len(image)}; images[:1] is one")
    if count is not None and count < 1:
        raise LayerError(f"{count} channels cannot be shown; 1 and more can")
    network = unwrapped(network)
    found: dict[str, FeatureMaps] = {}

    def see(name: str, given: Tensor | None, output: Tensor) -> None:
        del given
        if output.ndim != image.ndim:
            raise LayerError(
                f"layer '{name}' gives {by(output.shape[1:])} values, which are no map of an image of "
                f"{by(image.shape[1:])}"
            )
        kind = type(find_layer(network, name)).__name__
        found[name] = _strongest(name, kind, output[0].float().cpu(), count)

    with borrowed(network):
        observe(network, image, layers, see)
    return tuple(found[name] for name in layers)


def _strongest(layer: str, kind: str, maps: Tensor, count: int | None) -> FeatureMaps:
    strength = maps.flatten(1).abs().mean(dim=1)
    if not torch.isfinite(strength).all():
        raise LayerError(f"layer '{layer}' gives inf or NaN for this image; its maps cannot be drawn")
    channels = torch.arange(len(maps))
    if count is not None and count < len(maps):
        channels = strength.argsort(descending=True, stable=True)[:count]
    return FeatureMaps(
        layer=layer,
        kind=kind,
        maps=maps[channels],  # a copy, which later layers cannot write over
        channels=channels,
        total=len(maps),
        low=float(maps.min()),
        high=float(maps.max()),
    )
