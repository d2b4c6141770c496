"""Classes as concepts, without masks by hand: their objects, and the parts that decisions rest on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from striate.core.errors import ShapeError
from striate.engine.borrowing import borrowed
from striate.explain.concept_pixels import border_colour, objects
from striate.explain.concepts import Concept, ConceptFamily
from striate.explain.differentiating import plain_scores

CELLS = 5
"""Cells along each side that are covered in turn: each has a twenty-fifth of the image."""


def class_parts(network: nn.Module, classes: Sequence[str]) -> ConceptFamily:
    """Find, in each image, the part that the network's decision rests on most.

    The image is covered cell by cell, on a grid of 5x5, with the median colour of its border; the cell whose
    covering lowers the logit of the predicted class most is the part of that class, where any lowers it. The
    network decides itself what its parts are: a unit that detects one is a unit that the decision uses. It
    sees each image 26 times.

    Args:
        network: any module that gives N x classes; it is left as it was.
        classes: their names, in the order of the logits.

    Returns:
        A concept for each class.

    Raises:
        ShapeError: when masks are computed, where the network has another number of classes.

    >>> family = class_parts(nn.Sequential(nn.Flatten(), nn.Linear(100, 2)), ["cat", "dog"])
    >>> family.find(torch.rand(3, 1, 10, 10)).shape
    torch.Size([3, 2, 10, 10])
    """
    how = f"the one of {CELLS}x{CELLS} cells whose covering lowers the logit of the predicted class most"
    names = [f"the part that makes '{name}'" for name in classes]

    def find(images: Tensor) -> Tensor:
        with borrowed(network):
            return _parts(network, images, len(names))

    return ConceptFamily(tuple(Concept(name, "class part", how) for name in names), find)


def class_objects(network: nn.Module, classes: Sequence[str]) -> ConceptFamily:
    """Find the object in the images of each class, as the network predicts the classes.

    The object is what `striate.explain.concept_pixels.objects` parts from a background of one colour.

    Args:
        network: any module that gives N x classes; it is left as it was.
        classes: their names, in the order of the logits.

    Returns:
        A concept for each class.

    Raises:
        ShapeError: when masks are computed, where the network has another number of classes.

    >>> family = class_objects(nn.Sequential(nn.Flatten(), nn.Linear(100, 2)), ["cat", "dog"])
    >>> family.find(torch.rand(3, 1, 10, 10)).shape
    torch.Size([3, 2, 10, 10])
    """
    how = "the object, by Otsu's threshold, in images that the network takes for the class"
    names = [f"'{name}'" for name in classes]

    def find(images: Tensor) -> Tensor:
        with borrowed(network):
            predicted = _logits(network, images, len(names)).argmax(dim=1)
        own = predicted[:, None] == torch.arange(len(names), device=images.device)
        return objects().find(images)[:, :1] & own[:, :, None, None]

    return ConceptFamily(tuple(Concept(name, "class", how) for name in names), find)


def _logits(network: nn.Module, images: Tensor, classes: int) -> Tensor:
    logits = plain_scores(network, images)
    if logits.shape[1] != classes:
        raise ShapeError(f"{classes} classes are named, and the network has {logits.shape[1]}")
    return logits


def _parts(network: nn.Module, images: Tensor, classes: int) -> Tensor:
    best, predicted = _logits(network, images, classes).max(dim=1)
    regions = _cells(images.shape[2], images.shape[3])
    cover = border_colour(images)
    drops = []
    for rows, columns in regions:
        covered = images.clone()
        covered[:, :, rows, columns] = cover
        left = plain_scores(network, covered).gather(1, predicted[:, None])[:, 0]
        drops.append(best - left)
    drop, cell = torch.stack(drops, dim=1).max(dim=1)
    marked = torch.zeros(len(regions), *images.shape[2:], dtype=torch.bool, device=images.device)
    for mark, (rows, columns) in zip(marked, regions, strict=True):
        mark[rows, columns] = True
    masks = torch.zeros(len(images), classes, *images.shape[2:], dtype=torch.bool, device=images.device)
    sure = (drop > 0).nonzero()[:, 0]
    masks[sure, predicted[sure]] = marked[cell[sure]]
    return masks


def _cells(height: int, width: int) -> list[tuple[slice, slice]]:
    rows, columns = (
        [slice(side * n // CELLS, max(side * n // CELLS + 1, side * (n + 1) // CELLS)) for n in range(CELLS)]
        for side in (height, width)
    )
    return [(row, column) for row in rows for column in columns]
