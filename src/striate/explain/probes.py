"""Linear probes: how well the classes can be told apart from each layer's features by a linear rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.core.events import OnEvent, ignore
from striate.core.intervals import wilson
from striate.core.seeds import derive
from striate.explain.features import layer_features, weighing_layers
from striate.explain.projection import check_features
from striate.explain.streaming import Images, Prepare, class_labels, first_batch


@dataclass(frozen=True, kw_only=True)
class Probe:
    """How often a linear rule on features names the right class of images that it was not fitted on.

    Args:
        layer: whose features they are.
        features: how many numbers an image.
        accuracy: share of the held-out images, in [0, 1].
        interval: its Wilson interval of 95 %.
        fitted: images that the rule was fitted on.
        held_out: images that it was measured on.
        chance: share of the most frequent class among the held-out images: what no features at all give.
    """

    layer: str
    features: int
    accuracy: float
    interval: tuple[float, float]
    fitted: int
    held_out: int
    chance: float

    def to_dict(self) -> dict[str, Any]:
        """Give everything by name, ready for JSON.

        Returns:
            A dictionary of plain values.
        """
        return {**asdict(self), "interval": list(self.interval)}


def linear_probe(
    features: Tensor,
    labels: Tensor,
    *,
    layer: str = "",
    penalty: float = 0.01,
    held_out: float = 0.25,
    seed: int = 0,
) -> Probe:
    """Fit a linear rule on a part of the images, and measure it on the rest.

    Ridge regression of one-hot classes on standardised features, in closed form and double precision:
    ``W = (X'X/n + penalty I)^-1 X'Y/n``, the class of the highest output. It is fast and has no steps to
    choose; a logistic regression may reach some points more, at every layer.

    Args:
        features: (N, D).
        labels: (N) classes, from 0.
        layer: the name of what the features are of.
        penalty: added to the diagonal of the correlations, over 0.
        held_out: share of each class that is held out, in (0, 1); at least one image of each stays on either
            side where a class has two.
        seed: of which images these are.

    Returns:
        The accuracy with its interval.

    Raises:
        LayerError: where features are not finite, or a number is out of range.
        ShapeError: where labels do not fit, or there are fewer than two classes of two images.

    Source: Alain and Bengio, Understanding intermediate layers using linear classifier probes (2016), who fit
    by gradient descent.

    >>> labels = torch.arange(40) % 2
    >>> linear_probe(labels[:, None].float() + torch.zeros(40, 3), labels).accuracy
    1.0
    """
    check_features(features, least=4)
    labels = class_labels(labels, len(features))
    if int((labels.bincount() > 1).sum()) < 2:
        raise ShapeError(
            f"the labels have {int((labels.bincount() > 1).sum())} classes of at least two images; a probe "
            "needs two such classes"
        )
    if not penalty > 0 or not 0 < held_out < 1:
        raise LayerError(
            f"a probe with the penalty {penalty} and {held_out} held out cannot be; a penalty over 0 and a "
            "share between 0 and 1 can"
        )
    kept, apart = _parts(labels, held_out, seed)
    values = features.detach().cpu().double()
    mean, spread = values[kept].mean(dim=0), values[kept].std(dim=0, correction=0)
    values = (values - mean) / torch.where(spread > 0, spread, 1)
    known = nn.functional.one_hot(labels).double()
    weights = _ridge(values[kept], known[kept] - known[kept].mean(dim=0), penalty)
    predicted = (values[apart] @ weights + known[kept].mean(dim=0)).argmax(dim=1)
    right, total = int((predicted == labels[apart]).sum()), len(apart)
    return Probe(
        layer=layer,
        features=features.shape[1],
        accuracy=right / total,
        interval=wilson(right, total),
        fitted=len(kept),
        held_out=total,
        chance=int(labels[apart].bincount().max()) / total,
    )


def probe_layers(
    network: nn.Module,
    images: Images,
    labels: Tensor,
    *,
    layers: Sequence[str] | None = None,
    prepare: Prepare | None = None,
    seed: int = 0,
    on_event: OnEvent = ignore,
) -> tuple[Probe, ...]:
    """Measure at each layer how well the classes can be told apart linearly, from one pass over the images.

    Maps are averaged over their places, so that what a layer knows by place alone does not count.

    Args:
        network: any module; it is left as it was.
        images: N x C x spatial, uint8 or floating point; best such that it was not trained on.
        labels: (N) classes, from 0.
        layers: names; ``None``: all that weigh what they get, such as convolutions and linear layers.
        prepare: turns stored images into what the network takes; ``None`` makes uint8 numbers in [0, 1].
        seed: of which images are held out.
        on_event: is given the progress.

    Returns:
        A probe for each layer, in the order in which they run.

    Raises:
        LayerError: for an unknown layer, images of a wrong type, or features that are not finite.
        ShapeError: where images or labels do not fit.

    >>> network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    >>> probes = probe_layers(network, torch.rand(20, 1, 8, 8), torch.arange(20) % 2)
    >>> [probe.layer for probe in probes]
    ['0', '2']
    """
    one = first_batch(images, prepare)
    labels = class_labels(labels, len(images))
    names = list(weighing_layers(network, one) if layers is None else layers)
    found = layer_features(network, images, names, prepare=prepare, on_event=on_event)
    return tuple(linear_probe(found[name], labels, layer=name, seed=seed) for name in names)


def _ridge(values: Tensor, wanted: Tensor, penalty: float) -> Tensor:
    """Solve in as many unknowns as there are features or images, whichever are fewer."""
    count, width = values.shape
    if width <= count:
        matrix = values.T @ values / count + penalty * torch.eye(width, dtype=values.dtype)
        weights: Tensor = torch.linalg.solve(matrix, values.T @ wanted / count)
        return weights
    matrix = values @ values.T / count + penalty * torch.eye(count, dtype=values.dtype)
    shares: Tensor = torch.linalg.solve(matrix, wanted / count)
    return values.T @ shares


def _parts(labels: Tensor, held_out: float, seed: int) -> tuple[Tensor, Tensor]:
    """Share the images of each class out, in random order."""
    generator = torch.Generator().manual_seed(derive(seed, "probe"))
    order = torch.randperm(len(labels), generator=generator)
    kept, apart = [], []
    for each in torch.unique(labels):
        own = order[labels[order] == each]
        count = min(max(1, round(held_out * len(own))), len(own) - 1)
        apart.append(own[:count])
        kept.append(own[count:])
    return torch.cat(kept), torch.cat(apart)
