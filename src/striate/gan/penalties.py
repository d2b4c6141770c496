"""Penalties on the slope of a discriminator's score in the image, in float32 and differentiable again."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

ScoresOf = Callable[[Tensor], Tensor]


def slopes(scores_of: ScoresOf, images: Tensor) -> tuple[Tensor, Tensor]:
    """Give the scores of images and the squared length of each score's gradient in its image.

    Everything is computed in float32, whatever the precision around it: a second derivative in bfloat16 has
    two or three digits. A score is taken to depend on its own image alone, as batch norm does not let it.

    Args:
        scores_of: the discriminator: N x C x H x W -> N.
        images: N x C x H x W; their own history is left out.

    Returns:
        N scores, and N times ``sum (d score / d pixel)^2``; both can be differentiated by the weights.

    >>> scores, lengths = slopes(lambda images: 3 * images.sum((1, 2, 3)), torch.zeros(2, 1, 2, 2))
    >>> lengths.tolist()
    [36.0, 36.0]
    """
    with torch.autocast(images.device.type, enabled=False), torch.enable_grad():
        images = images.detach().float().requires_grad_()
        scores = scores_of(images)
        (gradients,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return scores, gradients.square().sum((1, 2, 3))


def zero_centred(squared_slopes: Tensor) -> Tensor:
    """Give half the mean squared slope: R1 where the images are real, R2 where they are generated.

    Args:
        squared_slopes: N, from `slopes`.

    Returns:
        ``mean |grad|^2 / 2``.

    Source: Mescheder et al., Which Training Methods for GANs do actually Converge? (2018), section 4.1.

    >>> zero_centred(torch.tensor([2.0, 4.0])).item()
    1.5
    """
    return squared_slopes.mean() / 2


def one_centred(scores_of: ScoresOf, real: Tensor, fake: Tensor, shares: Tensor) -> Tensor:
    """Give the mean squared distance of the slope from 1, on lines between real and generated images.

    Args:
        scores_of: the discriminator: N x C x H x W -> N.
        real: N x C x H x W.
        fake: of the same shape.
        shares: N in [0, 1]: how much of the point is the real image.

    Returns:
        ``mean (|grad| - 1)^2``.

    Source: Gulrajani et al., Improved Training of Wasserstein GANs (2017), equation 3.

    >>> images = torch.zeros(2, 1, 2, 2)
    >>> one_centred(lambda images: 2 * images.sum((1, 2, 3)), images, images, torch.rand(2)).item()
    9.0
    """
    share = shares.float()[:, None, None, None]
    between = real.detach().float() * share + fake.detach().float() * (1 - share)
    _, squared = slopes(scores_of, between)
    # A slope of exactly 0 has no direction, and the root's own slope there is infinite.
    return ((squared + 1e-12).sqrt() - 1).square().mean()
