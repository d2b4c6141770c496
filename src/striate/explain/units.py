"""One unit of a network: its value for an image, the part of it that it sees, and the sum that it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from striate.core.errors import ShapeError
from striate.engine.borrowing import borrowed
from striate.explain.filters import is_convolution
from striate.explain.layers import check_images, find_layer, layer_calls, observe, split_call, unwrapped
from striate.explain.receptive import LayerField, layer_field
from striate.geometry import same_tf_padding
from striate.nn import Conv
from striate.reference.explaining import ExplainedSum, explain_sum


@dataclass(frozen=True, kw_only=True, eq=False)
class Unit:
    """One unit of a layer for one image.

    Args:
        field: what the units of its layer see.
        channel: of the layer.
        position: in the layer's map.
        value: what the network computes there.
        sum: the sum of products that the value is, computed anew in double precision, where the layer is a
            convolution; else ``None``.
        note: what is to be known of the sum, or why there is none.
    """

    field: LayerField
    channel: int
    position: tuple[int, ...]
    value: float
    sum: ExplainedSum | None
    note: str

    @property
    def layer(self) -> str:
        """The layer's name."""
        return self.field.layer

    @property
    def window(self) -> tuple[slice, ...]:
        """The part of the image that it sees, one slice an axis."""
        return self.field.window(self.position)

    def text(self) -> str:
        """Write out what the unit is, and its sum term by term.

        Returns:
            Several lines, without a line break after the last.
        """
        places = ", ".join(f"{part.start} to {part.stop - 1}" for part in self.window)
        lines = [
            f"unit of layer '{self.layer}', channel {self.channel}, position {self.position}: {self.value:g}",
            f"it sees the image's elements {places}" + (f" ({self.field.note})" if self.field.note else ""),
            *([self.note] if self.note else []),
        ]
        return "\n".join([*lines, "", self.sum.text()] if self.sum else lines)


class _Weighing(NamedTuple):
    """How a convolution weighs its input: what is put around it along each axis, and in which mode."""

    borders: list[tuple[int, int]]
    mode: str
    stride: tuple[int, ...]
    dilation: tuple[int, ...]


def explain_unit(
    network: nn.Module, image: Tensor, layer: str, *, channel: int, position: Sequence[int]
) -> Unit:
    """Say what one unit of a layer is for an image: its value, what it sees, and the sum that made the value.

    The sum is that of a convolution, with its bias, of any stride, padding, dilation and groups. Its terms
    are what the layer was given times its weights; its total is checked against the network's own value. Of
    any other layer it is said that there is no such sum.

    Args:
        network: any module; it is left as it was.
        image: 1 x C x spatial as the network takes it.
        layer: a name as in ``named_modules()``; its output must be a map.
        channel: from 0.
        position: in the layer's map, one number from 0 an axis.

    Returns:
        The unit.

    Raises:
        LayerError: for an unknown layer, one whose output is no map, or where it has no such channel or
            position.
        ShapeError: where it is not one image, or of a wrong size.

    >>> network = nn.Sequential(nn.Conv1d(1, 1, 2))
    >>> _ = network[0].weight.data.copy_(torch.tensor([[[5.0, -1.0]]])), network[0].bias.data.fill_(4.0)
    >>> print(explain_unit(network, torch.tensor([[[1.0, 2, 3]]]), "0", channel=0, position=[1]).sum.text())
    output 0 at (1)
    <BLANKLINE>
    channel 0, value * weight:
      2*5 + 3*(-1)
    = 7
    <BLANKLINE>
    the channel and the bias:
      7 + 4
    = 11
    """
    network = unwrapped(network)
    check_images(image)
    if len(image) != 1:
        raise ShapeError(f"a unit is explained for one image, and these are {len(image)}; images[:1] is one")
    field = layer_field(network, image, layer)
    place = tuple(position)
    field.check_channel(channel)
    field.check_position(place)
    module = find_layer(network, layer)
    kept: list[tuple[Tensor | None, Tensor]] = []

    def see(name: str, given: Tensor | None, output: Tensor) -> None:
        del name
        inputs = given.detach().clone() if given is not None and is_convolution(module) else None
        kept.append((inputs, output[0, channel, *place].detach().clone()))

    with borrowed(network):
        observe(network, image, [layer], see)
    given, value = kept[0]
    if given is None:
        found, note = None, _no_sum(network, image, layer)
    else:
        found, note = _checked_sum(module, given, value, channel, place)
    return Unit(field=field, channel=channel, position=place, value=value.item(), sum=found, note=note)


def convolution_before(network: nn.Module, images: Tensor, layer: str) -> str | None:
    """Name the convolution that runs last before a layer ends.

    Args:
        network: any module; it is left as it was.
        images: N x C x spatial as the network takes them; the first is used.
        layer: a name as in ``named_modules()``.

    Returns:
        Its name; ``None`` where none runs before.

    Raises:
        LayerError: where the network cannot take the images.
        ShapeError: where they are of a wrong size, with the arithmetic.

    >>> import torch
    >>> convolution_before(nn.Sequential(nn.Conv1d(1, 1, 3), nn.ReLU()), torch.zeros(1, 1, 5), "1")
    '0'
    """
    _, wanted = split_call(layer)
    found = None
    for call in layer_calls(network, images):
        if call.name == wanted:
            break
        if is_convolution(call.module):
            found = call.name
    return found


def _checked_sum(
    module: nn.Module, given: Tensor, value: Tensor, channel: int, place: tuple[int, ...]
) -> tuple[ExplainedSum | None, str]:
    """Write the sum out, and keep it where it is the network's value but for rounding."""
    found, note = _sum_of(module, given, channel, place)
    # Products of rounded factors; some devices multiply in less than float32.
    allowed = max(4 * torch.finfo(value.dtype).eps, 2e-3) * (abs(found.products).sum() + abs(found.bias))
    if abs(found.total - value.item()) <= allowed:
        return found, note
    return None, (
        f"the sum of its weights' products is {found.total:g} and the network's value {value.item():g}: the "
        f"layer ({type(module).__name__}) does more than a convolution, so that it is not written as a sum"
    )


def _sum_of(
    module: nn.Module, given: Tensor, channel: int, place: tuple[int, ...]
) -> tuple[ExplainedSum, str]:
    weighing = _weighing(module, tuple(given.shape[2:]))
    weight, bias = module.weight, module.bias
    assert isinstance(weight, Tensor)
    padding = [before for before, _ in weighing.borders]
    note = ""
    if weighing.mode != "constant" or any(before != after for before, after in weighing.borders):
        sides = [side for pair in reversed(weighing.borders) for side in pair]
        given = F.pad(given.double(), sides, mode=weighing.mode)
        kind = "zeros" if weighing.mode == "constant" else f"padding in the mode '{weighing.mode}'"
        sizes = " and ".join(f"{before} before and {after} after" for before, after in weighing.borders)
        note, padding = f"among the values of the sum are {kind}: {sizes}", [0] * len(padding)
    explained = explain_sum(
        given.double().cpu().numpy(),
        weight.detach().double().cpu().numpy(),
        bias.detach().double().cpu().numpy() if isinstance(bias, Tensor) else None,
        position=place,
        channel=channel,
        stride=weighing.stride,
        padding=padding,
        dilation=weighing.dilation,
    )
    return explained, note


def _weighing(module: nn.Module, sizes: tuple[int, ...]) -> _Weighing:
    if isinstance(module, Conv):
        borders = [(each, each) for each in module.padding]
        if module.follows_size:
            axes = zip(sizes, module.kernel, module.stride, module.dilation, strict=True)
            borders = [
                same_tf_padding(size, kernel=kernel, stride=stride, dilation=dilation)
                for size, kernel, stride, dilation in axes
            ]
        return _Weighing(borders, "constant", module.stride, module.dilation)
    assert isinstance(module, _ConvNd)
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    if not isinstance(module.padding, str):
        borders = [(each, each) for each in module.padding]
    elif module.padding == "valid":
        borders = [(0, 0) for _ in sizes]
    else:
        totals = [apart * (of - 1) for of, apart in zip(module.kernel_size, module.dilation, strict=True)]
        borders = [(total // 2, total - total // 2) for total in totals]
    return _Weighing(borders, mode, module.stride, module.dilation)


def _no_sum(network: nn.Module, image: Tensor, layer: str) -> str:
    before = convolution_before(network, image, layer)
    kind = type(find_layer(network, layer)).__name__
    instead = f"; the last convolution before its end is '{before}', whose units are" if before else ""
    return f"a unit of '{layer}' ({kind}) is not one sum of values times weights{instead}"
