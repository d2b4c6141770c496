"""A network made quicker for many passes, for a while: norms within convolutions, weights laid out anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from striate.engine.flattening import flattened_as_they_lie
from striate.engine.folding import norms_folded
from striate.engine.ordering import filters_channels_last


@contextmanager
def laid_out(network: nn.Module, images: Tensor) -> Iterator[None]:
    """Lay a network's weights out for speed: what it computes is rounded where it was, also in bfloat16.

    Args:
        network: borrowed; afterwards as before.
        images: N x C x spatial; the first is used to find out what can be done.

    Yields:
        Nothing.
    """
    with filters_channels_last(network, images), flattened_as_they_lie(network, images):
        yield


@contextmanager
def quicker(network: nn.Module, images: Tensor) -> Iterator[None]:
    """Lay weights out for speed and fold norms, which rounds elsewhere: for what need not be as deployed.

    Args:
        network: borrowed; afterwards as before.
        images: N x C x spatial; the first is used to find out what can be done.

    Yields:
        Nothing.

    >>> import torch
    >>> with quicker(nn.Flatten(), torch.rand(1, 1, 2, 2)):
    ...     pass
    """
    with norms_folded(network, images), laid_out(network, images):
        yield
