"""Occlusion: cover each part of an image in turn, and see what that takes from the score."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import TypeAlias

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.core.events import OnEvent, ignore
from striate.engine.borrowing import borrowed
from striate.explain.attribution import Attribution
from striate.explain.covering import covered_scores
from striate.explain.differentiating import plain_scores
from striate.explain.layers import check_images
from striate.explain.perturbing import Change, changed_scores
from striate.explain.scoring import Targets, as_baseline, chosen_targets, counted
from striate.nn.inputs import by

Region: TypeAlias = tuple[slice, ...]

WINDOWS_ALONG = 7
"""By default a window is about this share of each side."""


def occlusion(
    network: nn.Module,
    images: Tensor,
    targets: Targets = None,
    *,
    window: int | Sequence[int] | None = None,
    stride: int | Sequence[int] | None = None,
    baseline: float | Tensor = 0.0,
    on_event: OnEvent = ignore,
) -> Attribution:
    """Measure what covering each window of an image takes from the score of a class.

    The value at a place is the mean, over the windows w that cover it, of ``f(x) - f(x with w covered)``,
    where f is the network's output for the class: over 0 where the place speaks for the class. All channels
    are covered together. Windows begin at the first element and go on by the stride; the last along an axis
    may stick out, and is cut. The network sees each image as often as there are windows.

    Args:
        network: any module that gives N x classes.
        images: N x C x spatial, as the network takes them.
        targets: the class of each image, or one for all; ``None``: the predicted one.
        window: side of the window in elements, one number or one an axis; by default a seventh of each side.
        stride: from window to window, in elements, at most the window; by default half of it.
        baseline: what a covered element becomes: a number, or a tensor that broadcasts to N x C x spatial,
            such as the images' own mean. The default, 0, is black for pixels in [0, 1] and the mean of
            normalised ones; what is black by itself cannot be seen to matter then.
        on_event: is given the progress.

    Returns:
        The map, N x spatial.

    Raises:
        LayerError: where the network cannot take the images, a class does not exist, or a window or stride
            is under 1 or leaves places out.
        ShapeError: where a window is larger than the images, or the baseline does not fit.

    Source: Zeiler and Fergus, Visualizing and understanding convolutional networks (2014), section 4.2, with
    a grey square; the mean over windows is that of captum.

    >>> middle = nn.Sequential(nn.Flatten(), nn.Linear(9, 1, bias=False))
    >>> _ = nn.init.zeros_(middle[1].weight)
    >>> middle[1].weight.data[0, 4] = 2.0
    >>> occlusion(middle, torch.ones(1, 1, 3, 3), 0, window=1).map.tolist()
    [[[0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]]
    """
    check_images(images)
    images = images.detach()
    sides = images.shape[2:]
    # Of an even size: half of it is a step, and all places but those at borders are covered as often.
    usual = [min(side, 2 * math.ceil(side / (2 * WINDOWS_ALONG))) for side in sides]
    windows = _along(window, usual, "window", len(sides))
    strides = _along(stride, [math.ceil(each / 2) for each in windows], "stride", len(sides))
    _check(windows, strides, sides)
    starts = [
        range(0, math.ceil((side - wide) / step) * step + 1, step)
        for side, wide, step in zip(sides, windows, strides, strict=True)
    ]
    regions = [
        tuple(slice(at, min(at + wide, side)) for at, wide, side in zip(corner, windows, sides, strict=True))
        for corner in product(*starts)
    ]
    filling = as_baseline(baseline, images)
    changes = _that_change(images, filling, regions)
    with borrowed(network):
        outputs = plain_scores(network, images)
        chosen = chosen_targets(outputs, targets)
        told = counted("covering windows", int(changes.sum()), on_event)
        after = covered_scores(network, images, chosen, regions, changes, filling, told)
        if after is None:
            after = _by_whole_passes(network, images, chosen, regions, changes, filling, told)
    before = outputs.gather(1, chosen[:, None])
    lost = torch.where(changes, before - after.to(before.dtype), 0)
    lost = lost.view(len(images), *map(len, starts))
    heat = _mean_over_windows(lost, starts, windows, sides)
    note = f"windows of {by(windows)} every {by(strides)}; nothing finer can be seen"
    return Attribution(method="occlusion", map=heat.float(), targets=chosen, note=note)


def _that_change(images: Tensor, filling: Tensor, regions: Sequence[Region]) -> Tensor:
    """Say in which windows (N x windows) covering an image changes anything at all."""
    differs = (images != filling).any(dim=1)
    return torch.stack([differs[(slice(None), *region)].flatten(1).any(dim=1) for region in regions], dim=1)


def _by_whole_passes(
    network: nn.Module,
    images: Tensor,
    targets: Tensor,
    regions: Sequence[Region],
    changes: Tensor,
    filling: Tensor,
    told: Callable[[int], None],
) -> Tensor:
    """Compute the scores by passes of whole images through the whole network."""
    pairs = changes.nonzero()
    found = changed_scores(network, images, targets, pairs, _cover_with(regions, filling), told)
    return found.new_zeros(changes.shape).index_put_(pairs.unbind(1), found)


def _cover_with(regions: Sequence[Region], filling: Tensor) -> Change:
    def cover(batch: Tensor, places: Tensor, numbers: Tensor) -> None:
        for row, place, number in zip(batch, places.tolist(), numbers.tolist(), strict=True):
            where = (slice(None), *regions[number])
            row[where] = filling[place][where]

    return cover


def _mean_over_windows(
    lost: Tensor, starts: Sequence[range], windows: Sequence[int], sides: Sequence[int]
) -> Tensor:
    """Spread the values of windows (N x windows along each axis) over the places that they cover."""
    for places, wide, side in zip(starts, windows, sides, strict=True):
        begins = torch.tensor(places, device=lost.device)[:, None]
        element = torch.arange(side, device=lost.device)
        covered = ((element >= begins) & (element < begins + wide)).to(lost.dtype)
        # The axis of windows that comes first goes, and its elements come last: in the end all are in order.
        lost = torch.tensordot(lost, covered / covered.sum(dim=0), dims=([1], [0]))
    return lost


def _along(
    given: int | Sequence[int] | None, default: Sequence[int], what: str, axes: int
) -> tuple[int, ...]:
    if given is None:
        return tuple(default)
    each = (given,) * axes if isinstance(given, int) else tuple(given)
    if len(each) != axes:
        raise LayerError(f"the {what} has {len(each)} sides, where the images have {axes} spatial axes")
    if any(side < 1 for side in each):
        raise LayerError(f"a {what} of {by(each)} elements cannot be; each side is at least 1")
    return each


def _check(windows: Sequence[int], strides: Sequence[int], sides: Sequence[int]) -> None:
    for wide, step, side in zip(windows, strides, sides, strict=True):
        if wide > side:
            raise ShapeError(
                f"a window of {by(windows)} does not fit into images of {by(sides)}: {wide} is over {side}"
            )
        if step > wide < side:
            raise LayerError(
                f"with windows of {wide} every {step} elements, {step - wide} of {step} are never covered; "
                f"a stride of {wide} or less covers all"
            )
