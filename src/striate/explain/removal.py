"""Deletion and insertion: how the probability of a class changes as a map's hottest places go, or come."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.core.events import OnEvent, ignore
from striate.core.seeds import derive
from striate.engine.borrowing import borrowed
from striate.explain.differentiating import plain_scores
from striate.explain.layers import check_images
from striate.explain.perturbing import Change, changed_scores
from striate.explain.ranking import places_in_order
from striate.explain.scoring import Targets, as_baseline, chosen_targets, counted
from striate.nn.inputs import by

BLUR = 1 / 20
"""Standard deviation of the blur that details are inserted into, in sides of an image."""


@dataclass(frozen=True, kw_only=True)
class RemovalCurve:
    """How the probability of a class falls or rises as places of an image are exchanged.

    Args:
        shares: of the places that are exchanged, from 0 to 1.
        probabilities: of the class at each share, mean over images.
        areas: under the curve of each image, in [0, 1].
        baseline: what stands where the image is not shown.
    """

    shares: tuple[float, ...]
    probabilities: tuple[float, ...]
    areas: tuple[float, ...]
    baseline: str

    @property
    def images(self) -> int:
        """How many images it was measured on."""
        return len(self.areas)

    @property
    def area(self) -> float:
        """The area under the curve, mean over images."""
        return sum(self.areas) / len(self.areas)


def deletion(
    network: nn.Module,
    images: Tensor,
    heat: Tensor,
    targets: Targets = None,
    *,
    baseline: float | Tensor = 0.0,
    steps: int = 20,
    generator: Generator | None = None,
    on_event: OnEvent = ignore,
) -> RemovalCurve:
    """Take the hottest places of each map out of its image first, and follow the probability of the class.

    The score is the area under the curve: the lower, the sooner the map names what the network needs. It
    means something only beside that of random maps on the same images. Probabilities are the softmax of the
    network's outputs; of a single output, its logistic function.

    Args:
        network: any module that gives N x classes, logits.
        images: N x C x spatial, as the network takes them.
        heat: N x spatial.
        targets: the class of each image, or one for all; ``None``: the predicted one.
        baseline: what a place becomes: a number, or a tensor that broadcasts to the images.
        steps: in how many parts the places go, at least 1; the network sees each image once more than that.
        generator: of the order of places that tie; by default the same each time.
        on_event: is given the progress.

    Returns:
        The curve.

    Raises:
        LayerError: where the network cannot take the images, a class does not exist or there is no step.
        ShapeError: where maps or the baseline do not fit the images.

    Source: Petsiuk, Das and Saenko, RISE (2018), section 4.1.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> deletion(network, torch.rand(1, 1, 2, 2), torch.rand(1, 2, 2), steps=4).shares
    (0.0, 0.25, 0.5, 0.75, 1.0)
    """
    check_images(images)
    filling = as_baseline(baseline, images)
    said = f"{baseline:g}" if isinstance(baseline, int | float) else "a tensor"
    exchange = _Exchange(images.detach(), heat, filling, said, steps=steps, generator=generator)
    return exchange.curve(network, targets, show_hottest=False, on_event=on_event)


def insertion(
    network: nn.Module,
    images: Tensor,
    heat: Tensor,
    targets: Targets = None,
    *,
    baseline: float | Tensor | None = None,
    steps: int = 20,
    generator: Generator | None = None,
    on_event: OnEvent = ignore,
) -> RemovalCurve:
    """Put the hottest places of each map first into a blurred image, and follow the probability of the class.

    The score is the area under the curve: the higher, the sooner the map names what is enough for the
    network. It means something only beside that of random maps on the same images.

    Args:
        network: any module that gives N x classes, logits.
        images: N x C x spatial, as the network takes them.
        heat: N x spatial.
        targets: the class of each image, or one for all; ``None``: the predicted one.
        baseline: what is there before: a number, or a tensor that broadcasts to the images; ``None``: the
            image under a Gaussian blur whose standard deviation is a twentieth of each side.
        steps: in how many parts the places come, at least 1.
        generator: of the order of places that tie; by default the same each time.
        on_event: is given the progress.

    Returns:
        The curve.

    Raises:
        LayerError: as for `deletion`.
        ShapeError: as for `deletion`.

    Source: Petsiuk, Das and Saenko, RISE (2018), section 4.1; there the blur is one of fixed pixels.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> insertion(network, torch.rand(1, 1, 2, 2), torch.rand(1, 2, 2), steps=4).images
    1
    """
    check_images(images)
    images = images.detach()
    filling = blurred(images) if baseline is None else as_baseline(baseline, images)
    said = f"{baseline:g}" if isinstance(baseline, int | float) else "a tensor"
    said = f"the image blurred over 1/{1 / BLUR:g} of its sides" if baseline is None else said
    exchange = _Exchange(images, heat, filling, said, steps=steps, generator=generator)
    return exchange.curve(network, targets, show_hottest=True, on_event=on_event)


def blurred(images: Tensor) -> Tensor:
    """Blur images by a Gaussian whose standard deviation is a twentieth of each side; borders are not padded.

    Args:
        images: N x C x spatial.

    Returns:
        A tensor of the same shape and type. At borders the weights that lie inside are made to sum to 1, so
        that even images stay as they are.

    >>> blurred(torch.ones(1, 1, 3, 3)).allclose(torch.ones(1, 1, 3, 3))
    True
    """
    result = images.float()
    for side in images.shape[2:]:
        places = torch.arange(side, device=images.device, dtype=torch.float32)
        weights = torch.exp(-0.5 * ((places[:, None] - places) / (BLUR * side)) ** 2)
        # The first spatial axis goes and comes back as the last: in the end all are in order again.
        result = torch.tensordot(result, weights / weights.sum(dim=0), dims=([2], [0]))
    return result.to(images.dtype)


class _Exchange:
    """Images whose places are exchanged for something else, in the order of their heat."""

    def __init__(
        self,
        images: Tensor,
        heat: Tensor,
        filling: Tensor,
        said: str,
        *,
        steps: int,
        generator: Generator | None,
    ) -> None:
        wanted = (len(images), *images.shape[2:])
        if heat.shape != wanted:
            raise ShapeError(f"maps of {by(heat.shape)} do not fit these images, where {by(wanted)} do")
        if steps < 1:
            raise LayerError(f"{steps} steps cannot be; at least 1 is needed")
        if generator is None:
            generator = Generator().manual_seed(derive(0, "ties"))
        self.images, self.filling, self.said, self.steps = images, filling, said, steps
        self.ranks = places_in_order(heat.detach().flatten(1), generator).view(wanted)
        places = images[0, 0].numel()
        self.counts = [round(step * places / steps) for step in range(steps + 1)]

    def curve(
        self, network: nn.Module, targets: Targets, *, show_hottest: bool, on_event: OnEvent
    ) -> RemovalCurve:
        images = self.images
        what = "inserting" if show_hottest else "deleting"
        told = counted(what, len(images) * len(self.counts), on_event)
        with borrowed(network):
            chosen = chosen_targets(plain_scores(network, images), targets)
            pairs = torch.cartesian_prod(torch.arange(len(images)), torch.arange(len(self.counts)))
            change = self._change(show_hottest)
            found = changed_scores(_Probabilities(network), images, chosen, pairs, change, told)
        curves = found.view(len(images), -1)
        areas = (curves[:, 1:] + curves[:, :-1]).mean(dim=1) / 2
        return RemovalCurve(
            shares=tuple(step / self.steps for step in range(self.steps + 1)),
            probabilities=tuple(curves.mean(dim=0).tolist()),
            areas=tuple(areas.tolist()),
            baseline=self.said,
        )

    def _change(self, show_hottest: bool) -> Change:
        counts = torch.tensor(self.counts, device=self.images.device)

        def change(batch: Tensor, places: Tensor, numbers: Tensor) -> None:
            hottest = self.ranks[places] < counts[numbers].view(-1, *[1] * (self.images.ndim - 2))
            hidden = ~hottest if show_hottest else hottest
            batch.copy_(torch.where(hidden[:, None], self.filling[places], batch))

        return change


class _Probabilities(nn.Module):
    """A network followed by the softmax, or the logistic function of a single output."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.network(images).float()
        return outputs.sigmoid() if outputs.shape[1] == 1 else outputs.softmax(dim=1)
