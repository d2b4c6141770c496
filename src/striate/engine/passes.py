"""How many images may pass through a network at once, so that their derivatives fit into memory."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

GRAPH_BYTES = 256 * 2**20
"""How much the layers of one pass may keep for its derivatives on a CPU, at most, unless one image alone
needs more: what is larger leaves the caches, and is allocated anew, page by page."""

GPU_BYTES = 16 * GRAPH_BYTES
"""The same on other devices, which only many images at once keep busy."""

FEW = 4
"""So many images pass at once without being measured first."""


def images_at_once(
    forward: Callable[[Tensor], object],
    image: Tensor,
    network: nn.Module | None,
    *,
    wanted: int,
    keeps: int = 1,
) -> int:
    """Say how many images may pass at once, so that what layers keep for derivatives fits `GRAPH_BYTES`.

    Args:
        forward: makes an image pass; it is called where more than a few are wanted.
        image: 1 x C x spatial.
        network: its weights, which are kept once for all, are not counted; ``None``: what two passes
            both keep is taken for these.
        wanted: how many are to pass in all.
        keeps: how many times as much as that pass is kept.

    Returns:
        From 1 to the number wanted.

    >>> import torch
    >>> images_at_once(torch.exp, torch.ones(1, 1, 4), nn.Identity(), wanted=30)
    30
    """
    if wanted <= FEW:
        return wanted
    kept, output = _kept(forward, image)
    if network is None:
        weights = kept.keys() & _kept(forward, image)[0].keys()  # while the first output holds its memory
    else:
        tensors = (*network.parameters(), *network.buffers())
        weights = {each.untyped_storage().data_ptr() for each in tensors}
    del output
    layers = sum(size for place, size in kept.items() if place not in weights) * keeps
    pixels = 4 * image.numel() * image.element_size()  # it, the network's copy, and the gradients of both
    room = GRAPH_BYTES if image.device.type == "cpu" else GPU_BYTES
    return min(wanted, max(1, room // (layers + pixels)))


def _kept(forward: Callable[[Tensor], object], image: Tensor) -> tuple[dict[int, int], object]:
    """Let an image pass; give the sizes of what is kept for derivatives by where it lies, and the output."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        output = forward(image.detach().requires_grad_())
    return kept, output
