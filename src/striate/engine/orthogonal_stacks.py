"""Bring the singular values of many matrices near 1 at once, in as few large products as there can be."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

SMALL_STACK = 2**22
"""Up to how many values all matrices together are padded to the largest: the products of small ones take as
long as it takes to start them, so that one stack costs less than several."""


def orthogonal_each(matrices: Sequence[Tensor], *, steps: int = 5) -> list[Tensor]:
    """Do to each matrix what `striate.engine.optimizers.orthogonal` does to one.

    Matrices of one shape are multiplied as a stack; where all of them are small, they are padded with zeros
    to a single stack, which changes no product.

    Args:
        matrices: each of two dimensions, all of one type, on one device.
        steps: iterations.

    Returns:
        A matrix of the same shape for each.

    >>> both = orthogonal_each([torch.diag(torch.tensor([3.0, 1.0])), torch.ones(1, 3)])
    >>> [tuple(each.shape) for each in both], bool((both[1] > 0.4).all())
    ([(2, 2), (1, 3)], True)
    """
    wide = [matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T for matrix in matrices]
    results: list[Tensor] = [*wide]
    for members, (rows, columns) in _stacks(wide):
        missing = [(0, columns - wide[i].shape[1], 0, rows - wide[i].shape[0]) for i in members]
        padded = [F.pad(wide[i], amounts) for i, amounts in zip(members, missing, strict=True)]
        stack = _newton_schulz(torch.stack(padded), steps)
        for place, i in enumerate(members):
            results[i] = stack[place, : wide[i].shape[0], : wide[i].shape[1]]
    return [
        result if matrix.shape[0] <= matrix.shape[1] else result.T
        for matrix, result in zip(matrices, results, strict=True)
    ]


def _stacks(matrices: Sequence[Tensor]) -> list[tuple[list[int], tuple[int, int]]]:
    """Say which matrices go together, by their numbers, and the shape that each of a stack is padded to."""
    if not matrices:
        return []
    largest = (max(m.shape[0] for m in matrices), max(m.shape[1] for m in matrices))
    if len(matrices) * largest[0] * largest[1] <= SMALL_STACK:
        return [([*range(len(matrices))], largest)]
    found: dict[tuple[int, int], list[int]] = {}
    for number, matrix in enumerate(matrices):
        found.setdefault((matrix.shape[0], matrix.shape[1]), []).append(number)
    return [(members, shape) for shape, members in found.items()]


def _newton_schulz(stack: Tensor, steps: int) -> Tensor:
    x: Tensor = stack / (torch.linalg.vector_norm(stack, dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return x
