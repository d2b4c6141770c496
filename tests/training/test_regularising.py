"""Chance while a network trains: what it drops, with no change on the average, and none in evaluation."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from striate.core.errors import RecipeError
from striate.core.recipe import Recipe
from striate.models import build
from striate.nn import AroundBranch, Residual
from striate.training.regularising import check_controls, regularise

RESIDUAL = {
    "resnet18": 8,
    "resnet50": 16,
    "resnet20": 9,
    "preactresnet18": 8,
    "wide-resnet16-4": 6,
    "wide-resnet50-2": 16,
    "efficientnet-lite0": 9,
}
"""Networks with the number of their blocks that have a skip."""


def _built(name: str) -> nn.Module:
    torch.manual_seed(0)
    return build(name, classes=3, channels=3, size=(32, 32))


class _Block(nn.Module):
    """A residual network of two blocks and a head whose values can be followed by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Residual(nn.Linear(2, 2)), Residual(nn.Linear(2, 2))
        self.head = nn.Linear(2, 2, bias=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.first(features)))


@pytest.mark.parametrize("name", RESIDUAL)
def test_blocks_of_residual_networks_are_known(name) -> None:
    with torch.device("meta"):
        network = build(name, classes=3, channels=3, size=(32, 32))
    blocks = [
        each for each in network.modules() if isinstance(each, AroundBranch) and each.branch_end is not None
    ]
    assert len(blocks) == RESIDUAL[name]
    for block in blocks:
        assert any(part is block.branch_end for part in block.modules())


@pytest.mark.parametrize("name", ["resnet20", "preactresnet18", "efficientnet-lite0"])
def test_without_its_branch_a_block_gives_what_its_skip_gives(name) -> None:
    network = _built(name).train()
    block = next(
        each for each in network.modules() if isinstance(each, AroundBranch) and each.branch_end is not None
    )
    regularise(network, Recipe(model=name, stochastic_depth=0.999999))
    seen = {}
    block.register_forward_hook(
        lambda _, given, result: seen.update(given=given[0].clone(), result=result.clone())
    )
    # All but the first blocks are gone past as surely; the first of many has the least probability.
    for hooks in (part._forward_hooks for part in block.modules() if part is block.branch_end):
        for key, hook in list(hooks.items()):
            hooks[key] = type(hook)(network, 0.999999)
    network(torch.randn(4, 3, 32, 32))
    expected = seen["given"] if name == "efficientnet-lite0" else seen["given"].relu()
    if name == "preactresnet18":
        expected = seen["given"]
    assert torch.allclose(seen["result"], expected, atol=1e-6)


def test_probabilities_rise_in_equal_steps_to_that_of_the_last_block() -> None:
    network = _built("resnet18")
    regularise(network, Recipe(model="resnet18", stochastic_depth=0.4))
    hooks = [hook for each in network.modules() for hook in each._forward_hooks.values()]
    assert [hook.probability for hook in hooks] == pytest.approx([0.05 * number for number in range(1, 9)])


def test_images_go_past_as_often_as_is_said_and_each_for_itself() -> None:
    torch.manual_seed(0)
    network = _Block().train()
    network.first.body.weight.data.zero_()
    network.first.body.bias.data.fill_(1.0)
    network.second = nn.Identity()
    network.head.weight.data.copy_(torch.eye(2))
    regularise(network, Recipe(stochastic_depth=0.25))
    found = network(torch.zeros(20_000, 2))
    gone = (found == 0).all(dim=1)
    assert torch.allclose(found[~gone], torch.tensor(1 / 0.75))
    # The deviation of the share is sqrt(0.25 0.75/20,000) = 0.003.
    assert gone.double().mean().item() == pytest.approx(0.25, abs=0.015)


def test_the_expectation_is_the_network_itself() -> None:
    torch.manual_seed(0)
    network = _Block().double()
    features = torch.randn(1, 2).double()
    plain = network.eval()(features)
    regularise(network, Recipe(stochastic_depth=0.5, dropout=0.3))
    assert network.eval()(features).equal(plain)
    network.train()
    with torch.no_grad():
        drawn = network(features.expand(200_000, 2))
    deviation = drawn.std(dim=0) / 200_000**0.5
    assert (drawn.std(dim=0) > 0.01).all()
    assert ((drawn.mean(dim=0) - plain[0]).abs() < 4 * deviation).all()


@pytest.mark.parametrize("name", ["resnet20", "efficientnet-lite0"])
def test_evaluation_is_deterministic_and_what_it_was(name) -> None:
    network = _built(name)
    images = torch.randn(3, 3, 32, 32)
    plain = network.eval()(images)
    keys = list(network.state_dict())
    regularise(network, Recipe(model=name, stochastic_depth=0.5, dropout=0.5))
    assert network.eval()(images).equal(plain)
    assert list(network.state_dict()) == keys
    network.train()
    assert not network(images).equal(network(images))


def test_a_copy_in_evaluation_drops_nothing_while_the_network_trains() -> None:
    network = _built("resnet20")
    regularise(network, Recipe(model="resnet20", stochastic_depth=0.9, dropout=0.9))
    images = torch.randn(2, 3, 32, 32)
    copied = copy.deepcopy(network).eval()
    network.train()
    assert copied(images).equal(copied(images))


def test_dropout_is_before_the_head_and_counts_for_more_what_is_left() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2, bias=False)).train()
    network[0].weight.data.zero_()
    network[0].bias.data.fill_(1.0)
    network[1].weight.data.fill_(0.25)
    regularise(network, Recipe(model="mlp", dropout=0.5))
    torch.manual_seed(0)
    found = network(torch.zeros(10_000, 4))
    # Of four features of 1 a half is left, each of them doubled.
    assert set(found.unique().tolist()) == {0.0, 0.5, 1.0, 1.5, 2.0}
    assert found[:, 0].equal(found[:, 1])
    assert found.mean().item() == pytest.approx(1, abs=0.02)


def test_layers_of_dropout_that_a_network_has_take_the_share() -> None:
    network = build("alexnet", classes=3, channels=3, size=(64, 64))
    own = [each for each in network.modules() if isinstance(each, nn.Dropout)]
    regularise(network, Recipe(model="alexnet", dropout=0.2))
    assert own
    assert {each.p for each in own} == {0.2}
    assert not any(each._forward_pre_hooks for each in network.modules())
    regularise(network, Recipe(model="alexnet"))
    assert {each.p for each in own} == {0.2}
    regularise(network, Recipe(model="alexnet", dropout=0.0))
    assert {each.p for each in own} == {0.0}


def test_what_has_no_place_is_refused_in_one_sentence() -> None:
    chain = nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU())
    with pytest.raises(RecipeError, match=r"stochastic_depth is 0\.2, and 'lenet' has no residual block"):
        check_controls(chain, Recipe(model="lenet", stochastic_depth=0.2))
    with pytest.raises(RecipeError, match=r"dropout is 0\.2, and 'lenet' ends with no dense layer"):
        check_controls(chain, Recipe(model="lenet", dropout=0.2))
    check_controls(chain, Recipe(model="lenet", l1=0.1, patience=3, average_weights=0.5))


@pytest.mark.parametrize(
    "fields", [{"dropout": 0.1}, {"l1": 0.1}, {"lp": "2:0.1"}, {"average_weights": 0.1}, {"patience": 2}]
)
def test_a_fit_of_the_head_alone_takes_no_such_control(fields) -> None:
    network = _built("resnet20")
    frozen = {"model": "resnet20", "pretrained": "run", "freeze": "backbone", "flip": False, "shift": 0}
    with pytest.raises(RecipeError, match=f"{next(iter(fields))} is .*only the head is fitted"):
        check_controls(network, Recipe(**frozen, **fields))
    check_controls(network, Recipe(**frozen))
    check_controls(network, Recipe(**{**frozen, "flip": True}, **fields))
