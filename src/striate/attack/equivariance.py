"""How far each layer of a network follows when its images are shifted around: the equivariance error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.core.errors import AttackError
from striate.engine.borrowing import borrowed

SHIFTS = (1, 2, 4)
"""So many pixels images are shifted, each down and to the right."""

VALUES_AT_ONCE = 2**18
"""Images of so many values pass together: the maps of all layers are kept meanwhile, twice."""


@dataclass(frozen=True)
class LayerShift:
    """How far a layer's maps follow a shift of the images.

    Args:
        name: the layer's path.
        kind: its class.
        size: of its maps.
        shifts: pixels, by which images were shifted around.
        errors: for each of them; 0 where the maps are shifted as the images are, about 1 where they have
            nothing in common.
    """

    name: str
    kind: str
    size: tuple[int, ...]
    shifts: tuple[int, ...]
    errors: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON can hold it.

        Returns:
            By name.
        """
        values = asdict(self).items()
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values}


@torch.no_grad()
def layer_shifts(
    network: nn.Module, images: Tensor, *, shifts: Sequence[int] = SHIFTS
) -> tuple[LayerShift, ...]:
    """Measure how far each layer with maps is from following circular shifts of its images.

    With F(x) the maps enlarged to the size of the images (each element as a block), and S a circular shift,
    the error is ``sqrt(sum |F(Sx) - S F(x)|^2 / sum (|F(Sx)|^2 + |F(x)|^2))``, summed over the images and the
    shifts down and to the right. A stride of s makes shifts that are no multiple of s an error; padding that
    is not circular makes one at the borders; sampling that aliases makes one everywhere.

    Args:
        network: any module; it is left as it was.
        images: N x C x H x W as it takes them.
        shifts: pixels, each at least 1 and less than the smaller side.

    Returns:
        The layers in the order in which they end; a module that only passes on what its last part gives is
        not listed, and of several calls the first counts.

    Raises:
        AttackError: where images or shifts are of a wrong kind.

    Source: Zhang, Making Convolutional Networks Shift-Invariant Again (2019), section 3.1, with a relative
    distance instead of the cosine one.

    >>> circular = nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular")
    >>> (layer,) = layer_shifts(nn.Sequential(circular, nn.Flatten()), torch.rand(2, 1, 8, 8), shifts=[3])
    >>> layer.errors[0] < 1e-6
    True
    """
    shifts = tuple(shifts)
    if images.ndim != 4 or not len(images):
        raise AttackError(f"layers are followed on images N x C x H x W, and these are {tuple(images.shape)}")
    wrong = [each for each in shifts if not 1 <= each < min(images.shape[2:])]
    if wrong or not shifts:
        raise AttackError(
            f"a shift of {wrong[0] if wrong else 'no'} pixels cannot be measured on images of "
            f"{images.shape[2]}x{images.shape[3]}; 1 to {min(images.shape[2:]) - 1} can"
        )
    sums: dict[str, _Sums] = {}
    with borrowed(network):
        images = _like_weights(images, network)
        for part in torch.split(images, max(1, VALUES_AT_ONCE // images[0].numel())):
            still = _maps(network, part)
            for place, pixels in enumerate(shifts):
                for axis in (2, 3):
                    moved = _maps(network, part.roll(pixels, axis))
                    for name in still.keys() & moved.keys():
                        kept = sums.setdefault(name, _Sums.of(network, name, still[name], len(shifts)))
                        kept.add(place, still[name], moved[name], part.shape[2:], (pixels, axis))
        order = list(still)
    return tuple(sums[name].result(shifts) for name in order if name in sums)


@dataclass
class _Sums:
    name: str
    kind: str
    size: tuple[int, ...]
    distances: list[float]
    lengths: list[float]

    @classmethod
    def of(cls, network: nn.Module, name: str, maps: Tensor, count: int) -> _Sums:
        kind = type(network.get_submodule(name)).__name__
        return cls(name, kind, tuple(maps.shape[2:]), [0.0] * count, [0.0] * count)

    def add(self, place: int, still: Tensor, moved: Tensor, size: Sequence[int], by: tuple[int, int]) -> None:
        pixels, axis = by
        before, after = (_enlarged(each, size) for each in (still, moved))
        self.distances[place] += (after - before.roll(pixels, axis)).double().square().sum().item()
        self.lengths[place] += (after.double().square().sum() + before.double().square().sum()).item()

    def result(self, shifts: tuple[int, ...]) -> LayerShift:
        pairs = zip(self.distances, self.lengths, strict=True)
        errors = tuple(math.sqrt(distance / length) if length else 0.0 for distance, length in pairs)
        return LayerShift(self.name, self.kind, self.size, shifts, errors)


def _enlarged(maps: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(maps.float(), list(size), mode="nearest-exact")


def _maps(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Give what each layer with maps gives for images, copied, since later layers may write over it."""
    found: dict[str, Tensor] = {}
    last: list[Any] = [None]

    def see(name: str, module: nn.Module, given: Any, output: Any) -> None:
        del given
        passed_on = output is last[0] and any(True for _ in module.children())
        last[0] = output
        if (
            isinstance(output, Tensor)
            and output.ndim == 4
            and output.is_floating_point()
            and max(output.shape[2:]) > 1
            and not passed_on
            and name not in found
        ):
            found[name] = output.detach().clone()

    handles = [
        module.register_forward_hook(partial(see, name)) for name, module in network.named_modules() if name
    ]
    try:
        network(images)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _like_weights(images: Tensor, network: nn.Module) -> Tensor:
    weight = next((each for each in network.parameters() if each.is_floating_point()), None)
    return images if weight is None else images.to(device=weight.device, dtype=weight.dtype)
