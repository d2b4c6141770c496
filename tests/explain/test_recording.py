"""Layers of every make are found: functions by name, modules used twice, parametrized, wrapped, frozen."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from striate.explain import GradientFlow, gradient_flow
from striate.explain.activations import ACTIVATIONS
from striate.explain.recording import norm, weights_of


class Calls(nn.Module):
    """A linear layer, then any function."""

    def __init__(self, function) -> None:
        super().__init__()
        self.linear, self.function = nn.Linear(5, 5), function

    def forward(self, images: Tensor) -> Tensor:
        return self.function(self.linear(images))


def measured(network: nn.Module, images: Tensor | None = None) -> GradientFlow:
    images = torch.linspace(-2, 2, 30).view(6, 5) if images is None else images
    return gradient_flow(network, images, torch.arange(len(images)) % 2)


def names(flow: GradientFlow) -> list[tuple[str, str]]:
    return [(layer.name, layer.kind) for layer in flow.layers]


@pytest.mark.parametrize(
    ("name", "functions"),
    [
        (
            "relu",
            [F.relu, torch.relu, Tensor.relu, nn.ReLU(), lambda x: F.relu(x, inplace=True), torch.relu_],
        ),
        ("sigmoid", [F.sigmoid, torch.sigmoid, Tensor.sigmoid, Tensor.sigmoid_, nn.Sigmoid()]),
        ("tanh", [F.tanh, torch.tanh, Tensor.tanh, Tensor.tanh_, nn.Tanh()]),
        ("leaky_relu", [F.leaky_relu, nn.LeakyReLU(), nn.LeakyReLU(inplace=True), F.leaky_relu_]),
        ("gelu", [F.gelu, nn.GELU(), nn.GELU("tanh")]),
        ("silu", [F.silu, nn.SiLU(), nn.SiLU(inplace=True)]),
        ("elu", [F.elu, nn.ELU(), F.elu_]),
        ("softplus", [F.softplus, nn.Softplus()]),
        ("hardswish", [F.hardswish, nn.Hardswish()]),
        ("hardsigmoid", [F.hardsigmoid, nn.Hardsigmoid()]),
        ("softsign", [F.softsign, nn.Softsign()]),
        ("mish", [F.mish, nn.Mish()]),
        ("selu", [F.selu, torch.selu, nn.SELU()]),
        ("celu", [F.celu, nn.CELU()]),
        ("threshold", [lambda x: F.threshold(x, 0.1, 0.0), nn.Threshold(0.1, 0.0)]),
        ("hardtanh", [F.hardtanh, nn.Hardtanh()]),
        ("log_sigmoid", [F.logsigmoid, nn.LogSigmoid()]),
    ],
)
def test_an_activation_is_found_however_it_is_called(name, functions) -> None:
    assert name in ACTIVATIONS
    found = []
    for function in functions:
        torch.manual_seed(0)
        flow = measured(Calls(function))
        last = flow.layers[-1]
        assert last.kind == name
        assert last.name == ("function" if isinstance(function, nn.Module) else name)
        assert last.before == "linear"
        if not isinstance(function, nn.GELU):  # its approximation is another function
            found.append((last.output_gradient, last.dead, last.saturated, flow.layers[0].weight_gradient))
    assert found == [found[0]] * len(found)


def test_a_rectifier_with_a_learned_slope_is_one_layer_with_weights() -> None:
    flow = measured(nn.Sequential(nn.Linear(5, 5), nn.PReLU(5)))
    assert names(flow) == [("0", "Linear"), ("1", "PReLU")]
    assert flow.layers[1].weights == 5
    assert flow.layers[1].units == 5
    assert flow.layers[1].weight_gradient > 0


def test_modules_that_run_twice_are_told_apart_and_share_a_gradient() -> None:
    linear, relu = nn.Linear(5, 5), nn.ReLU()
    flow = measured(nn.Sequential(linear, relu, linear, relu))
    assert [layer.name for layer in flow.layers] == ["0", "1", "0 (2)", "1 (2)"]
    assert flow.layers[0].weight_gradient == flow.layers[2].weight_gradient
    assert flow.layers[2].before == "1"


def test_layers_whose_weights_are_computed_are_layers() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        parametrizations.spectral_norm(nn.Linear(5, 5)), parametrizations.weight_norm(nn.Linear(5, 5))
    )
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    flow = measured(network)
    assert [layer.name for layer in flow.layers] == ["0", "1"]
    assert [layer.weights for layer in flow.layers] == [25, 30]
    assert all(layer.weight_gradient > 0 for layer in flow.layers)
    # The power iteration of the spectral norm moves in training mode, and is put back.
    assert all(tensor.equal(network.state_dict()[name]) for name, tensor in state.items())


def test_a_frozen_layer_passes_gradients_on_and_has_none_of_its_own() -> None:
    network = nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 5))
    network[0].requires_grad_(False)
    first = measured(network).layers[0]
    assert first.weights == 25
    assert (first.weight_gradient, first.weight_gradient_rms, first.relative) == (None, None, None)
    assert first.output_gradient > 0


class Encoder(nn.Module):
    """A part under no_grad, as a fixed feature extractor runs."""

    def __init__(self) -> None:
        super().__init__()
        self.fixed, self.head = nn.Sequential(nn.Linear(5, 5), nn.ReLU()), nn.Linear(5, 5)

    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            features = self.fixed(images)
        return self.head(features)


def test_where_no_gradient_goes_there_is_none() -> None:
    flow = measured(Encoder())
    assert [layer.output_gradient is None for layer in flow.layers] == [True, True, False]
    assert flow.layers[1].dead is not None
    assert flow.layers[2].before is None
    assert flow.verdict == "healthy"


def test_recurrent_layers_and_sequences_are_layers() -> None:
    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(5, 4, batch_first=True), nn.Linear(4, 3)

        def forward(self, images: Tensor) -> Tensor:
            return self.head(self.lstm(images)[0][:, -1])

    flow = measured(Reads(), torch.rand(6, 7, 5))
    assert names(flow) == [("lstm", "LSTM"), ("head", "Linear")]
    assert flow.layers[0].output == (7, 4)
    assert flow.layers[0].weights == 16 * 5 + 16 * 4
    assert flow.layers[1].before == "lstm"


@pytest.mark.parametrize(
    ("layer", "shape", "axis"),
    [
        (nn.Linear(6, 6), (5, 3, 6), -1),
        (nn.Conv1d(6, 6, 1), (5, 6, 3), 1),
        (nn.Conv2d(6, 6, 1), (5, 6, 2, 4), 1),
        (nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6)), (5, 2, 4, 6), -1),
    ],
)
def test_units_are_channels_wherever_the_layer_before_has_them(layer, shape, axis) -> None:
    class Rectified(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.offset = layer, torch.zeros(6)
            self.offset[:2] = -1000.0

        def forward(self, images: Tensor) -> Tensor:
            features = self.layer(images)
            offset = self.offset.view([-1 if each == axis % len(shape) else 1 for each in range(len(shape))])
            return F.relu(features + offset).flatten(1)

    relu = measured(Rectified(), torch.randn(shape)).layers[-1]
    assert (relu.units, relu.dead) == (6, 2)


def test_a_network_that_is_one_layer_has_the_name_of_its_class() -> None:
    assert names(measured(nn.Linear(5, 5))) == [("Linear", "Linear")]


def test_a_compiled_network_is_measured_as_the_network_that_it_wraps() -> None:
    network = nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 5))
    assert measured(torch.compile(network)) == measured(network)


def test_checkpointed_parts_are_recorded_once() -> None:
    class Thrifty(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(5, 5), nn.ReLU())

        def forward(self, images: Tensor) -> Tensor:
            return checkpoint(self.body, images, use_reentrant=False)

    network = Thrifty()
    flow = measured(network)
    assert names(flow) == [("body.0", "Linear"), ("body.1", "relu")]
    plain = measured(network.body)
    assert [layer.output_gradient for layer in flow.layers] == [
        layer.output_gradient for layer in plain.layers
    ]


def test_hooks_of_others_go_on_working_and_stay() -> None:
    network, calls = nn.Sequential(nn.Linear(5, 5), nn.ReLU()), []
    handle = network[0].register_full_backward_hook(lambda *_: calls.append("backwards"))
    measured(network)
    assert calls == ["backwards"]
    assert len(network[0]._backward_hooks) == 1
    handle.remove()


def test_weights_are_parameters_other_than_biases() -> None:
    assert [tuple(weight.shape) for weight in weights_of(nn.Conv2d(2, 3, 5))] == [(3, 2, 5, 5)]
    assert weights_of(nn.Sequential(nn.Linear(2, 2))) == ()
    assert weights_of(nn.ReLU()) == ()


@given(
    values=st.lists(st.floats(-10, 10), min_size=1, max_size=20),
    power=st.integers(-30, 30),
    kind=st.sampled_from([torch.float32, torch.float64]),
)
def test_a_norm_neither_overflows_nor_underflows(values, power, kind) -> None:
    tensor = torch.tensor(values, dtype=kind) * 10.0**power
    expected = torch.linalg.vector_norm(tensor.double() * 10.0**-power).item() * 10.0**power
    assert norm(tensor) == pytest.approx(expected, rel=1e-5, abs=1e-40)


def test_a_norm_of_numbers_that_are_not_finite_is_not_finite() -> None:
    assert norm(torch.tensor([1.0, float("inf")])) == float("inf")
    assert norm(torch.tensor([1.0, float("nan")])) != norm(torch.tensor([1.0, float("nan")]))
    assert norm(torch.zeros(0)) == 0.0
    assert norm(torch.full((300,), 3.0, dtype=torch.bfloat16)) == pytest.approx(3 * 300**0.5, rel=1e-4)
