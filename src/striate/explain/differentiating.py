"""Take derivatives of a network's scores by its images: checked, and as many at once as memory allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.core.events import OnEvent
from striate.engine.passes import images_at_once
from striate.explain.scores import reason_of, scores_of
from striate.explain.scoring import Targets, chosen_targets, counted, images_per_pass

Forward: TypeAlias = Callable[[nn.Module, Tensor], Tensor]
"""Gives the scores of a network for images, as `scores_of` does."""

Points: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Gives inputs (B x C x spatial) of a network, from which image (B) and which of its points (B) each is."""

Answer: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Gives the scores of points, which image each is of, and which of its points it is."""


def leaf_of(images: Tensor) -> Tensor:
    """Copy images to where derivatives are taken.

    Args:
        images: of any floating type and layout.

    Returns:
        The same values, at least in float32, with ``requires_grad``.

    >>> leaf_of(torch.ones(1, dtype=torch.bfloat16))
    tensor([1.], requires_grad=True)
    """
    return images.detach().to(torch.promote_types(images.dtype, torch.float32), copy=True).requires_grad_()


def plain_scores(network: nn.Module, images: Tensor) -> Tensor:
    """Compute a network's scores without derivatives, in passes of bounded size.

    Args:
        network: borrowed.
        images: N x C x spatial.

    Returns:
        (N, classes), at least in float32, on the images' device.

    Raises:
        LayerError: as `scores_of`.
        ShapeError: as `scores_of`.

    >>> plain_scores(nn.Flatten(), torch.ones(2, 1, 3))
    tensor([[1., 1., 1.],
            [1., 1., 1.]])
    """
    with torch.no_grad():
        parts = torch.split(images, images_per_pass(images))
        return torch.cat([scores_of(network, part).to(images.device) for part in parts])


def derivative(scores: Tensor, targets: Tensor, values: Tensor) -> Tensor:
    """Compute the gradient of each image's score by the values that it was computed from.

    Args:
        scores: (N, classes), with their graph.
        targets: int64 (N).
        values: N x ..., a leaf of the graph.

    Returns:
        Of the shape of the values, at least in float32.

    Raises:
        LayerError: where the scores have no derivative by the values.

    >>> leaf = leaf_of(torch.tensor([[2.0, 5.0]]))
    >>> derivative(leaf.square(), torch.tensor([1]), leaf)
    tensor([[ 0., 10.]])
    """
    chosen = scores.gather(1, targets[:, None]).sum()
    gradient = None
    if chosen.requires_grad:
        try:
            (gradient,) = torch.autograd.grad(chosen, values, allow_unused=True)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise LayerError(f"no gradient comes back through the network: {reason_of(error)}") from error
    if gradient is None:
        raise LayerError(
            "the scores do not depend on what they are computed from by anything that has a derivative: the "
            "network detaches what it computes, or computes without gradients"
        )
    return gradient.to(torch.promote_types(gradient.dtype, torch.float32))


def by_parts(
    network: nn.Module,
    images: Tensor,
    targets: Targets,
    explain: Callable[[slice, Targets], tuple[Tensor, ...]],
    on_event: OnEvent,
    *,
    keeps: int = 1,
) -> tuple[Tensor, ...]:
    """Explain images, as many at once as memory allows.

    Args:
        network: borrowed.
        images: N x C x spatial.
        targets: of all images.
        explain: is given which images, and the targets of these; gives tensors with these images first.
        on_event: is given the progress.
        keeps: how many times as much as a plain pass it keeps in memory.

    Returns:
        The tensors of all images, detached.

    Raises:
        ShapeError: where there are not as many targets as images.
    """
    count = len(images)
    if targets is not None:
        given = torch.as_tensor(targets)
        if given.ndim > 0 and given.shape != (count,):
            raise ShapeError(
                f"the classes to explain have the shape {tuple(given.shape)}; to {count} images fits "
                f"({count},)"
            )
        targets = given.expand(count)
    one = leaf_of(images[:1])
    at_once = images_at_once(lambda leaf: scores_of(network, leaf), one, network, wanted=count, keeps=keeps)
    told = counted("explaining", count, on_event)
    found: list[tuple[Tensor, ...]] = []
    for start in range(0, count, at_once):
        part = slice(start, min(start + at_once, count))
        found.append(explain(part, None if targets is None else targets[part]))
        told(part.stop - part.start)
    return tuple(torch.cat(each).detach() for each in zip(*found, strict=True))


def input_gradients(
    network: nn.Module, images: Tensor, targets: Targets, on_event: OnEvent, *, forward: Forward = scores_of
) -> tuple[Tensor, Tensor]:
    """Compute the gradient of each image's score by its values.

    Args:
        network: borrowed.
        images: N x C x spatial.
        targets: the class of each image, or one for all; ``None``: the predicted one.
        on_event: is given the progress.
        forward: computes the scores, with what derivatives it likes.

    Returns:
        The gradients, N x C x spatial, and the classes (N), on the images' device.

    Raises:
        LayerError: as `scores_of` and `derivative`, and where there is no such class.
        ShapeError: as `scores_of`, and where there are not as many targets as images.
    """

    def explain(part: slice, wanted: Targets) -> tuple[Tensor, ...]:
        leaf = leaf_of(images[part])
        scores = forward(network, leaf)
        chosen = chosen_targets(scores.detach(), wanted)
        return derivative(scores, chosen, leaf), chosen.to(images.device)

    gradients, chosen = by_parts(network, images, targets, explain, on_event)
    return gradients, chosen


def summed_gradients(
    network: nn.Module,
    count: int,
    targets: Tensor,
    points: Points,
    weights: Tensor,
    told: Callable[[int], None],
    *,
    answer: Answer | None = None,
) -> Tensor:
    """Compute a weighted sum of each image's gradients at many points, many of them in one pass.

    Args:
        network: borrowed.
        count: how many images there are, N.
        targets: int64 (N).
        points: makes the inputs.
        weights: (P), one of each point, on the device of the points.
        told: is given how many gradients were computed, after each pass.
        answer: computes the scores of points; ``None``: the network does.

    Returns:
        N x C x spatial, at least in float32.
    """
    steps, device = len(weights), weights.device
    pairs = torch.arange(count * steps, device=device)
    first = points(pairs[:1] // steps, pairs[:1] % steps)
    # Channels last, which costs nothing where they are so and little where they are not.
    total = first.movedim(1, -1).new_zeros(count, *first.shape[2:], first.shape[1])

    def scores_at(leaf: Tensor, part: Tensor) -> Tensor:
        return scores_of(network, leaf) if answer is None else answer(leaf, part // steps, part % steps)

    at_once = images_at_once(lambda leaf: scores_at(leaf, pairs[:1]), first, network, wanted=len(pairs))
    for part in torch.split(pairs, at_once):
        which, number = part // steps, part % steps
        leaf = points(which, number).requires_grad_()
        scores = scores_at(leaf, part)
        gradients = derivative(scores, targets[which].to(scores.device), leaf).movedim(1, -1)
        begin, end = int(which[0]), int(which[-1]) + 1
        # The points of an image lie together: one small product sums them, in the same order each time.
        rows = torch.arange(begin, end, device=device)
        share = torch.where(rows[:, None] == which, weights[number], 0).to(gradients.dtype)
        total[begin:end] += (share @ gradients.flatten(1)).view_as(total[begin:end])
        told(len(part))
    return total.movedim(-1, 1)
