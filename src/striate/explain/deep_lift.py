"""DeepLIFT: share the change of a score against a baseline out to the pixels, layer by layer, to the last."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError
from striate.core.events import OnEvent, ignore
from striate.engine.borrowing import borrowed_for_gradients
from striate.explain.attribution import Attribution
from striate.explain.differentiating import by_parts, derivative, leaf_of
from striate.explain.layers import check_images, unwrapped
from striate.explain.replacing import Intercepted
from striate.explain.rescaling import RULED, References, operation_without_rule
from striate.explain.scores import scores_of
from striate.explain.scoring import Targets, as_baseline, chosen_targets

_KEEPS = 4
"""About how many times as much as a plain pass it keeps: references, and differences in double precision."""


def deep_lift(
    network: nn.Module,
    images: Tensor,
    targets: Targets = None,
    *,
    baseline: float | Tensor = 0.0,
    on_event: OnEvent = ignore,
) -> Attribution:
    """Share out how much a score differs from that of a baseline, by the rescale rule.

    Every function of one number passes back ``(f(x) - f(x0)) / (x - x0)`` instead of its derivative, x for
    the image and x0 for the baseline; a maximum passes its change back to the value that reached the larger
    of the two; layers that are linear pass back as ever. The map is (x - x0) times what arrives at the image,
    and sums to f(x) - f(x0) but for rounding: that is the gap.

    Functions are found however they are called: as modules, used once or again, by name, as methods, in
    place. What is not linear and has no rule is refused by its name: softmax (explain the scores before it),
    products of two values that both depend on the image, norms over the image's own values. So is a map that
    misses its sum, as where the network computes a mask from the image.

    Args:
        network: any module that gives N x classes; it is left as it was.
        images: N x C x spatial, as the network takes them.
        targets: the class of each image, or one for all; ``None``: the predicted one.
        baseline: what stands for nothing to be seen: a number, or a tensor that broadcasts to the images. The
            default, 0, is black for pixels in [0, 1] and the mean of normalised ones; what equals it has no
            share.
        on_event: is given the progress.

    Returns:
        The map, N x C x spatial, and its gap.

    Raises:
        LayerError: where an operation has no rule, the network goes another way for images than for
            baselines, it cannot take the images, a class does not exist, or nothing has a derivative.
        ShapeError: where the network does not give N x classes, there are not as many targets as images, or
            the baseline does not fit.

    Source: Shrikumar, Greenside and Kundaje, Learning important features through propagating activation
    differences (2017), section 3.5.2 (rescale); the rule of the maximum is that of captum.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False), nn.ReLU())
    >>> network[1].weight.data = torch.tensor([[3.0, -1.0]])
    >>> found = deep_lift(network, torch.tensor([[[1.0, 1.0]]]))
    >>> found.map.tolist(), found.gap.tolist()
    ([[[3.0, -1.0]]], [0.0])
    """
    check_images(images)
    network = unwrapped(network)
    nothing = as_baseline(baseline, images)

    def explain(part: slice, wanted: Targets) -> tuple[Tensor, ...]:
        references = References()
        # With a graph, as for the images, so that the network has no reason to go another way.
        with Intercepted(RULED, references.record):
            before = scores_of(network, leaf_of(nothing[part])).detach()
        leaf = leaf_of(images[part])
        with Intercepted(RULED, references.rescale):
            after = scores_of(network, leaf)
        references.check_all_met()
        missing = operation_without_rule(after)
        if missing:
            raise LayerError(
                f"deep_lift has no rule for {missing}, which is not linear"
                + (
                    "; explain the scores before it"
                    if "oftmax" in missing
                    else "; integrated_gradients does without"
                )
            )
        chosen = chosen_targets(after.detach(), wanted)
        found = derivative(after, chosen, leaf) * (leaf.detach() - nothing[part])
        ends = [
            each.detach().gather(1, chosen[:, None]).squeeze(1).to(found.device) for each in (before, after)
        ]
        gap = found.flatten(1).sum(dim=1) - (ends[1] - ends[0])
        _check_sum(network, found, gap, ends)
        return found, gap, chosen.to(images.device)

    with borrowed_for_gradients(network):
        found, gap, chosen = by_parts(network, images, targets, explain, on_event, keeps=_KEEPS)
        return Attribution("deep_lift", found.float(), chosen, gap=gap.float(), per_channel=True)


def _check_sum(network: nn.Module, found: Tensor, gap: Tensor, ends: list[Tensor]) -> None:
    """Refuse a map that misses its sum by more than rounding can do."""
    weight = next((each for each in network.parameters() if each.is_floating_point()), found)
    rounding = torch.finfo(weight.dtype).eps ** 0.5
    size = found.abs().flatten(1).sum(dim=1) + ends[0].abs() + ends[1].abs()
    wrong = (gap.abs() > rounding * size).nonzero().flatten()
    if len(wrong):
        first = int(wrong[0])
        change = float(ends[1][first] - ends[0][first])
        raise LayerError(
            f"the map of deep_lift sums to {change + float(gap[first]):.4g} where the score changes by "
            f"{change:.4g}: something in the network is not linear where no rule can see it, such as a mask "
            "computed from the image; integrated_gradients does without rules"
        )
