"""What is known beforehand: a network that looks at one region only, and a method that ignores networks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from striate.core.errors import LayerError
from striate.core.seeds import derive
from striate.explain.attribution import Attribution
from striate.explain.scoring import Targets
from striate.nn.by_dims import BY_DIMS
from striate.nn.inputs import by, check_dims

_WIDTH = 16


class PlantedNetwork(nn.Module):
    """A network that uses one region of its images, whatever is elsewhere; maps of it can be held to that.

    Outside of the region all pixels become 0. Then come two layers that look at each place by itself, with
    rectifiers and without biases, the mean over places, and a linear layer: its maps are 0 outside of the
    region, and the likeliest class of any image has a score over 0.

    Args:
        region: from where to where it looks, one slice an axis; one to three axes.
        size: of the images along each of these.
        channels: of the images.
        classes: outputs, at least 2.
        seed: of the weights.

    Raises:
        LayerError: where there are no one to three axes, fewer than 2 classes, or nothing in the region.

    >>> network = PlantedNetwork([slice(0, 2)], size=[4])
    >>> one, other = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]]), torch.tensor([[[1.0, 2.0, 9.0, 0.0]]])
    >>> network(one).equal(network(other))
    True
    """

    def __init__(
        self,
        region: Sequence[slice],
        *,
        size: Sequence[int],
        channels: int = 1,
        classes: int = 3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_dims(len(size), layer="PlantedNetwork")
        seen = torch.zeros(*size)
        seen[tuple(region)] = 1.0
        if len(region) != len(size) or not seen.any() or classes < 2:
            raise LayerError(
                f"a region of {len(region)} axes with {int(seen.sum())} places and {classes} classes cannot "
                f"be planted in images of {by(size)}; one axis a size, a place and 2 classes are the least"
            )
        convolution = BY_DIMS[len(size)].convolution
        self.region = tuple(region)
        self.look = _Look(seen)
        self.first = convolution(channels, _WIDTH, 1, bias=False)
        self.first_active = nn.ReLU()
        self.second = convolution(_WIDTH, _WIDTH, 1, bias=False)
        self.second_active = nn.ReLU()
        self.pool = BY_DIMS[len(size)].adaptive_average_pool(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(_WIDTH, classes, bias=False)
        generator = Generator().manual_seed(derive(seed, "planted"))
        with torch.no_grad():
            for parameter in self.parameters():
                drawn = torch.randn(parameter.shape, generator=generator)
                parameter.copy_(drawn * (2 / parameter[0].numel()) ** 0.5)
            # Of two opposite classes one has a score over 0.
            self.head.weight[1] = -self.head.weight[0]

    def forward(self, images: Tensor) -> Tensor:
        """Give the scores, N x classes, of images, N x C x spatial."""
        maps = self.first_active(self.first(self.look(images)))
        maps = self.second_active(self.second(maps))
        scores: Tensor = self.head(self.flatten(self.pool(maps)))
        return scores


class _Look(nn.Module):
    """Shows a region, and 0 elsewhere."""

    seen: Tensor

    def __init__(self, seen: Tensor) -> None:
        super().__init__()
        self.register_buffer("seen", seen)

    def forward(self, images: Tensor) -> Tensor:
        return images * self.seen.to(images.dtype)


def mass_inside(heat: Tensor, region: Sequence[slice]) -> Tensor:
    """Compute which share of a map, without signs, lies in a region.

    Args:
        heat: N x spatial.
        region: one slice an axis.

    Returns:
        (N), in [0, 1]; 0 where the map is 0 everywhere.

    >>> mass_inside(torch.tensor([[3.0, -1.0]]), [slice(0, 1)])
    tensor([0.7500])
    """
    size = heat.abs()
    inside = size[(slice(None), *region)].flatten(1).sum(dim=1)
    return inside / size.flatten(1).sum(dim=1).clamp(min=torch.finfo(size.dtype).tiny)


def edges_of_image(
    network: nn.Module, images: Tensor, targets: Targets = None, *, generator: Generator | None = None
) -> Attribution:
    """Draw the edges of an image as if they explained a network: a method that no check may let pass.

    Args:
        network: is not looked at.
        images: N x C x spatial.
        targets: are not looked at.
        generator: is not used.

    Returns:
        The sum over channels and axes of the distance from each element to the next.

    >>> edges_of_image(nn.Identity(), torch.tensor([[[0.0, 0.0, 1.0]]])).map
    tensor([[0., 1., 0.]])
    """
    del network, targets, generator
    wide = images.detach().float()
    found = torch.zeros_like(wide)
    for axis in range(2, images.ndim):
        steps = wide.diff(dim=axis).abs()
        found.narrow(axis, 0, steps.shape[axis]).add_(steps)
    none = torch.zeros(len(images), dtype=torch.long, device=images.device)
    return Attribution("edges_of_image", found.sum(dim=1), none, note="the network is not looked at")
