"""The effective field is the gradient of the middle unit, within the theoretical field and smaller."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from striate.core.errors import LayerError, ShapeError, TraceError
from striate.geometry import effective_receptive_field


def chain(depth: int) -> nn.Sequential:
    """Convolutions of equal weights, whose gradient is known: a binomial-like bump."""
    network = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1, bias=False) for _ in range(depth)))
    with torch.no_grad():
        for layer in network:
            layer.weight.fill_(1 / 9)
    return network


def test_the_map_of_a_chain_of_averages_is_the_average_convolved_with_itself() -> None:
    found = effective_receptive_field(chain(2), torch.zeros(3, 1, 9, 9))
    line = torch.tensor([1.0, 2.0, 3.0, 2.0, 1.0]) / 3
    wanted = torch.zeros(9, 9)
    wanted[2:7, 2:7] = line[:, None] * line[None]
    assert torch.allclose(found.map, wanted, atol=1e-6)
    assert (found.layer, found.unit, found.images) == ("1", (4, 4), 3)
    assert [field.size for field in found.field if field is not None] == [5, 5]
    # Each average over 3 has a variance of 2/3 along each of 2 axes.
    assert found.radius == pytest.approx(math.sqrt(2 * 2 * 2 / 3), rel=1e-5)
    assert found.size == pytest.approx(5)


def test_the_effective_field_grows_with_the_root_of_the_depth_only() -> None:
    shallow, deep = (effective_receptive_field(chain(depth), (1, 65, 65)) for depth in (4, 16))
    assert deep.radius / shallow.radius == pytest.approx(2, rel=1e-3)
    assert deep.field[0].size / shallow.field[0].size == pytest.approx(33 / 9)
    assert deep.size < 0.6 * deep.field[0].size


def test_the_gradient_is_torchs_and_nothing_of_the_network_changes() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv1d(2, 4, 5, stride=2), nn.BatchNorm1d(4), nn.ReLU(inplace=True), nn.Conv1d(4, 3, 3)
    )
    network.train()
    images = torch.randn(5, 2, 40)
    found = effective_receptive_field(network, images, layer="0")
    network.eval()
    leaf = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network[0](leaf)[:, :, 9].sum(), leaf)
    wanted = gradient.abs().sum(dim=1).mean(dim=0)
    network.train()
    assert torch.allclose(found.map, wanted / wanted.max())
    assert found.unit == (9,)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert network[1].num_batches_tracked.item() == 0
    assert all(not module._forward_hooks for module in network.modules())
    random = effective_receptive_field(network, (2, 40), count=2, seed=1)
    assert random.images == 2
    assert random.layer == "3"
    assert network.training


def test_random_images_leave_the_global_generator_alone() -> None:
    network = chain(1)
    state = torch.get_rng_state()
    one, two = (effective_receptive_field(network, (1, 7, 7), seed=3) for _ in range(2))
    assert torch.get_rng_state().equal(state)
    assert one.map.equal(two.map)
    assert one.to_dict()["unit"] == [3, 3]
    assert len(one.to_dict()["map"]) == 7


class Idle(nn.Module):
    """Has a part that it never calls."""

    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Conv2d(1, 1, 3)
        self.head = nn.Linear(1, 1)
        self.idle = nn.Conv2d(1, 1, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.used(images).mean(dim=(2, 3)))


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"layer": "missing"}, LayerError, "no module 'missing'"),
        ({"layer": "idle"}, TraceError, "never calls its module 'idle'"),
        ({"layer": "head"}, LayerError, "which is no feature map"),
    ],
)
def test_layers_that_cannot_be_measured_are_refused(options, error, sentence) -> None:
    network = Idle()
    with pytest.raises(error, match=sentence):
        effective_receptive_field(network, (1, 8, 8), **options)
    assert all(not module._forward_hooks for module in network.modules())


def test_images_that_cannot_be_are_refused() -> None:
    with pytest.raises(ShapeError, match="give N x C x spatial"):
        effective_receptive_field(nn.Linear(4, 2), torch.zeros(3, 4))
    with pytest.raises(TraceError, match="no module that gives a feature map"):
        effective_receptive_field(nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), (1, 4, 4))
