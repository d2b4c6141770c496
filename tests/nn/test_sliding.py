"""A dense head as a convolution: the same at its own size, and at each place of a larger feature map."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from striate.core.errors import LayerError, ShapeError
from striate.nn import FlattenHead, dense_as_conv

SIZES = {1: (5,), 2: (4, 3), 3: (2, 3, 2)}


def trained_head(inputs: int) -> nn.Sequential:
    """A head as VGG has it, with batch norm that has seen something."""
    torch.manual_seed(0)
    head = nn.Sequential(
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(inputs, 12),
        nn.BatchNorm1d(12),
        nn.LeakyReLU(0.1),
        nn.Sequential(nn.Linear(12, 7, bias=False), nn.PReLU(7), nn.Dropout(0.2)),
        nn.Linear(7, 4),
        nn.LogSoftmax(dim=-1),
    )
    for _ in range(3):
        head(torch.randn(16, inputs) * 2 + 1)
    return head


def cut(features: torch.Tensor, place: tuple[int, ...], size: tuple[int, ...]) -> torch.Tensor:
    for axis, (start, length) in enumerate(zip(place, size, strict=True)):
        features = features.narrow(axis + 2, start, length)
    return features


@pytest.mark.parametrize("dims", SIZES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_every_place_of_a_larger_map_equals_the_head_on_that_part(dims, dtype, tolerance) -> None:
    size = SIZES[dims]
    inputs = 3 * torch.Size(size).numel()
    head = trained_head(inputs).to(dtype).eval()
    slides = dense_as_conv(head, size=size)
    larger = torch.randn(
        2, 3, *(side + more for side, more in zip(size, (2, 1, 1), strict=False)), dtype=dtype
    )
    maps = slides(larger)
    places = [range(side) for side in maps.shape[2:]]
    assert maps.shape == (2, 4, *(more + 1 for more in (2, 1, 1)[:dims]))
    for place in product(*places):
        expected = head(cut(larger, place, size))
        assert torch.allclose(maps[(slice(None), slice(None), *place)], expected, atol=tolerance)


@given(
    size=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    channels=st.integers(1, 3),
    outputs=st.integers(1, 3),
    bias=st.booleans(),
)
def test_one_dense_layer_of_any_size(size, channels, outputs, bias) -> None:
    dense = nn.Linear(channels * torch.Size(size).numel(), outputs, bias=bias).double()
    features = torch.randn(2, channels, *size, dtype=torch.float64)
    maps = dense_as_conv(dense, size=size)(features)
    assert torch.allclose(maps.flatten(1), dense(features.flatten(1)), atol=1e-12)


def test_in_training_it_normalises_as_the_head_does() -> None:
    head = trained_head(12).double()
    head[1].p = head[5][2].p = 0.0  # dropout draws other numbers for another layout
    slides = dense_as_conv(head, size=(2, 2))
    assert slides.training
    features = torch.randn(8, 3, 2, 2, dtype=torch.float64)
    assert torch.allclose(slides(features).flatten(1), head(features), atol=1e-12)
    norm, copied = head[3], slides[2]
    assert torch.allclose(norm.running_mean, copied.running_mean)


def test_our_own_flattening_head_is_turned_too() -> None:
    head = FlattenHead(3, 5, size=(4, 4))
    features = torch.randn(2, 3, 4, 4)
    assert torch.allclose(dense_as_conv(head, size=head.size)(features).flatten(1), head(features), atol=1e-5)


def test_weights_are_copied_with_their_type_and_whether_they_are_trained() -> None:
    head = trained_head(12).to(torch.bfloat16).eval()
    head[2].weight.requires_grad_(False)
    slides = dense_as_conv(head, size=(2, 2))
    assert not slides.training
    assert [parameter.requires_grad for parameter in slides[1].parameters()] == [False, True]
    assert {parameter.dtype for parameter in slides.parameters()} == {torch.bfloat16}
    before = head[2].weight.clone()
    with torch.no_grad():
        for parameter in slides.parameters():
            parameter.zero_()
    assert head[2].weight.equal(before)
    assert slides(torch.randn(1, 3, 4, 4).to(torch.bfloat16)).shape == (1, 4, 3, 3)


def test_random_numbers_are_not_used_up() -> None:
    head = trained_head(12)
    state = torch.get_rng_state()
    dense_as_conv(head, size=(2, 2))
    assert torch.get_rng_state().equal(state)


def test_gradients_reach_the_image_and_the_weights() -> None:
    slides = dense_as_conv(trained_head(12).double().eval(), size=(2, 2))
    features = torch.randn(1, 3, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(slides, (features,))
    slides(features).sum().backward()
    assert all(parameter.grad is not None for parameter in slides.parameters())


def test_batch_norm_before_a_dense_layer_of_single_elements_is_by_channel() -> None:
    head = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(6), nn.Linear(6, 2)).eval()
    head[1].running_mean.copy_(torch.arange(6.0))
    features = torch.randn(2, 6, 1, 1)
    assert torch.allclose(dense_as_conv(head, size=(1, 1))(features).flatten(1), head(features), atol=1e-5)


@pytest.mark.parametrize(
    ("head", "size", "error", "sentence"),
    [
        (nn.Linear(250, 2), (4, 4), ShapeError, r"250 inputs does not fit .* 4x4: 250/16 = 15.62 channels"),
        (nn.Linear(8, 2), (4, 4), ShapeError, r"8/16 = 0.50 channels"),
        (nn.LazyLinear(8), (4, 4), ShapeError, r"0/16 = 0.00 channels"),
        (nn.Linear(16, 2), 4, ShapeError, r"size=4 does not say how many axes there are; \(4, 4\)"),
        (nn.Linear(16, 2), (4, 0), ShapeError, "4x0 cannot be"),
        (nn.Linear(16, 2), (2, 2, 2, 2), LayerError, "dims=4 cannot be"),
        (nn.Linear(16, 2), (), LayerError, "dims=0 cannot be"),
        (nn.Sequential(nn.Flatten(), nn.ReLU()), (4, 4), LayerError, "Sequential holds none"),
        (nn.Sequential(nn.Flatten(0), nn.Linear(16, 2)), (4, 4), LayerError, "all axes but the first"),
        (nn.Sequential(nn.BatchNorm1d(16), nn.Linear(16, 2)), (4, 4), LayerError, "before the first Linear"),
        (
            nn.Sequential(nn.PReLU(16), nn.Linear(16, 2)),
            (4, 4),
            LayerError,
            "no convolution that equals PReLU",
        ),
        (
            nn.Sequential(nn.Linear(16, 2), nn.LayerNorm(2)),
            (4, 4),
            LayerError,
            "no convolution that equals LayerNorm",
        ),
        (nn.Sequential(nn.Linear(16, 2), nn.Softmax(dim=0)), (4, 4), LayerError, "equals Softmax"),
        (nn.GRU(4, 4), (4, 4), LayerError, "equals GRU"),
    ],
)
def test_heads_that_cannot_be_turned_are_refused(head, size, error, sentence) -> None:
    with pytest.raises(error, match=sentence):
        dense_as_conv(head, size=size)
