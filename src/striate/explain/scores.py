"""What a network answers to images, in its own precision and where it is; what is no answer is refused."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.nn.inputs import by


def scores_of(network: nn.Module, images: Tensor) -> Tensor:
    """Compute a network's scores in its own precision and where it is, with their graph where there is one.

    Args:
        network: in the mode that is wanted.
        images: N x C x spatial; they are not written, also by a network that writes in place.

    Returns:
        (N, classes), at least in float32.

    Raises:
        LayerError: where the network cannot take such images, or a score is inf or NaN.
        ShapeError: where it does not give one tensor of N x classes.

    >>> scores_of(nn.Flatten(), torch.ones(2, 1, 1, 3)).shape
    torch.Size([2, 3])
    """
    weight = next((each for each in network.parameters() if each.is_floating_point()), images)
    given = images.to(device=weight.device, dtype=weight.dtype, copy=True)
    try:
        scores = network(given)
    except torch.OutOfMemoryError:
        raise
    except (IndexError, RuntimeError, TypeError, ValueError) as error:
        raise LayerError(
            f"the network cannot take images of {by(images.shape)}: {reason_of(error)}"
        ) from error
    count = len(images)
    if not isinstance(scores, Tensor):
        raise ShapeError(
            f"the network gives a {type(scores).__name__} for {count} images, where one tensor of {count} x "
            "classes is wanted; a module around it can give that part of its output alone"
        )
    if scores.ndim != 2 or len(scores) != count or 0 in scores.shape or not scores.is_floating_point():
        kind = str(scores.dtype).removeprefix("torch.")
        raise ShapeError(
            f"the network gives {kind} of {by(scores.shape) or 'no axis'} for {count} images, where scores "
            f"of {count} x classes are wanted"
        )
    broken = int((~torch.isfinite(scores.detach()).all(dim=1)).sum())
    if broken:
        raise LayerError(
            f"the network's scores for {broken} of {count} images are inf or NaN; there is nothing to explain"
        )
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def reason_of(error: Exception) -> str:
    """Give the first line of what an error says, which is enough for a sentence of ours.

    Args:
        error: of torch or of the network.

    Returns:
        The line; the error's type where it says nothing.

    >>> reason_of(RuntimeError("sizes differ\\nException raised from ..."))
    'sizes differ'
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
