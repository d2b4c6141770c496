"""Score-CAM: weight the maps of a layer by what the score becomes where only each of them is seen."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.core.errors import LayerError
from striate.core.events import OnEvent, ignore
from striate.engine.borrowing import borrowed
from striate.explain.attribution import Attribution
from striate.explain.differentiating import plain_scores
from striate.explain.layers import activations, check_images, last_spatial_layer
from striate.explain.perturbing import Change, changed_scores
from striate.explain.rise import MODES
from striate.explain.scoring import Targets, chosen_targets, counted
from striate.nn.inputs import by


def score_cam(
    network: nn.Module,
    images: Tensor,
    targets: Targets = None,
    *,
    layer: str | None = None,
    on_event: OnEvent = ignore,
) -> Attribution:
    """Sum the maps of a layer, each weighted by the score of the image seen through it; no gradient is taken.

    With the layer's maps A_k, and H_k the same enlarged to the image and brought to [0, 1], the map is
    ``relu(sum_k w_k A_k)`` with ``w = softmax_k f(x H_k)``, f the network's output for the class. A map that
    is the same at all places shows nothing and has no weight. What is not seen is 0: black for pixels in
    [0, 1], the mean for normalised ones. The network sees each image as often as the layer has channels.

    Args:
        network: any module that gives N x classes.
        images: N x C x spatial, as the network takes them; one, two or three spatial axes.
        targets: the class of each image, or one for all; ``None``: the predicted one.
        layer: whose maps; ``None``: the last that gives maps of more than one place.
        on_event: is given the progress.

    Returns:
        The map, N x spatial, enlarged to the image by linear interpolation.

    Raises:
        LayerError: for an unknown layer, one whose output has no places, where the network cannot take the
            images, or a class does not exist.

    Source: Wang et al., Score-CAM: score-weighted visual explanations for convolutional neural networks
    (2020), section 3.2, algorithm 1. The score of a baseline image, which is taken away there, changes no
    softmax.

    >>> network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(18, 2))
    >>> score_cam(network, torch.rand(1, 1, 5, 5)).layer
    '1'
    """
    check_images(images)
    images = images.detach()
    sides = tuple(images.shape[2:])
    if len(sides) not in MODES:
        raise LayerError(f"images have {len(sides)} spatial axes, where maps are enlarged along one to three")
    name = last_spatial_layer(network, images) if layer is None else layer
    maps = activations(network, images, [name])[name].float()
    if maps.ndim != images.ndim or maps[0, 0].numel() < 2:
        raise LayerError(
            f"layer '{name}' gives {by(maps.shape[1:])} for an image, which has no places; "
            f"'{last_spatial_layer(network, images)}' has"
        )
    flat = maps.flatten(2)
    low, high = flat.amin(dim=2), flat.amax(dim=2)
    pairs = (high > low).nonzero()
    with borrowed(network):
        chosen = chosen_targets(plain_scores(network, images), targets)
        told = counted("looking through maps", len(pairs), on_event)
        found = changed_scores(network, images, chosen, pairs, _seen_through(maps, low, high), told)
    scores = torch.full_like(low, -torch.inf)
    scores[pairs[:, 0], pairs[:, 1]] = found.to(scores.dtype)
    weights = scores.softmax(dim=1).nan_to_num()
    raw = torch.einsum("nk,nk...->n...", weights, maps).relu()
    heat = F.interpolate(raw[:, None], sides, mode=MODES[len(sides)], align_corners=False)[:, 0]
    note = (
        f"maps of {by(raw.shape[1:])}; nothing finer can be seen" if raw[0].numel() < heat[0].numel() else ""
    )
    return Attribution("score_cam", heat, chosen, layer=name, note=note, raw=raw)


def _seen_through(maps: Tensor, low: Tensor, high: Tensor) -> Change:
    def hide(batch: Tensor, places: Tensor, numbers: Tensor) -> None:
        extent = [-1] + [1] * (maps.ndim - 2)
        begin, end = (bound[places, numbers].view(extent) for bound in (low, high))
        shown = (maps[places, numbers] - begin) / (end - begin)
        sides = list(batch.shape[2:])
        shown = F.interpolate(shown[:, None], sides, mode=MODES[len(sides)], align_corners=False)
        batch.mul_(shown.to(batch.dtype))

    return hide
