"""Features: what a network has made of each image before its last layer, or at any other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError
from striate.core.events import OnEvent, ignore
from striate.engine.borrowing import borrowed
from striate.explain.layers import layer_calls, observe, unwrapped
from striate.explain.recording import weights_of
from striate.explain.streaming import Images, Prepare, batches, first_batch


def features(
    network: nn.Module,
    images: Images,
    *,
    layer: str | None = None,
    prepare: Prepare | None = None,
    batch: int | None = None,
    on_event: OnEvent = ignore,
) -> Tensor:
    """Compute the features of many images: what goes into the last linear layer, or what a layer gives.

    Maps are averaged over their places, and tokens over all tokens, so that there is one number a channel.

    Args:
        network: any module, in whichever precision it computes; it is left as it was.
        images: N x C x spatial, uint8 or floating point, perhaps a memory map.
        layer: whose output is meant; ``None``: the input of the linear layer that runs last, the penultimate
            features.
        prepare: turns stored images into what the network takes; ``None`` makes uint8 numbers in [0, 1].
        batch: images computed at once; ``None`` chooses by their size.
        on_event: is given the progress.

    Returns:
        float32 (N, features) on the CPU.

    Raises:
        LayerError: where there is no linear layer and none is named, for an unknown layer, images of a wrong
            type, or features that are inf or NaN.
        ShapeError: where the images do not fit the network.

    >>> network = nn.Sequential(nn.Conv2d(1, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 2))
    >>> features(network, torch.zeros(4, 1, 8, 8)).shape
    torch.Size([4, 5])
    """
    network = unwrapped(network)
    one = first_batch(images, prepare)
    name = last_linear_layer(network, one) if layer is None else layer
    parts: list[Tensor] = []

    def see(seen: str, given: Tensor | None, output: Tensor) -> None:
        del seen
        taken = given if layer is None and given is not None else output
        parts.append(pooled(taken, one.ndim))

    with borrowed(network):
        for part in batches(images, prepare=prepare, batch=batch, what="features", on_event=on_event):
            observe(network, part, [name], see)
    return _finite(torch.cat(parts), name)


def layer_features(
    network: nn.Module,
    images: Images,
    layers: Sequence[str],
    *,
    prepare: Prepare | None = None,
    batch: int | None = None,
    on_event: OnEvent = ignore,
) -> dict[str, Tensor]:
    """Compute the features of many images at several layers in one pass over the images.

    Args:
        network: any module; it is left as it was.
        images: as for `features`.
        layers: names; the output of each, averaged over its places.
        prepare: as for `features`.
        batch: as for `features`.
        on_event: is given the progress.

    Returns:
        Layer -> float32 (N, channels) on the CPU.

    Raises:
        LayerError: as `features`.
        ShapeError: as `features`.

    >>> network = nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU())
    >>> layer_features(network, torch.zeros(4, 1, 8, 8), ["0", "1"])["1"].shape
    torch.Size([4, 5])
    """
    network = unwrapped(network)
    dims = first_batch(images, prepare).ndim
    parts: dict[str, list[Tensor]] = {name: [] for name in layers}

    def see(name: str, given: Tensor | None, output: Tensor) -> None:
        del given
        parts[name].append(pooled(output, dims))

    with borrowed(network):
        for part in batches(images, prepare=prepare, batch=batch, what="features", on_event=on_event):
            observe(network, part, list(parts), see)
    return {name: _finite(torch.cat(found), name) for name, found in parts.items()}


def last_linear_layer(network: nn.Module, images: Tensor) -> str:
    """Name the linear layer that runs last.

    Args:
        network: any module; it is left as it was.
        images: N x C x spatial as the network takes them; the first is used.

    Returns:
        Its name.

    Raises:
        LayerError: where none runs.

    >>> last_linear_layer(nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.Softmax(1)), torch.zeros(1, 1, 4))
    '1'
    """
    found = [call.name for call in layer_calls(network, images) if isinstance(call.module, nn.Linear)]
    if not found:
        raise LayerError(
            f"the network ({type(network).__name__}) runs no linear layer, whose input would be its "
            "features; layer= names another layer, whose output is taken"
        )
    return found[-1]


def weighing_layers(network: nn.Module, images: Tensor) -> tuple[str, ...]:
    """Name the layers that weigh what they get, such as convolutions and linear layers, as they run.

    Norms, whose weights are one a channel, and parts that only hold others are left out.

    Args:
        network: any module; it is left as it was.
        images: N x C x spatial as the network takes them; the first is used.

    Returns:
        Their names.

    Raises:
        LayerError: where there is none.

    >>> network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(18, 2))
    >>> weighing_layers(network, torch.zeros(1, 1, 5, 5))
    ('0', '3')
    """
    found = tuple(
        call.name
        for call in layer_calls(network, images)
        if call.output is not None and any(each.ndim > 1 for each in weights_of(call.module))
    )
    if not found:
        raise LayerError(f"the network ({type(network).__name__}) runs no layer with a matrix of weights")
    return found


def pooled(output: Tensor, dims: int) -> Tensor:
    """Bring what a layer gives to one number a channel.

    Args:
        output: of a layer.
        dims: axes of the network's images, batch and channels included.

    Returns:
        float32 (N, channels) on the CPU: of maps the mean over places, of N x tokens x channels over tokens.

    >>> pooled(torch.tensor([[[[1.0, 3.0]]]]), 4)
    tensor([[2.]])
    """
    values = output.detach().float()
    if values.ndim == dims and values.ndim > 2:
        values = values.flatten(2).mean(dim=2)
    elif values.ndim == 3:
        values = values.mean(dim=1)
    return values.flatten(1).clone().cpu()


def _finite(found: Tensor, layer: str) -> Tensor:
    broken = int((~torch.isfinite(found)).any(dim=1).sum())
    if broken:
        raise LayerError(f"the features at '{layer}' of {broken} of {len(found)} images are inf or NaN")
    return found
