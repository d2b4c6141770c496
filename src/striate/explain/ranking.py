"""Ranks of the places of a map: their order with ties broken by chance, and Spearman's correlation."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def places_in_order(heat: Tensor, generator: Generator) -> Tensor:
    """Number the places of each map from the hottest, 0, on; places that tie come in a random order.

    Maps are often 0 over large parts: in the order of their indices, these would go from the top down.

    Args:
        heat: (N, P).
        generator: of the order of ties, the same for all maps.

    Returns:
        int64 (N, P): the rank of each place.

    >>> places_in_order(torch.tensor([[0.5, 2.0, 1.0]]), Generator().manual_seed(0))
    tensor([[2, 0, 1]])
    """
    count = heat.shape[1]
    shuffle = torch.randperm(count, generator=generator, device=generator.device).to(heat.device)
    order = shuffle[heat[:, shuffle].sort(dim=1, descending=True, stable=True).indices]
    ranks = torch.arange(count, device=heat.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, ranks)


def spearman(one: Tensor, other: Tensor) -> Tensor:
    """Compute Spearman's rank correlation of each pair of maps; values that tie have their mean rank.

    Args:
        one: (N, P).
        other: of the same shape.

    Returns:
        float64 (N), in [-1, 1]. Where a map is the same at all places there is nothing to rank: 1 where both
        are, as they then show the same, else 0.

    >>> round(spearman(torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[3.0, 2.0, 1.0]])).item(), 6)
    -1.0
    """
    centred = [ranks - ranks.mean(dim=1, keepdim=True) for ranks in (_mean_ranks(one), _mean_ranks(other))]
    lengths = [ranks.norm(dim=1) for ranks in centred]
    flat = [length == 0 for length in lengths]
    correlation = (centred[0] * centred[1]).sum(dim=1) / (lengths[0] * lengths[1])
    same = (flat[0] & flat[1]).to(correlation.dtype)
    return torch.where(flat[0] | flat[1], same, correlation.clamp(-1, 1))


def _mean_ranks(values: Tensor) -> Tensor:
    # On the CPU, since not every device has double precision.
    values = values.detach().cpu().double().contiguous()
    ordered = values.sort(dim=1).values
    below = torch.searchsorted(ordered, values)
    return (below + torch.searchsorted(ordered, values, right=True) - 1).double() / 2
