"""Change images in many ways and see what becomes of their scores, in passes of bounded size."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TypeAlias

import torch
from torch import Tensor, nn

from striate.engine.quickening import quicker
from striate.explain.scores import scores_of
from striate.explain.scoring import images_per_pass

Change: TypeAlias = Callable[[Tensor, Tensor, Tensor], None]
"""Changes copies of images in place, given which image (B) each is, and the number (B) of its change."""

MANY_PASSES = 8
"""From so many passes on it is worth a trial to make a network quicker first."""


def changed_scores(
    network: nn.Module,
    images: Tensor,
    targets: Tensor,
    pairs: Tensor,
    change: Change,
    told: Callable[[int], None],
) -> Tensor:
    """Compute the score of an image's target after a change to the image, for many changes.

    Args:
        network: in the mode that is wanted.
        images: N x C x spatial.
        targets: int64 (N).
        pairs: int64 (P, 2): which image is changed, and the number of the change.
        change: makes the changes, of as many as `images_per_pass` at once.
        told: is given how many were computed, after each pass.

    Returns:
        (P,): the outputs for the targets, at least in float32.

    Raises:
        LayerError: where the network gives inf or NaN for a changed image.

    >>> def dim(batch, places, numbers):
    ...     batch.mul_(numbers.view(-1, 1, 1))
    >>> pairs = torch.cartesian_prod(torch.arange(2), torch.arange(3))
    >>> changed_scores(nn.Flatten(), torch.ones(2, 1, 1), torch.zeros(2).long(), pairs, dim, [].append)
    tensor([0., 1., 2., 0., 1., 2.])
    """
    found = []
    at_once = images_per_pass(images)
    many = len(pairs) >= MANY_PASSES * at_once
    with torch.no_grad(), quicker(network, images) if many else nullcontext():
        for part in torch.split(pairs.to(images.device), at_once) if len(pairs) else ():
            places, numbers = part.unbind(1)
            batch = images[places]
            change(batch, places, numbers)
            outputs = scores_of(network, batch).to(images.device)
            found.append(outputs.gather(1, targets[places, None]).squeeze(1))
            told(len(part))
    return torch.cat(found) if found else torch.empty(0, device=images.device)
