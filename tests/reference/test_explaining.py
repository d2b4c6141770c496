"""One output written out as a sum is the output that the convolution gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.core.errors import LayerError, ShapeError
from striate.reference import convolution, explain_sum


@settings(max_examples=60)
@given(data=st.data(), dims=st.integers(1, 3), groups=st.integers(1, 2), seed=st.integers(0, 999))
def test_every_output_is_the_sum_that_is_written_out(data, dims, groups, seed, agree):
    each = st.tuples(*[st.integers(1, 2)] * dims)
    options = {name: data.draw(each) for name in ("stride", "padding", "dilation")}
    generator = np.random.default_rng(seed)
    images = generator.normal(size=(1, 2 * groups, *(5, 4, 3)[:dims]))
    weights = generator.normal(size=(2 * groups, 2, *data.draw(each)))
    bias = generator.normal(size=len(weights))
    out = convolution(images, weights, bias, groups=groups, **options)[0]
    channel, *position = (data.draw(st.integers(0, length - 1)) for length in out.shape)
    explained = explain_sum(images, weights, bias, position=position, channel=channel, **options)
    agree(explained.total, out[channel, *position])
    agree(explained.products, explained.patch * explained.kernel)
    agree(explained.sums, explained.products.reshape(2, -1).sum(axis=1))
    agree(explained.total, explained.sums.sum() + explained.bias)
    assert explained.kernel.tolist() == weights[channel].tolist()
    assert explained.inputs == ((0, 1) if channel < 2 else (2, 3))
    assert (explained.patch[:, explained.border] == 0).all()
    assert (explained.patch[:, ~explained.border] != 0).all()
    terms = sum(line.count("*") for line in explained.text().splitlines() if "value" not in line)
    assert terms == explained.products.size


def test_a_sum_over_a_volume_has_a_line_for_each_row():
    images, weights = np.arange(8.0).reshape(1, 1, 2, 2, 2), np.full((1, 1, 2, 2, 2), -0.5)
    assert explain_sum(images, weights, position=(0, 0, 0)).text().splitlines() == [
        "output 0 at (0, 0, 0)",
        "",
        "channel 0, value * weight:",
        "  0*(-0.5) + 1*(-0.5)",
        "+ 2*(-0.5) + 3*(-0.5)",
        "+ 4*(-0.5) + 5*(-0.5)",
        "+ 6*(-0.5) + 7*(-0.5)",
        "= -14",
        "",
        "the channel and the bias:",
        "  -14 + 0",
        "= -14",
    ]


def test_one_place_in_the_border_is_one_and_zero_has_no_sign():
    explained = explain_sum([[[3.0]]], [[[-1.0, 0.0]]], position=[0], padding=1)
    lines = explained.text().splitlines()
    assert lines[1] == "1 of the window's 2 places lies in the zero border"
    assert lines[-2:] == ["  0 + 0", "= 0"]


def test_the_first_image_is_explained():
    images = np.arange(6.0).reshape(2, 1, 3)
    assert explain_sum(images, [[[1, 1, 1]]], position=[0]).total == 3


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"position": (0, 0), "channel": 2}, LayerError, r"no output of channel 2 at \(0, 0\): .* is 2x3x3"),
        ({"position": (3, 0)}, LayerError, r"no output of channel 0 at \(3, 0\)"),
        ({"position": (-1, 0)}, LayerError, r"at \(-1, 0\)"),
        ({"position": (0,)}, ShapeError, r"position \(0,\) has 1 numbers for 2 axes"),
        ({"position": (0, 0), "stride": 0}, ShapeError, "stride 0 cannot be"),
        ({"position": (0, 0), "dilation": 3}, ShapeError, r"5 \+ 2\*0 - 7 = -2"),
    ],
)
def test_what_is_no_output_is_refused(options, error, sentence):
    with pytest.raises(error, match=sentence):
        explain_sum(np.zeros((1, 2, 5, 5)), np.zeros((2, 2, 3, 3)), **options)


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((2, 3, 3, 3), "the weights take 3 channels in 1 group, .* the images have 2"),
        ((3, 1, 3, 3), "3 output channels cannot be shared out to 2 groups"),
        ((2, 0, 3, 3), "the weights take 0 channels"),
        ((2, 2, 3), "do not fit images of 2 spatial axes"),
        ((2,), "do not fit images of 2 spatial axes"),
    ],
)
def test_weights_that_do_not_fit_are_refused(shape, sentence):
    with pytest.raises(ShapeError, match=sentence):
        explain_sum(np.zeros((1, 2, 5, 5)), np.zeros(shape), position=(0, 0))
