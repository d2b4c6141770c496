"""A network made quicker for many passes, for a while: norms within convolutions, filters laid out anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from striate.engine.folding import norms_folded
from striate.engine.ordering import filters_channels_last


@contextmanager
def quicker(network: nn.Module, images: Tensor) -> Iterator[None]:
    """Let a network compute the same but for rounding in less time, where it is known how.

    Args:
        network: borrowed; afterwards as before.
        images: N x C x spatial; the first is used for two trials.

    Yields:
        Nothing.

    >>> import torch
    >>> with quicker(nn.Flatten(), torch.rand(1, 1, 2, 2)):
    ...     pass
    """
    with norms_folded(network, images), filters_channels_last(network, images):
        yield
