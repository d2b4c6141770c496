"""How a layer that is no plain torch operation tells the tracer what it reads and costs."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from striate.geometry.sizes import Window


@runtime_checkable
class Windowed(Protocol):
    """A layer of windows over the spatial axes of N x C x spatial features, taken as one operation.

    Output ``i`` of an axis must depend on what the ``i``-th window holds and on nothing else of the features.
    """

    def windows_on(self, size: tuple[int, ...]) -> tuple[Window, ...]:
        """Say how the windows lie on features of a size.

        Args:
            size: of the features along their spatial axes.

        Returns:
            One window an axis.
        """

    def multiply_adds_on(self, size: tuple[int, ...]) -> int:
        """Count the products of weights and values for one image.

        Args:
            size: of the features along their spatial axes.

        Returns:
            Their number; 0 where there is none.
        """
