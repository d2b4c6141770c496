"""Class activation maps: where the features of a layer speak for a class, by gradients at that layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.core.errors import LayerError
from striate.core.events import OnEvent, ignore
from striate.engine.borrowing import borrowed_for_gradients
from striate.explain.attribution import Attribution
from striate.explain.differentiating import by_parts, derivative
from striate.explain.layers import check_images, find_layer, last_spatial_layer, split_call, unwrapped
from striate.explain.rise import MODES
from striate.explain.scores import scores_of
from striate.explain.scoring import Targets, chosen_targets
from striate.nn.inputs import by, check_dims

Weigh: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Makes a map (N x spatial) of a layer's features and the gradients by them (N x K x spatial)."""


def grad_cam(
    network: nn.Module,
    images: Tensor,
    targets: Targets = None,
    *,
    layer: str | None = None,
    on_event: OnEvent = ignore,
) -> Attribution:
    """Weigh the feature maps of a layer by the mean gradient of a class's score: ``relu(sum_k w_k A_k)``.

    ``w_k`` is the mean over all places of ``df/dA_k``. The map is as coarse as the layer's, and is enlarged
    to the images by linear interpolation.

    Args:
        network: any module that gives N x classes; it is left as it was.
        images: N x C x spatial, as the network takes them; one to three spatial axes.
        targets: the class of each image, or one for all; ``None``: the predicted one.
        layer: a path as in ``named_modules()``, ``path (2)`` for its second call; ``None``: the last layer
            that gives maps of more than one place.
        on_event: is given the progress.

    Returns:
        The map, N x spatial; as the layer has it in ``raw``; and the layer.

    Raises:
        LayerError: where the layer does not exist or gives no map, no layer gives one, the network cannot
            take the images, or a class does not exist.
        ShapeError: where the network does not give N x classes, or there are not as many targets as images.

    Source: Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra, Grad-CAM: visual explanations from deep
    networks via gradient-based localization (2017), section 3.

    >>> network = nn.Sequential(nn.Conv1d(1, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    >>> found = grad_cam(network, torch.rand(1, 1, 4))
    >>> found.map.shape, found.layer
    (torch.Size([1, 4]), '1')
    """

    def weigh(features: Tensor, gradients: Tensor) -> Tensor:
        weights = gradients.mean(dim=tuple(range(2, gradients.ndim)), keepdim=True)
        return (weights * features).sum(dim=1).relu()

    return _explained("grad_cam", weigh, network, images, targets, layer, on_event)


def grad_cam_plus_plus(
    network: nn.Module,
    images: Tensor,
    targets: Targets = None,
    *,
    layer: str | None = None,
    on_event: OnEvent = ignore,
) -> Attribution:
    """Weigh the feature maps of a layer by the gradients over 0, more where few places share them.

    With g the gradient ``df/dA_k`` at a place, ``alpha = g^2 / (2 g^2 + g^3 sum over places of A_k)``, the
    weight of the map is ``w_k = sum over places of alpha relu(g)``, and the result ``relu(sum_k w_k A_k)``.
    It is made for features that are not under 0, as after a rectifier.

    Args:
        network: any module that gives N x classes; it is left as it was.
        images: N x C x spatial, as the network takes them; one to three spatial axes.
        targets: the class of each image, or one for all; ``None``: the predicted one.
        layer: as for `grad_cam`.
        on_event: is given the progress.

    Returns:
        The map, N x spatial; as the layer has it in ``raw``; and the layer.

    Raises:
        LayerError: as `grad_cam`.
        ShapeError: as `grad_cam`.

    Source: Chattopadhay, Sarkar, Howlader and Balasubramanian, Grad-CAM++ (2018), section 3. The score
    there is the exponential of the network's; its factor exp(f) is common to the whole map and left out.

    >>> network = nn.Sequential(nn.Conv1d(1, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    >>> grad_cam_plus_plus(network, torch.rand(1, 1, 4)).map.shape
    torch.Size([1, 4])
    """

    def weigh(features: Tensor, gradients: Tensor) -> Tensor:
        places = tuple(range(2, gradients.ndim))
        # The formula with g^2 cancelled, which small gradients do not underflow.
        below = 2 + gradients * features.sum(dim=places, keepdim=True)
        speaking = (gradients > 0) & (below > 0)
        alphas = torch.where(speaking, 1 / below, 0)
        weights = (alphas * gradients.relu()).sum(dim=places, keepdim=True)
        return (weights * features).sum(dim=1).relu()

    return _explained("grad_cam_plus_plus", weigh, network, images, targets, layer, on_event)


def layer_cam(
    network: nn.Module,
    images: Tensor,
    targets: Targets = None,
    *,
    layer: str | None = None,
    on_event: OnEvent = ignore,
) -> Attribution:
    """Weigh each place of each feature map of a layer by its own gradient: ``relu(sum_k relu(df/dA_k) A_k)``.

    Since each place has its own weight, it also tells something at early layers, whose maps are finer.

    Args:
        network: any module that gives N x classes; it is left as it was.
        images: N x C x spatial, as the network takes them; one to three spatial axes.
        targets: the class of each image, or one for all; ``None``: the predicted one.
        layer: as for `grad_cam`.
        on_event: is given the progress.

    Returns:
        The map, N x spatial; as the layer has it in ``raw``; and the layer.

    Raises:
        LayerError: as `grad_cam`.
        ShapeError: as `grad_cam`.

    Source: Jiang, Zhang, Hou, Cheng and Wei, LayerCAM: exploring hierarchical class activation maps for
    localization (2021), section III.

    >>> network = nn.Sequential(nn.Conv1d(1, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    >>> layer_cam(network, torch.rand(1, 1, 4)).map.shape
    torch.Size([1, 4])
    """

    def weigh(features: Tensor, gradients: Tensor) -> Tensor:
        return (gradients.relu() * features).sum(dim=1).relu()

    return _explained("layer_cam", weigh, network, images, targets, layer, on_event)


def _explained(
    method: str,
    weigh: Weigh,
    network: nn.Module,
    images: Tensor,
    targets: Targets,
    layer: str | None,
    on_event: OnEvent,
) -> Attribution:
    check_images(images)
    dims = images.ndim - 2
    check_dims(dims, layer=method)
    network = unwrapped(network)
    name = last_spatial_layer(network, images) if layer is None else layer
    module = find_layer(network, name)

    def explain(part: slice, wanted: Targets) -> tuple[Tensor, ...]:
        with _made_a_leaf(module, name) as leaves:
            scores = scores_of(network, images[part].detach())
        if not leaves:
            raise LayerError(f"the network does not call its layer '{name}' for these images")
        features = leaves[0]
        if features.ndim != images.ndim or math.prod(features.shape[2:]) < 2:
            raise LayerError(
                f"layer '{name}' gives {by(features.shape)}, which has no places to map; the last layer that "
                f"has is '{last_spatial_layer(network, images)}'"
            )
        chosen = chosen_targets(scores.detach(), wanted)
        gradients = derivative(scores, chosen, features)
        raw = weigh(features.detach().to(gradients.dtype), gradients)
        return raw.to(images.device), chosen.to(images.device)

    with borrowed_for_gradients(network):
        raw, chosen = by_parts(network, images, targets, explain, on_event)
        raw = raw.float()
        size = images.shape[2:]
        large = F.interpolate(raw[:, None], size=size, mode=MODES[dims], align_corners=False)[:, 0]
        note = f"{by(raw.shape[1:])} places, enlarged to {by(size)}; nothing finer can be seen"
        empty = int((raw.flatten(1).amax(dim=1) <= 0).sum())
        if empty:
            note += f"; for {empty} of {len(raw)} images nothing there speaks for the class, and the map is 0"
        return Attribution(method, large, chosen, layer=name, note=note, raw=raw)


@contextmanager
def _made_a_leaf(module: nn.Module, name: str) -> Iterator[list[Tensor]]:
    """Make what one call of a layer gives, or the first tensor of it, the leaf of derivatives; collect it.

    What comes before is then computed without a graph, and what comes after may write in place.
    """
    path, wanted = split_call(name)
    leaves: list[Tensor] = []
    calls = 0

    def leave(module: nn.Module, given: Any, output: Any) -> Any:
        nonlocal calls
        del module, given
        calls += 1
        if wanted != (path if calls == 1 else f"{path} ({calls})"):
            return None
        first = output[0] if type(output) in (tuple, list) and output else output
        if not isinstance(first, Tensor) or not first.is_floating_point():
            raise LayerError(f"layer '{name}' gives a {type(output).__name__}, where a map is wanted")
        leaves.append(first.detach().clone().requires_grad_())
        copy = leaves[0].clone()
        return copy if first is output else type(output)([copy, *output[1:]])

    handle = module.register_forward_hook(leave)
    try:
        yield leaves
    finally:
        handle.remove()
