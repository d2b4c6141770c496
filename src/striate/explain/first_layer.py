"""Pass by the first layer of a network where inputs lie on straight ways: being linear, it is known there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from striate.engine.passes import GRAPH_BYTES
from striate.explain.differentiating import Answer, Points, leaf_of, summed_gradients
from striate.explain.replacing import Call, Intercepted
from striate.explain.scores import scores_of

LINEAR = frozenset({"conv1d", "conv2d", "conv3d", "linear"})
"""The functions that can be such a first layer."""

BETWEEN = 0.381966
"""The place on each way where it is checked that what comes before the layer's output is linear."""

NEAR = 1e-4
"""How near to a straight line is straight, as a share of the largest output."""


class _Enough(BaseException):
    """Ends a pass where all that was wanted has been seen; nothing on the way may catch it."""


def gradients_along(
    network: nn.Module,
    start: Tensor,
    way: Tensor,
    targets: Tensor,
    places: Tensor,
    weights: Tensor,
    told: Callable[[int], None],
) -> Tensor:
    """Sum the gradients at places on straight ways, weighted: ``w df/dx`` at ``start + place way``.

    Where images enter the network by one layer ``y = A x + c`` alone, y is straight along each way too, and
    the sum is ``A' sum of w df/dy``: that layer, costly for large images of few channels, computes three
    outputs and one gradient an image instead of one of both at each place. Whether it is so is tried out.

    Args:
        network: borrowed.
        start: where ways begin, N x C x spatial.
        way: how far they go, N x C x spatial.
        targets: int64 (N).
        places: (P), in [0, 1].
        weights: (P).
        told: is given how many gradients were computed, after each pass.

    Returns:
        N x C x spatial.
    """
    column = (-1, *[1] * (start.ndim - 1))

    def at(rows: slice) -> Points:
        return lambda which, number: torch.addcmul(
            _rows(start[rows], which), places[number].view(column), _rows(way[rows], which)
        )

    place, size = _first_layer(network, start[:1] + way[:1])
    if place is None:
        return summed_gradients(network, len(start), targets, at(slice(None)), weights, told)
    found: list[Tensor] = []
    most = max(1, GRAPH_BYTES // (4 * size))
    for begin in range(0, len(start), most):
        rows = slice(begin, begin + most)
        ends = leaf_of(start[rows] + way[rows])
        outputs = _straight(network, start[rows], way[rows], ends, place)
        if outputs is None:
            found.append(summed_gradients(network, len(ends), targets[rows], at(rows), weights, told))
            continue
        points, answer = _behind(network, outputs, places, at(rows), place)
        total = summed_gradients(network, len(ends), targets[rows], points, weights, told, answer=answer)
        (back,) = torch.autograd.grad(outputs[1], ends, total.to(outputs[1].dtype))
        found.append(back)
    return torch.cat(found)


def _first_layer(network: nn.Module, image: Tensor) -> tuple[int | None, int]:
    """Find the linear layer through which alone gradients reach an image: its number among all calls of such.

    Gives its output's bytes too.
    """
    calls, place, size = 0, None, 0

    def cut(call: Call) -> Any:
        nonlocal calls, place, size
        output = call.run()
        if place is None and call.differentiable:
            place, size = calls, output.numel() * output.element_size()
            output = output.detach().clone()  # the kept one may not be written
        calls += 1
        return output

    with Intercepted(LINEAR, cut):
        scores = scores_of(network, leaf_of(image))
    return (None if scores.requires_grad else place), size


def _straight(
    network: nn.Module, start: Tensor, way: Tensor, ends: Tensor, place: int
) -> tuple[Tensor, Tensor] | None:
    """Give the layer's outputs at both ends of the ways, unless it is not straight between them."""
    last = _outputs(network, ends, place)
    with torch.no_grad():
        first = _outputs(network, start, place)
        between = _outputs(network, start + BETWEEN * way, place)
        if first is None or last is None or between is None:
            return None
        if last.dtype not in (torch.float32, torch.float64) or last.device != start.device:
            return None
        largest = torch.maximum(first.abs().amax(), last.abs().amax())
        bent = (torch.lerp(first, last.detach(), BETWEEN) - between).abs().amax() > NEAR * largest
    return None if bent else (first, last)


def _outputs(network: nn.Module, images: Tensor, place: int) -> Tensor | None:
    """Give what a call of a linear layer gives for images, and end the pass there."""
    calls = 0
    found: Tensor | None = None

    def take(call: Call) -> Any:
        nonlocal calls, found
        output = call.run()
        if calls == place:
            found = output
            raise _Enough
        calls += 1
        return output

    try:
        with Intercepted(LINEAR, take):
            scores_of(network, images)
    except _Enough:
        pass
    return found


def _behind(
    network: nn.Module,
    outputs: tuple[Tensor, Tensor],
    places: Tensor,
    at: Points,
    place: int,
) -> tuple[Points, Answer]:
    """Make what gives the layer's outputs at points of the ways, and the network's scores for these."""
    # The channels at the end where they lie last, since taking rows would lay them out anew.
    first = outputs[0].movedim(1, -1)
    further = (outputs[1].detach() - outputs[0]).movedim(1, -1)
    column = (-1, *[1] * (first.ndim - 1))

    def points(which: Tensor, number: Tensor) -> Tensor:
        along = places[number].view(column)
        return torch.addcmul(_rows(first, which), along, _rows(further, which)).movedim(-1, 1)

    def answer(given: Tensor, which: Tensor, number: Tensor) -> Tensor:
        calls = 0

        def give(call: Call) -> Any:
            nonlocal calls
            calls += 1
            return given.clone() if calls == place + 1 else call.run()

        with Intercepted(LINEAR, give):
            # The images themselves too: the network may look at them in ways that have no gradient.
            return scores_of(network, at(which, number))

    return points, answer


def _rows(tensor: Tensor, which: Tensor) -> Tensor:
    """Take rows, which are in order: one that stands for all of them where they are the same."""
    first = int(which[0])
    return tensor[first : first + 1] if first == int(which[-1]) else tensor[which]
