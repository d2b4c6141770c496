"""What a training starts from: chance, or a network that is trained already, and data as it takes them."""

from __future__ import annotations

from typing import Protocol

from striate.classifier import PUBLISHED, Pretrained, find_pretrained
from striate.core.recipe import Recipe
from striate.data import Dataset, UpTo
from striate.data.wanted import LARGEST_SIDE

FOR_PHOTOS = "efficientnet-lite0"
"""What trainings on photos start from where nothing was said."""

LARGER = 9 / 7
"""By what photos are larger than those that published weights were trained on.

Random crops showed these networks things larger than they are in whole photos, so that they see best in
larger ones (Touvron, Vedaldi, Douze and Jegou, Fixing the train-test resolution discrepancy, 2019). On five
splits of ants and bees the frozen Lite0 is right for 94.8 % at its own 224 pixels, 95.8 % at 256, and 96.5 %
at 288."""

MULTIPLE = 32
"""Sides are multiples of this, the strides of such a network together."""

FIT = "stretch"
"""How pictures become squares for a network that is trained already, where nothing was said: as a whole, and
without padding, which it has never seen."""


class Opens(Protocol):
    """Opens the data of a training as a recipe says."""

    def __call__(self, recipe: Recipe, *, channels: int | None = None, size: UpTo | None = None) -> Dataset:
        """Give the data, of so many channels, and photos of such a size where the recipe names none."""


def starting_point(wanted: Recipe, opened: Opens) -> tuple[Recipe, Pretrained | None, Dataset]:
    """Find what a training starts from, and open its data as that takes them.

    Args:
        wanted: what the user asked for.
        opened: opens the data.

    Returns:
        The recipe, with the network and the size that follow; what it starts from, ``None`` for chance; and
        the data.

    Raises:
        ModelFileError: where there is nothing of the name that was asked for.
        RecipeError: where it is of another network than the one that was asked for.
        DataError: where the data cannot be used.
    """
    if wanted.pretrained not in (None, "none"):
        pretrained = find_pretrained(str(wanted.pretrained), model=wanted.model)
        suited = _suited(wanted, pretrained)
        return suited, pretrained, opened(suited, channels=pretrained.channels)
    if wanted.pretrained == "none" or wanted.model is not None or wanted.layers is not None:
        return wanted, None, opened(wanted)
    pretrained = find_pretrained(FOR_PHOTOS)
    side = _side(pretrained)
    size = None if side is None else UpTo(side, wanted.fit or FIT)
    dataset = opened(wanted, size=size)
    if dataset.dims != 2 or min(dataset.size) <= LARGEST_SIDE:
        return wanted, None, dataset
    if dataset.channels != pretrained.channels:
        dataset = opened(wanted, size=size, channels=pretrained.channels)
    if dataset.channels != pretrained.channels:  # it was opened before, by the user
        return wanted, None, dataset
    decided = wanted.changed(pretrained=FOR_PHOTOS, model=pretrained.model, fit=wanted.fit or FIT)
    return decided, pretrained, dataset


def _suited(wanted: Recipe, pretrained: Pretrained) -> Recipe:
    return wanted.changed(
        model=pretrained.model,
        layers=wanted.layers or pretrained.layers,
        fit=wanted.fit or FIT,
        size=wanted.size or _side(pretrained),
    )


def _side(pretrained: Pretrained) -> int | None:
    """Give the side of the squares that a network takes; ``None`` where it has seen none."""
    if pretrained.size is None or len(pretrained.size) != 2 or len(set(pretrained.size)) != 1:
        return None
    side = pretrained.size[0]
    return round(LARGER * side / MULTIPLE) * MULTIPLE if pretrained.name in PUBLISHED else side
