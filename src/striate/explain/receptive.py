"""Which part of the image the units of a layer see: one window for each place of its map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError, TraceError
from striate.explain.layers import (
    activations,
    called,
    check_images,
    find_layer,
    layer_calls,
    split_call,
    unwrapped,
)
from striate.geometry.fields import ReceptiveField
from striate.geometry.functions import first_tensor
from striate.geometry.tracing import trace
from striate.nn.inputs import by


@dataclass(frozen=True, kw_only=True)
class LayerField:
    """What the units of a layer see of an image.

    Args:
        layer: its name.
        channels: of its map.
        size: of its map along each spatial axis.
        image: size of the image along each spatial axis.
        fields: the receptive field along each axis; ``None`` where it is unknown.
        note: why it is unknown; empty where it is known.
    """

    layer: str
    channels: int
    size: tuple[int, ...]
    image: tuple[int, ...]
    fields: tuple[ReceptiveField | None, ...]
    note: str = ""

    @property
    def extent(self) -> tuple[int, ...]:
        """Image elements that a unit in the middle sees along each axis, at most all."""
        sizes = zip(self.fields, self.image, strict=True)
        return tuple(size if field is None else min(field.size, size) for field, size in sizes)

    def window(self, position: Sequence[int]) -> tuple[slice, ...]:
        """Say which part of the image a unit sees, padding left out.

        Args:
            position: of the unit in the map, one number from 0 an axis.

        Returns:
            One slice an axis; all of the image along an axis whose field is unknown.

        Raises:
            LayerError: where the map has no such position.

        >>> field = LayerField(
        ...     layer="conv", channels=1, size=(4,), image=(4,), fields=(ReceptiveField(first=-1, last=1),)
        ... )
        >>> field.window([0]), field.window([2])
        ((slice(0, 2, None),), (slice(1, 4, None),))
        """
        self.check_position(position)
        found = []
        for field, place, size in zip(self.fields, position, self.image, strict=True):
            seen = range(size) if field is None else field.elements(int(place), size=size)
            found.append(slice(seen.start, seen.stop))
        return tuple(found)

    def offset(self, position: Sequence[int]) -> tuple[int, ...]:
        """Say where in a frame of size `extent` the part that a unit sees lies, so that like places align.

        Args:
            position: of the unit in the map.

        Returns:
            Elements before it along each axis: those that lie in the padding; 0 inside of the image.

        Raises:
            LayerError: where the map has no such position.

        >>> field = LayerField(
        ...     layer="conv", channels=1, size=(4,), image=(4,), fields=(ReceptiveField(first=-1, last=1),)
        ... )
        >>> field.offset([0]), field.offset([2])
        ((1,), (0,))
        """
        found = []
        for axis, part in enumerate(self.window(position)):
            field, extent = self.fields[axis], self.extent[axis]
            if field is None or field.size > self.image[axis]:
                before = part.start
            else:
                before = part.start - math.ceil(field.first + field.jump * position[axis])
            found.append(max(0, min(before, extent - (part.stop - part.start))))
        return tuple(found)

    def check_position(self, position: Sequence[int]) -> None:
        """Refuse a position that the map does not have.

        Args:
            position: one number an axis.

        Raises:
            LayerError: where it has other axes, or is out of range.
        """
        fits = len(position) == len(self.size) and all(
            place in range(size) for place, size in zip(position, self.size, strict=True)
        )
        if not fits:
            raise LayerError(
                f"layer '{self.layer}' has no position {tuple(position)}: its map is {by(self.size)}, "
                "counted from 0"
            )

    def check_channel(self, channel: int) -> None:
        """Refuse a channel that the layer does not have.

        Args:
            channel: its number.

        Raises:
            LayerError: where it is out of range.
        """
        if channel not in range(self.channels):
            raise LayerError(
                f"layer '{self.layer}' has no channel {channel}: it has {self.channels}, which are 0 to "
                f"{self.channels - 1}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON can hold it.

        Returns:
            The figures by name; ``fields`` has one entry an axis.
        """
        return {
            "layer": self.layer,
            "channels": self.channels,
            "size": list(self.size),
            "image": list(self.image),
            "extent": list(self.extent),
            "fields": [field and field.to_dict() for field in self.fields],
            "note": self.note,
        }


def layer_field(network: nn.Module, images: Tensor, layer: str) -> LayerField:
    """Find out which part of an image the units of a layer see.

    The network is traced up to the layer, whatever module that is, a whole stage too. Where it cannot be
    followed, the field is unknown and the note says why.

    Args:
        network: any module; it is left as it was.
        images: N x C x spatial as the network takes them; the first is used.
        layer: a name as in ``named_modules()``, perhaps with a call's number, as in ``relu (2)``.

    Returns:
        The field of every unit.

    Raises:
        LayerError: for an unknown layer, one that is not called or whose output is no map, or where the
            network cannot take the images.
        ShapeError: where they are of a wrong size, with the arithmetic.

    >>> import torch
    >>> network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3))
    >>> layer_field(network, torch.zeros(1, 1, 28, 28), "2").extent
    (8, 8)
    """
    network = unwrapped(network)
    check_images(images)
    output = activations(network, images[:1], [layer], keep=lambda output: output[:1])[layer]
    if output.ndim != images.ndim:
        raise LayerError(_no_map(network, images, layer, output))
    sizes = tuple(images.shape[2:])
    fields: tuple[ReceptiveField | None, ...] | None = None
    try:
        last = trace(_UpTo(network, layer), tuple(images.shape[1:])).layers[-1]
        fields, note = last.fields, last.note
    except (ShapeError, TraceError) as error:
        note = f"its receptive field is unknown: {error}"
    if fields is None or len(fields) != len(sizes):
        fields, note = (None,) * len(sizes), note or "its receptive field is unknown"
    return LayerField(
        layer=layer,
        channels=output.shape[1],
        size=tuple(output.shape[2:]),
        image=sizes,
        fields=fields,
        note=note if None in fields else "",
    )


class _UpTo(nn.Module):
    """Gives what one call of a layer gives, so that the end of a trace is that layer."""

    def __init__(self, network: nn.Module, layer: str) -> None:
        super().__init__()
        self.network, self.layer = network, layer
        self.last = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        kept: dict[str, Tensor | None] = {}

        def tell(name: str, given: Any, output: Any) -> None:
            del given
            tensor = first_tensor(output)
            kept[name] = None if tensor is None else tensor.clone()

        path, wanted = split_call(self.layer)
        with called({path: find_layer(self.network, path)}, tell):
            self.network(images)
        tensor = kept.get(wanted)
        if tensor is None:
            raise TraceError(f"layer '{self.layer}' gives no tensor where the network is followed")
        output: Tensor = self.last(tensor)
        return output


def _no_map(network: nn.Module, images: Tensor, layer: str, output: Tensor) -> str:
    maps = [call.name for call in layer_calls(network, images) if len(call.output or ()) == images.ndim]
    instead = f"; '{maps[-1]}' is the last that gives maps" if maps else ""
    return (
        f"layer '{layer}' gives {by(output.shape[1:])} values for an image of {by(images.shape[1:])}, which "
        f"have no places in it{instead}"
    )
