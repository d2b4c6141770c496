"""Sizes are those of torch's own layers, and of TensorFlow's formula; what cannot be is refused in words."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st

from striate.core.errors import ShapeError
from striate.geometry import (
    Window,
    each_axis,
    left_over,
    misfit,
    output_size,
    same_padding,
    same_tf_padding,
    sizes_that_fit,
    transposed_output_size,
)

SIZES = st.integers(1, 20)
WINDOWS = st.builds(
    lambda kernel, stride, dilation, padding: Window(
        kernel=kernel, stride=stride, dilation=dilation, before=padding, after=padding
    ),
    st.integers(1, 6),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(0, 6),
)


@given(size=SIZES, window=WINDOWS)
def test_a_convolution_gives_the_size_that_torch_gives(size, window) -> None:
    weight = torch.empty(1, 1, window.kernel)
    options = {"stride": window.stride, "padding": window.before, "dilation": window.dilation}
    if size + window.padding < window.reach:
        with pytest.raises(ShapeError, match="is larger than its input"):
            output_size(size, window)
        with pytest.raises(RuntimeError):
            F.conv1d(torch.empty(1, 1, size), weight, **options)
        return
    assert output_size(size, window) == F.conv1d(torch.empty(1, 1, size), weight, **options).shape[2]


@given(size=SIZES, window=WINDOWS, ceil=st.booleans())
def test_a_pooling_gives_the_size_that_torch_gives(size, window, ceil) -> None:
    assume(2 * window.before <= window.kernel)  # torch's own condition

    def pooled() -> torch.Tensor:
        return F.max_pool1d(
            torch.zeros(1, 1, size),
            window.kernel,
            window.stride,
            window.before,
            window.dilation,
            ceil_mode=ceil,
        )

    try:
        wanted = pooled().shape[2]
    except RuntimeError:
        with pytest.raises(ShapeError):
            output_size(size, window, ceil=ceil)
        return
    assert output_size(size, window, ceil=ceil) == wanted


@given(size=SIZES, window=WINDOWS, extra=st.integers(0, 4))
def test_a_transposed_convolution_gives_the_size_that_torch_gives(size, window, extra) -> None:
    weight = torch.empty(1, 1, window.kernel)

    def transposed() -> torch.Tensor:
        return F.conv_transpose1d(
            torch.empty(1, 1, size),
            weight,
            stride=window.stride,
            padding=window.before,
            output_padding=extra,
            dilation=window.dilation,
        )

    try:
        wanted = transposed().shape[2]
    except RuntimeError:
        with pytest.raises(ShapeError):
            transposed_output_size(size, window, extra=extra)
        return
    assert transposed_output_size(size, window, extra=extra) == wanted


@given(size=SIZES, kernel=st.integers(1, 7), stride=st.integers(1, 5), dilation=st.integers(1, 3))
def test_same_tf_is_tensorflows_formula(size, kernel, stride, dilation) -> None:
    before, after = same_tf_padding(size, kernel=kernel, stride=stride, dilation=dilation)
    reach = (kernel - 1) * dilation + 1
    over = size % stride
    wanted = max(reach - (stride if over == 0 else over), 0)  # as tf.nn's page writes it
    assert (before, after) == (wanted // 2, wanted - wanted // 2)
    window = Window(kernel=kernel, stride=stride, before=before, after=after, dilation=dilation)
    assert output_size(size, window) == -(-size // stride)


@given(size=SIZES, kernel=st.integers(1, 7), dilation=st.integers(1, 3))
def test_same_keeps_the_size_or_says_why_not(size, kernel, dilation) -> None:
    if dilation * (kernel - 1) % 2:
        with pytest.raises(ShapeError, match=f"a kernel of {kernel - 1} or {kernel + 1} has"):
            same_padding(kernel, dilation=dilation)
        return
    sides = same_padding(kernel, dilation=dilation)
    window = Window(kernel=kernel, before=sides, after=sides, dilation=dilation)
    assert output_size(size, window) == size


@given(size=SIZES, window=WINDOWS)
def test_what_is_left_over_is_what_the_last_window_does_not_reach(size, window) -> None:
    assume(size + window.padding >= window.reach)
    count = output_size(size, window)
    end = (count - 1) * window.stride + window.reach
    assert left_over(size, window) == size + window.padding - end


@given(size=SIZES, window=WINDOWS)
def test_sizes_that_fit_leave_nothing_over_and_are_the_nearest(size, window) -> None:
    less, more = sizes_that_fit(size, window)
    fits = [
        each
        for each in range(1, 60)
        if each + window.padding >= window.reach and left_over(each, window) == 0
    ]
    assert less == max((each for each in fits if each <= size), default=None)
    assert more == min(each for each in fits if each >= size)


@given(size=SIZES, window=WINDOWS)
def test_a_stride_that_leaves_elements_over_is_refused_with_what_fits(size, window) -> None:
    assume(size + window.padding >= window.reach)
    if left_over(size, window) == 0:
        assert output_size(size, window, strict=True) == output_size(size, window)
        return
    with pytest.raises(ShapeError, match="does not fit") as caught:
        output_size(size, window, strict=True)
    assert str(caught.value) == misfit(size, window)
    exact = (size + window.padding - window.reach) / window.stride + 1
    assert f"= {exact:.2f}; " in str(caught.value)


def test_the_sentences_hold_the_arithmetic() -> None:
    assert misfit(7, Window(kernel=3, stride=3)) == (
        "3 with stride 3 does not fit 7: (7 - 3)/3 + 1 = 2.33; padding 1 gives 3"
    )
    with pytest.raises(
        ShapeError, match=r"a window of 5 \(dilated by 2: 9\) is larger than its input of 6 and padding 2"
    ):
        output_size(6, Window(kernel=5, dilation=2, before=1, after=1))
    with pytest.raises(ShapeError, match=r"the input must have at least 3$"):
        output_size(2, Window(kernel=3))
    with pytest.raises(ShapeError, match=r"kernel of 4 has no equal padding .*: 1\*\(4 - 1\)/2 = 1.5"):
        same_padding(4)
    with pytest.raises(ShapeError, match="= -1, and at least 1 must be left"):
        transposed_output_size(1, Window(kernel=1, before=1, after=1))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"kernel": 0}, "kernel 0 cannot be"),
        ({"kernel": 3, "stride": 0}, "stride 0 cannot be"),
        ({"kernel": 3, "stride": -2}, "stride -2 cannot be"),
        ({"kernel": 3, "before": -1}, "padding -1 cannot be"),
        ({"kernel": 3, "dilation": 0}, "dilation 0 cannot be"),
        ({"kernel": 2.5}, "kernel 2.5 cannot be"),
        ({"kernel": True}, "kernel True cannot be"),
    ],
)
def test_windows_that_cannot_be_are_refused(arguments, sentence) -> None:
    with pytest.raises(ShapeError, match=sentence):
        Window(**arguments)


def test_sizes_that_cannot_be_are_refused() -> None:
    for function in (
        lambda: output_size(0, Window(kernel=1, before=1, after=1)),
        lambda: transposed_output_size(-1, Window(kernel=3)),
        lambda: same_tf_padding(0, kernel=3),
    ):
        with pytest.raises(ShapeError, match="cannot be: there is at least 1 element"):
            function()
    with pytest.raises(ShapeError, match="output padding 2 cannot be: with stride 2 it is 0 to 1"):
        transposed_output_size(4, Window(kernel=3, stride=2), extra=2)
    with pytest.raises(ShapeError, match=r"stride \(1, 2, 3\) has 3 numbers for 2 axes"):
        each_axis((1, 2, 3), dims=2, name="stride")
