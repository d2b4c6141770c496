"""What size comes out of a layer, and what would have to change for a size to fit: integers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from striate.core.errors import ShapeError


@dataclass(frozen=True, kw_only=True)
class Window:
    """How a layer's window lies along one axis of its input.

    Args:
        kernel: elements that the window takes, at least 1.
        stride: from one window to the next, at least 1.
        before: elements of padding before the first, at least 0.
        after: elements of padding after the last, at least 0.
        dilation: from one element of the window to the next, at least 1.

    Raises:
        ShapeError: where one of them is out of range.

    >>> Window(kernel=3, dilation=2).reach
    5
    """

    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1

    def __post_init__(self) -> None:
        for name, least in (("kernel", 1), ("stride", 1), ("dilation", 1), ("before", 0), ("after", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                called = "padding" if least == 0 else name
                raise ShapeError(f"{called} {value} cannot be: it is a whole number of at least {least}")

    @property
    def reach(self) -> int:
        """Elements from the first to the last of the window, gaps included: D(F - 1) + 1."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def padding(self) -> int:
        """Elements of padding on both sides together."""
        return self.before + self.after


def output_size(size: int, window: Window, *, ceil: bool = False, strict: bool = False) -> int:
    """Compute how many windows lie along an axis: floor((W + P - D(F - 1) - 1)/S) + 1.

    Args:
        size: of the input along the axis.
        window: how the window lies; P is its padding on both sides together.
        ceil: let a last window reach beyond the padding, as torch's pooling does with ``ceil_mode``: one that
            begins beyond the input and the padding before it is not counted.
        strict: refuse a size that leaves elements over; with ``ceil`` none is.

    Returns:
        The size of the output, at least 1.

    Raises:
        ShapeError: where not even one window fits, or elements are left over and ``strict`` is set.

    Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016), relationship 14.

    >>> output_size(7, Window(kernel=3, stride=2))
    3
    >>> output_size(7, Window(kernel=3, stride=3), strict=True)
    Traceback (most recent call last):
    striate.core.errors.ShapeError: 3 with stride 3 does not fit 7: (7 - 3)/3 + 1 = 2.33; padding 1 gives 3
    """
    _check_size(size)
    room = size + window.padding - window.reach
    windows = (-(-room // window.stride) if ceil else room // window.stride) + 1
    if windows < 1:
        padded = f" and padding {window.padding}" if window.padding else ""
        least = window.reach - window.padding - (window.stride - 1 if ceil else 0)
        raise ShapeError(
            f"a window of {_spelled(window)} is larger than its input of {size}{padded}: "
            f"the input must have at least {least}"
        )
    if strict and not ceil and room % window.stride:
        raise ShapeError(misfit(size, window))
    if ceil and (windows - 1) * window.stride >= size + window.before:
        windows -= 1
    return windows


def left_over(size: int, window: Window) -> int:
    """Count the elements at the end, padding included, that no window reaches because of the stride.

    Args:
        size: of the input along the axis.
        window: how the window lies.

    Returns:
        From 0 to the stride less 1.

    >>> left_over(7, Window(kernel=3, stride=3))
    1
    """
    return (size + window.padding - window.reach) % window.stride


def misfit(size: int, window: Window) -> str:
    """Say with the arithmetic that a stride leaves elements over, and what would fit.

    Args:
        size: of the input along the axis.
        window: how the window lies; elements are left over with it.

    Returns:
        One sentence.

    >>> misfit(7, Window(kernel=2, stride=2))
    '2 with stride 2 does not fit 7: (7 - 2)/2 + 1 = 3.50; a size of 6 or 8 does'
    """
    room = size + window.padding - window.reach
    exact = room / window.stride + 1
    padded = f" + {window.padding}" if window.padding else ""
    arithmetic = f"({size}{padded} - {window.reach})/{window.stride} + 1 = {exact:.2f}"
    cure = _fitting_padding(size, window)
    if cure is None:
        less, more = sizes_that_fit(size, window)
        fitting = f"a size of {less} or {more} does" if less else f"a size of {more} does"
    else:
        bigger = Window(
            kernel=window.kernel, stride=window.stride, before=cure, after=cure, dilation=window.dilation
        )
        fitting = f"padding {cure} gives {output_size(size, bigger)}"
    return f"{_spelled(window)} with stride {window.stride} does not fit {size}: {arithmetic}; {fitting}"


def sizes_that_fit(size: int, window: Window) -> tuple[int | None, int]:
    """Find the nearest sizes of which a window and its stride leave nothing over.

    Args:
        size: of the input along the axis.
        window: how the window lies.

    Returns:
        The largest such size up to ``size`` (None where there is none) and the smallest from it on.

    >>> sizes_that_fit(7, Window(kernel=3, stride=3))
    (6, 9)
    """
    room = size + window.padding - window.reach
    if room < 0:
        return None, window.reach - window.padding
    over = room % window.stride
    less = size - over
    return (less if less >= 1 else None), (size if over == 0 else less + window.stride)


def transposed_output_size(size: int, window: Window, *, extra: int = 0) -> int:
    """Compute the size that a transposed convolution gives: (W - 1)S - P + D(F - 1) + 1 + extra.

    Args:
        size: of the input along the axis.
        window: of the convolution whose transpose this is.
        extra: elements added at the end (torch's ``output_padding``), fewer than the stride or the dilation.

    Returns:
        The size of the output, at least 1.

    Raises:
        ShapeError: where nothing would be left, or ``extra`` is out of range.

    >>> transposed_output_size(4, Window(kernel=4, stride=2, before=1, after=1))
    8
    """
    _check_size(size)
    most = max(window.stride, window.dilation) - 1
    if not 0 <= extra <= most:
        raise ShapeError(f"output padding {extra} cannot be: with stride {window.stride} it is 0 to {most}")
    result = (size - 1) * window.stride - window.padding + window.reach + extra
    if result < 1:
        raise ShapeError(
            f"a transposed convolution of {size} gives ({size} - 1)*{window.stride} - {window.padding} + "
            f"{window.reach} + {extra} = {result}, and at least 1 must be left; less padding gives more"
        )
    return result


def same_padding(kernel: int, *, dilation: int = 1) -> int:
    """Compute the padding on each side that keeps a size at stride 1: D(F - 1)/2.

    Args:
        kernel: elements that the window takes.
        dilation: from one of them to the next.

    Returns:
        The padding on each side.

    Raises:
        ShapeError: where it would have to differ between the sides.

    >>> [same_padding(kernel) for kernel in (1, 3, 5, 7)]
    [0, 1, 2, 3]
    """
    total = Window(kernel=kernel, dilation=dilation).reach - 1
    if total % 2:
        raise ShapeError(
            f"a kernel of {kernel} has no equal padding on both sides that keeps the size: "
            f"{dilation}*({kernel} - 1)/2 = {total / 2}; a kernel of {kernel - 1} or {kernel + 1} has, "
            'and padding="same-tf" puts the odd element at the end'
        )
    return total // 2


def same_tf_padding(size: int, *, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """Compute TensorFlow's SAME padding, which gives ceil(W/S) outputs; the odd element goes to the end.

    Args:
        size: of the input along the axis.
        kernel: elements that the window takes.
        stride: from one window to the next.
        dilation: from one element of the window to the next.

    Returns:
        The padding before and after.

    Source: TensorFlow's documentation of ``tf.nn``, "Notes on padding".

    >>> same_tf_padding(28, kernel=5, stride=2)
    (1, 2)
    """
    window = Window(kernel=kernel, stride=stride, dilation=dilation)
    _check_size(size)
    total = max((-(-size // stride) - 1) * stride + window.reach - size, 0)
    return total // 2, total - total // 2


def each_axis(value: int | Sequence[int], *, dims: int, name: str) -> tuple[int, ...]:
    """Give a number for each axis, from one for all of them or one for each.

    Args:
        value: one number, or as many as there are axes.
        dims: the axes: 1, 2 or 3.
        name: what the number is, for the error.

    Returns:
        As many numbers as there are axes.

    Raises:
        ShapeError: where their number is another.

    >>> each_axis(3, dims=2, name="kernel"), each_axis((3, 5), dims=2, name="kernel")
    ((3, 3), (3, 5))
    """
    if not isinstance(value, Sequence):
        return (value,) * dims  # what is no whole number is refused where the window is made
    values = tuple(value)
    if len(values) != dims:
        raise ShapeError(f"{name} {values} has {len(values)} numbers for {dims} axes; give one, or {dims}")
    return values


def _check_size(size: int) -> None:
    if size < 1:
        raise ShapeError(f"a size of {size} cannot be: there is at least 1 element along an axis")


def _spelled(window: Window) -> str:
    if window.dilation == 1:
        return str(window.kernel)
    return f"{window.kernel} (dilated by {window.dilation}: {window.reach})"


def _fitting_padding(size: int, window: Window) -> int | None:
    # More than half a window of padding would make windows that see nothing of the input.
    for each in range(window.reach // 2 + 1):
        if 2 * each > window.padding and (size + 2 * each - window.reach) % window.stride == 0:
            return each
    return None
