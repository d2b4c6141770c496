"""The networks that can be named, and how one is built for given images."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from torch import nn

from striate.core.errors import RecipeError, unknown_name
from striate.models.compact import compact_large, compact_medium, compact_small
from striate.models.resnet import resnet18

CATALOGUE: dict[str, Callable[..., nn.Module]] = {
    "compact-large": compact_large,
    "compact-medium": compact_medium,
    "compact-small": compact_small,
    "resnet18": resnet18,
}
"""Name on the command line and in recipes -> function that builds the network."""


def build(name: str, *, classes: int, channels: int, size: tuple[int, int]) -> nn.Module:
    """Build a network of the catalogue for images of a kind.

    Args:
        name: a key of `CATALOGUE`.
        classes: number of outputs, at least 2.
        channels: channels of the images.
        size: their height and width in pixels.

    Returns:
        The network, its weights drawn from torch's global generator.

    Raises:
        RecipeError: for an unknown name, naming the nearest.
        ShapeError: where the images do not fit the network.

    >>> build("compact-small", classes=3, channels=1, size=(8, 8)).head.out_features
    3
    """
    if name not in CATALOGUE:
        raise RecipeError(unknown_name("model", name, CATALOGUE))
    make = CATALOGUE[name]
    sized = {"size": size} if "size" in inspect.signature(make).parameters else {}
    return make(classes=classes, channels=channels, **sized)
