"""How features go on beyond their borders: zeros, the border again, its mirror image, or the other end."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from striate.core.errors import LayerError, ShapeError, unknown_name
from striate.nn.inputs import by

PADDING_MODES = ("circular", "reflect", "replicate", "zeros")
"""The other end, the mirror image (the border itself not repeated), the border repeated, and zeros."""


def check_padding_mode(mode: str, *, layer: str, modes: Sequence[str] = PADDING_MODES) -> None:
    """Refuse a way to go on beyond the border that a layer does not have.

    Args:
        mode: its name.
        layer: the layer's name, for the error.
        modes: those that the layer has.

    Raises:
        LayerError: naming the nearest.

    >>> check_padding_mode("zeros", layer="BlurPool")
    """
    if mode not in modes:
        raise LayerError(f"{layer}: {unknown_name('padding_mode', str(mode), modes)}")


def surround(features: Tensor, before: Sequence[int], after: Sequence[int], *, mode: str) -> Tensor:
    """Put elements before the first and after the last one along each spatial axis.

    Args:
        features: N x C x spatial.
        before: how many along each axis.
        after: how many along each axis.
        mode: one of `PADDING_MODES`.

    Returns:
        The larger features; the same where nothing is put around them.

    Raises:
        ShapeError: where the features are too small to be mirrored or wrapped that far.

    >>> import torch
    >>> surround(torch.tensor([[[1.0, 2.0, 3.0]]]), [1], [1], mode="reflect").tolist()
    [[[2.0, 1.0, 2.0, 3.0, 2.0]]]
    """
    amounts = [amount for pair in zip(reversed(before), reversed(after), strict=True) for amount in pair]
    if not any(amounts):
        return features
    check_room(features.shape[2:], before, after, mode=mode)
    return F.pad(features, amounts, mode="constant" if mode == "zeros" else mode)


def check_room(sizes: Sequence[int], before: Sequence[int], after: Sequence[int], *, mode: str) -> None:
    """Refuse features that are too small to be mirrored or wrapped as far as is wanted.

    Args:
        sizes: of the features along each axis.
        before: how many elements are put before the first along each axis.
        after: how many after the last.
        mode: one of `PADDING_MODES`.

    Raises:
        ShapeError: where an axis is too short; any is long enough for zeros and for repeating the border.
    """
    more = {"reflect": 1, "circular": 0}.get(mode)
    if more is None:
        return
    for size, one, other in zip(sizes, before, after, strict=True):
        if size < max(one, other) + more:
            raise ShapeError(
                f"{mode} padding of {max(one, other)} takes at least {max(one, other) + more} elements along "
                f'each axis, and the input is {by(sizes)}; padding_mode="replicate" takes any size'
            )
