"""Choose images to be attacked: of each class its share, in an order that keeps the shares."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from striate.core.errors import AttackError


def stratified(labels: Tensor, count: int, *, generator: Generator) -> Tensor:
    """Choose some of many images so that classes have the shares that they have among all.

    The k-th of the n images of a class, in random order, gets the key (k + u) / n with u from [0, 1), and
    images come by rising keys: so the first images of what is given are such a sample too, whatever their
    number.

    Args:
        labels: N int64, the classes, from 0.
        count: how many are wanted, at least 1; more than there are gives all.
        generator: of all that is random, on the CPU.

    Returns:
        int64 on the CPU, which images, at most ``count``, none twice.

    Raises:
        AttackError: where there is no image, or none is wanted.

    >>> labels = torch.tensor([0, 0, 0, 0, 1, 1])
    >>> rows = stratified(labels, 3, generator=Generator().manual_seed(0))
    >>> sorted(labels[rows].tolist())
    [0, 0, 1]
    """
    if not len(labels) or count < 1:
        raise AttackError(f"{count} of {len(labels)} images are no sample; at least one is needed")
    order = torch.randperm(len(labels), generator=generator)
    classes = labels.cpu().long()[order]
    by_class = classes.argsort(stable=True)
    sizes = classes.bincount()
    begins = sizes.cumsum(0) - sizes
    own = classes[by_class]
    ranks = torch.arange(len(labels)) - begins[own]
    keys = (ranks + torch.rand(len(labels), dtype=torch.float64, generator=generator)) / sizes[own]
    return order[by_class[keys.argsort()]][:count]
