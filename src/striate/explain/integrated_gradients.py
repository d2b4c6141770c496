"""Integrated gradients: what each value adds to a score on the straight way from a baseline to the image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError
from striate.core.events import OnEvent, ignore
from striate.engine.borrowing import borrowed_for_gradients
from striate.engine.quickening import quicker
from striate.explain.attribution import Attribution
from striate.explain.differentiating import plain_scores
from striate.explain.first_layer import gradients_along
from striate.explain.layers import check_images, unwrapped
from striate.explain.scoring import Targets, as_baseline, chosen_targets, counted

LARGE_GAP = 0.05
"""A gap over this share of the change of score is worth a word."""


def integrated_gradients(
    network: nn.Module,
    images: Tensor,
    targets: Targets = None,
    *,
    baseline: float | Tensor = 0.0,
    steps: int = 50,
    on_event: OnEvent = ignore,
) -> Attribution:
    """Integrate the gradient of the score of a class on the straight way from a baseline to each image.

    The map is ``(x - b) * integral over a from 0 to 1 of df/dx at b + a (x - b)``. It sums to f(x) - f(b); by
    how much it misses that is the gap, which more steps make smaller. The integral is Gauss-Legendre
    quadrature: exact for gradients that are polynomials of degree ``2 steps - 1`` along the way, and about
    as good as any other rule where rectifiers make them jump.

    Args:
        network: any module that gives N x classes; it is left as it was.
        images: N x C x spatial, as the network takes them.
        targets: the class of each image, or one for all; ``None``: the predicted one.
        baseline: what stands for nothing to be seen: a number, or a tensor that broadcasts to the images. The
            default, 0, is black for pixels in [0, 1] and the mean of normalised ones; what equals it has no
            share.
        steps: points on the way, at least 1; the network sees each image as often.
        on_event: is given the progress.

    Returns:
        The map, N x C x spatial, and its gap.

    Raises:
        LayerError: where the network cannot take the images, a class does not exist, nothing has a
            derivative, or there is no step.
        ShapeError: where the network does not give N x classes, there are not as many targets as images, or
            the baseline does not fit.

    Source: Sundararajan, Taly and Yan, Axiomatic attribution for deep networks (2017), section 3; there the
    integral is a sum over equal steps.

    >>> class Square(nn.Module):
    ...     def forward(self, images):
    ...         return images.square().sum(dim=2)
    >>> found = integrated_gradients(Square(), torch.tensor([[[1.0, 3.0]]]), steps=1)
    >>> found.map.tolist(), found.gap.tolist()
    ([[[1.0, 9.0]]], [0.0])
    """
    check_images(images)
    if steps < 1:
        raise LayerError(f"an integral of {steps} steps cannot be; 1 is the least")
    network = unwrapped(network)
    with borrowed_for_gradients(network), quicker(network, images):
        pixels = images.detach().to(torch.promote_types(images.dtype, torch.float32), copy=True)
        nothing = as_baseline(baseline, pixels)
        way = pixels - nothing
        alike = nothing.stride(0) == 0  # one baseline for all images
        before = plain_scores(network, nothing[:1] if alike else nothing).expand(len(images), -1)
        after = plain_scores(network, pixels)
        chosen = chosen_targets(after, targets)
        places, weights = (each.to(pixels) for each in gauss_legendre(steps))
        told = counted("integrating gradients", len(images) * steps, on_event)
        total = gradients_along(network, nothing, way, chosen, places, weights, told)
    found = total * way
    change = (after - before).gather(1, chosen[:, None]).squeeze(1)
    gap = found.flatten(1).sum(dim=1) - change
    note = f"{steps} steps" + _warned(gap, change)
    return Attribution(
        "integrated_gradients", found.float(), chosen, gap=gap.float(), note=note, per_channel=True
    )


def gauss_legendre(steps: int) -> tuple[Tensor, Tensor]:
    """Give the places in [0, 1] and the weights of Gauss-Legendre quadrature.

    The places are the eigenvalues of the matrix of the recurrence of Legendre polynomials; the weights are
    the squares of the first elements of its eigenvectors.

    Args:
        steps: how many places, at least 1.

    Returns:
        Places and weights, float64 (steps); the weights sum to 1.

    Source: Golub and Welsch, Calculation of Gauss quadrature rules (1969).

    >>> gauss_legendre(2)[0].sub(0.5).square().mul(12).round(decimals=12).tolist()
    [1.0, 1.0]
    """
    order = torch.arange(1, steps, dtype=torch.float64)
    beside = order / (4 * order.square() - 1).sqrt()
    places, vectors = torch.linalg.eigh(torch.diag(beside, 1) + torch.diag(beside, -1))
    return (places + 1) / 2, vectors[0].square()


def _warned(gap: Tensor, change: Tensor) -> str:
    wide = int((gap.abs() > LARGE_GAP * change.abs()).sum())
    if not wide:
        return ""
    share = f"over {LARGE_GAP:.0%}"
    return f"; for {wide} of {len(gap)} images the map misses the change of score by {share}: take more"
