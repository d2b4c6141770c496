"""Which class of each image is explained, and how far that is: what all ways of explaining share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from striate.core.errors import LayerError, ShapeError
from striate.core.events import Event, OnEvent
from striate.nn.inputs import by

Targets: TypeAlias = int | Tensor | None
"""A class for all images, one an image (N), or ``None``: the class that the network predicts of each."""

PASS_VALUES = 2**20
"""About how many values of images go through a network at once: what layers make of many more leaves the
processor's caches, and is then allocated anew, page by page, in every layer."""


def images_per_pass(images: Tensor) -> int:
    """Say how many images go through a network at once.

    Args:
        images: N x C x spatial.

    Returns:
        As many as have `PASS_VALUES`, and at least 1.

    >>> images_per_pass(torch.empty(9, 3, 224, 224)), images_per_pass(torch.empty(9, 1, 28, 28))
    (6, 1337)
    """
    return max(1, PASS_VALUES // max(1, images[0].numel()))


def chosen_targets(outputs: Tensor, targets: Targets) -> Tensor:
    """Give the class to explain of each image.

    Args:
        outputs: (N, classes).
        targets: what was asked for.

    Returns:
        int64 (N), on the device of the outputs.

    Raises:
        LayerError: where a target is no class of the network, or no whole number.
        ShapeError: where there are not as many targets as images.

    >>> chosen_targets(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), None), chosen_targets(torch.zeros(2, 3), 2)
    (tensor([1, 0]), tensor([2, 2]))
    """
    count, classes = outputs.shape
    if targets is None:
        return outputs.argmax(dim=1)
    chosen = torch.as_tensor(targets, device=outputs.device)
    if chosen.is_floating_point() or chosen.is_complex() or chosen.dtype == torch.bool:
        kind = str(chosen.dtype).removeprefix("torch.")
        raise LayerError(f"the classes to explain are {kind}, where whole numbers are wanted")
    if chosen.ndim == 0:
        chosen = chosen.expand(count)
    if chosen.shape != (count,):
        raise ShapeError(
            f"the classes to explain have the shape {tuple(chosen.shape)}; to {count} images fits ({count},)"
        )
    wrong = chosen[(chosen < 0) | (chosen >= classes)]
    if len(wrong):
        raise LayerError(
            f"there is no class {int(wrong[0])}: the network gives {classes} "
            f"{'class, which is 0' if classes == 1 else f'classes, which are 0 to {classes - 1}'}"
        )
    return chosen.long()


def as_baseline(baseline: float | Tensor, images: Tensor) -> Tensor:
    """Bring what stands for nothing in an image to the shape of the images.

    Args:
        baseline: a number, or a tensor that broadcasts to the images.
        images: N x C x spatial.

    Returns:
        A tensor of the images' shape and type, which may be a view.

    Raises:
        ShapeError: where it does not broadcast to them.

    >>> as_baseline(0.5, torch.zeros(1, 1, 2)).tolist()
    [[[0.5, 0.5]]]
    """
    given = torch.as_tensor(baseline, dtype=images.dtype, device=images.device).detach()
    try:
        return given.expand_as(images)
    except RuntimeError as error:
        raise ShapeError(
            f"a baseline of {by(given.shape)} does not fit images of {by(images.shape)}; "
            "a number does, or a tensor that broadcasts to their shape"
        ) from error


def counted(what: str, total: int, on_event: OnEvent) -> Callable[[int], None]:
    """Make what tells how far long work is.

    Args:
        what: is being done.
        total: how many passes of one image there are.
        on_event: is given the progress.

    Returns:
        A function to be called with the number of those just done.

    >>> told = counted("covering", 4, lambda event: print(event.data["done"]))
    >>> told(3), told(1)
    3
    4
    (None, None)
    """
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        on_event(Event("prepare", {"what": what, "done": done, "total": total, "unit": "images"}))

    return tell
