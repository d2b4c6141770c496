"""Heads give what flattening, averaging or taking the maximum by hand gives, at the sizes they are for."""

from __future__ import annotations

import pytest
import torch

from striate.core.errors import LayerError, ShapeError
from striate.nn import FlattenHead, GlobalAverageHead, GlobalMaxHead

SIZES = {1: (5,), 2: (4, 3), 3: (2, 3, 4)}


@pytest.mark.parametrize(("side", "values"), [(4, 1600), (8, 6400)])
def test_flattening_a_hundred_channels_takes_so_many_values_and_a_global_head_a_hundred(side, values) -> None:
    assert FlattenHead(100, 10, size=(side, side))[1].in_features == values
    assert GlobalMaxHead(100, 10).dense.in_features == 100
    assert GlobalMaxHead(100, 10)(torch.zeros(2, 100, side, side)).shape == (2, 10)


@pytest.mark.parametrize("dims", SIZES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_heads_equal_their_definitions(dims, dtype) -> None:
    torch.manual_seed(0)
    features = torch.randn(3, 6, *SIZES[dims]).to(dtype)
    flat = FlattenHead(6, 4, size=SIZES[dims]).to(dtype)
    assert flat(features).equal(flat[1](features.reshape(3, -1)))
    average = GlobalAverageHead(6, 4, dims=dims).to(dtype)
    assert average(features).equal(average.dense(features.flatten(2).mean(2)))
    largest = GlobalMaxHead(6, 4, dims=dims).to(dtype)
    assert largest(features).equal(largest.dense(features.flatten(2).amax(2)))


@pytest.mark.parametrize("head", [GlobalAverageHead, GlobalMaxHead])
def test_global_heads_do_not_mind_the_size_nor_a_roll(head) -> None:
    made = head(2, 3)
    features = torch.randint(0, 9, (1, 2, 4, 4)).float()
    assert made(features.roll((1, 2), (2, 3))).equal(made(features))
    assert made(features.repeat(1, 1, 2, 1)).equal(made(features))


@pytest.mark.parametrize("dims", SIZES)
def test_gradients_are_right(dims) -> None:
    torch.manual_seed(0)
    features = torch.randn(2, 2, *SIZES[dims], dtype=torch.float64, requires_grad=True)
    for head in (
        FlattenHead(2, 3, size=SIZES[dims]),
        GlobalAverageHead(2, 3, dims=dims),
        GlobalMaxHead(2, 3, dims=dims),
    ):
        assert torch.autograd.gradcheck(head.double(), (features,))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: FlattenHead(4, 3, size=()), "dims=0 cannot be"),
        (lambda: FlattenHead(4, 3, size=(2, 2, 2, 2)), "dims=4 cannot be"),
        (lambda: FlattenHead(0, 3, size=(2, 2)), "FlattenHead: 0 cannot be"),
        (lambda: FlattenHead(4, 3, size=(2, -1)), "-1 cannot be"),
        (lambda: GlobalAverageHead(4, 2.5), "2.5 cannot be"),
        (lambda: GlobalMaxHead(4, 2, dims=4), "dims=4 cannot be"),
    ],
)
def test_arguments_that_cannot_be_are_refused(make, sentence) -> None:
    with pytest.raises(LayerError, match=sentence):
        make()


@pytest.mark.parametrize(
    ("head", "shape", "sentence"),
    [
        (FlattenHead(100, 10, size=(4, 4)), (1, 100, 8, 8), "100x4x4 = 1600 values and got 100x8x8 = 6400"),
        (FlattenHead(4, 10, size=(4, 4)), (1, 3, 4, 4), "FlattenHead was made for 4 channels and got 3"),
        (FlattenHead(4, 10, size=(4, 4)), (1, 64), "2 axes instead of 4"),
        (GlobalAverageHead(4, 10), (1, 3, 4, 4), "GlobalAverageHead was made for 4 channels and got 3"),
        (GlobalMaxHead(4, 10, dims=1), (1, 4, 4, 4), "4 axes instead of 3"),
        (GlobalMaxHead(4, 10), (1, 4, 0, 4), "at least 1 element along each axis, and got 1x4x0x4"),
    ],
)
def test_feature_maps_that_do_not_fit_are_refused(head, shape, sentence) -> None:
    with pytest.raises(ShapeError, match=sentence):
        head(torch.zeros(shape))


def test_whole_numbers_are_refused() -> None:
    with pytest.raises(LayerError, match=r"got torch\.int64"):
        GlobalMaxHead(4, 10)(torch.zeros(1, 4, 2, 2, dtype=torch.int64))
