"""Blurred and polyphase sampling: the definitions by other means, equivariance to every shift, gradients."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from striate.core.errors import LayerError, ShapeError
from striate.geometry import output_size
from striate.nn import BlurPool, PolyphaseSampling, blurring

MODES = ("circular", "reflect", "replicate", "zeros")
NUMPY_MODES = {"circular": "wrap", "reflect": "reflect", "replicate": "edge", "zeros": "constant"}
SIZES = {1: (16,), 2: (16, 14), 3: (8, 9, 10)}
ZHANG = {
    1: [1],
    2: [1, 1],
    3: [1, 2, 1],
    4: [1, 3, 3, 1],
    5: [1, 4, 6, 4, 1],
    6: [1, 5, 10, 10, 5, 1],
    7: [1, 6, 15, 20, 15, 6, 1],
}


@pytest.fixture(params=["plain", "by lines", "by lines in parts"])
def _each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small features go each of the ways that large ones go."""
    monkeypatch.setattr(blurring, "MANY", 1 << 60 if request.param == "plain" else 0)
    monkeypatch.setattr(blurring, "PART", 1 if request.param == "by lines in parts" else 1 << 60)


def blurred_by_numpy(features: torch.Tensor, *, kernel: int, stride: int, padding_mode: str) -> np.ndarray:
    """Pad, sum and sample one axis after the other, in double precision."""
    values = features.double().numpy()
    taps = np.array(ZHANG[kernel]) / sum(ZHANG[kernel])
    for axis in range(2, values.ndim):
        around = [(0, 0)] * values.ndim
        around[axis] = ((kernel - 1) // 2, math.ceil((kernel - 1) / 2))
        padded = np.pad(values, around, mode=NUMPY_MODES[padding_mode])
        starts = range(0, padded.shape[axis] - kernel + 1, stride)
        sums = [np.tensordot(padded.take(range(s, s + kernel), axis), taps, (axis, 0)) for s in starts]
        values = np.stack(sums, axis)
    return values


def random_features(dims: int, *, sizes: tuple[int, ...] | None = None, dtype=torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, *(sizes or SIZES[dims]), generator=generator, dtype=torch.float64).to(dtype)


@pytest.mark.usefixtures("_each_way")
@pytest.mark.parametrize("kernel", ZHANG)
@pytest.mark.parametrize("padding_mode", MODES)
@pytest.mark.parametrize("dims", SIZES)
def test_blurring_equals_padding_and_summing(kernel, padding_mode, dims) -> None:
    features = random_features(dims)
    for stride in (1, 2, 3):
        layer = BlurPool(3, dims=dims, kernel=kernel, stride=stride, padding_mode=padding_mode).double()
        expected = blurred_by_numpy(features, kernel=kernel, stride=stride, padding_mode=padding_mode)
        assert layer(features).shape == expected.shape
        assert np.allclose(layer(features).numpy(), expected, atol=1e-12)


@given(
    kernel=st.integers(1, 7),
    stride=st.integers(1, 4),
    padding_mode=st.sampled_from(MODES),
    sizes=st.lists(st.integers(5, 19), min_size=1, max_size=3),
)
def test_blurring_any_size(kernel, stride, padding_mode, sizes) -> None:
    dims = len(sizes)
    features = random_features(dims, sizes=tuple(sizes)[: 3 if dims < 3 else 2] + ((6,) if dims == 3 else ()))
    layer = BlurPool(3, dims=dims, kernel=kernel, stride=stride, padding_mode=padding_mode).double()
    expected = blurred_by_numpy(features, kernel=kernel, stride=stride, padding_mode=padding_mode)
    assert np.allclose(layer(features).numpy(), expected, atol=1e-7)
    assert layer(features).shape[2:] == tuple(-(-size // stride) for size in features.shape[2:])


@pytest.mark.parametrize("kernel", ZHANG)
def test_the_weights_are_zhangs_and_sum_to_one(kernel) -> None:
    weights = BlurPool(2, kernel=kernel).weights
    taps = torch.tensor(ZHANG[kernel]) / sum(ZHANG[kernel])
    assert torch.allclose(weights, (taps[:, None] * taps).expand(2, 1, kernel, kernel))
    assert torch.allclose(weights.sum((2, 3)), torch.ones(2, 1))


@pytest.mark.usefixtures("_each_way")
@pytest.mark.parametrize("kernel", ZHANG)
@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float32, 2**-22), (torch.bfloat16, 2**-7)])
def test_a_constant_image_stays_as_it_is(kernel, dtype, rounding) -> None:
    for padding_mode in ("circular", "reflect", "replicate"):
        layer = BlurPool(2, kernel=kernel, padding_mode=padding_mode)
        for sizes in ((20, 23), (7, 8)):
            features = torch.full((1, 2, *sizes), 0.7265625, dtype=dtype)
            assert torch.allclose(layer(features), features[:, :, ::2, ::2], rtol=rounding, atol=0)


@pytest.mark.usefixtures("_each_way")
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_layouts_and_types_give_the_same_forward_and_back(layout, dtype, tolerance, kernel) -> None:
    exact = random_features(2, sizes=(18, 20)).requires_grad_()
    features = exact.detach().to(dtype).contiguous(memory_format=layout).requires_grad_()
    layer = BlurPool(3, kernel=kernel)
    blurred, expected = layer(features), layer.double()(exact)
    assert blurred.dtype == dtype
    assert blurred.is_contiguous(memory_format=layout)
    assert torch.allclose(blurred.double(), expected, atol=tolerance)
    towards = torch.randn_like(expected)
    expected.backward(towards)
    blurred.backward(towards.to(dtype))
    assert features.grad is not None
    assert exact.grad is not None
    assert features.grad.dtype == dtype
    assert torch.allclose(features.grad.double(), exact.grad, atol=tolerance)


@pytest.mark.usefixtures("_each_way")
@pytest.mark.parametrize("padding_mode", MODES)
@pytest.mark.parametrize(
    ("dims", "sizes", "kernel", "stride"),
    [
        (1, (9,), 3, 2),
        (1, (16,), 7, 2),
        (2, (6, 7), 3, 2),
        (2, (10, 10), 5, 3),
        (3, (6, 4, 5), 2, 2),
        (2, (4, 5), 4, 2),
    ],
)
def test_gradients_are_right_once_and_twice(padding_mode, dims, sizes, kernel, stride) -> None:
    layer = BlurPool(1, dims=dims, kernel=kernel, stride=stride, padding_mode=padding_mode).double()
    features = torch.randn(1, 1, *sizes, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (features,))
    assert torch.autograd.gradgradcheck(layer, (features,), fast_mode=True)


def test_kernel_and_stride_may_differ_by_axis() -> None:
    layer = BlurPool(3, kernel=(3, 1), stride=(1, 2)).double()
    features = random_features(2)
    expected = blurred_by_numpy(features, kernel=3, stride=1, padding_mode="reflect")
    rows = F.pad(features, (0, 0, 1, 1), mode="reflect")
    rows = rows[:, :, :-2] / 4 + rows[:, :, 1:-1] / 2 + rows[:, :, 2:] / 4
    assert torch.allclose(layer(features), rows[..., ::2], atol=1e-12)
    assert expected.shape[2:] == features.shape[2:]


@pytest.mark.parametrize("kernel", ZHANG)
def test_a_blur_keeps_the_mean_whatever_the_shift_where_a_plain_stride_does_not(kernel) -> None:
    features = random_features(2, sizes=(16, 12))
    layer = BlurPool(3, kernel=kernel, padding_mode="circular").double()
    means = [layer(features.roll(shift, (2, 3))).mean((2, 3)) for shift in product(range(2), repeat=2)]
    same = [torch.allclose(mean, features.mean((2, 3)), atol=1e-12) for mean in means]
    assert all(same) == (kernel > 1)  # binomial weights give even and odd places the same share


@pytest.mark.usefixtures("_each_way")
def test_functional_transforms_and_no_gradient_work() -> None:
    layer = BlurPool(2).double()
    features = torch.randn(3, 2, 8, 8, dtype=torch.float64)
    with torch.inference_mode():
        plain = layer(features)
    each = torch.func.vmap(lambda image: layer(image[None])[0])(features)
    assert torch.allclose(each, plain)
    gradient = torch.func.grad(lambda x: layer(x).square().sum())(features)
    _, along = torch.func.jvp(lambda x: layer(x).square().sum(), (features,), (features,))
    assert torch.allclose(along, (gradient * features).sum())


@pytest.mark.parametrize("dims", SIZES)
def test_on_the_meta_device_there_are_shapes_and_the_windows_say_the_same(dims) -> None:
    sizes = (12, 8, 4)[:dims]
    for layer in (BlurPool(3, dims=dims, kernel=4), PolyphaseSampling(dims=dims)):
        outputs = layer.to("meta")(torch.empty(2, 3, *sizes, device="meta")).shape[2:]
        assert outputs == tuple(map(output_size, sizes, layer.windows_on(sizes)))
    assert BlurPool(3, dims=dims).multiply_adds_on(sizes) == 3 * math.prod(s // 2 for s in sizes) * 3**dims
    assert PolyphaseSampling(dims=dims).multiply_adds_on(sizes) == 0


@pytest.mark.usefixtures("_each_way")
def test_autocast_and_a_batch_of_none_pass() -> None:
    features = torch.randn(2, 3, 16, 16, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        blurred = BlurPool(3)(features)
    assert blurred.dtype == torch.bfloat16
    blurred.float().sum().backward()
    assert features.grad is not None
    assert features.grad.dtype == torch.float32
    assert torch.allclose(features.grad.sum(), torch.tensor(float(blurred.numel())), rtol=1e-2)
    assert BlurPool(3)(torch.zeros(0, 3, 16, 16)).shape == (0, 3, 8, 8)
    assert PolyphaseSampling()(torch.zeros(0, 3, 16, 16)).shape == (0, 3, 8, 8)


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: BlurPool(0), LayerError, "0 cannot be a number of channels"),
        (lambda: BlurPool(3, dims=0), LayerError, "dims=0 cannot be"),
        (lambda: BlurPool(3, kernel=0), ShapeError, "kernel 0 cannot be"),
        (lambda: BlurPool(3, kernel=(3, 3, 3)), ShapeError, "3 numbers for 2 axes"),
        (lambda: BlurPool(3, stride=-1), ShapeError, "stride -1 cannot be"),
        (
            lambda: BlurPool(3, padding_mode="mirror"),
            LayerError,
            "BlurPool: there is no padding_mode 'mirror'",
        ),
        (lambda: PolyphaseSampling(stride=0), ShapeError, "stride 0 cannot be"),
        (lambda: PolyphaseSampling(dims=4), LayerError, "dims=4 cannot be"),
        (lambda: PolyphaseSampling(norm=0), LayerError, "norm 0 cannot be"),
        (lambda: PolyphaseSampling(norm=math.nan), LayerError, "norm nan cannot be"),
        (lambda: PolyphaseSampling(norm="l2"), LayerError, "norm 'l2' cannot be"),
    ],
)
def test_arguments_that_cannot_be_are_refused(make, error, sentence) -> None:
    with pytest.raises(error, match=sentence):
        make()


@pytest.mark.parametrize(
    ("layer", "features", "error", "sentence"),
    [
        (BlurPool(3), torch.zeros(1, 4, 8, 8), ShapeError, "BlurPool was made for 3 channels and got 4"),
        (BlurPool(3), torch.zeros(3, 8, 8), ShapeError, "3 axes instead of 4"),
        (BlurPool(3), torch.zeros(1, 3, 8, 8, dtype=torch.int32), LayerError, "got torch.int32"),
        (
            BlurPool(3),
            torch.zeros(1, 3, 1, 8),
            ShapeError,
            'reflect padding of 1 takes at least 2 .* 1x8; .*"replicate"',
        ),
        (
            BlurPool(3, kernel=7, padding_mode="circular"),
            torch.zeros(1, 3, 2, 8),
            ShapeError,
            "at least 3 elements",
        ),
        (
            PolyphaseSampling(),
            torch.zeros(1, 3, 7, 8),
            ShapeError,
            "stride 2 does not fit 7x8: 7/2 = 3.50, and 6 and 8 do",
        ),
        (PolyphaseSampling(stride=3), torch.zeros(1, 3, 2, 3), ShapeError, "2/3 = 0.67, and 3 does"),
        (PolyphaseSampling(), torch.zeros(1, 3, 8), ShapeError, "3 axes instead of 4"),
        (PolyphaseSampling(), torch.zeros(1, 3, 8, 8, dtype=torch.uint8), LayerError, "got torch.uint8"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(layer, features, error, sentence) -> None:
    with pytest.raises(error, match=sentence):
        layer(features)


def test_a_choice_for_other_images_is_refused() -> None:
    with pytest.raises(ShapeError, match="3 numbers of components for 2 images"):
        PolyphaseSampling().sample(torch.zeros(2, 1, 4, 4), torch.zeros(3, dtype=torch.int64))


@pytest.mark.parametrize("dims", SIZES)
@pytest.mark.parametrize("norm", [1.0, 2.0, 3.5, math.inf])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_component_with_the_largest_norm_is_taken(dims, norm, stride) -> None:
    features = random_features(dims, sizes=(6, 12, 6)[:dims])
    layer = PolyphaseSampling(stride=stride, dims=dims, norm=norm)
    chosen = layer.choose(features)
    for image, sampled, number in zip(features, layer(features), chosen.tolist(), strict=True):
        components = [
            image[(slice(None), *(slice(start, None, stride) for start in starts))]
            for starts in product(range(stride), repeat=dims)
        ]
        norms = [
            np.linalg.norm(component.numpy().ravel(), norm if norm != 3.5 else 2) for component in components
        ]
        if norm == 3.5:
            norms = [(component.abs() ** 3.5).sum().item() for component in components]
        assert number == int(np.argmax(norms))
        assert sampled.equal(components[number])


def test_of_equal_norms_the_first_is_taken_and_another_layers_choice_can_be() -> None:
    layer = PolyphaseSampling()
    features = torch.ones(2, 1, 4, 4)
    assert layer.choose(features).tolist() == [0, 0]
    features = torch.arange(32.0).view(2, 1, 4, 4)
    assert layer(features, torch.tensor([1, 2])).flatten().tolist() == [1, 3, 9, 11, 20, 22, 28, 30]
    assert layer.choose(features).dtype == torch.int64


def test_bfloat16_chooses_by_sums_that_do_not_tie() -> None:
    features = torch.ones(1, 1, 64, 64, dtype=torch.bfloat16)
    features[0, 0, 1, 1] = 1.5
    assert PolyphaseSampling().choose(features).item() == 3


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sampling_keeps_type_and_layout(layout, dtype) -> None:
    features = random_features(2, dtype=dtype).contiguous(memory_format=layout)
    sampled = PolyphaseSampling()(features)
    assert sampled.dtype == dtype
    assert sampled.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("dims", SIZES)
def test_the_gradient_of_sampling_goes_to_the_component_taken(dims) -> None:
    features = random_features(dims, sizes=(4, 6, 2)[:dims]).requires_grad_()
    layer = PolyphaseSampling(dims=dims)
    assert torch.autograd.gradcheck(layer, (features,))
    layer(features).sum().backward()
    assert features.grad is not None
    assert features.grad.sum().item() == features.numel() / 2**dims
    assert (features.grad * features).sum().item() == pytest.approx(layer(features).sum().item())


def whole_number_network(padding_mode: str, dims: int = 2) -> nn.Sequential:
    """Convolutions, activations and polyphase sampling, twice; whole numbers, so that nothing is rounded."""
    convolution = {1: nn.Conv1d, 2: nn.Conv2d}[dims]
    generator = torch.Generator().manual_seed(3)
    layers: list[nn.Module] = []
    for inputs, outputs in ((2, 5), (5, 4)):
        layer = convolution(inputs, outputs, 3, padding=1, padding_mode=padding_mode).double()
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.copy_(torch.randint(-4, 5, parameter.shape, generator=generator))
        layers += [layer, nn.ReLU(), PolyphaseSampling(dims=dims)]
    return nn.Sequential(*layers).requires_grad_(False)


def all_shifts(sizes: tuple[int, ...]) -> list[tuple[int, ...]]:
    return list(product(*map(range, sizes)))


@pytest.mark.parametrize("sizes", [(8, 12), (16,)])
def test_circular_networks_follow_every_shift_up_to_a_roll_and_pooled_logits_not_at_all(sizes) -> None:
    dims = len(sizes)
    axes = tuple(range(2, dims + 2))
    network = whole_number_network("circular", dims)
    image = torch.randint(0, 50, (1, 2, *sizes), generator=torch.Generator().manual_seed(5)).double()
    features = network(image)
    rolls = [features.roll(shift, axes) for shift in all_shifts(tuple(features.shape[2:]))]
    for shift in all_shifts(sizes):
        moved = network(image.roll(shift, axes))
        assert any(moved.equal(roll) for roll in rolls), shift
        assert moved.sum(axes).equal(features.sum(axes)), shift
        assert moved.amax(axes).equal(features.amax(axes)), shift


def test_zeros_at_the_border_and_plain_strides_break_it() -> None:
    image = torch.randint(0, 50, (1, 2, 8, 12), generator=torch.Generator().manual_seed(5)).double()

    def changed(network: nn.Module) -> int:
        logits = [network(image.roll(shift, (2, 3))).sum((2, 3)) for shift in all_shifts((8, 12))]
        return sum(not one.equal(logits[0]) for one in logits)

    assert changed(whole_number_network("circular")) == 0
    assert changed(whole_number_network("zeros")) > 80
    strided = whole_number_network("circular")
    strided[2] = strided[5] = nn.MaxPool2d(1, stride=2)
    assert changed(strided) > 80


def test_in_float32_the_pooled_features_are_the_same_to_rounding() -> None:
    network = whole_number_network("circular")
    for layer in network:
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight)
    network = network.float()
    image = torch.randn(1, 2, 8, 12, generator=torch.Generator().manual_seed(0))
    pooled = network(image).mean((2, 3))
    for shift in all_shifts((8, 12)):
        assert torch.allclose(network(image.roll(shift, (2, 3))).mean((2, 3)), pooled, rtol=1e-4, atol=1e-4)
