"""Gradients by layer equal those computed by hand, by autograd, and by the textbook's formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.explain import GradientFlow, LayerFlow, gradient_flow
from striate.reference import TwoLayerNetwork, chain_of_units

WEIGHTS = st.floats(-3, 3).filter(lambda value: abs(value) > 0.05)


def total(outputs: Tensor, labels: Tensor) -> Tensor:
    """A loss whose gradient at the outputs is 1."""
    del labels
    return outputs.sum()


def by_name(flow: GradientFlow) -> dict[str, LayerFlow]:
    return {layer.name: layer for layer in flow.layers}


def labels_for(images: Tensor, classes: int = 1) -> Tensor:
    return torch.arange(len(images)) % classes


def chain(weights: list[float], biases: list[float]) -> nn.Sequential:
    """One unit a layer: a = sigmoid(w a + b), again and again."""
    layers: list[nn.Module] = []
    for weight, bias in zip(weights, biases, strict=True):
        linear = nn.Linear(1, 1).double()
        with torch.no_grad():
            linear.weight.fill_(weight)
            linear.bias.fill_(bias)
        layers += [linear, nn.Sigmoid()]
    return nn.Sequential(*layers)


@given(weights=st.lists(WEIGHTS, min_size=1, max_size=6), start=st.floats(-2, 2))
@settings(max_examples=50)
def test_a_chain_of_sigmoids_is_the_product_of_w_and_the_slope(weights, start) -> None:
    network = chain(weights, [0.1] * len(weights))
    flow = gradient_flow(network, torch.tensor([[start]], dtype=torch.float64), torch.tensor([0]), loss=total)
    activations = [start]
    for weight in weights:
        activations.append(1 / (1 + math.exp(-(weight * activations[-1] + 0.1))))
    arriving = 1.0
    layers = by_name(flow)
    for place in reversed(range(len(weights))):
        slope = activations[place + 1] * (1 - activations[place + 1])
        linear, sigmoid = layers[str(2 * place)], layers[str(2 * place + 1)]
        assert sigmoid.output_gradient == pytest.approx(arriving)
        assert sigmoid.factor == pytest.approx(slope)
        assert linear.output_gradient == pytest.approx(arriving * slope)
        assert linear.weight_gradient == pytest.approx(abs(arriving * slope * activations[place]))
        assert linear.relative == pytest.approx(linear.weight_gradient / abs(weights[place]))
        arriving *= slope * abs(weights[place])
        if place:
            assert linear.factor == pytest.approx(abs(weights[place]))
            assert (linear.before, sigmoid.before) == (str(2 * place - 1), str(2 * place))
    assert layers["0"].factor is None


@pytest.mark.parametrize("depth", [2, 10, 30])
def test_with_every_sigmoid_at_its_steepest_a_quarter_is_left_by_each(depth) -> None:
    # With a bias of -1/2 every unit gets z = 0 from the 1/2 before it.
    network = chain([1.0] * depth, [0.0] + [-0.5] * (depth - 1))
    flow = gradient_flow(network, torch.zeros(1, 1).double(), torch.tensor([0]), loss=total)
    assert flow.reach == pytest.approx(0.25 ** (depth - 1))
    assert flow.verdict == ("vanishing" if depth > 6 else "healthy")


class Unit(nn.Module):
    """One unit, a = sigmoid(w a + b), with a skip connection around it or without."""

    def __init__(self, weight: float, *, skips: bool) -> None:
        super().__init__()
        self.linear, self.skips = nn.Linear(1, 1).double(), skips
        nn.init.constant_(self.linear.weight, weight)
        nn.init.constant_(self.linear.bias, 0.1)

    def forward(self, values: Tensor) -> Tensor:
        output = torch.sigmoid(self.linear(values))
        return values + output if self.skips else output


@given(weights=st.lists(WEIGHTS, min_size=1, max_size=6), start=st.floats(-1, 1), skips=st.booleans())
@settings(max_examples=60)
def test_chains_with_skips_and_without_agree_with_the_reference(weights, start, skips) -> None:
    network = nn.Sequential(*(Unit(weight, skips=skips) for weight in weights))
    flow = gradient_flow(network, torch.tensor([[start]], dtype=torch.float64), torch.tensor([0]), loss=total)
    expected = chain_of_units(start, weights, [0.1] * len(weights), skips=skips)
    layers = by_name(flow)
    arriving = 1.0
    for place in reversed(range(len(weights))):
        linear, sigmoid = layers[f"{place}.linear"], layers[f"{place}.sigmoid"]
        assert sigmoid.output_gradient == pytest.approx(abs(arriving), rel=1e-6, abs=1e-12)
        gradient = abs(expected.weight_gradients[place])
        assert linear.weight_gradient == pytest.approx(gradient, rel=1e-6, abs=1e-12)
        if place and abs(arriving) > 1e-6:
            assert linear.before == f"{place - 1}.sigmoid"
            factor = abs(expected.factors[place])
            assert linear.factor * sigmoid.factor == pytest.approx(factor, rel=1e-6, abs=1e-9)
        arriving *= expected.factors[place]


def test_where_the_plain_chain_vanishes_the_one_with_skips_does_not() -> None:
    images, labels = torch.zeros(1, 1).double(), torch.tensor([0])
    plain = gradient_flow(
        nn.Sequential(*(Unit(0.4, skips=False) for _ in range(12))), images, labels, loss=total
    )
    skipping = gradient_flow(
        nn.Sequential(*(Unit(0.4, skips=True) for _ in range(12))), images, labels, loss=total
    )
    assert (plain.verdict, skipping.verdict) == ("vanishing", "healthy")


class Small(nn.Module):
    """Convolution, norm, rectifier, pooling, skip and head; the outputs are kept for autograd."""

    def __init__(self, *, inplace: bool = False) -> None:
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(2, 5, 3, padding=1, bias=False), nn.BatchNorm2d(5)
        self.relu = nn.ReLU(inplace=inplace)
        self.conv2 = nn.Conv2d(5, 5, 3, padding=1)
        self.head = nn.Linear(5, 3)
        self.kept: dict[str, Tensor] = {}

    def forward(self, images: Tensor) -> Tensor:
        self.kept = {"conv1": self.conv1(images)}
        self.kept["norm"] = self.norm(self.kept["conv1"])
        self.kept["relu"] = self.relu(self.kept["norm"])
        self.kept["conv2"] = self.conv2(F.max_pool2d(self.kept["relu"], 2))
        self.kept["leaky_relu"] = F.leaky_relu(self.kept["conv2"], inplace=self.relu.inplace)
        pooled = (self.kept["leaky_relu"] + F.max_pool2d(self.kept["relu"], 2)).mean(dim=(2, 3))
        self.kept["head"] = self.head(pooled)
        return self.kept["head"]


def small(seed: int, *, inplace: bool = False) -> tuple[Small, Tensor, Tensor]:
    torch.manual_seed(seed)
    network = Small(inplace=inplace)
    return network, torch.randn(6, 2, 8, 8), torch.arange(6) % 3


@pytest.mark.parametrize("seed", range(3))
def test_every_norm_is_the_one_of_autograd(seed) -> None:
    network, images, labels = small(seed)
    flow = gradient_flow(network, images, labels)
    loss = F.cross_entropy(network(images), labels)
    for output in network.kept.values():
        output.retain_grad()
    loss.backward()
    assert flow.loss == pytest.approx(loss.item())
    assert [layer.name for layer in flow.layers] == list(network.kept)
    for layer in flow.layers:
        output = network.kept[layer.name]
        assert layer.output == tuple(output.shape[1:])
        assert layer.output_gradient == pytest.approx(output.grad.norm().item(), rel=1e-4)
        assert layer.output_gradient_rms == pytest.approx(output.grad.square().mean().sqrt().item(), rel=1e-4)
    for name in ("conv1", "norm", "conv2", "head"):
        layer, weight = by_name(flow)[name], getattr(network, name).weight
        assert layer.weights == weight.numel()
        assert layer.weight_gradient == pytest.approx(weight.grad.norm().item(), rel=1e-4)
        assert layer.weight_gradient_rms == pytest.approx(weight.grad.square().mean().sqrt().item(), rel=1e-4)
        assert layer.relative == pytest.approx((weight.grad.norm() / weight.norm()).item(), rel=1e-4)


def test_each_layer_knows_which_one_comes_before_it() -> None:
    flow = gradient_flow(*small(0))
    assert {layer.name: layer.before for layer in flow.layers} == {
        "conv1": None,
        "norm": "conv1",
        "relu": "norm",
        "conv2": "relu",
        "leaky_relu": "conv2",
        "head": "leaky_relu",
    }


def test_writing_in_place_changes_no_figure() -> None:
    def figures(inplace: bool) -> list[float]:
        flow = gradient_flow(*small(1, inplace=inplace))
        return [
            -1.0 if figure is None else figure
            for layer in flow.layers
            for figure in (layer.output_gradient, layer.weight_gradient, layer.factor, layer.dead)
        ]

    assert figures(True) == pytest.approx(figures(False), rel=1e-5)


def test_along_a_chain_the_factors_multiply_to_the_reach() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(*(layer for _ in range(6) for layer in (nn.Linear(7, 7), nn.Tanh())))
    images = torch.randn(9, 7)
    flow = gradient_flow(network, images, labels_for(images, 7))
    inner = [layer.factor for layer in flow.layers[1:-1]]
    assert math.prod(inner) == pytest.approx(flow.reach, rel=1e-4)


@given(scale=st.floats(0.01, 100))
@settings(max_examples=20)
def test_the_size_of_the_loss_changes_neither_factors_nor_verdict(scale) -> None:
    network, images, labels = small(2)
    one = gradient_flow(network, images, labels)
    other = gradient_flow(network, images, labels, loss=lambda o, t: scale * F.cross_entropy(o, t))
    assert other.verdict == one.verdict
    assert other.reach == pytest.approx(one.reach, rel=1e-3)
    for left, right in zip(one.layers, other.layers, strict=True):
        assert right.output_gradient == pytest.approx(scale * left.output_gradient, rel=1e-3)
        assert right.factor is None or right.factor == pytest.approx(left.factor, rel=1e-3)


def test_two_layers_agree_with_the_formulas_of_the_textbook() -> None:
    torch.manual_seed(4)
    images, labels = torch.randn(11, 4).double(), torch.arange(11) % 2
    network = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1), nn.Sigmoid()).double()
    flow = gradient_flow(
        network, images, labels, loss=lambda a, y: F.binary_cross_entropy(a[:, 0], y.to(a.dtype))
    )
    reference = TwoLayerNetwork(
        weights1=network[0].weight.detach().numpy(),
        bias1=network[0].bias.detach().numpy(),
        weights2=network[2].weight.detach().numpy(),
        bias2=network[2].bias.detach().numpy(),
    )
    gradients = reference.gradients(images.numpy(), labels[:, None].numpy())
    layers = by_name(flow)
    assert layers["0"].weight_gradient == pytest.approx(np.linalg.norm(gradients.weights1))
    assert layers["2"].weight_gradient == pytest.approx(np.linalg.norm(gradients.weights2))
    assert flow.loss == pytest.approx(reference.loss(images.numpy(), labels[:, None].numpy()))


def mlp(activation: nn.Module, depth: int, *, scale: float = 1.0, width: int = 32) -> nn.Sequential:
    torch.manual_seed(depth)
    layers: list[nn.Module] = []
    for _ in range(depth):
        linear = nn.Linear(width, width)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        linear.weight.data.mul_(scale)
        layers += [linear, activation]
    return nn.Sequential(*layers, nn.Linear(width, 10))


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, width)
        )
        self.norm = nn.BatchNorm1d(width)

    def forward(self, values: Tensor) -> Tensor:
        return torch.relu(values + self.norm(self.body(values)))


@pytest.mark.parametrize(
    ("network", "verdict", "advice"),
    [
        (mlp(nn.Sigmoid(), 20), "vanishing", "replace sigmoid"),
        (mlp(nn.ReLU(), 20, scale=0.5), "vanishing", "draw larger first weights"),
        (mlp(nn.ReLU(), 20, scale=3.0), "exploding", "draw smaller first weights"),
        (mlp(nn.ReLU(), 20), "healthy", "nothing"),
        (nn.Sequential(*(Block(32) for _ in range(20)), nn.Linear(32, 10)), "healthy", "nothing"),
    ],
    ids=["sigmoids", "small weights", "large weights", "He's weights", "residual with norms"],
)
def test_verdicts_on_networks_made_for_them(network, verdict, advice) -> None:
    torch.manual_seed(0)
    images = torch.randn(32, 32)
    flow = gradient_flow(network, images, labels_for(images, 10))
    assert flow.verdict == verdict
    assert flow.finding.startswith(f"{verdict}: ")
    assert flow.advice.startswith(advice)


def test_dead_units_are_those_that_no_image_makes_active() -> None:
    network = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 4, 2))
    images = torch.rand(5, 1, 4, 4)
    with torch.no_grad():
        network[0].weight.fill_(1.0)
        network[0].bias.copy_(torch.tensor([-100.0, 0, -100, 0, -100, 0]))
        # The second lives by a single place of a single image.
        network[0].bias[1] = -(F.conv2d(images, torch.ones(1, 1, 3, 3)).max().item() - 1e-3)
    flow = gradient_flow(network, images, labels_for(images, 2))
    relu = by_name(flow)["1"]
    assert (relu.units, relu.dead, relu.saturated) == (6, 3, None)
    assert (relu.kind, relu.weights) == ("relu", 0)


@pytest.mark.parametrize(
    ("activation", "bound"), [(nn.Sigmoid(), math.log(0.975 / 0.025)), (nn.Tanh(), math.atanh(0.95))]
)
def test_saturated_is_what_lies_beyond_95_percent_of_the_way_to_either_bound(activation, bound) -> None:
    network = nn.Sequential(nn.Linear(1, 1), activation)
    nn.init.ones_(network[0].weight)
    nn.init.zeros_(network[0].bias)
    inside, outside = 0.999 * bound, 1.001 * bound
    images = torch.tensor([[-outside], [-inside], [0.0], [inside], [outside]])
    layer = by_name(gradient_flow(network, images, labels_for(images), loss=total))["1"]
    assert layer.saturated == pytest.approx(2 / 5)
    assert layer.dead == 0


def test_a_table_row_and_json_for_each_layer() -> None:
    flow = gradient_flow(*small(0))
    rows = flow.rows()
    assert [row[0] for row in rows] == [layer.name for layer in flow.layers]
    assert {len(row) for row in rows} == {len(GradientFlow.COLUMNS)}
    figures = flow.to_dict()
    assert figures["layers"][0]["output"] == [5, 8, 8]
    assert figures["verdict"] == flow.verdict
    assert figures["images"] == 6


class Broken(nn.Module):
    """Gives another number than it should, forwards or only backwards."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.linear, self.head = how, nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, images: Tensor) -> Tensor:
        values = self.linear(images)
        if self.how == "forwards":
            values = self.head(torch.log(-values.abs()))
        elif self.how == "backwards":
            # The root of 0 is 0, and its slope there is infinite.
            values = self.head(values + (0 * values.abs()).sqrt())
        else:
            values = 1e30 * self.head(1e30 * values)
        return values


@pytest.mark.parametrize(
    ("how", "where"), [("forwards", "head"), ("backwards", "linear"), ("in the loss", "loss")]
)
def test_numbers_that_are_not_finite_are_said_with_their_place(how, where) -> None:
    images = torch.rand(6, 4) + 0.1
    flow = gradient_flow(Broken(how), images, labels_for(images, 2))
    assert flow.verdict == "not finite"
    assert where in flow.finding
    assert flow.to_dict()["layers"]  # and JSON holds it


def test_a_loss_that_is_fitted_completely_has_no_gradient() -> None:
    network = nn.Sequential(nn.Linear(2, 2))
    images = torch.rand(3, 2)
    flow = gradient_flow(network, images, labels_for(images, 2), loss=lambda o, _: (0 * o).sum())
    assert flow.verdict == "vanishing"
    assert "even at 0" in flow.finding
    assert math.isnan(flow.reach)
    assert flow.to_dict()["reach"] is None


@pytest.mark.parametrize(
    ("images", "labels", "error", "message"),
    [
        (torch.rand(4, 6), torch.zeros(3).long(), ShapeError, r"shape \(3,\); to 4 images fits \(4,\)"),
        (torch.rand(4, 6), torch.zeros(4, 1).long(), ShapeError, r"shape \(4, 1\)"),
        (torch.rand(0, 6), torch.zeros(0).long(), ShapeError, "give at least one"),
        (torch.tensor(1.0), torch.zeros(1).long(), ShapeError, "give at least one"),
        (torch.rand(4, 6), torch.zeros(4), LayerError, "labels are float32, where int64"),
        (torch.rand(4, 6), torch.zeros(4).int(), LayerError, "labels are int32, where int64"),
        (torch.zeros(4, 6).byte(), torch.zeros(4).long(), LayerError, "images are uint8"),
        ([[1.0]], torch.zeros(1).long(), LayerError, "images are of the type list"),
        (torch.rand(4, 6), [0, 0, 0, 0], LayerError, "labels are of the type list"),
        (torch.rand(4, 6), torch.tensor([0, 1, 2, 3]), ShapeError, "labels run from 0 to 3, .* 0 to 2"),
        (torch.rand(4, 6), torch.tensor([0, -1, 2, 1]), ShapeError, "labels run from -1 to 2"),
        (torch.rand(4, 5), torch.zeros(4).long(), LayerError, "cannot take images of 4x5: mat1 and mat2"),
        (torch.full((4, 6), math.nan), torch.zeros(4).long(), LayerError, "24 of 24 values"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(images, labels, error, message) -> None:
    with pytest.raises(error, match=message) as caught:
        gradient_flow(nn.Sequential(nn.Linear(6, 3)), images, labels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (nn.Sequential(nn.ReLU()), LayerError, "has no weights"),
        (nn.Sequential(nn.LazyLinear(3)), LayerError, "lazy"),
        (nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3)), LayerError, "more than 1 value per channel"),
        (nn.Sequential(nn.Linear(6, 12), nn.Unflatten(1, (3, 4))), ShapeError, "float32 of 1x3x4"),
        (nn.LSTM(6, 3), ShapeError, "gives a tuple"),
    ],
)
def test_networks_that_do_not_fit_are_refused(network, error, message) -> None:
    with pytest.raises(error, match=message):
        gradient_flow(network, torch.rand(1, 6), torch.zeros(1).long())


class Detaching(nn.Module):
    def __init__(self, *, altogether: bool) -> None:
        super().__init__()
        self.linear, self.altogether = nn.Linear(6, 3), altogether

    def forward(self, images: Tensor) -> Tensor:
        inner = self.linear(images).detach()
        return inner if self.altogether else inner + images[:, :3]


@pytest.mark.parametrize("altogether", [False, True])
def test_a_network_that_cuts_its_gradients_off_is_refused(altogether) -> None:
    with pytest.raises(LayerError, match=r"detaches|derivative"):
        gradient_flow(Detaching(altogether=altogether), torch.rand(4, 6), torch.zeros(4).long())


def test_a_loss_of_several_numbers_is_refused() -> None:
    with pytest.raises(ShapeError, match="the loss gives 4x3, where one number"):
        gradient_flow(
            nn.Linear(6, 3), torch.rand(4, 6), torch.zeros(4).long(), loss=lambda outputs, _: outputs
        )
