"""Pooling by mode, the most frequent value, in 1, 2 or 3 dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

import striate.nn.matching
import striate.nn.selection  # noqa: F401 - their operators find the most frequent values and average them
from striate.core.errors import LayerError
from striate.nn.inputs import check_features
from striate.nn.planes import computed_in
from striate.nn.slicing import stacked
from striate.nn.windowed_pooling import UndilatedPooling
from striate.nn.windows import as_numbers


class ModePool(UndilatedPooling):
    """Take the most frequent value of each window: the mean of the elements in its fullest bin.

    Bin b of B holds the values from ``low + b (high - low)/B`` up to, and without, the next one's; the lowest
    bin also holds what is less, and the highest what is more. Of equally full bins the lowest counts. The
    gradient goes in equal shares to the elements in the fullest bin, as if no value could move to another.
    A window that holds NaN gives NaN and passes no gradient.

    Args:
        window: elements that each takes, one number or one an axis.
        dims: spatial dimensions: 1, 2 or 3.
        stride: from one window to the next; the window's size where None.
        padding: elements on either side, at most half of the window; they are not counted.
        ceil: whether a last window may reach beyond the padding; it takes what is there.
        bins: B, how many bins there are, for floating-point images; where None, every value is a bin of its
            own, for images of whole numbers, which have no gradient.
        low: where the lowest bin begins.
        high: where the highest bin ends.

    Raises:
        LayerError: for other dims, where there are no bins between the limits, and later where images are of
            the other kind.
        ShapeError: where a number is out of range, and later where a window is larger than the padded input.

    >>> ModePool(3, dims=1)(torch.tensor([[[7, 3, 3, 7, 3, 1]]]))
    tensor([[[3, 1]]])
    >>> ModePool(3, dims=1, bins=2)(torch.tensor([[[0.25, 0.875, 0.5, 0.125, 0.25, 0.75]]]))
    tensor([[[0.6875, 0.1875]]])
    """

    def __init__(
        self,
        window: int | Sequence[int],
        *,
        dims: int = 2,
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        ceil: bool = False,
        bins: int | None = None,
        low: float = 0.0,
        high: float = 1.0,
    ) -> None:
        super().__init__(window, dims=dims, stride=stride, padding=padding, ceil=ceil)
        if bins is not None and (isinstance(bins, bool) or not isinstance(bins, int) or bins < 1):
            raise LayerError(f"bins is {bins!r}, where a whole number of at least 1 is wanted, or None")
        if not low < high:
            raise LayerError(f"there are no bins between low={low} and high={high}; low must be the lesser")
        self.bins, self.low, self.high = bins, low, high

    def forward(self, images: Tensor) -> Tensor:
        """Pool N x C x spatial images."""
        if self.bins is None:
            return self._most_frequent(images)
        check_features(images, layer="ModePool", dims=self.dims)
        outputs, windows = self.outputs_on(images.shape[2:]), as_numbers(self.windows)
        bins = self._bins_of(images.detach(), self.bins)
        pooled: Tensor
        if torch.compiler.is_exporting():
            pooled = self._by_counting(images, bins, outputs)
        else:
            fullest = torch.ops.striate.most_frequent(bins, windows, outputs)
            pooled = torch.ops.striate.collect(images, bins, fullest, windows)
        return pooled

    def extra_repr(self) -> str:
        """Say how the layer was made.

        Returns:
            The arguments, as they are written.
        """
        said = super().extra_repr()
        return said if self.bins is None else f"{said}, bins={self.bins}, low={self.low}, high={self.high}"

    def _most_frequent(self, images: Tensor) -> Tensor:
        if images.is_floating_point():
            raise LayerError(
                f"ModePool without bins takes whole numbers, since hardly any two of {images.dtype} are "
                "equal; bins=16 puts them into 16 bins between low and high"
            )
        outputs = self.outputs_on(images.shape[2:])
        if torch.compiler.is_exporting():
            exact = images.double()
            return self._by_counting(exact, exact, outputs).to(images.dtype)
        pooled: Tensor = torch.ops.striate.most_frequent(images, as_numbers(self.windows), outputs)
        return pooled

    def _bins_of(self, images: Tensor, bins: int) -> Tensor:
        # A bin's number would not be exact in half of the bits.
        share = (images.to(computed_in(images.dtype)) - self.low).div_(self.high - self.low)
        return share.mul_(bins).floor_().clamp_(0, bins - 1)

    def _by_counting(self, images: Tensor, bins: Tensor, outputs: list[int]) -> Tensor:
        elements = stacked(bins, self.windows, outputs, fill=torch.nan)  # NaN equals nothing
        counts = torch.stack([(elements == element).sum(0) for element in elements])
        fullest = torch.where(counts == counts.amax(0), elements, torch.inf).amin(0)
        taken = elements == fullest
        values = stacked(images, self.windows, outputs, fill=0.0)
        return torch.where(taken, values, 0).sum(0) / taken.sum(0)
