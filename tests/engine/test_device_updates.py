"""Steps on the device are those of the optimisers, and either goes on from the other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from striate.core.errors import TrainingError
from striate.core.recipe import Recipe
from striate.engine.device_updates import DeviceUpdates
from striate.engine.optimizers import make_optimizers, set_rates
from striate.engine.penalties import penalise

FACTORS = [0.3, 1.0, 0.7, 0.1]


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    convolutions = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 6, 3), nn.Conv2d(6, 6, 3, bias=False)
    return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(6, 3)).to(memory_format=torch.channels_last)


def _optimizers(network: nn.Module, name: str, **penalties: float) -> list[torch.optim.Optimizer]:
    rates = {"learning_rate": 0.05, "other_rate": 0.02, "weight_decay": 0.1}
    return make_optimizers(network, Recipe(optimizer=name, precision="float32", **rates, **penalties))


def _gradients(parameters: list[Tensor], step: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(step)
    return [torch.randn(parameter.shape, generator=generator) for parameter in parameters]


def _step_ordinary(optimizers: list[torch.optim.Optimizer], step: int) -> None:
    set_rates(optimizers, FACTORS[step])
    parameters = [p for each in optimizers for group in each.param_groups for p in group["params"]]
    for parameter, gradient in zip(parameters, _gradients(parameters, step), strict=True):
        parameter.grad = gradient
    penalise(optimizers)
    for optimizer in optimizers:
        optimizer.step()


def _step_on_device(updates: DeviceUpdates, step: int) -> None:
    factor, number = torch.tensor(FACTORS[step]), torch.tensor(float(step + 1))
    updates(_gradients(updates.parameters, step), factor=factor, step=number)


def _check_close(found: nn.Module, wanted: nn.Module, start: nn.Module) -> None:
    rows = zip(found.parameters(), wanted.parameters(), start.parameters(), strict=True)
    for own, other, before in rows:
        moved = (other - before).norm()
        assert moved > 0
        assert (own - other).norm() < 1e-5 * moved


@pytest.mark.parametrize("name", ["muon", "sgd", "adamw"])
@pytest.mark.parametrize("penalties", [{}, {"l1": 0.1}, {"l1": 0.2, "lp": "1.5:0.3"}])
def test_steps_are_those_of_the_optimizer(name, penalties) -> None:
    start, ordinary, ours = _network(), _network(), _network()
    optimizers = _optimizers(ordinary, name, **penalties)
    updates = DeviceUpdates(_optimizers(ours, name, **penalties))
    for step in range(len(FACTORS)):
        _step_ordinary(optimizers, step)
        _step_on_device(updates, step)
    _check_close(ours, ordinary, start)


@pytest.mark.parametrize("name", ["muon", "sgd", "adamw"])
@pytest.mark.parametrize("first_on_device", [True, False])
def test_either_goes_on_where_the_other_was(name, first_on_device) -> None:
    start, ordinary, ours = _network(), _network(), _network()
    optimizers, mixed = _optimizers(ordinary, name), _optimizers(ours, name)
    for step in range(len(FACTORS)):
        _step_ordinary(optimizers, step)
        if first_on_device == (step < 2):
            updates = DeviceUpdates(mixed)
            _step_on_device(updates, step)
            updates.count(step + 1)
        else:
            _step_ordinary(mixed, step)
    _check_close(ours, ordinary, start)


@pytest.mark.parametrize("name", ["muon", "sgd", "adamw"])
def test_momenta_are_taken_over_or_set_to_zero(name) -> None:
    one, other = _network(), _network()
    updates, optimizers = DeviceUpdates(_optimizers(one, name)), _optimizers(other, name)
    _step_on_device(updates, 0)
    updates.take(_optimizers(_network(), name))
    one.load_state_dict(_network().state_dict())
    for step in range(2):
        _step_on_device(updates, step)
    _step_ordinary(optimizers, 0)
    fresh = _network()
    taken = DeviceUpdates(_optimizers(fresh, name))
    taken.take(optimizers)
    fresh.load_state_dict(other.state_dict())
    _step_on_device(taken, 1)
    _check_close(fresh, one, _network())


def test_a_parameter_without_a_gradient_stays() -> None:
    network = _network()
    updates = DeviceUpdates(_optimizers(network, "muon"))
    before = [parameter.detach().clone() for parameter in updates.parameters]
    gradients: list[Tensor | None] = [*_gradients(updates.parameters, 0)]
    gradients[0] = gradients[-1] = None
    updates(gradients, factor=torch.tensor(1.0), step=torch.tensor(1.0))
    stayed = [own.equal(old) for own, old in zip(updates.parameters, before, strict=True)]
    assert [number for number, same in enumerate(stayed) if same] == [0, len(before) - 1]


def test_an_optimizer_of_another_kind_is_refused() -> None:
    optimizer = torch.optim.RMSprop(_network().parameters())
    with pytest.raises(TrainingError, match="RMSprop"):
        DeviceUpdates([optimizer])
    with pytest.raises(TrainingError, match="SGD"):
        DeviceUpdates([torch.optim.SGD(_network().parameters(), lr=0.1)])
