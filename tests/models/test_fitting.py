"""Sizes through the windows of a network agree with torch's layers, and the least size is the least."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import LayerError, ShapeError
from striate.geometry import Window
from striate.models.fitting import Expected, expect_counts, expect_size, follow, least_size

windows = st.builds(
    lambda kernel, stride, padding: Window(
        kernel=kernel, stride=stride, before=min(padding, kernel // 2), after=min(padding, kernel // 2)
    ),
    st.integers(1, 7),
    st.integers(1, 4),
    st.integers(0, 3),
)
several = st.lists(windows, max_size=5).map(lambda them: [(f"layer{n}", each) for n, each in enumerate(them)])


@given(steps=several, more=st.integers(0, 30))
def test_sizes_are_those_of_torch_and_nothing_smaller_than_the_least_fits(steps, more) -> None:
    least = least_size(steps)
    features = torch.zeros(1, 1, least + more)
    for _, window in steps:
        features = F.max_pool1d(features, window.kernel, window.stride, window.before)
    assert follow((least + more,), steps, network="it") == (features.shape[2],)
    if least > 1:
        with pytest.raises(ShapeError, match=f"too small for it: .*; {least}x{least} and larger fit"):
            follow((least - 1, 500), steps, network="it")


def test_what_does_not_change_the_size_is_not_told() -> None:
    steps = [("conv1", Window(kernel=3, before=1, after=1)), ("conv2", Window(kernel=9))]
    with pytest.raises(ShapeError, match=r"too small for it: conv2 takes at least 9; 9x9 and larger fit"):
        follow((4, 4), steps, network="it")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 3, 8), "conv1 .* 3 axes instead of 4"),
        ((2, 1, 8, 8), "conv1 was made for 3 channels and got 1"),
        ((2, 3, 8, 4), "conv1 got images of 8x4, where 5x5 and larger fit"),
        ((2, 3, 0, 8), "at least 1 element"),
    ],
)
def test_unexpected_images_are_refused(shape, message) -> None:
    with pytest.raises(ShapeError, match=message):
        Expected(layer="conv1", channels=3, dims=2, least=5).check(torch.zeros(shape))


def test_images_of_another_size_than_the_dense_layers_take_are_refused() -> None:
    expected = Expected(layer="conv1", channels=1, dims=1, size=(9,))
    expected.check(torch.zeros(4, 1, 9))
    with pytest.raises(ShapeError, match="conv1 got images of 8, and the network was built for 9"):
        expected.check(torch.zeros(4, 1, 8))


def test_images_that_are_no_numbers_with_a_point_are_refused() -> None:
    with pytest.raises(LayerError, match="uint8"):
        Expected(layer="conv1", channels=1, dims=2).check(torch.zeros(1, 1, 4, 4, dtype=torch.uint8))


@pytest.mark.parametrize("count", [0, -3, 2.0, True, None, "4"])
def test_what_is_no_count_is_refused(count) -> None:
    expect_counts(units=1)
    with pytest.raises(LayerError, match=r"units is .*, where a whole number of at least 1 is wanted"):
        expect_counts(units=count)


@pytest.mark.parametrize("size", [(), (28,), (28, 0), (28, -1), (28, 28.0), (1, 2, 3)])
def test_what_is_no_size_is_refused(size) -> None:
    assert expect_size([28, 30], dims=(2,)) == (28, 30)
    with pytest.raises(ShapeError, match="where 2 whole numbers of at least 1 are wanted"):
        expect_size(size, dims=(2,))
