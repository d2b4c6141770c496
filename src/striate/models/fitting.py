"""Whether images fit a network: their size through its windows, with the arithmetic where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from striate.core.errors import LayerError, ShapeError
from striate.geometry import Window, output_size
from striate.nn.inputs import by, check_features

Steps = Sequence[tuple[str, Window]]
"""The layers that change the size, by name, in their order."""


def follow(size: Sequence[int], steps: Steps, *, network: str) -> tuple[int, ...]:
    """Follow a size through the layers of a network.

    Args:
        size: of the images along each axis.
        steps: the layers that change it.
        network: its name, for the error.

    Returns:
        The size of the last feature map along each axis.

    Raises:
        ShapeError: where a layer's window is larger than what is left for it.

    >>> follow((28, 32), [("pool1", Window(kernel=2, stride=2))], network="a network")
    (14, 16)
    """
    return tuple(_follow_axis(side, steps, size=size, network=network) for side in size)


def least_size(steps: Steps) -> int:
    """Compute the smallest side of images of which one element is left after all layers.

    Args:
        steps: the layers that change the size.

    Returns:
        At least 1.

    >>> least_size([("pool1", Window(kernel=2, stride=2)), ("conv", Window(kernel=5))])
    10
    """
    least = 1
    for _, window in reversed(steps):
        least = max(1, (least - 1) * window.stride + window.reach - window.padding)
    return least


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The images that a network takes.

    Args:
        layer: the name of the first layer, for errors.
        channels: of the images.
        dims: axes of an image.
        least: the smallest side that works.
        size: the one size that works, where there is only one.
    """

    layer: str
    channels: int
    dims: int
    least: int = 1
    size: tuple[int, ...] | None = None

    def check(self, images: Tensor) -> None:
        """Refuse other images.

        Args:
            images: what the network is given.

        Raises:
            ShapeError: where the images are of another number of axes or channels, too small, or of
                another size.
            LayerError: where they do not hold floating-point numbers.
        """
        check_features(images, layer=self.layer, dims=self.dims, channels=self.channels)
        sides = images.shape[2:]
        if self.size is not None and tuple(sides) != self.size:
            raise ShapeError(
                f"{self.layer} got images of {by(sides)}, and the network was built for {by(self.size)}: its "
                "dense layers take no other"
            )
        if min(sides) < self.least:
            wanted = by([self.least] * self.dims)
            raise ShapeError(f"{self.layer} got images of {by(sides)}, where {wanted} and larger fit")


def expect_counts(**counts: int) -> None:
    """Refuse numbers of classes, channels and the like that are no whole numbers from 1 on.

    Args:
        counts: each by its name.

    Raises:
        LayerError: naming the first that is out of range.

    >>> expect_counts(classes=0)
    Traceback (most recent call last):
    striate.core.errors.LayerError: classes is 0, where a whole number of at least 1 is wanted
    """
    for name, count in counts.items():
        if not _is_count(count):
            raise LayerError(f"{name} is {count!r}, where a whole number of at least 1 is wanted")


def expect_size(size: Sequence[int], *, dims: Sequence[int] = (1, 2, 3)) -> tuple[int, ...]:
    """Refuse a size that is not one whole number from 1 on for each axis.

    Args:
        size: of the images along each axis.
        dims: the numbers of axes that the network can be built for.

    Returns:
        The size.

    Raises:
        ShapeError: where it is none.
    """
    sides = tuple(size)
    if len(sides) not in dims or not all(_is_count(side) for side in sides):
        axes = " or ".join(map(str, dims))
        raise ShapeError(f"size is {sides!r}, where {axes} whole numbers of at least 1 are wanted")
    return sides


def _follow_axis(side: int, steps: Steps, *, size: Sequence[int], network: str) -> int:
    passed = ""
    now = side
    for name, window in steps:
        if now + window.padding < window.reach:
            wanted, least = window.reach - window.padding, least_size(steps)
            raise ShapeError(
                f"images of {by(size)} pixels are too small for {network}: {passed}{name} takes at least "
                f"{wanted}; {by([least] * len(size))} and larger fit, and size={least} enlarges them"
            )
        after = output_size(now, window)
        if after != now:
            passed += f"{name} leaves {after} of {now}, "
        now = after
    return now


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
