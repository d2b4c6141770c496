"""Invariance on models whose answers are known, the law of polyphase sampling, and bad input."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from torch import nn

from striate.attack import Change, changes_for, invariance
from striate.attack.curves import Measured
from striate.core.errors import AttackError
from striate.core.events import Event
from striate.core.intervals import wilson
from striate.models.cifar_resnet import resnet20


class LeftOrRight(nn.Module):
    """Says by its logits where the light is: 0 left, 1 right of the middle."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        half = images.shape[3] // 2
        return torch.stack([images[..., :half].sum((1, 2, 3)), images[..., half:].sum((1, 2, 3))], dim=1)


def points(columns: list[int]) -> torch.Tensor:
    images = torch.zeros(len(columns), 1, 16, 16)
    for image, column in zip(images, columns, strict=True):
        image[0, 8, column] = 1.0
    return images


def named(*names: str, size: tuple[int, int] = (16, 16)) -> list[Change]:
    found = {change.name: change for change in changes_for(size)}
    return [found[name] for name in names]


def test_curves_by_hand() -> None:
    # 7 is one pixel left of the middle, 5 three, and 1 is far; 12 is right and wrongly labelled.
    images, labels = points([7, 5, 1, 12]), torch.tensor([0, 0, 0, 0])
    change = Change("right", "pixels", (0, 1, 3), lambda images, pixels, _: [images.roll(int(pixels), 3)])
    found = invariance(LeftOrRight(), images, labels, changes=[change], layers=False)
    curve = found.curve("right")
    assert [each.value for each in curve.accuracy] == [0.75, 0.5, 0.25]
    assert [each.value for each in curve.consistency] == [1.0, 0.75, 0.5]
    # Areas over strengths 0, 1/3, 1: (0.75 + 0.5)/2/3 + (0.5 + 0.25)/2 * 2/3.
    assert curve.accuracy_area.value == pytest.approx(1.25 / 6 + 0.75 / 3)
    assert curve.consistency_area.value == pytest.approx(1.75 / 6 + 1.25 / 3)
    confidence = torch.tensor([1.0, 0.0]).softmax(0)[0].item()
    assert curve.confidence[0].value == pytest.approx(confidence)
    assert [(each.image, each.strength, each.answer) for each in curve.worst] == [(0, 1.0, 1), (1, 3.0, 1)]
    assert curve.worst[1].picture.equal(images[1].roll(3, 2))
    assert (curve.accuracy[0].low, curve.accuracy[0].high) == wilson(3, 4)


def test_variants_are_means_and_any_wrong_one_fells() -> None:
    found = invariance(LeftOrRight(), points([7, 2]), torch.tensor([0, 0]), changes=named("circular-shift"))
    curve = found.curve("circular-shift")
    # By one pixel down, up and left the first stays, by one to the right it falls.
    assert curve.accuracy[1].value == (0.75 + 1) / 2
    assert curve.worst[0].image == 0


def test_batches_do_not_matter(monkeypatch) -> None:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(7, 1, 16, 16, generator=generator)
    labels = torch.arange(7) % 2
    changes = named("rotation", "brightness", "jpeg")
    whole = invariance(LeftOrRight(), images, labels, changes=changes).to_dict()
    monkeypatch.setattr(sys.modules["striate.attack.invariance"], "AT_ONCE", 2)
    parts = invariance(LeftOrRight(), images, labels, changes=changes, batch=3).to_dict()
    for one, other in zip(parts["curves"], whole["curves"], strict=True):
        assert one["accuracy"] == other["accuracy"]
        assert one["worst"] == other["worst"]
        assert one["consistency_area"] == pytest.approx(other["consistency_area"])
    assert json.loads(json.dumps(whole)) == whole


def test_the_same_seed_gives_the_same_noise_whatever_else_is_asked_for() -> None:
    images, labels = (
        torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0)),
        torch.zeros(4).long(),
    )
    alone = invariance(LeftOrRight(), images, labels, changes=named("noise"))
    beside = invariance(LeftOrRight(), images, labels, changes=named("blur", "noise"))
    other = invariance(LeftOrRight(), images, labels, changes=named("noise"), seed=1)
    assert alone.curve("noise").to_dict() == beside.curve("noise").to_dict()
    assert alone.curve("noise").to_dict() != other.curve("noise").to_dict()


def _spread(network: nn.Module, images: torch.Tensor) -> nn.Module:
    """Make an untrained network answer in many ways: its logits less their mean over the images."""

    class Spread(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network
            with torch.no_grad():
                logits = network.eval()(images)
            self.register_buffer("mean", logits.mean(dim=0))
            self.register_buffer("deviation", logits.std(dim=0))

        def forward(self, given: torch.Tensor) -> torch.Tensor:
            return (self.network(given) - self.mean) / self.deviation

    return Spread()


@pytest.mark.parametrize(("downsample", "follows"), [("polyphase", True), ("stride", False)])
def test_polyphase_sampling_with_circular_padding_is_consistent_under_every_circular_shift(
    downsample, follows
) -> None:
    torch.manual_seed(0)
    images = torch.rand(12, 1, 16, 16, dtype=torch.float64)
    network = resnet20(channels=1, downsample=downsample, padding_mode="circular").double()
    model = _spread(network, images)
    answers = model(images).argmax(dim=1)
    assert len(answers.unique()) > 3
    shifts = Change(
        "all",
        "pixels",
        (0, 1, 2, 3, 5),
        lambda images, pixels, _: [
            images.roll((int(pixels), 0), (2, 3)),
            images.roll((int(pixels), 2 * int(pixels) + 1), (2, 3)),
        ],
    )
    found = invariance(model, images, answers, changes=[shifts, *named("circular-shift")], layers=False)
    for curve in found.curves:
        assert all((each.value == 1.0) is follows for each in curve.consistency[1:2])
        assert (curve.consistency_area.value == pytest.approx(1.0)) is follows


def test_the_model_is_left_as_it_was_and_events_tell() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(256, 2)).train()
    kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    events: list[Event] = []
    changes = named("shift", "noise")
    invariance(network, points([3, 9]), torch.tensor([0, 1]), changes=changes, on_event=events.append)
    assert network.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert all(tensor.equal(kept[name]) for name, tensor in network.state_dict().items())
    assert [event.data["done"] for event in events] == [1, 2]


def test_an_unknown_curve_names_the_nearest() -> None:
    found = invariance(LeftOrRight(), points([3]), torch.tensor([0]), changes=named("rotation"))
    with pytest.raises(AttackError, match="did you mean 'rotation'"):
        found.curve("rotations")


def test_a_mean_is_never_outside_of_its_interval() -> None:
    assert Measured.mean(5.0 + 1e-12, 5).value == 1.0
    assert Measured.mean(-1e-12, 5).low < 1e-9


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (torch.zeros(2, 1, 8, 8), torch.zeros(2).long(), "16 pixels"),
        (torch.full((2, 1, 16, 16), -2.1), torch.zeros(2).long(), "from -2.1"),
        (torch.zeros(2, 1, 16, 16), torch.zeros(3).long(), "2 images"),
        (torch.zeros(2, 1, 16, 16), torch.zeros(2), "float32"),
        (torch.zeros(2, 1, 16, 16), torch.tensor([0, 2]), "largest label is 2"),
        (torch.zeros(2, 1, 16, 16), torch.tensor([0, -1]), "from 0"),
        (torch.zeros(0, 1, 16, 16), torch.zeros(0).long(), "at least one"),
    ],
)
def test_bad_input_is_one_sentence(images, labels, said) -> None:
    with pytest.raises(AttackError, match=said):
        invariance(LeftOrRight(), images, labels)


def test_answers_that_are_no_numbers_are_told_with_the_change() -> None:
    def broken(images: torch.Tensor) -> torch.Tensor:
        return torch.stack([1 / (1 - images.amax((1, 2, 3))), images.sum((1, 2, 3))], dim=1)

    with pytest.raises(AttackError, match="under the change 'brightness'"):
        invariance(broken, 0.6 * points([3]), torch.tensor([0]), changes=named("brightness"))
