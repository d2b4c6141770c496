"""The cascade makes all layers random, from the last one, on a copy; and tells maps that ignore weights."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor, nn

from striate.core.errors import LayerError
from striate.explain import METHODS, Cascade, cascade
from striate.explain.attribution import Attribution
from striate.explain.planted import edges_of_image


class Small(nn.Module):
    """Calls its layers in another order than it holds them, and one part of a module by hand."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(36, 3)
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.by_hand = nn.ModuleDict({"inner": nn.Linear(36, 36)})
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        maps = self.norm(self.first(images)).relu().mean(dim=1).flatten(1)
        weight = self.by_hand["inner"].weight
        return self.head(nn.functional.linear(maps, weight).relu()) * self.scale


def weights_seen() -> tuple[list[dict[str, Tensor]], object]:
    """Give a method that keeps the weights which it is shown."""
    seen: list[dict[str, Tensor]] = []

    def method(network, images, targets=None, *, generator=None) -> Attribution:
        seen.append({name: weight.detach().clone() for name, weight in network.named_parameters()})
        return Attribution("seen", images[:, 0] * torch.rand(6, 6, generator=generator), targets)

    return seen, method


def test_layers_become_random_from_the_last_called_to_the_first() -> None:
    network = Small().eval()
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    seen, method = weights_seen()
    found = cascade(network, torch.rand(2, 1, 6, 6), method, points=10)
    # What the pass does not call as a module belongs to what is called around it: here to the whole.
    assert found.layers == ("", "head", "norm", "first")
    assert found.randomised == (1, 2, 3, 4)
    changed = [
        {name for name, weight in weights.items() if not weight.equal(seen[0][name])} for weights in seen[1:]
    ]
    whole = {"scale", "by_hand.inner.weight", "by_hand.inner.bias"}
    assert changed[0] == whole
    assert changed[1] == whole | {"head.weight", "head.bias"}
    assert changed[3] >= {"first.weight", "first.bias", "norm.weight"}
    for name, value in network.state_dict().items():
        assert value.equal(kept[name]), name


def test_random_weights_keep_their_scale_and_nothing_else() -> None:
    seen, method = weights_seen()
    network = Small().eval()
    cascade(network, torch.rand(1, 1, 6, 6), method, points=1)
    before, after = (weights["by_hand.inner.weight"] for weights in seen)
    assert after.square().mean().sqrt() == pytest.approx(before.square().mean().sqrt().item(), rel=0.1)
    assert abs(torch.corrcoef(torch.stack([before.flatten(), after.flatten()]))[0, 1]) < 0.1
    assert len(seen) == 2


def test_the_method_draws_the_same_numbers_at_every_point() -> None:
    _, method = weights_seen()
    found = cascade(Small(), torch.rand(2, 1, 6, 6), method, points=2)
    assert found.rank == pytest.approx((1.0, 1.0))
    assert found.verdict == "does not depend"


def test_a_method_that_ignores_the_weights_is_caught_and_one_that_is_all_weights_is_not() -> None:
    images = torch.rand(6, 1, 6, 6, generator=Generator().manual_seed(1))
    caught = cascade(Small(), images, edges_of_image)
    assert (caught.similarity, caught.verdict) == (pytest.approx(1.0), "does not depend")

    def weights_of_the_head(network, images, targets=None, *, generator=None) -> Attribution:
        del images, generator
        return Attribution("head", network.head.weight[targets].unflatten(1, (6, 6)), targets)

    found = cascade(Small(), images, weights_of_the_head, targets=torch.arange(6) % 3)
    assert found.verdict == "depends"
    assert found.images == 6
    assert (len(found.rank), len(found.absolute)) == (len(found.layers), len(found.layers))


@pytest.mark.parametrize(
    ("rank", "absolute", "verdict"),
    [
        (0.24, -0.2, "depends"),
        (0.1, 0.3, "depends in part"),
        (-0.4, 0.1, "depends in part"),
        (0.1, 0.8, "depends by its signs only"),
        (0.6, 0.1, "does not depend"),
        (-0.9, 0.9, "does not depend"),
    ],
)
def test_the_verdict_is_by_what_is_left_at_the_end(rank, absolute, verdict) -> None:
    found = Cascade(
        layers=("b", "a"), randomised=(1, 2), rank=(0.9, rank), absolute=(0.9, absolute), images=1
    )
    assert found.verdict == verdict
    assert found.similarity == max(abs(rank), abs(absolute))


def test_the_class_explained_stays_that_of_the_trained_network() -> None:
    asked = []

    def method(network, images, targets=None, *, generator=None) -> Attribution:
        del network, generator
        asked.append(targets.tolist())
        return Attribution("x", images[:, 0], targets)

    network, images = Small().eval(), torch.rand(3, 1, 6, 6)
    cascade(network, images, method)
    assert asked == [network(images).argmax(dim=1).tolist()] * len(asked)


def test_the_generator_decides() -> None:
    network, images = Small().eval(), torch.rand(2, 1, 6, 6)
    one, other, again = (
        cascade(network, images, METHODS["saliency"], generator=Generator().manual_seed(seed))
        for seed in (1, 2, 1)
    )
    assert one == again
    assert one != other


def test_what_cannot_be_is_said_in_a_sentence() -> None:
    with pytest.raises(LayerError, match="no weights, so none to randomise"):
        cascade(nn.Flatten(), torch.rand(1, 1, 2, 2), edges_of_image)
    with pytest.raises(LayerError, match="0 points cannot be compared"):
        cascade(Small(), torch.rand(1, 1, 6, 6), edges_of_image, points=0)
