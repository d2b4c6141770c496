"""Fixed filters: the worked examples, scipy and Pillow as oracles, borders, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from striate.core.errors import LayerError, ShapeError
from striate.nn import FILTERS, FixedFilter, find_filter, gabor

SCIPY_MODES = {"replicate": "nearest", "reflect": "mirror", "circular": "wrap", "zeros": "constant"}

A = [[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]]
B = [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]]
C = [[2, 0, 1, 3], [7, 1, 1, 0], [0, 2, 5, 0], [0, 5, 1, 4]]
D = [[2, 0, 3, 1], [1, 1, 0, 0], [1, 0, 2, 0], [1, 0, 1, 2]]


def applied(image, kernel, padding_mode):
    features = torch.tensor(image, dtype=torch.float32)[None, None]
    return FixedFilter(kernel, padding_mode=padding_mode)(features)[0, 0].tolist()


@pytest.mark.parametrize(
    ("image", "kernel", "padding_mode", "result"),
    [
        (A, [[0, 1, 2], [2, 2, 0], [0, 1, 2]], "valid", [[12, 12, 17], [10, 17, 19], [9, 6, 14]]),
        (B, [[1, 0, 1], [0, 1, 0], [1, 0, 1]], "valid", [[4, 3, 4], [2, 4, 3], [2, 3, 4]]),
        (C, "prewitt-y", "valid", [[-4, -3], [3, -8]]),
        (D, [[1, 0, -1], [2, 0, -2], [1, 0, -1]], "valid", [[0, 1], [-1, -1]]),
        (
            D,
            [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
            "zeros",
            [[-1, -1, -1, 6], [-2, 0, 1, 5], [-1, -1, -1, 5], [0, -1, -4, 4]],
        ),
    ],
)
def test_the_worked_examples_come_out(image, kernel, padding_mode, result) -> None:
    assert applied(image, kernel, padding_mode) == result


def test_the_worked_example_with_a_stride_is_every_second_response() -> None:
    responses = applied(A, [[2, 0, 1], [1, 0, 0], [0, 1, 1]], "zeros")
    assert [row[::2] for row in responses[::2]] == [[0, 7, 2], [2, 6, 10], [0, 2, 4]]


def test_five_pixels_under_their_detector_give_a_large_number() -> None:
    pixels = torch.tensor([[[50.0, 50, 50, 20, 50]]])
    assert FixedFilter([30.0] * 5, padding_mode="valid")(pixels).item() == 6600


def test_the_filters_that_people_look_at_are_those() -> None:
    assert FILTERS["sobel-x"].kernel == ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))
    assert FILTERS["sobel-y"].kernel == ((1, 2, 1), (0, 0, 0), (-1, -2, -1))
    assert FILTERS["sharpen"].kernel == ((0, -1, 0), (-1, 5, -1), (0, -1, 0))
    assert FILTERS["outline"].kernel == ((-1, -1, -1), (-1, 8, -1), (-1, -1, -1))
    assert FILTERS["shift-right"].kernel == ((0, 0, 0), (1, 0, 0), (0, 0, 0))
    assert FILTERS["box-blur"].kernel == ((1 / 9,) * 3,) * 3


def test_every_filter_sums_to_nothing_or_to_one() -> None:
    for name, one in FILTERS.items():
        assert sum(map(sum, one.kernel)) == pytest.approx(0 if one.signed else 1, abs=1e-9), name
        assert len({len(row) for row in one.kernel}) == 1
        assert len(one.kernel) % 2 == len(one.kernel[0]) % 2 == 1


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("padding_mode", SCIPY_MODES)
def test_every_filter_equals_scipys_correlation(name, padding_mode) -> None:
    ndimage = pytest.importorskip("scipy.ndimage", reason="scipy is the oracle")
    image = np.random.default_rng(0).integers(0, 256, (25, 31)).astype(np.float64)
    layer = FixedFilter(name, padding_mode=padding_mode).double()
    expected = ndimage.correlate(image, layer.kernel.numpy(), mode=SCIPY_MODES[padding_mode])
    assert np.allclose(layer(torch.from_numpy(image)[None, None])[0, 0].numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in FILTERS if len(FILTERS[name].kernel) <= 5])
def test_inside_every_small_filter_equals_pillows(name) -> None:
    image = np.random.default_rng(1).integers(0, 256, (12, 14)).astype(np.uint8)
    side = len(FILTERS[name].kernel)
    flat = [weight for row in reversed(FILTERS[name].kernel) for weight in row]  # Pillow begins at the bottom
    filtered = Image.fromarray(image).filter(ImageFilter.Kernel((side, side), flat, scale=1))
    features = torch.from_numpy(image).float()[None, None]
    ours = FixedFilter(name, padding_mode="valid")(features)[0, 0].round().clamp(0, 255)
    half = side // 2
    assert np.abs(ours.numpy() - np.asarray(filtered, dtype=float)[half:-half, half:-half]).max() <= 1


def test_shifts_move_the_picture_as_they_say() -> None:
    image = torch.arange(20.0).view(1, 1, 4, 5)
    for name, (axis, step) in {
        "shift-left": (3, -1),
        "shift-right": (3, 1),
        "shift-up": (2, -1),
        "shift-down": (2, 1),
    }.items():
        assert FixedFilter(name, padding_mode="circular")(image).equal(image.roll(step, axis)), name


@given(
    kernel=st.lists(st.lists(st.integers(-9, 9), min_size=3, max_size=3), min_size=1, max_size=4),
    channels=st.integers(1, 4),
    padding_mode=st.sampled_from(("valid", *SCIPY_MODES)),
    seed=st.integers(0, 99),
)
def test_channels_do_not_see_each_other_and_filtering_is_linear(kernel, channels, padding_mode, seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    layer = FixedFilter(kernel, padding_mode=padding_mode)
    one, other = torch.randint(-9, 10, (2, 2, channels, 5, 6), generator=generator).float()
    whole = layer(one)
    assert whole.equal(torch.cat([layer(one[:, c : c + 1]) for c in range(channels)], dim=1))
    assert layer(2 * one - other).equal(2 * whole - layer(other))
    assert whole.shape[2:] == ((6 - len(kernel), 4) if padding_mode == "valid" else (5, 6))


@pytest.mark.parametrize("kernel", [[1, 2, 3], [[1, 2], [3, 4]], [[[1, -1]], [[2, 0]]], torch.ones(2, 3, 2)])
def test_one_two_and_three_dimensions_equal_scipys_correlation(kernel) -> None:
    ndimage = pytest.importorskip("scipy.ndimage", reason="scipy is the oracle")
    layer = FixedFilter(kernel, padding_mode="reflect")
    sizes = (4, 5, 6)[-layer.kernel.ndim :]
    features = torch.randint(0, 9, (2, 3, *sizes), generator=torch.Generator().manual_seed(0)).float()
    # The output lies on the element before the middle of an even kernel; scipy's on the one behind it.
    origin = [-1 if side % 2 == 0 else 0 for side in layer.kernel.shape]
    for image, filtered in zip(features.flatten(0, 1), layer(features).flatten(0, 1), strict=True):
        expected = ndimage.correlate(image.numpy(), layer.kernel.numpy(), mode="mirror", origin=origin)
        assert np.allclose(filtered.numpy(), expected, atol=1e-4)


def test_a_grating_answers_to_its_own_angle_and_wavelength_most() -> None:
    across = torch.arange(64.0)
    answers = {}
    for angle in (0, 30, 60, 90, 120, 150):
        for wavelength in (4, 8, 16):
            turn = math.radians(angle)
            phase = math.cos(turn) * across[None] + math.sin(turn) * across[:, None]
            stripes = torch.cos(2 * math.pi * phase / wavelength)[None, None]
            answers[angle, wavelength] = FixedFilter(gabor(30, 8))(stripes)[..., 20:-20, 20:-20].amax()
    assert max(answers, key=lambda key: answers[key]) == (30, 8)
    assert answers[30, 8] > 5 * answers[120, 8]


def test_a_grating_sees_nothing_in_even_grey_and_no_more_than_the_range() -> None:
    kernel = torch.tensor(gabor(17, 5.5), dtype=torch.float64)
    assert kernel.sum().abs() < 1e-12
    assert kernel.clamp(min=0).sum() == pytest.approx(1)
    assert torch.allclose(kernel, kernel.flip(0, 1))


def test_gratings_are_made_by_name() -> None:
    assert find_filter("gabor-45").kernel == gabor(45, 6)
    assert find_filter("gabor-30-8.5").kernel == gabor(30, 8.5)
    assert find_filter("gabor-30-8.5").signed


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_type_and_layout_of_the_input_are_kept(dtype) -> None:
    features = torch.rand(2, 3, 8, 8).to(dtype).contiguous(memory_format=torch.channels_last)
    filtered = FixedFilter("gaussian-blur")(features)
    assert filtered.dtype == dtype
    assert filtered.is_contiguous(memory_format=torch.channels_last)
    tolerance = 1e-2 if dtype == torch.bfloat16 else 1e-6
    assert torch.allclose(
        filtered.double(), FixedFilter("gaussian-blur").double()(features.double()), atol=tolerance
    )


def test_the_gradient_is_right_and_nothing_is_trained_or_saved() -> None:
    layer = FixedFilter("sobel-x", padding_mode="reflect").double()
    features = torch.rand(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (features,))
    assert list(layer.parameters()) == []
    assert layer.state_dict() == {}


@pytest.mark.parametrize(
    ("kernel", "padding_mode", "error", "sentence"),
    [
        ("sobel", "zeros", LayerError, "no filter 'sobel'; did you mean 'sobel-"),
        ("gabor-", "zeros", LayerError, "did you mean 'gabor-"),
        ("gabor-0-99", "zeros", LayerError, "wavelength 99 cannot be; from 2 to 32 pixels"),
        ("gabor-0-1", "zeros", LayerError, "wavelength 1 cannot be"),
        ("sobel-x", "mirror", LayerError, "FixedFilter: there is no padding_mode 'mirror'"),
        ([[1, 2], [3]], "zeros", LayerError, "numbers in rows of equal length"),
        ([["a"]], "zeros", LayerError, "numbers in rows of equal length"),
        ([[float("nan")]], "zeros", LayerError, "infinite or no number"),
        ([], "zeros", ShapeError, "along 1, 2 or 3 dimensions"),
        (torch.ones(1, 1, 3, 3), "zeros", ShapeError, r"\(1, 1, 3, 3\)"),
        (5.0, "zeros", ShapeError, "along 1, 2 or 3 dimensions"),
    ],
)
def test_kernels_that_cannot_be_are_refused(kernel, padding_mode, error, sentence) -> None:
    with pytest.raises(error, match=sentence):
        FixedFilter(kernel, padding_mode=padding_mode)


@pytest.mark.parametrize(
    ("layer", "features", "error", "sentence"),
    [
        (FixedFilter("sobel-x"), torch.zeros(3, 8, 8), ShapeError, "3x8x8: 3 axes instead of 4"),
        (FixedFilter("sobel-x"), torch.zeros(1, 1, 8, 8, dtype=torch.uint8), LayerError, "uint8"),
        (FixedFilter("sobel-x"), torch.zeros(1, 1, 0, 8), ShapeError, "at least 1 element"),
        (
            FixedFilter("sobel-x", padding_mode="valid"),
            torch.zeros(1, 1, 2, 8),
            ShapeError,
            "3x3 does not fit .* 2x8",
        ),
        (
            FixedFilter("sobel-x", padding_mode="reflect"),
            torch.zeros(1, 1, 1, 8),
            ShapeError,
            "at least 2 elements",
        ),
        (
            FixedFilter("gabor-0", padding_mode="circular"),
            torch.zeros(1, 1, 9, 9),
            ShapeError,
            "at least 11 elements",
        ),
    ],
)
def test_inputs_that_do_not_fit_are_refused(layer, features, error, sentence) -> None:
    with pytest.raises(error, match=sentence):
        layer(features)


def test_a_single_pixel_is_filtered_where_its_border_is_repeated() -> None:
    assert FixedFilter("gabor-45")(torch.full((1, 1, 1, 1), 200.0)).abs().item() < 1e-3
    assert FixedFilter("box-blur")(torch.full((1, 1, 1, 1), 200.0)).item() == pytest.approx(200)


@pytest.mark.parametrize("angle", [float("nan"), float("inf")])
def test_a_grating_at_no_angle_is_refused(angle) -> None:
    with pytest.raises(LayerError, match="any finite number"):
        gabor(angle, 6)
