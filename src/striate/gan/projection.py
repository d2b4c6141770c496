"""Project images: find the latents whose images are nearest to them, by descents from several starts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from striate.core.errors import LayerError, ShapeError
from striate.core.events import Event, OnEvent, ignore
from striate.engine.borrowing import borrowed_for_gradients
from striate.engine.uncompiled import uncompiled
from striate.gan.latent import cycled_labels, device_of, draw_latents, images_of, rendered
from striate.models.adversarial import Generator, check_labels

DRAWS = 256
"""The descents start from the nearest of so many draws; of a conditional generator, at least four for each
start and class."""

_AT_ONCE = 256
_FAR = 3.09  # standard deviations: of 1,000 draws one is longer


@dataclass(frozen=True, kw_only=True)
class Descent:
    """How to look for a latent.

    Args:
        starts: descents of each image, from the nearest draws, from 1.
        steps: of Adam, from 1.
        rate: Adam's learning rate, over 0, which falls to 0 along a cosine.

    Raises:
        LayerError: where one is out of range.

    >>> Descent(steps=50).starts
    8
    """

    starts: int = 8
    steps: int = 200
    rate: float = 0.1

    def __post_init__(self) -> None:
        if not (1 <= self.starts <= DRAWS // 4 and self.steps >= 1 and 0 < self.rate < math.inf):
            raise LayerError(
                f"{self} cannot be; starts from 1 to {DRAWS // 4}, steps from 1 and a rate over 0 can"
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Projection:
    """The latents whose images are nearest to given ones.

    Args:
        latents: N x latent_size.
        labels: (N) int64, the classes that they are of; ``None`` for a generator without classes.
        images: N x C x S x S in [0, 1], what the generator makes of them.
        distances: (N), root of the mean squared difference of pixels in [0, 1].
        starts: N x starts, the distances that each descent reached.
        drawn: (N), the distance of the nearest draw, before any descent.
    """

    latents: Tensor
    labels: Tensor | None
    images: Tensor
    distances: Tensor
    starts: Tensor
    drawn: Tensor

    def to_dict(self) -> dict[str, Any]:
        """Give the figures by name, ready for JSON, without latents and images.

        Returns:
            A dictionary of lists, a value for each image.
        """
        return {
            "distances": self.distances.tolist(),
            "starts": self.starts.tolist(),
            "drawn": self.drawn.tolist(),
            "labels": None if self.labels is None else self.labels.tolist(),
        }


def project(
    network: Generator,
    images: Tensor,
    *,
    labels: Tensor | None = None,
    descent: Descent | None = None,
    seed: int = 0,
    on_event: OnEvent = ignore,
) -> Projection:
    """Find the latents whose images are nearest to given ones, by the mean squared difference of pixels.

    Of many draws the nearest are the starts; from each, Adam goes down, and the nearest image that any of
    them came by is the answer. A latent that becomes longer than 999 of 1,000 draws are is cut to that, so
    that what is found is an image as the generator makes them. How far a distance is to be believed shows in
    the projection of the generator's own samples, which could be as small as 0.

    Args:
        network: is left as it was, and computes in evaluation mode and float32.
        images: N x C x S x S in [0, 1], of the size that it makes.
        labels: (N) int64, the class in which to look for each; ``None``: of a conditional generator all are
            looked through.
        descent: how to look; ``None``: 8 starts, 200 steps.
        seed: of the draws. On a CPU the same seed gives the same latents.
        on_event: is given the progress.

    Returns:
        The latents, their images and distances.

    Raises:
        ShapeError: where the images are of another size than the generator's, or labels of another number.
        LayerError: where the images are no numbers in [0, 1], labels are not the generator's, or it has no
            derivatives.
    """
    search = LatentSearch(network, descent=descent, seed=seed)
    return search.find(images, labels=labels, on_event=on_event)


class LatentSearch:
    """Look for latents with the same draws each time: what is beside an image changes only rounding.

    Args:
        network: as for `project`.
        descent: how to look; ``None``: 8 starts, 200 steps.
        seed: of the draws.
    """

    def __init__(self, network: Generator, *, descent: Descent | None = None, seed: int = 0) -> None:
        self._network = network
        self._descent = descent or Descent()
        classes = network.classes
        count = DRAWS if classes is None else max(DRAWS, 4 * self._descent.starts * classes)
        self._draws = draw_latents(count, network.latent_size, seed=seed)
        self._labels = cycled_labels(count, classes)
        with _in_float32(device_of(network)):
            self._drawn = images_of(network, self._draws, self._labels)

    def find(self, images: Tensor, *, labels: Tensor | None = None, on_event: OnEvent = ignore) -> Projection:
        """Find the latents whose images are nearest to given ones.

        Args:
            images: as for `project`.
            labels: as for `project`.
            on_event: is given the progress.

        Returns:
            The latents, their images and distances, on the CPU.

        Raises:
            ShapeError: as `project`.
            LayerError: as `project`.
        """
        self._check(images, labels)
        starts = self._descent.starts
        size = max(1, _AT_ONCE // starts)
        total = -(-len(images) // size) * self._descent.steps
        told = _counting(total, on_event)
        parts = []
        with borrowed_for_gradients(self._network), _in_float32(device_of(self._network)):
            for begin in range(0, len(images), size):
                some = slice(begin, begin + size)
                # A clone, since what was made in inference mode takes no part in derivatives.
                wanted = images[some].detach().clone().float().cpu()
                parts.append(self._part(wanted, None if labels is None else labels[some].cpu(), told))
        latents, own, squares, drawn = zip(*parts, strict=True)
        return self._best(torch.cat(latents), _joined(own), torch.cat(squares), torch.cat(drawn))

    def _best(self, latents: Tensor, labels: Tensor | None, squares: Tensor, drawn: Tensor) -> Projection:
        """Choose the best of all descents, and make its image."""
        rows, best = torch.arange(len(latents)), squares.argmin(dim=1)
        own = None if labels is None else labels[rows, best]
        with _in_float32(device_of(self._network)):
            images = images_of(self._network, latents[rows, best], own)
        return Projection(
            latents=latents[rows, best],
            labels=own,
            images=images,
            distances=squares[rows, best].sqrt(),
            starts=squares.sqrt(),
            drawn=drawn.sqrt(),
        )

    def _check(self, images: Tensor, labels: Tensor | None) -> None:
        network = self._network
        wanted = network.channels, network.size, network.size
        if images.ndim != 4 or not len(images) or tuple(images.shape[1:]) != wanted:
            raise ShapeError(
                f"images are {'x'.join(map(str, images.shape))}, where N x {'x'.join(map(str, wanted))} is "
                "what this generator makes"
            )
        low, high = (float(each) for each in images.detach().aminmax())
        if not images.is_floating_point() or not (low >= 0 and high <= 1):  # a NaN fails too
            raise LayerError(
                f"images are numbers in [0, 1], and these are {images.dtype} from {low:.4g} to {high:.4g}"
            )
        if labels is not None:
            check_labels(labels, classes=network.classes, count=len(images), network="generator")

    def _part(
        self, images: Tensor, labels: Tensor | None, told: Callable[[], None]
    ) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
        """Descend for images at once: latents (N x starts x D), labels, squared distances, and the draws'."""
        starts = self._descent.starts
        apart = _squared_distances(images, self._drawn)
        if labels is not None and self._labels is not None:
            apart = apart.masked_fill(labels[:, None] != self._labels, math.inf)
        nearest, rows = apart.topk(starts, dim=1, largest=False)
        own = None if self._labels is None else self._labels[rows]
        shape = len(images), starts
        latents, squares = self._descended(
            images.repeat_interleave(starts, dim=0),
            self._draws[rows.flatten()],
            None if own is None else own.flatten(),
            told,
        )
        return latents.view(*shape, -1), own, squares.view(shape), nearest[:, 0]

    def _descended(
        self, images: Tensor, starts: Tensor, labels: Tensor | None, told: Callable[[], None]
    ) -> tuple[Tensor, Tensor]:
        """Go down from each start; give the best latents on the way and their squared distances."""
        device, descent = device_of(self._network), self._descent
        wanted, own = images.to(device), None if labels is None else labels.to(device)
        latents = starts.to(device).clone().requires_grad_()
        optimiser = uncompiled(torch.optim.Adam)([latents], lr=descent.rate)
        longest = longest_usual(latents.shape[1])
        best, least = starts.to(device).clone(), torch.full((len(starts),), math.inf, device=device)
        for step in range(descent.steps + 1):
            squares = (rendered(self._network, latents, own) - wanted).square().flatten(1).mean(dim=1)
            with torch.no_grad():
                better = squares < least
                best, least = torch.where(better[:, None], latents, best), torch.where(better, squares, least)
            if step == descent.steps:
                break
            latents.grad = _gradient(squares.sum(), latents)
            slowed = (1 + math.cos(math.pi * step / descent.steps)) / 2
            optimiser.param_groups[0]["lr"] = descent.rate * slowed
            optimiser.step()
            with torch.no_grad():
                latents *= (longest / latents.norm(dim=1, keepdim=True).clamp(min=1e-12)).clamp(max=1)
            told()
        return best.cpu(), least.detach().cpu()


def longest_usual(latent_size: int) -> float:
    """Give the length that one of 1,000 standard normal latents exceeds.

    Args:
        latent_size: numbers of a latent.

    Returns:
        The root of the 0.999 quantile of chi square, by Wilson and Hilferty's approximation.

    >>> round(longest_usual(64), 2)
    10.24
    """
    spread = 2 / (9 * latent_size)
    return math.sqrt(latent_size * (1 - spread + _FAR * math.sqrt(spread)) ** 3)


def _squared_distances(images: Tensor, others: Tensor) -> Tensor:
    """Give the mean squared differences of images (N) and others (M), N x M."""
    flat, rest = images.flatten(1).double(), others.flatten(1).double()
    return torch.cdist(flat, rest).square().div(flat.shape[1]).float()


def _gradient(value: Tensor, leaf: Tensor) -> Tensor:
    gradient = torch.autograd.grad(value, leaf, allow_unused=True)[0] if value.requires_grad else None
    if gradient is None:
        raise LayerError(
            "the images do not depend on the latents by anything that has a derivative: the generator "
            "detaches what it computes, or computes without gradients"
        )
    return gradient


def _joined(parts: tuple[Tensor | None, ...]) -> Tensor | None:
    there = [part for part in parts if part is not None]
    return torch.cat(there) if there else None


def _in_float32(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, enabled=False)


def _counting(total: int, on_event: OnEvent) -> Callable[[], None]:
    done = 0

    def told() -> None:
        nonlocal done
        done += 1
        on_event(Event("prepare", {"what": "projecting", "done": done, "total": total, "unit": "steps"}))

    return told
