"""Pooling by median, in 1, 2 or 3 dimensions."""

from __future__ import annotations

import torch
from torch import Tensor

import striate.nn.selection  # noqa: F401 - the median is an operator of it
from striate.nn.slicing import elements_held, stacked
from striate.nn.windowed_pooling import UndilatedPooling
from striate.nn.windows import as_numbers


class MedianPool(UndilatedPooling):
    """Take the middle value of each window, the lower one of two middle ones, as ``torch.median``.

    All of the gradient goes to the element that has this value, the first one in the window (row by row)
    where several have it. A window that holds NaN gives NaN and passes no gradient.

    Args:
        window: elements that each takes, one number or one an axis.
        dims: spatial dimensions: 1, 2 or 3.
        stride: from one window to the next; the window's size where None.
        padding: elements on either side, at most half of the window; they are not counted, so that a window
            at the border gives the median of the real elements that it holds.
        ceil: whether a last window may reach beyond the padding; it takes what is there.

    Raises:
        LayerError: for other dims.
        ShapeError: where a number is out of range, and later where a window is larger than the padded input.

    >>> MedianPool(3, dims=1, stride=1, padding=1)(torch.tensor([[[9.0, 1.0, 5.0, 2.0]]]))
    tensor([[[1., 5., 2., 2.]]])
    """

    def forward(self, images: Tensor) -> Tensor:
        """Pool N x C x spatial images."""
        outputs = self.outputs_of(images)
        if torch.compiler.is_exporting():
            return self._by_sorting(images, outputs)
        placed = images.requires_grad and torch.is_grad_enabled()
        pooled: Tensor = torch.ops.striate.median(images, as_numbers(self.windows), outputs, placed)[0]
        return pooled

    def _by_sorting(self, images: Tensor, outputs: list[int]) -> Tensor:
        elements = stacked(images, self.windows, outputs, fill=torch.inf)
        lowest = torch.topk(elements, len(elements) // 2 + 1, dim=0, largest=False, sorted=True).values
        middle = (elements_held(images, self.windows, outputs) - 1) // 2
        return lowest.gather(0, middle.expand(1, *lowest.shape[1:]))[0]
