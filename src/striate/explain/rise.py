"""RISE: look through many random masks, and see under which of them the score is high."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from striate.core.errors import LayerError
from striate.core.events import OnEvent, ignore
from striate.core.seeds import derive
from striate.engine.borrowing import borrowed
from striate.explain.attribution import Attribution
from striate.explain.differentiating import plain_scores
from striate.explain.layers import check_images
from striate.explain.perturbing import Change, changed_scores
from striate.explain.scoring import Targets, as_baseline, chosen_targets, counted
from striate.nn.inputs import by

MASKS_AT_ONCE = 64
"""How many masks are in memory; the map does not depend on it but for rounding."""

KEPT = 0.5
"""The probability of a cell to be seen."""

MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}
"""How `torch.nn.functional.interpolate` calls linear interpolation, by the number of spatial axes."""


def rise(
    network: nn.Module,
    images: Tensor,
    targets: Targets = None,
    *,
    generator: Generator | None = None,
    masks: int = 1000,
    cells: int = 7,
    baseline: float | Tensor = 0.0,
    on_event: OnEvent = ignore,
) -> Attribution:
    """Estimate how much higher the score of a class is where a place can be seen, from random masks.

    With masks M in [0, 1] and f(x M + b (1 - M)) the network's output for the class, b the baseline, the
    value at a place p is ``sum_M f M(p) / sum_M M(p) - mean_M f``: the mean score when p is seen, over the
    mean score. Masks are random cells, each seen or not with even odds, enlarged by linear interpolation and
    shifted by less than a cell; all images get the same ones. The error falls with the root of their number.

    Args:
        network: any module that gives N x classes.
        images: N x C x spatial, as the network takes them; one, two or three spatial axes.
        targets: the class of each image, or one for all; ``None``: the predicted one.
        generator: of the masks; by default the same masks each time.
        masks: how many, at least 2; the network sees each image as often.
        cells: of a mask along each axis, at least 1; at most as many as there are elements are used.
        baseline: what is seen instead: a number, or a tensor that broadcasts to the images; 0 is black for
            pixels in [0, 1] and the mean of normalised ones.
        on_event: is given the progress.

    Returns:
        The map, N x spatial.

    Raises:
        LayerError: where the network cannot take the images, a class does not exist, there are more than
            three spatial axes, or a choice is out of range.
        ShapeError: where the baseline does not fit.

    Source: Petsiuk, Das and Saenko, RISE: randomized input sampling for explanation of black-box models
    (2018), section 3. There the map is ``sum f M / (E[M] masks)`` of probabilities; here the mean score is
    taken away, so that 0 means no influence, each place is divided by how often it was seen, and f is what
    the network gives.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    >>> rise(network, torch.rand(1, 1, 4, 4), masks=8, cells=2).map.shape
    torch.Size([1, 4, 4])
    """
    check_images(images)
    images = images.detach()
    sides = images.shape[2:]
    _check(masks, cells, sides)
    filling = as_baseline(baseline, images)
    if generator is None:
        generator = Generator().manual_seed(derive(0, "rise"))
    with borrowed(network):
        chosen = chosen_targets(plain_scores(network, images), targets)
        told = counted("looking through masks", len(images) * masks, on_event)
        seen = scored = total = torch.zeros((), device=images.device)
        for start in range(0, masks, MASKS_AT_ONCE):
            count = min(MASKS_AT_ONCE, masks - start)
            shown = _random_masks(count, sides, cells, generator).to(images.device)
            pairs = torch.cartesian_prod(torch.arange(len(images)), torch.arange(count))
            scores = changed_scores(network, images, chosen, pairs, _seen_through(shown, filling), told)
            scores = scores.view(len(images), count)
            flat = shown.flatten(1).to(scores.dtype)
            seen, scored, total = seen + flat.sum(dim=0), scored + scores @ flat, total + scores.sum(dim=1)
    # A place that no mask showed has no score of its own: 0, as the mean.
    mean = (total / masks)[:, None]
    heat = torch.where(seen > 0, scored / seen.clamp(min=1e-12) - mean, 0.0).view(-1, *sides)
    sizes = [math.ceil(side / min(cells, side)) for side in sides]
    note = f"{masks:,} masks of cells of {by(sizes)}; nothing finer can be seen"
    return Attribution(method="rise", map=heat.float(), targets=chosen, note=note)


def _random_masks(count: int, sides: Sequence[int], cells: int, generator: Generator) -> Tensor:
    """Draw masks (count x spatial) in [0, 1], float32."""
    along = [min(cells, side) for side in sides]
    sizes = [math.ceil(side / number) for side, number in zip(sides, along, strict=True)]
    # A cell more than is seen, since the window that is cut out begins anywhere in the first one.
    grid = torch.rand(
        count, 1, *(number + 1 for number in along), generator=generator, device=generator.device
    )
    enlarged = [(number + 1) * size for number, size in zip(along, sizes, strict=True)]
    smooth = F.interpolate((grid < KEPT).float(), enlarged, mode=MODES[len(sides)], align_corners=False)
    begins = [
        torch.randint(size, (count,), generator=generator, device=generator.device).tolist() for size in sizes
    ]
    cut = [
        one[tuple(slice(begin, begin + side) for begin, side in zip(corner, sides, strict=True))]
        for one, corner in zip(smooth[:, 0], zip(*begins, strict=True), strict=True)
    ]
    return torch.stack(cut)


def _seen_through(masks: Tensor, filling: Tensor) -> Change:
    def hide(batch: Tensor, places: Tensor, numbers: Tensor) -> None:
        chosen = masks[numbers, None].to(batch.dtype)
        torch.lerp(filling[places], batch, chosen.expand_as(batch), out=batch)

    return hide


def _check(masks: int, cells: int, sides: Sequence[int]) -> None:
    if len(sides) not in MODES:
        raise LayerError(f"images have {len(sides)} spatial axes, where masks can have one to three")
    if masks < 2 or cells < 1:
        raise LayerError(f"{masks} masks of {cells} cells cannot be; 2 masks of 1 cell are the least")
