"""DeepLIFT is complete, however functions are called, or refuses by the name of what has no rule."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.explain.deep_lift import deep_lift
from striate.explain.saliency import gradient_times_input


class Network(nn.Module):
    """Two convolutions, something between them, and a head."""

    def __init__(self, between, *, dims: int = 2, kind: torch.dtype = torch.float32) -> None:
        super().__init__()
        torch.manual_seed(dims)
        convolution = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[dims]
        norm = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[dims]
        self.first, self.norm = convolution(1, 4, 3), norm(4)
        self.second, self.head = convolution(4, 4, 2), nn.Linear(4, 3)
        with torch.no_grad():
            self.norm.running_mean.uniform_(-0.5, 0.5)
            self.norm.running_var.uniform_(0.5, 2)
        self.between, self.axes = between, tuple(range(2, dims + 2))
        self.to(kind)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.between(self.norm(self.first(images)))
        return self.head(self.between(self.second(maps)).mean(dim=self.axes))


def images(dims: int = 2, count: int = 3) -> Tensor:
    return torch.randn(count, 1, *[9] * dims, generator=torch.Generator().manual_seed(dims))


def assert_complete(network: nn.Module, values: Tensor, baseline: Tensor | float = 0.0) -> None:
    network.eval()
    found = deep_lift(network, values, 1, baseline=baseline)
    nothing = torch.as_tensor(baseline).expand_as(values)
    change = (network(values) - network(nothing))[:, 1].detach()
    total = found.map.flatten(1).sum(dim=1)
    size = found.map.abs().flatten(1).sum(dim=1)
    rounding = 1e-5 * size + 1e-6 * network(values)[:, 1].abs()
    assert ((total - change).abs() <= rounding).all()
    assert torch.allclose(found.gap, total - change, atol=1e-5)
    assert size.min() > 0.001


def test_a_rectifier_shares_its_change_by_that_of_its_input() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 1), nn.ReLU())
    network[1].weight.data, network[1].bias.data = torch.tensor([[2.0, -1.0]]), torch.tensor([-1.0])
    # From -1 to 3 before the rectifier, from 0 to 3 behind it: 3/4 of each share.
    found = deep_lift(network, torch.tensor([[[3.0, 2.0]]]))
    assert found.map.tolist() == [[[4.5, -1.5]]]
    assert found.gap.tolist() == [0.0]
    assert found.per_channel
    assert found.method == "deep_lift"


@pytest.mark.parametrize(
    "function",
    [
        *(
            nn.ReLU(),
            nn.ReLU(inplace=True),
            F.relu,
            torch.relu,
            Tensor.relu,
            Tensor.relu_,
            torch.relu_,
            F.relu_,
        ),
        *(
            nn.LeakyReLU(0.2),
            F.leaky_relu,
            nn.ELU(),
            F.elu_,
            nn.SELU(),
            nn.CELU(),
            nn.GELU(),
            nn.GELU("tanh"),
        ),
        *(
            nn.SiLU(inplace=True),
            nn.Mish(),
            nn.Hardswish(),
            nn.Hardsigmoid(),
            nn.Hardtanh(-0.3, 0.4),
            nn.ReLU6(),
        ),
        *(
            nn.Sigmoid(),
            torch.sigmoid,
            Tensor.tanh,
            nn.Softplus(),
            nn.Softsign(),
            nn.LogSigmoid(),
            nn.Tanhshrink(),
        ),
        *(
            nn.PReLU(4),
            nn.Threshold(0.1, 0.0),
            nn.RReLU(),
            nn.Softshrink(),
            torch.square,
            torch.exp,
            torch.abs,
        ),
        *(torch.erf, torch.sin, lambda values: values**2, lambda values: values.clamp(min=0)),
        *(lambda values: torch.maximum(values, torch.zeros(())), lambda values: abs(values)),
        *(lambda values: 1 / (2 + torch.tanh(values)), lambda values: 2**values),
    ],
)
def test_it_is_complete_for_every_function_of_one_number(function) -> None:
    if isinstance(function, nn.PReLU):
        torch.manual_seed(0)
        function.weight.data = torch.rand(4)
    assert_complete(Network(function), images())
    assert_complete(Network(function), images(), 0.5)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_it_is_complete_in_every_number_of_dimensions(dims) -> None:
    pools = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
    assert_complete(Network(nn.Sequential(nn.ReLU(), pools[dims](2)), dims=dims), images(dims))
    assert_complete(Network(nn.Sequential(pools[dims](3, 1, 1), nn.ReLU()), dims=dims), images(dims))


@pytest.mark.parametrize(
    "pool",
    [
        *(
            nn.MaxPool2d(2),
            nn.MaxPool2d(3, 2, 1),
            nn.MaxPool2d(3, 1, dilation=2, padding=1),
            nn.MaxPool2d(2, ceil_mode=True),
        ),
        *(nn.AdaptiveMaxPool2d(3), lambda values: F.max_pool2d(values, 3, stride=1)),
        *(
            lambda values: F.max_pool2d(values, 3, 1, return_indices=True)[0],
            lambda values: torch.max_pool2d(values, 2),
        ),
        *(
            lambda values: values.amax(dim=3, keepdim=True) + values,
            lambda values: values.max(dim=2, keepdim=True)[0] - values,
        ),
        *(
            lambda values: torch.min(values, 2, keepdim=True).values + values,
            lambda values: values.amin(3, True) + values,
        ),
        lambda values: -F.max_pool2d(-values, 2),
    ],
)
def test_it_is_complete_for_maxima_also_of_overlapping_windows(pool) -> None:
    assert_complete(Network(pool), images())
    assert_complete(Network(lambda values: torch.relu(pool(values))), images(), 0.3)


def test_a_maximum_passes_its_change_to_the_value_that_reached_the_larger_one() -> None:
    network = nn.Sequential(nn.MaxPool1d(3), nn.Flatten())
    rising = deep_lift(
        network, torch.tensor([[[4.0, 1.0, 0.0]]]), 0, baseline=torch.tensor([[[1.0, 2.0, 0.0]]])
    )
    assert rising.map.tolist() == [[[2.0, 0.0, 0.0]]]
    falling = deep_lift(
        network, torch.tensor([[[1.0, 2.0, 0.0]]]), 0, baseline=torch.tensor([[[4.0, 1.0, 0.0]]])
    )
    assert falling.map.tolist() == [[[-2.0, 0.0, 0.0]]]


class Residual(nn.Module):
    """A path beside another, one rectifier used three times, a join by concatenation, a constant factor."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.body = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, padding=1)
        self.relu, self.head = nn.ReLU(inplace=True), nn.Linear(8, 3)

    def forward(self, values: Tensor) -> Tensor:
        maps = self.relu(self.stem(values))
        other = self.relu(self.body(maps) + maps)
        joined = torch.cat([other, F.pad(maps[..., 1:], (1, 0))], dim=1) * 0.5
        joined = F.interpolate(joined, scale_factor=2, mode="bilinear")
        return self.head(F.dropout(self.relu(F.avg_pool2d(joined, 2)), training=self.training).mean((2, 3)))


def test_modules_that_run_several_times_and_skips_are_complete() -> None:
    assert_complete(Residual(), images())
    assert_complete(Residual(), images(), -0.2)


def test_it_is_gradient_times_the_way_where_nothing_but_lines_is() -> None:
    network = Network(nn.Identity()).eval()
    found = deep_lift(network, images(), 2)
    assert torch.allclose(found.map, gradient_times_input(network, images(), 2).map, atol=1e-6)


def test_small_differences_keep_their_digits() -> None:
    network = Network(nn.GELU()).eval()
    baseline = images() + 1e-6 * torch.randn(images().shape, generator=torch.Generator().manual_seed(9))
    way = images() - baseline
    found = deep_lift(network, images(), 1, baseline=baseline)
    slopes = gradient_times_input(network, images(), 1).map / images()
    assert torch.allclose(found.map, slopes * way, rtol=1e-3, atol=1e-9)


class Named(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, values: Tensor) -> Tensor:
        return self.function(values)


@pytest.mark.parametrize(
    ("between", "message"),
    [
        (nn.Softmax(dim=1), "no rule for Softmax, which is not linear; explain the scores before it"),
        (nn.LogSoftmax(dim=1), "no rule for LogSoftmax"),
        (nn.GroupNorm(2, 4), "no rule for NativeGroupNorm.*integrated_gradients does without"),
        (lambda values: F.layer_norm(values, values.shape[1:]), "no rule for NativeLayerNorm"),
        (nn.InstanceNorm2d(4), "no rule for NativeBatchNorm by the figures of the images themselves"),
        (
            lambda values: values * values.sigmoid(),
            "no rule for Mul of two values that both depend on the image",
        ),
        (
            lambda values: values / (1 + values.square()),
            "no rule for Div by a value that depends on the image",
        ),
        (lambda values: torch.matmul(values, values.transpose(2, 3)), "no rule for Bmm of two values"),
        (lambda values: torch.maximum(values, values.flip(3)), "no rule for Maximum"),
        (lambda values: torch.max(values, values.flip(3)), "no rule for Maximum"),
        (lambda values: values.clamp(min=values.flip(3)), "no rule for Clamp"),
        (lambda values: F.normalize(values, dim=1), "no rule for"),
        (lambda values: values.cumprod(dim=2), "no rule for Cumprod"),
        (lambda values: F.glu(torch.cat([values, values], dim=1), dim=1), "no rule for Glu"),
        (lambda values: values.round() + values, "no rule for Round"),
        (lambda values: values * (values > 0), "the map of deep_lift sums to .* where the score changes by"),
        (
            lambda values: torch.where(values > 0, values, 0.1 * values),
            "something in the network is not linear",
        ),
        (lambda values: values + values.detach() ** 2, "something in the network is not linear"),
    ],
)
def test_what_has_no_rule_is_refused_by_its_name(between, message) -> None:
    network = Network(_once(between)).eval()
    with pytest.raises(LayerError, match=message):
        deep_lift(network, images(), 1)


def _once(function):
    """Apply a function the first time it is called in a pass only."""
    calls = [0]

    def call(values: Tensor) -> Tensor:
        calls[0] += 1
        return function(values) if calls[0] % 2 else values

    return call


def test_a_rectifier_that_cannot_be_seen_is_refused() -> None:
    scripted = torch.jit.trace(nn.ReLU(), torch.zeros(3, 4, 7, 7))
    for _ in range(3):  # what is scripted is compiled after some passes
        with pytest.raises(LayerError, match=r"no rule for (Relu|DifferentiableGraph)"):
            deep_lift(Network(scripted).eval(), images())


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda values: values.relu() if values.mean() > 0.1 else values.tanh(),
            "comes to (relu|tanh) of 1x1x9x9",
        ),
        (lambda values: values.relu() if values.mean() > 0.1 else values, "nothing more"),
        (lambda values: values.relu() if values.mean() < 0.1 else values, "nothing more"),
    ],
)
def test_a_network_that_goes_another_way_for_the_baseline_is_refused(function, message) -> None:
    network = nn.Sequential(Named(function), nn.Flatten(), nn.Linear(81, 2))
    with pytest.raises(LayerError, match=f"the network goes another way for it.*{message}"):
        deep_lift(network, torch.ones(1, 1, 9, 9))


def test_a_baseline_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match="a baseline of 2x9x9 does not fit images of 3x1x9x9"):
        deep_lift(Network(F.relu), images(), baseline=torch.zeros(2, 9, 9))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float64])
def test_other_precisions_are_explained_too(kind) -> None:
    plain = deep_lift(Network(F.relu).eval(), images(), 1)
    found = deep_lift(Network(F.relu, kind=kind).eval(), images(), 1)
    assert found.map.dtype == found.gap.dtype == torch.float32
    scale = plain.map.abs().max()
    assert (found.map - plain.map).abs().max() < (0.2 if kind == torch.bfloat16 else 1e-5) * scale
