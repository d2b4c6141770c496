"""What a layer is given: checks of its number of dimensions and of its input, and how sizes are written."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from striate.core.errors import LayerError, ShapeError

AXES = {1: "N x C x length", 2: "N x C x height x width", 3: "N x C x depth x height x width"}
"""Number of spatial dimensions -> the axes of a layer's input."""


def check_dims(dims: int, *, layer: str) -> None:
    """Refuse a number of spatial dimensions other than 1, 2 and 3.

    Args:
        dims: the number.
        layer: the layer's name, for the error.

    Raises:
        LayerError: for any other number.

    >>> check_dims(2, layer="BlurPool")
    """
    if isinstance(dims, bool) or dims not in AXES:
        raise LayerError(
            f"{layer} with dims={dims!r} cannot be; there are 1 (signals), 2 (images) and 3 (volumes, video)"
        )


def check_features(features: Tensor, *, layer: str, dims: int, channels: int | None = None) -> None:
    """Refuse an input of other axes, channels or type than a layer takes.

    Args:
        features: the input.
        layer: the layer's name, for the error.
        dims: spatial dimensions that it takes.
        channels: that it takes; ``None``: any number.

    Raises:
        ShapeError: where the number of axes or of channels is another, or an axis has no element.
        LayerError: where the input does not hold floating-point numbers.
    """
    if features.ndim != dims + 2:
        raise ShapeError(
            f"{layer} with dims={dims} takes {AXES[dims]}, and got {by(features.shape)}: "
            f"{features.ndim} axes instead of {dims + 2}"
        )
    if channels is not None and features.shape[1] != channels:
        raise ShapeError(
            f"{layer} was made for {channels} channels and got {features.shape[1]}: "
            f"its input is {by(features.shape)}"
        )
    if 0 in features.shape[2:]:
        raise ShapeError(
            f"{layer} takes features with at least 1 element along each axis, and got {by(features.shape)}"
        )
    if not features.is_floating_point():
        raise LayerError(
            f"{layer} takes floating-point features and got {features.dtype}; features.float() converts them"
        )


def by(sizes: Iterable[int]) -> str:
    """Write sizes as people do.

    Args:
        sizes: of some axes.

    Returns:
        The sizes with crosses between them.

    >>> by((2, 3, 5))
    '2x3x5'
    """
    return "x".join(map(str, sizes))
