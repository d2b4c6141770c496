"""Where windows lie: their number is torch's, and what they take is what numpy's padding shows."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st

from striate.core.errors import ShapeError
from striate.reference.windows import lay_windows

drawn = given(
    size=st.integers(1, 12),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    padding=st.integers(0, 3),
    dilation=st.integers(1, 3),
)


@drawn
def test_there_are_as_many_as_torch_says(size, kernel, stride, padding, dilation):
    windows = lay_windows(kernel, dims=1, stride=stride, padding=padding, dilation=dilation)
    try:
        counts = windows.along((size,))
    except ShapeError:
        assert size + 2 * padding < dilation * (kernel - 1) + 1
        return
    theirs = F.conv1d(
        torch.zeros(1, 1, size), torch.zeros(1, 1, kernel), stride=stride, padding=padding, dilation=dilation
    )
    assert counts == theirs.shape[2:]


@drawn
def test_rounded_up_there_are_as_many_as_torch_says(size, kernel, stride, padding, dilation):
    reach = dilation * (kernel - 1) + 1
    assume(2 * padding <= kernel)
    assume(size + 2 * padding >= reach)
    windows = lay_windows(kernel, dims=1, stride=stride, padding=padding, dilation=dilation)
    theirs = F.max_pool1d(torch.zeros(1, 1, size), kernel, stride, padding, dilation, ceil_mode=True)
    assert windows.along((size,), ceil=True) == theirs.shape[2:]


@drawn
def test_what_a_window_takes_of_the_padded_input_is_what_it_takes_inside_and_zeros(
    size, kernel, stride, padding, dilation
):
    assume(size + 2 * padding >= dilation * (kernel - 1) + 1)
    windows = lay_windows(kernel, dims=1, stride=stride, padding=padding, dilation=dilation)
    values = np.arange(1.0, size + 1).reshape(1, 1, size)
    padded = windows.pad(values)
    assert windows.crop(padded).tolist() == values.tolist()
    for position in np.ndindex(*windows.along((size,))):
        taken = padded[0, 0, *windows.at(position)]
        (inside,) = windows.inside(position, (size,))
        assert len(taken) == kernel
        assert taken[taken > 0].tolist() == values[0, 0, inside].tolist()


def test_numbers_for_every_axis_are_kept_apart():
    windows = lay_windows((3, 2), dims=2, stride=(1, 2), padding=[1, 0], dilation=(2, 1))
    assert windows.reach == (5, 2)
    assert windows.along((7, 6)) == (5, 3)
    assert windows.at((1, 2)) == (slice(1, 6, 2), slice(4, 6, 1))
    assert windows.inside((0, 2), (7, 6)) == ([1, 3], [4, 5])


def test_the_sentence_names_the_axis_and_what_fits():
    windows = lay_windows(5, dims=3, padding=(1, 0, 0))
    with pytest.raises(ShapeError, match=r"of 4 along spatial axis 2: .* an input of 5 or padding 1 fits"):
        windows.along((3, 5, 4))
