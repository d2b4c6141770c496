"""What all pooling layers over windows share: their windows, and how many of them lie on an input."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from striate.core.errors import ShapeError
from striate.geometry import Window, each_axis, output_size
from striate.nn.inputs import check_dims, check_features
from striate.nn.windows import held


class Pooling(nn.Module):
    """Lay windows over images; a subclass says what it takes of each.

    Args:
        window: elements that each takes, one number or one an axis.
        dims: spatial dimensions: 1, 2 or 3.
        stride: from one window to the next; the window's size where None.
        padding: elements on either side, at most half of the window.
        dilation: from one element of a window to the next.
        ceil: whether a last window may reach beyond the padding.

    Raises:
        LayerError: for other dims.
        ShapeError: where a number is out of range.
    """

    def __init__(
        self,
        window: int | Sequence[int],
        *,
        dims: int = 2,
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        ceil: bool = False,
    ) -> None:
        super().__init__()
        check_dims(dims, layer=type(self).__name__)
        self.dims = dims
        self.window = each_axis(window, dims=dims, name="window")
        self.stride = self.window if stride is None else each_axis(stride, dims=dims, name="stride")
        self.padding = each_axis(padding, dims=dims, name="padding")
        self.dilation = each_axis(dilation, dims=dims, name="dilation")
        self.ceil = ceil
        self.windows = tuple(
            Window(kernel=kernel, stride=step, before=padded, after=padded, dilation=apart)
            for kernel, step, padded, apart in zip(*self.numbers, strict=True)
        )
        for each in self.windows:
            if 2 * each.before > each.kernel:
                raise ShapeError(
                    f"padding {each.before} is more than half of a window of {each.kernel}: "
                    f"2*{each.before} = {2 * each.before}; {each.kernel // 2} is the most"
                )

    @property
    def numbers(self) -> tuple[tuple[int, ...], ...]:
        """Window, stride, padding and dilation, as torch's functions take them."""
        return self.window, self.stride, self.padding, self.dilation

    def windows_on(self, size: tuple[int, ...]) -> tuple[Window, ...]:
        """Say how the windows lie on an input.

        Args:
            size: its spatial size.

        Returns:
            One an axis; what a last window takes beyond the padding is counted to the padding after.

        Raises:
            ShapeError: where a window is larger than the padded input, or the input has other axes.
        """
        return tuple(
            Window(
                kernel=window.kernel,
                stride=window.stride,
                before=window.before,
                after=max(window.after, (count - 1) * window.stride + window.reach - length - window.before),
                dilation=window.dilation,
            )
            for length, count, window in zip(size, self.outputs_on(size), self.windows, strict=True)
        )

    def multiply_adds_on(self, size: tuple[int, ...]) -> int:  # noqa: ARG002
        """Count products of weights and values.

        Args:
            size: of the input.

        Returns:
            0, since there are no weights.
        """
        return 0

    def outputs_on(self, size: Sequence[int]) -> list[int]:
        """Count the windows on an input.

        Args:
            size: its spatial size.

        Returns:
            One number an axis.

        Raises:
            ShapeError: where a window is larger than the padded input, or the input has other axes.
        """
        if len(size) != self.dims:
            raise ShapeError(
                f"{type(self).__name__} with dims={self.dims} takes images of {self.dims} spatial axes, and "
                f"got {len(size)}: {tuple(size)}"
            )
        counts = []
        for length, window in zip(size, self.windows, strict=True):
            count = output_size(length, window, ceil=self.ceil)
            if length < window.dilation:
                _check_held(length, count, window)
            counts.append(count)
        return counts

    def outputs_of(self, images: Tensor) -> list[int]:
        """Check images, and count the windows on them.

        Args:
            images: N x C x spatial.

        Returns:
            One number an axis.

        Raises:
            LayerError: where they hold no floating-point numbers.
            ShapeError: where they have other axes, or a window is larger than the padded images.
        """
        check_features(images, layer=type(self).__name__, dims=self.dims)
        return self.outputs_on(images.shape[2:])

    def extra_repr(self) -> str:
        """Say how the layer was made.

        Returns:
            The arguments, as they are written.
        """
        said = [f"{self.window}", f"dims={self.dims}", f"stride={self.stride}"]
        said += [f"padding={self.padding}"] if any(self.padding) else []
        said += [f"dilation={self.dilation}"] if set(self.dilation) != {1} else []
        return ", ".join([*said, "ceil=True"] if self.ceil else said)


class UndilatedPooling(Pooling):
    """Lay windows without gaps over images.

    Args:
        window: elements that each takes, one number or one an axis.
        dims: spatial dimensions: 1, 2 or 3.
        stride: from one window to the next; the window's size where None.
        padding: elements on either side, at most half of the window.
        ceil: whether a last window may reach beyond the padding.
    """

    def __init__(
        self,
        window: int | Sequence[int],
        *,
        dims: int = 2,
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        ceil: bool = False,
    ) -> None:
        super().__init__(window, dims=dims, stride=stride, padding=padding, ceil=ceil)


def _check_held(length: int, count: int, window: Window) -> None:
    """Refuse dilated windows all elements of which miss an input that is smaller than their gaps."""
    for number in range(count):
        start = number * window.stride - window.before
        if not held(length, start, window):
            raise ShapeError(
                f"a window of {window.kernel} dilated by {window.dilation} that begins at {start} misses its "
                f"input of {length}: its elements lie in the padding; an input of {window.dilation} is enough"
            )
