"""The evaluation: what it counts is so, it keeps to its time, and only what stands is attacked again."""

from __future__ import annotations

import json
import time

import pytest
import torch
from torch import Generator, Tensor, nn

from striate.attack.balls import L0, L2, Linf
from striate.attack.evaluation import evaluate
from striate.core.errors import AttackError
from striate.core.intervals import wilson


def answers(network, images: Tensor) -> Tensor:
    with torch.no_grad():
        return network(images).argmax(dim=1)


@pytest.fixture(scope="module")
def found(digits):
    return evaluate(digits.network, digits.images, digits.labels, ball=Linf(0.25), seconds=60)


def test_what_is_counted_is_so(digits, found) -> None:
    clean, labels = digits.images[found.rows], digits.labels[found.rows]
    right = answers(digits.network, clean) == labels
    assert found.images == len(found.rows) == len(set(found.rows.tolist())) == 200
    assert found.clean.value == right.sum().item() / 200
    assert (found.changed - clean).double().abs().max() <= 0.25
    assert found.changed.aminmax().min >= 0
    assert found.changed.aminmax().max <= 1
    fell = answers(digits.network, found.changed) != labels
    assert found.fallen.equal(right & fell)
    assert found.robust.value == (right & ~fell).sum().item() / 200
    assert (found.robust.low, found.robust.high) == wilson(int((right & ~fell).sum()), 200)
    assert found.robust.value < found.clean.value - 0.3


def test_every_attack_gets_only_what_stands(found) -> None:
    standing = round(found.clean.value * found.images)
    assert sum(each.fell for each in found.attacks) == found.fallen.sum()
    for each in found.attacks:
        assert each.fell <= each.attacked <= each.standing <= standing
    assert found.attacks[0].standing == standing
    assert {each.name for each in found.attacks} <= {"apgd-ce", "apgd-t", "fab-t", "square"}
    assert found.level == "full"


def test_the_strongest_attack_of_each_image_is_named(digits, found) -> None:
    right = answers(digits.network, digits.images[found.rows]) == digits.labels[found.rows]
    assert [name is not None for name in found.strongest] == right.tolist()
    felled = [name for name, fell in zip(found.strongest, found.fallen.tolist(), strict=True) if fell]
    for name in set(felled):
        assert felled.count(name) == sum(each.fell for each in found.attacks if each.name == name)


def test_the_curve_falls_from_the_clean_accuracy(found) -> None:
    radii = [point.eps for point in found.curve]
    left = [point.accuracy.value for point in found.curve]
    assert radii == sorted(radii)
    assert (radii[0], left[0]) == (0, found.clean.value)
    assert left == sorted(left, reverse=True)
    assert left[radii.index(0.25)] == found.robust.value
    assert len(radii) == 8
    assert left[-1] < 0.1


def test_the_verdict_and_json_are_there(found) -> None:
    assert found.masking is not None
    assert not found.masking.suspected
    said = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert said["robust"]["value"] == found.robust.value
    assert said["finding"] == found.finding
    assert "200 images) within linf 0.25, clean" in found.finding
    assert found.seconds < 60


class Slow(nn.Module):
    """Takes half a millisecond an image."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        time.sleep(0.0005 * len(images))
        return self.network(images)


def test_a_slow_model_ends_in_time_and_is_said_to_have_had_too_little(digits) -> None:
    began = time.monotonic()
    found = evaluate(Slow(digits.network), digits.images, digits.labels, ball=Linf(0.03), seconds=1.0)
    assert time.monotonic() - began < 4
    assert found.images < 200
    assert found.level != "full"
    assert "the truth may be lower: about" in found.notes[0]
    assert found.robust.value <= found.clean.value


def test_more_time_for_a_slow_model_attacks_more_images(digits) -> None:
    little, much = (
        evaluate(Slow(digits.network), digits.images, digits.labels, ball=Linf(0.3), seconds=seconds).images
        for seconds in (0.2, 6.0)
    )
    assert little < much


def test_bytes_are_pixels_and_one_generator_gives_one_result(digits) -> None:
    images, labels = (digits.images[:40] * 255).round(), digits.labels[:40]
    one, other = (
        evaluate(
            digits.network,
            given,
            labels,
            ball=Linf(0.3),
            seconds=60,
            generator=Generator().manual_seed(7),
        )
        for given in (images.byte(), images / 255)
    )
    assert one.rows.equal(other.rows)
    assert one.changed.equal(other.changed)
    assert one.strongest == other.strongest
    assert one.masking == other.masking
    assert one.level == "full"


def test_success_is_counted_in_the_precision_that_is_deployed(digits) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        found = evaluate(digits.network, digits.images[:60], digits.labels[:60], ball=Linf(0.25), seconds=60)
        labels = digits.labels[found.rows]
        right = answers(digits.network, digits.images[found.rows]) == labels
        fell = answers(digits.network, found.changed) != labels
    assert found.fallen.equal(right & fell)
    assert found.clean.value == right.sum().item() / 60
    assert found.changed.dtype == torch.float32


class Detached(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images.detach())


def test_a_model_without_gradients_is_attacked_without(digits) -> None:
    found = evaluate(
        Detached(digits.network), digits.images[:30], digits.labels[:30], ball=Linf(0.3), seconds=60
    )
    assert {each.name for each in found.attacks} == {"square"}
    assert any("no gradient comes back" in note for note in found.notes)
    assert found.robust.value < found.clean.value
    assert found.masking is not None
    assert found.masking.suspected
    with pytest.raises(AttackError, match="by l0 there is no attack without"):
        evaluate(Detached(digits.network), digits.images, digits.labels, ball=L0(3))


@pytest.mark.parametrize("ball", [L2(2.0), L0(8)])
def test_other_norms_are_measured(digits, ball) -> None:
    found = evaluate(digits.network, digits.images[:40], digits.labels[:40], ball=ball, seconds=60)
    assert (ball.norms(found.changed - digits.images[found.rows]) <= ball.eps * (1 + 1e-6)).all()
    assert found.robust.value < found.clean.value
    left = [point.accuracy.value for point in found.curve]
    assert left == sorted(left, reverse=True)


def test_the_model_is_left_as_it_was(digits) -> None:
    network = digits.network
    network[0].weight.requires_grad_(True)
    network.zero_grad(set_to_none=True)  # other tests share the network
    network.train()
    try:
        evaluate(network, digits.images[:20], digits.labels[:20], ball=Linf(0.2), seconds=0.5)
        assert network.training
        assert network[0].weight.requires_grad
        assert network[0].weight.grad is None
    finally:
        network.eval()


@pytest.mark.parametrize(
    ("options", "change", "sentence"),
    [
        ({"ball": L2(float("inf"))}, None, "an evaluation needs a radius that is finite"),
        ({"ball": Linf(0)}, None, "a radius of 0 leaves nothing to attack"),
        ({"seconds": 0}, None, "0 seconds are no time"),
        ({"seconds": float("nan")}, None, "nan seconds are no time"),
        ({}, "normalised", "did you pass normalised images"),
        ({}, "labels", "a label is 10, and the model has 10 classes"),
        ({}, "negative", "a label is -1"),
        ({}, "fewer", "one whole number from 0 is wanted for each"),
        ({}, "probabilities", "the model gives probabilities"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(digits, options, change, sentence: str) -> None:
    network, images, labels = digits.network, digits.images.clone(), digits.labels.clone()
    if change == "normalised":
        images = images * 4 - 2.1
    if change == "labels":
        labels[150] = 10
    if change == "negative":
        labels[150] = -1
    if change == "fewer":
        labels = labels[1:]
    if change == "probabilities":
        network = nn.Sequential(network, nn.Softmax(dim=1))
    with pytest.raises(AttackError, match=sentence):
        evaluate(network, images, labels, **{"ball": Linf(0.1), **options})
