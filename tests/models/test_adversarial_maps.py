"""Sides, channels and the layers at the pixels: by hand, and against the layers that they stand for."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import LayerError, ShapeError
from striate.models.adversarial_maps import (
    SIZES,
    Doubling,
    FirstMap,
    FlatMap,
    PixelsAsChannels,
    channels_at,
    generator_sides,
    trunk_sides,
    width_in,
    width_words,
)

WINDOW = {(1, 0): 0, (0, 1): 1, (1, 1): 2, (0, 2): 3}
"""Which of 2 pixels, and where in a window of 3 maps' pixels -> where in a window of 4 image pixels."""


def test_sizes_are_small_maps_doubled_and_hold_those_that_are_wanted() -> None:
    assert SIZES == (8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128)
    assert {28, 32, 64, 96, 128} <= set(SIZES)


@given(st.integers(1, 300))
def test_a_size_is_doubled_to_or_refused_with_two_that_are(size) -> None:
    try:
        sides = generator_sides(size)
    except ShapeError as error:
        assert size not in SIZES
        named = [int(word) for word in str(error).replace(";", " ").split() if word.isdecimal()]
        assert set(named[-2:]) <= set(SIZES)
        return
    assert size in SIZES or size > 128
    assert 4 <= sides[0] <= 7
    assert [2 * side for side in sides] == [*sides[1:], size]


def test_a_refusal_says_what_does_not_divide() -> None:
    message = "30x30 pixels cannot be made by doubling a map of 4 to 7: 15 is odd and over 7; 28 and 32 can"
    with pytest.raises(ShapeError, match=message):
        generator_sides(30)
    with pytest.raises(ShapeError, match="6 is under 8; 8 and 10 can"):
        generator_sides(6)
    with pytest.raises(LayerError, match=r"size is 28\.0, where a whole number"):
        generator_sides(28.0)  # type: ignore[arg-type]


@given(st.integers(8, 300), st.integers(8, 300), st.sampled_from([4, 7]))
def test_maps_of_a_trunk_halve_to_a_small_one(height, width, last) -> None:
    sides = trunk_sides((height, width), last=last, network="a trunk")
    assert sides[0] == (-(-height // 2), -(-width // 2))
    assert all(after == (before[0] // 2, before[1] // 2) for before, after in pairwise(sides))
    assert 2 <= min(sides[-1]) <= max(last, 4)
    assert all(min(side) > last for side in sides[:-1])


@pytest.mark.parametrize("size", SIZES)
def test_a_trunk_has_the_maps_of_the_generator_in_reverse(size) -> None:
    sides = trunk_sides((size, size), network="a trunk")
    assert tuple(height for height, _ in reversed(sides)) == generator_sides(size)


@pytest.mark.parametrize("size", [(7, 9), (28,), (28, 28, 28), (28, 0)])
def test_sizes_that_no_trunk_takes_are_refused(size) -> None:
    with pytest.raises(ShapeError, match=r"7x9 pixels are too small for a trunk; 8x8 and|size is .* where 2"):
        trunk_sides(size, network="trunk")


@given(st.integers(1, 128), st.sampled_from([16, 32, 48, 64, 100, 256]))
def test_each_size_of_map_has_about_the_same_values_in_a_window(side, width) -> None:
    channels = channels_at(side, width)
    assert min(16, width) <= channels <= 4 * width
    assert channels_at(16, width) == width
    if side >= 2:
        assert channels_at(side, width) <= channels_at(side - 1, width)


def test_few_channels_are_not_made_more() -> None:
    assert [channels_at(side, 4) for side in (2, 8, 16, 64)] == [16, 8, 4, 4]


def test_words_for_a_width_are_read_back_and_others_refused() -> None:
    assert width_in(width_words(48), network="a trunk") == 48
    for words in ("", "width", "width0", "width-4", "64", "width64,max", "width123456", "width6٤"):
        with pytest.raises(LayerError, match="where words as 'width64' are wanted"):
            width_in(words, network="dcgan-trunk")


def test_a_vector_becomes_a_map_without_a_copy_and_back() -> None:
    vector = torch.randn(2, 5 * 5 * 3)
    found = FirstMap(3, 5)(vector)
    assert found.shape == (2, 3, 5, 5)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert found.data_ptr() == vector.data_ptr()
    assert found[1, 2, 3, 4] == vector[1, (3 * 5 + 4) * 3 + 2]
    assert FlatMap()(found).equal(vector)


def test_the_last_convolution_can_be_any_transposed_one_at_twice_the_size() -> None:
    torch.manual_seed(0)
    features = torch.randn(2, 5, 6, 7, dtype=torch.double)
    transposed = torch.randn(5, 3, 4, 4, dtype=torch.double)
    weight = torch.zeros(12, 5, 3, 3, dtype=torch.double)
    for (row, down), top in WINDOW.items():
        for (column, across), left in WINDOW.items():
            # A transposed convolution runs the window the other way.
            weight[2 * row + column :: 4, :, 2 - down, 2 - across] = transposed[:, :, top, left].T
    wanted = F.conv_transpose2d(features, transposed, stride=2, padding=1)
    found = F.pixel_shuffle(F.conv2d(features, weight, padding=1), 2)
    assert torch.allclose(found, wanted, atol=1e-12)


def test_the_first_convolution_can_be_any_of_4x4_with_a_stride_of_2() -> None:
    torch.manual_seed(0)
    images = torch.randn(2, 3, 12, 14, dtype=torch.double)
    strided = torch.randn(5, 3, 4, 4, dtype=torch.double)
    weight = torch.zeros(5, 12, 3, 3, dtype=torch.double)
    for (row, down), top in WINDOW.items():
        for (column, across), left in WINDOW.items():
            weight[:, 2 * row + column :: 4, down, across] = strided[:, :, top, left]
    wanted = F.conv2d(images, strided, stride=2, padding=1)
    assert torch.allclose(F.conv2d(PixelsAsChannels()(images), weight, padding=1), wanted, atol=1e-12)


def test_odd_sides_are_made_even_by_zeros() -> None:
    images = torch.randn(2, 3, 5, 7)
    found = PixelsAsChannels()(images)
    assert found.shape == (2, 12, 3, 4)
    assert F.pixel_shuffle(found, 2)[:, :, :5, :7].equal(images)
    assert F.pixel_shuffle(found, 2)[:, :, 5:].abs().sum() == 0


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_doubling_keeps_the_type_and_is_what_it_says(kind) -> None:
    features = torch.tensor([[[[0.0, 4.0]]]], dtype=kind)
    assert Doubling("nearest")(features).dtype == kind
    assert Doubling("nearest")(features).tolist() == [[[[0, 0, 4, 4]] * 2]]
    assert Doubling("bilinear")(features).tolist() == [[[[0, 1, 3, 4]] * 2]]
