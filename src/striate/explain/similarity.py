"""How alike the layers of two networks are, whatever their widths: centred kernel alignment (CKA)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.core.events import OnEvent, ignore
from striate.core.seeds import derive
from striate.engine.borrowing import borrowed
from striate.explain.features import weighing_layers
from striate.explain.layers import observe, unwrapped
from striate.explain.projection import check_features
from striate.explain.streaming import Images, Prepare, batch_size, batches, first_batch

LEAST_IMAGES = 4
"""The estimate without bias divides by n - 3."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Similarity:
    """How alike the layers of two networks are on the same images.

    Args:
        layers: names in the one network, in the order in which they run.
        other_layers: names in the other one.
        values: float32 (layers, other layers): 1 for layers that are alike but for a rotation and a scale,
            near 0, also below it, for unrelated ones; NaN where a layer gives the same for all images.
        images: how many were compared.
        batch: how many of them at once.
    """

    layers: tuple[str, ...]
    other_layers: tuple[str, ...]
    values: Tensor
    images: int
    batch: int

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON can hold it.

        Returns:
            Names and rows of figures; ``None`` where there is none.
        """
        rows = [[None if value != value else value for value in row] for row in self.values.tolist()]
        return {
            "layers": list(self.layers),
            "other_layers": list(self.other_layers),
            "values": rows,
            "images": self.images,
            "batch": self.batch,
        }


def linear_cka(features: Tensor, others: Tensor) -> float:
    """Compute linear CKA between two tables of features of the same images.

    ``|Y'X|^2 / (|X'X| |Y'Y|)`` with Frobenius norms, the columns of X and Y centred. It does not change where
    either is rotated or scaled. With fewer images than features it is too high: two random tables of N images
    and D features each come to about D/(D + N); `layer_similarity` has no such bias.

    Args:
        features: X, (N, D).
        others: Y, (N, E).

    Returns:
        From 0 to 1; NaN where either is the same for all images.

    Raises:
        LayerError: where they are not finite.
        ShapeError: where they are not of as many images, at least 2.

    Source: Kornblith et al., Similarity of Neural Network Representations Revisited (2019), section 3.

    >>> one = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]])
    >>> round(linear_cka(one, 3 * one.flip(1)), 6)
    1.0
    """
    for each in (features, others):
        check_features(each, least=2)
    if len(features) != len(others):
        raise ShapeError(
            f"features of {len(features)} and of {len(others)} images cannot be compared; those of "
            "the same can"
        )
    one, other = (each.detach().cpu().double() for each in (features, others))
    one, other = one - one.mean(dim=0), other - other.mean(dim=0)
    if max(one.shape[1], other.shape[1]) <= len(one):
        shared, own, its = (torch.linalg.norm(a.T @ b) for a, b in ((one, other), (one, one), (other, other)))
        return float(shared.square() / (own * its))
    # The same from the products of images, which are fewer here: |Y'X|^2 = <XX', YY'>.
    kernels = one @ one.T, other @ other.T
    norms = [torch.linalg.norm(kernel) for kernel in kernels]
    return float((kernels[0] * kernels[1]).sum() / (norms[0] * norms[1]))


def layer_similarity(
    one: nn.Module,
    other: nn.Module,
    images: Images,
    *,
    layers: tuple[Sequence[str] | None, Sequence[str] | None] = (None, None),
    prepare: Prepare | None = None,
    batch: int | None = None,
    seed: int = 0,
    on_event: OnEvent = ignore,
) -> Similarity:
    """Compare every layer of a network with every layer of another one, in one pass over images.

    Linear CKA of whole maps, places included, by the estimate of HSIC that has no bias, averaged over
    batches: ``mean H(K, L) / sqrt(mean H(K, K) mean H(L, L))``, K and L the products of the images of a batch
    with each other, their diagonals set to 0, and
    ``H(K, L) = (tr KL + 1'K1 1'L1/((n-1)(n-2)) - 2/(n-2) 1'KL1)/(n(n-3))``, the inner product of both
    after U-centring (Szekely and Rizzo, 2014), divided by n(n-3).

    Args:
        one: a network; it is left as it was, and so is the other.
        other: a network that takes the same images; the same network compares its layers with each other.
        images: N x C x spatial, uint8 or floating point, at least 4.
        layers: names in either; ``None``: all that weigh what they get, as convolutions and linear layers do.
        prepare: turns stored images into what both networks take; ``None`` makes uint8 numbers in [0, 1].
        batch: images computed at once, at least 4; ``None`` chooses by their size. A last batch of fewer than
            4 is left out.
        seed: of the order of the images, so that no batch holds one class only.
        on_event: is given the progress.

    Returns:
        A figure for each pair of layers.

    Raises:
        LayerError: for an unknown layer, a batch under 4, images of a wrong type, or outputs that are inf or
            NaN.
        ShapeError: where the images do not fit a network, or are fewer than 4.

    Source: Nguyen, Raghu and Kornblith, Do Wide and Deep Networks Learn the Same Things? (2021), section 3;
    Song et al., Feature selection via dependence maximization (2012), equation 5.

    >>> network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    >>> found = layer_similarity(network, network, torch.rand(8, 1, 6, 6))
    >>> found.layers, [round(value, 4) for value in found.values.diag().tolist()]
    (('0', '2'), [1.0, 1.0])
    """
    networks = unwrapped(one), unwrapped(other)
    first = first_batch(images, prepare)
    size = min(batch_size(images, batch), len(images))
    if size < LEAST_IMAGES:
        raise ShapeError(
            f"{len(images)} images in batches of {size} cannot be compared without bias; {LEAST_IMAGES} and "
            "more in a batch can"
        )
    names = [
        tuple(weighing_layers(network, first) if given is None else given)
        for network, given in zip(networks, layers, strict=True)
    ]
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(derive(seed, "similarity")))
    used = len(images) - (len(images) % size if len(images) % size < LEAST_IMAGES else 0)
    shared = torch.zeros(len(names[0]), len(names[1]), dtype=torch.float64)
    own, its = shared.sum(dim=1), shared.sum(dim=0)
    with borrowed(networks[0]), borrowed(networks[1]):
        for part in batches(
            images,
            prepare=prepare,
            batch=size,
            order=order[:used].tolist(),
            what="similarity of layers",
            on_event=on_event,
        ):
            kernels, others = (
                _kernels(network, part, each) for network, each in zip(networks, names, strict=True)
            )
            shared += kernels @ others.T
            own += kernels.square().sum(dim=1)
            its += others.square().sum(dim=1)
    values = shared / (own[:, None] * its[None]).sqrt()
    return Similarity(
        layers=names[0],
        other_layers=names[1],
        values=torch.where(values.isfinite(), values, torch.nan).float(),
        images=used,
        batch=size,
    )


def _kernels(network: nn.Module, images: Tensor, layers: Sequence[str]) -> Tensor:
    """Give the U-centred products of images with each other, over sqrt(n(n-3)): (layers, n * n)."""
    found: dict[str, Tensor] = {}

    def see(name: str, given: Tensor | None, output: Tensor) -> None:
        del given
        values = output.detach().flatten(1).float()
        if not torch.isfinite(values).all():
            raise LayerError(f"layer '{name}' gives inf or NaN for some image; it cannot be compared")
        # The mean is taken away in float32, before the products: it would only cost digits.
        values = values - values.mean(dim=0)
        found[name] = u_centred((values @ values.T).double().cpu()).flatten()

    observe(network, images, layers, see)
    count = len(images)
    return torch.stack([found[name] for name in layers]) / math.sqrt(count * (count - 3))


def u_centred(products: Tensor) -> Tensor:
    """Centre the products of n images with each other so that inner products of two such have no bias.

    ``k_ij - r_i/(n - 2) - r_j/(n - 2) + s/((n - 1)(n - 2))`` beside the diagonal, 0 on it, where the diagonal
    of k is taken as 0, r are the sums of its rows and s of all.

    Args:
        products: (n, n), symmetric, n from 3.

    Returns:
        (n, n); each row sums to 0.

    Source: Szekely and Rizzo, Partial distance correlation with methods for dissimilarities (2014).

    >>> u_centred(torch.tensor([[1.0, 2, 3], [2, 4, 6], [3, 6, 9]])).sum().abs() < 1e-6
    tensor(True)
    """
    count = len(products)
    hollow = products - products.diag().diag()
    rows = hollow.sum(dim=1) / (count - 2)
    centred = hollow - rows[:, None] - rows[None] + hollow.sum() / ((count - 1) * (count - 2))
    return centred - centred.diag().diag()
