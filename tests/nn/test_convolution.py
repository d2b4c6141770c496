"""The convolution equals the worked examples, the definition in NumPy and torch's own, with any padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from striate import reference
from striate.core.errors import LayerError, ShapeError
from striate.nn import Conv

TORCH = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}

A = [[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]]
B = [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]]
C = [[2, 0, 1, 3], [7, 1, 1, 0], [0, 2, 5, 0], [0, 5, 1, 4]]
D = [[2, 0, 3, 1], [1, 1, 0, 0], [1, 0, 2, 0], [1, 0, 1, 2]]
SLOPE = [[1, 0, -1], [2, 0, -2], [1, 0, -1]]

WORKED = [
    (A, [[0, 1, 2], [2, 2, 0], [0, 1, 2]], {"padding": "valid"}, [[12, 12, 17], [10, 17, 19], [9, 6, 14]]),
    (A, [[2, 0, 1], [1, 0, 0], [0, 1, 1]], {"padding": 1, "stride": 2}, [[0, 7, 2], [2, 6, 10], [0, 2, 4]]),
    (B, [[1, 0, 1], [0, 1, 0], [1, 0, 1]], {"padding": "valid"}, [[4, 3, 4], [2, 4, 3], [2, 3, 4]]),
    (C, [[1, 1, 1], [0, 0, 0], [-1, -1, -1]], {"padding": "valid"}, [[-4, -3], [3, -8]]),
    (D, SLOPE, {"padding": "valid"}, [[0, 1], [-1, -1]]),
    (D, SLOPE, {"padding": "same"}, [[-1, -1, -1, 6], [-2, 0, 1, 5], [-1, -1, -1, 5], [0, -1, -4, 4]]),
    (D, SLOPE, {"padding": "same-tf"}, [[-1, -1, -1, 6], [-2, 0, 1, 5], [-1, -1, -1, 5], [0, -1, -4, 4]]),
]


def with_weights(layer: Conv, weights, bias=None) -> Conv:
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(weights))
        layer.bias.copy_(torch.zeros(layer.outputs) if bias is None else torch.as_tensor(bias))
    return layer


@pytest.mark.parametrize(("image", "kernel", "options", "result"), WORKED)
def test_the_worked_examples_hold(image, kernel, options, result) -> None:
    layer = with_weights(Conv(1, 1, kernel=3, **options), [[kernel]])
    assert layer(torch.tensor([[image]]).float())[0, 0].tolist() == result


def test_the_worked_example_of_three_channels_and_a_bias_holds() -> None:
    images = torch.tensor([[[156, 155], [153, 154]], [[167, 166], [164, 165]], [[163, 162], [160, 161]]])
    weights = [
        [[-1, -1, 1], [0, 1, -1], [0, 1, 1]],
        [[1, 0, 0], [1, -1, -1], [1, 0, -1]],
        [[0, 1, 1], [0, 1, 0], [1, -1, 1]],
    ]
    layer = with_weights(Conv(3, 1, kernel=3, padding=1), [weights], [1])
    assert layer(images[None].float())[0, 0, 0, 0].item() == -25


@pytest.mark.parametrize(
    ("inputs", "outputs", "size", "options", "expected"),
    [
        (1, 1, 7, {"kernel": 3, "padding": "valid"}, 5),
        (1, 1, 7, {"kernel": 3, "padding": "valid", "stride": 2}, 3),
        (1, 1, 7, {"kernel": 3, "padding": "valid", "stride": 3}, 2),
        (1, 1, 7, {"kernel": 3, "padding": 1}, 7),
        (3, 10, 32, {"kernel": 5, "padding": 2}, 32),
        (3, 10, 32, {"kernel": 5, "padding": "same"}, 32),
        (3, 6, 32, {"kernel": 5, "padding": "valid"}, 28),
        (1, 16, 28, {"kernel": 5, "padding": "same-tf", "stride": 2}, 14),
        (3, 16, 32, {"kernel": 5, "padding": "same-tf", "stride": 2}, 16),
        (64, 32, 4, {"kernel": 1}, 4),
    ],
)
def test_sizes_are_those_of_the_lectures(inputs, outputs, size, options, expected) -> None:
    layer = Conv(inputs, outputs, **options)
    assert layer(torch.zeros(1, inputs, size, size)).shape == (1, outputs, expected, expected)


def test_ten_filters_of_five_by_five_on_three_channels_have_760_parameters() -> None:
    assert sum(each.numel() for each in Conv(3, 10, kernel=5).parameters()) == 760


def test_same_of_tensorflow_pads_as_its_documentation_shows() -> None:
    layer = with_weights(Conv(1, 1, dims=1, kernel=6, stride=5, padding="same-tf"), torch.ones(1, 1, 6))
    sums = layer(torch.arange(1.0, 14.0).view(1, 1, 13))  # 0 | 1 ... 13 | 0 0
    assert sums.flatten().tolist() == [
        0 + 1 + 2 + 3 + 4 + 5,
        5 + 6 + 7 + 8 + 9 + 10,
        10 + 11 + 12 + 13 + 0 + 0,
    ]


@st.composite
def layers(draw):
    dims = draw(st.integers(1, 3))

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(dims))

    groups = draw(st.integers(1, 2))
    options = {"kernel": each(1, 4 if dims < 3 else 2), "stride": each(1, 3), "dilation": each(1, 2)}
    options["padding"] = draw(st.sampled_from(["valid", "same-tf", each(0, 2)]))
    return Conv(2, 2 * groups, dims=dims, groups=groups, **options).double(), each(1, 6 if dims < 3 else 4)


@settings(max_examples=60)
@given(layers(), st.integers(0, 1000))
def test_values_and_gradients_are_those_of_the_definition(made, seed) -> None:
    layer, size = made
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(2, 2, *size, dtype=torch.double, generator=generator, requires_grad=True)
    sides = [(padding, padding) for padding in layer.padding]
    if layer.follows_size:
        sides = []
        for length, kernel, stride, dilation in zip(
            size, layer.kernel, layer.stride, layer.dilation, strict=True
        ):
            outputs = -(-length // stride)
            total = max(0, (outputs - 1) * stride + dilation * (kernel - 1) + 1 - length)
            sides.append((total // 2, total - total // 2))
    padded = np.pad(images.detach().numpy(), [(0, 0), (0, 0), *sides])
    reaches = (d * (k - 1) + 1 for k, d in zip(layer.kernel, layer.dilation, strict=True))
    if any(length < reach for length, reach in zip(padded.shape[2:], reaches, strict=True)):
        with pytest.raises(ShapeError, match="larger than its input"):
            layer(images)
        return
    options = {"stride": layer.stride, "dilation": layer.dilation, "groups": layer.groups}
    weights, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    result = layer(images)
    np.testing.assert_allclose(
        result.detach().numpy(), reference.convolution(padded, weights, bias, **options), atol=1e-12
    )
    if layer.follows_size:
        assert result.shape[2:] == tuple(
            -(-length // stride) for length, stride in zip(size, layer.stride, strict=True)
        )
    gradient = torch.randn(result.shape, dtype=torch.double, generator=generator)
    result.backward(gradient)
    d_padded, d_weights, d_bias = reference.convolution_backward(gradient.numpy(), padded, weights, **options)
    inside = tuple(slice(before, before + length) for (before, _), length in zip(sides, size, strict=True))
    np.testing.assert_allclose(images.grad.numpy(), d_padded[:, :, *inside], atol=1e-12)
    np.testing.assert_allclose(layer.weight.grad.numpy(), d_weights, atol=1e-12)
    np.testing.assert_allclose(layer.bias.grad.numpy(), d_bias, atol=1e-12)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_weights_load_from_and_into_torchs_own(dims) -> None:
    theirs = TORCH[dims](4, 6, 3, stride=2, padding=2, dilation=2, groups=2)
    ours = Conv(4, 6, dims=dims, kernel=3, stride=2, padding="same", dilation=2, groups=2)
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 4, *[7] * dims)
    assert ours(images).equal(theirs(images))
    assert ours.state_dict().keys() == theirs.state_dict().keys()


def test_weights_are_drawn_as_torch_draws_them() -> None:
    torch.manual_seed(0)
    theirs = nn.Conv2d(4, 6, 3)
    torch.manual_seed(0)
    ours = Conv(4, 6, kernel=3)
    assert torch.allclose(ours.weight, theirs.weight)
    assert torch.allclose(ours.bias, theirs.bias)


def test_a_layer_without_bias_can_be_had() -> None:
    layer = Conv(1, 2, kernel=3)
    layer.bias = None
    assert list(layer.state_dict()) == ["weight"]
    assert layer(torch.zeros(1, 1, 4, 4)).abs().sum() == 0


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((3, 8), {"kernel": 4}, ShapeError, r"kernel of 4 has no equal padding .* 1\*\(4 - 1\)/2 = 1.5"),
        ((3, 8), {"kernel": 3, "stride": 0}, ShapeError, "stride 0 cannot be"),
        ((3, 8), {"kernel": 3, "stride": -1}, ShapeError, "stride -1 cannot be"),
        ((3, 8), {"kernel": 0}, ShapeError, "kernel 0 cannot be"),
        ((3, 8), {"kernel": 3, "padding": -1}, ShapeError, "padding -1 cannot be"),
        ((3, 8), {"kernel": (3, 3, 3)}, ShapeError, r"kernel \(3, 3, 3\) has 3 numbers for 2 axes"),
        ((3, 8), {"kernel": 3, "padding": "smae"}, LayerError, "no padding 'smae'; did you mean 'same'?"),
        ((3, 8), {"kernel": 3, "dims": 4}, LayerError, "dims=4"),
        ((0, 8), {"kernel": 3}, LayerError, "inputs of Conv is 0"),
        ((3, 8), {"kernel": 3, "groups": 2}, LayerError, r"3 inputs .* 3/2 = 1.50; 2 inputs can"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_made(arguments, options, error, message) -> None:
    with pytest.raises(error, match=message):
        Conv(*arguments, **options)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 4, 8, 8), r"Conv\(3, 8, kernel=\(5, 5\)\) was made for 3 channels and got 4"),
        ((1, 3, 8), "takes N x C x height x width, and got 1x3x8: 3 axes instead of 4"),
        ((1, 3, 4, 8), "a window of 5 is larger than its input of 4: the input must have at least 5"),
    ],
)
def test_images_that_do_not_fit_are_refused_with_the_arithmetic(shape, message) -> None:
    with pytest.raises(ShapeError, match=message):
        Conv(3, 8, kernel=5, padding="valid")(torch.zeros(shape))
