"""Maps of a layer: by hand behind a global average, where all gradients are known."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.core.errors import LayerError
from striate.explain.class_activation import grad_cam, grad_cam_plus_plus, layer_cam

CAMS = [grad_cam, grad_cam_plus_plus, layer_cam]
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
AVERAGES = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}


def averaged(dims: int = 2, *, inplace: bool = False) -> nn.Module:
    torch.manual_seed(dims)
    return nn.Sequential(
        CONVOLUTIONS[dims](2, 5, 3, stride=2),
        nn.ReLU(inplace=inplace),
        AVERAGES[dims](1),
        nn.Flatten(),
        nn.Linear(5, 3),
    )


def images(dims: int = 2, size: int = 9) -> Tensor:
    return torch.rand(4, 2, *[size] * dims, generator=torch.Generator().manual_seed(dims))


def by_hand(explain, features: Tensor, weights: Tensor) -> Tensor:
    """Compute the map where a channel has the same gradient at all places: its weight over their number."""
    places = features[0, 0].numel()
    column = weights.view(len(features), -1, *[1] * (features.ndim - 2))
    if explain is grad_cam:
        return (column / places * features).sum(dim=1).clamp(min=0)
    positive = column.clamp(min=0) / places
    if explain is layer_cam:
        return (positive * features).sum(dim=1).clamp(min=0)
    sums = features.flatten(2).sum(dim=2).view_as(column)
    alphas = (column / places) ** 2 / (2 * (column / places) ** 2 + sums * (column / places) ** 3)
    return (places * alphas * positive * features).sum(dim=1).clamp(min=0)


@pytest.mark.parametrize("explain", CAMS)
@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("inplace", [False, True])
def test_a_map_before_a_global_average_is_that_by_hand(explain, dims, inplace) -> None:
    network = averaged(dims, inplace=inplace)
    found = explain(network, images(dims), torch.tensor([0, 1, 2, 1]))
    features = network[:2](images(dims)).detach()
    raw = by_hand(explain, features, network[4].weight.detach()[[0, 1, 2, 1]])
    assert found.layer == "1"
    assert torch.allclose(found.raw, raw, atol=1e-6)
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[dims]
    assert torch.allclose(found.map, F.interpolate(raw[:, None], size=[9] * dims, mode=mode)[:, 0], atol=1e-6)
    assert not found.per_channel
    assert found.gap is None
    assert found.heat() is found.map
    assert found.method == explain.__name__


@pytest.mark.parametrize("explain", CAMS)
def test_a_layer_can_be_named_also_one_that_is_written_over(explain) -> None:
    plain = explain(averaged(), images(), layer="0")
    assert plain.layer == "0"
    assert torch.allclose(plain.map, explain(averaged(inplace=True), images(), layer="0").map, atol=1e-7)


class Reused(nn.Module):
    """Calls one rectifier twice."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 3)
        self.relu, self.head = nn.ReLU(), nn.Linear(4, 3)

    def forward(self, values: Tensor) -> Tensor:
        values = self.relu(self.second(self.relu(self.first(values))))
        return self.head(values.mean(dim=(2, 3)))


def test_of_a_module_that_runs_twice_each_call_can_be_named() -> None:
    network = Reused()
    separate = nn.Sequential(
        network.first, nn.ReLU(), network.second, nn.ReLU(), AVERAGES[2](1), nn.Flatten(), network.head
    )
    for name, place in (("relu", "1"), ("relu (2)", "3")):
        found = grad_cam(network, images(), layer=name)
        assert found.layer == name
        assert torch.allclose(found.map, grad_cam(separate, images(), layer=place).map, atol=1e-6)
    last = grad_cam(network, images())
    assert last.layer == "relu (2)"
    assert last.map.equal(grad_cam(network, images(), layer="relu (2)").map)


class Pair(nn.Module):
    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        return values, 2 * values


class Named(nn.Module):
    def forward(self, values: Tensor) -> dict[str, Tensor]:
        return {"out": values}


class Around(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.maps, self.named, self.pair, self.unused = nn.Conv2d(2, 3, 3), Named(), Pair(), nn.ReLU()

    def forward(self, values: Tensor) -> Tensor:
        one, other = self.pair(self.named(self.maps(values))["out"])
        return (one + other).mean(dim=(2, 3))


@pytest.mark.parametrize("explain", [grad_cam, layer_cam])
def test_of_several_outputs_the_first_is_mapped(explain) -> None:
    network = Around()
    found = explain(network, images(), 1)
    assert found.layer == "pair"
    weights = torch.tensor([[0.0, 1.0, 0.0]]).expand(4, 3)
    assert torch.allclose(found.raw, by_hand(explain, network.maps(images()).detach(), weights), atol=1e-6)


@pytest.mark.parametrize("explain", CAMS)
@pytest.mark.parametrize(
    ("network", "layer", "message"),
    [
        (averaged(), "layer4", "there is no layer 'layer4'"),
        (averaged(), "4", "layer '4' gives 4x3, which has no places to map; the last layer that has is '1'"),
        (averaged(), "2", "layer '2' gives 4x5x1x1, which has no places"),
        (Around(), "unused", "the network does not call its layer 'unused'"),
        (Around(), "named", "layer 'named' gives a dict, where a map is wanted"),
        (Around(), "maps (2)", r"the network does not call its layer 'maps \(2\)'"),
        (nn.Sequential(nn.Flatten(), nn.Linear(162, 3)), None, "no layer of the network .* gives maps"),
    ],
)
def test_a_layer_without_a_map_is_refused(explain, network, layer, message) -> None:
    with pytest.raises(LayerError, match=message):
        explain(network, images(), layer=layer)


@pytest.mark.parametrize("explain", CAMS)
def test_a_map_that_is_0_is_said(explain) -> None:
    network = averaged()
    with torch.no_grad():
        network[4].weight[0] = -1.0
    found = explain(network, images(), 0)
    assert found.map.abs().max() == 0
    assert found.note == (
        "4x4 places, enlarged to 9x9; nothing finer can be seen; for 4 of 4 images nothing there speaks for "
        "the class, and the map is 0"
    )


@pytest.mark.parametrize("explain", CAMS)
def test_a_cam_of_features_under_0_is_finite(explain) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 8, 3), nn.Tanh(), AVERAGES[2](1), nn.Flatten(), nn.Linear(8, 3))
    found = explain(network, images() - 0.5)
    assert torch.isfinite(found.map).all()
    assert (found.map >= 0).all()


def test_hooks_are_gone_after_a_crash() -> None:
    network = averaged()

    def fail(*_: object) -> None:
        raise KeyError("mine")

    handle = network[4].register_forward_pre_hook(fail)
    with pytest.raises(KeyError):
        grad_cam(network, images(), layer="1")
    handle.remove()
    assert not network[1]._forward_hooks


def test_more_than_three_axes_are_refused() -> None:
    with pytest.raises(LayerError, match="grad_cam with dims=4 cannot be"):
        grad_cam(averaged(), torch.rand(1, 2, 3, 3, 3, 3))
